//! The command line. Flags are those of [`SETTINGS`], with one dash as the Go daemon of the same name has them, or with two.

use std::{ffi::OsString, path::PathBuf, sync::LazyLock};

use clap::{Arg, ArgAction, ArgMatches, Command, builder::ValueParser};

use crate::{
    config::{
        Config, ConfigError, Settings,
        settings::Origin,
        table::{SETTINGS, Unset},
    },
    image::Images,
    replay::Files,
};

/// What the command line asks for.
#[derive(Debug)]
pub enum Task {
    /// Serve.
    Run(Box<Config>),
    /// Show the configuration in force, and what is odd about it, and do nothing.
    Check(Settings, Box<Config>),
    /// Answer what is in a capture.
    Replay(Box<Config>, Files),
}

/// Why there is nothing to do.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The words of the command line; also `--help` and `--version`, which clap shows like errors.
    #[error("{}", in_one_line(.0))]
    Usage(#[from] clap::Error),
    /// What they say, or what the environment or the file says.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

const CONFIG: &str = "config";
const CHECK: &str = "check";
const REPLAY: &str = "replay";
const CAPTURE: &str = "capture";
const OUT: &str = "out";
const EVENTS: &str = "events";

/// What `--version` says behind the name: which iPXE is compiled in, too.
static VERSION: LazyLock<String> = LazyLock::new(|| format!("{}, {}", env!("CARGO_PKG_VERSION"), Images::embedded()));

/// What a replay, which has no interface, calls it where nobody says.
const NO_INTERFACE: &str = "replay";

/// Reads command line, environment and file into one valid configuration. `arguments` begins with the program's name.
///
/// # Errors
///
/// The first thing that is wrong, in one line.
pub fn parse(
    arguments: impl Iterator<Item = OsString>,
    environment: impl Iterator<Item = (OsString, OsString)>,
) -> Result<Task, CliError> {
    let matches = command().try_get_matches_from(arguments.map(two_dashes))?;
    let replay = matches.subcommand_matches(REPLAY);
    let settings = settings(replay.unwrap_or(&matches), environment)?;
    if let Some(files) = replay.and_then(files) {
        let config = Config::new(&settings.over(no_interface()))?;
        return Ok(Task::Replay(config.into(), files));
    }
    let config = Config::new(&settings)?;
    let config = config.into();
    Ok(if matches.get_flag(CHECK) { Task::Check(settings, config) } else { Task::Run(config) })
}

fn settings(
    matches: &ArgMatches,
    environment: impl Iterator<Item = (OsString, OsString)>,
) -> Result<Settings, CliError> {
    let mut settings = flags(matches).over(Settings::from_environment(environment)?);
    if let Some(path) = matches.get_one::<PathBuf>(CONFIG) {
        settings = settings.over(Settings::from_file(path)?);
    }
    Ok(settings.over(Settings::defaults()))
}

/// The name stands in boot URLs at most.
fn no_interface() -> Settings {
    let mut settings = Settings::default();
    if let Some(setting) = SETTINGS.iter().find(|setting| setting.name == "interface") {
        settings.set(setting, NO_INTERFACE.to_owned(), Origin::Default);
    }
    settings
}

fn files(replay: &ArgMatches) -> Option<Files> {
    let path = |name| replay.get_one::<PathBuf>(name).cloned();
    Some(Files { capture: path(CAPTURE)?, replies: path(OUT), events: path(EVENTS) })
}

/// The command line as clap knows it.
#[must_use]
pub fn command() -> Command {
    let config = Arg::new(CONFIG).long(CONFIG).value_name("FILE").value_parser(ValueParser::path_buf());
    let check = Arg::new(CHECK).long(CHECK).action(ArgAction::SetTrue);
    Command::new("dhcpv6macd")
        .version(VERSION.as_str())
        // As in Go the last one counts.
        .args_override_self(true)
        .about(env!("CARGO_PKG_DESCRIPTION"))
        .override_usage("dhcpv6macd --interface <NAME> --base-address <PREFIX> [OPTIONS]")
        .after_help(
            "Flags are written with one dash or two. An environment variable does the same, DHCPV6MACD_BASE_ADDRESS for \
             --base-address, and so does a key of the file. Flags win over the environment, that over the file. Of a flag \
             given twice the last one counts.",
        )
        .disable_help_subcommand(true)
        .subcommand(replay())
        .arg(config.global(true).help("File with settings, TOML; its keys are the names of the flags below"))
        .arg(check.help("Check the configuration, show what is in force, and do nothing"))
        .args(SETTINGS.iter().map(|setting| {
            let help = match setting.unset {
                Unset::Nothing => setting.help.to_owned(),
                Unset::Text(default) | Unset::Decided(default) => format!("{} [default: {default}]", setting.help),
            };
            Arg::new(setting.name)
                .long(setting.name)
                .global(true)
                .value_name(setting.value)
                .help(help)
                .help_heading(setting.heading)
        }))
}

fn replay() -> Command {
    let path = |name| Arg::new(name).value_name("FILE").value_parser(ValueParser::path_buf());
    Command::new(REPLAY)
        .about("Answer what is in a capture (pcap, pcapng), offline, and say what becomes of each frame")
        .override_usage("dhcpv6macd replay <FILE> --base-address <PREFIX> [--out <FILE>] [--events <FILE>] [OPTIONS]")
        .arg(path(CAPTURE).required(true).help("The capture"))
        .arg(path(OUT).long(OUT).help("Write the answers to this file, a capture too"))
        .arg(
            path(EVENTS).long(EVENTS).help("Write what would be told of the machines to this file, a stream of events"),
        )
}

fn flags(matches: &ArgMatches) -> Settings {
    let mut settings = Settings::default();
    for setting in &SETTINGS {
        if let Some(text) = matches.get_one::<String>(setting.name) {
            settings.set(setting, text.clone(), Origin::Flag);
        }
    }
    settings
}

/// Go's flags have one dash: a word with one dash and more than one letter gets its second, misspelt flags too, of which clap
/// then knows what they may have meant.
fn two_dashes(argument: OsString) -> OsString {
    let flag = argument.to_str().and_then(|text| text.strip_prefix('-'));
    if !flag.is_some_and(|flag| flag.len() > 1 && flag.starts_with(|letter: char| letter.is_ascii_alphabetic())) {
        return argument;
    }
    let mut with_two = OsString::from("-");
    with_two.push(argument);
    with_two
}

/// What clap says in a paragraph: what is wrong (of what is missing there is a list behind a colon), and what may have been meant.
fn in_one_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let mut lines = text.lines().map(str::trim);
    let mut wrong = lines.next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    if wrong.ends_with(':') {
        lines.by_ref().take_while(|line| !line.is_empty()).for_each(|missing| wrong = format!("{wrong} {missing}"));
    }
    let tips = lines.filter_map(|line| line.strip_prefix("tip: "));
    [wrong.as_str()].into_iter().chain(tips).chain(["--help shows all flags"]).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use std::iter;

    use proptest::prelude::*;

    use super::*;

    fn settings(words: &[&str]) -> Settings {
        let words = ["dhcpv6macd"].iter().chain(words).chain(&["--check"]).map(OsString::from);
        match parse(words, iter::empty()).unwrap() {
            Task::Check(settings, _) => settings,
            task @ (Task::Run(_) | Task::Replay(..)) => panic!("{task:?}"),
        }
    }

    #[test]
    fn clap_finds_nothing_wrong_with_the_table() {
        command().debug_assert();
    }

    #[test]
    fn one_dash_is_as_good_as_two() {
        let go = settings(&["-interface", "eth1", "-base-address=2001:db8::"]);
        assert_eq!(go, settings(&["--interface=eth1", "--base-address", "2001:db8::"]));
        assert_eq!(two_dashes("-h".into()), "-h");
        assert_eq!(two_dashes("-".into()), "-");
        assert_eq!(two_dashes("--interface".into()), "--interface");
    }

    #[test]
    fn of_two_the_last_one_counts_and_a_flag_is_no_value() {
        let twice = settings(&["--workers", "1", "--interface=eth1", "--base-address=2001:db8::", "--workers", "2"]);
        assert_eq!(twice.get("workers").unwrap().text, "2");
        let words = ["dhcpv6macd", "--base-address=2001:db8::", "--interface", "--check"].map(OsString::from);
        assert!(matches!(parse(words.into_iter(), iter::empty()), Err(CliError::Usage(_))));
    }

    proptest! {
        #[test]
        fn any_words_are_a_task_or_an_error(words in proptest::collection::vec("-{0,2}[a-z0-9=:./-]{0,20}", 0..6)) {
            let words = iter::once("dhcpv6macd".to_owned()).chain(words).map(OsString::from);
            if let Err(error) = parse(words, iter::empty()) {
                prop_assert!(!error.to_string().contains('\n'));
            }
        }
    }
}
