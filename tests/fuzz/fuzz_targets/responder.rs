//! Any bytes, as what the operator decided and a message.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    dhcpv6macd_tests::golden::judge_configured(input).ok();
});
