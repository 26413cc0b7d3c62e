//! The builds and checks that a task is inside of, where builds belong to nobody.
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
use tenure::front::{BuildPlace, InBuild};

/// One build or check that code is inside of, with the frame around it.
// The package's word for it, beside the variable `inside`.
#[pyclass(frozen, module = "tenure._native", name = "Inside")]
pub(crate) struct Frame {
    kind: FrameKind,
    outer: Option<Py<Frame>>,
    /// What was started inside of it may go on after its end.
    is_over: AtomicBool,
}

/// A build, or a check.
pub(crate) enum FrameKind {
    Build(BuildPlace),
    /// The check of the entry at this address.
    Check(usize),
}

#[pymethods]
impl Frame {
    /// Notes that it has ended.
    pub(crate) fn end(&self) {
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

/// A new frame within the innermost one: the value for `variable.set` of the code in it.
pub(crate) fn nested(py: Python<'_>, kind: FrameKind) -> PyResult<Bound<'_, Frame>> {
    USED.store(true, Ordering::Relaxed);
    let outer = innermost(py)?.map(Bound::unbind);
    let is_over = AtomicBool::new(false);
    Bound::new(
        py,
        Frame {
            kind,
            outer,
            is_over,
        },
    )
}

fn innermost(py: Python<'_>) -> PyResult<Option<Bound<'_, Frame>>> {
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
    Ok(found.and_then(|it| it.cast_into::<Frame>().ok()))
}

/// Has the engine see, on this thread and while what this gives lives, what builds the present task is
/// inside of.
pub(crate) fn enter(py: Python<'_>) -> PyResult<Vec<InBuild>> {
    // The outermost first, as the engine would have met them.
    Ok(places(py)?.iter().rev().map(BuildPlace::enter).collect())
}

/// The same for a task of this home that is about to wait. Where it is not the innermost build's own task,
/// that build may not wait for it in turn.
pub(crate) fn enter_to_wait(home: &Bound<'_, PyAny>) -> PyResult<Vec<InBuild>> {
    let py = home.py();
    let places = places(py)?;
    let Some((innermost, outer)) = places.split_first() else {
        return Ok(Vec::new());
    };
    let is_own = home
        .call_method1(intern!(py, "is_own"), (innermost.number(),))?
        .extract()?;
    let mut entered: Vec<_> = outer.iter().rev().map(BuildPlace::enter).collect();
    entered.push(if is_own {
        innermost.enter()
    } else {
        innermost.enter_beside()
    });
    Ok(entered)
}

/// The builds that the present task is inside of, the innermost first.
fn places(py: Python<'_>) -> PyResult<Vec<BuildPlace>> {
    let mut places = Vec::new();
    each(py, |kind| {
        if let FrameKind::Build(place) = kind {
            places.push(place.clone());
        }
    })?;
    Ok(places)
}

/// Whether the present task is inside of the check of this entry.
pub(crate) fn is_checking(py: Python<'_>, entry: usize) -> PyResult<bool> {
    let mut found = false;
    each(py, |kind| {
        found |= matches!(kind, FrameKind::Check(it) if *it == entry)
    })?;
    Ok(found)
}

fn each(py: Python<'_>, mut visit: impl FnMut(&FrameKind)) -> PyResult<()> {
    let mut next = innermost(py)?;
    while let Some(frame) = next {
        if !frame.get().is_over.load(Ordering::Relaxed) {
            visit(&frame.get().kind);
        }
        next = frame.get().outer.as_ref().map(|it| it.bind(py).clone());
    }
    Ok(())
}

/// Has what runs in this context be inside of nothing.
pub(crate) fn leave_in(context: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = context.py();
    let set = variable(py)?.getattr(intern!(py, "set"))?;
    context.call_method1(intern!(py, "run"), (set, py.None()))?;
    Ok(())
}
