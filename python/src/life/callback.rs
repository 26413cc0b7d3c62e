//! The callbacks of a cached function: how they are called, and what they may answer.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyString};
use pyo3::{PyTraverseError, PyVisit};
use tenure::Cause;

use crate::caller::user_code;
use crate::life::arity::{self, Use, needs_two};
use crate::life::awaitables;
use crate::life::traces;
use crate::process::once::intern;
use crate::words::code;
use crate::words::info::EntryInfo;
use crate::words::{log, values};

/// A callback that says yes or no of a resource.
pub(crate) struct Question {
    pub(crate) name: &'static str,
    example: &'static str,
}

pub(crate) const VALIDATE: Question = Question {
    name: "validate",
    example: "validate=lambda connection: connection.is_alive() is True",
};

pub(crate) const KEEP_IF: Question = Question {
    name: "keep_if",
    example: "keep_if=lambda rows: len(rows) > 0",
};

impl Question {
    /// The answer that the callback of this function has given.
    ///
    /// # Errors
    /// A `TypeError` for what is not a boolean.
    pub(crate) fn answered(&self, function: &str, answer: &Bound<'_, PyAny>) -> PyResult<bool> {
        boolean(answer, || {
            (
                format!("{} of {function}", self.name),
                self.example.to_owned(),
            )
        })
    }

    /// Logs what the callback of this function has raised, which is a no.
    pub(crate) fn raised(&self, py: Python<'_>, function: &str, error: PyErr) {
        log::error(py, &format!("{} of {function} raised", self.name), error);
    }
}

/// A part of a release, which may raise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    OnRelease,
    /// The rest of a generator, or the exit of a context manager.
    Teardown,
    /// One of the two, where nobody says which.
    Either,
}

impl Part {
    /// The part that it can be alone, of a release that has these.
    pub(crate) fn of(calls: bool, leaves: bool) -> Self {
        match (calls, leaves) {
            (_, false) => Self::OnRelease,
            (false, true) => Self::Teardown,
            (true, true) => Self::Either,
        }
    }
}

/// Logs what a release of this function has raised, with the cause where that is known yet.
pub(crate) fn release_raised(
    py: Python<'_>,
    function: &str,
    part: Part,
    cause: Option<Cause>,
    error: PyErr,
) {
    let part = match part {
        Part::OnRelease => "on_release",
        Part::Teardown => "the teardown",
        Part::Either => "the release",
    };
    traces::release_failed(function);
    let why = cause.map_or_else(String::new, |cause| format!(" (cause: {cause})"));
    log::error(py, &format!("{part} of {function} raised{why}"), error);
}

/// Whether the program, asked to clear entries, means this one.
///
/// # Errors
/// What the predicate raises, and a `TypeError` for what is not a boolean.
pub(crate) fn is_meant(
    function: &str,
    predicate: &Bound<'_, PyAny>,
    resource: &Bound<'_, PyAny>,
    entry: &tenure::EntryInfo,
) -> PyResult<bool> {
    let figures = Bound::new(resource.py(), EntryInfo::new(entry))?;
    let answer = user_code::apply(predicate, [resource, figures.as_any()])?;
    let asked = || format!("the predicate of {function}.clear_if");
    boolean(&answer, || (asked(), example_of_predicate(function)))
}

/// The error for what cannot be a predicate.
pub(crate) fn no_predicate(function: &str, given: &Bound<'_, PyAny>) -> PyErr {
    PyTypeError::new_err(format!(
        "{function}.clear_if takes a function of a resource and its figures, not {given:?}. \
         Example: {}. To end the entry of a call write {}.clear(...) with its arguments",
        example_of_predicate(function),
        code::called(function)
    ))
}

fn example_of_predicate(function: &str) -> String {
    let function = code::called(function);
    format!("{function}.clear_if(lambda resource, info: info.age > 3600)")
}

/// The answer to a question that has two. `asked` says who was asked, and what to write instead.
fn boolean(answer: &Bound<'_, PyAny>, asked: impl FnOnce() -> (String, String)) -> PyResult<bool> {
    match answer.cast::<PyBool>() {
        Ok(answer) => Ok(answer.is_true()),
        Err(_) => {
            let (who, example) = asked();
            let class = answer.get_type();
            awaitables::close_unbegun(answer)?;
            Err(PyTypeError::new_err(format!(
                "{who} must return True or False, not {class}. Example: {example}"
            )))
        }
    }
}

/// An `on_release`, and whether it is told why.
pub(crate) struct OnRelease {
    pub(crate) callback: Py<PyAny>,
    takes_cause: bool,
}

impl OnRelease {
    /// Reads the setting, and looks once whether the callback asks for the cause: whether it cannot be called without.
    ///
    /// # Errors
    /// A `TypeError` for what is no callback, or takes neither, and an interruption, such as a Ctrl-C, by what tells
    /// its signature.
    pub(crate) fn read(value: Bound<'_, PyAny>) -> PyResult<Option<Self>> {
        let example = "on_release=lambda resource: resource.close()";
        let callback = values::callable("on_release", example, value)?;
        callback.map(Self::new).transpose()
    }

    /// The same of what is known to be callable.
    pub(crate) fn new(callback: Bound<'_, PyAny>) -> PyResult<Self> {
        let takes_cause = needs_two(&callback)?;
        arity::check(&Use {
            setting: "on_release",
            given: if takes_cause {
                &["the resource", "the cause"]
            } else {
                &["the resource"]
            },
            example: "on_release=lambda resource: resource.close(), or, to be told the cause, \
                      on_release=lambda resource, cause: resource.close()",
            callable: &callback,
        })?;
        Ok(Self {
            takes_cause,
            callback: callback.unbind(),
        })
    }

    pub(crate) fn clone_ref(&self, py: Python<'_>) -> Self {
        Self {
            callback: self.callback.clone_ref(py),
            takes_cause: self.takes_cause,
        }
    }

    pub(crate) fn call<'py>(
        &self,
        resource: &Bound<'py, PyAny>,
        cause: Cause,
    ) -> PyResult<Bound<'py, PyAny>> {
        let callback = self.callback.bind(resource.py());
        if self.takes_cause {
            let cause = PyString::new(resource.py(), cause.name());
            user_code::apply(callback, [resource, cause.as_any()])
        } else {
            user_code::apply(callback, [resource])
        }
    }

    /// The call as one without arguments, for whoever makes it elsewhere.
    pub(crate) fn with<'py>(
        &self,
        resource: &Bound<'py, PyAny>,
        cause: Cause,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = resource.py();
        let partial = py
            .import(intern!(py, "functools"))?
            .getattr(intern!(py, "partial"))?;
        if self.takes_cause {
            partial.call1((&self.callback, resource, cause.name()))
        } else {
            partial.call1((&self.callback, resource))
        }
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.callback)
    }
}
