//! Built-in values of the other types, and what derives from numbers, strings and bytes.
#![allow(unsafe_code)]

use crate::encode::fault::Outcome;
use crate::encode::names::class_of;
use crate::encode::scalars::float;
use crate::encode::tags;
use crate::encode::type_info::TypeInfo;
use crate::encode::walk::{Form, Walk};
use pyo3::ffi;
use pyo3::prelude::*;

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Int,
    Float,
    Complex,
    Str,
    Bytes,
    Range,
    Slice,
    Singleton(u8),
}

pub(super) fn find(name: &str) -> Option<&'static dyn Form> {
    Some(match name {
        "builtins.int" => &Kind::Int,
        "builtins.float" => &Kind::Float,
        "builtins.complex" => &Kind::Complex,
        "builtins.str" => &Kind::Str,
        "builtins.bytes" => &Kind::Bytes,
        "builtins.range" => &Kind::Range,
        "builtins.slice" => &Kind::Slice,
        "builtins.ellipsis" => &Kind::Singleton(tags::ELLIPSIS),
        "builtins.NotImplementedType" => &Kind::Singleton(tags::NOT_IMPLEMENTED),
        _ => return None,
    })
}

impl Form for Kind {
    fn write<'py>(
        &self,
        walk: &mut Walk<'_, '_, 'py>,
        value: &Bound<'py, PyAny>,
        _: &TypeInfo,
    ) -> Outcome {
        let ptr = value.as_ptr();
        match *self {
            Self::Int => return walk.integer(ptr),
            // SAFETY: the form is given to `float` and its subclasses only.
            Self::Float => float(walk.enc, unsafe { ffi::PyFloat_AS_DOUBLE(ptr) }),
            Self::Complex => walk.complex(ptr),
            Self::Str => return walk.string(ptr),
            Self::Bytes => walk.bytes(ptr),
            Self::Range => return walk.range(value),
            Self::Slice => return walk.slice(value),
            Self::Singleton(tag) => walk.enc.tag(tag),
        }
        Ok(())
    }

    fn holds(&self) -> bool {
        *self == Self::Slice
    }
}

impl Walk<'_, '_, '_> {
    /// Writes a complex number by the bits of its two parts.
    fn complex(&mut self, value: *mut ffi::PyObject) {
        // SAFETY: `value` is a live `complex` or an instance of a subclass.
        let number = unsafe { (*value.cast::<ffi::PyComplexObject>()).cval };
        self.enc.tag(tags::COMPLEX);
        float(self.enc, number.real);
        float(self.enc, number.imag);
    }

    /// Writes a `range` by the numbers that it gives, as its own equality has it: the first, and
    /// where there are more the last and the step.
    pub(super) fn range(&mut self, value: &Bound<'_, PyAny>) -> Outcome {
        self.enc.tag(tags::RANGE);
        if value.is_truthy()? {
            let (first, last) = (value.get_item(0)?, value.get_item(-1)?);
            self.value(first.as_ptr())?;
            if first.ne(&last)? {
                self.value(last.as_ptr())?;
                self.value(value.getattr("step")?.as_ptr())?;
            }
        }
        self.enc.tag(tags::END);
        Ok(())
    }

    /// Writes the start, stop and step of a `slice`.
    fn slice(&mut self, value: &Bound<'_, PyAny>) -> Outcome {
        self.enc.tag(tags::SLICE);
        for name in ["start", "stop", "step"] {
            let bound = value.getattr(name)?;
            self.value(bound.as_ptr())
                .map_err(|fault| fault.at(class_of(value), format!("its {name}")))?;
        }
        Ok(())
    }
}
