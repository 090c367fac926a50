//! What one subscriber hears: everything that is known, then what happens, with no gap in between.

use std::{collections::VecDeque, convert::Infallible, time::Duration};

use bytes::Bytes;
use futures_util::stream::unfold;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use tokio::time::{Instant, timeout_at};

use super::{
    Body,
    feed::{About, Feed, Next, Place},
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
    /// Ready to be heard.
    pending: VecDeque<Bytes>,
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
    let place = last.and_then(|last| feed.after(last, of));
    let (pending, state) = (VecDeque::new(), State::New(place));
    let subscriber = Subscriber { feed, of, pending, state, due: Instant::now() + HEARTBEAT };
    let frames = unfold(subscriber, async |mut subscriber| {
        let text = subscriber.hear().await?;
        subscriber.due = Instant::now() + HEARTBEAT;
        Some((Ok::<_, Infallible>(Frame::data(text)), subscriber))
    });
    StreamBody::new(frames).boxed_unsync()
}

impl Subscriber {
    /// What it hears next; `None` where the daemon ends.
    async fn hear(&mut self) -> Option<Bytes> {
        loop {
            if let Some(text) = self.pending.pop_front() {
                return Some(text);
            }
            match &mut self.state {
                State::New(place) => {
                    self.state = match place.take() {
                        Some(place) => State::There(place),
                        None => State::Behind(String::new()),
                    };
                    return Some(Bytes::from_static(RETRY.as_bytes()));
                }
                State::Behind(why) => {
                    let why = std::mem::take(why);
                    self.everything(&why).await?;
                }
                State::There(place) => match place.read() {
                    // Of other machines.
                    Next::Events(text) if text.is_empty() => {}
                    Next::Events(text) => return Some(text),
                    Next::Gone(count) => {
                        self.state = State::Behind(format!(": too slow for {count} events, all anew\n"));
                    }
                    Next::Nothing => {
                        if timeout_at(self.due, place.more()).await.is_err() {
                            return Some(Bytes::from_static(b": still here\n\n"));
                        }
                    }
                },
            }
        }
    }

    async fn everything(&mut self, why: &str) -> Option<()> {
        let snapshot = self.feed.ask(self.of.map_or(About::Machines, About::Machine)).await?;
        let place = self.feed.behind(&snapshot, self.of);
        let id = place.last().map_or_else(String::new, |last| format!("id: {last}\n"));
        self.state = State::There(place);
        // The same bytes for all who hear them.
        let frame = [format!("{why}{id}data: ").into(), snapshot.text, Bytes::from_static(b"\n\n")];
        self.pending.extend(frame);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::feed::{Snapshot, feed, tests::change},
        *,
    };

    #[tokio::test]
    async fn who_listens_to_one_machine_is_told_that_we_are_here_while_others_boot() {
        let (publisher, feed) = feed(10);
        let (one, other) = (change(1), change(2));
        let place = feed.behind(&Snapshot { text: Bytes::new(), next: 0 }, Some(one.mac));
        let due = Instant::now() + Duration::from_millis(200);
        let (of, pending, state) = (Some(one.mac), VecDeque::new(), State::There(place));
        let mut subscriber = Subscriber { feed, of, pending, state, due };
        let boots = tokio::spawn(async move {
            loop {
                publisher.publish(std::slice::from_ref(&other));
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        let heard = tokio::time::timeout(Duration::from_secs(10), subscriber.hear()).await;
        boots.abort();
        assert_eq!(heard.expect("nothing").unwrap(), ": still here\n\n");
    }
}
