//! Texts become a configuration.

use std::{
    fmt::Display,
    net::{Ipv6Addr, SocketAddr},
    num::NonZeroUsize,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    str::FromStr,
};

use tracing_subscriber::EnvFilter;

use super::{
    Config, ConfigError, Datapath, LogFormat, TlsFiles, WORKERS_MAX,
    events::{self, Token},
    named_files::{CERTIFICATE, PRIVATE_KEY, check_directory, check_pem},
    options::{self, list},
    ports,
    settings::{Origin, Settings},
    table::{SETTINGS, Setting},
    time::seconds,
};
use crate::{
    datapath::steering::XdpMode,
    http::tls::{self, PemFile, TlsError},
    policy::Lifetimes,
    router::Advertised,
    tftp::Limits,
    wire::{Prefix, router::ConfigurationFlag},
};

impl Config {
    /// Parses every text, and looks at every file that one names. Touches nothing.
    ///
    /// # Errors
    ///
    /// The first setting that is missing or wrong.
    pub fn new(settings: &Settings) -> Result<Self, ConfigError> {
        let given = Texts(settings);
        let interface = given.required("interface", interface)?;
        let base_address = given.required("base-address", parsed)?;
        let ipxe = given.ipxe()?;
        let tftp = given.required("tftp-listen-addr", tftp_address_or_off)?;
        let mut config = Self {
            boot: given.boot(base_address, &interface, &ipxe, tftp)?,
            interface,
            base_address,
            ipxe,
            lifetimes: given.lifetimes()?,
            server_duid: given.optional("server-duid", parsed)?,
            preference: given.required("preference", preference)?,
            options: given.options()?,
            mac_sources: given.required("mac-source", parsed)?,
            relay_from: given.optional("relay-from", relay_from)?,
            access: given.access()?,
            dhcpv6_port: given.required("dhcpv6-listen-port", port)?,
            router_advertisement: given.router_advertisement()?,
            tftp,
            tftp_root: given.optional("tftp-root", |text| existing(text, check_directory))?,
            tftp_limits: Limits {
                sessions: given.required("tftp-sessions-max", |text| bounded(text, 1..=65_536))?,
                tries: given.required("tftp-tries", |text| bounded(text, 1..=20))?,
            },
            http: given.required("http-listen-addr", listen_address_or_off)?,
            https: given.required("https-listen-addr", listen_address_or_off)?,
            netboot_dir: given.optional("netboot-dir", |text| existing(text, check_directory))?,
            tls: given.tls()?,
            events: given.required("events-listen-addr", events::listen)?,
            events_token: given.optional("events-token-file", |text| Token::read(Path::new(text)))?,
            machines_max: given.required("machines-max", |text| bounded(text, 1..=1_048_576))? as usize,
            stall_limits: given.stall_limits()?,
            datapath: given.datapath()?,
            workers: given.optional("workers", workers)?,
            log_format: given.required("log-format", log_format)?,
            log_level: given.required("log-level", log_level)?,
        };
        given.check_ports(&config)?;
        config.stall_limits.serves_ipxe = config.tftp.is_some();
        config.stall_limits.serves_boot_files = config.serves_boot_files();
        Ok(config)
    }
}

/// Texts with the words for what is wrong with them.
pub(super) struct Texts<'a>(&'a Settings);

impl Texts<'_> {
    pub(super) fn optional<T, E: Display>(
        &self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, ConfigError> {
        let Some(given) = self.0.get(name) else { return Ok(None) };
        parse(&given.text).map(Some).map_err(|error| self.wrong(name, &error))
    }

    fn required<T, E: Display>(
        &self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, ConfigError> {
        let variable = || SETTINGS.iter().find(|setting| setting.name == name).map(Setting::variable);
        self.optional(name, parse)?.ok_or_else(|| ConfigError::Missing(name, variable().unwrap_or_default()))
    }

    pub(super) fn wrong(&self, name: &'static str, what: &impl Display) -> ConfigError {
        let text = self.0.get(name).map(|given| quoted(&given.text)).unwrap_or_default();
        ConfigError::Value { place: format!("{} {text}", self.0.place(name)), what: what.to_string() }
    }

    fn lifetimes(&self) -> Result<Lifetimes, ConfigError> {
        let preferred = self.required("preferred-lifetime", seconds)?;
        let valid = self.required("valid-lifetime", seconds)?;
        let (t1, t2) = (self.optional("t1", seconds)?, self.optional("t2", seconds)?);
        // Who is told is who said something.
        let said = ["t1", "t2", "valid-lifetime"].into_iter().find(|name| self.is_said(name));
        Lifetimes::new(preferred, valid, t1, t2)
            .map_err(|error| self.wrong(said.unwrap_or("preferred-lifetime"), &error))
    }

    pub(super) fn is_said(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|given| given.origin != Origin::Default)
    }

    fn check_ports(&self, config: &Config) -> Result<(), ConfigError> {
        let Some([one, other]) = ports::given_twice(config) else { return Ok(()) };
        let (wrong, other) = if self.is_said(one) { (one, other) } else { (other, one) };
        Err(self.wrong(wrong, &format!("that is the port of {other} too; give one of them another")))
    }

    fn datapath(&self) -> Result<Datapath, ConfigError> {
        let mode = self.required("xdp-mode", xdp_mode_or_auto)?;
        let is_xdp = self.required("datapath", |text| match text {
            "xdp" => Ok(true),
            "packet" => Ok(false),
            _ => Err("there are xdp and packet"),
        })?;
        if !is_xdp && mode.is_some() {
            return Err(self.wrong("xdp-mode", &"there is no XDP with --datapath packet; leave one of them out"));
        }
        Ok(if is_xdp { Datapath::Xdp(mode) } else { Datapath::Packet })
    }

    fn router_advertisement(&self) -> Result<Option<Advertised>, ConfigError> {
        const PREFIX: &str = "router-advertisement-prefix";
        let flag = self.required("router-advertisement", configuration_flag)?;
        let prefix = self.optional(PREFIX, on_link_prefix)?;
        if flag.is_none() && prefix.is_some() {
            return Err(self.wrong(PREFIX, &"nothing advertises it; give --router-advertisement managed or other too"));
        }
        Ok(flag.map(|flag| Advertised { flag, prefix }))
    }

    fn tls(&self) -> Result<Option<TlsFiles>, ConfigError> {
        let certificate = self.optional("tls-cert-file", |text| existing(text, |path| check_pem(path, CERTIFICATE)))?;
        let key = self.optional("tls-key-file", |text| existing(text, |path| check_pem(path, PRIVATE_KEY)))?;
        match (certificate, key) {
            (Some(certificate), Some(key)) => {
                let files = TlsFiles { certificate, key };
                let wrong = |TlsError { file, what, .. }: TlsError| match file {
                    PemFile::Certificate => self.wrong("tls-cert-file", &what),
                    PemFile::Key => self.wrong("tls-key-file", &what),
                };
                tls::read(&files).map(|_| Some(files)).map_err(wrong)
            }
            (None, None) => Ok(None),
            (Some(_), None) => {
                Err(self.wrong("tls-cert-file", &"a certificate needs its key: give --tls-key-file too"))
            }
            (None, Some(_)) => {
                Err(self.wrong("tls-key-file", &"a key needs its certificate: give --tls-cert-file too"))
            }
        }
    }
}

/// A value in a sentence: between quotes where it could not be told from the sentence.
fn quoted(text: &str) -> String {
    let escaped = text.escape_debug();
    let is_clear = !text.is_empty() && !text.ends_with(':') && !text.contains(' ');
    if is_clear { escaped.to_string() } else { format!("'{escaped}'") }
}

fn parsed<T: FromStr>(text: &str) -> Result<T, T::Err> {
    text.parse()
}

/// A name as the kernel takes one (`dev_valid_name`, `net/core/dev.c`).
fn interface(text: &str) -> Result<String, &'static str> {
    let fits = (1..16).contains(&text.len()) && text != "." && text != "..";
    if !fits
        || text.contains(|letter: char| letter == '/' || letter == ':' || letter.is_whitespace() || letter.is_control())
    {
        return Err("not the name of an interface: 1 to 15 letters, without slash, colon and blank");
    }
    Ok(text.to_owned())
}

fn preference(text: &str) -> Result<u8, &'static str> {
    text.parse().map_err(|_| "not a preference, 0 to 255")
}

fn relay_from(text: &str) -> Result<Box<[Prefix]>, String> {
    if text == "off" {
        return Ok([].into());
    }
    list(text, relay_prefix).map(Into::into)
}

fn relay_prefix(text: &str) -> Result<Prefix, String> {
    let prefix: Prefix = options::parsed(text)?;
    let is_of_one = !prefix.address().is_multicast();
    is_of_one.then_some(prefix).ok_or_else(|| "a prefix of groups, which send nothing".to_owned())
}

fn on_link_prefix(text: &str) -> Result<Prefix, String> {
    let prefix = options::parsed(text)?;
    Advertised::check_prefix(prefix).map(|()| prefix).map_err(str::to_owned)
}

fn port(text: &str) -> Result<u16, &'static str> {
    match text.parse() {
        Ok(546) => Err("the port of the machines (RFC 9915 section 7.2)"),
        Ok(port) if port > 0 => Ok(port),
        _ => Err("not a port, 1 to 65535"),
    }
}

/// As Go's `net.Listen` takes one: without an address it is every address.
pub(super) fn listen_address(text: &str) -> Result<SocketAddr, &'static str> {
    const WRONG: &str = "not an address to listen on; write :PORT, 192.0.2.1:PORT or [2001:db8::1]:PORT";
    let address = match text.strip_prefix(':') {
        Some(port) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, port.parse().map_err(|_| WRONG)?)),
        None => text.parse().map_err(|_| WRONG)?,
    };
    if address.port() == 0 { Err(WRONG) } else { Ok(address) }
}

fn listen_address_or_off(text: &str) -> Result<Option<SocketAddr>, String> {
    if text == "off" {
        return Ok(None);
    }
    listen_address(text).map(Some).map_err(|error| format!("{error}, or off"))
}

fn tftp_address_or_off(text: &str) -> Result<Option<SocketAddr>, String> {
    let address = listen_address_or_off(text)?;
    if address.is_some_and(|address| address.is_ipv4()) {
        return Err("machines load over IPv6; write :PORT, [2001:db8::1]:PORT, or off".to_owned());
    }
    Ok(address)
}

fn bounded(text: &str, bounds: RangeInclusive<u32>) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| bounds.contains(number));
    number.ok_or_else(|| format!("not a number from {} to {}", bounds.start(), bounds.end()))
}

fn workers(text: &str) -> Result<NonZeroUsize, &'static str> {
    let count = text.parse().ok().filter(|count: &NonZeroUsize| count.get() <= WORKERS_MAX);
    count.ok_or("not a number of threads, 1 to 64")
}

fn xdp_mode_or_auto(text: &str) -> Result<Option<XdpMode>, &'static str> {
    match text {
        "auto" => Ok(None),
        "native" => Ok(Some(XdpMode::Native)),
        "generic" => Ok(Some(XdpMode::Generic)),
        _ => Err("there are auto, native and generic"),
    }
}

fn configuration_flag(text: &str) -> Result<Option<ConfigurationFlag>, &'static str> {
    match text {
        "managed" => Ok(Some(ConfigurationFlag::Managed)),
        "other" => Ok(Some(ConfigurationFlag::Other)),
        "off" => Ok(None),
        _ => Err("there are managed, other and off"),
    }
}

fn log_format(text: &str) -> Result<LogFormat, &'static str> {
    match text {
        "human" => Ok(LogFormat::Human),
        "json" => Ok(LogFormat::Json),
        _ => Err("there are human and json"),
    }
}

/// A level, or more of them with commas, each alone or for a module: `warn,dhcpv6macd=debug`.
fn log_level(text: &str) -> Result<String, String> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    // What is no level the filter would take for a module, and then log nothing of all others.
    let is_level = |word: &str| word.contains('=') || LEVELS.contains(&word.to_ascii_lowercase().as_str());
    if !text.split(',').all(is_level) {
        return Err("not a level; there are error, warn, info, debug and trace".to_owned());
    }
    EnvFilter::builder().parse(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

fn existing(text: &str, check: impl FnOnce(&Path) -> Result<(), String>) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    check(&path).map(|()| path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(texts: &[(&str, &str)]) -> Settings {
        let mut settings = Settings::default();
        for (name, text) in texts {
            let setting = SETTINGS.iter().find(|setting| setting.name == *name).unwrap();
            settings.set(setting, (*text).to_owned(), Origin::Flag);
        }
        settings.over(Settings::defaults())
    }

    fn config(texts: &[(&str, &str)]) -> Result<Config, String> {
        let least = settings(&[("interface", "eth1"), ("base-address", "2001:db8::")]);
        Config::new(&settings(texts).over(least)).map_err(|error| error.to_string())
    }

    #[test]
    fn times_are_written_as_people_write_them() {
        for (text, expected) in
            [("90", 90), ("90s", 90), ("12h", 43_200), ("1d12h", 129_600), ("1h 30m", 5_400), ("infinity", u32::MAX)]
        {
            assert_eq!(seconds(text), Ok(expected), "{text}");
        }
        for text in ["", "-1h", "h", "4294967295", "1mo", "1.5", "0.5s", "99999999d"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }

    #[test]
    fn each_time_server_has_an_option_of_its_own_and_all_name_servers_one() {
        let servers = [("ntp-servers", "2001:db8::1,ntp.lab"), ("dns-servers", "2001:db8::1,2001:db8::2")];
        let options = config(&servers).unwrap().options;
        let lengths: Vec<_> = options.iter().map(|option| (option.code.0, option.length())).collect();
        assert_eq!(lengths, [(23, 4 + 32), (56, 4 + 20), (56, 4 + 13)]);
    }

    #[test]
    fn addresses_are_written_as_go_writes_them() {
        assert_eq!(listen_address(":80"), Ok("[::]:80".parse().unwrap()));
        assert_eq!(listen_address("[2001:db8::1]:80"), Ok("[2001:db8::1]:80".parse().unwrap()));
        assert_eq!(listen_address("192.0.2.1:80"), Ok("192.0.2.1:80".parse().unwrap()));
        for text in ["", ":", "80", "host:80", ":0", ":65536", "[::1]", "off"] {
            assert!(listen_address(text).is_err(), "{text}");
        }
        assert_eq!(listen_address_or_off("off"), Ok(None));
    }

    #[test]
    fn addresses_of_the_wrong_kind_are_refused() {
        for (name, text, error) in [
            (
                "tftp-listen-addr",
                "192.0.2.1:69",
                "--tftp-listen-addr 192.0.2.1:69: machines load over IPv6; write :PORT, [2001:db8::1]:PORT, or off",
            ),
            ("dhcpv6-listen-port", "546", "--dhcpv6-listen-port 546: the port of the machines (RFC 9915 section 7.2)"),
            ("relay-from", "ff00::/8", "--relay-from ff00::/8: \"ff00::/8\": a prefix of groups, which send nothing"),
            (
                "relay-from",
                "2001:db8::1/64",
                "--relay-from 2001:db8::1/64: \"2001:db8::1/64\": bits are set below the prefix; did you mean 2001:db8::/64?",
            ),
        ] {
            assert_eq!(config(&[(name, text)]).map(drop), Err(error.to_owned()));
        }
    }

    #[test]
    fn every_refusal_says_where_and_what_to_do() {
        for (name, text, error) in [
            (
                "base-address",
                "2001:db8::1",
                "--base-address 2001:db8::1: bits are set below /80, where each machine's MAC goes; did you mean 2001:db8::?",
            ),
            (
                "base-address",
                "10.0.0.0",
                "--base-address 10.0.0.0: not an IPv6 address; give a /80 prefix such as 2001:db8:0:1::",
            ),
            ("base-address", "ff02::", "--base-address 'ff02::': it is a multicast address, which no machine can have"),
            (
                "interface",
                "eth/1",
                "--interface eth/1: not the name of an interface: 1 to 15 letters, without slash, colon and blank",
            ),
            ("base-address", "", "--base-address '': not an IPv6 address; give a /80 prefix such as 2001:db8:0:1::"),
            (
                "tftp-listen-addr",
                "69",
                "--tftp-listen-addr 69: not an address to listen on; write :PORT, 192.0.2.1:PORT or [2001:db8::1]:PORT, or off",
            ),
            ("boot-server-address", "::1", "--boot-server-address ::1: no IPv6 address that machines can load from"),
            ("workers", "0", "--workers 0: not a number of threads, 1 to 64"),
            ("dhcpv6-listen-port", "0", "--dhcpv6-listen-port 0: not a port, 1 to 65535"),
            ("tftp-tries", "0", "--tftp-tries 0: not a number from 1 to 20"),
            ("tftp-sessions-max", "65537", "--tftp-sessions-max 65537: not a number from 1 to 65536"),
            ("xdp-mode", "fast", "--xdp-mode fast: there are auto, native and generic"),
            ("log-level", "loud", "--log-level loud: not a level; there are error, warn, info, debug and trace"),
            (
                "preferred-lifetime",
                "2d",
                "--preferred-lifetime 2d: the preferred lifetime (172800 s) is longer than the valid lifetime (86400 s)",
            ),
            (
                "server-duid",
                "zz",
                "--server-duid zz: not a DUID; write its bytes in hexadecimal, such as 00:03:00:01:52:54:00:12:34:56",
            ),
            (
                "netboot-dir",
                "/nowhere",
                "--netboot-dir /nowhere: cannot be read: No such file or directory (os error 2)",
            ),
            ("tls-cert-file", "/dev/null", "--tls-cert-file /dev/null: cannot be read: not a regular file"),
        ] {
            assert_eq!(config(&[(name, text)]).map(drop), Err(error.to_owned()));
        }
        assert!(config(&[]).is_ok());
        let both = config(&[("xdp-mode", "native"), ("datapath", "packet")]).map(drop).unwrap_err();
        assert_eq!(both, "--xdp-mode native: there is no XDP with --datapath packet; leave one of them out");
        assert!(config(&[("xdp-mode", "auto"), ("datapath", "packet")]).is_ok(), "as --check shows it");
        let missing = Config::new(&Settings::defaults()).unwrap_err().to_string();
        assert_eq!(
            missing,
            "--interface is missing; give it on the command line, in DHCPV6MACD_INTERFACE, or in the file named by --config"
        );
    }

    #[test]
    fn of_two_settings_with_one_port_the_given_one_is_told() {
        for (name, text, error) in [
            (
                "dhcpv6-listen-port",
                "69",
                "--dhcpv6-listen-port 69: that is the port of tftp-listen-addr too; give one of them another",
            ),
            (
                "https-listen-addr",
                ":80",
                "--https-listen-addr :80: that is the port of http-listen-addr too; give one of them another",
            ),
        ] {
            assert_eq!(config(&[(name, text)]).map(drop), Err(error.to_owned()));
        }
        let events = ("events-listen-addr", ":80");
        assert!(config(&[events]).is_ok(), "nobody else listens there");
        let refused = config(&[events, ("netboot-dir", "/")]).unwrap_err();
        assert!(refused.contains("--events-listen-addr :80: that is the port of http-listen-addr too"), "{refused}");
    }

    #[test]
    fn a_prefix_is_advertised_with_a_flag_or_not_at_all() {
        for (name, text, error) in [
            ("router-advertisement", "on", "--router-advertisement on: there are managed, other and off"),
            (
                "router-advertisement-prefix",
                "2001:db8::/64",
                "--router-advertisement-prefix 2001:db8::/64: nothing advertises it; give --router-advertisement managed or other too",
            ),
            (
                "router-advertisement-prefix",
                "2001:db8::1/64",
                "--router-advertisement-prefix 2001:db8::1/64: bits are set below the prefix; did you mean 2001:db8::/64?",
            ),
        ] {
            assert_eq!(config(&[(name, text)]).map(drop), Err(error.to_owned()));
        }
        let both = [("router-advertisement", "managed"), ("router-advertisement-prefix", "2001:db8::/64")];
        let advertised = Advertised { flag: ConfigurationFlag::Managed, prefix: "2001:db8::/64".parse().ok() };
        assert_eq!(config(&both).unwrap().router_advertisement, Some(advertised));
        assert_eq!(config(&[]).unwrap().router_advertisement, None);
    }

    #[test]
    fn a_level_may_be_a_filter() {
        for text in ["info", "DEBUG", "warn,dhcpv6macd=debug", "off"] {
            assert_eq!(log_level(text), Ok(text.to_owned()));
        }
    }
}
