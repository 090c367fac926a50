//! A router with files, and a machine that loads them.

use std::{
    fs,
    io::Read as _,
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use dhcpv6macd_tests::lab::{Daemon, Ended, Host, MACHINE_INTERFACE, ROUTER_INTERFACE, Rack, machine_mac};
use tempfile::TempDir;

pub(crate) const BASE: &str = "2001:db8:0:1::";
/// How long a transfer may take on a machine that is busy with something else.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);

/// A router with files, and a machine that has its address.
pub(crate) struct Scene {
    pub(crate) rack: Rack,
    pub(crate) files: TempDir,
    pub(crate) loaded: TempDir,
}

/// What a server has said.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter().filter(|(field, _)| field.eq_ignore_ascii_case(name));
        let value = fields.next().map(|(_, value)| value.as_str());
        assert!(fields.next().is_none(), "{name} twice: {self:?}");
        value
    }
}

impl Scene {
    pub(crate) fn new() -> Self {
        let rack = Rack::new(1).unwrap();
        rack.router.own(BASE.parse().unwrap()).unwrap();
        rack.machines[0].ip(&format!("-6 address add {BASE}99/64 dev {MACHINE_INTERFACE} nodad")).unwrap();
        Self { rack, files: TempDir::new().unwrap(), loaded: TempDir::new().unwrap() }
    }

    pub(crate) fn machine(&self) -> &Host {
        &self.rack.machines[0]
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        let path = self.files.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).unwrap();
    }

    pub(crate) fn daemon(&self, arguments: &[&str]) -> Daemon {
        self.daemon_for(self.files.path(), arguments)
    }

    pub(crate) fn daemon_for(&self, directory: &Path, arguments: &[&str]) -> Daemon {
        let directory = directory.to_str().unwrap();
        let least = ["--interface", ROUTER_INTERFACE, "--base-address", BASE, "--netboot-dir", directory];
        Daemon::start(&self.rack.router, &[&least[..], arguments].concat()).unwrap()
    }

    pub(crate) fn curl(&self, path: &str, arguments: &[&str]) -> (Ended, Answer) {
        let place = |name: &str| self.loaded.path().join(name);
        let (header, body) = (place("header"), place("body"));
        for file in [&header, &body] {
            fs::write(file, b"").unwrap();
        }
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--globoff", "--path-as-is"]).args(arguments);
        curl.arg("--dump-header").arg(&header).arg("--output").arg(&body).arg(format!("http://[{BASE}]{path}"));
        let ended = self.machine().execute(&curl, LIMIT).unwrap();
        let header = fs::read_to_string(header).unwrap();
        let mut lines = header.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).unwrap_or_default();
        let field = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()));
        (ended, Answer { status, fields: lines.filter_map(field).collect(), body: fs::read(body).unwrap() })
    }

    pub(crate) fn get(&self, path: &str, arguments: &[&str]) -> Answer {
        let (ended, answer) = self.curl(path, arguments);
        ended.success().unwrap();
        answer
    }

    /// A connection of the machine to the server.
    pub(crate) fn connect(&self) -> TcpStream {
        let stream = self.machine().run(|| TcpStream::connect((BASE, 80))).unwrap().unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream
    }
}

pub(crate) fn bytes(length: usize) -> Vec<u8> {
    (0..251).cycle().take(length).collect()
}

pub(crate) fn own(file: &str) -> String {
    format!("/mac/{}/{file}", machine_mac(0))
}

/// What comes until the other end closes, and whether it closes well.
pub(crate) fn rest(stream: &mut TcpStream) -> (Vec<u8>, bool) {
    let mut rest = Vec::new();
    let is_well = stream.read_to_end(&mut rest).is_ok();
    (rest, is_well)
}
