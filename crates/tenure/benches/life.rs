//! What the looking after costs: deadlines, sessions, callbacks that take their time.
//!
//! `cargo bench -p tenure --bench life`. It asserts what happens and prints how long it took; it
//! never judges a time.

use std::cell::Cell;
use std::convert::Infallible;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tenure::{
    Behaviour, BuildStart, Cause, Encoder, Engine, Function, Host, HostBuild, Interrupt, Lease,
    ManualClock, Recording, ReleaseFailed, Scope, SessionId, Settings,
};

type Numbers = Function<u64, Infallible>;

fn main() {
    println!("{:<58} {:>12} {:>12}", "", "measured", "goal");
    deadlines();
    lateness();
    sessions();
    callbacks();
}

fn line(what: &str, measured: &str, goal: &str) {
    println!("{what:<58} {measured:>12} {goal:>12}");
}

fn nanos_each(time: Duration, count: u64) -> String {
    format!("{:.0} ns", time.as_nanos() as f64 / count as f64)
}

fn key(encoder: &mut Encoder, number: u64) {
    encoder.clear();
    encoder.framed(1, &number.to_le_bytes());
}

fn get(function: &Numbers, encoder: &mut Encoder, number: u64) -> Lease<u64> {
    key(encoder, number);
    match function.get_or_build(&encoder.finish(), || Ok(number)) {
        Ok(lease) => lease,
        Err(error) => panic!("{error}"),
    }
}

const MILLION: u64 = 1_000_000;

fn with_ttl(seconds: u64) -> Settings {
    Settings::default().ttl(Duration::from_secs(seconds))
}

/// The cost alone, on one thread, with a clock that goes on as soon as it is told to.
fn deadlines() {
    let clock = ManualClock::new();
    let engine = Engine::with_clock(clock.clone());
    let function = Numbers::plain(&engine, "f", with_ttl(60)).expect("good settings");
    let mut encoder = Encoder::new();
    let start = Instant::now();
    for number in 0..MILLION {
        get(&function, &mut encoder, number);
    }
    let inserted = start.elapsed();
    assert_eq!(function.info().entries, MILLION);
    clock.advance(Duration::from_secs(61));
    let start = Instant::now();
    engine.run_due();
    let expired = start.elapsed();
    assert_eq!(function.info().released(Cause::Expired), MILLION);
    line(
        "1 M distinct deadlines: inserting each",
        &nanos_each(inserted, MILLION),
        "",
    );
    line(
        "1 M distinct deadlines: expiring each",
        &nanos_each(expired, MILLION),
        "",
    );
    let both = nanos_each(inserted + expired, MILLION);
    line("1 M distinct deadlines: both, each", &both, "2000 ns");
}

/// The same on the system's clock: how long after the last deadline the last one is released.
fn lateness() {
    const TTL: u64 = 3;
    let engine = Engine::new();
    let function = Numbers::plain(&engine, "f", with_ttl(TTL)).expect("good settings");
    let mut encoder = Encoder::new();
    for number in 0..MILLION {
        get(&function, &mut encoder, number);
    }
    let last = Instant::now() + Duration::from_secs(TTL);
    while function.info().released(Cause::Expired) < MILLION {
        thread::sleep(Duration::from_millis(1));
    }
    let late = last.elapsed();
    let late = format!("{:.1} ms", late.as_secs_f64() * 1e3);
    line(
        "1 M deadlines in the background: the last is late by",
        &late,
        "1000 ms",
    );
}

thread_local! {
    static SESSION: Cell<u64> = const { Cell::new(0) };
}

struct Many;

fn session_id(number: u64) -> SessionId {
    format!("session {number}").into()
}

impl Host for Many {
    fn session(&self) -> Result<Option<SessionId>, Interrupt> {
        Ok(Some(session_id(SESSION.get())))
    }

    fn begin(&self, _: &BuildStart<'_>) -> Result<Option<Arc<dyn HostBuild>>, Interrupt> {
        Ok(None)
    }

    fn replay(&self, _: &Recording) -> Result<(), Interrupt> {
        Ok(())
    }
}

fn sessions() {
    const SESSIONS: u64 = 10_000;
    const EACH: u64 = 10;
    const ENDED: u64 = 1000;
    let engine = Engine::new();
    engine.set_host(Some(Arc::new(Many)));
    let settings = with_ttl(3600).scope(Scope::Session);
    let function = Numbers::plain(&engine, "f", settings).expect("good settings");
    let mut encoder = Encoder::new();
    for session in 0..SESSIONS {
        SESSION.set(session);
        for number in 0..EACH {
            get(&function, &mut encoder, number);
        }
    }
    let mut times: Vec<Duration> = (0..ENDED)
        .map(|it| {
            let id = session_id(it * (SESSIONS / ENDED));
            let start = Instant::now();
            engine.end_session(&id);
            start.elapsed()
        })
        .collect();
    assert_eq!(function.info().released(Cause::SessionEnded), ENDED * EACH);
    times.sort_unstable();
    let median = times[times.len() / 2];
    let median = format!("{:.1} µs", median.as_secs_f64() * 1e6);
    line(
        "ending one of 10,000 sessions with 10 resources, median",
        &median,
        "100 µs",
    );
}

/// Takes its time with resource 0, whatever it is asked.
struct Slow;

const SLOW: Duration = Duration::from_secs(1);

impl Behaviour<u64> for Slow {
    fn validate(&self, value: &u64) -> Result<bool, Interrupt> {
        if *value == 0 {
            thread::sleep(SLOW);
        }
        Ok(true)
    }

    fn release(&self, value: u64, _: Cause) -> Result<(), ReleaseFailed> {
        if value == 0 {
            thread::sleep(SLOW);
        }
        Ok(())
    }
}

fn callbacks() {
    let engine = Engine::new();
    let validating = Settings::default().validates(true);
    for (what, settings) in [
        ("on_release", Settings::default()),
        ("validate", validating),
    ] {
        let validates = settings.validates;
        let function = Numbers::new(&engine, "f", settings, Box::new(Slow)).expect("good settings");
        let mut encoder = Encoder::new();
        get(&function, &mut encoder, 0);
        get(&function, &mut encoder, 1);
        let mut times = thread::scope(|scope| {
            let slow = scope.spawn(|| {
                let mut encoder = Encoder::new();
                key(&mut encoder, 0);
                if validates {
                    get(&function, &mut encoder, 0);
                } else if function.clear_entry(&encoder.finish()).is_err() {
                    unreachable!("a global function needs no session");
                }
            });
            let mut times = Vec::new();
            while !slow.is_finished() {
                let start = Instant::now();
                assert_eq!(*get(&function, &mut encoder, 1), 1);
                times.push(start.elapsed());
            }
            times
        });
        times.sort_unstable();
        let micros = |at: usize| format!("{:.2} µs", times[at].as_secs_f64() * 1e6);
        let name = format!("a hit while {what} sleeps for 1 s, median");
        line(&name, &micros(times.len() / 2), "1000 µs");
        let name = format!("a hit while {what} sleeps for 1 s, 99.9 %");
        line(&name, &micros(times.len() * 999 / 1000), "1000 µs");
    }
}
