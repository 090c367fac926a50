//! A peer that sends every DHCPv6 frame straight back: the rings, the kernel and the wire, and nothing else. What a server can
//! do at best.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use dhcpv6macd::datapath::{
    Answer, Full, Transmit, classic_bpf,
    ring::{ReceiveRing, TransmitRing},
    worker::{Stop, Worker},
};

use super::message::SERVER_PORT;

/// Bytes of an Ethernet address.
const ADDRESS: usize = 6;

/// Sends every frame back to where it came from.
#[derive(Clone, Copy, Debug, Default)]
pub struct Echo;

impl Answer for Echo {
    fn answer(&mut self, frame: &[u8], _: Instant, transmit: &mut impl Transmit) -> Result<(), Full> {
        if !transmit.has_room(1) {
            return Err(Full);
        }
        transmit.transmit(|reply| {
            let reply = reply.get_mut(..frame.len())?;
            reply.copy_from_slice(frame);
            let (destination, rest) = reply.split_at_mut_checked(ADDRESS)?;
            destination.swap_with_slice(rest.get_mut(..ADDRESS)?);
            Some(frame.len())
        });
        Ok(())
    }

    fn resume(&mut self, _: Instant, _: &mut impl Transmit) -> Option<Instant> {
        None
    }
}

/// Echoes on an interface of the calling thread's namespace, on the calling thread, for ever: the very loop and the very rings
/// of the daemon's workers, with their [nap](Worker::nap) or without. `ready` is called once when frames are taken.
///
/// # Errors
///
/// Where the rings cannot be opened, or waiting for frames fails.
pub fn serve(interface: u32, mtu: u32, nap: Option<Duration>, ready: impl FnOnce()) -> io::Result<()> {
    let worker = Worker {
        receive: ReceiveRing::open(interface, Some(&classic_bpf::filter(&[SERVER_PORT])))?,
        transmit: TransmitRing::open(interface, mtu)?,
        answer: Echo,
        counters: Arc::default(),
        stop: Arc::new(Stop::new()?),
        nap,
    };
    ready();
    worker.run().map(drop)
}
