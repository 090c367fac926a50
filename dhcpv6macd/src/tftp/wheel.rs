//! A timer for each of many things, set and reset at every packet: a hashed timing wheel.

use std::time::{Duration, Instant};

/// How exact a timer is.
const TICK: Duration = Duration::from_millis(4);
/// How far ahead the wheel reaches, in ticks: eight seconds. What is further off is looked at again then.
const TICKS: usize = 2048;
/// Of a list: no element.
const NONE: u32 = u32::MAX;

/// Timers for the numbers below its capacity. Where a timer is put off, which most are before they ever fire, its place on the wheel
/// stays as it is until the wheel comes by.
#[derive(Debug)]
pub(super) struct Wheel {
    begun: Instant,
    /// The first timer of each tick.
    heads: Box<[u32]>,
    timers: Vec<Timer>,
    capacity: usize,
    /// All timers before this tick have fired.
    turned: u64,
    /// Timers on the wheel.
    count: usize,
}

#[derive(Clone, Copy, Debug)]
struct Timer {
    /// When it is to fire, in ticks; `None` where it is not set.
    due: Option<u64>,
    /// The tick that it is on the wheel for.
    place: Option<u64>,
    previous: u32,
    next: u32,
}

impl Wheel {
    pub(super) fn new(capacity: usize, now: Instant) -> Self {
        let timers = Vec::with_capacity(capacity);
        Self { begun: now, heads: vec![NONE; TICKS].into(), timers, capacity, turned: 0, count: 0 }
    }

    /// Sets the timer of a number, whether or not it was set.
    pub(super) fn set(&mut self, number: u32, due: Instant) {
        // Not before it is due.
        let tick = self.tick_of(due) + 1;
        let Some(timer) = self.timer(number) else { return };
        timer.due = Some(tick);
        if timer.place.is_some_and(|place| place <= tick) {
            return;
        }
        self.unlink(number);
        self.link(number, tick);
    }

    /// Unsets it.
    pub(super) fn clear(&mut self, number: u32) {
        if let Some(timer) = self.timer(number) {
            timer.due = None;
            self.unlink(number);
        }
    }

    /// The next number whose timer has fired by now, if one has; it is not set any more.
    pub(super) fn fired(&mut self, now: Instant) -> Option<u32> {
        let now = self.tick_of(now);
        while self.count > 0 && self.turned <= now {
            let head = self.heads.get(slot(self.turned)).copied().unwrap_or(NONE);
            if head == NONE {
                self.turned += 1;
                continue;
            }
            self.unlink(head);
            let due = self.timer(head)?.due;
            match due {
                Some(due) if due > now => self.link(head, due),
                Some(_) => {
                    self.timer(head)?.due = None;
                    return Some(head);
                }
                None => {}
            }
        }
        self.turned = self.turned.max(now + 1);
        None
    }

    /// When the wheel is to be looked at again: when a timer fires, or a little before.
    pub(super) fn next(&self) -> Option<Instant> {
        if self.count == 0 {
            return None;
        }
        let tick =
            (self.turned..).take(TICKS).find(|tick| self.heads.get(slot(*tick)).is_some_and(|head| *head != NONE));
        let ticks = u32::try_from(tick.unwrap_or(self.turned)).unwrap_or(u32::MAX);
        Some(self.begun + TICK * ticks)
    }

    fn tick_of(&self, time: Instant) -> u64 {
        let ticks = time.saturating_duration_since(self.begun).as_millis() / TICK.as_millis();
        u64::try_from(ticks).unwrap_or(u64::MAX)
    }

    fn timer(&mut self, number: u32) -> Option<&mut Timer> {
        let index = number as usize;
        if index >= self.timers.len() && index < self.capacity {
            self.timers.resize(index + 1, Timer { due: None, place: None, previous: NONE, next: NONE });
        }
        self.timers.get_mut(index)
    }

    fn link(&mut self, number: u32, due: u64) {
        let place = due.clamp(self.turned, self.turned + TICKS as u64 - 1);
        let Some(head) = self.heads.get_mut(slot(place)) else { return };
        let next = std::mem::replace(head, number);
        if let Some(next) = self.timer(next) {
            next.previous = number;
        }
        if let Some(timer) = self.timer(number) {
            *timer = Timer { place: Some(place), previous: NONE, next, ..*timer };
            self.count += 1;
        }
    }

    fn unlink(&mut self, number: u32) {
        let Some(timer) = self.timer(number) else { return };
        let Some(place) = timer.place.take() else { return };
        let (previous, next) = (timer.previous, timer.next);
        if let Some(next) = self.timer(next) {
            next.previous = previous;
        }
        match self.timer(previous) {
            Some(previous) => previous.next = next,
            None => {
                if let Some(head) = self.heads.get_mut(slot(place)) {
                    *head = next;
                }
            }
        }
        self.count -= 1;
    }
}

#[expect(clippy::cast_possible_truncation, reason = "less than the ticks of the wheel")]
const fn slot(tick: u64) -> usize {
    (tick % TICKS as u64) as usize
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn fired(wheel: &mut Wheel, now: Instant) -> Vec<u32> {
        std::iter::from_fn(|| wheel.fired(now)).collect()
    }

    #[test]
    fn a_timer_fires_once_when_it_is_due_and_not_before() {
        let begun = Instant::now();
        let mut wheel = Wheel::new(4, begun);
        let at = |milliseconds| begun + Duration::from_millis(milliseconds);
        wheel.set(1, at(100));
        assert!(wheel.next().is_some_and(|next| next >= at(100) && next <= at(108)));
        assert_eq!(fired(&mut wheel, at(99)), [0; 0]);
        assert_eq!(fired(&mut wheel, at(108)), [1]);
        assert_eq!((fired(&mut wheel, at(10_000)), wheel.next()), (vec![], None));
    }

    #[test]
    fn a_timer_may_be_put_off_brought_forward_and_cleared() {
        let begun = Instant::now();
        let mut wheel = Wheel::new(4, begun);
        let at = |milliseconds| begun + Duration::from_millis(milliseconds);
        for (number, due) in [(0, 100), (1, 100), (2, 100), (3, 20_000)] {
            wheel.set(number, at(due));
        }
        wheel.set(0, at(1000));
        wheel.set(1, at(50));
        wheel.clear(2);
        assert_eq!(fired(&mut wheel, at(60)), [1]);
        assert_eq!(fired(&mut wheel, at(900)), [0; 0]);
        assert_eq!(fired(&mut wheel, at(1010)), [0]);
        assert_eq!(fired(&mut wheel, at(19_990)), [0; 0], "further off than the wheel reaches");
        assert_eq!(fired(&mut wheel, at(20_010)), [3]);
    }

    proptest! {
        #[test]
        fn the_wheel_does_as_a_list_would(steps in proptest::collection::vec((0..8_u32, 0..20_000_u64, 0..3000_u64), 1..200)) {
            let begun = Instant::now();
            let mut wheel = Wheel::new(8, begun);
            let mut list = BTreeMap::new();
            let mut now = begun;
            for (number, delay, pause) in steps {
                if delay % 7 == 0 {
                    wheel.clear(number);
                    list.remove(&number);
                } else {
                    let due = now + Duration::from_millis(delay);
                    wheel.set(number, due);
                    list.insert(number, due);
                }
                now += Duration::from_millis(pause);
                let fired = fired(&mut wheel, now);
                for number in &fired {
                    prop_assert!(list.remove(number).is_some_and(|due| due <= now));
                }
                prop_assert!(list.values().all(|due| *due + 3 * TICK > now));
                prop_assert_eq!(wheel.next().is_none(), list.is_empty());
            }
        }
    }
}
