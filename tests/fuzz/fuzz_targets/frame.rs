//! Any bytes, as a frame.
#![no_main]

libfuzzer_sys::fuzz_target!(|frame: &[u8]| {
    dhcpv6macd_tests::golden::judge(frame).ok();
});
