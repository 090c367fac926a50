//! Makes the corpus: every golden row and every captured frame for `frame`, the messages in them for `dhcpv6` and `responder`, and each
//! of them in a file of its own for `capture`.

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
    write("responder", configured.iter().map(Vec::as_slice))
}

fn write<'a>(target: &str, inputs: impl Iterator<Item = &'a [u8]>) -> Result<()> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    fs::create_dir_all(&directory)?;
    for (number, input) in inputs.enumerate() {
        fs::write(directory.join(format!("seed-{number:03}")), input)?;
    }
    Ok(())
}
