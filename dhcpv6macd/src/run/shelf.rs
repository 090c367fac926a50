//! Files in memory for workers, who may not wait for a disk: one thread reads them, whole, and puts them where all can see them.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle, Thread},
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use bytes::Bytes;
use crossbeam_queue::ArrayQueue;
use tracing::{debug, info, warn};

use super::directory;
use crate::{
    tftp::{FileName, Found},
    tree::{Tree, TreeError},
    wire::MacAddr,
};

/// Bytes of all files together that are kept; what machines are still reading is not thrown out.
const BYTES_MAX: u64 = 1 << 30;
/// Files that are asked for and not looked for yet; who finds no room asks again.
const WANTED_MAX: usize = 1024;
/// Names that are kept.
const NAMES_MAX: usize = 8192;
/// How long what was found is taken for true; then it is looked at again.
const FRESH: Duration = Duration::from_secs(1);

/// How long what was found is kept back at most while more is looked for.
const SHOW: Duration = Duration::from_millis(10);
/// How often at most it is logged that a file cannot be had.
const TELL_AGAIN: Duration = Duration::from_secs(1);

/// A file by its name, for a machine.
type Name = (MacAddr, FileName);
/// What was found, and when.
type Entries = HashMap<Name, (Found, Instant)>;

/// The thread that reads files. Dropped, it ends.
pub(super) struct Shelf {
    ends: Ends,
    is_over: Arc<AtomicBool>,
    is_stale: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread and the workers share.
#[derive(Clone)]
struct Ends {
    wanted: Arc<ArrayQueue<Name>>,
    entries: Arc<ArcSwap<Entries>>,
}

impl Shelf {
    /// Starts the thread for the files of a directory.
    pub(super) fn new(path: &Path) -> io::Result<Self> {
        let tree = directory::open(path)?;
        let ends = Ends { wanted: Arc::new(ArrayQueue::new(WANTED_MAX)), entries: Arc::default() };
        let is_over = Arc::new(AtomicBool::new(false));
        let is_stale = Arc::new(AtomicBool::new(false));
        let (path, stale) = (path.to_owned(), Arc::clone(&is_stale));
        let mut keeper =
            Keeper { ends: ends.clone(), path, is_stale: stale, tree, contents: Contents::default(), told: None };
        let told = Arc::clone(&is_over);
        let keep = move || {
            while !told.load(Ordering::Acquire) {
                keeper.fetch();
                thread::park();
            }
        };
        let thread = thread::Builder::new().name("files".to_owned()).spawn(keep)?;
        Ok(Self { ends, is_over, is_stale, thread: Some(thread) })
    }

    /// Has the directory opened again: its path may name another one by now.
    pub(super) fn reload(&self) {
        self.is_stale.store(true, Ordering::Release);
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }

    /// An end for a worker.
    pub(super) fn reader(&self) -> Option<ShelfReader> {
        let thread = self.thread.as_ref()?.thread().clone();
        Some(ShelfReader { ends: self.ends.clone(), thread })
    }
}

impl Drop for Shelf {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // Had it panicked, it would have said so.
            drop(thread.join());
        }
    }
}

/// A worker's end of the shelf.
pub(super) struct ShelfReader {
    ends: Ends,
    thread: Thread,
}

impl ShelfReader {
    /// What there is of a name, as of a moment ago; where that is not known, it will be.
    pub(super) fn find(&self, mac: MacAddr, name: &FileName, now: Instant) -> Found {
        let name = (mac, *name);
        if let Some((found, since)) = self.ends.entries.load().get(&name)
            && now.saturating_duration_since(*since) < FRESH
        {
            return found.clone();
        }
        // Where there is no room, it is asked for again in a moment.
        if self.ends.wanted.push(name).is_ok() {
            self.thread.unpark();
        }
        Found::Later
    }
}

/// The thread's own.
struct Keeper {
    ends: Ends,
    path: PathBuf,
    is_stale: Arc<AtomicBool>,
    tree: Tree,
    contents: Contents,
    /// When it was logged last that a file cannot be had.
    told: Option<Instant>,
}

/// Why a file is not in memory.
enum NotRead {
    /// There is none.
    Missing,
    /// For now.
    NotNow(&'static str),
    /// For good.
    Never(io::Error),
}

impl From<io::Error> for NotRead {
    fn from(error: io::Error) -> Self {
        Self::Never(error)
    }
}

impl Keeper {
    /// Finds what is wanted, all of it, and then shows it.
    fn fetch(&mut self) {
        if self.is_stale.swap(false, Ordering::AcqRel) {
            self.open_again();
        }
        if self.ends.wanted.is_empty() {
            return;
        }
        let mut entries = fresh(&self.ends.entries.load());
        // What is not fresh any more holds no file from here on.
        self.ends.entries.store(Arc::new(entries.clone()));
        let mut shown = Instant::now();
        for _ in 0..WANTED_MAX {
            let Some(name) = self.ends.wanted.pop() else { break };
            if !entries.contains_key(&name) && entries.len() < NAMES_MAX {
                let found = self.find(&name);
                entries.insert(name, (found, Instant::now()));
            }
            // Who has a small file need not wait for who has a large one.
            if shown.elapsed() >= SHOW {
                self.ends.entries.store(Arc::new(entries.clone()));
                shown = Instant::now();
            }
        }
        self.ends.entries.store(Arc::new(entries));
    }

    fn open_again(&mut self) {
        match directory::open(&self.path) {
            Ok(tree) => {
                self.tree = tree;
                self.ends.entries.store(Arc::default());
                info!(directory = %self.path.display(), "the directory for TFTP opened again");
            }
            Err(error) => warn!("{}: {error}: the directory for TFTP stays as it was", self.path.display()),
        }
    }

    fn find(&mut self, (mac, name): &Name) -> Found {
        let found = self.tree.file(*mac, name.file()).map_err(|error| match error {
            TreeError::Missing => NotRead::Missing,
            TreeError::Denied(error) => NotRead::Never(error),
        });
        match found.and_then(|file| self.contents.of(file)) {
            Ok(bytes) => Found::File(bytes),
            Err(NotRead::Missing) => {
                debug!(%mac, file = name.file(), "there is no such file for TFTP");
                Found::Missing
            }
            Err(NotRead::NotNow(why)) => {
                self.tell(*mac, name, why, "a file that is asked for cannot be had yet");
                Found::Later
            }
            Err(NotRead::Never(error)) => {
                self.tell(*mac, name, &error.to_string(), "a file that is asked for cannot be had");
                Found::Denied
            }
        }
    }

    /// A boot that stands still for want of a file is worth a line, as long as it is not every second's.
    fn tell(&mut self, mac: MacAddr, name: &FileName, why: &str, what: &str) {
        if self.told.is_none_or(|told| told.elapsed() >= TELL_AGAIN) {
            self.told = Some(Instant::now());
            warn!(%mac, file = name.file(), why, "{what}");
        } else {
            debug!(%mac, file = name.file(), why, "{what}");
        }
    }
}

/// Those that may be shown on.
fn fresh(entries: &Entries) -> Entries {
    let now = Instant::now();
    let is_fresh = |since: Instant| now.saturating_duration_since(since) < FRESH;
    entries.iter().filter(|(_, (_, since))| is_fresh(*since)).map(|(name, entry)| (*name, entry.clone())).collect()
}

/// What was read, once however many names it has.
#[derive(Default)]
struct Contents {
    files: HashMap<Version, (Bytes, Instant)>,
    bytes: u64,
}

/// A file as it was at some time.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Version {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Version {
    fn of(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }
}

impl Contents {
    /// All of a file: from memory, where it has not changed.
    fn of(&mut self, file: File) -> Result<Bytes, NotRead> {
        let version = Version::of(&file)?;
        if let Some((bytes, used)) = self.files.get_mut(&version) {
            *used = Instant::now();
            return Ok(bytes.clone());
        }
        self.make_room(version.length)?;
        let bytes = read(&file, version)?;
        self.bytes += version.length;
        self.files.insert(version, (bytes.clone(), Instant::now()));
        Ok(bytes)
    }

    /// Throws out what was not used for the longest time and is not being read.
    fn make_room(&mut self, length: u64) -> Result<(), NotRead> {
        if length > BYTES_MAX {
            return Err(NotRead::Never(io::Error::other("longer than 1 GiB")));
        }
        while self.bytes + length > BYTES_MAX {
            let idle = self.files.iter().filter(|(_, (bytes, _))| bytes.is_unique());
            let oldest = idle.min_by_key(|(_, (_, used))| *used).map(|(version, _)| *version);
            let oldest = oldest.ok_or(NotRead::NotNow("no room in memory: 1 GiB of files are being read"))?;
            self.files.remove(&oldest);
            self.bytes -= oldest.length;
        }
        Ok(())
    }
}

/// Reads a file that stays as it is meanwhile.
fn read(file: &File, version: Version) -> Result<Bytes, NotRead> {
    let mut bytes = Vec::new();
    let length = usize::try_from(version.length).map_err(io::Error::other)?;
    bytes.try_reserve_exact(length).map_err(io::Error::other)?;
    file.take(version.length).read_to_end(&mut bytes)?;
    if bytes.len() != length || Version::of(file)? != version {
        return Err(NotRead::NotNow("it changed while it was read"));
    }
    Ok(bytes.into())
}
