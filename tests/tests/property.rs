//! Whatever comes in: no panic; a whole reply to a machine, or a reason with a name; the same again for the same bytes.
#![cfg(test)]

use std::collections::BTreeSet;

use dhcpv6macd::wire::MacAddr;
use dhcpv6macd_ebpf::{Service, Verdict, classify, header::PAYLOAD_OFFSET};
use dhcpv6macd_tests::golden::{self, Envelope, judge, judge_configured, judge_message, local};
use proptest::{collection::vec, prelude::*, sample::Index};

/// Longer than any frame here.
const LENGTH_MAX: usize = 2048;

fn config() -> ProptestConfig {
    ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() }
}

fn known_frames() -> Vec<Vec<u8>> {
    golden::known_frames().unwrap().into_iter().collect()
}

/// The DHCPv6 messages in them that are for a server.
fn known_messages() -> Vec<Vec<u8>> {
    let is_for_us = |frame: &Vec<u8>| classify(frame.as_slice(), &local()) == Verdict::Steer(Service::Dhcpv6);
    let frames = known_frames().into_iter().filter(is_for_us);
    let messages: BTreeSet<_> = frames.map(|frame| frame[PAYLOAD_OFFSET..].to_vec()).collect();
    messages.into_iter().collect()
}

/// Bytes changed, put in and taken out.
fn mutated(known: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let edit = (any::<Index>(), 0..4_usize, vec(interesting(), 0..4));
    (prop::sample::select(known), vec(edit, 1..4)).prop_map(|(mut bytes, edits)| {
        for (start, removed, put_in) in edits {
            let start = start.index(bytes.len() + 1);
            let end = (start + removed).min(bytes.len());
            bytes.splice(start..end, put_in);
        }
        bytes
    })
}

/// Codes, lengths and types that mean something, and any other byte.
fn interesting() -> impl Strategy<Value = u8> {
    prop_oneof![
        0..=14_u8,
        prop::sample::select(vec![15, 16, 18, 24, 25, 26, 39, 59, 61, 79, 128, 135, 254, 255]),
        any::<u8>()
    ]
}

/// Options in options, most of their lengths right.
fn options() -> impl Strategy<Value = Vec<u8>> {
    let leaf = (code(), vec(any::<u8>(), 0..40)).prop_map(|(code, data)| option(code, &data));
    leaf.prop_recursive(3, 64, 8, |inner| {
        (code(), vec(any::<u8>(), 0..28), vec(inner, 0..8))
            .prop_map(|(code, header, inner)| option(code, &[header, inner.concat()].concat()))
    })
}

fn code() -> impl Strategy<Value = u16> {
    prop_oneof![4 => prop::sample::select(vec![1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 14, 15, 16, 18, 25, 26, 39, 61, 79, 135]), 1 => any::<u16>()]
}

fn option(code: u16, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap();
    [&code.to_be_bytes(), &length.to_be_bytes(), data].concat()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_bytes_are_a_frame(frame in vec(any::<u8>(), 0..=LENGTH_MAX)) {
        judge(&frame).ok();
    }

    #[test]
    fn any_bytes_are_a_message(kind in 0..=14_u8, rest in vec(any::<u8>(), 0..=LENGTH_MAX - 1)) {
        judge_message(&[&[kind][..], &rest].concat()).ok();
    }

    #[test]
    fn options_in_options(kind in 1..=13_u8, transaction: [u8; 3], options in vec(options(), 0..8)) {
        judge_message(&[&[kind][..], &transaction, &options.concat()].concat()).ok();
    }

    #[test]
    fn frames_that_are_almost_right(frame in mutated(known_frames())) {
        judge(&frame).ok();
    }

    #[test]
    fn messages_that_are_almost_right(message in mutated(known_messages())) {
        judge_message(&message).ok();
    }

    #[test]
    fn messages_that_are_almost_right_whatever_was_decided(
        decided: [u8; 2],
        message in prop_oneof![prop::sample::select(known_messages()), mutated(known_messages())],
    ) {
        judge_configured(&[&decided[..], &message].concat()).ok();
    }

    #[test]
    fn every_machine_gets_its_own_address(mac: [u8; 6], message in prop::sample::select(known_messages())) {
        let envelope = Envelope { ethernet_source: MacAddr(mac), ..Envelope::default() };
        judge(&envelope.around(&message)).ok();
    }
}

#[test]
fn every_frame_cut_at_every_byte() {
    for frame in known_frames() {
        for end in 0..frame.len() {
            judge(&frame[..end]).ok();
        }
    }
}

#[test]
fn every_message_cut_at_every_byte() {
    let (mut answered, mut dropped) = (0, 0);
    for message in known_messages() {
        for end in 0..message.len() {
            match judge_message(&message[..end]) {
                Ok(_) => answered += 1,
                Err(_) => dropped += 1,
            }
        }
    }
    // A message that ends between two options is a whole one.
    assert!(answered > 100 && dropped > 1000, "{answered} answered, {dropped} dropped");
}

/// So that the other tests test something: what is mutated is mostly answered, when it is not mutated.
#[test]
fn what_is_known_is_often_answered() {
    let messages = known_messages();
    let answered = messages.iter().filter(|message| judge_message(message).is_ok()).count();
    assert!(answered * 4 > messages.len(), "{answered} of {}", messages.len());
}
