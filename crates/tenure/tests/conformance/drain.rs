//! L5: a resource that someone still uses.

use std::time::Duration;

use tenure::{Cause, Settings};

use crate::support::lines::logged;
use crate::support::{PAST, World, key};

const DRAIN: Duration = Duration::from_secs(10);
/// The engine looks at least this often.
const A_LOOK: Duration = Duration::from_millis(100);

fn draining(world: &World) -> Settings {
    world.settings().drain(DRAIN)
}

pub fn l5_a_lease_keeps_its_resource(world: &World) {
    for settings in [world.settings(), draining(world)] {
        let f = world.function(settings);
        let lease = world.get(&f, 1);
        let number = lease.number;
        f.clear().unwrap();
        assert_eq!(f.info().draining, 1);
        assert_ne!(world.number(&f, 1), number, "it is not handed out again");
        assert_eq!(world.causes(number), []);
        drop(lease);
        assert_eq!(world.causes(number), [Cause::Cleared]);
    }
}

pub fn l5_watched_waits_for_its_users(world: &World) {
    let f = world.function_with("f", draining(world), world.keeper().watched());
    let used = world.get(&f, 1).hold();
    f.clear().unwrap();
    assert_eq!(world.number(&f, 1), 1);
    for _ in 0..50 {
        world.pass(A_LOOK);
    }
    assert_eq!(world.causes(0), []);
    assert_eq!(f.info().draining, 1);
    drop(used);
    world.pass(A_LOOK);
    assert_eq!(world.causes(0), [Cause::Cleared]);
    assert_eq!(world.engine.inspect().jobs, 0);
}

pub fn l5_watched_is_released_when_its_time_is_over(world: &World) {
    let f = world.function_with("pool", draining(world), world.keeper().watched());
    let _used = world.get(&f, 1).hold();
    f.clear_entry(&key(1).finish()).unwrap();
    let ((), lines) = logged(|| {
        world.pass(DRAIN - PAST);
        assert_eq!(world.causes(0), []);
        world.pass(PAST);
        assert_eq!(world.causes(0), [Cause::Cleared]);
    });
    let [line] = &lines[..] else {
        panic!("one line: {lines:?}")
    };
    assert!(line.starts_with("WARN") && line.contains("pool"), "{line}");
}

pub fn l5_without_a_drain_release_is_at_once(world: &World) {
    let f = world.function_with("f", world.settings(), world.keeper().watched());
    let _used = world.get(&f, 1).hold();
    f.clear().unwrap();
    assert_eq!(world.causes(0), [Cause::Cleared]);
}

pub fn l5_a_late_lease_is_warned_of(world: &World) {
    let f = world.function_with("pool", draining(world), world.keeper());
    let lease = world.get(&f, 1);
    f.clear().unwrap();
    let ((), lines) = logged(|| {
        world.pass(DRAIN - PAST);
        world.pass(PAST);
        world.pass(DRAIN);
    });
    assert_eq!(world.causes(0), []);
    let [line] = &lines[..] else {
        panic!("one line: {lines:?}")
    };
    assert!(line.starts_with("WARN") && line.contains("pool"), "{line}");
    drop(lease);
    assert_eq!(world.causes(0), [Cause::Cleared]);
}

pub fn l5_a_lease_that_is_back_warns_of_nothing(world: &World) {
    let f = world.function(draining(world));
    for number in 0..10 {
        let lease = world.get(&f, number);
        f.clear().unwrap();
        assert_eq!(world.engine.inspect().jobs, 1);
        drop(lease);
        assert_eq!(world.engine.inspect().jobs, 0, "nothing outlives the lease");
    }
    let ((), lines) = logged(|| world.pass(DRAIN * 2));
    assert!(lines.is_empty(), "{lines:?}");
}

pub fn l5_the_engines_drain_holds_for_all(world: &World) {
    world.engine.configure(|config| config.drain = Some(DRAIN));
    let f = world.function_with("f", world.settings(), world.keeper().watched());
    let used = world.get(&f, 1).hold();
    f.clear().unwrap();
    assert_eq!(world.causes(0), []);
    drop(used);
    world.pass(A_LOOK);
    assert_eq!(world.causes(0), [Cause::Cleared]);
}
