//! DHCPv6 messages (RFC 9915): views of what came, a writer for what goes.
//!
//! ```text
//! message:  type (1), transaction ID (3), options
//! option:   code (2), length (2), data            section 21.1
//! IA_NA:    IAID (4), T1 (4), T2 (4), options     section 21.4
//! IAADDR:   address (16), preferred lifetime (4), valid lifetime (4), options    section 21.6
//! ```

mod fqdn;
mod message;
mod options;
mod writer;

pub use fqdn::Fqdn;
pub use message::{ASSOCIATIONS_MAX, Association, AssociationKind, Message, MessageType, OPTIONS_MAX};
pub use options::{OptionCode, Options, StatusCode};
pub use writer::Writer;

/// UDP port that clients listen on (RFC 9915 section 7.2).
pub const CLIENT_PORT: u16 = 546;
