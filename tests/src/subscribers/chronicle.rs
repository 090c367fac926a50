//! What everybody hears, written down by whoever hears it first, and decoded once.

use std::time::Duration;

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use serde_json::Value;

use super::{
    STEPS,
    tally::{Block, Tally},
};
use crate::population::number_of;

/// An event in it.
#[derive(Clone, Copy, Debug)]
struct Told {
    /// Where its text ends.
    end: usize,
    /// When the daemon saw what it tells of.
    time: Timestamp,
}

/// What everybody hears.
#[derive(Debug, Default)]
pub(super) struct Chronicle {
    text: Vec<u8>,
    tally: Tally,
    events: Vec<Told>,
    /// The steps of each machine, a bit each.
    machines: Vec<u8>,
    /// Steps that were told for the first time, of the machines that there are.
    pub(super) steps: u64,
    /// Steps that were told once more, though as no repetition.
    pub(super) steps_doubled: u64,
    /// All other events.
    pub(super) others: u64,
}

impl Chronicle {
    /// One of so many machines.
    pub(super) fn new(machines: usize) -> Self {
        Self { machines: vec![0; machines], ..Self::default() }
    }

    /// Bytes that were written down.
    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    /// What was counted by the numbers of events.
    pub(super) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// What comes behind a place.
    pub(super) fn behind(&self, place: usize) -> &[u8] {
        self.text.get(place..).unwrap_or_default()
    }

    /// Somebody has heard this first.
    pub(super) fn write(&mut self, text: &[u8]) -> Result<()> {
        self.text.extend_from_slice(text);
        let length = self.text.len();
        let mut tally = std::mem::take(&mut self.tally);
        tally.take(text, |block, behind| match block {
            Block::Event(data) => self.event(data, length - behind).with_context(|| format!("a wrong event: {data}")),
            Block::Snapshot | Block::Other => Ok(()),
        })?;
        self.tally = tally;
        Ok(())
    }

    fn event(&mut self, data: &str, end: usize) -> Result<()> {
        let data: Value = serde_json::from_str(data)?;
        let event = data.get("event").context("no event")?;
        let [mac, name, time] =
            [data.get("mac"), event.get("event"), event.get("timestamp")].map(|text| text.and_then(Value::as_str));
        let time = time.context("no timestamp")?.parse()?;
        self.events.push(Told { end, time });
        let machine = number_of(mac.context("no MAC")?.parse()?).and_then(|number| self.machines.get_mut(number));
        let step = STEPS.iter().position(|step| Some(*step) == name);
        match (machine, step) {
            (Some(steps), Some(step)) if event["repeat_event"] == false => {
                let is_new = *steps & 1 << step == 0;
                *steps |= 1 << step;
                self.steps += u64::from(is_new);
                self.steps_doubled += u64::from(!is_new);
            }
            _ => self.others += 1,
        }
        Ok(())
    }

    /// How many events end before a place.
    pub(super) fn events_until(&self, place: usize) -> usize {
        self.events.partition_point(|event| event.end <= place)
    }

    /// How many there are.
    pub(super) fn events(&self) -> usize {
        self.events.len()
    }

    /// Someone who has heard everything up to a place, and goes on by itself.
    pub(super) fn part_at(&self, place: usize) -> Tally {
        let heard = self.events_until(place);
        let start = heard.checked_sub(1).and_then(|last| self.events.get(last)).map_or(0, |event| event.end);
        let next = self.tally.next() - (self.events() - heard) as u64;
        Tally::from(next, self.text.get(start..place).unwrap_or_default())
    }

    /// How long ago it was, for each event between two places.
    pub(super) fn delays(&self, from: usize, to: usize, now: Timestamp) -> impl Iterator<Item = Duration> {
        let events = self.events.get(self.events_until(from)..self.events_until(to)).unwrap_or_default();
        events.iter().map(move |event| now.duration_since(event.time).unsigned_abs())
    }
}
