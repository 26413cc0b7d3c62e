//! L8: builds whose place is gone when they end.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;

use tenure::{Cause, Lease};

use crate::support::{Announced, Thing, Things, World, gate, key, receive};

/// Builds resource 0 under key 1 with one more caller waiting, runs `meanwhile`, and gives what
/// the two got.
pub(crate) fn orphaned(
    world: &World,
    f: &Arc<Things>,
    meanwhile: impl FnOnce(),
) -> [Lease<Thing>; 2] {
    let (gate, keyhole) = gate();
    let (announce, announced) = channel();
    thread::scope(|scope| {
        let builder = scope.spawn(|| world.get_then_pass(&keyhole, f, 1));
        gate.reached();
        let waiter = scope.spawn(|| {
            let waiting = Announced(announce);
            let got = f.get_or_build_while(&key(1).finish(), &waiting, || unreachable!());
            got.unwrap()
        });
        receive(&announced);
        meanwhile();
        gate.open();
        [builder.join().unwrap(), waiter.join().unwrap()]
    })
}

/// Both callers got it, it is no entry, and it ends as an orphan once both have let go.
fn check(world: &World, f: &Things, [one, other]: [Lease<Thing>; 2]) {
    assert_eq!([one.number, other.number], [0, 0]);
    assert_eq!(f.info().entries, 0);
    assert_eq!(world.causes(0), []);
    drop(one);
    assert_eq!(world.causes(0), []);
    assert_eq!(other.number, 0);
    drop(other);
    assert_eq!(world.causes(0), [Cause::Orphaned]);
}

pub fn l8_cleared_while_it_was_built(world: &World) {
    let f = world.function(world.settings());
    let got = orphaned(world, &f, || f.clear().unwrap());
    check(world, &f, got);
}

pub fn l8_its_entry_cleared_while_it_was_built(world: &World) {
    let f = world.function(world.settings());
    let got = orphaned(world, &f, || {
        // Another key's clear is no matter.
        f.clear_entry(&key(2).finish()).unwrap();
        f.clear_entry(&key(1).finish()).unwrap();
    });
    check(world, &f, got);
}

pub fn l8_superseded_while_it_was_built(world: &World) {
    let f = world.function(world.settings());
    let got = orphaned(world, &f, || f.release_all(Cause::Superseded));
    check(world, &f, got);
}

pub fn l8_an_orphan_overwrites_nothing(world: &World) {
    let f = world.function(world.settings());
    let got = orphaned(world, &f, || {
        world.engine.clear_all();
        assert_eq!(world.number(&f, 1), 1);
    });
    assert_eq!([got[0].number, got[1].number], [0, 0]);
    assert_eq!(world.number(&f, 1), 1);
    drop(got);
    assert_eq!(world.causes(0), [Cause::Orphaned]);
    assert_eq!(world.causes(1), []);
}

pub fn l8_an_orphan_waits_until_it_is_let_go(world: &World) {
    // Where leases do not tell, and whatever the drain: who waited has only just received it.
    let f = world.function_with("f", world.settings(), world.keeper().watched());
    let got = orphaned(world, &f, || f.clear().unwrap());
    let used = got[0].hold();
    drop(got);
    assert_eq!(world.causes(0), []);
    assert_eq!(f.info().draining, 1);
    for _ in 0..100 {
        world.pass(std::time::Duration::from_secs(60));
    }
    assert_eq!(world.causes(0), []);
    drop(used);
    world.pass(std::time::Duration::from_secs(1));
    assert_eq!(world.causes(0), [Cause::Orphaned]);
}
