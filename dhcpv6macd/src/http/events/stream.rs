//! What one subscriber hears: everything that is known, then what happens, with no gap in between.

use std::{io, mem, time::Duration};

use bytes::Bytes;
use futures_util::stream::unfold;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use tokio::time::{Instant, timeout_at};

use super::{
    Body,
    feed::{Feed, Next, Place},
    snapshot::{Dropped, Text},
};
use crate::wire::MacAddr;

/// How long nothing is said at most: who hears less takes the connection for broken.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// How long a subscriber waits before it comes back.
const RETRY: &str = "retry: 3000\n\n";

/// A subscriber.
struct Subscriber {
    feed: Feed,
    of: Option<MacAddr>,
    /// What is known, as far as it has not heard it yet.
    known: Option<Text>,
    state: State,
    /// When it is to hear something, if only that we are here: what happens to machines that it does not ask for says nothing.
    due: Instant,
}

enum State {
    /// It has heard nothing yet, and where it goes on if it was here before.
    New(Option<Place>),
    /// It is to hear everything that is known, and why.
    Behind(String),
    /// It has heard everything up to here.
    There(Place),
}

/// Everything that a subscriber hears, as long as it listens.
pub(super) fn body(feed: Feed, of: Option<MacAddr>, last: Option<&str>) -> Body {
    let state = State::New(last.and_then(|last| feed.after(last, of)));
    let subscriber = Subscriber { feed, of, known: None, state, due: Instant::now() + HEARTBEAT };
    let frames = unfold(Some(subscriber), async |subscriber| {
        let mut subscriber = subscriber?;
        match subscriber.hear().await? {
            Ok(text) => {
                subscriber.due = Instant::now() + HEARTBEAT;
                Some((Ok(Frame::data(text)), Some(subscriber)))
            }
            Err(dropped) => Some((Err(io::Error::other(dropped)), None)),
        }
    });
    StreamBody::new(frames).boxed_unsync()
}

impl Subscriber {
    /// What it hears next; `None` where the daemon ends.
    async fn hear(&mut self) -> Option<Result<Bytes, Dropped>> {
        loop {
            if let Some(known) = &mut self.known {
                return Some(known.read().inspect_err(|_| self.feed.cut()).map(|piece| self.go_on(piece)));
            }
            match &mut self.state {
                State::New(place) => {
                    self.state = match place.take() {
                        Some(place) => State::There(place),
                        None => State::Behind(String::new()),
                    };
                    return Some(Ok(Bytes::from_static(RETRY.as_bytes())));
                }
                State::Behind(why) => {
                    let why = mem::take(why);
                    return Some(Ok(self.begin(&why).await?));
                }
                State::There(place) => match place.read() {
                    // Of other machines.
                    Next::Events(text) if text.is_empty() => {}
                    Next::Events(text) => return Some(Ok(text)),
                    Next::Gone(count) => {
                        self.state = State::Behind(format!(": too slow for {count} events, all anew\n"));
                    }
                    Next::Nothing => {
                        if timeout_at(self.due, place.more()).await.is_err() {
                            return Some(Ok(Bytes::from_static(b": still here\n\n")));
                        }
                    }
                },
            }
        }
    }

    /// Begins to tell everything that is known.
    async fn begin(&mut self, why: &str) -> Option<Bytes> {
        let snapshot = self.feed.machines(self.of).await?;
        let place = self.feed.behind(&snapshot, self.of);
        let id = place.last().map_or_else(String::new, |last| format!("id: {last}\n"));
        (self.known, self.state) = (Some(snapshot.text), State::There(place));
        Some(format!("{why}{id}data: ").into())
    }

    /// Goes on with it, or with what follows it.
    fn go_on(&mut self, piece: Option<Bytes>) -> Bytes {
        piece.unwrap_or_else(|| {
            self.known = None;
            Bytes::from_static(b"\n\n")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            feed::{feed, tests::change},
            snapshot::Snapshot,
        },
        *,
    };

    #[tokio::test]
    async fn who_listens_to_one_machine_is_told_that_we_are_here_while_others_boot() {
        let (publisher, feed) = feed(10);
        let (one, other) = (change(1), change(2));
        let place = feed.behind(&Snapshot { text: Text::Over, next: 0 }, Some(one.mac));
        let due = Instant::now() + Duration::from_millis(200);
        let mut subscriber = Subscriber { feed, of: Some(one.mac), known: None, state: State::There(place), due };
        let boots = tokio::spawn(async move {
            loop {
                publisher.publish(std::slice::from_ref(&other));
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        let heard = tokio::time::timeout(Duration::from_secs(10), subscriber.hear()).await;
        boots.abort();
        assert_eq!(heard.expect("nothing").unwrap().unwrap(), ": still here\n\n");
    }
}
