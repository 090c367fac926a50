//! Which address a machine gets, and for how long. Pure: no socket, no clock, no thread.

mod base_address;
mod lifetimes;

pub use base_address::{BaseAddress, BaseAddressError};
pub use lifetimes::{Lifetimes, LifetimesError};
