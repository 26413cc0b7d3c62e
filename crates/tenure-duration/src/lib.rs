//! Spans of time written as text, read as `pandas.Timedelta` reads them.
//!
//! ```
//! use std::time::Duration;
//! use tenure_duration::parse_duration;
//!
//! let ttl = |text| parse_duration("ttl", text).map(|parsed| parsed.duration);
//! assert_eq!(ttl("1h30m"), Ok(Duration::from_secs(5_400)));
//! assert_eq!(ttl("1 days 02:03:04.5"), Ok(Duration::from_millis(93_784_500)));
//! assert_eq!(ttl("P1DT2H"), Ok(Duration::from_secs(93_600)));
//!
//! let error = ttl("1 fortnight").unwrap_err();
//! assert!(error.to_string().starts_with("ttl=\"1 fortnight\" has the unknown unit \"fortnight\"."));
//! ```
//!
//! # Notations
//!
//! | Notation | Examples | Rules |
//! |---|---|---|
//! | numbers with units | `"1h30m"`, `"1.5 days"`, `"2W, 3d"` | added up; spaces, commas and plus signs do not count |
//! | a clock | `"02:03:04"`, `"1 days 02:03:04.5"` | hours, minutes and seconds, after units if there are any |
//! | ISO 8601 | `"P1DT2H"`, `"PT0.5S"` | what begins with `P` or `-P`: weeks, days, hours, minutes and seconds |
//! | a number alone | `"3600"` | nanoseconds, which are seldom meant: [`Parsed::bare_number`] tells |
//!
//! The units are `W`; `D`, `day`, `days`; `h`, `hr`, `hour`, `hours`; `m`, `min`, `minute`, `minutes`;
//! `s`, `sec`, `second`, `seconds`; `ms`, `milli`, `millis`, `millisecond`, `milliseconds`; `us`, `µs`,
//! `micro`, `micros`, `microsecond`, `microseconds`; `ns`, `nano`, `nanos`, `nanosecond`,
//! `nanoseconds`. Case does not count, but for `M`, `Y` and `y`: they were once months and years,
//! which have no fixed length, and are refused.
//!
//! # What is promised
//!
//! - **pandas settles every question**, odd cases included: `"1h.5"` is 15 hours, `"PT0.5H"` is five.
//!   Whoever moves a program from Python to Rust must not find that a setting has changed. Where the
//!   versions of pandas differ, version 3 counts. Tenure's Python tests compare the two over generated
//!   texts.
//! - **Exact where pandas is.** Parts are added up in nanoseconds. Each is a number of 64 bits in binary
//!   floating point before it becomes one, as in pandas; so very long numbers lose their last digits
//!   here too.
//! - **No panic.** Any text is a time or an error.
//!
//! Two things are errors here alone, because they are no time to wait for or to live: what is not a
//! time (`"NaT"`), and a negative time.
//!
//! # Errors
//!
//! [`TtlError`] is the only one. Its text is meant for whoever wrote the setting: it quotes the
//! setting and the value, names the mistake, and ends with the accepted forms and an example.
//! [`is_negative`](TtlError::is_negative) and [`is_too_long`](TtlError::is_too_long) tell apart what
//! could be read and is out of range.
#![deny(missing_docs, missing_debug_implementations)]

mod parse;

pub use parse::{Parsed, TtlError, parse_duration};
