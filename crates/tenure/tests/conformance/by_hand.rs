//! L1: entries that are put in, looked at, taken out by what they are, or never become any.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tenure::Cause;

use crate::orphans::orphaned;
use crate::support::{Thing, World, gate, interrupt, key};

fn odd(thing: &Thing) -> bool {
    thing.number % 2 == 1
}

pub fn l1_what_is_put_in_is_an_entry_like_any_other(world: &World) {
    let f = world.function(world.settings());
    assert_eq!(world.number(&f, 1), 0);
    let put = f.insert(&key(1).finish(), world.log.thing()).unwrap();
    assert_eq!(put.number, 1);
    assert_eq!(world.causes(0), [Cause::Replaced]);
    assert_eq!(world.number(&f, 1), 1);
    drop(put);
    f.clear().unwrap();
    assert_eq!(world.causes(1), [Cause::Cleared]);
}

pub fn l1_what_is_replaced_stays_with_who_asked_for_it(world: &World) {
    let f = world.function(world.settings());
    assert!(
        f.replace(&key(1).finish(), world.log.thing())
            .unwrap()
            .is_none()
    );
    let before = f
        .replace(&key(1).finish(), world.log.thing())
        .unwrap()
        .unwrap();
    assert_eq!(before.number, 0);
    assert_eq!(world.causes(0), []);
    drop(before);
    assert_eq!(world.causes(0), [Cause::Replaced]);
}

pub fn v1_a_look_builds_nothing_and_counts_nothing(world: &World) {
    let settings = world.settings().ttl(Duration::from_secs(5));
    let keeper = world.keeper().validating(|_| Ok(false));
    let f = world.function_with("f", settings.validates(true), keeper);
    let kept = || f.kept(&key(1).finish()).unwrap().map(|it| it.number);
    assert_eq!((kept(), f.info().misses), (None, 0));
    assert_eq!(world.number(&f, 1), 0);
    // It is not checked, nor is it any use of it.
    assert_eq!((kept(), f.info().hits), (Some(0), 0));
    // Nobody has come to release it yet.
    world.clock.advance(Duration::from_secs(5));
    assert_eq!(kept(), None);
    world.pass(Duration::ZERO);
    assert_eq!(world.causes(0), [Cause::Expired]);
}

pub fn v1_a_look_waits_for_no_build(world: &World) {
    let f = world.function(world.settings());
    let (gate, keyhole) = gate();
    thread::scope(|scope| {
        let builder = scope.spawn(|| world.get_through(&keyhole, &f, 1).number);
        gate.reached();
        assert!(f.kept(&key(1).finish()).unwrap().is_none());
        gate.open();
        assert_eq!(builder.join().unwrap(), 0);
    });
    assert_eq!(f.kept(&key(1).finish()).unwrap().unwrap().number, 0);
}

pub fn l8_a_build_that_something_was_put_before_is_an_orphan(world: &World) {
    let f = world.function(world.settings());
    let (gate, keyhole) = gate();
    thread::scope(|scope| {
        let builder = scope.spawn(|| world.get_then_pass(&keyhole, &f, 1).number);
        gate.reached();
        f.insert(&key(1).finish(), world.log.thing()).unwrap();
        gate.open();
        assert_eq!(builder.join().unwrap(), 0);
    });
    assert_eq!(world.causes(0), [Cause::Orphaned]);
    assert_eq!(world.number(&f, 1), 1);
}

pub fn l10_what_is_put_in_makes_room_first(world: &World) {
    let f = world.function(world.settings().max_entries(Some(1)));
    world.number(&f, 1);
    f.insert(&key(2).finish(), world.log.thing()).unwrap();
    assert_eq!(world.causes(0), [Cause::Evicted]);
    assert_eq!(f.info().entries, 1);
}

pub fn l1_those_that_are_meant_are_cleared(world: &World) {
    let f = world.function(world.settings());
    for number in 0..4 {
        assert_eq!(world.number(&f, number), number);
    }
    let held = world.get(&f, 3);
    // Asked under no lock: it may call the function.
    let cleared = f.clear_if(|thing, info| {
        assert_eq!(world.number(&f, thing.number), thing.number);
        odd(thing) && info.leases == 0
    });
    assert_eq!(cleared.unwrap(), 1);
    assert_eq!(world.causes(1), [Cause::Cleared]);
    assert_eq!(world.causes(3), []);
    drop(held);
    assert_eq!(f.clear_if(|thing, _| odd(thing)).unwrap(), 1);
    assert_eq!(f.info().entries, 2);
}

pub fn v1_each_entry_has_its_figures(world: &World) {
    let f = world.function(world.settings());
    world.number(&f, 1);
    world.pass(Duration::from_secs(5));
    let held = world.get(&f, 2);
    let figures = || -> Vec<_> {
        let entries = f.entries().unwrap().into_iter();
        entries
            .map(|it| (it.age.as_secs(), it.hits, it.leases))
            .collect()
    };
    assert_eq!(figures(), [(5, 0, 0), (0, 0, 1)]);
    // Enough for the second to be found without a lock.
    for _ in 0..10 {
        world.number(&f, 2);
    }
    let again = world.get(&f, 2);
    assert_eq!(figures(), [(5, 0, 0), (0, 11, 2)]);
    drop((held, again));
    assert_eq!(figures(), [(5, 0, 0), (0, 11, 0)]);
}

pub fn l1_what_is_not_to_be_kept_goes_to_its_callers_alone(world: &World) {
    let f = world.function_with(
        "f",
        world.settings(),
        world.keeper().keeping(|it| Ok(odd(it))),
    );
    let got = orphaned(world, &f, || ());
    assert_eq!(got.each_ref().map(|it| it.number), [0, 0]);
    assert_eq!((f.info().entries, world.causes(0)), (0, vec![]));
    drop(got);
    assert_eq!(world.causes(0), [Cause::Orphaned]);
    // The next call builds again, and that one is kept.
    assert_eq!([world.number(&f, 1), world.number(&f, 1)], [1, 1]);
}

pub fn l1_a_question_whether_to_keep_that_is_interrupted_loses_nothing(world: &World) {
    let refusals = Arc::new(std::sync::atomic::AtomicU32::new(1));
    let left = Arc::clone(&refusals);
    let keeper = world.keeper().keeping(move |_| {
        let refuses = left.swap(0, std::sync::atomic::Ordering::SeqCst) == 1;
        if refuses { Err(interrupt()) } else { Ok(true) }
    });
    let f = world.function_with("f", world.settings(), keeper);
    let got = f.get_or_build(&key(1).finish(), || Ok(world.log.thing()));
    assert!(got.is_err());
    assert_eq!(world.causes(0), [Cause::Orphaned]);
    assert_eq!(world.number(&f, 1), 1);
}
