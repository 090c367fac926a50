//! Where a worker's files come from: the images of iPXE, and a directory.

use std::time::Instant;

use tracing::trace;

use super::{processors::Processors, shelf::ShelfReader};
use crate::{
    policy::ImageName,
    respond::Site,
    tftp::{FileName, Files, Found},
    wire::{MacAddr, dhcpv6::Architectures},
};

/// A worker's files.
pub(super) struct WorkerFiles {
    pub(super) processors: Processors,
    /// `None` where there is no directory.
    pub(super) shelf: Option<ShelfReader>,
}

impl WorkerFiles {
    /// A machine has said what it can boot.
    pub(super) fn note(&self, mac: MacAddr, architectures: Architectures<'_>) {
        // An operating system says nothing; what its firmware said is still so.
        if architectures.count() > 0 {
            self.processors.note(mac, architectures.processor());
        }
    }

    /// With the images that there are now.
    pub(super) fn at<'a>(&'a self, site: &'a Site) -> SiteFiles<'a> {
        SiteFiles { own: self, site }
    }
}

/// A worker's files at some moment.
pub(super) struct SiteFiles<'a> {
    own: &'a WorkerFiles,
    site: &'a Site,
}

impl Files for SiteFiles<'_> {
    fn find(&mut self, name: &FileName, asker: MacAddr, now: Instant) -> Found {
        let mac = name.mac.unwrap_or(asker);
        if let Some(image) = ImageName::parse(name.file()) {
            let processor = match image {
                ImageName::Of(processor) => processor,
                ImageName::OwnProcessor => self.own.processors.of(mac).unwrap_or_else(|| self.site.images.usual()),
            };
            if let Some(image) = self.site.images.of(processor) {
                return Found::File(image.clone());
            }
        }
        let found = self.own.shelf.as_ref().map_or(Found::Missing, |shelf| shelf.find(mac, name, now));
        if found == Found::Missing {
            trace!(%mac, file = name.file(), "there is no such file for TFTP");
        }
        found
    }
}
