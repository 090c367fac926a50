//! Boot URLs from a template: compiled once, written for each machine without taking memory.

use std::{
    fmt::{self, Write as _},
    net::Ipv6Addr,
};

use base64::{display::Base64Display, engine::general_purpose::STANDARD};
use fluent_uri::{Uri, component::Host};
use serde::Serialize;
use upon::{Engine, Syntax};

use super::BaseAddress;
use crate::wire::{
    MacAddr,
    dhcpv6::{Architecture, Architectures, Writer},
};

/// A template of a boot URL that was tried: text with `{{.MAC}}`, `{{.Address}}`, `{{.Arch}}`, `{{.Payload}}`, `{{.BaseAddress}}`
/// and `{{.Interface}}` in it, with or without the dot, each through `urlquery` and `lower` as often as one likes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlTemplate(Box<[Piece]>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    /// The same for every machine.
    Text(Box<str>),
    /// What differs from one to the other, and what it is put through, first things first.
    Field(Field, Box<[Function]>),
    /// What a machine says it can boot.
    Payload(Payload),
}

/// What differs from machine to machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Mac,
    Address,
    Arch,
}

/// The payload, put through its functions: written once for each machine that firmware is for, which names one architecture.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Payload {
    functions: Box<[Function]>,
    of_none: Box<str>,
    /// By the architecture's number.
    of_one: Box<[Box<str>]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Function {
    Lower,
    UrlQuery,
}

/// What a template can name, as upon sees it.
#[derive(Debug, Serialize)]
struct Fields<'a> {
    #[serde(rename = "MAC")]
    mac: &'a str,
    #[serde(rename = "Address")]
    address: &'a str,
    #[serde(rename = "Arch")]
    arch: &'a str,
    #[serde(rename = "Payload")]
    payload: &'a str,
    #[serde(rename = "BaseAddress")]
    base_address: &'a str,
    #[serde(rename = "Interface")]
    interface: &'a str,
}

/// Around the letters of a field and its functions, in what upon renders. No template and no name of an interface has these.
const MARK: [char; 2] = ['\u{1}', '\u{2}'];

/// The longest boot URL of a machine with one architecture, so that it fits a reply beside everything else.
pub const URL_MAX: usize = 512;

/// The longest template: what its functions and brackets take of a stack is bounded too.
const TEMPLATE_MAX: usize = 2048;

/// The number of the architecture with the longest name, to try a template on.
const LONGEST_ARCHITECTURE: [u8; 2] = [0, 30];

impl UrlTemplate {
    /// Compiles a template, and tries it on a machine that there is not.
    ///
    /// # Errors
    ///
    /// A template that does not render, with the place marked, and one that renders something else than a URL.
    pub fn new(text: &str, base_address: BaseAddress, interface: &str) -> Result<Self, String> {
        if text.len() > TEMPLATE_MAX {
            return Err(format!("longer than a template can be ({TEMPLATE_MAX} bytes)"));
        }
        if let Some(odd) = text.chars().find(|letter| letter.is_control()) {
            return Err(format!("it gives a URL with {odd:?} in it"));
        }
        let template = Self(pieces(&symbolic(text, base_address, interface)?));
        let mac = MacAddr([0x52, 0x54, 0, 0x12, 0x34, 0x56]);
        let architectures = Architectures::of(&LONGEST_ARCHITECTURE);
        let sample = BootUrl { template: &template, mac, address: base_address.address_of(mac), architectures };
        check_url(&sample.to_string())?;
        Ok(template)
    }

    /// The URL of this file for each machine, on a TFTP server. Firmware knows no other port than 69 (RFC 3617 has none).
    #[must_use]
    pub fn tftp(server: Ipv6Addr, port: u16, file: &str) -> Self {
        const WELL_KNOWN: u16 = 69;
        let port = if port == WELL_KNOWN { String::new() } else { format!(":{port}") };
        let server = Piece::Text(format!("tftp://[{server}]{port}/").into());
        Self([server, Piece::Field(Field::Mac, [].into()), Piece::Text(format!("/{file}").into())].into())
    }

    /// Does its host have a name, which firmware looks up with the DNS servers of the same reply?
    #[must_use]
    pub fn names_its_host(&self) -> bool {
        let Some(Piece::Text(start)) = self.0.first() else { return false };
        let host = start.split_once("://").map_or("", |(_, rest)| rest);
        let host = host.split(['/', ':']).next().unwrap_or(host);
        !host.starts_with('[') && host.parse::<std::net::Ipv4Addr>().is_err()
    }
}

/// The template with what is the same for every machine filled in, and marks where the rest is to go.
fn symbolic(text: &str, base_address: BaseAddress, interface: &str) -> Result<String, String> {
    // Expressions only: `{%` and `{#` may stand in a URL.
    let mut engine = Engine::new();
    engine.set_syntax(Syntax::builder().expr("{{", "}}").build());
    engine.add_function("lower", |text: String| through(&text, 'l', Function::Lower));
    engine.add_function("urlquery", |text: String| through(&text, 'u', Function::UrlQuery));
    let base_address = base_address.prefix().to_string();
    let mark = |letter: char| [MARK[0], letter, MARK[1]].iter().collect::<String>();
    let [mac, address, arch, payload] = ['M', 'A', 'C', 'P'].map(mark);
    let fields =
        Fields { mac: &mac, address: &address, arch: &arch, payload: &payload, base_address: &base_address, interface };
    let template = engine.compile(text).map_err(|error| marked(text, &error))?;
    template.render(&engine, fields).to_string().map_err(|error| marked(text, &error))
}

/// Puts a text through a function: at once, or, where it is a mark, later.
fn through(text: &str, letter: char, function: Function) -> Result<String, String> {
    if let Some(marked) = text.strip_suffix(MARK[1]) {
        return Ok([marked, &letter.to_string(), &MARK[1].to_string()].concat());
    }
    let mut out = String::new();
    let mut through = Through { functions: &[function], out: &mut out };
    through.write_str(text).map_err(|error| error.to_string())?;
    Ok(out)
}

fn pieces(symbolic: &str) -> Box<[Piece]> {
    let mut parts = symbolic.split(MARK);
    let first = Piece::Text(parts.next().unwrap_or_default().into());
    let mut pieces = vec![first];
    // Between two texts there is always a mark.
    while let (Some(mark), Some(text)) = (parts.next(), parts.next()) {
        pieces.extend(field(mark));
        pieces.push(Piece::Text(text.into()));
    }
    pieces.into()
}

fn field(mark: &str) -> Option<Piece> {
    let mut letters = mark.chars();
    let field = letters.next()?;
    let functions = letters.map(|letter| if letter == 'l' { Function::Lower } else { Function::UrlQuery }).collect();
    Some(match field {
        'M' => Piece::Field(Field::Mac, functions),
        'A' => Piece::Field(Field::Address, functions),
        'C' => Piece::Field(Field::Arch, functions),
        _ => Piece::Payload(Payload::new(functions)),
    })
}

/// The error in one line, with what it is about.
fn marked(text: &str, error: &upon::Error) -> String {
    const THERE_ARE: &str = "there are {{.MAC}}, {{.Address}}, {{.Arch}}, {{.Payload}}, {{.BaseAddress}} and {{.Interface}}, \
                             and | urlquery and | lower behind them";
    let shown = format!("{error:#}");
    // Under the template's line upon draws a line of carets where it is wrong.
    let place = shown.lines().find_map(|line| {
        let column = line.find('^')?;
        let bar = line.find("| ")? + 2;
        text.get(column.checked_sub(bar)?..)
    });
    match place {
        Some(place) => {
            let what = error.to_string().replace("not found in this scope", "there is no such field");
            format!("{what} at \"{place}\"; {THERE_ARE}")
        }
        None => error.to_string(),
    }
}

fn check_url(url: &str) -> Result<(), String> {
    // Letters of other alphabets are percent-encoded (RFC 3986 section 2, RFC 5970 section 3.1).
    if let Some(odd) = url.chars().find(|letter| !letter.is_ascii_graphic()) {
        return Err(format!("it gives a URL with {odd:?} in it"));
    }
    // Behind its host a URL may have what only servers understand, `{%` for one.
    let end = url.find("://").and_then(|at| Some(at + 3 + url.get(at + 3..)?.find(['/', '?', '#'])?));
    let uri = Uri::parse(url.get(..end.unwrap_or(url.len())).unwrap_or_default()).map_err(|error| {
        let rest = url.get(error.index()..).unwrap_or_default();
        format!("it gives {url}, which is no URL at \"{rest}\"{}", brackets(url))
    })?;
    let scheme = uri.scheme().as_str();
    if !["http", "https", "tftp"].contains(&scheme) {
        return Err(format!("it gives a URL of {scheme}; firmware takes http, https and tftp, in lower case"));
    }
    let authority = uri.authority().filter(|authority| !authority.host().is_empty());
    let authority = authority.ok_or_else(|| format!("it gives {url}, a URL without a host"))?;
    if authority.port().is_some() && !matches!(authority.port_to_u16(), Ok(Some(1..))) {
        return Err(format!("it gives {url}, a URL with a port that is none"));
    }
    if authority.has_userinfo() {
        return Err(format!("it gives {url}, a URL with a user in it, which firmware takes for its host"));
    }
    if let Host::Ipv6(Ipv6Addr::UNSPECIFIED) | Host::IpvFuture { .. } = authority.host_parsed() {
        return Err(format!("it gives {url}, a URL at nobody's address"));
    }
    if url.len() > URL_MAX {
        return Err(format!("it gives a URL of {} bytes; there is room for {URL_MAX}", url.len()));
    }
    Ok(())
}

/// What is missing most often.
fn brackets(url: &str) -> &'static str {
    let host = url.split_once("://").and_then(|(_, rest)| rest.split('/').next()).unwrap_or_default();
    if host.parse::<Ipv6Addr>().is_ok() { "; an IPv6 address has brackets around it" } else { "" }
}

/// The boot URL of one machine.
#[derive(Clone, Copy, Debug)]
pub struct BootUrl<'a> {
    /// What it is made from.
    pub template: &'a UrlTemplate,
    /// The machine's MAC.
    pub mac: MacAddr,
    /// The machine's address.
    pub address: Ipv6Addr,
    /// What it says it can boot.
    pub architectures: Architectures<'a>,
}

/// The URL itself.
impl fmt::Display for BootUrl<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in &self.template.0 {
            match piece {
                Piece::Text(text) => formatter.write_str(text)?,
                Piece::Field(field, functions) => self.field(*field, &mut Through { functions, out: formatter })?,
                Piece::Payload(payload) => payload.write(self.architectures, formatter)?,
            }
        }
        Ok(())
    }
}

impl BootUrl<'_> {
    fn field(&self, field: Field, out: &mut impl fmt::Write) -> fmt::Result {
        match field {
            Field::Mac => write!(out, "{}", self.mac),
            Field::Address => write!(out, "{}", self.address),
            Field::Arch => write!(out, "{}", self.architectures.processor()),
        }
    }
}

impl Payload {
    fn new(functions: Box<[Function]>) -> Self {
        let written = |numbers: &[u8]| {
            let mut text = String::new();
            // A text takes all that is written, and so few architectures fit.
            let written =
                write_payload(Architectures::of(numbers), &mut Through { functions: &functions, out: &mut text });
            debug_assert!(written.is_ok(), "{numbers:?}");
            text.into()
        };
        let of_none = written(&[]);
        let of_one = Architecture::named().map(|architecture| written(&architecture.0.to_be_bytes())).collect();
        Self { of_none, of_one, functions }
    }

    fn write(&self, architectures: Architectures<'_>, out: &mut impl fmt::Write) -> fmt::Result {
        let mut each = architectures.iter();
        let ready = match (each.next(), each.next()) {
            (None, _) => Some(&self.of_none),
            (Some(Architecture(number)), None) => self.of_one.get(usize::from(number)),
            (Some(_), Some(_)) => None,
        };
        match ready {
            Some(ready) => out.write_str(ready),
            None => write_payload(architectures, &mut Through { functions: &self.functions, out }),
        }
    }
}

/// Base64 of compact JSON, `{"architectures":["EFI x86-64"]}`. No name has a letter that JSON escapes.
fn write_payload(architectures: Architectures<'_>, out: &mut impl fmt::Write) -> fmt::Result {
    let mut bytes = [0; JSON_MAX];
    let mut json = Writer::new(&mut bytes);
    json.write_str("{\"architectures\":[")?;
    for (index, architecture) in architectures.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        write!(json, "{comma}\"{}\"", architecture.name())?;
    }
    json.write_str("]}")?;
    let length = json.length();
    write!(out, "{}", Base64Display::new(bytes.get(..length).unwrap_or_default(), &STANDARD))
}

/// Bytes of a payload's JSON: those of more architectures than a machine may name that is told a boot file.
const JSON_MAX: usize = 768;

/// Text on its way through functions.
struct Through<'a, W> {
    functions: &'a [Function],
    out: &'a mut W,
}

impl<W: fmt::Write> fmt::Write for Through<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.functions.is_empty() {
            return self.out.write_str(text);
        }
        text.bytes().try_for_each(|byte| put_through(byte, self.functions, self.out))
    }
}

fn put_through(byte: u8, functions: &[Function], out: &mut impl fmt::Write) -> fmt::Result {
    let Some((function, rest)) = functions.split_first() else { return out.write_char(char::from(byte)) };
    match function {
        Function::Lower => put_through(byte.to_ascii_lowercase(), rest, out),
        // As Go's `url.QueryEscape`, which is the Go daemon's function of this name.
        Function::UrlQuery => match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => put_through(byte, rest, out),
            b' ' => put_through(b'+', rest, out),
            _ => {
                let digit = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'A' - 10 + nibble };
                let escape = [b'%', digit(byte >> 4), digit(byte & 15)];
                escape.into_iter().try_for_each(|byte| put_through(byte, rest, out))
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &str) -> Result<UrlTemplate, String> {
        UrlTemplate::new(text, "2001:db8::".parse().unwrap(), "eth1")
    }

    fn url(text: &str, architectures: &[u8]) -> String {
        let mac = MacAddr([0x52, 0x54, 0, 0x12, 0x34, 0x5a]);
        let base: BaseAddress = "2001:db8::".parse().unwrap();
        let template = template(text).unwrap();
        let architectures = Architectures::of(architectures);
        BootUrl { template: &template, mac, address: base.address_of(mac), architectures }.to_string()
    }

    #[test]
    fn fields_are_written_with_and_without_the_dot() {
        assert_eq!(
            url("http://[{{.BaseAddress}}1]/{{ MAC }}/{{ .Payload }}{%x%}", &[]),
            "http://[2001:db8::1]/52:54:00:12:34:5a/eyJhcmNoaXRlY3R1cmVzIjpbXX0={%x%}"
        );
        assert_eq!(
            url("http://h/{{.Interface}}/{{.Arch}}/{{.Address}}", &[0, 11]),
            "http://h/eth1/arm64/2001:db8::5254:12:345a"
        );
    }

    #[test]
    fn the_payload_names_the_architectures() {
        for (architectures, payload) in [
            (&[0, 7][..], "eyJhcmNoaXRlY3R1cmVzIjpbIkVGSSB4ODYtNjQiXX0="),
            (&[0, 16], "eyJhcmNoaXRlY3R1cmVzIjpbIkVGSSB4ODYtNjQgYm9vdCBmcm9tIEhUVFAiXX0="),
            (&[0, 11], "eyJhcmNoaXRlY3R1cmVzIjpbIkVGSSBBUk02NCJdfQ=="),
            (&[0, 7, 1, 0], "eyJhcmNoaXRlY3R1cmVzIjpbIkVGSSB4ODYtNjQiLCJ1bmtub3duIl19"),
        ] {
            assert_eq!(url("http://h/{{.Payload}}", architectures), format!("http://h/{payload}"));
        }
    }

    #[test]
    fn functions_are_applied_in_order() {
        assert_eq!(url("http://h/{{.MAC | urlquery}}", &[]), "http://h/52%3A54%3A00%3A12%3A34%3A5a");
        assert_eq!(url("http://h/{{urlquery(.MAC) | lower}}", &[]), "http://h/52%3a54%3a00%3a12%3a34%3a5a");
        assert_eq!(
            url("http://h/{{.MAC | urlquery | urlquery}}", &[]),
            "http://h/52%253A54%253A00%253A12%253A34%253A5a"
        );
        assert_eq!(
            url("http://h/{{.Payload | urlquery}}", &[0, 11]),
            "http://h/eyJhcmNoaXRlY3R1cmVzIjpbIkVGSSBBUk02NCJdfQ%3D%3D"
        );
        assert_eq!(url("http://h/{{ \"A b\" | urlquery | lower }}", &[]), "http://h/a+b");
    }

    #[test]
    fn a_tftp_url_has_the_port_only_where_it_is_another() {
        let server: Ipv6Addr = "2001:db8::1".parse().unwrap();
        let url = |port| {
            let template = UrlTemplate::tftp(server, port, "ipxe.efi");
            let (mac, architectures) = (MacAddr([2, 0, 0, 0, 0, 1]), Architectures::default());
            BootUrl { template: &template, mac, address: server, architectures }.to_string()
        };
        assert_eq!(url(69), "tftp://[2001:db8::1]/02:00:00:00:00:01/ipxe.efi");
        assert_eq!(url(6969), "tftp://[2001:db8::1]:6969/02:00:00:00:00:01/ipxe.efi");
    }

    #[test]
    fn a_host_has_a_name_or_an_address() {
        for (text, names) in [
            ("http://boot.lab/{{.MAC}}", true),
            ("http://boot.lab:8080/x", true),
            ("http://[{{.BaseAddress}}]/x", false),
            ("http://192.0.2.1:80/x", false),
        ] {
            assert_eq!(template(text).unwrap().names_its_host(), names, "{text}");
        }
    }

    #[test]
    fn a_template_that_makes_no_url_is_refused() {
        const THERE_ARE: &str = "there are {{.MAC}}, {{.Address}}, {{.Arch}}, {{.Payload}}, {{.BaseAddress}} and \
                                 {{.Interface}}, and | urlquery and | lower behind them";
        assert!(template("http://h/{{.MAC").unwrap_err().contains("at \""));
        let unknown = template("http://h/{{.Mac}}").unwrap_err();
        assert_eq!(unknown, format!("render error: there is no such field at \".Mac}}}}\"; {THERE_ARE}"));
        let deep = format!("http://h/{{{{.MAC{}}}}}", "|lower".repeat(20_000));
        let long = format!("http://h/{}", "x".repeat(URL_MAX));
        for (text, error) in [
            ("ftp://h/{{.MAC}}", "it gives a URL of ftp; firmware takes http, https and tftp, in lower case"),
            ("{{.MAC}}", "it gives 52:54:00:12:34:56, which is no URL at \"52:54:00:12:34:56\""),
            (
                "http://2001:db8::1/{{.MAC}}",
                "it gives http://2001:db8::1/52:54:00:12:34:56, which is no URL at \":1/52:54:00:12:34:56\"; an IPv6 address \
                 has brackets around it",
            ),
            ("http://[2001:db8::1/", "it gives http://[2001:db8::1/, which is no URL at \"/\""),
            ("http://[zz]/", "it gives http://[zz]/, which is no URL at \"zz]/\""),
            ("http://h:99999/", "it gives http://h:99999/, a URL with a port that is none"),
            ("http://{{.MAC}}.lab/", "it gives http://52:54:00:12:34:56.lab/, which is no URL at \":56.lab/\""),
            ("http://h:/", "it gives http://h:/, a URL with a port that is none"),
            ("http://h:0/", "it gives http://h:0/, a URL with a port that is none"),
            ("http://@h/", "it gives http://@h/, a URL with a user in it, which firmware takes for its host"),
            ("http://[::]/", "it gives http://[::]/, a URL at nobody's address"),
            ("http:///{{.MAC}}", "it gives http:///52:54:00:12:34:56, a URL without a host"),
            ("http://:80/{{.MAC}}", "it gives http://:80/52:54:00:12:34:56, a URL without a host"),
            ("a\nb{{.MAC}}", "it gives a URL with '\\n' in it"),
            ("http://h/ {{.MAC}}", "it gives a URL with ' ' in it"),
            ("http://h/\u{e9}/{{.MAC}}", "it gives a URL with '\u{e9}' in it"),
            (&deep, "longer than a template can be (2048 bytes)"),
            (&long, "it gives a URL of 521 bytes; there is room for 512"),
        ] {
            assert_eq!(template(text), Err(error.to_owned()));
        }
    }
}
