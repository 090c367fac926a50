//! What is under way over a connection that carries several transfers at a time: one may stand still while something else moves.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

/// The transfers of a connection.
#[derive(Clone, Debug, Default)]
pub struct Transfers(Arc<Mutex<UnderWay>>);

#[derive(Debug, Default)]
struct UnderWay {
    begun: u64,
    /// When each has moved last, by its number.
    moved: BTreeMap<u64, Instant>,
}

/// A transfer, until dropped.
#[derive(Debug)]
pub struct Mover {
    transfers: Transfers,
    number: u64,
}

impl Transfers {
    /// One more begins.
    #[must_use]
    pub fn begin(&self) -> Mover {
        let mut under_way = self.lock();
        under_way.begun += 1;
        let number = under_way.begun;
        under_way.moved.insert(number, Instant::now());
        Mover { transfers: self.clone(), number }
    }

    /// Waits until one of them has not moved for so long.
    pub(super) async fn stand_still(&self, limit: Duration) {
        loop {
            let now = Instant::now();
            let oldest = self.lock().moved.values().min().copied();
            let due = oldest.unwrap_or(now) + limit;
            if due <= now {
                return;
            }
            sleep_until(due).await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, UnderWay> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Mover {
    /// It moves.
    pub fn moves(&self) {
        self.transfers.lock().moved.insert(self.number, Instant::now());
    }
}

impl Drop for Mover {
    fn drop(&mut self) {
        self.transfers.lock().moved.remove(&self.number);
    }
}
