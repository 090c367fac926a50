//! Files of a directory while others work in it.
#![cfg(test)]

use std::{
    fs,
    os::unix::{fs::symlink, net::UnixListener},
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use dhcpv6macd::{
    tree::{Tree, TreeError},
    wire::MacAddr,
};
use tempfile::TempDir;

const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);

#[test]
fn a_link_leads_where_it_did_while_something_else_is_renamed() {
    let directory = TempDir::new().unwrap();
    let path = |name: &str| directory.path().join(name);
    for name in ["default", "images"] {
        fs::create_dir(path(name)).unwrap();
    }
    fs::write(path("images/uki.efi"), "").unwrap();
    symlink(Path::new("../images/../images/uki.efi"), path("default/boot.efi")).unwrap();
    fs::write(path("one"), "").unwrap();
    let tree = Tree::open(directory.path()).unwrap();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                fs::rename(path("one"), path("other")).unwrap();
                fs::rename(path("other"), path("one")).unwrap();
            }
        });
        let failed = (0..20_000).find_map(|_| tree.netboot_file(MAC, "boot.efi").err());
        is_over.store(true, Ordering::Relaxed);
        assert!(failed.is_none(), "{failed:?}");
    });
}

#[test]
fn a_socket_is_no_file() {
    let directory = TempDir::new().unwrap();
    let _listener = UnixListener::bind(directory.path().join("socket")).unwrap();
    let found = Tree::open(directory.path()).unwrap().file(MAC, "socket");
    let Err(TreeError::Denied(error)) = found else { panic!("{found:?}") };
    assert_eq!(error.to_string(), "not a regular file");
}
