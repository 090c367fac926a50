//! Where the machines are plugged in.

use std::{io, os::fd::AsFd, time::Duration};

use dhcpv6macd::datapath::ring::{ReceiveRing, TransmitRing};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};

/// Something to wait at until a frame is there.
pub trait Wait {
    /// Waits for a frame, or until `timeout` has passed.
    ///
    /// # Errors
    ///
    /// Where no frame will ever come.
    fn wait(&self, timeout: Duration) -> io::Result<()>;
}

impl Wait for ReceiveRing {
    fn wait(&self, timeout: Duration) -> io::Result<()> {
        let timeout = Timespec::try_from(timeout).map_err(io::Error::other)?;
        let mut events = [PollFd::from_borrowed_fd(self.as_fd(), PollFlags::IN)];
        match poll(&mut events, Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => self.take_error()?.map_or(Ok(()), Err),
            Err(error) => Err(error.into()),
        }
    }
}

/// Rings on one interface, shared by all machines behind it.
#[derive(Debug)]
pub struct Port {
    pub(super) receive: ReceiveRing,
    pub(super) transmit: TransmitRing,
}

impl Port {
    /// Opens the rings on an interface of the calling thread's namespace.
    ///
    /// # Errors
    ///
    /// Those of [`ReceiveRing::open`] and [`TransmitRing::open`].
    pub fn open(interface: u32, mtu: u32) -> io::Result<Self> {
        Ok(Self { receive: ReceiveRing::open(interface, None)?, transmit: TransmitRing::open(interface, mtu)? })
    }
}
