//! Real clients load files from the real daemon over HTTPS, while its certificate changes under them.
#![cfg(test)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use dhcpv6macd_tests::lab::{Daemon, Ended, Host, MACHINE_INTERFACE, Process, ROUTER_INTERFACE, Rack, machine_mac};
use rustix::process::Signal;
use tempfile::TempDir;

const BASE: &str = "2001:db8:0:1::";
/// How long anything may take on a machine that is busy with something else.
const LIMIT: Duration = Duration::from_secs(60);
const LENGTH: usize = 3_000_000;

/// A router with a file and certificates, and a machine that has its address.
struct Scene {
    rack: Rack,
    files: TempDir,
    own: TempDir,
}

impl Scene {
    fn new() -> Self {
        let rack = Rack::new(1).unwrap();
        rack.router.own(BASE.parse().unwrap()).unwrap();
        rack.machines[0].ip(&format!("-6 address add {BASE}99/64 dev {MACHINE_INTERFACE} nodad")).unwrap();
        let scene = Self { rack, files: TempDir::new().unwrap(), own: TempDir::new().unwrap() };
        fs::create_dir(scene.files.path().join("default")).unwrap();
        fs::write(scene.files.path().join("default/boot.efi"), bytes()).unwrap();
        scene
    }

    fn machine(&self) -> &Host {
        &self.rack.machines[0]
    }

    fn path(&self, name: &str) -> PathBuf {
        self.own.path().join(name)
    }

    /// Makes a certificate of this name, and its key.
    fn certify(&self, name: &str, algorithm: &[&str]) {
        let mut openssl = Command::new("openssl");
        openssl.args(["req", "-x509", "-nodes", "-days", "2", "-subj"]).arg(format!("/CN={name}")).args(algorithm);
        openssl.args(["-addext", &format!("subjectAltName=IP:{BASE}")]);
        openssl
            .arg("-keyout")
            .arg(self.path(&format!("{name}.key")))
            .arg("-out")
            .arg(self.path(&format!("{name}.pem")));
        let made = openssl.output().unwrap();
        assert!(made.status.success(), "{made:?}");
    }

    /// Puts a certificate, or its key, where the daemon looks for it.
    fn install(&self, name: &str, kind: &str) {
        fs::copy(self.path(&format!("{name}.{kind}")), self.path("new")).unwrap();
        fs::rename(self.path("new"), self.path(&format!("current.{kind}"))).unwrap();
    }

    fn arguments(&self) -> Vec<String> {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        [
            ("--interface", ROUTER_INTERFACE.to_owned()),
            ("--base-address", BASE.to_owned()),
            ("--netboot-dir", text(self.files.path())),
            ("--tls-cert-file", text(&self.path("current.pem"))),
            ("--tls-key-file", text(&self.path("current.key"))),
        ]
        .into_iter()
        .flat_map(|(name, value)| [name.to_owned(), value])
        .collect()
    }

    fn daemon(&self) -> Daemon {
        let arguments = self.arguments();
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        Daemon::start(&self.rack.router, &arguments).unwrap()
    }

    fn refusal(&self) -> Ended {
        let arguments = self.arguments();
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        Daemon::refusal(&self.rack.router, &arguments).unwrap()
    }

    fn curl(&self, name: &str, arguments: &[&str], to: &str) -> Ended {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--globoff"]).args(arguments);
        curl.arg("--cacert").arg(self.path(&format!("{name}.pem"))).arg("--output").arg(self.path(to));
        curl.args(["--write-out", "%{http_version} %{http_code}\n", &url()]);
        self.machine().execute(&curl, LIMIT).unwrap()
    }

    /// Loads the file from a server with this certificate, and returns the version of HTTP and the status.
    fn loads(&self, name: &str, arguments: &[&str]) -> String {
        let said = self.curl(name, arguments, "loaded").success().unwrap();
        assert!(fs::read(self.path("loaded")).unwrap() == bytes());
        said.trim().to_owned()
    }

    /// What `openssl s_client` says of a handshake.
    fn handshake(&self, arguments: &[&str]) -> String {
        let mut openssl = Command::new("sh");
        let connect = format!("exec openssl s_client -connect [{BASE}]:443 {} </dev/null", arguments.join(" "));
        self.machine().execute(openssl.args(["-c", &connect]), LIMIT).unwrap().output
    }

    /// Waits until the daemon shows the certificate of this name.
    fn wait_for(&self, name: &str) {
        let started = Instant::now();
        while !self.handshake(&[]).contains(&format!("CN = {name}")) {
            assert!(started.elapsed() < Duration::from_secs(20), "still not {name}");
            thread::sleep(Duration::from_millis(200));
        }
    }
}

fn url() -> String {
    format!("https://[{BASE}]/mac/{}/boot.efi", machine_mac(0))
}

fn bytes() -> Vec<u8> {
    (0..251).cycle().take(LENGTH).collect()
}

const EC: [&str; 4] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
const RSA: [&str; 2] = ["-newkey", "rsa:2048"];

#[test]
fn files_come_whole_over_every_version() {
    let scene = Scene::new();
    for (name, algorithm) in [("elliptic", &EC[..]), ("rsa", &RSA)] {
        scene.certify(name, algorithm);
        scene.install(name, "pem");
        scene.install(name, "key");
        let daemon = scene.daemon();
        for (arguments, expected) in [
            (&["--http1.1"][..], "1.1 200"),
            (&["--http2"], "2 200"),
            (&["--tls-max", "1.2", "--http1.1"], "1.1 200"),
            (&["--tls-max", "1.2", "--http2"], "2 200"),
            (&["--no-alpn"], "1.1 200"),
        ] {
            assert_eq!(scene.loads(name, arguments), expected, "{arguments:?}");
        }
        for version in ["--http1.1", "--http2"] {
            let said = scene.curl(name, &[version, "--range", "100-299"], "part").success().unwrap();
            assert!(said.ends_with(" 206\n"), "{said}");
            assert_eq!(fs::read(scene.path("part")).unwrap(), bytes()[100..300]);
            scene.curl(name, &[version, "--head"], "head").success().unwrap();
        }
        let stopped = daemon.stop().unwrap();
        assert_eq!((stopped.counter("netboot_complete"), stopped.counter("netboot_head")), (7, 2), "{stopped:?}");
    }
}

#[test]
fn handshakes_are_made_with_what_is_good_and_with_nothing_older() {
    let scene = Scene::new();
    scene.certify("lab", &EC);
    scene.install("lab", "pem");
    scene.install("lab", "key");
    let daemon = scene.daemon();
    let shaken = scene.handshake(&["-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256", "-alpn", "h2,http/1.1"]);
    assert!(shaken.contains("TLS_AES_128_GCM_SHA256") && shaken.contains("ALPN protocol: h2"), "{shaken}");
    let old = scene.handshake(&["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"]);
    assert!(!old.contains("Server certificate\n"), "{old}");
    let plain = format!("http://[{BASE}]:443/");
    let curl = scene.machine().execute(Command::new("curl").args(["--globoff", "--silent", &plain]), LIMIT).unwrap();
    assert!(!curl.status.success());
    assert_eq!(daemon.stop().unwrap().counter("http_handshake_failed"), 2);
}

#[test]
fn a_pair_that_is_none_is_refused_by_name() {
    let scene = Scene::new();
    scene.certify("lab", &EC);
    scene.certify("other", &RSA);
    scene.install("lab", "pem");
    scene.install("other", "key");
    let refused = |expected: &str| {
        let refusal = scene.refusal();
        let lines = refusal.output.trim_end().lines().count();
        assert!(refusal.status.code() == Some(2) && lines == 1, "{refusal:?}");
        assert!(refusal.output.contains(expected), "{expected}: {}", refusal.output);
    };
    refused("current.key: not the key of the first certificate in ");
    fs::copy(scene.path("lab.pem"), scene.path("current.key")).unwrap();
    refused("current.key: there is no PEM block PRIVATE KEY or ");
    fs::write(scene.path("current.key"), "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n").unwrap();
    refused("current.key: a key that cannot be used: ");
    scene.install("lab", "key");
    fs::write(scene.path("current.pem"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    refused("current.pem: its first certificate cannot be used: ");
    fs::write(scene.path("current.pem"), "-----BEGIN CERTIFICATE-----\n").unwrap();
    refused("current.pem: not PEM: ");
    fs::remove_file(scene.path("current.pem")).unwrap();
    refused("current.pem: cannot be read: No such file or directory");
    scene.install("lab", "pem");
    assert_eq!(scene.daemon().stop().unwrap().counter("http_handshake_failed"), 0);
}

/// A client that loads at so many bytes a second, over a connection that stays.
fn slowly(scene: &Scene, rate: &str) -> Process {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--globoff", "--insecure", "--limit-rate", rate, "--output"]);
    curl.arg(scene.path("slowly")).arg(url());
    scene.machine().start(&curl).unwrap()
}

#[test]
fn a_certificate_changes_under_load_and_nobody_is_cut_off() {
    let scene = Scene::new();
    for (name, algorithm) in [("first", &EC[..]), ("second", &RSA), ("third", &EC)] {
        scene.certify(name, algorithm);
    }
    scene.install("first", "pem");
    scene.install("first", "key");
    let daemon = scene.daemon();
    let is_over = AtomicBool::new(false);
    let slow = slowly(&scene, "300k");
    let loaded = thread::scope(|scope| {
        let load = || {
            let mut loaded = 0_u64;
            while !is_over.load(Ordering::Relaxed) {
                scene.curl("first", &["--insecure"], "under-load").success().unwrap();
                loaded += 1;
            }
            loaded
        };
        let load = scope.spawn(load);
        scene.wait_for("first");
        // The certificate and its key come apart, as they do.
        scene.install("second", "pem");
        thread::sleep(Duration::from_millis(300));
        scene.install("second", "key");
        scene.wait_for("second");
        // Half of a pair, and it stays so.
        scene.install("third", "pem");
        let refused = |line: &str| line.contains("stays as it was") && line.contains("current.key: not the key of");
        daemon.process().wait_for(LIMIT, refused).unwrap();
        thread::sleep(Duration::from_secs(5));
        scene.wait_for("second");
        // It comes at once where that is asked for.
        scene.install("third", "key");
        daemon.process().signal(Signal::HUP).unwrap();
        scene.wait_for("third");
        is_over.store(true, Ordering::Relaxed);
        load.join().unwrap()
    });
    slow.wait(LIMIT).unwrap().success().unwrap();
    assert!(fs::read(scene.path("slowly")).unwrap() == bytes());
    let stopped = daemon.stop().unwrap();
    assert_eq!(stopped.ended.output.matches("stays as it was").count(), 1, "{}", stopped.ended.output);
    assert_eq!(stopped.counter("netboot_complete"), loaded + 1, "{stopped:?}");
    assert_eq!(stopped.counter("http_handshake_failed"), 0, "{stopped:?}");
}

#[test]
fn a_file_that_is_cut_ends_the_transfer_and_nothing_else() {
    let scene = Scene::new();
    scene.certify("lab", &EC);
    scene.install("lab", "pem");
    scene.install("lab", "key");
    fs::write(scene.files.path().join("default/boot.efi"), vec![0; 64 << 20]).unwrap();
    let daemon = scene.daemon();
    let slow = slowly(&scene, "5M");
    let started = Instant::now();
    while fs::metadata(scene.path("slowly")).map_or(0, |metadata| metadata.len()) == 0 {
        assert!(started.elapsed() < LIMIT);
        thread::sleep(Duration::from_millis(10));
    }
    let file = fs::File::options().write(true).open(scene.files.path().join("default/boot.efi")).unwrap();
    file.set_len(1000).unwrap();
    assert!(!slow.wait(LIMIT).unwrap().status.success());
    assert_eq!(daemon.stop().unwrap().counter("netboot_changed"), 1);
}

/// A client that loads eight files at a time over one connection, and takes its time.
fn eight_at_a_time(scene: &Scene) -> Process {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--globoff", "--insecure", "--http2", "--parallel", "--limit-rate", "1k"]);
    for _ in 0..8 {
        curl.args(["--output", "/dev/null"]).arg(url());
    }
    scene.machine().start(&curl).unwrap()
}

#[test]
fn who_finds_as_many_files_open_as_may_be_is_told_to_ask_again() {
    let scene = Scene::new();
    scene.certify("lab", &EC);
    scene.install("lab", "pem");
    scene.install("lab", "key");
    fs::write(scene.files.path().join("default/boot.efi"), vec![0; 64 << 20]).unwrap();
    let arguments = scene.arguments();
    let daemon = Daemon::command(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
    // Enough for everything else, and for 16 files.
    let mut few = Command::new("prlimit");
    few.arg("--nofile=560").arg(daemon.get_program()).args(daemon.get_args());
    let daemon = scene.rack.router.start(&few).unwrap();
    daemon.wait_for(LIMIT, |line| line.contains("\"serving\"")).unwrap();
    let slow = [eight_at_a_time(&scene), eight_at_a_time(&scene)];
    let header = scene.path("header");
    let asks = || {
        let arguments = ["--head", "--http1.1", "--dump-header", header.to_str().unwrap()];
        scene.curl("lab", &arguments, "answer").success().unwrap()
    };
    let started = Instant::now();
    while !asks().ends_with(" 503\n") {
        assert!(started.elapsed() < LIMIT);
    }
    assert!(fs::read_to_string(&header).unwrap().contains("Retry-After: "));
    drop(slow);
    while !asks().ends_with(" 200\n") {
        assert!(started.elapsed() < 2 * LIMIT);
    }
    daemon.signal(Signal::TERM).unwrap();
    let ended = daemon.wait(LIMIT).unwrap();
    assert!(ended.status.success() && ended.output.contains("netboot_refuse_busy"), "{}", ended.output);
}
