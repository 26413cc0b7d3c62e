//! Async builds that belong to no caller: each is carried by a task of its own.
//!
//! A caller comes with a [`Plan`]. Where that has a task for the build, the caller waits for the
//! landing as anyone does: callers come and go, the build ends by itself. Elsewhere the build is a
//! part of its caller's future.
//!
//! 1. A carried build lands once: finished by its task, or handed on where that panics or is dropped.
//! 2. A build that has not been polled stands in its [`Place`], and is whose who takes it from there:
//!    of its task at its first poll, or of the timer, where no runtime has polled it for [`PATIENCE`].
//! 3. Its first caller is [`Told`] how it ended once it has landed, on every way out.
//! 4. No future is polled, dropped or spawned under a lock.
//!
//! Lock order: the lock of a place is a leaf.
//!
//! Why are builds handed back that nobody polls? See docs/design/0012-carried-builds.md.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crate::ground::clock::nanos;
use crate::ground::latch::Latch;
use crate::ground::sync::{Arc, Mutex};
use crate::ground::timer::TimerId;
use crate::life::async_release::{ReleaseFuture, Spawner, spawner};
use crate::life::building::again::Again;
use crate::life::building::build::Build;
use crate::life::building::checking::{Checking, checked};
use crate::life::building::waiter::Waiter;
use crate::life::circle::{Frame, Inside};
use crate::life::entry::Built;
use crate::life::services::Services;
use crate::words::bounds::{Failure, Resource};
use crate::words::error::{BuildError, Error, Interrupt, log_interrupted, log_panicked};

/// How long a runtime may take to begin a build that it was given.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a caller has for a build: its arguments, and who may carry it.
pub(crate) trait Plan<V: Resource, F: Failure> {
    /// What the program's own future gives.
    type Output;
    /// The build as a part of its caller.
    type Here: Future<Output = Self::Output>;

    /// The build as it can be made again with nobody waiting for it; nothing where that cannot be.
    fn again(&self) -> Option<Again<V, F>> {
        None
    }

    /// Has a task carry this build, which its caller then waits for; or gives it back.
    #[allow(clippy::result_large_err)] // moved once, and never passed on
    fn away(&mut self, build: Build<V, F>) -> Result<Waiter<V, F>, Build<V, F>> {
        Err(build)
    }

    /// Waits until the task is over, and takes the arguments back where it has handed on. A panic in
    /// it goes on here.
    ///
    /// # Errors
    /// What ended the build from outside.
    fn poll_back(&mut self, _: &Context<'_>) -> Poll<Result<(), Interrupt>> {
        Poll::Ready(Ok(()))
    }

    /// The build by its caller; nothing where its arguments are gone.
    fn here(&mut self) -> Option<Self::Here>;

    /// What the output means.
    fn outcome(&self, output: Self::Output) -> Result<Built<V>, F>;
}

/// A future that only its caller can poll.
pub(crate) struct Here<B>(Option<B>);

impl<B> Here<B> {
    pub(crate) fn new(build: B) -> Self {
        Self(Some(build))
    }
}

impl<V, F, O, B> Plan<V, F> for Here<B>
where
    V: Resource,
    F: Failure,
    O: Into<Built<V>>,
    B: Future<Output = Result<O, F>>,
{
    type Output = Result<O, F>;
    type Here = B;

    fn here(&mut self) -> Option<B> {
        self.0.take()
    }

    fn outcome(&self, output: Result<O, F>) -> Result<Built<V>, F> {
        output.map(Into::into)
    }
}

/// What polls a task by itself.
#[derive(Clone)]
pub(crate) enum Carrier {
    /// The runtime that the caller runs on.
    #[cfg(feature = "tokio")]
    Tokio(tokio::runtime::Handle),
    /// The one that the program has set.
    Set(Spawner),
}

impl Carrier {
    pub(crate) fn find() -> Option<Self> {
        #[cfg(feature = "tokio")]
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            return Some(Self::Tokio(runtime));
        }
        spawner().map(Self::Set)
    }

    pub(crate) fn spawn(self, task: ReleaseFuture) {
        match self {
            #[cfg(feature = "tokio")]
            Self::Tokio(runtime) => drop(runtime.spawn(task)),
            Self::Set(spawner) => spawner(task),
        }
    }
}

/// The arguments of a build that has not begun, and what begins it. What makes one knows that all of
/// it can go to another thread.
pub trait Starting<A, O>: Send {
    /// The build.
    fn begin(self: Box<Self>) -> Pin<Box<dyn Future<Output = O> + Send>>;
    /// The arguments.
    fn back(self: Box<Self>) -> A;
}

/// A build that has not begun.
pub type Start<A, O> = Box<dyn Starting<A, O>>;

/// How a carried build ended, beside its landing.
pub(crate) enum Ended<A, O> {
    Panicked(Untold<Box<dyn Any + Send>>),
    Interrupted(Untold<Interrupt>),
    /// Its task was never polled, and here are the arguments.
    Unbegun(Start<A, O>),
    /// It landed with an outcome, or its task was dropped, and the arguments with it.
    Over,
}

/// What has ended a build and is meant for its first caller; logged where that one has left.
pub(crate) struct Untold<T> {
    what: Option<T>,
    function: Arc<str>,
    log: fn(&str, &T),
}

impl<T> Untold<T> {
    fn take(mut self) -> T {
        self.what.take().expect("it is taken by value")
    }
}

impl<T> Drop for Untold<T> {
    fn drop(&mut self) {
        if let Some(what) = &self.what {
            (self.log)(&self.function, what);
        }
    }
}

/// Waits until a carried build is over, and gives back the arguments that it was never begun with. A
/// panic in it goes on here.
///
/// # Errors
/// What ended the build from outside.
pub(crate) fn poll_told<A, O>(
    told: &Latch<Ended<A, O>>,
    cx: &Context<'_>,
) -> Poll<Result<Option<A>, Interrupt>> {
    Poll::Ready(match ready!(told.poll(cx)) {
        Ended::Panicked(panic) => resume_unwind(panic.take()),
        Ended::Interrupted(interrupt) => Err(interrupt.take()),
        Ended::Unbegun(start) => Ok(Some(start.back())),
        Ended::Over => Ok(None),
    })
}

/// Tells the first caller of a build how it ended, when this is dropped.
struct Told<A, O> {
    function: Arc<str>,
    caller: Arc<Latch<Ended<A, O>>>,
    ended: Ended<A, O>,
}

impl<A, O> Told<A, O> {
    fn panicked(&mut self, panic: Box<dyn Any + Send>) {
        self.ended = Ended::Panicked(Untold {
            what: Some(panic),
            function: Arc::clone(&self.function),
            log: |function, panic| log_panicked(function, &**panic),
        });
    }

    fn interrupted(&mut self, interrupt: Interrupt) {
        self.ended = Ended::Interrupted(Untold {
            what: Some(interrupt),
            function: Arc::clone(&self.function),
            log: log_interrupted,
        });
    }
}

impl<A, O> Drop for Told<A, O> {
    fn drop(&mut self) {
        let ended = std::mem::replace(&mut self.ended, Ended::Over);
        self.caller.tell(ended);
    }
}

/// What the code of a caller is inside of, which what it has built is inside of too.
struct Around {
    /// Outermost first.
    frames: Vec<Frame>,
    checked: Vec<usize>,
    span: tracing::Span,
}

impl Around {
    fn present() -> Self {
        Self {
            frames: Inside::frames(),
            checked: checked(),
            span: tracing::Span::current(),
        }
    }

    fn enter(&self) -> impl Sized + '_ {
        let checks: Vec<_> = self.checked.iter().map(|it| Checking::at(*it)).collect();
        let frames: Vec<_> = self.frames.iter().cloned().map(Inside::at).collect();
        (checks, frames, self.span.enter())
    }
}

/// Where a build stands that nobody has polled.
type Place<V, F, A, O, S> = Mutex<Option<Unbegun<V, F, A, O, S>>>;

/// Takes a build from its place, unless somebody has, and gives it back.
fn give_back<V: Resource, F: Failure, A, O, S>(place: &Place<V, F, A, O, S>) {
    let unbegun = place.lock().take();
    if let Some(unbegun) = unbegun {
        unbegun.give_back();
    }
}

struct Unbegun<V: Resource, F: Failure, A, O, S> {
    start: Start<A, O>,
    sort: S,
    build: Build<V, F>,
    around: Around,
    told: Told<A, O>,
}

impl<V: Resource, F: Failure, A, O, S> Unbegun<V, F, A, O, S> {
    fn begin(self) -> Begun<V, F, A, O, S> {
        Begun {
            future: Some(self.start.begin()),
            sort: Some(self.sort),
            build: Some(self.build),
            around: self.around,
            told: self.told,
        }
    }

    /// Hands the duty on, and gives the first caller its arguments back.
    fn give_back(self) {
        let Self {
            start,
            build,
            mut told,
            ..
        } = self;
        told.ended = Ended::Unbegun(start);
        drop(build);
        drop(told);
    }
}

/// The fields are dropped in this order: what the program holds, the duty, and then the word of it.
struct Begun<V: Resource, F: Failure, A, O, S> {
    future: Option<Pin<Box<dyn Future<Output = O> + Send>>>,
    sort: Option<S>,
    build: Option<Build<V, F>>,
    around: Around,
    told: Told<A, O>,
}

impl<V, F, A, O, S> Begun<V, F, A, O, S>
where
    V: Resource,
    F: Failure,
    S: FnOnce(O) -> Result<Built<V>, F>,
{
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let (Some(build), Some(future)) = (&self.build, &mut self.future) else {
            return Poll::Ready(());
        };
        ready!(build.poll_turn(cx));
        let around = self.around.enter();
        let Poll::Ready(output) = build.run(|| future.as_mut().poll(cx)) else {
            return Poll::Pending;
        };
        drop(self.future.take());
        if let (Some(build), Some(sort)) = (self.build.take(), self.sort.take()) {
            let outcome = sort(output).map_err(BuildError::Failed);
            if let Err(Error::Interrupted(interrupt)) = build.finish(outcome) {
                self.told.interrupted(interrupt);
            }
        }
        drop(around);
        Poll::Ready(())
    }
}

/// The look that takes a build back from a runtime which does not come to it.
struct Look {
    services: Arc<Services>,
    id: TimerId,
}

impl Drop for Look {
    fn drop(&mut self) {
        self.services.timer.cancel(self.id);
    }
}

/// A task that carries a build.
pub(crate) struct Task<V: Resource, F: Failure, A, O, S>(State<V, F, A, O, S>);

enum State<V: Resource, F: Failure, A, O, S> {
    /// It stands in its place, unless the timer has taken it.
    Unbegun(Arc<Place<V, F, A, O, S>>, Look),
    Begun(Box<Begun<V, F, A, O, S>>),
    Over,
}

// Nothing of it is pinned in place.
impl<V: Resource, F: Failure, A, O, S> Unpin for Task<V, F, A, O, S> {}

/// A build on its way to a task: the wait of its caller, the word that the caller gets of its end,
/// and the task, to be spawned.
pub(crate) struct Sent<V: Resource, F: Failure, A, O, S> {
    pub(crate) waiter: Waiter<V, F>,
    pub(crate) told: Arc<Latch<Ended<A, O>>>,
    pub(crate) task: Task<V, F, A, O, S>,
}

/// Frees a build from its caller. `sort` says what its output means.
pub(crate) fn send<V, F, A, O, S>(
    mut build: Build<V, F>,
    start: Start<A, O>,
    sort: S,
) -> Sent<V, F, A, O, S>
where
    V: Resource,
    F: Failure,
    A: 'static,
    O: 'static,
    S: Send + 'static,
{
    let services = Arc::clone(&build.core().services);
    let function = Arc::clone(&build.core().name);
    let waiter = build.part();
    let told = Arc::<Latch<_>>::default();
    let place = Arc::new(Mutex::new(Some(Unbegun {
        start,
        sort,
        build,
        around: Around::present(),
        told: Told {
            function,
            caller: Arc::clone(&told),
            ended: Ended::Over,
        },
    })));
    let when = services.clock.now().saturating_add(nanos(PATIENCE));
    let weak = Arc::downgrade(&place);
    let id = services.timer.at(when, move |_| {
        if let Some(place) = weak.upgrade() {
            give_back(&place);
        }
    });
    Sent {
        waiter,
        told,
        task: Task(State::Unbegun(place, Look { services, id })),
    }
}

impl<V, F, A, O, S> Future for Task<V, F, A, O, S>
where
    V: Resource,
    F: Failure,
    S: FnOnce(O) -> Result<Built<V>, F>,
{
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut begun = match std::mem::replace(&mut self.0, State::Over) {
            State::Unbegun(place, look) => {
                let unbegun = place.lock().take();
                drop(look);
                match unbegun {
                    Some(unbegun) => Box::new(unbegun.begin()),
                    None => return Poll::Ready(()),
                }
            }
            State::Begun(begun) => begun,
            State::Over => return Poll::Ready(()),
        };
        match catch_unwind(AssertUnwindSafe(|| begun.poll(cx))) {
            Ok(Poll::Pending) => {
                self.0 = State::Begun(begun);
                Poll::Pending
            }
            Ok(Poll::Ready(())) => Poll::Ready(()),
            Err(panic) => {
                begun.told.panicked(panic);
                Poll::Ready(())
            }
        }
    }
}

impl<V: Resource, F: Failure, A, O, S> Drop for Task<V, F, A, O, S> {
    fn drop(&mut self) {
        if let State::Unbegun(place, _) = &self.0 {
            give_back(place);
        }
    }
}
