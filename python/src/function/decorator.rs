//! The decorator: from a Python function and its settings to a cached one.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use crate::caller::user_code;
use crate::function::cached::Cached;
use crate::function::options::Written;
use crate::process::once::intern;

/// The attribute that has the settings of a function which can go to another process only with its code.
const WRITTEN: &str = "_written";

/// Decorates a function: `tenure.cache_resource` with its settings checked.
#[pyfunction]
pub(crate) fn cache(func: Bound<'_, PyAny>, written: Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
    user_code::held(|| decorated(func, written))
}

fn decorated(func: Bound<'_, PyAny>, written: Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
    let py = func.py();
    // A class or static method is cached inside, and bound outside.
    for kind in ["classmethod", "staticmethod"] {
        let class = py.import(intern!(py, "builtins"))?.getattr(kind)?;
        if func.get_type().is(&class) {
            let inner = decorated(func.getattr(intern!(py, "__func__"))?, written)?;
            return Ok(class.call1((inner,))?.unbind());
        }
    }
    if !func.is_callable() {
        return Err(PyTypeError::new_err(format!(
            "cache_resource decorates a function, not {func:?}. Settings are given by name, as in \
             @cache_resource(ttl=\"1h\")"
        )));
    }
    let settings: Written<'_> = written.extract()?;
    settings.warn()?;
    let cached = Cached::make(func.clone(), settings.check()?)?;
    let functools = py.import(intern!(py, "functools"))?;
    functools.call_method1(intern!(py, "update_wrapper"), (&cached, &func))?;
    let shape = cached.get().shape();
    if shape.is_async || shape.leaves() {
        // Frameworks ask what it is, and look behind it.
        let loops = py.import(intern!(py, "tenure._loops"))?;
        let given = (&cached, &func, shape.is_async, shape.is_generator);
        loops.call_method1(intern!(py, "present"), given)?;
    }
    // What a class or an instance has under the names of the methods here does not hide them.
    let attributes = cached.getattr(intern!(py, "__dict__"))?;
    for name in [
        "clear", "clear_if", "discard", "expire", "info", "lease", "peek", "warm", WRITTEN,
    ] {
        attributes.call_method1(intern!(py, "pop"), (name, py.None()))?;
    }
    if goes_by_its_code(&func)? {
        attributes.set_item(WRITTEN, written)?;
    }
    Ok(cached.into_any().unbind())
}

/// Whether the function's name means nothing in another process, so that it can go there only with its code.
fn goes_by_its_code(func: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = func.py();
    let text = |name| -> PyResult<Option<String>> {
        let found = func.getattr_opt(name)?;
        Ok(found.and_then(|it| it.extract().ok()))
    };
    let module = text(intern!(py, "__module__"))?;
    let name = text(intern!(py, "__qualname__"))?;
    Ok(module.is_some_and(|it| it == "__main__") || name.is_some_and(|it| it.contains("<locals>")))
}

/// Checks the settings where the decorator stands, before there is a function.
#[pyfunction]
pub(crate) fn check(written: Written<'_>) -> PyResult<()> {
    written.check().map(drop)
}
