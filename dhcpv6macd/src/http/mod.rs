//! HTTP: hyper does the protocol; here is who may speak it, for how long, and what is served.
//!
//! * [`connection`]: connections are taken in, bounded, and cut off where nothing moves. Knows nothing of what is served.
//! * [`events`]: what happens to machines, as it happens, and what is known of them.
//! * [`page`]: the live rack page.

pub mod connection;
pub mod events;
pub mod page;
