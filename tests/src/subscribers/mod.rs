//! Subscribers to the daemon's events: thousands of them on one thread, of whom every byte is looked at.
//!
//! * [`Crowd`]: their connections. [`dial`]: one that may never read.
//! * [`Heard`]: what they have heard, and what they have not.
//!
//! All that were there from the beginning hear the same bytes. Whoever hears them first writes them into the [`Chronicle`], which is
//! decoded once; everybody else's are compared with it, which costs no more than to receive them. Who hears something else goes on by
//! itself, by the numbers of events.

mod chronicle;
mod chunked;
mod crowd;
mod tally;

use chronicle::Chronicle;

pub use self::crowd::{Crowd, Heard, dial};

/// What a machine goes through that asks for its address in UEFI PXE, and no further.
pub(crate) const STEPS: [&str; 3] = ["init", "firmware_init", "point_pxe_to_ipxe_over_tftp"];

/// The events of a boot by way of PXE and iPXE.
pub const BOOT: [&str; 8] = [
    "init",
    "firmware_init",
    "point_pxe_to_ipxe_over_tftp",
    "serve_ipxe_over_tftp",
    "served_ipxe_over_tftp",
    "point_ipxe_to_http_boot",
    "http_fetch_uki",
    "os_init",
];
