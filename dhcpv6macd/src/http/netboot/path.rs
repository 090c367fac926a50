//! Paths of requests.

use percent_encoding::percent_decode_str;

use crate::wire::MacAddr;

/// Bytes of a file's name with its directories, at most.
pub const PATH_MAX: usize = 1024;

/// What a path names: a machine, and a file for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path {
    pub(super) mac: MacAddr,
    /// Decoded, with one slash between two parts.
    pub(super) file: String,
}

impl Path {
    /// Reads a path. Decoded once, and then taken apart: Debian's iPXE writes the colons of a MAC as `%3A`.
    pub(super) fn parse(path: &str) -> Option<Self> {
        let decoded = percent_decode_str(path).decode_utf8().ok()?;
        // Of a directory there is nothing to be had.
        if decoded.ends_with('/') || decoded.contains(char::is_control) {
            return None;
        }
        let mut parts = decoded.strip_prefix('/')?.split('/').filter(|part| !part.is_empty());
        if parts.next() != Some("mac") {
            return None;
        }
        let mac = parts.next()?.parse().ok()?;
        let file = parts.collect::<Vec<_>>().join("/");
        (1..=PATH_MAX).contains(&file.len()).then_some(Self { mac, file })
    }

    /// What the file holds, by the end of its name. UEFI boots what is `application/efi`, or is called `.efi`, `.iso` or `.img`.
    pub(super) fn content_type(&self) -> &'static str {
        let extension = self.file.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
        match extension.as_deref() {
            Some("efi") => "application/efi",
            Some("cfg" | "conf" | "ipxe" | "txt" | "yaml" | "yml") => "text/plain; charset=utf-8",
            Some("ign" | "json") => "application/json",
            Some(_) | None => "application/octet-stream",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(path: &str) -> Option<String> {
        Path::parse(path).map(|path| format!("{} {}", path.mac, path.file))
    }

    #[test]
    fn a_machine_is_spelt_in_many_ways_and_is_one_machine() {
        for path in [
            "/mac/52:54:00:12:34:5a/boot.efi",
            "/mac/52:54:00:12:34:5A/boot.efi",
            "/mac/52-54-00-12-34-5a/boot.efi",
            "/mac/52540012345a/boot.efi",
            "/mac/52%3A54%3a00%3A12%3A34%3A5a/boot.efi",
            "/mac/52%3A54%3a00%3A12%3A34%3A5a%2Fboot%2eefi",
            "//mac//52:54:00:12:34:5a//boot.efi",
        ] {
            assert_eq!(parsed(path).as_deref(), Some("52:54:00:12:34:5a boot.efi"), "{path}");
        }
        let nested = parsed("/mac/52:54:00:12:34:5a/a//b/c%25%32%65").unwrap();
        assert_eq!(nested, "52:54:00:12:34:5a a/b/c%2e", "decoded once");
    }

    #[test]
    fn anything_else_is_none() {
        for path in [
            "",
            "/",
            "*",
            "/mac",
            "/mac/",
            "/mac/52:54:00:12:34:5a",
            "/mac/52:54:00:12:34:5a/",
            "/mac/52:54:00:12:34:5a/directory/",
            "/mac/52:54:00:12:34/boot.efi",
            "/mac/default/boot.efi",
            "/MAC/52:54:00:12:34:5a/boot.efi",
            "/52:54:00:12:34:5a/boot.efi",
            "/mac/52:54:00:12:34:5a/a%00b",
            "/mac/52:54:00:12:34:5a/%0a",
            "/mac/52:54:00:12:34:5a/%ff",
            &format!("/mac/52:54:00:12:34:5a/{}", "a".repeat(PATH_MAX + 1)),
        ] {
            assert_eq!(parsed(path), None, "{path}");
        }
    }

    #[test]
    fn what_a_file_holds_is_told_by_its_name() {
        for (name, expected) in [
            ("boot.efi", "application/efi"),
            ("a/BOOT.EFI", "application/efi"),
            ("disk.iso", "application/octet-stream"),
            ("vmlinuz", "application/octet-stream"),
            ("boot.ipxe", "text/plain; charset=utf-8"),
        ] {
            let path = Path { mac: MacAddr([0; 6]), file: name.to_owned() };
            assert_eq!(path.content_type(), expected);
        }
    }
}
