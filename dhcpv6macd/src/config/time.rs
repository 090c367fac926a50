//! Times, as people write them.

use std::ops::RangeInclusive;

use jiff::{Span, SpanRelativeTo, Unit};

/// Seconds of a lifetime (RFC 9915 section 7.7: all bits set is infinity).
pub(super) fn seconds(text: &str) -> Result<u32, &'static str> {
    const WRONG: &str = "not a time; write 12h, 1d12h, 90s, a number of seconds, or infinity";
    const RANGE: &str = "longer than a lifetime can be: up to 4294967294 seconds, or infinity";
    if text == "infinity" {
        return Ok(u32::MAX);
    }
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok().filter(|seconds| *seconds < u32::MAX).ok_or(RANGE);
    }
    let span: Span = text.parse().map_err(|_| WRONG)?;
    let total = span.total((Unit::Second, SpanRelativeTo::days_are_24_hours())).map_err(|_| WRONG)?;
    if total < 0.0 || total.fract() != 0.0 {
        return Err(WRONG);
    }
    if total >= f64::from(u32::MAX) {
        return Err(RANGE);
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole, and in the range of a u32")]
    Ok(total as u32)
}

/// The same, within bounds that are told in words.
pub(super) fn bounded_seconds(text: &str, bounds: RangeInclusive<u32>, in_words: &str) -> Result<u32, String> {
    let seconds = seconds(text)?;
    if bounds.contains(&seconds) { Ok(seconds) } else { Err(format!("not a time from the range {in_words}")) }
}
