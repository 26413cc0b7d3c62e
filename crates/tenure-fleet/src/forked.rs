//! The remains of a member in a forked child, tried while a thread of the parent holds the member's lock.
#![allow(unsafe_code)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::fleet::{Fleet, State};
use crate::listener::Nobody;
use crate::mark::{Mark, Purpose};
use crate::settings::Settings;
use crate::topic::{Ending, Topic};

/// For how long a child may run that does nothing.
const BOUND: Duration = Duration::from_secs(20);

/// Runs this in a forked child. None where it does not end.
fn in_child(run: impl FnOnce() -> bool) -> Option<bool> {
    // SAFETY: the child runs `run` and ends by `_exit`, so that nothing of the parent is ended in it.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let went_well = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
        // SAFETY: as above.
        unsafe { libc::_exit(i32::from(!went_well.unwrap_or(false))) }
    }
    assert!(child > 0, "there is no child to be had");
    let until = Instant::now() + BOUND;
    let mut status = 0;
    // SAFETY: the child is this test's own, and is waited for once it has ended.
    while unsafe { libc::waitpid(child, &raw mut status, libc::WNOHANG) } == 0 {
        if Instant::now() > until {
            // SAFETY: it has not been waited for, so that its number is still its own.
            unsafe {
                libc::kill(child, libc::SIGKILL);
                libc::waitpid(child, &raw mut status, 0);
            }
            return None;
        }
        std::thread::yield_now();
    }
    Some(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0)
}

#[test]
fn d1_whatever_a_forked_child_asks_the_fleet_of_its_parent_it_never_waits() {
    let away = Settings::new("redis://127.0.0.1:1", [7; 16]);
    let fleet = Fleet::join(away, Arc::new(Nobody)).unwrap();
    let key = Mark([1; 16]);
    let ways: [(&str, &dyn Fn() -> bool); 13] = [
        ("state", &|| fleet.state() == State::Lost),
        ("await_contact", &|| {
            fleet.await_contact(BOUND) == State::Lost
        }),
        ("to_prometheus", &|| {
            fleet.to_prometheus().contains("tenure_fleet_caught_up 0\n")
        }),
        ("trouble", &|| fleet.trouble().is_none()),
        ("heard_until", &|| fleet.heard_until().is_none()),
        ("mark", &|| {
            fleet.mark(Purpose::Tag, &[b"a"]) != Mark([0; 16])
        }),
        ("raise", &|| {
            fleet.raise(Topic::Everything, Ending::Cleared);
            true
        }),
        ("permit", &|| fleet.permit(key, 1, &|| false).is_none()),
        ("ask_permit", &|| {
            let (tell, told) = std::sync::mpsc::channel();
            drop(fleet.ask_permit(key, 1, move |permit| tell.send(permit.is_none()).unwrap()));
            told.try_recv() == Ok(true)
        }),
        ("members", &|| fleet.members(BOUND).is_err()),
        ("flush", &|| fleet.flush(BOUND)),
        ("withdraw", &|| {
            fleet.withdraw(BOUND);
            true
        }),
        ("leave", &|| {
            let shown = format!("{fleet:?}");
            fleet.leave(BOUND) && shown.contains("Lost")
        }),
    ];
    let held = fleet.shared.look().unwrap();
    let outcomes: Vec<_> = (ways.iter())
        .map(|(name, way)| (*name, in_child(way)))
        .filter(|(_, outcome)| *outcome != Some(true))
        .collect();
    drop(held);
    assert!(outcomes.is_empty(), "{outcomes:?}");
}
