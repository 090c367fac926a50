//! Any bytes, as a capture that is replayed.
#![no_main]

libfuzzer_sys::fuzz_target!(|file: &[u8]| {
    dhcpv6macd_tests::capture::replayed(file).ok();
});
