//! Real clients load files from the real daemon over HTTP: whole ones, parts of them, and nothing that is not theirs.
#![cfg(test)]

mod scene;

use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddrV6, TcpStream},
    os::unix::fs::{FileExt as _, symlink},
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant, SystemTime},
};

use dhcpv6macd::wire::MacAddr;
use dhcpv6macd_tests::lab::{Daemon, MACHINE_INTERFACE, ROUTER_INTERFACE, machine_mac};
use rustix::{
    fs::{Advice, fadvise},
    net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with},
    process::{Resource, Rlimit, Signal, getrlimit, setrlimit},
};
use tempfile::TempDir;

use self::scene::{BASE, LIMIT, Scene, bytes, own, rest};

#[test]
fn files_of_every_length_come_whole() {
    let scene = Scene::new();
    let lengths = [0, 1, 1460, 100_000, (2 << 20) + 1, 30 << 20];
    for length in lengths {
        scene.write(&format!("default/{length}.efi"), &bytes(length));
    }
    let daemon = scene.daemon(&[]);
    for length in lengths {
        let path = own(&format!("{length}.efi"));
        let head = scene.get(&path, &["--head"]);
        let got = scene.get(&path, &[]);
        assert!(got.body == bytes(length), "{length}: {} bytes", got.body.len());
        for answer in [&head, &got] {
            assert_eq!(answer.status, 200);
            assert_eq!(answer.field("Content-Length"), Some(length.to_string().as_str()), "{answer:?}");
            assert_eq!(answer.field("Content-Type"), Some("application/efi"));
            assert_eq!(answer.field("Accept-Ranges"), Some("bytes"));
            assert!(answer.field("Last-Modified").is_some_and(|date| date.ends_with(" GMT")));
        }
        assert!(head.body.is_empty() || head.body.starts_with(b"HTTP/"));
        assert_eq!(head.field("ETag"), got.field("ETag"));
    }
    let stopped = daemon.stop().unwrap();
    let count = lengths.len() as u64;
    for name in ["netboot_whole", "netboot_head", "netboot_complete"] {
        assert_eq!(stopped.counter(name), count, "{name} {stopped:?}");
    }
    assert_eq!(stopped.counter("http_connection"), 2 * count, "{stopped:?}");
}

#[test]
fn a_connection_serves_one_request_after_the_other() {
    let scene = Scene::new();
    scene.write("default/boot.efi", &bytes(3_000_000));
    let daemon = scene.daemon(&[]);
    let url = format!("http://[{BASE}]{}", own("boot.efi"));
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--globoff"]);
    for number in 0..20 {
        curl.arg("--output").arg(scene.loaded.path().join(number.to_string())).arg(&url);
    }
    scene.machine().execute(&curl, LIMIT).unwrap().success().unwrap();
    for number in 0..20 {
        assert!(fs::read(scene.loaded.path().join(number.to_string())).unwrap() == bytes(3_000_000));
    }
    // Requests that do not wait for their answers.
    let mut stream = scene.connect();
    let request = |end: &str| format!("GET {} HTTP/1.1\r\nHost: lab\r\n{end}\r\n", own("boot.efi"));
    stream.write_all(format!("{}{}", request(""), request("Connection: close\r\n")).as_bytes()).unwrap();
    let (answers, is_well) = rest(&mut stream);
    let file = bytes(3_000_000);
    let bodies = answers.windows(4).enumerate().filter(|(_, window)| *window == b"\r\n\r\n");
    let bodies: Vec<_> = bodies.map(|(at, _)| &answers[at + 4..]).filter(|body| body.starts_with(&file)).collect();
    assert!(is_well && bodies.len() == 2, "{}", bodies.len());
    let stopped = daemon.stop().unwrap();
    assert_eq!((stopped.counter("http_connection"), stopped.counter("netboot_complete")), (2, 22), "{stopped:?}");
}

/// The kernel keeps back what has no end for 200 ms, and acknowledges what nothing follows after 40: neither is waited for.
#[test]
fn short_files_come_without_a_pause() {
    let scene = Scene::new();
    let lengths = [1000, 64 << 10, (64 << 10) + 1, 100_000, 1_000_000];
    for length in lengths {
        scene.write(&format!("default/{length}"), &bytes(length));
    }
    let _daemon = scene.daemon(&[]);
    let mut stream = scene.connect();
    let mut median = |name: &str, body: &[u8]| {
        let request = format!("GET {} HTTP/1.1\r\nHost: lab\r\n\r\n", own(name));
        let mut times = [(); 51].map(|()| {
            let begun = Instant::now();
            stream.write_all(request.as_bytes()).unwrap();
            assert!(answer(&mut stream, body.len()) == body);
            begun.elapsed()
        });
        times.sort_unstable();
        times[25]
    };
    // What the machine has to do besides holds this up as well.
    let without_a_file = median("none", b"no such file\n");
    for length in lengths {
        let took = median(&length.to_string(), &bytes(length));
        assert!(took < Duration::from_millis(30) + 20 * without_a_file, "{length} bytes: {took:?}, {without_a_file:?}");
    }
}

/// What is behind the header of the answer that comes next.
fn answer(stream: &mut TcpStream, length: usize) -> Vec<u8> {
    let mut header = Vec::new();
    while !header.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        header.extend(byte);
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    body
}

#[test]
fn a_machine_has_files_of_its_own_and_those_of_all() {
    let scene = Scene::new();
    let mac = machine_mac(0);
    let other = MacAddr([2, 0, 0, 0, 0, 0x77]);
    scene.write("default/shared", b"for all");
    scene.write("default/config", b"for all");
    scene.write("default/deep/er", b"deep");
    scene.write("config", b"for nobody");
    scene.write(&format!("{mac}/config"), b"for one");
    scene.write(&format!("{other}/config"), b"for the other");
    let _daemon = scene.daemon(&[]);
    let spelt = mac.to_string().replace(':', "%3A").to_uppercase();
    for (path, expected) in [
        (own("shared"), &b"for all"[..]),
        (own("config"), b"for one"),
        (own("deep//er"), b"deep"),
        (format!("/mac/{other}/config"), b"for the other"),
        (format!("/mac/{spelt}/config"), b"for one"),
        (format!("/mac/{}/config?query", mac.to_string().replace(':', "")), b"for one"),
        ("/mac/02:00:00:00:00:78/config".to_owned(), b"for all"),
    ] {
        assert_eq!(scene.get(&path, &[]).body, expected, "{path}");
    }
}

#[test]
fn what_is_not_there_or_not_theirs_is_refused_at_once() {
    let scene = Scene::new();
    let outside = TempDir::new().unwrap();
    fs::write(outside.path().join("secret"), b"secret").unwrap();
    scene.write("default/inside", b"inside");
    scene.write("default/.hidden", b"hidden");
    scene.write("default/directory/file", b"file");
    let link = |to: &Path, name: &str| symlink(to, scene.path(&format!("default/{name}"))).unwrap();
    link(&outside.path().join("secret"), "out");
    link(outside.path(), "away");
    link(Path::new("../../../../../../etc/passwd"), "up");
    link(Path::new("inside"), "within");
    assert!(Command::new("mkfifo").arg(scene.path("default/fifo")).status().unwrap().success());
    let daemon = scene.daemon(&[]);
    let missing = [
        own("autoexec.ipxe"),
        own(".hidden"),
        own("%2ehidden"),
        own("out"),
        own("away/secret"),
        own("up"),
        own("../../../../../../etc/passwd"),
        own("%2e%2e/%2e%2e/etc/passwd"),
        own("..%2f..%2fetc/passwd"),
        own("./inside"),
        own("inside/more"),
        own("inside%00"),
        own("inside/"),
        own(""),
        own("//"),
        own(&"a".repeat(300)),
        own(&"a/".repeat(600)),
        format!("//mac/{}/..//..//..//etc/passwd", machine_mac(0)),
        "/".to_owned(),
        "/etc/passwd".to_owned(),
        "/mac/default/inside".to_owned(),
        "/mac/../default/inside".to_owned(),
    ];
    for path in &missing {
        let answer = scene.get(path, &[]);
        assert_eq!((answer.status, answer.body), (404, b"no such file\n".to_vec()), "{path}");
    }
    for path in [own("fifo"), own("directory")] {
        assert_eq!(scene.get(&path, &[]).status, 403, "{path}");
    }
    assert_eq!(scene.get(&own("within"), &[]).body, b"inside");
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"] {
        let answer = scene.get(&own("inside"), &["--request", method, "--data", "body"]);
        assert_eq!((answer.status, answer.field("Allow")), (405, Some("GET, HEAD")), "{method}");
    }
    let long = format!("Long: {}", "a".repeat(100_000));
    assert_eq!(scene.curl(&own("inside"), &["--header", &long]).1.status, 431);
    let stopped = daemon.stop().unwrap();
    for (name, count) in [
        ("netboot_refuse_missing", missing.len() as u64),
        ("netboot_refuse_denied", 2),
        ("netboot_refuse_method", 5),
        ("netboot_whole", 1),
    ] {
        assert_eq!(stopped.counter(name), count, "{name} {stopped:?}");
    }
}

#[test]
fn a_machine_that_is_not_served_is_told_so() {
    let scene = Scene::new();
    scene.write("default/boot.efi", b"for others");
    let denied = scene.loaded.path().join("denied");
    fs::write(&denied, machine_mac(0).to_string()).unwrap();
    let daemon = scene.daemon(&["--deny-macs", denied.to_str().unwrap()]);
    assert_eq!(scene.get(&own("boot.efi"), &[]).status, 403);
    assert_eq!(scene.get("/mac/02:00:00:00:00:78/boot.efi", &[]).status, 200);
    assert_eq!(daemon.stop().unwrap().counter("netboot_refuse_machine"), 1);
}

#[test]
fn a_part_is_sent_of_what_the_client_knows_and_of_nothing_else() {
    let scene = Scene::new();
    let file = bytes(1000);
    scene.write("default/file", &file);
    let _daemon = scene.daemon(&[]);
    let path = own("file");
    let first = scene.get(&path, &[]);
    let (etag, modified) = (first.field("ETag").unwrap(), first.field("Last-Modified").unwrap());
    let ask = |fields: &[String]| {
        let arguments: Vec<_> = fields.iter().flat_map(|field| ["--header", field]).collect();
        scene.get(&path, &arguments)
    };
    for (range, expected) in
        [("0-0", 0..1), ("10-19", 10..20), ("990-", 990..1000), ("-5", 995..1000), ("500-5000", 500..1000)]
    {
        let answer = ask(&[format!("Range: bytes={range}"), format!("If-Range: {etag}")]);
        assert_eq!((answer.status, &answer.body[..]), (206, &file[expected.clone()]), "{range}");
        let told = format!("bytes {}-{}/1000", expected.start, expected.end - 1);
        assert_eq!(answer.field("Content-Range"), Some(told.as_str()));
        assert_eq!(answer.field("Content-Length"), Some(expected.len().to_string().as_str()));
        assert_eq!(answer.field("ETag"), Some(etag));
    }
    let range = || "Range: bytes=10-19".to_owned();
    for (fields, status) in [
        (vec![range(), format!("If-Match: {etag}")], 206),
        (vec![range(), format!("If-Unmodified-Since: {modified}")], 206),
        (vec![range(), format!("If-Range: {modified}")], 206),
        (vec![range(), "If-Match: \"other\"".to_owned()], 412),
        (vec![range(), "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT".to_owned()], 412),
        (vec![range(), "If-Range: \"other\"".to_owned()], 200),
        (vec!["Range: bytes=0-1,5-6".to_owned()], 200),
        (vec![format!("If-None-Match: {etag}")], 304),
        (vec![format!("If-Modified-Since: {modified}")], 304),
        (vec!["Range: bytes=1000-".to_owned()], 416),
    ] {
        let answer = ask(&fields);
        assert_eq!(answer.status, status, "{fields:?} {answer:?}");
        match status {
            206 => assert_eq!(answer.body, file[10..20]),
            200 => assert_eq!(answer.body, file),
            304 => assert_eq!((answer.body.len(), answer.field("ETag")), (0, Some(etag))),
            416 => assert_eq!(answer.field("Content-Range"), Some("bytes */1000")),
            _ => assert_eq!(answer.field("ETag"), None),
        }
    }
    scene.write("default/file", &bytes(1001));
    assert_eq!(ask(&[range(), format!("If-Match: {etag}")]).status, 412);
    assert_eq!(ask(&[range(), format!("If-Range: {etag}")]).body.len(), 1001);
}

/// Asks for a file and reads no more than its beginning.
fn begin(scene: &Scene, file: &str) -> TcpStream {
    let mut stream = scene.connect();
    stream
        .write_all(format!("GET {} HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n", own(file)).as_bytes())
        .unwrap();
    stream.read_exact(&mut [0; 1000]).unwrap();
    stream
}

const LONG: usize = 64 << 20;

#[test]
fn a_file_that_is_cut_or_written_to_ends_the_transfer_and_nothing_else() {
    let scene = Scene::new();
    let daemon = {
        scene.write("default/cut", &bytes(LONG));
        scene.write("default/written", &bytes(LONG));
        scene.daemon(&[])
    };
    let mut cut = begin(&scene, "cut");
    File::options().write(true).open(scene.path("default/cut")).unwrap().set_len(1 << 20).unwrap();
    let mut written = begin(&scene, "written");
    let file = File::options().write(true).open(scene.path("default/written")).unwrap();
    file.write_all_at(b"new", LONG as u64 - 3).unwrap();
    file.set_modified(SystemTime::now() + Duration::from_secs(2)).unwrap();
    for stream in [&mut cut, &mut written] {
        assert!(rest(stream).0.len() < LONG - 1000);
    }
    assert_eq!(scene.get(&own("cut"), &[]).body.len(), 1 << 20);
    let stopped = daemon.stop().unwrap();
    assert_eq!((stopped.counter("netboot_changed"), stopped.counter("netboot_complete")), (2, 1), "{stopped:?}");
    let told = "a transfer over HTTP has failed: the file has changed while it was sent";
    assert_eq!(stopped.ended.output.matches(told).count(), 2, "{}", stopped.ended.output);
}

#[test]
fn nobody_has_all_of_a_file_that_was_written_to_on_its_way() {
    let scene = Scene::new();
    let daemon = scene.daemon(&[]);
    // Of so many bytes the kernel takes all at once.
    for length in [1 << 20, 3 << 20] {
        scene.write("default/file", &vec![b'A'; length]);
        let mut stream = begin(&scene, "file");
        thread::sleep(Duration::from_millis(500));
        let file = File::options().write(true).open(scene.path("default/file")).unwrap();
        file.write_all_at(&vec![b'B'; length / 2], length as u64 / 2).unwrap();
        thread::sleep(Duration::from_millis(500));
        assert!(rest(&mut stream).0.len() < length - 1000);
    }
    let stopped = daemon.stop().unwrap();
    assert_eq!((stopped.counter("netboot_changed"), stopped.counter("netboot_complete")), (2, 0), "{stopped:?}");
}

#[test]
fn what_the_kernel_has_taken_and_the_client_has_not_was_not_sent() {
    let scene = Scene::new();
    scene.write("default/file", &bytes(3 << 20));
    let daemon = scene.daemon(&[]);
    let mut stream = begin(&scene, "file");
    thread::sleep(Duration::from_secs(2));
    stream.read_exact(&mut [0; 20_000]).unwrap();
    thread::sleep(Duration::from_secs(3));
    drop(stream);
    let failed = |line: &str| line.contains("a transfer over HTTP has failed: the connection has ended");
    let line = daemon.process().wait_for(LIMIT, failed).unwrap();
    let sent = line.split_once("\"sent\":").unwrap().1.split_once(',').unwrap().0;
    assert!(sent.parse::<u64>().unwrap() < 1 << 20, "{line}");
    assert!(line.contains(" s after the last byte"), "{line}");
    let stopped = daemon.stop().unwrap();
    assert_eq!((stopped.counter("netboot_disconnected"), stopped.counter("netboot_complete")), (1, 0), "{stopped:?}");
}

#[test]
fn a_file_that_is_on_the_disk_alone_comes_whole() {
    let scene = Scene::new();
    let file = bytes((9 << 20) + 1);
    let daemon = scene.daemon(&[]);
    for number in 0..5 {
        let name = format!("default/{number}");
        scene.write(&name, &file);
        let written = File::open(scene.path(&name)).unwrap();
        written.sync_all().unwrap();
        fadvise(&written, 0, None, Advice::DontNeed).unwrap();
        assert!(scene.get(&own(&number.to_string()), &[]).body == file);
        fadvise(&written, 0, None, Advice::DontNeed).unwrap();
        let part = scene.get(&own(&number.to_string()), &["--range", "4000000-7999999"]);
        assert!(part.body == file[4_000_000..8_000_000]);
    }
    assert_eq!(daemon.stop().unwrap().counter("netboot_complete"), 10);
}

#[test]
fn a_file_that_is_replaced_goes_on_as_it_was() {
    let scene = Scene::new();
    scene.write("default/file", &bytes(LONG));
    let daemon = scene.daemon(&[]);
    let mut stream = begin(&scene, "file");
    scene.write("default/new", b"new");
    fs::rename(scene.path("default/new"), scene.path("default/file")).unwrap();
    assert_eq!(scene.get(&own("file"), &[]).body, b"new");
    let (rest, is_well) = rest(&mut stream);
    assert!(is_well && rest.ends_with(&bytes(LONG)[LONG / 2..]), "{}", rest.len());
    assert_eq!(daemon.stop().unwrap().counter("netboot_complete"), 2);
}

#[test]
fn another_directory_of_the_same_name_is_served_when_that_is_asked_for() {
    let scene = Scene::new();
    scene.write("served/default/file", b"old");
    scene.write("new/default/file", b"new");
    let served = scene.path("served");
    let daemon = scene.daemon_for(&served, &[]);
    fs::rename(&served, scene.path("old")).unwrap();
    daemon.process().signal(Signal::HUP).unwrap();
    daemon.process().wait_for(LIMIT, |line| line.contains("the directory that was there is served on")).unwrap();
    fs::rename(scene.path("new"), &served).unwrap();
    assert_eq!(scene.get(&own("file"), &[]).body, b"old");
    daemon.process().signal(Signal::HUP).unwrap();
    let started = Instant::now();
    while scene.get(&own("file"), &[]).body != b"new" {
        assert!(started.elapsed() < LIMIT, "still the old one");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_thousand_that_do_not_read_hold_nobody_up() {
    let scene = Scene::new();
    scene.write("default/long", &bytes(LONG));
    scene.write("default/short", b"short");
    // Of one address there may be only so many.
    let add =
        |number| scene.machine().ip(&format!("-6 address add {BASE}1:{number:x}/64 dev {MACHINE_INTERFACE} nodad"));
    (0..20).for_each(|number| drop(add(number).unwrap()));
    let daemon = scene.daemon(&[]);
    let threads = fs::read_dir(format!("/proc/{}/task", daemon.pid().as_raw_nonzero())).unwrap().count();
    let to = SocketAddrV6::new(BASE.parse().unwrap(), 80, 0, 0);
    let stall = |from: &str| {
        let socket = socket_with(AddressFamily::INET6, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap();
        bind(&socket, &SocketAddrV6::new(from.parse().unwrap(), 0, 0, 0)).unwrap();
        connect(&socket, &to).unwrap();
        let mut stream = TcpStream::from(socket);
        stream.write_all(format!("GET {} HTTP/1.1\r\nHost: lab\r\n\r\n", own("long")).as_bytes()).unwrap();
        stream
    };
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    let stall_all = || (0..1000).map(|number| stall(&format!("{BASE}1:{:x}", number / 50))).collect::<Vec<_>>();
    let stalled = scene.machine().run(stall_all).unwrap();
    for _ in 0..20 {
        assert_eq!(scene.get(&own("short"), &["--max-time", "5"]).body, b"short");
    }
    let now = fs::read_dir(format!("/proc/{}/task", daemon.pid().as_raw_nonzero())).unwrap().count();
    assert!(now <= threads + 16, "{threads} threads, and then {now}");
    drop(stalled);
    let stopped = daemon.stop().unwrap();
    assert!(stopped.took < Duration::from_secs(2), "{:?}", stopped.took);
    assert_eq!(stopped.counter("netboot_whole"), 1020, "{stopped:?}");
}

#[test]
fn one_address_has_so_many_connections() {
    let scene = Scene::new();
    scene.write("default/file", b"file");
    let daemon = scene.daemon(&[]);
    let held: Vec<_> = (0..64).map(|_| scene.connect()).collect();
    assert_eq!(rest(&mut scene.connect()).0, b"");
    drop(held);
    while scene.curl(&own("file"), &[]).1.status != 200 {
        thread::sleep(Duration::from_millis(10));
    }
    assert!(daemon.stop().unwrap().counter("http_refuse_full_for_address") >= 1);
}

#[test]
fn a_half_closed_connection_is_still_answered() {
    let scene = Scene::new();
    scene.write("default/file", &bytes(LONG));
    let _daemon = scene.daemon(&[]);
    let mut stream = begin(&scene, "file");
    stream.shutdown(Shutdown::Write).unwrap();
    assert!(rest(&mut stream).0.ends_with(&bytes(LONG)[LONG / 2..]));
}

#[test]
fn a_port_that_is_taken_is_named_and_nothing_is_left_behind() {
    let scene = Scene::new();
    let held = scene.rack.router.run(|| std::net::TcpListener::bind("[::]:80")).unwrap().unwrap();
    let directory = scene.files.path().to_str().unwrap();
    let arguments = ["--interface", ROUTER_INTERFACE, "--base-address", BASE, "--netboot-dir", directory];
    let refusal = Daemon::refusal(&scene.rack.router, &arguments).unwrap();
    assert_eq!(refusal.status.code(), Some(2), "{}", refusal.output);
    assert!(refusal.output.contains("--http-listen-addr [::]:80: Address already in use"), "{}", refusal.output);
    let off = [&arguments[..], &["--http-listen-addr", "off"]].concat();
    drop(Daemon::start(&scene.rack.router, &off).unwrap());
    drop(held);
}
