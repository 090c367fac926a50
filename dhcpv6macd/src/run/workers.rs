//! The workers' threads: started together, stopped together, counted together.

use std::{
    io, panic,
    sync::Arc,
    thread::{self, JoinHandle},
};

use tokio::sync::Notify;
use tracing::warn;

use super::{ServeError, answer::Answerer, live::LiveCounters};
use crate::datapath::{
    ring::{ReceiveRing, TransmitRing},
    worker::{NAP, Stop, Worker, WorkerCounters, go_first, pin},
};

/// One thread a ring.
pub(super) struct Workers {
    threads: Vec<JoinHandle<io::Result<Answerer>>>,
    live: LiveCounters,
    stop: Arc<Stop>,
    ended: Arc<Notify>,
}

impl Workers {
    /// Starts a worker for each pair of rings, each on a CPU of its own as far as there are so many.
    pub(super) fn start(
        receive: Vec<ReceiveRing>,
        transmit: Vec<TransmitRing>,
        answerer: impl Fn() -> Answerer,
    ) -> io::Result<Self> {
        let stop = Arc::new(Stop::new()?);
        let ended = Arc::new(Notify::new());
        let mut workers = Self { threads: Vec::new(), live: LiveCounters::default(), stop, ended };
        for (index, (receive, transmit)) in receive.into_iter().zip(transmit).enumerate() {
            let counters = Arc::new(WorkerCounters::default());
            let stop = Arc::clone(&workers.stop);
            let answer = answerer();
            workers.live.push(Arc::clone(&counters), answer.live());
            let worker = Worker { receive, transmit, answer, counters, stop, nap: Some(NAP) };
            workers.threads.push(spawn(index, worker, Arc::clone(&workers.ended))?);
        }
        Ok(workers)
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.threads.len()
    }

    /// What they have counted so far, as of a moment ago.
    pub(super) fn live(&self) -> LiveCounters {
        self.live.clone()
    }

    /// Waits until a worker ends by itself, which it only does when it fails.
    pub(super) async fn ended(&self) {
        self.ended.notified().await;
    }

    /// Stops the workers. What they have counted is [shown](Self::live) to the last.
    pub(super) fn stop(self) -> Result<(), ServeError> {
        self.stop.request().map_err(ServeError::Worker)?;
        let mut result = Ok(());
        for thread in self.threads {
            match thread.join().unwrap_or_else(|panicked| panic::resume_unwind(panicked)) {
                Ok(answerer) => answerer.show_all(),
                Err(error) => result = Err(ServeError::Worker(error)),
            }
        }
        result
    }
}

fn spawn(index: usize, worker: Worker<Answerer>, ended: Arc<Notify>) -> io::Result<JoinHandle<io::Result<Answerer>>> {
    thread::Builder::new().name(format!("worker-{index}")).spawn(move || {
        if let Err(error) = pin(index) {
            warn!(worker = index, %error, "not tied to a CPU");
        }
        if let Err(error) = go_first() {
            warn!(worker = index, %error, "waits for whoever is on its CPU");
        }
        let result = worker.run();
        ended.notify_one();
        result
    })
}
