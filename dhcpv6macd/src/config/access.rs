//! Lists of machines, in files that are read again while the daemon runs.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
};

use super::{ConfigError, named_files::open_regular, parse::Texts};
use crate::policy::{Access, MacList};

/// No list is longer, bytes.
const LIST_MAX: u64 = 4 << 20;

/// Where the lists of machines are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessFiles {
    /// The machines that are served.
    pub allow: Option<PathBuf>,
    /// Those that are not.
    pub deny: Option<PathBuf>,
}

impl AccessFiles {
    /// Reads both as they are now.
    ///
    /// # Errors
    ///
    /// The file, and what is wrong with it.
    pub fn read(&self) -> Result<Access, String> {
        let read = |path: &Option<PathBuf>| {
            path.as_deref().map(|path| read(path).map_err(|error| format!("{}: {error}", path.display()))).transpose()
        };
        Ok(Access { allow: read(&self.allow)?, deny: read(&self.deny)? })
    }
}

fn read(path: &Path) -> Result<MacList, String> {
    let mut text = String::new();
    let file = open_regular(path).map_err(|error| format!("cannot be read: {error}"))?;
    let length =
        file.take(LIST_MAX + 1).read_to_string(&mut text).map_err(|error| format!("cannot be read: {error}"))?;
    if length as u64 > LIST_MAX {
        return Err("longer than a list can be (4 MiB)".to_owned());
    }
    text.parse().map_err(|error: crate::policy::ParseMacListError| error.to_string())
}

impl Texts<'_> {
    /// The lists' files, which can be read now.
    pub(super) fn access(&self) -> Result<AccessFiles, ConfigError> {
        let file = |name| self.optional(name, |text| read(Path::new(text)).map(|_| PathBuf::from(text)));
        Ok(AccessFiles { allow: file("allow-macs")?, deny: file("deny-macs")? })
    }
}
