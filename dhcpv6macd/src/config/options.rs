//! Options of the server and boot files.

use std::{
    fmt::Display,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    str::FromStr,
};

use super::{ConfigError, IpxeImages, parse::Texts, time::bounded_seconds};
use crate::{
    image,
    policy::{BaseAddress, BootPolicy, TftpPolicy, UrlTemplate},
    wire::dhcpv6::{Processor, ServerOption},
};

/// The only port that firmware loads from (RFC 3617 has no other).
pub(super) const TFTP_PORT: u16 = 69;
/// Bytes of all options together, so that every reply has room for them beside a boot URL.
const OPTIONS_MAX: usize = 512;

impl Texts<'_> {
    /// Options for machines that ask for them.
    pub(super) fn options(&self) -> Result<Box<[ServerOption]>, ConfigError> {
        type Parse = fn(&str) -> Result<Vec<ServerOption>, String>;
        let parsers: [(&'static str, Parse); 8] = [
            ("dns-servers", |text| list(text, unicast).map(|servers| vec![ServerOption::dns_servers(&servers)])),
            ("domain-search", |text| list(text, parsed).map(|domains| vec![ServerOption::domain_search(&domains)])),
            ("ntp-servers", |text| list(text, |server| parsed(server).map(|server| ServerOption::ntp_server(&server)))),
            ("sntp-servers", |text| list(text, unicast).map(|servers| vec![ServerOption::sntp_servers(&servers)])),
            ("posix-timezone", |text| timezone(text).map(|zone| vec![ServerOption::posix_timezone(zone)])),
            ("tzdb-timezone", |text| timezone(text).map(|zone| vec![ServerOption::tzdb_timezone(zone)])),
            // RFC 9915 sections 21.24 and 21.23 name the bounds.
            ("sol-max-rt", |text| {
                bounded_seconds(text, 60..=86_400, "1m to 1d").map(|seconds| vec![ServerOption::sol_max_rt(seconds)])
            }),
            ("information-refresh-time", |text| {
                bounded_seconds(text, 600..=u32::MAX, "10m or more")
                    .map(|seconds| vec![ServerOption::information_refresh_time(seconds)])
            }),
        ];
        let mut options = Vec::new();
        let mut room = OPTIONS_MAX;
        for (name, parse) in parsers {
            let of_name = self.optional(name, parse)?.unwrap_or_default();
            let length = of_name.iter().map(ServerOption::length).sum();
            room = room.checked_sub(length).ok_or_else(|| {
                self.wrong(name, &format!("with this the options are longer than {OPTIONS_MAX} bytes together"))
            })?;
            options.extend(of_name);
        }
        Ok(options.into())
    }

    /// Which boot file moves a machine on.
    pub(super) fn boot(
        &self,
        base_address: BaseAddress,
        interface: &str,
        images: &IpxeImages,
        tftp: Option<SocketAddr>,
    ) -> Result<BootPolicy, ConfigError> {
        let http = self.optional("http-boot-url-template", |text| UrlTemplate::new(text, base_address, interface))?;
        let named = self.optional("boot-server-address", reachable)?;
        let tftp = match (tftp, named) {
            (Some(listen), _) => {
                // One that machines cannot reach is for somebody else.
                let own = if let IpAddr::V6(own) = listen.ip() { Some(own).filter(is_reachable) } else { None };
                Some(TftpPolicy { port: listen.port(), server: named.or(own), images: images.set() })
            }
            // Somebody else serves TFTP.
            (None, Some(_)) => Some(TftpPolicy { port: TFTP_PORT, server: named, images: images.set() }),
            (None, None) => None,
        };
        Ok(BootPolicy { http, tftp })
    }

    /// iPXE for each kind of processor.
    pub(super) fn ipxe(&self) -> Result<IpxeImages, ConfigError> {
        let image = |name, processor| {
            self.optional(name, |text| image::read(Path::new(text), processor).map(|_| PathBuf::from(text)))
        };
        Ok(IpxeImages {
            x86_64: image("ipxe-x86-64-efi", Processor::X86_64)?,
            arm64: image("ipxe-arm64-efi", Processor::Arm64)?,
            riscv64: image("ipxe-riscv64-efi", Processor::RiscV64)?,
        })
    }
}

/// Texts with commas between them.
pub(super) fn list<T>(text: &str, parse: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    text.split(',').map(|item| parse(item.trim()).map_err(|error| format!("{item:?}: {error}"))).collect()
}

pub(super) fn parsed<T: FromStr<Err: Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

fn unicast(text: &str) -> Result<Ipv6Addr, String> {
    let address = text.parse().ok().filter(|address: &Ipv6Addr| !address.is_multicast() && !address.is_unspecified());
    address.ok_or_else(|| "no IPv6 address of a server".to_owned())
}

fn reachable(text: &str) -> Result<Ipv6Addr, String> {
    text.parse().ok().filter(is_reachable).ok_or_else(|| "no IPv6 address that machines can load from".to_owned())
}

/// Can a machine on the link load from this address, by a URL?
fn is_reachable(address: &Ipv6Addr) -> bool {
    let is_unicast = !address.is_multicast() && !address.is_unspecified() && !address.is_loopback();
    is_unicast && !address.is_unicast_link_local() && address.to_ipv4_mapped().is_none()
}

fn timezone(text: &str) -> Result<&str, String> {
    let is_zone = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    is_zone.then_some(text).ok_or_else(|| "not a time zone: letters, digits and signs, without blanks".to_owned())
}
