//! The entries that are found without a lock: a hit against everything that ends an entry.
//!
//! Under loom and miri a table has few slots, and a slot two references: hits run out of them, and
//! threads part. A look at an entry after its drop, or one that no order of events keeps from that,
//! fails the model; so does a reference that is lost, because its resource is then never released.

use super::threads::{Pair, both, does, gets, model, spawn, with, with_ttl};
use super::world::{PAST_TTL, key};
use crate::{Cause, Settings};

/// A function whose entry was built, and found once: it stands in the table from then on.
fn warm(settings: Settings) -> Pair {
    let shared = with(settings);
    for _ in 0..2 {
        assert_eq!(shared.0.number(&shared.1, 1), 0);
    }
    shared
}

/// Every hit so far was counted once, and at the end everything was released once.
fn ends_with_hits((world, f): &Pair, hits: u64) {
    assert_eq!(f.info().hits, hits);
    world.check_to_the_end(&[f]);
    assert_eq!(f.info().hits, hits);
}

/// Calls, and gives back what it got before it says whether that was a hit on the first entry.
fn hits(shared: &Pair) -> impl FnOnce() -> u64 + 'static {
    does(shared, |world, f| {
        let lease = world.get(f, 1).unwrap();
        // Held, so not released, whoever ends its entry.
        assert_eq!(world.log.cause(lease.number), None);
        u64::from(lease.number == 0)
    })
}

#[test]
fn l1_a_clear_races_with_a_hot_hit() {
    model(|| {
        let shared = warm(Settings::default());
        let clears = does(&shared, |_, f| f.clear().unwrap());
        let ((), hit) = both(clears, hits(&shared));
        assert_eq!(shared.0.log.cause(0), Some(Cause::Cleared));
        ends_with_hits(&shared, 1 + hit);
    });
}

#[test]
fn l1_a_clear_races_with_two_hot_hits() {
    model(|| {
        let shared = warm(Settings::default());
        let clears = spawn(does(&shared, |_, f| {
            f.clear_entry(&key(1).finish()).unwrap()
        }));
        let (one, other) = both(hits(&shared), hits(&shared));
        clears.join().unwrap();
        assert_eq!(shared.0.log.cause(0), Some(Cause::Cleared));
        // Of two that came too late, one builds, and the other waits or finds what it built.
        let hits = shared.1.info().hits - 1 - one - other;
        assert!(hits <= u64::from(one + other == 0), "{hits}");
        shared.0.check_to_the_end(&[&shared.1]);
    });
}

#[test]
fn l1_a_lease_ends_elsewhere_while_its_entry_does() {
    model(|| {
        let shared = warm(Settings::default());
        let lease = gets(&shared)().unwrap();
        let ends = move || drop(lease);
        let clears = does(&shared, |_, f| f.clear().unwrap());
        both(ends, clears);
        assert_eq!(shared.0.log.cause(0), Some(Cause::Cleared));
        ends_with_hits(&shared, 2);
    });
}

#[test]
fn l1_a_cache_is_dropped_while_its_last_lease_is() {
    model(|| {
        let (world, f) = warm(Settings::default());
        let lease = world.get(&f, 1).unwrap();
        both(move || drop(lease), move || drop(f));
        assert_eq!(world.log.cause(0), Some(Cause::Superseded));
        world.check_to_the_end(&[]);
    });
}

#[test]
fn l4_an_expiry_races_with_a_hot_hit() {
    model(|| {
        let shared = warm(with_ttl());
        shared.0.clock.advance(PAST_TTL);
        let expires = does(&shared, |world, _| world.engine.run_due());
        let ((), got) = both(expires, gets(&shared));
        // It stands in the table, and is not given out.
        assert_eq!(got.unwrap().number, 1);
        assert_eq!(shared.0.log.cause(0), Some(Cause::Expired));
        ends_with_hits(&shared, 1);
    });
}

#[test]
fn l10_an_eviction_races_with_a_hot_hit() {
    model(|| {
        let shared = warm(Settings {
            max_entries: Some(1),
            ..Settings::default()
        });
        let evicts = does(&shared, |world, f| world.number(f, 2));
        both(evicts, hits(&shared));
        assert_eq!(shared.0.log.cause(0), Some(Cause::Evicted));
        shared.0.check_to_the_end(&[&shared.1]);
    });
}

#[test]
fn l10_two_keys_take_turns_in_one_slot() {
    model(|| {
        let shared = warm(Settings::default());
        shared.0.number(&shared.1, 2);
        let other = does(&shared, |world, f| {
            for _ in 0..2 {
                assert_eq!(world.number(f, 2), 1);
            }
        });
        let ((), hit) = both(other, hits(&shared));
        assert_eq!(hit, 1);
        ends_with_hits(&shared, 4);
    });
}

/// Two hits, both held at once, so that the second finds one reference less.
fn twice(shared: &Pair) -> impl FnOnce() + 'static {
    does(shared, |world, f| {
        let leases = [world.get(f, 1).unwrap(), world.get(f, 1).unwrap()];
        assert!(leases.iter().all(|it| it.number == 0));
    })
}

#[test]
fn v1_hits_that_use_a_slot_up_are_counted() {
    model(|| {
        let shared = warm(Settings::default());
        both(twice(&shared), twice(&shared));
        ends_with_hits(&shared, 5);
    });
}

#[test]
fn v1_figures_are_read_while_there_are_hits() {
    model(|| {
        let shared = warm(Settings::default());
        let reads = does(&shared, |_, f| f.info().hits);
        let (seen, hit) = both(reads, hits(&shared));
        assert_eq!(hit, 1);
        assert!((1..=2).contains(&seen), "{seen}");
        ends_with_hits(&shared, 2);
    });
}

#[test]
fn l1_a_shutdown_races_with_a_hot_hit() {
    model(|| {
        let shared = warm(Settings::default());
        // What it says depends on whether the hit's lease is still held.
        let ends = does(&shared, |world, _| _ = world.engine.shutdown());
        let ((), _) = both(ends, hits(&shared));
        assert_eq!(shared.0.log.cause(0), Some(Cause::Shutdown));
        shared.0.check_to_the_end(&[&shared.1]);
    });
}

/// More keys than slots, and everything at once: hits, evictions, clears, leases that end late.
#[cfg(not(loom))]
#[test]
fn l1_threads_that_do_anything_on_hot_entries() {
    const STEPS: u64 = if cfg!(miri) { 10 } else { 200 };
    model(|| {
        let shared = with(Settings {
            max_entries: Some(2),
            ..Settings::default()
        });
        let does_anything = |who: u64| {
            does(&shared, move |world, f| {
                let mut last = None;
                for step in 0..STEPS {
                    let lease = world.get(f, (step + who) % 3).unwrap();
                    assert_eq!(world.log.cause(lease.number), None);
                    if step % 5 == who {
                        f.clear_entry(&key(who).finish()).unwrap();
                    }
                    // The one before is dropped while this one is held.
                    last = Some(lease);
                }
                drop(last);
            })
        };
        let third = spawn(does_anything(2));
        both(does_anything(0), does_anything(1));
        third.join().unwrap();
        shared.0.check_to_the_end(&[&shared.1]);
    });
}
