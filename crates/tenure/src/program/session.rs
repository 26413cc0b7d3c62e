//! Sessions of a Rust program: a user, a connection, a job, whatever has a beginning and an end.
//!
//! A session ends once: when it is told to, or when its last handle is gone. Why is its end marked
//! before its entries are released? A call that is on its way into a session that ends then finds
//! the mark, and cleans up what it may have added.
//!
//! Lock order: [`NAMED`], then each of the registry's lock and the engine's `sessions`, the timer's last.

use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::LazyLock;

use crate::engine::Engine;
use crate::ground::sync::{Arc, AtomicBool, Figure, Mutex, Ordering, Weak};
use crate::host::SessionId;
use crate::life::circle::Inside;
use crate::program::context::{Attached, Entered, Serving};
use crate::sessions;

/// A session: resources with `scope = "session"` are kept for it, and released when it ends.
///
/// Cheap to clone; all clones are the same session, which ends with the last of them or with
/// [`end`](Self::end). Code serves a session on a thread while a guard of [`enter`](Self::enter)
/// lives, and in a task that is [attached](Self::attach).
///
/// ```
/// use tenure::{Session, cache_resource};
///
/// #[cache_resource(scope = "session")]
/// fn basket() -> Vec<u32> {
///     Vec::new()
/// }
///
/// let alice = Session::new();
/// let bob = Session::new();
/// let hers = alice.run(basket);
/// let his = bob.run(basket);
/// assert!(!hers.same_entry(&his));
/// assert!(hers.same_entry(&alice.run(basket)));
/// alice.end(); // her basket is released, once `hers` is dropped
/// ```
#[derive(Clone)]
pub struct Session(Arc<Inner>);

struct Inner {
    id: SessionId,
    named: bool,
    ended: AtomicBool,
}

/// The live sessions that have names.
static NAMED: LazyLock<Mutex<HashMap<SessionId, Weak<Inner>>>> = LazyLock::new(Mutex::default);

impl Session {
    /// A session of its own, without a name.
    ///
    /// ```
    /// # use tenure::Session;
    /// let session = Session::new();
    /// assert_eq!(session, session.clone());
    /// assert_ne!(session, Session::new());
    /// ```
    #[must_use]
    pub fn new() -> Self {
        static NUMBERS: Figure = Figure::new(0);
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        // A name cannot begin so.
        Self::with_id(format!("\0{number}").into(), false)
    }

    /// The live session of this name, or a new one.
    ///
    /// Where a [grace period](crate::Config::session_grace) is set, a session that comes back
    /// within it finds its resources again.
    ///
    /// ```
    /// let tab = tenure::Session::named("cookie-4711");
    /// assert_eq!(tenure::Session::named("cookie-4711"), tab);
    /// ```
    #[must_use]
    pub fn named(name: &str) -> Self {
        let mut named = NAMED.lock();
        if let Some(there) = named.get(name).and_then(Weak::upgrade)
            && !there.ended.load(Ordering::Acquire)
        {
            return Self(there);
        }
        let session = Self::with_id(Arc::from(name), true);
        named.insert(Arc::clone(&session.0.id), Arc::downgrade(&session.0));
        drop(named);
        Engine::global().resume_session(name);
        session
    }

    fn with_id(id: SessionId, named: bool) -> Self {
        Self(Arc::new(Inner {
            id,
            named,
            ended: AtomicBool::new(false),
        }))
    }

    /// The session that the present code serves, if any; also where it has ended. A build that more than
    /// one session shares serves none.
    ///
    /// ```
    /// # use tenure::Session;
    /// let session = Session::new();
    /// assert_eq!(session.run(Session::current), Some(session));
    /// assert_eq!(Session::current(), None);
    /// ```
    #[must_use]
    pub fn current() -> Option<Self> {
        let serving = Serving::current();
        let session = serving.session.clone()?.downcast().ok().map(Self);
        serving.ask();
        session
    }

    /// The id of the session that the present code serves, while that session lives.
    pub(crate) fn current_id() -> Option<SessionId> {
        Serving::with(|serving| {
            let session: &Inner = serving.session.as_ref()?.downcast_ref()?;
            serving.ask();
            let ended = session.ended.load(Ordering::Acquire);
            (!ended).then(|| Arc::clone(&session.id))
        })
    }

    /// Whether a session of this id lives: the one that the present code serves, or, where that one
    /// has ended, a later one of the same name.
    pub(crate) fn is_live(id: &str) -> bool {
        if Self::current_id().as_deref() == Some(id) {
            return true;
        }
        let named = NAMED.lock().get(id).and_then(Weak::upgrade);
        // Dropped outside the lock, which its end takes.
        named.is_some_and(|it| !it.ended.load(Ordering::Acquire))
    }

    /// The name it was made with, if it was made with one.
    ///
    /// ```
    /// # use tenure::Session;
    /// assert_eq!(Session::named("cookie-4711").name(), Some("cookie-4711"));
    /// assert_eq!(Session::new().name(), None);
    /// ```
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.0.named.then_some(&*self.0.id)
    }

    /// Has this thread serve the session until the guard is dropped.
    ///
    /// ```
    /// # use tenure::Session;
    /// let session = Session::new();
    /// {
    ///     let _entered = session.enter();
    ///     assert_eq!(Session::current(), Some(session.clone()));
    /// }
    /// assert_eq!(Session::current(), None);
    /// ```
    pub fn enter(&self) -> Entered {
        self.serving().enter()
    }

    /// Runs `work` in the session, and gives what it returns.
    ///
    /// ```
    /// # use tenure::Session;
    /// #[tenure::cache_resource(scope = "session")]
    /// fn basket() -> Vec<&'static str> {
    ///     vec!["apple"]
    /// }
    ///
    /// assert_eq!(Session::new().run(|| basket().len()), 1);
    /// ```
    pub fn run<T>(&self, work: impl FnOnce() -> T) -> T {
        let _entered = self.enter();
        work()
    }

    /// A future whose code serves the session, on whatever thread it is polled. Works with every
    /// runtime. A task that it spawns does not inherit the session: [`carry`](crate::carry) does
    /// that.
    ///
    /// ```
    /// # use tenure::Session;
    /// # futures_executor::block_on(async {
    /// let session = Session::new();
    /// let current = session.attach(async { Session::current() }).await;
    /// assert_eq!(current, Some(session));
    /// # });
    /// ```
    pub fn attach<T: Future>(&self, future: T) -> Attached<T> {
        Attached::new(future, self.serving())
    }

    fn serving(&self) -> Serving {
        self.serving_for(None)
    }

    pub(crate) fn serving_for(&self, asked: Option<Arc<AtomicBool>>) -> Serving {
        Serving {
            session: Some(Arc::clone(&self.0) as _),
            within: Inside::innermost(),
            asked,
            ..Serving::current()
        }
    }

    /// Ends the session now, whoever still serves it: its entries are released, with cause
    /// `SessionEnded`, and a session-scoped function called in it finds no session. Only the first
    /// call does anything.
    ///
    /// ```
    /// # use tenure::Session;
    /// let session = Session::new();
    /// session.end();
    /// assert!(session.has_ended());
    /// ```
    pub fn end(&self) {
        self.0.end();
    }

    /// Whether the session has ended.
    ///
    /// ```
    /// # use tenure::Session;
    /// let session = Session::new();
    /// drop(session.clone()); // not the last handle
    /// assert!(!session.has_ended());
    /// ```
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.0.ended.load(Ordering::Acquire)
    }
}

impl Inner {
    fn end(&self) {
        // Without the lock, which whoever finds an ended session may hold.
        if self.ended.load(Ordering::Acquire) {
            return;
        }
        let engine = Engine::global();
        if !self.named {
            if !self.ended.swap(true, Ordering::AcqRel) {
                engine.end_session(&self.id);
            }
            return;
        }
        let _under_way = engine.services().under_way.begin();
        // Marked and taken out under the lock, so that a successor of the same name begins after it;
        // released after the lock.
        let mut named = NAMED.lock();
        if self.ended.swap(true, Ordering::AcqRel) {
            return;
        }
        let there = named.get(&self.id);
        let gone = match there {
            Some(there) if std::ptr::eq(there.as_ptr(), self) => named.remove(&self.id),
            _ => None,
        };
        let ending = engine.begin_end_of_session(&self.id);
        drop(named);
        drop(gone);
        sessions::run(ending);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.end();
    }
}

impl Default for Session {
    fn default() -> Self {
        Self::new()
    }
}

impl PartialEq for Session {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Session {}

impl Hash for Session {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Session").field(&self.name()).finish()
    }
}
