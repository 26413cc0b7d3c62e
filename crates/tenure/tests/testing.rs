//! T1 in Rust: tests with a guard do not meet, though they run on the threads of one process.

use std::panic;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use tenure::testing::{clock, isolated};

static OPEN: AtomicUsize = AtomicUsize::new(0);

fn close(_: u32) {
    OPEN.fetch_sub(1, Ordering::SeqCst);
}

#[tenure::cache_resource(on_release = close)]
fn pool(number: u32) -> u32 {
    OPEN.fetch_add(1, Ordering::SeqCst);
    number
}

/// What would fail if two of them met.
fn uses_pools() {
    let _isolated = isolated();
    assert_eq!(OPEN.load(Ordering::SeqCst), 0);
    let builds = pool::info().builds;
    for number in 0..3 {
        drop(pool(number));
        drop(pool(number));
    }
    assert_eq!(OPEN.load(Ordering::SeqCst), 3);
    assert_eq!(pool::info().builds, builds + 3);
}

#[test]
fn t1_tests_on_many_threads_do_not_meet() {
    let tests: Vec<_> = (0..8).map(|_| thread::spawn(uses_pools)).collect();
    for test in tests {
        test.join().unwrap();
    }
}

#[test]
fn t1_a_test_that_panics_leaves_nothing() {
    let failed = panic::catch_unwind(|| {
        let _isolated = isolated();
        drop(pool(7));
        panic!("an assertion");
    });
    assert!(failed.is_err());
    uses_pools();
}

#[test]
fn t1_the_configuration_is_as_before() {
    let before = {
        let _isolated = isolated();
        let before = tenure::Engine::global().config().drain;
        tenure::configure(|config| config.drain = Some(Duration::from_secs(7)));
        before
    };
    let _isolated = isolated();
    assert_eq!(tenure::Engine::global().config().drain, before);
}

static TOKENS: AtomicUsize = AtomicUsize::new(0);

fn revoke(_: usize) {
    TOKENS.fetch_sub(1, Ordering::SeqCst);
}

#[tenure::cache_resource(ttl = "1h", on_release = revoke)]
fn token() -> usize {
    TOKENS.fetch_add(1, Ordering::SeqCst)
}

/// What would fail if real time counted, or another test's.
fn has_an_hour() {
    let clock = clock();
    let builds = token::info().builds;
    for _ in 0..3 {
        drop(token());
        clock.advance(Duration::from_secs(3599));
        drop(token());
        assert_eq!(TOKENS.load(Ordering::SeqCst), 1);
        clock.advance(Duration::from_secs(1));
        assert_eq!(TOKENS.load(Ordering::SeqCst), 0);
    }
    assert_eq!(token::info().builds, builds + 3);
}

#[test]
fn t1_tests_move_time_one_after_another() {
    let tests: Vec<_> = (0..8).map(|_| thread::spawn(has_an_hour)).collect();
    for test in tests {
        test.join().unwrap();
    }
}

#[test]
fn t1_time_runs_again_after_a_test_that_moved_it() {
    /// Takes a millisecond of the system's time.
    #[tenure::cache_resource]
    fn slow() -> bool {
        let began = std::time::Instant::now();
        while began.elapsed() < Duration::from_millis(1) {
            thread::yield_now();
        }
        true
    }

    let failed = panic::catch_unwind(|| {
        let clock = clock();
        let before = slow::info().build_time;
        drop(slow());
        assert_eq!(slow::info().build_time, before);
        clock.advance(Duration::from_secs(3600));
        panic!("an assertion");
    });
    assert!(failed.is_err());
    let _isolated = isolated();
    let before = slow::info().build_time;
    drop(slow());
    assert!(slow::info().build_time > before);
}

#[tokio::test]
async fn t1_async_tests_move_time_too() {
    #[tenure::cache_resource(ttl = "1h")]
    async fn token() -> u32 {
        7
    }

    let clock = clock();
    drop(token().await);
    clock.advance(Duration::from_secs(3600));
    assert_eq!(token::info().entries, 0);
}
