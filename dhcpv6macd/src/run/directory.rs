//! Opens the directories whose files are served, and says what in them cannot be meant as it is.

use std::{fs, io, path::Path};

use tracing::warn;

use crate::{tree::Tree, wire::MacAddr};

/// Names that are looked at, at most.
const NAMES_MAX: usize = 100_000;

/// Opens one. A machine's own directory that is named otherwise than the machine asks for it would be missed by nobody but the machine.
///
/// # Errors
///
/// Those of [`Tree::open`].
pub(super) fn open(path: &Path) -> io::Result<Tree> {
    let tree = Tree::open(path)?;
    if let Some((name, mac)) = misnamed(path) {
        let path = path.display();
        warn!("{path}: nobody asks for what is in {name}: the directory of that machine is called {mac}");
    }
    Ok(tree)
}

/// The first directory that is named by a MAC in another spelling than ours. Whoever may not list them is not told.
fn misnamed(path: &Path) -> Option<(String, MacAddr)> {
    let names = fs::read_dir(path).ok()?.take(NAMES_MAX).filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut machines = names.filter_map(|name| Some((name.parse::<MacAddr>().ok()?, name)));
    machines.find(|(mac, name)| mac.to_string() != *name).map(|(mac, name)| (name, mac))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machines_directory_in_another_spelling_is_found() {
        let directory = std::env::temp_dir().join(format!("dhcpv6macd-directory-{}", std::process::id()));
        for name in ["52:54:00:12:34:56", "default", "images"] {
            fs::create_dir_all(directory.join(name)).unwrap();
        }
        let nobody = misnamed(&directory);
        fs::create_dir(directory.join("52-54-00-12-34-57")).unwrap();
        let somebody = misnamed(&directory);
        fs::remove_dir_all(&directory).unwrap();
        let mac = MacAddr([0x52, 0x54, 0, 0x12, 0x34, 0x57]);
        assert_eq!((nobody, somebody), (None, Some(("52-54-00-12-34-57".to_owned(), mac))));
        assert_eq!(misnamed(&directory), None);
    }
}
