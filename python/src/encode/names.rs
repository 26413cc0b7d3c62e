//! The names of classes and functions, and what is found under them.
#![allow(unsafe_code)]

use super::class::is_heap;
use super::tags;
use crate::program::modules;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyType};
use tenure::Encoder;

/// Whether a class is what its name says, not one of the user's under the same name: it is either
/// part of a compiled module, or what its module has under its name.
pub(super) fn is_itself(class: &Bound<'_, PyType>) -> bool {
    !is_heap(class) || importable(class).unwrap_or(false)
}

/// Whether an object with a module and a qualified name is what is found there.
pub(super) fn importable(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    Ok(found(value)?.is_some_and(|found| found.is(value)))
}

/// The object that is found under another's module and qualified name.
pub(super) fn found<'py>(value: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let (Some(module), Some(name)) = (
        value.getattr_opt("__module__")?,
        value.getattr_opt("__qualname__")?,
    ) else {
        return Ok(None);
    };
    found_under(&module, name.cast::<PyString>()?.to_str()?)
}

/// The object that is found under a qualified name in a module that has been imported, given by its
/// name.
pub(super) fn found_under<'py>(
    module: &Bound<'py, PyAny>,
    name: &str,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let Some(mut found) = modules::all(module.py()).get_item(module)? else {
        return Ok(None);
    };
    for part in name.split('.') {
        match found.getattr_opt(part)? {
            Some(next) => found = next,
            None => return Ok(None),
        }
    }
    Ok(Some(found))
}

/// Writes the module and qualified name of a class (K7).
pub(super) fn write_id(enc: &mut Encoder, class: &Bound<'_, PyType>) -> PyResult<()> {
    let text = |name: &str| -> PyResult<String> {
        Ok(match class.getattr_opt(name)? {
            Some(text) => text.str()?.to_string_lossy().into_owned(),
            None => String::new(),
        })
    };
    let (module, name) = (text("__module__")?, text("__qualname__")?);
    let module = public(class, &module, &name)?.unwrap_or(&module);
    enc.framed(tags::MODULE, module.as_bytes());
    enc.framed(tags::QUALNAME, name.as_bytes());
    Ok(())
}

/// The package of the standard library that shows a class of a private part of it: which part that is differs between
/// versions, as `pathlib._local` does. In other packages a part may be put in the place of another.
fn public<'a>(class: &Bound<'_, PyType>, module: &'a str, name: &str) -> PyResult<Option<&'a str>> {
    let Some((package, part)) = module.rsplit_once('.') else {
        return Ok(None);
    };
    let given = PyString::new(class.py(), package).into_any();
    if !part.starts_with('_') || !is_standard(given.clone())? {
        return Ok(None);
    }
    let shown = found_under(&given, name)?;
    Ok(shown
        .is_some_and(|shown| shown.is(class))
        .then_some(package))
}

/// Whether a module is part of the standard library.
pub(super) fn is_standard(module: Bound<'_, PyAny>) -> PyResult<bool> {
    let Some(root) = module_root(&module) else {
        return Ok(false);
    };
    if root == "__main__" {
        return Ok(false);
    }
    module
        .py()
        .import("sys")?
        .getattr("stdlib_module_names")?
        .contains(root)
}

/// The last part of the name that the class was made with.
///
/// # Safety
///
/// `class` is a live class, and outlives the slice.
pub(super) unsafe fn type_name<'a>(class: *mut ffi::PyTypeObject) -> &'a str {
    // SAFETY: the name of a class ends in NUL and lives as long as the class.
    let name = unsafe { std::ffi::CStr::from_ptr((*class).tp_name) };
    let name = name.to_str().unwrap_or_default();
    name.rsplit('.').next().unwrap_or(name)
}

/// The module and qualified name of a class, as a fully-qualified name.
pub(super) fn full_name(class: *mut ffi::PyTypeObject) -> String {
    // SAFETY: callers pass a live class with the interpreter attached.
    let class = unsafe {
        let py = Python::assume_attached();
        Bound::from_borrowed_ptr(py, class.cast()).cast_into_unchecked::<PyType>()
    };
    let text = |name: &str| -> Option<String> {
        let text = class.getattr(name).ok()?;
        Some(text.cast::<PyString>().ok()?.to_string_lossy().into_owned())
    };
    let name = text("__qualname__").unwrap_or_else(|| {
        // SAFETY: the class lives.
        unsafe { type_name(class.as_type_ptr()) }.to_owned()
    });
    match text("__module__") {
        Some(module) => format!("{module}.{name}"),
        None => name,
    }
}

/// The fully-qualified name as a reader would write it: built-in classes without their module.
pub(super) fn display_name(class: *mut ffi::PyTypeObject) -> String {
    let name = full_name(class);
    match name.strip_prefix("builtins.") {
        Some(short) => short.to_owned(),
        None => name,
    }
}

/// The first part of a module's name.
pub(super) fn module_root(module: &Bound<'_, PyAny>) -> Option<String> {
    let module = module.cast::<PyString>().ok()?.to_string_lossy();
    Some(module.split('.').next()?.to_owned())
}

/// The name of an object's class for messages.
pub(super) fn class_of(value: &Bound<'_, PyAny>) -> String {
    display_name(value.get_type().as_type_ptr())
}
