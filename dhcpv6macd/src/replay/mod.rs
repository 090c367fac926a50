//! A capture through the very core that answers on the wire, offline: what came, what would be answered, and why what is not
//! answered is not.
//!
//! The file is read twice: once for the server in it, whose part is then played ([`assumed`]), and once for every frame. Its
//! timestamps are the time that the [machines'](crate::machine) histories know.

mod assumed;
mod file;
mod line;
mod player;
mod replies;

use std::{
    fs::{File, OpenOptions},
    io::{self, BufWriter, Seek as _, Write},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use self::player::Player;
pub use self::{
    assumed::Assumed,
    file::{CaptureError, CaptureFile, Record},
    replies::Replies,
};
use crate::config::{Config, open_regular};

/// What is to be replayed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// The capture.
    pub capture: PathBuf,
    /// Where the answers go.
    pub replies: Option<PathBuf>,
    /// Where what is told of the machines goes.
    pub events: Option<PathBuf>,
}

/// What a replay writes, and where to.
pub struct Outputs<'o> {
    /// A line for every frame.
    pub lines: Box<dyn Write + 'o>,
    /// The answers.
    pub replies: Option<Replies<Box<dyn Write + 'o>>>,
    /// What is told of the machines, a stream of events.
    pub events: Option<Box<dyn Write + 'o>>,
}

/// Why a replay did not begin, or not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The capture cannot be read.
    #[error("{}: cannot be read: {source}", shown(path))]
    Open {
        /// Its name.
        path: PathBuf,
        /// What the kernel says.
        source: io::Error,
    },
    /// It is none.
    #[error("{}: {source}", shown(path))]
    NoCapture {
        /// Its name.
        path: PathBuf,
        /// What is wrong with it.
        source: CaptureError,
    },
    /// A list of machines, since it was looked at.
    #[error("{0}")]
    Access(String),
    /// The answers, or the events, cannot be written anywhere.
    #[error("--{flag} {}: {source}", shown(path))]
    Create {
        /// `out` or `events`.
        flag: &'static str,
        /// Where they should go.
        path: PathBuf,
        /// Why they do not.
        source: io::Error,
    },
    /// It is broken in its middle.
    #[error("the capture is broken behind these frames: {0}")]
    Broken(#[from] CaptureError),
    /// The answers could not all be written.
    #[error("cannot write the answers: {0}")]
    Replies(io::Error),
    /// The events could not all be written.
    #[error("cannot write the events: {0}")]
    Events(io::Error),
    /// The lines could not all be written.
    #[error("cannot write to standard output: {0}")]
    Lines(#[from] io::Error),
}

impl ReplayError {
    /// Did it not even begin?
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Open { .. } | Self::NoCapture { .. } | Self::Access(_) | Self::Create { .. } => true,
            Self::Broken(_) | Self::Replies(_) | Self::Events(_) | Self::Lines(_) => false,
        }
    }

    /// Has the reader seen enough?
    #[must_use]
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Lines(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string().escape_debug().to_string()
}

/// Replays a capture, and writes a line for every frame.
///
/// # Errors
///
/// Where a file cannot be read or written.
pub fn run(config: &Config, files: &Files, lines: impl Write) -> Result<(), ReplayError> {
    let path = &files.capture;
    let unreadable = |source| ReplayError::Open { path: path.clone(), source };
    let no_capture = |source| ReplayError::NoCapture { path: path.clone(), source };
    let access = config.access.read().map_err(ReplayError::Access)?;
    let mut file = open_regular(path).map_err(unreadable)?;
    let assumed = Assumed::new(config, access, CaptureFile::new(&mut file).map_err(no_capture)?);
    file.rewind().map_err(unreadable)?;
    let outputs = Outputs::create(files, &file, lines)?;
    let capture = CaptureFile::new(file).map_err(no_capture)?;
    replay(&assumed, capture, outputs)
}

impl<'o> Outputs<'o> {
    fn create(files: &Files, capture: &File, lines: impl Write + 'o) -> Result<Self, ReplayError> {
        let refuse = |flag, path: &PathBuf, source| ReplayError::Create { flag, path: path.clone(), source };
        let open = |flag, path: Option<&PathBuf>| {
            path.map(|path| create(path, capture).map_err(|source| refuse(flag, path, source))).transpose()
        };
        let replies =
            open("out", files.replies.as_ref())?.map(Replies::new).transpose().map_err(ReplayError::Replies)?;
        Ok(Self { lines: Box::new(BufWriter::new(lines)), replies, events: open("events", files.events.as_ref())? })
    }
}

/// A file to be written, which is not the capture itself.
fn create<'o>(path: &Path, capture: &File) -> io::Result<Box<dyn Write + 'o>> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
    let (created, capture) = (file.metadata()?, capture.metadata()?);
    if (created.dev(), created.ino()) == (capture.dev(), capture.ino()) {
        return Err(io::Error::other("that is the capture itself"));
    }
    if created.is_file() {
        file.set_len(0)?;
    }
    Ok(Box::new(BufWriter::new(file)))
}

/// Replays a capture as whoever is assumed.
///
/// # Errors
///
/// Where it breaks off, and where something cannot be written.
pub fn replay(assumed: &Assumed, capture: CaptureFile<'_>, mut outputs: Outputs<'_>) -> Result<(), ReplayError> {
    writeln!(outputs.lines, "{assumed}")?;
    let mut player = Player::new(&assumed.site, outputs);
    let read = capture.each(|record| player.frame(record));
    // What was read before it broke off is told of.
    if matches!(read, Ok(()) | Err(ReplayError::Broken(_))) {
        player.finish()?;
    }
    read
}
