//! What a hit costs, on one thread and on two.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};

use papaya::HashMap as Papaya;

use crate::allocations;
use crate::loops::{calls_per_second, median, peer, per_call};
use crate::peers::{self, LOCK, NUMBER, TEXT};
use crate::table::{Goal, Row};

/// No argument.
pub fn no_argument(rounds: usize) -> Row {
    let lock = LOCK.get_or_init(|| peers::build(NUMBER));
    let figures = per_call(
        rounds,
        vec![
            peer("tenure", NUMBER, || peers::tenure_none().number),
            peer("#[once] ttl", NUMBER, || peers::once_with_ttl().number),
            peer("OnceLock clone", NUMBER, || {
                LOCK.get().expect("set").clone().number
            }),
            peer("OnceLock borrow", NUMBER, || lock.number),
        ],
    );
    Row::nanoseconds(
        "hit, no argument",
        vec![Goal::AtMost(8.0), Goal::Better(1.0, "#[once] ttl")],
        figures,
    )
}

/// One number.
pub fn number(rounds: usize) -> Row {
    let (moka, quick) = (peers::moka::<u64>(), peers::quick::<u64>());
    let (dash, papaya) = (dashmap::DashMap::new(), Papaya::new());
    moka.insert(NUMBER, peers::build(NUMBER));
    quick.insert(NUMBER, peers::build(NUMBER));
    dash.insert(NUMBER, peers::build(NUMBER));
    papaya.pin().insert(NUMBER, peers::build(NUMBER));
    let amalgam = peers::amalgam(None);
    let figures = per_call(
        rounds,
        vec![
            peer("tenure", NUMBER, || peers::tenure_number(NUMBER).number),
            peer("amalgam", NUMBER, || {
                peers::amalgam_get(&amalgam, || peers::build(NUMBER)).number
            }),
            peer("moka ttl", NUMBER, || {
                moka.get_with(NUMBER, || peers::build(NUMBER)).number
            }),
            peer("quick_cache", NUMBER, || {
                quick.get(&NUMBER).expect("held").number
            }),
            peer("#[cached] ttl", NUMBER, || {
                peers::cached_number(NUMBER).number
            }),
            peer("dashmap", NUMBER, || {
                dash.get(&NUMBER).expect("held").clone().number
            }),
            peer("papaya", NUMBER, || {
                papaya.pin().get(&NUMBER).expect("held").clone().number
            }),
        ],
    );
    allocations::assert_none(|| peers::tenure_number(NUMBER).number);
    Row::nanoseconds(
        "hit, u64",
        vec![Goal::AtMost(20.0), Goal::Better(3.0, "moka ttl")],
        figures,
    )
}

/// One text, looked up without an allocation where the peer can.
pub fn text(rounds: usize) -> Row {
    let (moka, quick) = (peers::moka::<String>(), peers::quick::<String>());
    let (dash, papaya) = (dashmap::DashMap::new(), Papaya::new());
    let expected = TEXT.len() as u64;
    moka.insert(TEXT.to_owned(), peers::build(expected));
    quick.insert(TEXT.to_owned(), peers::build(expected));
    dash.insert(TEXT.to_owned(), peers::build(expected));
    papaya.pin().insert(TEXT.to_owned(), peers::build(expected));
    let figures = per_call(
        rounds,
        vec![
            peer("tenure", expected, || peers::tenure_text(TEXT).number),
            peer("moka ttl", expected, || {
                moka.get(TEXT).expect("held").number
            }),
            peer("quick_cache", expected, || {
                quick.get(TEXT).expect("held").number
            }),
            peer("#[cached] ttl", expected, || {
                peers::cached_text(TEXT).number
            }),
            peer("dashmap", expected, || {
                dash.get(TEXT).expect("held").clone().number
            }),
            peer("papaya", expected, || {
                papaya.pin().get(TEXT).expect("held").clone().number
            }),
        ],
    );
    allocations::assert_none(|| peers::tenure_text(TEXT).number);
    Row::nanoseconds(
        "hit, &str",
        vec![Goal::AtMost(30.0), Goal::Better(3.0, "moka ttl")],
        figures,
    )
}

/// A hit in a task, beside the same hit of a blocking caller.
pub fn in_a_task(rounds: usize) -> Row {
    let in_a_task = || {
        let call = pin!(peers::tenure_async(NUMBER));
        match call.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(resource) => resource.number,
            Poll::Pending => panic!("a hit is ready at once"),
        }
    };
    in_a_task();
    let figures = per_call(
        rounds,
        vec![
            peer("tenure", NUMBER, in_a_task),
            peer("tenure blocking", NUMBER, || {
                peers::tenure_number(NUMBER).number
            }),
        ],
    );
    Row::nanoseconds(
        "async hit, u64",
        vec![Goal::Above(10.0, "tenure blocking")],
        figures,
    )
}

/// With everything on that an entry can be watched for.
pub fn all_on(rounds: usize) -> Row {
    let moka = peers::moka_idle::<u64>();
    moka.insert(NUMBER, peers::build(NUMBER));
    let figures = per_call(
        rounds,
        vec![
            peer("tenure", NUMBER, || peers::tenure_all_on(NUMBER).number),
            peer("tenure plain", NUMBER, || {
                peers::tenure_number(NUMBER).number
            }),
            peer("moka ttl tti", NUMBER, || {
                moka.get(&NUMBER).expect("held").number
            }),
        ],
    );
    allocations::assert_none(|| peers::tenure_all_on(NUMBER).number);
    Row::nanoseconds(
        "hit with ttl, max_idle, weight, refresh on",
        vec![
            Goal::Within(1.1, "tenure plain"),
            Goal::Better(1.0, "moka ttl tti"),
        ],
        figures,
    )
}

/// Too old, while its successor is built.
pub fn stale(rounds: usize) -> Row {
    peers::tenure_stale(NUMBER);
    peers::tenure_stale::expire(NUMBER);
    let amalgam = peers::amalgam_due();
    let figures = per_call(
        rounds,
        vec![
            peer("tenure", NUMBER, || peers::tenure_stale(NUMBER).number),
            peer("amalgam", NUMBER, || {
                peers::amalgam_get(&amalgam, peers::amalgam_successor).number
            }),
            peer("tenure plain", NUMBER, || {
                peers::tenure_number(NUMBER).number
            }),
        ],
    );
    assert_eq!(peers::tenure_stale::info().builds, 1);
    assert_eq!(peers::AMALGAM_BUILDS.load(Ordering::Acquire), 2);
    peers::MAY_REFRESH.store(true, Ordering::Release);
    Row::nanoseconds(
        "stale hit",
        vec![
            Goal::Within(1.2, "tenure plain"),
            Goal::Better(1.0, "amalgam"),
        ],
        figures,
    )
}

/// Two threads on one hot key.
pub fn two_threads(rounds: usize) -> Row {
    const TURNS: u64 = 1_000_000;
    let (moka, quick) = (peers::moka::<u64>(), peers::quick::<u64>());
    let (dash, papaya) = (dashmap::DashMap::new(), Papaya::new());
    moka.insert(NUMBER, peers::build(NUMBER));
    quick.insert(NUMBER, peers::build(NUMBER));
    dash.insert(NUMBER, peers::build(NUMBER));
    papaya.pin().insert(NUMBER, peers::build(NUMBER));
    type Call<'a> = &'a (dyn Fn() -> u64 + Sync);
    let calls: [(&str, Call<'_>); 6] = [
        ("tenure", &|| peers::tenure_number(NUMBER).number),
        ("moka ttl", &|| moka.get(&NUMBER).expect("held").number),
        ("quick_cache", &|| quick.get(&NUMBER).expect("held").number),
        ("#[cached] ttl", &|| peers::cached_number(NUMBER).number),
        ("dashmap", &|| {
            dash.get(&NUMBER).expect("held").clone().number
        }),
        ("papaya", &|| {
            papaya.pin().get(&NUMBER).expect("held").clone().number
        }),
    ];
    let mut taken = vec![Vec::new(); calls.len()];
    for _ in 0..rounds {
        for (values, (_, call)) in taken.iter_mut().zip(&calls) {
            values.push(calls_per_second(2, TURNS, NUMBER, call) / 1e6);
        }
    }
    let figures = calls
        .iter()
        .zip(taken)
        .map(|((name, _), values)| (*name, median(values)))
        .collect();
    Row {
        case: "two threads on one hot u64",
        unit: "M calls/s",
        figures,
        goals: vec![Goal::Better(1.0, "papaya"), Goal::Better(4.0, "moka ttl")],
        more_is_better: true,
    }
}
