//! Time driven by hand, for the tests of programs.

use std::sync::Mutex;
use std::time::Duration;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use tenure::{Config, Engine, ManualClock};

use crate::process::once::intern;
use crate::process::steering::TELLS_APART;
use crate::process::{self, Time};
use crate::program::host;
use crate::words::{errors, values};

/// Time that stands still until it is moved. Made by `tenure.testing.clock`.
///
/// While it is entered, every cached function begins anew on it, with no entries; at its end, what
/// was built is released, and everything is as it was before.
#[pyclass(frozen, module = "tenure.testing", name = "Clock")]
pub(crate) struct Clock {
    time: ManualClock,
    entered: Mutex<Option<Entered>>,
}

struct Entered {
    engine: Engine,
    generation: u32,
    /// The host and the configuration that the program had.
    host: Option<Py<PyAny>>,
    config: Config,
}

/// The longest step of a clock, which counts twice as much in all: the longest time that pandas has.
const LONGEST: Duration = Duration::from_nanos(i64::MAX.unsigned_abs());

/// The clock in force, and the number of its engine.
static IN_FORCE: Mutex<Option<(u32, ManualClock)>> = Mutex::new(None);

/// The time that a test has in its hands.
pub(crate) fn in_force() -> Option<ManualClock> {
    lock(&IN_FORCE).as_ref().map(|it| it.1.clone())
}

/// The engines from this one up have ended, and the clock with its engine.
pub(crate) fn forget_from(generation: u32) {
    lock(&IN_FORCE).take_if(|it| it.0 >= generation);
}

/// A child process is outside the clock of its parent.
pub(crate) fn after_fork() {
    // No other thread holds it: that would need the interpreter, which the one that forks has.
    *lock(&IN_FORCE) = None;
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().expect("nothing panics under this lock")
}

impl Clock {
    fn generation(&self) -> PyResult<u32> {
        let generation = lock(&self.entered).as_ref().map(|it| it.generation);
        generation.ok_or_else(|| {
            PyRuntimeError::new_err(
                "this clock is not in force. Example: with tenure.testing.clock() as clock: \
                 clock.advance(\"1h\")",
            )
        })
    }
}

#[pymethods]
impl Clock {
    #[new]
    fn new() -> Self {
        Self {
            time: ManualClock::new(),
            entered: Mutex::new(None),
        }
    }

    fn __enter__(slf: Bound<'_, Self>) -> PyResult<Bound<'_, Self>> {
        let py = slf.py();
        let clock = slf.get();
        let own = process::engine();
        let engine = Engine::with_clock(clock.time.clone());
        let config = process::config();
        engine.configure(|there| *there = config.clone());
        engine.set_host(own.host());
        let host = host::get(py);
        let taken = {
            let mut in_force = lock(&IN_FORCE);
            if in_force.is_none() {
                let generation = process::put_on(&engine, Time::Own);
                *in_force = Some((generation, clock.time.clone()));
                *lock(&clock.entered) = Some(Entered {
                    engine,
                    generation,
                    host,
                    config,
                });
                true
            } else {
                false
            }
        };
        if taken {
            Ok(slf)
        } else {
            Err(PyRuntimeError::new_err(
                "another clock is in force in this process. Leave its with block first",
            ))
        }
    }

    fn __exit__(
        &self,
        py: Python<'_>,
        _class: &Bound<'_, PyAny>,
        _error: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let Some(entered) = lock(&self.entered).take() else {
            return Ok(());
        };
        if !process::is_live(entered.generation) {
            // A child process that was forked within the block has left it already, and so has a test that
            // is over.
            return Ok(());
        }
        let on_loops = py.import(intern!(py, "tenure.testing"))?;
        let on_loops = on_loops.call_method0(intern!(py, "_release_on_loops"));
        let on_loops = on_loops.and_then(|it| it.extract::<bool>());
        // What the loop of this thread has to release goes on when this code gives way to it, and not before.
        let bound = match on_loops {
            Ok(false) => Duration::ZERO,
            _ => entered.engine.config().shutdown_bound,
        };
        py.detach(|| {
            entered.engine.shutdown_within(bound);
            entered.engine.retire();
        });
        process::take_off(entered.generation);
        process::configure(entered.config);
        host::set(py, entered.host);
        forget_from(entered.generation);
        on_loops.map(drop)
    }

    fn __aenter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let testing = py.import(intern!(py, "tenure.testing"))?;
        testing.call_method1(intern!(py, "_entered"), (slf,))
    }

    fn __aexit__<'py>(
        slf: &Bound<'py, Self>,
        _class: &Bound<'py, PyAny>,
        _error: &Bound<'py, PyAny>,
        _traceback: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let testing = py.import(intern!(py, "tenure.testing"))?;
        testing.call_method1(intern!(py, "_left"), (slf,))
    }

    /// Moves the time forward, and does on this thread what has become due: releases what has
    /// expired or drained, ends sessions whose grace is over, shows spinners.
    ///
    /// `by` has the forms of `ttl`. What begins then begins at the new time: a drain that starts
    /// because of an expiry takes another step.
    fn advance(&self, py: Python<'_>, by: &Bound<'_, PyAny>) -> PyResult<()> {
        let generation = self.generation()?;
        values::mind_unit("advance", by)?;
        let Some(time) = values::duration("advance", by)?.filter(|it| *it <= LONGEST) else {
            return Err(errors::setting_value(
                py,
                format!(
                    "a clock cannot be advanced by {by:?}: time passes by a span that ends, of 292 years at most. \
                     Example: clock.advance(\"1h\")"
                ),
            ));
        };
        self.time.advance(time.saturating_add(TELLS_APART));
        // What is isolated within the block goes by this clock too.
        py.detach(|| {
            for engine in process::from_the_top(generation) {
                engine.run_due();
            }
        });
        Ok(())
    }
}
