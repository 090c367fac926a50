//! A file on its way to a machine, and what is told of it.

use std::{
    fs::File,
    io,
    ops::Range,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::OwnedSemaphorePermit;

use super::representation::Representation;
use crate::{
    event::{MARK, Protocol},
    wire::MacAddr,
};

/// How often a slow transfer is told of.
const TELL_AGAIN: Duration = Duration::from_secs(1);

/// Something happened to a transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// The machine, by the path.
    pub mac: MacAddr,
    /// The file, without the machine: at most [`PATH_MAX`](super::netboot::PATH_MAX) bytes.
    pub path: Arc<str>,
    /// What it goes over.
    pub protocol: Protocol,
    /// Bytes of the file.
    pub total: u64,
    /// When it was asked for, which tells a machine's transfers apart.
    pub begun: Instant,
    /// What happened.
    pub happening: Happening,
}

/// What happened to a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    /// It was asked for.
    Begun {
        /// The place in the file where it begins, bytes.
        sent: u64,
    },
    /// So much is sent: told at each [mark](MARK), and of slow ones now and then.
    Sending {
        /// The place in the file, bytes.
        sent: u64,
    },
    /// All that was asked for is sent.
    Complete {
        /// The place in the file, bytes: not its end, where a part of it was asked for.
        sent: u64,
    },
    /// It has ended, and something is missing.
    Failed {
        /// The place in the file, bytes.
        sent: u64,
        /// Why.
        why: Failure,
    },
}

/// Why a transfer has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The connection has ended first.
    #[error("the connection has ended")]
    Disconnected,
    /// The file was written to.
    #[error("the file has changed while it was sent")]
    Changed,
    /// The disk, perhaps.
    #[error("the file can no longer be read")]
    Unreadable,
}

/// Whoever is told of transfers. Never waits.
pub trait Observe: Send + Sync + 'static {
    /// Something happened.
    fn observe(&self, observation: Observation);
}

/// A transfer; dropped, it has ended.
pub struct Transfer {
    file: Arc<File>,
    /// Among the files that are open.
    _place: OwnedSemaphorePermit,
    /// As it was when its length was told.
    representation: Representation,
    left: Range<u64>,
    /// The place up to which it has arrived.
    arrived: u64,
    /// What was told last, and when.
    told: (u64, Instant),
    failure: Failure,
    observation: Observation,
    observe: Arc<dyn Observe>,
}

impl Transfer {
    /// Begins to send this part of a file. The observation is what is told first.
    pub fn begin(
        (file, place): (File, OwnedSemaphorePermit),
        representation: Representation,
        part: Range<u64>,
        observation: Observation,
        observe: Arc<dyn Observe>,
    ) -> Self {
        observe.observe(observation.clone());
        let file = Arc::new(file);
        let (arrived, told) = (part.start, (part.start, observation.begun));
        let failure = Failure::Disconnected;
        Self { file, _place: place, representation, left: part, arrived, told, failure, observation, observe }
    }

    /// The file.
    #[must_use]
    pub fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// The bytes that are yet to be read.
    #[must_use]
    pub fn left(&self) -> Range<u64> {
        self.left.clone()
    }

    /// So many bytes were read.
    ///
    /// # Errors
    ///
    /// Where the file is no longer what it was: there was nothing where something should be, or it was written to.
    pub fn check(&mut self, count: usize) -> io::Result<()> {
        let now = Representation::of(&self.file).map_err(|error| self.fail(error))?;
        if count == 0 || now != self.representation {
            self.failure = Failure::Changed;
            return Err(io::Error::other(Failure::Changed));
        }
        Ok(())
    }

    /// So many more are on their way.
    pub fn advance(&mut self, count: usize) {
        self.left.start = self.left.end.min(self.left.start.saturating_add(count as u64));
    }

    /// Would it be told, had everything arrived that is on its way?
    #[must_use]
    pub fn is_due(&self) -> bool {
        self.is_news(self.left.start, Instant::now())
    }

    fn is_news(&self, arrived: u64, now: Instant) -> bool {
        arrived / MARK > self.told.0 / MARK || now.saturating_duration_since(self.told.1) >= TELL_AGAIN
    }

    /// All that is on its way has arrived, but for so many bytes.
    pub fn arrive(&mut self, outstanding: u64) {
        let (arrived, now) = (self.left.start.saturating_sub(outstanding), Instant::now());
        if arrived <= self.arrived {
            return;
        }
        self.arrived = arrived;
        if self.is_news(arrived, now) {
            self.told = (arrived, now);
            self.tell(Happening::Sending { sent: arrived });
        }
    }

    /// The file could not be read.
    pub fn fail(&mut self, error: io::Error) -> io::Error {
        self.failure = Failure::Unreadable;
        error
    }

    fn tell(&self, happening: Happening) {
        self.observe.observe(Observation { happening, ..self.observation.clone() });
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        let sent = self.arrived;
        let is_complete = sent == self.left.end && self.failure == Failure::Disconnected;
        self.tell(if is_complete {
            Happening::Complete { sent }
        } else {
            Happening::Failed { sent, why: self.failure }
        });
    }
}
