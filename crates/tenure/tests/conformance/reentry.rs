//! L2: what the engine calls may call the engine, and may take its time.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Condvar, Mutex, OnceLock, Weak};
use std::thread;
use std::time::Duration;

use tenure::{Cause, Error, Function, Settings};

use crate::support::{
    Announced, NEVER_COMES, PAST, Thing, Things, World, gate, key, lock, receive,
};

const TTL: Duration = Duration::from_secs(10);

/// A function with one entry, under key 1, whose first release for this cause asks for key 1 of
/// the function itself; and what that call got.
fn asking(world: &World, settings: Settings, asks_at: Cause) -> (Arc<Things>, Arc<OnceLock<u64>>) {
    let me: Arc<OnceLock<Weak<Things>>> = Arc::default();
    let asked: Arc<OnceLock<u64>> = Arc::default();
    let (own, told) = (Arc::clone(&me), Arc::clone(&asked));
    let log = Arc::clone(&world.log);
    let asks = AtomicBool::new(true);
    let keeper = world.keeper().validating(|thing| Ok(thing.number > 0));
    let keeper = keeper.releasing(move |_, cause| {
        if cause == asks_at && asks.swap(false, Ordering::SeqCst) {
            let f = own.get().and_then(Weak::upgrade).expect("it is called");
            let got = f.get_or_build(&key(1).finish(), || Ok(log.thing()));
            told.set(got.expect("it builds").number).unwrap();
        }
        Ok(())
    });
    let f = world.function_with("f", settings, keeper);
    me.set(Arc::downgrade(&f)).unwrap();
    world.number(&f, 1);
    (f, asked)
}

pub fn l2_a_release_may_ask_for_its_own_entry(world: &World) {
    let with_ttl = world.settings().ttl(TTL);
    let one = world.settings().max_entries(1);
    let validating = world.settings().validates(true);
    type Ends = dyn Fn(&World, &Things);
    let cases: [(Cause, Settings, &Ends); 6] = [
        (Cause::Expired, with_ttl.clone(), &|world, f| {
            world.clock.advance(TTL + PAST);
            world.number(f, 1);
        }),
        (Cause::Expired, with_ttl, &|world, _| world.pass(TTL + PAST)),
        (Cause::Cleared, world.settings(), &|_, f| {
            f.clear_entry(&key(1).finish()).unwrap();
        }),
        (Cause::Invalid, validating, &|world, f| {
            world.number(f, 1);
        }),
        (Cause::Evicted, one, &|world, f| {
            world.number(f, 2);
        }),
        (Cause::Superseded, world.settings(), &|_, f| {
            f.release_all(Cause::Superseded);
        }),
    ];
    for (cause, settings, ends) in cases {
        let fresh = World::new(world.scope, world.host.is_some());
        let (f, asked) = asking(&fresh, settings, cause);
        ends(&fresh, &f);
        assert_eq!(fresh.causes(0), [cause]);
        let asked = asked.get().expect("the release asked");
        assert_eq!(fresh.number(&f, 1), *asked);
        fresh.check();
        fresh.check_all_released();
    }
}

pub fn l2_a_slow_release_delays_nobody(world: &World) {
    let (gate, keyhole) = gate();
    let keeper = world.keeper().releasing(move |thing, _| {
        if thing.number == 0 {
            keyhole.pass();
        }
        Ok(())
    });
    let f = &world.function_with("f", world.settings(), keeper);
    world.number(f, 1);
    world.number(f, 2);
    thread::scope(|scope| {
        scope.spawn(|| f.clear_entry(&key(1).finish()).unwrap());
        gate.reached();
        assert_eq!(world.number(f, 2), 1);
        assert_eq!(world.number(f, 1), 2);
        f.clear().unwrap();
        assert_eq!(world.log.order(), [2, 1]);
        assert_eq!(world.number(f, 1), 3);
        gate.open();
    });
    assert_eq!(world.causes(0), [Cause::Cleared]);
}

pub fn l2_a_slow_check_delays_nobody(world: &World) {
    let (gate, keyhole) = gate();
    let slow = AtomicBool::new(true);
    let keeper = world.keeper().validating(move |thing| {
        if thing.number == 0 && slow.swap(false, Ordering::SeqCst) {
            keyhole.pass();
        }
        Ok(true)
    });
    let settings = world.settings().validates(true);
    let f = &world.function_with("f", settings, keeper);
    world.number(f, 1);
    world.number(f, 2);
    thread::scope(|scope| {
        let checked = scope.spawn(|| world.number(f, 1));
        gate.reached();
        assert_eq!(world.number(f, 2), 1);
        assert_eq!(world.number(f, 1), 0);
        f.clear_entry(&key(2).finish()).unwrap();
        gate.open();
        assert_eq!(checked.join().unwrap(), 0);
    });
}

/// Where two threads meet, or the test fails.
#[derive(Default)]
struct Meeting {
    there: Mutex<usize>,
    changed: Condvar,
}

impl Meeting {
    fn meet(&self) {
        let mut there = lock(&self.there);
        *there += 1;
        self.changed.notify_all();
        let alone = |there: &mut usize| *there < 2;
        let waited = self.changed.wait_timeout_while(there, NEVER_COMES, alone);
        assert!(!waited.unwrap().1.timed_out(), "the other is kept out");
    }
}

/// A failure whose copies for two waiters are made at the same time, or never.
struct Meets(Arc<(AtomicUsize, Meeting)>);

impl Clone for Meets {
    fn clone(&self) -> Self {
        let (copies, meeting) = &*self.0;
        // The first copy is the builder's own.
        if copies.fetch_add(1, Ordering::SeqCst) > 0 {
            meeting.meet();
        }
        Self(Arc::clone(&self.0))
    }
}

pub fn l2_a_failure_is_cloned_without_a_lock(world: &World) {
    let f = &Function::<Thing, Meets>::plain(&world.engine, "f", world.settings()).unwrap();
    let (gate, keyhole) = gate();
    let (announce, announced) = channel();
    thread::scope(|scope| {
        scope.spawn(|| {
            let build = || {
                keyhole.pass();
                Err(Meets(Arc::default()))
            };
            assert!(matches!(
                f.get_or_build(&key(1).finish(), build),
                Err(Error::Failed(_))
            ));
        });
        gate.reached();
        for _ in 0..2 {
            let waiting = Announced(announce.clone());
            scope.spawn(move || {
                let got = f.get_or_build_while(&key(1).finish(), &waiting, || unreachable!());
                assert!(matches!(got, Err(Error::Failed(_))));
            });
        }
        receive(&announced);
        receive(&announced);
        gate.open();
    });
}

pub fn l2_a_check_may_clear_its_own_entry(world: &World) {
    let me: Arc<OnceLock<Weak<Things>>> = Arc::default();
    let own = Arc::clone(&me);
    let keeper = world.keeper().validating(move |thing| {
        let f = own.get().and_then(Weak::upgrade).expect("it is called");
        if thing.number == 0 {
            f.clear_entry(&key(1).finish()).unwrap();
        }
        Ok(false)
    });
    let settings = world.settings().validates(true);
    let f = world.function_with("f", settings, keeper);
    me.set(Arc::downgrade(&f)).unwrap();
    world.number(&f, 1);
    assert_eq!(world.number(&f, 1), 1);
    assert_eq!(world.causes(0), [Cause::Cleared]);
}
