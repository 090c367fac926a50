//! Other people's decoders read the answers that the machines got: etherparse the headers and checksums, dhcproto the message.

use std::net::Ipv6Addr;

use anyhow::{Context as _, Result, bail, ensure};
use dhcproto::v6::{DhcpOption, MessageType, OptionCode};
use dhcpv6macd::{policy::BaseAddress, wire::MacAddr};
use etherparse::{NetSlice, SlicedPacket, TransportSlice};

use super::{
    Population,
    machine::{Step, mac_of},
    message::{CLIENT_PORT, SERVER_PORT},
};
use crate::golden::decode;

/// What the decoders found.
#[derive(Debug, Default)]
pub struct Findings {
    /// Machines whose first Advertise and first Reply give them exactly their address.
    pub right: usize,
    /// All others, and what is wrong with their answers.
    pub wrong: Vec<(MacAddr, String)>,
}

/// Reads the first Advertise and the first Reply of every machine.
#[must_use]
pub fn check(population: &Population, base: BaseAddress) -> Findings {
    let mut findings = Findings::default();
    for (machine, number) in (0..population.size()).zip(0..) {
        let mac = mac_of(number);
        match Step::BOTH.into_iter().try_for_each(|step| check_sample(population, machine, step, mac, base)) {
            Ok(()) => findings.right += 1,
            Err(error) => findings.wrong.push((mac, format!("{error:#}"))),
        }
    }
    findings
}

fn check_sample(population: &Population, machine: usize, step: Step, mac: MacAddr, base: BaseAddress) -> Result<()> {
    let answer = match step {
        Step::Solicit => "Advertise",
        Step::Request => "Reply",
    };
    let frame = population.samples.get(machine, step).with_context(|| format!("no {answer}"))?;
    check_answer(frame, step, mac, base.address_of(mac)).context(answer)
}

fn check_answer(frame: &[u8], step: Step, mac: MacAddr, address: Ipv6Addr) -> Result<()> {
    let message = decode(datagram(frame, (SERVER_PORT, CLIENT_PORT), Some(mac))?)?;
    let expected = match step {
        Step::Solicit => MessageType::Advertise,
        Step::Request => MessageType::Reply,
    };
    ensure!(message.msg_type() == expected, "a {:?}", message.msg_type());
    let associations: Vec<_> =
        message.opts().iter().filter(|option| OptionCode::from(*option) == OptionCode::IANA).collect();
    let [DhcpOption::IANA(ia_na)] = associations[..] else { bail!("not exactly one IA_NA: {associations:?}") };
    let addresses: Vec<_> = ia_na.opts.iter().collect();
    let [DhcpOption::IAAddr(given)] = addresses[..] else {
        bail!("not exactly one IAADDR in its IA_NA: {addresses:?}")
    };
    ensure!(given.addr == address, "{} instead of {address}", given.addr);
    ensure!(given.valid_life >= given.preferred_life && given.valid_life > 0, "lifetimes {given:?}");
    ensure!(message.opts().get(OptionCode::ServerId).is_some(), "no Server Identifier");
    ensure!(message.opts().get(OptionCode::ClientId).is_some(), "no Client Identifier");
    Ok(())
}

/// The payload of a UDP datagram over IPv6 with these ports and a right checksum, in a frame to `to`.
fn datagram(frame: &[u8], ports: (u16, u16), to: Option<MacAddr>) -> Result<&[u8]> {
    let packet = SlicedPacket::from_ethernet(frame)?;
    let ethernet = packet.link.as_ref().and_then(|link| link.to_header()?.ethernet2()).context("no Ethernet header")?;
    ensure!(to.is_none_or(|mac| ethernet.destination == mac.0), "sent to {:x?}", ethernet.destination);
    let Some(NetSlice::Ipv6(ipv6)) = &packet.net else { bail!("not IPv6") };
    let Some(TransportSlice::Udp(udp)) = &packet.transport else { bail!("not UDP") };
    let header = udp.to_header();
    ensure!((header.source_port, header.destination_port) == ports, "ports {header:?}");
    let checksum = header.calc_checksum_ipv6(&ipv6.header().to_header(), udp.payload())?;
    ensure!(header.checksum == checksum, "UDP checksum {:#06x} instead of {checksum:#06x}", header.checksum);
    Ok(udp.payload())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::population::message::Messages;

    const NUMBER: u32 = 0x12_3456;

    fn written(step: Step) -> Vec<u8> {
        let mut messages = Messages::new();
        messages.choose_server(&[0, 3, 0, 1, 2, 0, 0, 0, 0, 1]);
        let mut frame = vec![0xff; 1514];
        let length = messages.write(&mut frame, step, NUMBER, 0xab_cdef, [7; 16]).unwrap();
        frame.truncate(length);
        frame
    }

    #[test]
    fn what_a_machine_sends_is_what_others_read() {
        for (step, kind) in [(Step::Solicit, MessageType::Solicit), (Step::Request, MessageType::Request)] {
            let frame = written(step);
            let message = decode(datagram(&frame, (CLIENT_PORT, SERVER_PORT), None).unwrap()).unwrap();
            assert_eq!((message.msg_type(), message.xid()), (kind, [0xab, 0xcd, 0xef]));
            assert_eq!(frame[6..12], mac_of(NUMBER).0);
            assert_eq!(frame[22..38], "fe80::5054:ff:fe12:3456".parse::<Ipv6Addr>().unwrap().octets());
            let codes: Vec<u16> = message.opts().iter().map(|option| OptionCode::from(option).into()).collect();
            let expected: &[u16] =
                if step == Step::Solicit { &[1, 3, 6, 8, 16, 61, 62] } else { &[1, 2, 3, 6, 8, 16, 61, 62] };
            assert_eq!(codes, expected);
        }
    }

    #[test]
    fn a_request_asks_for_the_address() {
        let frame = written(Step::Request);
        let message = decode(datagram(&frame, (CLIENT_PORT, SERVER_PORT), None).unwrap()).unwrap();
        let Some(DhcpOption::IANA(ia_na)) = message.opts().get(OptionCode::IANA) else { panic!("no IA_NA") };
        let Some(DhcpOption::IAAddr(wish)) = ia_na.opts.get(OptionCode::IAAddr) else { panic!("no IAADDR") };
        assert_eq!(wish.addr.octets(), [7; 16]);
    }

    #[test]
    fn a_wrong_checksum_is_found() {
        let mut frame = written(Step::Solicit);
        frame[100] ^= 1;
        assert!(datagram(&frame, (CLIENT_PORT, SERVER_PORT), None).is_err());
    }
}
