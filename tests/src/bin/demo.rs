//! `cargo xtask demo`: a rack that boots.

use std::process::ExitCode;

use clap::Parser as _;
use dhcpv6macd_tests::demo::{self, Options};

#[expect(clippy::print_stderr, reason = "the last words")]
fn main() -> ExitCode {
    match demo::play(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::from(2)
        }
    }
}
