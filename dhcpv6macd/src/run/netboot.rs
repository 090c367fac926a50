//! The servers of netboot: on threads of their own, so that neither a slow disk nor TLS holds anybody else up.

use std::{
    io,
    net::{IpAddr, SocketAddr, TcpListener as StdTcpListener},
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use arc_swap::ArcSwap;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::{
    net::TcpListener,
    runtime::{Builder, Runtime},
    sync::Notify,
};
use tracing::{debug, warn};

use super::{StartError, totals::Totals};
use crate::{
    config::Config,
    datapath::port::{Transport, holders},
    http::{
        connection::{self, Limits, Server},
        netboot::{self, Netboot, PlainNetboot},
        transfer::{Observation, Observe},
    },
    respond::Site,
    tree::Tree,
};

/// Connections at a time, where there are enough file descriptors: a hall of machines that boot at once, with some of them twice.
const CONNECTIONS_MAX: u64 = 8192;
/// File descriptors of a connection: itself, and its file.
const DESCRIPTORS_OF_CONNECTION: u64 = 2;
/// File descriptors that are left to everything else.
const DESCRIPTORS_OF_OTHERS: u64 = 512;
/// Connections at a time of one machine.
const CONNECTIONS_OF_ADDRESS: usize = 64;
/// How long a client may leave us without a header, a handshake or anything at all.
const PATIENCE: Duration = Duration::from_secs(60);
/// Connections that the kernel keeps until they are taken in.
const BACKLOG: i32 = 4096;
/// Threads that wait for a disk.
const DISK_THREADS_MAX: usize = 16;
/// How long threads that read a disk are waited for at the end.
const END: Duration = Duration::from_millis(200);

/// Everything that serves netboot files. Dropped, it ends.
pub(super) struct NetbootServers {
    stop: Arc<Notify>,
    thread: Option<JoinHandle<()>>,
    connections: Arc<connection::Counters>,
    answers: Arc<netboot::Counters>,
}

impl NetbootServers {
    /// Starts what the configuration says, from the files to the ports; `None` where that is nothing.
    pub(super) fn start(config: &Config, site: &Arc<ArcSwap<Site>>) -> Result<Option<Self>, StartError> {
        let Some(path) = &config.netboot_dir else { return Ok(None) };
        let Some(address) = config.http else { return Ok(None) };
        let tree = Tree::open(path).map_err(|source| StartError::NetbootDirectory { path: path.clone(), source })?;
        let plain = listen("http-listen-addr", address)?;
        let runtime = runtime().map_err(StartError::Http)?;

        let (connections, answers) = <(Arc<connection::Counters>, Arc<netboot::Counters>)>::default();
        let limits = limits();
        let site = Arc::clone(site);
        let is_served = Box::new(move |mac| site.load().check_access(mac).is_ok());
        let netboot = Arc::new(Netboot::new(tree, is_served, Told, Arc::clone(&answers)));
        let plain_server = Server::new(PlainNetboot(netboot), limits, Arc::clone(&connections));
        let plain = {
            let _inside = runtime.enter();
            TcpListener::from_std(plain).map_err(StartError::Http)?
        };
        runtime.spawn(async move { plain_server.run(plain).await });
        let stop = Arc::new(Notify::new());
        let thread = keep(runtime, Arc::clone(&stop)).map_err(StartError::Http)?;
        Ok(Some(Self { stop, thread: Some(thread), connections, answers }))
    }

    /// Ends every connection, and adds what was counted.
    pub(super) fn stop(mut self, totals: &mut Totals) {
        self.end();
        for (name, count) in self.connections.each().chain(self.answers.each()) {
            totals.add(name, count);
        }
    }

    fn end(&mut self) {
        self.stop.notify_one();
        // Had it panicked, it would have said so.
        drop(self.thread.take().map(JoinHandle::join));
    }
}

impl Drop for NetbootServers {
    fn drop(&mut self) {
        self.end();
    }
}

fn runtime() -> io::Result<Runtime> {
    let threads = thread::available_parallelism().map_or(2, Into::into).max(2);
    let mut runtime = Builder::new_multi_thread();
    runtime.worker_threads(threads).max_blocking_threads(DISK_THREADS_MAX).thread_name("http").enable_all().build()
}

/// Keeps a runtime until it is told to stop: it ends on a thread that may wait for it.
fn keep(runtime: Runtime, stop: Arc<Notify>) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name("http-keeper".to_owned()).spawn(move || {
        runtime.block_on(stop.notified());
        runtime.shutdown_timeout(END);
    })
}

/// Listens on a TCP port: without an address on all of them, those of IPv4 too.
fn listen(setting: &'static str, address: SocketAddr) -> Result<StdTcpListener, StartError> {
    bind(address).map_err(|source| {
        let holders = holders(Transport::Tcp, address.port()).into_iter().collect::<Vec<_>>().join(", ");
        StartError::Listen { setting, address, source, holders }
    })
}

fn bind(address: SocketAddr) -> io::Result<StdTcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.ip() == IpAddr::from([0; 16]) {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// As many connections as there are file descriptors for; as many of those as we may have.
fn limits() -> Limits {
    let limit = getrlimit(Resource::Nofile);
    let needed = CONNECTIONS_MAX * DESCRIPTORS_OF_CONNECTION + DESCRIPTORS_OF_OTHERS;
    let mut current = limit.current.unwrap_or(needed);
    let wanted = needed.min(limit.maximum.unwrap_or(needed));
    if current < wanted {
        match setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum }) {
            Ok(()) => current = wanted,
            Err(error) => warn!(%error, limit = current, "the limit of file descriptors cannot be raised"),
        }
    }
    let connections = current.saturating_sub(DESCRIPTORS_OF_OTHERS) / DESCRIPTORS_OF_CONNECTION;
    let connections = usize::try_from(connections.clamp(16, CONNECTIONS_MAX)).unwrap_or(usize::MAX);
    Limits { connections, connections_of_address: CONNECTIONS_OF_ADDRESS, header: PATIENCE, idle: PATIENCE }
}

/// Tells the log of transfers.
struct Told;

impl Observe for Told {
    fn observe(&self, observation: Observation) {
        let Observation { mac, path, protocol, happening, .. } = observation;
        debug!(%mac, file = %path, ?protocol, ?happening, "netboot");
    }
}
