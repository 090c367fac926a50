//! One client's transfer, as EDK2's firmware does it (`Mtftp6RrqHandleData`): blocks count in their order only, the end of a window is
//! acknowledged, and whatever else comes is answered with the last good block. No socket, no clock.

use std::time::{Duration, Instant};

use super::{
    Fault, Terms,
    frame::{self, Peer, Received},
    packet::{self, BLOCK_SIZE, Heard, Options, TRANSFER_SIZE, WINDOW_SIZE},
};

/// After so long without progress the last packet is sent again.
const RETRANSMIT_AFTER: Duration = Duration::from_secs(1);
/// Times that a packet goes unanswered before the client gives up.
const TRIES_MAX: u32 = 6;

/// What all clients want.
#[derive(Debug)]
pub(super) struct Wanted {
    /// What every byte is compared to.
    pub(super) file: Vec<u8>,
    pub(super) terms: Terms,
}

/// What a client does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It waits.
    Wait,
    /// It says what [`Session::write`] writes.
    Say,
    /// It does so for the last time: the file is there.
    Finish,
    /// It gives up.
    Fail(Fault),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Saying {
    Request,
    Acknowledgement(u16),
    Farewell,
}

/// A client in the middle of a transfer.
#[derive(Clone, Debug)]
pub(super) struct Session {
    client: Peer,
    /// Its port is the one of the first answer.
    server: Peer,
    terms: Terms,
    saying: Saying,
    /// Number of the last block that came in order; its lower half is what the packets say.
    block: u64,
    /// Bytes that came in order.
    pub(super) received: usize,
    /// Blocks since the last acknowledgement.
    unacknowledged: u16,
    /// Blocks that were not the next.
    pub(super) disorder: u64,
    tries: u32,
    deadline: Instant,
    pub(super) began: Instant,
}

impl Session {
    /// A client that is about to say its request.
    pub(super) fn new(client: Peer, server: Peer, now: Instant) -> Self {
        Self {
            client,
            server,
            terms: Terms::PLAIN,
            saying: Saying::Request,
            block: 0,
            received: 0,
            unacknowledged: 0,
            disorder: 0,
            tries: 0,
            deadline: now + RETRANSMIT_AFTER,
            began: now,
        }
    }

    /// Writes what is to be said into a frame; it asks for the file of this name on these terms.
    pub(super) fn write(&self, name: &str, terms: Terms, frame: &mut [u8]) -> Option<usize> {
        let mut write = |payload: &[u8]| frame::write(frame, &self.client, &self.server, payload);
        match self.saying {
            Saying::Request => write(&packet::request(name, terms)),
            Saying::Acknowledgement(block) => write(&packet::acknowledgement(block)),
            Saying::Farewell => write(&packet::farewell()),
        }
    }

    /// Is this from the server to this client? The first answer says from which port the others come.
    fn knows(&mut self, received: &Received<'_>) -> bool {
        if received.to != self.client || received.from.address != self.server.address {
            return false;
        }
        if self.saying == Saying::Request {
            self.server.port = received.from.port;
        }
        received.from.port == self.server.port
    }

    /// Takes what the network brings.
    pub(super) fn hear(&mut self, received: &Received<'_>, wanted: &Wanted, now: Instant) -> Step {
        if !self.knows(received) {
            return Step::Wait;
        }
        match Heard::read(received.payload) {
            Some(Heard::Data { block, bytes }) => self.take(block, bytes, wanted, now),
            Some(Heard::Options(options)) if self.block == 0 => self.agree(options, wanted, now),
            Some(Heard::Options(_)) | None => Step::Wait,
            Some(Heard::Error(code)) => Step::Fail(Fault::Refused(code)),
        }
    }

    fn agree(&mut self, options: Options<'_>, wanted: &Wanted, now: Instant) -> Step {
        let terms = Terms {
            block_size: options.get(BLOCK_SIZE).unwrap_or(Terms::PLAIN.block_size),
            window: options.get(WINDOW_SIZE).unwrap_or(Terms::PLAIN.window),
        };
        let is_wanted = (1..=wanted.terms.block_size).contains(&terms.block_size)
            && (1..=wanted.terms.window).contains(&terms.window)
            && options.get(TRANSFER_SIZE).is_none_or(|size: usize| size == wanted.file.len());
        if !is_wanted {
            return Step::Fail(Fault::Options);
        }
        self.terms = terms;
        self.acknowledge(now)
    }

    fn take(&mut self, block: u16, bytes: &[u8], wanted: &Wanted, now: Instant) -> Step {
        let next = self.block + 1;
        if block != low(next) {
            self.disorder += 1;
            return self.acknowledge(now);
        }
        let block_size = usize::from(self.terms.block_size);
        let rest = wanted.file.get(self.received..).unwrap_or_default();
        if rest.get(..block_size).unwrap_or(rest) != bytes {
            return Step::Fail(Fault::Block(next));
        }
        self.block = next;
        self.received += bytes.len();
        self.unacknowledged += 1;
        self.tries = 0;
        self.deadline = now + RETRANSMIT_AFTER;
        if bytes.len() < block_size {
            self.saying = Saying::Acknowledgement(low(self.block));
            Step::Finish
        } else if self.unacknowledged == self.terms.window {
            self.acknowledge(now)
        } else {
            Step::Wait
        }
    }

    fn acknowledge(&mut self, now: Instant) -> Step {
        self.saying = Saying::Acknowledgement(low(self.block));
        self.unacknowledged = 0;
        self.deadline = now + RETRANSMIT_AFTER;
        Step::Say
    }

    /// Looks at the clock.
    pub(super) fn check(&mut self, now: Instant) -> Step {
        if now < self.deadline {
            return Step::Wait;
        }
        self.tries += 1;
        self.deadline = now + RETRANSMIT_AFTER;
        if self.tries == TRIES_MAX { Step::Fail(Fault::Silence) } else { Step::Say }
    }

    /// Loses interest, and is about to say so.
    pub(super) fn abandon(&mut self) {
        self.saying = Saying::Farewell;
    }
}

/// The number of a block as packets have it: behind 65 535 comes 0.
fn low(block: u64) -> u16 {
    let [.., high, low] = block.to_be_bytes();
    u16::from_be_bytes([high, low])
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: usize = 40;
    const WISH: Terms = Terms { block_size: 8, window: 4 };
    const PORT: u16 = 4000;

    struct Scene {
        wanted: Wanted,
        session: Session,
        now: Instant,
    }

    fn peer(number: u8, port: u16) -> Peer {
        Peer { mac: dhcpv6macd::wire::MacAddr([number; 6]), address: [number; 16], port }
    }

    impl Scene {
        fn new(length: usize) -> Self {
            let file = (0..251).cycle().take(length).collect();
            let wanted = Wanted { file, terms: WISH };
            let now = Instant::now();
            Self { wanted, session: Session::new(peer(1, 5000), peer(2, packet::SERVER_PORT), now), now }
        }

        /// A client that has agreed to what it asked for.
        fn agreed(length: usize) -> Self {
            let mut scene = Self::new(length);
            let options = format!("blksize\x008\0tsize\0{length}\0windowsize\x004\0");
            assert_eq!(scene.hear(PORT, &[&[0, 6], options.as_bytes()].concat()), Step::Say);
            assert_eq!(scene.says(), [0, 4, 0, 0]);
            scene
        }

        fn hear(&mut self, port: u16, payload: &[u8]) -> Step {
            let received = Received { from: peer(2, port), to: peer(1, 5000), payload };
            self.session.hear(&received, &self.wanted, self.now)
        }

        fn block(&mut self, block: usize) -> Step {
            let start = (block - 1) * 8;
            let bytes = self.wanted.file[start..].iter().take(8).copied().collect::<Vec<_>>();
            let number = u16::try_from(block % 65_536).unwrap();
            self.hear(PORT, &[&packet::header(packet::DATA, number)[..], &bytes].concat())
        }

        fn says(&self) -> Vec<u8> {
            let mut frame = [0; 200];
            let length = self.session.write("file", WISH, &mut frame).unwrap();
            let received = Received::read(&frame[..length]).unwrap();
            assert_eq!(received.from, peer(1, 5000));
            assert_eq!(received.to.port, self.session.server.port);
            received.payload.to_vec()
        }

        fn acknowledges(&self, block: u16) {
            assert_eq!(self.says(), packet::acknowledgement(block));
        }
    }

    #[test]
    fn the_end_of_a_window_is_acknowledged_and_the_end_of_the_file() {
        let mut scene = Scene::agreed(FILE + 3);
        assert_eq!([1, 2, 3, 4].map(|block| scene.block(block)), [Step::Wait, Step::Wait, Step::Wait, Step::Say]);
        scene.acknowledges(4);
        assert_eq!([5, 6].map(|block| scene.block(block)), [Step::Wait, Step::Finish]);
        scene.acknowledges(6);
        assert_eq!((scene.session.received, scene.session.disorder), (FILE + 3, 0));
    }

    #[test]
    fn a_file_of_whole_blocks_ends_with_an_empty_one() {
        let mut scene = Scene::agreed(8);
        assert_eq!([1, 2].map(|block| scene.block(block)), [Step::Wait, Step::Finish]);
    }

    #[test]
    fn each_block_behind_a_gap_is_answered_with_the_last_good_one() {
        let mut scene = Scene::agreed(FILE);
        assert_eq!([1, 3, 4, 1].map(|block| scene.block(block)), [Step::Wait, Step::Say, Step::Say, Step::Say]);
        scene.acknowledges(1);
        // A new window begins behind the acknowledgement.
        assert_eq!([2, 3, 4, 5].map(|block| scene.block(block)), [Step::Wait, Step::Wait, Step::Wait, Step::Say]);
        scene.acknowledges(5);
        assert_eq!(scene.session.disorder, 3);
    }

    #[test]
    fn a_server_without_options_sends_blocks_of_512_bytes_in_lock_step() {
        let mut scene = Scene::new(600);
        let [first, second] = [0..512, 512..600].map(|range| scene.wanted.file[range].to_vec());
        assert_eq!(scene.hear(PORT, &[&[0, 3, 0, 1], &first[..]].concat()), Step::Say);
        scene.acknowledges(1);
        assert_eq!(scene.hear(PORT, &[&[0, 3, 0, 2], &second[..]].concat()), Step::Finish);
    }

    #[test]
    fn behind_block_65535_comes_0() {
        let blocks = 70_001;
        let mut scene = Scene::agreed((blocks - 1) * 8);
        let steps = (1..=blocks).map(|block| scene.block(block));
        assert_eq!(steps.filter(|step| *step == Step::Say).count(), 70_000 / 4);
        scene.acknowledges(u16::try_from(blocks - 65_536).unwrap());
    }

    #[test]
    fn wrong_bytes_and_wrong_lengths_are_noticed() {
        for (payload, fault) in [
            (&b"\0\x03\0\x01\0\x01\x02\x03\x04\x05\x06\x08"[..], Fault::Block(1)),
            (b"\0\x03\0\x01\0\x01\x02\x03\x04\x05\x06", Fault::Block(1)),
            (b"\0\x03\0\x01\0\x01\x02\x03\x04\x05\x06\x07\x08", Fault::Block(1)),
            (b"\0\x06blksize\x009\0", Fault::Options),
            (b"\0\x06blksize\x008\0windowsize\x005\0", Fault::Options),
            (b"\0\x06blksize\x008\0tsize\x0041\0", Fault::Options),
            (b"\0\x05\0\x01no\0", Fault::Refused(1)),
        ] {
            assert_eq!(Scene::agreed(FILE).hear(PORT, payload), Step::Fail(fault), "{payload:?}");
        }
    }

    #[test]
    fn others_are_not_listened_to() {
        let mut scene = Scene::agreed(FILE);
        assert_eq!(scene.hear(PORT + 1, b"\0\x05\0\0\0"), Step::Wait);
        let stranger = Received { from: peer(3, PORT), to: peer(1, 5000), payload: b"\0\x05\0\0\0" };
        assert_eq!(scene.session.hear(&stranger, &scene.wanted, scene.now), Step::Wait);
        assert_eq!(scene.hear(PORT, b"\0\x04\0\x01"), Step::Wait);
    }

    #[test]
    fn the_last_packet_is_said_again_until_the_client_gives_up() {
        let mut scene = Scene::new(FILE);
        let mut steps = Vec::new();
        for _ in 0..TRIES_MAX {
            assert_eq!(scene.session.check(scene.now), Step::Wait);
            scene.now += RETRANSMIT_AFTER;
            steps.push(scene.session.check(scene.now));
            assert_eq!(scene.says(), packet::request("file", WISH));
        }
        assert_eq!(steps.pop(), Some(Step::Fail(Fault::Silence)));
        assert!(steps.into_iter().all(|step| step == Step::Say));
    }
}
