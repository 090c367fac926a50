//! Which boot file moves a machine on.

use std::net::Ipv6Addr;

use super::{BaseAddress, BootUrl, UrlTemplate};
use crate::wire::{
    MacAddr,
    dhcpv6::{Architectures, Classes, Processor},
};

/// Architectures that a machine which is told a boot file may name; firmware names one or two.
const ARCHITECTURES_MAX: usize = 16;

/// Which stage of a boot asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BootStage {
    /// UEFI HTTP boot.
    HttpBoot,
    /// UEFI PXE.
    Pxe,
    /// iPXE.
    Ipxe,
    /// An operating system, or firmware for itself.
    Other,
}

impl BootStage {
    /// The stage that a message of these classes is from. iPXE says that it is a PXE client too.
    #[must_use]
    pub const fn of(classes: Classes) -> Self {
        match classes {
            Classes { ipxe: true, .. } => Self::Ipxe,
            Classes { http_client: true, .. } => Self::HttpBoot,
            Classes { pxe_client: true, .. } => Self::Pxe,
            Classes { .. } => Self::Other,
        }
    }

    /// Its name, for a person.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::HttpBoot => "HTTP boot",
            Self::Pxe => "PXE",
            Self::Ipxe => "iPXE",
            Self::Other => "no boot",
        }
    }
}

/// What the operator decided about boot files.
#[derive(Clone, Debug, Default)]
pub struct BootPolicy {
    /// What UEFI HTTP boot and iPXE load.
    pub http: Option<UrlTemplate>,
    /// What UEFI PXE loads, where TFTP is served.
    pub tftp: Option<TftpPolicy>,
}

impl BootPolicy {
    /// Would machines in PXE be told nothing, for want of a server's address?
    #[must_use]
    pub fn lacks_server(&self, base_address: BaseAddress, own_addresses: &[Ipv6Addr]) -> bool {
        self.tftp.is_some_and(|tftp| tftp.server(base_address, own_addresses).is_none())
    }
}

/// What the operator decided about TFTP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TftpPolicy {
    /// Its UDP port.
    pub port: u16,
    /// The server, where it is not the interface's own address in the prefix.
    pub server: Option<Ipv6Addr>,
    /// What there is an iPXE for.
    pub images: ImageSet,
}

/// The kinds of processor that there is an iPXE for: where there are several, each with a name of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the field's own names")]
pub struct ImageSet {
    pub x86_64: bool,
    pub arm64: bool,
    pub riscv64: bool,
}

impl ImageSet {
    fn are_several(self) -> bool {
        [self.x86_64, self.arm64, self.riscv64].into_iter().filter(|is_there| *is_there).count() > 1
    }
}

impl TftpPolicy {
    /// The address that machines load from: the one that was named, or else the base address where the interface has it, or else the
    /// first that it has in the prefix.
    #[must_use]
    pub fn server(&self, base_address: BaseAddress, own_addresses: &[Ipv6Addr]) -> Option<Ipv6Addr> {
        let own = || {
            let is_base = |address: &&Ipv6Addr| **address == base_address.prefix();
            let in_prefix = |address: &&Ipv6Addr| base_address.contains(**address);
            own_addresses.iter().find(is_base).or_else(|| own_addresses.iter().find(in_prefix)).copied()
        };
        self.server.or_else(own)
    }
}

/// The boot files as they are to be named right now.
#[derive(Clone, Debug, Default)]
pub struct BootFiles {
    http: Option<UrlTemplate>,
    tftp: Option<TftpFiles>,
}

/// iPXE on a TFTP server, for each kind of processor that there is one for.
#[derive(Clone, Debug)]
struct TftpFiles {
    /// Also for whoever does not say what it is.
    x86_64: Option<UrlTemplate>,
    arm64: Option<UrlTemplate>,
    riscv64: Option<UrlTemplate>,
    /// For what iPXE has no build of its own.
    other: Option<UrlTemplate>,
}

/// A name under which iPXE is served, by TFTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageName {
    /// The one for this processor.
    Of(Processor),
    /// The one for the processor of whoever asks.
    OwnProcessor,
}

impl ImageName {
    /// What a file is, if it is one.
    #[must_use]
    pub fn parse(file: &str) -> Option<Self> {
        match file {
            OWN_IMAGE => Some(Self::OwnProcessor),
            X86_64_IMAGE => Some(Self::Of(Processor::X86_64)),
            ARM64_IMAGE => Some(Self::Of(Processor::Arm64)),
            RISCV64_IMAGE => Some(Self::Of(Processor::RiscV64)),
            _ => None,
        }
    }
}

/// The name of the iPXE for whoever asks.
pub(crate) const OWN_IMAGE: &str = "ipxe.efi";
const X86_64_IMAGE: &str = "ipxe-x86_64.efi";
const ARM64_IMAGE: &str = "ipxe-arm64.efi";
const RISCV64_IMAGE: &str = "ipxe-riscv64.efi";

/// What a reply says about booting.
#[derive(Clone, Copy, Debug)]
pub struct Boot<'a> {
    /// The boot file.
    pub url: BootUrl<'a>,
    /// Is the reply to say `HTTPClient`, which makes an HTTP offer of it?
    pub is_http_offer: bool,
}

impl BootFiles {
    /// What the operator decided, with the TFTP server at the address that the interface has now.
    #[must_use]
    pub fn new(policy: &BootPolicy, base_address: BaseAddress, own_addresses: &[Ipv6Addr]) -> Self {
        let tftp = policy.tftp.and_then(|tftp| Some(TftpFiles::new(tftp, tftp.server(base_address, own_addresses)?)));
        Self { http: policy.http.clone(), tftp }
    }

    /// The boot file of a machine in this stage.
    #[must_use]
    pub fn of<'a>(
        &'a self,
        stage: BootStage,
        mac: MacAddr,
        address: Ipv6Addr,
        architectures: Architectures<'a>,
    ) -> Option<Boot<'a>> {
        let template = match stage {
            BootStage::HttpBoot | BootStage::Ipxe => self.http.as_ref()?,
            BootStage::Pxe => self.tftp.as_ref()?.image(architectures)?,
            BootStage::Other => return None,
        };
        if architectures.count() > ARCHITECTURES_MAX {
            return None;
        }
        let url = BootUrl { template, mac, address, architectures };
        Some(Boot { url, is_http_offer: stage == BootStage::HttpBoot })
    }
}

impl TftpFiles {
    /// A single image, or none of ours, is for whoever asks; of several each machine is told its own or nothing.
    fn new(tftp: TftpPolicy, server: Ipv6Addr) -> Self {
        let TftpPolicy { port, images, .. } = tftp;
        let file = |is_there: bool, name: &str| is_there.then(|| UrlTemplate::tftp(server, port, name));
        let plain = |is_there| file(is_there, OWN_IMAGE);
        if images.are_several() {
            Self {
                x86_64: plain(images.x86_64),
                arm64: file(images.arm64, ARM64_IMAGE),
                riscv64: file(images.riscv64, RISCV64_IMAGE),
                other: None,
            }
        } else {
            Self { x86_64: plain(true), arm64: plain(true), riscv64: plain(true), other: plain(true) }
        }
    }

    fn image(&self, architectures: Architectures<'_>) -> Option<&UrlTemplate> {
        let image = match architectures.processor() {
            _ if architectures.count() == 0 => &self.x86_64,
            Processor::X86_64 => &self.x86_64,
            Processor::Arm64 => &self.arm64,
            Processor::RiscV64 => &self.riscv64,
            Processor::I386 | Processor::Arm32 | Processor::RiscV32 | Processor::Unknown => &self.other,
        };
        image.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: MacAddr = MacAddr([0x52, 0x54, 0, 0x12, 0x34, 0x56]);

    fn base() -> BaseAddress {
        "2001:db8::".parse().unwrap()
    }

    fn addresses(texts: &[&str]) -> Vec<Ipv6Addr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn the_server_is_the_base_address_or_one_in_the_prefix_or_the_one_that_was_named() {
        let server = |named: Option<&str>, own: &[&str]| {
            let server = named.map(|named| named.parse().unwrap());
            TftpPolicy { server, ..TftpPolicy::default() }
                .server(base(), &addresses(own))
                .map(|server| server.to_string())
        };
        assert_eq!(server(None, &["2001:db8::1", "2001:db8::"]).as_deref(), Some("2001:db8::"));
        assert_eq!(server(None, &["fe80::1", "2001:db8::1"]).as_deref(), Some("2001:db8::1"));
        assert_eq!(server(None, &["fe80::1", "2001:db8:1::"]), None);
        assert_eq!(server(Some("2001:db8:9::9"), &["2001:db8::"]).as_deref(), Some("2001:db8:9::9"));
    }

    #[test]
    fn each_stage_gets_the_file_that_moves_it_on() {
        let http = Some(UrlTemplate::new("http://h/{{.MAC}}", base(), "eth1").unwrap());
        let images = ImageSet { x86_64: true, arm64: true, riscv64: false };
        let tftp = Some(TftpPolicy { port: 69, server: None, images });
        let url = |policy: &BootPolicy, stage, architecture: u8| {
            let files = BootFiles::new(policy, base(), &addresses(&["2001:db8::1"]));
            let architectures = [0, architecture];
            let boot = files.of(stage, MAC, base().address_of(MAC), Architectures::of(&architectures));
            boot.map(|boot| (boot.url.to_string(), boot.is_http_offer))
        };
        let both = BootPolicy { http: http.clone(), tftp };
        let http_url = "http://h/52:54:00:12:34:56".to_owned();
        let tftp_url = |file: &str| format!("tftp://[2001:db8::1]/52:54:00:12:34:56/{file}");
        assert_eq!(url(&both, BootStage::HttpBoot, 16), Some((http_url.clone(), true)));
        assert_eq!(url(&both, BootStage::Ipxe, 7), Some((http_url, false)));
        assert_eq!(url(&both, BootStage::Pxe, 7), Some((tftp_url("ipxe.efi"), false)));
        assert_eq!(url(&both, BootStage::Pxe, 11), Some((tftp_url("ipxe-arm64.efi"), false)));
        assert_eq!([27, 6].map(|architecture| url(&both, BootStage::Pxe, architecture)), [None, None], "no image");
        assert_eq!(url(&both, BootStage::Other, 7), None);
        let x86_64 = ImageSet { arm64: false, ..images };
        let one = BootPolicy { http: None, tftp: tftp.map(|tftp| TftpPolicy { images: x86_64, ..tftp }) };
        assert_eq!(url(&one, BootStage::Pxe, 11), Some((tftp_url("ipxe.efi"), false)));
        assert_eq!(url(&one, BootStage::Ipxe, 7), None);
        assert!(url(&BootPolicy { http, tftp: None }, BootStage::Pxe, 7).is_none());
    }

    #[test]
    fn who_does_not_say_what_it_is_gets_x86_64_and_who_says_too_much_nothing() {
        let images = ImageSet { x86_64: true, arm64: true, riscv64: true };
        let policy = BootPolicy { http: None, tftp: Some(TftpPolicy { port: 69, server: None, images }) };
        let files = BootFiles::new(&policy, base(), &addresses(&["2001:db8::1"]));
        let url = |architectures: &[u8]| {
            let boot = files.of(BootStage::Pxe, MAC, base().address_of(MAC), Architectures::of(architectures));
            boot.map(|boot| boot.url.to_string())
        };
        assert!(url(&[]).is_some_and(|url| url.ends_with("/ipxe.efi")));
        let many = [0, 11].repeat(ARCHITECTURES_MAX + 1);
        assert!(url(&many[2..]).is_some_and(|url| url.ends_with("/ipxe-arm64.efi")));
        assert_eq!(url(&many), None);
    }
}
