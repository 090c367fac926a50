//! Where things are.

use std::{
    env,
    path::{Path, PathBuf},
};

/// The directory of the workspace.
pub(crate) fn root() -> &'static Path {
    let member = Path::new(env!("CARGO_MANIFEST_DIR"));
    member.parent().unwrap_or(member)
}

/// The workspace's target directory.
pub(crate) fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |target| root().join(target))
}

/// What [`setup`](crate::setup) installs, beside the builds.
pub(crate) fn tools() -> PathBuf {
    target().join("tools")
}

/// The iPXE images, and what they are made from.
pub(crate) fn ipxe() -> PathBuf {
    target().join("ipxe")
}

/// The steering program's object, where the daemon's build script looks for it.
pub(crate) fn bpf_object() -> PathBuf {
    target().join("bpf/dhcpv6macd-ebpf")
}

/// The fuzz targets: a workspace of their own, because they want a fuzzer's compiler flags.
pub(crate) fn fuzz() -> PathBuf {
    root().join("tests/fuzz/Cargo.toml")
}

/// The daemon.
pub(crate) fn daemon() -> PathBuf {
    target().join("release/dhcpv6macd")
}
