//! What was heard, by the numbers of events.

use anyhow::{Context as _, Result, bail};

/// What ends a block (WHATWG HTML section 9.2.5).
const BLOCK_END: &[u8] = b"\n\n";

/// A block of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Block<'a> {
    /// Everything that is known, with the number of the last event in it.
    Snapshot,
    /// An event, JSON.
    Event(&'a str),
    /// Nothing that tells of a machine.
    Other,
}

/// Counts what is missing and what comes twice, by the numbers of events.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    /// The number of the event that is to come next; `None` before there was anything.
    next: Option<u64>,
    /// What there is of a block that has not come to its end.
    begun: Vec<u8>,
    /// Events that have never come.
    pub(super) lost: u64,
    /// Events that came once more.
    pub(super) doubled: u64,
}

impl Tally {
    /// One that has heard everything before an event, and this much of it.
    pub(super) fn from(next: u64, begun: &[u8]) -> Self {
        Self { next: Some(next), begun: begun.to_vec(), ..Self::default() }
    }

    pub(super) fn next(&self) -> u64 {
        self.next.unwrap_or(0)
    }

    /// Was everything heard that was known?
    pub(super) fn is_there(&self) -> bool {
        self.next.is_some()
    }

    /// Takes what has come. `each` is handed every block, and how many bytes of what has come are behind it.
    pub(super) fn take(&mut self, bytes: &[u8], mut each: impl FnMut(Block<'_>, usize) -> Result<()>) -> Result<()> {
        let mut begun = std::mem::take(&mut self.begun);
        // An end may have come in two parts.
        let looked_at = begun.len().saturating_sub(1);
        begun.extend_from_slice(bytes);
        let (mut rest, mut skip) = (&begun[..], looked_at);
        while let Some(end) = find_end(rest, skip) {
            let (block, behind) = rest.split_at(end);
            (rest, skip) = (behind, 0);
            each(self.block(str::from_utf8(block).context("no text")?)?, rest.len())?;
        }
        self.begun = rest.to_vec();
        Ok(())
    }

    fn block<'a>(&mut self, block: &'a str) -> Result<Block<'a>> {
        let field = |name| block.lines().find_map(|line| line.strip_prefix(name));
        let number = field("id: ").map(number).transpose()?;
        let Some(data) = field("data: ") else { return Ok(Block::Other) };
        let is_event = data.starts_with("{\"mac\":");
        let (first, next) = match (is_event, number) {
            (true, None) => bail!("an event without a number: {block}"),
            (true, Some(number)) => (number, number + 1),
            (false, number) => {
                let next = number.map_or(0, |last| last + 1);
                (next, next)
            }
        };
        let expected = self.next.replace(next).unwrap_or(first);
        self.lost += first.saturating_sub(expected);
        self.doubled += expected.saturating_sub(first);
        Ok(if is_event { Block::Event(data) } else { Block::Snapshot })
    }
}

fn find_end(bytes: &[u8], skip: usize) -> Option<usize> {
    let at = bytes.get(skip..)?.windows(BLOCK_END.len()).position(|window| window == BLOCK_END)?;
    Some(skip + at + BLOCK_END.len())
}

/// The number in `<epoch>-<number>`.
fn number(id: &str) -> Result<u64> {
    let number = id.split_once('-').and_then(|(_, number)| number.parse().ok());
    number.with_context(|| format!("no id: {id}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(number: u64) -> String {
        format!("id: a-{number}\ndata: {{\"mac\":{number}}}\n\n")
    }

    fn counted(pieces: &[&str]) -> (u64, u64, u64, usize) {
        let mut tally = Tally::default();
        let mut events = 0;
        for piece in pieces {
            let count = |block: Block<'_>, _| {
                events += usize::from(matches!(block, Block::Event(_)));
                Ok(())
            };
            tally.take(piece.as_bytes(), count).unwrap();
        }
        (tally.next(), tally.lost, tally.doubled, events)
    }

    #[test]
    fn what_is_missing_and_what_comes_twice_is_counted() {
        let snapshot = "retry: 3000\n\nid: a-6\ndata: {}\n\n";
        assert_eq!(counted(&[snapshot]), (7, 0, 0, 0));
        assert_eq!(counted(&[snapshot, &event(7), ": still here\n\n", &event(8)]), (9, 0, 0, 2));
        assert_eq!(counted(&[snapshot, &event(7), &event(9)]), (10, 1, 0, 2));
        assert_eq!(counted(&[snapshot, &event(7), &event(7)]), (8, 0, 1, 2));
        let anew = ": too slow for 3 events, all anew\nid: a-10\ndata: {}\n\n";
        assert_eq!(counted(&[snapshot, &event(7), anew, &event(11)]), (12, 3, 0, 2));
    }

    #[test]
    fn an_event_is_one_wherever_it_is_cut() {
        let text = [event(0), event(1), event(2)].concat();
        for cut in 0..text.len() {
            let (first, rest) = text.split_at(cut);
            assert_eq!(counted(&["data: {}\n\n", first, rest]), (3, 0, 0, 3), "cut at {cut}");
        }
    }
}
