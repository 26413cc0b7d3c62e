//! The interpreter for threads that are not Python's.
//!
//! A thread that Python does not know yet makes itself known before it waits for the interpreter,
//! under a lock of Python's own. Up to Python 3.11 a child that is forked at that moment inherits
//! the lock, and hangs. So who forks first waits until no thread of ours is about to do that, and
//! keeps them out meanwhile.
#![allow(unsafe_code)]

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use pyo3::ffi;
use pyo3::prelude::*;

/// How many threads are making themselves known, and whether one is about to fork.
static GATE: AtomicU32 = AtomicU32::new(0);
const FORKING: u32 = 1 << 31;

/// Something is wrong if threads do not get the interpreter for so long; the fork has its way.
const PATIENCE: Duration = Duration::from_secs(1);

/// A look at the gate.
const PAUSE: Duration = Duration::from_micros(50);

/// Inside the gate, until dropped.
struct Inside;

impl Inside {
    fn enter() -> Self {
        loop {
            let seen = GATE.load(Ordering::Acquire);
            if seen & FORKING != 0 {
                thread::sleep(PAUSE);
                continue;
            }
            let swap =
                GATE.compare_exchange_weak(seen, seen + 1, Ordering::AcqRel, Ordering::Relaxed);
            if swap.is_ok() {
                return Self;
            }
        }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        GATE.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Whether Python knows this thread.
pub(crate) fn is_known() -> bool {
    // SAFETY: may be asked on any thread.
    unsafe { !ffi::PyGILState_GetThisThreadState().is_null() }
}

/// The exception that this thread is raising while an object is dropped: what a frame held that it leaves, say. Code
/// that runs meanwhile must neither see it nor lose it.
struct Pending<'py> {
    class: *mut ffi::PyObject,
    value: *mut ffi::PyObject,
    traceback: *mut ffi::PyObject,
    _attached: Python<'py>,
}

impl<'py> Pending<'py> {
    fn take(attached: Python<'py>) -> Self {
        let null = std::ptr::null_mut;
        let (mut class, mut value, mut traceback) = (null(), null(), null());
        // SAFETY: attached, as the token says; room for three pointers, which this owns from here on.
        #[allow(deprecated)]
        unsafe {
            ffi::PyErr_Fetch(&raw mut class, &raw mut value, &raw mut traceback);
        }
        Self {
            class,
            value,
            traceback,
            _attached: attached,
        }
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        // SAFETY: attached; gives back what was taken, or nothing.
        #[allow(deprecated)]
        unsafe {
            ffi::PyErr_Restore(self.class, self.value, self.traceback);
        }
    }
}

/// Runs `work` with the interpreter, on whatever thread. `None`: it has ended.
pub(crate) fn with<R>(work: impl FnOnce(Python<'_>) -> R) -> Option<R> {
    if is_known() {
        return Python::try_attach(|py| {
            let _pending = Pending::take(py);
            work(py)
        });
    }
    let inside = Inside::enter();
    Python::try_attach(|py| {
        drop(inside);
        work(py)
    })
}

/// How long a line may take that is not worth waiting for.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Runs `work` with the interpreter on a thread of its own, and waits for it, but not for ever: the
/// interpreter may be what everything waits for. While one such wait has been in vain, nobody waits.
pub(crate) fn in_time(work: impl FnOnce(Python<'_>) + Send + 'static) {
    static LOST: AtomicBool = AtomicBool::new(false);
    let (told, hears) = channel();
    let tell = move || {
        with(work);
        LOST.store(false, Ordering::Relaxed);
        // Whoever waited may have gone.
        let _ = told.send(());
    };
    if thread::Builder::new().spawn(tell).is_ok()
        && !LOST.load(Ordering::Relaxed)
        && hears.recv_timeout(LAST_WORDS) == Err(RecvTimeoutError::Timeout)
    {
        LOST.store(true, Ordering::Relaxed);
    }
}

/// Makes this thread known to Python for the time that `work` takes, so that each of the many times
/// it needs the interpreter meanwhile is cheap. It does not keep it.
pub(crate) fn known(work: &mut dyn FnMut()) {
    let mut work = Some(Here(work));
    let made = with(|py| {
        let work = work.take();
        py.detach(move || work.into_iter().for_each(Here::run));
    });
    if made.is_none() {
        // The interpreter has ended; what needs it finds that out by itself.
        work.into_iter().for_each(Here::run);
    }
}

struct Here<'a>(&'a mut dyn FnMut());

// SAFETY: `detach` runs its closure on the calling thread.
unsafe impl Send for Here<'_> {}

impl Here<'_> {
    fn run(self) {
        (self.0)();
    }
}

/// Before a fork, on the thread that forks.
pub(crate) fn before_fork(py: Python<'_>) {
    if py.version_info() >= (3, 12) {
        return;
    }
    let began = Instant::now();
    // Another thread that has forked may open the gate, but not while this one has the interpreter.
    while GATE.fetch_or(FORKING, Ordering::AcqRel) != FORKING && began.elapsed() < PATIENCE {
        // Those inside wait for the interpreter.
        py.detach(|| {
            while GATE.load(Ordering::Acquire) & !FORKING != 0 && began.elapsed() < PATIENCE {
                thread::sleep(PAUSE);
            }
        });
    }
}

/// After a fork, in the parent.
pub(crate) fn after_fork_in_parent() {
    GATE.fetch_and(!FORKING, Ordering::AcqRel);
}

/// After a fork, in the child, which has no other thread.
pub(crate) fn after_fork_in_child() {
    GATE.store(0, Ordering::Release);
}
