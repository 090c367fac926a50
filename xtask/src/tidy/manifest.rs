//! Rules for Cargo.toml: nobody depends on what nobody uses.

use super::Source;

/// Dependencies that no package uses, and shared ones that no package names.
pub(super) fn complaints(sources: &[Source]) -> Vec<String> {
    let manifests = || sources.iter().filter_map(|source| Some((source, source.path.strip_suffix("Cargo.toml")?)));
    let unused = manifests().filter(|(_, package)| !package.is_empty()).flat_map(|(manifest, package)| {
        let named = dependencies(&manifest.text, "dependencies").filter(|name| !is_used(name, package, sources));
        named.map(|name| format!("{}: nothing here uses {name}", manifest.path)).collect::<Vec<_>>()
    });
    let is_named =
        |name: &str| manifests().any(|(manifest, _)| dependencies(&manifest.text, "dependencies").any(|n| n == name));
    let workspace = manifests().filter(|(_, package)| package.is_empty());
    let shared = workspace.flat_map(|(manifest, _)| dependencies(&manifest.text, "workspace.dependencies"));
    let unnamed = shared.filter(|name| !is_named(name)).map(|name| format!("Cargo.toml: no package names {name}"));
    unused.chain(unnamed).collect()
}

/// The keys of every table of this name: `[dependencies]`, `[dev-dependencies]`, `[target.'...'.dependencies]`.
fn dependencies<'a>(manifest: &'a str, table: &'a str) -> impl Iterator<Item = &'a str> {
    let mut inside = false;
    manifest.lines().filter_map(move |line| {
        if let Some(header) = line.strip_prefix('[') {
            inside = is_table(header.trim_end_matches(']'), table);
            return None;
        }
        let name = line.split(['.', '=', ' ']).next().filter(|name| !name.is_empty() && !name.starts_with('#'));
        name.filter(|_| inside)
    })
}

fn is_table(header: &str, table: &str) -> bool {
    let is_shared = header.starts_with("workspace.");
    is_shared == table.starts_with("workspace.") && header.ends_with(table)
}

/// Does a path of some Rust file of this package begin with the crate's name?
fn is_used(dependency: &str, package: &str, sources: &[Source]) -> bool {
    let crate_path = format!("{}::", dependency.replace('-', "_"));
    let mut files = sources.iter().filter(|source| source.path.starts_with(package) && source.path.ends_with(".rs"));
    files.any(|file| code(&file.text).any(|line| begins_a_path(line, &crate_path)))
}

fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(|line| line.split("//").next().unwrap_or_default())
}

fn begins_a_path(line: &str, crate_path: &str) -> bool {
    line.match_indices(crate_path).any(|(start, _)| {
        let before = line.get(..start).and_then(|before| before.chars().next_back());
        !before.is_some_and(|before| before.is_alphanumeric() || before == '_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source { path: path.to_owned(), text: text.to_owned() }
    }

    const WORKSPACE: &str = "[workspace]\n[workspace.dependencies]\nclap = \"4\"\naya-log = \"0.3\"\n\n[profile.dev]\n";

    #[test]
    fn what_is_used_is_no_complaint() {
        let manifest = "[package]\nname = \"x\"\n[target.'cfg(unix)'.dependencies]\naya-log.workspace = true\n[dev-dependencies]\nclap = { workspace = true }\n";
        let sources = [
            source("Cargo.toml", WORKSPACE),
            source("x/Cargo.toml", manifest),
            source("x/src/lib.rs", "use aya_log::EbpfLogger;\nfn f() { clap::f(); }"),
        ];
        assert_eq!(complaints(&sources), Vec::<String>::new());
    }

    #[test]
    fn what_is_only_talked_about_or_called_alike_is_unused() {
        let manifest = "[dependencies]\n# comment\nclap.workspace = true\n";
        let sources = [
            source("Cargo.toml", WORKSPACE),
            source("x/Cargo.toml", manifest),
            source("x/src/lib.rs", "// clap::Parser does it\nuse thunderclap::Noise;"),
            source("y/src/lib.rs", "use clap::Parser;"),
        ];
        let expected = ["x/Cargo.toml: nothing here uses clap", "Cargo.toml: no package names aya-log"];
        assert_eq!(complaints(&sources), expected);
    }
}
