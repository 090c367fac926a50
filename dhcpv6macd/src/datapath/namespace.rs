//! Network namespaces without a name: they live as long as somebody holds them, and leave nothing behind.

use std::{
    fs::File,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    panic,
    thread::{self, ScopedJoinHandle},
};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::sys;

/// A network namespace held by its file descriptor. It ends with the last descriptor, socket, thread or process in it, and
/// takes its interfaces along.
#[derive(Debug)]
pub struct Namespace(OwnedFd);

impl Namespace {
    /// The namespace that the calling thread is in.
    ///
    /// # Errors
    ///
    /// Where `/proc` is not mounted.
    pub fn current() -> io::Result<Self> {
        Ok(Self(File::open("/proc/thread-self/ns/net")?.into()))
    }

    /// A new and empty namespace; its loopback interface is down.
    ///
    /// # Errors
    ///
    /// Without `CAP_SYS_ADMIN`, or where the limit on namespaces is reached (`user.max_net_namespaces`).
    pub fn anonymous() -> io::Result<Self> {
        thread::scope(|scope| {
            let thread = thread::Builder::new().name("namespace".into()).spawn_scoped(scope, || {
                sys::unshare_network()?;
                Self::current()
            })?;
            join(thread)
        })
    }

    /// Runs `work` on a thread of its own inside the namespace. Sockets that it opens stay there, processes that it starts
    /// are born there.
    ///
    /// # Errors
    ///
    /// Without `CAP_SYS_ADMIN`, or where no thread can be started.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> io::Result<T> {
        thread::scope(|scope| {
            let thread = thread::Builder::new().name("namespace".into()).spawn_scoped(scope, || {
                move_into_link_name_space(self.0.as_fd(), Some(LinkNameSpaceType::Network))?;
                Ok(work())
            })?;
            join(thread)
        })
    }
}

fn join<T>(thread: ScopedJoinHandle<'_, io::Result<T>>) -> io::Result<T> {
    thread.join().unwrap_or_else(|panicked| panic::resume_unwind(panicked))
}

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
