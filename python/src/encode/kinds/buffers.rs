//! Objects that show their memory: `bytearray`, `memoryview`, `array.array`, `mmap`.
#![allow(unsafe_code)]

use crate::encode::fault::{Fault, Outcome};
use crate::encode::names::class_of;
use crate::encode::stream::Strided;
use crate::encode::tags;
use crate::encode::type_info::TypeInfo;
use crate::encode::walk::{Form, Walk};
use pyo3::ffi;
use pyo3::prelude::*;

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    ByteArray,
    View,
    /// A buffer that pickle hands over beside its bytes.
    Pickled,
    Array,
    Map,
}

pub(super) fn find(name: &str) -> Option<&'static dyn Form> {
    Some(match name {
        "builtins.bytearray" => &Kind::ByteArray,
        "builtins.memoryview" => &Kind::View,
        "pickle.PickleBuffer" => &Kind::Pickled,
        "array.array" => &Kind::Array,
        "mmap.mmap" => &Kind::Map,
        _ => return None,
    })
}

/// A view of an object's memory, which stays where it is until this is dropped.
struct Export(Box<ffi::Py_buffer>);

impl Export {
    fn of(value: &Bound<'_, PyAny>) -> PyResult<Self> {
        let mut view = Box::new(ffi::Py_buffer::new());
        // SAFETY: the object lives, and the view is filled in or an exception is set.
        let failed =
            unsafe { ffi::PyObject_GetBuffer(value.as_ptr(), &mut *view, ffi::PyBUF_FULL_RO) != 0 };
        if failed {
            Err(PyErr::fetch(value.py()))
        } else {
            Ok(Self(view))
        }
    }

    fn format(&self) -> &[u8] {
        if self.0.format.is_null() {
            return b"B";
        }
        // SAFETY: a format ends in NUL and lives as long as the view.
        unsafe { std::ffi::CStr::from_ptr(self.0.format) }.to_bytes()
    }

    /// The memory with its shape; `None` where it is reached through further pointers.
    fn strided(&self) -> Option<Strided> {
        let view = &*self.0;
        if !view.suboffsets.is_null() {
            return None;
        }
        let dims = view.ndim as usize;
        // SAFETY: a full view has a shape and strides of `ndim` items, unless it has none.
        unsafe {
            let (shape, strides) = if dims == 0 || view.shape.is_null() {
                (Vec::new(), Vec::new())
            } else {
                (
                    std::slice::from_raw_parts(view.shape, dims)
                        .iter()
                        .map(|&len| len as usize)
                        .collect(),
                    std::slice::from_raw_parts(view.strides, dims).to_vec(),
                )
            };
            Some(Strided {
                data: view.buf.cast(),
                item: view.itemsize as usize,
                shape,
                strides,
            })
        }
    }
}

impl Drop for Export {
    fn drop(&mut self) {
        // SAFETY: the view was filled in, and the interpreter is attached where this is used.
        unsafe { ffi::PyBuffer_Release(&mut *self.0) }
    }
}

impl Form for Kind {
    fn write<'py>(
        &self,
        walk: &mut Walk<'_, '_, 'py>,
        value: &Bound<'py, PyAny>,
        _: &TypeInfo,
    ) -> Outcome {
        walk.buffer(*self, value)
    }

    fn holds(&self) -> bool {
        false
    }
}

impl<'py> Walk<'_, '_, 'py> {
    /// Writes what an object shows of its memory.
    fn buffer(&mut self, kind: Kind, value: &Bound<'py, PyAny>) -> Outcome {
        let export = Export::of(value)
            .map_err(|error| Fault::raised(self.py, class_of(value), "cannot be read", error))?;
        let Some(strided) = export.strided() else {
            return Err(Fault::no_key(
                class_of(value),
                "does not hold its data itself",
            ));
        };
        match kind {
            Kind::ByteArray => self.enc.tag(tags::BYTEARRAY),
            Kind::Array => self.enc.framed(tags::ARRAY, export.format()),
            Kind::Map => {
                self.enc.tag(tags::MEMORY_FILE);
                self.inner(&value.call_method0("tell")?)?;
            }
            Kind::View | Kind::Pickled => {
                if kind == Kind::Pickled {
                    self.enc.tag(tags::WRAPPED);
                }
                if export
                    .format()
                    .iter()
                    .any(|code| matches!(code, b'O' | b'&'))
                {
                    return Err(Fault::no_key(class_of(value), "shows pointers, not data"));
                }
                self.enc.framed(tags::BUFFER, export.format());
                self.shape(&strided.shape);
            }
        }
        // SAFETY: the export keeps the memory where it is.
        unsafe { self.strided(&strided, strided.item) };
        Ok(())
    }
}
