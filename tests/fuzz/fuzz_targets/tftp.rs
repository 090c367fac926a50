//! Any bytes, as packets of TFTP clients and the time between them.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| dhcpv6macd_tests::transfers::judge_packets(input));
