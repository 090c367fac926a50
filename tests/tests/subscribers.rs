//! Thousands who hear what happens to machines, some of whom do not listen: the real daemon, and every byte that it tells them.
#![cfg(test)]

use std::{
    io::Read as _,
    net::TcpStream,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use dhcpv6macd_tests::{
    lab::{Daemon, MACHINE_INTERFACE, ROUTER_INTERFACE, Rack},
    population::{Arrivals, Counterpart, Goal, Load, Population, Port},
    subscribers::{Crowd, Heard, dial},
};

const BASE: &str = "2001:db8:0:1::";
const MTU: u32 = 1500;
/// How long anything may take on a machine that is busy with something else.
const LIMIT: Duration = Duration::from_secs(60);
/// Steps of a machine that asks for its address in UEFI PXE.
const STEPS: u64 = 3;

/// A rack with a daemon on its router.
struct Scene {
    rack: Rack,
    daemon: Daemon,
}

impl Scene {
    fn new() -> Self {
        let rack = Rack::new(1).unwrap();
        let boot_server = ["--boot-server-address", "2001:db8:b::1"];
        let least = ["--interface", ROUTER_INTERFACE, "--base-address", BASE];
        let daemon = Daemon::start(&rack.router, &[&least[..], &boot_server].concat()).unwrap();
        Self { rack, daemon }
    }

    fn crowd(&self, readers: usize, machines: usize) -> Crowd {
        self.rack.router.run(|| Crowd::subscribe(readers, machines)).unwrap().unwrap()
    }

    /// Subscribers that do not read.
    fn deaf(&self, count: usize) -> Vec<TcpStream> {
        (0..count).map(|_| self.rack.router.run(dial).unwrap().unwrap()).collect()
    }

    /// What was counted until now.
    fn counter(&self, name: &str) -> u64 {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--globoff", "--max-time", "10", "http://[::1]:6315/metrics"]);
        let metrics = self.rack.router.execute(&curl, LIMIT).unwrap().success().unwrap();
        let line = format!("dhcpv6macd_{name}_total ");
        metrics.lines().find_map(|metric| metric.strip_prefix(&line)).map_or(0, |count| count.parse().unwrap())
    }

    /// So many machines ask for their addresses in UEFI PXE, at a pace.
    fn boot(&self, machines: usize, pace: u32) {
        let machine = &self.rack.machines[0];
        let interface = machine.index_of(MACHINE_INTERFACE).unwrap();
        let mut port = machine.run(|| Port::open(interface, MTU)).unwrap().unwrap();
        let mut population = Population::new(machines, Counterpart::Server(BASE.parse().unwrap())).in_pxe();
        let load = Load { arrivals: Arrivals::Pace(pace), goal: Goal::OnceEach };
        let outcome = population.drive_at(&mut port, load, |_| {}).unwrap();
        assert_eq!((outcome.exchanges, outcome.unanswered, outcome.wrong), (machines as u64, 0, 0), "{outcome:?}");
    }

    /// They do while the crowd listens.
    fn boot_before(&self, crowd: Crowd, machines: usize, pace: u32) -> Heard {
        thread::scope(|scope| {
            let listening = scope.spawn(move || crowd.listen(LIMIT));
            self.boot(machines, pace);
            listening.join().unwrap().unwrap()
        })
    }
}

/// Everybody has heard everything, once.
fn assert_whole(heard: &Heard, machines: usize) {
    assert_eq!(heard.steps, machines as u64 * STEPS, "{heard:?}");
    assert_eq!((heard.lost, heard.doubled, heard.apart, heard.ended), (0, 0, 0, 0), "{heard:?}");
}

#[test]
fn thousands_hear_a_boot_without_a_gap() {
    const MACHINES: usize = 500;
    let scene = Scene::new();
    let crowd = scene.crowd(2000, MACHINES);
    assert_whole(&scene.boot_before(crowd, MACHINES, 500), MACHINES);
    let stopped = scene.daemon.stop().unwrap();
    let counted = ["http_connection", "observation_dropped", "subscriber_behind"].map(|name| stopped.counter(name));
    assert_eq!(counted, [2000, 0, 0], "{stopped:?}");
}

#[test]
fn who_does_not_listen_disturbs_nobody_and_is_told_anew_or_cut_off() {
    /// What they do is more than is kept.
    const MACHINES: usize = 30_000;
    const DEAF: usize = 20;
    let scene = Scene::new();
    let crowd = scene.crowd(50, MACHINES);
    let _deaf = scene.deaf(DEAF);
    let mut slow = scene.deaf(1).remove(0);
    assert_whole(&scene.boot_before(crowd, MACHINES, 5000), MACHINES);

    let anew = is_told_anew(&mut slow);
    assert!(anew.is_some_and(|count| count > 0 && count < MACHINES as u64 * STEPS), "{anew:?}");
    assert_eq!(until_cut_off(&scene, DEAF), DEAF as u64);
    let stopped = scene.daemon.stop().unwrap();
    let counted = ["http_stalled", "observation_dropped"].map(|name| stopped.counter(name));
    assert_eq!(counted, [DEAF as u64, 0], "{stopped:?}");
    // The kernel may take a little more of what the deaf are told, too late for them as well.
    assert!((1..=1 + DEAF as u64).contains(&stopped.counter("subscriber_behind")), "{stopped:?}");
}

/// Reads on until it is told that it was too slow, and for how many events.
fn is_told_anew(slow: &mut TcpStream) -> Option<u64> {
    slow.set_read_timeout(Some(LIMIT)).unwrap();
    let (mut heard, mut room) = (Vec::new(), vec![0; 1 << 20]);
    loop {
        let received = slow.read(&mut room).unwrap();
        heard.extend_from_slice(&room[..received]);
        let text = String::from_utf8_lossy(&heard);
        if let Some((count, _)) = text.split_once(": too slow for ").and_then(|(_, told)| told.split_once(" events")) {
            return count.parse().ok();
        }
        assert!(received > 0, "the daemon has ended it");
    }
}

/// Waits until so many were cut off, and returns how many were.
fn until_cut_off(scene: &Scene, count: usize) -> u64 {
    let begun = Instant::now();
    loop {
        let stalled = scene.counter("http_stalled");
        if stalled >= count as u64 || begun.elapsed() > 2 * LIMIT {
            return stalled;
        }
        thread::sleep(Duration::from_millis(500));
    }
}
