//! What is made once for the process, also where a thread forks it meanwhile.
//!
//! A cell that has others wait while one thread fills it must not be forked in that moment: in the child nobody fills it,
//! and whoever looks waits for ever. Here nobody waits: several threads may make the value, and the first one is kept.
#![allow(unsafe_code)]

use std::convert::Infallible;
use std::marker::PhantomData;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use pyo3::PyTypeCheck;
use pyo3::prelude::*;
use pyo3::types::PyString;

/// A value that is made where it is first asked for, for a static: it stays for good.
pub(crate) struct Once<T> {
    made: AtomicPtr<T>,
    _owns: PhantomData<T>,
}

impl<T> Once<T> {
    pub(crate) const fn new() -> Self {
        Self {
            made: AtomicPtr::new(ptr::null_mut()),
            _owns: PhantomData,
        }
    }

    #[inline]
    pub(crate) fn get(&self, _: Python<'_>) -> Option<&T> {
        // SAFETY: it is null, or comes from a box that nobody takes back.
        unsafe { self.made.load(Ordering::Acquire).as_ref() }
    }

    #[inline]
    pub(crate) fn get_or_init(&self, py: Python<'_>, make: impl FnOnce() -> T) -> &T {
        let made: Result<_, Infallible> = self.get_or_try_init(py, || Ok(make()));
        match made {
            Ok(made) => made,
        }
    }

    /// The value, made by `make` where there is none: it may run any code, and another thread's may be kept.
    ///
    /// # Errors
    /// What `make` says.
    #[inline]
    pub(crate) fn get_or_try_init<E>(
        &self,
        py: Python<'_>,
        make: impl FnOnce() -> Result<T, E>,
    ) -> Result<&T, E> {
        match self.get(py) {
            Some(made) => Ok(made),
            None => Ok(self.keep(make()?)),
        }
    }

    #[cold]
    fn keep(&self, value: T) -> &T {
        let own = Box::into_raw(Box::new(value));
        let (kept, unless) = (Ordering::AcqRel, Ordering::Acquire);
        match self
            .made
            .compare_exchange(ptr::null_mut(), own, kept, unless)
        {
            // SAFETY: the box is this cell's by now, and stays.
            Ok(_) => unsafe { &*own },
            Err(first) => {
                // SAFETY: nobody else has seen this box.
                drop(unsafe { Box::from_raw(own) });
                // SAFETY: as in `get`.
                unsafe { &*first }
            }
        }
    }
}

impl<T: PyTypeCheck> Once<Py<T>> {
    /// What a module has under this name.
    ///
    /// # Errors
    /// What the import raises, and where there is none, or one of another type.
    pub(crate) fn import<'py>(
        &self,
        py: Python<'py>,
        module: &str,
        name: &str,
    ) -> PyResult<&Bound<'py, T>> {
        let found = self.get_or_try_init(py, || {
            let found = py.import(module)?.getattr(name)?;
            PyResult::Ok(found.cast_into()?.unbind())
        });
        found.map(|it| it.bind(py))
    }
}

/// A text that Python has once, by [`intern`].
pub(crate) struct Interned(&'static str, Once<Py<PyString>>);

impl Interned {
    pub(crate) const fn new(text: &'static str) -> Self {
        Self(text, Once::new())
    }

    #[inline]
    pub(crate) fn get<'py>(&self, py: Python<'py>) -> &Bound<'py, PyString> {
        let text = self
            .1
            .get_or_init(py, || PyString::intern(py, self.0).unbind());
        text.bind(py)
    }
}

/// A text as Python's interned string, made where it is first asked for.
macro_rules! intern {
    ($py: expr, $text: expr) => {{
        static INTERNED: $crate::process::once::Interned =
            $crate::process::once::Interned::new($text);
        INTERNED.get($py)
    }};
}
pub(crate) use intern;
