//! L14 to L17 and A4: idle times, weights, time-outs, ages of one's own, and refreshes, by a clock that
//! is driven by hand.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

use tenure::front::{Again, BuildError, Patiently};
use tenure::{
    Behaviour, Cause, Encoder, Engine, Error, Function, Info, Interrupt, KeyRef, Lease,
    ManualClock, Refresh, ReleaseFailed, Settings,
};

const MINUTE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

/// A weight that cannot be told.
const BROKEN: u64 = u64::MAX - 7;

/// A resource: its number, its weight, and its own maximum age in seconds.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
struct Model {
    number: u32,
    weight: u64,
    lives: Option<u64>,
}

#[derive(Default)]
struct Shop {
    released: Arc<Mutex<Vec<(u32, Cause)>>>,
    failed: Arc<AtomicU32>,
    refuses: Arc<AtomicU32>,
}

impl Behaviour<Model> for Shop {
    fn keeps(&self, model: &Model) -> Result<bool, Interrupt> {
        Ok(model.number != self.refuses.load(Ordering::SeqCst))
    }

    fn weight(&self, model: &Model) -> Result<u64, Interrupt> {
        if model.weight == BROKEN {
            return Err(Interrupt(Box::new("no scales")));
        }
        Ok(model.weight)
    }

    fn ttl(&self, model: &Model) -> Result<Option<Duration>, Interrupt> {
        Ok(model.lives.map(Duration::from_secs))
    }

    fn is_same(&self, kept: &Model, built: &Model) -> bool {
        kept == built
    }

    fn refresh_failed(&self, _: &str, _: &dyn std::any::Any) {
        self.failed.fetch_add(1, Ordering::SeqCst);
    }

    fn release(&self, model: Model, cause: Cause) -> Result<(), ReleaseFailed> {
        self.released.lock().unwrap().push((model.number, cause));
        Ok(())
    }
}

type Meanwhile = Box<dyn FnOnce() + Send>;

/// A function whose builds give what stands in `next`, or fail where nothing does.
struct World {
    clock: ManualClock,
    engine: Engine,
    function: Arc<Function<Model, String>>,
    next: Arc<Mutex<Option<Model>>>,
    builds: Arc<AtomicU32>,
    meanwhile: Arc<Mutex<Option<Meanwhile>>>,
    released: Arc<Mutex<Vec<(u32, Cause)>>>,
    failed: Arc<AtomicU32>,
    /// The number of what is not kept.
    refuses: Arc<AtomicU32>,
}

fn model(number: u32) -> Model {
    Model {
        number,
        weight: 0,
        lives: None,
    }
}

fn key(name: u8) -> Encoder {
    let mut key = Encoder::new();
    key.tag(name);
    key
}

impl World {
    fn new(settings: Settings) -> Self {
        let clock = ManualClock::new();
        let engine = Engine::with_clock(clock.clone());
        Self::on(clock, engine, "model", settings)
    }

    fn on(clock: ManualClock, engine: Engine, name: &str, settings: Settings) -> Self {
        let shop = Shop::default();
        let (released, failed) = (Arc::clone(&shop.released), Arc::clone(&shop.failed));
        let refuses = Arc::clone(&shop.refuses);
        refuses.store(u32::MAX, Ordering::SeqCst);
        let function = Function::new(&engine, name, settings, Box::new(shop)).unwrap();
        Self {
            clock,
            engine,
            function,
            next: Arc::new(Mutex::new(Some(model(1)))),
            builds: Arc::default(),
            meanwhile: Arc::default(),
            released,
            failed,
            refuses,
        }
    }

    /// Another thread does this while the next refresh is built.
    fn meanwhile(&self, act: impl FnOnce(&Function<Model, String>) + Send + 'static) {
        let function = Arc::clone(&self.function);
        *self.meanwhile.lock().unwrap() = Some(Box::new(move || act(&function)));
    }

    fn build(next: &Mutex<Option<Model>>, builds: &AtomicU32) -> Result<Model, String> {
        builds.fetch_add(1, Ordering::SeqCst);
        let next = *next.lock().unwrap();
        next.ok_or_else(|| "down".to_owned())
    }

    fn again(&self) -> Again<Model, String> {
        let (next, builds) = (Arc::clone(&self.next), Arc::clone(&self.builds));
        let meanwhile = Arc::clone(&self.meanwhile);
        Arc::new(move |build| {
            let made = || {
                if let Some(meanwhile) = meanwhile.lock().unwrap().take() {
                    thread::spawn(meanwhile).join().unwrap();
                }
                Self::build(&next, &builds)
            };
            let outcome = build.run(made).map_err(BuildError::Failed);
            build.finish(outcome, |interrupt| format!("{interrupt:?}"));
        })
    }

    fn try_at(&self, key: &KeyRef<'_>) -> Result<Lease<Model>, Error<String>> {
        let build = || Self::build(&self.next, &self.builds).map_err(BuildError::Failed);
        let again = || Some(self.again());
        self.function.get_or_refresh(key, &Patiently, build, &again)
    }

    fn at(&self, name: u8) -> u32 {
        self.try_at(&key(name).finish()).unwrap().number
    }

    fn get(&self) -> u32 {
        self.at(0)
    }

    /// The next builds give this.
    fn offers(&self, model: impl Into<Option<Model>>) {
        *self.next.lock().unwrap() = model.into();
    }

    fn pass(&self, time: Duration) {
        self.clock.advance(time);
        self.engine.run_due();
    }

    fn builds(&self) -> u32 {
        self.builds.load(Ordering::SeqCst)
    }

    fn released(&self) -> Vec<(u32, Cause)> {
        self.released.lock().unwrap().clone()
    }

    fn info(&self) -> Info {
        self.function.info()
    }

    /// A caller waits, and knows for how long.
    fn waits(&self) {
        while self.info().waiting == 0 || self.engine.inspect().jobs == 0 {
            thread::yield_now();
        }
    }

    /// Nothing is left under way, and what was built is live or released.
    fn is_settled(&self) {
        let info = self.info();
        assert_eq!(info.builds, info.entries + info.all_released());
        assert_eq!(info.draining, 0);
        self.function.clear().unwrap();
        let info = self.info();
        assert_eq!((info.builds, info.entries), (info.all_released(), 0));
        assert_eq!(self.engine.inspect().jobs, 0);
    }
}

fn minute() -> Settings {
    Settings::default().ttl(MINUTE)
}

fn background() -> Settings {
    minute().refresh(Refresh::Background)
}

fn heavy(number: u32, weight: u64) -> Model {
    Model {
        weight,
        ..model(number)
    }
}

fn lives(number: u32, seconds: u64) -> Model {
    Model {
        lives: Some(seconds),
        ..model(number)
    }
}

// --- A4: refreshes --------------------------------------------------------------------------------

#[test]
fn a4_a_stale_hit_is_a_hit_and_one_build_replaces_it() {
    let world = World::new(background());
    assert_eq!(world.get(), 1);
    world.offers(model(2));
    world.pass(61 * SECOND);
    for _ in 0..3 {
        assert_eq!(world.get(), 1);
    }
    assert_eq!(world.builds(), 1);
    world.engine.run_due();
    assert_eq!((world.get(), world.builds()), (2, 2));
    assert_eq!(world.released(), [(1, Cause::Replaced)]);
    let info = world.info();
    assert_eq!((info.hits, info.misses), (4, 1));
    world.is_settled();
}

#[test]
fn a4_a_stale_resource_goes_after_one_more_ttl_unless_said_otherwise() {
    for (settings, stale) in [
        (background(), MINUTE),
        (background().max_stale(10 * SECOND), 10 * SECOND),
        (background().max_stale(Duration::ZERO), Duration::ZERO),
    ] {
        let world = World::new(settings);
        world.get();
        world.pass(MINUTE + stale - Duration::from_nanos(2));
        assert_eq!(world.info().entries, 1);
        world.pass(SECOND);
        assert_eq!(world.released(), [(1, Cause::Expired)]);
        world.is_settled();
    }
}

#[test]
fn a4_a_result_that_a_clear_overtook_is_released() {
    let world = World::new(background());
    world.get();
    world.offers(model(2));
    world.clock.advance(61 * SECOND);
    world.get(); // begins the refresh
    world.meanwhile(|function| function.clear().unwrap());
    world.engine.run_due(); // carries it
    assert_eq!(
        world.released(),
        [(1, Cause::Cleared), (2, Cause::Orphaned)]
    );
    assert_eq!(world.info().entries, 0);
    world.is_settled();
}

#[test]
fn a4_an_entry_that_was_evicted_meanwhile_stays_away_from_what_came_after_it() {
    let world = World::new(background().max_entries(1));
    world.get();
    world.offers(model(2));
    world.clock.advance(61 * SECOND);
    world.get(); // begins the refresh
    world.offers(model(3));
    world.at(1); // evicts what is to be replaced
    world.offers(model(2));
    world.engine.run_due();
    let info = world.info();
    assert_eq!((info.entries, info.released(Cause::Replaced)), (1, 0));
    world.is_settled();
}

#[test]
fn a4_a_failed_refresh_pauses_longer_and_longer_and_nobody_gets_the_failure() {
    let world = World::new(background().max_stale(Duration::from_secs(100_000)));
    world.get();
    world.offers(None);
    world.pass(61 * SECOND);
    let mut pauses = Vec::new();
    for failures in 1..=9 {
        // Asked for each half second until it is tried again.
        let mut waited = Duration::ZERO;
        while world.failed.load(Ordering::SeqCst) < failures {
            assert_eq!(world.get(), 1);
            world.pass(SECOND / 4);
            waited += SECOND / 4;
        }
        pauses.push(waited);
    }
    assert_eq!(world.builds(), 10);
    for (number, pause) in pauses.iter().enumerate().skip(1) {
        let longest = (SECOND * 2u32.pow(number as u32 - 1)).min(MINUTE);
        assert!(*pause <= longest + SECOND, "{number}: {pauses:?}");
        assert!(*pause >= longest / 2, "{number}: {pauses:?}");
    }
    assert_eq!(world.info().failures, 9);
    world.offers(model(2));
    world.pass(61 * SECOND);
    world.get();
    world.engine.run_due();
    assert_eq!(world.get(), 2);
    world.is_settled();
}

#[test]
fn a4_the_same_resource_again_releases_nothing_and_lives_on() {
    let world = World::new(background());
    world.get();
    for round in 1..=3 {
        world.pass(61 * SECOND);
        assert_eq!(world.get(), 1);
        world.engine.run_due();
        assert_eq!(world.builds(), 1 + round);
        world.pass(SECOND);
        world.get();
        assert_eq!(world.builds(), 1 + round, "it is fresh again");
    }
    let info = world.info();
    assert_eq!((info.builds, info.renewals, info.entries), (1, 3, 1));
    assert!(world.released().is_empty());
    world.is_settled();
}

#[test]
fn a4_one_that_is_not_kept_is_tried_again_after_a_pause() {
    for settings in [background(), minute().refresh(Refresh::Ahead)] {
        let world = World::new(settings.max_stale(Duration::from_secs(6000)));
        world.get();
        world.refuses.store(2, Ordering::SeqCst);
        world.offers(model(2));
        world.pass(61 * SECOND);
        world.get();
        world.engine.run_due();
        assert_eq!(world.released(), [(2, Cause::Orphaned)]);
        world.offers(model(3));
        assert_eq!(world.get(), 1, "it pauses");
        world.pass(2 * SECOND);
        world.get();
        world.engine.run_due();
        assert_eq!(world.get(), 3);
        world.is_settled();
    }
}

#[test]
fn a4_a_refresh_that_fails_after_its_build_is_told_of_too() {
    let world = World::new(background().weighs(true));
    world.get();
    world.offers(heavy(2, BROKEN));
    world.pass(61 * SECOND);
    world.get();
    world.engine.run_due();
    assert_eq!(world.failed.load(Ordering::SeqCst), 1);
    assert_eq!(world.released(), [(2, Cause::Orphaned)]);
    assert_eq!(world.get(), 1);
    world.is_settled();
}

#[test]
fn a4_a_refresh_that_has_not_begun_holds_nobody_up_and_builds_nothing_for_what_is_gone() {
    let ends: [fn(&Function<Model, String>); 4] = [
        |it| it.clear().unwrap(),
        |it| assert_eq!(it.discard_where(|_| true), 1),
        |it| assert_eq!(it.clear_if(|_, _| true).unwrap(), 1),
        |it| it.clear_entry(&key(0).finish()).unwrap(),
    ];
    for end in ends {
        let world = World::new(background());
        world.get();
        world.clock.advance(61 * SECOND);
        world.get(); // begins the refresh
        end(&world.function);
        world.offers(model(2));
        assert_eq!(world.get(), 2); // builds by itself, on this one thread
        assert_eq!(world.builds(), 2);
        world.engine.run_due(); // would carry the refresh
        assert_eq!(world.builds(), 2);
        world.is_settled();
    }
}

#[test]
fn a4_a_clear_by_a_question_overtakes_a_refresh_too() {
    let world = World::new(background());
    world.get();
    world.offers(model(2));
    world.clock.advance(61 * SECOND);
    world.get(); // begins the refresh
    world.meanwhile(|function| {
        assert_eq!(function.clear_if(|it, _| it.number == 1).unwrap(), 1);
    });
    world.engine.run_due();
    let gone = [(1, Cause::Cleared), (2, Cause::Orphaned)];
    assert_eq!(world.released(), gone);
    world.is_settled();
}

#[test]
fn a4_in_the_foreground_the_old_one_is_handed_out_where_the_build_fails() {
    let world = World::new(minute().max_stale(MINUTE));
    world.get();
    world.pass(61 * SECOND);
    world.offers(model(2));
    assert_eq!(world.get(), 2, "a build that works is waited for");
    assert_eq!(world.released(), [(1, Cause::Replaced)]);
    world.offers(None);
    world.pass(61 * SECOND);
    assert_eq!((world.get(), world.builds()), (2, 3));
    assert_eq!((world.get(), world.builds()), (2, 3), "it pauses");
    world.pass(2 * SECOND);
    assert_eq!((world.get(), world.builds()), (2, 4));
    world.pass(MINUTE);
    let gone = world.try_at(&key(0).finish());
    assert!(matches!(gone, Err(Error::Failed(text)) if text == "down"));
    world.is_settled();
}

#[test]
fn a4_those_who_wait_for_a_foreground_build_that_fails_get_the_old_one_too() {
    let world = Arc::new(World::new(minute().max_stale(MINUTE)));
    world.get();
    world.pass(61 * SECOND);
    let begun = Arc::new(Barrier::new(2));
    let waits = {
        let (world, begun) = (Arc::clone(&world), Arc::clone(&begun));
        thread::spawn(move || {
            begun.wait();
            world.get()
        })
    };
    let key = key(0);
    let got = world.function.get_or_build(&key.finish(), || {
        begun.wait();
        while world.info().waiting == 0 {
            thread::yield_now();
        }
        Err("down".to_owned())
    });
    assert_eq!(got.unwrap().number, 1);
    assert_eq!(waits.join().unwrap(), 1);
    world.is_settled();
}

#[test]
fn a4_refresh_before_begins_ahead_of_the_expiry() {
    let world = World::new(minute().refresh_before(10 * SECOND));
    world.get();
    world.offers(model(2));
    world.pass(49 * SECOND);
    world.get();
    world.engine.run_due();
    assert_eq!(world.builds(), 1, "not yet");
    world.pass(2 * SECOND);
    assert_eq!(world.get(), 1);
    world.engine.run_due();
    assert_eq!((world.get(), world.builds()), (2, 2));
    world.pass(61 * SECOND);
    assert_eq!(world.released().last(), Some(&(2, Cause::Expired)));
    world.is_settled();
}

#[test]
fn a4_ahead_refreshes_by_itself_what_was_asked_for_lately() {
    let world = World::new(minute().refresh(Refresh::Ahead));
    world.get();
    world.get(); // since it was built
    world.offers(model(2));
    world.pass(55 * SECOND);
    assert_eq!(world.builds(), 2, "nobody has called");
    assert_eq!(world.released(), [(1, Cause::Replaced)]);
    // Nobody asks for this one, so it goes.
    world.pass(55 * SECOND);
    assert_eq!(world.builds(), 2);
    world.pass(3 * MINUTE);
    assert_eq!(world.released().last(), Some(&(2, Cause::Expired)));
    world.is_settled();
}

#[test]
fn a4_ahead_goes_on_for_as_long_as_it_is_asked_for() {
    let world = World::new(minute().refresh(Refresh::Ahead));
    for _ in 0..10 {
        world.get();
        world.get();
        world.pass(55 * SECOND);
    }
    let info = world.info();
    assert_eq!(info.misses, 1);
    assert_eq!(world.builds(), 11);
    world.is_settled();
}

#[test]
fn a4_a_use_in_the_very_moment_of_a_build_or_a_renewal_counts_for_what_comes_after() {
    // The clock stands still between the two, as the system's coarse one does for a tick.
    for is_used in [true, false] {
        let world = World::new(minute().refresh(Refresh::Ahead));
        world.get();
        world.get();
        world.pass(55 * SECOND);
        assert_eq!((world.builds(), world.info().renewals), (2, 1));
        if is_used {
            world.get();
        }
        world.pass(55 * SECOND);
        assert_eq!(world.info().renewals, if is_used { 2 } else { 1 });
        world.is_settled();
    }
}

#[test]
fn l15_of_uses_in_one_moment_the_last_counts() {
    let world = World::new(Settings::default().weighs(true).max_weight(2));
    for (name, number) in [(1, 1), (2, 2)] {
        world.offers(heavy(number, 1));
        world.at(name);
    }
    for name in [1, 2, 2, 1, 1] {
        world.at(name);
    }
    world.offers(heavy(3, 1));
    world.at(3);
    assert_eq!(world.released(), [(2, Cause::Evicted)]);
    world.is_settled();
}

#[test]
fn a4_no_more_refreshes_run_at_a_time_than_there_are_workers() {
    let world = World::new(background());
    world.engine.configure(|config| config.refresh_workers = 2);
    for name in 0..5 {
        world.at(name);
    }
    world.clock.advance(61 * SECOND);
    for name in 0..5 {
        world.at(name);
    }
    world.engine.run_due();
    assert_eq!(world.builds(), 5 + 2, "three were skipped, and not put off");
    for name in 0..5 {
        world.at(name);
        world.engine.run_due();
    }
    assert_eq!(world.builds(), 5 + 5);
    world.is_settled();
}

#[test]
fn a4_without_workers_a_call_builds_once_the_old_one_has_gone() {
    let world = World::new(background());
    world.engine.configure(|config| config.refresh_workers = 0);
    world.get();
    world.pass(61 * SECOND);
    world.get();
    world.engine.run_due();
    assert_eq!(world.builds(), 1);
    world.pass(MINUTE);
    world.get();
    assert_eq!(world.builds(), 2);
    world.is_settled();
}

#[test]
fn a4_validate_decides_first() {
    struct Broken;
    impl Behaviour<Model> for Broken {
        fn validate(&self, _: &Model) -> Result<bool, Interrupt> {
            Ok(false)
        }
    }
    let world = World::new(background());
    let settings = background().validates(true);
    let function = Function::<Model, String>::new(&world.engine, "b", settings, Box::new(Broken));
    let function = function.unwrap();
    let call = || {
        let build = || Ok(model(1));
        let again = || Some(world.again());
        let got = function.get_or_refresh(&KeyRef::EMPTY, &Patiently, build, &again);
        drop(got.unwrap());
    };
    call();
    world.clock.advance(61 * SECOND);
    call();
    world.engine.run_due();
    let info = function.info();
    assert_eq!((info.builds, info.released(Cause::Invalid)), (2, 1));
    assert_eq!(world.builds(), 0, "nothing was refreshed that is no good");
}

/// Numbers that look drawn, and are the same at each run.
struct Drawn(u64);

impl Drawn {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % bound
    }
}

#[test]
fn a4_whatever_fails_no_caller_does_while_a_good_one_exists_and_none_gets_one_too_old() {
    const FRESH: Duration = Duration::from_secs(10);
    const STALE: Duration = Duration::from_secs(30);
    for settings in [
        Settings::default().ttl(FRESH).max_stale(STALE),
        Settings::default()
            .ttl(FRESH)
            .max_stale(STALE)
            .refresh(Refresh::Background),
        Settings::default()
            .ttl(FRESH)
            .max_stale(STALE)
            .refresh(Refresh::Ahead)
            .refresh_before(2 * SECOND)
            .max_idle(25 * SECOND),
    ] {
        let world = World::new(settings);
        let mut drawn = Drawn(7);
        let mut now = Duration::ZERO;
        // When each was built, by its number; builds fail in streaks of any length.
        let mut built: Vec<Duration> = Vec::new();
        let mut failing = 0;
        let (mut served, mut failed) = (0u32, 0u32);
        for _ in 0..100_000 {
            if failing == 0 && drawn.below(4) == 0 {
                failing = drawn.below(60);
            }
            failing = failing.saturating_sub(1);
            let number = u32::try_from(built.len()).unwrap();
            world.offers((failing == 0).then(|| model(number)));
            let builds = world.info().builds;
            let got = world.try_at(&key(0).finish());
            world.engine.run_due();
            if world.info().builds > builds {
                built.push(now);
            }
            match got {
                Ok(lease) => {
                    served += 1;
                    let age = now - built[lease.number as usize];
                    assert!(age < FRESH + STALE, "{age:?}");
                }
                Err(_) => {
                    failed += 1;
                    assert_eq!(world.info().entries, 0, "a good one was there");
                }
            }
            let step = Duration::from_millis(drawn.below(4000));
            now += step;
            let builds = world.info().builds;
            world.offers((failing == 0).then(|| model(u32::try_from(built.len()).unwrap())));
            world.pass(step);
            if world.info().builds > builds {
                built.push(now);
            }
        }
        assert!(
            served > 50_000 && failed > 100,
            "{served} served, {failed} failed"
        );
        world.is_settled();
    }
}

// --- L17: expire, and ages of one's own -----------------------------------------------------------

#[test]
fn l17_what_expires_is_refreshed_or_goes() {
    for (settings, gives, cause) in [
        (minute(), 2, Cause::Expired),
        (minute().max_stale(MINUTE), 2, Cause::Replaced),
        (background(), 1, Cause::Replaced),
    ] {
        let world = World::new(settings);
        world.get();
        world.offers(model(2));
        world.function.expire().unwrap();
        assert_eq!(world.get(), gives);
        world.engine.run_due();
        assert_eq!(world.get(), 2);
        assert_eq!(world.released(), [(1, cause)]);
        world.is_settled();
    }
}

#[test]
fn l17_expire_concerns_one_entry_where_it_is_named() {
    let world = World::new(minute());
    world.at(1);
    world.at(2);
    world.function.expire_entry(&key(1).finish()).unwrap();
    let info = world.info();
    assert_eq!((info.entries, info.released(Cause::Expired)), (1, 1));
    world.is_settled();
}

#[test]
fn l17_what_is_expired_is_served_no_longer_than_max_stale_allows() {
    let world = World::new(minute().max_stale(10 * SECOND));
    world.get();
    world.offers(None);
    world.function.expire().unwrap();
    assert_eq!(world.get(), 1);
    world.pass(9 * SECOND);
    assert_eq!(world.get(), 1);
    world.function.expire().unwrap(); // it was expired already: that prolongs nothing
    world.pass(2 * SECOND);
    assert_eq!(world.released(), [(1, Cause::Expired)]);
    world.is_settled();
}

#[test]
fn l17_a_build_under_way_is_not_taken_for_what_comes_after_an_expire() {
    let world = World::new(minute());
    let key = key(0);
    let function = &world.function;
    let built = function.get_or_build(&key.finish(), || {
        let function = Arc::clone(function);
        // By anyone but the build itself.
        thread::spawn(move || function.expire().unwrap())
            .join()
            .unwrap();
        Ok(model(1))
    });
    drop(built.unwrap());
    assert_eq!(world.released(), [(1, Cause::Orphaned)]);
    world.is_settled();
}

#[test]
fn l17_a_resource_has_an_age_of_its_own() {
    let world = World::new(Settings::default().own_ttl(true));
    world.offers(lives(1, 30));
    world.at(1);
    world.offers(lives(2, 10));
    world.at(2);
    world.offers(model(3)); // for ever
    world.at(3);
    world.offers(lives(4, 0)); // it is too old as it comes
    assert_eq!(world.at(4), 4);
    assert_eq!(world.released(), [(4, Cause::Orphaned)]);
    world.pass(11 * SECOND);
    assert_eq!(world.released()[1..], [(2, Cause::Expired)]);
    world.pass(20 * SECOND);
    assert_eq!(world.released()[2..], [(1, Cause::Expired)]);
    world.pass(1_000_000 * SECOND);
    assert_eq!(world.info().entries, 1);
    world.is_settled();
}

// --- L14: idle entries ----------------------------------------------------------------------------

#[test]
fn l14_what_nobody_asks_for_goes() {
    let world = World::new(Settings::default().max_idle(MINUTE));
    for name in 0..3 {
        world.offers(model(name.into()));
        world.at(name);
    }
    world.pass(40 * SECOND);
    world.at(1);
    world.pass(30 * SECOND);
    assert_eq!(world.released(), [(0, Cause::Idle), (2, Cause::Idle)]);
    for _ in 0..10 {
        world.at(1); // found without a lock
        world.pass(59 * SECOND);
    }
    assert_eq!(world.info().entries, 1);
    world.pass(2 * SECOND);
    assert_eq!(world.released().last(), Some(&(1, Cause::Idle)));
    world.is_settled();
}

#[test]
fn l14_what_somebody_holds_stays() {
    let world = World::new(Settings::default().max_idle(MINUTE));
    let lease = world.try_at(&key(0).finish()).unwrap();
    world.pass(10 * MINUTE);
    assert_eq!(world.info().entries, 1);
    drop(lease);
    world.pass(SECOND);
    assert_eq!(world.released(), [(1, Cause::Idle)]);
    world.is_settled();
}

#[test]
fn l14_idle_entries_expire_as_others_do() {
    let world = World::new(Settings::default().max_idle(MINUTE).ttl(2 * MINUTE));
    let lease = world.try_at(&key(0).finish()).unwrap();
    world.pass(2 * MINUTE + SECOND);
    drop(lease);
    assert_eq!(world.released(), [(1, Cause::Expired)]);
    world.is_settled();
}

#[test]
fn l14_many_come_and_go() {
    let world = World::new(Settings::default().max_idle(MINUTE));
    for round in 0..50u32 {
        for name in 0..100 {
            if (round + u32::from(name)) % 3 == 0 {
                world.at(name);
            }
        }
        world.pass(25 * SECOND);
    }
    world.pass(2 * MINUTE);
    assert_eq!(world.info().entries, 0);
    world.is_settled();
}

// --- L15: weights ---------------------------------------------------------------------------------

#[test]
fn l15_the_one_used_longest_ago_makes_room() {
    let world = World::new(Settings::default().weighs(true).max_weight(10));
    for name in 1..=3 {
        world.offers(heavy(name.into(), 3));
        world.at(name);
    }
    world.at(1);
    assert_eq!(world.info().weight, 9);
    world.offers(heavy(4, 4));
    world.at(4);
    assert_eq!(world.released(), [(2, Cause::Evicted)]);
    assert_eq!(world.info().weight, 10);
    world.offers(heavy(5, 10));
    world.at(5);
    let evicted: Vec<u32> = world.released().iter().map(|it| it.0).collect();
    assert_eq!(evicted, [2, 3, 1, 4]);
    world.is_settled();
    assert_eq!(world.info().weight, 0);
}

#[test]
fn l15_what_is_too_heavy_is_handed_out_and_not_kept() {
    let world = World::new(Settings::default().weighs(true).max_weight(10));
    world.offers(heavy(1, 5));
    world.at(1);
    world.offers(heavy(2, 11));
    assert_eq!(world.at(2), 2);
    assert_eq!(world.released(), [(2, Cause::Orphaned)]);
    assert_eq!(world.info().entries, 1, "nothing had to go for it");
    world.is_settled();
}

#[test]
fn l15_what_is_put_in_by_hand_weighs_too() {
    let world = World::new(Settings::default().weighs(true).max_weight(10));
    for (name, weight) in [(1, 6), (2, 6), (3, 11)] {
        let put = world
            .function
            .insert(&key(name).finish(), heavy(name.into(), weight));
        assert_eq!(put.unwrap().number, u32::from(name));
    }
    let gone = [(1, Cause::Evicted), (3, Cause::Orphaned)];
    assert_eq!(world.released(), gone);
    assert_eq!(world.info().weight, 6);
    world.is_settled();
}

#[test]
fn l15_weights_beyond_all_numbers_spoil_no_budget() {
    let world = World::new(Settings::default().weighs(true));
    for name in 1..=5 {
        world.offers(heavy(name.into(), u64::MAX / 2));
        world.at(name);
    }
    world.function.clear().unwrap();
    world.engine.configure(|config| config.max_weight = Some(5));
    for name in 10..=20 {
        world.offers(heavy(name.into(), 1));
        world.at(name);
    }
    assert_eq!(world.info().entries, 5);
    world.is_settled();
}

#[test]
fn l15_one_budget_for_all_functions() {
    let clock = ManualClock::new();
    let engine = Engine::with_clock(clock.clone());
    let weighs = || Settings::default().weighs(true);
    let world = |name| World::on(clock.clone(), engine.clone(), name, weighs());
    let (left, right) = (world("left"), world("right"));
    engine.configure(|config| config.max_weight = Some(10));
    left.offers(heavy(1, 4));
    right.offers(heavy(2, 4));
    left.at(1);
    right.at(1);
    left.at(1);
    left.offers(heavy(3, 4));
    left.at(2);
    assert_eq!(right.released(), [(2, Cause::Evicted)]);
    engine.configure(|config| config.max_weight = Some(5));
    assert_eq!(left.released(), [(1, Cause::Evicted)], "at once");
    assert_eq!(left.info().weight + right.info().weight, 4);
    left.is_settled();
    right.is_settled();
}

#[test]
fn l15_the_budget_holds_under_threads() {
    let world = World::new(Settings::default().weighs(true));
    world
        .engine
        .configure(|config| config.max_weight = Some(20));
    world.offers(heavy(1, 3));
    thread::scope(|scope| {
        for thread in 0..4u8 {
            let world = &world;
            scope.spawn(move || {
                for round in 0..500u32 {
                    world.at(thread * 7 + (round % 13) as u8);
                    assert!(world.info().weight <= 20);
                }
            });
        }
    });
    world.is_settled();
}

// --- L16: time-outs -------------------------------------------------------------------------------

#[test]
fn l16_a_caller_waits_so_long_and_the_build_goes_on() {
    let world = World::new(Settings::default().build_timeout(10 * SECOND));
    let door = Arc::new(Barrier::new(2));
    let key = key(0);
    let again = || -> Option<Again<Model, String>> {
        let door = Arc::clone(&door);
        Some(Arc::new(move |build| {
            door.wait(); // it has begun
            door.wait(); // its caller is gone
            let outcome = build.run(|| Ok(model(7)));
            build.finish(outcome, |interrupt| format!("{interrupt:?}"));
        }))
    };
    let function = &world.function;
    let call = || {
        let never = || -> Result<Model, _> { unreachable!("it is built elsewhere") };
        function.get_or_refresh(&key.finish(), &Patiently, never, &again)
    };
    thread::scope(|scope| {
        let caller = scope.spawn(call);
        door.wait();
        world.waits();
        world.pass(11 * SECOND);
        let error = caller.join().unwrap().unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, Error::TimedOut { .. }), "{text}");
        assert!(text.contains("model") && text.contains("10s"), "{text}");
        assert_eq!(world.engine.inspect().flights, 1);
        door.wait();
    });
    while world.info().entries == 0 {
        thread::yield_now();
    }
    let kept = function.get_or_build(&key.finish(), || unreachable!("it is kept"));
    assert_eq!(kept.unwrap().number, 7);
    world.is_settled();
}

#[test]
fn l16_what_may_be_stale_stands_in_for_a_build_that_takes_too_long() {
    let world = World::new(minute().max_stale(MINUTE).build_timeout(10 * SECOND));
    assert_eq!(world.get(), 1);
    world.pass(61 * SECOND);
    let door = Arc::new(Barrier::new(2));
    let key = key(0);
    let again = || -> Option<Again<Model, String>> {
        let door = Arc::clone(&door);
        Some(Arc::new(move |build| {
            door.wait(); // it has begun
            door.wait(); // its caller is gone
            let outcome = build.run(|| Ok(model(2)));
            build.finish(outcome, |interrupt| format!("{interrupt:?}"));
        }))
    };
    let function = &world.function;
    thread::scope(|scope| {
        let caller = scope.spawn(|| {
            let never = || -> Result<Model, _> { unreachable!("it is built elsewhere") };
            function.get_or_refresh(&key.finish(), &Patiently, never, &again)
        });
        door.wait();
        world.waits();
        world.pass(11 * SECOND);
        assert_eq!(caller.join().unwrap().unwrap().number, 1);
        door.wait();
    });
    // A build is counted before it lands: what it replaces goes last.
    while world.released().is_empty() {
        thread::yield_now();
    }
    assert_eq!(world.released(), [(1, Cause::Replaced)]);
    world.is_settled();
}

#[test]
fn l16_those_who_wait_for_anothers_build_are_bounded_too() {
    let world = World::new(Settings::default().build_timeout(10 * SECOND));
    let key = key(0);
    let function = &world.function;
    let built = function.get_or_build(&key.finish(), || {
        thread::scope(|scope| {
            let caller = scope.spawn(|| function.get_or_build(&key.finish(), || Ok(model(2))));
            world.waits();
            world.pass(11 * SECOND);
            assert!(matches!(
                caller.join().unwrap(),
                Err(Error::TimedOut { .. })
            ));
        });
        Ok(model(1))
    });
    assert_eq!(built.unwrap().number, 1);
    world.is_settled();
}
