//! Files that the configuration names: looked at before anything starts.

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

use rustix::fs::{Mode, OFlags, open};

/// Opens a regular file, without waiting for whoever writes to a FIFO.
pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
    let file = File::from(open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())?);
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    Ok(file)
}

/// Bytes of a PEM file that are looked at.
const PEM_MAX: u64 = 1 << 20;

/// Labels of the PEM blocks that a certificate file holds (RFC 7468 section 5).
pub(super) const CERTIFICATE: &[&str] = &["CERTIFICATE"];
/// Labels of private keys without a password (RFC 7468 section 10, RFC 5915, RFC 8017).
pub(super) const PRIVATE_KEY: &[&str] = &["PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY"];

/// Checks that a file holds a PEM block with one of these labels.
pub(super) fn check_pem(path: &Path, labels: &[&str]) -> Result<(), String> {
    let mut text = Vec::new();
    let file = open_regular(path).map_err(|error| unreadable(&error))?;
    file.take(PEM_MAX).read_to_end(&mut text).map_err(|error| unreadable(&error))?;
    let text = String::from_utf8_lossy(&text);
    let label = |line: &str| line.trim_end().strip_prefix("-----BEGIN ")?.strip_suffix("-----").map(str::to_owned);
    let holds = text.lines().filter_map(label).any(|label| labels.contains(&label.as_str()));
    if holds { Ok(()) } else { Err(format!("there is no PEM block {} in it", labels.join(" or "))) }
}

fn unreadable(error: &io::Error) -> String {
    format!("cannot be read: {error}")
}

/// Checks that a directory is there and can be read.
pub(super) fn check_directory(path: &Path) -> Result<(), String> {
    path.read_dir().map(drop).map_err(|error| unreadable(&error))
}
