//! Every setting as text, and where it was found.

use std::{collections::BTreeMap, ffi::OsString, fmt, path::PathBuf};

use super::{
    ConfigError,
    table::{
        SETTINGS, Setting,
        Unset::{Decided, Nothing, Text},
        VARIABLE_PREFIX,
    },
};

/// Those among them that are for builds and tests.
const FOREIGN_VARIABLES: [&str; 2] = ["DHCPV6MACD_BPF_OBJECT", "DHCPV6MACD_EMBED_IPXE"];

/// Where a text was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// On the command line.
    Flag,
    /// In an environment variable.
    Environment,
    /// In a file, at a line counted from 1.
    File(PathBuf, usize),
    /// Nobody said.
    Default,
}

/// A setting's text and where it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// The text as it was written.
    pub text: String,
    /// Where.
    pub origin: Origin,
}

/// The texts of one source, or of several put together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings(BTreeMap<&'static str, Given>);

impl Settings {
    /// The texts that are there when nobody says anything.
    #[must_use]
    pub fn defaults() -> Self {
        let mut settings = Self::default();
        for setting in &SETTINGS {
            if let Text(text) = setting.unset {
                settings.set(setting, text.to_owned(), Origin::Default);
            }
        }
        settings
    }

    /// The texts in the environment.
    ///
    /// # Errors
    ///
    /// A variable that begins like ours and is none of them, and one that is no text.
    pub fn from_environment(variables: impl Iterator<Item = (OsString, OsString)>) -> Result<Self, ConfigError> {
        let mut settings = Self::default();
        for (name, value) in variables {
            if !is_ours(&name.to_string_lossy()) {
                continue;
            }
            // What is not text is no known name either.
            let name = name.to_string_lossy().into_owned();
            let Some(setting) = SETTINGS.iter().find(|setting| setting.variable() == name) else {
                return Err(ConfigError::UnknownVariable { nearest: nearest_variable(&name), name });
            };
            let text = value.into_string().map_err(|_| ConfigError::NotText { place: name })?;
            settings.set(setting, text, Origin::Environment);
        }
        Ok(settings)
    }

    /// Puts a text in, in the place of the one that was there.
    pub fn set(&mut self, setting: &Setting, text: String, origin: Origin) {
        self.0.insert(setting.name, Given { text, origin });
    }

    /// These texts, and those of `weaker` where there is none.
    #[must_use]
    pub fn over(mut self, weaker: Self) -> Self {
        for (name, given) in weaker.0 {
            self.0.entry(name).or_insert(given);
        }
        self
    }

    /// The text of a setting, if there is one.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Given> {
        self.0.get(name)
    }

    /// Where a setting's text was found, for a person.
    #[must_use]
    pub fn place(&self, name: &str) -> String {
        match self.get(name).map(|given| &given.origin) {
            Some(Origin::Environment) => {
                SETTINGS.iter().find(|setting| setting.name == name).map_or_else(|| name.to_owned(), Setting::variable)
            }
            Some(Origin::File(path, line)) => format!("{}:{line}: {name}", path.display()),
            Some(Origin::Flag | Origin::Default) | None => format!("--{name}"),
        }
    }
}

fn is_ours(variable: &str) -> bool {
    variable.starts_with(VARIABLE_PREFIX) && !FOREIGN_VARIABLES.contains(&variable)
}

/// The name that a person may have meant: one that differs in a third of its letters at most.
pub(super) fn nearest(name: &str, known: impl Iterator<Item = impl Into<String>>) -> Option<String> {
    let letters = |known: &String| strsim::levenshtein(name, known);
    known.map(Into::into).filter(|known| letters(known) * 3 <= known.len()).min_by_key(letters)
}

/// The same for a variable, by what is behind the prefix that all of them have.
fn nearest_variable(name: &str) -> Option<String> {
    let behind = |variable: &str| variable.trim_start_matches(VARIABLE_PREFIX).to_owned();
    let nearest = nearest(&behind(name), SETTINGS.iter().map(|setting| behind(&setting.variable())))?;
    Some(format!("{VARIABLE_PREFIX}{nearest}"))
}

/// A question to a person who may have meant this.
pub(super) fn guess(nearest: Option<&str>) -> String {
    nearest.map(|name| format!("; did you mean {name}?")).unwrap_or_default()
}

/// As a file that [`Settings::from_file`] reads back: what is in force, and where it comes from.
impl fmt::Display for Settings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = SETTINGS.iter().map(|setting| setting.name.len()).max().unwrap_or_default();
        for setting in &SETTINGS {
            let name = setting.name;
            let Some(given) = self.get(name) else {
                match setting.unset {
                    Decided(words) => writeln!(formatter, "# {name} is not set: {words}")?,
                    Text(_) | Nothing => writeln!(formatter, "# {name} is not set")?,
                }
                continue;
            };
            let value = toml::Value::String(given.text.clone());
            let origin = match &given.origin {
                Origin::Flag => format!("--{name}"),
                Origin::Environment => setting.variable(),
                Origin::File(path, line) => format!("{}:{line}", path.display()),
                Origin::Default => "default".to_owned(),
            };
            writeln!(formatter, "{name:width$} = {value}  # {}", origin.escape_debug())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_looks_alike_is_suggested() {
        let names = || SETTINGS.iter().map(|setting| setting.name);
        assert_eq!(nearest("interfase", names()).as_deref(), Some("interface"));
        assert_eq!(nearest("lab", names()), None);
    }

    #[test]
    fn the_stronger_source_wins() {
        let one = |text: &str, origin| {
            let mut settings = Settings::default();
            settings.set(&SETTINGS[0], text.to_owned(), origin);
            settings
        };
        let both = one("flag", Origin::Flag).over(one("environment", Origin::Environment)).over(Settings::defaults());
        assert_eq!(both.get("interface").unwrap().text, "flag");
        assert_eq!(both.get("log-level").unwrap().origin, Origin::Default);
    }

    #[test]
    fn a_misspelt_variable_is_refused_and_a_foreign_one_is_none_of_ours() {
        let variables = |name: &str| [(OsString::from(name), OsString::from("x"))].into_iter();
        let error = Settings::from_environment(variables("DHCPV6MACD_INTERFASE")).unwrap_err().to_string();
        assert_eq!(error, "DHCPV6MACD_INTERFASE: there is no such setting; did you mean DHCPV6MACD_INTERFACE?");
        let error = Settings::from_environment(variables("DHCPV6MACD_CONFIG")).unwrap_err().to_string();
        assert_eq!(error, "DHCPV6MACD_CONFIG: there is no such setting");
        use std::os::unix::ffi::OsStringExt as _;
        let odd = OsString::from_vec(b"DHCPV6MACD_WORK\xffRS".to_vec());
        assert!(Settings::from_environment([(odd, OsString::from("x"))].into_iter()).is_err());
        for foreign in ["DHCPV6MACD_BPF_OBJECT", "DHCPV6MACD_EMBED_IPXE", "DHCPV6MACD", "PATH"] {
            assert_eq!(Settings::from_environment(variables(foreign)), Ok(Settings::default()));
        }
    }
}
