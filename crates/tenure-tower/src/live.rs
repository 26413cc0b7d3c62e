//! The cookie sessions that are alive, and when each expires.
//!
//! Invariants
//! 1. `deadlines` holds one pair for each session in `sessions`, and no other.
//! 2. Sessions end, and releases run, outside the lock.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tenure::Session;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::{Duration, Instant, timeout_at};

/// Further away than any cookie lives.
const FAR: Duration = Duration::from_secs(400 * 24 * 60 * 60);

#[derive(Default)]
pub(crate) struct Live {
    state: Mutex<State>,
    sooner: Arc<Notify>,
}

#[derive(Default)]
struct State {
    sessions: HashMap<Arc<str>, (Session, Instant)>,
    deadlines: BTreeSet<(Instant, Arc<str>)>,
    sweeper: Option<AbortHandle>,
}

impl Live {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic runs under it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A session of this key, whether it is kept here or not.
    pub(crate) fn named(key: &str) -> Session {
        // A name of its own among all sessions of the process.
        Session::named(&format!("tower-sessions {key}"))
    }

    /// The session of this key, which is kept until it expires.
    pub(crate) fn session(self: &Arc<Self>, key: &str, expires_in: Duration) -> Session {
        let mut state = self.state();
        if let Some((session, _)) = state.sessions.get(key) {
            return session.clone();
        }
        let session = Self::named(key);
        self.insert(&mut state, key, session.clone(), expires_in);
        session
    }

    /// A session of a new key is kept until it expires.
    pub(crate) fn keep(self: &Arc<Self>, key: &str, session: Session, expires_in: Duration) {
        self.insert(&mut self.state(), key, session, expires_in);
    }

    fn insert(
        self: &Arc<Self>,
        state: &mut State,
        key: &str,
        session: Session,
        expires_in: Duration,
    ) {
        let key: Arc<str> = Arc::from(key);
        let deadline = Instant::now() + expires_in.min(FAR);
        state.sessions.insert(Arc::clone(&key), (session, deadline));
        state.deadlines.insert((deadline, key));
        if state.sweeper.as_ref().is_none_or(AbortHandle::is_finished) {
            let sweeper = sweep(Arc::downgrade(self), Arc::clone(&self.sooner));
            state.sweeper = Some(tokio::spawn(sweeper).abort_handle());
        } else {
            self.sooner.notify_one();
        }
    }

    /// Whether the session of this key would live longer if it were renewed, by a hundredth of its time at least.
    pub(crate) fn is_due(&self, key: &str, expires_in: Duration) -> bool {
        let state = self.state();
        let expires_in = expires_in.min(FAR);
        state.sessions.get(key).is_some_and(|(_, deadline)| {
            let gained = (Instant::now() + expires_in).saturating_duration_since(*deadline);
            gained >= expires_in / 100
        })
    }

    /// The session of this key expires at another time.
    pub(crate) fn renew(&self, key: &str, expires_in: Duration) {
        let mut state = self.state();
        let state = &mut *state;
        let Some((_, deadline)) = state.sessions.get_mut(key) else {
            return;
        };
        let new = Instant::now() + expires_in.min(FAR);
        let old = std::mem::replace(deadline, new);
        state.deadlines.remove(&(old, Arc::from(key)));
        state.deadlines.insert((new, Arc::from(key)));
        self.sooner.notify_one();
    }

    /// The session of this key is over.
    pub(crate) fn end(&self, key: &str) {
        let ended = {
            let mut state = self.state();
            let ended = state.sessions.remove_entry(key);
            ended.map(|(key, (session, deadline))| {
                state.deadlines.remove(&(deadline, key));
                session
            })
        };
        if let Some(session) = ended {
            session.end();
        }
    }

    /// Takes out what has expired, and tells when the next one does.
    fn expired(&self) -> (Vec<Session>, Option<Instant>) {
        let mut state = self.state();
        let now = Instant::now();
        let mut expired = Vec::new();
        while let Some((deadline, _)) = state.deadlines.first() {
            if *deadline > now {
                return (expired, Some(*deadline));
            }
            if let Some((_, key)) = state.deadlines.pop_first() {
                expired.extend(state.sessions.remove(&key).map(|(session, _)| session));
            }
        }
        (expired, None)
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if let Some(sweeper) = self.state().sweeper.take() {
            sweeper.abort();
        }
    }
}

/// Ends sessions when they expire.
async fn sweep(live: Weak<Live>, sooner: Arc<Notify>) {
    while let Some(there) = live.upgrade() {
        let (expired, next) = there.expired();
        drop(there);
        if !expired.is_empty() {
            // A callback may block, and must not hold up a worker of the runtime.
            let ends = tokio::task::spawn_blocking(move || {
                for session in expired {
                    session.end();
                }
            });
            // A panic in there has been logged by the runtime's own hook.
            let _ = ends.await;
            continue;
        }
        match next {
            None => sooner.notified().await,
            Some(next) => {
                // Whichever comes first.
                let _ = timeout_at(next, sooner.notified()).await;
            }
        }
    }
}
