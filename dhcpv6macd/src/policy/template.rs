//! Boot URLs from a template.

use serde::Serialize;
use upon::{Engine, Syntax};

/// A template of a boot URL that renders: `{{.MAC}}`, `{{.BaseAddress}}` and `{{.Payload}}`, with or without the dot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlTemplate(String);

/// What a template can name.
#[derive(Debug, Serialize)]
struct Fields<'a> {
    #[serde(rename = "MAC")]
    mac: &'a str,
    #[serde(rename = "BaseAddress")]
    base_address: &'a str,
    #[serde(rename = "Payload")]
    payload: &'a str,
}

/// A machine that there is not, to try a template on.
const SAMPLE: Fields<'_> =
    Fields { mac: "52:54:00:12:34:56", base_address: "2001:db8::", payload: "eyJhcmNoaXRlY3R1cmVzIjpbXX0=" };

impl UrlTemplate {
    /// Tries a template on a sample machine.
    ///
    /// # Errors
    ///
    /// A template that does not render, with the place marked, and one that renders something else than a URL.
    pub fn new(text: &str) -> Result<Self, String> {
        let url = render(text, &SAMPLE)?;
        check_url(&url)?;
        Ok(Self(text.to_owned()))
    }
}

fn render(text: &str, fields: &Fields<'_>) -> Result<String, String> {
    // Expressions only: `{%` and `{#` may stand in a URL.
    let mut engine = Engine::new();
    engine.set_syntax(Syntax::builder().expr("{{", "}}").build());
    let template = engine.compile(text).map_err(|error| marked(text, &error))?;
    template.render(&engine, fields).to_string().map_err(|error| marked(text, &error))
}

/// The error in one line, with what it is about.
fn marked(text: &str, error: &upon::Error) -> String {
    let shown = format!("{error:#}");
    // Under the template's line upon draws a line of carets where it is wrong.
    let place = shown.lines().find_map(|line| {
        let column = line.find('^')?;
        let bar = line.find("| ")? + 2;
        text.get(column.checked_sub(bar)?..)
    });
    match place {
        Some(place) => {
            format!("{error} at \"{place}\"; there are {{{{.MAC}}}}, {{{{.BaseAddress}}}} and {{{{.Payload}}}}")
        }
        None => error.to_string(),
    }
}

fn check_url(url: &str) -> Result<(), String> {
    if let Some(odd) = url.chars().find(|letter| letter.is_control() || letter.is_whitespace()) {
        return Err(format!("it gives a URL with {odd:?} in it"));
    }
    let (scheme, rest) = url.split_once("://").ok_or_else(|| format!("it gives {url}, which is not a URL"))?;
    if !["http", "https", "tftp"].contains(&scheme) {
        return Err(format!("it gives a URL of {scheme}; firmware takes http, https and tftp, in lower case"));
    }
    if rest.starts_with(['/', '?', '#', ':']) || rest.is_empty() {
        return Err(format!("it gives {url}, a URL without a host"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_written_with_and_without_the_dot() {
        let url = render("http://[{{.BaseAddress}}1]/{{ MAC }}/{{ .Payload }}{%x%}", &SAMPLE);
        assert_eq!(url.unwrap(), "http://[2001:db8::1]/52:54:00:12:34:56/eyJhcmNoaXRlY3R1cmVzIjpbXX0={%x%}");
    }

    #[test]
    fn a_template_that_makes_no_url_is_refused() {
        assert!(UrlTemplate::new("http://h/{{.MAC").unwrap_err().contains("at \""));
        for (text, error) in [
            (
                "http://h/{{.Mac}}",
                "render error: not found in this scope at \".Mac}}\"; there are {{.MAC}}, {{.BaseAddress}} and {{.Payload}}",
            ),
            ("ftp://h/{{.MAC}}", "it gives a URL of ftp; firmware takes http, https and tftp, in lower case"),
            ("{{.MAC}}", "it gives 52:54:00:12:34:56, which is not a URL"),
            ("http:///{{.MAC}}", "it gives http:///52:54:00:12:34:56, a URL without a host"),
            ("http://:80/{{.MAC}}", "it gives http://:80/52:54:00:12:34:56, a URL without a host"),
            ("a\nb{{.MAC}}", "it gives a URL with '\\n' in it"),
            ("http://h/ {{.MAC}}", "it gives a URL with ' ' in it"),
        ] {
            assert_eq!(UrlTemplate::new(text), Err(error.to_owned()));
        }
    }
}
