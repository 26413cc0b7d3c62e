//! The sessions that an engine holds something for, and their ends.
//!
//! 1. A *stay* lasts from a session's beginning or return to its end. An end is of one stay: where the
//!    session has come back since it was decided on, it is void.
//! 2. With a grace period an end waits, also where nothing is held yet: what is built meanwhile waits
//!    as well, and goes with the rest.
//! 3. A function that joins a session which its host says is over ends that stay at once, unless an end
//!    waits: after its grace, a session holds nothing for longer than its users do.
//! 4. What is known of a session goes with its end.
//!
//! Lock order: the list's lock, then the timer's. No foreign code runs under it: an end is given as
//! [releases](End) to be run outside of every lock.

use crate::directory::{AnyFunction, Leaving};
use crate::ground::clock::{Nanos, nanos};
use crate::ground::sync::{Arc, HashMap, Mutex, Weak};
use crate::ground::timer::TimerId;
use crate::host::SessionId;
use crate::life::drain::{End, Ends, at_once};
use crate::life::services::Services;
use crate::life::succession::in_turn;

pub(crate) struct SessionTable {
    services: Arc<Services>,
    all: Mutex<HashMap<SessionId, SessionState>>,
    me: Weak<Self>,
}

/// A session that something is held for, or whose end waits.
struct SessionState {
    stay: Stay,
    /// The functions that hold something for it.
    functions: Vec<Weak<dyn AnyFunction>>,
    /// The end that a grace period delays.
    ending: Option<TimerId>,
}

impl SessionState {
    /// Whether it is in this stay; in whichever one, where none is named.
    fn is_in(&self, stay: Option<Stay>) -> bool {
        stay.is_none_or(|stay| self.stay == stay)
    }
}

/// The name of a stay.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stay(u64);

/// The stay that a function joined, which is about to hold something for it.
pub(crate) struct Joined {
    stay: Stay,
    /// The end that waited when nothing was held yet.
    ending: Option<TimerId>,
}

impl SessionTable {
    pub(crate) fn new(services: &Arc<Services>) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            services: Arc::clone(services),
            all: Mutex::default(),
            me: Weak::clone(me),
        })
    }

    /// Notes that `function` holds something for the session.
    pub(crate) fn join(&self, session: &SessionId, function: Weak<dyn AnyFunction>) -> Joined {
        let mut all = self.all.lock();
        let there = self.state(&mut all, session);
        let is_first = there.functions.is_empty();
        there.functions.push(function);
        Joined {
            stay: there.stay,
            ending: there.ending.filter(|_| is_first),
        }
    }

    fn state<'s>(
        &self,
        all: &'s mut HashMap<SessionId, SessionState>,
        session: &SessionId,
    ) -> &'s mut SessionState {
        all.entry(Arc::clone(session))
            .or_insert_with(|| SessionState {
                stay: self.new_stay(),
                functions: Vec::new(),
                ending: None,
            })
    }

    fn new_stay(&self) -> Stay {
        Stay(self.services.number())
    }

    /// The session that was joined is not over: an end that had waited is void.
    pub(crate) fn stays(&self, session: &str, joined: &Joined) {
        let Some(ending) = joined.ending else {
            return;
        };
        let mut all = self.all.lock();
        if let Some(there) = all.get_mut(session)
            && there.ending == Some(ending)
        {
            there.ending = None;
            self.services.timer.cancel(ending);
        }
    }

    /// The session that was joined had been over before. Nothing is given where it has come back since,
    /// or where an end waits.
    pub(crate) fn end_joined(&self, session: &str, joined: &Joined) -> Vec<End> {
        {
            let all = self.all.lock();
            if all.get(session).is_some_and(|it| it.ending.is_some()) {
                return Vec::new();
            }
        }
        self.forget(session, Some(joined.stay), in_turn)
    }

    /// The session is over: what it holds goes now, or after the grace period.
    pub(crate) fn end(&self, session: &str) -> Vec<End> {
        self.end_after(session, nanos(self.services.config.read().session_grace))
    }

    /// The same with a grace period of its own.
    pub(crate) fn end_after(&self, session: &str, grace: Nanos) -> Vec<End> {
        if grace == 0 {
            return self.forget(session, None, in_turn);
        }
        let id: SessionId = Arc::from(session);
        let sessions = Weak::clone(&self.me);
        let mut all = self.all.lock();
        let there = self.state(&mut all, &id);
        if there.ending.is_none() {
            let stay = there.stay;
            let when = self.services.clock.now().saturating_add(grace);
            let end = move |_| {
                if let Some(sessions) = sessions.upgrade() {
                    let _under_way = sessions.services.under_way.begin();
                    run(sessions.forget(&id, Some(stay), in_turn));
                }
            };
            there.ending = Some(self.services.timer.at(when, end));
        }
        Vec::new()
    }

    /// The session is over, without grace.
    pub(crate) fn end_now(&self, session: &str) -> Vec<End> {
        self.forget(session, None, in_turn)
    }

    /// The session is over, without grace, and whoever calls has its releases take turns.
    pub(crate) fn end_at_once(&self, session: &str) -> Vec<End> {
        self.forget(session, None, |_, ends| at_once(ends))
    }

    /// The session is back: an end that waits is void.
    pub(crate) fn resume(&self, session: &str) {
        let mut all = self.all.lock();
        let Some(there) = all.get_mut(session) else {
            return;
        };
        there.stay = self.new_stay();
        if let Some(timer) = there.ending.take() {
            self.services.timer.cancel(timer);
        }
        if there.functions.is_empty() {
            all.remove(session);
        }
    }

    /// Ends every session, whatever it waits for.
    pub(crate) fn forget_all(&self) {
        let all: Vec<SessionId> = self.all.lock().keys().cloned().collect();
        for session in all {
            run(self.forget(&session, None, in_turn));
        }
    }

    /// Ends a stay, or whichever one there is. `released` is given what all functions hold for it.
    fn forget(
        &self,
        session: &str,
        of: Option<Stay>,
        released: fn(&Arc<Services>, Ends),
    ) -> Vec<End> {
        let gone = {
            let mut all = self.all.lock();
            if !all.get(session).is_some_and(|it| it.is_in(of)) {
                return Vec::new();
            }
            all.remove_entry(session)
        };
        let Some((id, gone)) = gone else {
            return Vec::new();
        };
        if let Some(timer) = gone.ending {
            self.services.timer.cancel(timer);
        }
        let functions: Vec<_> = gone.functions.iter().filter_map(Weak::upgrade).collect();
        let leaving = functions.iter().filter_map(|it| it.leave_session(&id));
        let leaving: Vec<Leaving> = leaving.collect();
        let services = Arc::clone(&self.services);
        let end: End = Box::new(move || {
            released(&services, leaving.into_iter().flat_map(|it| it()).collect());
            // A function may be dropped by the last who holds it: that too waits for the end.
            drop(functions);
        });
        vec![end]
    }

    /// How many hold something.
    pub(crate) fn len(&self) -> usize {
        let all = self.all.lock();
        all.values().filter(|it| !it.functions.is_empty()).count()
    }

    /// How many ends wait.
    pub(crate) fn endings(&self) -> usize {
        let all = self.all.lock();
        all.values().filter(|it| it.ending.is_some()).count()
    }
}

/// Runs what an end has given.
pub(crate) fn run(ends: Vec<End>) {
    for end in ends {
        end();
    }
}
