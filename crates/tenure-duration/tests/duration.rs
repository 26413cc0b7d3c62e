//! Spans of time as text (L12). `python/tests/test_l12_ttl.py` of the workspace compares with pandas
//! itself; here stand the facts, so that the crate can be tested without it.

use std::time::Duration;

use proptest::prelude::*;
use tenure_duration::parse_duration;

const DAY: u64 = 86_400;

fn seconds(text: &str) -> Duration {
    parse_duration("ttl", text).unwrap().duration
}

fn problem(text: &str) -> String {
    parse_duration("ttl", text).unwrap_err().to_string()
}

#[test]
fn l12_units_are_those_of_pandas() {
    for (names, nanoseconds) in [
        ("W w", 7 * DAY * 1_000_000_000),
        ("D d day days Days DAY", DAY * 1_000_000_000),
        ("h H hr hour hours HOURS", 3_600_000_000_000),
        ("m min Min minute minutes", 60_000_000_000),
        ("s S sec second seconds", 1_000_000_000),
        ("ms MS Ms milli millis millisecond milliseconds", 1_000_000),
        ("us \u{b5}s micro micros microsecond microseconds", 1_000),
        ("ns nano nanos nanosecond nanoseconds", 1),
    ] {
        for name in names.split(' ') {
            for text in [
                format!("3{name}"),
                format!(" 3 {name} "),
                format!("+3.0{name}"),
            ] {
                let expected = Duration::from_nanos(3 * nanoseconds);
                assert_eq!(seconds(&text), expected, "{text:?}");
            }
        }
    }
}

#[test]
fn l12_sums_clocks_and_iso_durations() {
    for (text, expected) in [
        ("1.5 days", 129_600.0),
        ("1h23s", 3_623.0),
        ("1h30m", 5_400.0),
        ("1 day, 2:00:00", 93_600.0),
        ("1 days 02:03:04.5", 93_784.5),
        ("00:00:00.000000001", 1e-9),
        ("25:61:61", 93_721.0),
        (".5d1h", 46_800.0),
        ("1 1d", 950_400.0),
        ("P1DT2H", 93_600.0),
        ("P1W", 604_800.0),
        ("PT1.123456789S", 1.123_456_789),
        ("-P-1D", 86_400.0),
        // What pandas makes of these surprises, and is kept all the same.
        ("1h.5", 54_000.0),
        ("PT0.5H", 18_000.0),
        ("P5", 0.0),
        ("PT1S1S", 12.0),
        ("-1d:2:3", 3_723.0),
    ] {
        assert_eq!(seconds(text).as_secs_f64(), expected, "{text:?}");
    }
}

#[test]
fn l12_fractions_are_rounded_to_a_nanosecond_as_pandas_does() {
    for (text, expected) in [
        ("0.5ns", 0),
        ("1.5ns", 1),
        ("1.4999999999us", 1_500),
        ("0.0000000005s", 1),
        ("1.9999999999999999s", 2_000_000_000),
        ("123456789.123456789s", 123_456_789_123_456_791),
        ("99999.999999999D", 8_639_999_999_999_913_245),
        ("0.1234567890123456789h", 444_444_440_443),
        ("106751 days 23:47:16.854775807", i64::MAX as u64),
    ] {
        assert_eq!(seconds(text), Duration::from_nanos(expected), "{text:?}");
    }
}

#[test]
fn l12_a_number_without_a_unit_is_nanoseconds_and_is_told_apart() {
    for (text, expected, bare) in [
        ("60", 60, true),
        (" +1,000 ", 1_000, true),
        ("0", 0, true),
        ("60ns", 60, false),
        ("0:0:0", 0, false),
        ("P0D", 0, false),
    ] {
        let parsed = parse_duration("ttl", text).unwrap();
        assert_eq!(parsed.duration, Duration::from_nanos(expected), "{text:?}");
        assert_eq!(parsed.bare_number, bare, "{text:?}");
    }
}

#[test]
fn l11_an_error_names_the_setting_the_value_the_problem_the_forms_and_an_example() {
    for (text, problem) in [
        ("", "is not a time"),
        ("NaT", "is not a time"),
        ("nan", "is not a time"),
        ("-1d", "is negative"),
        ("-1 days +02:00:00", "is negative"),
        ("-P1D", "is negative"),
        ("106752 days", "is too long"),
        ("100000D 100000D", "is too long"),
        ("99999999999999999999", "is too long"),
        ("9999999999:00:00", "is too long"),
        ("1 fortnight", "has the unknown unit \"fortnight\""),
        ("1M", "has the unit \"M\", which has no fixed length"),
        ("2Y", "has the unit \"Y\", which has no fixed length"),
        ("soon", "has no number"),
        (" ", "has no number"),
        ("1.5", "has a number without a unit"),
        ("1 day 1", "has a number without a unit"),
        ("1d -1h", "has a minus sign that is not in front"),
        ("--1d", "has a minus sign that is not in front"),
        ("1:30", "has a clock that is not hh:mm:ss"),
        ("1:2:3:4", "has a clock that is not hh:mm:ss"),
        ("1:2:3 d", "has a clock that is not hh:mm:ss"),
        ("P1Y", "is not an ISO 8601 duration"),
        ("PT100H", "is not an ISO 8601 duration"),
        ("P", "is not an ISO 8601 duration"),
    ] {
        let error = parse_duration("drain", text).unwrap_err().to_string();
        let start = format!("drain={text:?} {problem}");
        assert!(error.starts_with(&start), "{text:?}: {error}");
        assert!(error.contains("Accepted are"), "{error}");
        assert!(error.ends_with("Example: drain=\"1h30m\""), "{error}");
    }
}

#[test]
fn l11_an_error_says_which_kind_it_is() {
    let error = |text| parse_duration("ttl", text).unwrap_err();
    assert!(error("-1s").is_negative() && !error("-1s").is_too_long());
    assert!(error("106752d").is_too_long() && !error("106752d").is_negative());
    assert!(!error("abc").is_too_long() && !error("abc").is_negative());
}

proptest! {
    #[test]
    fn l12_whole_numbers_of_units_add_up(
        days in 0..100_000u64, hours in 0..1000u64, minutes in 0..1000u64, secs in 0..1000u64,
        millis in 0..100_000u64, nanos in 0..100_000u64,
    ) {
        let text = format!("{days}d {hours} hours,{minutes}min {secs}s{millis}ms {nanos} ns");
        let expected = Duration::from_secs(days * DAY + hours * 3_600 + minutes * 60 + secs)
            + Duration::from_millis(millis)
            + Duration::from_nanos(nanos);
        prop_assert_eq!(seconds(&text), expected);
    }

    #[test]
    fn l12_a_clock_is_exact_to_the_nanosecond(
        days in 0..100_000u64, hours in 0..24u64, minutes in 0..60u64, secs in 0..60u64,
        nanos in 0..1_000_000_000u32, digits in 1..=12usize,
    ) {
        let fraction = format!("{nanos:09}000");
        let kept: u32 = format!("{:0<9}", &fraction[..digits.min(9)]).parse().unwrap();
        let text = format!("{days} days {hours:02}:{minutes:02}:{secs:02}.{}", &fraction[..digits]);
        let expected = Duration::new(days * DAY + hours * 3_600 + minutes * 60 + secs, kept);
        prop_assert_eq!(seconds(&text), expected);
    }

    #[test]
    fn l11_any_text_is_a_time_or_an_error_that_quotes_it(text in "[-+PTWDHMSdhmsnu0-9:., ]{0,12}|\\PC{0,8}") {
        match parse_duration("ttl", &text) {
            Ok(parsed) => prop_assert!(parsed.duration.as_nanos() <= i64::MAX as u128),
            Err(error) => {
                let quoted = format!("{text:?}");
                prop_assert!(error.to_string().contains(&quoted));
            }
        }
    }
}

#[test]
fn l11_a_problem_is_told_once() {
    assert_eq!(
        problem("1 fortnight"),
        "ttl=\"1 fortnight\" has the unknown unit \"fortnight\". Accepted are numbers with units \
         (W, D or days, h or hours, m, min or minutes, s or seconds, ms, us, ns), a clock as in \
         \"1 days 02:03:04.5\", and ISO 8601 as in \"P1DT2H\". Example: ttl=\"1h30m\""
    );
}
