//! Processor architectures of boot clients.

use std::fmt;

/// A client's architecture (RFC 5970 section 3.3; IANA "Processor Architecture Types").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Architecture(pub u16);

/// What an image is built for. Named as iPXE names it in `${buildarch}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the field's own names")]
pub enum Processor {
    I386,
    X86_64,
    Arm32,
    Arm64,
    RiscV32,
    RiscV64,
    /// Anything else.
    Unknown,
}

impl Processor {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::I386, Self::X86_64, Self::Arm32, Self::Arm64, Self::RiscV32, Self::RiscV64, Self::Unknown];
}

impl Architecture {
    /// Each that has a name.
    pub fn named() -> impl Iterator<Item = Self> {
        (0..).map(Self).take(NAMES.len())
    }

    /// Its name, as in the payload of a boot URL.
    #[must_use]
    pub fn name(self) -> &'static str {
        NAMES.get(usize::from(self.0)).copied().unwrap_or("unknown")
    }

    /// The processor that runs its programs. EFI BC is what early firmware on x86-64 says.
    #[must_use]
    pub const fn processor(self) -> Processor {
        match self.0 {
            0 | 6 | 15 | 20 => Processor::I386,
            7 | 9 | 16 | 17 => Processor::X86_64,
            10 | 18 | 21 | 23 => Processor::Arm32,
            11 | 19 | 22 | 24 => Processor::Arm64,
            25 | 26 => Processor::RiscV32,
            27 | 28 => Processor::RiscV64,
            _ => Processor::Unknown,
        }
    }
}

impl fmt::Display for Processor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::I386 => "i386",
            Self::X86_64 => "x86_64",
            Self::Arm32 => "arm32",
            Self::Arm64 => "arm64",
            Self::RiscV32 => "riscv32",
            Self::RiscV64 => "riscv64",
            Self::Unknown => "unknown",
        })
    }
}

/// The architectures that a client says it can boot, most preferred first. None where it is no boot client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Architectures<'a>(&'a [u8]);

impl<'a> Architectures<'a> {
    /// Those of an option's data; half a number at its end is none.
    #[must_use]
    pub const fn of(data: &'a [u8]) -> Self {
        Self(data)
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = Architecture> {
        self.0.as_chunks::<2>().0.iter().map(|number| Architecture(u16::from_be_bytes(*number)))
    }

    /// How many there are.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.0.len() / 2
    }

    /// The processor of the first one.
    #[must_use]
    pub fn processor(&self) -> Processor {
        self.iter().next().map_or(Processor::Unknown, Architecture::processor)
    }
}

const NAMES: [&str; 37] = [
    "Intel x86PC",
    "NEC/PC98",
    "EFI Itanium",
    "DEC Alpha",
    "Arc x86",
    "Intel Lean Client",
    "EFI IA32",
    "EFI x86-64",
    "EFI Xscale",
    "EFI BC",
    "EFI ARM32",
    "EFI ARM64",
    "PowerPC Open Firmware",
    "PowerPC ePAPR",
    "POWER OPAL v3",
    "EFI x86 boot from HTTP",
    "EFI x86-64 boot from HTTP",
    "EFI BC boot from HTTP",
    "EFI ARM32 boot from HTTP",
    "EFI ARM64 boot from HTTP",
    "Intel x86PC boot from HTTP",
    "U-Boot ARM32",
    "U-Boot ARM64",
    "U-boot ARM32 boot from HTTP",
    "U-Boot ARM64 boot from HTTP",
    "EFI RISC-V 32-bit",
    "EFI RISC-V 32-bit boot from HTTP",
    "EFI RISC-V 64-bit",
    "EFI RISC-V 64-bit boot from HTTP",
    "EFI RISC-V 128-bit",
    "EFI RISC-V 128-bit boot from HTTP",
    "s390 Basic",
    "s390 Extended",
    "EFI MIPS32",
    "EFI MIPS64",
    "EFI Sunway 32-bit",
    "EFI Sunway 64-bit",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_its_name() {
        for (number, name) in
            [(0, "Intel x86PC"), (7, "EFI x86-64"), (16, "EFI x86-64 boot from HTTP"), (36, "EFI Sunway 64-bit")]
        {
            assert_eq!(Architecture(number).name(), name);
        }
        assert_eq!(Architecture(37).name(), "unknown");
    }

    #[test]
    fn the_first_one_says_what_processor_it_is() {
        assert_eq!(Architectures::of(&[0, 11, 0, 7]).processor(), Processor::Arm64);
        assert_eq!(Architectures::of(&[]).processor(), Processor::Unknown);
        for (number, name) in NAMES.into_iter().enumerate() {
            let processor = Architecture(u16::try_from(number).unwrap()).processor().to_string();
            assert_eq!(processor == "x86_64", name.contains("x86-64") || name.contains("BC"), "{name}");
            assert_eq!(processor == "arm64", name.contains("ARM64"), "{name}");
        }
    }
}
