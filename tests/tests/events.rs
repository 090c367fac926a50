//! What is told of machines while they boot: Server-Sent Events and JSON from the real daemon, heard by curl.
#![cfg(test)]

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::{TcpStream, UdpSocket},
    path::PathBuf,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use dhcpv6macd_tests::{
    efi,
    golden::{MACHINE, Message, REQUEST, SOLICIT, X86_64, message},
    lab::{Daemon, Host, MACHINE_INTERFACE, Process, ROUTER_INTERFACE, Rack},
    population::Port,
    subscribers::BOOT,
};
use object::pe::IMAGE_FILE_MACHINE_AMD64;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::Value;
use tempfile::TempDir;

const BASE: &str = "2001:db8:0:1::";
const EVENTS: &str = "http://[::1]:6315";
/// How long anything may take on a machine that is busy with something else.
const LIMIT: Duration = Duration::from_secs(20);
const MTU: u32 = 1500;

/// A rack with a daemon on its router, and a port where frames of a simulated machine are sent.
struct Scene {
    rack: Rack,
    port: Port,
    files: TempDir,
}

impl Scene {
    fn new() -> Self {
        let rack = Rack::new(1).unwrap();
        rack.router.ip(&format!("-6 address add {BASE}1/64 dev {ROUTER_INTERFACE} nodad")).unwrap();
        let machine = &rack.machines[0];
        machine.ip(&format!("-6 address add {BASE}99/64 dev {MACHINE_INTERFACE} nodad")).unwrap();
        let interface = machine.index_of(MACHINE_INTERFACE).unwrap();
        let port = machine.run(|| Port::open(interface, MTU)).unwrap().unwrap();
        Self { rack, port, files: TempDir::new().unwrap() }
    }

    fn ipxe(&self) -> PathBuf {
        let path = self.files.path().join("ipxe.efi");
        fs::write(&path, efi::application(IMAGE_FILE_MACHINE_AMD64, 3000).unwrap()).unwrap();
        path
    }

    fn daemon(&self, arguments: &[&str]) -> Daemon {
        let (ipxe, template) = (self.ipxe(), format!("http://[{BASE}1]/mac/{{{{.MAC}}}}/boot.efi"));
        let least = ["--interface", ROUTER_INTERFACE, "--base-address", BASE, "--http-boot-url-template", &template];
        let netboot = self.files.path().join("netboot");
        fs::create_dir_all(netboot.join("default")).unwrap();
        fs::write(netboot.join("default/boot.efi"), vec![7; 32 << 20]).unwrap();
        let image = ["--ipxe-x86-64-efi", ipxe.to_str().unwrap(), "--netboot-dir", netboot.to_str().unwrap()];
        Daemon::start(&self.rack.router, &[&least[..], &image, arguments].concat()).unwrap()
    }

    /// The simulated machine says this, and is answered.
    fn says(&mut self, message: &Message) {
        self.port.send(&message.frame()).unwrap();
        let frames = self.port.frames(Duration::from_millis(300)).unwrap();
        assert!(!frames.is_empty(), "no answer");
    }

    fn loads(&self, url: &str) {
        curl(&self.rack.machines[0], &["--output", "/dev/null", url]);
    }

    /// It boots by PXE and iPXE into a system.
    fn boots(&mut self) {
        let pxe = |kind| message(kind).pxe(X86_64).ia_na(1, &[]);
        self.says(&pxe(SOLICIT));
        self.says(&pxe(REQUEST).for_us());
        self.loads(&format!("tftp://[{BASE}1]/{MACHINE}/ipxe.efi"));
        let ipxe = |kind| message(kind).ipxe().ia_na(1, &[]);
        self.says(&ipxe(SOLICIT));
        self.says(&ipxe(REQUEST).for_us());
        self.loads(&boot_url());
        self.says(&message(SOLICIT).ia_na(2, &[]));
    }
}

fn curl(host: &Host, arguments: &[&str]) -> String {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--globoff", "--max-time", "10"]).args(arguments);
    host.execute(&curl, LIMIT).unwrap().success().unwrap()
}

fn json(host: &Host, path: &str) -> Value {
    serde_json::from_str(&curl(host, &[&format!("{EVENTS}{path}")])).unwrap()
}

/// Whoever listens to events.
struct Subscriber(Process);

impl Subscriber {
    fn new(host: &Host, arguments: &[&str]) -> Self {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--no-buffer", "--globoff"]).args(arguments);
        Self(host.start(&curl).unwrap())
    }

    /// One that has heard what was.
    fn there(host: &Host, arguments: &[&str]) -> Self {
        let subscriber = Self::new(host, arguments);
        subscriber.0.wait_for(LIMIT, |line| line.starts_with("data: ")).unwrap();
        subscriber
    }

    /// Everything that it has heard until the last of these events came: the snapshot, and the events.
    fn hears(&self, last: &str) -> Heard {
        let is_last =
            |line: &str| line.starts_with("data: {\"mac\"") && line.contains(&format!("\"event\":\"{last}\""));
        self.0.wait_for(LIMIT, is_last).unwrap();
        let output = self.0.output();
        let datas = output.lines().filter_map(|line| line.strip_prefix("data: "));
        let datas: Vec<Value> = datas.map(|data| serde_json::from_str(data).unwrap()).collect();
        let (events, snapshots): (Vec<_>, Vec<_>) = datas.into_iter().partition(|data| data.get("event").is_some());
        let ids = output.lines().filter_map(|line| line.strip_prefix("id: ")).map(str::to_owned).collect();
        Heard { events, snapshots, ids, text: output }
    }
}

#[derive(Debug)]
struct Heard {
    events: Vec<Value>,
    snapshots: Vec<Value>,
    ids: Vec<String>,
    text: String,
}

fn names<'a>(events: impl IntoIterator<Item = &'a Value>) -> Vec<&'a str> {
    events.into_iter().map(|event| event["event"].as_str().unwrap()).collect()
}

#[test]
fn a_boot_is_told_step_by_step() {
    let mut scene = Scene::new();
    let daemon = scene.daemon(&[]);
    let everybody = Subscriber::there(&scene.rack.router, &[&format!("{EVENTS}/events")]);
    let mac = MACHINE.to_string();
    let one = Subscriber::there(&scene.rack.router, &[&format!("{EVENTS}/events?mac={mac}")]);
    let other = Subscriber::there(&scene.rack.router, &[&format!("{EVENTS}/events?mac=02:00:00:00:00:77")]);
    scene.boots();

    let heard = everybody.hears("os_init");
    assert!(heard.text.starts_with("retry: 3000\n\ndata: {}\n\n"), "{}", heard.text);
    let events = || heard.events.iter().map(|data| &data["event"]);
    assert_eq!(names(events().filter(|event| event["repeat_event"] == false)), BOOT);
    let fetched = events().filter(|event| event["event"] == "http_fetch_uki").map(|event| &event["detail"]["state"]);
    let fetched: Vec<_> = fetched.collect();
    let [first, between @ .., last] = &fetched[..] else { panic!("{fetched:?}") };
    assert!([*first, *last] == ["init", "complete"] && !between.is_empty(), "{fetched:?}");
    assert!(between.iter().all(|state| **state == "sending"), "{fetched:?}");
    for data in &heard.events {
        assert_eq!([&data["mac"], &data["ipv6_address"]], [&mac, "2001:db8:0:1:0:5254:12:3456"]);
        let time = data["event"]["timestamp"].as_str().unwrap();
        assert!(time.len() == 30 && time.ends_with('Z') && time.as_bytes()[19] == b'.', "{time}");
    }
    let served = &heard.events[4]["event"]["detail"];
    let length = fs::metadata(scene.ipxe()).unwrap().len();
    assert_eq!(
        serde_json::to_string(served).unwrap(),
        format!(
            r#"{{"file_name":"ipxe.efi","protocol":"tftp","sent_bytes":{length},"state":"complete","total_bytes":{length}}}"#
        )
    );
    assert_eq!(one.hears("os_init").events, heard.events);
    assert_eq!(other.0.output(), "retry: 3000\n\ndata: null\n\n");

    let known = json(&scene.rack.router, &format!("/machines/{mac}"));
    assert_eq!(json(&scene.rack.router, "/machines")[&mac], known);
    assert_eq!(names(known["Events"].as_array().unwrap()), BOOT);
    assert_eq!([&known["Mac"], &known["IPv6Address"]], [&mac, "2001:db8:0:1:0:5254:12:3456"]);
    let stopped = daemon.stop().unwrap();
    assert_eq!(stopped.counter("observation_dropped"), 0, "{stopped:?}");
}

/// What can be known beforehand; not known is which daemon it is that tells, and when.
fn masked(text: &str) -> String {
    let mut masked = String::new();
    for line in text.lines() {
        let number = line.strip_prefix("id: ").and_then(|id| id.split_once('-'));
        masked += &number.map_or_else(|| line.to_owned(), |(_, number)| format!("id: EPOCH-{number}"));
        masked.push('\n');
    }
    let [first, parts @ ..] = &masked.split("\"timestamp\":\"").collect::<Vec<_>>()[..] else { return masked };
    let untimed = parts.iter().map(|part| part.split_once('"').unwrap().1);
    [*first].into_iter().chain(untimed).collect::<Vec<_>>().join("\"timestamp\":\"TIME\"")
}

#[test]
fn a_boot_is_told_byte_for_byte_as_it_happens_and_afterwards() {
    let mut scene = Scene::new();
    let daemon = scene.daemon(&[]);
    // Short, so that its beginning and its end are told, and nothing between them.
    let own = scene.files.path().join("netboot").join(MACHINE.to_string());
    fs::create_dir(&own).unwrap();
    fs::write(own.join("boot.efi"), [7; 1000]).unwrap();
    let early = Subscriber::there(&scene.rack.router, &[&format!("{EVENTS}/events")]);
    scene.boots();
    let told = masked(&early.hears("os_init").text);
    assert_eq!(told.trim_end(), include_str!("../told/boot.txt").trim_end());
    let late = Subscriber::there(&scene.rack.router, &[&format!("{EVENTS}/events")]);
    let told = masked(&late.0.output());
    assert_eq!(told.trim_end(), include_str!("../told/booted.txt").trim_end());
    daemon.stop().unwrap();
}

#[test]
fn a_part_of_a_file_is_told_as_a_part() {
    let mut scene = Scene::new();
    let daemon = scene.daemon(&[]);
    let subscriber = Subscriber::there(&scene.rack.router, &[&format!("{EVENTS}/events")]);
    scene.says(&message(SOLICIT).http_boot().ia_na(1, &[]));
    let url = boot_url();
    let load = |scene: &Scene, range| curl(&scene.rack.machines[0], &["--output", "/dev/null", "--range", range, &url]);
    load(&scene, "0-1023");
    let part = r#""state":"sending","sent_bytes":1024,"total_bytes":33554432}"#;
    subscriber.0.wait_for(LIMIT, |line| line.contains(part)).unwrap();
    // That a file is asked for again is told once a second.
    thread::sleep(Duration::from_millis(1100));
    load(&scene, "1024-");
    let goes_on = r#""state":"init","sent_bytes":1024,"total_bytes":33554432}"#;
    subscriber.0.wait_for(LIMIT, |line| line.contains(goes_on)).unwrap();
    let whole = r#""state":"complete","sent_bytes":33554432,"total_bytes":33554432}"#;
    subscriber.0.wait_for(LIMIT, |line| line.contains(whole)).unwrap();
    scene.says(&message(SOLICIT).ia_na(2, &[]));
    load(&scene, "0-9");
    let of_system = r#""event":"fyi","#;
    subscriber.0.wait_for(LIMIT, |line| line.contains(of_system) && line.contains(r#""sent_bytes":10,"#)).unwrap();
    daemon.stop().unwrap();
}

/// What Prometheus reads.
struct Metrics(String);

impl Metrics {
    fn read(host: &Host) -> Self {
        Self(curl(host, &[&format!("{EVENTS}/metrics")]))
    }

    /// The value of a metric, with its labels.
    fn value(&self, metric: &str) -> u64 {
        let values = self.0.lines().filter_map(|line| line.strip_prefix("dhcpv6macd_")?.split_once(' '));
        let [value] = values.filter(|(name, _)| *name == metric).map(|(_, value)| value).collect::<Vec<_>>()[..] else {
            panic!("{metric} in {}", self.0)
        };
        value.parse().unwrap()
    }

    /// Every counter that is not zero, by the name that README and the log have for it.
    fn counters(&self) -> BTreeMap<String, u64> {
        let counter = |line: &str| {
            let (metric, count) = line.strip_prefix("dhcpv6macd_")?.split_once(' ')?;
            let (name, labels) = metric.split_once("_total")?;
            let label = labels.split_once("=\"").map_or("", |(_, label)| label.trim_end_matches("\"}"));
            let separator = if label.is_empty() { "" } else { "_" };
            Some((format!("{name}{separator}{label}"), count.parse().unwrap()))
        };
        self.0.lines().filter_map(counter).filter(|(_, count)| *count > 0).collect()
    }

    /// Waits until a metric has this value.
    fn wait_for(host: &Host, metric: &str, value: u64) -> Self {
        let begun = Instant::now();
        loop {
            let metrics = Self::read(host);
            if metrics.value(metric) == value {
                return metrics;
            }
            assert!(begun.elapsed() < LIMIT, "{metric} is not {value} in {}", metrics.0);
            thread::sleep(Duration::from_millis(100));
        }
    }
}

#[test]
fn what_is_counted_can_be_read_meanwhile_and_is_the_same_at_the_end() {
    const README: &str = include_str!("../../README.md");
    let mut scene = Scene::new();
    let daemon = scene.daemon(&["--xdp-mode", "native"]);
    let router = &scene.rack.router.clone();
    let _subscriber = Subscriber::there(router, &[&format!("{EVENTS}/events")]);
    scene.boots();

    let metrics = Metrics::wait_for(router, "receive_total{message=\"solicit\"}", 3);
    let steered = ["dhcpv6", "tftp"].map(|service| metrics.value(&format!("steer_total{{service=\"{service}\"}}")));
    assert!(steered[0] == 5 && steered[1] >= 8, "{steered:?}");
    let answered =
        ["dhcpv6", "tftp"].map(|service| metrics.value(&format!("service_seconds_count{{service=\"{service}\"}}")));
    assert_eq!(answered, steered);
    assert_eq!(metrics.value("ring_received_total"), steered.iter().sum::<u64>());
    for (metric, value) in [
        ("ring_dropped_total", 0),
        ("link_dropped_total", 0),
        ("receive_total{message=\"request\"}", 2),
        ("drop_total{reason=\"denied_mac\"}", 0),
        ("tftp_complete_total", 1),
        ("netboot_complete_total", 1),
        ("netboot_transfer_seconds_count", 1),
        ("machines{step=\"os_init\"}", 1),
        ("machines_stalled", 0),
        ("tftp_sessions", 0),
        ("netboot_transfers", 0),
        ("http_connections{server=\"netboot\"}", 0),
        // Who asks is there too.
        ("http_connections{server=\"events\"}", 2),
        ("subscribers", 1),
    ] {
        assert_eq!(metrics.value(metric), value, "{metric} in {}", metrics.0);
    }
    let described = metrics.0.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    for (metric, _) in described.filter(|(_, kind)| *kind != "counter") {
        assert!(README.contains(&format!("| `{metric}` |")), "{metric}");
    }

    let machine = &scene.rack.machines[0];
    let slow = Subscriber::new(machine, &["--limit-rate", "1M", "--output", "/dev/null", &boot_url()]);
    Metrics::wait_for(router, "netboot_transfers", 1);
    let socket = machine.run(|| UdpSocket::bind("[::]:0")).unwrap().unwrap();
    let server = format!("[{BASE}1]:69");
    socket.send_to(format!("\0\x01{MACHINE}/ipxe.efi\0octet\0").as_bytes(), &server).unwrap();
    let metrics = Metrics::wait_for(router, "tftp_sessions", 1);
    assert_eq!(metrics.value("http_connections{server=\"netboot\"}"), 1);
    socket.send_to(b"\0\x05\0\0enough\0", &server).unwrap();
    drop(slow);
    Metrics::wait_for(router, "netboot_transfers", 0);
    Metrics::wait_for(router, "tftp_sessions", 0);

    // What was read last may be told again for a moment, without who has read it since.
    thread::sleep(Duration::from_millis(300));
    let mut counters = Metrics::read(router).counters();
    let mut stopped = daemon.stop().unwrap().counters;
    assert_eq!((counters["tftp_ended_by_client"], counters["netboot_disconnected"]), (1, 1), "{counters:?}");
    // What is not for the daemon comes at any time.
    for counters in [&mut counters, &mut stopped] {
        counters.retain(|name, _| !name.starts_with("pass_"));
    }
    assert_eq!(counters, stopped);
}

fn boot_url() -> String {
    format!("http://[{BASE}1]/mac/{MACHINE}/boot.efi")
}

#[test]
fn who_comes_late_hears_what_was_and_who_comes_back_what_is_new() {
    let mut scene = Scene::new();
    let daemon = scene.daemon(&[]);
    let first = Subscriber::there(&scene.rack.router, &[&format!("{EVENTS}/events")]);
    scene.boots();
    let heard = first.hears("os_init");
    let late = Subscriber::there(&scene.rack.router, &[&format!("{EVENTS}/events")]);
    let last = format!("Last-Event-ID: {}", heard.ids[3]);
    let back = Subscriber::new(&scene.rack.router, &["--header", &last, &format!("{EVENTS}/events")]);
    let stranger = format!("Last-Event-ID: 123-{}", heard.ids.len());
    let stranger = Subscriber::there(&scene.rack.router, &["--header", &stranger, &format!("{EVENTS}/events")]);

    let back = back.hears("os_init");
    assert_eq!((back.snapshots.len(), &back.ids), (0, &heard.ids[4..].to_vec()));
    scene.says(&message(SOLICIT).http_boot().ia_na(1, &[]));
    for subscriber in [&late, &stranger] {
        let heard = subscriber.hears("firmware_init");
        assert_eq!(heard.snapshots.len(), 1);
        assert_eq!(names(heard.snapshots[0][&MACHINE.to_string()]["Events"].as_array().unwrap()), BOOT);
        assert_eq!(names(heard.events.iter().map(|data| &data["event"])), ["firmware_init"], "no gap, nothing twice");
    }
    daemon.stop().unwrap();
}

/// Listens on the daemon's own host.
fn listen() -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect("[::1]:6315").unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream.write_all(b"GET /events HTTP/1.1\r\nHost: lab\r\n\r\n").unwrap();
    BufReader::new(stream)
}

#[test]
fn more_listen_than_there_were_file_descriptors_for() {
    const LISTENERS: usize = 1500;
    let mut scene = Scene::new();
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(1024), ..limit }).unwrap();
    let arguments = ["--interface", ROUTER_INTERFACE, "--base-address", BASE, "--tftp-listen-addr", "off"];
    let daemon = Daemon::start(&scene.rack.router, &arguments).unwrap();
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    let listen_all = || (0..LISTENERS).map(|_| listen()).collect::<Vec<_>>();
    let mut listeners = scene.rack.router.run(listen_all).unwrap();
    let hears = |listener: &mut BufReader<TcpStream>, what: &str| {
        assert!(listener.lines().any(|line| line.unwrap().contains(what)), "{what}");
    };
    // Each piece has a chunk of its own.
    listeners.iter_mut().for_each(|listener| hears(listener, "{}"));
    scene.says(&message(SOLICIT).ia_na(2, &[]));
    listeners.iter_mut().for_each(|listener| hears(listener, "os_init"));
    let stopped = daemon.stop().unwrap();
    let counted = ["http_connection", "http_not_accepted", "http_refuse_full"].map(|name| stopped.counter(name));
    assert_eq!(counted, [LISTENERS as u64, 0, 0], "{stopped:?}");
}

#[test]
fn a_machine_that_stands_still_is_told_of() {
    let mut scene = Scene::new();
    let daemon = scene.daemon(&["--stalled-after", "firmware_init=1s"]);
    let subscriber = Subscriber::there(&scene.rack.router, &[&format!("{EVENTS}/events")]);
    scene.says(&message(SOLICIT).pxe(X86_64).ia_na(1, &[]));
    let heard = subscriber.hears("stalled");
    let reason = &heard.events.last().unwrap()["event"]["detail"]["reason"];
    assert_eq!(reason, "Advertise sent, no Request for 1 s");
    scene.says(&message(SOLICIT).ia_na(2, &[]));
    assert_eq!(
        names(subscriber.hears("os_init").events.iter().map(|data| &data["event"])),
        ["init", "firmware_init", "stalled", "resumed", "os_init"]
    );
    daemon.stop().unwrap();
}

#[test]
fn who_does_not_know_the_word_hears_nothing() {
    let scene = Scene::new();
    let file = scene.files.path().join("token");
    fs::write(&file, "sesame\n").unwrap();
    let daemon = scene.daemon(&["--events-token-file", file.to_str().unwrap()]);
    let status = |path: &str, authorization: &str| {
        let header = format!("Authorization: {authorization}");
        let status = ["--output", "/dev/null", "--write-out", "%{http_code}", "--header", &header];
        curl(&scene.rack.router, &[&status[..], &[&format!("{EVENTS}{path}")]].concat())
    };
    for path in ["/machines", "/metrics", "/machines/02:00:00:00:00:77", "/none", "/events"] {
        for wrong in ["", "Bearer", "Bearer sesam", "Bearer sesame2", "Basic sesame", "sesame"] {
            assert_eq!(status(path, wrong), "401", "{path} {wrong}");
        }
    }
    assert_eq!(["/machines", "/metrics"].map(|path| status(path, "bearer sesame")), ["200", "200"]);
    assert_eq!(["/", "/healthz"].map(|path| status(path, "")), ["200", "200"], "the same everywhere");
    daemon.stop().unwrap();
}

#[test]
fn what_is_not_there_is_named_and_a_socket_serves_who_may_write_to_it() {
    let scene = Scene::new();
    let socket = scene.files.path().join("events");
    let socket = socket.to_str().unwrap();
    let daemon = scene.daemon(&["--events-listen-addr", socket]);
    let router = &scene.rack.router;
    let status = |arguments: &[&str]| {
        let status = ["--output", "/dev/null", "--write-out", "%{http_code}", "--unix-socket", socket];
        curl(router, &[&status[..], arguments].concat())
    };
    for (path, code) in [
        ("/", "200"),
        ("/healthz", "200"),
        ("/version", "200"),
        ("/machines", "200"),
        ("/metrics", "200"),
        ("/machines/02:00:00:00:00:77", "404"),
        ("/machines/xyz", "404"),
        ("/events?mac=xyz", "400"),
        ("/none", "404"),
        ("/../../etc/passwd", "404"),
    ] {
        assert_eq!(status(&["--path-as-is", &format!("http://events{path}")]), code, "{path}");
    }
    assert_eq!(status(&["--request", "POST", "http://events/events"]), "405");
    assert_eq!(curl(router, &["--unix-socket", socket, "http://events/version"]).trim(), "dhcpv6macd 0.1.0");
    // One that nobody listens on any more is replaced.
    daemon.kill().unwrap();
    let begun = Instant::now();
    scene.daemon(&["--events-listen-addr", socket]).stop().unwrap();
    assert!(begun.elapsed() < LIMIT);
    assert!(!fs::exists(socket).unwrap(), "it is left behind");
}
