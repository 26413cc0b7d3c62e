//! Functions and whatever else can be called, and what they are made of.
//!
//! A function is its name, its code and what it closes over (K8). Line numbers and the file are
//! left out, so that a script that runs again, or that was edited elsewhere, makes an equal one.
#![allow(unsafe_code)]

use crate::encode::class_body::Lineless;
use crate::encode::fault::{Fault, Outcome};
use crate::encode::names::{class_of, importable, write_id};
use crate::encode::pins::{Pin, Role};
use crate::encode::reading::Reading;
use crate::encode::type_info::TypeInfo;
use crate::encode::walk::containers::Keys;
use crate::encode::walk::{Form, Walk};
use crate::encode::{first_content, tags};
use pyo3::prelude::*;
use pyo3::types::{PyCode, PyDict, PyFunction, PyModule, PyTuple, PyType};
use tenure::front::Meaning;

/// Which kind of callable, or part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Class,
    Module,
    Function,
    Code,
    Cell,
    Method,
    Builtin,
    Descriptor,
    Property,
    KeptProperty,
    Wrapper,
    Partial,
    /// A function that this package keeps the results of.
    Cached,
}

pub(super) fn find(name: &str) -> Option<&'static dyn Form> {
    Some(match name {
        "builtins.type" => &Kind::Class,
        "builtins.module" => &Kind::Module,
        "builtins.function" => &Kind::Function,
        "builtins.code" => &Kind::Code,
        "builtins.cell" => &Kind::Cell,
        "builtins.method" => &Kind::Method,
        "builtins.builtin_function_or_method"
        | "builtins.builtin_method"
        | "builtins.method-wrapper" => &Kind::Builtin,
        "builtins.method_descriptor"
        | "builtins.wrapper_descriptor"
        | "builtins.classmethod_descriptor"
        | "builtins.getset_descriptor"
        | "builtins.member_descriptor" => &Kind::Descriptor,
        "builtins.property" => &Kind::Property,
        "builtins.staticmethod" | "builtins.classmethod" => &Kind::Wrapper,
        "functools.cached_property" => &Kind::KeptProperty,
        "functools.partial" => &Kind::Partial,
        "tenure.CachedFunction" => &Kind::Cached,
        _ => return None,
    })
}

/// The attributes of a code object that make it what it is.
const CODE_PARTS: [&str; 12] = [
    "co_name",
    "co_argcount",
    "co_posonlyargcount",
    "co_kwonlyargcount",
    "co_flags",
    "co_code",
    "co_consts",
    "co_names",
    "co_varnames",
    "co_freevars",
    "co_cellvars",
    "co_exceptiontable",
];

/// The compiler's own variable in functions that evaluate annotations or type parameters of a
/// class: all that the class holds, which is written where the class is.
const CLASS_NAMESPACE: &str = "__classdict__";

impl Form for Kind {
    fn write<'py>(
        &self,
        walk: &mut Walk<'_, '_, 'py>,
        value: &Bound<'py, PyAny>,
        _: &TypeInfo,
    ) -> Outcome {
        walk.callable(*self, value)
    }

    fn covers_derived(&self) -> bool {
        matches!(self, Self::Class | Self::Module)
    }

    fn goes_by_name(&self) -> bool {
        true
    }

    fn is_made_to_call(&self) -> bool {
        true
    }
}

impl<'py> Walk<'_, '_, 'py> {
    /// Writes a callable or a part of one.
    fn callable(&mut self, kind: Kind, value: &Bound<'py, PyAny>) -> Outcome {
        match kind {
            Kind::Class => self.class(value.cast::<PyType>().map_err(PyErr::from)?),
            Kind::Module => {
                self.enc.tag(tags::MODULE_OBJECT);
                for name in ["__name__", "__file__"] {
                    match value.getattr_opt(name)? {
                        Some(text) => self.inner(&text)?,
                        None => self.enc.tag(tags::ABSENT),
                    }
                }
                Ok(())
            }
            Kind::Function => self.function(value.cast::<PyFunction>().map_err(PyErr::from)?),
            Kind::Code => self.code(value),
            Kind::Cell => {
                self.enc.tag(tags::CELL);
                match value.getattr_opt("cell_contents") {
                    Ok(Some(content)) => self.value(content.as_ptr()),
                    // An empty cell raises a ValueError.
                    _ => {
                        self.enc.tag(tags::ABSENT);
                        Ok(())
                    }
                }
            }
            Kind::Method => {
                self.enc.tag(tags::METHOD);
                self.own(value.getattr("__func__")?.as_ptr())
                    .map_err(|fault| fault.at(class_of(value), "its function".to_owned()))?;
                self.or_pinned(value, "__self__", &value.getattr("__self__")?)
            }
            Kind::Builtin => {
                self.enc.tag(tags::BUILTIN);
                self.text(value, "__qualname__")?;
                let owner = value.getattr("__self__")?;
                if owner.is_none() || owner.is_instance_of::<PyModule>() {
                    self.text(value, "__module__")
                } else {
                    self.or_pinned(value, "__self__", &owner)
                }
            }
            Kind::Descriptor => {
                self.enc.tag(tags::DESCRIPTOR);
                self.text(value, "__name__")?;
                self.inner(&value.getattr("__objclass__")?)
            }
            Kind::Property => {
                self.enc.tag(tags::WRAPPED);
                for name in ["fget", "fset", "fdel"] {
                    self.own(value.getattr(name)?.as_ptr())
                        .map_err(|fault| fault.at(class_of(value), name.to_owned()))?;
                }
                Ok(())
            }
            Kind::Wrapper => self.around(value, "__func__"),
            Kind::KeptProperty => self.around(value, "func"),
            Kind::Cached => self.around(value, "__wrapped__"),
            Kind::Partial => {
                self.enc.tag(tags::PARTIAL);
                self.value(value.getattr("func")?.as_ptr())
                    .map_err(|fault| fault.at(class_of(value), "its function".to_owned()))?;
                let args = value.getattr("args")?.cast_into::<PyTuple>();
                for arg in args.map_err(PyErr::from)? {
                    self.or_pinned(value, "args", &arg)?;
                }
                self.enc.tag(tags::END);
                self.named_defaults(value, &value.getattr("keywords")?)?;
                self.given(value, false)
            }
        }
    }

    /// Writes a function: its name, its code, its defaults and what it closes over.
    fn function(&mut self, func: &Bound<'py, PyFunction>) -> Outcome {
        self.enc.tag(tags::FUNCTION);
        self.text(func, "__module__")?;
        self.text(func, "__qualname__")?;
        let code = func.getattr("__code__")?;
        self.inner(&code)?;
        self.defaults(func, &code)?;
        let cells = func.getattr("__closure__")?;
        if let Ok(cells) = cells.cast::<PyTuple>() {
            let names = code.getattr("co_freevars")?;
            let found_by_name = importable(func).unwrap_or(false);
            for (at, cell) in cells.iter().enumerate() {
                self.enc.tag(tags::CELL);
                let start = self.enc.len();
                let name = names.get_item(at)?.str()?;
                let name = name.to_string_lossy();
                if name == CLASS_NAMESPACE {
                    self.enc.tag(tags::OPAQUE);
                    continue;
                }
                let outcome = match cell.getattr_opt("cell_contents") {
                    Ok(Some(content)) => self.or_pinned(func, &name, &content),
                    // An empty cell raises a ValueError. Whatever it is given counts by itself.
                    _ => {
                        let fault = Fault::no_key("cell".to_owned(), "it has no value yet");
                        let pins = self.holds.pins.len();
                        let outcome = self.pin(start, Err(fault), func, &name, &cell);
                        let pins = self.holds.pins.iter_mut().skip(pins);
                        pins.for_each(|pin| pin.is_unbound = true);
                        outcome
                    }
                };
                match outcome {
                    // What is found under its name is that function, whatever it keeps.
                    Err(fault) if found_by_name && fault.is_no_key() => {
                        self.enc.truncate(start);
                        self.enc.tag(tags::OPAQUE);
                    }
                    outcome => outcome?,
                }
                self.note(start, &name);
            }
        }
        self.enc.tag(tags::END);
        self.given(func, true)
    }

    /// Takes down the digest of what a function holds under a name, written since `start`.
    fn note(&mut self, start: usize, name: &str) {
        if self.scope.role == Some(Role::Function) {
            let digest = self.enc.digests().of(&self.enc.as_bytes()[start..]);
            self.holds.captured.push((name.to_owned(), digest));
        }
    }

    /// Writes the defaults of a function, each by itself: one without a key is told apart by which
    /// object it is, and so is the same one where the function is made anew with it.
    fn defaults(&mut self, func: &Bound<'py, PyFunction>, code: &Bound<'py, PyAny>) -> Outcome {
        let defaults = func.getattr("__defaults__")?;
        if let Ok(defaults) = defaults.cast::<PyTuple>() {
            let names: Vec<String> = code.getattr("co_varnames")?.extract()?;
            let positional: usize = code.getattr("co_argcount")?.extract()?;
            let without = positional.saturating_sub(defaults.len());
            for (at, default) in defaults.iter().enumerate() {
                let name = names
                    .get(without + at)
                    .map_or("__defaults__", String::as_str);
                self.given_by_default(func, name, &default)?;
            }
        }
        self.enc.tag(tags::END);
        self.named_defaults(func, &func.getattr("__kwdefaults__")?)
    }

    /// The defaults of parameters that have names, in the order of these.
    fn named_defaults(
        &mut self,
        owner: &Bound<'py, PyAny>,
        defaults: &Bound<'py, PyAny>,
    ) -> Outcome {
        if let Ok(defaults) = defaults.cast::<PyDict>() {
            let mut named: Vec<(String, Bound<'py, PyAny>)> = Vec::new();
            for (name, default) in defaults.iter() {
                named.push((name.str()?.to_string_lossy().into_owned(), default));
            }
            named.sort_unstable_by(|a, b| a.0.cmp(&b.0));
            for (name, default) in named {
                self.enc.framed(tags::NAME, name.as_bytes());
                self.given_by_default(owner, &name, &default)?;
            }
        }
        self.enc.tag(tags::END);
        Ok(())
    }

    fn given_by_default(
        &mut self,
        owner: &Bound<'py, PyAny>,
        name: &str,
        default: &Bound<'py, PyAny>,
    ) -> Outcome {
        let start = self.enc.len();
        let pinned = self.holds.pins.len();
        let around = std::mem::replace(&mut self.scope.in_default, self.scope.role.is_some());
        let outcome = self.or_pinned(owner, name, default);
        self.scope.in_default = around;
        outcome?;
        for pin in &mut self.holds.pins[pinned..] {
            pin.is_default = true;
        }
        self.note(start, name);
        Ok(())
    }

    /// Writes the attributes that an argument that can be called was given, of which few have any.
    /// They say nothing about which function is decorated, and often count its calls.
    fn given(&mut self, value: &Bound<'py, PyAny>, is_function: bool) -> Outcome {
        if self.scope.role.is_some() {
            return Ok(());
        }
        let attributes = value.getattr("__dict__")?;
        let attributes = attributes.cast::<PyDict>().map_err(PyErr::from)?;
        let start = self.enc.len();
        if !attributes.is_empty() {
            match self.pairs(attributes.as_ptr(), Keys::Names(&[])) {
                Err(fault) if is_function && fault.is_no_key() && importable(value)? => {
                    self.enc.truncate(start);
                    self.enc.tag(tags::OPAQUE);
                }
                outcome => outcome
                    .map_err(|fault| fault.at(class_of(value), "its attributes".to_owned()))?,
            }
        }
        self.piece(start);
        self.enc.tag(tags::END);
        Ok(())
    }

    /// Writes something that is a function and how it is wrapped.
    pub(super) fn around(&mut self, value: &Bound<'py, PyAny>, name: &str) -> Outcome {
        self.enc.tag(tags::WRAPPED);
        write_id(self.enc, &value.get_type())?;
        self.own(value.getattr(name)?.as_ptr())
            .map_err(|fault| fault.at(class_of(value), "its function".to_owned()))
    }

    fn code(&mut self, code: &Bound<'py, PyAny>) -> Outcome {
        let code = code.cast::<PyCode>().map_err(PyErr::from)?;
        self.enc.tag(tags::CODE);
        // Each version compiles in its own way.
        self.enc.narrow(Meaning::Version);
        let lineless = Lineless::of(code)?;
        for name in CODE_PARTS {
            let part = match (&lineless, name) {
                (Some(lineless), "co_code") => lineless.instructions.clone().into_any(),
                (Some(lineless), "co_consts") => lineless.constants.clone().into_any(),
                _ => code.getattr(name)?,
            };
            self.value(part.as_ptr())
                .map_err(|fault| fault.at("code".to_owned(), name.to_owned()))?;
        }
        Ok(())
    }

    /// Writes something that a callable holds under a name. Where a function's identity is made
    /// and it has no key, which object it is stands for it, and the object is kept alive.
    pub(in crate::encode) fn or_pinned(
        &mut self,
        owner: &Bound<'py, PyAny>,
        name: &str,
        value: &Bound<'py, PyAny>,
    ) -> Outcome {
        let start = self.enc.len();
        let outer = std::mem::replace(&mut self.scope.reading, Reading::Seen);
        let mut outcome = self.value(value.as_ptr());
        let told = self.scope.reading == Reading::Told;
        if told && self.scope.role == Some(Role::Function) && self.scope.trace.is_none() {
            if outcome.is_ok() {
                outcome = self.read_twice(value.as_ptr());
            }
            // Whatever holds this need not be read again for it.
            self.scope.reading = outer;
        } else if outer == Reading::Told {
            self.scope.reading = outer;
        }
        if let Err(fault) = &outcome
            && fault.is_no_key()
            && !fault.is_elsewhere()
            && self.scope.role == Some(Role::Function)
            && let Some(elsewhere) = self.elsewhere_in(value)
        {
            outcome = Err(elsewhere);
        }
        self.pin(start, outcome, owner, name, value)
    }

    /// What in a value without a key stands for whoever asks, if anything does: attributes are read in any order, and
    /// what was read first must not decide whether a function that holds the value is refused.
    fn elsewhere_in(&mut self, value: &Bound<'py, PyAny>) -> Option<Box<Fault>> {
        let start = self.enc.len();
        let (pins, firsts) = (self.holds.pins.len(), self.holds.firsts.len());
        let told = (self.is_read_now, self.lacks_key, self.scope.reading);
        let around = std::mem::replace(&mut self.scope.settling, true);
        let outcome = self.value(value.as_ptr());
        self.scope.settling = around;
        (self.is_read_now, self.lacks_key, self.scope.reading) = told;
        self.holds.pins.truncate(pins);
        self.holds.firsts.truncate(firsts);
        self.enc.truncate(start);
        outcome.err().filter(|fault| fault.is_elsewhere())
    }

    fn pin(
        &mut self,
        start: usize,
        outcome: Outcome,
        owner: &Bound<'py, PyAny>,
        name: &str,
        value: &Bound<'py, PyAny>,
    ) -> Outcome {
        let fault = match outcome {
            Ok(()) => return Ok(()),
            Err(fault) => fault,
        };
        // What stands for whoever asks is one object for all of them; as a default it is an argument,
        // and read at each call.
        let is_told = self.scope.in_default || !fault.is_elsewhere();
        let pins = |role: &Role| fault.is_no_key() && (*role == Role::Callback || is_told);
        let Some(role) = self.scope.role.filter(pins) else {
            let whole = value.is(owner);
            return Err(if whole {
                fault
            } else {
                fault.at(class_of(owner), format!("its `{name}`"))
            });
        };
        let pin = || Pin {
            value: value.clone().unbind(),
            name: name.to_owned(),
            reason: fault.reason(),
            is_default: false,
            is_unbound: false,
        };
        self.enc.truncate(start);
        match role {
            Role::Function => {
                self.holds.pins.push(pin());
                self.enc.tag(tags::OPAQUE);
                self.enc.raw(&(value.as_ptr() as usize).to_le_bytes());
                self.enc.narrow(Meaning::Process);
            }
            Role::Callback => {
                let first = match first_content::find(self.py, value.as_ptr()) {
                    Some(first) => first,
                    None => {
                        self.holds.pins.push(pin());
                        first_content::meet(value, first_content::number(), Vec::new(), false)
                    }
                };
                self.count_first(first);
            }
        }
        Ok(())
    }

    fn text(&mut self, value: &Bound<'py, PyAny>, name: &str) -> Outcome {
        match value.getattr_opt(name)? {
            Some(text) => self.inner(&text),
            None => {
                self.enc.tag(tags::ABSENT);
                Ok(())
            }
        }
    }
}
