//! The files that a machine loads, and what is news of them.

use std::time::{Duration, Instant};

use crate::event::{MARK, Protocol, Step, Transfer, TransferState};

/// Transfers of a machine that are followed at a time. Of more it is only seen that they move.
const FOLLOWED_MAX: usize = 2;

/// How often it is told that a file is asked for again: a block device over HTTP asks for hundreds of parts a second.
const TELL_AGAIN: Duration = Duration::from_secs(1);

/// What happened to a file that a machine loads.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// How it goes.
    pub protocol: Protocol,
    /// Its name.
    pub file_name: &'a str,
    /// When it was asked for, which tells a machine's transfers apart.
    pub begun: Instant,
    /// How it is going.
    pub state: TransferState,
    /// Has it ended? So has one that is still [sending](TransferState::Sending), where a part of the file was asked for.
    pub is_over: bool,
    /// Bytes that have gone.
    pub sent: u64,
    /// Bytes that there are.
    pub total: u64,
    /// Why it has ended before its end.
    pub error: Option<&'a str>,
}

impl Progress<'_> {
    fn transfer(&self) -> Transfer {
        Transfer {
            protocol: self.protocol,
            file_name: self.file_name.into(),
            state: self.state,
            sent_bytes: self.sent,
            total_bytes: self.total,
            error: self.error.map(Into::into),
        }
    }
}

/// The step of a boot that a transfer is.
pub(super) const fn step_of(transfer: &Transfer) -> Step {
    match (transfer.protocol, transfer.state) {
        (Protocol::Tftp, TransferState::Complete) => Step::ServedIpxeOverTftp,
        (Protocol::Tftp, TransferState::Init | TransferState::Sending | TransferState::Error) => {
            Step::ServeIpxeOverTftp
        }
        (Protocol::Http | Protocol::Https, _) => Step::HttpFetchUki,
    }
}

/// The transfers of a machine that are followed: the one that was heard of last is the last.
#[derive(Debug, Default)]
pub(super) struct Transfers(Vec<Followed>);

/// A transfer that is followed.
#[derive(Debug)]
pub(super) struct Followed {
    begun: Instant,
    /// How far it is.
    pub(super) transfer: Transfer,
    /// Has it ended?
    pub(super) is_over: bool,
    told: Told,
}

/// What was told of a file last.
#[derive(Clone, Copy, Debug)]
struct Told {
    at: Instant,
    state: TransferState,
    /// How many [marks](MARK) it had passed.
    marks: u64,
    /// Was it asked for again when it had failed?
    is_retried: bool,
}

/// What a [progress](Progress) says.
#[derive(Debug)]
pub(super) enum Heard {
    /// It is what is left of a transfer that the machine has given up.
    Nothing,
    /// The machine moves.
    Life,
    /// Something to be told.
    News {
        /// Of this transfer.
        transfer: Transfer,
        /// Is it more of what was told last of its file?
        is_more: bool,
        /// Where it has ended: that of another file that goes on, which is what the machine does.
        goes_on: Option<Transfer>,
    },
}

impl Transfers {
    /// Follows none of them any more.
    pub(super) fn clear(&mut self) {
        self.0 = Vec::new();
    }

    /// The one that a machine is waited for: what ends does not hide what is under way.
    pub(super) fn awaited(&self) -> Option<&Followed> {
        self.under_way().or(self.0.last())
    }

    fn under_way(&self) -> Option<&Followed> {
        self.0.iter().rev().find(|followed| !followed.is_over)
    }

    /// Takes what has happened to one of them.
    pub(super) fn take(&mut self, progress: &Progress<'_>, now: Instant) -> Heard {
        let own = self.0.iter().position(|followed| followed.begun == progress.begun);
        if self.is_given_up(progress, own.is_some()) {
            self.give_up(own);
            return Heard::Nothing;
        }
        let own = own.and_then(|place| self.0.get(place));
        if own.is_some_and(|own| own.is_over) {
            return Heard::Nothing;
        }
        if own.is_none() && !self.has_room_for(progress) {
            return Heard::Life;
        }
        let is_first = own.is_none();
        let before = own.or_else(|| self.of_file(progress)).map(|followed| followed.told);
        let is_news = before.is_none_or(|told| told.is_news(progress, is_first, now));
        let told = before.filter(|_| !is_news).unwrap_or_else(|| Told::new(progress, before, now));
        self.make_room_for(progress);
        let Progress { begun, is_over, .. } = *progress;
        self.0.push(Followed { begun, transfer: progress.transfer(), is_over, told });
        if !is_news {
            return Heard::Life;
        }
        let goes_on = self.under_way().filter(|followed| is_over && !followed.is_of(progress));
        let goes_on = goes_on.map(|followed| followed.transfer.clone());
        Heard::News { transfer: progress.transfer(), is_more: before.is_some_and(Told::is_continued), goes_on }
    }

    /// Is it the failure of what nobody waits for? The file is on its way besides, or was asked for later; or it was not heard of, and another
    /// was asked for later.
    fn is_given_up(&self, progress: &Progress<'_>, is_known: bool) -> bool {
        let mut others = self.0.iter().filter(|followed| followed.begun != progress.begun && !followed.has_failed());
        let is_in_its_place = |other: &Followed| {
            let is_later = other.begun > progress.begun;
            is_later && !is_known || other.is_of(progress) && (is_later || !other.is_over)
        };
        progress.state == TransferState::Error && others.any(is_in_its_place)
    }

    /// Nobody waits for it.
    fn give_up(&mut self, place: Option<usize>) {
        if let Some(place) = place {
            let mut followed = self.0.remove(place);
            (followed.is_over, followed.transfer.state) = (true, TransferState::Error);
            self.0.insert(0, followed);
        }
    }

    /// Where all are under way, it is the youngest that is followed.
    fn has_room_for(&self, progress: &Progress<'_>) -> bool {
        self.0.len() < FOLLOWED_MAX
            || self.0.iter().any(|followed| followed.is_over)
            || self.0.iter().all(|followed| followed.begun < progress.begun)
    }

    fn of_file(&self, progress: &Progress<'_>) -> Option<&Followed> {
        self.0.iter().rev().find(|followed| followed.is_of(progress))
    }

    /// Forgets what it takes the place of: itself, what has ended of the same file, or else, where there are many, what has ended, or was not
    /// heard of for longest.
    fn make_room_for(&mut self, progress: &Progress<'_>) {
        let place = |is_it: &dyn Fn(&Followed) -> bool| self.0.iter().position(is_it);
        let is_full = self.0.len() >= FOLLOWED_MAX;
        let goes = place(&|followed| followed.begun == progress.begun)
            .or_else(|| place(&|followed| followed.is_over && followed.is_of(progress)))
            .or_else(|| place(&|followed| followed.is_over).or(Some(0)).filter(|_| is_full));
        match goes {
            Some(place) => drop(self.0.remove(place)),
            None => self.0.reserve_exact(1),
        }
    }
}

impl Followed {
    /// Has it ended, and something is missing?
    pub(super) fn has_failed(&self) -> bool {
        self.transfer.state == TransferState::Error
    }

    fn is_of(&self, progress: &Progress<'_>) -> bool {
        self.transfer.protocol == progress.protocol && *self.transfer.file_name == *progress.file_name
    }
}

impl Told {
    fn new(progress: &Progress<'_>, before: Option<Self>, now: Instant) -> Self {
        let is_retried = before.is_some_and(|told| told.is_retried || told.state == TransferState::Error);
        Self { at: now, state: progress.state, marks: progress.sent / MARK, is_retried }
    }

    /// Is it worth telling after that? What has ended is, and each mark; that the file is asked for again is now and then.
    fn is_news(self, progress: &Progress<'_>, is_first: bool, now: Instant) -> bool {
        use TransferState::{Complete, Error, Init, Sending};
        match (self.state, progress.state) {
            (_, Complete | Error) | (Error, _) | (Init, Sending) => true,
            (Init | Sending | Complete, Init | Sending) => {
                let is_due = is_first && now.saturating_duration_since(self.at) >= TELL_AGAIN;
                is_due || progress.sent / MARK > self.marks
            }
        }
    }

    /// Is what is told next more of the same? The first failure of a file is not to be overwritten when it is asked for again.
    fn is_continued(self) -> bool {
        self.state != TransferState::Error || self.is_retried
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_are_followed_than_there_is_room_for() {
        let (mut transfers, now) = (Transfers::default(), Instant::now());
        let begun = |millisecond| now + Duration::from_millis(millisecond);
        let states = [TransferState::Init, TransferState::Sending, TransferState::Complete, TransferState::Error];
        let files = ["one", "two", "three"].into_iter().cycle();
        for ((number, state), file_name) in (0..1000).zip(states.into_iter().cycle()).zip(files) {
            let is_over = matches!(state, TransferState::Complete | TransferState::Error);
            let (begun, protocol, error) = (begun(number * 31 % 50), Protocol::Http, None);
            transfers.take(&Progress { protocol, file_name, begun, state, is_over, sent: 1, total: 2, error }, now);
            assert!(transfers.0.len() <= FOLLOWED_MAX && transfers.0.capacity() <= FOLLOWED_MAX, "{transfers:?}");
        }
        assert_eq!(transfers.0.len(), FOLLOWED_MAX);
    }
}
