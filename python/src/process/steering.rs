//! The time that tests are shown by freezegun and time-machine, as that of the engine which they use.
//!
//! It is asked for before each call of a cached function, and not told: the packages have no hooks, and what counts is
//! the time that the test was shown when it called. So a test that leaves one frozen time and enters another has moved
//! by what lies between the two, however it came there. Tenure's time never goes back: while the shown time is behind
//! where it has been, Tenure's stands, and the way back up to there is no time that passes. A step within what is behind
//! is one, since a test that is shown the past moves time there.

use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pyo3::prelude::*;
use tenure::{Due, Engine, SteeredClock};

use crate::process;
use crate::process::once::intern;

struct Steering {
    generation: u32,
    clock: SteeredClock,
    seen: Seen,
}

/// What was seen of the time, in nanoseconds since 1970.
#[derive(Default)]
struct Seen {
    /// The time that was shown last; nothing while it was the system's.
    shown: Option<i128>,
    /// The system's time when it was seen last that another one is shown.
    left: i128,
    /// The time that was shown last before the system's was there again.
    last: Option<i128>,
    /// The shown times that others went back from, the latest first.
    marks: Vec<i128>,
}

impl Seen {
    /// How much has passed by this time, which is shown now, or by the system's.
    fn passed(&mut self, shown: Option<i128>, system: i128) -> i128 {
        let passed = match (self.shown, shown) {
            (Some(before), Some(now)) => self.moved(before, now),
            (None, Some(now)) => {
                let since = self.last.map(|last| self.moved(last, now));
                self.left = system;
                // What is behind the system's time may be ahead of what was shown before.
                let ahead = now - system;
                match since {
                    Some(since) if ahead > 0 => since.min(ahead),
                    Some(since) => since,
                    None => ahead,
                }
            }
            (Some(before), None) => {
                self.last = Some(before);
                let been = self.marks.iter().copied().filter(|it| *it <= system);
                let been = been.fold(before.max(self.left), i128::max);
                system - been
            }
            (None, None) => 0,
        };
        self.shown = shown;
        passed.max(0)
    }

    /// How much has passed from one shown time to another.
    fn moved(&mut self, from: i128, to: i128) -> i128 {
        let mut been = from;
        if to < from {
            self.marks.push(from);
        }
        while let Some(mark) = self.marks.pop_if(|it| *it <= to) {
            been = been.max(mark);
        }
        to - been
    }
}

/// Locked only by who holds the interpreter, so that it is free after a fork.
static STEERINGS: Mutex<Vec<Steering>> = Mutex::new(Vec::new());

/// What a step of the time goes beyond: entries that were built at one standing moment have times some nanoseconds apart.
pub(crate) const TELLS_APART: Duration = Duration::from_micros(1);

/// Has this clock, of the engine with this number, go by what tests are shown.
pub(crate) fn steer(generation: u32, clock: SteeredClock) {
    steerings().push(Steering {
        generation,
        clock,
        seen: Seen::default(),
    });
}

/// Leaves the clocks of this engine, and of those above it, to themselves.
pub(crate) fn forget_from(generation: u32) {
    steerings().retain(|it| it.generation < generation);
}

fn steerings() -> std::sync::MutexGuard<'static, Vec<Steering>> {
    STEERINGS.lock().expect("nothing panics under this lock")
}

/// The engine in force, for a look at what it keeps: with the time that is shown now.
pub(crate) fn engine_now(py: Python<'_>) -> PyResult<&'static Engine> {
    if process::asks_for_time() {
        look(py)?;
    }
    Ok(process::engine())
}

/// Has the time of the engine in force be the one that is shown now, where there is anybody who shows one.
#[cold]
pub(crate) fn look(py: Python<'_>) -> PyResult<()> {
    let adapter = py.import(intern!(py, "tenure._shown_time"))?;
    let shown = adapter.call_method0(intern!(py, "shown"))?;
    let shown: Option<i128> = shown.extract()?;
    let due = {
        let mut steerings = steerings();
        let generation = process::generation();
        let steered = steerings.iter_mut().find(|it| it.generation == generation);
        steered.and_then(|it| it.is_shown(shown))
    };
    if let Some(due) = due {
        py.detach(|| due.run());
    }
    Ok(())
}

impl Steering {
    /// What is due now, where the time has moved beyond what passes by itself.
    fn is_shown(&mut self, shown: Option<i128>) -> Option<Due> {
        let before = self.seen.shown;
        if shown == before {
            return None;
        }
        let passed = self.seen.passed(shown, present());
        let due = process::engine().steer(|| {
            if shown.is_some() && before.is_none() {
                self.clock.hold();
            }
            if passed > 0 {
                let passed = Duration::from_nanos(u64::try_from(passed).unwrap_or(u64::MAX / 4));
                self.clock.advance(passed.saturating_add(TELLS_APART));
            }
            if shown.is_none() {
                self.clock.run_on();
            }
        });
        Some(due)
    }
}

/// The system's time, in nanoseconds since 1970.
fn present() -> i128 {
    let passed = SystemTime::now().duration_since(UNIX_EPOCH);
    passed.map_or(0, |it| i128::try_from(it.as_nanos()).unwrap_or(i128::MAX))
}
