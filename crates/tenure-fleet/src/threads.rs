//! Threads that take none of the program's signals: a program may wait for those itself, or have them end one of its calls.
#![allow(unsafe_code)]

use std::io;
use std::marker::PhantomData;
use std::thread::{self, JoinHandle};

/// Starts a thread that signals pass by.
pub(crate) fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    // From its first instruction on: a thread begins with what is blocked in the one that starts it.
    let _blocked = Blocked::begin();
    thread::Builder::new().name(name.into()).spawn(run)
}

/// All signals, blocked in this thread until this is dropped, which has to be in this thread.
struct Blocked {
    #[cfg(unix)]
    before: libc::sigset_t,
    /// Neither moved to another thread nor shared with one.
    stays: PhantomData<*const ()>,
}

impl Blocked {
    #[cfg(unix)]
    fn begin() -> Self {
        // SAFETY: a set of signals is plain memory, which sigfillset and pthread_sigmask fill.
        let before = unsafe {
            let (mut all, mut before) = (std::mem::zeroed(), std::mem::zeroed());
            libc::sigfillset(&raw mut all);
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
            before
        };
        Self {
            before,
            stays: PhantomData,
        }
    }

    #[cfg(not(unix))]
    fn begin() -> Self {
        Self { stays: PhantomData }
    }
}

#[cfg(unix)]
impl Drop for Blocked {
    fn drop(&mut self) {
        // SAFETY: the set is what this very thread had blocked before, since a `Blocked` stays in the thread that began it.
        unsafe {
            libc::pthread_sigmask(
                libc::SIG_SETMASK,
                &raw const self.before,
                std::ptr::null_mut(),
            );
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    /// Whether this thread has SIGTERM blocked.
    fn is_blocked() -> bool {
        // SAFETY: as above; nothing is changed where no set is given.
        unsafe {
            let mut now = std::mem::zeroed();
            libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &raw mut now);
            libc::sigismember(&raw const now, libc::SIGTERM) == 1
        }
    }

    #[test]
    fn d1_a_thread_takes_no_signal_and_whoever_starts_it_still_does() {
        let (told, tell) = std::sync::mpsc::channel();
        let thread = spawn("tenure-test", move || told.send(is_blocked()).unwrap());
        thread.unwrap().join().unwrap();
        assert!(tell.recv().unwrap());
        assert!(!is_blocked());
    }
}
