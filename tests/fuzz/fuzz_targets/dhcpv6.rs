//! Any bytes, as a message.
#![no_main]

libfuzzer_sys::fuzz_target!(|message: &[u8]| {
    dhcpv6macd_tests::golden::judge_message(message).ok();
});
