//! EFI programs that do nothing: for whoever looks at them, and does not start them.

use anyhow::{Context as _, Result};
use object::{
    pe::{IMAGE_FILE_EXECUTABLE_IMAGE, IMAGE_SUBSYSTEM_EFI_APPLICATION},
    write::pe::{NtHeaders, Writer},
};

/// Bytes that sections and files are whole multiples of.
const ALIGNMENT: u32 = 512;

/// An EFI application for a machine (`IMAGE_FILE_MACHINE_*`) with so many times 512 bytes of code. No byte of it is padding at its end.
///
/// # Errors
///
/// Where a file cannot be so long.
pub fn application(machine: u16, length: u32) -> Result<Vec<u8>> {
    program(machine, IMAGE_SUBSYSTEM_EFI_APPLICATION, length)
}

/// A program of another kind (`IMAGE_SUBSYSTEM_*`).
///
/// # Errors
///
/// As [`application`].
pub fn program(machine: u16, subsystem: u16, length: u32) -> Result<Vec<u8>> {
    let length = length.checked_mul(ALIGNMENT).context("too long for a program")?;
    let mut program = Vec::new();
    let mut writer = Writer::new(true, ALIGNMENT, ALIGNMENT, &mut program);
    writer.reserve_dos_header();
    writer.reserve_nt_headers(0);
    writer.reserve_section_headers(1);
    let code = writer.reserve_text_section(length);
    writer.write_empty_dos_header()?;
    writer.write_nt_headers(headers(machine, subsystem, code.virtual_address));
    writer.write_section_headers();
    writer.write_section(code.file_offset, &vec![0x90; usize::try_from(length)?]);
    Ok(program)
}

fn headers(machine: u16, subsystem: u16, entry_point: u32) -> NtHeaders {
    NtHeaders {
        machine,
        time_date_stamp: 0,
        characteristics: IMAGE_FILE_EXECUTABLE_IMAGE,
        major_linker_version: 0,
        minor_linker_version: 0,
        address_of_entry_point: entry_point,
        image_base: 0,
        major_operating_system_version: 0,
        minor_operating_system_version: 0,
        major_image_version: 0,
        minor_image_version: 0,
        major_subsystem_version: 0,
        minor_subsystem_version: 0,
        subsystem,
        dll_characteristics: 0,
        size_of_stack_reserve: 0,
        size_of_stack_commit: 0,
        size_of_heap_reserve: 0,
        size_of_heap_commit: 0,
    }
}
