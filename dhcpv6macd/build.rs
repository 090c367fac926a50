//! Embeds the steering program's object: `DHCPV6MACD_BPF_OBJECT`, or else what `cargo xtask build` left in the target directory;
//! and the iPXE images that `DHCPV6MACD_EMBED_IPXE` lists, in the way of PATH, or else none.

#[path = "src/image/pe.rs"]
mod pe;

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use object::pe::{IMAGE_FILE_MACHINE_AMD64, IMAGE_FILE_MACHINE_ARM64, IMAGE_FILE_MACHINE_RISCV64};

/// Names the object: for this script from outside, and from here on for the crate.
const OBJECT: &str = "DHCPV6MACD_BPF_OBJECT";
/// Names the images, for this script.
const IMAGES: &str = "DHCPV6MACD_EMBED_IPXE";
/// Name one image each, for the crate, and what machine it is for.
const EMBEDDED: [(&str, u16); 3] = [
    ("DHCPV6MACD_EMBEDDED_X86_64", IMAGE_FILE_MACHINE_AMD64),
    ("DHCPV6MACD_EMBEDDED_ARM64", IMAGE_FILE_MACHINE_ARM64),
    ("DHCPV6MACD_EMBEDDED_RISCV64", IMAGE_FILE_MACHINE_RISCV64),
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/image/pe.rs");
    println!("cargo::rerun-if-env-changed={OBJECT}");
    println!("cargo::rerun-if-env-changed={IMAGES}");
    let object = object().map(|object| vec![(OBJECT, object)]);
    for files in [object, images()] {
        match files {
            Ok(files) => {
                files.iter().for_each(|(variable, file)| println!("cargo::rustc-env={variable}={}", file.display()));
            }
            Err(refusal) => println!("cargo::error={refusal}"),
        }
    }
}

fn object() -> Result<PathBuf, String> {
    if let Some(named) = env::var_os(OBJECT) {
        return watched(OBJECT, Path::new(&named));
    }
    let built = built().ok_or_else(|| {
        format!("there is no steering program to embed; make one with `cargo xtask build`, or name one in {OBJECT}")
    })?;
    watched(OBJECT, &built)
}

/// A file that is named from outside, and may change there.
fn watched(variable: &str, named: &Path) -> Result<PathBuf, String> {
    let unreadable = |error| format!("{variable} names {}, which cannot be read: {error}", named.display());
    let file = named.canonicalize().map_err(unreadable)?;
    println!("cargo::rerun-if-changed={}", file.display());
    Ok(file)
}

/// The target directory is somewhere above `OUT_DIR` (how far depends on `--target` and the tool), or else, for a crate outside
/// the workspace that depends on this one, the workspace's own.
fn built() -> Option<PathBuf> {
    let out = PathBuf::from(env::var_os("OUT_DIR")?);
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?.join("target");
    out.ancestors()
        .chain([workspace.as_path()])
        .map(|target| target.join("bpf/dhcpv6macd-ebpf"))
        .find(|object| object.exists())
}

/// The file for each kind of machine; an empty one where none is named.
fn images() -> Result<Vec<(&'static str, PathBuf)>, String> {
    let listed = env::var_os(IMAGES).unwrap_or_default();
    let named = env::split_paths(&listed).filter(|path| !path.as_os_str().is_empty());
    let images = named.map(|path| image(&path)).collect::<Result<Vec<_>, _>>()?;
    EMBEDDED
        .into_iter()
        .map(|(variable, machine)| {
            let mut for_it = images.iter().filter(|(_, of)| *of == machine).map(|(file, _)| file);
            match (for_it.next(), for_it.next()) {
                (Some(file), None) => Ok((variable, file.clone())),
                (None, _) => nothing().map(|file| (variable, file)),
                (Some(one), Some(other)) => Err(format!(
                    "{IMAGES} names two images for one kind of machine: {} and {}",
                    one.display(),
                    other.display()
                )),
            }
        })
        .collect()
}

/// A file, and the machine that it is for.
fn image(named: &Path) -> Result<(PathBuf, u16), String> {
    let file = watched(IMAGES, named)?;
    let wrong = |what: &str| format!("{IMAGES} names {}: {what}", named.display());
    let machine = fs::read(&file)
        .map_err(|error| wrong(&format!("cannot be read: {error}")))
        .and_then(|image| pe::machine(&image).map_err(wrong))?;
    let is_known = EMBEDDED.iter().any(|(_, of)| *of == machine);
    is_known.then_some((file, machine)).ok_or_else(|| wrong("it is for none of x86-64, arm64 and 64-bit RISC-V"))
}

fn nothing() -> Result<PathBuf, String> {
    let out = env::var_os("OUT_DIR").ok_or("cargo names no OUT_DIR")?;
    let file = PathBuf::from(out).join("nothing");
    if !file.exists() {
        fs::write(&file, []).map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    }
    Ok(file)
}
