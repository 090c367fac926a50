//! What is known at one moment, on its way to whoever has asked.

use std::sync::{Arc, Weak};

use bytes::{Bytes, BytesMut};

/// Bytes that are handed on at a time, or one machine's.
const PIECE: usize = 64 << 10;

/// What was asked for, and where in the events that was.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// JSON.
    pub text: Text,
    /// The number of the first event that is not in it.
    pub next: u64,
}

/// A text that is read piece by piece.
#[derive(Clone, Debug)]
pub enum Text {
    /// One piece.
    Whole(Bytes),
    /// A JSON object, of which so many members are read. Whoever has made it says how long they are kept.
    Object(Weak<[Bytes]>, usize),
    /// It was read.
    Over,
}

/// The rest of a [`Text`] is not kept any more: whoever reads it takes too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what is known was not read in time")]
pub struct Dropped;

impl Text {
    /// A JSON object with these members, each a name, a colon and a value, as long as they are kept.
    #[must_use]
    pub fn object(members: &Arc<[Bytes]>) -> Self {
        Self::Object(Arc::downgrade(members), 0)
    }

    /// The next piece; `None` where it was read.
    ///
    /// # Errors
    ///
    /// Where it is not kept any more.
    pub fn read(&mut self) -> Result<Option<Bytes>, Dropped> {
        match self {
            Self::Whole(text) => {
                let text = std::mem::take(text);
                *self = Self::Over;
                Ok(Some(text))
            }
            Self::Object(members, read) => {
                let members = members.upgrade().ok_or(Dropped)?;
                let piece = piece(&members, read);
                if *read == members.len() {
                    *self = Self::Over;
                }
                Ok(Some(piece))
            }
            Self::Over => Ok(None),
        }
    }
}

/// Some of an object, its brackets included.
fn piece(members: &[Bytes], read: &mut usize) -> Bytes {
    let mut piece = BytesMut::with_capacity(2 * PIECE);
    if members.is_empty() {
        piece.extend_from_slice(b"{");
    }
    while piece.len() < PIECE
        && let Some(member) = members.get(*read)
    {
        piece.extend_from_slice(if *read == 0 { b"{" } else { b"," });
        piece.extend_from_slice(member);
        *read += 1;
    }
    if *read == members.len() {
        piece.extend_from_slice(b"}");
    }
    piece.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(mut text: Text) -> (usize, String) {
        let pieces: Vec<_> = std::iter::from_fn(|| text.read().unwrap()).collect();
        (pieces.len(), String::from_utf8(pieces.concat()).unwrap())
    }

    #[test]
    fn an_object_is_whole_whatever_the_number_of_its_pieces() {
        let object = |count: usize| -> Arc<[Bytes]> {
            (0..count).map(|number| format!("\"{number}\":{number}").into()).collect()
        };
        for (count, pieces) in [(0, 1), (1, 1), (2, 1), (20_000, 4)] {
            let members = object(count);
            let (read, json) = read(Text::object(&members));
            let values: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&json).unwrap();
            assert_eq!((read, values.len()), (pieces, count));
        }
        assert_eq!(read(Text::Whole("null".into())), (1, "null".into()));
    }

    #[test]
    fn who_reads_what_is_not_kept_any_more_is_told_so() {
        let members: Arc<[Bytes]> = [Bytes::from_static(b"\"a\":1")].into();
        let mut text = Text::object(&members);
        drop(members);
        assert_eq!(text.read(), Err(Dropped));
    }
}
