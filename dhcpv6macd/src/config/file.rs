//! The configuration file: TOML, its keys the names of the flags.

use std::{fs::File, io::Read as _, path::Path};

use toml::de::{DeTable, DeValue};

use super::{
    ConfigError,
    named_files::open_regular,
    settings::{Origin, Settings, nearest},
    table::SETTINGS,
};

/// No configuration is longer, bytes.
const FILE_MAX: u64 = 1 << 20;

impl Settings {
    /// The texts in a file.
    ///
    /// # Errors
    ///
    /// A file that cannot be read or is not TOML, a key that is no setting, a value that is neither text nor number.
    pub fn from_file(path: &Path) -> Result<Self, ConfigError> {
        let unreadable = |error| ConfigError::Value {
            place: format!("--config {}", path.display().to_string().escape_debug()),
            what: format!("cannot be read: {error}"),
        };
        let text = read(open_regular(path).map_err(unreadable)?).map_err(unreadable)?;
        Self::from_toml(&text, path)
    }

    fn from_toml(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let table = DeTable::parse(text).map_err(|error| {
            let line = error.span().map_or(1, |span| line_of(text, span.start));
            ConfigError::Value { place: format!("{}:{line}", path.display()), what: error.message().to_owned() }
        })?;
        let mut settings = Self::default();
        for (key, value) in table.get_ref() {
            let line = line_of(text, key.span().start);
            let place = || format!("{}:{line}", path.display());
            let name: &str = key.get_ref();
            let Some(setting) = SETTINGS.iter().find(|setting| setting.name == name) else {
                let nearest = nearest(name, SETTINGS.iter().map(|setting| setting.name));
                return Err(ConfigError::UnknownKey { place: place(), key: name.escape_debug().to_string(), nearest });
            };
            let text = text_of(value.get_ref()).ok_or_else(|| ConfigError::Value {
                place: format!("{}: {name}", place()),
                what: format!("text, a whole number or a list of texts is expected, {}", kind(value.get_ref())),
            })?;
            settings.set(setting, text, Origin::File(path.to_owned(), line));
        }
        Ok(settings)
    }
}

fn read(file: File) -> std::io::Result<String> {
    let mut text = String::new();
    let length = file.take(FILE_MAX + 1).read_to_string(&mut text)?;
    if length as u64 > FILE_MAX {
        return Err(std::io::Error::other("longer than a configuration can be (1 MiB)"));
    }
    Ok(text)
}

fn text_of(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.clone().into_owned()),
        DeValue::Integer(integer) => {
            i64::from_str_radix(integer.as_str(), integer.radix()).ok().map(|number| number.to_string())
        }
        // A list is its texts with commas between them.
        DeValue::Array(values) if !values.is_empty() => {
            let texts: Option<Vec<_>> = values.iter().map(|value| value.get_ref().as_str()).collect();
            texts.map(|texts| texts.join(","))
        }
        DeValue::Array(_) | DeValue::Boolean(_) | DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Table(_) => None,
    }
}

/// What a value is that is neither text nor a whole number.
fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::Array(values) if values.is_empty() => "not an empty list; leave the setting out",
        DeValue::Array(_) => "not another list",
        DeValue::Boolean(_) => "not true or false",
        DeValue::Datetime(_) => "not a date or a time",
        DeValue::Table(_) => "not a table",
        DeValue::Float(_) | DeValue::Integer(_) | DeValue::String(_) => "not another number",
    }
}

/// The line of a byte, counted from 1.
fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read_toml(text: &str) -> Result<Settings, String> {
        Settings::from_toml(text, Path::new("lab.toml")).map_err(|error| error.to_string())
    }

    #[test]
    fn keys_are_flags_and_values_are_text_or_numbers() {
        let settings = read_toml("interface = \"eth1\"\n\nworkers = 4\n").unwrap();
        assert_eq!(settings.get("interface").unwrap().text, "eth1");
        assert_eq!(settings.get("workers").unwrap().text, "4");
        assert_eq!(settings.place("workers"), "lab.toml:3: workers");
        let list = read_toml("dns-servers = [\"2001:db8::1\", \"2001:db8::2\"]").unwrap();
        assert_eq!(list.get("dns-servers").unwrap().text, "2001:db8::1,2001:db8::2");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (text, error) in [
            ("interface = \"eth1\"\nwokers = 4", "lab.toml:2: there is no setting wokers; did you mean workers?"),
            (
                "workers = true",
                "lab.toml:1: workers: text, a whole number or a list of texts is expected, not true or false",
            ),
            (
                "interface = [1]",
                "lab.toml:1: interface: text, a whole number or a list of texts is expected, not another list",
            ),
            (
                "dns-servers = []",
                "lab.toml:1: dns-servers: text, a whole number or a list of texts is expected, not an empty list; leave the setting out",
            ),
            ("\n[lab]\n", "lab.toml:2: there is no setting lab"),
            ("workers = 1\nworkers = 2", "lab.toml:2: duplicate key"),
            ("interface = ", "lab.toml:1: string values must be quoted, expected literal string"),
        ] {
            assert_eq!(read_toml(text), Err(error.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_shown_is_read_back() {
        let mut settings = Settings::defaults();
        let odd = "http://[::1]/\"\\\n#{{.MAC}}";
        for setting in &SETTINGS {
            settings.set(setting, odd.to_owned(), Origin::Flag);
        }
        let back = read_toml(&settings.to_string()).unwrap();
        assert!(SETTINGS.iter().all(|setting| back.get(setting.name).unwrap().text == odd));
    }

    proptest! {
        #[test]
        fn any_text_is_settings_or_an_error_of_one_line(text in "(?s).{0,200}") {
            if let Err(error) = read_toml(&text) {
                prop_assert!(!error.contains('\n'), "{}", error);
            }
        }
    }
}
