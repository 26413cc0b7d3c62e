//! At most so many members build one key at a time.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier, Mutex, Weak};
use std::thread;
use std::time::Duration;

use tenure::{Engine, Function, KeyRef, ManualClock, Scope, Settings};

use crate::support::*;

#[test]
fn d3_at_most_so_many_members_build_one_key_and_others_wait_within_the_build() {
    let fleet: Arc<Fleet> = Arc::default();
    let worlds: Vec<_> = (0..4).map(|_| member(&fleet)).collect();
    let settings = || Settings::default().fleet_builds(1);
    let building = AtomicUsize::new(0);
    thread::scope(|scope| {
        for world in &worlds {
            let pools = pools_with(world, settings());
            let building = &building;
            scope.spawn(move || {
                let build = || {
                    assert_eq!(building.fetch_add(1, SeqCst), 0);
                    thread::yield_now();
                    building.fetch_sub(1, SeqCst);
                    Ok(7)
                };
                assert_eq!(*pools.get_or_build(&key(1).finish(), build).unwrap(), 7);
            });
        }
    });
    assert_eq!(fleet.permits_most.load(SeqCst), 1);
    assert!(fleet.permits.lock().unwrap().is_empty());
    for world in &worlds {
        assert_eq!(world.engine.inspect().flights, 0);
    }
}

#[test]
fn d3_an_async_build_waits_for_its_permit_and_one_that_is_given_up_leaves_none() {
    let fleet: Arc<Fleet> = Arc::default();
    let world = member(&fleet);
    let pools = pools_with(&world, Settings::default().fleet_builds(1));
    let good = async |_: tenure::Lease<u64>| true;
    let held = Arc::new(Mutex::new(Weak::new()));
    let build = async {
        *held.lock().unwrap() = Arc::downgrade(&fleet);
        assert_eq!(fleet.permits.lock().unwrap().len(), 1);
        Ok(7)
    };
    let lease = futures_executor::block_on(pools.get_or_build_async(&key(1).finish(), good, build));
    assert_eq!(*lease.unwrap(), 7);
    assert!(fleet.permits.lock().unwrap().is_empty());
    // Another member has the permit; who waits for it gives up.
    let other = member(&fleet);
    let others = pools_with(&other, Settings::default().fleet_builds(1));
    let build = || {
        let waits = async {
            let key = key(2);
            let key = key.finish();
            let call = pools.get_or_build_async(&key, good, async { unreachable!() });
            let mut call = std::pin::pin!(call);
            let polled = std::future::poll_fn(|cx| {
                std::task::Poll::Ready(call.as_mut().poll(cx).is_pending())
            });
            assert!(polled.await);
        };
        futures_executor::block_on(waits);
        Ok(8)
    };
    assert_eq!(*others.get_or_build(&key(2).finish(), build).unwrap(), 8);
    assert_eq!(world.engine.inspect().flights, 0);
    assert_eq!(get(&pools, 2, 9), 9);
}

#[test]
fn d3_without_a_fleet_nobody_waits() {
    let engine = Engine::with_clock(ManualClock::new());
    let settings = Settings::default().fleet_builds(1);
    let pools = Function::<u64, String>::plain(&engine, "pool", settings).unwrap();
    assert_eq!(*pools.get_or_build(&KeyRef::EMPTY, || Ok(7)).unwrap(), 7);
    assert!(Settings::default().fleet_builds(0).check().is_err());
    let of_session = Settings::default().fleet_builds(1).scope(Scope::Session);
    let text = of_session.check().unwrap_err().to_string();
    assert!(text.contains("scope=\"global\""), "{text}");
}

#[test]
fn d3_builds_that_nest_crosswise_in_two_members_do_not_wait_for_each_other_for_ever() {
    let fleet: Arc<Fleet> = Arc::default();
    let worlds = [member(&fleet), member(&fleet)];
    let begun = Barrier::new(2);
    thread::scope(|scope| {
        let ended: Vec<_> = worlds
            .iter()
            .zip([(1, 2), (2, 1)])
            .map(|(world, (outer, inner))| {
                let pools = pools_with(world, Settings::default().fleet_builds(1));
                let begun = &begun;
                scope.spawn(move || {
                    let build = || {
                        begun.wait(); // Each has the permit that the other will ask for.
                        Ok(get(&pools, inner, 7))
                    };
                    *pools.get_or_build(&key(outer).finish(), build).unwrap()
                })
            })
            .collect();
        // Whenever each of them has come so far as to wait.
        while !ended.iter().all(thread::ScopedJoinHandle::is_finished) {
            for world in &worlds {
                world.clock.advance(Duration::from_secs(10));
                world.engine.run_due();
            }
        }
        assert!(ended.into_iter().all(|it| it.join().unwrap() == 7));
    });
    assert!(fleet.permits.lock().unwrap().is_empty());
}
