//! Options that are the same for every machine, written once.

use std::{net::Ipv6Addr, str::FromStr};

use super::OptionCode;

/// An option of the server, as it goes on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerOption {
    /// Its code.
    pub code: OptionCode,
    /// Its data.
    pub data: Box<[u8]>,
}

impl ServerOption {
    /// DNS servers, most preferred first (RFC 3646 section 3).
    #[must_use]
    pub fn dns_servers(addresses: &[Ipv6Addr]) -> Self {
        Self::new(OptionCode::DNS_SERVERS, addresses_on_the_wire(addresses))
    }

    /// Domains to look names up in (RFC 3646 section 4).
    #[must_use]
    pub fn domain_search(domains: &[DomainName]) -> Self {
        Self::new(OptionCode::DOMAIN_SEARCH_LIST, domains.iter().flat_map(|domain| domain.0.iter().copied()).collect())
    }

    /// A time server of the Network Time Protocol: an option holds one and only one (RFC 5908 section 4).
    #[must_use]
    pub fn ntp_server(server: &NtpServer) -> Self {
        Self::new(OptionCode::NTP_SERVERS, server.on_the_wire())
    }

    /// Time servers of the Simple Network Time Protocol (RFC 4075 section 4).
    #[must_use]
    pub fn sntp_servers(addresses: &[Ipv6Addr]) -> Self {
        Self::new(OptionCode::SNTP_SERVERS, addresses_on_the_wire(addresses))
    }

    /// The time zone as POSIX writes it, such as `CET-1CEST,M3.5.0,M10.5.0/3` (RFC 4833 section 3).
    #[must_use]
    pub fn posix_timezone(zone: &str) -> Self {
        Self::new(OptionCode::POSIX_TIMEZONE, zone.into())
    }

    /// The time zone's name in the tz database, such as `Europe/Zurich` (RFC 4833 section 3).
    #[must_use]
    pub fn tzdb_timezone(zone: &str) -> Self {
        Self::new(OptionCode::TZDB_TIMEZONE, zone.into())
    }

    /// The longest that a machine waits between two Solicits, in seconds (RFC 9915 section 21.24).
    #[must_use]
    pub fn sol_max_rt(seconds: u32) -> Self {
        Self::new(OptionCode::SOL_MAX_RT, seconds.to_be_bytes().into())
    }

    /// When a machine without an address asks again, in seconds (RFC 9915 section 21.23).
    #[must_use]
    pub fn information_refresh_time(seconds: u32) -> Self {
        Self::new(OptionCode::INFORMATION_REFRESH_TIME, seconds.to_be_bytes().into())
    }

    fn new(code: OptionCode, data: Vec<u8>) -> Self {
        Self { code, data: data.into() }
    }

    /// Bytes that it takes in a message.
    #[must_use]
    pub fn length(&self) -> usize {
        4 + self.data.len()
    }
}

fn addresses_on_the_wire(addresses: &[Ipv6Addr]) -> Vec<u8> {
    addresses.iter().flat_map(Ipv6Addr::octets).collect()
}

/// A domain name as on the wire: labels, each behind its length, and the empty one (RFC 1035 section 3.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainName(Box<[u8]>);

/// Not a domain name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a domain name: labels of 1 to 63 letters, digits, hyphens and underscores with dots between them, 253 in all"
)]
pub struct ParseDomainNameError;

/// As people write it, with or without the last dot.
impl FromStr for DomainName {
    type Err = ParseDomainNameError;

    fn from_str(text: &str) -> Result<Self, ParseDomainNameError> {
        const LENGTH_MAX: usize = 253;
        let text = text.strip_suffix('.').unwrap_or(text);
        let mut bytes = Vec::with_capacity(text.len() + 2);
        for label in text.split('.') {
            let is_label = (1..=63).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
            let length = u8::try_from(label.len()).ok().filter(|_| is_label).ok_or(ParseDomainNameError)?;
            bytes.push(length);
            bytes.extend(label.bytes());
        }
        bytes.push(0);
        if text.len() > LENGTH_MAX { Err(ParseDomainNameError) } else { Ok(Self(bytes.into())) }
    }
}

/// A time server (RFC 5908 section 4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NtpServer {
    /// At an address, its own or a group's.
    Address(Ipv6Addr),
    /// Of a name.
    Name(DomainName),
}

impl NtpServer {
    fn on_the_wire(&self) -> Vec<u8> {
        let (suboption, data) = match self {
            Self::Address(address) if address.is_multicast() => (2_u16, address.octets().to_vec()),
            Self::Address(address) => (1, address.octets().to_vec()),
            Self::Name(name) => (3, name.0.to_vec()),
        };
        // An address or a name has at most 255 bytes.
        let length = u16::try_from(data.len()).unwrap_or(u16::MAX);
        [&suboption.to_be_bytes()[..], &length.to_be_bytes(), &data].concat()
    }
}

/// An IPv6 address or a name.
impl FromStr for NtpServer {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        // An IPv4 address would pass for a name.
        match (text.parse(), text.parse()) {
            (Ok(Ipv6Addr::UNSPECIFIED), _) => Err("nobody's address"),
            (Ok(address), _) => Ok(Self::Address(address)),
            (_, Ok(name)) if text.parse::<std::net::Ipv4Addr>().is_err() => Ok(Self::Name(name)),
            _ => Err("neither an IPv6 address nor a domain name"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_written_label_by_label() {
        let name: DomainName = "lab.example.".parse().unwrap();
        assert_eq!(*name.0, *b"\x03lab\x07example\0");
        for text in ["", ".", "a..b", "-é", "a b", &"a".repeat(64), &"ab.".repeat(85)] {
            assert_eq!(text.parse::<DomainName>(), Err(ParseDomainNameError), "{text}");
        }
    }

    #[test]
    fn a_time_server_has_an_address_a_group_or_a_name() {
        let written = |text: &str| text.parse::<NtpServer>().map(|server| server.on_the_wire());
        assert_eq!(written("ff05::101").unwrap()[..5], [0, 2, 0, 16, 0xff]);
        assert_eq!(written("2001:db8::1").unwrap()[..6], [0, 1, 0, 16, 0x20, 0x01]);
        assert_eq!(written("ntp.lab").unwrap(), b"\0\x03\0\x09\x03ntp\x03lab\0");
        assert!(written("192.0.2.1").is_err() && written("a/b").is_err());
    }
}
