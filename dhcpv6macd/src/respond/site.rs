//! What answers depend on beside the request.

use std::sync::Arc;

use super::Reason;
use crate::{
    image::Images,
    local::Local,
    policy::{BootFiles, Policy, Refused},
    wire::MacAddr,
};

/// The interface and the policy as they are right now. Replaced as a whole when one of them changes.
#[derive(Clone, Debug)]
pub struct Site {
    /// The interface.
    pub local: Local,
    /// What the operator decided.
    pub policy: Arc<Policy>,
    /// The boot files that follow from both.
    pub boot_files: BootFiles,
    /// What those of TFTP are.
    pub images: Arc<Images>,
}

impl Site {
    /// This policy on this interface, and these images.
    #[must_use]
    pub fn new(local: Local, policy: Arc<Policy>, images: Arc<Images>) -> Self {
        let boot_files = BootFiles::new(&policy.boot, policy.base_address, &local.addresses);
        Self { local, policy, boot_files, images }
    }

    /// A machine's MAC is its own and nobody else's (IEEE 802-2014 section 8.2).
    ///
    /// # Errors
    ///
    /// Why it can be no machine's.
    pub fn check_machine(&self, mac: MacAddr) -> Result<(), Reason> {
        if mac.is_multicast() {
            Err(Reason::MulticastMac)
        } else if mac.is_zero() {
            Err(Reason::ZeroMac)
        } else if mac == self.local.mac {
            Err(Reason::OwnMac)
        } else {
            Ok(())
        }
    }

    /// May whoever has this MAC not be served, whatever it asks for?
    ///
    /// # Errors
    ///
    /// Where it is so.
    pub fn check_denied(&self, mac: MacAddr) -> Result<(), Reason> {
        if self.policy.access.denies(mac) { Err(Reason::DeniedMac) } else { Ok(()) }
    }

    /// Is this machine served?
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn check_access(&self, mac: MacAddr) -> Result<(), Reason> {
        self.policy.access.check(mac).map_err(|refused| match refused {
            Refused::Denied => Reason::DeniedMac,
            Refused::NotAllowed => Reason::NotAllowedMac,
        })
    }
}
