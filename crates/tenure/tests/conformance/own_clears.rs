//! L13: a clear concerns what stood before it, and never the builds that call it.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;

use tenure::Cause;

use crate::support::{Thing, Things, World, key};

type Clears = fn(&World, &Things);

/// The ways to clear that concern a build under key 1.
const WAYS: [Clears; 3] = [
    |_, f| f.clear_entry(&key(1).finish()).unwrap(),
    |_, f| f.clear().unwrap(),
    |world, _| world.engine.clear_all(),
];

/// A build of key 1 that clears first.
fn clearing(world: &World, f: &Arc<Things>, clears: Clears) -> u64 {
    let build = || {
        clears(world, f);
        Ok(world.log.thing())
    };
    f.get_or_build(&key(1).finish(), build).unwrap().number
}

pub fn l13_a_build_that_clears_itself_is_kept(world: &World) {
    for clears in WAYS {
        let f = &world.function(world.settings());
        let number = clearing(world, f, clears);
        assert_eq!(world.number(f, 1), number);
        assert_eq!(world.causes(number), []);
        // It is an entry like any other: the next clear is not its own.
        clears(world, f);
        assert_eq!(world.causes(number), [Cause::Cleared]);
    }
}

pub fn l13_what_stood_before_is_released_first(world: &World) {
    let f = &world.function(world.settings());
    let old = world.number(f, 2);
    let build = || {
        f.clear().unwrap();
        assert_eq!(world.causes(old), [Cause::Cleared]);
        Ok(world.log.thing())
    };
    f.get_or_build(&key(1).finish(), build).unwrap();
    assert_eq!(f.info().entries, 1);
}

pub fn l13_a_nested_build_clears_for_those_around_it(world: &World) {
    for clears in WAYS {
        let (outer, inner) = (
            &world.function(world.settings()),
            &world.function(world.settings()),
        );
        let build = || {
            let nested = || {
                clears(world, outer);
                Ok(world.log.thing())
            };
            inner.get_or_build(&key(1).finish(), nested).unwrap();
            Ok(world.log.thing())
        };
        let number = outer.get_or_build(&key(1).finish(), build).unwrap().number;
        assert_eq!(world.number(outer, 1), number);
        assert_eq!((outer.info().entries, inner.info().entries), (1, 1));
    }
}

pub fn l13_a_task_clears_for_its_own_build_only(world: &World) {
    let f = &world.function(world.settings());
    let (first, second) = (key(1), key(2));
    let good = async |_| true;
    let mut turns = 0;
    let clears = async {
        std::future::poll_fn(|_| {
            turns += 1;
            if turns == 1 {
                return Poll::Pending;
            }
            f.clear().unwrap();
            Poll::Ready(())
        })
        .await;
        Ok(world.log.thing())
    };
    let first = first.finish();
    let mut clearing = pin!(f.get_or_build_async(&first, good, clears));
    let mut done = false;
    let other = std::future::poll_fn(|_| {
        if std::mem::replace(&mut done, true) {
            Poll::Ready(Ok::<Thing, String>(world.log.thing()))
        } else {
            Poll::Pending
        }
    });
    let second = second.finish();
    let mut other = pin!(f.get_or_build_async(&second, good, other));
    let mut cx = Context::from_waker(Waker::noop());
    // Both builds are under way on one thread when one of them clears.
    assert!(clearing.as_mut().poll(&mut cx).is_pending());
    assert!(other.as_mut().poll(&mut cx).is_pending());
    let Poll::Ready(kept) = clearing.as_mut().poll(&mut cx) else {
        unreachable!("its second turn is its last");
    };
    let Poll::Ready(orphan) = other.as_mut().poll(&mut cx) else {
        unreachable!("its second turn is its last");
    };
    let (kept, orphan) = (kept.unwrap().number, orphan.unwrap().number);
    assert_eq!(world.causes(kept), []);
    assert_eq!(world.causes(orphan), [Cause::Orphaned]);
}

pub fn l13_a_clear_by_a_thread_of_the_build_is_anothers(world: &World) {
    let f = &world.function(world.settings());
    let engine = &world.engine;
    let build = || {
        thread::scope(|scope| scope.spawn(|| engine.clear_all()).join().unwrap());
        Ok(world.log.thing())
    };
    let number = f.get_or_build(&key(1).finish(), build).unwrap().number;
    assert_eq!(world.causes(number), [Cause::Orphaned]);
}
