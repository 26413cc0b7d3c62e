//! The last resort: what an object gives to be pickled.
//!
//! The pieces are walked like any argument rather than pickled, so that the order of dicts and
//! sets and who shares what make no difference.
#![allow(unsafe_code)]

use super::Walk;
use super::containers::Keys;
use crate::caller::user_code;
use crate::encode::fault::{Fault, Outcome, unreadable};
use crate::encode::names::{class_of, found_under, importable, write_id};
use crate::encode::reading::Reading;
use crate::encode::type_info::TypeInfo;
use crate::encode::{own_state, tags};
use crate::process::once::Once;
use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict, PyFunction, PyModule, PyString, PyTuple};

/// The pickle protocol whose reductions are read: the newest that keeps all data in them.
const PROTOCOL: u8 = 4;

impl<'py> Walk<'_, '_, 'py> {
    /// Writes an object by its reduction.
    pub(in crate::encode) fn reduce(
        &mut self,
        value: &Bound<'py, PyAny>,
        info: &TypeInfo,
    ) -> Outcome {
        self.scope.reading = Reading::Told;
        let reduced = reduction(value)
            .map_err(|error| Fault::raised(self.py, class_of(value), "cannot be pickled", error))?;
        if let Ok(name) = reduced.cast::<PyString>() {
            // As pickle does: a name that does not lead to the object says nothing about it.
            if !is_global(value, name)? {
                return Err(Fault::no_key(
                    class_of(value),
                    format!("cannot be pickled: it is not what is found as `{name}`"),
                ));
            }
            self.enc.tag(tags::GLOBAL);
            return self.global(value, name);
        }
        let Ok(parts) = reduced.cast::<PyTuple>() else {
            return Err(Fault::no_key(
                class_of(value),
                "cannot be pickled: its __reduce_ex__ gave neither a str nor a tuple",
            ));
        };
        if !(2..=6).contains(&parts.len()) {
            return Err(Fault::no_key(
                class_of(value),
                "cannot be pickled: its __reduce_ex__ gave a tuple of a wrong length",
            ));
        }
        if holds_nothing(value, parts)? {
            own_state::check_empty(value, info)?;
        }
        self.enc.tag(tags::REDUCED);
        let inside = |fault: Box<Fault>, part: &str| fault.at(class_of(value), part.to_owned());
        let part = |at: usize| parts.get_item(at).ok().filter(|part| !part.is_none());
        self.maker(value, info, &parts.get_item(0)?)
            .map_err(|fault| inside(fault, "what makes it anew"))?;
        self.arguments(value, info, &parts.get_item(1)?)
            .map_err(|fault| inside(fault, "its arguments"))?;
        match part(2) {
            Some(state) => self
                .state(&state)
                .map_err(|fault| inside(fault, "its state"))?,
            None => self.enc.tag(tags::ABSENT),
        }
        match part(3) {
            Some(items) => self
                .members(tags::LIST, &items)
                .map_err(|fault| inside(fault, "its members"))?,
            None => self.enc.tag(tags::ABSENT),
        }
        match part(4) {
            Some(items) => {
                let pairs = items
                    .try_iter()
                    .and_then(|items| items.collect::<PyResult<Vec<_>>>())
                    .map_err(|error| unreadable(value, error))?;
                self.enc.tag(tags::DICT);
                let start = self.enc.len();
                self.sorted(pairs.len(), |walk, at| walk.own(pairs[at].as_ptr()))
                    .map_err(|fault| inside(fault, "its items"))?;
                self.piece(start);
                self.enc.tag(tags::END);
            }
            None => self.enc.tag(tags::ABSENT),
        }
        match part(5) {
            Some(setter) => self
                .maker(value, info, &setter)
                .map_err(|fault| inside(fault, "what sets its state"))?,
            None => self.enc.tag(tags::ABSENT),
        }
        if let Some(untold) = &info.untold {
            self.untold(value, info, untold, Some(parts))?;
        }
        self.beside(value, info)
    }

    /// Writes the state of a reduction: mostly a dict of attributes, and another for slots.
    fn state(&mut self, state: &Bound<'py, PyAny>) -> Outcome {
        if state.is_exact_instance_of::<PyDict>() {
            self.enc.tag(tags::DICT);
            self.pairs(state.as_ptr(), Keys::Names(&[]))?;
            self.enc.tag(tags::END);
            return Ok(());
        }
        match state.cast_exact::<PyTuple>() {
            Ok(parts)
                if parts.len() == 2
                    && parts
                        .iter()
                        .all(|part| part.is_none() || part.is_exact_instance_of::<PyDict>()) =>
            {
                self.enc.tag(tags::TUPLE);
                for part in parts.iter() {
                    if part.is_none() {
                        self.enc.tag(tags::NONE);
                    } else {
                        self.state(&part)?;
                    }
                }
                self.enc.tag(tags::END);
                Ok(())
            }
            _ => self.own(state.as_ptr()),
        }
    }

    /// Writes the arguments of a reduction, whose first may be the value's own class.
    fn arguments(
        &mut self,
        value: &Bound<'py, PyAny>,
        info: &TypeInfo,
        args: &Bound<'py, PyAny>,
    ) -> Outcome {
        let Ok(args) = args.cast::<PyTuple>() else {
            return self.own(args.as_ptr());
        };
        self.enc.tag(tags::TUPLE);
        for (at, arg) in args.iter().enumerate() {
            if at == 0 && arg.is(value.get_type()) {
                self.maker(value, info, &arg)?;
            } else {
                self.value(arg.as_ptr())?;
            }
        }
        self.enc.tag(tags::END);
        Ok(())
    }

    /// Writes what a reduction calls: mostly the value's own class; a function by its name, as
    /// pickle does, or by what it is where it has none.
    fn maker(
        &mut self,
        value: &Bound<'py, PyAny>,
        info: &TypeInfo,
        callable: &Bound<'py, PyAny>,
    ) -> Outcome {
        if callable.is(value.get_type()) {
            self.enc.tag(tags::GLOBAL);
            return self.class_of_value(value, info);
        }
        let named = callable.is_instance_of::<PyFunction>() && importable(callable)?
            || callable.is_instance_of::<PyCFunction>() && {
                let owner = callable.getattr("__self__")?;
                owner.is_none() || owner.is_instance_of::<PyModule>()
            };
        if !named {
            return self.value(callable.as_ptr());
        }
        let name = callable.getattr("__qualname__")?;
        self.enc.tag(tags::GLOBAL);
        self.global(callable, &name.str()?)
    }

    /// Writes what a wrapper around a function wraps, in the place of what was written since
    /// `start`, for wrappers that have no key themselves: `false` if this is none.
    pub(in crate::encode) fn wrapped(
        &mut self,
        value: &Bound<'py, PyAny>,
        start: usize,
    ) -> Outcome<bool> {
        if !value.is_callable() {
            return Ok(false);
        }
        let Some(inner) = value.getattr_opt("__wrapped__")? else {
            return Ok(false);
        };
        self.enc.truncate(start);
        self.enc.tag(tags::WRAPPED);
        write_id(self.enc, &value.get_type())?;
        self.own(inner.as_ptr())
            .map_err(|fault| fault.at(class_of(value), "what it wraps".to_owned()))?;
        Ok(true)
    }

    /// Writes the module and the name that an object is found under.
    fn global(&mut self, value: &Bound<'py, PyAny>, name: &Bound<'py, PyString>) -> Outcome {
        let module = match value.getattr_opt("__module__")? {
            Some(module) => module.str()?.to_string_lossy().into_owned(),
            None => String::new(),
        };
        self.enc.framed(tags::MODULE, module.as_bytes());
        self.enc
            .framed(tags::QUALNAME, name.to_string_lossy().as_bytes());
        Ok(())
    }
}

/// Whether a reduction says no more of an object than its class.
fn holds_nothing(value: &Bound<'_, PyAny>, parts: &Bound<'_, PyTuple>) -> PyResult<bool> {
    let class = value.get_type();
    let args = parts.get_item(1)?;
    if let Ok(args) = args.cast::<PyTuple>()
        && args.iter().any(|arg| !arg.is(&class))
    {
        return Ok(false);
    }
    for part in parts.iter().skip(2) {
        let empty = part.is_none() || part.cast::<PyDict>().is_ok_and(|it| it.is_empty());
        if !empty {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether an object is found under a name in its module, or in any where it names none.
fn is_global(value: &Bound<'_, PyAny>, name: &Bound<'_, PyString>) -> PyResult<bool> {
    let py = value.py();
    let module = match value.getattr_opt("__module__")? {
        Some(module) if !module.is_none() => module,
        _ => py
            .import("pickle")?
            .call_method1("whichmodule", (value, name))?,
    };
    let found = found_under(&module, &name.to_string_lossy())?;
    Ok(found.is_some_and(|found| found.is(value)))
}

fn reduction<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    static DISPATCH: Once<Py<PyAny>> = Once::new();
    let py = value.py();
    let table = DISPATCH.import(py, "copyreg", "dispatch_table")?;
    match table.cast::<PyDict>()?.get_item(value.get_type())? {
        Some(reducer) => user_code::apply(&reducer, [value]),
        None => {
            let protocol = PROTOCOL.into_pyobject(py)?;
            user_code::apply(&value.getattr("__reduce_ex__")?, [protocol.as_any()])
        }
    }
}
