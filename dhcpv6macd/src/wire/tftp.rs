//! TFTP packets (RFC 1350 section 5, RFC 2347).

use std::fmt;

use super::{Malformed, NoSpace};

/// Bytes of a DATA packet before its block.
pub const DATA_HEADER: usize = 4;

/// Options that a request may have; no client asks for more than five.
const OPTIONS_MAX: usize = 16;

const READ: u16 = 1;
const WRITE: u16 = 2;
const DATA: u16 = 3;
const ACKNOWLEDGEMENT: u16 = 4;
const ERROR: u16 = 5;
const OPTION_ACKNOWLEDGEMENT: u16 = 6;

/// What a client says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// RRQ.
    Read(ReadRequest<'a>),
    /// WRQ.
    Write,
    /// ACK of this block, and of all before it; 0 for the OACK.
    Acknowledgement(u16),
    /// ERROR, with its code.
    Error(u16),
    /// DATA or OACK, which only a server sends where nothing is written.
    ForClients,
}

impl<'a> Packet<'a> {
    /// Reads a datagram's payload.
    ///
    /// # Errors
    ///
    /// A packet that is too short, has no NUL where one must be, too many options, or an unknown opcode.
    pub fn parse(payload: &'a [u8]) -> Result<Self, Malformed> {
        let (opcode, rest) = number(payload)?;
        match opcode {
            READ => ReadRequest::parse(rest).map(Self::Read),
            WRITE => Ok(Self::Write),
            ACKNOWLEDGEMENT => number(rest).map(|(block, _)| Self::Acknowledgement(block)),
            ERROR => number(rest).map(|(code, _)| Self::Error(code)),
            DATA | OPTION_ACKNOWLEDGEMENT => Ok(Self::ForClients),
            _ => Err(Malformed::TftpOpcode),
        }
    }
}

fn number(bytes: &[u8]) -> Result<(u16, &[u8]), Malformed> {
    let (number, rest) = bytes.split_first_chunk().ok_or(Malformed::TftpLength)?;
    Ok((u16::from_be_bytes(*number), rest))
}

fn text(bytes: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let end = bytes.iter().position(|byte| *byte == 0).ok_or(Malformed::TftpText)?;
    let (text, rest) = bytes.split_at(end);
    Ok((text, rest.get(1..).unwrap_or_default()))
}

/// A client wants to read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadRequest<'a> {
    /// Name of the file, any bytes.
    pub file: &'a [u8],
    /// How it is to be sent; `None` for a mode that nobody uses any more.
    pub mode: Option<Mode>,
    /// Checked: pairs of texts.
    options: &'a [u8],
}

/// How a file is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// As it is.
    Octet,
    /// As text, its line ends those of RFC 764's NVT.
    Netascii,
}

/// What a client asks for beside the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Bytes of a block (RFC 2348).
    pub block_size: Option<u64>,
    /// Is it to be told how long the file is (RFC 2349)?
    pub transfer_size: Option<u64>,
    /// Seconds until what got lost is sent again (RFC 2349).
    pub timeout: Option<u64>,
    /// Blocks between two acknowledgements (RFC 7440).
    pub window_size: Option<u64>,
}

impl<'a> ReadRequest<'a> {
    fn parse(rest: &'a [u8]) -> Result<Self, Malformed> {
        let (file, rest) = text(rest)?;
        let (mode, options) = text(rest)?;
        let mode = [(&b"octet"[..], Mode::Octet), (b"netascii", Mode::Netascii)]
            .into_iter()
            .find_map(|(name, known)| mode.eq_ignore_ascii_case(name).then_some(known));
        let mut left = options;
        for _ in 0..OPTIONS_MAX {
            if are_over(left) {
                return Ok(Self { file, mode, options });
            }
            left = pair(left)?.1;
        }
        if are_over(left) { Ok(Self { file, mode, options }) } else { Err(Malformed::TooManyOptions) }
    }

    /// The options that we know; of one that comes twice the first. What is no number is not asked for.
    #[must_use]
    pub fn options(&self) -> Options {
        let mut options = Options::default();
        let mut left = self.options;
        while !are_over(left)
            && let Ok(((name, value), rest)) = pair(left)
        {
            left = rest;
            let slot = match name {
                _ if name.eq_ignore_ascii_case(b"blksize") => &mut options.block_size,
                _ if name.eq_ignore_ascii_case(b"tsize") => &mut options.transfer_size,
                _ if name.eq_ignore_ascii_case(b"timeout") => &mut options.timeout,
                _ if name.eq_ignore_ascii_case(b"windowsize") => &mut options.window_size,
                _ => continue,
            };
            *slot = slot.or_else(|| decimal(value));
        }
        options
    }
}

/// Behind the options some clients pad with zeros.
fn are_over(options: &[u8]) -> bool {
    matches!(options.first(), None | Some(0))
}

/// Name and value of an option, and what is behind them.
fn pair(bytes: &[u8]) -> Result<(Pair<'_>, &[u8]), Malformed> {
    let (name, rest) = text(bytes)?;
    let (value, rest) = text(rest)?;
    Ok(((name, value), rest))
}

type Pair<'a> = (&'a [u8], &'a [u8]);

fn decimal(digits: &[u8]) -> Option<u64> {
    // `u64` reads a sign too.
    let digits = digits.first()?.is_ascii_digit().then_some(digits)?;
    str::from_utf8(digits).ok()?.parse().ok()
}

/// What an ERROR says (RFC 1350 appendix, RFC 2347).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the RFC's own names")]
pub enum ErrorCode {
    NotDefined = 0,
    FileNotFound = 1,
    AccessViolation = 2,
    IllegalOperation = 4,
    OptionNegotiation = 8,
}

/// Writes an ERROR and returns its length.
///
/// # Errors
///
/// Where `buffer` is too short.
pub fn write_error(buffer: &mut [u8], code: ErrorCode, message: &str) -> Result<usize, NoSpace> {
    let mut writer = Texts::new(buffer, ERROR)?;
    writer.put(&(code as u16).to_be_bytes())?;
    writer.text(format_args!("{message}"))?;
    Ok(writer.length)
}

/// Writes the header of a DATA packet, of [`DATA_HEADER`] bytes, and returns the room for its block behind it.
///
/// # Errors
///
/// Where `buffer` is too short.
pub fn write_data_header(buffer: &mut [u8], block: u16) -> Result<&mut [u8], NoSpace> {
    let (header, room) = buffer.split_first_chunk_mut::<DATA_HEADER>().ok_or(NoSpace)?;
    let (opcode, number) = header.split_at_mut(2);
    opcode.copy_from_slice(&DATA.to_be_bytes());
    number.copy_from_slice(&block.to_be_bytes());
    Ok(room)
}

/// Writes an OACK with the options that are granted, in the order in which clients list them, and returns its length.
///
/// # Errors
///
/// Where `buffer` is too short.
pub fn write_option_acknowledgement(buffer: &mut [u8], granted: &Options) -> Result<usize, NoSpace> {
    let mut writer = Texts::new(buffer, OPTION_ACKNOWLEDGEMENT)?;
    for (name, value) in [
        ("tsize", granted.transfer_size),
        ("blksize", granted.block_size),
        ("timeout", granted.timeout),
        ("windowsize", granted.window_size),
    ] {
        if let Some(value) = value {
            writer.text(format_args!("{name}"))?;
            writer.text(format_args!("{value}"))?;
        }
    }
    Ok(writer.length)
}

/// Texts with a NUL behind each.
struct Texts<'a> {
    buffer: &'a mut [u8],
    length: usize,
}

impl<'a> Texts<'a> {
    fn new(buffer: &'a mut [u8], opcode: u16) -> Result<Self, NoSpace> {
        let mut texts = Self { buffer, length: 0 };
        texts.put(&opcode.to_be_bytes())?;
        Ok(texts)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), NoSpace> {
        let room = self.buffer.get_mut(self.length..self.length + bytes.len()).ok_or(NoSpace)?;
        room.copy_from_slice(bytes);
        self.length += bytes.len();
        Ok(())
    }

    fn text(&mut self, text: fmt::Arguments<'_>) -> Result<(), NoSpace> {
        fmt::write(self, text).map_err(|_| NoSpace)?;
        self.put(&[0])
    }
}

impl fmt::Write for Texts<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.put(text.as_bytes()).map_err(|_| fmt::Error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(payload: &[u8]) -> ReadRequest<'_> {
        match Packet::parse(payload) {
            Ok(Packet::Read(request)) => request,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_request_is_read_whatever_the_case() {
        let request = read(b"\0\x01ipxe.efi\0OCTET\0BlkSize\x001428\0tsize\x000\0windowsize\x004\0timeout\x006\0");
        assert_eq!((request.file, request.mode), (&b"ipxe.efi"[..], Some(Mode::Octet)));
        let options =
            Options { block_size: Some(1428), transfer_size: Some(0), timeout: Some(6), window_size: Some(4) };
        assert_eq!(request.options(), options);
        assert_eq!(read(b"\0\x01x\0NetAscii\0").mode, Some(Mode::Netascii));
        assert_eq!(read(b"\0\x01x\0mail\0").mode, None);
    }

    #[test]
    fn of_an_option_the_first_number_counts() {
        for (options, expected) in [
            (&b"blksize\x00512\0blksize\x008\0"[..], Some(512)),
            (b"blksize\0x\0blksize\x008\0", Some(8)),
            (b"blksize\0-8\0", None),
            (b"blksize\0+8\0", None),
            (b"blksize\0\0", None),
            (b"blksize\x0099999999999999999999999\0", None),
            (b"blksize\x0064\0\0\0\0", Some(64)),
            (b"multicast\0\0blksize\x0099\0", Some(99)),
        ] {
            let packet = [&b"\0\x01x\0octet\0"[..], options].concat();
            assert_eq!(read(&packet).options().block_size, expected, "{options:?}");
        }
    }

    #[test]
    fn what_is_no_packet_has_a_name() {
        for (payload, malformed) in [
            (&b""[..], Malformed::TftpLength),
            (b"\0", Malformed::TftpLength),
            (b"\0\x04\0", Malformed::TftpLength),
            (b"\0\x05", Malformed::TftpLength),
            (b"\0\0", Malformed::TftpOpcode),
            (b"\0\x07", Malformed::TftpOpcode),
            (b"\0\x01", Malformed::TftpText),
            (b"\0\x01name", Malformed::TftpText),
            (b"\0\x01name\0octet", Malformed::TftpText),
            (b"\0\x01name\0octet\0blksize\0", Malformed::TftpText),
            (b"\0\x01name\0octet\0blksize\x00512", Malformed::TftpText),
        ] {
            assert_eq!(Packet::parse(payload), Err(malformed), "{payload:?}");
        }
        let many = |count| [&b"\0\x01x\0octet\0"[..], &b"a\0b\0".repeat(count)].concat();
        assert!(Packet::parse(&many(OPTIONS_MAX)).is_ok());
        assert_eq!(Packet::parse(&many(OPTIONS_MAX + 1)), Err(Malformed::TooManyOptions));
    }

    #[test]
    fn what_follows_a_number_is_nothing_to_us() {
        assert_eq!(Packet::parse(b"\0\x04\x12\x34padding"), Ok(Packet::Acknowledgement(0x1234)));
        assert_eq!(Packet::parse(b"\0\x05\0\x08option negotiation failed"), Ok(Packet::Error(8)));
        assert_eq!(Packet::parse(b"\0\x03\0\x01data"), Ok(Packet::ForClients));
        assert_eq!(Packet::parse(b"\0\x06"), Ok(Packet::ForClients));
        assert_eq!(Packet::parse(b"\0\x02"), Ok(Packet::Write));
    }

    #[test]
    fn packets_are_written_byte_for_byte() {
        let mut buffer = [0xaa; 64];
        let length = write_error(&mut buffer, ErrorCode::FileNotFound, "no such file").unwrap();
        assert_eq!(&buffer[..length], b"\0\x05\0\x01no such file\0");
        let granted = Options { block_size: Some(1428), transfer_size: Some(5), timeout: None, window_size: Some(4) };
        let length = write_option_acknowledgement(&mut buffer, &granted).unwrap();
        assert_eq!(&buffer[..length], b"\0\x06tsize\x005\0blksize\x001428\0windowsize\x004\0");
        assert_eq!(write_data_header(&mut buffer, 0xfffe).unwrap().len(), 60);
        assert_eq!(&buffer[..4], b"\0\x03\xff\xfe");
        for length in 0..17 {
            assert_eq!(write_error(&mut buffer[..length], ErrorCode::FileNotFound, "no such file"), Err(NoSpace));
        }
    }
}
