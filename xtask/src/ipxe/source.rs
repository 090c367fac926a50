//! iPXE from its source.

use std::{
    env::consts::ARCH,
    fs::{self, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
    thread,
};

use anyhow::{Context as _, Result, bail};

use super::{Arch, copy, make_anew};
use crate::{
    command,
    setup::{self, Needed},
    workspace,
};

/// What iPXE does by itself.
const SCRIPT: &str = include_str!("../../ipxe/boot.ipxe");
/// What it is to have whatever else its version has: IPv6 and HTTPS to boot by, and commands to see what is wrong.
const CONFIGURATION: &str = "\
#define NET_PROTO_IPV6
#define DOWNLOAD_PROTO_TFTP
#define DOWNLOAD_PROTO_HTTP
#define DOWNLOAD_PROTO_HTTPS
#define PING_CMD
#define NSLOOKUP_CMD
#define IPSTAT_CMD
#define NEIGHBOUR_CMD
";

/// Compilers for other processors than this machine's.
const CROSS_COMPILERS: [(Arch, Needed); 2] = [
    (
        Arch::X86_64,
        Needed { program: "x86_64-linux-gnu-gcc", package: "gcc-x86-64-linux-gnu", why: "compiles for x86-64" },
    ),
    (
        Arch::Arm64,
        Needed { program: "aarch64-linux-gnu-gcc", package: "gcc-aarch64-linux-gnu", why: "compiles for arm64" },
    ),
];

/// What is to be built.
pub(super) struct Build<'a> {
    pub(super) source: &'a Path,
    pub(super) arch: Arch,
    pub(super) trust: Option<&'a Path>,
    pub(super) script: Option<&'a Path>,
}

impl Build<'_> {
    /// Builds in a copy, and returns where the program is.
    pub(super) fn make(&self) -> Result<PathBuf> {
        if !self.source.join("src/image/efi_image.c").is_file() {
            bail!("--source {}: no checkout of iPXE: there is no src/image/efi_image.c in it", self.source.display());
        }
        let cross = self.cross_compiler();
        setup::ipxe(cross, self.trust.is_some())?;
        let directory = workspace::ipxe().join(self.arch.name());
        let tree = directory.join("source");
        command::stage("copying iPXE's source, and changing the copy", || self.prepare(&tree))?;
        let built = command::stage("compiling iPXE (three minutes)", || self.compile(&tree, cross))?;
        let place = directory.join("ipxe.efi");
        copy(&built, &place)?;
        Ok(place)
    }

    fn cross_compiler(&self) -> Option<&'static Needed> {
        let is_native = matches!((self.arch, ARCH), (Arch::X86_64, "x86_64") | (Arch::Arm64, "aarch64"));
        let fits = |(arch, _): &&(Arch, Needed)| !is_native && *arch == self.arch;
        CROSS_COMPILERS.iter().find(fits).map(|(_, compiler)| compiler)
    }

    /// Everything that the build reads, under names of ours, which hold no letter that make would take for something else.
    fn prepare(&self, tree: &Path) -> Result<()> {
        make_anew(tree)?;
        let (original, source) = (self.source.join("src").canonicalize()?, tree.join("src"));
        let mut copying = command::foreign("cp");
        command::quietly(copying.args(["--archive", "--no-target-directory"]).arg(original).arg(&source))?;
        remove_builds(&source)?;
        match self.script {
            Some(script) => copy(script, &source.join("boot.ipxe"))?,
            None => fs::write(source.join("boot.ipxe"), SCRIPT)?,
        }
        if let Some(trust) = self.trust {
            let certificate = source.join("trust.pem");
            copy(trust, &certificate)?;
            // iPXE's build would trust whom iPXE trusts by itself.
            command::quietly(command::foreign("openssl").args(["x509", "-noout", "-in"]).arg(&certificate))
                .with_context(|| format!("--trust {}: there is no certificate in it", trust.display()))?;
        }
        let configuration = source.join("config/local/general.h");
        let mut configuration = OpenOptions::new().append(true).create(true).open(configuration)?;
        configuration.write_all(CONFIGURATION.as_bytes())?;
        let change = workspace::root().join("xtask/ipxe/uki-command-line.patch");
        let mut patch = command::foreign("patch");
        patch.args(["--strip=1", "--forward", "--batch", "--directory"]).arg(tree).arg("--input").arg(&change);
        command::quietly(&mut patch).with_context(|| format!("{} does not fit this iPXE", change.display()))
    }

    fn compile(&self, tree: &Path, cross: Option<&Needed>) -> Result<PathBuf> {
        let program = format!("bin-{}-efi/ipxe.efi", self.arch.name());
        let source = tree.join("src");
        let jobs = thread::available_parallelism().map_or(1, Into::into);
        let mut make = command::foreign("make");
        make.arg("--directory").arg(&source).arg(format!("--jobs={jobs}")).arg(&program);
        // A newer compiler's warning is no reason to go without.
        make.args(["EMBED=boot.ipxe", "NO_WERROR=1"]);
        if self.trust.is_some() {
            // Of what it trusts it keeps a fingerprint; and the certificate, which servers need not send then.
            make.args(["TRUST=trust.pem", "CERT=trust.pem"]);
        }
        if let Some(compiler) = cross {
            make.arg(format!("CROSS={}", compiler.program.trim_end_matches("gcc")));
        }
        if let Some(commit) = self.commit() {
            make.arg(format!("GITVERSION={commit}"));
        }
        command::quietly(&mut make).context("iPXE does not build")?;
        Ok(source.join(program))
    }

    /// For the version that it shows. `None` where the source is no checkout, or there is no git.
    fn commit(&self) -> Option<String> {
        let mut git = command::foreign("git");
        let commit = command::output(git.arg("-C").arg(self.source.canonicalize().ok()?).args(["rev-parse", "HEAD"]));
        Some(commit.ok()?.trim().to_owned())
    }
}

/// What was built in the checkout was built from something else.
fn remove_builds(source: &Path) -> Result<()> {
    for entry in fs::read_dir(source)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("bin-") {
            fs::remove_dir_all(entry.path()).with_context(|| format!("cannot remove {}", entry.path().display()))?;
        }
    }
    Ok(())
}
