//! Files that the configuration names: looked at before anything starts.

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

use rustix::fs::{Mode, OFlags, open};

/// Opens a regular file, without waiting for whoever writes to a FIFO.
pub(super) fn open_regular(path: &Path) -> io::Result<File> {
    let file = File::from(open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())?);
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    Ok(file)
}

/// Bytes of a PEM file that are looked at.
const PEM_MAX: u64 = 1 << 20;

/// Checks that a file holds a PEM block whose label ends in `label` (RFC 7468 section 2).
pub(super) fn check_pem(path: &Path, label: &str) -> Result<(), String> {
    let mut text = Vec::new();
    let file = open_regular(path).map_err(|error| error.to_string())?;
    file.take(PEM_MAX).read_to_end(&mut text).map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&text);
    let holds = text.lines().any(|line| line.starts_with("-----BEGIN ") && line.ends_with(&format!("{label}-----")));
    if holds { Ok(()) } else { Err(format!("there is no PEM block \"BEGIN {label}\" in it")) }
}

/// Checks that a file is an EFI program (PE/COFF: it starts with `MZ`).
pub(super) fn check_efi(path: &Path) -> Result<(), String> {
    let mut start = [0; 2];
    let mut file = open_regular(path).map_err(|error| error.to_string())?;
    match file.read_exact(&mut start) {
        Ok(()) if &start == b"MZ" => Ok(()),
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(error.to_string()),
        Ok(()) | Err(_) => Err("not an EFI program: it does not start with MZ".to_owned()),
    }
}

/// Checks that a directory is there and can be read.
pub(super) fn check_directory(path: &Path) -> Result<(), String> {
    path.read_dir().map(drop).map_err(|error| error.to_string())
}
