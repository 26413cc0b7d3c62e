//! Arguments that came as a tuple and a dict, laid out as a vectorcall has them.
#![allow(unsafe_code)]

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use smallvec::SmallVec;

use crate::function::plan::Arguments;

/// Owns what the arguments point to.
pub(crate) struct ArgumentArray<'py> {
    values: SmallVec<[Bound<'py, PyAny>; 8]>,
    pointers: SmallVec<[*mut ffi::PyObject; 8]>,
    positional: usize,
    names: Option<Bound<'py, PyTuple>>,
}

impl<'py> ArgumentArray<'py> {
    /// Lays out `args` and `kwargs`, behind `instance` where there is one.
    pub(crate) fn new(
        instance: Option<&Bound<'py, PyAny>>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Self> {
        let mut values: SmallVec<[Bound<'py, PyAny>; 8]> = SmallVec::new();
        values.extend(instance.cloned());
        values.extend(args.iter());
        let positional = values.len();
        let names = match kwargs {
            Some(kwargs) if !kwargs.is_empty() => {
                values.extend(kwargs.values().iter());
                Some(PyTuple::new(args.py(), kwargs.keys())?)
            }
            _ => None,
        };
        let pointers = values.iter().map(Bound::as_ptr).collect();
        Ok(Self {
            values,
            pointers,
            positional,
            names,
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The arguments, for as long as this lives.
    pub(crate) fn arguments(&self) -> Arguments {
        let names = self.names.as_ref();
        Arguments::new(
            self.pointers.as_ptr(),
            self.positional,
            names.map_or(std::ptr::null_mut(), Bound::as_ptr),
        )
    }
}
