//! HTTP: hyper does the protocol; here is who may speak it, for how long, and what is served.
//!
//! * [`connection`]: connections are taken in, bounded, and cut off where nothing moves. Knows nothing of what is served.
//! * [`tls`]: connections that begin with a handshake, and a certificate that may change.
//! * [`events`]: what happens to machines, as it happens, and what is known of them.
//! * [`page`]: the live rack page.
//! * [`netboot`]: files for machines that boot. [`representation`]: what tells a file from others. [`conditions`]: whether it is sent, and which
//!   part. Pure.
//! * [`transfer`]: a file on its way, and what is told of it. [`body`]: the way through this process; [`sendfile`]: past it, where
//!   `sending` has the kernel send it, and `arrival` looks what of it has come to the other end.

mod arrival;
pub mod body;
pub mod conditions;
pub mod connection;
pub mod events;
pub mod netboot;
pub mod page;
pub mod representation;
pub mod sendfile;
mod sending;
pub mod tls;
pub mod transfer;
