//! A4, A6, L16: what is logged where a build in the background fails or panics and nobody gets that.

mod support;

use std::fmt;
use std::sync::Barrier;
use std::thread;

use tenure::cache_resource;

use support::lines::Everywhere;

#[derive(Debug)]
struct Down(std::num::ParseIntError);

impl fmt::Display for Down {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the source is down")
    }
}

impl std::error::Error for Down {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

/// An error that says nothing of itself.
struct Mute;

fn down() -> Result<u32, Down> {
    "many".parse().map_err(Down)
}

/// The lines about this function, once there is one.
fn lines(function: &str) -> Vec<String> {
    let needle = format!("function={function}");
    loop {
        let lines = Everywhere::listen().about(&needle);
        if !lines.is_empty() {
            return lines;
        }
        thread::yield_now();
    }
}

#[test]
fn l16_a_failure_after_the_callers_patience_is_logged_with_its_causes() {
    static LATE: Barrier = Barrier::new(2);

    #[cache_resource(build_timeout = "10ms")]
    fn late_rates() -> Result<u32, Down> {
        LATE.wait();
        down()
    }

    Everywhere::listen();
    assert!(late_rates().unwrap_err().is_timeout());
    LATE.wait();
    assert_eq!(
        lines("late_rates"),
        [
            "ERROR message=a build failed that nobody waited for any more function=late_rates \
             error=the source is down: invalid digit found in string"
        ]
    );
}

#[test]
fn l16_a_panic_after_the_callers_patience_is_logged() {
    static LATE: Barrier = Barrier::new(2);

    #[cache_resource(build_timeout = "10ms")]
    fn late_panic() -> Result<u32, String> {
        LATE.wait();
        panic!("no scales");
    }

    Everywhere::listen();
    assert!(late_panic().unwrap_err().is_timeout());
    LATE.wait();
    assert_eq!(
        lines("late_panic"),
        [
            "ERROR message=a build panicked that nobody waited for function=late_panic error=\"no scales\""
        ]
    );
}

#[test]
fn l16_an_error_that_cannot_be_shown_is_logged_without() {
    static LATE: Barrier = Barrier::new(2);

    #[cache_resource(build_timeout = "10ms")]
    fn late_mute() -> Result<u32, Mute> {
        LATE.wait();
        Err(Mute)
    }

    Everywhere::listen();
    assert!(late_mute().is_err_and(|it| it.is_timeout()));
    LATE.wait();
    assert_eq!(
        lines("late_mute"),
        ["ERROR message=a build failed that nobody waited for any more function=late_mute"]
    );
}

#[test]
fn a6_what_fails_to_be_warm_is_logged_with_its_error() {
    #[cache_resource]
    fn cold(name: &str) -> Result<u32, String> {
        Err(format!("no {name}"))
    }

    Everywhere::listen();
    cold::warm(["scales"]).wait();
    assert_eq!(
        lines("cold"),
        [
            "ERROR message=a resource was not warmed: its build failed function=cold error=\"no scales\""
        ]
    );
}

#[test]
fn a4_a_failed_refresh_is_logged_with_its_error_and_a_received_failure_is_not() {
    static IS_DOWN: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);

    #[cache_resource(ttl = "1h", refresh_mode = "background")]
    fn stale_rates() -> Result<u32, Down> {
        match IS_DOWN.load(std::sync::atomic::Ordering::SeqCst) {
            true => down(),
            false => Ok(7),
        }
    }

    #[cache_resource(ttl = "1h", build_timeout = "1h")]
    fn received() -> Result<u32, Down> {
        down()
    }

    Everywhere::listen();
    assert!(received().unwrap_err().failure().is_some());
    assert_eq!(*stale_rates().unwrap(), 7);
    IS_DOWN.store(true, std::sync::atomic::Ordering::SeqCst);
    stale_rates::expire_all();
    assert_eq!(*stale_rates().unwrap(), 7);
    assert_eq!(
        lines("stale_rates"),
        [
            "WARN message=no new resource could be built in the place of the old one \
             function=stale_rates error=the source is down: invalid digit found in string"
        ]
    );
    assert_eq!(Everywhere::listen().about("function=received").len(), 0);
}

#[tokio::test]
async fn a4_a_failure_or_panic_of_an_async_build_whose_callers_have_left_is_logged() {
    #[cache_resource]
    async fn deserted(text: &str) -> Result<u32, std::num::ParseIntError> {
        tokio::task::yield_now().await;
        assert_ne!(text, "panic", "as it was told to");
        text.parse()
    }

    Everywhere::listen();
    for text in ["many", "panic"] {
        let call = tokio::spawn(async move { deserted(text).await.map(|it| *it) });
        while deserted::info().waiting == 0 {
            tokio::task::yield_now().await;
        }
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled());
        while deserted::info().failures < if text == "many" { 1 } else { 2 } {
            tokio::task::yield_now().await;
        }
    }
    let lines = async {
        loop {
            let lines = Everywhere::listen().about("function=deserted");
            if lines.len() == 2 {
                return lines;
            }
            tokio::task::yield_now().await;
        }
    };
    let lines = lines.await;
    assert_eq!(
        lines[0],
        "ERROR message=a build failed that nobody waited for any more function=deserted \
         error=invalid digit found in string"
    );
    assert!(
        lines[1]
            .starts_with("ERROR message=a build panicked that nobody waited for function=deserted")
    );
    assert!(deserted("many").await.unwrap_err().failure().is_some());
    assert_eq!(Everywhere::listen().about("function=deserted").len(), 2);
}
