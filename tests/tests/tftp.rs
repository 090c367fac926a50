//! Real TFTP clients read from the real daemon: whole files, byte for byte, and nothing that is not theirs.
#![cfg(test)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use dhcpv6macd::wire::MacAddr;
use dhcpv6macd_tests::lab::{Daemon, Ended, Host, MACHINE_INTERFACE, ROUTER_INTERFACE, Rack, machine_mac};
use tempfile::TempDir;

const BASE: &str = "2001:db8:0:1::";
/// How long a transfer may take on a machine that is busy with something else.
const LIMIT: Duration = Duration::from_secs(120);

const NATIVE: [&str; 2] = ["--xdp-mode", "native"];
const PACKET: [&str; 2] = ["--datapath", "packet"];

/// A router with files, and a machine that has its address.
struct Scene {
    rack: Rack,
    files: TempDir,
    loaded: TempDir,
}

impl Scene {
    fn new() -> Self {
        let rack = Rack::new(1).unwrap();
        rack.router.own(BASE.parse().unwrap()).unwrap();
        let address = format!("-6 address add {BASE}{:x} dev {MACHINE_INTERFACE} nodad", 0x99);
        rack.machines[0].ip(&address.replace(" dev", "/64 dev")).unwrap();
        Self { rack, files: TempDir::new().unwrap(), loaded: TempDir::new().unwrap() }
    }

    fn machine(&self) -> &Host {
        &self.rack.machines[0]
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.files.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn daemon(&self, arguments: &[&str]) -> Daemon {
        let root = self.files.path().to_str().unwrap();
        let least = ["--interface", ROUTER_INTERFACE, "--base-address", BASE, "--tftp-root", root];
        Daemon::start(&self.rack.router, &[&least[..], arguments].concat()).unwrap()
    }

    /// Where a client leaves what it has loaded.
    fn loaded(&self) -> PathBuf {
        self.loaded.path().join("loaded")
    }

    fn curl(&self, name: &str, arguments: &[&str]) -> Ended {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--globoff", "--path-as-is"]).args(arguments);
        curl.arg("--output").arg(self.loaded()).arg(format!("tftp://[{BASE}]/{name}"));
        self.machine().execute(&curl, LIMIT).unwrap()
    }

    /// Debian's atftp, in windows of 16 blocks.
    fn atftp_loads(&self, name: &str) -> Vec<u8> {
        let mut atftp = Command::new("atftp");
        atftp.args(["--get", "--option", "blksize 1428", "--option", "windowsize 16", "--remote-file", name]);
        atftp.arg("--local-file").arg(self.loaded()).args([BASE, "69"]);
        self.machine().execute(&atftp, LIMIT).unwrap().success().unwrap();
        read(&self.loaded())
    }

    /// The client of tftp-hpa, which knows no options.
    fn tftp_loads(&self, name: &str, mode: &str) -> Vec<u8> {
        let mut tftp = Command::new("tftp");
        tftp.args(["-6", "-m", mode, BASE, "-c", "get", name]).arg(self.loaded());
        self.machine().execute(&tftp, LIMIT).unwrap().success().unwrap();
        read(&self.loaded())
    }

    /// From now on the switch loses every twentieth packet, either way, at random, but for acknowledgements of an OACK: atftp gives up when it
    /// hears one a second time.
    fn lose(&self) {
        let rules = "table bridge loss {
            chain forward {
                type filter hook forward priority 0;
                udp sport 69 numgen random mod 20 == 0 drop;
                udp dport 69 @th,64,32 != 0x40000 numgen random mod 20 == 0 drop;
            }
        }";
        let loss = self.loaded.path().join("loss.nft");
        fs::write(&loss, rules).unwrap();
        self.rack.switch.execute(Command::new("nft").arg("--file").arg(&loss), LIMIT).unwrap().success().unwrap();
    }

    fn curl_loads(&self, name: &str, arguments: &[&str]) -> Vec<u8> {
        self.curl(name, arguments).success().unwrap();
        read(&self.loaded())
    }
}

fn read(path: &Path) -> Vec<u8> {
    let bytes = fs::read(path).unwrap();
    fs::remove_file(path).unwrap();
    bytes
}

fn bytes(length: usize) -> Vec<u8> {
    (0..251).cycle().take(length).collect()
}

#[test]
fn curl_loads_files_of_every_length() {
    let scene = Scene::new();
    let lengths = [0, 1, 511, 512, 513, 1428, 100_000];
    for length in lengths {
        scene.write(&length.to_string(), &bytes(length));
    }
    for mode in [NATIVE, PACKET] {
        let daemon = scene.daemon(&mode);
        for length in lengths {
            for options in [&["--tftp-no-options"][..], &[], &["--tftp-blksize", "1428"], &["--tftp-blksize", "8"]] {
                let loaded = scene.curl_loads(&length.to_string(), options);
                assert!(loaded == bytes(length), "{length} {options:?}: {} bytes", loaded.len());
            }
        }
        let stopped = daemon.stop().unwrap();
        assert_eq!(stopped.counter("tftp_complete"), 4 * lengths.len() as u64, "{stopped:?}");
    }
}

#[test]
fn every_client_loads_what_it_asks_for() {
    let scene = Scene::new();
    let file = bytes(300_000);
    let text = b"one\ntwo\r\nthree\rfour\n\n".repeat(100);
    scene.write("file", &file);
    scene.write("text", &text);
    let daemon = scene.daemon(&[]);
    assert!(scene.atftp_loads("file") == file);
    assert!(scene.tftp_loads("file", "octet") == file);
    assert!(scene.tftp_loads("text", "netascii") == text);
    assert!(scene.tftp_loads("/text", "octet") == text);
    let stopped = daemon.stop().unwrap();
    assert_eq!((stopped.counter("tftp_complete"), stopped.counter("tftp_resent")), (4, 0), "{stopped:?}");
}

#[test]
fn every_client_loads_it_though_a_twentieth_gets_lost_either_way() {
    let scene = Scene::new();
    let file = bytes(300_000);
    scene.write("file", &file);
    let daemon = scene.daemon(&[]);
    scene.lose();
    for _ in 0..3 {
        assert!(scene.curl_loads("file", &["--tftp-blksize", "1428"]) == file);
        assert!(scene.atftp_loads("file") == file);
        assert!(scene.tftp_loads("file", "octet") == file);
    }
    assert!(daemon.stop().unwrap().counter("tftp_resent") > 0);
}

#[test]
fn a_machine_that_is_not_served_hears_nothing() {
    let scene = Scene::new();
    scene.write("file", b"for others");
    let denied = scene.loaded.path().join("denied");
    fs::write(&denied, machine_mac(0).to_string()).unwrap();
    let daemon = scene.daemon(&["--deny-macs", denied.to_str().unwrap()]);
    const TIMED_OUT: i32 = 28;
    assert_eq!(scene.curl("file", &["--max-time", "1"]).status.code(), Some(TIMED_OUT));
    let stopped = daemon.stop().unwrap();
    assert!(stopped.counter("drop_denied_mac") >= 1 && stopped.counter("tftp_request") == 0, "{stopped:?}");
}

#[test]
fn a_machine_has_files_of_its_own_and_those_of_all() {
    let scene = Scene::new();
    let mac = machine_mac(0);
    let other = MacAddr([2, 0, 0, 0, 0, 0x77]);
    scene.write("shared", b"for all");
    scene.write("config", b"for all");
    scene.write(&format!("{mac}/config"), b"for one");
    scene.write(&format!("{other}/config"), b"for the other");
    let daemon = scene.daemon(&[]);
    let spelt = mac.to_string().replace(':', "%3A").to_uppercase();
    for (name, expected) in [
        ("shared".to_owned(), &b"for all"[..]),
        (format!("{mac}/shared"), b"for all"),
        (format!("{other}/config"), b"for the other"),
        (format!("{mac}/config"), b"for one"),
        (format!("/{spelt}/config"), b"for one"),
        (mac.to_string().replace(':', "-") + "/config", b"for one"),
    ] {
        assert_eq!(scene.curl_loads(&name, &[]), expected, "{name}");
    }
    drop(daemon);
}

#[test]
fn what_is_not_there_or_not_theirs_is_an_error_at_once() {
    let scene = Scene::new();
    let outside = TempDir::new().unwrap();
    fs::write(outside.path().join("secret"), b"secret").unwrap();
    scene.write("inside", b"inside");
    scene.write(".hidden", b"hidden");
    let link = |to: &Path, name: &str| std::os::unix::fs::symlink(to, scene.files.path().join(name)).unwrap();
    link(&outside.path().join("secret"), "out");
    link(outside.path(), "away");
    link(Path::new("../../../../../../etc/passwd"), "up");
    link(Path::new("inside"), "within");
    assert!(Command::new("mkfifo").arg(scene.files.path().join("fifo")).status().unwrap().success());
    fs::create_dir(scene.files.path().join("directory")).unwrap();
    let daemon = scene.daemon(&[]);
    const NOT_FOUND: i32 = 68;
    const DENIED: i32 = 69;
    for (name, status) in [
        ("autoexec.ipxe", NOT_FOUND),
        (".hidden", NOT_FOUND),
        ("out", NOT_FOUND),
        ("away/secret", NOT_FOUND),
        ("up", NOT_FOUND),
        ("../../../../../../etc/passwd", NOT_FOUND),
        ("%2e%2e/%2e%2e/etc/passwd", NOT_FOUND),
        ("inside/more", NOT_FOUND),
        ("fifo", DENIED),
        ("directory", DENIED),
    ] {
        let ended = scene.curl(name, &[]);
        assert_eq!(ended.status.code(), Some(status), "{name}: {}", ended.output);
    }
    assert_eq!(scene.curl_loads("within", &[]), b"inside");
    let stopped = daemon.stop().unwrap();
    assert_eq!((stopped.counter("tftp_refuse_missing"), stopped.counter("tftp_refuse_denied")), (8, 2), "{stopped:?}");
}

#[test]
fn a_long_file_goes_round_the_block_numbers() {
    let scene = Scene::new();
    let file = bytes(100 << 20);
    scene.write("long", &file);
    let daemon = scene.daemon(&[]);
    assert!(scene.curl_loads("long", &["--tftp-blksize", "1428"]) == file);
    assert!(daemon.stop().unwrap().counter("tftp_sent") > 1 << 16);
}

#[test]
fn a_file_that_is_replaced_is_served_anew() {
    let scene = Scene::new();
    scene.write("file", b"before");
    let _daemon = scene.daemon(&[]);
    assert_eq!(scene.curl_loads("file", &[]), b"before");
    scene.write("file", b"afterwards");
    std::thread::sleep(Duration::from_millis(1100));
    assert_eq!(scene.curl_loads("file", &[]), b"afterwards");
}

#[test]
fn a_block_is_as_long_as_the_interface_carries_in_one_frame() {
    let scene = Scene::new();
    let file = bytes(100_000);
    scene.write("file", &file);
    for (mtu, frames) in [(1500, 70), (1280, 82), (9000, 12)] {
        for (host, interface) in [
            (&scene.rack.router, ROUTER_INTERFACE),
            (&scene.rack.switch, "uplink"),
            (&scene.rack.switch, "port0"),
            (scene.machine(), MACHINE_INTERFACE),
        ] {
            host.ip(&format!("link set {interface} mtu {mtu}")).unwrap();
        }
        let daemon = scene.daemon(&PACKET);
        assert!(scene.curl_loads("file", &["--tftp-blksize", "65464"]) == file, "{mtu}");
        assert_eq!(daemon.stop().unwrap().counter("tftp_sent"), 1 + frames, "{mtu}");
    }
}
