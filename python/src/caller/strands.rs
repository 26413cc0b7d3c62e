//! Greenlets as the engine's strands, in programs that have any.
//!
//! A thread's first greenlet stands for the thread: what began before the program imported greenlet
//! is found again. The greenlets around one, its parents, go on only when it has ended or gives way
//! to them; what they are inside of, it is inside of. But a hub is around all that it runs, and each
//! of those goes on by itself: nobody is inside of anything by way of a hub.

use pyo3::prelude::*;
use tenure::front::Strand;

use crate::caller::attach;
use crate::process::once::{Once, intern};
use crate::program::modules;

static FOUND: Once<Found> = Once::new();

struct Found {
    getcurrent: Py<PyAny>,
    is_hub: Py<PyAny>,
}

/// Has greenlets told apart from here on, if the program has them. Asked before each build.
pub(crate) fn watch(py: Python<'_>) -> PyResult<()> {
    if are_watched(py) {
        return Ok(());
    }
    let Some(module) = modules::imported(py, intern!(py, "greenlet")) else {
        return Ok(());
    };
    // It may be in the midst of its import.
    if let Some(getcurrent) = module.getattr_opt(intern!(py, "getcurrent"))? {
        let hubs = py.import(intern!(py, "tenure._hubs"))?;
        let found = Found {
            getcurrent: getcurrent.unbind(),
            is_hub: hubs.getattr(intern!(py, "is_hub"))?.unbind(),
        };
        FOUND.get_or_init(py, || found);
        tenure::front::tell_strands(ancestry);
    }
    Ok(())
}

/// Whether the program may have greenlets.
pub(crate) fn are_watched(py: Python<'_>) -> bool {
    FOUND.get(py).is_some()
}

fn ancestry(visit: &mut dyn FnMut(Strand) -> bool) {
    let seen = if attach::is_known() {
        attach::with(|py| {
            // Whoever releases may have an exception on the way.
            let pending = PyErr::take(py);
            let seen = walk(py, visit);
            if let Some(pending) = pending {
                pending.restore(py);
            }
            seen
        })
    } else {
        None
    };
    if !matches!(seen, Some(Ok(()))) {
        visit(Strand::THREAD);
    }
}

fn walk(py: Python<'_>, visit: &mut dyn FnMut(Strand) -> bool) -> PyResult<()> {
    let Some(found) = FOUND.get(py) else {
        visit(Strand::THREAD);
        return Ok(());
    };
    let mut greenlet = found.getcurrent.bind(py).call0()?;
    loop {
        let parent = greenlet.getattr(intern!(py, "parent"))?;
        if parent.is_none() {
            visit(Strand::THREAD);
            return Ok(());
        }
        if !visit(Strand::numbered(greenlet.as_ptr().addr()))
            || found.is_hub.bind(py).call1((&greenlet,))?.is_truthy()?
        {
            return Ok(());
        }
        greenlet = parent;
    }
}
