//! How time is taken: interleaved rounds, medians, the empty loop subtracted.

use std::hint::black_box;
use std::sync::Barrier;
use std::time::{Duration, Instant};

/// A peer's loop: runs its call so many times and says how long that took.
pub struct Peer<'a> {
    pub name: &'static str,
    run: Box<dyn FnMut(u64) -> Duration + 'a>,
}

/// A peer whose every call must give `expected`.
pub fn peer<'a>(name: &'static str, expected: u64, mut call: impl FnMut() -> u64 + 'a) -> Peer<'a> {
    let run = move |turns| {
        let start = Instant::now();
        let mut wrong = 0;
        for _ in 0..turns {
            wrong |= black_box(call()) ^ expected;
        }
        let taken = start.elapsed();
        assert_eq!(wrong, 0, "{name} gave another resource");
        taken
    };
    Peer {
        name,
        run: Box::new(run),
    }
}

fn empty(turns: u64) -> Duration {
    let start = Instant::now();
    let mut wrong = 0;
    for _ in 0..turns {
        wrong |= black_box(7) ^ 7;
    }
    assert_eq!(black_box(wrong), 0);
    start.elapsed()
}

const LONG_ENOUGH: Duration = Duration::from_millis(20);

fn turns_for(run: &mut dyn FnMut(u64) -> Duration) -> u64 {
    let mut turns = 64;
    while run(turns) < LONG_ENOUGH {
        turns *= 2;
    }
    turns
}

/// Nanoseconds of one call for each peer.
pub fn per_call(rounds: usize, mut peers: Vec<Peer<'_>>) -> Vec<(&'static str, f64)> {
    let turns: Vec<u64> = peers
        .iter_mut()
        .map(|peer| turns_for(&mut *peer.run))
        .collect();
    let mut taken = vec![Vec::with_capacity(rounds); peers.len()];
    for round in 0..rounds {
        for step in 0..peers.len() {
            let which = (round + step) % peers.len();
            let gross = (peers[which].run)(turns[which]).as_secs_f64();
            let net = gross - empty(turns[which]).as_secs_f64();
            taken[which].push(net * 1e9 / turns[which] as f64);
        }
    }
    peers
        .iter()
        .zip(taken)
        .map(|(peer, values)| (peer.name, median(values)))
        .collect()
}

/// The middle of the values.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Calls per second in all when so many threads make the same call at once.
pub fn calls_per_second(
    threads: usize,
    turns: u64,
    expected: u64,
    call: impl Fn() -> u64 + Sync,
) -> f64 {
    let begin = Barrier::new(threads + 1);
    let (begin, call) = (&begin, &call);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(move || {
                    begin.wait();
                    let mut wrong = 0;
                    for _ in 0..turns {
                        wrong |= black_box(call()) ^ expected;
                    }
                    wrong
                })
            })
            .collect();
        begin.wait();
        let start = Instant::now();
        for worker in workers {
            assert_eq!(
                worker.join().expect("a loop ends"),
                0,
                "another resource came back"
            );
        }
        (threads as u64 * turns) as f64 / start.elapsed().as_secs_f64()
    })
}
