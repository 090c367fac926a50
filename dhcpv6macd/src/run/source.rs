//! Where the workers' frames come from: the steering program, or the interface itself.

use std::{fmt, net::Ipv6Addr, sync::Arc};

use tracing::info;

use super::{StartError, obstacles::busy, totals::Totals};
use crate::{
    config::{Config, Datapath},
    datapath::{
        classic_bpf,
        ring::ReceiveRing,
        steering::{SteeringCounters, SteeringLink, SteeringProgram, SteeringProgramError, XdpMode},
    },
    interface::Interface,
    local::Local,
};

/// An open source of frames. Dropped, the interface is as it was before.
pub(super) enum Source {
    /// The steering program, where it is attached, and the link that it redirects to.
    Xdp { program: SteeringProgram, mode: Option<XdpMode>, link: Arc<SteeringLink> },
    /// The rings are on the interface itself.
    Packet,
}

impl Source {
    /// Opens the configured source, and one receive ring a worker. Nothing is steered before [`Source::steer`].
    pub(super) async fn open(
        config: &Config,
        interface: &Interface,
        local: &Local,
        workers: usize,
    ) -> Result<(Self, Vec<ReceiveRing>), StartError> {
        let fanout = classic_bpf::fanout(local.dhcpv6_port);
        match config.datapath {
            Datapath::Xdp(_) => {
                let program = load(config, interface, local)?;
                let queues = u32::try_from(workers).unwrap_or(u32::MAX);
                let link = SteeringLink::create(queues).await.map_err(StartError::Link)?;
                let rings = link.open_rings(&fanout, workers).map_err(StartError::Rings)?;
                Ok((Self::Xdp { program, mode: None, link: Arc::new(link) }, rings))
            }
            Datapath::Packet => {
                let filter = classic_bpf::filter(&local.ports());
                let rings = ReceiveRing::open_group(interface.index, Some(&filter), &fanout, workers);
                Ok((Self::Packet, rings.map_err(StartError::Rings)?))
            }
        }
    }

    /// From now on our frames come to the rings.
    pub(super) async fn steer(&mut self, config: &Config, interface: &Interface) -> Result<(), StartError> {
        if let (Self::Xdp { program, mode, link }, Datapath::Xdp(wanted)) = (self, config.datapath) {
            link.connect(program).map_err(|error| steering(&interface.name, error))?;
            *mode = Some(attach(program, wanted, interface).await?);
        }
        Ok(())
    }

    /// From now on our frames go to the kernel, as all others.
    pub(super) fn detach(&mut self) {
        if let Self::Xdp { program, .. } = self {
            program.detach();
        }
    }

    /// Makes exactly these addresses ours.
    pub(super) fn set_own_addresses(
        &mut self,
        config: &Config,
        addresses: &[Ipv6Addr],
    ) -> Result<(), SteeringProgramError> {
        match self {
            Self::Xdp { program, .. } => program.set_own_addresses(&in_order(config, addresses)),
            // The workers look themselves.
            Self::Packet => Ok(()),
        }
    }

    /// What is counted before a frame comes to a ring; `None` where nothing is.
    pub(super) fn meter(&self) -> Option<SteeringMeter> {
        match self {
            Self::Xdp { program, link, .. } => {
                Some(SteeringMeter { counters: program.counters(), link: Arc::clone(link) })
            }
            Self::Packet => None,
        }
    }
}

/// What the steering program counts, and what the link behind it loses.
pub(super) struct SteeringMeter {
    counters: Arc<SteeringCounters>,
    link: Arc<SteeringLink>,
}

impl SteeringMeter {
    /// Adds what was counted until now.
    pub(super) fn count(&self, totals: &mut Totals) -> Result<(), SteeringProgramError> {
        for (verdict, count) in self.counters.each()? {
            totals.add(verdict.name(), count);
        }
        totals.add("link_dropped", self.link.dropped().map_err(SteeringProgramError::Namespace)?);
        Ok(())
    }
}

/// For the log.
impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Xdp { mode: Some(mode), .. } => write!(formatter, "xdp {mode}"),
            Self::Xdp { mode: None, .. } => formatter.write_str("xdp, not attached"),
            Self::Packet => formatter.write_str("packet"),
        }
    }
}

/// Loads the steering program and tells it what is ours.
fn load(config: &Config, interface: &Interface, local: &Local) -> Result<SteeringProgram, StartError> {
    let steering = |error| steering(&interface.name, error);
    let mut program = SteeringProgram::load(local).map_err(steering)?;
    program.forward_log().map_err(steering)?;
    program.set_own_addresses(&in_order(config, &local.addresses)).map_err(steering)?;
    Ok(program)
}

/// The addresses in the order in which machines need them, for the program knows so many and no more: the link-local ones, the one
/// that machines in PXE are sent to, all others.
fn in_order(config: &Config, addresses: &[Ipv6Addr]) -> Vec<Ipv6Addr> {
    let server = config.boot.tftp.and_then(|tftp| tftp.server(config.base_address, addresses));
    let mut ordered = addresses.to_vec();
    ordered.sort_by_key(|address| (!address.is_unicast_link_local(), Some(*address) != server));
    ordered
}

/// Attaches the steering program in the first mode that the interface takes.
async fn attach(
    program: &mut SteeringProgram,
    wanted: Option<XdpMode>,
    interface: &Interface,
) -> Result<XdpMode, StartError> {
    let (mut mode, fallback) = wanted.map_or((XdpMode::Native, Some(XdpMode::Generic)), |mode| (mode, None));
    let mut attached = program.attach(interface.index, mode);
    if let (Err(SteeringProgramError::Unsupported { source, .. }), Some(fallback)) = (&attached, fallback) {
        info!(reason = %source, "the interface cannot run XDP in {mode} mode: trying {fallback}");
        mode = fallback;
        attached = program.attach(interface.index, mode);
    }
    match attached {
        Ok(()) => Ok(mode),
        Err(refused) => Err(refusal(refused, interface).await),
    }
}

async fn refusal(refused: SteeringProgramError, interface: &Interface) -> StartError {
    if let SteeringProgramError::Busy = refused {
        return busy(interface).await;
    }
    if let SteeringProgramError::Unsupported { mode, source } = refused {
        return StartError::Unsupported { interface: interface.name.clone(), mode, source };
    }
    steering(&interface.name, refused)
}

fn steering(interface: &str, error: SteeringProgramError) -> StartError {
    StartError::Steering { interface: interface.to_owned(), source: error.into() }
}
