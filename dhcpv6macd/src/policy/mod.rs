//! Which address a machine gets, and for how long. Pure: no socket, no clock, no thread.

mod base_address;
mod lifetimes;
mod template;

pub use base_address::{BaseAddress, BaseAddressError};
pub use lifetimes::{Lifetimes, LifetimesError};
pub use template::UrlTemplate;

use crate::wire::Duid;

/// What the operator decided for every machine.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The prefix in front of every machine's MAC.
    pub base_address: BaseAddress,
    /// Times of every address.
    pub lifetimes: Lifetimes,
    /// DUID of the server.
    pub server_duid: Duid,
}
