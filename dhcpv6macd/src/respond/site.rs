//! What answers depend on beside the request.

use std::sync::Arc;

use crate::{
    local::Local,
    policy::{BootFiles, Policy},
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
}

impl Site {
    /// This policy on this interface.
    #[must_use]
    pub fn new(local: Local, policy: Arc<Policy>) -> Self {
        let boot_files = BootFiles::new(&policy.boot, policy.base_address, &local.addresses);
        Self { local, policy, boot_files }
    }
}
