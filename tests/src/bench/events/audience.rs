//! Who listens.

use std::fmt;

/// So many subscribers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Audience {
    /// They read everything.
    pub(super) readers: u32,
    /// They never read.
    pub(super) deaf: u32,
}

impl Audience {
    pub(super) const NOBODY: Self = Self { readers: 0, deaf: 0 };
}

impl fmt::Display for Audience {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&match (self.readers, self.deaf) {
            (0, 0) => "nobody".to_owned(),
            (readers, 0) => readers.to_string(),
            (readers, deaf) => format!("{readers}, {deaf} deaf"),
        })
    }
}
