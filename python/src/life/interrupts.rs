//! Exceptions that are no `Exception`, on their way from a release to the caller that led to it.
//!
//! What a signal handler, a kill, a timeout or a cancellation raises while `on_release` runs is not
//! the callback's own: it is meant for whoever runs there. It must not cut other releases short
//! either. So it waits until the call has done all that it had to, and is raised as that returns.
//!
//! Whose call is it? The innermost one of the present strand: no other greenlet or thread gets it.
//! What time, a drop or a garbage collection brings about is released on a background thread, and
//! has no caller.

use std::cell::Cell;
use std::rc::Rc;

use pyo3::prelude::*;

use crate::caller::user_code;
use tenure::front::Layers;

/// The first exception that a call has to raise.
type Kept = Rc<Cell<Option<PyErr>>>;

thread_local! {
    /// The calls under way.
    static CALLERS: Layers<Kept> = const { Layers::new() };
}

/// A call is under way for as long as this lives.
struct Mark(u64);

impl Mark {
    fn put(kept: Kept) -> Self {
        Self(CALLERS.with(|callers| callers.put(kept)))
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        CALLERS.with(|callers| callers.take(self.0));
    }
}

/// Does a caller's `work`, and then raises what came during the releases that it led to.
pub(crate) fn to_caller<T>(py: Python<'_>, work: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
    let kept = Kept::default();
    let outcome = {
        let _mark = Mark::put(Rc::clone(&kept));
        user_code::held(work)
    };
    let Some(error) = kept.take() else {
        return outcome;
    };
    if let Err(own) = outcome {
        error.set_context(py, Some(own));
    }
    Err(error)
}

/// Keeps an exception for the present caller. `false`: there is none.
pub(crate) fn keep(py: Python<'_>, error: &PyErr) -> bool {
    let Ok(Some(kept)) = CALLERS.try_with(Layers::own) else {
        return false;
    };
    let first = kept.take().unwrap_or_else(|| error.clone_ref(py));
    kept.set(Some(first));
    true
}
