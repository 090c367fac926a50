//! The first answers that each machine got, kept for the [oracle](super::oracle).

use super::machine::Step;

/// Most bytes of an answer that is kept.
const SAMPLE_MAX: usize = 1024;

/// Room for two answers of each machine, taken once.
#[derive(Debug)]
pub(super) struct Samples {
    bytes: Vec<u8>,
    lengths: Vec<usize>,
}

impl Samples {
    pub(super) fn new(machines: usize) -> Self {
        let samples = machines * Step::BOTH.len();
        Self { bytes: vec![0; samples * SAMPLE_MAX], lengths: vec![0; samples] }
    }

    fn index(machine: usize, step: Step) -> usize {
        machine * Step::BOTH.len() + usize::from(step == Step::Request)
    }

    /// Keeps the answer to a machine's first message of this kind: what fits of it.
    pub(super) fn keep(&mut self, machine: usize, step: Step, frame: &[u8]) {
        let index = Self::index(machine, step);
        let Some(length @ 0) = self.lengths.get_mut(index) else { return };
        let start = index * SAMPLE_MAX;
        if let Some(room) = self.bytes.get_mut(start..start + SAMPLE_MAX) {
            room.iter_mut().zip(frame).for_each(|(to, from)| *to = *from);
            *length = frame.len().min(SAMPLE_MAX);
        }
    }

    /// The answer to a machine's first message of this kind, if there was one.
    pub(super) fn get(&self, machine: usize, step: Step) -> Option<&[u8]> {
        let index = Self::index(machine, step);
        let length = *self.lengths.get(index).filter(|length| **length > 0)?;
        let start = index * SAMPLE_MAX;
        self.bytes.get(start..start + length)
    }
}
