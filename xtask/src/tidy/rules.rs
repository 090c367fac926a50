//! Rules for the text of a file.

use std::collections::BTreeSet;

use super::Source;

/// What may stand at the top beside lock and dot files.
const TOP_LEVEL: [&str; 8] =
    ["Cargo.toml", "LICENSE", "README.md", "dhcpv6macd", "dhcpv6macd-ebpf", "flake.nix", "tests", "xtask"];

/// Lines of a Rust file.
const LINES_MAX: usize = 500;

/// The lint that is denied in the whole workspace. In halves, so that this file does not lift it.
const LINT: &str = concat!("unsafe", "_code");
/// Where that lint may be lifted: in the kernel, and where the kernel shares memory with us.
const UNSAFE_ALLOWED: [&str; 4] = [
    "dhcpv6macd-ebpf/src/main.rs",
    "dhcpv6macd/src/datapath/mmap.rs",
    "dhcpv6macd/src/datapath/ring/slots.rs",
    "dhcpv6macd/src/datapath/sys.rs",
];

/// Words of unfinished work. In halves, so that this file has none.
const UNFINISHED: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];

/// Where people's machines keep their files. In halves, so that this file names none.
const MACHINES: [&str; 3] = [concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/wo", "rk/")];

/// What is missing at the top, and what does not belong there.
pub(super) fn top_level<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let names: BTreeSet<_> = names.filter(|name| !name.starts_with('.') && !name.ends_with(".lock")).collect();
    let allowed = BTreeSet::from(TOP_LEVEL);
    let missing = allowed.difference(&names).map(|name| format!("{name}: is missing"));
    let strange = names.difference(&allowed).map(|name| format!("{name}: does not belong at the top"));
    missing.chain(strange).collect()
}

/// What is wrong with a file.
pub(super) fn complaints(source: &Source) -> Vec<String> {
    let Source { path, text } = source;
    let is_rust = path.ends_with(".rs");
    let mut complaints = Vec::new();
    let lines = text.lines().count();
    if is_rust && lines > LINES_MAX {
        complaints.push(format!("{path}: {lines} lines, more than {LINES_MAX}: split it"));
    }
    let exempt = path.ends_with(".lock") || path == "LICENSE";
    for (line, number) in text.lines().zip(1..).filter(|_| !exempt) {
        let mut complain = |what: &str| complaints.push(format!("{path}:{number}: {what}"));
        if UNFINISHED.iter().any(|word| line.split(|byte: char| !byte.is_alphanumeric()).any(|part| part == *word)) {
            complain("unfinished work: do it, or write an issue");
        }
        if MACHINES.iter().any(|place| line.contains(place)) {
            complain("a path of somebody's machine");
        }
        if is_rust && lets_unsafe_in(line) && !UNSAFE_ALLOWED.contains(&path.as_str()) {
            complain("unsafe code has its places, and this is none of them");
        }
    }
    complaints
}

/// Does this line lift the workspace's ban of unsafe code?
fn lets_unsafe_in(line: &str) -> bool {
    line.contains(LINT) && !line.contains(&format!("forbid({LINT})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints_about(path: &str, text: &str) -> Vec<String> {
        complaints(&Source { path: path.to_owned(), text: text.to_owned() })
    }

    #[test]
    fn a_file_has_its_length() {
        assert_eq!(complaints_about("tests/src/a.rs", &"\n".repeat(500)), Vec::<String>::new());
        let complaints = complaints_about("tests/src/a.rs", &"\n".repeat(501));
        assert_eq!(complaints, ["tests/src/a.rs: 501 lines, more than 500: split it"]);
        assert_eq!(complaints_about("README.md", &"\n".repeat(501)), Vec::<String>::new());
    }

    #[test]
    fn unfinished_work_is_found_as_a_word() {
        for word in UNFINISHED {
            let complaints = complaints_about("README.md", &format!("fine\n// {word}: later\n{word}S {word}7"));
            assert_eq!(complaints, ["README.md:2: unfinished work: do it, or write an issue"], "{word}");
        }
    }

    #[test]
    fn paths_of_machines_are_found() {
        for place in MACHINES {
            let complaints = complaints_about("flake.nix", &format!("src = {place}project;"));
            assert_eq!(complaints, ["flake.nix:1: a path of somebody's machine"], "{place}");
        }
    }

    #[test]
    fn the_lint_is_lifted_where_it_may_be() {
        let line = &format!("#![expect({LINT}, reason = \"mapped memory\")]");
        assert_eq!(complaints_about("dhcpv6macd/src/datapath/mmap.rs", line), Vec::<String>::new());
        let complaints = complaints_about("dhcpv6macd/src/wire/mac.rs", line);
        assert_eq!(complaints, ["dhcpv6macd/src/wire/mac.rs:1: unsafe code has its places, and this is none of them"]);
        assert_eq!(
            complaints_about("dhcpv6macd-ebpf/src/lib.rs", &format!("#![forbid({LINT})]")),
            Vec::<String>::new()
        );
    }

    #[test]
    fn the_top_is_what_it_is() {
        let beside = [".ci", "Cargo.lock", "flake.lock"];
        assert_eq!(top_level(TOP_LEVEL.into_iter().chain(beside)), Vec::<String>::new());
        let complaints = top_level(TOP_LEVEL.into_iter().skip(1).chain(["notes.txt"]));
        assert_eq!(complaints, ["Cargo.toml: is missing", "notes.txt: does not belong at the top"]);
    }
}
