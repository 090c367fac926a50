//! A door to the live page: the router is in a network namespace that no browser gets into.

use std::{
    io,
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread,
};

use anyhow::{Context as _, Result};

use super::scene::{EVENTS_PORT, connect_to_events};
use crate::lab::Host;

/// Connections at a time: a person has some windows, each with its stream of events.
const CONNECTIONS_MAX: usize = 64;

/// Opens a TCP port on the loopback interface of whoever runs the demo, and lets through to the router's events whoever comes there, as
/// long as this process runs. Nothing of the machine's own network is changed.
///
/// # Errors
///
/// Where there is no loopback interface.
pub(super) fn open(router: &Host) -> Result<SocketAddr> {
    let bind = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    // The usual port may be that of a daemon in earnest.
    let listener = bind(EVENTS_PORT).or_else(|_| bind(0)).context("cannot open a port for the page")?;
    let address = listener.local_addr()?;
    let router = router.clone();
    thread::Builder::new().name("door".into()).spawn(move || {
        let present = Arc::new(());
        for stream in listener.incoming().filter_map(Result::ok) {
            let (router, guest) = (router.clone(), Arc::clone(&present));
            if Arc::strong_count(&present) > CONNECTIONS_MAX + 1 {
                continue;
            }
            thread::spawn(move || {
                // A browser comes back when there is no daemon, and when either has gone.
                drop(connect_to_events(&router).and_then(|events| pass(&stream, &events)));
                drop(guest);
            });
        }
    })?;
    Ok(address)
}

/// Passes on what either says until both have nothing more to say.
fn pass(one: &TcpStream, other: &TcpStream) -> Result<()> {
    let copy = |mut from: &TcpStream, mut to: &TcpStream| {
        let copied = io::copy(&mut from, &mut to);
        // Who has gone already needs to hear of no end.
        drop(to.shutdown(Shutdown::Write));
        copied
    };
    thread::scope(|scope| {
        let back = scope.spawn(|| copy(other, one));
        copy(one, other)?;
        back.join().map_err(|_| anyhow::anyhow!("a thread panicked"))??;
        Ok(())
    })
}
