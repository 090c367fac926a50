//! The servers of netboot: on threads of their own, so that neither a slow disk nor TLS holds anybody else up.

use std::{
    io,
    net::TcpListener as StdTcpListener,
    path::PathBuf,
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use arc_swap::ArcSwap;
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::{Builder, Runtime},
    sync::Notify,
    task::spawn_blocking,
    time::timeout,
};
use tracing::{info, warn};

use super::{StartError, directory, listen::listen};
use crate::{
    config::Config,
    http::{
        connection::{self, Limits, Occupancy, Serve, Server},
        netboot::{self, Netboot, PlainNetboot},
        tls::{Identity, TlsNetboot},
        transfer::Observe,
    },
    respond::Site,
};

/// Connections at a time of one machine.
const CONNECTIONS_OF_ADDRESS: usize = 64;
/// How long a client may leave us without a header, a handshake or anything at all.
const PATIENCE: Duration = Duration::from_secs(60);
const LIMITS: Limits = Limits { header: PATIENCE, idle: PATIENCE };
/// Threads that wait for a disk.
const DISK_THREADS_MAX: usize = 16;
/// How often it is looked whether the certificate has changed.
const REFRESH: Duration = Duration::from_secs(2);
/// How long threads that read a disk are waited for at the end.
const END: Duration = Duration::from_millis(200);

/// Everything that serves netboot files. Dropped, it ends.
pub(super) struct NetbootServers {
    stop: Arc<Notify>,
    reload: Arc<Notify>,
    thread: Option<JoinHandle<()>>,
    connections: Arc<connection::Counters>,
    answers: Arc<netboot::Counters>,
}

impl NetbootServers {
    /// Starts what the configuration says, from the files to the ports, for so many connections at a time; `None` where that is nothing.
    pub(super) fn start(
        config: &Config,
        site: &Arc<ArcSwap<Site>>,
        observe: impl Observe,
        connections: usize,
    ) -> Result<Option<Self>, StartError> {
        let Some(path) = &config.netboot_dir else { return Ok(None) };
        let tree =
            directory::open(path).map_err(|source| StartError::NetbootDirectory { path: path.clone(), source })?;
        let identity = config.tls.clone().filter(|_| config.https.is_some()).map(Identity::new).transpose();
        let identity = identity.map_err(StartError::Tls)?;
        let plain = config.http.map(|address| listen("http-listen-addr", address)).transpose()?;
        let encrypted = config.https.filter(|_| identity.is_some());
        let encrypted = encrypted.map(|address| listen("https-listen-addr", address)).transpose()?;
        if plain.is_none() && encrypted.is_none() {
            return Ok(None);
        }
        let answers = Arc::new(netboot::Counters::default());
        let site = Arc::clone(site);
        let is_served = Box::new(move |mac| site.load().check_access(mac).is_ok());
        let netboot = Arc::new(Netboot::new(tree, connections, is_served, observe, Arc::clone(&answers)));
        let servers = Servers { plain, encrypted, netboot, identity, path: path.clone() };
        servers.start(answers, connections).map(Some).map_err(StartError::Http)
    }

    /// Has the certificate read again, and the directory opened again: its path may name another one by now.
    pub(super) fn reload(&self) {
        self.reload.notify_one();
    }

    /// What they count, of connections and of files.
    pub(super) fn counters(&self) -> (Arc<connection::Counters>, Arc<netboot::Counters>) {
        (Arc::clone(&self.connections), Arc::clone(&self.answers))
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

/// All that is needed to begin.
struct Servers {
    plain: Option<StdTcpListener>,
    encrypted: Option<StdTcpListener>,
    netboot: Arc<Netboot>,
    identity: Option<Identity>,
    path: PathBuf,
}

impl Servers {
    fn start(self, answers: Arc<netboot::Counters>, connections: usize) -> io::Result<NetbootServers> {
        // A machine has its places, whether it speaks HTTP or HTTPS.
        let occupancy = Occupancy::new(connections, CONNECTIONS_OF_ADDRESS);
        let connections = Arc::new(connection::Counters::default());
        let runtime = runtime()?;
        let handle = runtime.handle().clone();
        let (stop, reload) = <(Arc<Notify>, Arc<Notify>)>::default();
        let thread = Some(keep(runtime, Arc::clone(&stop))?);
        let servers = NetbootServers { stop, reload, thread, connections, answers };

        let _inside = handle.enter();
        let connections = || Arc::clone(&servers.connections);
        if let Some(listener) = self.plain {
            let plain = PlainNetboot(Arc::clone(&self.netboot));
            serve(Server::new(plain, occupancy.clone(), LIMITS, connections()), listener)?;
        }
        if let (Some(listener), Some(identity)) = (self.encrypted, &self.identity) {
            let encrypted =
                TlsNetboot::new(Arc::clone(&self.netboot), identity.resolver()).map_err(io::Error::other)?;
            serve(Server::new(encrypted, occupancy, LIMITS, connections()), listener)?;
        }
        let files = Files { netboot: self.netboot, path: self.path, identity: self.identity };
        tokio::spawn(keep_in_step(files, Arc::clone(&servers.reload)));
        Ok(servers)
    }
}

fn serve<S: Serve<TcpStream>>(server: Server<S>, listener: StdTcpListener) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    tokio::spawn(async move { server.run(listener).await });
    Ok(())
}

/// What may change while it is served.
struct Files {
    netboot: Arc<Netboot>,
    path: PathBuf,
    identity: Option<Identity>,
}

impl Files {
    fn refresh(&mut self, is_asked: bool) {
        if let Some(identity) = &mut self.identity {
            identity.refresh(is_asked);
        }
        if is_asked {
            let path = self.path.display();
            match directory::open(&self.path) {
                Ok(tree) => {
                    self.netboot.serve_from(tree);
                    info!(directory = %path, "the directory for HTTP opened again");
                }
                Err(error) => warn!("--netboot-dir {path}: {error}; the directory that was there is served on"),
            }
        }
    }
}

/// Keeps what is served in step with its files.
async fn keep_in_step(mut files: Files, reload: Arc<Notify>) {
    loop {
        let is_asked = timeout(REFRESH, reload.notified()).await.is_ok();
        let refreshed = spawn_blocking(move || {
            files.refresh(is_asked);
            files
        });
        let Ok(refreshed) = refreshed.await else { return };
        files = refreshed;
    }
}

fn runtime() -> io::Result<Runtime> {
    let threads = thread::available_parallelism().map_or(1, Into::into);
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
