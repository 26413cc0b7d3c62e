//! The pieces that JSON is put together of.

use std::fmt::Write as _;
use std::time::Duration;

/// A text.
pub(super) fn text(text: &str) -> String {
    let mut json = String::from("\"");
    for char in text.chars() {
        match char {
            '"' | '\\' => json.extend(['\\', char]),
            control if u32::from(control) < 0x20 => {
                let _ = write!(json, "\\u{:04x}", u32::from(control));
            }
            other => json.push(other),
        }
    }
    json.push('"');
    json
}

/// A time as a number of seconds.
pub(super) fn seconds(time: Duration) -> String {
    format!("{:?}", time.as_secs_f64())
}

/// A part of a whole, from 0 to 1.
pub(super) fn part(part: f64) -> String {
    format!("{part:?}")
}

/// A value that may be missing: `null` then.
pub(super) fn maybe(json: Option<String>) -> String {
    json.unwrap_or_else(|| "null".to_owned())
}

/// A list.
pub(super) fn list(all: impl Iterator<Item = String>) -> String {
    format!("[{}]", all.collect::<Vec<_>>().join(", "))
}

/// Members of an object, without its braces: numbers by names that need no escapes.
pub(super) fn members<'a>(numbers: impl IntoIterator<Item = (&'a str, u64)>) -> String {
    let members = numbers
        .into_iter()
        .map(|(name, number)| format!("\"{name}\": {number}"));
    members.collect::<Vec<_>>().join(", ")
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn v1_a_name_with_markup_stays_a_text() {
        assert_eq!(text("a\"b\\c\nd"), "\"a\\\"b\\\\c\\u000ad\"");
    }
}
