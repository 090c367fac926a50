//! Simulated machines: thousands of them on one port, each with its own MAC, DUID and link-local address, that ask for an
//! address, in a closed loop or at a pace, and measure how long it takes.
//!
//! * [`Population`]: the machines, and the loop that drives them over rings or in memory.
//! * [`Outcome`]: what it came to, with a [`Histogram`] of the exchanges' durations.
//! * [`oracle`]: the same answers read once more by other people's decoders, after the measurement.
//! * [`echo`]: a peer that only sends frames back: what the rings alone can do.

pub mod echo;
mod histogram;
mod machine;
mod message;
pub mod oracle;
mod outcome;
mod port;
mod received;
mod run;
mod samples;

pub use self::{
    histogram::Histogram,
    machine::mac_of,
    message::Stage,
    outcome::{Fault, Outcome},
    port::{Port, Wait},
    run::{Arrivals, Counterpart, Goal, Load, Population},
};
pub(crate) use self::{machine::number_of, message::checksum};
