//! A test that is isolated from the others: an engine of its own, with all that is set meanwhile.

use std::sync::{Mutex, MutexGuard};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use tenure::{Config, Engine, SteeredClock};

use crate::caller::attach;
use crate::life::{interrupts, traces};
use crate::process::{self, Time, steering};
use crate::program::host;
use crate::testing::{clock, replaced};

/// A block in which every cached function begins anew, and whose end takes back what was built and set in it.
#[pyclass(frozen, module = "tenure._native")]
pub(crate) struct Isolated {
    entered: Mutex<Option<Entered>>,
}

struct Entered {
    engine: Engine,
    /// Where its time is its own, and not that of a hand-driven clock.
    time: Option<SteeredClock>,
    generation: u32,
    /// The host and the configuration that were there before.
    host: Option<Py<PyAny>>,
    config: Config,
    /// Those of the test itself, while what is outside is in force.
    aside: Option<(Option<Py<PyAny>>, Config)>,
}

/// An engine that no test has used, for the next one. Locked only by who holds the interpreter.
static UNUSED: Mutex<Option<(Engine, SteeredClock)>> = Mutex::new(None);

impl Isolated {
    fn entered(&self) -> MutexGuard<'_, Option<Entered>> {
        self.entered.lock().expect("nothing panics under this lock")
    }

    fn generation(&self) -> Option<u32> {
        self.entered().as_ref().map(|it| it.generation)
    }
}

impl Isolated {
    fn give_way(&self, py: Python<'_>, generation: u32) {
        let of_test = (host::get(py), process::config());
        let outside = {
            let mut entered = self.entered();
            let Some(entered) = &mut *entered else {
                return;
            };
            entered.aside = Some(of_test);
            let host = entered.host.as_ref().map(|it| it.clone_ref(py));
            (host, entered.config.clone())
        };
        process::stand_aside(generation, true);
        let (host, config) = outside;
        process::configure(config);
        host::set(py, host);
    }

    fn come_back(&self, py: Python<'_>, generation: u32) {
        let (host_after, after) = (host::get(py), process::config());
        let of_test = {
            let mut entered = self.entered();
            let Some(entered) = &mut *entered else {
                return;
            };
            let Some((host, config)) = entered.aside.take() else {
                return;
            };
            let config = config.with_changes(&entered.config, after.clone());
            let address = |it: &Option<Py<PyAny>>| it.as_ref().map(Py::as_ptr);
            let host = match address(&host) == address(&entered.host) {
                true => host_after.as_ref().map(|it| it.clone_ref(py)),
                false => host,
            };
            (entered.host, entered.config) = (host_after, after);
            (host, config)
        };
        process::stand_aside(generation, false);
        let (host, config) = of_test;
        process::configure(config);
        host::set(py, host);
    }
}

fn steered() -> (Engine, SteeredClock) {
    let unused = UNUSED
        .lock()
        .expect("nothing panics under this lock")
        .take();
    unused.unwrap_or_else(|| {
        let time = SteeredClock::new();
        let engine = Engine::with_steered(time.clone());
        engine.run_background_inside(attach::known);
        (engine, time)
    })
}

#[pymethods]
impl Isolated {
    #[new]
    fn new() -> Self {
        Self {
            entered: Mutex::new(None),
        }
    }

    /// Begins. Functions have no entries from now on, and no figures.
    fn begin(&self, py: Python<'_>) -> PyResult<()> {
        if self.entered().is_some() {
            return Err(PyRuntimeError::new_err(
                "this block is isolated already. Make another one: with tenure.testing.isolated(): ...",
            ));
        }
        let (engine, time) = match clock::in_force() {
            Some(manual) => (Engine::with_clock(manual), None),
            None => {
                let (engine, time) = steered();
                (engine, Some(time))
            }
        };
        let config = process::config();
        engine.configure(|there| *there = config.clone());
        engine.set_host(process::engine().host());
        let host = host::get(py);
        let asks = match time {
            Some(_) => Time::AskedFor,
            None => Time::Own,
        };
        let generation = process::put_on(&engine, asks);
        if let Some(time) = &time {
            steering::steer(generation, time.clone());
        }
        *self.entered() = Some(Entered {
            engine,
            time,
            generation,
            host,
            config,
            aside: None,
        });
        Ok(())
    }

    /// Has what is outside be in force for a while, or ends that. Gives whether it was.
    ///
    /// What is set outside meanwhile is as if it had been set before: it stays there, and holds for the test too where
    /// that has set nothing else.
    fn stand_aside(&self, py: Python<'_>, stands_aside: bool) -> bool {
        let Some(generation) = self.generation() else {
            return false;
        };
        let stood_aside = process::stands_aside(generation);
        if stood_aside != stands_aside {
            match stands_aside {
                true => self.give_way(py, generation),
                false => self.come_back(py, generation),
            }
        }
        stood_aside
    }

    /// Ends: releases what was built in it, and takes back what was set. `False`: not all of it has been
    /// released, and the log says what was not.
    fn end(&self, py: Python<'_>) -> PyResult<bool> {
        let Some(entered) = self.entered().take() else {
            return Ok(true);
        };
        if !process::is_live(entered.generation) {
            // A child process that was forked within has left it already.
            return Ok(true);
        }
        replaced::take_back(py, entered.generation);
        let was_used = process::was_used(entered.generation);
        let release = || {
            let mut all = true;
            for engine in process::from_the_top(entered.generation) {
                all &= engine.shutdown();
                engine.retire();
            }
            all
        };
        let all = match was_used {
            true => interrupts::to_caller(py, || Ok(py.detach(release))),
            false => Ok(true),
        };
        clock::forget_from(entered.generation);
        steering::forget_from(entered.generation);
        process::take_off(entered.generation);
        process::configure(entered.config);
        host::set(py, entered.host);
        if let Some(time) = entered.time
            && !time.is_held()
            && !was_used
        {
            let mut unused = UNUSED.lock().expect("nothing panics under this lock");
            *unused = Some((entered.engine, time));
        }
        all
    }

    /// What was built in it so far and is not released, where that is traced: the function, where it was
    /// built, and why it is not; and the releases that have failed.
    fn left(&self, py: Python<'_>) -> PyResult<Vec<(String, String, &'static str)>> {
        let Some(generation) = self.generation() else {
            return Ok(Vec::new());
        };
        if traces::are_kept() {
            // What waits for a use that is over by now would be released a moment later.
            interrupts::to_caller(py, || {
                for engine in process::from_the_top(generation) {
                    engine.look_where(&|_| true);
                    // A look that was under way may be the last to let go.
                    let bound = engine.config().shutdown_bound;
                    py.detach(|| engine.settle(bound));
                }
                Ok(())
            })?;
        }
        Ok(traces::left(py, generation))
    }
}
