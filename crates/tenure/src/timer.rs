//! The background work: deadlines, drains, delayed spinners.
//!
//! Invariants
//! 1. No lock is held while a job runs, and a job may run foreign code.
//! 2. A job runs at most once; a cancelled job that has not begun never runs.
//! 3. A job that is due begins even while an earlier one is still running: before a thread runs a
//!    job it makes sure that another watches, up to [`MOST_THREADS`].
//! 4. With nothing armed the threads block, and cost nothing.
//!
//! Lock order: the timer's lock is a leaf; a cache may arm a job under its own.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::clock::{Clock, Nanos};
use crate::sync::{Arc, Condvar, Mutex, spawn};

const MOST_THREADS: usize = 16;

/// How much later than the first thread the others look, so that short jobs stay on one thread.
const STAND_IN_DELAY: Nanos = 20_000_000;

pub(crate) type Job = Box<dyn FnOnce() + Send>;

/// What cancels a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TimerId {
    when: Nanos,
    number: u64,
}

pub(crate) struct Timer {
    clock: Clock,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    jobs: BTreeMap<TimerId, Job>,
    numbers: u64,
    threads: usize,
    watching: usize,
    /// When the earliest waking of a watching thread is; a job due later needs no notice.
    wakes_at: Nanos,
}

impl Timer {
    pub(crate) fn new(clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            clock,
            state: Mutex::new(State::default()),
            changed: Condvar::new(),
        })
    }

    /// Runs `job` on a background thread once `when` has come.
    pub(crate) fn at(self: &Arc<Self>, when: Nanos, job: Job) -> TimerId {
        let mut state = self.state.lock();
        state.numbers += 1;
        let id = TimerId {
            when,
            number: state.numbers,
        };
        state.jobs.insert(id, job);
        if !self.clock.is_manual() {
            if state.threads == 0 {
                self.start_thread(&mut state);
            } else if when < state.wakes_at && state.watching > 0 {
                self.changed.notify_all();
            }
        }
        id
    }

    /// Takes a job back. `false`: it has begun, or has run.
    pub(crate) fn cancel(&self, id: TimerId) -> bool {
        let job = self.state.lock().jobs.remove(&id);
        job.is_some()
    }

    /// Runs everything that is due, on this thread.
    pub(crate) fn run_due(&self) {
        while let Some(job) = {
            let mut state = self.state.lock();
            take_due(&mut state, self.clock.now())
        } {
            job();
        }
    }

    fn start_thread(self: &Arc<Self>, state: &mut State) {
        state.threads += 1;
        let first = state.threads == 1;
        let timer = Arc::clone(self);
        if spawn("tenure", move || timer.watch(first)).is_err() {
            state.threads -= 1;
            tracing::error!("the background thread could not be started; deadlines are late");
        }
    }

    fn watch(self: &Arc<Self>, first: bool) {
        let delay = if first { 0 } else { STAND_IN_DELAY };
        let mut state = self.state.lock();
        loop {
            let now = self.clock.now();
            if let Some(job) = take_due(&mut state, now.saturating_sub(delay)) {
                if state.watching == 0 && !state.jobs.is_empty() && state.threads < MOST_THREADS {
                    self.start_thread(&mut state);
                }
                drop(state);
                job();
                state = self.state.lock();
                continue;
            }
            let next = state.jobs.keys().next().map(|id| id.when + delay);
            if next.is_none() && !first {
                state.threads -= 1;
                return;
            }
            state.watching += 1;
            state.wakes_at = if state.watching == 1 {
                next.unwrap_or(Nanos::MAX)
            } else {
                state.wakes_at.min(next.unwrap_or(Nanos::MAX))
            };
            match next {
                None => self.changed.wait(&mut state),
                Some(next) => {
                    let pause = Duration::from_nanos(next.saturating_sub(now));
                    self.changed.wait_for(&mut state, pause);
                }
            }
            state.watching -= 1;
            // Another may still sleep past what this one was to wake for.
            state.wakes_at = Nanos::MAX;
        }
    }
}

fn take_due(state: &mut State, now: Nanos) -> Option<Job> {
    let id = *state.jobs.keys().next()?;
    if id.when > now {
        return None;
    }
    state.jobs.remove(&id)
}
