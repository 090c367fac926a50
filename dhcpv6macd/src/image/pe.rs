//! What processor an EFI program is for. The build script, of which this file is a part too, asks it of what it embeds.

use object::{
    LittleEndian,
    pe::IMAGE_SUBSYSTEM_EFI_APPLICATION,
    read::pe::{ImageNtHeaders as _, ImageOptionalHeader as _, PeFile64},
};

/// The machine that an EFI program, whole, runs on: a number of the PE format (`IMAGE_FILE_MACHINE_*`).
///
/// # Errors
///
/// Why it is no EFI program, or not all of one.
pub(crate) fn machine(image: &[u8]) -> Result<u16, &'static str> {
    if !image.starts_with(b"MZ") {
        return Err("not an EFI program: it does not start with MZ");
    }
    let file = PeFile64::parse(image).map_err(|_| "not an EFI program of 64 bits, or cut off in its headers")?;
    let headers = file.nt_headers();
    if headers.optional_header().subsystem() != IMAGE_SUBSYSTEM_EFI_APPLICATION {
        return Err("a program, but not one that UEFI starts: its subsystem is not that of an EFI application");
    }
    if file.section_table().iter().any(|section| section.pe_data(image).is_err()) {
        return Err("cut off: its headers promise more than there is");
    }
    Ok(headers.file_header().machine.get(LittleEndian))
}
