//! Capture files, pcap and pcapng, one record after the other: as many of them as there are, in one buffer.

use std::{io::Read, time::Duration};

use pcap_parser::{
    Block, InterfaceDescriptionBlock, LegacyPcapBlock, Linktype, OptionCode, PcapBlockOwned, PcapError, PcapHeader,
    create_reader, traits::PcapReaderIterator,
};

/// What is held of the file, bytes: it grows with a record that does not fit.
const BUFFER: usize = 1 << 16;
/// A record, and any other block of the file, is shorter than this, bytes.
const BUFFER_MAX: usize = 1 << 20;
/// The most interfaces of a section.
const INTERFACES_MAX: usize = 4096;

/// What was on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// When, since 1970 (UTC).
    pub time: Duration,
    /// The frame as far as it was captured.
    pub bytes: &'a [u8],
    /// Its length on the wire.
    pub length: usize,
    /// What it begins with, where that is not an Ethernet header (<https://www.tcpdump.org/linktypes.html>).
    pub foreign_link_type: Option<i32>,
}

impl Record<'_> {
    /// Was it cut by the capture's snapshot length?
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.bytes.len() < self.length
    }
}

/// Why a file is no capture, or not to its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CaptureError {
    /// Its first bytes are those of something else.
    #[error("not a capture: neither pcap nor pcapng")]
    Unknown,
    /// Another kind of link.
    #[error("not a capture of Ethernet, but of link type {0}; capture on one interface, not on any")]
    LinkType(i32),
    /// It ends too early.
    #[error("it ends in the middle of a record")]
    Ends,
    /// It contradicts itself.
    #[error("a record is broken")]
    Broken,
    /// More than is looked at.
    #[error("a record is longer than 1 MiB")]
    TooLong,
    /// More than is looked at.
    #[error("more than {INTERFACES_MAX} interfaces")]
    TooManyInterfaces,
    /// The file system says so.
    #[error("reading it failed")]
    Read,
}

/// A capture that is being read.
pub struct CaptureFile<'r> {
    reader: Box<dyn PcapReaderIterator + Send + 'r>,
    /// Bytes of its buffer.
    capacity: usize,
    /// Of the section that is being read; pcap has one.
    interfaces: Vec<Interface>,
    is_big_endian: bool,
}

/// Where records come from.
#[derive(Clone, Copy)]
struct Interface {
    link_type: Linktype,
    /// The most bytes of a record; 0 for all.
    snapshot_length: u32,
    clock: Clock,
}

/// What timestamps mean.
#[derive(Clone, Copy)]
struct Clock {
    /// Units in a second; `None` where no number holds as many.
    units: Option<u128>,
    /// Seconds that are to be added.
    offset: i64,
}

impl<'r> CaptureFile<'r> {
    /// Reads the beginning.
    ///
    /// # Errors
    ///
    /// Where it is no capture of Ethernet.
    pub fn new(source: impl Read + Send + 'r) -> Result<Self, CaptureError> {
        let reader = create_reader(BUFFER, source)
            .map_err(|error| if error == PcapError::ReadError { CaptureError::Read } else { CaptureError::Unknown })?;
        let mut file = Self { reader, capacity: BUFFER, interfaces: Vec::new(), is_big_endian: false };
        // What the file says of itself; there is no record in it.
        file.step(&mut |_| Ok::<_, CaptureError>(()))?;
        Ok(file)
    }

    /// Shows every record to `visit`.
    ///
    /// # Errors
    ///
    /// What `visit` says, and where the file is broken.
    pub fn each<E: From<CaptureError>>(mut self, mut visit: impl FnMut(&Record<'_>) -> Result<(), E>) -> Result<(), E> {
        while self.step(&mut visit)? {}
        Ok(())
    }

    /// Goes on by one block, or by more of the file; false at its end.
    fn step<E: From<CaptureError>>(&mut self, visit: &mut impl FnMut(&Record<'_>) -> Result<(), E>) -> Result<bool, E> {
        match self.reader.next() {
            Ok((length, block)) => {
                let mut section = Section { interfaces: &mut self.interfaces, is_big_endian: &mut self.is_big_endian };
                if let Some(record) = section.read(&block)? {
                    visit(&record)?;
                }
                drop(block);
                self.reader.consume(length);
            }
            Err(PcapError::Eof) => return Ok(false),
            Err(PcapError::Incomplete(_)) => self.refill()?,
            Err(PcapError::BufferTooSmall) => self.grow()?,
            Err(error) => return Err(wrong(&error).into()),
        }
        Ok(true)
    }

    fn grow(&mut self) -> Result<(), CaptureError> {
        self.capacity *= 4;
        if self.capacity <= BUFFER_MAX && self.reader.grow(self.capacity) { Ok(()) } else { Err(CaptureError::TooLong) }
    }

    /// More of the file, or none is left; the next look says which.
    fn refill(&mut self) -> Result<(), CaptureError> {
        let before = self.reader.data().len();
        self.reader.refill().map_err(|error| wrong(&error))?;
        let has_more = self.reader.data().len() > before || self.reader.reader_exhausted();
        if has_more { Ok(()) } else { Err(CaptureError::TooLong) }
    }
}

fn wrong(error: &PcapError<&[u8]>) -> CaptureError {
    match error {
        PcapError::UnexpectedEof | PcapError::Incomplete(_) | PcapError::Eof => CaptureError::Ends,
        PcapError::BufferTooSmall => CaptureError::TooLong,
        PcapError::ReadError => CaptureError::Read,
        PcapError::HeaderNotRecognized | PcapError::NomError(..) | PcapError::OwnedNomError(..) => CaptureError::Broken,
    }
}

/// What the blocks before say of a record.
struct Section<'s> {
    interfaces: &'s mut Vec<Interface>,
    is_big_endian: &'s mut bool,
}

impl Section<'_> {
    /// The record in a block, if there is one in it.
    fn read<'a>(&mut self, block: &'a PcapBlockOwned<'_>) -> Result<Option<Record<'a>>, CaptureError> {
        match block {
            PcapBlockOwned::LegacyHeader(header) => self.interfaces.push(Interface::of_file(header)?),
            PcapBlockOwned::Legacy(record) => return self.legacy(record).map(Some),
            PcapBlockOwned::NG(Block::SectionHeader(header)) => {
                self.interfaces.clear();
                *self.is_big_endian = header.big_endian();
            }
            PcapBlockOwned::NG(Block::InterfaceDescription(description)) => {
                if self.interfaces.len() >= INTERFACES_MAX {
                    return Err(CaptureError::TooManyInterfaces);
                }
                self.interfaces.push(Interface::described(description, *self.is_big_endian));
            }
            PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
                let units = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
                let interface = self.interface(packet.if_id)?;
                let bytes = packet.data.get(..length(packet.caplen)).ok_or(CaptureError::Broken)?;
                return Ok(Some(interface.record(interface.clock.time(units), bytes, packet.origlen)));
            }
            PcapBlockOwned::NG(Block::SimplePacket(packet)) => {
                let interface = self.interface(0)?;
                let captured = match interface.snapshot_length {
                    0 => packet.origlen,
                    snapshot_length => packet.origlen.min(snapshot_length),
                };
                let bytes = packet.data.get(..length(captured)).ok_or(CaptureError::Broken)?;
                return Ok(Some(interface.record(Duration::ZERO, bytes, packet.origlen)));
            }
            // Names, statistics, and what else was noted down.
            PcapBlockOwned::NG(_) => {}
        }
        Ok(None)
    }

    fn legacy<'a>(&self, record: &'a LegacyPcapBlock<'_>) -> Result<Record<'a>, CaptureError> {
        let interface = self.interface(0)?;
        let seconds = Duration::from_secs(record.ts_sec.into());
        let time = seconds + interface.clock.time(record.ts_usec.into());
        Ok(interface.record(time, record.data, record.origlen))
    }

    fn interface(&self, index: u32) -> Result<&Interface, CaptureError> {
        self.interfaces.get(length(index)).ok_or(CaptureError::Broken)
    }
}

impl Interface {
    fn of_file(header: &PcapHeader) -> Result<Self, CaptureError> {
        // Above the link type stands what follows a frame.
        let link_type = Linktype(header.network.0 & 0xffff);
        if link_type != Linktype::ETHERNET {
            return Err(CaptureError::LinkType(link_type.0));
        }
        let units = if header.is_nanosecond_precision() { 1_000_000_000 } else { 1_000_000 };
        Ok(Self { link_type, snapshot_length: header.snaplen, clock: Clock { units: Some(units), offset: 0 } })
    }

    fn described(description: &InterfaceDescriptionBlock<'_>, is_big_endian: bool) -> Self {
        let exponent = u32::from(description.if_tsresol & 0x7f);
        let base: u128 = if description.if_tsresol & 0x80 == 0 { 10 } else { 2 };
        let offset = description.options.iter().find(|option| option.code == OptionCode::IfTsoffset);
        let offset = offset
            .and_then(|option| option.value.first_chunk::<8>())
            .map_or(0, |bytes| if is_big_endian { i64::from_be_bytes(*bytes) } else { i64::from_le_bytes(*bytes) });
        let clock = Clock { units: base.checked_pow(exponent), offset };
        Self { link_type: description.linktype, snapshot_length: description.snaplen, clock }
    }

    fn record<'a>(&self, time: Duration, bytes: &'a [u8], on_wire: u32) -> Record<'a> {
        let foreign_link_type = (self.link_type != Linktype::ETHERNET).then_some(self.link_type.0);
        Record { time, bytes, length: length(on_wire), foreign_link_type }
    }
}

impl Clock {
    /// A time that lies outside of what can be told is the beginning.
    fn time(self, timestamp: u64) -> Duration {
        const NANOSECONDS: u128 = 1_000_000_000;
        let Some(units) = self.units else { return Duration::ZERO };
        let timestamp = u128::from(timestamp);
        let nanoseconds = u32::try_from((timestamp % units).saturating_mul(NANOSECONDS) / units).unwrap_or_default();
        let seconds = u64::try_from(timestamp / units).ok().and_then(|seconds| seconds.checked_add_signed(self.offset));
        seconds.map_or(Duration::ZERO, |seconds| Duration::new(seconds, nanoseconds))
    }
}

fn length(length: u32) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}
