//! V2: what is kept, as a program is shown it, and the end of one entry by its number.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tenure::fleet::Ending;
use tenure::front::Holding;
use tenure::{
    Behaviour, Cause, Encoder, Engine, Function, Happened, ListedEntry, ManualClock, ProgramHost,
    Scope, Session, Settings,
};

const SECOND: Duration = Duration::from_secs(1);

fn key(name: u8) -> Encoder {
    let mut key = Encoder::new();
    key.tag(name);
    key
}

fn engine() -> (ManualClock, Engine) {
    let clock = ManualClock::new();
    let engine = Engine::with_clock(clock.clone());
    engine.set_host(Some(Arc::new(ProgramHost)));
    (clock, engine)
}

fn function(engine: &Engine, name: &str, settings: Settings) -> Arc<Function<u8, ()>> {
    Function::plain(engine, name, settings).unwrap()
}

fn build(function: &Function<u8, ()>, name: u8) {
    drop(function.get_or_build(&key(name).finish(), || Ok(name)));
}

fn entries(engine: &Engine) -> Vec<ListedEntry> {
    let mut entries = engine.listing(100).entries;
    entries.sort_by_key(|it| it.number);
    entries
}

#[test]
fn v2_the_entries_of_all_functions_and_sessions_are_listed() {
    let (clock, engine) = engine();
    let pools = function(&engine, "pool", Settings::default().max_idle(60 * SECOND));
    let twins = function(&engine, "pool", Settings::default());
    let baskets = function(&engine, "basket", Settings::default().scope(Scope::Session));
    let slow = || {
        clock.advance(3 * SECOND);
        Ok(1)
    };
    let lease = pools.get_or_build(&key(1).finish(), slow).unwrap();
    clock.advance(2 * SECOND);
    build(&pools, 1);
    clock.advance(SECOND);
    build(&twins, 1);
    let (alice, bob) = (Session::named("alice-4711"), Session::named("bob-4712"));
    for session in [&alice, &alice, &bob] {
        session.run(|| build(&baskets, 1));
    }
    alice.run(|| build(&baskets, 2));

    let listing = engine.listing(100);
    let names: Vec<_> = listing
        .functions
        .iter()
        .map(|it| (&*it.name, it.scope))
        .collect();
    assert_eq!(
        names,
        [
            ("basket", "session"),
            ("pool", "global"),
            ("pool", "global")
        ]
    );
    let mut numbers: Vec<_> = listing.functions.iter().map(|it| it.number).collect();
    numbers.dedup();
    assert_eq!(numbers.len(), 3);
    let all = entries(&engine);
    let [pool, twin, of_alice, of_bob, also_of_alice] = &all[..] else {
        panic!("{all:?}");
    };
    assert_eq!((pool.function, twin.function), (numbers[1], numbers[2]));
    assert_eq!((pool.age, pool.unused), (3 * SECOND, Some(SECOND)));
    assert_eq!(
        (pool.build_time, pool.hits, pool.leases, pool.in_use),
        (3 * SECOND, 1, 1, true)
    );
    assert_eq!(
        (twin.unused, twin.build_time, twin.leases, twin.in_use),
        (None, Duration::ZERO, 0, false)
    );
    assert_eq!((&pool.owner, of_alice.hits), (&None, 1));
    assert_eq!(of_alice.owner, also_of_alice.owner);
    assert_ne!(of_alice.owner, of_bob.owner);
    let owner = of_alice.owner.as_deref().unwrap();
    assert!(
        owner.len() == 8 && !format!("{listing:?}").contains("alice"),
        "{listing:?}"
    );
    drop(lease);
}

#[test]
fn v2_one_entry_is_ended_by_its_number_and_never_its_successor() {
    let (clock, engine) = engine();
    let pools = function(&engine, "pool", Settings::default());
    let rates = function(
        &engine,
        "rates",
        Settings::default().ttl(60 * SECOND).max_stale(60 * SECOND),
    );
    for name in [1, 2, 3] {
        build(&pools, name);
    }
    build(&rates, 1);
    let [one, two, three, rate] = entries(&engine).try_into().unwrap();

    assert!(engine.end_entry(one.number, Ending::Cleared));
    assert!(engine.end_entry(two.number, Ending::Expired));
    let released = |cause| pools.info().released(cause);
    assert_eq!((released(Cause::Cleared), released(Cause::Expired)), (1, 1));
    // Under the same keys stand others now, at the same time of the clock.
    build(&pools, 1);
    build(&pools, 2);
    for number in [one.number, two.number, u64::MAX] {
        assert!(!engine.end_entry(number, Ending::Cleared));
        assert!(!engine.end_entry(number, Ending::Expired));
    }
    assert_eq!((pools.info().entries, pools.info().all_released()), (3, 2));
    assert!(entries(&engine).iter().any(|it| it.number == three.number));

    // What may be handed out until there is a successor stays, and says so.
    assert!(engine.end_entry(rate.number, Ending::Expired));
    let listed = entries(&engine)
        .into_iter()
        .find(|it| it.number == rate.number)
        .unwrap();
    assert!(listed.is_stale && rates.info().stale == 1);
    clock.advance(60 * SECOND);
    engine.run_due();
    assert_eq!(rates.info().released(Cause::Expired), 1);
}

#[test]
fn v2_the_end_of_one_entry_orphans_its_build_and_spares_others() {
    let (_, engine) = engine();
    let settings = Settings::default().ttl(SECOND).max_stale(60 * SECOND);
    let pools = function(&engine, "pool", settings);
    build(&pools, 1);
    let number = entries(&engine)[0].number;
    assert!(engine.end_entry(number, Ending::Expired));
    // Its successor is being built when it is cleared.
    let built = pools.get_or_build(&key(1).finish(), || {
        std::thread::scope(|threads| {
            let end = || engine.end_entry(number, Ending::Cleared);
            assert!(threads.spawn(end).join().unwrap());
        });
        Ok(9)
    });
    assert_eq!(*built.unwrap(), 9);
    assert_eq!(pools.info().entries, 0);
    assert_eq!(pools.info().released(Cause::Orphaned), 1);
}

#[test]
fn v2_all_entries_of_one_function_end_in_every_session() {
    let (_, engine) = engine();
    let baskets = function(&engine, "basket", Settings::default().scope(Scope::Session));
    let pools = function(&engine, "pool", Settings::default());
    build(&pools, 1);
    let sessions = [Session::named("alice"), Session::named("bob")];
    for session in &sessions {
        session.run(|| build(&baskets, 1));
    }
    let number = engine.listing(0).functions[0].number;
    assert!(engine.end_entries(number, Ending::Cleared));
    assert_eq!((baskets.info().entries, pools.info().entries), (0, 1));
    assert!(!engine.end_entries(u64::MAX, Ending::Cleared));
    assert_eq!(pools.info().entries, 1);
}

#[test]
fn v2_a_function_with_many_entries_does_not_hide_the_others() {
    let (_, engine) = engine();
    let many = function(&engine, "many", Settings::default());
    let few = function(&engine, "few", Settings::default());
    for name in 0..200 {
        build(&many, name);
    }
    build(&few, 1);
    let listing = engine.listing(10);
    let of = |name: &str| {
        let function = listing
            .functions
            .iter()
            .find(|it| &*it.name == name)
            .unwrap();
        listing
            .entries
            .iter()
            .filter(|it| it.function == function.number)
            .count()
    };
    assert_eq!((of("many"), of("few")), (9, 1));
    assert_eq!(listing.functions[1].info.entries, 200);
}

struct Held(Arc<AtomicBool>);

impl Behaviour<u8> for Held {
    fn holding(&self) -> Holding {
        Holding::Watched
    }

    fn in_use(&self, _: &u8) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    fn is_claimed(&self, value: &u8) -> bool {
        self.in_use(value)
    }
}

#[test]
fn v2_what_drains_is_listed_until_it_is_released() {
    let (clock, engine) = engine();
    let in_use = Arc::new(AtomicBool::new(true));
    let held = Box::new(Held(Arc::clone(&in_use)));
    let settings = Settings::default().drain(60 * SECOND);
    let pools = Function::<u8, ()>::new(&engine, "pool", settings, held).unwrap();
    build(&pools, 1);
    let [entry] = entries(&engine).try_into().unwrap();
    assert!(entry.in_use && entry.leases == 0);
    assert!(engine.end_entry(entry.number, Ending::Cleared));
    clock.advance(SECOND / 1000);
    let listing = engine.listing(100);
    assert!(listing.entries.is_empty());
    let [draining] = listing.draining.try_into().unwrap();
    assert_eq!(
        (draining.number, draining.function),
        (entry.number, entry.function)
    );
    assert_eq!(
        (draining.cause, draining.age),
        (Cause::Cleared, SECOND / 1000)
    );
    in_use.store(false, Ordering::SeqCst);
    clock.advance(SECOND);
    engine.run_due();
    assert!(engine.listing(100).draining.is_empty());
    assert_eq!(pools.info().released(Cause::Cleared), 1);
}

#[test]
fn v2_what_has_happened_last_is_remembered_and_a_hit_is_nothing() {
    let (clock, engine) = engine();
    let pools = function(&engine, "pool", Settings::default());
    let slow = || {
        clock.advance(SECOND);
        Ok(1)
    };
    drop(pools.get_or_build(&key(1).finish(), slow));
    build(&pools, 1);
    let number = entries(&engine)[0].number;
    clock.advance(SECOND);
    pools.clear().unwrap();
    assert!(pools.get_or_build(&key(1).finish(), || Err(())).is_err());
    let events = engine.listing(100).events;
    let told: Vec<_> = events
        .iter()
        .map(|it| (it.what, it.ago, it.entry))
        .collect();
    assert_eq!(
        told,
        [
            (Happened::Built(SECOND), SECOND, Some(number)),
            (
                Happened::Released(Cause::Cleared),
                Duration::ZERO,
                Some(number)
            ),
            (Happened::Failed, Duration::ZERO, None),
        ]
    );
    for name in 0..255 {
        build(&pools, name);
    }
    build(&pools, 255);
    let events = engine.listing(100).events;
    assert!(
        events.len() == 256
            && events
                .iter()
                .all(|it| matches!(it.what, Happened::Built(_)))
    );
}
