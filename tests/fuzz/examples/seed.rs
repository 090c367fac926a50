//! Makes the corpus: every golden row and every captured frame for `frame`, the messages in them for `message`, and each of them in a
//! file of its own for `capture`.

use std::{fs, path::Path};

use anyhow::Result;
use dhcpv6macd_ebpf::{Service, Verdict, classify, header::PAYLOAD_OFFSET};
use dhcpv6macd_tests::{
    capture,
    golden::{known_frames, local},
};

fn main() -> Result<()> {
    let frames = known_frames()?;
    write("frame", frames.iter().map(Vec::as_slice))?;
    let files = frames.iter().map(|frame| capture::write([frame.as_slice()])).collect::<Result<Vec<_>>>()?;
    write("capture", files.iter().map(Vec::as_slice))?;
    let ours = frames.iter().filter(|frame| classify(frame.as_slice(), &local()) == Verdict::Steer(Service::Dhcpv6));
    write("message", ours.filter_map(|frame| frame.get(PAYLOAD_OFFSET..)))
}

fn write<'a>(target: &str, inputs: impl Iterator<Item = &'a [u8]>) -> Result<()> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    fs::create_dir_all(&directory)?;
    for (number, input) in inputs.enumerate() {
        fs::write(directory.join(format!("seed-{number:03}")), input)?;
    }
    Ok(())
}
