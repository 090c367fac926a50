//! Captures of real clients, `tests/captures/*.pcap`: the classic format, read as it is (`man 5 pcap-savefile`).

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use zerocopy::{
    FromBytes, Immutable, KnownLayout, Unaligned,
    little_endian::{U16, U32},
};

/// Microseconds, written on a little-endian machine.
const MAGIC: u32 = 0xa1b2_c3d4;
const LINKTYPE_ETHERNET: u32 = 1;

#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct FileHeader {
    magic: U32,
    _version: [U16; 2],
    _zone_and_accuracy: [U32; 2],
    _snapshot_length: U32,
    link_type: U32,
}

#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct RecordHeader {
    _time: [U32; 2],
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

    fn dhcpv6(&self, port: u16) -> impl Iterator<Item = &[u8]> {
        let port = port.to_be_bytes();
        let frames = self.frames.iter().map(Vec::as_slice);
        frames.filter(move |frame| {
            frame.get(12..14) == Some(&[0x86, 0xdd]) && frame.get(20) == Some(&17) && frame.get(56..58) == Some(&port)
        })
    }
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
