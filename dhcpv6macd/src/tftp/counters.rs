//! What is counted of TFTP.

use super::observation::Refusal;

/// What happened to requests, blocks and sessions.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    requests: u64,
    sent: u64,
    resent: u64,
    duplicates: u64,
    complete: u64,
    size_probes: u64,
    ended_by_client: u64,
    given_up: u64,
    refused: [u64; Refusal::ALL.len()],
}

impl Counters {
    pub(super) fn request(&mut self) {
        self.requests += 1;
    }

    pub(super) fn sent(&mut self) {
        self.sent += 1;
    }

    pub(super) fn resent(&mut self, blocks: u64) {
        self.resent += blocks;
    }

    pub(super) fn duplicate(&mut self) {
        self.duplicates += 1;
    }

    pub(super) fn complete(&mut self) {
        self.complete += 1;
    }

    pub(super) fn size_probe(&mut self) {
        self.size_probes += 1;
    }

    pub(super) fn ended_by_client(&mut self) {
        self.ended_by_client += 1;
    }

    pub(super) fn given_up(&mut self) {
        self.given_up += 1;
    }

    pub(super) fn refused(&mut self, refusal: Refusal) {
        if let Some(counter) = self.refused.get_mut(refusal as usize) {
            *counter += 1;
        }
    }

    /// Every counter by its name.
    pub fn each(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let own = [
            ("tftp_request", self.requests),
            ("tftp_sent", self.sent),
            ("tftp_resent", self.resent),
            ("tftp_duplicate_acknowledgement", self.duplicates),
            ("tftp_complete", self.complete),
            ("tftp_size_probe", self.size_probes),
            ("tftp_ended_by_client", self.ended_by_client),
            ("tftp_given_up", self.given_up),
        ];
        own.into_iter().chain(Refusal::ALL.map(Refusal::counter).into_iter().zip(self.refused))
    }
}
