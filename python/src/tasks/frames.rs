//! The builds and checks that a task is inside of, where builds belong to nobody, and the session that it was
//! given there.
//!
//! A context variable carries it, so that what a build starts (its subtasks, the threads of
//! `asyncio.to_thread`) is a part of the build too.
#![allow(unsafe_code)]

use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};
use tenure::front::{BuildPlace, InBuild, InSession, enter_session};

use crate::process::once::{Once, intern};

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
    /// A session that was entered there.
    Session,
}

/// What the engine sees of it on a thread.
#[allow(dead_code)] // held, and dropped
pub(crate) enum Entered {
    Build(InBuild),
    Session(InSession),
}

impl Frame {
    /// The build that it is, if it goes on.
    fn build(&self) -> Option<&BuildPlace> {
        match &self.kind {
            FrameKind::Build(place) if !self.is_over.load(Ordering::Relaxed) => Some(place),
            _ => None,
        }
    }
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
    static VARIABLE: Once<Py<PyAny>> = Once::new();
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
/// inside of, or was begun by.
pub(crate) fn enter(py: Python<'_>) -> PyResult<Vec<Entered>> {
    Ok(entered(&around(py)?, None))
}

/// Has the engine see this for a task of this home that is about to wait. Where it is not the innermost
/// build's own task, that build may not wait for it in turn.
pub(crate) fn enter_to_wait(home: &Bound<'_, PyAny>) -> PyResult<Vec<Entered>> {
    let py = home.py();
    let around = around(py)?;
    let innermost = around.iter().map(Bound::get).find_map(Frame::build);
    let beside = match innermost {
        Some(place) => {
            let is_own = home.call_method1(intern!(py, "is_own"), (place.number(),))?;
            (!is_own.extract::<bool>()?).then(|| place.number())
        }
        None => None,
    };
    Ok(entered(&around, beside))
}

/// What the present task is inside of, or was begun by, the innermost first.
fn around(py: Python<'_>) -> PyResult<Vec<Bound<'_, Frame>>> {
    let mut around = Vec::new();
    let mut next = innermost(py)?;
    while let Some(frame) = next {
        next = frame.get().outer.as_ref().map(|it| it.bind(py).clone());
        around.push(frame);
    }
    Ok(around)
}

/// Enters them, the outermost first, as the engine would have met them; beside the build of this number.
fn entered(around: &[Bound<'_, Frame>], beside: Option<u64>) -> Vec<Entered> {
    let around = around.iter().rev().map(Bound::get);
    let entered = around.filter_map(|frame| match &frame.kind {
        FrameKind::Build(place) if frame.is_over.load(Ordering::Relaxed) => {
            Some(Entered::Build(place.enter_begun()))
        }
        FrameKind::Build(place) if beside == Some(place.number()) => {
            Some(Entered::Build(place.enter_beside()))
        }
        FrameKind::Build(place) => Some(Entered::Build(place.enter())),
        FrameKind::Session => Some(Entered::Session(enter_session())),
        FrameKind::Check(_) => None,
    });
    entered.collect()
}

/// The value for `inside.set` of code that serves a session which is entered here; None where it is inside
/// of nothing, and needs none.
#[pyfunction]
pub(crate) fn in_session(py: Python<'_>) -> PyResult<Option<Bound<'_, Frame>>> {
    match innermost(py)? {
        Some(_) => nested(py, FrameKind::Session).map(Some),
        None => Ok(None),
    }
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
