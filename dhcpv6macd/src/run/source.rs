//! Where the workers' frames come from: the steering program, or the interface itself.

use std::{fmt, io, net::Ipv6Addr, os::fd::OwnedFd};

use tracing::info;

use super::{StartError, totals::Totals};
use crate::{
    config::{self, Config, Datapath},
    datapath::{
        attach::{AttachError, SteeringProgram, XdpMode, program_name},
        packet,
        ring::ReceiveRing,
        steering::SteeringLink,
    },
    interface::{Facts, Interface},
    local::Local,
};

/// An open source of frames. Dropped, the interface is as it was before.
pub(super) enum Source {
    /// The steering program in its mode, and the link that it redirects to.
    Xdp { program: SteeringProgram, mode: XdpMode, link: SteeringLink },
    /// Sockets that keep the kernel silent on our ports.
    Packet { _silenced: Vec<OwnedFd> },
}

impl Source {
    /// Opens the configured source, and one receive ring a worker. Nothing is steered before [`Source::steer`].
    pub(super) async fn open(
        config: &Config,
        interface: &Interface,
        facts: &Facts,
        local: &Local,
        workers: usize,
    ) -> Result<(Self, Vec<ReceiveRing>), StartError> {
        match config.datapath {
            Datapath::Xdp(mode) => {
                let (program, mode) = attach(mode, interface, local).await?;
                let queues = u32::try_from(workers).map_err(|error| StartError::Link(io::Error::other(error)))?;
                let link = SteeringLink::create(&interface.netlink, facts.mtu, queues).await;
                let link = link.map_err(StartError::Link)?;
                let rings = link.open_rings(workers).map_err(StartError::Rings)?;
                Ok((Self::Xdp { program, mode, link }, rings))
            }
            Datapath::Packet => {
                refuse_if_busy(interface).await?;
                let ports: Vec<_> = [Some(local.dhcpv6_port), local.tftp_port].into_iter().flatten().collect();
                let silenced = ports.iter().map(|port| silence(&interface.name, *port)).collect::<Result<_, _>>()?;
                let filter = packet::filter(&ports);
                let rings = ReceiveRing::open_group(interface.index, Some(&filter), workers);
                Ok((Self::Packet { _silenced: silenced }, rings.map_err(StartError::Rings)?))
            }
        }
    }

    /// From now on our frames come to the rings.
    pub(super) fn steer(&mut self) -> Result<(), StartError> {
        match self {
            Self::Xdp { program, link, .. } => {
                program.steer_to(link.near_end()).map_err(|error| StartError::Link(io::Error::other(error)))
            }
            Self::Packet { .. } => Ok(()),
        }
    }

    /// Makes exactly these addresses ours.
    pub(super) fn set_own_addresses(&mut self, addresses: &[Ipv6Addr]) -> Result<(), AttachError> {
        match self {
            Self::Xdp { program, .. } => program.set_own_addresses(addresses),
            // The workers look themselves.
            Self::Packet { .. } => Ok(()),
        }
    }

    /// Adds what the steering program counted.
    pub(super) fn count(&self, totals: &mut Totals) -> Result<(), AttachError> {
        if let Self::Xdp { program, .. } = self {
            for (verdict, count) in program.counters()? {
                totals.add(verdict.name(), count);
            }
        }
        Ok(())
    }
}

/// For the log.
impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Xdp { mode, .. } => write!(formatter, "xdp {mode}"),
            Self::Packet { .. } => formatter.write_str("packet"),
        }
    }
}

/// Loads the steering program and attaches it in the first mode that the interface takes.
async fn attach(
    wanted: config::XdpMode,
    interface: &Interface,
    local: &Local,
) -> Result<(SteeringProgram, XdpMode), StartError> {
    let steering =
        |source: AttachError| StartError::Steering { interface: interface.name.clone(), source: source.into() };
    let mut program = SteeringProgram::load(local).map_err(steering)?;
    program.forward_log().map_err(steering)?;
    program.set_own_addresses(&local.addresses).map_err(steering)?;
    let (mode, fallback) = match wanted {
        config::XdpMode::Auto => (XdpMode::Native, Some(XdpMode::Generic)),
        config::XdpMode::Native => (XdpMode::Native, None),
        config::XdpMode::Generic => (XdpMode::Generic, None),
    };
    let refused = match (program.attach(interface.index, mode), fallback) {
        (Ok(()), _) => return Ok((program, mode)),
        (Err(AttachError::Unsupported { source, .. }), Some(fallback)) => {
            info!(reason = %source, "the interface cannot run XDP in {mode} mode: trying {fallback}");
            match program.attach(interface.index, fallback) {
                Ok(()) => return Ok((program, fallback)),
                Err(refused) => refused,
            }
        }
        (Err(refused), _) => refused,
    };
    Err(refusal(refused, interface).await)
}

async fn refusal(refused: AttachError, interface: &Interface) -> StartError {
    if let AttachError::Busy = refused {
        return busy(interface).await;
    }
    let interface = interface.name.clone();
    if let AttachError::Unsupported { mode, source } = refused {
        return StartError::Unsupported { interface, mode, source };
    }
    StartError::Steering { interface, source: refused.into() }
}

/// Behind another dhcpv6macd's steering program no socket sees a frame of ours.
async fn refuse_if_busy(interface: &Interface) -> Result<(), StartError> {
    match interface.xdp_program().await {
        Ok(Some(id)) if is_ours(id) => Err(StartError::AlreadyServed { interface: interface.name.clone() }),
        Ok(_) => Ok(()),
        Err(source) => Err(StartError::Interface { name: interface.name.clone(), source }),
    }
}

/// Names who is attached.
async fn busy(interface: &Interface) -> StartError {
    let interface_name = interface.name.clone();
    match interface.xdp_program().await {
        Ok(Some(id)) if is_ours(id) => StartError::AlreadyServed { interface: interface_name },
        Ok(Some(id)) => {
            let name = program_name(id).unwrap_or_else(|| "without a name".to_owned());
            StartError::Busy { interface: interface_name, holder: format!("the XDP program {name} (number {id})") }
        }
        Ok(None) => StartError::Busy { interface: interface_name, holder: "another XDP program".to_owned() },
        Err(source) => StartError::Interface { name: interface_name, source },
    }
}

fn is_ours(id: u32) -> bool {
    program_name(id).as_deref() == Some(dhcpv6macd_ebpf::map::PROGRAM)
}

fn silence(interface: &str, port: u16) -> Result<OwnedFd, StartError> {
    packet::silence_port(interface, port).map_err(|source| StartError::Port {
        port,
        interface: interface.to_owned(),
        source,
    })
}
