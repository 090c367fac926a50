//! What the daemon may do, asked before it does anything.

use std::io;

use rustix::thread::{CapabilitySet, capabilities};

use crate::config::Datapath;

/// A capability by its name in `capabilities(7)`, and what is done with it.
type Need = (CapabilitySet, &'static str);

const PACKET_SOCKETS: Need = (CapabilitySet::NET_RAW, "CAP_NET_RAW");
const INTERFACES: Need = (CapabilitySet::NET_ADMIN, "CAP_NET_ADMIN");
const NAMESPACES: Need = (CapabilitySet::SYS_ADMIN, "CAP_SYS_ADMIN");
const PROGRAMS: Need = (CapabilitySet::BPF, "CAP_BPF");
const LOW_PORTS: Need = (CapabilitySet::NET_BIND_SERVICE, "CAP_NET_BIND_SERVICE");

/// The names of the capabilities that this datapath needs and the process lacks, with commas; `None` where it has them all.
///
/// # Errors
///
/// Where the kernel does not tell.
pub fn missing(datapath: Datapath) -> io::Result<Option<String>> {
    let held = capabilities(None)?.effective;
    let needed: &[Need] = match datapath {
        Datapath::Xdp(_) => &[INTERFACES, PACKET_SOCKETS, LOW_PORTS, PROGRAMS, NAMESPACES],
        Datapath::Packet => &[INTERFACES, PACKET_SOCKETS, LOW_PORTS],
    };
    let missing: Vec<_> = needed.iter().filter(|(set, _)| !held.contains(*set)).map(|(_, name)| *name).collect();
    Ok((!missing.is_empty()).then(|| missing.join(", ")))
}
