//! What one member clears or has expire ends at all others, and is known by its mark.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, Weak};
use std::thread;
use std::time::Duration;

use tenure::fleet::{
    Asking, Bus, Ending, Inlet, KnownAs, Lost, Mark, Permit, Purpose, Terms, Topic,
};
use tenure::front::{Digests, Meaning};
use tenure::{Behaviour, Cause, Engine, Fork, Function, ManualClock, Scope, Settings};

use crate::support::*;

#[test]
fn d1_a_clear_of_one_entry_ends_it_at_all_members_and_no_other() {
    let fleet = Arc::default();
    let worlds = [member(&fleet), member(&fleet), member(&fleet)];
    let all = worlds.each_ref().map(pools);
    for pools in &all {
        assert_eq!((get(pools, 1, 10), get(pools, 2, 20)), (10, 20));
    }
    all[0].clear_entry(&key(1).finish()).unwrap();
    assert_eq!(fleet.raised(), 1, "nobody raises what was told");
    for (world, pools) in worlds.iter().zip(&all) {
        assert_eq!((get(pools, 1, 11), get(pools, 2, 21)), (11, 20));
        world.engine.run_due();
        assert_eq!(pools.info().released(Cause::Cleared), 1);
    }
}

#[test]
fn d1_a_clear_of_a_function_and_of_everything_ends_what_members_share() {
    let fleet = Arc::default();
    let (one, two) = (member(&fleet), member(&fleet));
    let (here, there) = (pools(&one), pools(&two));
    let other = Shared {
        name: "other",
        scope: None,
        of_callers: false,
    };
    let other =
        Function::<u64, String>::new(&two.engine, "other", Settings::default(), Box::new(other));
    let other = other.unwrap();
    let own = Function::<u64, String>::plain(&two.engine, "pool", Settings::default()).unwrap();
    for pools in [&there, &other, &own] {
        get(pools, 1, 10);
    }
    here.clear().unwrap();
    assert_eq!(
        (get(&there, 1, 11), get(&other, 1, 11), get(&own, 1, 11)),
        (11, 10, 10)
    );
    one.engine.clear_all();
    assert_eq!(
        (get(&there, 1, 12), get(&other, 1, 12), get(&own, 1, 12)),
        (12, 12, 10)
    );
    assert_eq!(fleet.raised(), 2);
}

#[test]
fn d1_what_expires_elsewhere_is_stale_here_for_as_long_as_the_function_says() {
    let fleet = Arc::default();
    let (one, two) = (member(&fleet), member(&fleet));
    let stale = Settings::default().max_stale(Duration::from_secs(60));
    let (here, there) = (pools(&one), pools_with(&two, stale));
    get(&there, 1, 10);
    here.expire_entry(&key(1).finish()).unwrap();
    let failed = there.get_or_build(&key(1).finish(), || Err("no source".to_owned()));
    assert_eq!(*failed.unwrap(), 10);
    // Time has to pass until it is tried again.
    two.clock.advance(Duration::from_secs(5));
    assert_eq!(get(&there, 1, 11), 11);
    here.expire().unwrap();
    assert_eq!(get(&there, 1, 12), 12);
    assert_eq!(there.info().released(Cause::Replaced), 2);
}

#[test]
fn d1_a_build_that_began_before_the_clear_becomes_no_entry_after_it() {
    let fleet = Arc::default();
    let (one, two) = (member(&fleet), member(&fleet));
    let (here, there) = (pools(&one), pools(&two));
    let build = || {
        here.clear_entry(&key(1).finish()).unwrap();
        Ok(10)
    };
    assert_eq!(*there.get_or_build(&key(1).finish(), build).unwrap(), 10);
    assert_eq!(get(&there, 1, 11), 11);
    let build = || {
        one.engine.clear_all();
        Ok(20)
    };
    assert_eq!(*there.get_or_build(&key(2).finish(), build).unwrap(), 20);
    assert_eq!(get(&there, 2, 21), 21);
    assert_eq!(there.info().released(Cause::Orphaned), 2);
}

#[test]
fn d1_clear_if_raises_what_it_clears() {
    let fleet = Arc::default();
    let (one, two) = (member(&fleet), member(&fleet));
    let (here, there) = (pools(&one), pools(&two));
    for pools in [&here, &there] {
        get(pools, 1, 10);
        get(pools, 2, 20);
    }
    assert_eq!(here.clear_if(|pool, _| *pool == 10).unwrap(), 1);
    assert_eq!((get(&there, 1, 11), get(&there, 2, 21)), (11, 20));
}

#[test]
fn d1_what_ends_by_itself_or_is_ones_own_is_not_raised() {
    let fleet: Arc<Fleet> = Arc::default();
    let world = member(&fleet);
    let settings = Settings::default()
        .ttl(Duration::from_secs(60))
        .max_entries(1)
        .max_idle(Duration::from_secs(10));
    let pools = pools_with(&world, settings);
    get(&pools, 1, 10);
    get(&pools, 2, 20); // evicts
    world.clock.advance(Duration::from_secs(11));
    world.engine.run_due(); // idle
    get(&pools, 1, 10);
    world.clock.advance(Duration::from_secs(61)); // too old
    get(&pools, 1, 10);
    pools.discard_where(|_| true);
    pools.insert(&key(1).finish(), 12).unwrap();
    pools.insert(&key(1).finish(), 13).unwrap();
    pools.release_all(Cause::Superseded);
    assert_eq!(pools.info().entries, 0);
    for of_callers in [false, true] {
        let shared = Shared {
            name: "scoped",
            scope: Some("tenant"),
            of_callers,
        };
        let settings = Settings::default().scope(Scope::Custom);
        let scoped =
            Function::<u64, String>::new(&world.engine, "scoped", settings, Box::new(shared));
        let scoped = scoped.unwrap();
        get(&scoped, 1, 10);
        scoped.clear().unwrap();
        assert_eq!(fleet.raised(), usize::from(of_callers));
    }
    assert!(world.engine.shutdown());
    assert_eq!(fleet.raised(), 1);
}

#[test]
fn d1_a_scope_of_callers_is_shared_scope_by_scope() {
    let fleet = Arc::default();
    let (one, two) = (member(&fleet), member(&fleet));
    let scoped = |world: &World, scope| {
        let shared = Shared {
            name: "scoped",
            scope: Some(scope),
            of_callers: true,
        };
        let settings = Settings::default().scope(Scope::Custom);
        Function::<u64, String>::new(&world.engine, "scoped", settings, Box::new(shared)).unwrap()
    };
    let here = scoped(&one, "a");
    let (a, b) = (scoped(&two, "a"), scoped(&two, "b"));
    get(&a, 1, 10);
    get(&a, 2, 20);
    get(&b, 1, 10);
    here.clear_entry(&key(1).finish()).unwrap();
    assert_eq!(
        (get(&a, 1, 11), get(&a, 2, 21), get(&b, 1, 11)),
        (11, 20, 10)
    );
    here.clear().unwrap();
    assert_eq!(
        (get(&a, 1, 12), get(&a, 2, 22), get(&b, 1, 12)),
        (12, 22, 10)
    );
    one.engine.clear_all();
    assert_eq!(get(&b, 1, 13), 13);
}

#[test]
fn d1_a_member_that_lost_the_others_builds_for_each_caller_or_serves_as_set() {
    let fleet = Arc::default();
    let serves = member(&fleet);
    let rebuilds = member_with(&fleet, Terms::default().lost(Lost::Rebuild));
    let (here, there) = (pools(&serves), pools(&rebuilds));
    let own = Function::<u64, String>::plain(&rebuilds.engine, "own", Settings::default()).unwrap();
    for pools in [&here, &there, &own] {
        // Found without a lock from the second hit on.
        for _ in 0..3 {
            assert_eq!(get(pools, 1, 10), 10);
        }
        assert_eq!(get(pools, 2, 20), 20);
    }
    serves.inlet.lost();
    rebuilds.inlet.lost();
    assert_eq!((get(&here, 1, 11), get(&own, 1, 11)), (10, 10));
    for value in 11..14 {
        assert_eq!(get(&there, 1, value), value, "each builds its own");
    }
    assert_eq!(get(&there, 3, 30), 30);
    assert_eq!(get(&there, 3, 31), 31);
    // A failed build gives nothing that may be out of date.
    assert!(
        there
            .get_or_build(&key(2).finish(), || Err("no".into()))
            .is_err()
    );
    // While it catches up it learns that the first entry was cleared.
    let marked = fleet.raised();
    here.clear_entry(&key(1).finish()).unwrap();
    assert_eq!(fleet.raised(), marked + 1);
    rebuilds.inlet.caught_up();
    assert_eq!((get(&there, 1, 15), get(&there, 2, 25)), (15, 20));
    assert_eq!(get(&there, 1, 16), 15);
    rebuilds.engine.run_due();
    let info = there.info();
    assert_eq!(info.builds - info.all_released(), info.entries);
}

#[test]
fn d1_a_member_that_lost_the_others_shows_nothing_that_may_not_be_current_unless_it_serves() {
    let fleet = Arc::default();
    let (serves, rebuilds) = (
        member(&fleet),
        member_with(&fleet, Terms::default().lost(Lost::Rebuild)),
    );
    let (here, there) = (pools(&serves), pools(&rebuilds));
    let own = Function::<u64, String>::plain(&rebuilds.engine, "own", Settings::default()).unwrap();
    let shown = |pools: &Function<u64, String>| {
        let kept = pools.kept(&key(1).finish()).unwrap();
        kept.map(|it| *it)
    };
    for pools in [&here, &there, &own] {
        get(pools, 1, 10);
        assert_eq!(shown(pools), Some(10));
    }
    serves.inlet.lost();
    rebuilds.inlet.lost();
    assert_eq!(
        (shown(&here), shown(&there), shown(&own)),
        (Some(10), None, Some(10))
    );
    rebuilds.inlet.caught_up();
    assert_eq!(shown(&there), Some(10));
}

#[test]
fn d1_what_cannot_be_known_any_more_expires_or_is_cleared_as_set() {
    let fleet = Arc::default();
    let clears = member_with(&fleet, Terms::default().forgot(Ending::Cleared));
    let expires = member(&fleet);
    let stale = || Settings::default().max_stale(Duration::from_secs(60));
    let (one, two) = (pools_with(&clears, stale()), pools_with(&expires, stale()));
    for (world, pools) in [(&clears, &one), (&expires, &two)] {
        get(pools, 1, 10);
        world.inlet.forgot();
        world.engine.run_due();
    }
    assert_eq!((one.info().entries, two.info().entries), (0, 1));
    let failed = two.get_or_build(&key(1).finish(), || Err("no source".to_owned()));
    assert_eq!(*failed.unwrap(), 10);
    assert_eq!(fleet.raised(), 0);
}

#[test]
fn d1_a_member_that_joins_late_knows_what_it_holds_already() {
    let fleet: Arc<Fleet> = Arc::default();
    let one = member(&fleet);
    let clock = ManualClock::new();
    let engine = Engine::with_clock(clock.clone());
    let shared = Shared {
        name: "pool",
        scope: None,
        of_callers: false,
    };
    let there =
        Function::<u64, String>::new(&engine, "pool", Settings::default(), Box::new(shared));
    let there = there.unwrap();
    get(&there, 1, 10);
    let bus = Arc::new(Member {
        number: u64::MAX,
        fleet: Arc::clone(&fleet),
    });
    let inlet = engine.join_fleet(bus, Terms::default());
    fleet.members.lock().unwrap().push((u64::MAX, inlet));
    pools(&one).clear_entry(&key(1).finish()).unwrap();
    assert_eq!(get(&there, 1, 11), 11);
    // Once it has left it hears of nothing.
    assert!(engine.leave_fleet().is_some());
    pools(&one).clear().unwrap();
    assert_eq!(get(&there, 1, 12), 11);
}

#[test]
fn d2_a_key_of_this_process_alone_is_cleared_here_and_with_its_function() {
    let fleet: Arc<Fleet> = Arc::default();
    let (one, two) = (member(&fleet), member(&fleet));
    let (here, there) = (pools(&one), pools(&two));
    let narrow = |meaning| {
        let mut own = key(1);
        own.narrow(meaning);
        own
    };
    let own = narrow(Meaning::Process);
    let value = *there.get_or_build(&own.finish(), || Ok(10)).unwrap();
    assert_eq!(value, 10);
    here.clear_entry(&own.finish()).unwrap();
    assert_eq!(fleet.raised(), 0);
    assert_eq!(there.info().entries, 1);
    here.clear().unwrap();
    assert_eq!(there.info().entries, 0);
    // What depends on the version is told to those of the same version.
    let versioned = narrow(Meaning::Version);
    there.get_or_build(&versioned.finish(), || Ok(10)).unwrap();
    here.clear_entry(&key(1).finish()).unwrap();
    assert_eq!(there.info().entries, 1);
    here.clear_entry(&versioned.finish()).unwrap();
    assert_eq!(there.info().entries, 0);
}

#[test]
fn d1_a_clear_from_elsewhere_is_spread_and_one_from_here_is_not() {
    let fleet = Arc::default();
    let minute = Duration::from_secs(60);
    let spread = Terms::default().spread(minute);
    let (one, two) = (member_with(&fleet, spread), member_with(&fleet, spread));
    let (here, there) = (pools(&one), pools(&two));
    for pools in [&here, &there] {
        get(pools, 1, 10);
    }
    here.clear_entry(&key(1).finish()).unwrap();
    assert_eq!(get(&here, 1, 11), 11, "who clears builds at once");
    assert_eq!(
        get(&there, 2, 20),
        20,
        "and so does who builds something else"
    );
    let (told, heard) = channel();
    thread::scope(|scope| {
        let waits = scope.spawn(|| {
            let build = || {
                told.send(()).unwrap();
                Ok(12)
            };
            *there.get_or_build(&key(1).finish(), build).unwrap()
        });
        while there.info().misses < 3 {
            thread::yield_now();
        }
        two.engine.run_due();
        assert!(heard.try_recv().is_err());
        two.clock.advance(minute);
        // Whether it has begun to wait by now or not: its time has come.
        while !waits.is_finished() {
            two.engine.run_due();
            thread::yield_now();
        }
        assert_eq!(waits.join().unwrap(), 12);
    });
    // What may still be handed out is handed out until then.
    let stale = pools_with(&two, Settings::default().max_stale(2 * minute));
    get(&stale, 1, 10);
    here.expire().unwrap();
    assert_eq!(get(&stale, 1, 11), 10);
    two.clock.advance(minute);
    assert_eq!(get(&stale, 1, 11), 11);
}

#[test]
fn d1_a_shutdown_waits_for_what_another_member_has_ended() {
    let fleet = Arc::default();
    let one = member(&fleet);
    let engine = Engine::new();
    let released = Arc::new(AtomicUsize::new(0));
    struct Counts(Arc<AtomicUsize>);
    impl Behaviour<u64> for Counts {
        fn known_as(&self) -> Option<KnownAs> {
            Some(KnownAs::new("pool", "test 1"))
        }
        fn release(&self, _: u64, cause: Cause) -> Result<(), tenure::ReleaseFailed> {
            assert_eq!(cause, Cause::Cleared);
            self.0.fetch_add(1, SeqCst);
            Ok(())
        }
    }
    let number = u64::MAX;
    let bus = Arc::new(Member {
        number,
        fleet: Arc::clone(&fleet),
    });
    let inlet = engine.join_fleet(bus, Terms::default());
    fleet.members.lock().unwrap().push((number, inlet));
    let counts = Box::new(Counts(Arc::clone(&released)));
    let there = Function::<u64, String>::new(&engine, "pool", Settings::default(), counts).unwrap();
    for at in 0..100 {
        get(&there, at, at);
    }
    pools(&one).clear().unwrap();
    assert!(engine.shutdown());
    assert_eq!(released.load(SeqCst), 100);
}

/// A bus whose marks are of its own, and which looks who has hold of it as it computes them.
struct Watched {
    salt: &'static str,
    itself: Mutex<Weak<Watched>>,
    most: AtomicUsize,
    settled: Mutex<Vec<Duration>>,
}

impl Bus for Watched {
    fn mark(&self, purpose: Purpose, parts: &[&[u8]]) -> Mark {
        let held = self.itself.lock().unwrap().strong_count();
        self.most.fetch_max(held, SeqCst);
        let text = format!("{} {purpose:?} {parts:?}", self.salt);
        Mark(Digests::Fixed.of(text.as_bytes()).to_le_bytes())
    }

    fn raise(&self, _: Topic, _: Ending) {}

    fn ask(&self, _: Mark, _: u32, tell: Box<dyn FnOnce(Option<Permit>) + Send>) -> Asking {
        tell(None);
        Box::new(())
    }

    fn settle(&self, bound: Duration) -> bool {
        self.settled.lock().unwrap().push(bound);
        true
    }
}

fn join_watched(engine: &Engine, salt: &'static str) -> (Arc<Watched>, Inlet) {
    let bus = Arc::new_cyclic(|itself| Watched {
        salt,
        itself: Mutex::new(itself.clone()),
        most: AtomicUsize::new(0),
        settled: Mutex::default(),
    });
    let inlet = engine.join_fleet(bus.clone(), Terms::default());
    (bus, inlet)
}

#[test]
fn d1_no_call_has_hold_of_the_bus_where_it_holds_a_lock() {
    let engine = Engine::with_clock(ManualClock::new());
    let shared = Shared {
        name: "pool",
        scope: None,
        of_callers: false,
    };
    let settings = Settings::default().tags_calls(true);
    let pools = Function::new(&engine, "pool", settings, Box::new(shared)).unwrap();
    let (bus, _) = join_watched(&engine, "a");
    bus.most.store(0, SeqCst);
    get_tagged(&pools, 1, "tenant:7");
    pools.insert(&key(2).finish(), 2).unwrap();
    // The engine's, and the test's.
    assert_eq!(bus.most.load(SeqCst), 2);
}

#[test]
fn d1_a_shutdown_has_its_second_to_tell_the_fleet_however_long_releases_take() {
    let engine = Engine::with_clock(ManualClock::new());
    let (bus, _) = join_watched(&engine, "a");
    engine.shutdown_within(Duration::ZERO);
    assert_eq!(*bus.settled.lock().unwrap(), [Duration::from_secs(1)]);
}

#[test]
fn d5_figures_are_those_of_all_functions_and_disturb_no_hit() {
    let fleet = Arc::default();
    let world = member(&fleet);
    let pools = pools_with(&world, Settings::default().max_entries(500));
    for at in 0..600 {
        get(&pools, at, at);
        get(&pools, at, at);
    }
    let failed = pools.get_or_build(&key(900).finish(), || Err("no".to_owned()));
    assert!(failed.is_err());
    let exact = pools.info();
    let all = world.inlet.figures().unwrap();
    let counted = [
        all.functions,
        all.entries,
        all.misses,
        all.builds,
        all.failures,
    ];
    assert_eq!(counted, [1, 500, 601, 600, 1]);
    assert_eq!(all.hits, exact.hits);
}

#[test]
fn d1_an_engine_that_goes_over_to_another_fleet_has_the_marks_of_that_one() {
    let engine = Engine::with_clock(ManualClock::new());
    let shared = Shared {
        name: "pool",
        scope: None,
        of_callers: false,
    };
    let pools = Function::new(&engine, "pool", Settings::default(), Box::new(shared)).unwrap();
    let (_, before) = join_watched(&engine, "a");
    get(&pools, 1, 10);
    get(&pools, 2, 20);
    let (bus, inlet) = join_watched(&engine, "b");
    assert_eq!(engine.inspect().marks, 2);
    let function = bus.mark(Purpose::Function, &[b"pool"]);
    before.lost();
    inlet.ended(Topic::Function(function), Ending::Cleared);
    assert_eq!((pools.info().entries, engine.inspect().marks), (0, 0));
}

#[test]
fn l18_what_a_child_is_handed_ends_with_what_others_have_ended_and_with_nothing_else() {
    let fleet: Arc<Fleet> = Arc::default();
    let other = member(&fleet);
    let handed = |end: &dyn Fn(&World)| {
        let kept = || Settings::default().fork(Fork::Keep).tags_calls(true);
        let parent = member(&fleet);
        let theirs = pools_with(&parent, kept());
        for (at, tag) in [(1, "tenant:7"), (2, "tenant:8"), (3, "tenant:8")] {
            get_tagged(&theirs, at, tag);
        }
        let legacy = theirs.legacy();
        let child = member(&fleet);
        child.engine.note_ends();
        end(&other);
        // Nothing is registered there before the function is asked for.
        let own = pools_with(&child, kept());
        own.inherit(legacy.heirlooms(|it| *it));
        let left: Vec<_> = (1..4)
            .filter(|at| own.kept(&key(*at).finish()).unwrap().is_some())
            .collect();
        assert_eq!(own.info().inherited, left.len() as u64);
        left
    };
    let others = desks(&other, Settings::default());
    assert_eq!(handed(&|_| others.clear().unwrap()), [1, 2, 3]);
    assert_eq!(
        handed(&|it| pools(it).clear_entry(&key(2).finish()).unwrap()),
        [1, 3]
    );
    assert_eq!(handed(&|it| it.engine.clear_tag("tenant:8")), [1]);
    assert_eq!(handed(&|it| pools(it).clear().unwrap()), [0; 0]);
    assert_eq!(handed(&|it| it.engine.clear_all()), [0; 0]);
}

#[test]
fn d1_what_is_known_of_entries_goes_with_them() {
    let fleet: Arc<Fleet> = Arc::default();
    let world = member(&fleet);
    let pools = pools_with(&world, Settings::default().max_entries(10));
    for at in 0..1000 {
        get(&pools, at, at);
        assert!(
            world.engine.inspect().marks <= 40,
            "entries that were evicted"
        );
    }
    pools.clear().unwrap();
    assert_eq!(world.engine.inspect().marks, 0);
    // A build that clears keeps its own.
    let other = member(&fleet);
    let others = self::pools(&other);
    let build = || {
        others.clear().unwrap();
        Ok(7)
    };
    assert_eq!(*others.get_or_build(&key(1).finish(), build).unwrap(), 7);
    assert_eq!(
        (others.info().entries, other.engine.inspect().marks),
        (1, 1)
    );
    get(&pools, 1, 10);
    pools.clear_entry(&key(1).finish()).unwrap();
    assert_eq!(others.info().entries, 0);
}

/// Has one member clear each of these, and sees that none is found any more at the other.
fn all_are_found(here: &Pools, there: &Pools, keys: impl IntoIterator<Item = u64>) {
    for at in keys {
        let before = there.info().entries;
        here.clear_entry(&key(at).finish()).unwrap();
        assert_eq!(there.info().entries, before - 1, "the clear of {at}");
    }
    assert_eq!(there.info().entries, 0);
}

#[test]
fn d1_each_clear_of_an_entry_is_heard_however_many_there_are() {
    let fleet = Arc::default();
    let (one, two) = (member(&fleet), member(&fleet));
    let here = pools(&one);
    let there = pools(&two);
    for at in (0..200).chain([3, 3]) {
        get(&there, at, at);
    }
    all_are_found(&here, &there, 0..200);
    // What was evicted takes no mark with it that is not its own.
    let few = pools_with(&two, Settings::default().max_entries(10));
    for at in 0..200 {
        get(&few, at, at);
    }
    all_are_found(&here, &few, 190..200);
    // Nor does what was replaced.
    for at in 0..200 {
        there.insert(&key(at % 10).finish(), at).unwrap();
        few.insert(&key(at % 15).finish(), at).unwrap();
    }
    all_are_found(&here, &there, 0..10);
}

#[test]
fn d1_a_clear_is_heard_however_often_the_entry_was_refreshed() {
    let fleet = Arc::default();
    let (one, two) = (member(&fleet), member(&fleet));
    let settings = Settings::default()
        .max_entries(1)
        .ttl(Duration::from_secs(60));
    let (here, there) = (pools(&one), pools_with(&two, settings));
    for round in 0..200 {
        for at in [round, round + 1, round + 1] {
            get(&there, at, at);
            there.expire_entry(&key(at).finish()).unwrap();
            get(&there, at, at);
        }
        all_are_found(&here, &there, [round + 1]);
    }
    let stale = pools_with(&two, Settings::default().max_stale(Duration::from_secs(60)));
    for rounds in 0..40 {
        for _ in 0..rounds {
            get(&stale, 1, 10);
            stale.expire().unwrap();
        }
        get(&stale, 1, 10);
        all_are_found(&here, &stale, [1]);
    }
}
