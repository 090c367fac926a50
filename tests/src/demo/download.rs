//! Machines load their file over HTTP: real TCP, each from its own address, every byte looked at.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv6Addr, SocketAddrV6, TcpStream},
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, ipproto, socket_with, sockopt};

use crate::lab::Host;

/// Machines that load at a time.
const AT_A_TIME: usize = 64;
/// How long nothing may come.
const SILENCE: Duration = Duration::from_secs(10);
/// Bytes of an answer that are looked at in one go.
const PIECE: usize = 1 << 16;
/// TCP port of HTTP.
const PORT: u16 = 80;

/// A machine, and what it was told to load.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    pub(super) address: Ipv6Addr,
    pub(super) url: String,
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    /// Machines that have their file.
    pub(super) whole: u64,
    /// Who has not, and why.
    pub(super) faults: Vec<String>,
    /// From the first connection to the last byte.
    pub(super) elapsed: Duration,
    /// Bytes of files that came.
    pub(super) bytes: u64,
}

impl Loaded {
    /// Bytes of files in a second.
    pub(super) fn rate(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
        let bytes = self.bytes as f64;
        bytes / self.elapsed.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

/// Lets every machine behind a host load what it wishes, and expect these bytes. `progress` is told how many have it.
pub(super) fn load_all(
    host: &Host,
    wishes: &[Wish],
    expected: &[u8],
    mut progress: impl FnMut(u64) + Send,
) -> Result<Loaded> {
    let next = AtomicUsize::new(0);
    let load_some = |tell: &mpsc::Sender<Result<()>>| {
        while let Some(wish) = wishes.get(next.fetch_add(1, Ordering::Relaxed)) {
            let loaded = load(wish, expected).with_context(|| wish.address.to_string());
            if tell.send(loaded).is_err() {
                return;
            }
        }
    };
    host.run(|| {
        let began = Instant::now();
        let mut loaded = Loaded::default();
        thread::scope(|scope| {
            let (tell, told) = mpsc::channel();
            for _ in 0..AT_A_TIME.min(wishes.len()) {
                let tell = tell.clone();
                scope.spawn(move || load_some(&tell));
            }
            drop(tell);
            for outcome in told {
                match outcome {
                    Ok(()) => loaded.whole += 1,
                    Err(error) => loaded.faults.push(format!("{error:#}")),
                }
                progress(loaded.whole);
            }
        });
        loaded.elapsed = began.elapsed();
        loaded.bytes = loaded.whole * expected.len() as u64;
        loaded
    })
}

fn load(wish: &Wish, expected: &[u8]) -> Result<()> {
    let mut body = BufReader::new(ask(wish, None)?);
    let length = head(&mut body)?;
    ensure!(length == expected.len(), "is told that its file has {length} bytes");
    let mut piece = vec![0; PIECE];
    let mut rest = expected;
    while !rest.is_empty() {
        let count = body.read(&mut piece).context("nothing more comes")?;
        let (now, later) = rest.split_at_checked(count).context("gets too much")?;
        ensure!(count > 0, "its connection has ended early");
        ensure!(piece.get(..count) == Some(now), "gets other bytes than the file's");
        rest = later;
    }
    Ok(())
}

/// Connects from a machine's own address, and asks. With a small `buffer` not much more is sent than is read.
pub(super) fn ask(wish: &Wish, buffer: Option<usize>) -> Result<TcpStream> {
    let (server, path) = parts(&wish.url).with_context(|| format!("is told to load {}", wish.url))?;
    let socket = socket_with(AddressFamily::INET6, SocketType::STREAM, SocketFlags::CLOEXEC, Some(ipproto::TCP))?;
    sockopt::set_ipv6_freebind(&socket, true)?;
    if let Some(bytes) = buffer {
        sockopt::set_socket_recv_buffer_size(&socket, bytes)?;
    }
    bind(&socket, &SocketAddrV6::new(wish.address, 0, 0, 0))?;
    connect(&socket, &SocketAddrV6::new(server, PORT, 0, 0)).context("cannot connect")?;
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(SILENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: [{server}]\r\nConnection: close\r\n\r\n")?;
    Ok(stream)
}

/// `http://[2001:db8::1]/path`.
fn parts(url: &str) -> Option<(Ipv6Addr, &str)> {
    let (server, path) = url.strip_prefix("http://[")?.split_once(']')?;
    Some((server.parse().ok()?, path))
}

/// Reads the head of a good answer: how long what follows is.
pub(super) fn head(answer: &mut BufReader<TcpStream>) -> Result<usize> {
    let mut lines = answer.lines();
    let status = lines.next().context("is not answered")??;
    ensure!(status.starts_with("HTTP/1.1 200 "), "is answered: {status}");
    let mut length = None;
    for line in lines {
        let line = line?;
        match line.split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.parse().ok(),
            Some(_) => {}
            None => break,
        }
    }
    length.context("is not told how long its file is")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        let server = "2001:db8::1".parse().unwrap();
        assert_eq!(parts("http://[2001:db8::1]/mac/boot.efi"), Some((server, "/mac/boot.efi")));
        for other in ["", "tftp://[2001:db8::1]/ipxe.efi", "http://[router]/boot.efi", "http://2001:db8::1/"] {
            assert_eq!(parts(other), None);
        }
    }
}
