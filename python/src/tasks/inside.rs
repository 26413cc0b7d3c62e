//! The builds and checks that a task is inside of, where builds belong to nobody, and the session that it was
//! given there.
//!
//! A context variable carries it, so that what a build starts (its subtasks, the threads of
//! `asyncio.to_thread`) is a part of the build too.
#![allow(unsafe_code)]

use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::{PyTraverseError, PyVisit};
use tenure::front::{BuildPlace, InBuild, InSession, enter_session};

/// The innermost thing that code is inside of, and what that is inside of.
#[pyclass(frozen, module = "tenure._native")]
pub(crate) struct Inside {
    what: What,
    outer: Option<Py<Inside>>,
    /// What was started inside of it may go on after its end.
    is_over: AtomicBool,
}

pub(crate) enum What {
    Build(BuildPlace),
    /// The check of the entry at this address.
    Check(usize),
    /// A session that was entered there.
    Session,
}

/// What the engine sees of it on a thread.
#[allow(dead_code)] // held, and dropped
pub(crate) enum Entered {
    Build(InBuild),
    Session(InSession),
}

#[pymethods]
impl Inside {
    /// It has ended.
    fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.outer)
    }
}

/// Whether anything has ever been put into the variable: where not, nobody pays for a look.
static USED: AtomicBool = AtomicBool::new(false);

/// The context variable.
pub(crate) fn variable(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static VARIABLE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let make = || {
        let options = pyo3::types::PyDict::new(py);
        options.set_item(intern!(py, "default"), py.None())?;
        py.import(intern!(py, "contextvars"))?
            .getattr(intern!(py, "ContextVar"))?
            .call(("tenure_inside",), Some(&options))
            .map(Bound::unbind)
    };
    VARIABLE.get_or_try_init(py, make).map(|it| it.bind(py))
}

/// The value for `variable.set` of code that is one thing further in.
pub(crate) fn further(py: Python<'_>, what: What) -> PyResult<Bound<'_, Inside>> {
    USED.store(true, Ordering::Relaxed);
    let outer = innermost(py)?.map(Bound::unbind);
    let is_over = AtomicBool::new(false);
    Bound::new(
        py,
        Inside {
            what,
            outer,
            is_over,
        },
    )
}

fn innermost(py: Python<'_>) -> PyResult<Option<Bound<'_, Inside>>> {
    if !USED.load(Ordering::Relaxed) {
        return Ok(None);
    }
    let variable = variable(py)?;
    let mut value = std::ptr::null_mut();
    // SAFETY: a live context variable; what it gives is a new reference, or null.
    let found = unsafe {
        if ffi::PyContextVar_Get(variable.as_ptr(), std::ptr::null_mut(), &raw mut value) < 0 {
            return Err(PyErr::fetch(py));
        }
        Bound::from_owned_ptr_or_opt(py, value)
    };
    Ok(found.and_then(|it| it.cast_into::<Inside>().ok()))
}

/// Has the engine see, on this thread and while what this gives lives, what builds the present task is
/// inside of, or was begun by.
pub(crate) fn enter(py: Python<'_>) -> PyResult<Vec<Entered>> {
    let mut around = Vec::new();
    let mut next = innermost(py)?;
    while let Some(inside) = next {
        next = inside.get().outer.as_ref().map(|it| it.bind(py).clone());
        around.push(inside);
    }
    // The outermost first, as the engine would have met them.
    let around = around.iter().rev().map(Bound::get);
    let entered = around.filter_map(|inside| match &inside.what {
        What::Build(place) if inside.is_over.load(Ordering::Relaxed) => {
            Some(Entered::Build(place.enter_begun()))
        }
        What::Build(place) => Some(Entered::Build(place.enter())),
        What::Session => Some(Entered::Session(enter_session())),
        What::Check(_) => None,
    });
    Ok(entered.collect())
}

/// The value for `inside.set` of code that serves a session which is entered here; None where it is inside
/// of nothing, and needs none.
#[pyfunction]
pub(crate) fn in_session(py: Python<'_>) -> PyResult<Option<Bound<'_, Inside>>> {
    match innermost(py)? {
        Some(_) => further(py, What::Session).map(Some),
        None => Ok(None),
    }
}

/// Whether the present task is inside of the check of this entry.
pub(crate) fn is_checking(py: Python<'_>, entry: usize) -> PyResult<bool> {
    let mut found = false;
    each(py, |what| {
        found |= matches!(what, What::Check(it) if *it == entry)
    })?;
    Ok(found)
}

fn each(py: Python<'_>, mut visit: impl FnMut(&What)) -> PyResult<()> {
    let mut next = innermost(py)?;
    while let Some(inside) = next {
        if !inside.get().is_over.load(Ordering::Relaxed) {
            visit(&inside.get().what);
        }
        next = inside.get().outer.as_ref().map(|it| it.bind(py).clone());
    }
    Ok(())
}
