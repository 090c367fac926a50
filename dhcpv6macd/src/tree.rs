//! A directory whose files are served, and nothing outside of it.

use std::{
    fs::File,
    io,
    os::fd::{AsFd as _, OwnedFd},
    path::Path,
};

use rustix::{
    fs::{Mode, OFlags, ResolveFlags, fcntl_setfl, open, openat2},
    io::Errno,
};

use crate::wire::MacAddr;

/// How often the way to a file is gone again where something was renamed meanwhile.
const TRIES: usize = 100;

/// An open directory: what its path names later is nothing to it.
#[derive(Debug)]
pub struct Tree(OwnedFd);

/// How a file is looked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Search {
    /// Where the kernel knows the way without a disk.
    Cached,
    /// For as long as that takes.
    Patient,
}

/// Why there is no file to be had.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// There is none of this name, or none that may be named: hidden, or not below the directory.
    #[error("there is no such file")]
    Missing,
    /// There is something, and it is no file, or may not be read.
    #[error("{0}")]
    Denied(io::Error),
}

impl Tree {
    /// Opens a directory.
    ///
    /// # Errors
    ///
    /// Where there is none, or it may not be searched.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?))
    }

    /// Opens a file for a machine: `<mac>/<name>`, or, where the machine has none of its own, `<name>`. Symbolic links may lead about below
    /// the directory, and nowhere else (`RESOLVE_BENEATH`, `openat2(2)`).
    ///
    /// # Errors
    ///
    /// Why there is none.
    pub fn file(&self, mac: MacAddr, name: &str) -> Result<File, TreeError> {
        self.own_or(mac, name, name, Search::Patient)
    }

    /// Opens a file for a machine, likewise: `<mac>/<name>`, or else `default/<name>`.
    ///
    /// # Errors
    ///
    /// Why there is none.
    pub fn netboot_file(&self, mac: MacAddr, name: &str) -> Result<File, TreeError> {
        self.netboot(mac, name, Search::Patient)
    }

    /// Likewise, and `None` where the kernel does not know the way without a disk.
    ///
    /// # Errors
    ///
    /// Why there is none.
    pub fn cached_netboot_file(&self, mac: MacAddr, name: &str) -> Option<Result<File, TreeError>> {
        match self.netboot(mac, name, Search::Cached) {
            Err(TreeError::Denied(error)) if error.kind() == io::ErrorKind::WouldBlock => None,
            found => Some(found),
        }
    }

    fn netboot(&self, mac: MacAddr, name: &str, search: Search) -> Result<File, TreeError> {
        self.own_or(mac, name, &format!("default/{name}"), search)
    }

    fn own_or(&self, mac: MacAddr, name: &str, shared: &str, search: Search) -> Result<File, TreeError> {
        // Also what climbs: `..` begins with a dot.
        if name.split('/').any(|part| part.starts_with('.')) {
            return Err(TreeError::Missing);
        }
        match self.regular(&format!("{mac}/{name}"), search) {
            Err(TreeError::Missing) => self.regular(shared, search),
            found => found,
        }
    }

    fn regular(&self, path: &str, search: Search) -> Result<File, TreeError> {
        let irregular = || TreeError::Denied(io::Error::other("not a regular file"));
        let file = File::from(self.beneath(path, search).map_err(|error| match error {
            Errno::NOENT | Errno::NOTDIR | Errno::XDEV | Errno::LOOP | Errno::NAMETOOLONG => TreeError::Missing,
            // A socket.
            Errno::NXIO => irregular(),
            error => TreeError::Denied(error.into()),
        })?);
        if !file.metadata().map_err(TreeError::Denied)?.is_file() {
            return Err(irregular());
        }
        // To be served is not to be read: nobody looks up at each page when that was last. Who may not say so serves it all the same.
        fcntl_setfl(&file, OFlags::NOATIME).ok();
        Ok(file)
    }

    fn beneath(&self, path: &str, search: Search) -> Result<OwnedFd, Errno> {
        // A FIFO would hold up its reader until somebody writes.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        let open = |resolve| openat2(self.0.as_fd(), path, flags, Mode::empty(), resolve);
        if search == Search::Cached {
            return open(resolve | ResolveFlags::CACHED);
        }
        // While something is renamed, wherever, the kernel cannot tell where the `..` of a symbolic link leads (`openat2(2)`).
        let mut tries = (0..TRIES).map(|_| open(resolve)).skip_while(|opened| matches!(opened, Err(Errno::AGAIN)));
        tries.next().unwrap_or(Err(Errno::AGAIN))
    }
}
