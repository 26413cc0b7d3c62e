//! Time driven by hand, for the tests of programs; `tenure.testing` is its public face.

use std::sync::Mutex;
use std::time::Duration;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use tenure::{Config, Engine, ManualClock};

use crate::process;
use crate::program::host;
use crate::words::log::Caller;
use crate::words::values;

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

/// Entries that were built at one standing moment have times some nanoseconds apart.
const TELLS_APART: Duration = Duration::from_micros(1);

/// The generation of the clock in force, 0 where there is none.
static IN_FORCE: Mutex<u32> = Mutex::new(0);

/// A child process is outside the clock of its parent.
pub(crate) fn after_fork() {
    // No other thread holds it: that would need the interpreter, which the one that forks has.
    *lock(&IN_FORCE) = 0;
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().expect("nothing panics under this lock")
}

impl Clock {
    fn engine(&self) -> PyResult<Engine> {
        let engine = lock(&self.entered).as_ref().map(|it| it.engine.clone());
        engine.ok_or_else(|| {
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
            if *in_force == 0 {
                let generation = process::supplant(&engine);
                *in_force = generation;
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
    ) {
        let Some(entered) = lock(&self.entered).take() else {
            return;
        };
        if *lock(&IN_FORCE) != entered.generation {
            // A child process that was forked within the block has left it already.
            return;
        }
        py.detach(|| {
            entered.engine.shutdown();
            entered.engine.retire();
        });
        process::reinstate();
        process::configure(entered.config);
        host::set(py, entered.host);
        *lock(&IN_FORCE) = 0;
    }

    /// Moves the time forward, and does on this thread what has become due: releases what has
    /// expired or drained, ends sessions whose grace is over, shows spinners.
    ///
    /// `by` has the forms of `ttl`. What begins then begins at the new time: a drain that starts
    /// because of an expiry takes another step.
    fn advance(&self, py: Python<'_>, by: &Bound<'_, PyAny>) -> PyResult<()> {
        let engine = self.engine()?;
        values::mind_unit("advance", by, Caller::Here)?;
        let by = values::duration("advance", by)?.unwrap_or_default();
        self.time.advance(by.saturating_add(TELLS_APART));
        py.detach(|| engine.run_due());
        Ok(())
    }
}
