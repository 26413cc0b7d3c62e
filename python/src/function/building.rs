//! A build of a blocking function on the thread that calls: what the function gives, and the resource that it is.
#![allow(unsafe_code)]

use pyo3::exceptions::{PyException, PyStopIteration};
use pyo3::prelude::*;
use tenure::Fork;
use tenure::front::BuildError;

use crate::caller::user_code;
use crate::function::cached::Cached;
use crate::function::plan::Arguments;
use crate::function::registration::{KnownFunction, held};
use crate::function::shape;
use crate::life::awaitables::{can_be_awaited, refused_awaitable};
use crate::life::failure::Failure;
use crate::life::measures::{added, present};
use crate::life::raised::interrupt;
use crate::life::resource::{Held, Leave};
use crate::life::traces;
use crate::process::once::intern;
use crate::words::log;

impl Cached {
    /// Runs the function itself.
    pub(crate) fn build(
        &self,
        py: Python<'_>,
        function: &KnownFunction,
        arguments: Arguments,
    ) -> Result<Held, BuildError<Failure>> {
        let gauge = self.gauge(py);
        let before = gauge.map(present).transpose();
        let before = before.map_err(|error| Self::broken(py, error))?;
        user_code::room().map_err(|error| BuildError::Failed(Failure::new(py, error)))?;
        // SAFETY: the caller holds its arguments; the flag that lets the callee write before the
        // first of them is not passed on.
        let given = unsafe {
            user_code::call(
                self.builder(py),
                arguments.first(),
                arguments.positional(),
                arguments.names(),
            )
        };
        let resource = match given {
            Ok(object) => self.entered(function, object),
            Err(error) => Err(error),
        };
        match resource {
            Ok(held) => {
                if traces::are_kept() {
                    traces::built(py, self.name(), held.object(py));
                }
                self.mind_forks(&held.object(py).clone());
                Ok(match gauge.zip(before) {
                    Some((gauge, before)) => held.weighing(added(gauge, before)),
                    None => held,
                })
            }
            Err(error) => Err(Self::broken(py, error)),
        }
    }

    /// What is read before and after a build, for the weight of what it gives.
    pub(crate) fn gauge<'py>(&self, py: Python<'py>) -> Option<&Bound<'py, PyAny>> {
        let weight = self.options.weight.as_ref()?;
        if self.is_remote() {
            return None;
        }
        weight.gauge().map(|it| it.bind(py))
    }

    /// What a build that has raised is to those who wait for it.
    fn broken(py: Python<'_>, error: PyErr) -> BuildError<Failure> {
        if error.is_instance_of::<PyException>(py) {
            BuildError::Failed(Failure::new(py, error))
        } else {
            BuildError::Died(interrupt(error))
        }
    }

    /// The resource that the function gave, or that this yields or is entered for.
    fn entered(&self, function: &KnownFunction, object: Bound<'_, PyAny>) -> PyResult<Held> {
        let (py, name) = (object.py(), &self.decorated.name);
        if can_be_awaited(&object) {
            return Err(refused_awaitable(name, &object));
        }
        if self.is_remote() {
            return Ok(held(py, function, object, None));
        }
        if self.shape().is_generator {
            let next = object.getattr(intern!(py, "__next__"))?;
            let resource = user_code::apply(&next, []).map_err(|error| {
                if error.is_instance_of::<PyStopIteration>(py) {
                    shape::yielded_never(name)
                } else {
                    error
                }
            })?;
            return Ok(held(
                py,
                function,
                resource,
                Some(Leave::Generator(object.unbind())),
            ));
        }
        if self.shape().enters {
            self.shape().manager(name, &object)?;
            let enter = object.get_type().getattr(intern!(py, "__enter__"))?;
            let resource = user_code::apply(&enter, [&object])?;
            return Ok(held(
                py,
                function,
                resource,
                Some(Leave::Manager(object.unbind())),
            ));
        }
        self.shape().refuse_manager(name, &object)?;
        Ok(held(py, function, object, None))
    }

    /// Says once what a resource has about it that a child process must not keep.
    fn mind_forks(&self, resource: &Bound<'_, PyAny>) {
        if self.options.settings.fork != Fork::Keep {
            return;
        }
        let (py, name) = (resource.py(), self.name());
        let told = || -> PyResult<Option<String>> {
            let forks = py.import(intern!(py, "tenure._forks"))?;
            let told = forks.call_method1(intern!(py, "warning"), (name, resource))?;
            told.extract()
        };
        match told() {
            Ok(Some(text)) if log::is_due(self.decorated.site, "fork", 0, 1) => {
                log::line(py, false, &text);
            }
            Ok(_) => {}
            Err(error) => {
                let text = format!("what {name} gave could not be looked at");
                log::error(py, &text, error);
            }
        }
    }
}
