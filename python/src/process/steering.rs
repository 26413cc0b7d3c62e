//! The time that tests are shown by freezegun and time-machine, as that of the engine which they use.
//!
//! It is asked for before each call of a cached function, and not told: the packages have no hooks, and what counts is
//! the time that the test was shown when it called. So a test that leaves one frozen time and enters another has moved
//! by what lies between the two, however it came there. Tenure's time never goes back.

use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pyo3::prelude::*;
use tenure::{Due, SteeredClock};

use crate::process;
use crate::process::once::intern;

struct Steering {
    generation: u32,
    clock: SteeredClock,
    /// The time that was shown last, in nanoseconds since 1970; nothing while it was the system's.
    shown: Option<i128>,
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
        shown: None,
    });
}

/// Leaves the clocks of this engine, and of those above it, to themselves.
pub(crate) fn forget_from(generation: u32) {
    steerings().retain(|it| it.generation < generation);
}

fn steerings() -> std::sync::MutexGuard<'static, Vec<Steering>> {
    STEERINGS.lock().expect("nothing panics under this lock")
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
        let before = self.shown;
        if shown == before {
            return None;
        }
        let from = before.unwrap_or_else(present);
        let passed = shown.unwrap_or_else(present) - from;
        self.shown = shown;
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
