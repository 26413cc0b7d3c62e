//! `#[cache_resource]` on `async fn` (R3, R4, R5), on tokio and on no runtime at all.

mod support;

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;

use tenure::{Cause, Lease, Session, Shared, cache_resource, carry};
use tokio::runtime::Builder;
use tokio::sync::{Notify, Semaphore, oneshot};

use support::receive;

#[tokio::test(flavor = "multi_thread")]
async fn c1_tasks_share_one_build() {
    static GATE: Notify = Notify::const_new();

    #[cache_resource]
    async fn model(name: &str) -> String {
        GATE.notified().await;
        name.to_uppercase()
    }

    let tasks: Vec<_> = (0..8)
        .map(|_| tokio::spawn(async { model("a").await }))
        .collect();
    while model::info().waiting < 7 {
        tokio::task::yield_now().await;
    }
    GATE.notify_one();
    let mut leases: Vec<Lease<String>> = Vec::new();
    for task in tasks {
        leases.push(task.await.unwrap());
    }
    assert!(
        leases
            .iter()
            .all(|it| it.same_entry(&leases[0]) && **it == "A")
    );
    assert_eq!(model::info().builds, 1);
    assert!(model("a").await.same_entry(&leases[0]));
}

#[test]
fn c1_event_loops_share_one_build() {
    static BEGUN: AtomicU32 = AtomicU32::new(0);
    static GATE: Semaphore = Semaphore::const_new(0);

    #[cache_resource]
    async fn model() -> u32 {
        BEGUN.fetch_add(1, Ordering::Relaxed);
        GATE.acquire().await.unwrap().forget();
        7
    }

    let (tell, told) = channel();
    for _ in 0..2 {
        let tell = tell.clone();
        thread::spawn(move || {
            let event_loop = Builder::new_current_thread().build().unwrap();
            tell.send(event_loop.block_on(model())).unwrap();
        });
    }
    // Both are there: building, or waiting for the build.
    while u64::from(BEGUN.load(Ordering::Relaxed)) + model::info().waiting < 2 {
        thread::yield_now();
    }
    GATE.add_permits(2);
    assert!(receive(&told).same_entry(&receive(&told)));
    assert_eq!(model::info().builds, 1);
}

#[tokio::test]
async fn c2_tasks_that_waited_share_the_failure() {
    static GATE: Notify = Notify::const_new();

    #[cache_resource]
    async fn broken() -> Result<u8, String> {
        GATE.notified().await;
        Err("down".to_owned())
    }

    let tasks: Vec<_> = (0..3).map(|_| tokio::spawn(broken())).collect();
    while broken::info().waiting < 2 {
        tokio::task::yield_now().await;
    }
    GATE.notify_one();
    for task in tasks {
        assert_eq!(task.await.unwrap().unwrap_err().to_string(), "down");
    }
    assert_eq!(broken::info().failures, 1);
}

#[tokio::test]
async fn c4_a_cancelled_builder_hands_on_where_its_build_is_a_part_of_it() {
    static BUILDS: AtomicU32 = AtomicU32::new(0);

    #[cache_resource(carry = false)]
    async fn model() -> u32 {
        if BUILDS.fetch_add(1, Ordering::Relaxed) == 0 {
            std::future::pending::<()>().await;
        }
        7
    }

    let builder = tokio::spawn(model());
    while BUILDS.load(Ordering::Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
    let waiter = tokio::spawn(model());
    while model::info().waiting == 0 {
        tokio::task::yield_now().await;
    }
    builder.abort();
    assert_eq!(*waiter.await.unwrap(), 7);
    assert_eq!(BUILDS.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn r9_a_panic_in_a_task_wakes_the_waiters() {
    static FIRST: AtomicBool = AtomicBool::new(true);
    static GATE: Notify = Notify::const_new();

    #[cache_resource]
    async fn shaky() -> u32 {
        if FIRST.swap(false, Ordering::Relaxed) {
            GATE.notified().await;
            panic!("boom");
        }
        9
    }

    let builder = tokio::spawn(shaky());
    while FIRST.load(Ordering::Relaxed) {
        tokio::task::yield_now().await;
    }
    let waiter = tokio::spawn(shaky());
    while shaky::info().waiting == 0 {
        tokio::task::yield_now().await;
    }
    GATE.notify_one();
    assert!(builder.await.unwrap_err().is_panic());
    assert_eq!(*waiter.await.unwrap(), 9);
}

#[tokio::test]
async fn l13_an_async_build_that_clears_itself_is_kept() {
    #[cache_resource]
    async fn model(name: &str) -> String {
        model::clear();
        tokio::task::yield_now().await;
        helper(name).await;
        name.to_uppercase()
    }

    #[cache_resource]
    async fn helper(name: &str) -> usize {
        model::clear();
        name.len()
    }

    let first = model("a").await;
    assert!(model("a").await.same_entry(&first));
    assert_eq!((model::info().builds, helper::info().builds), (1, 1));
    assert_eq!(model::info().released(Cause::Orphaned), 0);
}

#[tokio::test]
async fn c3_a_circle_of_tasks_is_refused() {
    type Boxed = std::pin::Pin<Box<dyn Future<Output = Result<Lease<u32>, Shared<String>>>>>;

    fn boxed_inner() -> Boxed {
        Box::pin(inner())
    }

    #[cache_resource]
    async fn outer() -> Result<u32, String> {
        let inner = boxed_inner().await;
        inner.map(|it| *it).map_err(|error| error.to_string())
    }

    #[cache_resource]
    async fn inner() -> Result<u32, String> {
        match outer().await {
            Ok(lease) => Ok(*lease),
            Err(error) if error.is_cycle() => Err("a circle".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    assert_eq!(outer().await.unwrap_err().to_string(), "a circle");
}

#[tokio::test]
async fn l9_checks_may_be_async_or_not() {
    struct Connection(AtomicBool);

    impl Connection {
        async fn ping(&self) -> bool {
            tokio::task::yield_now().await;
            self.0.load(Ordering::Relaxed)
        }
        fn is_open(&self) -> bool {
            self.0.load(Ordering::Relaxed)
        }
    }

    #[cache_resource(validate = Connection::ping)]
    async fn by_async_path() -> Connection {
        Connection(AtomicBool::new(true))
    }

    #[cache_resource(validate = Connection::is_open)]
    async fn by_path() -> Connection {
        Connection(AtomicBool::new(true))
    }

    #[cache_resource(validate = async |it| it.ping().await)]
    async fn by_async_closure() -> Connection {
        Connection(AtomicBool::new(true))
    }

    #[cache_resource(validate = |it| it.is_open())]
    async fn by_closure() -> Result<Connection, String> {
        Ok(Connection(AtomicBool::new(true)))
    }

    #[cache_resource(validate = async |_| panic!("broken check"))]
    async fn by_panic() -> u8 {
        1
    }

    // In a task, so that the futures are known to be `Send`.
    let checks = tokio::spawn(async {
        let first = by_async_path().await;
        assert!(first.same_entry(&by_async_path().await));
        first.0.store(false, Ordering::Relaxed);
        assert!(!first.same_entry(&by_async_path().await));

        let first = by_path().await;
        first.0.store(false, Ordering::Relaxed);
        assert!(!first.same_entry(&by_path().await));

        let first = by_async_closure().await;
        first.0.store(false, Ordering::Relaxed);
        assert!(!first.same_entry(&by_async_closure().await));

        let first = by_closure().await.unwrap();
        first.0.store(false, Ordering::Relaxed);
        assert!(!first.same_entry(&by_closure().await.unwrap()));

        let first = by_panic().await;
        assert!(!first.same_entry(&by_panic().await));
    });
    checks.await.unwrap();
    assert_eq!(by_path::info().released(Cause::Invalid), 1);
}

#[tokio::test]
async fn r4_an_async_release_receives_the_resource_and_runs_to_its_end() {
    static CLOSED: Mutex<Option<oneshot::Sender<u32>>> = Mutex::new(None);

    struct Connection(u32);

    async fn close(connection: Connection) {
        tokio::task::yield_now().await;
        let closed = CLOSED.lock().unwrap().take().unwrap();
        closed.send(connection.0).unwrap();
    }

    #[cache_resource(on_release = close)]
    async fn connection(number: u32) -> Connection {
        Connection(number)
    }

    let (tell, told) = oneshot::channel();
    *CLOSED.lock().unwrap() = Some(tell);
    let lease = connection(5).await;
    connection::clear();
    // The last lease is dropped outside the runtime.
    std::thread::spawn(move || drop(lease)).join().unwrap();
    assert_eq!(told.await.unwrap(), 5);
}

#[test]
fn r4_a_release_outlives_its_runtime() {
    static CLOSED: Mutex<Option<std::sync::mpsc::Sender<u32>>> = Mutex::new(None);

    async fn close(number: u32) -> Result<(), String> {
        let closed = CLOSED.lock().unwrap().clone().unwrap();
        closed.send(number).unwrap();
        Err("already closed".to_owned())
    }

    #[cache_resource(on_release = close)]
    async fn connection() -> Result<u32, String> {
        Ok(5)
    }

    let (tell, told) = std::sync::mpsc::channel();
    *CLOSED.lock().unwrap() = Some(tell);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime
        .block_on(async { connection().await.map(drop) })
        .unwrap();
    drop(runtime);
    connection::clear();
    assert_eq!(told.recv().unwrap(), 5);
    while connection::info().release_failures == 0 {
        std::thread::yield_now();
    }
}

#[test]
fn r3_any_runtime_will_do() {
    #[cache_resource]
    async fn model() -> u32 {
        7
    }

    let (one, two) = futures_executor::block_on(async { (model().await, model().await) });
    assert!(one.same_entry(&two));
}

#[tokio::test(flavor = "multi_thread")]
async fn r5_a_session_follows_its_task_and_those_that_carry_it() {
    #[cache_resource(scope = "session")]
    async fn basket() -> Result<Arc<Mutex<Vec<u8>>>, String> {
        tokio::task::yield_now().await;
        Ok(Arc::default())
    }

    async fn put(item: u8) {
        tokio::task::yield_now().await;
        basket().await.unwrap().lock().unwrap().push(item);
    }

    let (alice, bob) = (Session::new(), Session::new());
    let hers = tokio::spawn(alice.attach(async {
        put(1).await;
        tokio::spawn(carry(put(2))).await.unwrap();
        let lost = tokio::spawn(async { basket().await }).await.unwrap();
        assert!(lost.unwrap_err().is_no_session());
        basket().await.unwrap()
    }));
    let his = tokio::spawn(bob.attach(async { basket().await.unwrap() }));
    assert_eq!(*hers.await.unwrap().lock().unwrap(), [1, 2]);
    assert!(his.await.unwrap().lock().unwrap().is_empty());
    drop(alice);
    assert_eq!(basket::info().released(Cause::SessionEnded), 1);
    bob.end();
    assert_eq!(basket::info().released(Cause::SessionEnded), 2);
    let after = bob.attach(basket()).await;
    assert!(after.unwrap_err().is_no_session());
    assert_eq!(basket::info().entries, 0);
}

struct Client(&'static str);

impl Client {
    #[cache_resource]
    async fn page(&self, #[key(skip)] _headers: &str, number: u32) -> String {
        tokio::task::yield_now().await;
        format!("{} {number}", self.0)
    }
}

impl tenure::CacheKey for Client {
    fn encode(&self, key: &mut tenure::Encoder) {
        self.0.encode(key);
    }
}

#[tokio::test]
async fn r3_async_methods_work() {
    let client = Client("docs");
    let first = client.page("x", 1).await;
    assert_eq!(*first, "docs 1");
    assert!(client.page("y", 1).await.same_entry(&first));
    assert_eq!(Client::page_info().hits, 1);
}
