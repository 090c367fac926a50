//! DHCPv6 messages (RFC 9915): views of what came, a writer for what goes.
//!
//! ```text
//! message:  type (1), transaction ID (3), options
//! option:   code (2), length (2), data            section 21.1
//! IA_NA:    IAID (4), T1 (4), T2 (4), options     section 21.4
//! relayed:  type (1), hop count (1), link address (16), peer address (16), options    section 9
//! IAADDR:   address (16), preferred lifetime (4), valid lifetime (4), options    section 21.6
//! ```

mod architecture;
mod classes;
mod fqdn;
mod message;
mod options;
mod relay;
mod server_option;
mod writer;

pub use architecture::{Architecture, Architectures, Processor};
pub use classes::{Classes, HTTP_CLIENT};
pub use fqdn::Fqdn;
pub use message::{ASSOCIATIONS_MAX, Association, AssociationKind, Message, MessageType, OPTIONS_MAX};
pub use options::{OptionCode, Options, StatusCode};
pub use relay::{RELAYS_MAX, RelayForward, Relays, for_client};
pub use server_option::{DomainName, NtpServer, ServerOption};
pub use writer::Writer;

/// UDP port that clients listen on (RFC 9915 section 7.2).
pub const CLIENT_PORT: u16 = 546;
/// UDP port that servers and relay agents listen on (RFC 9915 section 7.2).
pub const SERVER_PORT: u16 = 547;
