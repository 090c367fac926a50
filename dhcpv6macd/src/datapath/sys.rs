//! System calls that no safe library offers: one function each, `io::Result` back, no policy.
#![expect(unsafe_code, reason = "system calls that no safe library offers")]

use std::{
    io,
    mem::{self, size_of},
    os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd},
    time::Duration,
};

use libc::{c_int, c_long, c_void, socklen_t};
use rustix::thread::{UnshareFlags, unshare_unsafe};

#[expect(
    clippy::cast_possible_truncation,
    reason = "the C library types the constant wider than the field that it is for"
)]
const AF_PACKET: libc::sa_family_t = libc::AF_PACKET.cast_unsigned() as libc::sa_family_t;
#[expect(
    clippy::cast_possible_truncation,
    reason = "the C library types the constant wider than the field that it is for"
)]
const IFF_UP: libc::c_short = libc::IFF_UP as libc::c_short;

/// Leaves the calling thread in a new network namespace (`unshare(2)`).
pub(super) fn unshare_network() -> io::Result<()> {
    // SAFETY: CLONE_NEWNET does not split the file descriptor table, which is what makes other flags unsafe.
    Ok(unsafe { unshare_unsafe(UnshareFlags::NEWNET) }?)
}

/// Has the calling thread ask for a CPU's time in slices of this length, unless it is scheduled otherwise than most (`sched_setattr(2)`).
pub(super) fn set_slice(slice: Duration) -> io::Result<()> {
    const THIS_THREAD: c_long = 0;
    const NO_FLAGS: c_long = 0;
    // SAFETY: a sched_attr is a C structure of integers, for which all zero bytes are a value.
    let mut attributes: libc::sched_attr = unsafe { mem::zeroed() };
    let (room, size) = (&raw mut attributes, c_long::from(length_of::<libc::sched_attr>()));
    // SAFETY: no more than this size is written, and there is room for that.
    check(unsafe { libc::syscall(libc::SYS_sched_getattr, THIS_THREAD, room, size, NO_FLAGS) })?;
    if attributes.sched_policy.cast_signed() == libc::SCHED_OTHER {
        attributes.sched_runtime = u64::try_from(slice.as_nanos()).map_err(io::Error::other)?;
        // SAFETY: the attributes outlive the call, and tell their own size.
        check(unsafe { libc::syscall(libc::SYS_sched_setattr, THIS_THREAD, &raw const attributes, NO_FLAGS) })?;
    }
    Ok(())
}

/// A raw `AF_PACKET` socket that receives nothing yet (`packet(7)`: protocol 0).
pub(super) fn packet_socket() -> io::Result<OwnedFd> {
    // SAFETY: takes no pointers.
    let fd = check(unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) })?;
    // SAFETY: just opened, and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Ties a packet socket to one interface and, unless `ethertype` is 0, to one EtherType or to `ETH_P_ALL`.
pub(super) fn bind_packet(socket: &impl AsFd, interface: u32, ethertype: u16) -> io::Result<()> {
    let address = libc::sockaddr_ll {
        sll_family: AF_PACKET,
        sll_protocol: ethertype.to_be(),
        sll_ifindex: interface.cast_signed(),
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    let fd = socket.as_fd().as_raw_fd();
    // SAFETY: the address outlives the call and the length is its own.
    check(unsafe { libc::bind(fd, (&raw const address).cast(), length_of::<libc::sockaddr_ll>()) })?;
    Ok(())
}

/// Sets an option whose value is a plain C value.
pub(super) fn set_option<T: Copy>(socket: &impl AsFd, level: c_int, option: c_int, value: &T) -> io::Result<()> {
    let fd = socket.as_fd().as_raw_fd();
    // SAFETY: the value outlives the call and the length is its own.
    check(unsafe { libc::setsockopt(fd, level, option, (&raw const *value).cast(), length_of::<T>()) })?;
    Ok(())
}

/// Reads an option whose value is a plain C value of integers.
fn get_option<T: Copy>(socket: &impl AsFd, level: c_int, option: c_int, value: &mut T) -> io::Result<()> {
    let mut length = length_of::<T>();
    let fd = socket.as_fd().as_raw_fd();
    // SAFETY: both pointers outlive the call, and the length is that of the value.
    check(unsafe { libc::getsockopt(fd, level, option, (&raw mut *value).cast(), &raw mut length) })?;
    Ok(())
}

/// Limits a socket to one interface (`SO_BINDTODEVICE`, `socket(7)`).
pub(super) fn bind_to_device(socket: &impl AsFd, interface: &str) -> io::Result<()> {
    set_option(socket, libc::SOL_SOCKET, libc::SO_BINDTODEVICE, &interface_request(interface)?.ifr_name)
}

/// Attaches a classic BPF filter (`SO_ATTACH_FILTER`). Bounded by the kernel at `BPF_MAXINSNS`.
pub(super) fn attach_filter(socket: &impl AsFd, program: &[libc::sock_filter]) -> io::Result<()> {
    set_program(socket, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, program)
}

fn set_program(socket: &impl AsFd, level: c_int, option: c_int, program: &[libc::sock_filter]) -> io::Result<()> {
    let length = u16::try_from(program.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    // The kernel only reads the program, but the C structure has no const.
    let program = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut() };
    set_option(socket, level, option, &program)
}

/// A fanout group with one member, as the kernel names it (`PACKET_FANOUT`, `packet(7)`).
#[derive(Clone, Copy, Debug)]
pub(super) struct Fanout(u32);

/// Makes a packet socket the first of a new fanout group.
pub(super) fn new_fanout(socket: &impl AsFd, kind: u32) -> io::Result<Fanout> {
    set_option(socket, libc::SOL_PACKET, libc::PACKET_FANOUT, &((kind | libc::PACKET_FANOUT_FLAG_UNIQUEID) << 16))?;
    // The kernel has filled in an unused number, and left the flag that asked for it out.
    let mut group = 0_u32;
    get_option(socket, libc::SOL_PACKET, libc::PACKET_FANOUT, &mut group)?;
    Ok(Fanout(group))
}

/// Adds a packet socket to a fanout group.
pub(super) fn join_fanout(socket: &impl AsFd, Fanout(group): Fanout) -> io::Result<()> {
    set_option(socket, libc::SOL_PACKET, libc::PACKET_FANOUT, &group)
}

/// Has a fanout group of kind `PACKET_FANOUT_CBPF` choose the member by this program's result, modulo their number
/// (`PACKET_FANOUT_DATA`, `packet(7)`).
pub(super) fn set_fanout_program(socket: &impl AsFd, program: &[libc::sock_filter]) -> io::Result<()> {
    set_program(socket, libc::SOL_PACKET, libc::PACKET_FANOUT_DATA, program)
}

/// What happened in a packet socket since this was last asked (`PACKET_STATISTICS`): frames seen and frames dropped because the
/// ring was full.
pub(super) fn packet_statistics(socket: &impl AsFd) -> io::Result<(u32, u32)> {
    let mut statistics = libc::tpacket_stats { tp_packets: 0, tp_drops: 0 };
    get_option(socket, libc::SOL_PACKET, libc::PACKET_STATISTICS, &mut statistics)?;
    Ok((statistics.tp_packets, statistics.tp_drops))
}

/// Turns generic receive offload of an interface on (`ETHTOOL_SGRO`, `ethtool(8)`).
pub(super) fn enable_gro(socket: &impl AsFd, interface: &str) -> io::Result<()> {
    const ETHTOOL_SGRO: u32 = 0x2c;
    ethtool(socket, interface, ETHTOOL_SGRO, 1).map(drop)
}

/// The offloads of an interface as `ETH_FLAG_*` bits (`ETHTOOL_GFLAGS`, `include/uapi/linux/ethtool.h`).
pub(super) fn offloads(socket: &impl AsFd, interface: &str) -> io::Result<u32> {
    const ETHTOOL_GFLAGS: u32 = 0x25;
    ethtool(socket, interface, ETHTOOL_GFLAGS, 0)
}

/// A command of `ethtool(8)` that takes and gives one value (`struct ethtool_value`).
fn ethtool(socket: &impl AsFd, interface: &str, command: u32, data: u32) -> io::Result<u32> {
    #[repr(C)]
    struct EthtoolValue {
        command: u32,
        data: u32,
    }
    let mut value = EthtoolValue { command, data };
    let mut request = interface_request(interface)?;
    request.ifr_ifru.ifru_data = (&raw mut value).cast();
    interface_ioctl(socket, libc::SIOCETHTOOL, &mut request)?;
    Ok(value.data)
}

/// Sets an interface up (`SIOCSIFFLAGS`, `netdevice(7)`).
pub(super) fn set_up(socket: &impl AsFd, interface: &str) -> io::Result<()> {
    let mut request = interface_request(interface)?;
    interface_ioctl(socket, libc::SIOCGIFFLAGS, &mut request)?;
    // SAFETY: SIOCGIFFLAGS has just written this field.
    let flags = unsafe { request.ifr_ifru.ifru_flags };
    request.ifr_ifru.ifru_flags = flags | IFF_UP;
    interface_ioctl(socket, libc::SIOCSIFFLAGS, &mut request)
}

fn interface_request(interface: &str) -> io::Result<libc::ifreq> {
    // SAFETY: an ifreq is a C structure of integers, for which all zero bytes are a value.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    let Some(name) = request.ifr_name.get_mut(..interface.len()).filter(|_| interface.len() < libc::IFNAMSIZ) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    for (to, from) in name.iter_mut().zip(interface.bytes()) {
        *to = from.cast_signed();
    }
    Ok(request)
}

fn interface_ioctl(socket: &impl AsFd, operation: libc::Ioctl, request: &mut libc::ifreq) -> io::Result<()> {
    // SAFETY: every operation that this room asks for takes an ifreq, which outlives the call.
    check(unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), operation, (&raw mut *request).cast::<c_void>()) })?;
    Ok(())
}

#[expect(clippy::cast_possible_truncation, reason = "sizes of a few C structures")]
const fn length_of<T>() -> socklen_t {
    size_of::<T>() as socklen_t
}

fn check<T: Copy + PartialOrd + From<i8>>(result: T) -> io::Result<T> {
    if result < T::from(0) { Err(io::Error::last_os_error()) } else { Ok(result) }
}
