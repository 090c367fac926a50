//! `cargo xtask bench`: numbers.

use std::{ffi::OsString, process::ExitCode};

use clap::{Parser, Subcommand};
use dhcpv6macd::datapath::worker::NAP;
use dhcpv6macd_tests::bench::{dhcpv6, events, http, tftp};

/// Measures the daemon in network namespaces
#[derive(Parser)]
#[command(name = "cargo xtask bench", bin_name = "cargo xtask bench")]
struct Cli {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Subcommand)]
enum Bench {
    Dhcpv6(dhcpv6::Options),
    Events(events::Options),
    Http(http::Options),
    Tftp(tftp::Options),
    /// Sends every frame back: a contender of the other benches
    #[command(hide = true)]
    Echo {
        interface: String,
        /// Nap after a batch, as the daemon's workers do
        #[arg(long)]
        nap: bool,
    },
    #[command(hide = true)]
    Subscribers(events::SubscriberOptions),
    #[command(hide = true)]
    BareTftp(tftp::BareOptions),
    /// Becomes a server that finds port 69 at its standard input
    #[command(hide = true)]
    Inetd {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<OsString>,
    },
}

#[expect(clippy::print_stderr, reason = "the last words")]
fn main() -> ExitCode {
    let ended = match Cli::parse().bench {
        Bench::Dhcpv6(options) => dhcpv6::run(&options),
        Bench::Events(options) => events::run(&options),
        Bench::Http(options) => http::run(&options),
        Bench::Tftp(options) => tftp::run(&options),
        Bench::Subscribers(options) => events::subscribe(&options).map(|()| true),
        Bench::BareTftp(options) => tftp::bare(&options).map(|()| true),
        Bench::Inetd { command } => tftp::inetd(&command).map(|()| true),
        Bench::Echo { interface, nap } => dhcpv6::echo(&interface, nap.then_some(NAP)).map(|()| true),
    };
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::from(2)
        }
    }
}
