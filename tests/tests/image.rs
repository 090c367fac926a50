//! iPXE images: what is one, what is none, and what becomes of a file that changes under the daemon.
#![cfg(test)]

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use dhcpv6macd::{
    config::IpxeImages,
    image::{self, IMAGE_MAX, Images},
    wire::dhcpv6::Processor,
};
use dhcpv6macd_tests::{
    efi,
    lab::{Daemon, Host, MACHINE_INTERFACE, ROUTER_INTERFACE, Rack},
};
use object::pe::{
    IMAGE_FILE_MACHINE_AMD64, IMAGE_FILE_MACHINE_ARM64, IMAGE_FILE_MACHINE_EBC, IMAGE_FILE_MACHINE_RISCV64,
    IMAGE_SUBSYSTEM_EFI_BOOT_SERVICE_DRIVER, IMAGE_SUBSYSTEM_WINDOWS_CUI,
};
use proptest::prelude::*;
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

const BASE: &str = "2001:db8:0:1::";
const LIMIT: Duration = Duration::from_secs(20);
const MACHINES: [(Processor, u16); 3] = [
    (Processor::X86_64, IMAGE_FILE_MACHINE_AMD64),
    (Processor::Arm64, IMAGE_FILE_MACHINE_ARM64),
    (Processor::RiscV64, IMAGE_FILE_MACHINE_RISCV64),
];

/// Files to be read.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }
}

/// What is wrong with a file as an image for x86-64.
fn refusal(path: &Path) -> String {
    image::read(path, Processor::X86_64).unwrap_err().to_string()
}

#[test]
fn an_image_is_for_its_processor_and_no_other() {
    let desk = Desk::new();
    for (is, machine) in MACHINES {
        let program = efi::application(machine, 3).unwrap();
        let path = desk.put("ipxe.efi", &program);
        for (wanted, _) in MACHINES {
            match image::read(&path, wanted) {
                Ok(image) => assert_eq!((wanted, &image[..]), (is, &program[..])),
                Err(error) => {
                    let flag = is.to_string().replace('_', "-");
                    let words = format!("an EFI program for {is}, not for {wanted}; that is --ipxe-{flag}-efi");
                    assert_eq!(error.to_string(), words);
                    assert_ne!(wanted, is);
                }
            }
        }
    }
    let path = desk.put("ipxe.efi", &efi::application(IMAGE_FILE_MACHINE_EBC, 1).unwrap());
    assert_eq!(refusal(&path), "an EFI program for unknown, not for x86_64");
}

#[test]
fn what_is_no_whole_efi_program_is_no_image() {
    let desk = Desk::new();
    let program = efi::application(IMAGE_FILE_MACHINE_AMD64, 2).unwrap();
    for length in 0..program.len() {
        let error = refusal(&desk.put("cut.efi", &program[..length]));
        assert!(error.starts_with("not an EFI program") || error.starts_with("cut off"), "{length}: {error}");
    }
    assert_eq!(refusal(&desk.put("text", b"MX")), "not an EFI program: it does not start with MZ");
    for kind in [IMAGE_SUBSYSTEM_EFI_BOOT_SERVICE_DRIVER, IMAGE_SUBSYSTEM_WINDOWS_CUI] {
        let path = desk.put("other.efi", &efi::program(IMAGE_FILE_MACHINE_AMD64, kind, 1).unwrap());
        assert!(refusal(&path).starts_with("a program, but not one that UEFI starts"));
    }
}

#[test]
fn what_is_no_file_of_a_sensible_size_is_not_read() {
    let desk = Desk::new();
    let fifo = desk.0.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    for path in [&fifo, desk.0.path(), Path::new("/dev/zero")] {
        assert_eq!(refusal(path), "cannot be read: not a regular file");
    }
    assert!(refusal(&desk.0.path().join("none")).starts_with("cannot be read: No such file"));
    let path = desk.put("ipxe.efi", &efi::application(IMAGE_FILE_MACHINE_AMD64, 1).unwrap());
    let file = File::options().write(true).open(&path).unwrap();
    file.set_len(IMAGE_MAX).unwrap();
    assert_eq!(image::read(&path, Processor::X86_64).unwrap().len() as u64, IMAGE_MAX);
    file.set_len(IMAGE_MAX + 1).unwrap();
    assert_eq!(refusal(&path), "longer than an image can be (64 MiB)");
}

#[test]
fn flags_override_what_is_compiled_in_one_by_one() {
    let desk = Desk::new();
    let program = efi::application(IMAGE_FILE_MACHINE_ARM64, 7).unwrap();
    let files = IpxeImages { arm64: Some(desk.put("ipxe.efi", &program)), ..IpxeImages::default() };
    let images = Images::read(&files).unwrap();
    assert_eq!(images, Images { arm64: Some(program.into()), ..Images::embedded() });
    assert!(files.set().arm64);
    let wrong = IpxeImages { x86_64: files.arm64.clone(), ..files };
    let error = Images::read(&wrong).unwrap_err();
    assert!(error.starts_with(wrong.x86_64.unwrap().to_str().unwrap()) && error.contains("for arm64"), "{error}");
}

#[test]
fn what_there_is_is_told() {
    let of = |kibibytes: usize| Some(vec![0; kibibytes << 10].into());
    assert_eq!(Images::default().to_string(), "without iPXE");
    let two = Images { x86_64: of(1147), arm64: None, riscv64: of(2) };
    assert_eq!(two.to_string(), "with iPXE for x86_64 (1147 KiB), riscv64 (2 KiB)");
}

#[test]
fn images_are_read_again_whole_or_stay() {
    let desk = Desk::new();
    let program = |length| efi::application(IMAGE_FILE_MACHINE_AMD64, length).unwrap();
    let path = desk.put("ipxe.efi", &program(9));
    let rack = Rack::new(1).unwrap();
    rack.router.own(BASE.parse().unwrap()).unwrap();
    rack.machines[0].ip(&format!("-6 address add {BASE}99/64 dev {MACHINE_INTERFACE} nodad")).unwrap();
    let is_served = |expected: &[u8]| assert!(loads(&rack.machines[0], &desk.0.path().join("loaded")) == expected);
    let least = ["--interface", ROUTER_INTERFACE, "--base-address", BASE];
    let flags = ["--ipxe-x86-64-efi", path.to_str().unwrap()];
    let daemon = Daemon::start(&rack.router, &[&least[..], &flags].concat()).unwrap();
    assert!(daemon.says("ipxe").unwrap().starts_with("with iPXE for x86_64 (5 KiB)"));
    is_served(&program(9));

    desk.put("ipxe.efi", &program(40));
    is_served(&program(9));
    let line = hung_up(&daemon, "images read again");
    assert!(line["ipxe"].as_str().unwrap().starts_with("with iPXE for x86_64 (20 KiB)"), "{line}");
    is_served(&program(40));
    desk.put("ipxe.efi", &program(60)[..10_000]);
    let line = hung_up(&daemon, "the images stay as they were");
    assert_eq!(line["level"], "WARN");
    let expected =
        format!("{}: cut off: its headers promise more than there is: the images stay as they were", path.display());
    assert_eq!(line["message"], expected.as_str());
    is_served(&program(40));
    assert_eq!(daemon.stop().unwrap().counter("tftp_complete"), 4);
}

/// What a machine loads as its iPXE.
fn loads(machine: &Host, to: &Path) -> Vec<u8> {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--globoff", "--output"]).arg(to).arg(format!("tftp://[{BASE}]/ipxe.efi"));
    machine.execute(&curl, LIMIT).unwrap().success().unwrap();
    fs::read(to).unwrap()
}

/// Has the daemon read everything again, and returns the line of its log that says so.
fn hung_up(daemon: &Daemon, words: &str) -> Value {
    daemon.process().signal(Signal::HUP).unwrap();
    serde_json::from_str(&daemon.process().wait_for(LIMIT, |line| line.contains(words)).unwrap()).unwrap()
}

proptest! {
    #[test]
    fn any_bytes_are_an_image_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let desk = Desk::new();
        let path = desk.put("ipxe.efi", &[b"MZ", &bytes[..]].concat());
        prop_assert!(!refusal(&path).contains('\n'));
    }

    #[test]
    fn a_program_with_other_bytes_in_it_is_an_image_or_an_error(at in 0..512_usize, byte: u8) {
        let desk = Desk::new();
        let mut program = efi::application(IMAGE_FILE_MACHINE_AMD64, 1).unwrap();
        program[at] = byte;
        if let Err(error) = image::read(&desk.put("ipxe.efi", &program), Processor::X86_64) {
            prop_assert!(!error.to_string().contains('\n'));
        }
    }
}
