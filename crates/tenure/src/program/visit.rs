//! A visit to a session: a request of a user, a message of a connection.

use std::fmt;

use crate::ground::sync::{Arc, AtomicBool, Ordering};
use crate::program::context::{Attached, Entered};
use crate::program::session::Session;

/// A visit to a session, such as a request, which knows whether its code has asked for the session; made by
/// [`Session::visit`].
///
/// A web service then gives a cookie to those alone who have something, and renews the session by its use. The session is
/// asked for by a function of `scope = "session"`, whatever is called of it, and by [`Session::current`]. Tasks that
/// [carry](crate::carry) the session belong to the visit.
///
/// ```
/// use tenure::{Session, cache_resource};
///
/// #[cache_resource(scope = "session")]
/// async fn basket() -> Vec<u32> {
///     Vec::new()
/// }
///
/// # futures_executor::block_on(async {
/// let alice = Session::new();
/// let (idle, busy) = (alice.visit(), alice.visit());
/// idle.attach(async { "healthy" }).await;
/// busy.attach(async { basket().await.len() }).await;
/// assert!(!idle.has_asked());
/// assert!(busy.has_asked());
/// # });
/// ```
#[must_use = "a visit has asked for nothing until code serves it"]
pub struct Visit {
    session: Session,
    asked: Arc<AtomicBool>,
}

impl Session {
    /// One visit to the session, such as a request: code that serves it, and that says afterwards whether it has asked for
    /// it.
    ///
    /// ```
    /// # use tenure::Session;
    /// let visit = Session::new().visit();
    /// assert!(!visit.has_asked());
    /// ```
    pub fn visit(&self) -> Visit {
        Visit {
            session: self.clone(),
            asked: Arc::new(AtomicBool::new(false)),
        }
    }
}

impl Visit {
    /// The session that is visited. To have it by this is not to ask for it.
    ///
    /// ```
    /// # use tenure::Session;
    /// let session = Session::new();
    /// let visit = session.visit();
    /// assert_eq!(visit.session(), &session);
    /// assert!(!visit.has_asked());
    /// ```
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// A future whose code serves the session, as [`Session::attach`] has it.
    ///
    /// ```
    /// # use tenure::Session;
    /// # futures_executor::block_on(async {
    /// let visit = Session::new().visit();
    /// let seen = visit.attach(async { Session::current() }).await;
    /// assert_eq!(seen.as_ref(), Some(visit.session()));
    /// # });
    /// ```
    pub fn attach<T: Future>(&self, future: T) -> Attached<T> {
        let asked = Some(Arc::clone(&self.asked));
        Attached::new(future, self.session.serving_for(asked))
    }

    /// Has this thread serve the session until the guard is dropped, as [`Session::enter`] does.
    ///
    /// ```
    /// # use tenure::Session;
    /// let visit = Session::new().visit();
    /// {
    ///     let _entered = visit.enter();
    ///     assert!(Session::current().is_some());
    /// }
    /// assert!(visit.has_asked());
    /// ```
    pub fn enter(&self) -> Entered {
        let asked = Some(Arc::clone(&self.asked));
        self.session.serving_for(asked).enter()
    }

    /// Whether the code of the visit has asked for the session by now.
    ///
    /// ```
    /// # use tenure::Session;
    /// # futures_executor::block_on(async {
    /// let visit = Session::new().visit();
    /// visit.attach(async { "healthy" }).await;
    /// assert!(!visit.has_asked());
    /// # });
    /// ```
    #[must_use]
    pub fn has_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Visit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Visit")
            .field("session", &self.session)
            .field("has_asked", &self.has_asked())
            .finish()
    }
}
