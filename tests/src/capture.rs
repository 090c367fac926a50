//! Captures of real clients, `tests/captures/*.pcap`.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, Read, Write},
    iter,
    path::PathBuf,
    time::Duration,
};

use crate::golden::{BASE, decode};
use anyhow::{Context as _, Result, bail, ensure};
use dhcproto::v6::{DhcpOption, OptionCode};
use dhcpv6macd::{
    cli::{self, Task},
    config::Config,
    policy::Access,
    replay::{Assumed, CaptureError, CaptureFile, Outputs, ReplayError, Replies, replay},
    wire::Duid,
};
use dhcpv6macd_ebpf::header::PAYLOAD_OFFSET;

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
            let frames = read(File::open(&path)?).with_context(|| name.clone())?;
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
    let mut file = Vec::new();
    let mut replies = Replies::new(&mut file)?;
    for frame in frames {
        replies.write(Duration::ZERO, frame)?;
    }
    replies.finish()?;
    Ok(file)
}

/// The frames of a capture file, all of them whole.
///
/// # Errors
///
/// Where it cannot be read to its end, and for a frame that was cut.
pub fn read(file: impl Read + Send) -> Result<Vec<Vec<u8>>> {
    let mut frames = Vec::new();
    CaptureFile::new(file)?.each(|record| {
        ensure!(!record.is_cut(), "a frame that was cut");
        frames.push(record.bytes.to_vec());
        Ok(())
    })?;
    Ok(frames)
}

/// Replays a file: what is printed, and how it ends.
///
/// # Errors
///
/// Where it is no capture.
///
/// # Panics
///
/// Where it prints what is no text.
pub fn replayed(file: &[u8]) -> Result<(String, Result<(), ReplayError>), CaptureError> {
    let assumed = Assumed::new(&config(), Access::default(), CaptureFile::new(file)?);
    let mut lines = Vec::new();
    let sink = || Box::new(io::sink()) as Box<dyn Write>;
    let replies = Replies::new(sink()).expect("nothing to fail");
    let outputs = Outputs { lines: Box::new(&mut lines), replies: Some(replies), events: Some(sink()) };
    let ended = replay(&assumed, CaptureFile::new(file)?, outputs);
    Ok((String::from_utf8(lines).expect("text"), ended))
}

/// The daemon's configuration where nothing is said but the prefix, that of the golden rows.
fn config() -> Config {
    let base = BASE.to_string();
    let words = ["dhcpv6macd", "replay", "capture", "--base-address", &base].map(OsString::from);
    match cli::parse(words.into_iter(), iter::empty()).expect("a prefix is enough") {
        Task::Replay(config, _) => *config,
        Task::Run(_) | Task::Check(..) => unreachable!("a replay was asked for"),
    }
}
