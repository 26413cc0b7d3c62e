//! Releases where a loop ends, or where a keeper has to leave its resource.

use std::any::Any;
use std::sync::Mutex;
use std::vec;

use pyo3::prelude::*;
use tenure::Cause;

use crate::function::shape;
use crate::life::callback::{Part, release_raised};
use crate::life::interrupts;
use crate::life::resource::{Held, Leave};
use crate::process;
use crate::words::log;

/// A loop ends, or was closed: what can be released on it alone is released.
#[pyfunction]
pub(crate) fn end_place(py: Python<'_>, place: u64) -> PyResult<()> {
    interrupts::to_caller(py, || {
        process::engine().end_place(place);
        Ok(())
    })
}

/// The ends of what lives on a loop, the last built first.
#[pyclass(frozen, module = "tenure._native")]
pub(crate) struct PlaceEnds(Mutex<vec::IntoIter<Box<dyn FnOnce() + Send>>>);

#[pymethods]
impl PlaceEnds {
    /// Ends what is next, and says whether there was anything.
    fn next(&self, py: Python<'_>) -> PyResult<bool> {
        let end = self
            .0
            .lock()
            .expect("nothing panics under this lock")
            .next();
        let Some(end) = end else {
            return Ok(false);
        };
        interrupts::to_caller(py, || {
            end();
            Ok(())
        })?;
        Ok(true)
    }
}

impl Drop for PlaceEnds {
    fn drop(&mut self) {
        // What was taken out for it would be released by nobody.
        let rest = self.0.get_mut().expect("nothing panics under this lock");
        rest.for_each(|end| end());
    }
}

/// What lives on a loop that ends, and what is kept for its scope, to be ended one by one.
#[pyfunction]
pub(crate) fn hold_place(place: u64, scope: &str) -> PlaceEnds {
    let ends = process::engine().hold_place(place, Some(scope));
    PlaceEnds(Mutex::new(ends.into_iter()))
}

/// Releases what nobody uses any more on this loop, and what was let go of.
#[pyfunction]
pub(crate) fn look_at_place(py: Python<'_>, place: u64) -> PyResult<()> {
    interrupts::to_caller(py, || {
        process::engine().look_at_place(place);
        Ok(())
    })
}

/// The task that keeps a resource is to leave it.
#[pyfunction]
pub(crate) fn release_of_keeper(py: Python<'_>, keeper: &Bound<'_, PyAny>) -> PyResult<()> {
    release_those(py, |leave| match leave {
        Leave::OnLoop {
            keeper: Some(its), ..
        } => its.is(keeper),
        _ => false,
    })
}

fn release_those(py: Python<'_>, is_meant: impl Fn(&Leave) -> bool) -> PyResult<()> {
    interrupts::to_caller(py, || {
        let is_meant = |resource: &dyn Any| {
            let held = resource.downcast_ref::<Held>();
            held.and_then(Held::leave).is_some_and(&is_meant)
        };
        process::engine().release_where(&is_meant, Cause::SessionEnded);
        Ok(())
    })
}

/// Logs what a teardown raised before anybody waited for it: where its task group crashed, say.
#[pyfunction]
pub(crate) fn tell_teardown(py: Python<'_>, function: &str, error: Bound<'_, PyAny>) {
    let error = PyErr::from_value(error);
    release_raised(py, function, Part::Teardown, None, error);
}

/// The error for a generator with a second `yield` where its release should end.
#[pyfunction]
pub(crate) fn yielded_twice(function: &str) -> PyErr {
    shape::yielded_twice(function)
}

/// How long the releases at the end of a loop may take, in seconds.
#[pyfunction]
pub(crate) fn shutdown_timeout() -> f64 {
    process::config().shutdown_bound.as_secs_f64()
}

/// These tasks have not ended in that time, which is so many seconds.
#[pyfunction]
pub(crate) fn tell_late_tasks(py: Python<'_>, names: Vec<String>, seconds: f64) {
    let text = format!(
        "an event loop ends before everything on it was released: after {seconds} s these go on: {} (see \
         shutdown_timeout of tenure.configure)",
        names.join(", ")
    );
    log::line(py, true, &text);
}

/// A resource is torn down with its loop, after so many seconds, though somebody leases it.
#[pyfunction]
pub(crate) fn tell_leased(py: Python<'_>, function: &str, seconds: f64) {
    let text = format!(
        "a resource of {function} is torn down at the end of its event loop, though somebody still leases \
         it: the end has waited for {seconds} s (see shutdown_timeout of tenure.configure). Leave `async \
         with {function}.lease()` before the loop ends"
    );
    log::line(py, true, &text);
}
