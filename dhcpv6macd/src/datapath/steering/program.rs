//! The steering program: loaded, told what is ours, attached to the interface by a link that ends with this process.

use std::{error::Error, fmt, io, iter, net::Ipv6Addr, sync::Arc, thread};

use aya::{
    Ebpf, EbpfError, EbpfLoader,
    maps::{
        HashMap, MapData, MapError, PerCpuArray,
        xdp::{DevMap, XdpMapError},
    },
    programs::{ProgramError, Xdp, XdpError, links::FdLink},
};
use aya_log::EbpfLogger;
use dhcpv6macd_ebpf::{Verdict, map as abi};
use rustix::event::{PollFd, PollFlags, poll};
use tracing::debug;

use crate::local::Local;

/// The steering program's object, as `cargo xtask build` made it.
pub static STEERING_PROGRAM: &[u8] = aya::include_bytes_aligned!(env!("DHCPV6MACD_BPF_OBJECT"));

/// Where in the kernel the steering program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum XdpMode {
    /// In the interface's driver.
    Native,
    /// Behind the driver, on any interface.
    Generic,
}

impl fmt::Display for XdpMode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Native => "native",
            Self::Generic => "generic",
        })
    }
}

/// Why the steering program does not run.
#[derive(Debug, thiserror::Error)]
pub enum SteeringProgramError {
    /// The kernel does not take the object.
    #[error("the kernel does not load the steering program: {}", in_a_line(.0))]
    Load(#[from] EbpfError),
    /// The kernel does not take the program.
    #[error("the kernel does not accept the steering program: {}", in_a_line(.0))]
    Program(#[from] ProgramError),
    /// A map of the object is not as expected.
    #[error("a map of the steering program cannot be used: {}", in_a_line(.0))]
    Map(#[from] MapError),
    /// The object holds something else than expected.
    #[error("the steering program's object has no {0}; build again with `cargo xtask build`")]
    Missing(&'static str),
    /// Another XDP program is on the interface.
    #[error("another XDP program is attached")]
    Busy,
    /// The interface cannot run XDP in this mode.
    #[error("the interface cannot run XDP in {mode} mode: {source}")]
    Unsupported {
        /// The mode that was tried.
        mode: XdpMode,
        /// What the kernel said.
        source: io::Error,
    },
    /// A kernel before 5.9 has no link for XDP: the program would outlive this process.
    #[error("the kernel cannot tie an XDP program to this process; Linux 5.15 or later is needed")]
    NoLink,
    /// The steering link's namespace cannot be entered.
    #[error("the steering link's namespace cannot be entered: {0}")]
    Namespace(io::Error),
    /// The program's own log is not as expected.
    #[error("the steering program's log cannot be read: {0}")]
    Log(aya_log::Error),
    /// There is no thread to read the program's own log.
    #[error("no thread can be started for the steering program's log: {0}")]
    LogThread(io::Error),
}

/// An error of aya with its causes, each said once, in a line: not the verifier's log, which has thousands.
fn in_a_line(error: &dyn Error) -> String {
    let mut line = String::new();
    for cause in iter::successors(Some(error), |&error| error.source()) {
        let cause = cause.to_string();
        let words = cause.split(". Verifier output:").next().and_then(|words| words.lines().next()).unwrap_or_default();
        if !line.contains(words) {
            let separator = if line.is_empty() { "" } else { ": " };
            line.extend([separator, words]);
        }
    }
    line
}

/// The steering program in the kernel. Dropped, it is detached.
pub struct SteeringProgram {
    ebpf: Ebpf,
    link: Option<FdLink>,
    counters: Arc<SteeringCounters>,
}

/// What a steering program counts. It can be read at any time, also when the program is gone.
pub struct SteeringCounters(PerCpuArray<MapData, u64>);

impl SteeringCounters {
    /// Frames by verdict since the program was loaded, over all CPUs.
    ///
    /// # Errors
    ///
    /// Where the map cannot be read.
    pub fn each(&self) -> Result<impl Iterator<Item = (Verdict, u64)> + use<>, SteeringProgramError> {
        let count = |verdict: Verdict| Ok((verdict, self.0.get(&verdict.index(), 0)?.iter().sum()));
        let counts: Vec<_> = Verdict::ALL.into_iter().map(count).collect::<Result<_, MapError>>()?;
        Ok(counts.into_iter())
    }
}

impl SteeringProgram {
    /// Loads the program for the ports of `local`. Nothing is attached, and nothing is ours yet.
    ///
    /// # Errors
    ///
    /// Without `CAP_BPF` and `CAP_NET_ADMIN`, or where the kernel is too old.
    pub fn load(local: &Local) -> Result<Self, SteeringProgramError> {
        let tftp_port = local.tftp_port.unwrap_or(0);
        let mut ebpf = EbpfLoader::new()
            .override_global(abi::DHCPV6_PORT, &local.dhcpv6_port, true)
            .override_global(abi::TFTP_PORT, &tftp_port, true)
            .load(STEERING_PROGRAM)?;
        program(&mut ebpf)?.load().inspect_err(|error| {
            if let ProgramError::LoadError { verifier_log, .. } = error {
                debug!("the verifier's log:\n{verifier_log}");
            }
        })?;
        let counters = ebpf.take_map(abi::COUNTERS).ok_or(SteeringProgramError::Missing(abi::COUNTERS))?;
        let counters = Arc::new(SteeringCounters(PerCpuArray::try_from(counters)?));
        Ok(Self { ebpf, link: None, counters })
    }

    /// Attaches the program to an interface. Until there is a [steering link](Self::steer_to) every frame passes.
    ///
    /// # Errors
    ///
    /// [`SteeringProgramError::Busy`] and [`SteeringProgramError::Unsupported`] tell what is in the way.
    pub fn attach(&mut self, interface: u32, mode: XdpMode) -> Result<(), SteeringProgramError> {
        let program = program(&mut self.ebpf)?;
        let flags = match mode {
            XdpMode::Native => aya::programs::XdpMode::Driver,
            XdpMode::Generic => aya::programs::XdpMode::Skb,
        };
        let link = program.attach_to_if_index(interface, flags).map_err(|error| refusal(error, mode))?;
        let link = program.take_link(link)?;
        // Where the kernel has no link for XDP, aya attaches by netlink; dropped, that is undone.
        self.link = Some(link.try_into().map_err(|_| SteeringProgramError::NoLink)?);
        Ok(())
    }

    /// Takes the program off the interface: every frame passes again.
    pub fn detach(&mut self) {
        self.link = None;
    }

    /// Redirects our frames to this interface of the calling thread's namespace from now on.
    ///
    /// # Errors
    ///
    /// Where there is no such interface.
    pub fn steer_to(&mut self, near_end: u32) -> Result<(), SteeringProgramError> {
        let map = self.ebpf.map_mut(abi::STEERING_LINK).ok_or(SteeringProgramError::Missing(abi::STEERING_LINK))?;
        DevMap::try_from(map)?.set(0, near_end, None, 0).map_err(|error| match error {
            XdpMapError::MapError(error) => SteeringProgramError::Map(error),
            XdpMapError::ChainedProgramNotSupported => SteeringProgramError::NoLink,
        })
    }

    /// Makes exactly these addresses ours, the first [`abi::OWN_ADDRESSES_MAX`] of them.
    ///
    /// # Errors
    ///
    /// Where the kernel has no memory for another.
    pub fn set_own_addresses(&mut self, addresses: &[Ipv6Addr]) -> Result<(), SteeringProgramError> {
        let map = self.ebpf.map_mut(abi::OWN_ADDRESSES).ok_or(SteeringProgramError::Missing(abi::OWN_ADDRESSES))?;
        let mut map: HashMap<&mut MapData, [u8; 16], u8> = HashMap::try_from(map)?;
        let addresses = addresses.get(..abi::OWN_ADDRESSES_MAX as usize).unwrap_or(addresses);
        let known: Vec<[u8; 16]> = map.keys().collect::<Result<_, _>>()?;
        for gone in known.iter().filter(|known| !addresses.contains(&Ipv6Addr::from(**known))) {
            map.remove(gone)?;
        }
        for address in addresses {
            map.insert(address.octets(), 0, 0)?;
        }
        Ok(())
    }

    /// What it counts.
    #[must_use]
    pub fn counters(&self) -> Arc<SteeringCounters> {
        Arc::clone(&self.counters)
    }

    /// Passes the program's own log on to ours, where it was built to have one: on a thread that ends with the process.
    ///
    /// # Errors
    ///
    /// Where the log cannot be read.
    pub fn forward_log(&mut self) -> Result<(), SteeringProgramError> {
        let mut logger = match EbpfLogger::init(&mut self.ebpf) {
            Err(aya_log::Error::MapNotFound) => return Ok(()),
            logger => logger.map_err(SteeringProgramError::Log)?,
        };
        let forward = move || {
            while poll(&mut [PollFd::new(&logger, PollFlags::IN)], None).is_ok() {
                logger.flush();
            }
        };
        thread::Builder::new().name("steering-log".into()).spawn(forward).map_err(SteeringProgramError::LogThread)?;
        Ok(())
    }
}

fn program(ebpf: &mut Ebpf) -> Result<&mut Xdp, SteeringProgramError> {
    Ok(ebpf.program_mut(abi::PROGRAM).ok_or(SteeringProgramError::Missing(abi::PROGRAM))?.try_into()?)
}

/// What the kernel's error number means (`dev_xdp_attach`, `net/core/dev.c`).
fn refusal(error: ProgramError, mode: XdpMode) -> SteeringProgramError {
    let source = if let ProgramError::SyscallError(call) = error {
        call.io_error
    } else if let ProgramError::XdpError(XdpError::NetlinkError(error)) = error {
        // After EINVAL aya asks once more by netlink, which gives the reason of the driver.
        error.raw_os_error().map_or_else(|| io::Error::other(error.to_string()), io::Error::from_raw_os_error)
    } else {
        return SteeringProgramError::Program(error);
    };
    match source.raw_os_error() {
        Some(libc::EBUSY | libc::EEXIST) => SteeringProgramError::Busy,
        _ => SteeringProgramError::Unsupported { mode, source },
    }
}

/// The name of the program with this number, where the kernel knows both.
#[must_use]
pub fn program_name(id: u32) -> Option<String> {
    let mut programs = aya::programs::loaded_programs().filter_map(Result::ok);
    programs.find(|program| program.id() == id)?.name_as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_said_is_in_the_line_once() {
        let map =
            MapError::CreateError { name: "COUNTERS".to_owned(), io_error: io::Error::from_raw_os_error(libc::EPERM) };
        assert_eq!(
            SteeringProgramError::from(EbpfError::from(map)).to_string(),
            "the kernel does not load the steering program: map error: failed to create map `COUNTERS`: Operation not permitted (os \
             error 1)"
        );
        let refused = "the BPF_PROG_LOAD syscall returned Operation not permitted (os error 1)";
        let logged = io::Error::other(format!("{refused}. Verifier output: 0: R1=ctx()\n1: R10=fp0"));
        assert_eq!(in_a_line(&logged), refused);
    }
}
