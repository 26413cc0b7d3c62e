//! A build of an async function belongs to no caller where a runtime can carry it (A1).

mod support;

use std::cell::Cell;
use std::collections::VecDeque;
use std::future::{Future, pending, poll_fn};
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use tenure::{Cause, Lease, Session, Shared, cache_resource};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Notify, Semaphore};
use tokio::task::{LocalSet, yield_now};

use support::{lock, receive};

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn multi_thread(workers: usize) -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder
        .worker_threads(workers)
        .enable_all()
        .build()
        .unwrap()
}

/// Polls a call once; the call goes on only if someone polls it again.
async fn once<T>(call: Pin<&mut impl Future<Output = T>>) -> Option<T> {
    let mut call = call;
    poll_fn(|cx| {
        Poll::Ready(match call.as_mut().poll(cx) {
            Poll::Ready(it) => Some(it),
            Poll::Pending => None,
        })
    })
    .await
}

#[tokio::test]
async fn a1_a_select_that_drops_the_first_caller_ends_nothing() {
    #[cache_resource]
    async fn model(name: &str) -> String {
        for _ in 0..5 {
            yield_now().await;
        }
        name.to_uppercase()
    }

    tokio::select! {
        biased;
        _ = model("a") => unreachable!("it takes a while"),
        () = yield_now() => {}
    }
    assert_eq!(*model("a").await, "A");
    assert_eq!((model::info().builds, model::info().misses), (1, 2));
}

#[tokio::test]
async fn a1_a_select_that_holds_the_first_caller_back_holds_nobody() {
    #[cache_resource]
    async fn model() -> u32 {
        yield_now().await;
        7
    }

    let mut first = pin!(model());
    tokio::select! {
        biased;
        _ = &mut first => unreachable!("it takes a while"),
        () = std::future::ready(()) => {
            assert_eq!(*model().await, 7); // `first` is not polled in here
        }
    }
    assert_eq!(*first.await, 7);
    assert_eq!(model::info().builds, 1);
}

#[tokio::test]
async fn a1_callers_that_have_no_time_do_not_begin_it_anew() {
    static BEGUN: AtomicU32 = AtomicU32::new(0);

    #[cache_resource]
    async fn model(path: &Path) -> usize {
        BEGUN.fetch_add(1, Ordering::Relaxed);
        for _ in 0..20 {
            yield_now().await;
        }
        path.as_os_str().len()
    }

    let hasty = async || {
        tokio::select! {
            biased;
            got = model(Path::new("there")) => Some(got),
            () = yield_now() => None,
        }
    };
    let mut calls = 1;
    while hasty().await.is_none() {
        calls += 1;
    }
    assert!(calls > 1);
    assert_eq!(
        (BEGUN.load(Ordering::Relaxed), model::info().builds),
        (1, 1)
    );
}

#[tokio::test]
async fn a1_a_caller_that_is_forgotten_holds_nobody() {
    #[cache_resource]
    async fn model() -> u32 {
        yield_now().await;
        7
    }

    let mut forgotten = Box::pin(model());
    assert!(once(forgotten.as_mut()).await.is_none());
    std::mem::forget(forgotten);
    assert_eq!(*model().await, 7);
    assert_eq!(model::info().builds, 1);
}

#[tokio::test]
async fn a1_callers_in_a_buffer_that_is_not_polled_hold_nobody() {
    #[cache_resource]
    async fn model(number: u32) -> u32 {
        yield_now().await;
        number
    }

    // A `FuturesUnordered`, or a buffered stream, whose loop body asks for what is in the buffer.
    let mut buffer: VecDeque<_> = (0..4).map(|it| Box::pin(model(it))).collect();
    for call in &mut buffer {
        assert!(once(call.as_mut()).await.is_none());
    }
    while let Some(call) = buffer.pop_front() {
        let number = *call.await;
        assert_eq!(*model(3).await, 3);
        assert!(number < 4);
    }
    assert_eq!(model::info().builds, 4);
}

#[tokio::test]
async fn a1_with_nobody_left_a_build_is_finished_and_kept() {
    static DONE: Notify = Notify::const_new();

    #[cache_resource(keep_if = |it: &u32| { DONE.notify_one(); *it == 7 })]
    async fn model(number: u32) -> Result<u32, String> {
        yield_now().await;
        Ok(number)
    }

    for number in [7, 8] {
        let mut call = Box::pin(model(number));
        assert!(once(call.as_mut()).await.is_none());
        drop(call);
        DONE.notified().await;
        yield_now().await;
        assert_eq!(model::info().waiting, 0);
    }
    assert!(model::contains(7) && !model::contains(8));
    assert_eq!(model::info().released(Cause::Orphaned), 1);
}

#[test]
fn a1_two_runtimes_share_a_build_that_outlives_its_caller() {
    static GATE: Semaphore = Semaphore::const_new(0);

    #[cache_resource]
    async fn model() -> u32 {
        GATE.acquire().await.unwrap().forget();
        7
    }

    let (one, other) = (multi_thread(1), current_thread());
    let first = one.spawn(model());
    while model::info().misses == 0 {
        thread::yield_now();
    }
    let waiter = thread::spawn(move || other.block_on(model()));
    while model::info().waiting < 2 {
        thread::yield_now();
    }
    first.abort();
    GATE.add_permits(1);
    assert_eq!(*waiter.join().unwrap(), 7);
    assert_eq!(model::info().builds, 1);
}

#[test]
fn a1_a_runtime_that_is_shut_down_midway_hands_on() {
    static BEGUN: AtomicU32 = AtomicU32::new(0);

    #[cache_resource]
    async fn model(name: String) -> String {
        if BEGUN.fetch_add(1, Ordering::SeqCst) == 0 {
            pending::<()>().await;
        }
        name.to_uppercase()
    }

    let (one, other) = (multi_thread(1), current_thread());
    one.spawn(model("a".into()));
    while BEGUN.load(Ordering::SeqCst) == 0 {
        thread::yield_now();
    }
    let waiter = thread::spawn(move || other.block_on(model("a".into())));
    while model::info().waiting < 2 {
        thread::yield_now();
    }
    one.shutdown_background();
    assert_eq!(*waiter.join().unwrap(), "A");
    assert_eq!(BEGUN.load(Ordering::SeqCst), 2);
}

/// A caller that outlives the runtime that carries its build.
fn outlives<T>(call: impl Future<Output = T>, has_begun: &AtomicU32) -> T {
    let runtime = multi_thread(1);
    let mut call = pin!(call);
    {
        let _entered = runtime.enter();
        let mut cx = Context::from_waker(Waker::noop());
        assert!(call.as_mut().poll(&mut cx).is_pending());
    }
    while has_begun.load(Ordering::SeqCst) == 0 {
        thread::yield_now();
    }
    runtime.shutdown_background();
    futures_executor::block_on(call)
}

#[test]
fn a1_a_caller_whose_runtime_has_gone_builds_again_or_says_why_not() {
    static BEGUN: [AtomicU32; 3] = [const { AtomicU32::new(0) }; 3];

    async fn hangs_first(which: usize) {
        if BEGUN[which].fetch_add(1, Ordering::SeqCst) == 0 {
            pending::<()>().await;
        }
    }

    #[cache_resource]
    async fn copied(name: &str, number: u32) -> String {
        hangs_first(0).await;
        format!("{name} {number}")
    }

    #[cache_resource]
    async fn moved(name: String) -> Result<String, String> {
        hangs_first(1).await;
        Ok(name)
    }

    #[cache_resource]
    async fn cannot_fail(name: String) -> String {
        hangs_first(2).await;
        name
    }

    assert_eq!(*outlives(copied("a", 1), &BEGUN[0]), "a 1");
    let error = outlives(moved("a".into()), &BEGUN[1]).unwrap_err();
    assert!(error.is_interrupted());
    let text = "the runtime on which moved was being built was shut down, and the arguments of this call \
                went with it: call again";
    assert_eq!(error.to_string(), text);
    let call = || outlives(cannot_fail("a".into()), &BEGUN[2]);
    let panic = std::panic::catch_unwind(call).unwrap_err();
    assert_eq!(
        *panic.downcast::<String>().unwrap(),
        text.replace("moved", "cannot_fail")
    );
    let again = |call: Lease<String>| assert_eq!(*call, "a");
    again(futures_executor::block_on(moved("a".into())).unwrap());
    again(futures_executor::block_on(cannot_fail("a".into())));
}

#[test]
fn a1_a_runtime_that_has_shut_down_already_gives_the_build_back() {
    #[cache_resource]
    async fn model(name: String) -> String {
        name
    }

    let runtime = multi_thread(1);
    let handle = runtime.handle().clone();
    runtime.shutdown_timeout(Duration::from_secs(10));
    let _entered = handle.enter();
    assert_eq!(*futures_executor::block_on(model("a".into())), "a");
    assert_eq!(model::info().builds, 1);
}

#[test]
fn a1_a_runtime_that_nobody_drives_gives_the_build_back() {
    #[cache_resource]
    async fn model(name: String) -> String {
        name
    }

    let runtime = current_thread();
    let _entered = runtime.enter();
    assert_eq!(*futures_executor::block_on(model("a".into())), "a");
    // The only worker, blocked by the call: what it spawned is its own next task.
    let worker = multi_thread(1);
    let call = async { futures_executor::block_on(model("b".into())).len() };
    assert_eq!(worker.block_on(worker.spawn(call)).unwrap(), 1);
    assert_eq!(model::info().builds, 2);
}

#[test]
fn a1_a_current_thread_runtime_and_a_local_set_carry_builds() {
    #[cache_resource]
    async fn model(number: u32) -> thread::ThreadId {
        yield_now().await;
        let _ = number;
        thread::current().id()
    }

    let call = async |number| {
        let mut first = Box::pin(model(number));
        assert!(once(first.as_mut()).await.is_none());
        drop(first);
        assert_eq!(*model(number).await, thread::current().id());
    };
    current_thread().block_on(call(1));
    LocalSet::new().block_on(&current_thread(), call(2));
    assert_eq!(model::info().builds, 2);
}

#[test]
fn a1_without_a_runtime_a_build_is_a_part_of_its_caller() {
    static BEGUN: AtomicU32 = AtomicU32::new(0);

    #[cache_resource]
    async fn model(name: &str) -> String {
        if BEGUN.fetch_add(1, Ordering::Relaxed) == 0 {
            pending::<()>().await;
        }
        name.to_owned()
    }

    let mut first = Box::pin(model("a"));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(first.as_mut().poll(&mut cx).is_pending());
    drop(first);
    assert_eq!(*futures_executor::block_on(model("a")), "a");
    assert_eq!(BEGUN.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a1_what_cannot_leave_its_thread_or_its_call_is_built_as_before() {
    static BEGUN: AtomicU32 = AtomicU32::new(0);

    async fn first_hangs() {
        if BEGUN.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) {
            pending::<()>().await;
        }
    }

    #[cache_resource]
    async fn not_send(number: u32) -> u32 {
        let local = Rc::new(number);
        first_hangs().await;
        *local
    }

    #[cache_resource]
    async fn borrowed(number: &u32) -> u32 {
        first_hangs().await;
        *number
    }

    #[cache_resource]
    async fn generic<T: tenure::CacheKey + Into<u32> + Send>(number: T) -> u32 {
        first_hangs().await;
        number.into()
    }

    #[cache_resource(carry = false)]
    async fn stays(number: u32) -> u32 {
        first_hangs().await;
        number
    }

    async fn handed_on(calls: [impl Future<Output = Lease<u32>>; 2]) {
        let [first, second] = calls.map(Box::pin);
        let mut first = first;
        assert!(once(first.as_mut()).await.is_none());
        yield_now().await;
        drop(first);
        assert_eq!(*second.await, 5);
    }

    handed_on([not_send(5), not_send(5)]).await;
    handed_on([borrowed(&5), borrowed(&5)]).await;
    handed_on([generic(5_u16), generic(5_u16)]).await;
    handed_on([stays(5), stays(5)]).await;
    assert_eq!(BEGUN.load(Ordering::Relaxed), 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn a1_a_build_has_the_session_and_the_stage_of_its_caller() {
    struct Page(Mutex<Vec<String>>);

    impl tenure::Stage for Page {
        type Element = String;
        type Input = u32;
        fn put(&self, element: &String) {
            lock(&self.0).push(element.clone());
        }
        fn input(&self, _: &str) -> u32 {
            7
        }
    }

    #[cache_resource(scope = "session", observes = true)]
    async fn chart(of: &str) -> String {
        yield_now().await;
        tenure::stage::put(of.to_owned());
        let session = tenure::Host::session(&tenure::ProgramHost)
            .unwrap()
            .expect("it was carried");
        let seven: u32 = tenure::stage::input("scale").expect("it was carried");
        let inner = inner().await;
        format!("{session} {seven} {inner}", inner = *inner)
    }

    #[cache_resource]
    async fn inner() -> u32 {
        yield_now().await;
        tenure::stage::put("inner".to_owned());
        tenure::stage::input("scale").expect("it was carried")
    }

    let session = Session::named("alice");
    let page = Arc::new(Page(Mutex::default()));
    for _ in 0..2 {
        let call = session.run(|| tenure::stage::attach(&page, chart("a")));
        assert_eq!(*call.await, "alice 7 7");
        assert_eq!(std::mem::take(&mut *lock(&page.0)), ["a", "inner"]);
    }
    assert_eq!((chart::info().builds, chart::info().hits), (1, 1));
}

#[tokio::test]
async fn a1_a_circle_through_carried_builds_is_refused() {
    type Boxed = Pin<Box<dyn Future<Output = Result<Lease<u32>, Shared<String>>> + Send>>;

    fn ping_boxed() -> Boxed {
        Box::pin(ping())
    }

    #[cache_resource]
    async fn ping() -> Result<u32, String> {
        yield_now().await;
        let pong = pong().await;
        pong.map(|it| *it).map_err(|error| error.to_string())
    }

    #[cache_resource]
    async fn pong() -> Result<u32, String> {
        yield_now().await;
        match ping_boxed().await {
            Ok(lease) => Ok(*lease),
            Err(error) if error.is_cycle() => Err("a circle".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    assert_eq!(ping().await.unwrap_err().to_string(), "a circle");
    // From both ends at once.
    let (one, other) = tokio::join!(tokio::spawn(ping()), tokio::spawn(pong()));
    let texts = [one, other].map(|it| it.unwrap().unwrap_err().to_string());
    assert!(texts.iter().all(|it| it.contains("circle")), "{texts:?}");
}

#[tokio::test]
async fn a1_a_function_may_call_itself_with_other_arguments() {
    #[cache_resource]
    async fn fibonacci(number: u32) -> u32 {
        yield_now().await;
        if number < 2 {
            return number;
        }
        let before = Box::pin(fibonacci(number - 1)).await;
        *before + *Box::pin(fibonacci(number - 2)).await
    }

    assert_eq!(
        *tokio::spawn(async { fibonacci(20).await }).await.unwrap(),
        6765
    );
    assert_eq!(fibonacci::info().builds, 21);
}

#[tokio::test]
async fn a1_a_carried_build_that_clears_itself_is_kept() {
    #[cache_resource]
    async fn model(name: &str) -> String {
        yield_now().await;
        helper(name).await;
        yield_now().await;
        model::clear();
        name.to_uppercase()
    }

    #[cache_resource]
    async fn helper(name: &str) -> usize {
        yield_now().await;
        model::clear(); // inside of the build that it is for
        name.len()
    }

    let mut first = Box::pin(model("a"));
    assert!(once(first.as_mut()).await.is_none());
    drop(first);
    let second = model("a").await;
    assert!(model("a").await.same_entry(&second));
    assert_eq!((model::info().builds, helper::info().builds), (1, 1));
    assert_eq!(model::info().released(Cause::Orphaned), 0);
}

#[tokio::test]
async fn a1_a_panic_reaches_the_first_caller_and_the_others_look_again() {
    static FIRST: AtomicBool = AtomicBool::new(true);

    #[cache_resource]
    async fn shaky(name: &str) -> String {
        yield_now().await;
        assert!(!FIRST.swap(false, Ordering::Relaxed), "boom");
        name.to_owned()
    }

    let first = tokio::spawn(shaky("a"));
    let second = tokio::spawn(shaky("a"));
    let panic = first.await.unwrap_err().into_panic();
    assert_eq!(panic.downcast_ref(), Some(&"boom"));
    assert_eq!(*second.await.unwrap(), "a");

    // With the first caller gone it reaches nobody, and hangs nobody.
    FIRST.store(true, Ordering::Relaxed);
    let mut gone = Box::pin(shaky("b"));
    assert!(once(gone.as_mut()).await.is_none());
    drop(gone);
    assert_eq!(*shaky("b").await, "b");
    assert_eq!((shaky::info().failures, shaky::info().waiting), (2, 0));
}

#[tokio::test]
async fn a1_a_failure_reaches_all_who_wait_and_is_not_kept() {
    #[cache_resource]
    async fn broken(name: &str) -> Result<u8, String> {
        yield_now().await;
        Err(format!("{name} is down"))
    }

    let calls: Vec<_> = (0..3).map(|_| tokio::spawn(broken("here"))).collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap_err().to_string(), "here is down");
    }
    assert_eq!(broken::info().failures, 1);
    assert!(broken("here").await.is_err());
    assert_eq!(broken::info().failures, 2);
}

#[tokio::test]
async fn a1_async_checks_and_carried_builds_go_together() {
    #[cache_resource(validate = async |it: &AtomicBool| {
        yield_now().await;
        it.load(Ordering::Relaxed)
    })]
    async fn connection(name: String) -> Result<AtomicBool, String> {
        yield_now().await;
        Ok(AtomicBool::new(!name.is_empty()))
    }

    let first = connection("a".into()).await.unwrap();
    assert!(first.same_entry(&connection("a".into()).await.unwrap()));
    first.store(false, Ordering::Relaxed);
    let mut second = Box::pin(connection("a".into()));
    while connection::info().misses < 2 {
        assert!(once(second.as_mut()).await.is_none());
        yield_now().await;
    }
    drop(second);
    assert!(!first.same_entry(&connection("a".into()).await.unwrap()));
    assert_eq!(connection::info().builds, 2);
}

#[tokio::test]
async fn a1_a_check_that_asks_for_its_own_entry_is_refused() {
    type Boxed = Pin<Box<dyn Future<Output = Result<Lease<u32>, Shared<String>>> + Send>>;

    #[cache_resource(validate = async |_: &u32| own_boxed().await.is_ok())]
    async fn own() -> Result<u32, String> {
        yield_now().await;
        Ok(7)
    }

    fn own_boxed() -> Boxed {
        Box::pin(async {
            let own = own().await;
            assert!(own.as_ref().is_err_and(Shared::is_cycle));
            own
        })
    }

    own().await.unwrap();
    own().await.unwrap();
    assert_eq!(
        (own::info().builds, own::info().released(Cause::Invalid)),
        (2, 1)
    );
}

thread_local! {
    static COPIES: Cell<u32> = const { Cell::new(0) };
}

mod of_ones_own {
    /// Counts its copies.
    #[derive(PartialEq, Eq, Hash)]
    pub struct Path;

    impl Clone for Path {
        fn clone(&self) -> Self {
            super::COPIES.set(super::COPIES.get() + 1);
            Self
        }
    }
}

#[tokio::test]
async fn a1_arguments_are_copied_at_a_miss_and_never_at_a_hit() {
    #[cache_resource(validate = |_: &usize| true)]
    async fn length(_of: &of_ones_own::Path, text: &str, numbers: &[u8]) -> usize {
        yield_now().await;
        text.len() + numbers.len()
    }

    for _ in 0..3 {
        assert_eq!(*length(&of_ones_own::Path, "four", &[1, 2]).await, 6);
    }
    let info = length::info();
    assert_eq!((info.builds, info.hits, COPIES.get()), (1, 2, 1));
}

#[tokio::test]
async fn a1_arguments_of_every_kind_reach_a_carried_build() {
    #[derive(PartialEq, Eq, Hash)]
    struct NoCopies(u32);

    #[allow(clippy::too_many_arguments)]
    #[cache_resource(show_arguments = true)]
    async fn all(
        mut text: &str,
        bytes: &[u8],
        path: &Path,
        os: &std::ffi::OsStr,
        c: &std::ffi::CStr,
        (left, right): (u32, String),
        name: &'static str,
        #[key(with = |it: &fn(u32) -> u32| *it as usize)] double: fn(u32) -> u32,
        _unused: Vec<NoCopies>,
    ) -> Result<String, String> {
        yield_now().await;
        text = text.trim();
        if text.is_empty() {
            return Err("nothing".to_owned());
        }
        let sum = bytes.iter().map(|it| u32::from(*it)).sum::<u32>() + double(left);
        let lengths = path.as_os_str().len() + os.len() + c.to_bytes().len();
        Ok(format!("{text} {sum} {lengths} {right} {name}"))
    }

    #[cache_resource]
    async fn slice_of_what_has_no_copies(of: &[NoCopies]) -> u32 {
        yield_now().await;
        of.iter().map(|it| it.0).sum()
    }

    let double: fn(u32) -> u32 = |it| it * 2;
    let (path, os) = (Path::new("a/b"), std::ffi::OsStr::new("os"));
    let call = async |text: &str| {
        let call = all(
            text,
            &[1, 2],
            path,
            os,
            c"c",
            (3, "r".to_owned()),
            "n",
            double,
            Vec::new(),
        );
        let mut call = Box::pin(call);
        assert!(once(call.as_mut()).await.is_none());
        call.await
    };
    assert_eq!(*call(" t ").await.unwrap(), "t 9 6 r n");
    assert!(call("").await.is_err());
    assert!(
        all::entries()[0]
            .arguments
            .as_ref()
            .unwrap()
            .contains("\" t \"")
    );
    assert_eq!(
        *slice_of_what_has_no_copies(&[NoCopies(1), NoCopies(2)]).await,
        3
    );
}

/// Every way to give up: at each poll of the first caller, with and without someone who waits.
#[test]
fn a1_a_caller_may_give_up_at_any_poll() {
    #[cache_resource]
    async fn model(number: u32) -> u32 {
        for _ in 0..number % 4 {
            yield_now().await;
        }
        number
    }

    let mut number = 0;
    for polls in 0..6 {
        for others in 0..3 {
            for steps in 0..4 {
                number = (number / 4 + 1) * 4 + steps;
                current_thread().block_on(async {
                    let mut first = Box::pin(model(number));
                    let others: Vec<_> = (0..others).map(|_| tokio::spawn(model(number))).collect();
                    for _ in 0..polls {
                        if once(first.as_mut()).await.is_some() {
                            first = Box::pin(model(number));
                        }
                        yield_now().await;
                    }
                    drop(first);
                    for other in others {
                        assert_eq!(*other.await.unwrap(), number);
                    }
                    assert_eq!(*model(number).await, number);
                });
                let info = model::info();
                assert_eq!((info.waiting, info.failures), (0, 0));
            }
        }
    }
    assert_eq!(model::info().builds, 72);
}

#[test]
fn a1_panics_on_a_runtime_of_its_own_reach_a_caller_on_another() {
    #[cache_resource]
    async fn broken() -> u32 {
        yield_now().await;
        panic!("boom")
    }

    let runtime = multi_thread(1);
    let (tell, told) = channel();
    let caller = thread::spawn(move || {
        let _entered = runtime.enter();
        let call = AssertUnwindSafe(|| futures_executor::block_on(broken()));
        let panic = std::panic::catch_unwind(call).map(drop).unwrap_err();
        tell.send(*panic.downcast::<&str>().unwrap()).unwrap();
    });
    assert_eq!(receive(&told), "boom");
    caller.join().unwrap();
}
