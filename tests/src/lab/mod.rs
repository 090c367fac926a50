//! Networks to test in: hosts that are anonymous network namespaces, cables that are veth pairs, and the real daemon on one of
//! them. Everything ends with its owner, or with this process, however that ends.
//!
//! ```no_run
//! # fn main() -> anyhow::Result<()> {
//! use dhcpv6macd_tests::lab::{Daemon, ROUTER_INTERFACE, Rack};
//!
//! let rack = Rack::new(2)?; // a router with `rack0`, a switch, two machines with `eth0`
//! let daemon = Daemon::start(&rack.router, &["--interface", ROUTER_INTERFACE, "--base-address", "2001:db8::"])?;
//! rack.machines[0].ip("-6 address show dev eth0")?; // also `execute`, `start`, `run`, `sysctl`, `addresses`
//! let stopped = daemon.stop()?; // SIGTERM, and the counters of its last line
//! assert_eq!(stopped.counter("send_reply"), 0);
//! # Ok(())
//! # }
//! ```

mod browser;
mod client;
mod daemon;
mod host;
mod mode;
mod process;
mod rack;

pub(crate) use self::daemon::target;
pub use self::{
    browser::{Browser, WINDOW, key},
    client::{Tenure, dhclient},
    daemon::{Daemon, Stopped},
    host::{End, Host, cable},
    mode::{Mode, ModeArgs},
    process::{Ended, Process},
    rack::{MACHINE_INTERFACE, ROUTER_INTERFACE, ROUTER_MAC, Rack, machine_mac},
};
