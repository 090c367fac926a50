//! When Router Advertisements are sent: by themselves (RFC 4861 section 6.2.4) and when a host asks (section 6.2.6).

use std::time::{Duration, Instant};

/// MinRtrAdvInterval and MaxRtrAdvInterval as they are by default (section 6.2.1): between two advertisements that nobody asked for.
const MIN_INTERVAL: Duration = Duration::from_secs(198);
const MAX_INTERVAL: Duration = Duration::from_secs(600);
/// MAX_INITIAL_RTR_ADVERTISEMENTS and MAX_INITIAL_RTR_ADVERT_INTERVAL (section 10): the first ones come sooner.
const INITIAL: u8 = 3;
const MAX_INITIAL_INTERVAL: Duration = Duration::from_secs(16);
/// MAX_RA_DELAY_TIME (section 10): how long a host may wait for an answer, so that two routers do not answer at once.
const MAX_DELAY: Duration = Duration::from_millis(500);
/// MIN_DELAY_BETWEEN_RAS (section 10): all hosts of a rack that asks at once get one answer.
const MIN_DELAY_BETWEEN: Duration = Duration::from_secs(3);

/// When the next Router Advertisement goes to all hosts of a link.
///
/// Each `random` is a fresh random number from 0 to 1, 1 excluded.
#[derive(Clone, Debug)]
pub struct Schedule {
    next: Instant,
    last: Option<Instant>,
    /// Advertisements that are still to come in quick succession.
    initial: u8,
}

impl Schedule {
    /// For an interface that begins to advertise: the first one is due as if a host had asked.
    #[must_use]
    pub fn new(now: Instant, random: f64) -> Self {
        Self { next: now + MAX_DELAY.mul_f64(random), last: None, initial: INITIAL }
    }

    /// The interface begins to advertise again: it has come up, or has other addresses.
    pub fn restart(&mut self, now: Instant, random: f64) {
        self.initial = INITIAL;
        self.solicited(now, random);
    }

    /// When the next advertisement is due.
    #[must_use]
    pub const fn next(&self) -> Instant {
        self.next
    }

    /// A host asks: the next advertisement is its answer, whoever else has asked for that.
    pub fn solicited(&mut self, now: Instant, random: f64) {
        let earliest = self.last.map_or(now, |last| now.max(last + MIN_DELAY_BETWEEN));
        self.next = self.next.min(earliest + MAX_DELAY.mul_f64(random));
    }

    /// The advertisement that was due has been sent, or could not be: then who asked for it asks again.
    pub fn sent(&mut self, now: Instant, random: f64) {
        self.last = Some(now);
        self.initial = self.initial.saturating_sub(1);
        let interval = MIN_INTERVAL + (MAX_INTERVAL - MIN_INTERVAL).mul_f64(random);
        self.next = now + if self.initial > 0 { interval.min(MAX_INITIAL_INTERVAL) } else { interval };
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn three_come_soon_and_then_one_every_few_minutes() {
        let start = Instant::now();
        let mut schedule = Schedule::new(start, 0.5);
        let mut due = Vec::new();
        for random in [0.0, 0.5, 0.0, 0.5, 1.0] {
            due.push((schedule.next() - start).as_secs_f64());
            schedule.sent(schedule.next(), random);
        }
        due.push((schedule.next() - start).as_secs_f64());
        assert_eq!(due, [0.25, 16.25, 32.25, 230.25, 629.25, 1229.25]);
    }

    #[test]
    fn one_answer_does_for_all_who_ask_before_it() {
        let start = Instant::now();
        let mut schedule = Schedule::new(start, 0.0);
        schedule.sent(start, 0.0);
        let asked = start + 5 * SECOND;
        schedule.solicited(asked, 0.8);
        schedule.solicited(asked + SECOND / 10, 0.9);
        assert_eq!(schedule.next(), asked + SECOND * 4 / 10);
        schedule.sent(schedule.next(), 0.0);
        let answered = schedule.next() - MAX_INITIAL_INTERVAL;
        schedule.solicited(answered + SECOND, 0.5);
        assert_eq!(schedule.next(), answered + MIN_DELAY_BETWEEN + MAX_DELAY / 2);
    }

    #[test]
    fn what_is_due_anyway_is_answer_enough() {
        let start = Instant::now();
        let mut schedule = Schedule::new(start, 0.0);
        schedule.sent(start, 0.0);
        let due = schedule.next();
        schedule.solicited(due - SECOND / 10, 0.9);
        assert_eq!(schedule.next(), due);
    }

    #[derive(Clone, Copy, Debug)]
    enum Event {
        Solicited,
        Restarted,
        Due,
    }

    fn events() -> impl Strategy<Value = Vec<(Event, f64, f64)>> {
        let event = prop_oneof![
            8 => Just(Event::Solicited),
            1 => Just(Event::Restarted),
            4 => Just(Event::Due),
        ];
        vec((event, 0.0..10.0, 0.0..1.0), 1..200)
    }

    proptest! {
        #[test]
        fn never_too_often_and_nobody_waits_too_long(events in events(), random in 0.0..1.0) {
            let mut now = Instant::now();
            let mut schedule = Schedule::new(now, random);
            let (mut last, mut asked) = (None, None);
            for (event, seconds, random) in events {
                let later = now + Duration::from_secs_f64(seconds);
                // Nothing that is due is slept through.
                now = if matches!(event, Event::Due) { schedule.next().max(now) } else { later.min(schedule.next()) };
                match event {
                    Event::Solicited => {
                        schedule.solicited(now, random);
                        asked = asked.or(Some(now));
                    }
                    Event::Restarted => schedule.restart(now, random),
                    Event::Due => {
                        let earliest = last.map(|last| last + MIN_DELAY_BETWEEN);
                        prop_assert!(earliest.is_none_or(|earliest| now >= earliest));
                        if let Some(asked) = asked.take() {
                            prop_assert!(now <= earliest.map_or(asked, |earliest| earliest.max(asked)) + MAX_DELAY);
                        }
                        schedule.sent(now, random);
                        last = Some(now);
                        prop_assert!(schedule.next() <= now + MAX_INTERVAL);
                    }
                }
            }
        }
    }
}
