//! `#[cache_resource]` on functions of every kind (R1, R3, R4, R9).

use std::cell::Cell;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use tenure::{Cause, Lease, Shared, cache_resource};

#[test]
fn r1_a_call_builds_once_and_clears_at_every_level() {
    static BUILDS: AtomicU32 = AtomicU32::new(0);

    /// A pool for one address.
    #[cache_resource]
    fn pool(url: &str) -> String {
        BUILDS.fetch_add(1, Ordering::Relaxed);
        format!("pool of {url}")
    }

    let one: Lease<String> = pool("a");
    assert_eq!(*one, "pool of a");
    assert!(one.same_entry(&pool("a")));
    assert!(!one.same_entry(&pool("b")));
    pool::clear_entry("a");
    assert!(!one.same_entry(&pool("a")));
    assert_eq!(BUILDS.load(Ordering::Relaxed), 3);
    let info = pool::info();
    assert_eq!(
        (info.hits, info.misses, info.builds, info.entries),
        (1, 3, 3, 2)
    );
    pool::clear();
    let info = pool::info();
    assert_eq!(info.entries, 0);
    // The first one is still leased.
    assert_eq!((info.released(Cause::Cleared), info.draining), (2, 1));
    drop(one);
    assert_eq!(pool::info().released(Cause::Cleared), 3);
}

mod visible {
    /// Seen from outside.
    #[tenure::cache_resource(max_entries = 2)]
    pub(crate) fn squares(of: u64) -> u64 {
        of * of
    }
}

#[test]
fn r1_the_cache_is_imported_with_the_function() {
    use visible::squares;

    for of in 0..5 {
        assert_eq!(*squares(of), of * of);
    }
    assert_eq!(squares::info().entries, 2);
    assert_eq!(squares::info().released(Cause::Evicted), 3);
}

#[test]
fn r3_an_error_is_shared_and_not_kept() {
    #[cache_resource]
    fn port(text: &str) -> Result<u16, std::num::ParseIntError> {
        text.parse()
    }

    fn open(text: &str) -> Result<u16, Box<dyn std::error::Error + Send + Sync>> {
        Ok(*port(text)?)
    }

    assert_eq!(open("80").unwrap(), 80);
    let error = open("many").unwrap_err();
    assert_eq!(error.to_string(), "invalid digit found in string");
    let shared: Shared<std::num::ParseIntError> = port("many").unwrap_err();
    assert!(shared.failure().is_some());
    let info = port::info();
    assert_eq!((info.builds, info.failures, info.entries), (1, 2, 1));
}

#[test]
fn c2_those_who_waited_get_the_same_error() {
    static BEGUN: Barrier = Barrier::new(2);

    #[cache_resource]
    fn broken() -> io::Result<u8> {
        BEGUN.wait();
        while broken::info().waiting < 3 {
            thread::yield_now();
        }
        Err(io::Error::other("down"))
    }

    thread::scope(|scope| {
        let leader = scope.spawn(|| broken().unwrap_err());
        BEGUN.wait();
        let waiters: Vec<_> = (0..3)
            .map(|_| scope.spawn(|| broken().unwrap_err()))
            .collect();
        let error = leader.join().unwrap();
        for waiter in waiters {
            let waited = waiter.join().unwrap();
            assert!(std::ptr::eq(
                error.failure().unwrap(),
                waited.failure().unwrap()
            ));
        }
    });
    assert_eq!(broken::info().failures, 1);
}

#[test]
fn r3_an_error_keeps_its_source() {
    use std::error::Error;

    #[derive(Debug)]
    struct Failed(io::Error);

    impl std::fmt::Display for Failed {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("it failed")
        }
    }

    impl Error for Failed {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    #[cache_resource]
    fn broken() -> Result<u8, Failed> {
        Err(Failed(io::Error::other("the disk is full")))
    }

    #[cache_resource]
    fn said() -> Result<u8, String> {
        Err("no".to_owned())
    }

    let error = broken().unwrap_err();
    assert_eq!(error.source().unwrap().to_string(), "the disk is full");
    assert!(said().unwrap_err().source().is_none());
}

#[test]
fn r3_aliases_of_result_are_known_by_their_name() {
    type Result<T> = std::result::Result<T, String>;

    #[cache_resource]
    fn half(of: u32) -> Result<u32> {
        if of.is_multiple_of(2) {
            Ok(of / 2)
        } else {
            Err(format!("{of} is odd"))
        }
    }

    assert_eq!(*half(4).unwrap(), 2);
    assert_eq!(half(3).unwrap_err().to_string(), "3 is odd");
}

#[derive(Hash)]
struct Library {
    name: &'static str,
}

impl Library {
    #[cache_resource]
    fn shelf(&self, number: u32) -> String {
        format!("{} {number}", self.name)
    }

    #[cache_resource]
    fn first(#[key(skip)] &self) -> String {
        self.name.to_owned()
    }

    #[cache_resource]
    fn open(name: &'static str) -> Self {
        Self { name }
    }

    #[cache_resource(associated)]
    fn count() -> u32 {
        7
    }
}

#[test]
fn r3_methods_take_self_as_an_argument() {
    let (north, south) = (Library { name: "north" }, Library { name: "south" });
    assert_eq!(*north.shelf(1), "north 1");
    assert!(north.shelf(1).same_entry(&north.shelf(1)));
    assert_eq!(*south.shelf(1), "south 1");
    north.shelf_clear_entry(1);
    assert_eq!(Library::shelf_info().entries, 1);
    Library::shelf_clear();
    assert_eq!(Library::shelf_info().entries, 0);
    // F4: what is skipped is left out.
    assert_eq!(*north.first(), "north");
    assert_eq!(*south.first(), "north");
    assert_eq!(Library::open("east").name, "east");
    assert_eq!(*Library::count(), 7);
    assert_eq!(Library::count_info().builds, 1);
}

struct Of<T>(T);

impl<T: std::hash::Hash + Clone + Send + Sync + 'static> Of<T> {
    #[cache_resource]
    fn copy(&self) -> T
    where
        T: std::fmt::Debug,
    {
        self.0.clone()
    }
}

impl<T: std::hash::Hash> std::hash::Hash for Of<T> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

#[test]
fn f4_a_method_of_a_generic_type_has_a_cache_for_each_type() {
    assert_eq!(*Of(1u8).copy(), 1);
    assert_eq!(*Of(1i8).copy(), 1);
    assert_eq!(*Of("x".to_owned()).copy(), "x");
    assert_eq!(Of::<u8>::copy_info().entries, 1);
    Of::<u8>::copy_clear();
    assert_eq!(
        (Of::<u8>::copy_info().entries, Of::<i8>::copy_info().entries),
        (0, 1)
    );
}

#[test]
fn r3_generic_functions_have_a_cache_for_each_type() {
    #[cache_resource]
    fn parsed<T>(text: &str) -> Result<T, T::Err>
    where
        T: std::str::FromStr<Err: Send + Sync + 'static> + Send + Sync + 'static,
    {
        text.parse()
    }

    #[cache_resource]
    fn zeros<const N: usize>() -> [u8; N] {
        [0; N]
    }

    #[cache_resource]
    fn length(text: impl AsRef<str> + std::hash::Hash) -> usize {
        text.as_ref().len()
    }

    assert_eq!(*parsed::<u8>("7").unwrap(), 7);
    assert_eq!(*parsed::<i64>("7").unwrap(), 7);
    assert!(parsed::<u8>("-7").is_err());
    assert_eq!((parsed::info().builds, parsed::info().failures), (2, 1));
    parsed::clear_entry::<u8>("7");
    assert_eq!(parsed::info().entries, 1);
    assert_eq!((zeros::<2>().len(), zeros::<3>().len()), (2, 3));
    assert_eq!(zeros::info().builds, 2);
    assert_eq!((*length("abc"), *length("abc".to_owned())), (3, 3));
    assert_eq!(length::info().builds, 2);
}

#[test]
fn r3_patterns_and_early_returns_work() {
    #[cache_resource]
    fn area((width, height): (u32, u32), mut scale: u32, _: &Cell<u8>) -> Option<u32> {
        scale += 1;
        if width == 0 {
            return None;
        }
        let height = height.checked_mul(scale)?;
        Some(width * height)
    }

    let ignored = Cell::new(1);
    assert_eq!(*area((2, 3), 0, &ignored), Some(6));
    ignored.set(2);
    assert_eq!(*area((2, 3), 0, &ignored), Some(6));
    assert_eq!(*area((0, 3), 0, &ignored), None);
    assert_eq!(area::info().builds, 2);
}

#[test]
fn r4_the_resource_is_released_by_value_when_the_last_lease_is_gone() {
    static CLOSED: AtomicU32 = AtomicU32::new(0);

    struct Connection(u32);

    #[cache_resource(on_release = |it| { CLOSED.fetch_add(it.0, Ordering::Relaxed); })]
    fn connection(number: u32) -> Connection {
        Connection(number)
    }

    let lease = connection(5);
    connection::clear();
    assert_eq!(CLOSED.load(Ordering::Relaxed), 0);
    assert_eq!(lease.0, 5);
    drop(lease);
    assert_eq!(CLOSED.load(Ordering::Relaxed), 5);
}

#[test]
fn l3_a_release_that_fails_is_counted_and_reaches_nobody() {
    fn close(text: String) -> Result<(), String> {
        if text == "panic" {
            panic!("closing")
        }
        Err(text)
    }

    #[cache_resource(on_release = close)]
    fn thing(name: &str) -> String {
        name.to_owned()
    }

    let _ = (thing("panic"), thing("error"));
    thing::clear();
    let info = thing::info();
    assert_eq!(
        (info.released(Cause::Cleared), info.release_failures),
        (2, 2)
    );
}

#[test]
fn l9_what_fails_its_check_is_built_anew() {
    use std::sync::atomic::AtomicBool;

    struct Connection {
        alive: AtomicBool,
    }

    impl Connection {
        fn is_alive(&self) -> bool {
            self.alive.load(Ordering::Relaxed)
        }
    }

    #[cache_resource(validate = Connection::is_alive)]
    fn by_path() -> Connection {
        Connection {
            alive: AtomicBool::new(true),
        }
    }

    #[cache_resource(validate = |it| it.alive.load(Ordering::Relaxed))]
    fn by_closure() -> Connection {
        Connection {
            alive: AtomicBool::new(true),
        }
    }

    #[cache_resource(validate = |_| panic!("broken check"))]
    fn by_panic() -> u8 {
        1
    }

    for connection in [by_path, by_closure] {
        let first = connection();
        assert!(first.same_entry(&connection()));
        first.alive.store(false, Ordering::Relaxed);
        assert!(!first.same_entry(&connection()));
    }
    assert_eq!(by_path::info().released(Cause::Invalid), 1);
    let first = by_panic();
    assert!(!first.same_entry(&by_panic()));
}

#[test]
fn r9_a_panic_reaches_the_caller_and_poisons_nothing() {
    static FIRST: AtomicU32 = AtomicU32::new(0);
    static BEGUN: Barrier = Barrier::new(2);

    #[cache_resource]
    fn shaky() -> u8 {
        if FIRST.fetch_add(1, Ordering::Relaxed) == 0 {
            BEGUN.wait();
            while shaky::info().waiting == 0 {
                thread::yield_now();
            }
            panic!("boom");
        }
        9
    }

    thread::scope(|scope| {
        let leader = scope.spawn(shaky);
        BEGUN.wait();
        let waiter = scope.spawn(|| *shaky());
        let panic = leader.join().unwrap_err();
        assert_eq!(panic.downcast_ref(), Some(&"boom"));
        assert_eq!(waiter.join().unwrap(), 9);
    });
    assert_eq!(*shaky(), 9);
}

#[test]
fn c3_a_function_that_needs_its_own_entry_says_so() {
    #[cache_resource]
    fn first(n: u32) -> Result<u32, Shared<u32>> {
        Ok(*second(n)? + 1)
    }

    #[cache_resource]
    fn second(n: u32) -> Result<u32, u32> {
        match first(n) {
            Ok(lease) => Ok(*lease),
            Err(error) => {
                assert!(error.is_cycle());
                assert!(error.failure().is_none());
                Err(7)
            }
        }
    }

    let error = first(0).unwrap_err();
    assert_eq!(error.failure().unwrap().failure(), Some(&7));
}

#[test]
fn c1_threads_share_one_build() {
    static START: Barrier = Barrier::new(8);

    #[cache_resource]
    fn model() -> Arc<str> {
        while model::info().waiting < 7 {
            thread::yield_now();
        }
        "model".into()
    }

    thread::scope(|scope| {
        let callers: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    START.wait();
                    model()
                })
            })
            .collect();
        let leases: Vec<_> = callers.into_iter().map(|it| it.join().unwrap()).collect();
        assert!(leases.iter().all(|it| it.same_entry(&leases[0])));
    });
    assert_eq!(model::info().builds, 1);
}

mod elsewhere {
    pub use tenure as renamed;
}

#[test]
fn r3_the_crate_may_go_by_another_name() {
    #[elsewhere::renamed::cache_resource(crate = elsewhere::renamed)]
    fn answer(of: &str) -> usize {
        of.len()
    }

    #[derive(tenure::CacheKey)]
    #[key(crate = elsewhere::renamed)]
    struct Point(f32);

    #[tenure::cache_resource(crate = "elsewhere::renamed")]
    fn at(point: &Point) -> f32 {
        point.0
    }

    assert_eq!((*answer("ab"), *at(&Point(0.5))), (2, 0.5));
}

#[test]
fn r1_a_ttl_is_a_text_seconds_or_an_expression() {
    const NOW: std::time::Duration = std::time::Duration::ZERO;

    #[cache_resource(ttl = "0 days 00:00:00")]
    fn by_text() -> u8 {
        1
    }

    #[cache_resource(ttl = 0.0)]
    fn by_seconds() -> u8 {
        1
    }

    #[cache_resource(ttl = NOW, max_entries = None, show_spinner = false, show_time = true)]
    fn by_duration() -> u8 {
        1
    }

    #[cache_resource(ttl = "1h", drain = "5s", show_spinner = "Loading", scope = "global")]
    fn long() -> u8 {
        1
    }

    for f in [by_text, by_seconds, by_duration] {
        assert!(!f().same_entry(&f()));
    }
    assert!(long().same_entry(&long()));
    assert_eq!(by_text::info().builds, 2);
}

mod pool {
    /// Named like its module.
    #[tenure::cache_resource(cache = pool_cache)]
    pub(crate) fn pool(shard: u32) -> u32 {
        shard
    }
}
use pool::{pool, pool_cache};

#[test]
fn r1_a_cache_may_have_a_name_of_its_own() {
    drop(pool(7));
    assert_eq!(pool_cache::info().entries, 1);
    pool_cache::clear_entry(8);
    assert_eq!(pool_cache::info().entries, 1);
    pool_cache::clear();
    assert_eq!(pool_cache::info().entries, 0);
    assert_eq!(*pool::pool(7), 7);

    struct Owner;
    impl Owner {
        #[cache_resource(associated, cache = opened)]
        fn open(number: u32) -> u32 {
            number
        }
    }
    drop(Owner::open(1));
    assert_eq!(Owner::opened_info().builds, 1);
    Owner::opened_clear_entry(1);
    Owner::opened_clear();
}

#[test]
fn r9_a_build_that_panics_counts_as_one_that_failed() {
    #[cache_resource]
    fn broken() -> u32 {
        panic!("no")
    }

    #[cache_resource]
    async fn broken_later() -> u32 {
        panic!("no")
    }

    assert!(std::panic::catch_unwind(|| drop(broken())).is_err());
    assert_eq!((broken::info().failures, broken::info().builds), (1, 0));
    let later = || drop(futures_executor::block_on(broken_later()));
    assert!(std::panic::catch_unwind(later).is_err());
    assert_eq!(broken_later::info().failures, 1);
    // A build that is cancelled has not failed.
    #[cache_resource]
    async fn cancelled() -> u32 {
        std::future::pending().await
    }
    let mut build = Box::pin(cancelled());
    let waker = std::task::Waker::noop();
    assert!(
        build
            .as_mut()
            .poll(&mut std::task::Context::from_waker(waker))
            .is_pending()
    );
    drop(build);
    assert_eq!(cancelled::info().failures, 0);
}

#[test]
fn r4_a_lease_is_used_like_what_it_holds() {
    fn may_be_seen_after_a_panic<T: std::panic::UnwindSafe + std::panic::RefUnwindSafe>(_: &T) {}
    fn length(text: &impl AsRef<String>) -> usize {
        text.as_ref().len()
    }

    #[cache_resource]
    fn name() -> String {
        "pool".to_owned()
    }

    let lease = name();
    assert_eq!(
        (format!("{lease:>6}"), length(&lease)),
        ("  pool".to_owned(), 4)
    );
    may_be_seen_after_a_panic(&lease);
}

#[test]
fn r3_every_error_goes_where_errors_go() {
    use std::error::Error;
    use tenure::Interrupt;
    use tenure::front::BuildError;

    fn taken<E: Error + Send + Sync + 'static>(error: E) -> Box<dyn Error + Send + Sync> {
        error.into()
    }

    #[derive(Debug)]
    struct Outer(io::Error);
    impl std::fmt::Display for Outer {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("outer")
        }
    }
    impl Error for Outer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    let outer = || Arc::new(Outer(io::Error::other("inner")));
    for error in [
        taken(tenure::Error::Failed(outer())),
        taken(BuildError::Failed(outer())),
    ] {
        assert_eq!(error.to_string(), "outer");
        assert_eq!(error.source().unwrap().to_string(), "inner");
    }
    let stopped = || Interrupt(Box::new("stopped"));
    for error in [
        taken(tenure::Error::<Arc<Outer>>::Interrupted(stopped())),
        taken(BuildError::<Arc<Outer>>::Died(stopped())),
    ] {
        assert!(error.source().unwrap().is::<Interrupt>());
    }
    assert!(taken(stopped()).source().is_none());
    let circle = tenure::Error::<Arc<Outer>>::Cycle(vec!["a".into(), "a".into()]);
    assert!(taken(circle).source().is_none());
}

#[test]
fn l19_a_broken_lease_is_given_back_and_its_successor_stays() {
    #[cache_resource]
    fn connection(host: &str) -> String {
        host.to_owned()
    }

    let (broken, other_user) = (connection("a"), connection("a"));
    let neighbour = connection("b");
    broken.discard();
    assert_eq!(connection::info().released(Cause::Invalid), 0); // still in use
    let successor = connection("a");
    assert!(!successor.same_entry(&other_user));
    other_user.discard();
    assert_eq!(connection::info().released(Cause::Invalid), 1);
    assert!(connection("a").same_entry(&successor));
    assert!(connection("b").same_entry(&neighbour));
    assert_eq!(connection::info().builds, 3);
}

#[test]
fn l19_a_lease_whose_entry_has_ended_otherwise_is_only_given_back() {
    #[cache_resource(max_entries = 1)]
    fn connection(host: &str) -> String {
        host.to_owned()
    }

    let (cleared, evicted) = (connection("a"), {
        connection::clear();
        connection("b")
    });
    let kept = connection("c");
    cleared.discard();
    evicted.discard();
    let info = connection::info();
    let released = [Cause::Cleared, Cause::Evicted, Cause::Invalid].map(|it| info.released(it));
    assert_eq!(released, [1, 1, 0]);
    assert!(connection("c").same_entry(&kept));
}

#[test]
fn l19_a_session_gives_back_its_own() {
    #[cache_resource(scope = "session")]
    fn basket() -> u32 {
        7
    }

    let (alice, bob) = (tenure::Session::new(), tenure::Session::new());
    let hers = alice.run(basket);
    let his = bob.run(basket);
    hers.discard(); // outside every session
    assert!(bob.run(basket).same_entry(&his));
    drop(alice.run(basket));
    assert_eq!(
        (
            basket::info().builds,
            basket::info().released(Cause::Invalid)
        ),
        (3, 1)
    );
}

#[test]
fn v1_figures_show_the_causes_that_there_were_by_name() {
    #[cache_resource]
    fn counted(key: u32) -> u32 {
        key
    }

    assert!(format!("{:?}", counted::info()).contains("releases: {}, "));
    let _ = (counted(1), counted(2));
    counted::clear();
    let shown = format!("{:?}", counted::info());
    assert!(
        shown.contains("builds: 2, ") && shown.contains("releases: {Cleared: 2}, "),
        "{shown}"
    );
}
