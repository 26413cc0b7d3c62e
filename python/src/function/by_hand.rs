//! The entries of a cached function in the hands of the program: looked at, ended, and built before anybody
//! calls.

use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use tenure::front::Warmed;
use tenure::{Cause, Encoder, Error, Function, KeyRef, Part};

use crate::caller::attach;
use crate::caller::current_function::Current;
use crate::caller::place;
use crate::encode::Reading;
use crate::function::again::{Given, Make, again};
use crate::function::argument_array::ArgumentArray;
use crate::function::cached::{Cached, to_python};
use crate::function::plan::Arguments;
use crate::function::registration::{KnownFunction, callbacks};
use crate::life::callback::{is_meant, no_predicate};
use crate::life::claims;
use crate::life::failure::Failure;
use crate::life::interrupts;
use crate::process::{self, worker};
use crate::program::host;
use crate::tasks::frames;
use crate::words::explanation::Explanation;
use crate::words::info::Info;
use crate::words::{code, log};

/// A resource that somebody may hold: the references to it beside the cache's own, and those of them that came after
/// its build, where they are counted; its leases; its age in seconds; and why it has left its cache, if it has.
pub(crate) type HeldTuple = (
    Py<PyAny>,
    Option<isize>,
    Option<isize>,
    usize,
    f64,
    Option<&'static str>,
);

impl Cached {
    pub(crate) fn discard_this(&self, py: Python<'_>, resource: &Bound<'_, PyAny>) -> PyResult<()> {
        let function = self.function(py)?;
        host::find(py)?;
        let _places = frames::enter(py)?;
        let _current = Current::set(&self.func);
        let _ended_by = place::ends(py, "discard()");
        let ended =
            interrupts::to_caller(py, || Ok(function.discard_where(|held| held.is(resource))))?;
        if ended == 0 && !self.is_replaced() && callbacks(&function).kinds.is_foreign(resource) {
            return Err(PyTypeError::new_err(format!(
                "{name}.discard takes a resource that {name} returned, and was given {given}: {name} \
                 has returned nothing of this class. To end the entry of a call write \
                 {called}.clear(...) with its arguments",
                name = self.decorated.name,
                given = shown(resource),
                called = code::called(&self.decorated.name),
            )));
        }
        Ok(())
    }

    pub(crate) fn clear_for(&self, py: Python<'_>, arguments: Option<Arguments>) -> PyResult<()> {
        let _ended_by = place::ends(py, "clear()");
        let in_cluster = self.end_in_cluster(py, "clear", arguments);
        self.end_for(py, arguments, Function::clear, Function::clear_entry)?;
        in_cluster
    }

    pub(crate) fn expire_for(&self, py: Python<'_>, arguments: Option<Arguments>) -> PyResult<()> {
        let _ended_by = place::ends(py, "expire()");
        let in_cluster = self.end_in_cluster(py, "expire", arguments);
        self.end_for(py, arguments, Function::expire, Function::expire_entry)?;
        in_cluster
    }

    /// Ends all entries, or the one of a call with these arguments.
    fn end_for(
        &self,
        py: Python<'_>,
        arguments: Option<Arguments>,
        all: impl FnOnce(&KnownFunction) -> Result<(), Error<Failure>>,
        one: impl FnOnce(&KnownFunction, &KeyRef<'_>) -> Result<(), Error<Failure>>,
    ) -> PyResult<()> {
        let function = self.function(py)?;
        host::find(py)?;
        worker::watch_member(py)?;
        let _places = frames::enter(py)?;
        let _current = Current::set(&self.func);
        interrupts::to_caller(py, || {
            let ended = match arguments {
                Some(arguments) => {
                    let (encoder, _) = self.named_key(py, arguments)?;
                    one(&function, &encoder.finish())
                }
                None => all(&function),
            };
            ended.map_err(|error| to_python(py, error))
        })
    }

    pub(crate) fn clear_where(
        &self,
        py: Python<'_>,
        predicate: &Bound<'_, PyAny>,
    ) -> PyResult<usize> {
        let _ended_by = place::ends(py, "clear_if()");
        interrupts::to_caller(py, || self.clear_asked(py, predicate))
    }

    fn clear_asked(&self, py: Python<'_>, predicate: &Bound<'_, PyAny>) -> PyResult<usize> {
        let name = &self.decorated.name;
        if !predicate.is_callable() {
            return Err(no_predicate(name, predicate));
        }
        let function = self.function(py)?;
        host::find(py)?;
        worker::watch_member(py)?;
        let _places = frames::enter(py)?;
        let _current = Current::set(&self.func);
        let generation = process::generation();
        let mut failed = None;
        let cleared = function.clear_if(|held, entry| {
            if failed.is_some() || process::is_left_behind(generation) {
                return false;
            }
            let answer = is_meant(name, predicate, held.object(py), entry);
            let meant = answer.unwrap_or_else(|error| {
                failed = Some(error);
                false
            });
            meant && !process::is_left_behind(generation)
        });
        match failed {
            Some(error) => Err(error),
            // A child process has cleared nothing of its own.
            None if process::is_left_behind(generation) => Ok(0),
            None => cleared.map_err(|error| to_python(py, error)),
        }
    }

    pub(crate) fn kept(&self, py: Python<'_>, arguments: Arguments) -> PyResult<Option<Py<PyAny>>> {
        if let Some(seen) = self.seen_instead(py, arguments) {
            return Ok(seen);
        }
        host::find(py)?;
        let _current = Current::set(&self.func);
        let (encoder, reading) = self.named_key(py, arguments)?;
        let function = self.function(py)?;
        let kept = function.kept(&encoder.finish());
        match kept.map_err(|error| to_python(py, error))? {
            Some(lease) => Ok(Some(lease.clone_ref(py))),
            None => self.check(py, arguments, reading).map(|()| None),
        }
    }

    /// What a call with these arguments would meet, and why.
    pub(crate) fn explained(&self, py: Python<'_>, arguments: Arguments) -> PyResult<Explanation> {
        let function = self.function(py)?;
        if self.seen_instead(py, arguments).is_some() {
            return Ok(Explanation::overridden(&self.decorated.name));
        }
        host::find(py)?;
        let _current = Current::set(&self.func);
        let mut encoder = Encoder::new();
        let name = &self.decorated.name;
        let (reading, parts) = self.plan.encode_parts(py, name, arguments, &mut encoder)?;
        let parts = parts.iter().map(|(name, end)| Part { name, end: *end });
        let why = function.explain_parts(&encoder.finish(), &parts.collect::<Vec<_>>());
        let why = why.map_err(|error| to_python(py, error))?;
        if !why.is_hit() {
            self.check(py, arguments, reading)?;
        }
        Ok(Explanation::new(why))
    }

    /// Each resource that somebody may hold.
    pub(crate) fn held(&self, py: Python<'_>) -> PyResult<Vec<HeldTuple>> {
        let function = self.function(py)?;
        let mut held = Vec::new();
        function.show_held(&mut |resource, age, left| {
            // Before it is held here too.
            let (others, later) = resource.users(py).unzip();
            let (age, left) = (age.as_secs_f64(), left.map(Cause::name));
            held.push((resource.clone_ref(py), others, later, 0, age, left));
        });
        for (object, _, _, leases, _, _) in &mut held {
            *leases = claims::on(object.as_ptr().addr());
        }
        Ok(held)
    }

    /// Has the resource of one call built in the background, and `done` told what became of it.
    pub(crate) fn warm_one(
        &self,
        me: &Bound<'_, PyAny>,
        given: Given,
        home: Option<Py<PyAny>>,
        make: Make,
        done: Py<PyAny>,
    ) -> PyResult<()> {
        let py = me.py();
        if self.options.sharing.is_by_thread() {
            return Err(PyTypeError::new_err(format!(
                "{name} has scope=\"thread\", and what warms it would build on another thread. Call {name} on \
                 the thread that it is for",
                name = self.name(),
            )));
        }
        let (args, kwargs) = &given;
        let kwargs = kwargs.as_ref().map(|it| it.bind(py));
        let array = ArgumentArray::new(None, args.bind(py), kwargs)?;
        if self.seen_instead(py, array.arguments()).is_some() {
            // Callers do not get what would be built.
            return done.call1(py, (py.None(),)).map(drop);
        }
        let encoder = self.key(py, array.arguments())?;
        let function = self.function(py)?;
        host::find(py)?;
        let _current = Current::set(&self.func);
        let tags = self.tags(py, array.arguments())?;
        let again = again(me, &function, given, home, make)?;
        let name = self.decorated.name.clone();
        let told = move |warmed| {
            attach::with(|py| tell_warmed(py, &name, &done, warmed));
        };
        let warm = function.warm(&encoder.finish(), tags, again, told);
        warm.map_err(|error| to_python(py, error))
    }

    /// Its figures.
    pub(crate) fn figures(&self, py: Python<'_>) -> PyResult<Info> {
        Ok(Info::new(self.function(py)?.info().into()))
    }

    fn named_key(&self, py: Python<'_>, arguments: Arguments) -> PyResult<(Encoder, Reading)> {
        let mut encoder = Encoder::new();
        let name = &self.decorated.name;
        let reading = self.plan.encode_named(py, name, arguments, &mut encoder)?;
        Ok((encoder, reading))
    }
}

/// Tells whoever has a function warmed what became of one build.
fn tell_warmed(py: Python<'_>, name: &str, done: &Py<PyAny>, warmed: Warmed<Failure>) {
    let error = match warmed {
        Warmed::Built | Warmed::Kept => None,
        Warmed::Failed(failure) => Some(failure.raise_own(py)),
        _ => Some(PyRuntimeError::new_err(format!(
            "nobody could carry the build of {name} to its end"
        ))),
    };
    let error = error.map(|error| error.into_value(py));
    if let Err(error) = done.call1(py, (error,)) {
        log::error(py, "what has been warmed could not be counted", error);
    }
}

/// An object as an error names it.
fn shown(object: &Bound<'_, PyAny>) -> String {
    let class = object.get_type();
    let class = class
        .fully_qualified_name()
        .map_or_else(|_| "?".to_owned(), |name| name.to_string());
    if object.is_none() {
        "None".to_owned()
    } else {
        format!("an object of the class {class}")
    }
}
