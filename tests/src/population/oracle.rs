//! Other people's decoders read the answers that the machines got: etherparse the headers and checksums, dhcproto the message.

use std::net::Ipv6Addr;

use anyhow::{Context as _, Result, bail, ensure};
use dhcpv6macd::{policy::BaseAddress, wire::MacAddr};

use super::{
    Population,
    machine::{Step, mac_of},
    message::{ADVERTISE, CLIENT_PORT, IA_NA, REPLY, SERVER_PORT},
};
use crate::golden::{Answer, Association, Envelope};

/// Code of the Boot File URL (RFC 5970 section 3.1).
const BOOT_FILE_URL: u16 = 59;

/// What the decoders found.
#[derive(Debug, Default)]
pub struct Findings {
    /// Machines whose first Advertise and first Reply give them exactly their address.
    pub right: usize,
    /// Machines that got no answer to a message, or never sent it.
    pub unanswered: Vec<MacAddr>,
    /// All others, and what is wrong with their answers.
    pub wrong: Vec<(MacAddr, String)>,
}

/// Reads the first Advertise and the first Reply of every machine.
#[must_use]
pub fn check(population: &Population, base: BaseAddress) -> Findings {
    let mut findings = Findings::default();
    for (machine, number) in (0..population.size()).zip(0..) {
        let mac = mac_of(number);
        match check_machine(population, machine, mac, base.address_of(mac)) {
            Ok(true) => findings.right += 1,
            Ok(false) => findings.unanswered.push(mac),
            Err(error) => findings.wrong.push((mac, format!("{error:#}"))),
        }
    }
    findings
}

/// The boot URL in each machine's first Reply, as far as there is one.
#[must_use]
pub fn boot_urls(population: &Population) -> Vec<Option<String>> {
    let url_of = |machine| {
        let answer = Answer::read(population.samples.get(machine, Step::Request)?).ok()?;
        let (_, url) = answer.others.into_iter().find(|(code, _)| *code == BOOT_FILE_URL)?;
        String::from_utf8(url).ok()
    };
    (0..population.size()).map(url_of).collect()
}

/// Has the machine both answers? What it has is right.
fn check_machine(population: &Population, machine: usize, mac: MacAddr, address: Ipv6Addr) -> Result<bool> {
    for (step, kind, name) in [(Step::Solicit, ADVERTISE, "Advertise"), (Step::Request, REPLY, "Reply")] {
        let Some(frame) = population.samples.get(machine, step) else { return Ok(false) };
        check_answer(frame, kind, mac, address).context(name)?;
    }
    Ok(true)
}

fn check_answer(frame: &[u8], kind: u8, mac: MacAddr, address: Ipv6Addr) -> Result<()> {
    let answer = Answer::read(frame)?;
    let Envelope { ethernet_destination, source_port, destination_port, .. } = answer.envelope;
    ensure!(answer.kind == kind, "a message of type {}", answer.kind);
    ensure!(ethernet_destination == mac, "sent to {ethernet_destination}");
    ensure!((source_port, destination_port) == (SERVER_PORT, CLIENT_PORT), "ports {:?}", answer.envelope);
    let [Association { code: IA_NA, addresses, .. }] = &answer.associations[..] else {
        bail!("not exactly one IA_NA: {:?}", answer.associations)
    };
    let [(given, preferred, valid)] = addresses[..] else { bail!("not exactly one address: {addresses:?}") };
    ensure!(given == address, "{given} instead of {address}");
    ensure!(valid >= preferred && valid > 0, "lifetimes {preferred} and {valid}");
    ensure!(answer.server_id.is_some(), "no Server Identifier");
    ensure!(answer.client_id.is_some(), "no Client Identifier");
    Ok(())
}

#[cfg(test)]
mod tests {
    use dhcproto::v6::{self, DhcpOption, MessageType, OptionCode};

    use super::*;
    use crate::{
        golden::{decode, open},
        population::message::{IPXE_OPTIONS, Messages, PXE_OPTIONS, SYSTEM_OPTIONS},
    };

    const NUMBER: u32 = 0x12_3456;

    fn written(stage: &'static [u8], step: Step) -> Vec<u8> {
        let mut messages = Messages::new(stage);
        messages.choose_server(&[0, 3, 0, 1, 2, 0, 0, 0, 0, 1]);
        let mut frame = vec![0xff; 1514];
        let length = messages.write(&mut frame, step, NUMBER, 0xab_cdef, [7; 16]).unwrap();
        frame.truncate(length);
        frame
    }

    /// The message in a frame that a machine sends.
    fn read(frame: &[u8]) -> v6::Message {
        let (envelope, payload) = open(frame).unwrap();
        assert_eq!((envelope.source_port, envelope.destination_port), (CLIENT_PORT, SERVER_PORT));
        decode(payload).unwrap()
    }

    #[test]
    fn what_a_machine_sends_is_what_others_read() {
        for (stage, step, kind, expected) in [
            (IPXE_OPTIONS, Step::Solicit, MessageType::Solicit, &[1, 3, 6, 8, 15, 16, 61, 62][..]),
            (IPXE_OPTIONS, Step::Request, MessageType::Request, &[1, 2, 3, 6, 8, 15, 16, 61, 62]),
            (PXE_OPTIONS, Step::Solicit, MessageType::Solicit, &[1, 3, 6, 8, 16, 61, 62]),
            (PXE_OPTIONS, Step::Request, MessageType::Request, &[1, 2, 3, 6, 8, 16, 61, 62]),
            (SYSTEM_OPTIONS, Step::Solicit, MessageType::Solicit, &[1, 3, 6, 8]),
            (SYSTEM_OPTIONS, Step::Request, MessageType::Request, &[1, 2, 3, 6, 8]),
        ] {
            let frame = written(stage, step);
            let message = read(&frame);
            assert_eq!((message.msg_type(), message.xid()), (kind, [0xab, 0xcd, 0xef]));
            assert_eq!(frame[6..12], mac_of(NUMBER).0);
            assert_eq!(frame[22..38], "fe80::5054:ff:fe12:3456".parse::<Ipv6Addr>().unwrap().octets());
            let codes: Vec<u16> = message.opts().iter().map(|option| OptionCode::from(option).into()).collect();
            assert_eq!(codes, expected);
        }
    }

    #[test]
    fn a_request_asks_for_the_address() {
        let frame = written(IPXE_OPTIONS, Step::Request);
        let message = read(&frame);
        let Some(DhcpOption::IANA(ia_na)) = message.opts().get(OptionCode::IANA) else { panic!("no IA_NA") };
        let Some(DhcpOption::IAAddr(wish)) = ia_na.opts.get(OptionCode::IAAddr) else { panic!("no IAADDR") };
        assert_eq!(wish.addr.octets(), [7; 16]);
    }

    #[test]
    fn a_wrong_checksum_is_found() {
        let mut frame = written(IPXE_OPTIONS, Step::Solicit);
        frame[100] ^= 1;
        assert!(open(&frame).is_err());
    }
}
