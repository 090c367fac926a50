//! Is this frame ours? One answer for the kernel and for the host.
//!
//! * [`header`]: the Ethernet, IPv6 and UDP headers as they lie on the wire, read in place.
//! * [`classify()`]: the decision, a [`Verdict`], from a [`Frame`] and from what is [`Ours`].
//! * [`map`]: the maps that the program and the daemon share, their names and their shapes.
//!
//! The program (`main.rs`) only turns a verdict into an XDP action. Off the BPF target this crate is an ordinary library:
//! the daemon parses with it what the program let through, and its tests are plain `cargo test`.
#![no_std]
#![forbid(unsafe_code)]

mod classify;
pub mod header;
pub mod map;

pub use classify::{
    ALL_DHCP_RELAY_AGENTS_AND_SERVERS, ALL_DHCP_SERVERS, Frame, Ours, PassReason, Service, Verdict, classify,
};
