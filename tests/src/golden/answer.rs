//! What an answer says, read by other people's decoders: etherparse the headers and the checksum, dhcproto the message.

use std::{net::Ipv6Addr, panic};

use anyhow::{Context as _, Result, bail, ensure};
use dhcproto::{
    Decodable as _, Decoder, Encodable as _,
    v6::{self, DhcpOption, DhcpOptions, OptionCode},
};
use dhcpv6macd::wire::MacAddr;
use etherparse::{NetSlice, SlicedPacket, TransportSlice};

use super::{
    Envelope, LOCAL_MAC, MACHINE, OUR_LINK_LOCAL, SERVER_DUID, SERVER_PORT,
    packet::{
        ADVERTISE, BOOT_FILE_URL, CLIENT_FQDN, DUID, IA_NA, IA_PD, IA_TA, MACHINE_LINK_LOCAL, RELAY_MESSAGE,
        RELAY_REPLY, REPLY, TRANSACTION, right,
    },
};

/// An answer, field by field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its addresses and ports.
    pub envelope: Envelope,
    /// Message type.
    pub kind: u8,
    /// Transaction ID.
    pub transaction: [u8; 3],
    /// Client Identifier.
    pub client_id: Option<Vec<u8>>,
    /// Server Identifier.
    pub server_id: Option<Vec<u8>>,
    /// Preference.
    pub preference: Option<u8>,
    /// Is Rapid Commit there?
    pub rapid_commit: bool,
    /// Status of the whole message.
    pub status: Option<u16>,
    /// Answers to identity associations, by kind and IAID.
    pub associations: Vec<Association>,
    /// Flags and name.
    pub fqdn: Option<Vec<u8>>,
    /// Other options, code and data, in order of their codes.
    pub others: Vec<(u16, Vec<u8>)>,
    /// Relay-replies around it, the outermost first.
    pub relays: Vec<Relay>,
}

/// A Relay-reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relay {
    /// Relay agents between this one and the machine.
    pub hop_count: u8,
    /// Link address.
    pub link_address: Ipv6Addr,
    /// Peer address.
    pub peer_address: Ipv6Addr,
    /// Its options but the Relay Message, code and data.
    pub options: Vec<(u16, Vec<u8>)>,
}

/// The answer to an identity association.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Association {
    /// Code of its option: IA_NA, IA_TA or IA_PD.
    pub code: u16,
    /// The client's number for it.
    pub iaid: u32,
    /// T1 and T2 where it has them.
    pub times: Option<(u32, u32)>,
    /// Addresses with preferred and valid lifetime.
    pub addresses: Vec<(Ipv6Addr, u32, u32)>,
    /// Status inside it.
    pub status: Option<u16>,
}

/// Status codes (RFC 9915 section 21.13).
pub(super) const SUCCESS: u16 = 0;
pub(super) const NO_ADDRS_AVAIL: u16 = 2;
pub(super) const NOT_ON_LINK: u16 = 4;
pub(super) const NO_PREFIX_AVAIL: u16 = 6;

/// Bytes of a Reply's options that shim looks for the Boot File URL in.
const SHIM_READS: usize = 1024;

/// T1, T2, preferred and valid lifetime where the operator says nothing.
const TIMES: (u32, u32) = (21_600, 34_560);
const LIFETIMES: (u32, u32) = (43_200, 86_400);

/// A Reply to our machine that says nothing.
pub(super) fn reply() -> Answer {
    Answer {
        envelope: Envelope {
            ethernet_source: LOCAL_MAC,
            ethernet_destination: MACHINE,
            source: OUR_LINK_LOCAL,
            destination: MACHINE_LINK_LOCAL,
            source_port: SERVER_PORT,
            destination_port: 546,
        },
        kind: REPLY,
        transaction: TRANSACTION,
        client_id: Some(DUID.to_vec()),
        server_id: Some(SERVER_DUID.to_vec()),
        preference: None,
        rapid_commit: false,
        status: None,
        associations: Vec::new(),
        fqdn: None,
        others: Vec::new(),
        relays: Vec::new(),
    }
}

/// An Advertise to our machine that offers nothing.
pub(super) fn advertise() -> Answer {
    Answer { kind: ADVERTISE, preference: Some(255), ..reply() }
}

impl Answer {
    /// An IA_NA with the address of our machine and nothing else.
    pub(super) fn given(self, iaid: u32) -> Self {
        self.given_and_ended(iaid, &[])
    }

    /// The same, and addresses that end now.
    pub(super) fn given_and_ended(self, iaid: u32, ended: &[Ipv6Addr]) -> Self {
        let given = (right(), LIFETIMES.0, LIFETIMES.1);
        let addresses = [given].into_iter().chain(ended.iter().map(|address| (*address, 0, 0))).collect();
        self.association(Association { code: IA_NA, iaid, times: Some(TIMES), addresses, status: None })
    }

    /// An identity association with a status and nothing else.
    pub(super) fn refused(self, code: u16, iaid: u32) -> Self {
        let times = (code != IA_TA).then_some((0, 0));
        let status = Some(if code == IA_PD { NO_PREFIX_AVAIL } else { NO_ADDRS_AVAIL });
        self.association(Association { code, iaid, times, addresses: Vec::new(), status })
    }

    pub(super) fn status(self, status: u16) -> Self {
        Self { status: Some(status), ..self }
    }

    /// With another option.
    pub(super) fn other(mut self, code: u16, data: &[u8]) -> Self {
        self.others.push((code, data.to_vec()));
        self.others.sort();
        self
    }

    fn association(mut self, association: Association) -> Self {
        self.associations.push(association);
        self.associations.sort();
        self
    }

    /// Reads a whole frame to its last byte.
    ///
    /// # Errors
    ///
    /// What one of the decoders does not like, and what none of them has read.
    pub fn read(frame: &[u8]) -> Result<Self> {
        let (envelope, payload) = open(frame)?;
        let (relays, payload) = unwrap_relays(payload)?;
        let message = decode(payload)?;
        check_boot_file_url(payload)?;
        let mut answer = Self {
            envelope,
            kind: message.msg_type().into(),
            transaction: message.xid(),
            client_id: None,
            server_id: None,
            relays,
            ..reply()
        };
        for option in message.opts().iter() {
            answer.read_option(option)?;
        }
        answer.associations.sort();
        answer.others.sort();
        Ok(answer)
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "whatever else comes is told of")]
    fn read_option(&mut self, option: &DhcpOption) -> Result<()> {
        match option {
            DhcpOption::ClientId(duid) => once(self.client_id.replace(duid.clone())),
            DhcpOption::ServerId(duid) => once(self.server_id.replace(duid.clone())),
            DhcpOption::Preference(preference) => once(self.preference.replace(*preference)),
            DhcpOption::StatusCode(status) => once(self.status.replace(status.status.into())),
            DhcpOption::RapidCommit => once(std::mem::replace(&mut self.rapid_commit, true).then_some(())),
            DhcpOption::IANA(ia) => self.read_association(IA_NA, ia.id, Some((ia.t1, ia.t2)), &ia.opts),
            DhcpOption::IATA(ia) => self.read_association(IA_TA, ia.id, None, &ia.opts),
            DhcpOption::IAPD(ia) => self.read_association(IA_PD, ia.id, Some((ia.t1, ia.t2)), &ia.opts),
            DhcpOption::Unknown(unknown) if u16::from(unknown.code()) == CLIENT_FQDN => {
                once(self.fqdn.replace(unknown.data().to_vec()))
            }
            other => {
                let bytes = other.to_vec()?;
                let data = bytes.get(4..).context("an option of less than four bytes")?;
                self.others.push((OptionCode::from(other).into(), data.to_vec()));
                Ok(())
            }
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "whatever else comes is told of")]
    fn read_association(
        &mut self,
        code: u16,
        iaid: u32,
        times: Option<(u32, u32)>,
        options: &DhcpOptions,
    ) -> Result<()> {
        let mut association = Association { code, iaid, times, addresses: Vec::new(), status: None };
        for option in options.iter() {
            match option {
                DhcpOption::IAAddr(given) => {
                    ensure!(given.opts.iter().next().is_none(), "options inside an IAADDR");
                    association.addresses.push((given.addr, given.preferred_life, given.valid_life));
                }
                DhcpOption::StatusCode(status) => once(association.status.replace(status.status.into()))?,
                other => bail!("{other:?} inside an identity association"),
            }
        }
        // Only its own order says which address comes first: the one that lives.
        association.addresses.sort_by_key(|(address, _, valid)| (*valid == 0, *address));
        self.associations.push(association);
        Ok(())
    }
}

fn once<T>(before: Option<T>) -> Result<()> {
    ensure!(before.is_none(), "an option twice");
    Ok(())
}

/// The headers of a frame and the payload of its datagram.
///
/// # Errors
///
/// Where it holds something else than one UDP datagram over IPv6 with a right checksum.
pub fn open(frame: &[u8]) -> Result<(Envelope, &[u8])> {
    let packet = SlicedPacket::from_ethernet(frame)?;
    let ethernet = packet.link.as_ref().and_then(|link| link.to_header()?.ethernet2()).context("no Ethernet header")?;
    let Some(NetSlice::Ipv6(ipv6)) = &packet.net else { bail!("not IPv6") };
    let Some(TransportSlice::Udp(udp)) = &packet.transport else { bail!("not UDP") };
    let header = udp.to_header();
    let checksum = header.calc_checksum_ipv6(&ipv6.header().to_header(), udp.payload())?;
    ensure!(header.checksum == checksum, "UDP checksum {:#06x} instead of {checksum:#06x}", header.checksum);
    ensure!(62 + udp.payload().len() == frame.len(), "bytes behind the datagram");
    let envelope = Envelope {
        ethernet_source: MacAddr(ethernet.source),
        ethernet_destination: MacAddr(ethernet.destination),
        source: ipv6.header().source_addr(),
        destination: ipv6.header().destination_addr(),
        source_port: header.source_port,
        destination_port: header.destination_port,
    };
    Ok((envelope, udp.payload()))
}

/// Takes Relay-replies off. dhcproto reads what is inside one as another of them, whatever it is.
fn unwrap_relays(mut payload: &[u8]) -> Result<(Vec<Relay>, &[u8])> {
    let mut relays = Vec::new();
    while let Some((header, rest)) = payload.split_first_chunk::<34>().filter(|(header, _)| header[0] == RELAY_REPLY) {
        let address = |at: usize| -> Result<Ipv6Addr> {
            let octets: [u8; 16] = header.get(at..at + 16).context("an address")?.try_into()?;
            Ok(octets.into())
        };
        let (relayed, options): (Vec<_>, Vec<_>) =
            options(rest)?.into_iter().partition(|(code, _)| *code == RELAY_MESSAGE);
        let [(_, message)] = relayed[..] else { bail!("{} Relay Messages in a Relay-reply", relayed.len()) };
        let options = options.into_iter().map(|(code, data)| (code, data.to_vec())).collect();
        let (link_address, peer_address) = (address(2)?, address(18)?);
        relays.push(Relay { hop_count: header[1], link_address, peer_address, options });
        payload = message;
    }
    Ok((relays, payload))
}

/// EDK2 reads the Boot File URL up to a NUL: the next option's code begins with one (H3). shim reads no further than the first
/// bytes of the options (S1).
fn check_boot_file_url(message: &[u8]) -> Result<()> {
    let options = options(message.get(4..).context("no message")?)?;
    if let Some(at) = options.iter().position(|(code, _)| *code == BOOT_FILE_URL) {
        let (next, _) = options.get(at + 1).context("the Boot File URL is the last option")?;
        ensure!(*next < 256, "behind the Boot File URL comes option {next}");
        let end: usize = options.iter().take(at + 1).map(|(_, data)| 4 + data.len()).sum();
        ensure!(end <= SHIM_READS, "the Boot File URL ends at byte {end}");
    }
    Ok(())
}

/// Options, one after the other, to the last byte.
fn options(mut bytes: &[u8]) -> Result<Vec<(u16, &[u8])>> {
    let mut options = Vec::new();
    while !bytes.is_empty() {
        let (header, rest) = bytes.split_first_chunk::<4>().context("half a header of an option")?;
        let [code, length] = [[header[0], header[1]], [header[2], header[3]]].map(u16::from_be_bytes);
        let (data, rest) = rest.split_at_checked(length.into()).context("an option that overruns")?;
        options.push((code, data));
        bytes = rest;
    }
    Ok(options)
}

/// Decodes a whole message. dhcproto panics on some input, and stops at the first option that it cannot read without a word:
/// what it has read is as long as what there is.
///
/// # Errors
///
/// A message that dhcproto does not read, whole.
pub fn decode(payload: &[u8]) -> Result<v6::Message> {
    let decoded = panic::catch_unwind(|| v6::Message::decode(&mut Decoder::new(payload)));
    let message = decoded.ok().context("dhcproto panicked")??;
    let read = message.to_vec()?.len();
    ensure!(read == payload.len(), "{read} of {} bytes are options", payload.len());
    Ok(message)
}
