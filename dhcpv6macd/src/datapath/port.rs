//! Our UDP ports, kept from everybody else: a server that is in the way is found before anything is steered, and the kernel does
//! not call a port unreachable that we serve.

use std::{
    collections::BTreeSet,
    fs, io,
    net::{Ipv6Addr, SocketAddrV6},
    os::fd::OwnedFd,
    path::Path,
};

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, ipproto, socket_with, sockopt};

use super::{classic_bpf, sys};

/// Opens a socket on a UDP port of one interface that takes everything and keeps nothing.
///
/// # Errors
///
/// `AddrInUse` where another program has the port, and what `bind(2)` says else.
pub fn hold(interface: &str, port: u16) -> io::Result<OwnedFd> {
    let socket = socket_with(AddressFamily::INET6, SocketType::DGRAM, SocketFlags::CLOEXEC, Some(ipproto::UDP))?;
    sockopt::set_ipv6_v6only(&socket, true)?;
    sys::bind_to_device(&socket, interface)?;
    sys::attach_filter(&socket, &classic_bpf::nothing())?;
    bind(&socket, &SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, port, 0, 0))?;
    Ok(socket)
}

/// What a port is one of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
}

/// The names of the programs that have a socket on this port over IPv6, as far as `/proc` tells.
#[must_use]
pub fn holders(transport: Transport, port: u16) -> BTreeSet<String> {
    let table = match transport {
        Transport::Udp => "/proc/thread-self/net/udp6",
        Transport::Tcp => "/proc/thread-self/net/tcp6",
    };
    let table = fs::read_to_string(table).unwrap_or_default();
    let sockets: Vec<_> = sockets_on(&table, port).map(|inode| format!("socket:[{inode}]")).collect();
    let processes = fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    let holds = |process: &Path| {
        let files = fs::read_dir(process.join("fd")).into_iter().flatten().filter_map(Result::ok);
        let mut links = files.filter_map(|file| fs::read_link(file.path()).ok());
        links.any(|link| sockets.iter().any(|socket| link.as_os_str() == socket.as_str()))
    };
    let names = processes.map(|process| process.path()).filter(|process| holds(process));
    names.filter_map(|process| Some(fs::read_to_string(process.join("comm")).ok()?.trim_end().to_owned())).collect()
}

/// The inodes of the sockets on a port, from the kernel's table (`udp6_seq_show`, `net/ipv6/udp.c`; `tcp6_seq_show` writes the same): the second field is the
/// local address and port in hexadecimal digits, the tenth the inode.
fn sockets_on(table: &str, port: u16) -> impl Iterator<Item = &str> {
    table.lines().skip(1).filter_map(move |line| {
        let mut fields = line.split_ascii_whitespace();
        let (_, local_port) = fields.nth(1)?.rsplit_once(':')?;
        (u16::from_str_radix(local_port, 16) == Ok(port)).then(|| fields.nth(7)).flatten()
    })
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn sockets_are_found_by_their_port() {
        let table = "  sl  local_address remote_address st tx_queue rx_queue tr tm->when retrnsmt uid timeout inode ref
  91: 00000000000000000000000000000000:0223 00000000000000000000000000000000:0000 07 0:0 00:0 0 0 0 4711 2 0 0
  92: 00000000000000000000000000000000:0045 00000000000000000000000000000000:0000 07 0:0 00:0 0 0 0 4712 2 0 0
  93: cut off";
        assert_eq!(sockets_on(table, 547).collect::<Vec<_>>(), ["4711"]);
        assert_eq!(sockets_on(table, 69).collect::<Vec<_>>(), ["4712"]);
        assert_eq!(sockets_on(table, 70).count(), 0);
    }

    #[test]
    fn a_port_that_is_taken_is_refused_and_its_holder_named() {
        let socket = UdpSocket::bind("[::]:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        assert_eq!(hold("lo", port).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        let own = fs::read_to_string("/proc/self/comm").unwrap();
        assert!(holders(Transport::Udp, port).contains(own.trim_end()), "{:?}", holders(Transport::Udp, port));
        drop(socket);
        assert!(holders(Transport::Udp, port).is_empty());
    }
}
