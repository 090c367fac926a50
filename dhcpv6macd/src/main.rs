//! The daemon: command line in, exit status out.

use std::{
    env,
    io::{self, Write as _},
    process::ExitCode,
};

use dhcpv6macd::{
    cli::{self, CliError, Task},
    config::{Config, Settings},
    image::Images,
    log,
    replay::{self, ReplayError},
    run::{RunError, run},
};

/// What an operator is to mend before the daemon can start.
const REFUSED: u8 = 2;

fn main() -> ExitCode {
    match cli::parse(env::args_os(), env::vars_os()) {
        Ok(Task::Run(config)) => serve(&config),
        Ok(Task::Check(settings, config)) => check(&settings, &config),
        Ok(Task::Replay(config, files)) => show(replay::run(&config, &files, io::stdout().lock())),
        // Help or version.
        Err(CliError::Usage(shown)) if !shown.use_stderr() => shown.exit(),
        Err(error) => refuse(&error.to_string(), REFUSED),
    }
}

fn check(settings: &Settings, config: &Config) -> ExitCode {
    let images = match Images::read(&config.ipxe) {
        Ok(images) => images,
        Err(error) => return refuse(&error, REFUSED),
    };
    if let Err(error) = writeln!(io::stdout(), "{settings}# {images}") {
        return refuse(&format!("cannot write to standard output: {error}"), 1);
    }
    for warning in config.warnings() {
        tell(&format!("warning: {warning}"));
    }
    ExitCode::SUCCESS
}

fn serve(config: &Config) -> ExitCode {
    if let Err(error) = log::start(config) {
        return refuse(&format!("cannot start the log: {error}"), 1);
    }
    match run(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(RunError::Start(error)) => refuse(&error.to_string(), REFUSED),
        // What broke in mid-service is in the log.
        Err(RunError::Serve(_)) => ExitCode::FAILURE,
    }
}

fn show(replayed: Result<(), ReplayError>) -> ExitCode {
    match replayed {
        Ok(()) => ExitCode::SUCCESS,
        // As with `head`, which has seen enough.
        Err(error) if error.is_closed_pipe() => ExitCode::SUCCESS,
        Err(error) => refuse(&error.to_string(), if error.is_refusal() { REFUSED } else { 1 }),
    }
}

fn refuse(line: &str, status: u8) -> ExitCode {
    tell(line);
    ExitCode::from(status)
}

/// One line on standard error. What it quotes may hold anything, which is not for a terminal to obey.
fn tell(line: &str) {
    let line = escaped(line);
    // Who has closed it hears the status alone.
    drop(writeln!(io::stderr(), "dhcpv6macd: {line}"));
}

/// A text with its control characters, line ends among them, as Rust writes them.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_control() { escaped.extend(letter.escape_default()) } else { escaped.push(letter) }
    }
    escaped
}
