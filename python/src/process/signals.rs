//! Signals that end the process because nobody handles them.
//!
//! Only a signal whose disposition is the default one is taken over, and its meaning stays: what is
//! held is released first, then the process ends by that signal. A handler that stands, or that
//! somebody sets later, is never touched.
//!
//! 1. In signal context one byte is written into a pipe, and nothing else happens.
//! 2. A thread of its own reads it, releases what is held, and ends the process within the bound:
//!    also where the main thread is busy in C code, or waits. The others go on meanwhile.
//! 3. From the main thread, Python's own table gets a handler that writes the same byte. Why both?
//!    Servers set handlers of their own while they run, put back what stood in the table, and then
//!    raise the signal again.
#![allow(unsafe_code)]

use std::io;
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use libc::c_int;
use pyo3::prelude::*;

use crate::caller::attach;
use crate::process::once::{Once, intern};
use crate::process::{self, shutdown};

const TAKEN: [c_int; 3] = [libc::SIGTERM, libc::SIGHUP, libc::SIGINT];

/// The process that the pipe and the thread belong to; 0 where there is none.
static OWNER: AtomicI32 = AtomicI32::new(0);
static SOURCE: AtomicI32 = AtomicI32::new(-1);
static TARGET: AtomicI32 = AtomicI32::new(-1);

/// The pipe's own number, which tells whether the descriptor still leads to it: a program may close
/// what it did not open, and have its number given to something else.
static PIPE: AtomicU64 = AtomicU64::new(0);

static ALLOWED: AtomicBool = AtomicBool::new(true);

/// A signal has come, and the process is about to end by it.
static ENDING: AtomicBool = AtomicBool::new(false);

fn is_owner() -> bool {
    // SAFETY: only asks for a number.
    OWNER.load(Ordering::Acquire) == unsafe { libc::getpid() }
}

/// Takes over the signals that nobody handles.
pub(crate) fn watch(py: Python<'_>) -> PyResult<()> {
    let is_heard = is_heard(TARGET.load(Ordering::Acquire));
    let wanted = |&signal: &c_int| is_default(signal) || is_taken(signal) && !is_heard;
    if !ALLOWED.load(Ordering::Relaxed) || !TAKEN.iter().any(wanted) {
        return Ok(());
    }
    if !is_heard && !start() {
        return Ok(());
    }
    let table = Table::new(py)?;
    for signal in TAKEN.into_iter().filter(|&signal| is_default(signal)) {
        if table.holds(signal, &table.default)? {
            table.put(signal, &table.ours);
        }
        set(signal, on_signal as *const () as usize);
    }
    Ok(())
}

/// Whether signals may be taken over from now on; where not, those that were are given back.
pub(crate) fn allow(py: Python<'_>, allowed: bool) -> PyResult<()> {
    if ALLOWED.swap(allowed, Ordering::Relaxed) == allowed {
        return Ok(());
    }
    if allowed {
        return watch(py);
    }
    let table = Table::new(py)?;
    for signal in TAKEN {
        if table.holds(signal, &table.ours)? {
            table.put(signal, &table.default);
        }
        if is_taken(signal) {
            set(signal, libc::SIG_DFL);
        }
    }
    Ok(())
}

/// Python's own table of handlers.
struct Table<'py> {
    module: Bound<'py, PyModule>,
    default: Bound<'py, PyAny>,
    ours: Bound<'py, PyAny>,
}

impl<'py> Table<'py> {
    fn new(py: Python<'py>) -> PyResult<Self> {
        static OURS: Once<Py<PyAny>> = Once::new();
        let make = || Ok::<_, PyErr>(wrap_pyfunction!(end_by_signal, py)?.into_any().unbind());
        let module = py.import(intern!(py, "signal"))?;
        Ok(Self {
            default: module.getattr(intern!(py, "SIG_DFL"))?,
            ours: OURS.get_or_try_init(py, make)?.bind(py).clone(),
            module,
        })
    }

    fn holds(&self, signal: c_int, handler: &Bound<'py, PyAny>) -> PyResult<bool> {
        let get = intern!(self.module.py(), "getsignal");
        let there = self.module.call_method1(get, (signal,))?;
        Ok(there.is(handler) || !handler.is_callable() && there.eq(handler)?)
    }

    /// Refused outside the main thread: the table then stays as it is.
    fn put(&self, signal: c_int, handler: &Bound<'py, PyAny>) {
        let set = intern!(self.module.py(), "signal");
        let _ = self.module.call_method1(set, (signal, handler));
    }
}

/// A child process takes over its signals when something is registered in it. Until then they end
/// it at once: it holds nothing.
pub(crate) fn after_fork() {
    OWNER.store(0, Ordering::Release);
    ENDING.store(false, Ordering::Relaxed);
    // Now, while nobody else can have been given their numbers.
    for end in [&SOURCE, &TARGET] {
        let end = end.swap(-1, Ordering::AcqRel);
        if pipe_of(end) == Some(PIPE.load(Ordering::Relaxed)) {
            close(end);
        }
    }
}

fn close(end: c_int) {
    // SAFETY: a descriptor of our own, which nobody uses any more.
    unsafe { libc::close(end) };
}

/// Where a signal is ending the process, waits for that, so that the exit status is the signal's.
pub(crate) fn await_end() {
    while ENDING.load(Ordering::Acquire) && is_owner() {
        thread::park_timeout(Duration::from_millis(50));
    }
}

/// The handler in Python's table.
#[pyfunction]
fn end_by_signal(signal: c_int, _frame: &Bound<'_, PyAny>) {
    tell(signal);
}

extern "C" fn on_signal(signal: c_int) {
    // SAFETY: the error number of this thread, which the interrupted code may be about to read.
    unsafe {
        let place = error_number();
        let before = *place;
        tell(signal);
        *place = before;
    }
}

#[cfg(any(target_os = "linux", target_os = "emscripten"))]
unsafe fn error_number() -> *mut c_int {
    // SAFETY: always valid.
    unsafe { libc::__errno_location() }
}

#[cfg(not(any(target_os = "linux", target_os = "emscripten")))]
unsafe fn error_number() -> *mut c_int {
    // SAFETY: always valid.
    unsafe { libc::__error() }
}

/// Tells the thread. Async-signal-safe.
fn tell(signal: c_int) {
    let target = TARGET.load(Ordering::Acquire);
    if is_heard(target) {
        let byte = signal as u8;
        // SAFETY: one byte of this frame. A pipe that is full has told the thread already.
        unsafe { libc::write(target, (&raw const byte).cast(), 1) };
    } else {
        // A child process that has taken over nothing yet, or a program that has closed the pipe.
        end(signal);
    }
}

/// Whether what is written there reaches the thread. Async-signal-safe.
fn is_heard(target: c_int) -> bool {
    is_owner() && pipe_of(target) == Some(PIPE.load(Ordering::Relaxed))
}

/// The number of the pipe that a descriptor leads to. Async-signal-safe.
fn pipe_of(end: c_int) -> Option<u64> {
    // SAFETY: all zeros is a value, and there is room for it.
    unsafe {
        let mut seen: libc::stat = mem::zeroed();
        let is_pipe =
            libc::fstat(end, &raw mut seen) == 0 && seen.st_mode & libc::S_IFMT == libc::S_IFIFO;
        is_pipe.then_some(seen.st_ino as u64)
    }
}

/// Ends the process by the signal's default action. Async-signal-safe.
fn end(signal: c_int) {
    set(signal, libc::SIG_DFL);
    // SAFETY: sends a signal to this process.
    unsafe { libc::kill(libc::getpid(), signal) };
}

fn set(signal: c_int, handler: libc::sighandler_t) {
    // SAFETY: all zeros is an action; the handler is a function that stays, or the default.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = handler;
        action.sa_flags = libc::SA_RESTART | libc::SA_ONSTACK;
        libc::sigemptyset(&raw mut action.sa_mask);
        libc::sigaction(signal, &raw const action, ptr::null_mut());
    }
}

fn disposition(signal: c_int) -> libc::sighandler_t {
    // SAFETY: reads the action of a signal that exists.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        libc::sigaction(signal, ptr::null(), &raw mut action);
        action.sa_sigaction
    }
}

fn is_default(signal: c_int) -> bool {
    disposition(signal) == libc::SIG_DFL
}

fn is_taken(signal: c_int) -> bool {
    disposition(signal) == on_signal as *const () as usize
}

/// Starts the thread, and has the pipe lead to it.
fn start() -> bool {
    let mut ends = [-1; 2];
    // SAFETY: room for two descriptors.
    if unsafe { libc::pipe(ends.as_mut_ptr()) } != 0 {
        return false;
    }
    for end in ends {
        // SAFETY: descriptors of our own.
        unsafe { libc::fcntl(end, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
    let [source, target] = ends;
    let Some(pipe) = pipe_of(target) else {
        ends.into_iter().for_each(close);
        return false;
    };
    // SAFETY: as above. What is written in signal context must not wait.
    unsafe { libc::fcntl(target, libc::F_SETFL, libc::O_NONBLOCK) };
    let thread = thread::Builder::new().name("tenure-signals".to_owned());
    if thread.spawn(move || listen(source)).is_err() {
        ends.into_iter().for_each(close);
        return false;
    }
    PIPE.store(pipe, Ordering::Relaxed);
    SOURCE.store(source, Ordering::Release);
    TARGET.store(target, Ordering::Release);
    // SAFETY: only asks for a number.
    OWNER.store(unsafe { libc::getpid() }, Ordering::Release);
    true
}

fn listen(source: c_int) {
    block_all();
    let mut byte = 0_u8;
    loop {
        // SAFETY: room for one byte; a descriptor that is ours.
        let read = unsafe { libc::read(source, (&raw mut byte).cast(), 1) };
        if read == 1 {
            break;
        }
        if read == 0 || io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            // The program has closed what it did not open. Signals end it at once from now on.
            OWNER.store(0, Ordering::Release);
            return;
        }
    }
    ENDING.store(true, Ordering::Release);
    if !process::shutdown_at_last() {
        attach::in_time(shutdown::tell_late);
    }
    let signal = c_int::from(byte);
    // It may be blocked on all other threads by now.
    unblock(signal);
    end(signal);
    // Still here: the first process of a container, which no default action ends.
    // SAFETY: ends the process, with the status by which a shell shows a signal.
    unsafe { libc::_exit(128 + signal) };
}

/// Signals for the program must not land on this thread.
fn block_all() {
    // SAFETY: a set of this frame.
    unsafe {
        let mut all: libc::sigset_t = mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const all, ptr::null_mut());
    }
}

fn unblock(signal: c_int) {
    // SAFETY: as above.
    unsafe {
        let mut one: libc::sigset_t = mem::zeroed();
        libc::sigemptyset(&raw mut one);
        libc::sigaddset(&raw mut one, signal);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const one, ptr::null_mut());
    }
}
