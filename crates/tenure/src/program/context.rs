//! The context of the running code: its session and its stage. Carried by a thread, or by a future
//! over its polls.

use std::any::Any;
use std::cell::RefCell;
use std::marker::PhantomData;
use std::mem;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use pin_project_lite::pin_project;

use crate::ground::sync::{Arc, AtomicBool, Ordering};
use crate::key::Key;
use crate::life::circle::{FlightId, Inside, Reach};

/// A stage of any type.
pub(crate) trait AnyStage: Send + Sync {
    fn put_any(&self, element: &(dyn Any + Send + Sync));
    fn input_any(&self, id: &str) -> (Key, Box<dyn Any>);
}

#[derive(Clone, Default)]
pub(crate) struct Serving {
    /// Whatever `session.rs` makes of a session.
    pub(crate) session: Option<Arc<dyn Any + Send + Sync>>,
    /// The build in which the session was entered.
    pub(crate) within: Option<FlightId>,
    /// Whether the session has been asked for, where somebody wants to know.
    pub(crate) asked: Option<Arc<AtomicBool>>,
    pub(crate) stage: Option<Arc<dyn AnyStage>>,
}

// Not behind `sync.rs`: no other thread sees it.
thread_local! {
    static SERVING: RefCell<Serving> = const {
        RefCell::new(Serving { session: None, within: None, asked: None, stage: None })
    };
}

impl Serving {
    /// The context of the present code; nothing while the thread ends. A build that more than one session
    /// shares serves none, and what it begins serves none either.
    pub(crate) fn current() -> Self {
        let current = SERVING.try_with(|serving| serving.borrow().clone());
        let mut current: Self = current.unwrap_or_default();
        if current.session.is_some() && Inside::kept_from(Reach::Session).is_some() {
            current.session = None;
        }
        current
    }

    /// Looks at what the present code serves. `look` must not enter anything.
    pub(crate) fn with<T>(look: impl FnOnce(&Self) -> T) -> T {
        let mut look = Some(look);
        let seen = SERVING.try_with(|serving| {
            let look = look.take().expect("looked at once");
            look(&serving.borrow())
        });
        seen.unwrap_or_else(|_| {
            let look = look.take().expect("not looked at yet");
            look(&Self::default())
        })
    }

    /// Notes that the session has been asked for.
    pub(crate) fn ask(&self) {
        if let Some(asked) = &self.asked
            // Looked at first: hits on many threads then share the line.
            && !asked.load(Ordering::Relaxed)
        {
            asked.store(true, Ordering::Relaxed);
        }
    }

    fn swap(with: &mut Self) {
        // What this thread served is gone when the thread ends; then there is nothing to swap.
        let _ = SERVING.try_with(|serving| mem::swap(&mut *serving.borrow_mut(), with));
    }

    pub(crate) fn enter(self) -> Entered {
        let inside = self.session.is_some().then(|| Inside::session(self.within));
        let mut before = self;
        Self::swap(&mut before);
        Entered {
            before,
            _inside: inside,
            _not_send: PhantomData,
        }
    }
}

/// Puts back what the thread served before, when it is dropped.
///
/// Guards nest, and must be dropped in the reverse order in which they were made, as scopes do by
/// themselves. Do not hold one across an `.await`: use [`Session::attach`](crate::Session::attach).
///
/// ```
/// use tenure::Session;
///
/// let (user, job) = (Session::new(), Session::new());
/// let outer = user.enter();
/// {
///     let _inner = job.enter();
///     assert_eq!(Session::current(), Some(job.clone()));
/// }
/// assert_eq!(Session::current(), Some(user.clone()));
/// drop(outer);
/// assert_eq!(Session::current(), None);
/// ```
#[must_use = "the thread serves it for as long as this guard lives"]
pub struct Entered {
    before: Serving,
    _inside: Option<Inside>,
    _not_send: PhantomData<*const ()>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        Serving::swap(&mut self.before);
    }
}

impl std::fmt::Debug for Entered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Entered")
    }
}

pin_project! {
    /// A future whose code serves what it was attached to, on whatever thread it is polled.
    ///
    /// ```
    /// use tenure::{Attached, Session};
    ///
    /// let session = Session::new();
    /// let task: Attached<_> = session.attach(async { Session::current() });
    /// let elsewhere = std::thread::spawn(|| futures_executor::block_on(task));
    /// assert_eq!(elsewhere.join().unwrap(), Some(session));
    /// ```
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct Attached<T> {
        #[pin]
        future: T,
        serving: Serving,
    }
}

impl<T> Attached<T> {
    pub(crate) fn new(future: T, serving: Serving) -> Self {
        Self { future, serving }
    }
}

impl<T: Future> Future for Attached<T> {
    type Output = T::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<T::Output> {
        let this = self.project();
        let _entered = this.serving.clone().enter();
        this.future.poll(cx)
    }
}

/// Carries what the present code serves into another task: its session and its stage.
///
/// ```
/// use tenure::{Session, carry};
///
/// let session = Session::new();
/// let _entered = session.enter();
/// let task = carry(async { Session::current() }); // to be spawned
/// # drop(_entered);
/// assert_eq!(futures_executor::block_on(task), Some(session));
/// ```
pub fn carry<T: Future>(future: T) -> Attached<T> {
    Attached::new(future, Serving::current())
}
