//! Objects that are a fixed list of parts which their reductions leave out.
#![allow(unsafe_code)]

use crate::encode::fault::Outcome;
use crate::encode::members::{Described, exception_state};
use crate::encode::tags;
use crate::encode::type_info::TypeInfo;
use crate::encode::walk::{Form, Walk};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyType;

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Type variables and type aliases: pickled by a name that they need not be found under.
    Typing,
    /// A `super()`, which answers with the attributes of something else.
    Super,
    /// A function whose results `functools` keeps.
    KeepsResults,
    /// An exception: its reduction, and what compiled classes keep of it outside.
    Exception,
}

const TYPING: [&str; 11] = [
    "__module__",
    "__name__",
    "__bound__",
    "__constraints__",
    "__covariant__",
    "__contravariant__",
    "__infer_variance__",
    "__default__",
    "__supertype__",
    "__value__",
    "__type_params__",
];

pub(super) fn find(name: &str) -> Option<&'static dyn Form> {
    Some(match name {
        "typing.TypeVar"
        | "typing.ParamSpec"
        | "typing.TypeVarTuple"
        | "typing.NewType"
        | "typing.TypeAliasType" => &Kind::Typing,
        "builtins.super" => &Kind::Super,
        "functools._lru_cache_wrapper" => &Kind::KeepsResults,
        "builtins.BaseException" => &Kind::Exception,
        _ => return None,
    })
}

impl Form for Kind {
    fn write<'py>(
        &self,
        walk: &mut Walk<'_, '_, 'py>,
        value: &Bound<'py, PyAny>,
        info: &TypeInfo,
    ) -> Outcome {
        walk.by_parts(*self, value, info)
    }

    fn covers_derived(&self) -> bool {
        *self == Self::Exception
    }

    fn is_reduced(&self) -> bool {
        *self == Self::Exception
    }

    fn beside(&self, class: &Bound<'_, PyType>) -> PyResult<Option<Vec<Described>>> {
        (*self == Self::Exception)
            .then(|| exception_state(class))
            .transpose()
    }
}

impl<'py> Walk<'_, '_, 'py> {
    /// Writes an object by its parts.
    fn by_parts(&mut self, kind: Kind, value: &Bound<'py, PyAny>, info: &TypeInfo) -> Outcome {
        match kind {
            Kind::Typing => {
                self.enc.tag(tags::PARTS);
                self.class_of_value(value, info)?;
                self.named(value, &TYPING)
            }
            Kind::Super => {
                self.enc.tag(tags::PARTS);
                self.class_of_value(value, info)?;
                // SAFETY: the class is static, and the interpreter is attached.
                let class = unsafe {
                    Bound::from_borrowed_ptr(self.py, (&raw mut ffi::PySuper_Type).cast())
                };
                for name in ["__thisclass__", "__self_class__", "__self__"] {
                    // Asked of the object itself, its class might answer for it.
                    let part = class.getattr(name)?.call_method1("__get__", (value,))?;
                    self.value(part.as_ptr())
                        .map_err(|fault| fault.at("super".to_owned(), format!("its `{name}`")))?;
                }
                Ok(())
            }
            Kind::KeepsResults => {
                self.around(value, "__wrapped__")?;
                self.inner(&value.call_method0("cache_parameters")?)
            }
            // What is beside the reduction follows it.
            Kind::Exception => self.reduce(value, info),
        }
    }
}
