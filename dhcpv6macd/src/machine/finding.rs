//! What is odd about machines.

use std::fmt;

use crate::wire::MacAddr;

/// What is worth telling of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Two machines seem to have this MAC.
    MacConflict {
        /// What shows it.
        sign: ConflictSign,
        /// The DUID that was seen just now.
        client_id: Box<[u8]>,
        /// The one that was seen before it, if any was.
        other: Box<[u8]>,
    },
    /// The DUID was made from another MAC, such as that of a dongle or a dock.
    ForeignMac(MacAddr),
}

/// What shows that two machines have one MAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConflictSign {
    /// Two DUIDs take turns within one stage of a boot.
    Alternating,
    /// A machine declined its address: it has found somebody else who uses it (RFC 9915 section 18.2.8).
    Declined,
}

impl Finding {
    /// Name of its counter.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::MacConflict { .. } => "mac_conflict",
            Self::ForeignMac(_) => "duid_of_another_mac",
        }
    }
}

/// In words.
impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MacConflict { sign: ConflictSign::Alternating, .. } => {
                formatter.write_str("mac_conflict: two machines seem to have one MAC, their DUIDs take turns")
            }
            Self::MacConflict { sign: ConflictSign::Declined, .. } => {
                formatter.write_str("mac_conflict: the machine has declined its address, somebody else uses it")
            }
            Self::ForeignMac(of) => {
                write!(formatter, "the machine's DUID was made from another MAC, {of}: a dongle's or a dock's?")
            }
        }
    }
}
