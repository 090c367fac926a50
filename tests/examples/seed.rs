//! Makes the corpus: every golden row and every captured frame for `frame`, the messages in them for `dhcpv6` and `responder`, each
//! of them in a file of its own for `capture`, and transfers for `tftp`.

use std::{fs, path::Path};

use anyhow::Result;
use dhcpv6macd_ebpf::{Service, Verdict, classify, header::PAYLOAD_OFFSET};
use dhcpv6macd_tests::{
    capture,
    golden::{known_frames, local},
};

fn main() -> Result<()> {
    let frames = known_frames()?;
    let files = frames.iter().map(|frame| capture::write([frame.as_slice()])).collect::<Result<Vec<_>>>()?;
    let is_ours = |frame: &&Vec<u8>| classify(frame.as_slice(), &local()) == Verdict::Steer(Service::Dhcpv6);
    let messages: Vec<_> = frames.iter().filter(is_ours).filter_map(|frame| frame.get(PAYLOAD_OFFSET..)).collect();
    // The first byte says what the operator decided, the second who sends.
    let decided = messages.iter().zip((0..=u8::MAX).cycle());
    let configured: Vec<_> = decided.map(|(message, site)| [&[site, site >> 4], *message].concat()).collect();
    write("frame", frames.iter().map(Vec::as_slice))?;
    write("capture", files.iter().map(Vec::as_slice))?;
    write("dhcpv6", messages.into_iter())?;
    write("tftp", conversations().iter().map(Vec::as_slice))?;
    write("responder", configured.iter().map(Vec::as_slice))
}

/// Whole transfers, as [`judge_packets`](dhcpv6macd_tests::transfers::judge_packets) reads them.
fn conversations() -> Vec<Vec<u8>> {
    let said = |port: u8, packets: &[&[u8]]| -> Vec<u8> {
        let each = |packet: &&[u8]| [&[port, 1, u8::try_from(packet.len()).unwrap_or(u8::MAX)], *packet].concat();
        packets.iter().flat_map(each).collect()
    };
    let acknowledgements: [&[u8]; 4] = [b"\0\x04\0\0", b"\0\x04\0\x01", b"\0\x04\0\x02", b"\0\x04\0\x03"];
    let windowed = b"\0\x01ipxe.efi\0octet\0blksize\x00100\0windowsize\x004\0tsize\x000\0timeout\x001\0";
    let requests: [&[u8]; 4] =
        [windowed, b"\0\x01/x\0netascii\0", b"\0\x01autoexec.ipxe\0octet\0", b"\0\x02x\0octet\0"];
    let whole =
        requests.iter().zip(1..).map(|(request, port)| said(port, &[&[*request], &acknowledgements[..]].concat()));
    let probe = said(9, &[windowed, b"\0\x05\0\x08no\0"]);
    whole.chain([probe]).collect()
}

fn write<'a>(target: &str, inputs: impl Iterator<Item = &'a [u8]>) -> Result<()> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    fs::create_dir_all(&directory)?;
    for (number, input) in inputs.enumerate() {
        fs::write(directory.join(format!("seed-{number:03}")), input)?;
    }
    Ok(())
}
