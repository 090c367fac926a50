//! What can be meant, but hardly is.

use std::{fs, net::Ipv6Addr, path::Path};

use super::{Config, options::TFTP_PORT};
use crate::{
    policy::{ImageSet, OWN_IMAGE},
    wire::{MacAddr, dhcpv6::OptionCode},
};

const NO_DNS: &str =
    "the boot URL's host has a name, and there are no --dns-servers: UEFI HTTP boot ignores such an offer";
const OTHER_PORT: &str =
    "TFTP is not on port 69: firmware knows no other, and will find nothing at the URL that PXE is told";
const NO_IPXE: &str = "TFTP has no iPXE to serve: none is compiled in, there is no --ipxe-x86-64-efi, and no ipxe.efi in \
                       --tftp-root; machines in PXE will not find what they are told of";
const NO_TEMPLATE: &str =
    "there is no --http-boot-url-template: iPXE and UEFI HTTP boot are given an address, and nothing to boot";

const NO_NETBOOT: &str = "there is a certificate and no --netboot-dir: HTTPS has nothing to serve, and is off";
const NOWHERE: &str = "there is a --netboot-dir, and it is served nowhere: --http-listen-addr is off, and so is HTTPS, or has no certificate";

impl Config {
    /// What can be meant, but hardly is. Looks into the directories that are named.
    #[must_use]
    pub fn warnings(&self) -> Vec<&'static str> {
        let template = self.boot.http.as_ref();
        let names_its_host = template.is_some_and(|template| template.names_its_host());
        let has_dns = self.options.iter().any(|option| option.code == OptionCode::DNS_SERVERS);
        let has_other_port = self.boot.tftp.is_some_and(|tftp| tftp.port != TFTP_PORT);
        let own = self.tftp.map(|listen| listen.ip());
        let is_somebody_elses = |server: Ipv6Addr| own != Some(server.into());
        let is_somebody_elses = self.boot.tftp.is_none_or(|tftp| tftp.server.is_some_and(is_somebody_elses));
        let has_nothing = self.tftp.is_some() && !is_somebody_elses && !self.has_ipxe();
        let leads_nowhere = self.boot.tftp.is_some() && template.is_none();
        [
            (names_its_host && !has_dns, NO_DNS),
            (has_other_port, OTHER_PORT),
            (has_nothing, NO_IPXE),
            (leads_nowhere, NO_TEMPLATE),
            (self.tls.is_some() && self.netboot_dir.is_none(), NO_NETBOOT),
            (self.netboot_dir.is_some() && !self.serves_boot_files(), NOWHERE),
        ]
        .into_iter()
        .filter_map(|(is_so, warning)| is_so.then_some(warning))
        .collect()
    }

    /// Are the files of `--netboot-dir` served anywhere?
    #[must_use]
    pub const fn serves_boot_files(&self) -> bool {
        let is_somewhere = self.http.is_some() || self.https.is_some() && self.tls.is_some();
        self.netboot_dir.is_some() && is_somewhere
    }

    fn has_ipxe(&self) -> bool {
        self.ipxe.set() != ImageSet::default() || self.tftp_root.as_deref().is_some_and(has_ipxe)
    }
}

/// Is there an iPXE in this directory, for all machines or for one?
fn has_ipxe(root: &Path) -> bool {
    let is_here = |directory: &Path| directory.join(OWN_IMAGE).is_file();
    let of_machines = || {
        let entries = fs::read_dir(root).into_iter().flatten().flatten();
        let is_machines = |name: &str| name.parse().is_ok_and(|mac: MacAddr| mac.to_string() == name);
        entries.filter(move |entry| entry.file_name().to_str().is_some_and(is_machines))
    };
    is_here(root) || of_machines().any(|entry| is_here(&entry.path()))
}
