//! What is told of machines, and to whom.

use std::{fmt, io::Read as _, path::Path, time::Duration};

use super::{
    ConfigError, EventsListen,
    named_files::open_regular,
    options::list,
    parse::{Texts, listen_address},
    time::seconds,
};
use crate::{event::Step, machine::StallLimits};

/// A word that opens the events server (RFC 6750).
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Box<[u8]>);

impl Token {
    /// Reads one, without the blanks around it.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        const LENGTH_MAX: u64 = 4096;
        let mut text = Vec::new();
        let cannot = |error: std::io::Error| format!("cannot be read: {error}");
        open_regular(path).map_err(cannot)?.take(LENGTH_MAX + 1).read_to_end(&mut text).map_err(cannot)?;
        let word = text.trim_ascii();
        let is_word = !word.is_empty() && text.len() as u64 <= LENGTH_MAX && word.iter().all(u8::is_ascii_graphic);
        if is_word {
            Ok(Self(word.into()))
        } else {
            Err("not one word of 1 to 4096 letters, digits and signs, without blanks".to_owned())
        }
    }

    /// Is this it? Takes as long for any word of its length.
    #[must_use]
    pub fn is(&self, word: &[u8]) -> bool {
        let differ = self.0.iter().zip(word).fold(0, |differ, (own, other)| differ | (own ^ other));
        self.0.len() == word.len() && differ == 0
    }
}

/// Nobody's log is to know it.
impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token")
    }
}

/// As it is written in the setting.
impl fmt::Display for EventsListen {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(formatter),
            Self::Unix(path) => path.display().fmt(formatter),
        }
    }
}

/// Where events are told; `None` for `off`.
pub(super) fn listen(text: &str) -> Result<Option<EventsListen>, String> {
    match text {
        "off" => Ok(None),
        path if path.starts_with('/') => unix(Path::new(path)).map(Some),
        address => match listen_address(address) {
            Ok(address) => Ok(Some(EventsListen::Address(address))),
            Err(error) => Err(format!("{error}, the path of a Unix socket, or off")),
        },
    }
}

/// `sockaddr_un` has room for so much (unix(7)).
fn unix(path: &Path) -> Result<EventsListen, String> {
    const PATH_MAX: usize = 107;
    let length = path.as_os_str().len();
    if length > PATH_MAX {
        return Err(format!("{length} bytes; the path of a socket has {PATH_MAX} at most"));
    }
    Ok(EventsListen::Unix(path.to_owned()))
}

impl Texts<'_> {
    pub(super) fn stall_limits(&self) -> Result<StallLimits, ConfigError> {
        let set = self.optional("stalled-after", |text| list(text, limit))?.unwrap_or_default();
        let mut limits = StallLimits::default();
        for (step, limit) in set {
            limits.set(step, limit);
        }
        Ok(limits)
    }
}

fn limit(text: &str) -> Result<(Step, Duration), String> {
    let (name, time) = text.split_once('=').ok_or("no STEP=TIME")?;
    let step = Step::ALL.into_iter().find(|step| step.name() == name && *step != Step::Init);
    let step = step.ok_or_else(|| {
        let names: Vec<_> = Step::ALL.into_iter().filter(|step| *step != Step::Init).map(Step::name).collect();
        format!("no step of a boot; there are {}", names.join(", "))
    })?;
    match seconds(time)? {
        0 => Err("nobody is that fast".to_owned()),
        seconds => Ok((step, Duration::from_secs(seconds.into()))),
    }
}
