//! dhcpv6macd: boots machines by the rack over IPv6. Every machine gets `prefix/80 + its MAC`, always, with no leases.
//!
//! # The way of a frame
//!
//! ```text
//!  NIC ──XDP── not ours ─────────────────▶ kernel, untouched
//!        │
//!        └─ ours ── XDP_REDIRECT ──▶ steering link ──▶ receive rings, one a worker     [datapath]
//!                                                            │
//!                                           wire: bytes become a datagram, a message
//!                                           respond + policy: message becomes an outcome
//!                                           wire: the outcome becomes bytes
//!                                                            │
//!  NIC ◀────────────── transmit ring ◀───────────────────────┘                         [datapath]
//! ```
//!
//! All DHCPv6 goes to the first worker, which after a batch naps for a moment before it looks again: waking a worker costs the
//! CPU that brings the frame more than the frame does. Everything else stays with one worker a flow.
//!
//! # Rooms
//!
//! * [`cli`], [`config`]: flags, environment and file become one [`config::Config`], or one clear line of refusal.
//! * [`wire`]: bytes become types and types become bytes: datagrams, DHCPv6, router discovery.
//! * [`policy`]: which address a machine gets, and for how long; its boot file; whether it is served at all.
//! * [`respond`]: a request and the policy become an outcome. Pure.
//! * [`tftp`]: sessions of clients that read files. Pure. [`image`]: the iPXE that they read.
//! * [`machine`]: what is known of each machine: the steps of its boot, where it stands still; time is an argument. Told by what workers answer,
//!   through a bounded queue. [`event`]: how it is told on.
//! * [`router`]: what Router Advertisements say, and when they are sent, where the daemon is asked to send them. Pure.
//! * [`datapath`]: frames in and out: XDP, steering link, rings, workers, and the same in memory.
//! * [`http`]: who may speak HTTP with us, for how long, and what is served.
//! * [`tree`]: a directory whose files are served, and nothing outside of it.
//! * [`interface`], [`netlink`]: what the interface has, and when that changes; [`local`]: the same as the workers see it.
//! * [`privilege`]: what the process may do, asked before it does anything. [`log`]: where it tells what it does.
//! * [`histogram`]: how long things take, counted in buckets.
//! * [`replay`]: a capture through the same core, offline.
//! * [`run`]: puts the rooms together, keeps what is answered from in step with the interface and the lists, ends on a signal.
//!
//! # Invariants
//!
//! * *respond*, *tftp*, *policy*, *machine* and *router* know no socket, no clock, no thread and no tokio: what they need comes in as an argument.
//! * *datapath* knows no DHCPv6 option.
//! * A worker never awaits, allocates per packet, logs per packet above TRACE, or blocks on anything but its own ring.
//! * Bytes become types in *wire* and nowhere else.
//! * `unsafe` lives in the steering program's entry and in `datapath::{ring, mmap, sys}` and nowhere else.
//! * Every queue and table has a bound; every drop has a name and a counter of that name.

pub mod cli;
pub mod config;
pub mod datapath;
pub mod event;
pub mod histogram;
pub mod http;
pub mod image;
pub mod interface;
pub mod local;
pub mod log;
pub mod machine;
pub mod netlink;
pub mod policy;
pub mod privilege;
pub mod replay;
pub mod respond;
pub mod router;
pub mod run;
pub mod tftp;
pub mod tree;
pub mod wire;
