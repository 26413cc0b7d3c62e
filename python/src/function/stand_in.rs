//! What stands in the place of a cached function while a test has it so.

use std::sync::{Mutex, MutexGuard};

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyTupleMethods;
use pyo3::{PyTraverseError, PyVisit};

use crate::caller::user_code::{self, Packed};
use crate::function::plan::Arguments;
use crate::process;
use crate::tasks::coroutines::Coroutines;

/// What a test has put in the place of a cached function.
pub(crate) struct StandIn {
    /// The number of the engine that was in force then: while that stands aside, this does too.
    pub(crate) generation: u32,
    /// Which of them is the later one, and its name for who takes it back.
    pub(crate) number: u64,
    /// The instance, where it is for the calls of one alone.
    pub(crate) instance: Option<Py<PyAny>>,
    pub(crate) by: By,
}

impl StandIn {
    fn is_there(&self) -> bool {
        !process::stands_aside(self.generation)
    }
}

/// What a call gives.
pub(crate) enum By {
    /// This.
    Value(Py<PyAny>),
    /// What this gives for the call's arguments.
    Function(Py<PyAny>),
}

/// All that stands in a function's place, by engine from the lowest up; the last one counts. Locked only by who holds the interpreter.
#[derive(Default)]
pub(crate) struct StandIns(Mutex<Vec<StandIn>>);

/// What a call has found in the function's place.
struct Found {
    by: By,
    /// Its arguments go on without the instance.
    is_bound: bool,
}

impl StandIns {
    fn all(&self) -> MutexGuard<'_, Vec<StandIn>> {
        self.0.lock().expect("nothing panics under this lock")
    }

    /// Puts one there: over what is there of its engine, and of those below.
    pub(crate) fn put(&self, it: StandIn) {
        let mut all = self.all();
        let at = all.partition_point(|there| there.generation <= it.generation);
        all.insert(at, it);
    }

    /// Takes one away. Whether none is left.
    pub(crate) fn take(&self, number: u64) -> bool {
        let (taken, is_empty) = {
            let mut all = self.all();
            let at = all.iter().position(|it| it.number == number);
            let taken = at.map(|at| all.remove(at));
            (taken, all.is_empty())
        };
        drop(taken);
        is_empty
    }

    /// Whether there is any now.
    pub(crate) fn are_there(&self) -> bool {
        self.all().iter().any(StandIn::is_there)
    }

    fn find(&self, py: Python<'_>, first: *mut ffi::PyObject) -> Option<Found> {
        let all = self.all();
        let is_meant = |it: &&StandIn| match &it.instance {
            Some(instance) => instance.as_ptr() == first,
            None => true,
        };
        let mut there = all.iter().rev().filter(|it| it.is_there());
        let it = there.find(is_meant)?;
        Some(Found {
            by: match &it.by {
                By::Value(value) => By::Value(value.clone_ref(py)),
                By::Function(function) => By::Function(function.clone_ref(py)),
            },
            is_bound: it.instance.is_some(),
        })
    }

    /// The answer to a call, if something stands in the function's place for it.
    pub(crate) fn answer(
        &self,
        py: Python<'_>,
        coroutines: Option<&Coroutines>,
        arguments: Arguments,
    ) -> PyResult<Option<Py<PyAny>>> {
        let Some(found) = self.find(py, arguments.foremost()) else {
            return Ok(None);
        };
        let function = match (found.by, coroutines) {
            (By::Value(value), None) => return Ok(Some(value)),
            (By::Value(value), Some(coroutines)) => {
                return coroutines.of_value(py, &value).map(Some);
            }
            (By::Function(function), _) => function.into_bound(py),
        };
        let (args, kwargs) = packed(py, arguments, found.is_bound)?;
        match coroutines {
            None => user_code::held(|| function.call(args, kwargs.as_ref())).map(Bound::unbind),
            Some(coroutines) => coroutines.of_function(&function, &args, kwargs.as_ref()),
        }
        .map(Some)
    }

    /// What is seen in the function's place without a call: the value, and nothing of a function.
    pub(crate) fn seen(&self, py: Python<'_>, arguments: Arguments) -> Option<Option<Py<PyAny>>> {
        self.find(py, arguments.foremost()).map(|it| match it.by {
            By::Value(value) => Some(value),
            By::Function(_) => None,
        })
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Ok(all) = self.0.try_lock() else {
            return Ok(());
        };
        for it in &*all {
            visit.call(&it.instance)?;
            match &it.by {
                By::Value(it) | By::Function(it) => visit.call(it)?,
            }
        }
        Ok(())
    }
}

fn packed(py: Python<'_>, arguments: Arguments, is_bound: bool) -> PyResult<Packed<'_>> {
    let (args, kwargs) = arguments.packed(py)?;
    let args = match is_bound {
        true => args.get_slice(1, args.len()),
        false => args,
    };
    Ok((args, kwargs))
}
