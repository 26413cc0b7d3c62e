//! The background work: deadlines, drains, delayed spinners.
//!
//! Invariants
//! 1. No lock is held while a job runs or is dropped, and a job may run foreign code.
//! 2. A job runs at most once; a cancelled job that has not begun never runs.
//! 3. A job that is due begins even while earlier ones still run: while jobs are armed, some
//!    thread sleeps until the first of them, up to [`MOST_THREADS`] that are busy.
//! 4. With nothing armed the one thread that stays blocks, and costs nothing.
//! 5. Who arms a job may hold a cache's lock, so arming runs nothing foreign, a logger included.
//!
//! The first thread is the leader and looks when a job is due. The others are stand-ins and look
//! [`STAND_IN_DELAY`] later, so that short jobs all run on the leader and wake nobody else.
//!
//! Lock order: the timer's lock is a leaf; a cache may arm a job under its own.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::ground::clock::{Clock, NEVER, Nanos};
use crate::ground::sync::{Arc, AtomicBool, Condvar, Mutex, MutexGuard, OnceLock, Ordering, spawn};

/// So many callbacks may block at once before one that is due has to wait.
const MOST_THREADS: usize = 64;

const STAND_IN_DELAY: Nanos = 20_000_000;

/// How long a stand-in with nothing to wait for stays, so that bursts do not start threads anew.
const LINGER: Nanos = 1_000_000_000;

type Job = Box<dyn FnOnce() + Send>;

/// A frame that a background thread puts around the jobs that it finds due one after another.
pub(crate) type Around = fn(&mut dyn FnMut());

/// The name of a job, by which it is cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TimerId {
    when: Nanos,
    number: u64,
}

impl TimerId {
    /// When the job is due.
    pub(crate) fn when(self) -> Nanos {
        self.when
    }
}

pub(crate) struct Timer {
    clock: Clock,
    state: Mutex<State>,
    leader: Condvar,
    stand_ins: Condvar,
    /// A thread could not be started; told by whoever next holds no lock.
    failed: AtomicBool,
    /// In a child process: a thread that is not there may hold the lock.
    abandoned: AtomicBool,
    around: OnceLock<Around>,
}

#[derive(Default)]
struct State {
    jobs: BTreeMap<TimerId, Job>,
    numbers: u64,
    threads: usize,
    /// Threads on their way to their first look.
    starting: usize,
    /// When the leader wakes by itself; `None` while it is busy.
    leader_wakes: Option<Nanos>,
    /// Stand-ins asleep, and a time before which one of them is known to wake by itself.
    asleep: usize,
    stand_in_wakes: Nanos,
    stopped: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Leader,
    StandIn,
}

impl Timer {
    pub(crate) fn new(clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            clock,
            state: Mutex::new(State::default()),
            leader: Condvar::new(),
            stand_ins: Condvar::new(),
            failed: AtomicBool::new(false),
            abandoned: AtomicBool::new(false),
            around: OnceLock::new(),
        })
    }

    /// Runs `job` on a background thread once `when` has come. It is told which job it is: where it
    /// begins just before it is taken back, that is how it learns that another has its place.
    pub(crate) fn at(
        self: &Arc<Self>,
        when: Nanos,
        job: impl FnOnce(TimerId) + Send + 'static,
    ) -> TimerId {
        if self.is_abandoned() {
            std::mem::forget(job);
            return TimerId { when, number: 0 };
        }
        let mut state = self.state.lock();
        state.numbers += 1;
        let id = TimerId {
            when,
            number: state.numbers,
        };
        state.jobs.insert(id, Box::new(move || job(id)));
        if !self.clock.is_manual() {
            self.have_watched(&mut state, when);
        }
        id
    }

    /// Takes a job back. `false`: it has begun, or has run.
    pub(crate) fn cancel(&self, id: TimerId) -> bool {
        if self.is_abandoned() {
            return false;
        }
        let job = self.state.lock().jobs.remove(&id);
        job.is_some()
    }

    /// Has what a background thread does run inside `around`. Only the first one counts.
    pub(crate) fn run_inside(&self, around: Around) {
        let _ = self.around.set(around);
    }

    pub(crate) fn abandon(&self) {
        self.abandoned.store(true, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Relaxed)
    }

    /// Takes out what is due once `steer` has moved the clock, so that no other thread is faster. It is called with
    /// the timer's lock held.
    pub(crate) fn steer(self: &Arc<Self>, steer: impl FnOnce()) -> Due {
        let mut state = self.state.lock();
        steer();
        let now = self.clock.now();
        let jobs = std::iter::from_fn(|| take_due(&mut state, now)).collect();
        drop(state);
        // The threads sleep until a time that may come sooner now.
        self.leader.notify_one();
        self.stand_ins.notify_all();
        Due {
            timer: Arc::clone(self),
            jobs,
        }
    }

    /// Runs everything that is due, on this thread.
    pub(crate) fn run_due(&self) {
        let mut state = self.state.lock();
        while let Some(job) = take_due(&mut state, self.clock.now()) {
            drop(state);
            job();
            state = self.state.lock();
        }
    }

    /// Ends the threads, and drops what is still armed.
    pub(crate) fn stop(&self) {
        let jobs = {
            let mut state = self.state.lock();
            state.stopped = true;
            std::mem::take(&mut state.jobs)
        };
        self.leader.notify_all();
        self.stand_ins.notify_all();
        drop(jobs);
    }

    /// Logs that there is no background thread, once, where it is so. No lock may be held.
    #[inline]
    pub(crate) fn report(&self) {
        if self.failed.load(Ordering::Relaxed) && self.failed.swap(false, Ordering::Relaxed) {
            tracing::error!("the background thread could not be started; deadlines are late");
        }
    }

    /// Sees to it that a thread wakes for a job that is due at `when`.
    fn have_watched(self: &Arc<Self>, state: &mut State, when: Nanos) {
        match state.leader_wakes {
            // Asleep, the leader is woken only for what is due before it wakes by itself.
            Some(wakes) => {
                if when < wakes {
                    self.leader.notify_one();
                }
            }
            // While it is busy, a stand-in is.
            None if state.asleep > 0 => {
                if when.saturating_add(STAND_IN_DELAY) < state.stand_in_wakes {
                    self.stand_ins.notify_one();
                }
            }
            // One that starts looks at what is armed by then.
            None if state.starting > 0 || state.threads == MOST_THREADS => {}
            None => self.start_thread(state),
        }
    }

    fn start_thread(self: &Arc<Self>, state: &mut State) {
        let role = if state.threads == 0 {
            Role::Leader
        } else {
            Role::StandIn
        };
        state.threads += 1;
        state.starting += 1;
        let timer = Arc::clone(self);
        if spawn("tenure", move || timer.watch(role)).is_err() {
            state.threads -= 1;
            state.starting -= 1;
            self.failed.store(true, Ordering::Relaxed);
        }
    }

    fn watch(self: &Arc<Self>, role: Role) {
        let delay = match role {
            Role::Leader => 0,
            Role::StandIn => STAND_IN_DELAY,
        };
        let mut idle_since = None;
        let mut state = self.state.lock();
        state.starting -= 1;
        while !state.stopped {
            let now = self.clock.now();
            if let Some(job) = self.begin_job(&mut state, now, delay) {
                idle_since = None;
                drop(state);
                self.run_jobs(job, delay);
                state = self.state.lock();
                // What is armed may be another by now.
                continue;
            }
            let next = state.jobs.keys().next();
            let mut wakes = next.map_or(NEVER, |id| id.when.saturating_add(delay));
            // The leader stays; a stand-in that has nothing to wait for goes after a while.
            if role == Role::StandIn && next.is_none() {
                let leaves = *idle_since.get_or_insert(now) + LINGER;
                if now >= leaves {
                    break;
                }
                wakes = leaves;
            }
            self.sleep(role, &mut state, wakes, now);
        }
        state.threads -= 1;
    }

    /// Takes out what is due, and sees to it that what is due next has a thread.
    fn begin_job(self: &Arc<Self>, state: &mut State, now: Nanos, delay: Nanos) -> Option<Job> {
        let job = take_due(state, now.saturating_sub(delay))?;
        if let Some(next) = state.jobs.keys().next() {
            let when = next.when;
            self.have_watched(state, when);
        }
        Some(job)
    }

    /// Runs one job, and what is due by then.
    fn run_jobs(self: &Arc<Self>, first: Job, delay: Nanos) {
        let mut next = Some(first);
        // All in one go, since what is around them is dear to enter.
        let mut jobs = || {
            while let Some(job) = next.take() {
                run(job);
                let mut state = self.state.lock();
                if !state.stopped {
                    next = self.begin_job(&mut state, self.clock.now(), delay);
                }
            }
        };
        match self.around.get() {
            Some(around) => around(&mut jobs),
            None => jobs(),
        }
    }

    fn sleep(&self, role: Role, state: &mut MutexGuard<'_, State>, wakes: Nanos, now: Nanos) {
        let changed = match role {
            Role::Leader => {
                state.leader_wakes = Some(wakes);
                &self.leader
            }
            Role::StandIn => {
                // The earliest of them is the one that counts.
                if state.asleep == 0 || wakes < state.stand_in_wakes {
                    state.stand_in_wakes = wakes;
                }
                state.asleep += 1;
                &self.stand_ins
            }
        };
        if wakes == NEVER {
            changed.wait(state);
        } else {
            changed.wait_for(state, Duration::from_nanos(wakes.saturating_sub(now)));
        }
        match role {
            Role::Leader => state.leader_wakes = None,
            Role::StandIn => {
                state.asleep -= 1;
                // The others may wake later than this one did; a notice too many does no harm.
                state.stand_in_wakes = NEVER;
            }
        }
    }

    /// How many jobs are armed.
    pub(crate) fn armed(&self) -> usize {
        self.state.lock().jobs.len()
    }
}

/// What was due when a test had moved the time; see [`Engine::steer`](crate::Engine::steer).
#[must_use = "what is due is lost where it is not run"]
pub struct Due {
    timer: Arc<Timer>,
    jobs: Vec<Job>,
}

impl Due {
    /// Does it on this thread, and what is due by then.
    ///
    /// ```
    /// # let clock = tenure::SteeredClock::new();
    /// # let engine = tenure::Engine::with_steered(clock.clone());
    /// engine.steer(|| clock.advance(std::time::Duration::from_secs(60))).run();
    /// ```
    pub fn run(self) {
        self.jobs.into_iter().for_each(run);
        self.timer.run_due();
    }
}

impl std::fmt::Debug for Due {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Due")
            .field("jobs", &self.jobs.len())
            .finish()
    }
}

fn run(job: Job) {
    if catch_unwind(AssertUnwindSafe(job)).is_err() {
        tracing::error!("background work panicked");
    }
}

fn take_due(state: &mut State, now: Nanos) -> Option<Job> {
    let id = *state.jobs.keys().next()?;
    if id.when > now {
        return None;
    }
    state.jobs.remove(&id)
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::time::{Duration, Instant};

    use super::*;

    /// Long enough that only a job which was lost takes longer.
    const LOST: Duration = Duration::from_secs(60);

    fn timer() -> Arc<Timer> {
        Timer::new(Clock::System)
    }

    /// A job that says that it has begun, and then blocks until told to go on.
    fn blocking(timer: &Arc<Timer>) -> (Receiver<()>, Sender<()>) {
        let (began, has_begun) = channel();
        let (go_on, told) = channel::<()>();
        let job = move |_| {
            began.send(()).unwrap();
            _ = told.recv();
        };
        timer.at(timer.clock.now(), job);
        (has_begun, go_on)
    }

    fn sending<T: Send + 'static>(
        to: &Sender<T>,
        what: T,
    ) -> impl FnOnce(TimerId) + Send + 'static {
        let to = to.clone();
        move |_| to.send(what).unwrap()
    }

    #[test]
    fn l2_a_job_that_blocks_delays_none_that_was_armed_before_it() {
        let timer = timer();
        let (done, finished) = channel();
        let soon = timer.clock.now() + 5_000_000;
        timer.at(soon, sending(&done, ()));
        let (has_begun, go_on) = blocking(&timer);
        has_begun.recv_timeout(LOST).unwrap();
        finished.recv_timeout(LOST).unwrap();
        drop(go_on);
    }

    #[test]
    fn l2_a_job_that_blocks_delays_none_that_is_armed_later() {
        let timer = timer();
        let (has_begun, go_on) = blocking(&timer);
        has_begun.recv_timeout(LOST).unwrap();
        // Now the only thread is busy, and nothing else was armed when it began.
        let (done, finished) = channel();
        timer.at(timer.clock.now(), sending(&done, ()));
        finished.recv_timeout(LOST).unwrap();
        drop(go_on);
    }

    #[test]
    fn l2_many_jobs_that_block_delay_none() {
        let timer = timer();
        let blocked: Vec<_> = (0..MOST_THREADS - 1).map(|_| blocking(&timer)).collect();
        for (has_begun, _) in &blocked {
            has_begun.recv_timeout(LOST).unwrap();
        }
        let (done, finished) = channel();
        timer.at(timer.clock.now(), sending(&done, ()));
        finished.recv_timeout(LOST).unwrap();
    }

    #[test]
    fn l2_a_job_that_panics_costs_only_itself() {
        let timer = timer();
        let (done, finished) = channel();
        timer.at(0, |_| panic!("a job that panics, on purpose"));
        timer.at(timer.clock.now() + 1_000_000, sending(&done, ()));
        finished.recv_timeout(LOST).unwrap();
    }

    #[test]
    fn l4_no_job_is_early_and_they_run_in_order() {
        let timer = timer();
        let (done, finished) = channel();
        let start = timer.clock.now();
        let mut expected = Vec::new();
        for step in (0..20).rev() {
            let when = start + step * 1_000_000;
            let (done, clock) = (done.clone(), timer.clock.clone());
            timer.at(when, move |_| done.send((when, clock.now())).unwrap());
            expected.push(when);
        }
        let mut ran: Vec<_> = (0..20)
            .map(|_| finished.recv_timeout(LOST).unwrap())
            .collect();
        assert!(ran.iter().all(|&(when, at)| at >= when), "{ran:?}");
        ran.sort_unstable();
        expected.sort_unstable();
        assert_eq!(ran.iter().map(|it| it.0).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn l4_the_leader_sleeps_until_what_is_due_first() {
        const HOUR: Nanos = 3_600_000_000_000;
        let timer = timer();
        let now = timer.clock.now();
        let bound = Instant::now() + LOST;
        for when in [now + HOUR, now + HOUR / 2] {
            timer.at(when, |_| ());
            while timer.state.lock().leader_wakes != Some(when) {
                assert!(Instant::now() < bound, "it sleeps until another time");
                std::thread::yield_now();
            }
        }
        timer.stop();
    }

    #[test]
    fn l4_nothing_is_lost_when_many_arm_and_cancel_at_once() {
        const THREADS: u64 = 8;
        const JOBS: u64 = 500;
        let timer = timer();
        let (done, finished) = channel();
        let taken_back: Vec<u64> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|thread| {
                    let (timer, done) = (&timer, done.clone());
                    scope.spawn(move || {
                        let mut taken_back = Vec::new();
                        for job in 0..JOBS {
                            let number = thread * JOBS + job;
                            let pause = number * 7919 % 3_000_000;
                            let when = timer.clock.now() + pause;
                            let id = timer.at(when, sending(&done, number));
                            if job % 3 == 0 && timer.cancel(id) {
                                taken_back.push(number);
                            }
                        }
                        taken_back
                    })
                })
                .collect();
            let joined = threads.into_iter().map(|it| it.join().unwrap());
            joined.flatten().collect()
        });
        let rest = (THREADS * JOBS) as usize - taken_back.len();
        let mut all = taken_back;
        all.extend((0..rest).map(|_| finished.recv_timeout(LOST).unwrap()));
        all.sort_unstable();
        assert_eq!(all, (0..THREADS * JOBS).collect::<Vec<_>>());
        assert_eq!(timer.armed(), 0);
        assert!(finished.try_recv().is_err());
    }

    #[test]
    fn its_threads_end_with_it() {
        let timer = timer();
        let (has_begun, go_on) = blocking(&timer);
        has_begun.recv_timeout(LOST).unwrap();
        timer.at(timer.clock.now(), |_| ());
        timer.stop();
        drop(go_on);
        let gone = Arc::downgrade(&timer);
        drop(timer);
        while gone.strong_count() > 0 {
            std::thread::yield_now();
        }
    }
}
