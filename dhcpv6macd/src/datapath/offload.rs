//! What an interface's hardware does to a frame before any program sees it.

use std::io;

use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use super::sys;

/// `ETH_FLAG_RXVLAN` (`include/uapi/linux/ethtool.h`).
const ETH_FLAG_RXVLAN: u32 = 1 << 8;

/// Are VLAN tags taken out of the frames that an interface of the calling thread's namespace receives (`rx-vlan-offload`)? XDP
/// then does not see them.
///
/// # Errors
///
/// Where there is no such interface.
pub fn strips_vlan_tags(interface: &str) -> io::Result<bool> {
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    match sys::offloads(&socket, interface) {
        Ok(offloads) => Ok(offloads & ETH_FLAG_RXVLAN != 0),
        // A driver without any offload.
        Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_interface_strips_nothing_and_no_interface_is_an_error() {
        assert!(!strips_vlan_tags("lo").unwrap());
        strips_vlan_tags("no-such-one").unwrap_err();
    }
}
