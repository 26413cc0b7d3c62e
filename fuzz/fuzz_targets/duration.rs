//! L11, L12: any text is a time or an error that quotes it, and a time that is written out in
//! nanoseconds is read back.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tenure_duration::parse_duration;

fuzz_target!(|text: &str| {
    match parse_duration("ttl", text) {
        Ok(parsed) => {
            let nanoseconds = parsed.duration.as_nanos();
            assert!(nanoseconds <= i64::MAX as u128);
            let (seconds, below) = (nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000);
            let clock = format!("0:0:{seconds}.{below:09}");
            let again = parse_duration("ttl", &clock).expect("a clock can be read");
            assert_eq!(again.duration, parsed.duration);
        }
        Err(error) => {
            let told = error.to_string();
            assert!(told.contains(&format!("{text:?}")), "{told}");
            assert!(!(error.is_negative() && error.is_too_long()));
        }
    }
});
