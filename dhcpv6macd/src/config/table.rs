//! The table of all settings.

use self::Unset::{Decided, Nothing, Text};

/// What the daemon can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Name of the flag, behind its dashes, and of the key in a file.
    pub name: &'static str,
    /// What stands for its value in the help.
    pub value: &'static str,
    /// What it is when nobody says.
    pub unset: Unset,
    /// What it is for, in a line.
    pub help: &'static str,
    /// Where it stands in the help.
    pub heading: &'static str,
}

/// What a setting is when nobody says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unset {
    /// As if this text had been given.
    Text(&'static str),
    /// Decided from something else, in these words.
    Decided(&'static str),
    /// Nothing.
    Nothing,
}

const ADDRESSES: &str = "Addresses";
const ROUTER: &str = "Router Advertisements";
const OPTIONS: &str = "Options (for machines that ask for them; none by default; lists have commas)";
const MACHINES: &str = "Machines";
const BOOT: &str = "Boot files";
const DATAPATH: &str = "Datapath";
const EVENTS: &str = "Events";
const LOG: &str = "Log";

/// Of an image.
const EMBEDDED: Unset = Decided("the one compiled in, if --version names one");

const fn setting(
    heading: &'static str,
    name: &'static str,
    value: &'static str,
    unset: Unset,
    help: &'static str,
) -> Setting {
    Setting { name, value, unset, help, heading }
}

/// All of them, in the order of the help.
pub const SETTINGS: [Setting; 46] = [
    setting(ADDRESSES, "interface", "NAME", Nothing, "Interface that the machines are on"),
    setting(
        ADDRESSES,
        "base-address",
        "PREFIX",
        Nothing,
        "The /80 in front of every machine's MAC, such as 2001:db8:0:1::",
    ),
    setting(
        ADDRESSES,
        "preferred-lifetime",
        "TIME",
        Text("12h"),
        "How long an address is preferred: 12h, 1d12h, 90s, seconds, or infinity",
    ),
    setting(ADDRESSES, "valid-lifetime", "TIME", Text("24h"), "How long an address is valid"),
    setting(ADDRESSES, "t1", "TIME", Decided("half of the preferred lifetime"), "When a machine renews"),
    setting(ADDRESSES, "t2", "TIME", Decided("0.8 of the preferred lifetime"), "When a machine rebinds"),
    setting(
        ADDRESSES,
        "preference",
        "NUMBER",
        Text("255"),
        "Preference to other servers, 0 to 255; 255 is taken at once",
    ),
    setting(ADDRESSES, "server-duid", "HEX", Decided("the DUID-LL of the interface"), "DUID of this server"),
    setting(ADDRESSES, "dhcpv6-listen-port", "PORT", Text("547"), "UDP port of DHCPv6"),
    setting(
        ROUTER,
        "router-advertisement",
        "KIND",
        Text("off"),
        "Tell machines to ask DHCPv6, where no router does: managed (for addresses), other (for everything else), or off",
    ),
    setting(
        ROUTER,
        "router-advertisement-prefix",
        "PREFIX/LENGTH",
        Nothing,
        "Tell them that this prefix is on the link, such as 2001:db8:0:1::/64",
    ),
    setting(OPTIONS, "dns-servers", "ADDRESSES", Nothing, "DNS servers"),
    setting(OPTIONS, "domain-search", "DOMAINS", Nothing, "Domains to look names up in"),
    setting(OPTIONS, "ntp-servers", "SERVERS", Nothing, "NTP servers, addresses or names"),
    setting(OPTIONS, "sntp-servers", "ADDRESSES", Nothing, "SNTP servers"),
    setting(
        OPTIONS,
        "posix-timezone",
        "ZONE",
        Nothing,
        "Time zone as POSIX writes it, such as CET-1CEST,M3.5.0,M10.5.0/3",
    ),
    setting(OPTIONS, "tzdb-timezone", "ZONE", Nothing, "Time zone by its name, such as Europe/Zurich"),
    setting(OPTIONS, "sol-max-rt", "TIME", Nothing, "The longest time between two Solicits of a machine, 60s to 1d"),
    setting(
        OPTIONS,
        "information-refresh-time",
        "TIME",
        Nothing,
        "When a machine without an address asks for options again, 10m or more",
    ),
    setting(
        MACHINES,
        "mac-source",
        "SOURCES",
        Text("ethernet,relay,duid,eui64"),
        "What is asked for a machine's MAC, in this order: ethernet (source of its own frame), relay (option 79), duid (DUID-LL, \
         DUID-LLT), eui64 (its link-local address)",
    ),
    setting(
        MACHINES,
        "relay-from",
        "PREFIXES",
        Decided("fe80::/10 and the base address's /80"),
        "Where relay agents may be, with commas; or off",
    ),
    setting(
        MACHINES,
        "allow-macs",
        "FILE",
        Nothing,
        "Serve only the MACs and OUIs in this file, one a line; SIGHUP reads it again",
    ),
    setting(
        MACHINES,
        "deny-macs",
        "FILE",
        Nothing,
        "Serve none of the MACs and OUIs in this file; SIGHUP reads it again",
    ),
    setting(DATAPATH, "datapath", "KIND", Text("xdp"), "How frames are taken: xdp, or packet where no XDP is possible"),
    setting(
        DATAPATH,
        "xdp-mode",
        "MODE",
        Text("auto"),
        "Where XDP runs: native (in the driver), generic (behind it), or auto (the first that works)",
    ),
    setting(DATAPATH, "workers", "COUNT", Decided("one a CPU, at most 8"), "Threads that answer, 1 to 64"),
    setting(BOOT, "tftp-listen-addr", "ADDRESS", Text(":69"), "Where TFTP listens, [address]:port, or off"),
    setting(
        BOOT,
        "tftp-root",
        "DIRECTORY",
        Nothing,
        "Directory with more files for TFTP; a machine's own are in <mac>/, such as 52:54:00:12:34:56/",
    ),
    setting(BOOT, "tftp-sessions-max", "COUNT", Text("4096"), "TFTP transfers at a time, of each worker, 1 to 65536"),
    setting(BOOT, "tftp-tries", "COUNT", Text("5"), "How often TFTP sends again what gets lost, in a row, 1 to 20"),
    setting(BOOT, "http-listen-addr", "ADDRESS", Text(":80"), "Where HTTP listens, if there is a netboot-dir; or off"),
    setting(
        BOOT,
        "https-listen-addr",
        "ADDRESS",
        Text(":443"),
        "Where HTTPS listens, if there is a certificate too; or off",
    ),
    setting(
        BOOT,
        "http-boot-url-template",
        "URL",
        Nothing,
        "Boot URL of UEFI HTTP boot and of iPXE, with {{.MAC}}, {{.Address}}, {{.Arch}}, {{.Payload}}, {{.BaseAddress}} and \
         {{.Interface}} in it, each with | urlquery and | lower behind it if need be",
    ),
    setting(
        BOOT,
        "boot-server-address",
        "ADDRESS",
        Decided("the base address if the interface has it, or else its address in that prefix"),
        "Where PXE loads iPXE from by TFTP",
    ),
    setting(
        BOOT,
        "netboot-dir",
        "DIRECTORY",
        Nothing,
        "Directory with the files of HTTP: /mac/<mac>/boot.efi is <mac>/boot.efi in it, or else default/boot.efi",
    ),
    setting(BOOT, "tls-cert-file", "FILE", Nothing, "Certificate chain of HTTPS, PEM"),
    setting(BOOT, "tls-key-file", "FILE", Nothing, "Private key of HTTPS, PEM"),
    setting(
        BOOT,
        "ipxe-x86-64-efi",
        "FILE",
        EMBEDDED,
        "iPXE for x86-64 machines, an EFI program of up to 64 MiB; SIGHUP reads it again",
    ),
    setting(BOOT, "ipxe-arm64-efi", "FILE", EMBEDDED, "The same for arm64 machines"),
    setting(BOOT, "ipxe-riscv64-efi", "FILE", EMBEDDED, "The same for 64-bit RISC-V machines"),
    setting(
        EVENTS,
        "events-listen-addr",
        "ADDRESS",
        Text("[::]:6315"),
        "Where the live page and the events are, [address]:port, the path of a Unix socket, or off",
    ),
    setting(
        EVENTS,
        "events-token-file",
        "FILE",
        Nothing,
        "File with a word that whoever asks for events must know (Authorization: Bearer)",
    ),
    setting(
        EVENTS,
        "machines-max",
        "COUNT",
        Text("65536"),
        "Machines that are remembered; the least recently seen go first",
    ),
    setting(
        EVENTS,
        "stalled-after",
        "STEP=TIME",
        Decided("10s to 5m, see README"),
        "How long a machine may stay in a step of its boot, such as firmware_init=20s,http_fetch_uki=1m",
    ),
    setting(LOG, "log-format", "FORMAT", Text("human"), "How the log on standard error is written: human or json"),
    setting(
        LOG,
        "log-level",
        "LEVEL",
        Text("info"),
        "What is logged: error, warn, info, debug, trace, or a tracing filter",
    ),
];

impl Setting {
    /// The environment variable that sets it.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("{VARIABLE_PREFIX}{}", self.name.to_uppercase().replace('-', "_"))
    }
}

/// What the names of our environment variables begin with.
pub(super) const VARIABLE_PREFIX: &str = "DHCPV6MACD_";
