//! What a machine hears, read as lightly as the measurement asks for: one walk over the options, nothing copied.

use dhcpv6macd::wire::MacAddr;
use dhcpv6macd_ebpf::{
    Frame as _,
    header::{
        ETHERTYPE_IPV6, EthernetHeader, IPV6_OFFSET, Ipv6Header, NEXT_HEADER_UDP, PAYLOAD_OFFSET, UDP_OFFSET, UdpHeader,
    },
};

use super::message::{CLIENT_PORT, IA_NA, IAADDR, OptionHeader, SERVER_ID, SERVER_PORT};

/// Bytes of a message's type and transaction ID.
const MESSAGE_HEADER: usize = 4;
/// Bytes of an IA_NA in front of its options (RFC 9915 section 21.4).
const IA_NA_HEADER: usize = 12;

/// A DHCPv6 message that went to a machine, or came back from an echo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Received<'a> {
    /// Whom the frame is for.
    pub(super) machine: MacAddr,
    /// UDP port that it came from.
    pub(super) source_port: u16,
    /// Message type.
    pub(super) kind: u8,
    /// Transaction ID, 24 bits.
    pub(super) transaction: u32,
    options: &'a [u8],
}

impl<'a> Received<'a> {
    /// Reads the headers; `None` where the frame is something else.
    pub(super) fn read(frame: &'a [u8]) -> Option<Self> {
        let ethernet: &EthernetHeader = frame.view(0)?;
        let ipv6: &Ipv6Header = frame.view(IPV6_OFFSET)?;
        let udp: &UdpHeader = frame.view(UDP_OFFSET)?;
        let ports = (udp.source_port.get(), udp.destination_port.get());
        let is_ours = ethernet.ethertype.get() == ETHERTYPE_IPV6
            && ipv6.next_header == NEXT_HEADER_UDP
            && matches!(ports, (SERVER_PORT, CLIENT_PORT) | (CLIENT_PORT, SERVER_PORT));
        let &[kind, a, b, c] = frame.view::<[u8; MESSAGE_HEADER]>(PAYLOAD_OFFSET).filter(|_| is_ours)?;
        Some(Self {
            machine: MacAddr(ethernet.destination),
            source_port: udp.source_port.get(),
            kind,
            transaction: u32::from_be_bytes([0, a, b, c]),
            options: frame.get(PAYLOAD_OFFSET + MESSAGE_HEADER..)?,
        })
    }

    /// DUID of the server.
    pub(super) fn server_id(&self) -> Option<&'a [u8]> {
        option_in(self.options, SERVER_ID)
    }

    /// The first address of the first IA_NA.
    pub(super) fn address(&self) -> Option<[u8; 16]> {
        let ia_na = option_in(self.options, IA_NA)?;
        option_in(ia_na.get(IA_NA_HEADER..)?, IAADDR)?.view(0).copied()
    }
}

/// The value of the first option with this code.
fn option_in(mut options: &[u8], code: u16) -> Option<&[u8]> {
    loop {
        let header: &OptionHeader = options.view(0)?;
        let rest = options.get(size_of::<OptionHeader>()..)?;
        let (value, next) = rest.split_at_checked(header.length.get().into())?;
        if header.code.get() == code {
            return Some(value);
        }
        options = next;
    }
}
