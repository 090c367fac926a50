//! Captures of real clients, `tests/captures/*.pcap`: the classic format, read as it is (`man 5 pcap-savefile`).

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use dhcproto::v6::{DhcpOption, OptionCode};
use dhcpv6macd::wire::Duid;
use dhcpv6macd_ebpf::header::PAYLOAD_OFFSET;
use zerocopy::{
    FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned,
    little_endian::{U16, U32},
};

use crate::golden::decode;

/// Microseconds, written on a little-endian machine.
const MAGIC: u32 = 0xa1b2_c3d4;
const LINKTYPE_ETHERNET: u32 = 1;
/// Version 2.4, the last.
const VERSION: [U16; 2] = [U16::new(2), U16::new(4)];
/// No frame is cut: more than any holds.
const SNAPSHOT_LENGTH: u32 = 262_144;

#[derive(FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
struct FileHeader {
    magic: U32,
    version: [U16; 2],
    zone_and_accuracy: [U32; 2],
    snapshot_length: U32,
    link_type: U32,
}

#[derive(FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
struct RecordHeader {
    time: [U32; 2],
    captured: U32,
    original: U32,
}

/// Frames of a link, in order.
#[derive(Clone, Debug)]
pub struct Capture {
    /// Name of its file.
    pub name: String,
    /// What was on the wire.
    pub frames: Vec<Vec<u8>>,
}

impl Capture {
    /// Every capture that there is, in order of its name.
    ///
    /// # Errors
    ///
    /// Where one cannot be read.
    pub fn all() -> Result<Vec<Self>> {
        let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("captures");
        let mut captures = Vec::new();
        for entry in fs::read_dir(&directory).with_context(|| directory.display().to_string())? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let frames = frames(&fs::read(&path)?).with_context(|| name.clone())?;
            captures.push(Self { name, frames });
        }
        captures.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(captures)
    }

    /// Those of its frames that a client sent to a DHCPv6 server.
    pub fn to_server(&self) -> impl Iterator<Item = &[u8]> {
        self.dhcpv6(547)
    }

    /// Those that a server sent to a DHCPv6 client.
    pub fn to_client(&self) -> impl Iterator<Item = &[u8]> {
        self.dhcpv6(546)
    }

    /// DUID of the server that its client talked to in the end, where one answered.
    ///
    /// # Errors
    ///
    /// A server's message that cannot be read.
    pub fn server(&self) -> Result<Option<Duid>> {
        let Some(frame) = self.to_client().last() else { return Ok(None) };
        let message = decode(frame.get(PAYLOAD_OFFSET..).context("no message")?)?;
        let Some(DhcpOption::ServerId(duid)) = message.opts().get(OptionCode::ServerId) else { bail!("no server") };
        let text: String = duid.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Some(text.parse()?))
    }

    fn dhcpv6(&self, port: u16) -> impl Iterator<Item = &[u8]> {
        let port = port.to_be_bytes();
        let frames = self.frames.iter().map(Vec::as_slice);
        frames.filter(move |frame| {
            frame.get(12..14) == Some(&[0x86, 0xdd]) && frame.get(20) == Some(&17) && frame.get(56..58) == Some(&port)
        })
    }
}

/// Frames as a capture file, all of them taken at the beginning of time.
///
/// # Errors
///
/// A frame longer than a file can say.
pub fn write<'a>(frames: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<u8>> {
    let header = FileHeader {
        magic: MAGIC.into(),
        version: VERSION,
        zone_and_accuracy: [U32::ZERO; 2],
        snapshot_length: SNAPSHOT_LENGTH.into(),
        link_type: LINKTYPE_ETHERNET.into(),
    };
    let mut file = header.as_bytes().to_vec();
    for frame in frames {
        let length = U32::new(frame.len().try_into().context("a frame of four gigabytes")?);
        let record = RecordHeader { time: [U32::ZERO; 2], captured: length, original: length };
        file.extend([record.as_bytes(), frame].concat());
    }
    Ok(file)
}

fn frames(file: &[u8]) -> Result<Vec<Vec<u8>>> {
    let Ok((header, mut rest)) = FileHeader::ref_from_prefix(file) else { bail!("no file header") };
    ensure!(header.magic.get() == MAGIC, "another format, magic {:08x}", header.magic);
    ensure!(header.link_type.get() == LINKTYPE_ETHERNET, "not Ethernet: link type {}", header.link_type);
    let mut frames = Vec::new();
    while !rest.is_empty() {
        let Ok((record, behind)) = RecordHeader::ref_from_prefix(rest) else { bail!("half a record header") };
        ensure!(record.captured == record.original, "a frame that was cut");
        let length = usize::try_from(record.captured.get())?;
        let (frame, behind) = behind.split_at_checked(length).context("half a frame")?;
        frames.push(frame.to_vec());
        rest = behind;
    }
    Ok(frames)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let written = [&b"ab"[..], b"", b"c"];
        assert_eq!(frames(&write(written).unwrap()).unwrap(), written);
    }

    #[test]
    fn half_a_capture_is_an_error() {
        let file =
            [&MAGIC.to_le_bytes()[..], &[0; 16], &1_u32.to_le_bytes(), &[0; 8], &[2, 0, 0, 0, 2, 0, 0, 0], b"ab"]
                .concat();
        assert_eq!(frames(&file).unwrap(), [b"ab"]);
        for end in (0..file.len()).filter(|end| *end != size_of::<FileHeader>()) {
            assert!(frames(&file[..end]).is_err(), "{end}");
        }
    }
}
