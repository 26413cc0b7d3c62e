//! Async releases: futures that must be finished, though nobody awaits them.
//!
//! A resource is released wherever its last lease is dropped, which may be outside every runtime.
//! Its async `on_release` then runs, in this order of preference: through the spawner that the
//! program has set; with the feature `tokio`, on the runtime that last built a resource of the
//! function, else on a runtime of Tenure's own; without the feature, on a thread without a runtime.
//!
//! What is given to a runtime may never be polled: the runtime is shut down, nobody drives it, or the
//! one thread that would is the one that waits in a shutdown. So a release belongs to nobody before
//! its first poll. Whoever comes first begins it: the runtime, or, after a second or in a shutdown that
//! waits, Tenure's own. What has begun stays where it is, since its timers and sockets do; only a
//! future that its runtime drops is finished elsewhere.
//!
//! 1. An unbegun release stands in [`AsyncReleases`], or with the one who took it out of there: nobody
//!    else can begin it.
//! 2. A release counts there from when it is handed over until its future has been dropped, however
//!    it ended.
//! 3. A [`Task`] that is dropped before its end is finished on a thread of Tenure's own.
//! 4. No future is polled, dropped or spawned under a lock.
//!
//! Lock order: the lock of [`AsyncReleases`], [`SPAWNER`] and a [`ReleaseRuntime`]'s runtime are leaves, and none
//! is taken under another.
//!
//! Why is the choice of tokio a default feature? See docs/design/0009-async-releases.md.

use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crate::ground::clock::Clock;
#[cfg(feature = "tokio")]
use crate::ground::clock::nanos;
use crate::ground::sync::{Arc, Condvar, Mutex};
use crate::ground::timer::Timer;
use crate::life::batch::Batch;
use crate::life::turn::Turn;

/// An async release on its way, or an async build, to be polled to its end.
///
/// ```
/// let (told, heard) = std::sync::mpsc::channel();
/// let release: tenure::ReleaseFuture = Box::pin(async move { told.send("closed").unwrap() });
/// futures_executor::block_on(release);
/// assert_eq!(heard.recv(), Ok("closed"));
/// ```
pub type ReleaseFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

pub(crate) type Spawner = Arc<dyn Fn(ReleaseFuture) + Send + Sync>;

static SPAWNER: LazyLock<Mutex<Option<Spawner>>> = LazyLock::new(Mutex::default);

/// The end of the log line of a panic, which may mean no more than that there is no runtime.
pub(crate) const HINT: &str = if cfg!(feature = "tokio") {
    ""
} else {
    " (without the feature `tokio` an async on_release has no runtime: write \
     `tenure = { features = [\"tokio\"] }`, or give it yours with `tenure::set_spawner`)"
};

/// How long a runtime may take to begin a release that it was given.
#[cfg(feature = "tokio")]
const PATIENCE: Duration = Duration::from_secs(1);

/// The async releases of an engine that have not ended yet.
pub(crate) struct AsyncReleases {
    clock: Clock,
    timer: Arc<Timer>,
    pending: Mutex<Pending>,
    changed: Condvar,
}

/// Where a release goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// On a runtime of Rust's.
    Runtime,
    /// Where the front door has it go on: an event loop.
    FrontDoor,
}

impl Place {
    /// What the log says of a release that is late there.
    fn advice(self) -> &'static str {
        match self {
            Self::Runtime => {
                "A blocking shutdown stops what has begun on the runtime of its own thread: in a task, \
                 await `shutdown_async` instead"
            }
            Self::FrontDoor => {
                "A blocking shutdown holds up the event loop of its own thread: in a task, await \
                 `shutdown_async` instead, and let each loop come to its end before the process does"
            }
        }
    }
}

#[derive(Default)]
struct Pending {
    #[cfg(feature = "tokio")]
    numbers: u64,
    /// How many of each function there are at each place.
    counts: BTreeMap<(Arc<str>, Place), usize>,
    /// Those that a runtime has been given and has not polled yet.
    unbegun: HashMap<u64, Running>,
}

/// Sets what runs async `on_release` callbacks, and what carries the builds of async functions that are
/// called outside of tokio, for a runtime of your own. It is given futures of both kinds, and spawns
/// them.
///
/// ```
/// use std::sync::atomic::{AtomicU32, Ordering};
///
/// static SPAWNED: AtomicU32 = AtomicU32::new(0);
///
/// tenure::set_spawner(|future| {
///     SPAWNED.fetch_add(1, Ordering::Relaxed);
///     std::thread::spawn(|| futures_executor::block_on(future));
/// });
/// # async fn close(_: u32) {}
/// # #[tenure::cache_resource(on_release = close)]
/// # async fn pool() -> u32 { 7 }
/// # futures_executor::block_on(async {
/// pool().await; // the build is spawned
/// pool::clear(); // its `on_release` is async, and is spawned too
/// assert_eq!(SPAWNED.load(Ordering::Relaxed), 2);
/// # });
/// ```
pub fn set_spawner(spawner: impl Fn(ReleaseFuture) + Send + Sync + 'static) {
    let before = SPAWNER.lock().replace(Arc::new(spawner));
    drop(before);
}

/// Where a function's async releases run.
pub(crate) struct ReleaseRuntime {
    releases: Arc<AsyncReleases>,
    #[cfg(feature = "tokio")]
    runtime: Mutex<Option<tokio::runtime::Handle>>,
}

/// What the program has set to run its futures.
pub(crate) fn spawner() -> Option<Spawner> {
    SPAWNER.lock().clone()
}

impl ReleaseRuntime {
    /// The place of a function of the engine that counts these.
    pub(crate) fn new(releases: &Arc<AsyncReleases>) -> Self {
        Self {
            releases: Arc::clone(releases),
            #[cfg(feature = "tokio")]
            runtime: Mutex::default(),
        }
    }

    /// The calling task builds a resource.
    pub(crate) fn note(&self) {
        #[cfg(feature = "tokio")]
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let before = self.runtime.lock().replace(runtime);
            drop(before);
        }
    }

    /// Runs a release of this function to its end; `failed` is told of a panic in it.
    pub(crate) fn run(
        &self,
        function: &'static str,
        release: impl Future<Output = ()> + Send + 'static,
        failed: impl FnOnce() + Send + 'static,
    ) {
        let running = Running {
            release: Box::pin(release),
            failed: Box::new(failed),
            pends: Pends::new(&self.releases, &Arc::from(function), Place::Runtime),
            batch: Batch::present(),
        };
        if let Some(spawner) = spawner() {
            return spawner(Box::pin(Task(State::Begun(running))));
        }
        #[cfg(feature = "tokio")]
        if let Some(runtime) = self.runtime() {
            runtime.spawn(running.unbegun());
            return;
        }
        finish(running);
    }

    /// The runtime that last built a resource; where none did, the one that the release is begun on.
    #[cfg(feature = "tokio")]
    fn runtime(&self) -> Option<tokio::runtime::Handle> {
        let noted = self.runtime.lock().clone();
        noted.or_else(|| tokio::runtime::Handle::try_current().ok())
    }
}

impl AsyncReleases {
    pub(crate) fn new(clock: &Clock, timer: &Arc<Timer>) -> Arc<Self> {
        Arc::new(Self {
            clock: clock.clone(),
            timer: Arc::clone(timer),
            pending: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    /// Has a release begun elsewhere that its runtime does not come to: nobody may drive it.
    #[cfg(feature = "tokio")]
    fn take_over(self: &Arc<Self>, number: u64) {
        let releases = Arc::downgrade(self);
        let when = self.clock.now().saturating_add(nanos(PATIENCE));
        self.timer.at(when, move |_| {
            let unbegun = releases.upgrade().and_then(|it| {
                let mut pending = it.pending.lock();
                pending.unbegun.remove(&number)
            });
            if let Some(running) = unbegun {
                finish(running);
            }
        });
    }

    /// Waits until every async release has ended, at most for `bound`. Where that runs out, the log
    /// says what is left.
    pub(crate) fn settle(&self, bound: Duration) -> bool {
        // What is too far away to be told is never.
        let until = Instant::now().checked_add(bound);
        let mut state = self.pending.lock();
        loop {
            // Their runtimes may wait for this very thread.
            let unbegun = std::mem::take(&mut state.unbegun);
            if !unbegun.is_empty() {
                drop(state);
                unbegun.into_values().for_each(finish);
                state = self.pending.lock();
                // More may have come meanwhile.
                continue;
            }
            if state.counts.is_empty() {
                return true;
            }
            match until.map(|until| until.saturating_duration_since(Instant::now())) {
                None => self.changed.wait(&mut state),
                Some(Duration::ZERO) => break,
                Some(left) => _ = self.changed.wait_for(&mut state, left),
            }
        }
        let counts = state.counts.clone();
        drop(state);
        for ((function, place), resources) in counts {
            tracing::warn!(
                function = %function,
                resources,
                "a release has not ended in the time of the shutdown. {}",
                place.advice()
            );
        }
        false
    }
}

/// One release of this function that has not ended.
pub(crate) struct Pends {
    releases: Arc<AsyncReleases>,
    counted: (Arc<str>, Place),
    /// Let go of last: what comes next begins then.
    _turn: Option<Turn>,
}

impl Pends {
    pub(crate) fn new(releases: &Arc<AsyncReleases>, function: &Arc<str>, at: Place) -> Self {
        let (releases, counted) = (Arc::clone(releases), (Arc::clone(function), at));
        let mut state = releases.pending.lock();
        *state.counts.entry(counted.clone()).or_default() += 1;
        drop(state);
        Self {
            releases,
            counted,
            _turn: Turn::present(),
        }
    }
}

impl Drop for Pends {
    fn drop(&mut self) {
        let mut state = self.releases.pending.lock();
        if let Some(count) = state.counts.get_mut(&self.counted) {
            *count -= 1;
            if *count == 0 {
                state.counts.remove(&self.counted);
            }
        }
        drop(state);
        self.releases.changed.notify_all();
    }
}

struct Running {
    release: ReleaseFuture,
    failed: Box<dyn FnOnce() + Send>,
    pends: Pends,
    batch: Option<Batch>,
}

impl Running {
    /// The task of a runtime, which a shutdown may be quicker than.
    #[cfg(feature = "tokio")]
    fn unbegun(self) -> Task {
        let releases = Arc::clone(&self.pends.releases);
        let mut state = releases.pending.lock();
        state.numbers += 1;
        let number = state.numbers;
        state.unbegun.insert(number, self);
        drop(state);
        releases.changed.notify_all();
        releases.take_over(number);
        Task(State::Unbegun(releases, number))
    }
}

/// A release that is finished even where it is dropped.
struct Task(State);

enum State {
    /// It stands among those that nobody has polled, or has been taken from there.
    #[cfg(feature = "tokio")]
    Unbegun(Arc<AsyncReleases>, u64),
    Begun(Running),
    Over,
}

impl Task {
    /// Takes the release itself, unless it is over or somebody else has it.
    fn take(&mut self) -> Option<Running> {
        match std::mem::replace(&mut self.0, State::Over) {
            #[cfg(feature = "tokio")]
            State::Unbegun(releases, number) => releases.pending.lock().unbegun.remove(&number),
            State::Begun(running) => Some(running),
            State::Over => None,
        }
    }
}

impl Future for Task {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // Taken out for the poll: a panic in it is its end. Where it is gone, a shutdown has begun it
        // elsewhere.
        let Some(mut running) = self.take() else {
            return Poll::Ready(());
        };
        // What the callback clears is waited for by whoever waits for the callback.
        let belongs = running.batch.clone().map(Batch::enter);
        let polled = catch_unwind(AssertUnwindSafe(|| running.release.as_mut().poll(cx)));
        drop(belongs);
        match polled {
            Ok(Poll::Pending) => {
                self.0 = State::Begun(running);
                Poll::Pending
            }
            Ok(Poll::Ready(())) => Poll::Ready(()),
            Err(_) => {
                (running.failed)();
                Poll::Ready(())
            }
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if let Some(running) = self.take() {
            finish(running);
        }
    }
}

/// Polls a release to its end on a background thread.
fn finish(running: Running) {
    let releases = Arc::clone(&running.pends.releases);
    let task = Task(State::Begun(running));
    let now = releases.clock.now();
    releases.timer.at(now, move |_| block_on(task));
}

/// Runs a release on the runtime that Tenure has for those that have no other.
///
/// Why one with a worker? Its drivers go on by themselves, whichever threads wait, and a callback
/// may use `block_in_place`.
#[cfg(feature = "tokio")]
fn block_on(task: Task) {
    use tokio::runtime::{Builder, Runtime};

    static OWN: LazyLock<Option<Runtime>> = LazyLock::new(|| {
        let built = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("tenure-releases")
            .enable_all()
            .build();
        let failed = |error: &_| {
            tracing::error!(%error, "async releases have no runtime: none could be started");
        };
        built.inspect_err(failed).ok()
    });
    match &*OWN {
        Some(runtime) => runtime.block_on(task),
        None => park_on(task),
    }
}

#[cfg(not(feature = "tokio"))]
fn block_on(task: Task) {
    park_on(task);
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn park_on(task: Task) {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    let mut task = std::pin::pin!(task);
    while task.as_mut().poll(&mut cx).is_pending() {
        thread::park();
    }
}
