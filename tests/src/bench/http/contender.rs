//! Who is measured: the daemon and nginx, on one host, with the same file.

use std::{
    fmt, fs,
    io::{Read as _, Write as _},
    net::{Ipv6Addr, SocketAddrV6, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::{
    net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with},
    process::Pid,
};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, crypto::aws_lc_rs, pki_types::pem::PemObject as _,
};
use tempfile::TempDir;

use super::{
    super::account::Account,
    Scenario,
    client::{Download, Skip},
    records::Records,
};
use crate::lab::{Daemon, End, Host, MACHINE_INTERFACE, Process, ROUTER_INTERFACE, cable, machine_mac, target};

const BASE: &str = "2001:db8:0:1::";
/// How long a server may take to start.
const START_LIMIT: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(10);
/// How long a download that is compared may take.
const CHECK_LIMIT: Duration = Duration::from_secs(60);
/// Connections from one address: a server may bound them.
const OF_ADDRESS: u32 = 32;
/// Of a namespace (`Documentation/networking/ip-sysctl.rst`).
const CONGESTION_CONTROL: &str = "/proc/sys/net/ipv4/tcp_congestion_control";
const NGINX: &str = "debian/usr/sbin/nginx";

/// Who is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Daemon,
    Nginx,
    /// Alike in everything: by what the two differ, nothing is told of the daemon.
    NginxAgain,
}

impl Kind {
    pub(super) const ALL: [Self; 3] = [Self::Daemon, Self::Nginx, Self::NginxAgain];

    const fn port(self, is_encrypted: bool) -> u16 {
        match (self, is_encrypted) {
            (Self::Daemon, false) => 80,
            (Self::Daemon, true) => 443,
            (Self::Nginx, false) => 8080,
            (Self::Nginx, true) => 8443,
            (Self::NginxAgain, false) => 8081,
            (Self::NginxAgain, true) => 8444,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Daemon => "daemon",
            Self::Nginx => "nginx",
            Self::NginxAgain => "nginx again",
        })
    }
}

/// The host, the file, and the certificate.
pub(super) struct Scene {
    host: Host,
    /// At the other end of the daemon's interface.
    _rack: Host,
    files: TempDir,
    file: Vec<u8>,
    tls: Arc<ClientConfig>,
}

impl Scene {
    pub(super) fn new(length: u64, congestion_control: &str) -> Result<Self> {
        let (host, rack) = (Host::new("router")?, Host::new("rack")?);
        cable(
            End { host: &host, interface: ROUTER_INTERFACE, mac: None },
            End { host: &rack, interface: MACHINE_INTERFACE, mac: None },
        )?;
        host.run(|| fs::write(CONGESTION_CONTROL, congestion_control))?
            .with_context(|| format!("{congestion_control} is none of this kernel's that may be used here"))?;
        host.addresses(ROUTER_INTERFACE)?;
        host.own(BASE.parse().context("the prefix of the bench")?)?;
        for number in 0..256 / OF_ADDRESS {
            host.ip(&format!("-6 address add {}/128 dev lo nodad", source(number)))?;
        }
        let files = TempDir::new().context("cannot make a directory for the file")?;
        let directory = files.path().join(machine_mac(0).to_string());
        fs::create_dir(&directory)?;
        let mut rng = fastrand::Rng::with_seed(1);
        let file: Vec<_> = (0..length).map(|_| rng.u8(..)).collect();
        fs::write(directory.join("boot.efi"), &file).context("cannot write the file")?;
        let tls = certify(files.path())?;
        Ok(Self { host, _rack: rack, files, file, tls })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    /// A connection from one of the addresses.
    fn dial(&self, contender: &Contender, is_encrypted: bool, number: u32) -> Result<TcpStream> {
        let to = SocketAddrV6::new(Ipv6Addr::LOCALHOST, contender.kind.port(is_encrypted), 0, 0);
        let from = SocketAddrV6::new(source(number / OF_ADDRESS), 0, 0, 0);
        self.host.run(|| -> Result<_> {
            let socket = socket_with(AddressFamily::INET6, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
            bind(&socket, &from)?;
            connect(&socket, &to)?;
            Ok(TcpStream::from(socket))
        })?
    }

    fn shake_hands(&self, mut stream: &TcpStream) -> Result<ClientConnection> {
        let name = Ipv6Addr::LOCALHOST.into();
        let mut session = ClientConnection::new(Arc::clone(&self.tls), rustls::pki_types::ServerName::IpAddress(name))?;
        session.complete_io(&mut stream).context("no handshake")?;
        Ok(session)
    }

    /// Downloads that need nothing but to be asked for.
    pub(super) fn connect(&self, contender: &Contender, scenario: Scenario) -> Result<Vec<Download>> {
        let open = |number| {
            let stream = self.dial(contender, scenario.is_encrypted(), number)?;
            let skip = if scenario.is_encrypted() {
                Skip::Encrypted(Box::new(Records::new(self.shake_hands(&stream)?)))
            } else {
                Skip::Plain
            };
            Download::new(stream, skip, &request(""))
        };
        (0..scenario.downloads()).map(open).collect()
    }

    /// Compares one download byte by byte.
    pub(super) fn check(&self, contender: &Contender, scenario: Scenario) -> Result<()> {
        let stream = self.dial(contender, scenario.is_encrypted(), 0)?;
        stream.set_read_timeout(Some(CHECK_LIMIT))?;
        let mut answer = Vec::new();
        let request = request("Connection: close\r\n");
        if scenario.is_encrypted() {
            let session = self.shake_hands(&stream)?;
            let mut stream = StreamOwned::new(session, stream);
            stream.write_all(request.as_bytes())?;
            stream.read_to_end(&mut answer)?;
        } else {
            (&stream).write_all(request.as_bytes())?;
            (&stream).read_to_end(&mut answer)?;
        }
        let is_same = answer.starts_with(b"HTTP/1.1 200 ") && answer.ends_with(&self.file);
        ensure!(is_same, "{} has sent something else over {scenario}: {} bytes", contender.kind, answer.len());
        Ok(())
    }
}

fn source(number: u32) -> Ipv6Addr {
    let [_, low] = [number >> 16, number & 0xffff];
    Ipv6Addr::new(0x2001, 0xdb8, 0, 2, 0, 0, 0, u16::try_from(low).unwrap_or_default() + 1)
}

fn request(fields: &str) -> String {
    format!("GET /mac/{}/boot.efi HTTP/1.1\r\nHost: [::1]\r\n{fields}\r\n", machine_mac(0))
}

/// Makes a certificate, and a client that trusts it and knows one cipher suite.
fn certify(directory: &Path) -> Result<Arc<ClientConfig>> {
    let (certificate, key) = (directory.join("boot.pem"), directory.join("boot.key"));
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]);
    openssl.args(["-subj", "/CN=boot", "-addext", "subjectAltName=IP:::1", "-addext", "basicConstraints=CA:FALSE"]);
    let made = openssl.arg("-keyout").arg(key).arg("-out").arg(&certificate).output().context("cannot run openssl")?;
    ensure!(made.status.success(), "openssl makes no certificate: {}", String::from_utf8_lossy(&made.stderr));
    let mut roots = RootCertStore::empty();
    roots.add(rustls::pki_types::CertificateDer::from_pem_file(&certificate)?)?;
    let mut provider = aws_lc_rs::default_provider();
    provider.cipher_suites = vec![aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256];
    let config =
        ClientConfig::builder_with_provider(provider.into()).with_protocol_versions(&[&rustls::version::TLS13])?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}

/// A server.
pub(super) struct Contender {
    kind: Kind,
    server: Server,
    account: Account,
}

enum Server {
    Daemon(Daemon),
    Nginx(Process),
}

impl Server {
    fn process(&self) -> &Process {
        match self {
            Self::Daemon(daemon) => daemon.process(),
            Self::Nginx(process) => process,
        }
    }

    fn pid(&self) -> Pid {
        self.process().pid()
    }
}

impl Contender {
    pub(super) fn start(kind: Kind, scene: &Scene) -> Result<Self> {
        let server = match kind {
            Kind::Daemon => Server::Daemon(daemon(scene)?),
            Kind::Nginx | Kind::NginxAgain => Server::Nginx(nginx(scene, kind)?),
        };
        let account = Account::of(server.pid())?;
        let contender = Self { kind, server, account };
        let started = Instant::now();
        while let Err(error) = scene.dial(&contender, true, 0) {
            if started.elapsed() > START_LIMIT {
                bail!("{kind} does not listen: {error:#}: {}", contender.output());
            }
            thread::sleep(POLL);
        }
        Ok(contender)
    }

    pub(super) const fn kind(&self) -> Kind {
        self.kind
    }

    /// CPU time of all its threads and processes.
    pub(super) fn executed(&self) -> Result<Duration> {
        self.account.executed()
    }

    /// What it has written.
    pub(super) fn output(&self) -> String {
        self.server.process().output()
    }
}

fn daemon(scene: &Scene) -> Result<Daemon> {
    let text = |path: PathBuf| path.to_str().map(str::to_owned).context("a path that is no text");
    let (directory, certificate, key) =
        (text(scene.path(""))?, text(scene.path("boot.pem"))?, text(scene.path("boot.key"))?);
    Daemon::start(
        &scene.host,
        &[
            ("--interface", ROUTER_INTERFACE),
            ("--base-address", BASE),
            ("--netboot-dir", &directory),
            ("--tls-cert-file", &certificate),
            ("--tls-key-file", &key),
        ]
        .map(|(name, value)| [name, value])
        .concat(),
    )
}

/// One process on its CPU, with sendfile, and nothing logged.
fn nginx(scene: &Scene, kind: Kind) -> Result<Process> {
    let directory = scene.path(&kind.to_string());
    fs::create_dir(&directory)?;
    let (directory, files) = (directory.display(), scene.files.path().display());
    let (plain, encrypted) = (kind.port(false), kind.port(true));
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary = temporary.map(|kind| format!("{kind}_temp_path '{directory}/{kind}';")).join(" ");
    let configuration = format!(
        "daemon off; user root; worker_processes 1; pid '{directory}/pid'; error_log stderr error;
events {{ worker_connections 4096; }}
http {{
    {temporary}
    access_log off; sendfile on; tcp_nopush on; default_type application/octet-stream;
    ssl_protocols TLSv1.3; ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
    ssl_certificate {files}/boot.pem; ssl_certificate_key {files}/boot.key;
    server {{
        listen [::]:{plain}; listen [::]:{encrypted} ssl;
        location /mac/ {{ alias {files}/; }}
    }}
}}
"
    );
    let file = format!("{directory}/nginx.conf");
    fs::write(&file, configuration)?;
    let program = target().join("tools").join(NGINX);
    ensure!(program.is_file(), "there is no {}: `cargo xtask bench http` fetches it", program.display());
    let mut nginx = Command::new(program);
    nginx.arg("-c").arg(&file).args(["-e", "stderr"]);
    scene.host.start(&nginx)
}
