//! Where the machines are plugged in.

use std::{io, os::fd::AsFd, time::Duration};

use dhcpv6macd::datapath::{
    Receive as _, Transmit as _,
    ring::{ReceiveRing, TransmitRing},
};
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
    pub(crate) receive: ReceiveRing,
    pub(crate) transmit: TransmitRing,
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

    /// Sends one frame as it is.
    ///
    /// # Errors
    ///
    /// Where the interface does not take it.
    pub fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        self.transmit.transmit(|buffer| {
            buffer.get_mut(..frame.len())?.copy_from_slice(frame);
            Some(frame.len())
        });
        if self.transmit.flush().sent == 1 { Ok(()) } else { Err(io::Error::other("the interface takes no frame")) }
    }

    /// Every IPv6 frame that has come in or does before `quiet` passes without one; frames of one's own host are among them.
    ///
    /// # Errors
    ///
    /// Where waiting for frames fails.
    pub fn frames(&mut self, quiet: Duration) -> io::Result<Vec<Vec<u8>>> {
        let mut frames = Vec::new();
        loop {
            let before = frames.len();
            self.receive.receive(usize::MAX, |frame| frames.push(frame.to_vec()));
            if frames.len() == before {
                self.receive.wait(quiet)?;
                self.receive.receive(usize::MAX, |frame| frames.push(frame.to_vec()));
                if frames.len() == before {
                    return Ok(frames);
                }
            }
        }
    }
}
