//! loom on the flight and on the way out: every interleaving within the bound on preemptions.
//!
//! `LOOM_MAX_PREEMPTIONS` sets the bound, 3 unless told otherwise.

use std::future::IntoFuture;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use super::threads::{Pair, both, does, gets, model, spawn, with, with_ttl};
use super::world::{Ends, Got, PAST_TTL, TTL, Thing, Things, World, key, tag};
use crate::front::{Asked, Awaiting, BuildError, Detached, Holding, Next, Patiently};
use crate::ground::sync::{Arc, Condvar, Mutex};
use crate::life::cleared::Clearing;
use crate::{Cause, Error, Interrupt, Lease, Refresh, Settings};

fn dies((_, function): &Pair) -> impl FnOnce() -> Got + 'static {
    let function = Arc::clone(function);
    move || {
        let build = || Err(BuildError::Died(Interrupt(Box::new(()))));
        function.get_or_build_while(&key(1).finish(), &Patiently, build)
    }
}

#[test]
fn c1_two_callers_one_build() {
    model(|| {
        let shared = with(Settings::default());
        let (one, other) = both(gets(&shared), gets(&shared));
        assert!(one.unwrap().same_entry(&other.unwrap()));
        assert_eq!(shared.0.log.built(), 1);
        shared.0.check_to_the_end(&[&shared.1]);
    });
}

#[test]
fn c1_three_callers_one_build() {
    model(|| {
        let shared = with(Settings::default());
        let third = spawn(gets(&shared));
        let (one, other) = both(gets(&shared), gets(&shared));
        assert!(one.unwrap().same_entry(&other.unwrap()));
        third.join().unwrap().unwrap();
        assert_eq!(shared.0.log.built(), 1);
        shared.0.check_to_the_end(&[&shared.1]);
    });
}

#[test]
fn c2_a_failure_is_shared_or_built_anew() {
    model(|| {
        let shared = with(Settings::default());
        let fails = does(&shared, |_, f| f.get_or_build(&key(1).finish(), || Err(7)));
        let (failed, other) = both(fails, gets(&shared));
        // Who came first decides: a shared failure, a build after it, or a shared resource.
        match (failed, other) {
            (Err(Error::Failed(7)), Err(Error::Failed(7))) => assert_eq!(shared.0.log.built(), 0),
            (Err(Error::Failed(7)), Ok(_)) => assert_eq!(shared.0.log.built(), 1),
            (Ok(one), Ok(other)) => assert!(one.same_entry(&other)),
            _ => panic!("no other outcome"),
        }
        shared.0.check_to_the_end(&[&shared.1]);
    });
}

#[test]
fn c4_a_build_that_dies_hands_on() {
    model(|| {
        let shared = with(Settings::default());
        let second = spawn(gets(&shared));
        let (died, other) = both(dies(&shared), gets(&shared));
        let second = second.join().unwrap().unwrap();
        assert!(other.unwrap().same_entry(&second));
        if let Ok(lease) = died {
            assert!(lease.same_entry(&second));
        }
        assert_eq!(shared.0.log.built(), 1);
        drop(second);
        shared.0.check_to_the_end(&[&shared.1]);
    });
}

/// Wakes a thread that polls.
#[derive(Default)]
struct Bell {
    rang: Mutex<bool>,
    changed: Condvar,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        *self.rang.lock() = true;
        self.changed.notify_all();
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let bell: Arc<Bell> = Arc::default();
    let waker = Waker::from(Arc::clone(&bell));
    let mut future = std::pin::pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return value;
        }
        let mut rang = bell.rang.lock();
        while !std::mem::take(&mut *rang) {
            bell.changed.wait(&mut rang);
        }
    }
}

async fn good(_: Lease<Thing>) -> bool {
    true
}

#[test]
fn c1_a_task_and_a_thread_one_build() {
    model(|| {
        let shared = with(Settings::default());
        let task = does(&shared, |world, f| {
            let key = key(1);
            let build = async { Ok(world.log.thing()) };
            block_on(f.get_or_build_async(&key.finish(), good, build)).unwrap()
        });
        let (one, other) = both(task, gets(&shared));
        assert!(one.same_entry(&other.unwrap()));
        assert_eq!(shared.0.log.built(), 1);
        drop(one);
        shared.0.check_to_the_end(&[&shared.1]);
    });
}

#[test]
fn c4_a_cancelled_task_hands_on() {
    model(|| {
        let shared = with(Settings::default());
        let cancelled = does(&shared, |_, f| {
            let key = key(1);
            let build = std::future::pending();
            let waker = Waker::noop();
            let key = key.finish();
            let mut future = Box::pin(f.get_or_build_async(&key, good, build));
            let polled = future.as_mut().poll(&mut Context::from_waker(waker));
            drop(future);
            polled.is_ready()
        });
        let task = does(&shared, |world, f| {
            let key = key(1);
            let build = async { Ok(world.log.thing()) };
            block_on(f.get_or_build_async(&key.finish(), good, build)).unwrap()
        });
        let (_, lease) = both(cancelled, || spawn(task).join().unwrap());
        assert_eq!(lease.number, 0);
        drop(lease);
        shared.0.check_to_the_end(&[&shared.1]);
    });
}

#[test]
fn c3_two_waits_that_close_a_circle() {
    model(|| {
        let world = World::new();
        let functions = [(); 2].map(|()| world.function(Settings::default()));
        let [f, g] = functions.clone();
        let needs = |mine: Arc<Things>, other: Arc<Things>, world: Arc<World>| {
            move || {
                mine.get_or_build(&key(1).finish(), || {
                    let inner = other.get_or_build(&key(1).finish(), || Ok(world.log.thing()));
                    match inner {
                        Ok(_) => Ok(world.log.thing()),
                        Err(Error::Cycle(chain)) => Err(chain.len() as u64),
                        Err(Error::Failed(failure)) => Err(failure),
                        Err(_) => panic!("no other outcome"),
                    }
                })
            }
        };
        let first = needs(Arc::clone(&f), Arc::clone(&g), Arc::clone(&world));
        let second = needs(g, f, Arc::clone(&world));
        // Neither on the first thread, whose stack is too small for a build within a build.
        let (one, other) = (spawn(first), spawn(second));
        let (one, other) = (one.join().unwrap(), other.join().unwrap());
        // A chain of three names, or no circle at all where one came late.
        for failure in [&one, &other]
            .into_iter()
            .filter_map(|it| it.as_ref().err())
        {
            assert!(matches!(failure, Error::Failed(3)));
        }
        drop((one, other));
        world.check_to_the_end(&[&functions[0], &functions[1]]);
    });
}

#[test]
fn l8_a_clear_races_with_a_build() {
    model(|| {
        let shared = with(Settings::default());
        let clears = does(&shared, |_, f| f.clear().unwrap());
        let ((), got) = both(clears, gets(&shared));
        drop(got.unwrap());
        let (world, f) = &shared;
        let cause = world.log.cause(0);
        let entries = f.info().entries;
        assert!(match cause {
            None => entries == 1,
            Some(cause) => entries == 0 && [Cause::Cleared, Cause::Orphaned].contains(&cause),
        });
        world.check_to_the_end(&[f]);
    });
}

#[test]
fn l8_a_clear_races_with_a_build_and_a_wait() {
    model(|| {
        let shared = with(Settings::default());
        let waiter = spawn(gets(&shared));
        let clears = does(&shared, |_, f| f.clear_entry(&key(1).finish()).unwrap());
        let ((), got) = both(clears, gets(&shared));
        drop(got.unwrap());
        drop(waiter.join().unwrap().unwrap());
        shared.0.check_to_the_end(&[&shared.1]);
    });
}

#[test]
fn l13_a_build_that_clears_races_with_a_wait_and_keeps_its_place() {
    model(|| {
        let shared = with(Settings::default());
        let clears = does(&shared, |world, f| {
            let build = || {
                f.clear().unwrap();
                Ok(world.log.thing())
            };
            f.get_or_build(&key(1).finish(), build)
        });
        let (one, other) = both(clears, gets(&shared));
        let (one, other) = (one.unwrap(), other.unwrap());
        // Whoever builds, nobody's build is orphaned, and both get what is kept.
        assert!(one.same_entry(&other));
        drop((one, other));
        let (world, f) = &shared;
        assert_eq!((world.log.cause(0), f.info().entries), (None, 1));
        world.check_to_the_end(&[f]);
    });
}

#[test]
fn l8_a_supersede_races_with_a_build() {
    model(|| {
        let shared = with(Settings::default());
        let ends = does(&shared, |_, f| f.release_all(Cause::Superseded));
        let ((), got) = both(ends, gets(&shared));
        drop(got.unwrap());
        shared.0.check_to_the_end(&[&shared.1]);
    });
}

#[test]
fn l8_a_session_ends_while_it_is_built_for() {
    model(|| {
        let world = World::new();
        let f = world.function(world.in_session());
        let shared = (world, f);
        let ends = does(&shared, |world, _| world.end_session(0));
        let ((), got) = both(ends, gets(&shared));
        let lease = match got {
            Ok(lease) => Some(lease),
            // The session was gone before the call asked for it.
            Err(Error::NoSession { .. }) => None,
            Err(_) => panic!("no other outcome"),
        };
        if let Some(lease) = lease {
            let number = lease.number;
            drop(lease);
            let cause = shared.0.log.cause(number).unwrap();
            assert!([Cause::SessionEnded, Cause::Orphaned].contains(&cause));
        }
        // Nothing is left behind for a session that has ended.
        assert_eq!(shared.0.engine.sessions(), 0);
        assert_eq!(shared.1.info().entries, 0);
        shared.0.check_to_the_end(&[&shared.1]);
    });
}

#[test]
fn l8_a_session_ends_and_is_built_for_all_the_same() {
    model(|| {
        let world = World::new();
        let f = world.function(world.in_sessions(true));
        let shared = (world, f);
        let ends = does(&shared, |world, _| world.end_session(0));
        let ((), got) = both(ends, gets(&shared));
        let number = got.unwrap().number;
        let cause = shared.0.log.cause(number).unwrap();
        assert!([Cause::SessionEnded, Cause::Orphaned].contains(&cause));
        assert_eq!(shared.0.engine.sessions(), 0);
        assert_eq!(shared.1.info().entries, 0);
        shared.0.check_to_the_end(&[&shared.1]);
    });
}

#[test]
fn l1_a_clear_races_with_a_hit() {
    model(|| {
        let shared = with(Settings::default());
        shared.0.number(&shared.1, 1);
        let clears = does(&shared, |_, f| f.clear().unwrap());
        let ((), got) = both(clears, gets(&shared));
        let lease = got.unwrap();
        // Held, so not released: whichever came first.
        assert_eq!(shared.0.log.cause(lease.number), None);
        drop(lease);
        assert_eq!(shared.0.log.cause(0), Some(Cause::Cleared));
        shared.0.check_to_the_end(&[&shared.1]);
    });
}

#[test]
fn l1_a_supersede_races_with_a_hit() {
    model(|| {
        let shared = with(Settings::default());
        shared.0.number(&shared.1, 1);
        let ends = does(&shared, |world, _| {
            world.engine.release_where(&|_| true, Cause::Superseded)
        });
        let ((), got) = both(ends, gets(&shared));
        let lease = got.unwrap();
        // Held, so not released: whichever came first.
        assert_eq!(shared.0.log.cause(lease.number), None);
        drop(lease);
        assert_eq!(shared.0.log.cause(0), Some(Cause::Superseded));
        shared.0.check_to_the_end(&[&shared.1]);
    });
}

#[test]
fn l5_who_awaits_a_clear_is_told_after_the_release() {
    model(|| {
        let shared = with(Settings::default());
        let lease = shared.0.get(&shared.1, 1).unwrap();
        let clears = does(&shared, |world, f| {
            let clearing = Clearing::begin();
            f.clear().unwrap();
            block_on(clearing.end(world.engine.services()).into_future());
            assert_eq!(world.log.cause(0), Some(Cause::Cleared));
        });
        both(move || drop(lease), clears);
        shared.0.check_to_the_end(&[&shared.1]);
    });
}

#[test]
fn l1_two_clears_release_once() {
    model(|| {
        let shared = with(Settings::default());
        shared.0.number(&shared.1, 1);
        let one = does(&shared, |_, f| f.clear().unwrap());
        let other = does(&shared, |_, f| f.clear_entry(&key(1).finish()).unwrap());
        both(one, other);
        assert_eq!(shared.0.log.cause(0), Some(Cause::Cleared));
        shared.0.check_to_the_end(&[&shared.1]);
    });
}

#[test]
fn l4_an_expiry_races_with_a_caller() {
    model(|| {
        let shared = with(with_ttl());
        shared.0.number(&shared.1, 1);
        shared.0.clock.advance(PAST_TTL);
        let expires = does(&shared, |world, _| world.engine.run_due());
        let ((), got) = both(expires, gets(&shared));
        assert_eq!(got.unwrap().number, 1);
        assert_eq!(shared.0.log.cause(0), Some(Cause::Expired));
        shared.0.check(&[&shared.1]);
        // Whoever was first, the successor's own deadline is watched.
        shared.0.clock.advance(PAST_TTL);
        shared.0.engine.run_due();
        assert_eq!(shared.0.log.cause(1), Some(Cause::Expired));
        assert_eq!(shared.0.engine.inspect().jobs, 0);
        shared.0.check_to_the_end(&[&shared.1]);
    });
}

#[test]
fn l4_an_expiry_races_with_a_clear_and_the_next_build() {
    model(|| {
        let shared = with(with_ttl());
        shared.0.number(&shared.1, 1);
        shared.0.clock.advance(PAST_TTL);
        let expires = does(&shared, |world, _| world.engine.run_due());
        let clears = does(&shared, |world, f| {
            f.clear().unwrap();
            world.number(f, 2)
        });
        both(expires, clears);
        // One job for the one deadline, whether or not the old job was taken back in time.
        shared.0.check(&[&shared.1]);
        shared.0.clock.advance(PAST_TTL);
        shared.0.engine.run_due();
        assert_eq!(shared.0.log.cause(1), Some(Cause::Expired));
        shared.0.check_to_the_end(&[&shared.1]);
    });
}

#[test]
fn l9_two_callers_turn_down_one_entry() {
    model(|| {
        let world = World::new();
        let settings = Settings {
            validates: true,
            ..Settings::default()
        };
        let f = world.with(settings, Holding::Leases, 1);
        let shared = (world, f);
        shared.0.number(&shared.1, 1);
        let (one, other) = both(gets(&shared), gets(&shared));
        assert!(one.unwrap().same_entry(&other.unwrap()));
        assert_eq!(shared.0.log.cause(0), Some(Cause::Invalid));
        assert_eq!(shared.0.log.built(), 2);
        shared.0.check_to_the_end(&[&shared.1]);
    });
}

#[test]
fn l9_a_clear_races_with_a_check() {
    model(|| {
        let world = World::new();
        let settings = Settings {
            validates: true,
            ..Settings::default()
        };
        let f = world.with(settings, Holding::Leases, 1);
        let shared = (world, f);
        shared.0.number(&shared.1, 1);
        let clears = does(&shared, |_, f| f.clear().unwrap());
        let ((), got) = both(clears, gets(&shared));
        drop(got.unwrap());
        let cause = shared.0.log.cause(0).unwrap();
        assert!([Cause::Cleared, Cause::Invalid].contains(&cause));
        shared.0.check_to_the_end(&[&shared.1]);
    });
}

#[test]
fn l9_a_session_ends_during_a_check() {
    model(|| {
        let world = World::new();
        let settings = Settings {
            validates: true,
            ..world.in_session()
        };
        let f = world.with(settings, Holding::Leases, 1);
        let shared = (world, f);
        shared.0.number(&shared.1, 1);
        let ends = does(&shared, |world, _| world.end_session(0));
        let ((), got) = both(ends, gets(&shared));
        match got {
            Ok(lease) => drop(lease),
            // The session was gone before the call asked for it.
            Err(Error::NoSession { .. }) => {}
            Err(_) => panic!("no other outcome"),
        }
        let cause = shared.0.log.cause(0).unwrap();
        assert!([Cause::SessionEnded, Cause::Invalid].contains(&cause));
        assert_eq!(shared.0.engine.sessions(), 0);
        assert_eq!(shared.1.info().entries, 0);
        shared.0.check_to_the_end(&[&shared.1]);
    });
}

#[test]
fn l9_an_expiry_races_with_a_check() {
    model(|| {
        let world = World::new();
        let settings = Settings {
            validates: true,
            ..with_ttl()
        };
        let f = world.with(settings, Holding::Leases, 1);
        let shared = (world, f);
        shared.0.number(&shared.1, 1);
        let expires = does(&shared, |world, _| {
            world.clock.advance(PAST_TTL);
            world.engine.run_due();
        });
        let ((), got) = both(expires, gets(&shared));
        assert_eq!(got.unwrap().number, 1);
        let cause = shared.0.log.cause(0).unwrap();
        assert!([Cause::Expired, Cause::Invalid].contains(&cause));
        shared.0.check_to_the_end(&[&shared.1]);
    });
}

#[test]
fn l10_two_builds_for_one_place() {
    model(|| {
        let shared = with(Settings {
            max_entries: Some(1),
            ..Settings::default()
        });
        let second = does(&shared, |world, f| world.number(f, 2));
        let (_, got) = both(second, gets(&shared));
        drop(got.unwrap());
        assert_eq!(shared.1.info().entries, 1);
        assert_eq!(shared.1.info().released(Cause::Evicted), 1);
        shared.0.check_to_the_end(&[&shared.1]);
    });
}

#[test]
fn l5_a_drain_races_with_its_user_and_a_shutdown() {
    model(|| {
        let world = World::new();
        let settings = Settings {
            drain: Some(Duration::from_secs(60)),
            ..Settings::default()
        };
        let f = world.with(settings, Holding::Watched, 0);
        let shared = (world, f);
        let used = shared.0.get(&shared.1, 1).unwrap().hold();
        shared.1.clear().unwrap();
        shared.0.clock.advance(Duration::from_millis(100));
        let lets_go = does(&shared, move |world, _| {
            drop(used);
            world.engine.run_due();
        });
        let ends = does(&shared, |world, _| {
            world.engine.shutdown();
        });
        both(lets_go, ends);
        assert_eq!(shared.0.log.cause(0), Some(Cause::Cleared));
        assert_eq!(shared.0.engine.inspect().drains, 0);
        shared.0.check_to_the_end(&[&shared.1]);
    });
}

#[test]
fn l6_a_shutdown_races_with_a_build() {
    model(|| {
        let shared = with(with_ttl());
        // What it says depends on whether the other's lease is one of what it ends.
        let ends = does(&shared, |world, _| _ = world.engine.shutdown());
        let ((), got) = both(ends, gets(&shared));
        drop(got.unwrap());
        shared.0.check_to_the_end(&[&shared.1]);
    });
}

#[test]
fn s4_a_session_comes_back_in_the_nick_of_time() {
    model(|| {
        let world = World::new();
        let settings = world.in_session();
        world.engine.configure(|it| it.session_grace = TTL);
        let f = world.function(settings);
        let shared = (world, f);
        shared.0.number(&shared.1, 1);
        shared.0.engine.end_session("a");
        shared.0.clock.advance(PAST_TTL);
        let over = does(&shared, |world, _| world.engine.run_due());
        let back = does(&shared, |world, f| {
            world.engine.resume_session("a");
            // What was kept then stays kept.
            let kept = f.info().entries;
            (kept, world.engine.sessions())
        });
        let ((), (kept, sessions)) = both(over, back);
        let released = shared.0.log.cause(0).is_some();
        assert!(sessions == 0 || !released, "kept: {kept}, and released");
        shared.0.check_to_the_end(&[&shared.1]);
    });
}

#[test]
fn timer_a_job_runs_or_is_taken_back() {
    use crate::ground::clock::Clock;
    use crate::ground::timer::Timer;
    model(|| {
        let timer = Timer::new(Clock::Manual(crate::ManualClock::new()));
        let ran: Arc<std::sync::atomic::AtomicU64> = Arc::default();
        let counts = Arc::clone(&ran);
        let count = move |_| _ = counts.fetch_add(1, Ordering::SeqCst);
        let id = timer.at(0, count);
        let (one, other) = (Arc::clone(&timer), Arc::clone(&timer));
        let third = spawn({
            let timer = Arc::clone(&timer);
            move || timer.run_due()
        });
        let ((), taken_back) = both(move || one.run_due(), move || other.cancel(id));
        third.join().unwrap();
        assert_eq!(ran.load(Ordering::SeqCst), u64::from(!taken_back));
        assert_eq!(timer.armed(), 0);
    });
}

/// A function with one entry, which is too old, and whose successors the background builds.
fn stale(max_stale: Duration) -> Pair {
    let shared = with(Settings {
        refresh: Refresh::Background,
        max_stale: Some(max_stale),
        ..with_ttl()
    });
    shared.0.number(&shared.1, 1);
    shared.0.clock.advance(PAST_TTL);
    shared
}

/// A call that may begin a refresh, and the background after it.
fn refreshes(shared: &Pair, ends: Ends) -> impl FnOnce() -> Got + 'static {
    does(shared, move |world, f| {
        let got = world.get_or_refresh(f, 1, ends);
        world.engine.run_due();
        got
    })
}

#[test]
fn a4_two_stale_hits_one_refresh() {
    model(|| {
        let shared = stale(TTL);
        let (one, other) = both(
            refreshes(&shared, Ends::Well),
            refreshes(&shared, Ends::Well),
        );
        assert!(one.unwrap().number < 2 && other.unwrap().number < 2);
        let (world, function) = shared;
        world.engine.run_due();
        assert_eq!((world.log.built(), world.number(&function, 1)), (2, 1));
        assert_eq!(world.log.cause(0), Some(Cause::Replaced));
        world.check_to_the_end(&[&function]);
    });
}

#[test]
fn a4_a_refresh_and_a_clear() {
    model(|| {
        let shared = stale(TTL);
        let clears = does(&shared, |_, f| f.clear_entry(&key(1).finish()).unwrap());
        let (got, ()) = both(refreshes(&shared, Ends::Well), clears);
        let number = got.map(|it| it.number).unwrap();
        let (world, function) = shared;
        world.engine.run_due();
        // What came before the clear is gone, and what it overtook is kept by nobody.
        let after = world.number(&function, 1);
        assert!(after >= number && world.log.cause(0).is_some());
        world.check_to_the_end(&[&function]);
    });
}

#[test]
fn a4_a_refresh_that_fails_and_a_call() {
    model(|| {
        let shared = stale(TTL);
        let (got, other) = both(refreshes(&shared, Ends::Badly), gets(&shared));
        assert_eq!((got.unwrap().number, other.unwrap().number), (0, 0));
        let (world, function) = shared;
        world.check_to_the_end(&[&function]);
    });
}

#[test]
fn a4_a_refresh_and_the_end_of_the_old_one() {
    model(|| {
        let shared = stale(TTL);
        let (world, function) = &shared;
        // Begun, and not carried yet.
        assert_eq!(
            world
                .get_or_refresh(function, 1, Ends::Well)
                .unwrap()
                .number,
            0
        );
        world.clock.advance(TTL);
        let carries = does(&shared, |world, _| world.engine.run_due());
        let ((), got) = both(carries, gets(&shared));
        assert_eq!(got.unwrap().number, 1);
        let (world, function) = shared;
        assert_eq!(world.log.built(), 2);
        world.check_to_the_end(&[&function]);
    });
}

/// A build that belongs to no caller, and two that wait for it.
fn waited_for((_, function): &Pair) -> (Detached<Thing, u64>, [Awaiting<Thing, u64>; 2]) {
    let next = || function.next(&key(1).finish(), &mut Asked::default(), &|| None);
    match (next(), next()) {
        (Ok(Next::Build(build, first)), Ok(Next::Wait(other))) => (build, [first, other]),
        _ => unreachable!("there is nothing, and then a build"),
    }
}

fn fails(build: Detached<Thing, u64>) -> impl FnOnce() + 'static {
    move || drop(build.finish(Err(BuildError::Failed(7)), |_| 7))
}

#[test]
fn a4_a_failure_that_nobody_hears_is_told_once() {
    model(|| {
        let shared = with(Settings::default());
        let (build, [first, other]) = waited_for(&shared);
        let leaves = spawn(move || first.give_up());
        both(fails(build), move || other.give_up());
        leaves.join().unwrap();
        assert_eq!(shared.0.log.untold(), 1);
        shared.0.check_to_the_end(&[&shared.1]);
    });
}

#[test]
fn a4_a_failure_that_somebody_hears_is_not_told() {
    model(|| {
        let shared = with(Settings::default());
        let (build, [first, other]) = waited_for(&shared);
        both(fails(build), move || other.give_up());
        assert!(matches!(first.landed(), Err(Error::Failed(7))));
        assert_eq!(shared.0.log.untold(), 0);
        shared.0.check_to_the_end(&[&shared.1]);
    });
}

#[test]
fn a6_what_is_being_warmed_and_a_call() {
    model(|| {
        let shared = with(Settings::default());
        let warms = does(&shared, |world, f| {
            world.warm(f, 1, Ends::Well);
            world.engine.run_due();
        });
        let ((), got) = both(warms, gets(&shared));
        assert_eq!(got.unwrap().number, 0);
        let (world, function) = shared;
        world.engine.run_due();
        assert_eq!(world.log.built(), 1);
        world.check_to_the_end(&[&function]);
    });
}

/// A function whose calls have tags.
fn tagged() -> Pair {
    with(Settings {
        tags_calls: true,
        ..Settings::default()
    })
}

/// Clears the tag: what was built before is found by nobody any more.
fn clears_tag(shared: &Pair) -> impl FnOnce() + 'static {
    does(shared, |world, f| {
        let before = world.log.built();
        world.engine.clear_tag(tag(1));
        let kept = f.kept(&key(1).finish()).unwrap();
        assert!(kept.is_none_or(|lease| lease.number >= before));
    })
}

#[test]
fn d6_a_tag_is_cleared_while_what_carries_it_lands() {
    model(|| {
        let shared = tagged();
        let (got, ()) = both(gets(&shared), clears_tag(&shared));
        drop(got.unwrap());
        let (world, function) = shared;
        assert_eq!(world.log.built(), 1);
        world.check_to_the_end(&[&function]);
    });
}

#[test]
fn d6_a_tag_is_cleared_while_another_clear_takes_the_entry() {
    model(|| {
        let shared = tagged();
        shared.0.number(&shared.1, 1);
        let clears = does(&shared, |_, f| f.clear_entry(&key(1).finish()).unwrap());
        let ((), ()) = both(clears, clears_tag(&shared));
        assert_eq!(shared.0.log.cause(0), Some(Cause::Cleared));
        shared.0.check_to_the_end(&[&shared.1]);
    });
}

#[test]
fn d6_a_tag_is_cleared_while_a_successor_is_built() {
    model(|| {
        let shared = with(Settings {
            refresh: Refresh::Background,
            max_stale: Some(TTL),
            tags_calls: true,
            ..with_ttl()
        });
        shared.0.number(&shared.1, 1);
        shared.0.clock.advance(PAST_TTL);
        let (got, ()) = both(refreshes(&shared, Ends::Well), clears_tag(&shared));
        drop(got.unwrap());
        let (world, function) = shared;
        world.engine.run_due();
        assert!(world.log.cause(0).is_some());
        world.check_to_the_end(&[&function]);
    });
}

#[test]
fn l14_what_lies_idle_and_a_call() {
    model(|| {
        let shared = with(Settings {
            max_idle: Some(TTL),
            ..Settings::default()
        });
        shared.0.number(&shared.1, 1);
        shared.0.clock.advance(PAST_TTL);
        let background = does(&shared, |world, _| world.engine.run_due());
        let ((), got) = both(background, gets(&shared));
        let lease = got.unwrap();
        assert_eq!(shared.0.log.cause(lease.number), None);
        drop(lease);
        shared.0.check_to_the_end(&[&shared.1]);
    });
}
