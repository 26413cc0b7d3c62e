//! What a miss costs beyond the build, and how many builds eight threads cause.

use std::hint::black_box;
use std::sync::Barrier;
use std::sync::atomic::Ordering;
use std::time::Instant;

use papaya::HashMap as Papaya;

use crate::loops::median;
use crate::peers::{self, BUILDS};
use crate::table::{Goal, Row};

const MISSES: u64 = 20_000;

/// New keys, one after another, in a cache that is empty at first; the build's own cost is subtracted.
pub fn one_thread(rounds: usize) -> Row {
    let mut taken: [(&'static str, Vec<f64>); 4] = [
        ("tenure", Vec::new()),
        ("moka ttl", Vec::new()),
        ("quick_cache", Vec::new()),
        ("papaya", Vec::new()),
    ];
    for _ in 0..rounds {
        let build_only = through(|key| peers::build(key).number);
        for (name, values) in &mut taken {
            let gross = match *name {
                "tenure" => {
                    peers::tenure_number::clear();
                    let taken = through(|key| peers::tenure_number(key).number);
                    peers::tenure_number::clear();
                    taken
                }
                "moka ttl" => {
                    let cache = peers::moka::<u64>();
                    through(|key| cache.get_with(key, || peers::build(key)).number)
                }
                "quick_cache" => {
                    let cache = peers::quick::<u64>();
                    through(|key| {
                        cache
                            .get_or_insert_with(&key, || {
                                Ok::<_, std::convert::Infallible>(peers::build(key))
                            })
                            .expect("builds")
                            .number
                    })
                }
                _ => {
                    let map = Papaya::new();
                    through(|key| {
                        map.pin()
                            .get_or_insert_with(key, || peers::build(key))
                            .number
                    })
                }
            };
            values.push(gross - build_only);
        }
    }
    let figures = taken
        .into_iter()
        .map(|(name, values)| (name, median(values)))
        .collect();
    Row::nanoseconds(
        "single-flight miss beyond the build",
        vec![Goal::AtMost(150.0)],
        figures,
    )
}

fn through(mut call: impl FnMut(u64) -> u64) -> f64 {
    let before = BUILDS.load(Ordering::Relaxed);
    let start = Instant::now();
    for key in 0..MISSES {
        assert_eq!(black_box(call(key)), key);
    }
    let taken = start.elapsed().as_secs_f64();
    assert_eq!(
        BUILDS.load(Ordering::Relaxed) - before,
        MISSES,
        "every key is new"
    );
    taken * 1e9 / MISSES as f64
}

/// Eight threads that want one absent key at once: how often it is built.
pub fn eight_threads() -> Row {
    let moka = peers::moka::<u64>();
    let slow = |key| {
        std::thread::sleep(std::time::Duration::from_millis(100));
        peers::build(key)
    };
    let figures = vec![
        ("tenure", builds_of(|| peers::tenure_slow(1).number)),
        (
            "moka ttl",
            builds_of(|| moka.get_with(1, || slow(1)).number),
        ),
        ("#[cached] ttl", builds_of(|| peers::cached_slow(1).number)),
    ];
    Row {
        case: "8 threads on one absent key",
        unit: "builds",
        figures,
        goals: vec![Goal::AtMost(1.0)],
        more_is_better: false,
    }
}

fn builds_of(call: impl Fn() -> u64 + Sync) -> f64 {
    let (begin, call) = (&Barrier::new(8), &call);
    let before = BUILDS.load(Ordering::Relaxed);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(move || {
                begin.wait();
                assert_eq!(call(), 1);
            });
        }
    });
    (BUILDS.load(Ordering::Relaxed) - before) as f64
}
