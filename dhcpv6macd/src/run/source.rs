//! Where the workers' frames come from: the steering program, or the interface itself.

use std::{fmt, net::Ipv6Addr, os::fd::OwnedFd};

use tracing::info;

use super::{StartError, totals::Totals};
use crate::{
    config::{Config, Datapath},
    datapath::{
        classic_bpf, offload, port,
        ring::ReceiveRing,
        steering::{SteeringLink, SteeringProgram, SteeringProgramError, XdpMode, program_name},
    },
    interface::Interface,
    local::Local,
};

/// An open source of frames. Dropped, the interface is as it was before.
pub(super) enum Source {
    /// The steering program, where it is attached, and the link that it redirects to.
    Xdp { program: SteeringProgram, mode: Option<XdpMode>, link: SteeringLink },
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
                let program = load(interface, local)?;
                let queues = u32::try_from(workers).unwrap_or(u32::MAX);
                let link = SteeringLink::create(queues).await.map_err(StartError::Link)?;
                let rings = link.open_rings(&fanout, workers).map_err(StartError::Rings)?;
                Ok((Self::Xdp { program, mode: None, link }, rings))
            }
            Datapath::Packet => {
                let filter = classic_bpf::filter(&ports(local));
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
    pub(super) fn set_own_addresses(&mut self, addresses: &[Ipv6Addr]) -> Result<(), SteeringProgramError> {
        match self {
            Self::Xdp { program, .. } => program.set_own_addresses(addresses),
            // The workers look themselves.
            Self::Packet => Ok(()),
        }
    }

    /// Adds what the steering program counted, and what the link behind it lost.
    pub(super) fn count(&self, totals: &mut Totals) -> Result<(), SteeringProgramError> {
        if let Self::Xdp { program, link, .. } = self {
            for (verdict, count) in program.counters()? {
                totals.add(verdict.name(), count);
            }
            totals.add("link_dropped", link.dropped().map_err(SteeringProgramError::Namespace)?);
        }
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
fn load(interface: &Interface, local: &Local) -> Result<SteeringProgram, StartError> {
    let steering = |error| steering(&interface.name, error);
    let mut program = SteeringProgram::load(local).map_err(steering)?;
    program.forward_log().map_err(steering)?;
    program.set_own_addresses(&local.addresses).map_err(steering)?;
    Ok(program)
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

/// Behind another dhcpv6macd's steering program no socket sees a frame of ours.
pub(super) async fn refuse_if_served(interface: &Interface) -> Result<(), StartError> {
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

/// XDP does not see the tags that the hardware has taken out: what is for a VLAN would be answered without one.
pub(super) async fn refuse_if_vlans_are_hidden(config: &Config, interface: &Interface) -> Result<(), StartError> {
    let at_interface = |source| StartError::Interface { name: interface.name.clone(), source };
    let devices = interface.vlan_devices().await.map_err(at_interface)?;
    if config.datapath == Datapath::Packet || devices.is_empty() {
        return Ok(());
    }
    if offload::strips_vlan_tags(&interface.name).map_err(|error| at_interface(error.into()))? {
        return Err(StartError::HiddenVlans { interface: interface.name.clone(), devices: devices.join(", ") });
    }
    Ok(())
}

/// Takes our ports from everybody else; held until dropped.
pub(super) fn hold_ports(interface: &str, local: &Local) -> Result<Vec<OwnedFd>, StartError> {
    let hold = |number| {
        port::hold(interface, number).map_err(|source| StartError::Port {
            port: number,
            interface: interface.to_owned(),
            source,
            holders: port::holders(number).into_iter().collect::<Vec<_>>().join(", "),
        })
    };
    ports(local).into_iter().map(hold).collect()
}

fn ports(local: &Local) -> Vec<u16> {
    [Some(local.dhcpv6_port), local.tftp_port].into_iter().flatten().collect()
}
