//! Rules of the house that neither rustc nor clippy know.

mod manifest;
mod rules;

use std::{fs, io, path::Path};

use anyhow::{Context as _, Result, bail};

use crate::workspace;

/// What builds, tools and fuzzers leave behind.
const GENERATED: [&str; 6] =
    [".git", "target", "result", "tests/fuzz/target", "tests/fuzz/artifacts", "tests/fuzz/corpus"];

/// A file of the project.
struct Source {
    /// From the workspace's root, with slashes.
    path: String,
    text: String,
}

/// Checks every rule and prints what breaks one.
///
/// # Errors
///
/// When something does, or a file cannot be read.
pub(crate) fn run() -> Result<()> {
    let root = workspace::root();
    let mut sources = Vec::new();
    collect(root, "", &mut sources).with_context(|| format!("cannot read {}", root.display()))?;
    let names = sources.iter().map(|source| source.path.split('/').next().unwrap_or_default());
    let mut complaints = rules::top_level(names);
    complaints.extend(sources.iter().flat_map(rules::complaints));
    complaints.extend(manifest::complaints(&sources));
    for complaint in &complaints {
        eprintln!("{complaint}");
    }
    if complaints.is_empty() { Ok(()) } else { bail!("{} complaints", complaints.len()) }
}

/// Every text file below a directory, in order of its name; what is no text is nobody's source.
fn collect(directory: &Path, prefix: &str, sources: &mut Vec<Source>) -> io::Result<()> {
    let mut entries = fs::read_dir(directory)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if GENERATED.contains(&path.as_str()) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), &format!("{path}/"), sources)?;
        } else if let Ok(text) = String::from_utf8(fs::read(entry.path())?) {
            sources.push(Source { path, text });
        }
    }
    Ok(())
}
