//! How long a machine may stay in a step of its boot, and what it is waited for there.

use std::time::Duration;

use super::transfer::Followed;
use crate::event::{Step, Transfer, TransferState};

/// How long machines may stand still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StallLimits {
    limits: [Duration; Step::ALL.len()],
    /// Is it this daemon that serves iPXE? Where it is another, nobody sees whether a machine loads it.
    pub serves_ipxe: bool,
    /// And what boot URLs name?
    pub serves_boot_files: bool,
}

impl Default for StallLimits {
    fn default() -> Self {
        let limits = Step::ALL.map(|step| {
            Duration::from_secs(match step {
                Step::FirmwareInit | Step::ServeIpxeOverTftp | Step::HttpFetchUki => 10,
                Step::HttpBoot | Step::PointPxeToIpxeOverTftp | Step::PointIpxeToHttpBoot => 30,
                Step::ServedIpxeOverTftp => 60,
                Step::Init | Step::OsInit => 300,
            })
        });
        Self { limits, serves_ipxe: false, serves_boot_files: false }
    }
}

/// What firmware, or iPXE, was answered last, where nothing has come of it yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It was offered an address.
    Offer,
    /// It was offered an address, and nothing to boot, though it wants to.
    EmptyOffer,
    /// It has its address, and was told nothing to boot, though it wants to.
    NothingToBoot,
    /// It has what it asked for, which was nothing to boot.
    Configuration,
}

/// Where a machine is, and for how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standstill<'a> {
    pub(super) step: Step,
    pub(super) answer: Option<Answer>,
    /// The file that it loads, or has loaded last.
    pub(super) transfer: Option<&'a Followed>,
    /// How long it has not moved.
    pub(super) for_so_long: Duration,
}

impl StallLimits {
    /// How long a machine may stay in this step; of [`Step::OsInit`] how long until it gets there, once it has loaded everything.
    #[must_use]
    pub fn of(&self, step: Step) -> Duration {
        self.limits.get(step as usize).copied().unwrap_or(Duration::MAX)
    }

    /// Sets the same.
    pub fn set(&mut self, step: Step, limit: Duration) {
        if let Some(place) = self.limits.get_mut(step as usize) {
            *place = limit;
        }
    }

    /// Why a machine stands still for too long, in words, if it does.
    pub(super) fn reason(&self, standstill: &Standstill<'_>) -> Option<String> {
        let (limit, awaited) = self.awaited(standstill)?;
        (standstill.for_so_long >= limit).then(|| format!("{} for {}", awaited.words(standstill), in_words(limit)))
    }

    fn awaited(&self, standstill: &Standstill<'_>) -> Option<(Duration, Awaited)> {
        let step = standstill.step;
        let next = |words| Some((self.of(step), Awaited::Next(words)));
        match (step, standstill.answer) {
            // Nothing is known of a machine that has no more to do.
            (Step::Init | Step::OsInit, _) => None,
            (_, Some(answer)) => self.after(answer, step),
            (Step::FirmwareInit, None) => self.after(Answer::Offer, step),
            (Step::PointPxeToIpxeOverTftp, None) if self.serves_ipxe => next("told where iPXE is, no TFTP request"),
            (Step::PointPxeToIpxeOverTftp, None) => {
                let words = "told where iPXE is, no message from it";
                Some((self.of(Step::ServedIpxeOverTftp), Awaited::Next(words)))
            }
            (Step::ServedIpxeOverTftp, None) => next("iPXE loaded, no message from it"),
            (Step::HttpBoot | Step::PointIpxeToHttpBoot, None) if self.serves_boot_files => {
                next("boot URL sent, no GET")
            }
            (Step::HttpBoot | Step::PointIpxeToHttpBoot, None) => self.no_system("boot URL sent"),
            (Step::ServeIpxeOverTftp, None) => Some((self.of(step), Awaited::Bytes("TFTP"))),
            (Step::HttpFetchUki, None) => match standstill.transfer {
                Some(followed) if followed.is_over && !followed.has_failed() => {
                    let is_whole = followed.transfer.state == TransferState::Complete;
                    self.no_system(if is_whole { "file loaded" } else { "part of a file loaded" })
                }
                _ => Some((self.of(step), Awaited::Bytes("GET"))),
            },
        }
    }

    fn after(&self, answer: Answer, step: Step) -> Option<(Duration, Awaited)> {
        let words = match answer {
            Answer::Offer => "Advertise sent, no Request",
            Answer::EmptyOffer => "Advertise sent without a boot file, no Request",
            Answer::NothingToBoot => "has its address, was told nothing to boot",
            // It may be in its menu, or boot from its disk.
            Answer::Configuration => return self.no_system("was answered, asked for nothing to boot"),
        };
        Some((self.of(step), Awaited::Next(words)))
    }

    fn no_system(&self, done: &'static str) -> Option<(Duration, Awaited)> {
        Some((self.of(Step::OsInit), Awaited::System(done)))
    }
}

/// What is waited for. Words are made of it for those who stand still alone.
enum Awaited {
    /// All in words.
    Next(&'static str),
    /// An operating system, after this.
    System(&'static str),
    /// More bytes of a transfer of this kind.
    Bytes(&'static str),
}

impl Awaited {
    fn words(&self, standstill: &Standstill<'_>) -> String {
        let (kind, followed) = match self {
            Self::Next(words) => return (*words).to_owned(),
            Self::System(done) => return format!("{done}, no operating system"),
            Self::Bytes(kind) => (kind, standstill.transfer),
        };
        match followed {
            Some(followed) if followed.has_failed() => format!("{kind} failed, nothing more"),
            Some(Followed { transfer: Transfer { sent_bytes: sent, total_bytes: total, .. }, .. }) if *total > 0 => {
                let percent = u128::from(*sent.min(total)) * 100 / u128::from(*total);
                format!("{kind} at {percent} %, no byte")
            }
            _ => format!("{kind} begun, no byte"),
        }
    }
}

fn in_words(limit: Duration) -> String {
    let seconds = limit.as_secs();
    if seconds >= 120 && seconds.is_multiple_of(60) { format!("{} min", seconds / 60) } else { format!("{seconds} s") }
}
