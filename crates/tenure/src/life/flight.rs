//! One build under way, and those who wait for it.
//!
//! Invariants
//! 1. A flight lands once: filled, failed, or handed on. The leader's guard sees to it on every
//!    way out, a panic and a cancelled future included.
//! 2. Who waits learns of the landing, whichever it is. After one that was handed on the waiters look
//!    again, and one of them leads.
//! 3. No lock is held while a build runs, while a waker is cloned, called or dropped, or while a
//!    failure is cloned.
//!
//! Lock order: a flight's lock is a leaf.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::ground::sync::{Arc, Condvar, Figure, Mutex, OnceLock, Ordering, thread_number};
use crate::host::observe::{Likeness, Seen};
use crate::host::record::Observed;
use crate::key::{Key, KeyRef};
use crate::life::building::hearing::Hearing;
use crate::life::building::stalled::Polls;
use crate::life::circle::FlightId;
use crate::life::entry::EntryRef;
use crate::life::tagged::Tagged;
use crate::words::bounds::Resource;

const NO_THREAD: u64 = u64::MAX;

/// A build under way.
pub(crate) struct Flight<V: Resource, F> {
    pub(crate) id: FlightId,
    pub(crate) key: Key,
    /// The hash of the key.
    pub(crate) hash: u64,
    /// Where it carries tags of its own.
    pub(crate) tagged: Option<Arc<Tagged>>,
    /// The observed inputs known when it began, as its leader saw them.
    seen: Seen,
    /// The thread that it began on, or `NO_THREAD` where it goes on elsewhere.
    thread: Figure,
    /// For those who wait for an async build.
    pub(crate) polls: Polls,
    /// Those who are to hear how it ends.
    pub(crate) hearing: Hearing,
    /// Written once, before `state` says so; read without a lock, so that a failure is cloned
    /// without one.
    landing: OnceLock<Landing<V, F>>,
    state: Mutex<State>,
    arrived: Condvar,
}

struct State {
    landed: bool,
    tasks: Tasks,
}

/// How a flight ended.
pub(crate) enum Landing<V: Resource, F> {
    /// The build gave a resource.
    Filled(EntryRef<V>),
    /// The build failed, and had observed these inputs until then.
    Failed(F, Option<Observed>),
    /// The builder died; someone else has to build.
    HandedOn,
}

impl<V: Resource, F: Clone> Clone for Landing<V, F> {
    fn clone(&self) -> Self {
        match self {
            Self::Filled(entry) => Self::Filled(entry.clone()),
            Self::Failed(failure, observed) => Self::Failed(failure.clone(), observed.clone()),
            Self::HandedOn => Self::HandedOn,
        }
    }
}

impl<V: Resource, F: Clone> Flight<V, F> {
    pub(crate) fn new(
        id: FlightId,
        key: &KeyRef<'_>,
        seen: Seen,
        tagged: Option<Arc<Tagged>>,
    ) -> Self {
        Self {
            id,
            key: key.to_key(),
            hash: key.hash(),
            tagged,
            seen,
            thread: Figure::new(thread_number().map_or(NO_THREAD, |it| it as u64)),
            polls: Polls::default(),
            hearing: Hearing::new(),
            landing: OnceLock::new(),
            state: Mutex::new(State {
                landed: false,
                tasks: Tasks::default(),
            }),
            arrived: Condvar::new(),
        }
    }

    /// Whether a caller that sees this would build the same.
    pub(crate) fn compare(&self, seen: &Seen) -> Likeness {
        self.seen.compare(seen)
    }

    pub(crate) fn is_of_this_thread(&self) -> bool {
        let here = thread_number().map(|it| it as u64);
        here == Some(self.thread.load(Ordering::Relaxed))
    }

    /// Another thread goes on with it: to block the one that it began on holds nothing up.
    pub(crate) fn leaves_thread(&self) {
        self.thread.store(NO_THREAD, Ordering::Relaxed);
    }

    /// Ends the flight, which must have left its cache's table.
    pub(crate) fn land(flight: Arc<Self>, landing: impl FnOnce() -> Landing<V, F>) {
        // Who waits has taken a reference out of the table, under the cache's lock, before the
        // flight left it under the same lock: nobody waits for one that is not shared.
        if Arc::strong_count(&flight) > 1 {
            flight.tell(landing());
        }
    }

    /// Ends it with a failure, which its leader is told or not. Whether nobody hears of that.
    pub(crate) fn fail(
        flight: Arc<Self>,
        failure: F,
        observed: Option<Observed>,
        leader_hears: bool,
    ) -> bool {
        if Arc::strong_count(&flight) > 1 {
            // First, so that the last of those who wait finds it.
            flight.tell(Landing::Failed(failure, observed));
        }
        flight.hearing.fails(leader_hears)
    }

    fn tell(&self, landing: Landing<V, F>) {
        let first = self.landing.set(landing).is_ok();
        debug_assert!(first, "a flight lands once");
        let tasks = {
            let mut state = self.state.lock();
            state.landed = true;
            self.arrived.notify_all();
            std::mem::take(&mut state.tasks)
        };
        tasks.wake();
    }

    pub(crate) fn landing(&self) -> Landing<V, F> {
        self.landed().expect("written before it was told")
    }

    /// How it ended, if it has.
    pub(crate) fn landed(&self) -> Option<Landing<V, F>> {
        self.landing.get().cloned()
    }

    /// Blocks until the flight has landed, until `pause` has passed, or until the caller is out of
    /// patience, which it is [nudged](Self::nudge) to see.
    pub(crate) fn wait(
        &self,
        pause: Option<Duration>,
        is_over: impl Fn() -> bool,
    ) -> Option<Landing<V, F>> {
        {
            let mut state = self.state.lock();
            while !state.landed {
                if is_over() {
                    return None;
                }
                match pause {
                    None => self.arrived.wait(&mut state),
                    Some(pause) => {
                        let waited = self.arrived.wait_for(&mut state, pause);
                        // What lands with the end of the pause has landed.
                        if waited.timed_out() && !state.landed {
                            return None;
                        }
                    }
                }
            }
        }
        Some(self.landing())
    }

    /// Has those who block look whether they are out of patience.
    pub(crate) fn nudge(&self) {
        // Under the lock, so that nobody looks, is told, and goes to sleep.
        let _state = self.state.lock();
        self.arrived.notify_all();
    }

    /// The landing as a future, for a task.
    pub(crate) fn arrival(self: &Arc<Self>) -> Arrival<V, F> {
        Arrival {
            flight: Arc::clone(self),
            place: None,
        }
    }
}

/// A task's wait for a flight to land. Dropped, it leaves nothing behind.
pub(crate) struct Arrival<V: Resource, F> {
    flight: Arc<Flight<V, F>>,
    place: Option<usize>,
}

impl<V: Resource, F: Clone> Future for Arrival<V, F> {
    type Output = Landing<V, F>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // A waker is foreign: cloned outside the lock, needed or not.
        let waker = cx.waker().clone();
        let Self { flight, place } = &mut *self;
        let before = {
            let mut state = flight.state.lock();
            if state.landed {
                // The landing took all wakers along.
                *place = None;
                Err(waker)
            } else {
                Ok(state.tasks.put(place, waker))
            }
        };
        // Wakers are dropped outside the lock.
        match before {
            Ok(_) => Poll::Pending,
            Err(_) => Poll::Ready(self.flight.landing()),
        }
    }
}

impl<V: Resource, F> Drop for Arrival<V, F> {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            let waker = self.flight.state.lock().tasks.take(place);
            drop(waker);
        }
    }
}

/// The tasks that wait for one flight, each at its place.
#[derive(Default)]
struct Tasks {
    wakers: Vec<Option<Waker>>,
    vacant: Vec<usize>,
}

impl Tasks {
    /// Has a task woken, and gives the waker that it had left before.
    fn put(&mut self, place: &mut Option<usize>, waker: Waker) -> Option<Waker> {
        let at = *place.get_or_insert_with(|| {
            self.vacant.pop().unwrap_or_else(|| {
                self.wakers.push(None);
                self.wakers.len() - 1
            })
        });
        self.wakers[at].replace(waker)
    }

    fn take(&mut self, place: usize) -> Option<Waker> {
        // Nothing is there any more once the flight has landed.
        let waker = self.wakers.get_mut(place)?.take();
        self.vacant.push(place);
        waker
    }

    fn wake(self) {
        for waker in self.wakers.into_iter().flatten() {
            waker.wake();
        }
    }
}
