//! Simulated machines that read a file by TFTP: a thousand of them on one port, each with its own MAC, address and ports, as
//! firmware reads: every byte is checked, and time is measured. Knows nothing of the daemon's own codec.
//!
//! * [`Clients`]: the machines, and the loop that drives them over rings or in memory.
//! * [`Outcome`]: what it came to.
//! * [`bare`]: a server without sessions: what the rings alone can do.

pub mod bare;
mod frame;
mod load;
mod outcome;
mod packet;
mod session;

pub use self::{
    load::{Clients, Goal, Load, Server},
    outcome::{Fault, Outcome},
    packet::{SERVER_PORT, Terms},
};
