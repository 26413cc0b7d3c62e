//! T1 in Rust: tests with a guard do not meet, though they run on the threads of one process.

use std::panic;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use tenure::testing::isolated;

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
