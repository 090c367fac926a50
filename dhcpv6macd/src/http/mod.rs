//! HTTP: hyper does the protocol; here is who may speak it, for how long, and what is served.
//!
//! * [`connection`]: connections are taken in, bounded, and cut off where nothing moves. Knows nothing of what is served.
//! * [`page`]: the live rack page.

pub mod connection;
pub mod page;
