//! Async releases: futures that must be finished, though nobody awaits them.
//!
//! A resource is released wherever its last lease is dropped, which may be outside every runtime.
//! Its async `on_release` then runs, in this order of preference: through the spawner that the
//! program has set; with the feature `tokio`, on the runtime that last built a resource of the
//! function; else on a thread of Tenure's own, without a runtime. A future whose runtime is shut
//! down before it has ended is finished on that thread too.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crate::api;
use crate::sync::{Arc, Condvar, Mutex};

/// An async release on its way, to be polled to its end.
///
/// ```
/// let (told, heard) = std::sync::mpsc::channel();
/// let release: tenure::ReleaseFuture = Box::pin(async move { told.send("closed").unwrap() });
/// futures_executor::block_on(release);
/// assert_eq!(heard.recv(), Ok("closed"));
/// ```
pub type ReleaseFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

type Spawner = Arc<dyn Fn(ReleaseFuture) + Send + Sync>;

static SPAWNER: LazyLock<Mutex<Option<Spawner>>> = LazyLock::new(Mutex::default);

/// How many have not ended yet.
static UNDER_WAY: LazyLock<(Mutex<usize>, Condvar)> = LazyLock::new(Default::default);

/// Sets what runs async `on_release` callbacks, for a runtime of your own.
///
/// ```
/// use std::sync::atomic::{AtomicBool, Ordering};
///
/// static SPAWNED: AtomicBool = AtomicBool::new(false);
///
/// tenure::set_spawner(|release| {
///     SPAWNED.store(true, Ordering::Relaxed);
///     std::thread::spawn(|| futures_executor::block_on(release));
/// });
/// # async fn close(_: u32) {}
/// # #[tenure::cache_resource(on_release = close)]
/// # async fn pool() -> u32 { 7 }
/// # futures_executor::block_on(pool());
/// pool::clear(); // its `on_release` is async
/// assert!(SPAWNED.load(Ordering::Relaxed));
/// ```
pub fn set_spawner(spawner: impl Fn(ReleaseFuture) + Send + Sync + 'static) {
    let before = SPAWNER.lock().replace(Arc::new(spawner));
    drop(before);
}

/// Where a function's async releases run.
#[derive(Default)]
pub(crate) struct Place {
    #[cfg(feature = "tokio")]
    runtime: Mutex<Option<tokio::runtime::Handle>>,
}

impl Place {
    /// The calling task builds a resource.
    pub(crate) fn note(&self) {
        #[cfg(feature = "tokio")]
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let before = self.runtime.lock().replace(runtime);
            drop(before);
        }
    }

    /// Runs a release to its end; `failed` is told of a panic in it.
    pub(crate) fn run(
        &self,
        release: impl Future<Output = ()> + Send + 'static,
        failed: impl FnOnce() + Send + 'static,
    ) {
        *UNDER_WAY.0.lock() += 1;
        let task = Task(Some(Running {
            release: Box::pin(release),
            failed: Box::new(failed),
            _counted: Counted,
        }));
        let spawner = SPAWNER.lock().clone();
        if let Some(spawner) = spawner {
            return spawner(Box::pin(task));
        }
        #[cfg(feature = "tokio")]
        {
            let runtime = self.runtime.lock().clone();
            if let Some(runtime) = runtime {
                runtime.spawn(task);
                return;
            }
        }
        // Its drop finishes it.
        drop(task);
    }
}

/// Waits until every async release has ended, at most for `bound`.
pub(crate) fn settle(bound: Duration) -> bool {
    let until = Instant::now() + bound;
    let (count, changed) = &*UNDER_WAY;
    let mut count = count.lock();
    while *count > 0 {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        changed.wait_for(&mut count, left);
    }
    true
}

struct Counted;

impl Drop for Counted {
    fn drop(&mut self) {
        *UNDER_WAY.0.lock() -= 1;
        UNDER_WAY.1.notify_all();
    }
}

struct Running {
    release: ReleaseFuture,
    failed: Box<dyn FnOnce() + Send>,
    _counted: Counted,
}

/// A release that is finished even where it is dropped.
struct Task(Option<Running>);

impl Future for Task {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(running) = &mut self.0 else {
            return Poll::Ready(());
        };
        let polled = catch_unwind(AssertUnwindSafe(|| running.release.as_mut().poll(cx)));
        match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(())) => drop(self.0.take()),
            Err(_) => {
                if let Some(running) = self.0.take() {
                    (running.failed)();
                }
            }
        }
        Poll::Ready(())
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if let Some(running) = self.0.take() {
            let task = Self(Some(running));
            api::engine().in_background(move || block_on(task));
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on(task: Task) {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    let mut task = std::pin::pin!(task);
    while task.as_mut().poll(&mut cx).is_pending() {
        thread::park();
    }
}
