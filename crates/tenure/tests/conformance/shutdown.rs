//! L6: the end of the process.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use tenure::{Cause, Scope, Settings};

use crate::support::host::TestHost;
use crate::support::{World, gate, key, lock};

pub fn l6_last_built_first(world: &World) {
    let [f, g] = &["f", "g"].map(|it| world.function_with(it, world.settings(), world.keeper()));
    for number in 0..5 {
        world.number(f, number);
        world.number(g, number);
    }
    // A hit changes nothing.
    world.number(f, 0);
    assert!(world.engine.shutdown());
    assert_eq!(world.log.order(), (0..10).rev().collect::<Vec<_>>());
    assert!((0..10).all(|it| world.causes(it) == [Cause::Shutdown]));
}

pub fn l6_a_callback_finds_what_is_older(world: &World) {
    let engine = world.function_with("engine", world.settings(), world.keeper());
    world.number(&engine, 1);
    let (older, log) = (Arc::clone(&engine), Arc::clone(&world.log));
    let keeper = world.keeper().releasing(move |_, _| {
        let found = older.get_or_build(&key(1).finish(), || Ok(log.thing()));
        assert_eq!(found.unwrap().number, 0);
        Ok(())
    });
    let pool = world.function_with("pool", world.settings(), keeper);
    world.number(&pool, 1);
    world.number(&pool, 2);
    assert!(world.engine.shutdown());
    assert_eq!(world.log.order(), [2, 1, 0]);
}

pub fn l6_what_a_callback_builds_is_released_too(world: &World) {
    let helper = world.function_with("helper", world.settings(), world.keeper());
    let (helps, log) = (Arc::clone(&helper), Arc::clone(&world.log));
    let keeper = world.keeper().releasing(move |_, _| {
        drop(helps.get_or_build(&key(1).finish(), || Ok(log.thing())));
        Ok(())
    });
    let f = world.function_with("f", world.settings(), keeper);
    world.number(&f, 1);
    assert!(world.engine.shutdown());
    assert_eq!(world.log.order(), [0, 1]);
}

pub fn l6_what_drains_is_released_in_its_place(world: &World) {
    let settings = world.settings().drain(Duration::from_secs(60));
    let f = world.function_with("f", settings, world.keeper().watched());
    world.number(&f, 0);
    let used = world.get(&f, 1).hold();
    world.number(&f, 2);
    f.clear_entry(&key(1).finish()).unwrap();
    assert_eq!(f.info().draining, 1);
    // Whoever uses it still: the process ends.
    assert!(world.engine.shutdown());
    assert_eq!(world.log.order(), [2, 1, 0]);
    assert_eq!(world.causes(1), [Cause::Cleared]);
    drop(used);
}

pub fn l6_a_build_under_way_becomes_an_orphan(world: &World) {
    let f = &world.function(world.settings());
    let (gate, keyhole) = gate();
    thread::scope(|scope| {
        let builder = scope.spawn(|| world.get_through(&keyhole, f, 1));
        gate.reached();
        assert!(world.engine.shutdown());
        gate.open();
        drop(builder.join().unwrap());
    });
    assert_eq!(world.causes(0), [Cause::Orphaned]);
}

pub fn l6_the_engine_goes_on_afterwards(world: &World) {
    // A test runner, or code that runs at the exit itself.
    let f = world.function(world.settings());
    world.number(&f, 1);
    assert!(world.engine.shutdown());
    assert_eq!(world.number(&f, 1), 1);
    if f.settings().scope == Scope::Session {
        world.engine.end_session("main");
        assert_eq!(world.causes(1), [Cause::SessionEnded]);
    }
}

pub fn l6_sessions_end_with_it(world: &World) {
    let f = world.function(world.settings());
    for session in ["a", "b"] {
        TestHost::serve(Some(session), || world.number(&f, 1));
    }
    world
        .engine
        .configure(|it| it.session_grace = Duration::from_secs(60));
    world.engine.end_session("a");
    assert!(world.engine.shutdown());
    assert_eq!(world.engine.sessions(), 0);
    assert_eq!(world.log.order(), [1, 0]);
    world.check_idle();
}

#[test]
fn l6_a_callback_that_blocks_is_not_waited_for_beyond_the_bound() {
    // On the system's clock: only there is a bound.
    let engine = tenure::Engine::new();
    engine.configure(|it| it.shutdown_bound = Duration::from_millis(20));
    let world = World::new(Scope::Global, false);
    let (gate, keyhole) = gate();
    let ended = Arc::new(Mutex::new(None));
    let (stuck, told) = (AtomicBool::new(false), Arc::clone(&ended));
    let keeper = world.keeper().releasing(move |_, cause| {
        if !stuck.swap(true, Ordering::SeqCst) {
            keyhole.pass();
        }
        *lock(&told) = Some(cause);
        Ok(())
    });
    let f = tenure::Function::<_, String>::new(&engine, "f", Settings::default(), Box::new(keeper));
    let f = f.unwrap();
    for number in 0..2 {
        let build = || Ok(world.log.thing());
        drop(f.get_or_build(&key(number).finish(), build).unwrap());
    }
    assert!(!engine.shutdown());
    gate.reached();
    assert_eq!(*lock(&ended), None);
    // It goes on in the background.
    gate.open();
    while world.log.released() < 2 {
        thread::yield_now();
    }
    assert_eq!(*lock(&ended), Some(Cause::Shutdown));
    engine.configure(|it| it.shutdown_bound = Duration::from_secs(60));
    assert!(engine.shutdown());
}
