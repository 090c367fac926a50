//! The daemon's command line, as a person at a shell meets it.
#![cfg(test)]

use std::{fs, path::PathBuf, process::Command};

use dhcpv6macd::image::Images;
use dhcpv6macd_tests::lab::{Daemon, Host, ROUTER_INTERFACE, Rack};
use tempfile::TempDir;

const SERVING: [&str; 6] =
    ["--interface", ROUTER_INTERFACE, "--base-address", "2001:db8::", "--tftp-listen-addr", "off"];
const LEAST: [&str; 4] = ["--interface", "eth1", "--base-address", "2001:db8:0:1::"];

/// Runs the binary with nothing of ours in its environment, and returns its exit status and what it wrote: to standard
/// output, to standard error.
fn run(arguments: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let daemon = Daemon::command(&[]).unwrap();
    let mut command = Command::new(daemon.get_program());
    command.env_clear().envs(variables.iter().copied()).args(arguments);
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// A binary that was built with an iPXE says so.
fn has_embedded_images() -> bool {
    !run(&["--version"], &[]).1.contains("without iPXE")
}

fn checked(arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let (status, shown, errors) = run(arguments, variables);
    // Without boot files it warns, and goes on.
    let is_expected =
        |line: &str| warning(line).is_some_and(|said| [NO_IPXE, NO_TEMPLATE].iter().any(|head| said.starts_with(head)));
    assert!(status == Some(0) && errors.lines().all(is_expected), "{errors}");
    shown
}

const NO_IPXE: &str = "TFTP has no iPXE to serve";
const NO_TEMPLATE: &str = "there is no --http-boot-url-template";

fn warning(line: &str) -> Option<&str> {
    line.strip_prefix("dhcpv6macd: warning: ")
}

/// A configuration without the comments that say where each line comes from.
fn bare(configuration: &str) -> Vec<String> {
    let lines = configuration.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split("  # ").next().unwrap_or(line).to_owned()).collect()
}

fn file(directory: &TempDir, text: &str) -> PathBuf {
    let file = directory.path().join("lab.toml");
    fs::write(&file, text).unwrap();
    file
}

#[test]
fn what_check_shows_can_be_read_back() {
    let directory = TempDir::new().unwrap();
    let flags = [
        "-workers=3",
        "-http-boot-url-template",
        "https://[{{.BaseAddress}}]/\"{{.MAC}}\"?{%25}",
        "--t1",
        "1h",
        "-xdp-mode",
        "generic",
        "--check",
    ];
    let shown = checked(&[&LEAST[..], &flags].concat(), &[]);
    let file = file(&directory, &shown);
    let again = checked(&["--config", file.to_str().unwrap(), "--check"], &[]);
    assert_eq!(bare(&shown), bare(&again));
    assert!(shown.contains("# server-duid is not set: the DUID-LL of the interface"), "{shown}");
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let directory = TempDir::new().unwrap();
    let file = file(&directory, "interface = \"file0\"\nbase-address = \"2001:db8:1::\"\nworkers = 1\n");
    let variables = [("DHCPV6MACD_BASE_ADDRESS", "2001:db8:2::"), ("DHCPV6MACD_WORKERS", "2")];
    let shown = checked(&["-config", file.to_str().unwrap(), "-workers", "3", "-check"], &variables);
    let value = |name: &str| bare(&shown).into_iter().find(|line| line.starts_with(name)).unwrap();
    for (name, expected) in [("interface", "file0"), ("base-address", "2001:db8:2::"), ("workers", "3")] {
        assert!(value(name).ends_with(&format!("= \"{expected}\"")), "{shown}");
    }
}

#[test]
fn check_names_what_is_odd_beside_what_is_in_force() {
    let odd = ["-tftp-listen-addr", ":6969", "--check"];
    let (status, shown, errors) = run(&[&LEAST[..], &odd].concat(), &[]);
    assert_eq!(status, Some(0));
    assert!(
        bare(&shown).iter().any(|line| line.starts_with("tftp-listen-addr") && line.ends_with("= \":6969\"")),
        "{shown}"
    );
    assert!(errors.starts_with("dhcpv6macd: warning: TFTP is not on port 69"), "{errors}");
}

#[test]
fn what_boots_nobody_is_named() {
    let directory = TempDir::new().unwrap();
    let root = directory.path().join("root");
    fs::create_dir_all(root.join("52:54:00:12:34:56")).unwrap();
    let root = root.to_str().unwrap();
    let warned = |flags: &[&str]| {
        let (_, _, errors) = run(&[&LEAST[..], flags, &["--check"]].concat(), &[]);
        [NO_IPXE, NO_TEMPLATE].map(|head| errors.lines().filter_map(warning).any(|said| said.starts_with(head)))
    };
    let without_image = !has_embedded_images();
    let template = ["--http-boot-url-template", "http://[2001:db8::]/"];
    assert_eq!(warned(&[]), [without_image, true]);
    assert_eq!(warned(&["--tftp-listen-addr", "off"]), [false, false], "addresses only");
    assert_eq!(warned(&template), [without_image, false]);
    assert_eq!(warned(&["--tftp-root", root]), [without_image, true], "nothing in it");
    fs::write(directory.path().join("root/52:54:00:12:34:56/ipxe.efi"), "one machine's").unwrap();
    assert_eq!(warned(&["--tftp-root", root]), [false, true]);
}

#[test]
fn a_refusal_is_one_line_with_status_2() {
    let directory = TempDir::new().unwrap();
    let fifo = directory.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let fifo = fifo.to_str().unwrap();
    let file = file(&directory, "interface = \"eth1\"\n\nbase-adress = \"2001:db8::\"\n");
    let file = file.to_str().unwrap();
    for (arguments, line) in [
        (vec!["--config", file], format!("{file}:3: there is no setting base-adress; did you mean base-address?")),
        (vec!["--config", fifo], format!("--config {fifo}: cannot be read: not a regular file")),
        (vec!["--config", "/"], "--config /: cannot be read: not a regular file".to_owned()),
        (vec!["-interface", "eth1"], "--base-address is missing; give it on the command line, in DHCPV6MACD_BASE_ADDRESS, or in the file named by --config".to_owned()),
        (vec!["-base-address", "2001:db8::1", "-interface", "eth1"], "--base-address 2001:db8::1: bits are set below /80, where each machine's MAC goes; did you mean 2001:db8::?".to_owned()),
        ([&LEAST[..], &["-ipxe-x86-64-efi", file]].concat(), format!("--ipxe-x86-64-efi {file}: not an EFI program: it does not start with MZ")),
        ([&LEAST[..], &["-tls-cert-file", file]].concat(), format!("--tls-cert-file {file}: there is no PEM block CERTIFICATE in it")),
        (vec!["-interfase", "eth1"], "unexpected argument '--interfase' found; a similar argument exists: '--interface'; --help shows all flags".to_owned()),
        (vec!["--interface", "eth1", "rack"], "unrecognized subcommand 'rack'; --help shows all flags".to_owned()),
        (vec!["-interface", "--base-address", "2001:db8::"], "a value is required for '--interface <NAME>' but none was supplied; --help shows all flags".to_owned()),
        ([&LEAST[..], &["-netboot-dir", fifo]].concat(), format!("--netboot-dir {fifo}: cannot be read: Not a directory (os error 20)")),
    ] {
        for check in [&["--check"][..], &[]] {
            let (status, shown, errors) = run(&[&arguments[..], check].concat(), &[]);
            assert_eq!((status, shown.as_str(), errors), (Some(2), "", format!("dhcpv6macd: {line}\n")));
        }
    }
    let (status, _, errors) = run(&LEAST, &[("DHCPV6MACD_WORKRS", "1")]);
    assert_eq!(status, Some(2));
    assert_eq!(errors, "dhcpv6macd: DHCPV6MACD_WORKRS: there is no such setting; did you mean DHCPV6MACD_WORKERS?\n");
}

#[test]
fn what_a_refusal_quotes_is_no_line_and_no_order_to_a_terminal() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("two\nlines");
    fs::write(&file, "odd\u{1b}[31m = 1").unwrap();
    let [file, missing] = [file, directory.path().join("no\nfile")].map(|path| path.to_str().unwrap().to_owned());
    for (arguments, variable) in [
        (vec!["--config", &file], "PATH"),
        (vec!["--config", &missing], "PATH"),
        (vec!["--interface", "a\u{1b}[31mb"], "PATH"),
        (vec!["--odd\u{1b}[31m"], "PATH"),
        (vec![], "DHCPV6MACD_ODD\u{1b}[31m\n"),
    ] {
        let (status, _, errors) = run(&arguments, &[(variable, "1")]);
        let line = errors.strip_suffix('\n').unwrap();
        assert_eq!(status, Some(2), "{line:?}");
        assert!(!line.contains(char::is_control), "{line:?}");
    }
}

#[test]
fn help_and_version_are_no_errors() {
    let (status, shown, errors) = run(&["--help"], &[]);
    assert_eq!((status, errors.as_str()), (Some(0), ""));
    assert!(shown.contains("--base-address <PREFIX>") && shown.contains("[default: 12h]"), "{shown}");
    assert_eq!(
        run(&["-version"], &[]),
        (Some(0), format!("dhcpv6macd {}, {}\n", env!("CARGO_PKG_VERSION"), Images::embedded()), String::new())
    );
}

#[test]
fn the_log_is_a_persons_or_a_programs() {
    let rack = Rack::new(0).unwrap();
    let daemon = Daemon::start(&rack.router, &SERVING).unwrap();
    let log = daemon.stop().unwrap().ended.output;
    for line in log.lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(value.get("message").is_some() && value.get("timestamp").is_some(), "{line}");
    }
    let shown = human_log(&rack.router, &[&SERVING[..], &["--log-level", "info"]].concat());
    assert!(shown.contains("serving interface=\"rack0\" prefix=2001:db8::/80"), "{shown}");
    assert!(!shown.contains('\u{1b}'), "no colours where nobody sees them: {shown}");
    assert_eq!(human_log(&rack.router, &[&SERVING[..], &["--log-level", "warn"]].concat()), "");
}

#[test]
fn who_closes_the_log_does_not_end_the_daemon() {
    let rack = Rack::new(0).unwrap();
    let daemon = Daemon::command(&SERVING).unwrap();
    let mut command = Command::new("bash");
    // It ends by SIGTERM, of which it cannot tell any more.
    let script = r#"timeout --preserve-status --signal=TERM 3 "$@" 2>&1 | head -n 1; exit "${PIPESTATUS[0]}""#;
    command.args(["-c", script, "bash"]).arg(daemon.get_program()).args(daemon.get_args());
    let ended = rack.router.execute(&command, std::time::Duration::from_secs(20)).unwrap();
    assert!(ended.status.success() && ended.output.contains("serving"), "{}: {}", ended.status, ended.output);
}

#[test]
fn who_does_not_read_the_log_does_not_hold_up_its_end() {
    let rack = Rack::new(0).unwrap();
    let daemon = Daemon::command(&SERVING).unwrap();
    let directory = TempDir::new().unwrap();
    let fifo = directory.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let mut command = Command::new("bash");
    // A pipe that is full, with a reader that never reads.
    let script =
        r#"exec 3<>"$0"; head -c 65536 /dev/zero >&3; exec timeout --preserve-status --kill-after=3 2 "$@" 2>&3"#;
    command.args(["-c", script]).arg(&fifo).arg(daemon.get_program()).args(daemon.get_args());
    let ended = rack.router.execute(&command, std::time::Duration::from_secs(20)).unwrap();
    assert!(ended.status.success(), "{}: {}", ended.status, ended.output);
}

/// What the daemon writes until it has served for a moment.
fn human_log(host: &Host, arguments: &[&str]) -> String {
    let daemon = Daemon::command(&[]).unwrap();
    let mut command = Command::new("timeout");
    command.args(["--signal=TERM", "2"]).arg(daemon.get_program()).args(arguments);
    host.execute(&command, std::time::Duration::from_secs(20)).unwrap().output
}
