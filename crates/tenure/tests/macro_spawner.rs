//! Builds of async functions that the program's own spawner runs (A1). A test program of its own, since
//! the spawner is set for the process.

mod support;

use std::future::pending;
use std::pin::pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;

use futures_executor::block_on;
use tenure::{ReleaseFuture, cache_resource, set_spawner};

use support::lock;

static SPAWNED: Mutex<Vec<ReleaseFuture>> = Mutex::new(Vec::new());

static BEGUN: AtomicU32 = AtomicU32::new(0);

#[cache_resource]
async fn model(name: String) -> String {
    if BEGUN.fetch_add(1, Ordering::SeqCst) == 1 {
        pending::<()>().await;
    }
    name
}

#[test]
fn a1_a_spawner_of_the_programs_own_carries_builds() {
    set_spawner(|future| {
        thread::spawn(|| block_on(future));
    });
    assert_eq!(*block_on(model("a".into())), "a");

    // The build has been begun and is dropped, then not begun and dropped.
    set_spawner(|future| lock(&SPAWNED).push(future));
    let mut cx = Context::from_waker(Waker::noop());
    let mut waiter = {
        let mut first = Box::pin(model("b".into()));
        assert!(first.as_mut().poll(&mut cx).is_pending());
        Box::pin(model("b".into()))
    };
    assert!(waiter.as_mut().poll(&mut cx).is_pending());
    let mut task = lock(&SPAWNED).pop().unwrap();
    assert!(task.as_mut().poll(&mut cx).is_pending());
    assert_eq!(model::info().waiting, 1);
    drop(task);
    assert!(waiter.as_mut().poll(&mut cx).is_pending()); // it leads, and its build is away
    let task = lock(&SPAWNED).pop().unwrap();
    drop(task);
    let Poll::Ready(built) = waiter.as_mut().poll(&mut cx) else {
        panic!("it has its arguments back, and builds by itself");
    };
    assert_eq!(*built, "b");

    // A spawner that does nothing is made up for.
    let mut slow = pin!(model("c".into()));
    assert!(slow.as_mut().poll(&mut cx).is_pending());
    assert_eq!(*block_on(slow), "c");
    assert_eq!(BEGUN.load(Ordering::SeqCst), 4);

    // On tokio the runtime of the caller is the nearer one.
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let before = lock(&SPAWNED).len();
    assert_eq!(*runtime.unwrap().block_on(model("d".into())), "d");
    assert_eq!(lock(&SPAWNED).len(), before);
}
