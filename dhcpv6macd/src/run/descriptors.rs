//! File descriptors: as many connections as there are any for.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::warn;

/// That are left to everything else: workers, netlink, files, what is open for a moment.
const OTHERS: u64 = 512;
/// Those that watch, where there are enough: a person or a program of theirs; a rack has some, and a wall of screens some more.
const EVENTS_MAX: u64 = 4096;
/// Connections of netboot, likewise: a hall of machines that boot at once, with some of them twice.
const NETBOOT_MAX: u64 = 8192;
/// File descriptors of such a connection: itself, and its file.
const OF_NETBOOT: u64 = 2;
/// Of each kind that there is room for, however few descriptors there are.
const LEAST: u64 = 16;

/// How many connections there may be at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Connections {
    /// Of those that watch.
    pub(super) events: usize,
    /// Of machines that load files.
    pub(super) netboot: usize,
}

impl Connections {
    /// As many as the limit of file descriptors is enough for, which is raised as far as we may.
    pub(super) fn of_process() -> Self {
        let needed = OTHERS + EVENTS_MAX + NETBOOT_MAX * OF_NETBOOT;
        let limit = getrlimit(Resource::Nofile);
        let current = limit.current.unwrap_or(needed);
        let wanted = needed.min(limit.maximum.unwrap_or(needed));
        if current >= wanted {
            return Self::of(current);
        }
        match setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum }) {
            Ok(()) => Self::of(wanted),
            Err(error) => {
                warn!(%error, limit = current, "the limit of file descriptors cannot be raised");
                Self::of(current)
            }
        }
    }

    /// Who watches has a fifth, the share that it has where there are enough.
    fn of(descriptors: u64) -> Self {
        let left = descriptors.saturating_sub(OTHERS);
        let bounded = |count: u64, max| usize::try_from(count.clamp(LEAST, max)).unwrap_or(usize::MAX);
        let events = bounded(left / 5, EVENTS_MAX);
        Self { events, netboot: bounded(left.saturating_sub(events as u64) / OF_NETBOOT, NETBOOT_MAX) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_as_many_as_there_are_descriptors_for() {
        for (descriptors, events, netboot) in
            [(0, 16, 16), (1024, 102, 205), (20_992, 4096, 8192), (u64::MAX, 4096, 8192)]
        {
            assert_eq!(Connections::of(descriptors), Connections { events, netboot }, "{descriptors}");
        }
    }
}
