//! Two kinds of netlink sockets: one asks, another listens.
//!
//! The kernel drops what a socket does not read in time, and an answer can be among it. So nobody asks at the socket where
//! notifications come in, and nobody waits for an answer for ever.

use std::{future::Future, io, time::Duration};

use futures_util::{FutureExt as _, StreamExt as _, stream::BoxStream};
use rtnetlink::{
    Handle, MulticastGroup,
    packet_core::{NetlinkMessage, NetlinkPayload},
    packet_route::RouteNetlinkMessage,
};
use tokio::{runtime, time::timeout};

use crate::datapath::namespace::Namespace;

/// How long an answer may take. The kernel needs microseconds, or as long as somebody else holds its configuration lock.
const ANSWER_TIME: Duration = Duration::from_secs(5);
/// Changes that are told as one.
const BATCH: usize = 64;

/// Why the kernel did not tell, or do.
#[derive(Debug, thiserror::Error)]
pub enum NetlinkError {
    /// There is no socket to ask at.
    #[error("cannot open a netlink socket: {0}")]
    Open(#[from] io::Error),
    /// What it said instead.
    #[error("{}", reason(.0))]
    Refused(#[from] rtnetlink::Error),
    /// It said nothing.
    #[error("no answer from the kernel within {} s", ANSWER_TIME.as_secs())]
    Timeout,
}

impl NetlinkError {
    /// Is it that there is no such interface?
    #[must_use]
    pub fn is_no_device(&self) -> bool {
        matches!(self, Self::Refused(rtnetlink::Error::NetlinkError(error)) if error.raw_code() == -libc::ENODEV)
    }
}

fn reason(error: &rtnetlink::Error) -> String {
    if let rtnetlink::Error::NetlinkError(error) = error { error.to_io().to_string() } else { error.to_string() }
}

/// A socket to ask at.
#[derive(Clone, Debug)]
pub struct Requests {
    /// Makes the requests, each to be [asked](Self::ask).
    pub handle: Handle,
}

impl Requests {
    /// Opens a socket in the calling thread's namespace. Call it inside a tokio runtime.
    ///
    /// # Errors
    ///
    /// Where there are no file descriptors left.
    pub fn open() -> io::Result<Self> {
        let (connection, handle, _) = rtnetlink::new_connection()?;
        tokio::spawn(connection);
        Ok(Self { handle })
    }

    /// Opens a socket in another namespace. Call it inside a tokio runtime.
    ///
    /// # Errors
    ///
    /// Those of [`Namespace::run`], or where there are no file descriptors left.
    pub fn open_in(namespace: &Namespace) -> io::Result<Self> {
        let runtime = runtime::Handle::current();
        namespace.run(|| {
            let _entered = runtime.enter();
            Self::open()
        })?
    }

    /// Waits for the answer to a request.
    ///
    /// # Errors
    ///
    /// [`NetlinkError::Refused`] and [`NetlinkError::Timeout`].
    pub async fn ask<T>(&self, request: impl Future<Output = Result<T, rtnetlink::Error>>) -> Result<T, NetlinkError> {
        Ok(timeout(ANSWER_TIME, request).await.map_err(|_| NetlinkError::Timeout)??)
    }
}

/// What a socket hears of every change of a link, of an IPv6 address, and of IPv6 on a link.
pub struct Changes(BoxStream<'static, NetlinkMessage<RouteNetlinkMessage>>);

impl Changes {
    /// Listens in the calling thread's namespace. Call it inside a tokio runtime.
    ///
    /// # Errors
    ///
    /// Where there are no file descriptors left.
    pub fn listen() -> io::Result<Self> {
        let groups = [MulticastGroup::Link, MulticastGroup::Ipv6Ifaddr, MulticastGroup::Ipv6Ifinfo];
        let (connection, _, changes) = rtnetlink::new_multicast_connection(&groups)?;
        tokio::spawn(connection);
        Ok(Self(changes.map(|(message, _)| message).boxed()))
    }

    /// Waits until something about an interface may have changed. Changes in a row are told as one.
    ///
    /// # Errors
    ///
    /// Where the socket is gone.
    pub async fn wait(&mut self, interface: u32) -> io::Result<()> {
        loop {
            let first = self.0.next().await.ok_or(io::ErrorKind::UnexpectedEof)?;
            let mut concerns = may_concern(&first, interface);
            for _ in 1..BATCH {
                let Some(Some(next)) = self.0.next().now_or_never() else { break };
                concerns |= may_concern(&next, interface);
            }
            if concerns {
                return Ok(());
            }
        }
    }
}

/// A message that names no interface says that the kernel had more to tell than was read in time: anything may have changed.
fn may_concern(message: &NetlinkMessage<RouteNetlinkMessage>, interface: u32) -> bool {
    let NetlinkPayload::InnerMessage(message) = &message.payload else { return true };
    if let RouteNetlinkMessage::NewLink(link) | RouteNetlinkMessage::DelLink(link) = message {
        link.header.index == interface
    } else if let RouteNetlinkMessage::NewAddress(address) | RouteNetlinkMessage::DelAddress(address) = message {
        address.header.index == interface
    } else {
        true
    }
}
