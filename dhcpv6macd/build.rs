//! Embeds the steering program's object: `DHCPV6MACD_BPF_OBJECT`, or else what `cargo xtask build` left in the target directory.

use std::{
    env,
    path::{Path, PathBuf},
};

/// Names the object: for this script from outside, and from here on for the crate.
const OBJECT: &str = "DHCPV6MACD_BPF_OBJECT";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed={OBJECT}");
    match object() {
        Ok(object) => {
            println!("cargo::rerun-if-changed={}", object.display());
            println!("cargo::rustc-env={OBJECT}={}", object.display());
        }
        Err(refusal) => println!("cargo::error={refusal}"),
    }
}

fn object() -> Result<PathBuf, String> {
    if let Some(named) = env::var_os(OBJECT) {
        let named = PathBuf::from(named);
        return named
            .canonicalize()
            .map_err(|error| format!("{OBJECT} names {}, which cannot be read: {error}", named.display()));
    }
    built().ok_or_else(|| {
        format!("there is no steering program to embed; make one with `cargo xtask build`, or name one in {OBJECT}")
    })
}

/// The target directory is somewhere above `OUT_DIR` (how far depends on `--target` and the tool), or else, for a crate outside
/// the workspace that depends on this one, the workspace's own.
fn built() -> Option<PathBuf> {
    let out = PathBuf::from(env::var_os("OUT_DIR")?);
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?.join("target");
    out.ancestors()
        .chain([workspace.as_path()])
        .map(|target| target.join("bpf/dhcpv6macd-ebpf"))
        .find_map(|object| object.canonicalize().ok())
}
