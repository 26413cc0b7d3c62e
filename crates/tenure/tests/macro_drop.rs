//! L2 for what a resource does in its own `Drop`: it may call its cached function, and may take its
//! time.

mod support;

use std::sync::mpsc::channel;
use std::thread;

use tenure::{Cause, cache_resource};

use support::{Keyhole, gate, receive};

/// Runs this on a thread of its own, so that what hangs fails.
fn bounded<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (tell, told) = channel();
    thread::spawn(move || tell.send(work()));
    receive(&told)
}

/// A resource whose `Drop` makes these calls, if it is one that calls.
struct Calls(bool, fn());

impl Drop for Calls {
    fn drop(&mut self) {
        let Self(calls, again) = *self;
        if calls {
            again();
        }
    }
}

#[test]
fn l2_a_drop_may_call_its_own_function() {
    #[cache_resource]
    fn cleared(#[key(skip)] calls: bool) -> Calls {
        Calls(calls, || {
            cleared::clear();
            drop(cleared(false));
        })
    }

    #[cache_resource]
    fn lent(#[key(skip)] calls: bool) -> Calls {
        Calls(calls, || {
            lent::clear();
            drop(lent(false));
        })
    }

    #[cache_resource(max_entries = 1)]
    fn evicted(number: u32, #[key(skip)] calls: bool) -> Calls {
        assert!(number < 2);
        Calls(calls, || {
            evicted::clear();
            drop(evicted(0, false));
        })
    }

    #[cache_resource(validate = |it| !it.0)]
    fn invalid(#[key(skip)] calls: bool) -> Calls {
        Calls(calls, || {
            invalid::clear();
            drop(invalid(false));
        })
    }

    bounded(|| {
        drop(cleared(true));
        cleared::clear();
    });
    let info = cleared::info();
    assert_eq!((info.builds, info.released(Cause::Cleared)), (2, 1));
    bounded(|| {
        let lease = lent(true);
        lent::clear();
        drop(lease);
    });
    let info = lent::info();
    assert_eq!((info.builds, info.released(Cause::Cleared)), (2, 1));
    bounded(|| {
        drop(evicted(0, true));
        drop(evicted(1, false));
    });
    let info = evicted::info();
    assert_eq!((info.builds, info.released(Cause::Evicted)), (3, 1));
    bounded(|| {
        drop(invalid(true));
        drop(invalid(false));
    });
    let info = invalid::info();
    assert_eq!((info.builds, info.released(Cause::Invalid)), (2, 1));
}

/// A resource that stands at a gate in its `Drop`.
struct Slow(Option<Keyhole>);

impl Drop for Slow {
    fn drop(&mut self) {
        if let Some(keyhole) = &self.0 {
            keyhole.pass();
        }
    }
}

#[test]
fn l2_a_slow_drop_delays_nobody() {
    #[cache_resource]
    fn slow(number: u32, #[key(skip)] keyhole: Option<Keyhole>) -> Slow {
        assert!(number > 0);
        Slow(keyhole)
    }

    let (gate, keyhole) = gate();
    drop(slow(1, Some(keyhole)));
    let other = slow(2, None);
    let clears = thread::spawn(|| slow::clear_entry(1, None));
    gate.reached();
    assert!(bounded(|| slow(2, None)).same_entry(&other));
    let anew = bounded(|| slow(1, None));
    assert!(bounded(|| slow(1, None)).same_entry(&anew));
    drop(anew);
    bounded(slow::clear);
    assert_eq!(slow::info().entries, 0);
    gate.open();
    clears.join().unwrap();
    drop(other);
    assert_eq!(slow::info().released(Cause::Cleared), 3);
}
