//! A cache as a value: what holds for a cached function holds for it too.

mod support;

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;

use futures_executor::block_on;
use support::gate;
use tenure::{Cache, CacheKey, Cause, Lease, Scope, Session, Shared};

/// What a resource was released with.
type Released = Arc<Mutex<Vec<(u32, Cause)>>>;

fn numbers(released: &Released) -> Cache<str, u32> {
    let released = Arc::clone(released);
    let cache = Cache::builder("number")
        .max_entries(2)
        .validate(|it| *it != 13)
        .on_release(move |it, cause| released.lock().unwrap().push((it, cause)));
    cache.build().unwrap()
}

#[test]
fn l1_a_cache_that_is_dropped_releases_what_it_holds() {
    let released = Released::default();
    let cache = numbers(&released);
    cache.get("free", || 1);
    let held = cache.get("held", || 2);
    drop(cache);
    assert_eq!(*released.lock().unwrap(), [(1, Cause::Superseded)]);
    assert_eq!(*held, 2);
    drop(held);
    assert_eq!(
        *released.lock().unwrap(),
        [(1, Cause::Superseded), (2, Cause::Superseded)]
    );
}

#[test]
fn l1_two_caches_of_one_name_share_nothing() {
    let (one, two) = (Released::default(), Released::default());
    let (first, second) = (numbers(&one), numbers(&two));
    first.get("key", || 1);
    assert_eq!(*second.get("key", || 2), 2);
    drop(first);
    assert_eq!(*one.lock().unwrap(), [(1, Cause::Superseded)]);
    assert_eq!(*two.lock().unwrap(), []);
    assert!(second.contains("key"));
}

#[test]
fn l9_l10_its_settings_are_those_of_a_function() {
    let released = Released::default();
    let cache = numbers(&released);
    cache.get("bad", || 13);
    assert_eq!(*cache.get("bad", || 1), 1);
    cache.get("other", || 2);
    cache.get("third", || 3);
    assert_eq!(
        *released.lock().unwrap(),
        [(13, Cause::Invalid), (1, Cause::Evicted)]
    );
    // A task asks the same check.
    cache.insert("third", 13);
    assert_eq!(*block_on(cache.get_async("third", async { 4 })), 4);
    assert_eq!(cache.info().released(Cause::Invalid), 2);
    let never = Cache::<str, u32>::builder("never").max_entries(0);
    let error = never.build().unwrap_err().to_string();
    assert!(
        error.starts_with("max_entries must be at least 1"),
        "{error}"
    );
}

#[test]
fn k1_its_key_is_the_whole_of_what_is_given() {
    #[derive(CacheKey)]
    struct Place {
        host: String,
        load: f64,
    }

    let place = |load| Place {
        host: "here".into(),
        load,
    };
    let cache: Cache<Place, f64> = Cache::builder("place").build().unwrap();
    for load in [0.0, -0.0, 0.1] {
        assert_eq!(cache.get(&place(load), || load).to_bits(), load.to_bits());
    }
    let pairs: Cache<(String, String), u32> = Cache::builder("pair").build().unwrap();
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(*pairs.get(&pair("a", "bc"), || 1), 1);
    assert_eq!(*pairs.get(&pair("ab", "c"), || 2), 2);
}

#[test]
fn l1_entries_are_looked_at_and_changed_by_hand() {
    let released = Released::default();
    let cache = numbers(&released);
    assert!(cache.peek("a").is_none());
    let put = cache.insert("a", 1);
    assert!(cache.peek("a").unwrap().same_entry(&put));
    drop(put);
    assert_eq!(cache.replace("a", 2).as_deref(), Some(&1));
    assert_eq!((cache.entries().len(), cache.info().hits), (1, 0));
    assert_eq!(cache.clear_if(|it, _| *it == 1), 0);
    assert_eq!(cache.clear_if(|it, info| *it == 2 && info.leases == 0), 1);
    cache.insert("b", 3);
    cache.clear_entry("b");
    cache.insert("c", 4);
    cache.clear();
    assert_eq!(
        *released.lock().unwrap(),
        [
            (1, Cause::Replaced),
            (2, Cause::Cleared),
            (3, Cause::Cleared),
            (4, Cause::Cleared)
        ]
    );
}

#[test]
fn c1_an_error_goes_to_who_waited_and_is_not_kept() {
    let calls = AtomicU32::new(0);
    let build = || match calls.fetch_add(1, Ordering::Relaxed) {
        0 | 2 => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            io::Error::other("the cable"),
        )),
        number => Ok(number),
    };
    let cache: Cache<str, u32, io::Error> = Cache::builder("link").build().unwrap();
    let error = cache.try_get("here", build).unwrap_err();
    assert_eq!(error.failure().unwrap().kind(), io::ErrorKind::TimedOut);
    assert_eq!(*cache.try_get("here", build).unwrap(), 1);
    assert_eq!(cache.info().failures, 1);
    assert!(block_on(cache.try_get_async("there", async { build() })).is_err());
    assert_eq!(
        *block_on(cache.try_get_async("there", async { build() })).unwrap(),
        3
    );
}

#[test]
fn c1_one_build_for_all_who_ask() {
    let cache: Cache<u32, u32> = Cache::builder("number").build().unwrap();
    let (gate, keyhole) = gate();
    let cache = &cache;
    thread::scope(|scope| {
        let builder = scope.spawn(move || {
            let build = || {
                keyhole.pass();
                7
            };
            cache.get(&1, build)
        });
        gate.reached();
        let waiter = scope.spawn(|| block_on(cache.get_async(&1, async { unreachable!() })));
        while cache.info().waiting == 0 {
            thread::yield_now();
        }
        gate.open();
        assert!(builder.join().unwrap().same_entry(&waiter.join().unwrap()));
    });
    assert_eq!(cache.info().builds, 1);
}

#[test]
fn l1_what_is_not_to_be_kept_goes_to_its_callers_alone() {
    let cache: Cache<str, Option<u32>> = Cache::builder("user")
        .keep_if(Option::is_some)
        .build()
        .unwrap();
    assert_eq!(*cache.get("ann", || None), None);
    assert_eq!(*cache.get("ann", || Some(1)), Some(1));
    assert_eq!(*cache.get("ann", || unreachable!()), Some(1));
}

#[test]
fn l3_a_callback_that_fails_is_counted() {
    let (told, heard) = channel();
    let cache: Cache<u32, u32> = Cache::builder("pool")
        .on_release(|_, _| Err(io::Error::other("stuck")))
        .build()
        .unwrap();
    let later: Cache<u32, u32> = Cache::builder("pool")
        .on_release_async(move |it, cause| {
            let told = told.clone();
            async move { told.send((it, cause)) }
        })
        .build()
        .unwrap();
    cache.get(&1, || 1);
    cache.clear();
    assert_eq!(cache.info().release_failures, 1);
    later.get(&1, || 7);
    drop(later);
    assert_eq!(heard.recv(), Ok((7, Cause::Superseded)));
}

#[test]
fn l1_a_session_has_its_own_entries() {
    let baskets: Cache<str, u32> = Cache::builder("basket")
        .scope(Scope::Session)
        .build()
        .unwrap();
    let (alice, bob) = (Session::new(), Session::new());
    alice.run(|| baskets.get("pears", || 7));
    assert!(bob.run(|| baskets.peek("pears")).is_none());
    alice.end();
    assert_eq!(baskets.info().released(Cause::SessionEnded), 1);
    let outside = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        baskets.get("pears", || 1);
    }));
    let text = outside.unwrap_err();
    let text = text.downcast_ref::<String>().unwrap();
    assert!(text.starts_with("basket has scope=\"session\""), "{text}");
}

#[test]
fn c3_a_cache_that_needs_its_own_entry_says_so() {
    let cache: Cache<u32, u32, io::Error> = Cache::builder("circle").build().unwrap();
    let build = || match cache.try_get(&1, || Ok(1)) {
        Err(error) if error.is_cycle() => Ok(2),
        _ => Ok(3),
    };
    assert_eq!(*cache.try_get(&1, build).unwrap(), 2);
}

/// Its futures can be spawned.
#[test]
fn c1_its_futures_go_to_other_threads() {
    fn spawned<F: Future + Send>(_: F) {}

    let cache: Cache<str, u32, io::Error> = Cache::builder("pool").build().unwrap();
    spawned(cache.try_get_async("here", async { Ok(7) }));
    let cache: Cache<str, u32> = Cache::builder("pool").build().unwrap();
    spawned(cache.get_async("here", async { 7 }));
}

#[test]
fn l9_a_check_that_asks_for_its_own_entry_in_a_task_is_refused() {
    static CACHE: OnceLock<Cache<u64, u64, io::Error>> = OnceLock::new();

    fn get() -> Result<Lease<u64>, Shared<io::Error>> {
        block_on(CACHE.get().unwrap().try_get_async(&7, async { Ok(49) }))
    }

    let asks = |_: &u64| {
        assert!(get().unwrap_err().is_cycle());
        false
    };
    let cache = Cache::builder("square").validate(asks).build().unwrap();
    assert!(CACHE.set(cache).is_ok());
    let first = get().unwrap();
    assert!(!get().unwrap().same_entry(&first));
}
