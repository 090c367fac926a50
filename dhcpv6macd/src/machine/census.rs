//! How many machines are where.

use super::timeline::Timeline;
use crate::event::Step;

/// Machines by the step that they are in, kept as they move, so that nobody has to look at all of them to know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census {
    steps: [usize; Step::ALL.len()],
    stalled: usize,
}

impl Census {
    /// How many are in each step, in the order of a boot.
    pub fn steps(&self) -> impl Iterator<Item = (Step, usize)> {
        Step::ALL.into_iter().zip(self.steps)
    }

    /// How many stand still for longer than they should.
    #[must_use]
    pub const fn stalled(&self) -> usize {
        self.stalled
    }

    /// A machine is known now.
    pub(super) fn enter(&mut self, timeline: &Timeline) {
        self.step(timeline, |count| *count += 1);
    }

    /// A machine is known no more.
    pub(super) fn leave(&mut self, timeline: &Timeline) {
        self.step(timeline, |count| *count -= 1);
    }

    /// Lets a machine move.
    pub(super) fn follow<T>(&mut self, timeline: &mut Timeline, act: impl FnOnce(&mut Timeline) -> T) -> T {
        self.leave(timeline);
        let acted = act(timeline);
        self.enter(timeline);
        acted
    }

    fn step(&mut self, timeline: &Timeline, change: impl Fn(&mut usize)) {
        self.steps.get_mut(timeline.step() as usize).into_iter().for_each(&change);
        if timeline.is_stalled() {
            change(&mut self.stalled);
        }
    }
}
