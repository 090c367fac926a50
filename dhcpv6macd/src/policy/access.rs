//! Which machines are served.

use std::str::FromStr;

use crate::wire::{MacAddr, ParseMacError};

/// Lists of machines. Without any, all are served.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// Nobody else is served.
    pub allow: Option<MacList>,
    /// These are not served, whatever else they are in.
    pub deny: Option<MacList>,
}

/// Why a machine is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It is in the deny list.
    Denied,
    /// It is not in the allow list.
    NotAllowed,
}

impl Access {
    /// Is this machine served?
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn check(&self, mac: MacAddr) -> Result<(), Refused> {
        if self.denies(mac) {
            return Err(Refused::Denied);
        }
        if self.allow.as_ref().is_some_and(|allow| !allow.contains(mac)) {
            return Err(Refused::NotAllowed);
        }
        Ok(())
    }

    /// Is it in the deny list?
    #[must_use]
    pub fn denies(&self, mac: MacAddr) -> bool {
        self.deny.as_ref().is_some_and(|deny| deny.contains(mac))
    }
}

/// MACs, and the first halves of MACs (OUIs), each sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MacList {
    macs: Box<[MacAddr]>,
    ouis: Box<[[u8; OUI]]>,
}

/// Bytes of an OUI, which is a vendor's.
const OUI: usize = 3;

impl MacList {
    /// Is the MAC in it, itself or by its vendor?
    #[must_use]
    pub fn contains(&self, mac: MacAddr) -> bool {
        let oui = mac.0.first_chunk::<OUI>();
        self.macs.binary_search(&mac).is_ok() || oui.is_some_and(|oui| self.ouis.binary_search(oui).is_ok())
    }

    /// How many entries it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.macs.len() + self.ouis.len()
    }

    /// Has it none?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A line that is neither a MAC nor an OUI.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {text:?} is neither a MAC (52:54:00:12:34:56) nor the first half of one (52:54:00)")]
pub struct ParseMacListError {
    /// Counted from 1.
    pub line: usize,
    /// What is there, as far as a line of an error has room for it.
    pub text: String,
}

/// A MAC or an OUI a line; what follows a `#` is a remark.
impl FromStr for MacList {
    type Err = ParseMacListError;

    fn from_str(text: &str) -> Result<Self, ParseMacListError> {
        let (mut macs, mut ouis) = (Vec::new(), Vec::new());
        for (index, line) in text.lines().enumerate() {
            let entry = line.split('#').next().unwrap_or(line).trim();
            match (entry.parse(), parse_oui(entry)) {
                (Ok(mac), _) => macs.push(mac),
                (Err(_), Ok(oui)) => ouis.push(oui),
                _ if entry.is_empty() => {}
                _ => return Err(ParseMacListError { line: index + 1, text: entry.chars().take(40).collect() }),
            }
        }
        macs.sort_unstable();
        ouis.sort_unstable();
        Ok(Self { macs: macs.into(), ouis: ouis.into() })
    }
}

/// As the first half of a MAC in any of its spellings.
fn parse_oui(text: &str) -> Result<[u8; OUI], ParseMacError> {
    let filler = match text.as_bytes().get(2) {
        Some(b':') => ":00:00:00",
        Some(b'-') => "-00-00-00",
        _ => "000000",
    };
    let MacAddr([a, b, c, ..]) = format!("{text}{filler}").parse()?;
    Ok([a, b, c])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mac(text: &str) -> MacAddr {
        text.parse().unwrap()
    }

    fn list(text: &str) -> MacList {
        text.parse().unwrap()
    }

    #[test]
    fn a_list_has_macs_and_vendors_and_remarks() {
        let list = list("# the rack\n52:54:00:12:34:56  # one\n\n02-00-00\nAABBCC\n525400abcdef\n");
        assert_eq!(list.len(), 4);
        for known in ["52:54:00:12:34:56", "02:00:00:ff:ff:ff", "aa:bb:cc:00:00:00", "52:54:00:ab:cd:ef"] {
            assert!(list.contains(mac(known)), "{known}");
        }
        for unknown in ["52:54:00:12:34:57", "02:00:01:00:00:00", "00:00:00:00:00:00"] {
            assert!(!list.contains(mac(unknown)), "{unknown}");
        }
    }

    #[test]
    fn a_line_that_is_none_is_named() {
        for (text, line) in
            [("52:54\n", 1), ("\n52:54:00:12:34:5\n", 2), ("52:54:00 12:34:56", 1), ("lab", 1), ("5254:00", 1)]
        {
            assert_eq!(text.parse::<MacList>().unwrap_err().line, line, "{text}");
        }
        let long = "x".repeat(1000).parse::<MacList>().unwrap_err();
        assert_eq!(long.text.len(), 40);
    }

    #[test]
    fn who_is_denied_is_not_served_even_if_allowed() {
        let access = Access { allow: Some(list("52:54:00")), deny: Some(list("52:54:00:12:34:56")) };
        assert_eq!(access.check(mac("52:54:00:12:34:56")), Err(Refused::Denied));
        assert_eq!(access.check(mac("52:54:00:12:34:57")), Ok(()));
        assert_eq!(access.check(mac("02:00:00:00:00:01")), Err(Refused::NotAllowed));
        assert_eq!(Access::default().check(mac("02:00:00:00:00:01")), Ok(()));
    }
}
