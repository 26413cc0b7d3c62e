//! A4, A6 and L14 to L17 in the attribute's spelling: refreshes, idle times, weights, time-outs, ages of
//! one's own, and what is warm before the first call.

mod support;

use std::num::ParseIntError;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

use tenure::{Cause, Info, Refresh, Session, Shared, cache_resource};

const HOUR: Duration = Duration::from_secs(3600);

/// Waits for what the background does.
fn until(mut is_so: impl FnMut() -> bool) {
    while !is_so() {
        thread::yield_now();
    }
}

fn counts(info: &Info) -> (u64, u64, u64) {
    (info.builds, info.hits, info.misses)
}

// --- refresh_mode ---------------------------------------------------------------------------------

#[test]
fn a4_a_stale_hit_gets_the_old_one_and_a_build_in_the_background_replaces_it() {
    static BUILDS: AtomicU32 = AtomicU32::new(0);

    #[cache_resource(ttl = "1h", refresh_mode = "background")]
    fn rate(currency: &str, digits: u32) -> String {
        let build = BUILDS.fetch_add(1, Ordering::SeqCst);
        format!("{currency} {digits} {build}")
    }

    assert_eq!(*rate("euro", 2), "euro 2 0");
    rate::expire("euro", 2);
    assert_eq!(*rate("euro", 2), "euro 2 0");
    until(|| rate::info().builds == 2);
    until(|| rate::info().released(Cause::Replaced) == 1);
    assert_eq!(*rate("euro", 2), "euro 2 1");
    assert_eq!(counts(&rate::info()), (2, 2, 1));
}

#[test]
fn a4_a_build_that_fails_or_panics_in_the_background_is_nobodys() {
    static NEXT: Mutex<Result<u32, &str>> = Mutex::new(Ok(1));

    #[cache_resource(ttl = HOUR, refresh_mode = "ahead", refresh_before = "5m", max_stale = "1h")]
    fn rate(path: &Path) -> Result<u32, String> {
        assert_eq!(path, Path::new("here"));
        let next = *NEXT.lock().unwrap();
        assert_ne!(next, Err("panic"), "as it was told to");
        next.map_err(str::to_owned)
    }

    let here = Path::new("here");
    assert_eq!(*rate(here).unwrap(), 1);
    for (failures, next) in [(1, "down"), (2, "panic")] {
        *NEXT.lock().unwrap() = Err(next);
        rate::expire_all();
        assert_eq!(*rate(here).unwrap(), 1);
        until(|| rate::info().failures == failures);
        assert_eq!(*rate(here).unwrap(), 1);
    }
    NEXT.clear_poison();
    *NEXT.lock().unwrap() = Ok(2);
    rate::expire(here);
    until(|| *rate(here).unwrap() == 2);
}

#[test]
fn a4_in_the_foreground_the_old_one_serves_where_the_build_fails() {
    #[cache_resource(max_stale = "1h")]
    fn port(_text: &str) -> Result<u16, ParseIntError> {
        _text.parse()
    }

    assert_eq!(*port("80").unwrap(), 80);
    port::expire("");
    assert_eq!(*port("many").unwrap(), 80);
    port::expire_all();
    port::clear();
    assert!(port("many").unwrap_err().failure().is_some());
}

#[tokio::test]
async fn a4_async_functions_are_refreshed_by_a_task() {
    static BUILDS: AtomicU32 = AtomicU32::new(0);

    #[derive(Clone, Hash)]
    struct Currency(&'static str);

    #[cache_resource(ttl = "1h", refresh_mode = "background", show_arguments = false)]
    async fn rate(currency: Currency, digits: &[u8]) -> Result<String, ParseIntError> {
        tokio::task::yield_now().await;
        let build = BUILDS.fetch_add(1, Ordering::SeqCst);
        Ok(format!("{} {} {build}", currency.0, digits.len()))
    }

    let call = || rate(Currency("euro"), &[1, 2]);
    let spawned = tokio::spawn(async { rate(Currency("euro"), &[1, 2]).await.map(|it| it.len()) });
    assert_eq!(spawned.await.unwrap().unwrap(), 8);
    assert_eq!(*call().await.unwrap(), "euro 2 0");
    rate::expire(Currency("euro"), &[1, 2]);
    assert_eq!(*call().await.unwrap(), "euro 2 0");
    while *call().await.unwrap() == "euro 2 0" {
        tokio::task::yield_now().await;
    }
    assert_eq!(*call().await.unwrap(), "euro 2 1");
    assert_eq!((rate::info().builds, rate::info().misses), (2, 1));
}

#[test]
fn a4_where_no_runtime_can_carry_it_nothing_is_refreshed_beside() {
    #[cache_resource(ttl = "1h", refresh_mode = "background", max_stale = "1h")]
    async fn rate() -> u32 {
        7
    }

    futures_executor::block_on(async {
        rate().await;
        rate::expire();
        assert_eq!(*rate().await, 7);
        assert_eq!(rate::info().builds, 1);
    });
}

#[test]
fn a4_the_arguments_are_shown_of_a_refreshed_one_too() {
    #[cache_resource(ttl = "1h", refresh_mode = "background", show_arguments = true)]
    fn rate(currency: String, mut digits: u32) -> u32 {
        digits += 1;
        digits + currency.len() as u32
    }

    assert_eq!(*rate("euro".to_owned(), 2), 7);
    rate::expire_all();
    rate("euro".to_owned(), 2);
    until(|| rate::info().builds == 2);
    let shown = rate::entries()[0].arguments.clone();
    assert_eq!(shown.as_deref(), Some("currency: \"euro\", digits: 2"));
}

// --- build_timeout --------------------------------------------------------------------------------

#[test]
fn l16_a_caller_waits_so_long_and_the_build_goes_on() {
    static TIRED: Barrier = Barrier::new(2);

    #[cache_resource(build_timeout = "10ms")]
    fn model(name: &str) -> Result<String, ParseIntError> {
        TIRED.wait();
        Ok(name.to_uppercase())
    }

    let error: Shared<_> = model("a").unwrap_err();
    assert!(error.is_timeout());
    assert!(error.to_string().contains("model"), "{error}");
    TIRED.wait();
    until(|| model::contains("a"));
    assert_eq!(*model("a").unwrap(), "A");
}

#[test]
fn l16_a_panic_of_the_build_is_the_callers() {
    #[cache_resource(build_timeout = "1h")]
    fn model() -> u32 {
        panic!("no model")
    }

    let panic = thread::spawn(|| model()).join().unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"no model"));
}

#[tokio::test]
async fn l16_a_task_waits_so_long_too() {
    static MAY_END: tokio::sync::Semaphore = tokio::sync::Semaphore::const_new(0);

    #[cache_resource(build_timeout = "10ms")]
    async fn model() -> Result<u32, ParseIntError> {
        let _permit = MAY_END.acquire().await;
        Ok(7)
    }

    assert!(model().await.unwrap_err().is_timeout());
    MAY_END.add_permits(1);
    while !model::contains() {
        tokio::task::yield_now().await;
    }
    assert_eq!(*model().await.unwrap(), 7);
    assert_eq!(model::info().builds, 1);
}

// --- max_idle, weight, ttl ------------------------------------------------------------------------

#[test]
fn l14_what_nobody_asks_for_goes() {
    #[cache_resource(max_idle = "1ms")]
    fn model() -> u32 {
        7
    }

    model();
    until(|| model::info().released(Cause::Idle) == 1);
    assert_eq!(model::info().entries, 0);
}

#[test]
fn l15_the_one_used_longest_ago_makes_room() {
    #[derive(Debug)]
    struct Model {
        bytes: u64,
    }

    #[cache_resource(weight = |model: &Model| model.bytes, max_weight = 10)]
    fn model(bytes: u64) -> Model {
        Model { bytes }
    }

    #[cache_resource(weight = Vec::len, max_weight = 10)]
    fn bytes(length: usize) -> Vec<u8> {
        vec![0; length]
    }

    #[cache_resource(weight = 4, max_weight = 2 * 5)]
    fn number(number: u32) -> u32 {
        number
    }

    for bytes in [4, 5, 4, 3] {
        model(bytes);
    }
    assert!(!model::contains(5));
    assert_eq!(
        (model::info().weight, model::info().released(Cause::Evicted)),
        (7, 1)
    );
    assert_eq!(model(11).bytes, 11); // too heavy to be kept
    assert!(!model::contains(11));
    bytes(6);
    bytes(7);
    assert_eq!((bytes::info().weight, bytes::info().entries), (7, 1));
    (1..=3).for_each(|it| drop(number(it)));
    assert_eq!((number::info().weight, number::info().entries), (8, 2));
}

#[test]
fn l15_a_weight_that_panics_is_the_callers_to_know() {
    #[cache_resource(weight = |_| -> u64 { panic!("how heavy?") })]
    fn model() -> Result<u32, ParseIntError> {
        Ok(7)
    }

    let error = model().unwrap_err();
    assert!(
        error.to_string().contains("weight of model panicked"),
        "{error}"
    );
    assert_eq!((model::info().builds, model::info().all_released()), (1, 1));
}

#[test]
fn l17_each_resource_may_say_how_long_it_lives() {
    struct Token {
        expires_in: Duration,
    }

    impl Token {
        fn lives(&self) -> Option<Duration> {
            Some(self.expires_in)
        }
    }

    #[cache_resource(ttl = |token: &Token| token.expires_in)]
    fn token(seconds: u64) -> Token {
        let expires_in = Duration::from_secs(seconds);
        Token { expires_in }
    }

    #[cache_resource(ttl = Token::lives)]
    fn other_token(seconds: u64) -> Token {
        let expires_in = Duration::from_secs(seconds);
        Token { expires_in }
    }

    #[cache_resource(ttl = |_| None)]
    fn lasting() -> u32 {
        7
    }

    #[cache_resource(ttl = HOUR)]
    fn plain() -> u32 {
        7
    }

    for seconds in [0, 60] {
        token(seconds);
        other_token(seconds);
        assert_eq!(token::contains(seconds), seconds > 0);
        assert_eq!(other_token::contains(seconds), seconds > 0);
    }
    lasting();
    plain();
    assert!(lasting::contains() && plain::contains());
}

#[test]
fn l17_expire_means_one_call_or_all() {
    struct Store(u32);

    impl Store {
        #[cache_resource]
        fn table(&self, name: &str) -> String {
            format!("{name} of {}", self.0)
        }
    }

    impl std::hash::Hash for Store {
        fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
            self.0.hash(state);
        }
    }

    #[cache_resource]
    fn twice<T: Clone + std::hash::Hash + Send + Sync + 'static>(it: T) -> (T, T) {
        (it.clone(), it)
    }

    #[cache_resource(scope = "session")]
    fn basket() -> u32 {
        7
    }

    let store = Store(1);
    store.table("a");
    store.table("b");
    Store::table_expire(&store, "a");
    assert!(Store::table_peek(&store, "a").is_none() && Store::table_contains(&store, "b"));
    Store::table_expire_all();
    assert_eq!(Store::table_info().released(Cause::Expired), 2);
    twice(1);
    twice("one");
    twice::expire(1);
    assert!(!twice::contains(1) && twice::contains("one"));
    twice::expire_all();
    assert_eq!(twice::info().entries, 0);
    let session = Session::new();
    let serves = session.enter();
    basket();
    basket::expire();
    assert!(!basket::contains());
    drop(serves);
    let panic = thread::spawn(basket::expire_all).join().unwrap_err();
    assert!(panic.downcast_ref::<String>().unwrap().contains("session"));
}

// --- warm -----------------------------------------------------------------------------------------

#[test]
fn a6_what_is_warm_is_a_hit_for_the_first_caller() {
    #[cache_resource]
    fn model(name: &str, size: u32) -> Result<u32, ParseIntError> {
        name.parse::<u32>().map(|it| it * size)
    }

    let warming = model::warm([("7", 1), ("8", 2), ("nine", 3), ("7", 1)]);
    warming.wait();
    assert!(warming.is_ready());
    assert_eq!(warming.failures(), 1);
    assert_eq!(counts(&model::info()), (2, 0, 0));
    assert_eq!(model::info().waiting, 0);
    assert_eq!(*model("8", 2).unwrap(), 16);
    assert_eq!(counts(&model::info()), (2, 1, 0));
    model::warm([("8", 2)]).wait();
    assert_eq!(counts(&model::info()), (2, 1, 0));
}

#[test]
fn a6_without_arguments_with_one_and_with_what_cannot_leave() {
    #[cache_resource]
    fn pool() -> u32 {
        7
    }

    #[derive(Clone, Hash)]
    struct Own(u32);

    #[derive(Hash)]
    struct Name<'a>(&'a str);

    #[cache_resource]
    fn model(names: Arc<[String]>) -> usize {
        names.len()
    }

    #[cache_resource(warm = true)]
    fn of_own_type(it: Own) -> u32 {
        it.0
    }

    // A lifetime that does not show is nothing to it.
    #[cache_resource]
    fn hidden(name: Name) -> usize {
        name.0.len()
    }

    // It is not warmed, so nothing is asked of its arguments.
    #[cache_resource]
    fn local(it: std::rc::Rc<u32>) -> u32 {
        *it
    }

    pool::warm().wait();
    assert!(pool::contains());
    model::warm([Arc::from(["a".to_owned()]), Arc::from([])]).wait();
    assert_eq!(model::info().entries, 2);
    assert_eq!(*local(7.into()), 7);
    model::warm([]).wait();
    of_own_type::warm([Own(7), Own(8)]).wait();
    assert_eq!(of_own_type::info().builds, 2);
    assert_eq!(*hidden(Name("base")), 4);
}

#[test]
fn a6_a_panic_is_counted_and_hands_on() {
    static TOLD: AtomicU32 = AtomicU32::new(0);

    #[cache_resource]
    fn model() -> u32 {
        assert_ne!(TOLD.fetch_add(1, Ordering::SeqCst), 0, "the first one");
        7
    }

    let warming = model::warm();
    warming.wait();
    assert_eq!((warming.failures(), *model()), (1, 7));
}

#[tokio::test]
async fn a6_async_functions_are_warmed_by_tasks() {
    #[cache_resource]
    async fn model(name: &str) -> String {
        tokio::task::yield_now().await;
        name.to_uppercase()
    }

    let warming = model::warm(["a", "b"]);
    warming.clone().await;
    assert_eq!(warming.failures(), 0);
    assert_eq!(counts(&model::info()), (2, 0, 0));
    assert_eq!(*model("a").await, "A");
}

#[test]
fn a6_without_a_runtime_an_async_one_is_not_warmed() {
    #[cache_resource]
    async fn model() -> u32 {
        7
    }

    let warming = model::warm();
    warming.wait();
    assert_eq!((warming.failures(), model::info().builds), (1, 0));
}

#[test]
fn a6_a_session_is_warmed_for_itself() {
    #[cache_resource(scope = "session")]
    fn basket() -> u32 {
        7
    }

    let session = Session::new();
    let serves = session.enter();
    basket::warm().wait();
    assert!(basket::contains());
    drop(serves);
    assert!(thread::spawn(|| basket::warm()).join().is_err());
}

// --- the same of an owned cache -------------------------------------------------------------------

#[test]
fn a4_an_owned_cache_is_refreshed_warmed_and_expired() {
    let cache = tenure::Cache::<str, u32, ParseIntError>::builder("rate")
        .ttl(HOUR)
        .refresh_mode(Refresh::Background)
        .max_stale(HOUR)
        .max_idle(HOUR)
        .build_timeout(HOUR)
        .weight(|it| u64::from(*it))
        .max_weight(100)
        .build()
        .unwrap();
    cache.try_warm("euro", || "7".parse()).wait();
    assert_eq!(*cache.try_get("euro", || unreachable!()).unwrap(), 7);
    cache.expire("euro");
    assert_eq!(*cache.try_get_refreshed("euro", || "8".parse()).unwrap(), 7);
    until(|| cache.info().weight == 8);
    cache.expire_all();
    let (told, heard) = channel();
    let fails = move || {
        told.send(()).unwrap();
        "nine".parse()
    };
    assert_eq!(*cache.try_get_refreshed("euro", fails).unwrap(), 8);
    heard.recv().unwrap();
    assert_eq!(*cache.try_get("euro", || unreachable!()).unwrap(), 8);
}
