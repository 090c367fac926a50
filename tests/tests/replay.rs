//! Captures through `dhcpv6macd replay`: every line of every capture, every form of the file, and whatever else the file may be.
#![cfg(test)]

use std::{
    collections::BTreeSet,
    fs, io, iter,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::Arc,
    time::Duration,
};

use dhcpv6macd::{
    replay::{CaptureError, CaptureFile, Replies},
    respond::{Responder, Site},
};
use dhcpv6macd_tests::{
    capture::{self, Capture},
    golden::{self, Answer, Envelope, LOCAL_MAC, Outcome, SERVER_DUID, SOLICIT, message},
    lab::Daemon,
};
use proptest::{collection::vec, prelude::*, sample::Index};
use tempfile::TempDir;

const FLAGS: [&str; 6] = [
    "--base-address",
    "2001:db8:0:1::",
    "--interface",
    "nowhere0",
    "--http-boot-url-template",
    "http://[2001:db8:0:1::]/mac/{{.MAC}}/boot.efi",
];

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Replays a file by the binary, with no capability and in a network namespace without interfaces.
fn replayed(file: &Path, flags: &[&str]) -> Command {
    let daemon = Daemon::command(flags).unwrap();
    let mut command = Command::new("unshare");
    command.args(["--net", "setpriv", "--bounding-set=-all", "--inh-caps=-all"]).arg(daemon.get_program());
    command.arg("replay").arg(file).args(daemon.get_args());
    command
}

fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap()
}

/// What it printed, where it found nothing wrong.
fn lines(output: &Output) -> &str {
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
    text(&output.stdout)
}

#[test]
fn every_capture_is_replayed_line_by_line() {
    for capture in Capture::all().unwrap() {
        let output = replayed(&here("captures").join(&capture.name), &FLAGS).output().unwrap();
        let expected = here("replays").join(&capture.name).with_extension("txt");
        assert_eq!(lines(&output), fs::read_to_string(&expected).unwrap(), "{}", expected.display());
    }
    let names = |directory| fs::read_dir(here(directory)).unwrap().count();
    assert_eq!(2 * names("captures"), names("replays"));
}

/// The times are those of the captures: the text is the same each time.
#[test]
fn every_capture_is_told_event_by_event() {
    let directory = TempDir::new().unwrap();
    for capture in Capture::all().unwrap() {
        let told = directory.path().join(&capture.name);
        let flags = [&FLAGS[..], &["--events", told.to_str().unwrap()]].concat();
        lines(&replayed(&here("captures").join(&capture.name), &flags).output().unwrap());
        let expected = here("replays").join(&capture.name).with_extension("events");
        let read = |path| fs::read_to_string(path).unwrap();
        assert_eq!(read(&told), read(&expected), "{}", expected.display());
    }
}

#[test]
fn the_answers_are_a_capture_too() {
    let directory = TempDir::new().unwrap();
    for capture in Capture::all().unwrap() {
        let out = directory.path().join(&capture.name);
        let flags = [&FLAGS[..], &["-out", out.to_str().unwrap()]].concat();
        let output = replayed(&here("captures").join(&capture.name), &flags).output().unwrap();
        let told: Vec<_> = lines(&output).lines().filter_map(|line| line.split_once(" -> ")).collect();
        let told = told.into_iter().filter(|(_, outcome)| !outcome.starts_with("pass_"));
        let mut replies = Vec::new();
        let read = CaptureFile::new(fs::File::open(out).unwrap()).unwrap().each(|record| {
            replies.push((record.time, Answer::read(record.bytes).unwrap()));
            Ok::<_, CaptureError>(())
        });
        assert_eq!(read, Ok(()));
        assert!(replies.is_sorted_by_key(|(time, _)| *time));
        assert_eq!(replies.len(), told.clone().count(), "{}", capture.name);
        for ((_, reply), (_, outcome)) in replies.iter().zip(told) {
            let kind = if reply.kind == 2 { "Advertise" } else { "Reply" };
            assert!(outcome.starts_with(kind), "{}: {outcome}", capture.name);
            let addresses = reply.associations.iter().flat_map(|association| &association.addresses);
            assert!(addresses.into_iter().all(|(address, ..)| outcome.contains(&address.to_string())), "{outcome}");
        }
    }
}

#[test]
fn a_file_that_is_none_is_refused_in_one_line() {
    let directory = TempDir::new().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = directory.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let cooked = with_u32_at(&whole(), 20, 113);
    for (path, what) in [
        (file("empty", b""), "not a capture: neither pcap nor pcapng"),
        (
            file("text", b"a text that is no capture, and longer than its header"),
            "not a capture: neither pcap nor pcapng",
        ),
        (file("header", &whole()[..23]), "not a capture: neither pcap nor pcapng"),
        (file("any", &cooked), "not a capture of Ethernet, but of link type 113; capture on one interface, not on any"),
        (directory.path().join("nowhere"), "cannot be read: No such file or directory (os error 2)"),
        (directory.path().to_owned(), "cannot be read: not a regular file"),
    ] {
        let output = replayed(&path, &FLAGS).output().unwrap();
        let line = format!("dhcpv6macd: {}: {what}\n", path.display());
        assert_eq!((output.status.code(), text(&output.stdout), text(&output.stderr)), (Some(2), "", line.as_str()));
    }
    let capture = file("capture", &whole());
    for flag in ["--out", "--events"] {
        let output = replayed(&capture, &[&FLAGS[..], &[flag, capture.to_str().unwrap()]].concat()).output().unwrap();
        let line = format!("dhcpv6macd: {flag} {}: that is the capture itself\n", capture.display());
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(2), line.as_str()));
        assert_eq!(fs::read(&capture).unwrap(), whole());
    }
}

#[test]
fn what_was_read_before_it_broke_off_is_told() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("half.pcap");
    fs::write(&file, &whole()[..whole().len() - 1]).unwrap();
    let output = replayed(&file, &FLAGS).output().unwrap();
    let shown: Vec<_> = text(&output.stdout).lines().collect();
    assert!(
        shown.len() == 3 && shown[1].contains("Solicit -> Advertise") && shown[2].starts_with("frames=1 "),
        "{shown:?}"
    );
    let line = "dhcpv6macd: the capture is broken behind these frames: it ends in the middle of a record\n";
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(1), line));
}

#[test]
fn who_has_seen_enough_hears_nothing_of_it() {
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    let output = replayed(&here("captures/ovmf-pxe6.pcap"), &FLAGS).stdout(writer).output().unwrap();
    assert_eq!(lines(&output), "");
}

#[test]
fn without_a_prefix_there_is_no_replay_and_without_a_file_neither() {
    let output = replayed(&here("captures/ipxe-dhcp6.pcap"), &[]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).starts_with("dhcpv6macd: --base-address is missing; "), "{output:?}");
    let mut command = Daemon::command(&[&["replay"][..], &FLAGS].concat()).unwrap();
    let output = command.output().unwrap();
    let line = "dhcpv6macd: the following required arguments were not provided: <FILE>; --help shows all flags\n";
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(2), line));
}

/// Replays bytes: what is printed, and the error at their end.
fn replay_bytes(file: &[u8]) -> Result<(String, Option<String>), CaptureError> {
    let (lines, ended) = capture::replayed(file)?;
    Ok((lines, ended.err().map(|error| error.to_string())))
}

/// The lines of frames that came at these seconds.
fn shown(frames: &[(u64, Vec<u8>)]) -> Vec<String> {
    let mut file = Vec::new();
    let mut capture = Replies::new(&mut file).unwrap();
    for (second, frame) in frames {
        capture.write(Duration::from_secs(*second), frame).unwrap();
    }
    capture.finish().unwrap();
    let (lines, error) = replay_bytes(&file).unwrap();
    assert_eq!(error, None);
    lines.lines().map(str::to_owned).collect()
}

fn solicit() -> Vec<u8> {
    message(SOLICIT).ia_na(1, &[]).frame()
}

/// Our machine's Solicit under another DUID.
fn solicit_as(duid: &[u8; 18]) -> Vec<u8> {
    let bytes = message(SOLICIT).bytes().to_vec();
    let end = bytes.len() - duid.len();
    Envelope::default().around(&[&bytes[..end], duid].concat())
}

/// Two frames, as a file.
fn whole() -> Vec<u8> {
    capture::write([solicit().as_slice(), solicit().as_slice()]).unwrap()
}

fn with_u32_at(file: &[u8], offset: usize, value: u32) -> Vec<u8> {
    let mut file = file.to_vec();
    file[offset..offset + 4].copy_from_slice(&value.to_le_bytes());
    file
}

#[test]
fn two_machines_with_one_mac_are_found_by_the_time_in_the_capture() {
    let other = || solicit_as(b"\0\x04another-machine!");
    let found =
        |lines: Vec<String>| lines.into_iter().filter(|line| line.contains("mac_conflict ")).collect::<Vec<_>>();
    assert_eq!(found(shown(&[(0, solicit()), (1, other()), (100, solicit())])), Vec::<String>::new());
    let lines = shown(&[(0, solicit()), (1, other()), (2, solicit())]);
    let duids = "00:04:75:75:69:64:2d:77:69:74:68:6f:75:74:2d:6d:61:63 and \
                 00:04:61:6e:6f:74:68:65:72:2d:6d:61:63:68:69:6e:65:21";
    assert_eq!(lines[4], format!("                   52:54:00:12:34:56 mac_conflict: DUIDs take turns, {duids}"));
    assert!(lines[5].starts_with("frames=3 mac_conflict=1 "), "{}", lines[5]);
}

#[test]
fn a_server_behind_relay_agents_is_known_by_its_relay_replies() {
    let site = Site::new(golden::local(), Arc::new(golden::policy()), Arc::default());
    let is_relayed = |outcome: &Outcome| matches!(outcome, Outcome::Answered(answer) if !answer.relays.is_empty());
    let row = golden::rows().into_iter().find(|row| is_relayed(&row.outcome)).unwrap();
    let mut buffer = [0; 1514];
    let mut answer = |frame: &[u8]| {
        let length = Responder::default().frame(frame, &site, &mut buffer).unwrap().length;
        buffer[..length].to_vec()
    };
    // A relay agent brings its machine a Reply of the server.
    let mut from_agent = answer(&solicit());
    from_agent[6..12].copy_from_slice(&[2, 0, 0, 0, 0, 0xa0]);
    let lines = shown(&[(0, from_agent.clone()), (1, answer(&row.frame)), (2, row.frame.clone())]);
    let duid: Vec<_> = SERVER_DUID.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(lines[0].starts_with(&format!("as the server in it, {LOCAL_MAC} at ")), "{}", lines[0]);
    assert!(lines[0].contains(&format!(", DUID {}", duid.join(":"))), "{}", lines[0]);
    assert!(lines[3].contains(", 1 relay agent -> "), "{}", lines[3]);
    let alone = shown(&[(0, from_agent)]);
    assert!(alone[0].starts_with("as the server in it, 02:00:00:00:00:a0 at "), "{}", alone[0]);
}

#[test]
fn what_was_cut_is_not_taken_for_malformed() {
    let mut file = capture::write([&solicit()[..70]]).unwrap();
    file = with_u32_at(&file, 36, 300);
    let (lines, _) = replay_bytes(&file).unwrap();
    assert!(lines.contains("52:54:00:12:34:56 Solicit -> frame_cut: 70 of 300 bytes"), "{lines}");
    assert!(lines.contains("\nframes=1 frame_cut=1\n"), "{lines}");
}

/// Numbers in a byte order.
#[derive(Clone, Copy)]
struct Order {
    is_big: bool,
}

impl Order {
    fn u16(self, value: u16) -> Vec<u8> {
        if self.is_big { value.to_be_bytes().into() } else { value.to_le_bytes().into() }
    }

    fn u32(self, values: &[u32]) -> Vec<u8> {
        let bytes = |value: &u32| if self.is_big { value.to_be_bytes() } else { value.to_le_bytes() };
        values.iter().flat_map(bytes).collect()
    }

    /// pcap, its fractions of a second in units of this many nanoseconds.
    fn pcap(self, unit: u32, frames: &[Vec<u8>]) -> Vec<u8> {
        let magic = if unit == 1 { 0xa1b2_3c4d } else { 0xa1b2_c3d4 };
        let mut file = [self.u32(&[magic]), self.u16(2), self.u16(4), self.u32(&[0, 0, 65_535, 1])].concat();
        for (second, frame) in (1..).zip(frames) {
            let length = u32::try_from(frame.len()).unwrap();
            file.extend([self.u32(&[second, 5_000 / unit, length, length]), frame.clone()].concat());
        }
        file
    }

    /// pcapng, its timestamps in units of 10 to the minus `resolution` seconds.
    fn pcapng(self, resolution: u8, frames: &[Vec<u8>]) -> Vec<u8> {
        let section = [self.u32(&[0x1a2b_3c4d]), self.u16(1), self.u16(0), vec![0xff; 8]].concat();
        let resolved = [self.u16(9), self.u16(1), vec![resolution, 0, 0, 0], vec![0; 4]].concat();
        let interface = [self.u16(1), self.u16(0), self.u32(&[0]), resolved].concat();
        let mut file = [self.block(0x0a0d_0d0a, &section), self.block(1, &interface)].concat();
        for (second, frame) in (1_u64..).zip(frames) {
            let timestamp = second * 10_u64.pow(resolution.into()) + 10_u64.pow(resolution.into()) / 200_000;
            let [high, low] = [timestamp >> 32, timestamp & 0xffff_ffff].map(|half| u32::try_from(half).unwrap());
            let length = u32::try_from(frame.len()).unwrap();
            file.extend(self.block(6, &[self.u32(&[0, high, low, length, length]), padded(frame)].concat()));
        }
        file
    }

    fn block(self, kind: u32, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 12).unwrap();
        [self.u32(&[kind, length]), body.to_vec(), self.u32(&[length])].concat()
    }
}

fn padded(frame: &[u8]) -> Vec<u8> {
    let mut padded = frame.to_vec();
    padded.resize(frame.len().next_multiple_of(4), 0);
    padded
}

fn records(file: &[u8]) -> Vec<(Duration, Vec<u8>)> {
    let mut records = Vec::new();
    let read = CaptureFile::new(file).unwrap().each(|record| {
        records.push((record.time, record.bytes.to_vec()));
        Ok::<_, CaptureError>(())
    });
    assert_eq!(read, Ok(()));
    records
}

/// The same in every form that there is.
fn forms(frames: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let orders = [false, true].map(|is_big| Order { is_big });
    let forms = |order: Order| {
        [order.pcap(1, frames), order.pcap(1000, frames), order.pcapng(6, frames), order.pcapng(9, frames)]
    };
    orders.into_iter().flat_map(forms).collect()
}

#[test]
fn every_form_of_a_capture_is_read() {
    let frames = [solicit(), vec![1], golden::rows()[0].frame.clone()];
    let expected: Vec<_> =
        (1..).zip(&frames).map(|(second, frame)| (Duration::new(second, 5000), frame.clone())).collect();
    for file in forms(&frames) {
        assert_eq!(records(&file), expected);
    }
}

#[test]
fn a_section_may_hold_other_interfaces_and_simple_packets() {
    let order = Order { is_big: false };
    let cooked = order.block(1, &[order.u16(113), order.u16(0), order.u32(&[0])].concat());
    let frame = solicit();
    let length = u32::try_from(frame.len()).unwrap();
    let on_cooked = order.block(6, &[order.u32(&[1, 0, 0, length, length]), padded(&frame)].concat());
    let simple = order.block(3, &[order.u32(&[length]), padded(&frame)].concat());
    let file = [order.pcapng(6, &[]), cooked, on_cooked, simple].concat();
    let (lines, error) = replay_bytes(&file).unwrap();
    assert_eq!(error, None);
    assert!(lines.contains("not_ethernet: link type 113") && lines.contains("Solicit -> Advertise"), "{lines}");
    let nowhere = order.block(6, &order.u32(&[7, 0, 0, 0, 0]));
    let (_, error) = replay_bytes(&[order.pcapng(6, &[]), nowhere].concat()).unwrap();
    assert_eq!(error.unwrap(), "the capture is broken behind these frames: a record is broken");
}

#[test]
fn a_long_capture_and_a_record_that_is_too_long() {
    let frame = vec![0; 1500];
    let file = capture::write(iter::repeat_n(frame.as_slice(), 5000)).unwrap();
    assert_eq!(records(&file).len(), 5000);
    let file = capture::write([vec![0; 2 << 20].as_slice()]).unwrap();
    assert_eq!(
        replay_bytes(&file).unwrap().1.unwrap(),
        "the capture is broken behind these frames: a record is longer than 1 MiB"
    );
}

/// Bytes changed, put in and taken out.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let known: Vec<_> = golden::known_frames().unwrap().into_iter().collect();
    let frames = vec(prop::sample::select(known), 0..6);
    let edit = (any::<Index>(), 0..6_usize, vec(prop_oneof![0..=12_u8, any::<u8>()], 0..6));
    (frames, any::<Index>(), vec(edit, 0..4)).prop_map(|(frames, form, edits)| {
        let mut file = form.get(&forms(&frames)).clone();
        for (start, removed, put_in) in edits {
            let start = start.index(file.len() + 1);
            let end = (start + removed).min(file.len());
            file.splice(start..end, put_in);
        }
        file
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_a_file(bytes in vec(any::<u8>(), 0..2000)) {
        replay_bytes(&bytes).ok();
    }

    #[test]
    fn captures_that_are_almost_right(file in mutated()) {
        replay_bytes(&file).ok();
    }
}

#[test]
fn every_capture_cut_at_every_byte() {
    let outcomes: BTreeSet<_> = forms(&[solicit()])
        .iter()
        .flat_map(|file| (0..file.len()).map(|end| replay_bytes(&file[..end]).map(|(_, error)| error)))
        .map(|outcome| outcome.map_or_else(|error| error.to_string(), |error| error.unwrap_or_default()))
        .collect();
    let broken = "the capture is broken behind these frames: it ends in the middle of a record";
    assert_eq!(Vec::from_iter(outcomes), ["", "not a capture: neither pcap nor pcapng", broken]);
}
