//! Preconditions and ranges: is a file sent, and which part of it (RFC 9110 sections 13 and 14)? Pure.

use std::{ops::Range, time::SystemTime};

use httpdate::{HttpDate, parse_http_date};
use hyper::{
    HeaderMap, Method,
    header::{HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE},
};

/// What a client may already have of a file.
#[derive(Clone, Debug)]
pub struct Validators {
    /// The strong entity tag, between its quotes.
    pub etag: String,
    /// When it was modified; `None` where nobody is told.
    pub modified: Option<HttpDate>,
    /// Bytes.
    pub length: u64,
}

/// What is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All of it: 200.
    Whole,
    /// These bytes: 206.
    Part(Range<u64>),
    /// The client has it: 304.
    NotModified,
    /// The client wants another: 412.
    Failed,
    /// There are no such bytes: 416.
    NotSatisfiable,
}

impl Validators {
    /// What a GET or a HEAD with these fields gets, in the order of section 13.2.2.
    #[must_use]
    pub fn judge(&self, method: &Method, fields: &HeaderMap) -> Verdict {
        if self.is_another(fields) {
            return Verdict::Failed;
        }
        if self.is_known(fields) {
            return Verdict::NotModified;
        }
        // Other methods have no ranges (section 14.2).
        if *method != Method::GET || !self.is_range_meant(fields) {
            return Verdict::Whole;
        }
        only(fields, &RANGE).and_then(|range| self.part(range)).unwrap_or(Verdict::Whole)
    }

    /// Does the client insist on one that this is not?
    fn is_another(&self, fields: &HeaderMap) -> bool {
        if fields.contains_key(IF_MATCH) {
            return !self.is_listed(fields, &IF_MATCH, Comparison::Strong);
        }
        // Of what has no date nobody can say that it is the same. (Section 13.1.4 would have the field ignored: then a part of another file is
        // sent for one of this.)
        date(fields, &IF_UNMODIFIED_SINCE).is_some_and(|since| self.modified.is_none_or(|modified| modified > since))
    }

    /// Does the client have this one?
    fn is_known(&self, fields: &HeaderMap) -> bool {
        if fields.contains_key(IF_NONE_MATCH) {
            return self.is_listed(fields, &IF_NONE_MATCH, Comparison::Weak);
        }
        date(fields, &IF_MODIFIED_SINCE).is_some_and(|since| self.modified.is_some_and(|modified| modified <= since))
    }

    /// Is the part that the client wants one of what this is?
    fn is_range_meant(&self, fields: &HeaderMap) -> bool {
        if !fields.contains_key(IF_RANGE) {
            return true;
        }
        let Some(validator) = only(fields, &IF_RANGE) else { return false };
        match parse_http_date(validator) {
            Ok(date) => self.modified == Some(date.into()),
            Err(_) => validator == self.etag,
        }
    }

    fn is_listed(&self, fields: &HeaderMap, name: &HeaderName, comparison: Comparison) -> bool {
        let lines = fields.get_all(name).iter().filter_map(|value| value.to_str().ok());
        lines.flat_map(tags).any(|tag| match tag.strip_prefix("W/") {
            Some(weak) => comparison == Comparison::Weak && weak == self.etag,
            None => tag == "*" || tag == self.etag,
        })
    }

    /// The part that a Range field names. `None` where it is to be ignored: other units, several ranges, and what is none.
    fn part(&self, field: &str) -> Option<Verdict> {
        let (unit, ranges) = field.split_once('=')?;
        if !unit.trim().eq_ignore_ascii_case("bytes") {
            return None;
        }
        let (first, last) = ranges.trim().split_once('-')?;
        let (first, last) = (position(first)?, position(last)?);
        let range = match (first, last) {
            (Some(first), Some(last)) if last < first => return None,
            (Some(first), last) => first..last.map_or(self.length, |last| self.length.min(last.saturating_add(1))),
            (None, Some(suffix)) => self.length.saturating_sub(suffix)..self.length,
            (None, None) => return None,
        };
        Some(if range.is_empty() { Verdict::NotSatisfiable } else { Verdict::Part(range) })
    }
}

/// How entity tags are compared (RFC 9110 section 8.8.3.2).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Strong,
    Weak,
}

/// A position of a range, which may be left out; `None` where it is no number. One that is too long is beyond any file.
fn position(text: &str) -> Option<Option<u64>> {
    let text = text.trim();
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some((!text.is_empty()).then(|| text.parse().unwrap_or(u64::MAX)))
}

/// The entity tags of a list, with their `W/`, or its `*`. What is neither ends it.
fn tags(list: &str) -> impl Iterator<Item = &str> {
    let mut rest = list;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches([',', ' ', '\t']);
        let length = if rest.starts_with('*') {
            1
        } else {
            let opening = if rest.starts_with("W/") { 2 } else { 0 };
            let opaque = rest.get(opening..)?.strip_prefix('"')?;
            opening + opaque.find('"')? + 2
        };
        let (tag, behind) = rest.split_at_checked(length)?;
        rest = behind;
        Some(tag)
    })
}

/// The value of a field that may be there once.
fn only<'a>(fields: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = fields.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() { None } else { value.to_str().ok().map(str::trim) }
}

/// The date of a field; `None` where it is none, and then the field is ignored (section 13.1.3, 13.1.4).
fn date(fields: &HeaderMap, name: &HeaderName) -> Option<HttpDate> {
    only(fields, name).and_then(|value| parse_http_date(value).ok()).map(|date: SystemTime| date.into())
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    const MODIFIED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
    const AFTER: &str = "Sunday, 06-Nov-94 08:49:38 GMT";

    fn judge(method: &Method, fields: &[(HeaderName, &str)]) -> Verdict {
        let modified = parse_http_date(MODIFIED).unwrap().into();
        let validators = Validators { etag: "\"a,b\"".to_owned(), modified: Some(modified), length: 100 };
        let fields = fields.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()));
        validators.judge(
            method,
            &fields.fold(HeaderMap::new(), |mut all, (name, value)| {
                all.append(name, value);
                all
            }),
        )
    }

    fn get(fields: &[(HeaderName, &str)]) -> Verdict {
        judge(&Method::GET, fields)
    }

    #[test]
    fn each_condition_by_itself() {
        use Verdict::{Failed, NotModified, Whole};
        for (name, value, expected) in [
            (IF_MATCH, "\"a,b\"", Whole),
            (IF_MATCH, "*", Whole),
            (IF_MATCH, "\"x\" , ,W/\"y\",\"a,b\"", Whole),
            (IF_MATCH, "W/\"a,b\"", Failed),
            (IF_MATCH, "\"a", Failed),
            (IF_MATCH, "a,b", Failed),
            (IF_UNMODIFIED_SINCE, MODIFIED, Whole),
            (IF_UNMODIFIED_SINCE, AFTER, Whole),
            (IF_UNMODIFIED_SINCE, BEFORE, Failed),
            (IF_UNMODIFIED_SINCE, "yesterday", Whole),
            (IF_NONE_MATCH, "\"a,b\"", NotModified),
            (IF_NONE_MATCH, "W/\"a,b\"", NotModified),
            (IF_NONE_MATCH, "*", NotModified),
            (IF_NONE_MATCH, "\"x\"", Whole),
            (IF_MODIFIED_SINCE, MODIFIED, NotModified),
            (IF_MODIFIED_SINCE, AFTER, NotModified),
            (IF_MODIFIED_SINCE, BEFORE, Whole),
            (IF_MODIFIED_SINCE, "", Whole),
        ] {
            assert_eq!(get(&[(name.clone(), value)]), expected, "{name}: {value}");
            assert_eq!(judge(&Method::HEAD, &[(name.clone(), value)]), expected, "HEAD {name}: {value}");
        }
    }

    #[test]
    fn the_stronger_condition_hides_the_weaker() {
        let same = "\"a,b\"";
        assert_eq!(get(&[(IF_MATCH, same), (IF_UNMODIFIED_SINCE, BEFORE)]), Verdict::Whole);
        assert_eq!(get(&[(IF_MATCH, "\"x\""), (IF_NONE_MATCH, same)]), Verdict::Failed);
        assert_eq!(get(&[(IF_NONE_MATCH, "\"x\""), (IF_MODIFIED_SINCE, AFTER)]), Verdict::Whole);
        assert_eq!(get(&[(IF_NONE_MATCH, same), (RANGE, "bytes=0-")]), Verdict::NotModified);
        assert_eq!(get(&[(IF_MATCH, "\"x\""), (IF_MATCH, same)]), Verdict::Whole);
    }

    #[test]
    fn ranges() {
        use Verdict::{NotSatisfiable, Part, Whole};
        for (range, expected) in [
            ("bytes=0-0", Part(0..1)),
            ("bytes=0-", Part(0..100)),
            ("Bytes = 10-19", Part(10..20)),
            ("bytes=99-", Part(99..100)),
            ("bytes=50-1000", Part(50..100)),
            ("bytes=0-99999999999999999999999", Part(0..100)),
            ("bytes=0-18446744073709551615", Part(0..100)),
            ("bytes=-1", Part(99..100)),
            ("bytes=-1000", Part(0..100)),
            ("bytes=100-", NotSatisfiable),
            ("bytes=99999999999999999999999-", NotSatisfiable),
            ("bytes=-0", NotSatisfiable),
            ("bytes=0-1,5-6", Whole),
            ("bytes=2-1", Whole),
            ("bytes=-", Whole),
            ("bytes=+1-2", Whole),
            ("bytes=1", Whole),
            ("bytes", Whole),
            ("lines=0-1", Whole),
        ] {
            assert_eq!(get(&[(RANGE, range)]), expected, "{range}");
        }
        assert_eq!(judge(&Method::HEAD, &[(RANGE, "bytes=0-0")]), Whole);
        assert_eq!(get(&[(RANGE, "bytes=0-0"), (RANGE, "bytes=1-1")]), Whole);
    }

    #[test]
    fn a_range_of_what_is_not_there_any_more_is_ignored() {
        use Verdict::{Part, Whole};
        for (validator, expected) in [
            ("\"a,b\"", Part(5..100)),
            (MODIFIED, Part(5..100)),
            ("W/\"a,b\"", Whole),
            ("\"x\"", Whole),
            (BEFORE, Whole),
            (AFTER, Whole),
            ("", Whole),
        ] {
            assert_eq!(get(&[(IF_RANGE, validator), (RANGE, "bytes=5-")]), expected, "{validator}");
        }
    }

    #[test]
    fn an_empty_file_has_no_part() {
        let validators = Validators { etag: "\"\"".to_owned(), modified: None, length: 0 };
        let fields = |range: &str| HeaderMap::from_iter([(RANGE, HeaderValue::from_str(range).unwrap())]);
        for range in ["bytes=0-", "bytes=0-0", "bytes=-1"] {
            assert_eq!(validators.judge(&Method::GET, &fields(range)), Verdict::NotSatisfiable);
        }
    }

    proptest! {
        #[test]
        fn whatever_is_asked_for_a_part_lies_in_the_file(
            range in "(bytes)?=?[0-9]{0,21}-[0-9]{0,21}",
            condition in r#"(W/)?[",*a-z ]{0,12}"#,
            name in prop::sample::select(vec![IF_MATCH, IF_NONE_MATCH, IF_RANGE, IF_MODIFIED_SINCE]),
        ) {
            if let Verdict::Part(part) = get(&[(RANGE, &range), (name, &condition)]) {
                prop_assert!(part.start < part.end && part.end <= 100, "{part:?}");
            }
        }
    }
}
