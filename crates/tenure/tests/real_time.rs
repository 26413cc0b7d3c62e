//! The background work on the system's clock: what happens with nobody calling. Nothing here
//! sleeps or judges how long something took; it waits for what must come.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use tenure::{
    BuildStart, Cause, Engine, Function, Host, HostBuild, Interrupt, Recording, ReleaseFailed,
    Scope, SessionId, Settings,
};

use support::host::{Asked, TestHost};
use support::{Keeper, Keyhole, Log, Thing, Things, gate, key, receive};

const TTL: Duration = Duration::from_millis(20);

fn function(engine: &Engine, settings: Settings, keeper: Keeper) -> Arc<Things> {
    Function::new(engine, "f", settings, Box::new(keeper)).expect("good settings")
}

fn with_ttl() -> Settings {
    Settings::default().ttl(TTL)
}

/// A keeper that tells of each release.
fn telling(log: &Arc<Log>) -> (Keeper, Receiver<(u64, Cause)>) {
    let (told, released) = channel();
    let keeper = Keeper::new(log).releasing(tell(told));
    (keeper, released)
}

fn tell(
    told: Sender<(u64, Cause)>,
) -> impl Fn(&Thing, Cause) -> Result<(), ReleaseFailed> + Send + Sync + 'static {
    move |thing, cause| {
        told.send((thing.number, cause)).expect("the test listens");
        Ok(())
    }
}

fn build(f: &Things, log: &Log, number: u64) {
    let build = || Ok(log.thing());
    f.get_or_build(&key(number).finish(), build)
        .expect("it builds");
}

/// These expired, in whatever order their threads told of it.
fn expect(released: impl Iterator<Item = (u64, Cause)>, numbers: std::ops::Range<u64>) {
    let mut released: Vec<_> = released.collect();
    released.sort_unstable();
    let expected: Vec<_> = numbers.map(|it| (it, Cause::Expired)).collect();
    assert_eq!(released, expected);
}

#[test]
fn l4_expired_is_released_with_nobody_calling() {
    let (engine, log) = (Engine::new(), Arc::default());
    let (keeper, released) = telling(&log);
    let f = function(&engine, with_ttl(), keeper);
    let before = Instant::now();
    for number in 0..5 {
        build(&f, &log, number);
    }
    let first = receive(&released);
    assert!(before.elapsed() >= TTL, "never early");
    let rest = (1..5).map(|_| receive(&released));
    expect([first].into_iter().chain(rest), 0..5);
    assert_eq!(engine.inspect().jobs, 0);
}

#[test]
fn l4_a_release_that_blocks_delays_no_other_expiry() {
    let (engine, log) = (Engine::new(), Arc::default());
    let (gate, keyhole) = gate();
    let (told, released) = channel();
    let tells = tell(told);
    let keeper = Keeper::new(&log).releasing(move |thing, cause| {
        if thing.number == 0 {
            keyhole.pass();
        }
        tells(thing, cause)
    });
    let f = function(&engine, with_ttl(), keeper);
    for number in 0..3 {
        build(&f, &log, number);
    }
    gate.reached();
    // Later ones of the same function, and of another.
    expect((1..3).map(|_| receive(&released)), 1..3);
    let (keeper, others) = telling(&log);
    let other = function(&engine, with_ttl(), keeper);
    build(&other, &log, 1);
    assert_eq!(receive(&others), (3, Cause::Expired));
    gate.open();
    assert_eq!(receive(&released), (0, Cause::Expired));
}

#[test]
fn l5_what_is_used_is_released_once_it_is_not() {
    let (engine, log) = (Engine::new(), Arc::default());
    let (keeper, released) = telling(&log);
    let settings = Settings::default().drain(Duration::from_secs(3600));
    let f = function(&engine, settings, keeper.watched());
    let used = {
        let build = || Ok(log.thing());
        f.get_or_build(&key(1).finish(), build).unwrap().hold()
    };
    f.clear().unwrap();
    assert_eq!(f.info().draining, 1);
    assert!(released.try_recv().is_err());
    drop(used);
    assert_eq!(receive(&released), (0, Cause::Cleared));
}

#[test]
fn h3_the_spinner_is_shown_while_the_build_goes_on() {
    let (engine, log) = (Engine::new(), Log::default());
    let host = TestHost::new();
    engine.set_host(Some(Arc::clone(&host) as Arc<dyn tenure::Host>));
    let f = Things::plain(&engine, "f", Settings::default()).expect("good settings");
    let long = || {
        // Shown by the background thread: this one does nothing but look.
        let mut asked = Vec::new();
        while !asked.contains(&Asked::Show) {
            asked.extend(host.take());
            std::thread::yield_now();
        }
        Ok(log.thing())
    };
    f.get_or_build(&key(1).finish(), long).unwrap();
    assert_eq!(host.take(), [Asked::End { built: true }]);
}

#[test]
fn l6_a_shutdown_waits_for_a_release_that_has_begun() {
    let (engine, log) = (Engine::new(), Arc::default());
    engine.configure(|config| config.shutdown_bound = support::NEVER_COMES);
    let (gate, keyhole) = gate();
    let (told, released) = channel();
    let tells = tell(told);
    let keeper = Keeper::new(&log).releasing(move |thing, cause| {
        keyhole.pass();
        tells(thing, cause)
    });
    let f = function(&engine, with_ttl(), keeper);
    build(&f, &log, 1);
    gate.reached();
    std::thread::scope(|scope| {
        let ends = scope.spawn(|| engine.shutdown());
        assert!(released.try_recv().is_err());
        gate.open();
        assert!(ends.join().unwrap());
        // Not later than that.
        assert_eq!(released.try_recv(), Ok((0, Cause::Expired)));
    });
}

/// Gives a thread that need not wait every chance to show it.
fn still_waits(over: &AtomicBool) {
    for _ in 0..2_000 {
        assert!(!over.load(Ordering::SeqCst));
        std::thread::yield_now();
    }
}

#[test]
fn l6_a_shutdown_waits_for_a_caller_who_is_the_last_to_look_at_a_watched_resource() {
    let (engine, log) = (Engine::new(), Arc::default());
    engine.configure(|config| config.shutdown_bound = support::NEVER_COMES);
    let (keeper, released) = telling(&log);
    let f = function(&engine, Settings::default(), keeper.watched());
    let build = || Ok(log.thing());
    let lease = f.get_or_build(&key(1).finish(), build).unwrap();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let ends = scope.spawn(|| {
            let in_time = engine.shutdown();
            over.store(true, Ordering::SeqCst);
            in_time
        });
        while f.info().entries > 0 {
            std::thread::yield_now();
        }
        still_waits(&over);
        assert!(released.try_recv().is_err());
        drop(lease);
        assert!(ends.join().unwrap());
        assert_eq!(released.try_recv(), Ok((0, Cause::Shutdown)));
    });
}

#[test]
fn l6_a_shutdown_waits_for_what_has_been_built_and_is_no_entry_yet() {
    let (engine, log) = (Engine::new(), Arc::default());
    engine.configure(|config| config.shutdown_bound = support::NEVER_COMES);
    let (gate, keyhole) = gate();
    let host = TestHost::new();
    host.at_next_end(move || keyhole.pass());
    engine.set_host(Some(Arc::clone(&host) as Arc<dyn Host>));
    let (keeper, released) = telling(&log);
    let f = function(&engine, Settings::default(), keeper);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let builds = scope.spawn(|| build(&f, &log, 1));
        gate.reached();
        let ends = scope.spawn(|| {
            let in_time = engine.shutdown();
            over.store(true, Ordering::SeqCst);
            in_time
        });
        still_waits(&over);
        gate.open();
        builds.join().unwrap();
        // What it says depends on whether the builder has dropped its lease by then.
        ends.join().unwrap();
        let (number, _) = receive(&released);
        assert_eq!(number, 0);
    });
}

#[test]
fn l6_a_shutdown_waits_for_a_session_whose_grace_is_over() {
    let (engine, log) = (Engine::new(), Arc::default());
    engine.configure(|config| {
        config.shutdown_bound = support::NEVER_COMES;
        config.session_grace = Duration::from_millis(1);
    });
    let host = TestHost::new();
    engine.set_host(Some(Arc::clone(&host) as Arc<dyn Host>));
    let (gate, keyhole) = gate();
    let (told, released) = channel();
    let tells = tell(told);
    let keeper = Keeper::new(&log).releasing(move |thing, cause| {
        keyhole.pass();
        tells(thing, cause)
    });
    let settings = Settings::default().scope(Scope::Session);
    let f = function(&engine, settings, keeper);
    build(&f, &log, 1);
    engine.end_session("main");
    gate.reached();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let ends = scope.spawn(|| {
            let in_time = engine.shutdown();
            over.store(true, Ordering::SeqCst);
            in_time
        });
        still_waits(&over);
        gate.open();
        assert!(ends.join().unwrap());
        assert_eq!(released.try_recv(), Ok((0, Cause::SessionEnded)));
    });
}

#[test]
fn l6_a_shutdown_waits_for_no_background_work_that_releases_nothing() {
    let (engine, log) = (Engine::new(), Log::default());
    engine.configure(|config| config.shutdown_bound = support::NEVER_COMES);
    let (shows, keyhole) = gate();
    engine.set_host(Some(Arc::new(Slow(Arc::new(keyhole)))));
    let (builds, keyhole) = gate();
    let f = Things::plain(&engine, "f", Settings::default()).expect("good settings");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let build = || {
                keyhole.pass();
                Ok(log.thing())
            };
            f.get_or_build(&key(1).finish(), build).unwrap();
        });
        builds.reached();
        // A spinner that takes for ever to show.
        shows.reached();
        assert!(engine.shutdown());
        shows.open();
        builds.open();
    });
}

/// A host that is slow to show a build.
struct Slow(Arc<Keyhole>);

impl Host for Slow {
    fn session(&self) -> Result<Option<SessionId>, Interrupt> {
        Ok(None)
    }

    fn begin(&self, _: &BuildStart<'_>) -> Result<Option<Arc<dyn HostBuild>>, Interrupt> {
        Ok(Some(Arc::new(Self(Arc::clone(&self.0)))))
    }

    fn replay(&self, _: &Recording) -> Result<(), Interrupt> {
        Ok(())
    }
}

impl HostBuild for Slow {
    fn show(&self) {
        self.0.pass();
    }

    fn end(&self, _: bool) -> Option<Recording> {
        None
    }
}
