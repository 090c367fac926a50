//! The answers, as a capture: pcap with nanoseconds (`man 5 pcap-savefile`).

use std::{
    io::{self, Write},
    time::Duration,
};

/// Nanoseconds, and the file's byte order.
const MAGIC: u32 = 0xa1b2_3c4d;
const VERSION: [u16; 2] = [2, 4];
const SNAPSHOT_LENGTH: u32 = 1 << 18;
const LINKTYPE_ETHERNET: u32 = 1;

/// A capture that is being written.
#[derive(Debug)]
pub struct Replies<W>(W);

impl<W: Write> Replies<W> {
    /// Writes the beginning.
    ///
    /// # Errors
    ///
    /// Where the file cannot be written.
    pub fn new(mut file: W) -> io::Result<Self> {
        let [major, minor] = VERSION.map(u16::to_le_bytes);
        file.write_all(&MAGIC.to_le_bytes())?;
        file.write_all(&[major, minor].concat())?;
        file.write_all(&[0; 8])?;
        file.write_all(&[SNAPSHOT_LENGTH, LINKTYPE_ETHERNET].map(u32::to_le_bytes).concat())?;
        Ok(Self(file))
    }

    /// Writes a whole frame.
    ///
    /// # Errors
    ///
    /// Where the file cannot be written.
    pub fn write(&mut self, time: Duration, frame: &[u8]) -> io::Result<()> {
        let length = u32::try_from(frame.len()).map_err(io::Error::other)?;
        // Its seconds are over in 2106.
        let seconds = u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
        self.0.write_all(&[seconds, time.subsec_nanos(), length, length].map(u32::to_le_bytes).concat())?;
        self.0.write_all(frame)
    }

    /// Writes what is not written yet.
    ///
    /// # Errors
    ///
    /// Where the file cannot be written.
    pub fn finish(mut self) -> io::Result<()> {
        self.0.flush()
    }
}
