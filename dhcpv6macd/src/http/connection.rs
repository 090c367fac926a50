//! Connections: taken in, bounded, and cut off where nothing moves. What is said over them is for a [`Serve`].

mod occupancy;
#[cfg(test)]
mod tests;
mod transfers;
mod watched;

use std::{
    error::Error,
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use http_body::Body;
use hyper::{
    Request, Response,
    body::Incoming,
    server::conn::{http1, http2},
    service::Service,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
    task::JoinSet,
    time::{Instant, sleep, timeout},
};
use tracing::debug;

pub use self::{
    occupancy::Occupancy,
    transfers::{Mover, Transfers},
};
use self::{occupancy::Refused, watched::Watched};

/// Bytes of a request's header; a longer one is answered 431 (RFC 6585 section 5).
const HEADER_MAX: usize = 16 * 1024;
/// Requests of one HTTP/2 connection that are answered at a time.
const STREAMS_MAX: u32 = 8;
/// Bytes of an answer of HTTP/2 that wait to be sent.
const STREAM_BUFFER_MAX: usize = 16 * 1024;
/// Bytes of all requests of an HTTP/2 connection that wait to be looked at, which nobody does: the least that RFC 9113 section 6.9.2 allows.
const REQUESTS_MAX: u32 = 65_535;
/// How long nobody is let in when the kernel lets nobody in, for want of file descriptors or of memory.
const PAUSE: Duration = Duration::from_millis(100);

/// How long clients may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For a handshake, and for the header of a request from when one is waited for.
    pub header: Duration,
    /// How long nothing may move either way.
    pub idle: Duration,
}

/// What became of connections, for all servers that count here.
#[derive(Debug, Default)]
pub struct Counters {
    /// Connections that are open.
    open: AtomicU64,
    accepted: AtomicU64,
    full: AtomicU64,
    full_for_address: AtomicU64,
    not_accepted: AtomicU64,
    not_opened: AtomicU64,
    timed_out: AtomicU64,
    stalled: AtomicU64,
    broken: AtomicU64,
}

impl Counters {
    /// How many connections are open.
    pub fn open(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }

    /// Every counter by its name.
    pub fn each(&self) -> impl Iterator<Item = (&'static str, u64)> {
        [
            ("http_connection", &self.accepted),
            ("http_refuse_full", &self.full),
            ("http_refuse_full_for_address", &self.full_for_address),
            ("http_not_accepted", &self.not_accepted),
            ("http_handshake_failed", &self.not_opened),
            ("http_timed_out", &self.timed_out),
            ("http_stalled", &self.stalled),
            ("http_broken", &self.broken),
        ]
        .into_iter()
        .map(|(name, counter)| (name, counter.load(Ordering::Relaxed)))
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// An open connection is counted, until this is dropped.
struct Open(Arc<Counters>);

impl Open {
    fn new(counters: &Arc<Counters>) -> Self {
        count(&counters.accepted);
        count(&counters.open);
        Self(Arc::clone(counters))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Did the client let its time pass? hyper says so of headers, and what is watched of everything else.
fn is_timed_out(error: &hyper::Error) -> bool {
    let source = error.source().and_then(|source| source.downcast_ref());
    error.is_timeout() || source.is_some_and(|error: &io::Error| error.kind() == io::ErrorKind::TimedOut)
}

/// Where connections come from.
pub trait Listener: Send {
    /// A connection.
    type Stream: Send + 'static;

    /// Waits for one, and tells whose it is; `None` where nobody tells.
    fn accept(&self) -> impl Future<Output = io::Result<(Self::Stream, Option<IpAddr>)>> + Send;
}

impl Listener for TcpListener {
    type Stream = TcpStream;

    async fn accept(&self) -> io::Result<(TcpStream, Option<IpAddr>)> {
        let (stream, peer) = Self::accept(self).await?;
        stream.set_nodelay(true)?;
        Ok((stream, Some(SocketAddr::ip(&peer).to_canonical())))
    }
}

impl Listener for UnixListener {
    type Stream = UnixStream;

    async fn accept(&self) -> io::Result<(UnixStream, Option<IpAddr>)> {
        Self::accept(self).await.map(|(stream, _)| (stream, None))
    }
}

/// What is said over the connections of a listener.
pub trait Serve<Stream>: Send + Sync + 'static {
    /// What HTTP goes over.
    type Io: AsyncRead + AsyncWrite + Send + Unpin + 'static;
    /// What is answered with.
    type Body: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static;
    /// What answers.
    type Service: Service<
            Request<Incoming>,
            Response = Response<Self::Body>,
            Error: Into<Box<dyn Error + Send + Sync>>,
            Future: Send,
        > + Send
        + 'static;

    /// Shakes hands, within [`Limits::header`], where there is something to shake hands about.
    fn open(
        &self,
        stream: Stream,
        peer: Option<IpAddr>,
    ) -> impl Future<Output = io::Result<Opened<Self::Io, Self::Service>>> + Send;

    /// When something was last seen to move, where neither reading nor writing tells.
    fn moved(_io: &Self::Io) -> Option<Instant> {
        None
    }
}

/// A connection that is ready for requests.
#[derive(Debug)]
pub struct Opened<Io, Service> {
    /// What HTTP goes over.
    pub io: Io,
    /// What answers.
    pub service: Service,
    /// What was agreed upon.
    pub version: Version,
}

/// A version of HTTP.
#[derive(Clone, Debug)]
pub enum Version {
    /// HTTP/1.1 (RFC 9112), and 1.0.
    Http1,
    /// HTTP/2 (RFC 9113). None of these transfers may stand still for [`Limits::idle`], whatever else moves.
    Http2(Transfers),
}

/// A listener with all that its connections have in common.
#[derive(Debug)]
pub struct Server<S> {
    serve: Arc<S>,
    occupancy: Occupancy,
    limits: Limits,
    counters: Arc<Counters>,
}

impl<S> Clone for Server<S> {
    fn clone(&self) -> Self {
        let (serve, occupancy, counters) = (&self.serve, &self.occupancy, &self.counters);
        Self {
            serve: Arc::clone(serve),
            occupancy: occupancy.clone(),
            limits: self.limits,
            counters: Arc::clone(counters),
        }
    }
}

impl<S> Server<S> {
    /// One that answers with this, to as many as find a place.
    pub fn new(serve: S, occupancy: Occupancy, limits: Limits, counters: Arc<Counters>) -> Self {
        Self { serve: Arc::new(serve), occupancy, limits, counters }
    }

    /// Takes connections in for ever. Dropped, it ends them all.
    pub async fn run<L>(&self, listener: L)
    where
        L: Listener,
        S: Serve<L::Stream>,
    {
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                Some(_) = connections.join_next() => continue,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    self.not_accepted(&error).await;
                    continue;
                }
            };
            match self.occupancy.enter(peer) {
                Ok(place) => {
                    let (server, open) = (self.clone(), Open::new(&self.counters));
                    connections.spawn(async move {
                        server.attend(stream, peer).await;
                        drop((place, open));
                    });
                }
                Err(Refused::Full) => count(&self.counters.full),
                Err(Refused::FullForAddress) => count(&self.counters.full_for_address),
            }
        }
    }

    async fn not_accepted(&self, error: &io::Error) {
        use io::ErrorKind::{ConnectionAborted, ConnectionReset, InvalidInput};
        count(&self.counters.not_accepted);
        debug!(%error, "a connection was not accepted");
        // Who is gone before it was let in holds nobody up.
        if !matches!(error.kind(), ConnectionAborted | ConnectionReset | InvalidInput) {
            sleep(PAUSE).await;
        }
    }

    /// From the handshake to the end.
    async fn attend<Stream>(&self, stream: Stream, peer: Option<IpAddr>)
    where
        S: Serve<Stream>,
    {
        let opened = timeout(self.limits.header, self.serve.open(stream, peer)).await;
        let opened = opened.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let ended = match opened {
            Ok(opened) => self.speak(opened).await,
            Err(error) => {
                count(&self.counters.not_opened);
                return debug!(?peer, %error, "a connection could not be opened");
            }
        };
        if let Err(error) = ended {
            count(if is_timed_out(&error) { &self.counters.timed_out } else { &self.counters.broken });
            let source = error.source().map(ToString::to_string).unwrap_or_default();
            debug!(?peer, %error, source, "a connection was cut off");
        }
    }

    async fn speak<Stream>(&self, opened: Opened<S::Io, S::Service>) -> hyper::Result<()>
    where
        S: Serve<Stream>,
    {
        let Opened { io, service, version } = opened;
        let io = TokioIo::new(Watched::new(io, S::moved, self.limits.idle, Arc::clone(&self.counters)));
        let timer = TokioTimer::new();
        match version {
            Version::Http1 => {
                let mut http = http1::Builder::new();
                http.timer(timer).header_read_timeout(self.limits.header).max_buf_size(HEADER_MAX).writev(true);
                // U-Boot looks for `Content-Length` in this spelling.
                http.title_case_headers(true).half_close(true);
                http.serve_connection(io, service).await
            }
            Version::Http2(transfers) => {
                let mut http = http2::Builder::new(TokioExecutor::new());
                http.timer(timer).max_concurrent_streams(STREAMS_MAX).max_send_buf_size(STREAM_BUFFER_MAX);
                http.max_header_list_size(u32::try_from(HEADER_MAX).unwrap_or(u32::MAX));
                http.initial_stream_window_size(REQUESTS_MAX).initial_connection_window_size(REQUESTS_MAX);
                tokio::select! {
                    ended = http.serve_connection(io, service) => ended,
                    () = transfers.stand_still(self.limits.idle) => {
                        count(&self.counters.stalled);
                        count(&self.counters.timed_out);
                        Ok(())
                    }
                }
            }
        }
    }
}
