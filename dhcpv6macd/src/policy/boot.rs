//! Which boot file moves a machine on.

use std::net::Ipv6Addr;

use super::{BaseAddress, BootUrl, UrlTemplate};
use crate::wire::{
    MacAddr,
    dhcpv6::{Architectures, Classes, Processor},
};

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
    /// Are there images for several kinds of processor, each with a name of its own?
    pub has_several: bool,
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

/// iPXE on a TFTP server, for each kind of processor.
#[derive(Clone, Debug)]
struct TftpFiles {
    arm64: UrlTemplate,
    riscv64: UrlTemplate,
    /// x86-64, and whoever does not say.
    other: UrlTemplate,
}

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
        let tftp = policy.tftp.and_then(|tftp| {
            let server = tftp.server(base_address, own_addresses)?;
            let file =
                |name: &str| UrlTemplate::tftp(server, tftp.port, if tftp.has_several { name } else { "ipxe.efi" });
            Some(TftpFiles {
                arm64: file("ipxe-arm64.efi"),
                riscv64: file("ipxe-riscv64.efi"),
                other: file("ipxe.efi"),
            })
        });
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
            BootStage::Pxe => self.tftp.as_ref()?.image(architectures.processor()),
            BootStage::Other => return None,
        };
        let url = BootUrl { template, mac, address, architectures };
        Some(Boot { url, is_http_offer: stage == BootStage::HttpBoot })
    }
}

impl TftpFiles {
    fn image(&self, processor: Processor) -> &UrlTemplate {
        match processor {
            Processor::Arm64 => &self.arm64,
            Processor::RiscV64 => &self.riscv64,
            Processor::X86_64 | Processor::I386 | Processor::Arm32 | Processor::RiscV32 | Processor::Unknown => {
                &self.other
            }
        }
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
        let tftp = Some(TftpPolicy { port: 69, server: None, has_several: true });
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
        assert_eq!(url(&both, BootStage::Other, 7), None);
        let one = BootPolicy { http: None, tftp: tftp.map(|tftp| TftpPolicy { has_several: false, ..tftp }) };
        assert_eq!(url(&one, BootStage::Pxe, 11), Some((tftp_url("ipxe.efi"), false)));
        assert_eq!(url(&one, BootStage::Ipxe, 7), None);
        assert!(url(&BootPolicy { http, tftp: None }, BootStage::Pxe, 7).is_none());
    }
}
