//! The plan of a call, compiled when a function is decorated: which argument goes where, what is
//! left out of the key, and what the defaults are.
//!
//! A key holds, for each parameter in the order of the signature that is not left out, the
//! encoding of its value, whether it was given by position, by keyword or by default. What
//! `*args` and `**kwargs` take follows with its number, and with its names in order. So equal
//! calls give equal bytes, however they are written.

#![allow(unsafe_code)]

use std::borrow::Cow;
use std::ptr;

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};
use smallvec::SmallVec;
use tenure::Encoder;
use tenure::front::Digests;

use crate::caller::user_code::{self, Packed};
use crate::encode::{self, Context, HashFuncs, Reading, Settled};
use crate::process::once::intern;

/// Where the arguments of a call go.
pub(crate) struct Plan {
    signature: Py<PyAny>,
    params: Vec<Param>,
    /// How many parameters can be given by position.
    positional: usize,
    extra: Option<Rest>,
    keywords: Option<Rest>,
    hash_funcs: Option<HashFuncs>,
    /// Whether each argument of an exact built-in type may take the short way.
    short: bool,
}

struct Param {
    name: Py<PyString>,
    /// The name for messages.
    text: String,
    default: Option<DefaultValue>,
    by_keyword: bool,
    skipped: bool,
}

/// The default of a parameter, kept alive with its function.
struct DefaultValue {
    object: Py<PyAny>,
    /// What it counts as; nothing where it is read at each call, and where it does not count.
    settled: Option<Settled>,
}

impl Param {
    /// What a value counts as that is the default, null where the call leaves it out.
    fn settled(&self, value: *mut ffi::PyObject) -> Option<(&Settled, &Py<PyAny>)> {
        let default = self.default.as_ref()?;
        let is_meant = value.is_null() || value == default.object.as_ptr();
        let settled = default.settled.as_ref().filter(|_| is_meant)?;
        Some((settled, &default.object))
    }
}

/// The parameter that is `*args` or `**kwargs`.
struct Rest {
    /// As it is written in the signature.
    name: String,
    skipped: bool,
}

/// Marks in a key; the values of parameters need none.
const EXTRA: u8 = 0x01;
const KEYWORDS: u8 = 0x02;

/// The arguments of one call, borrowed from its caller for as long as the call lasts.
#[derive(Clone, Copy)]
pub(crate) struct Arguments {
    first: *const *mut ffi::PyObject,
    positional: usize,
    names: *mut ffi::PyObject,
}

impl Arguments {
    /// Wraps what a vectorcall receives.
    pub(crate) fn new(
        first: *const *mut ffi::PyObject,
        flagged: usize,
        names: *mut ffi::PyObject,
    ) -> Self {
        Self {
            first,
            positional: flagged & !ffi::PY_VECTORCALL_ARGUMENTS_OFFSET,
            names,
        }
    }

    pub(crate) fn first(&self) -> *const *mut ffi::PyObject {
        self.first
    }

    /// The first one by position, or null.
    pub(crate) fn foremost(&self) -> *mut ffi::PyObject {
        match self.positional {
            0 => std::ptr::null_mut(),
            _ => self.get(0),
        }
    }

    pub(crate) fn positional(&self) -> usize {
        self.positional
    }

    pub(crate) fn names(&self) -> *mut ffi::PyObject {
        self.names
    }

    /// These arguments as a tuple and a dict.
    pub(crate) fn packed<'py>(&self, py: Python<'py>) -> PyResult<Packed<'py>> {
        // SAFETY: the arguments of a call, which the caller holds.
        unsafe { user_code::packed(py, self.first, self.positional, self.names) }
    }

    /// These arguments behind one more.
    pub(crate) fn behind(&self, first: *mut ffi::PyObject) -> SmallVec<[*mut ffi::PyObject; 8]> {
        let count = self.positional + self.keywords();
        std::iter::once(first)
            .chain((0..count).map(|at| self.get(at)))
            .collect()
    }

    fn get(&self, at: usize) -> *mut ffi::PyObject {
        // SAFETY: `at` is below the number of arguments, positional ones and keywords, that the
        // caller passed.
        unsafe { *self.first.add(at) }
    }

    fn keywords(&self) -> usize {
        if self.names.is_null() {
            return 0;
        }
        // SAFETY: the names of a vectorcall are a tuple.
        unsafe { ffi::PyTuple_GET_SIZE(self.names) as usize }
    }

    fn keyword(&self, at: usize) -> (*mut ffi::PyObject, *mut ffi::PyObject) {
        // SAFETY: `at` is below the number of names.
        let name = unsafe { ffi::PyTuple_GET_ITEM(self.names, at as ffi::Py_ssize_t) };
        (name, self.get(self.positional + at))
    }
}

impl Plan {
    /// Reads the signature of `func`.
    pub(crate) fn compile(
        py: Python<'_>,
        func: &Bound<'_, PyAny>,
        hash_funcs: Option<HashFuncs>,
    ) -> PyResult<Self> {
        let inspect = py.import(intern!(py, "inspect"))?;
        let signature = match inspect.call_method1(intern!(py, "signature"), (func,)) {
            // Some built-in callables do not tell: their arguments are taken as they come.
            Err(error) if error.is_instance_of::<PyValueError>(py) => {
                let any = py.eval(c"lambda *args, **kwargs: None", None, None)?;
                inspect.call_method1(intern!(py, "signature"), (any,))?
            }
            signature => signature?,
        };
        let empty = inspect.getattr("Parameter")?.getattr("empty")?;
        let mut plan = Self {
            signature: signature.clone().unbind(),
            params: Vec::new(),
            positional: 0,
            extra: None,
            keywords: None,
            short: hash_funcs.is_none(),
            hash_funcs,
        };
        for param in signature
            .getattr("parameters")?
            .call_method0("values")?
            .try_iter()?
        {
            plan.add(&param?, &empty)?;
        }
        Ok(plan)
    }

    fn add(&mut self, param: &Bound<'_, PyAny>, empty: &Bound<'_, PyAny>) -> PyResult<()> {
        let name: String = param.getattr("name")?.extract()?;
        let skipped = name.starts_with('_');
        let kind: u8 = param.getattr("kind")?.extract()?;
        let (positional, by_keyword) = match kind {
            0 => (true, false),
            1 => (true, true),
            3 => (false, true),
            2 => {
                let name = format!("*{name}");
                self.extra = Some(Rest { name, skipped });
                return Ok(());
            }
            _ => {
                self.keywords = Some(Rest { name, skipped });
                return Ok(());
            }
        };
        let default = param.getattr("default")?;
        let default = match default.is(empty) {
            true => None,
            false => Some(self.settle(default, skipped)?),
        };
        self.positional += usize::from(positional);
        self.params.push(Param {
            name: PyString::intern(param.py(), &name).unbind(),
            text: name,
            default,
            by_keyword,
            skipped,
        });
        Ok(())
    }

    fn settle(&self, default: Bound<'_, PyAny>, skipped: bool) -> PyResult<DefaultValue> {
        let settled = match skipped {
            true => None,
            false => encode::settle(default.py(), &default, &self.context(""), Digests::Keyed)?,
        };
        Ok(DefaultValue {
            object: default.unbind(),
            settled,
        })
    }

    /// The signature, as `inspect` tells it.
    pub(crate) fn signature(&self) -> &Py<PyAny> {
        &self.signature
    }

    /// Writes the key of a call, and says whether the arguments were told by code of theirs.
    ///
    /// # Errors
    /// Arguments that do not fit the signature, or that have no key.
    pub(crate) fn encode(
        &self,
        py: Python<'_>,
        function: &str,
        arguments: Arguments,
        encoder: &mut Encoder,
    ) -> PyResult<Reading> {
        self.encode_as(py, function, arguments, encoder, Needed::Call)
    }

    /// Writes the key of an entry that is named and not called, and says the same.
    ///
    /// # Errors
    /// Arguments that do not fit the signature, or that have no key. What is left out of the key
    /// may be left out of the arguments too.
    pub(crate) fn encode_named(
        &self,
        py: Python<'_>,
        function: &str,
        arguments: Arguments,
        encoder: &mut Encoder,
    ) -> PyResult<Reading> {
        self.encode_as(py, function, arguments, encoder, Needed::Key)
    }

    /// Refuses arguments that read differently twice in a row.
    ///
    /// # Errors
    /// Such an argument, named with the field that changed.
    #[cold]
    #[inline(never)]
    pub(crate) fn check(
        &self,
        py: Python<'_>,
        function: &str,
        arguments: Arguments,
    ) -> PyResult<()> {
        let bound = self.bind(py, function, arguments, Needed::Key)?;
        let cx = self.context(function);
        self.counted(arguments, &bound, |counted| match counted {
            Counted::Value(value, name) => encode::check(py, value, &name, &cx),
            Counted::Mark(..) | Counted::Settled(..) => Ok(()),
        })
    }

    /// The same, with the name of each argument and where what it wrote ends.
    ///
    /// # Errors
    /// As for [`encode_named`](Self::encode_named).
    pub(crate) fn encode_parts(
        &self,
        py: Python<'_>,
        function: &str,
        arguments: Arguments,
        encoder: &mut Encoder,
    ) -> PyResult<(Reading, Vec<(String, usize)>)> {
        let mut parts = Vec::new();
        let written = |name: &str, end| parts.push((self.name_shown(name), end));
        let reading = self.write(py, function, arguments, encoder, Needed::Key, written)?;
        Ok((reading, parts))
    }

    /// The name of an argument without what its caller has chosen: the names behind `**` are arguments too.
    fn name_shown(&self, name: &str) -> String {
        let written = self.params.iter().map(|it| &it.text);
        let written = written.chain(self.extra.as_ref().map(|it| &it.name));
        match &self.keywords {
            Some(rest) if !written.into_iter().any(|it| it == name) => format!("**{}", rest.name),
            _ => name.to_owned(),
        }
    }

    fn encode_as(
        &self,
        py: Python<'_>,
        function: &str,
        arguments: Arguments,
        encoder: &mut Encoder,
        needed: Needed,
    ) -> PyResult<Reading> {
        if self.encode_short(arguments, encoder) {
            return Ok(Reading::Seen);
        }
        encoder.clear();
        self.write(py, function, arguments, encoder, needed, |_, _| {})
    }

    /// Writes the key the long way, and tells of each argument when it is written, with the length of the key.
    #[inline(always)]
    fn write(
        &self,
        py: Python<'_>,
        function: &str,
        arguments: Arguments,
        encoder: &mut Encoder,
        needed: Needed,
        mut written: impl FnMut(&str, usize),
    ) -> PyResult<Reading> {
        let bound = self.bind(py, function, arguments, needed)?;
        let cx = self.context(function);
        let mut reading = Reading::Seen;
        self.counted(arguments, &bound, |counted| {
            match counted {
                Counted::Mark(tag, bytes) => encoder.framed(tag, bytes),
                Counted::Settled(settled, _, name) if encoder.digests() == Digests::Keyed => {
                    encoder.raw(&settled.bytes);
                    encoder.narrow(settled.meaning);
                    written(name, encoder.len());
                }
                // What stands for long contents means nothing under other digests.
                Counted::Settled(_, default, name) => {
                    let settled = encode::settle(py, default.bind(py), &cx, encoder.digests())?;
                    if let Some(settled) = settled {
                        encoder.raw(&settled.bytes);
                        encoder.narrow(settled.meaning);
                    }
                    written(name, encoder.len());
                }
                Counted::Value(value, name) => {
                    if encode::encode(py, encoder, value, &name, &cx)? == Reading::Told {
                        reading = Reading::Told;
                    }
                    written(&name, encoder.len());
                }
            }
            Ok(())
        })?;
        Ok(reading)
    }

    fn context<'a>(&'a self, function: &'a str) -> Context<'a> {
        Context {
            function,
            hash_funcs: self.hash_funcs.as_ref(),
        }
    }

    /// The short way: positional arguments of exact built-in types. Runs no Python; `false` where
    /// it cannot be gone, and the encoder then holds what was begun.
    #[inline]
    pub(crate) fn encode_short(&self, arguments: Arguments, encoder: &mut Encoder) -> bool {
        if !self.short
            || !arguments.names.is_null()
            || arguments.positional != self.params.len()
            || self.positional != self.params.len()
            || self.extra.is_some()
            || self.keywords.is_some()
        {
            return false;
        }
        for (at, param) in self.params.iter().enumerate() {
            // SAFETY: the caller holds its arguments, and their number was checked.
            if !param.skipped && !unsafe { encode::encode_scalar(encoder, arguments.get(at)) } {
                return false;
            }
        }
        true
    }

    /// A complaint about what is seldom meant: that all a function takes is a `*_hosts` or
    /// `**_options` and the like, so that whatever it is called with is one entry.
    pub(crate) fn complaint(&self, function: &str) -> Option<String> {
        let rests = self.extra.iter().chain(&self.keywords);
        let counts = self.params.iter().map(|param| param.skipped);
        let mut skipped = counts.chain(rests.map(|rest| rest.skipped));
        if !skipped.all(|skipped| skipped) {
            return None;
        }
        let (extra, keywords) = (self.extra.as_ref(), self.keywords.as_ref());
        let names = match (extra, keywords) {
            (Some(extra), Some(rest)) => format!("`{}` and `**{}`", extra.name, rest.name),
            (Some(extra), None) => format!("`{}`", extra.name),
            (None, Some(rest)) => format!("`**{}`", rest.name),
            (None, None) => return None,
        };
        Some(format!(
            "`{function}` leaves all its arguments out of the key, because the names of {names} \
             begin with an underscore: every call of it is one entry. To have them count, write \
             the names without the underscore."
        ))
    }

    // Without a copy of what is placed: every hit that goes the long way binds.
    #[inline(always)]
    fn bind(
        &self,
        py: Python<'_>,
        function: &str,
        arguments: Arguments,
        needed: Needed,
    ) -> PyResult<Placed> {
        let mut values: SmallVec<[*mut ffi::PyObject; 8]> =
            smallvec::smallvec![ptr::null_mut(); self.params.len()];
        if arguments.positional > self.positional && self.extra.is_none() {
            return Err(self.mismatch(py, function, arguments));
        }
        for (at, value) in values.iter_mut().enumerate().take(self.positional) {
            if at < arguments.positional {
                *value = arguments.get(at);
            }
        }
        let mut rest: SmallVec<[(Vec<u8>, *mut ffi::PyObject); 4]> = SmallVec::new();
        for at in 0..arguments.keywords() {
            let (name, value) = arguments.keyword(at);
            match self.find(py, name) {
                Some(at) if values[at].is_null() => values[at] = value,
                None if self.keywords.is_some() => {
                    // SAFETY: the name is a live str of the caller's tuple.
                    let name = unsafe { Bound::<PyAny>::from_borrowed_ptr(py, name) };
                    rest.push((text(name.cast()?)?, value));
                }
                _ => return Err(self.mismatch(py, function, arguments)),
            }
        }
        let missing = |(param, value): (&Param, &*mut ffi::PyObject)| {
            let asked = !param.skipped || needed == Needed::Call;
            asked && value.is_null() && param.default.is_none()
        };
        if self.params.iter().zip(&values).any(missing) {
            return Err(self.mismatch(py, function, arguments));
        }
        rest.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        Ok(Placed { values, rest })
    }

    /// Which parameter a keyword names.
    fn find(&self, py: Python<'_>, name: *mut ffi::PyObject) -> Option<usize> {
        let same = self
            .params
            .iter()
            .position(|param| param.name.as_ptr() == name);
        let found = same.or_else(|| {
            // SAFETY: both are live strings.
            let equal =
                |param: &Param| unsafe { ffi::PyUnicode_Compare(param.name.as_ptr(), name) == 0 };
            let _ = py;
            self.params.iter().position(equal)
        })?;
        self.params[found].by_keyword.then_some(found)
    }

    /// Goes through what counts of a call, in the order of the key.
    fn counted<'a>(
        &'a self,
        arguments: Arguments,
        bound: &'a Placed,
        mut each: impl FnMut(Counted<'_>) -> PyResult<()>,
    ) -> PyResult<()> {
        for (param, &value) in self.params.iter().zip(&bound.values) {
            if param.skipped {
                continue;
            }
            if let Some((settled, default)) = param.settled(value) {
                each(Counted::Settled(settled, default, &param.text))?;
                continue;
            }
            let value = match &param.default {
                Some(default) if value.is_null() => default.object.as_ptr(),
                // A parameter without a default has a value, or `bind` had refused.
                _ => value,
            };
            each(Counted::Value(value, Cow::Borrowed(&param.text)))?;
        }
        if let Some(extra) = self.extra.as_ref().filter(|extra| !extra.skipped) {
            let count = arguments.positional.saturating_sub(self.positional);
            each(Counted::Mark(EXTRA, &count.to_le_bytes()))?;
            for at in 0..count {
                let value = arguments.get(self.positional + at);
                each(Counted::Value(value, Cow::Borrowed(&extra.name)))?;
            }
        }
        if self.keywords.as_ref().is_some_and(|rest| !rest.skipped) {
            let kept = || {
                let rest = bound.rest.iter();
                rest.filter(|(name, _)| !name.starts_with(b"_"))
            };
            each(Counted::Mark(KEYWORDS, &kept().count().to_le_bytes()))?;
            for (name, value) in kept() {
                each(Counted::Mark(KEYWORDS, name))?;
                each(Counted::Value(*value, String::from_utf8_lossy(name)))?;
            }
        }
        Ok(())
    }

    /// Python's own words for arguments that do not fit.
    fn mismatch(&self, py: Python<'_>, function: &str, arguments: Arguments) -> PyErr {
        let told = || -> PyResult<PyErr> {
            let mut given = Vec::new();
            for at in 0..arguments.positional {
                // SAFETY: the caller holds its arguments.
                given.push(unsafe { Bound::from_borrowed_ptr(py, arguments.get(at)) });
            }
            let named = PyDict::new(py);
            for at in 0..arguments.keywords() {
                let (name, value) = arguments.keyword(at);
                // SAFETY: as above.
                let (name, value) = unsafe {
                    (
                        Bound::<PyAny>::from_borrowed_ptr(py, name),
                        Bound::<PyAny>::from_borrowed_ptr(py, value),
                    )
                };
                named.set_item(name, value)?;
            }
            let signature = self.signature.bind(py);
            match signature.call_method("bind", PyTuple::new(py, given)?, Some(&named)) {
                Err(error) => Ok(PyTypeError::new_err(format!(
                    "{function}(): {}",
                    error.value(py)
                ))),
                Ok(_) => Ok(PyTypeError::new_err(format!(
                    "{function}(): the arguments do not fit {signature}"
                ))),
            }
        };
        told().unwrap_or_else(|error| error)
    }

    pub(crate) fn traverse(&self, visit: &pyo3::PyVisit<'_>) -> Result<(), pyo3::PyTraverseError> {
        visit.call(&self.signature)?;
        for param in &self.params {
            if let Some(default) = &param.default {
                visit.call(&default.object)?;
            }
        }
        match &self.hash_funcs {
            Some(funcs) => funcs.traverse(visit),
            None => Ok(()),
        }
    }
}

/// A part of a key.
enum Counted<'a> {
    /// A mark with what it says.
    Mark(u8, &'a [u8]),
    /// What a default counts as, the default, and the name of its parameter.
    Settled(&'a Settled, &'a Py<PyAny>, &'a str),
    /// An argument, with the name of its parameter.
    Value(*mut ffi::PyObject, Cow<'a, str>),
}

/// Which parameters without a default must have a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Needed {
    /// All of them: the function may run.
    Call,
    /// Those that count.
    Key,
}

/// Arguments in the order of the parameters; null where the default stands.
struct Placed {
    values: SmallVec<[*mut ffi::PyObject; 8]>,
    rest: SmallVec<[(Vec<u8>, *mut ffi::PyObject); 4]>,
}

/// The characters of a keyword, which need not be text that can be written out.
fn text(name: &Bound<'_, PyString>) -> PyResult<Vec<u8>> {
    match name.to_str() {
        Ok(text) => Ok(text.as_bytes().to_vec()),
        Err(_) => name
            .call_method1("encode", ("utf-8", "surrogatepass"))?
            .extract(),
    }
}
