//! L1, L3, L4, L9, L10, V1: the life of one resource after another.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, OnceLock, Weak};
use std::thread;
use std::time::Duration;

use tenure::front::{Awaited, Patiently, Waiting};
use tenure::{Cause, Error, Interrupt, ReleaseFailed, Settings};

use crate::support::lines::logged;
use crate::support::{PAST, Thing, Things, World, gate, interrupt, key, receive};

const TTL: Duration = Duration::from_secs(10);

fn with_ttl(world: &World) -> Settings {
    world.settings().ttl(TTL)
}

fn at_most(world: &World, most: usize) -> Settings {
    world.settings().max_entries(most)
}

fn validating(world: &World) -> Settings {
    world.settings().validates(true)
}

pub fn l1_evicted(world: &World) {
    let f = world.function(at_most(world, 1));
    world.number(&f, 1);
    world.number(&f, 2);
    assert_eq!(world.causes(0), [Cause::Evicted]);
    assert_eq!(world.causes(1), []);
}

pub fn l1_expired(world: &World) {
    let f = world.function(with_ttl(world));
    world.number(&f, 1);
    world.clock.advance(TTL + PAST);
    // Found by a caller before the background gets to it.
    assert_eq!(world.number(&f, 1), 1);
    assert_eq!(world.causes(0), [Cause::Expired]);
    world.engine.run_due();
    assert_eq!(world.causes(1), []);
}

pub fn l1_cleared(world: &World) {
    let f = world.function(world.settings());
    world.number(&f, 1);
    world.number(&f, 2);
    f.clear_entry(&key(1).finish()).unwrap();
    assert_eq!(world.causes(0), [Cause::Cleared]);
    assert_eq!(world.causes(1), []);
    world.number(&f, 3);
    f.clear().unwrap();
    world.number(&f, 4);
    world.engine.clear_all();
    for number in 0..4 {
        assert_eq!(world.causes(number), [Cause::Cleared]);
    }
}

pub fn l1_cleared_last_built_first(world: &World) {
    let [f, g] = &["f", "g"].map(|it| world.function_with(it, world.settings(), world.keeper()));
    let built = || {
        for number in 0..3 {
            world.number(f, number);
            world.number(g, number);
        }
    };
    built();
    world.engine.clear_all();
    built();
    f.clear().unwrap();
    assert_eq!(g.clear_if(|_, _| true).unwrap(), 3);
    built();
    assert_eq!(f.discard_where(|_| true), 3);
    g.release_all(Cause::Superseded);
    built();
    world.engine.release_where(&|_| true, Cause::Superseded);
    let expected = [
        [5, 4, 3, 2, 1, 0],
        [10, 8, 6, 11, 9, 7],
        [16, 14, 12, 17, 15, 13],
        [23, 22, 21, 20, 19, 18],
    ];
    assert_eq!(world.log.order(), expected.concat());
}

pub fn l1_invalid(world: &World) {
    let keeper = world.keeper().validating(|thing| Ok(thing.number > 0));
    let f = world.function_with("f", validating(world), keeper);
    world.number(&f, 1);
    assert_eq!(world.number(&f, 1), 1);
    assert_eq!(world.causes(0), [Cause::Invalid]);
}

pub fn l1_superseded(world: &World) {
    let f = world.function(world.settings());
    world.number(&f, 1);
    f.release_all(Cause::Superseded);
    assert_eq!(world.causes(0), [Cause::Superseded]);
}

pub fn l19_a_discarded_lease_is_released_once_and_its_successor_stays(world: &World) {
    let f = world.function(world.settings());
    let (broken, other_user) = (world.get(&f, 1), world.get(&f, 1));
    broken.discard();
    assert_eq!(world.causes(0), []);
    assert_eq!(world.number(&f, 1), 1);
    other_user.discard();
    assert_eq!(world.causes(0), [Cause::Invalid]);
    assert_eq!(world.number(&f, 1), 1);
    assert_eq!(f.discard_where(|thing| thing.number == 1), 1);
    assert_eq!(f.discard_where(|thing| thing.number == 1), 0);
    assert_eq!(world.causes(1), [Cause::Invalid]);
}

pub fn l20_a_shutdown_is_true_only_without_leases(world: &World) {
    let f = world.function(world.settings());
    let lease = world.get(&f, 1);
    let (done, lines) = logged(|| world.engine.shutdown());
    assert!(!done);
    let [line] = &lines[..] else {
        panic!("one line: {lines:?}");
    };
    assert!(
        line.contains(f.name()) && line.contains("resources=1"),
        "{line}"
    );
    drop(lease);
    let (done, lines) = logged(|| world.engine.shutdown());
    assert!(done && lines.is_empty(), "{lines:?}");
}

pub fn f6_superseded_by_what_it_is_made_of(world: &World) {
    let f = world.function(world.settings());
    for key in 0..3 {
        world.number(&f, key);
    }
    // The judge may call the cache: it is asked outside every lock.
    let is_outdated = |resource: &dyn std::any::Any| {
        let thing: &Thing = resource.downcast_ref().unwrap();
        world.number(&f, thing.number) == 1
    };
    world.engine.release_where(&is_outdated, Cause::Superseded);
    assert_eq!(world.causes(1), [Cause::Superseded]);
    assert_eq!(world.log.released(), 1);
    assert_eq!(world.number(&f, 2), 2);
    assert_eq!(world.number(&f, 1), 3);
}

pub fn l1_no_lease_no_call_is_left_out(world: &World) {
    // Every cause at once, with leases out: nothing is released before its last lease is gone.
    let f = world.function(with_ttl(world).max_entries(3));
    let leases: Vec<_> = (0..5).map(|number| world.get(&f, number)).collect();
    f.clear_entry(&key(3).finish()).unwrap();
    world.pass(TTL + PAST);
    assert_eq!(world.log.released(), 0);
    assert_eq!(f.info().draining, 5);
    drop(leases);
    let causes = [
        Cause::Evicted,
        Cause::Evicted,
        Cause::Expired,
        Cause::Cleared,
        Cause::Expired,
    ];
    for (number, cause) in (0..5).zip(causes) {
        assert_eq!(world.causes(number), [cause], "{number}");
    }
}

pub fn l3_a_release_that_fails_reaches_no_caller(world: &World) {
    let keeper = world.keeper().releasing(|thing, _| match thing.number {
        0 => Err(ReleaseFailed),
        1 => panic!("a release that panics, on purpose"),
        _ => Ok(()),
    });
    let f = world.function_with("pool", world.settings(), keeper);
    (0..4).for_each(|number| drop(world.get(&f, number)));
    let ((), lines) = logged(|| f.clear().unwrap());
    assert_eq!(f.info().released(Cause::Cleared), 4);
    assert_eq!(f.info().release_failures, 2);
    // The failure that was returned is logged where it was raised, the panic here.
    let [line] = &lines[..] else {
        panic!("one line: {lines:?}")
    };
    assert!(line.starts_with("ERROR") && line.contains("pool"), "{line}");
}

pub fn l4_expired_is_released_with_nobody_calling(world: &World) {
    let f = world.function(with_ttl(world));
    world.number(&f, 1);
    world.pass(Duration::from_secs(4));
    world.number(&f, 2);
    world.pass(Duration::from_secs(5));
    assert_eq!(world.log.released(), 0);
    world.pass(Duration::from_secs(1) + PAST);
    assert_eq!(world.causes(0), [Cause::Expired]);
    assert_eq!(world.causes(1), []);
    world.pass(Duration::from_secs(4));
    assert_eq!(world.causes(1), [Cause::Expired]);
    assert_eq!(world.engine.inspect().jobs, 0);
}

pub fn l4_expired_is_never_returned(world: &World) {
    let f = world.function(with_ttl(world));
    world.number(&f, 1);
    world.clock.advance(TTL - PAST);
    assert_eq!(world.number(&f, 1), 0);
    world.clock.advance(PAST * 2);
    assert!(f.peek(&key(1).finish(), |thing| thing.number).is_none());
    assert_eq!(world.number(&f, 1), 1);
}

pub fn l4_expired_during_its_check_is_not_returned(world: &World) {
    let clock = world.clock.clone();
    let slow = AtomicBool::new(true);
    let keeper = world.keeper().validating(move |_| {
        if slow.swap(false, Ordering::SeqCst) {
            clock.advance(TTL + PAST);
        }
        Ok(true)
    });
    let settings = with_ttl(world).validates(true);
    let f = world.function_with("f", settings, keeper);
    world.number(&f, 1);
    assert_eq!(world.number(&f, 1), 1);
    assert_eq!(world.causes(0), [Cause::Expired]);
}

/// Wakes long after the build has ended.
struct WakesLate<'a>(&'a World, std::sync::mpsc::Sender<()>);

impl Waiting for WakesLate<'_> {
    fn wait(&self, build: &mut dyn Awaited) -> Result<(), Interrupt> {
        self.1.send(()).expect("the test listens");
        Patiently.wait(build)?;
        self.0.clock.advance(TTL + PAST);
        Ok(())
    }
}

pub fn l4_a_waiter_that_wakes_late_builds_anew(world: &World) {
    let f = &world.function(with_ttl(world));
    let (gate, keyhole) = gate();
    let (announce, announced) = channel();
    thread::scope(|scope| {
        let builder = scope.spawn(|| world.get_through(&keyhole, f, 1).number);
        gate.reached();
        let waiter = scope.spawn(|| {
            let waiting = WakesLate(world, announce);
            let build = || Ok(world.log.thing());
            let got = f.get_or_build_while(&key(1).finish(), &waiting, build);
            got.unwrap().number
        });
        receive(&announced);
        gate.open();
        assert_eq!(builder.join().unwrap(), 0);
        assert_eq!(waiter.join().unwrap(), 1);
    });
    assert_eq!(world.causes(0), [Cause::Expired]);
}

pub fn l4_one_deadline_is_watched_at_a_time(world: &World) {
    let f = world.function(with_ttl(world));
    for number in 0..50 {
        world.number(&f, number);
        world.clock.advance(PAST);
    }
    assert_eq!(world.engine.inspect().jobs, 1);
    // A clear takes its job back; the next entry arms its own.
    f.clear().unwrap();
    assert_eq!(world.engine.inspect().jobs, 0);
    for number in 0..50 {
        world.number(&f, number);
        world.clock.advance(PAST);
    }
    // Between two deadlines, so that each step passes one.
    world.clock.advance(TTL - 50 * PAST - PAST / 2);
    for released in 0..50 {
        assert_eq!(world.log.released(), 50 + released);
        assert_eq!(world.engine.inspect().jobs, 1);
        world.pass(PAST);
    }
    assert_eq!(world.engine.inspect().jobs, 0);
}

pub fn l9_invalid_is_released_and_built_anew(world: &World) {
    let keeper = world.keeper().validating(|thing| Ok(thing.number % 2 == 1));
    let f = world.function_with("f", validating(world), keeper);
    // What was just built is not checked.
    assert_eq!(world.number(&f, 1), 0);
    assert_eq!(world.number(&f, 1), 1);
    assert_eq!(world.number(&f, 1), 1);
    assert_eq!(world.causes(0), [Cause::Invalid]);
    let info = f.info();
    assert_eq!((info.hits, info.misses, info.builds), (1, 2, 2));
    assert!(
        f.peek(&key(1).finish(), |_| ()).is_none(),
        "no access goes unchecked"
    );
}

pub fn l9_a_check_that_is_interrupted_keeps_the_entry(world: &World) {
    let keeper = world.keeper().validating(|_| Err(interrupt()));
    let f = world.function_with("f", validating(world), keeper);
    world.number(&f, 1);
    let got = f.get_or_build(&key(1).finish(), || unreachable!());
    assert!(matches!(got, Err(Error::Interrupted(_))));
    assert_eq!(f.info().entries, 1);
    assert_eq!(world.log.released(), 0);
}

pub fn l9_cleared_during_its_check_is_not_returned(world: &World) {
    let me: Arc<OnceLock<Weak<Things>>> = Arc::default();
    let own = Arc::clone(&me);
    let keeper = world.keeper().validating(move |thing| {
        if thing.number == 0 {
            let f = own.get().and_then(Weak::upgrade).expect("it is called");
            f.clear().unwrap();
        }
        Ok(true)
    });
    let f = world.function_with("f", validating(world), keeper);
    me.set(Arc::downgrade(&f)).unwrap();
    world.number(&f, 1);
    assert_eq!(world.number(&f, 1), 1);
    assert_eq!(world.causes(0), [Cause::Cleared]);
}

pub fn l10_the_oldest_goes_first(world: &World) {
    let f = world.function(at_most(world, 3));
    for number in 0..10 {
        world.number(&f, number);
        // A hit does not make an entry younger.
        world.number(&f, number.saturating_sub(2));
        assert!(f.info().entries <= 3);
    }
    assert_eq!(world.log.order(), (0..7).collect::<Vec<_>>());
}

pub fn l10_nothing_is_kept_for_keys_that_are_gone(world: &World) {
    let f = world.function(at_most(world, 10));
    for number in 0..1000 {
        world.number(&f, number);
    }
    let counts = world.engine.inspect();
    assert_eq!((counts.flights, counts.jobs, counts.waits), (0, 0, 0));
    assert!(counts.nodes <= 11, "{counts:?}");
    f.clear().unwrap();
    assert_eq!(world.engine.inspect().nodes, 0);
}

pub fn v1_the_figures_add_up(world: &World) {
    let f = world.function(with_ttl(world));
    let lease = world.get(&f, 1);
    world.clock.advance(Duration::from_secs(2));
    world.number(&f, 2);
    (0..3).for_each(|_| _ = world.number(&f, 1));
    _ = f.get_or_build(&key(3).finish(), || Err(String::new()));
    f.clear_entry(&key(1).finish()).unwrap();
    let info = f.info();
    assert_eq!(
        (info.hits, info.misses),
        (3, 3),
        "hits do not go back when an entry ends"
    );
    assert_eq!((info.builds, info.failures), (2, 1));
    assert_eq!((info.entries, info.draining), (1, 1));
    drop(lease);
    let info = f.info();
    assert_eq!((info.hits, info.draining), (3, 0));
    assert_eq!(info.released(Cause::Cleared), 1);
    assert_eq!(info.ages.len(), 1);
    assert!(info.ages[0] < PAST, "{:?}", info.ages);
}
