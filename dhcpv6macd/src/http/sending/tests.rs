use std::{
    io::Read as _,
    net::TcpStream as StdTcpStream,
    thread,
    time::{Duration, Instant},
};

use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, mpsc},
    task::spawn_blocking,
};

use super::*;
use crate::{
    event::Protocol,
    http::{
        representation::Representation,
        transfer::{Happening, Observation, Observe},
    },
};

const LENGTH: u64 = 64 << 20;
/// How long it may take on a machine that is busy with something else.
const LIMIT: Duration = Duration::from_secs(60);

struct Told(mpsc::UnboundedSender<Happening>);

impl Observe for Told {
    fn observe(&self, observation: Observation) {
        self.0.send(observation.happening).ok();
    }
}

fn transfer(observe: Told) -> Transfer {
    let file = std::fs::File::from(memfd_create("file", MemfdFlags::CLOEXEC).unwrap());
    ftruncate(&file, LENGTH).unwrap();
    let representation = Representation::of(&file).unwrap();
    let place = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
    let observation = Observation {
        mac: "52:54:00:12:34:56".parse().unwrap(),
        path: "file".into(),
        protocol: Protocol::Http,
        total: LENGTH,
        begun: Instant::now(),
        happening: Happening::Begun { sent: 0 },
    };
    Transfer::begin(OpenFile::new(file, place), representation, 0..LENGTH, observation, Arc::new(observe))
}

/// Reads for so long, some ten thousand bytes a second: the kernel's buffers would last for minutes.
fn read_slowly(mut stream: StdTcpStream, time: Duration) {
    let begun = Instant::now();
    while begun.elapsed() < time {
        stream.read_exact(&mut [0; 1000]).unwrap();
        thread::sleep(Duration::from_millis(100));
    }
}

#[tokio::test]
async fn who_reads_slowly_is_seen_to_move() {
    let listener = TcpListener::bind("[::1]:0").await.unwrap();
    let client = StdTcpStream::connect(listener.local_addr().unwrap()).unwrap();
    sockopt::set_socket_recv_buffer_size(&client, 4096).unwrap();
    let (_half, half) = listener.accept().await.unwrap().0.into_split();
    let line = Line::new(half).unwrap();
    let moved = line.arrival.moved();
    let (sender, mut told) = mpsc::unbounded_channel();
    let sending = tokio::spawn(send_file(line, transfer(Told(sender))));
    let reading = spawn_blocking(move || read_slowly(client, Duration::from_secs(15)));
    let mut seen = (moved.get(), 0);
    let begun = Instant::now();
    while seen.1 < 3 {
        assert!(begun.elapsed() < LIMIT, "seen to move {} times", seen.1);
        sleep(Duration::from_millis(100)).await;
        if moved.get() != seen.0 {
            seen = (moved.get(), seen.1 + 1);
        }
    }
    reading.await.unwrap();
    sending.await.unwrap().map(drop).unwrap_err();
    let told: Vec<_> = std::iter::from_fn(|| told.try_recv().ok()).collect();
    assert!(
        matches!(told[..], [Happening::Begun { .. }, .., Happening::Failed { sent, .. }] if sent < LENGTH),
        "{told:?}"
    );
}
