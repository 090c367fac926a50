//! Starting programs, and what they inherit.

use std::{
    env,
    ffi::OsStr,
    fs,
    io::{self, Write as _},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use crate::workspace;

/// Settings of the machine that a build of ours must keep: caches, proxies, registries.
const KEPT: [&str; 6] =
    ["CARGO_HOME", "CARGO_HTTP_", "CARGO_NET_", "CARGO_REGISTR", "CARGO_SOURCE_", "CARGO_BUILD_JOBS"];
/// Where system programs are that a user's PATH may lack.
const SYSTEM_DIRECTORIES: [&str; 4] = ["/usr/sbin", "/sbin", "/usr/lib/systemd", "/lib/systemd"];

/// The cargo that runs this task, at the workspace's root.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace::root());
    command
}

/// A program at the workspace's root that must not see the toolchain that runs this task: `cargo run` and rustup leave
/// `RUSTUP_TOOLCHAIN`, `CARGO`, `CARGO_PKG_*` and a library path behind.
pub(crate) fn foreign(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(workspace::root()).env_remove("LD_LIBRARY_PATH");
    for (name, _) in env::vars_os().filter(|(name, _)| leaks(&name.to_string_lossy())) {
        command.env_remove(name);
    }
    command
}

fn leaks(name: &str) -> bool {
    let of_cargo = name.starts_with("CARGO") && !KEPT.iter().any(|kept| name.starts_with(kept));
    let of_rustc = ["RUSTC", "RUSTDOC", "RUSTFLAGS", "RUSTUP_TOOLCHAIN"].iter().any(|prefix| name.starts_with(prefix));
    of_cargo || of_rustc
}

/// Runs to the end; anything but success is an error that names the command.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {}", shown(command)))?;
    if !status.success() {
        bail!("{} failed: {status}", shown(command));
    }
    Ok(())
}

/// Runs to the end, and hands on how it ended.
pub(crate) fn status(command: &mut Command) -> Result<ExitCode> {
    let status = command.status().with_context(|| format!("cannot start {}", shown(command)))?;
    let code = status.code().with_context(|| format!("{} failed: {status}", shown(command)))?;
    Ok(u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Says what is done, does it, and says how long it took where somebody had to wait.
pub(crate) fn stage<T>(what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    println!("{what}");
    let start = Instant::now();
    let done = work()?;
    if start.elapsed() > Duration::from_secs(5) {
        println!("  done in {:.0} s", start.elapsed().as_secs_f64());
    }
    Ok(done)
}

/// Like [`run`], but what the command prints is shown only if it fails.
pub(crate) fn quietly(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("cannot start {}", shown(command)))?;
    if !output.status.success() {
        io::stderr().write_all(&[output.stdout, output.stderr].concat()).context("cannot write to standard error")?;
        bail!("{} failed: {}", shown(command), output.status);
    }
    Ok(())
}

/// What a command prints; anything but success is an error that names the command and its last words.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot start {}", shown(command)))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        bail!("{} failed: {}: {}", shown(command), output.status, words.lines().last().unwrap_or("it said nothing"));
    }
    String::from_utf8(output.stdout).with_context(|| format!("{} prints no text", shown(command)))
}

fn shown(command: &Command) -> String {
    let words: Vec<_> =
        [command.get_program()].into_iter().chain(command.get_args()).map(OsStr::to_string_lossy).collect();
    format!("`{}`", words.join(" "))
}

/// The program of this name on PATH or in a system directory.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let directories = env::split_paths(&path).chain(SYSTEM_DIRECTORIES.map(PathBuf::from));
    directories.map(|directory| directory.join(program)).find(|file| is_program(file))
}

fn is_program(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// Whether this process is root's.
///
/// # Errors
///
/// Without /proc.
pub(crate) fn is_root() -> Result<bool> {
    Ok(fs::metadata("/proc/self").context("cannot read /proc/self: mount /proc")?.uid() == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_build_keeps_the_machine_and_drops_the_toolchain() {
        let kept = ["CARGO_HOME", "CARGO_HTTP_PROXY", "CARGO_NET_OFFLINE", "RUSTUP_HOME", "RUST_BACKTRACE", "PATH"];
        assert_eq!(kept.into_iter().filter(|name| leaks(name)).collect::<Vec<_>>(), Vec::<&str>::new());
        let dropped =
            ["CARGO", "CARGO_PKG_NAME", "CARGO_ENCODED_RUSTFLAGS", "RUSTC", "RUSTC_WRAPPER", "RUSTUP_TOOLCHAIN"];
        assert_eq!(dropped.into_iter().filter(|name| !leaks(name)).collect::<Vec<_>>(), Vec::<&str>::new());
    }

    #[test]
    fn failure_names_the_command() {
        let error = run(Command::new("sh").args(["-c", "exit 3"])).unwrap_err().to_string();
        assert!(error.contains("`sh -c exit 3`") && error.contains('3'), "{error}");
    }

    #[test]
    fn a_status_is_handed_on_and_a_signal_is_a_failure() {
        assert_eq!(status(Command::new("sh").args(["-c", "exit 3"])).unwrap(), ExitCode::from(3));
        let error = status(Command::new("sh").args(["-c", "kill -TERM $$"])).unwrap_err().to_string();
        assert!(error.contains("signal: 15"), "{error}");
    }

    #[test]
    fn programs_are_found_by_name_and_directories_are_none() {
        assert!(find("sh").is_some());
        assert_eq!(find("systemd"), find("systemd").filter(|file| file.is_file()));
        assert_eq!(find("no-such-program"), None);
    }
}
