//! The iPXE that machines in PXE load: an EFI program for each kind of processor, from a file, or else compiled in.

mod embedded;
mod pe;

use std::{
    fmt,
    io::{self, Read as _},
    path::Path,
};

use bytes::Bytes;
use object::pe::{IMAGE_FILE_MACHINE_AMD64, IMAGE_FILE_MACHINE_ARM64, IMAGE_FILE_MACHINE_RISCV64};

use crate::{
    config::{IpxeImages, open_regular},
    wire::dhcpv6::Processor,
};

/// No image is longer, bytes.
pub const IMAGE_MAX: u64 = 64 << 20;

/// The kinds of processor that there can be an image for.
pub const PROCESSORS: [Processor; 3] = [Processor::X86_64, Processor::Arm64, Processor::RiscV64];

/// The images as they are served: whole, and each for the processor that it is said to be for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the field's own names")]
pub struct Images {
    pub x86_64: Option<Bytes>,
    pub arm64: Option<Bytes>,
    pub riscv64: Option<Bytes>,
}

/// Why a file is not the image that it should be.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Read(#[from] io::Error),
    /// It is longer than [`IMAGE_MAX`].
    #[error("longer than an image can be ({} MiB)", IMAGE_MAX >> 20)]
    TooLong,
    /// It is no EFI program.
    #[error("{0}")]
    NoProgram(&'static str),
    /// It is one for others.
    #[error("an EFI program for {found}, not for {wanted}{}", place(*found))]
    OtherProcessor {
        /// The processor that it is for.
        found: Processor,
        /// The one that it should be for.
        wanted: Processor,
    },
}

/// Where an image for this processor belongs.
fn place(processor: Processor) -> &'static str {
    match processor {
        Processor::X86_64 => "; that is --ipxe-x86-64-efi",
        Processor::Arm64 => "; that is --ipxe-arm64-efi",
        Processor::RiscV64 => "; that is --ipxe-riscv64-efi",
        Processor::I386 | Processor::Arm32 | Processor::RiscV32 | Processor::Unknown => "",
    }
}

impl Images {
    /// Those that are compiled in.
    #[must_use]
    pub fn embedded() -> Self {
        let image = |program: &'static [u8]| (!program.is_empty()).then_some(Bytes::from_static(program));
        Self { x86_64: image(embedded::X86_64), arm64: image(embedded::ARM64), riscv64: image(embedded::RISCV64) }
    }

    /// Reads the files as they are now; where there is none, it is what is compiled in.
    ///
    /// # Errors
    ///
    /// The file, and what is wrong with it.
    pub fn read(files: &IpxeImages) -> Result<Self, String> {
        let image = |processor| {
            let path = files.of(processor)?;
            Some(read(path, processor).map_err(|error| format!("{}: {error}", path.display())))
        };
        let or_embedded = |processor| {
            image(processor).transpose().map(|image| image.or_else(|| Self::embedded().of(processor).cloned()))
        };
        Ok(Self {
            x86_64: or_embedded(Processor::X86_64)?,
            arm64: or_embedded(Processor::Arm64)?,
            riscv64: or_embedded(Processor::RiscV64)?,
        })
    }

    /// The processor of whoever does not say what it has: that of the only image, or else the commonest.
    #[must_use]
    pub fn usual(&self) -> Processor {
        let mut there = PROCESSORS.into_iter().filter(|processor| self.of(*processor).is_some());
        match (there.next(), there.next()) {
            (Some(only), None) => only,
            _ => Processor::X86_64,
        }
    }

    /// The image for this processor.
    #[must_use]
    pub const fn of(&self, processor: Processor) -> Option<&Bytes> {
        match processor {
            Processor::X86_64 => self.x86_64.as_ref(),
            Processor::Arm64 => self.arm64.as_ref(),
            Processor::RiscV64 => self.riscv64.as_ref(),
            Processor::I386 | Processor::Arm32 | Processor::RiscV32 | Processor::Unknown => None,
        }
    }
}

/// What there is, for a person: `with iPXE for x86_64 (830 KiB)`.
impl fmt::Display for Images {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let there = PROCESSORS.into_iter().filter_map(|processor| Some((processor, self.of(processor)?.len() >> 10)));
        for (index, (processor, size)) in there.enumerate() {
            let word = if index == 0 { "with iPXE for" } else { "," };
            write!(formatter, "{word} {processor} ({size} KiB)")?;
        }
        if self == &Self::default() { formatter.write_str("without iPXE") } else { Ok(()) }
    }
}

/// Reads a file that is to be the image for a processor.
///
/// # Errors
///
/// Why it is not.
pub fn read(path: &Path, wanted: Processor) -> Result<Bytes, ImageError> {
    let mut image = Vec::new();
    let length = open_regular(path)?.take(IMAGE_MAX + 1).read_to_end(&mut image)?;
    if length as u64 > IMAGE_MAX {
        return Err(ImageError::TooLong);
    }
    let found = processor(pe::machine(&image).map_err(ImageError::NoProgram)?);
    if found == wanted { Ok(image.into()) } else { Err(ImageError::OtherProcessor { found, wanted }) }
}

const fn processor(machine: u16) -> Processor {
    match machine {
        IMAGE_FILE_MACHINE_AMD64 => Processor::X86_64,
        IMAGE_FILE_MACHINE_ARM64 => Processor::Arm64,
        IMAGE_FILE_MACHINE_RISCV64 => Processor::RiscV64,
        _ => Processor::Unknown,
    }
}
