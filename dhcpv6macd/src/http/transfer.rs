//! A file on its way to a machine, and what is told of it.

use std::{
    fs::File,
    io,
    ops::Range,
    os::fd::{AsFd, BorrowedFd},
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::OwnedSemaphorePermit;

use super::representation::Representation;
use crate::{
    event::{MARK, Protocol},
    wire::MacAddr,
};

/// How often it is looked how far a slow transfer is, and told of.
pub(super) const LOOK_AGAIN: Duration = Duration::from_secs(1);

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
    #[error("the connection has ended{}", after(*still))]
    Disconnected {
        /// How long nothing had moved.
        still: Duration,
    },
    /// The file was written to.
    #[error("the file has changed while it was sent")]
    Changed,
    /// The disk, perhaps.
    #[error("the file can no longer be read")]
    Unreadable,
}

/// Who is switched off says nothing: its silence is all there is to tell.
fn after(still: Duration) -> String {
    match still.as_secs() {
        0 => String::new(),
        seconds => format!(", {seconds} s after the last byte"),
    }
}

/// Whoever is told of transfers. Never waits.
pub trait Observe: Send + Sync + 'static {
    /// Something happened.
    fn observe(&self, observation: Observation);
}

/// A file that is open, and its place among those that are: a thread that waits for a disk may have it for longer than its transfer takes.
pub struct OpenFile {
    file: File,
    _place: OwnedSemaphorePermit,
}

impl OpenFile {
    /// With the place that was free for it.
    #[must_use]
    pub const fn new(file: File, place: OwnedSemaphorePermit) -> Self {
        Self { file, _place: place }
    }
}

impl AsFd for OpenFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// A transfer; dropped, it has ended.
pub struct Transfer {
    file: Arc<OpenFile>,
    /// As it was when its length was told.
    representation: Representation,
    left: Range<u64>,
    /// The place up to which it has arrived, and when that was seen.
    arrived: (u64, Instant),
    /// The place where it was looked what has arrived, and when.
    looked: (u64, Instant),
    /// What was told last, and when.
    told: (u64, Instant),
    /// What is wrong with the file.
    failure: Option<Failure>,
    observation: Observation,
    observe: Arc<dyn Observe>,
}

impl Transfer {
    /// Begins to send this part of a file. The observation is what is told first.
    pub fn begin(
        file: OpenFile,
        representation: Representation,
        part: Range<u64>,
        observation: Observation,
        observe: Arc<dyn Observe>,
    ) -> Self {
        observe.observe(observation.clone());
        let file = Arc::new(file);
        let told = (part.start, observation.begun);
        Self {
            file,
            representation,
            left: part,
            arrived: told,
            looked: told,
            told,
            failure: None,
            observation,
            observe,
        }
    }

    /// The file.
    #[must_use]
    pub fn file(&self) -> &Arc<OpenFile> {
        &self.file
    }

    /// The bytes that are yet to be read.
    #[must_use]
    pub fn left(&self) -> Range<u64> {
        self.left.clone()
    }

    /// So many more bytes were read.
    ///
    /// # Errors
    ///
    /// Where there was nothing, and something should be: the file is shorter than it was.
    pub fn advance(&mut self, count: u64) -> io::Result<()> {
        if count == 0 {
            return Err(self.changed());
        }
        self.left.start = self.left.end.min(self.left.start.saturating_add(count));
        Ok(())
    }

    /// Looks whether all that was read is what it should be.
    ///
    /// # Errors
    ///
    /// Where the file was written to.
    pub fn check(&mut self) -> io::Result<()> {
        let now = Representation::of(&self.file.file).map_err(|error| self.fail(error))?;
        if now == self.representation { Ok(()) } else { Err(self.changed()) }
    }

    /// Is it time to look what has arrived? It is at each mark, and now and then.
    pub fn is_due(&mut self) -> bool {
        let (sent, now) = (self.left.start, Instant::now());
        let is_due = is_news(sent, now, self.looked);
        if is_due {
            self.looked = (sent, now);
        }
        is_due
    }

    /// All that is on its way has arrived, but for so many bytes.
    pub fn arrive(&mut self, outstanding: u64) {
        let (arrived, now) = (self.left.start.saturating_sub(outstanding), Instant::now());
        if arrived <= self.arrived.0 {
            return;
        }
        self.arrived = (arrived, now);
        if is_news(arrived, now, self.told) {
            self.told = (arrived, now);
            self.tell(Happening::Sending { sent: arrived });
        }
    }

    /// The file could not be read.
    pub fn fail(&mut self, error: io::Error) -> io::Error {
        self.failure = Some(Failure::Unreadable);
        error
    }

    fn changed(&mut self) -> io::Error {
        self.failure = Some(Failure::Changed);
        io::Error::other(Failure::Changed)
    }

    fn tell(&self, happening: Happening) {
        self.observe.observe(Observation { happening, ..self.observation.clone() });
    }
}

/// Was a mark passed since, or is that long ago?
fn is_news(place: u64, now: Instant, (last, then): (u64, Instant)) -> bool {
    place / MARK > last / MARK || now.saturating_duration_since(then) >= LOOK_AGAIN
}

impl Drop for Transfer {
    fn drop(&mut self) {
        let (sent, moved) = self.arrived;
        self.tell(match self.failure {
            Some(why) => Happening::Failed { sent, why },
            None if sent == self.left.end => Happening::Complete { sent },
            None => Happening::Failed { sent, why: Failure::Disconnected { still: moved.elapsed() } },
        });
    }
}
