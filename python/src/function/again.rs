//! The build of a call as it can be made again: on another thread, and with nobody waiting for it.
//!
//! It runs in a copy of the context of the call that it comes from, since what the function is built
//! for may stand there: a tenant, say. What that call itself was inside of it is no part of.
#![allow(unsafe_code)]

use std::sync::{Arc, Weak};

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use tenure::Refresh;
use tenure::front::{Again, Detached};

use crate::caller::attach;
use crate::function::registration::{KnownFunction, callbacks};
use crate::life::failure::Failure;
use crate::life::resource::Held;
use crate::process;
use crate::tasks::frames;
use crate::words::log;

/// The arguments of a call, by position and by name.
pub(crate) type Given = (Py<PyTuple>, Option<Py<PyDict>>);

/// Has a cached function make a build with these arguments, on this thread or by the carrier in the
/// recipe.
pub(crate) type Make = fn(Bound<'_, PyAny>, Detached<Held, Failure>, &Recipe) -> PyResult<()>;

/// Whose function is called.
enum Maker {
    /// The one of the call.
    Called(Py<PyAny>),
    /// The one decorated last of those that stand for this function. An entry that names it does not
    /// keep the program's code alive (F8).
    Latest(Weak<KnownFunction>),
}

/// A build that can be made as often as somebody asks for it.
pub(crate) struct Recipe {
    maker: Maker,
    make: Make,
    given: Given,
    /// The event loop that carries it, where the function is async.
    pub(crate) home: Option<Py<PyAny>>,
    context: Py<PyAny>,
    generation: u32,
}

/// The recipe of a call of `cached`, which stands for `function`.
pub(crate) fn again(
    cached: &Bound<'_, PyAny>,
    function: &KnownFunction,
    given: Given,
    home: Option<Py<PyAny>>,
    make: Make,
) -> PyResult<Again<Held, Failure>> {
    let py = cached.py();
    let recipe = Recipe {
        maker: match function.settings().refresh {
            Refresh::Ahead => Maker::Latest(function.downgrade()),
            _ => Maker::Called(cached.clone().unbind()),
        },
        make,
        given,
        home,
        context: copied(py, None)?.unbind(),
        generation: process::generation(),
    };
    Ok(Arc::new(move |build| recipe.follow(build)))
}

impl Recipe {
    fn follow(&self, build: Detached<Held, Failure>) {
        // Where the interpreter has ended, nothing is built any more.
        attach::with(|py| {
            if process::is_left_behind(self.generation) {
                return std::mem::forget(build);
            }
            let made = match self.maker(py) {
                Some(maker) => (self.make)(maker, build, self),
                None => Ok(()),
            };
            if let Err(error) = made {
                log::error(py, "a new resource could not be built", error);
            }
        });
    }

    fn maker<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        match &self.maker {
            Maker::Called(cached) => Some(cached.bind(py).clone()),
            Maker::Latest(function) => callbacks(&*function.upgrade()?).latest(py),
        }
    }

    pub(crate) fn given(&self, py: Python<'_>) -> Given {
        let (args, kwargs) = &self.given;
        let kwargs = kwargs.as_ref().map(|it| it.clone_ref(py));
        (args.clone_ref(py), kwargs)
    }

    /// A context of its own for one build.
    pub(crate) fn context<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let context = copied(py, Some(&self.context))?;
        frames::leave_in(&context)?;
        Ok(context)
    }

    /// Has this thread be in such a context, until what this gives is dropped.
    pub(crate) fn enter<'py>(&self, py: Python<'py>) -> PyResult<Entered<'py>> {
        let context = self.context(py)?;
        // SAFETY: a live context that nobody else has entered.
        if unsafe { ffi::PyContext_Enter(context.as_ptr()) } < 0 {
            return Err(PyErr::fetch(py));
        }
        Ok(Entered(context))
    }
}

/// A copy of a context, or of the present one.
fn copied<'py>(py: Python<'py>, context: Option<&Py<PyAny>>) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: with the interpreter, and of a context; both give a new reference, or null with an error.
    unsafe {
        let copy = match context {
            Some(context) => ffi::PyContext_Copy(context.as_ptr()),
            None => ffi::PyContext_CopyCurrent(),
        };
        Bound::from_owned_ptr_or_err(py, copy)
    }
}

/// This thread is in a context of its own.
pub(crate) struct Entered<'py>(Bound<'py, PyAny>);

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        // SAFETY: it was entered on this thread, and what was entered since has been left.
        if unsafe { ffi::PyContext_Exit(self.0.as_ptr()) } < 0 {
            let py = self.0.py();
            log::error(py, "a context could not be left", PyErr::fetch(py));
        }
    }
}
