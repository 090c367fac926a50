//! What is counted of netboot, and said of it.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use hyper::StatusCode;

use crate::{
    histogram::{Counted, Histogram},
    http::transfer::{Failure, Happening, Observation},
};

/// As far as the first bucket of a transfer's time reaches.
const SHORTEST: Duration = Duration::from_millis(1);

/// What a request is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// A file.
    Whole,
    /// Some of a file.
    Part,
    /// What there is to be told of a file.
    Head,
    /// The client has it.
    NotModified,
    /// There is no such file.
    Missing,
    /// There is, and it cannot be had.
    Denied,
    /// This machine is not served.
    Machine,
    /// Nothing is written here.
    Method,
    /// The client wants another file than there is.
    Precondition,
    /// The file has no such bytes.
    Range,
    /// As many files are open as may be.
    Busy,
    /// The disk, or what the kernel lacks.
    Failed,
}

impl Answer {
    const ALL: [Self; 12] = [
        Self::Whole,
        Self::Part,
        Self::Head,
        Self::NotModified,
        Self::Missing,
        Self::Denied,
        Self::Machine,
        Self::Method,
        Self::Precondition,
        Self::Range,
        Self::Busy,
        Self::Failed,
    ];

    const fn told(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Whole => (StatusCode::OK, "", "netboot_whole"),
            Self::Part => (StatusCode::PARTIAL_CONTENT, "", "netboot_part"),
            Self::Head => (StatusCode::OK, "", "netboot_head"),
            Self::NotModified => (StatusCode::NOT_MODIFIED, "", "netboot_not_modified"),
            Self::Missing => (StatusCode::NOT_FOUND, "no such file\n", "netboot_refuse_missing"),
            Self::Denied => (StatusCode::FORBIDDEN, "this file is not served\n", "netboot_refuse_denied"),
            Self::Machine => (StatusCode::FORBIDDEN, "this machine is not served\n", "netboot_refuse_machine"),
            Self::Method => (StatusCode::METHOD_NOT_ALLOWED, "there are GET and HEAD\n", "netboot_refuse_method"),
            Self::Precondition => {
                (StatusCode::PRECONDITION_FAILED, "the file is another by now\n", "netboot_refuse_precondition")
            }
            Self::Range => (StatusCode::RANGE_NOT_SATISFIABLE, "the file has no such bytes\n", "netboot_refuse_range"),
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, "too many files are open\n", "netboot_refuse_busy"),
            Self::Failed => (StatusCode::INTERNAL_SERVER_ERROR, "the file cannot be read\n", "netboot_refuse_failed"),
        }
    }

    pub(super) const fn status(self) -> StatusCode {
        self.told().0
    }

    /// For a person.
    pub(super) const fn words(self) -> &'static str {
        self.told().1
    }
}

/// What requests were answered with, and what became of the files.
#[derive(Debug)]
pub struct Counters {
    answers: [AtomicU64; Answer::ALL.len()],
    /// Files that are on their way.
    under_way: AtomicU64,
    /// How long those took that are complete.
    times: Histogram,
    complete: AtomicU64,
    disconnected: AtomicU64,
    changed: AtomicU64,
    unreadable: AtomicU64,
}

impl Default for Counters {
    fn default() -> Self {
        let (answers, times) = (Default::default(), Histogram::new(SHORTEST));
        let [under_way, complete, disconnected, changed, unreadable] = Default::default();
        Self { answers, under_way, times, complete, disconnected, changed, unreadable }
    }
}

impl Counters {
    pub(super) fn count(&self, answer: Answer) {
        if let Some(counter) = self.answers.get(answer as usize) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts a transfer at its beginning and at its end.
    pub(super) fn transfer(&self, observation: &Observation) {
        let counter = match observation.happening {
            Happening::Begun { .. } => {
                self.under_way.fetch_add(1, Ordering::Relaxed);
                return;
            }
            Happening::Sending { .. } => return,
            Happening::Complete { .. } => {
                self.times.add(observation.begun.elapsed());
                &self.complete
            }
            Happening::Failed { why: Failure::Disconnected { .. }, .. } => &self.disconnected,
            Happening::Failed { why: Failure::Changed, .. } => &self.changed,
            Happening::Failed { why: Failure::Unreadable, .. } => &self.unreadable,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        self.under_way.fetch_sub(1, Ordering::Relaxed);
    }

    /// How many files and parts are on their way.
    pub fn under_way(&self) -> u64 {
        self.under_way.load(Ordering::Relaxed)
    }

    /// How long files and parts took that are complete: from the request to when that was [told](Happening::Complete).
    pub fn times(&self) -> Counted {
        Counted::read([&self.times])
    }

    /// Every counter by its name.
    pub fn each(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let names = Answer::ALL.map(|answer| answer.told().2);
        let ends = [
            ("netboot_complete", &self.complete),
            ("netboot_disconnected", &self.disconnected),
            ("netboot_changed", &self.changed),
            ("netboot_unreadable", &self.unreadable),
        ];
        let counters = names.into_iter().zip(&self.answers).chain(ends);
        counters.map(|(name, counter)| (name, counter.load(Ordering::Relaxed)))
    }
}
