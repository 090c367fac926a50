//! The log, on standard error.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::EnvFilter;

use crate::config::{Config, LogFormat};

/// From here on the log is written as configured. To be called once.
///
/// # Errors
///
/// Where there is a log already.
pub fn start(config: &Config) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let log = tracing_subscriber::fmt().with_env_filter(EnvFilter::try_new(&config.log_level)?).with_writer(io::stderr);
    // It would tell of a line that cannot be written where it cannot be written, and panic over that.
    let log = log.log_internal_errors(false);
    match config.log_format {
        LogFormat::Human => log.with_ansi(io::stderr().is_terminal()).with_target(false).try_init(),
        LogFormat::Json => log.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init(),
    }
}
