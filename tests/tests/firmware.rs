//! Real UEFI firmware takes the answers: OVMF in QEMU, on a port of the rack's switch, asks by PXE and by HTTP boot, and goes where
//! it was told.
#![cfg(test)]

use std::{
    env, fs,
    io::{BufRead as _, BufReader, Write as _},
    net::{TcpListener, UdpSocket},
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use dhcpv6macd::policy::BaseAddress;
use dhcpv6macd_tests::{
    efi::application,
    lab::{Daemon, Host, MACHINE_INTERFACE, Process, ROUTER_INTERFACE, Rack},
};
use object::pe::IMAGE_FILE_MACHINE_AMD64;
use tempfile::TempDir;

const BASE: &str = "2001:db8:0:1::";
/// The machine's MAC: another one than that of the cable that it hangs on.
const MAC: &str = "52:54:00:12:34:56";
/// Another machine of the rack: what it hears, no steering program takes away.
const TFTP_SERVER: &str = "2001:db8:0:1::69";
const TEMPLATE: &str = "http://[{{.BaseAddress}}]/mac/{{.MAC}}/boot.efi?arch={{.Arch}}";
/// Without KVM on a busy machine, from power-on to the first byte of a boot file. It is 20 to 30 seconds on an idle one.
const LIMIT: Duration = Duration::from_secs(180);

/// How the firmware is to boot.
#[derive(Clone, Copy)]
enum Boot {
    Pxe,
    Http,
}

/// A rack with a machine that is switched on, a TFTP server, and the daemon on its router.
struct Scene {
    rack: Rack,
    daemon: Daemon,
    _machine: Process,
    _disk: TempDir,
}

impl Scene {
    /// Whoever serves boot files is another machine of the rack.
    fn new(boot: Boot) -> Self {
        Self::with(boot, &["--boot-server-address", TFTP_SERVER])
    }

    fn with(boot: Boot, settings: &[&str]) -> Self {
        let rack = Rack::new(2).unwrap();
        let base: BaseAddress = BASE.parse().unwrap();
        rack.router.own(base).unwrap();
        rack.machines[1].ip(&format!("-6 address add {TFTP_SERVER}/64 dev {MACHINE_INTERFACE}")).unwrap();
        let least = ["--interface", ROUTER_INTERFACE, "--base-address", BASE];
        let template = ["--http-boot-url-template", TEMPLATE];
        let daemon = Daemon::start(&rack.router, &[&least[..], &template, settings].concat()).unwrap();
        let disk = TempDir::new().unwrap();
        let machine = switch_on(&rack.machines[0], boot, disk.path());
        Self { rack, daemon, _machine: machine, _disk: disk }
    }
}

/// A virtual machine in the place of the machine, on its cable.
fn switch_on(host: &Host, boot: Boot, disk: &Path) -> Process {
    host.sysctl("net.ipv6.conf.all.disable_ipv6", "1").unwrap();
    host.ip("tuntap add dev tap0 mode tap").unwrap();
    host.ip("link set dev tap0 up").unwrap();
    host.bridge("plug", &["tap0".to_owned(), MACHINE_INTERFACE.to_owned()]).unwrap();
    let variables = disk.join("variables.fd");
    fs::copy("/usr/share/OVMF/OVMF_VARS_4M.fd", &variables).unwrap();
    host.start(&qemu(boot, &variables)).unwrap()
}

fn qemu(boot: Boot, variables: &Path) -> Command {
    let mut command = Command::new("qemu-system-x86_64");
    command.args(
        "-accel tcg -machine q35 -m 512 -display none -nodefaults -monitor none -no-reboot -serial stdio".split(' '),
    );
    command.args(["-drive", "if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd"]);
    command.arg("-drive").arg(format!("if=pflash,format=raw,file={}", variables.display()));
    command.args(["-object", "rng-random,id=rng0,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=rng0"]);
    command.args(["-netdev", "tap,id=n0,ifname=tap0,script=no,downscript=no"]);
    command.arg("-device").arg(format!("virtio-net-pci,netdev=n0,mac={MAC},romfile=,bootindex=0"));
    for off in ["IPv4Support", "IPv4PXESupport"] {
        command.arg("-fw_cfg").arg(format!("name=opt/org.tianocore/{off},string=n"));
    }
    if matches!(boot, Boot::Http) {
        command.args(["-fw_cfg", "name=opt/org.tianocore/IPv6PXESupport,string=n"]);
        // Else it starts before duplicate-address detection ends.
        command.args(["-boot", "menu=on,splash-time=3000"]);
    }
    command
}

/// A web server at the base address that answers one request, with an error, and returns its lines.
fn one_request(scene: &Scene) -> Vec<String> {
    let server = scene.rack.router.run(|| TcpListener::bind((BASE, 80))).unwrap().unwrap();
    server.set_nonblocking(true).unwrap();
    let started = Instant::now();
    let stream = loop {
        match server.accept() {
            Ok((stream, _)) => break stream,
            Err(error) => assert!(started.elapsed() < LIMIT, "nobody asks: {error}"),
        }
        thread::sleep(Duration::from_millis(50));
    };
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let lines = BufReader::new(&stream).lines().map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
    (&stream).write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").unwrap();
    assert_eq!(stream.peer_addr().unwrap().ip(), BASE.parse::<BaseAddress>().unwrap().address_of(MAC.parse().unwrap()));
    lines
}

#[test]
fn pxe_asks_for_the_file_that_it_was_told_of() {
    let scene = Scene::new(Boot::Pxe);
    let elsewhere = &scene.rack.machines[1];
    let server = elsewhere.run(|| UdpSocket::bind((TFTP_SERVER, 69))).unwrap().unwrap();
    server.set_read_timeout(Some(LIMIT)).unwrap();
    let mut request = [0; 512];
    let (length, machine) = server.recv_from(&mut request).unwrap();
    let expected = format!("\0\u{1}{MAC}/ipxe.efi\0octet\0");
    assert!(request[..length].starts_with(expected.as_bytes()), "{:?}", request[..length].escape_ascii().to_string());
    assert_eq!(machine.ip(), BASE.parse::<BaseAddress>().unwrap().address_of(MAC.parse().unwrap()));
    scene.daemon.stop().unwrap();
}

#[test]
fn http_boot_asks_for_the_url_that_it_was_told() {
    let scene = Scene::new(Boot::Http);
    let lines = one_request(&scene);
    assert_eq!(lines[0], format!("HEAD /mac/{MAC}/boot.efi?arch=x86_64 HTTP/1.1"));
    scene.daemon.stop().unwrap();
}

#[test]
fn pxe_loads_ipxe_from_the_daemon_and_ipxe_asks_for_the_url_that_it_was_told() {
    let Ok(ipxe) = env::var("TEST_IPXE") else {
        return println!("not run: TEST_IPXE names no ipxe.efi; `cargo xtask test` fetches one where it can");
    };
    // It asks for an address where it is told to.
    let advertised = ["--router-advertisement", "managed", "--router-advertisement-prefix", "2001:db8:0:1::/64"];
    let scene = Scene::with(Boot::Pxe, &[&["--ipxe-x86-64-efi", &ipxe][..], &advertised].concat());
    let lines = one_request(&scene);
    // Debian's iPXE, of 2019, encodes more of a path than it has to.
    assert_eq!(lines[0].replace("%3A", ":"), format!("GET /mac/{MAC}/boot.efi?arch=x86_64 HTTP/1.1"));
    assert!(lines.iter().any(|line| line.starts_with("User-Agent: iPXE/")), "{lines:?}");
    let stopped = scene.daemon.stop().unwrap();
    assert_eq!(stopped.counter("tftp_complete"), 1, "{stopped:?}");
}

/// A program of 2 MiB, for all machines.
fn netboot_directory() -> TempDir {
    let directory = TempDir::new().unwrap();
    fs::create_dir(directory.path().join("default")).unwrap();
    let program = application(IMAGE_FILE_MACHINE_AMD64, 4096).unwrap();
    fs::write(directory.path().join("default/boot.efi"), program).unwrap();
    directory
}

fn wait_until_loaded(daemon: &Daemon) {
    let is_loaded = |line: &str| line.contains("\"HTTP\"") && line.contains("Complete") && line.contains("boot.efi");
    daemon.process().wait_for(LIMIT, is_loaded).unwrap();
}

#[test]
fn http_boot_loads_its_file_from_the_daemon() {
    let files = netboot_directory();
    let settings = ["--netboot-dir", files.path().to_str().unwrap(), "--log-level", "debug"];
    let scene = Scene::with(Boot::Http, &settings);
    wait_until_loaded(&scene.daemon);
    let stopped = scene.daemon.stop().unwrap();
    // It asks how long the file is, and then for all of it.
    let counted = ["netboot_head", "netboot_whole", "netboot_complete"].map(|name| stopped.counter(name));
    assert_eq!(counted, [1, 1, 1], "{stopped:?}");
}

#[test]
fn ipxe_loads_its_file_from_the_daemon() {
    let Ok(ipxe) = env::var("TEST_IPXE") else {
        return println!("not run: TEST_IPXE names no ipxe.efi; `cargo xtask test` fetches one where it can");
    };
    let files = netboot_directory();
    let advertised = ["--router-advertisement", "managed", "--router-advertisement-prefix", "2001:db8:0:1::/64"];
    let netboot = ["--netboot-dir", files.path().to_str().unwrap(), "--log-level", "debug"];
    let scene = Scene::with(Boot::Pxe, &[&["--ipxe-x86-64-efi", &ipxe][..], &advertised, &netboot].concat());
    wait_until_loaded(&scene.daemon);
    let stopped = scene.daemon.stop().unwrap();
    assert_eq!(stopped.counter("netboot_complete"), 1, "{stopped:?}");
}
