//! Where a machine's MAC is taken from.

use std::str::FromStr;

/// What may say whose a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MacSource {
    /// The Ethernet source of the frame, where the machine itself has sent it.
    Ethernet,
    /// The relay agent that had it from the machine (RFC 6939).
    Relay,
    /// A DUID-LL or DUID-LLT of an Ethernet interface.
    Duid,
    /// The machine's link-local address, where it was made from a MAC.
    Eui64,
}

impl MacSource {
    const ALL: [Self; 4] = [Self::Ethernet, Self::Relay, Self::Duid, Self::Eui64];

    /// Its name, as in a configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ethernet => "ethernet",
            Self::Relay => "relay",
            Self::Duid => "duid",
            Self::Eui64 => "eui64",
        }
    }
}

/// Sources in the order in which they are asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MacSources(Box<[MacSource]>);

impl MacSources {
    /// The sources, the first to be asked first.
    pub fn iter(&self) -> impl Iterator<Item = MacSource> {
        self.0.iter().copied()
    }
}

/// What cannot be forged comes first.
impl Default for MacSources {
    fn default() -> Self {
        Self(MacSource::ALL.into())
    }
}

/// Names with commas between them, each once.
impl FromStr for MacSources {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let mut sources = Vec::new();
        for name in text.split(',') {
            let source = MacSource::ALL.into_iter().find(|source| source.name() == name.trim());
            let source = source.ok_or("there are ethernet, relay, duid and eui64, with commas between them")?;
            if sources.contains(&source) {
                return Err("one of them is there twice");
            }
            sources.push(source);
        }
        Ok(Self(sources.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_asked_in_their_order() {
        assert_eq!("ethernet,relay,duid,eui64".parse(), Ok(MacSources::default()));
        let two: MacSources = "relay, duid".parse().unwrap();
        assert_eq!(two.iter().collect::<Vec<_>>(), [MacSource::Relay, MacSource::Duid]);
        assert!("".parse::<MacSources>().is_err() && "duid,duid".parse::<MacSources>().is_err());
    }
}
