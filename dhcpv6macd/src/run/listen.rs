//! TCP ports.

use std::{
    io,
    net::{IpAddr, SocketAddr, TcpListener},
};

use socket2::{Domain, Protocol, Socket, Type};

use super::StartError;
use crate::datapath::port::{Transport, holders};

/// Connections that the kernel keeps until they are taken in.
const BACKLOG: i32 = 4096;

/// Listens on a TCP port: without an address on all of them, those of IPv4 too.
pub(super) fn listen(setting: &'static str, address: SocketAddr) -> Result<TcpListener, StartError> {
    bind(address).map_err(|source| {
        let holders = holders(Transport::Tcp, address.port()).into_iter().collect::<Vec<_>>().join(", ");
        StartError::Listen { setting, address, source, holders }
    })
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.ip() == IpAddr::from([0; 16]) {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
