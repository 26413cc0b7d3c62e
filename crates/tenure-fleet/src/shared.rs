//! The state that a member's threads and its callers share.
//!
//! 1. No lock is held while the network is used, the listener is called, or whoever asked is answered.
//! 2. There is one lock. It is held for as long as it takes to look, or to put something in or out.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::listener::Listener;
use crate::machine::Phase;
use crate::mark::{Keys, Mark};
use crate::member::Member;
use crate::number::Number;
use crate::outbox::Outbox;
use crate::seal::Seal;
use crate::server::Connector;
use crate::settings::Settings;

/// The state of a member: what stays for as long as it is one, and behind a lock what changes.
pub(crate) struct Shared {
    pub(crate) me: u64,
    pub(crate) keys: Keys,
    pub(crate) seal: Seal,
    pub(crate) settings: Settings,
    pub(crate) connector: Box<dyn Connector>,
    pub(crate) listener: Arc<dyn Listener>,
    pub(crate) joined: Instant,
    /// The process that joined. A forked child has none of its threads.
    process: u32,
    todo: Mutex<Todo>,
    changed: Condvar,
}

/// The member's state that its threads and callers change.
#[derive(Default)]
pub(crate) struct Todo {
    pub(crate) outbox: Outbox,
    pub(crate) asks: Vec<Ask>,
    /// The permits of this member, by their holders.
    pub(crate) renewals: BTreeMap<Number, Renewal>,
    pub(crate) given_back: Vec<(Mark, Number)>,
    pub(crate) questions: Vec<Sender<Result<Vec<Member>, Error>>>,
    /// Those who wait until this member is no longer among those that are named; told by being dropped.
    pub(crate) withdrawals: Vec<Sender<()>>,
    pub(crate) seen: Seen,
    /// The reason why what others end is not heard, as a sentence without its dot.
    pub(crate) trouble: Option<Arc<str>>,
    pub(crate) leaving: bool,
    /// The member's threads, and how many of them have ended.
    pub(crate) threads: Vec<ThreadId>,
    pub(crate) ended: u32,
    /// A function that closes the connection that is listened on.
    pub(crate) closer: Option<Box<dyn Fn() + Send>>,
    sequence: u64,
}

/// The standing of the bus, as its thread has last told.
#[derive(Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) phase: Phase,
    pub(crate) lost: bool,
    /// The number of times that the member has been caught up anew.
    pub(crate) times: u64,
    pub(crate) head: u64,
    /// Until when all that others have ended has been told, in milliseconds since the member joined.
    pub(crate) told_until: Option<u64>,
    pub(crate) lag: Option<Duration>,
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            phase: Phase::Down,
            lost: false,
            times: 0,
            head: 0,
            told_until: None,
            lag: None,
        }
    }
}

/// A question for a permit.
pub(crate) struct Ask {
    pub(crate) key: Mark,
    pub(crate) at_most: u32,
    pub(crate) holder: Number,
    pub(crate) due: Instant,
    pub(crate) pause: Duration,
    pub(crate) given_up: Arc<AtomicBool>,
    /// Whether the permit is held, once it has been given.
    pub(crate) held: Arc<AtomicBool>,
    /// Takes the number of the permit; None where there is none to be had.
    pub(crate) tell: Box<dyn FnOnce(Option<u64>) + Send>,
}

/// The next renewal of a permit.
pub(crate) struct Renewal {
    pub(crate) key: Mark,
    pub(crate) due: Instant,
    pub(crate) held: Arc<AtomicBool>,
}

impl Todo {
    /// A number that no other raise and no other permit of this member has.
    pub(crate) fn number(&mut self, me: u64) -> Number {
        self.sequence += 1;
        Number {
            member: me,
            sequence: self.sequence,
        }
    }
}

impl Shared {
    pub(crate) fn new(
        me: u64,
        settings: Settings,
        connector: Box<dyn Connector>,
        listener: Arc<dyn Listener>,
    ) -> Self {
        let now = Instant::now();
        Self {
            joined: now.checked_sub(settings.since).unwrap_or(now),
            me,
            keys: Keys::derive(&settings.secret),
            seal: Seal::derive(&settings.secret),
            settings,
            connector,
            listener,
            process: std::process::id(),
            todo: Mutex::new(Todo::default()),
            changed: Condvar::new(),
        }
    }

    /// The state, locked. None in a forked child: it is no member, and the lock may be held by a thread that it does not
    /// have.
    pub(crate) fn look(&self) -> Option<MutexGuard<'_, Todo>> {
        let is_forked_child = self.process != std::process::id();
        (!is_forked_child).then(|| self.todo.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts something in, and wakes whoever waits for it. None in a forked child, which does neither.
    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut Todo) -> R) -> Option<R> {
        let changed = change(&mut *self.look()?);
        self.changed.notify_all();
        Some(changed)
    }

    /// Whether the member is to end, or is none in this process.
    pub(crate) fn is_leaving(&self) -> bool {
        self.look().is_none_or(|todo| todo.leaving)
    }

    /// Waits until something has changed, or until then.
    pub(crate) fn wait<'a>(
        &self,
        todo: MutexGuard<'a, Todo>,
        until: Option<Instant>,
    ) -> MutexGuard<'a, Todo> {
        match until {
            None => self
                .changed
                .wait(todo)
                .unwrap_or_else(PoisonError::into_inner),
            Some(until) => {
                let time = until.saturating_duration_since(Instant::now());
                self.changed
                    .wait_timeout(todo, time)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0
            }
        }
    }

    /// Waits for so long, or until the member leaves.
    pub(crate) fn pause(&self, time: Duration) {
        let until = Instant::now() + time;
        let Some(mut todo) = self.look() else { return };
        while !todo.leaving && Instant::now() < until {
            todo = self.wait(todo, Some(until));
        }
    }

    /// Milliseconds since this member joined.
    pub(crate) fn now(&self) -> u64 {
        self.joined
            .elapsed()
            .as_millis()
            .try_into()
            .unwrap_or(u64::MAX)
    }
}
