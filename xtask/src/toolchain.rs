//! The compiler and the linker of the steering program: a rustc with the sources of its library, and a bpf-linker with an
//! LLVM of that rustc's version.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use crate::{command, workspace};

/// The oldest rustc that takes this workspace.
const RUSTC_MIN: &str = env!("CARGO_PKG_RUST_VERSION");
/// The bpf-linker that the steering program was tried with; an older one may write what the kernel refuses.
pub(crate) const BPF_LINKER: &str = "0.10.3";
/// Debian's own compiler stands beside rustup's.
const SYSTEM_RUSTC: &str = "/usr/bin/rustc";

/// A rustc that can build its own `core`, and the cargo beside it.
pub(crate) struct Compiler {
    pub(crate) rustc: PathBuf,
    pub(crate) cargo: PathBuf,
    /// For people.
    pub(crate) name: String,
    /// The libLLVM of this rustc.
    llvm: PathBuf,
}

/// What is already there: rustup's nightlies first, then the system's compiler.
pub(crate) fn find_compiler() -> Option<Compiler> {
    nightlies().into_iter().chain([PathBuf::from(SYSTEM_RUSTC)]).find_map(Compiler::at)
}

fn nightlies() -> Vec<PathBuf> {
    let Ok(names) = command::output(command::foreign("rustup").args(["toolchain", "list", "--quiet"])) else {
        return Vec::new(); // no rustup: the system's compiler is all there can be
    };
    let which =
        |name: &str| command::output(command::foreign("rustup").args(["which", "--toolchain", name, "rustc"])).ok();
    let nightlies = names.lines().filter(|name| name.starts_with("nightly"));
    nightlies.filter_map(which).map(|path| PathBuf::from(path.trim())).collect()
}

impl Compiler {
    /// `None` where this rustc is missing, too old, or has no library sources, cargo or libLLVM.
    fn at(rustc: PathBuf) -> Option<Self> {
        let version = command::output(command::foreign(&rustc).arg("--version").arg("--verbose")).ok()?;
        let (release, llvm) = versions(&version)?;
        if number(release)? < number(RUSTC_MIN)? {
            return None;
        }
        let sysroot = command::output(command::foreign(&rustc).args(["--print", "sysroot"])).ok()?;
        let sysroot = PathBuf::from(sysroot.trim());
        let cargo = rustc.with_file_name("cargo");
        let complete = cargo.exists() && sysroot.join("lib/rustlib/src/rust/library/core").exists();
        let name = format!("rustc {release} of {}, LLVM {llvm}", sysroot.display());
        complete.then_some(())?;
        Some(Self { rustc, cargo, name, llvm: find_llvm(&sysroot, llvm)? })
    }

    /// Is it the distribution's?
    pub(crate) fn is_systems(&self) -> bool {
        self.rustc == Path::new(SYSTEM_RUSTC)
    }

    /// The clippy that was made with this compiler, where it is installed.
    pub(crate) fn find_clippy(&self) -> Option<PathBuf> {
        let complete = self.cargo.with_file_name("clippy-driver").exists();
        Some(self.cargo.with_file_name("cargo-clippy")).filter(|clippy| complete && clippy.exists())
    }

    /// A program of this toolchain, with the linker, building as if no other toolchain were around.
    pub(crate) fn building(&self, program: &Path, linker: &Linker) -> Command {
        let mut command = command::foreign(program);
        command
            .env("CARGO", &self.cargo)
            .env("RUSTC", &self.rustc)
            .env("RUSTC_BOOTSTRAP", "1") // -Z build-std on a release compiler
            .env("LD_LIBRARY_PATH", &linker.llvm)
            .env("CARGO_TARGET_BPFEL_UNKNOWN_NONE_LINKER", &linker.program)
            .env("CARGO_ENCODED_RUSTFLAGS", "-Cdebuginfo=2\x1f-Clink-arg=--btf");
        command
    }
}

/// The Miri of one of rustup's nightlies, as a program to run beside its cargo.
pub(crate) fn find_miri() -> Option<PathBuf> {
    let has_sources = |rustc: &PathBuf| Compiler::at(rustc.clone()).is_some();
    let mut programs = nightlies().into_iter().filter(has_sources).map(|rustc| rustc.with_file_name("cargo-miri"));
    programs.find(|program| program.exists())
}

/// The release and the LLVM version of `rustc --version --verbose`.
fn versions(text: &str) -> Option<(&str, &str)> {
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    Some((field("release:")?, field("LLVM version:")?))
}

fn number(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.').map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

/// The shared library of this LLVM, in the places where rustup and Debian put it.
fn find_llvm(sysroot: &Path, version: &str) -> Option<PathBuf> {
    let (major, minor) = number(version)?;
    let libraries = sysroot.join("lib");
    let multiarch = fs::read_dir(&libraries).ok()?.filter_map(Result::ok).map(|entry| entry.path());
    let multiarch = multiarch.filter(|path| path.to_string_lossy().ends_with("-linux-gnu"));
    let directories = [libraries.clone(), libraries.join(format!("llvm-{major}/lib"))].into_iter().chain(multiarch);
    let name = format!("libLLVM.so.{major}.{minor}");
    let libraries = directories.filter_map(|directory| fs::read_dir(directory).ok()).flatten().filter_map(Result::ok);
    libraries
        .map(|entry| entry.path())
        .find(|path| path.is_file() && path.file_name().is_some_and(|file| file.to_string_lossy().starts_with(&name)))
}

/// A bpf-linker that runs with the compiler's LLVM.
pub(crate) struct Linker {
    pub(crate) program: PathBuf,
    /// bpf-linker loads the first libLLVM that it finds: a directory with nothing but the right one.
    llvm: PathBuf,
}

impl Linker {
    /// What is already there: on PATH first, then what setup installed.
    ///
    /// # Errors
    ///
    /// When the link to the LLVM cannot be made.
    pub(crate) fn find(compiler: &Compiler) -> Result<Option<Self>> {
        let llvm = link_llvm(compiler)?;
        let ours = Some(workspace::tools().join("bin/bpf-linker")).filter(|program| program.exists());
        let programs = [command::find("bpf-linker"), ours].into_iter().flatten();
        Ok(programs.map(|program| Self { program, llvm: llvm.clone() }).find(Self::fits))
    }

    /// It must run at all with that LLVM, and be no older than what was tried.
    fn fits(&self) -> bool {
        let version = command::foreign(&self.program).arg("--version").env("LD_LIBRARY_PATH", &self.llvm).output();
        let version = version.ok().filter(|output| output.status.success()).map(|output| output.stdout);
        let text = version.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
        text.trim().strip_prefix("bpf-linker ").is_some_and(|version| release(version) >= release(BPF_LINKER))
    }
}

fn release(version: &str) -> Vec<u32> {
    version.split(['.', '-', ' ']).map_while(|part| part.parse().ok()).collect()
}

/// What the workspace's compiler builds for: this machine.
///
/// # Errors
///
/// Without a rustc, or where it does not say.
pub(crate) fn host() -> Result<String> {
    let version = command::output(Command::new("rustc").arg("-vV").current_dir(workspace::root()))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc names no host")
}

/// Leaves the directory as it is when it already holds exactly this link.
fn link_llvm(compiler: &Compiler) -> Result<PathBuf> {
    let directory = workspace::tools().join("llvm");
    let file = compiler.llvm.file_name().context("the LLVM library has no name")?;
    let link = directory.join(file);
    let holds_one = fs::read_dir(&directory).is_ok_and(|entries| entries.count() == 1);
    if holds_one && fs::read_link(&link).is_ok_and(|target| target == compiler.llvm) {
        return Ok(directory);
    }
    if directory.exists() {
        fs::remove_dir_all(&directory).with_context(|| format!("cannot replace {}", directory.display()))?;
    }
    fs::create_dir_all(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
    symlink(&compiler.llvm, &link).with_context(|| format!("cannot link {}", link.display()))?;
    Ok(directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_a_compiler() {
        let text = "rustc 1.96.0 (ac68faa20 2026-05-25)\nhost: x86_64-unknown-linux-gnu\nrelease: 1.96.0\nLLVM version: 22.1.8\n";
        assert_eq!(versions(text), Some(("1.96.0", "22.1.8")));
        assert_eq!(versions("rustc 1.96.0"), None);
        assert_eq!(number("1.97.0-nightly"), Some((1, 97)));
        assert_eq!(number("nightly"), None);
    }

    #[test]
    fn an_older_linker_is_older() {
        assert!(release("0.9.15") < release(BPF_LINKER));
        assert!(release("0.10.2") < release(BPF_LINKER));
        assert!(release("0.10.3") >= release(BPF_LINKER));
        assert!(release("0.11.0 (LLVM 22)") >= release(BPF_LINKER));
        assert!(release("") < release(BPF_LINKER));
    }
}
