//! The events server: a thread of its own, so that neither many who watch nor slow ones hold up the control plane.

use std::{
    fs, io,
    net::TcpListener,
    os::unix::{fs::FileTypeExt as _, net::UnixListener},
    path::{Path, PathBuf},
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use rustix::process::setpriority_process;
use socket2::{Domain, SockAddr, SockRef, Socket, Type};
use tokio::{net, runtime::Builder, sync::oneshot};
use tracing::warn;

use super::{StartError, listen::listen};
use crate::{
    config::{EventsListen, Token},
    http::{
        connection::{self, Counters, Limits, Occupancy, Serve, Server},
        events::{Events, feed::Feed},
    },
};

/// Bytes that the kernel keeps of what one subscriber is slow to take: enough for all that happens in a moment. Left to itself it keeps
/// megabytes for each, and what it has for all TCP connections of the router has an end.
const SEND_BUFFER: usize = 256 << 10;
/// Whoever boots goes before whoever watches (`sched(7)`).
const NICE: i32 = 10;
/// How long one may leave us without a header, and how long nothing may move.
const LIMITS: Limits = Limits { header: Duration::from_secs(10), idle: Duration::from_secs(60) };

/// A place where connections come in.
#[derive(Debug)]
pub(super) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener, SocketFile),
}

/// The file of a Unix socket, which goes when that does.
#[derive(Debug)]
pub(super) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // One that cannot be removed is in nobody's way: the next daemon replaces it.
        drop(fs::remove_file(&self.0));
    }
}

impl Listener {
    /// Takes the place. A Unix socket that nobody listens on any more is replaced.
    pub(super) fn bind(place: &EventsListen) -> Result<Self, StartError> {
        match place {
            EventsListen::Address(address) => listen("events-listen-addr", *address).map(Self::Tcp),
            EventsListen::Unix(path) => {
                let at = |source| StartError::Socket { path: path.clone(), source };
                unix(path).map(|listener| Self::Unix(listener, SocketFile(path.clone()))).map_err(at)
            }
        }
    }
}

fn unix(path: &Path) -> io::Result<UnixListener> {
    remove_left_over(path)?;
    let listener = UnixListener::bind(path)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn remove_left_over(path: &Path) -> io::Result<()> {
    let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    match fs::symlink_metadata(path) {
        Ok(metadata) if !metadata.file_type().is_socket() => Err(io::Error::other("a file is there that is no socket")),
        Ok(_) if knock(path).is_err_and(refused) => fs::remove_file(path),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Is somebody there? Who is and takes no connection in is not waited for.
fn knock(path: &Path) -> io::Result<()> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.connect(&SockAddr::unix(path)?)
}

/// The thread that serves events.
#[derive(Debug)]
pub(super) struct EventsServer {
    counters: Arc<Counters>,
    thread: JoinHandle<()>,
    stop: oneshot::Sender<()>,
    _socket: Option<SocketFile>,
}

impl EventsServer {
    /// Starts to serve, over so many connections at a time.
    pub(super) fn start(listener: Listener, feed: Feed, token: Option<Token>, connections: usize) -> io::Result<Self> {
        let counters = Arc::new(Counters::default());
        // Many screens may be behind one address, and shall not keep everybody else out.
        let occupancy = Occupancy::new(connections, connections / 2);
        let events = Events { feed, token: token.map(Arc::new) };
        let server = Server::new(events, occupancy, LIMITS, Arc::clone(&counters));
        let (stop, stopped) = oneshot::channel::<()>();
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let inside = runtime.enter();
        let socket = match listener {
            Listener::Tcp(listener) => {
                // Connections have it from where they come in.
                SockRef::from(&listener).set_send_buffer_size(SEND_BUFFER)?;
                serve(server, net::TcpListener::from_std(listener)?);
                None
            }
            Listener::Unix(listener, file) => {
                serve(server, net::UnixListener::from_std(listener)?);
                Some(file)
            }
        };
        drop(inside);
        let thread = thread::Builder::new().name("events".into()).spawn(move || {
            // Of the calling thread alone.
            if let Err(error) = setpriority_process(None, NICE) {
                warn!(%error, "the thread that serves events does not give way");
            }
            // Whoever is to stop drops the other end.
            drop(runtime.block_on(stopped));
        })?;
        Ok(Self { counters, thread, stop, _socket: socket })
    }

    /// What it counts.
    pub(super) fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// Ends it.
    pub(super) fn stop(self) {
        drop(self.stop);
        // It has nothing to say that its counters do not.
        drop(self.thread.join());
    }
}

fn serve<L>(server: Server<Events>, listener: L)
where
    L: connection::Listener + Sync + 'static,
    Events: Serve<L::Stream>,
{
    tokio::spawn(async move { server.run(listener).await });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_holds_the_socket_and_takes_nobody_in_is_left_alone_at_once() {
        let directory = std::env::temp_dir().join(format!("dhcpv6macd-{}", std::process::id()));
        fs::create_dir(&directory).unwrap();
        let path = directory.join("events");
        let holder = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        holder.bind(&SockAddr::unix(&path).unwrap()).unwrap();
        holder.listen(0).unwrap();
        let waiting = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        waiting.connect(&SockAddr::unix(&path).unwrap()).unwrap();
        assert_eq!(unix(&path).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop((holder, waiting));
        drop(unix(&path).unwrap());
        fs::remove_dir_all(&directory).unwrap();
    }
}
