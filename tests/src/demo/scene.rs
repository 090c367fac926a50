//! The rack, and what its router serves.

use std::{
    fs,
    net::{Ipv6Addr, SocketAddrV6, TcpStream},
    path::{Path, PathBuf},
    process, thread,
};

use anyhow::{Context as _, Result};
use dhcpv6macd::{image::Images, policy::BaseAddress};
use object::pe::IMAGE_FILE_MACHINE_AMD64;
use tempfile::TempDir;
use tokio::{
    runtime::Builder,
    signal::unix::{SignalKind, signal},
};

use crate::{
    efi,
    lab::{Daemon, Host, MACHINE_INTERFACE, Mode, ROUTER_INTERFACE, Rack},
    population::{Port, mac_of},
};

/// TCP port where the daemon tells what happens.
pub(super) const EVENTS_PORT: u16 = 6315;
/// Bytes of the file that stands in for an operating system.
const BOOT_FILE: usize = 6 << 20;
/// 512 bytes each, of a program that stands in for iPXE where there is none.
const STAND_IN: u32 = 2000;
/// Bytes behind the Ethernet header on the rack's links.
const MTU: u32 = 1500;
/// Exit status of what a signal has ended.
const INTERRUPTED: i32 = 130;

/// A router, a switch, and one port of it that all machines are behind.
#[derive(Debug)]
pub(super) struct Scene {
    rack: Rack,
    /// The router's own address, and the prefix of the machines'.
    pub(super) base: BaseAddress,
    pub(super) ipxe: Vec<u8>,
    pub(super) boot_file: Vec<u8>,
    /// A file for the daemon where it holds no iPXE.
    stand_in: Option<PathBuf>,
    files: TempDir,
}

impl Scene {
    pub(super) fn build(base: BaseAddress) -> Result<Self> {
        let rack = Rack::new(1)?;
        rack.router.own(base)?;
        let files = TempDir::new().context("cannot make a directory for the files")?;
        remove_at_a_signal(files.path())?;
        let boot_file: Vec<u8> = (0..251).cycle().take(BOOT_FILE).collect();
        let default = files.path().join("default");
        fs::create_dir(&default)?;
        fs::write(default.join("boot.efi"), &boot_file).context("cannot write the file to boot")?;
        let (ipxe, stand_in) = match Images::embedded().x86_64 {
            Some(image) => (image.into(), None),
            None => {
                let (program, path) =
                    (efi::application(IMAGE_FILE_MACHINE_AMD64, STAND_IN)?, files.path().join("ipxe.efi"));
                fs::write(&path, &program).context("cannot write what stands in for iPXE")?;
                (program, Some(path))
            }
        };
        let scene = Self { rack, base, ipxe, boot_file, stand_in, files };
        scene.let_the_kernel_speak_for_the_machines()?;
        Ok(scene)
    }

    /// The machines' TCP is that of the kernel behind their port: all addresses whose MACs begin as theirs do are its own.
    fn let_the_kernel_speak_for_the_machines(&self) -> Result<()> {
        let (machines, link) = (format!("{}/96", self.base.address_of(mac_of(0))), self.base.prefix());
        let host = self.machines()?;
        host.ip(&format!("-6 route add local {machines} dev lo"))?;
        host.ip(&format!("-6 route add {link}/64 dev {MACHINE_INTERFACE}"))?;
        let next = *host.addresses(MACHINE_INTERFACE)?.first().context("machines without an address")?;
        self.router().ip(&format!("-6 route add {machines} via {next} dev {ROUTER_INTERFACE}")).map(drop)
    }

    pub(super) fn router(&self) -> &Host {
        &self.rack.router
    }

    /// What is behind the one port.
    pub(super) fn machines(&self) -> Result<&Host> {
        self.rack.machines.first().context("a rack without a port")
    }

    pub(super) fn has_stand_in(&self) -> bool {
        self.stand_in.is_some()
    }

    pub(super) fn daemon(&self, mode: Mode) -> Result<Daemon> {
        let (prefix, netboot) = (self.base.to_string(), text(self.files.path())?);
        let template = "http://[{{.BaseAddress}}]/mac/{{.MAC}}/boot.efi";
        let mut arguments = vec!["--interface", ROUTER_INTERFACE, "--base-address", &prefix];
        arguments.extend(["--http-boot-url-template", template, "--netboot-dir", netboot]);
        if let Some(stand_in) = &self.stand_in {
            arguments.extend(["--ipxe-x86-64-efi", text(stand_in)?]);
        }
        arguments.extend(mode.arguments());
        Daemon::start(self.router(), &arguments)
    }

    /// Rings on the machines' port.
    pub(super) fn port(&self) -> Result<Port> {
        let host = self.machines()?;
        let interface = host.index_of(MACHINE_INTERFACE)?;
        host.run(|| Port::open(interface, MTU))?.context("cannot open the machines' rings")
    }

    /// A connection to the daemon's events.
    pub(super) fn events(&self) -> Result<TcpStream> {
        connect_to_events(self.router())
    }
}

/// A connection to the events of the daemon on a router.
pub(super) fn connect_to_events(router: &Host) -> Result<TcpStream> {
    let events = SocketAddrV6::new(Ipv6Addr::LOCALHOST, EVENTS_PORT, 0, 0);
    router.run(|| TcpStream::connect(events))?.context("cannot connect to the daemon's events")
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("the directory for temporary files has a name that is no text")
}

/// Namespaces and programs end with this process, whatever ends it; files do not.
fn remove_at_a_signal(directory: &Path) -> Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let inside = runtime.enter();
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    drop(inside);
    let directory = directory.to_owned();
    let wait = move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        });
        drop(fs::remove_dir_all(directory));
        process::exit(INTERRUPTED)
    };
    thread::Builder::new().name("signals".into()).spawn(wait)?;
    Ok(())
}
