//! A function's name in messages, and in the code that they say to write.

use pyo3::prelude::*;

use crate::encode::one_line;
use crate::process::once::intern;

/// The name that a user would call a callable by.
pub(crate) fn name_of(callable: &Bound<'_, PyAny>) -> String {
    let name = callable.getattr(intern!(callable.py(), "__qualname__"));
    match name.and_then(|name| name.extract()) {
        Ok(name) => name,
        Err(_) => match callable.repr() {
            Ok(text) => text.to_string_lossy().into_owned(),
            Err(error) => one_line(callable.py(), &error),
        },
    }
}

/// The function as an expression, for what is asked of it by name. One that has no name there is `f`.
pub(crate) fn called(function: &str) -> &str {
    let local = function.rsplit("<locals>.").next().unwrap_or(function);
    let is_name = |part: &str| !part.is_empty() && !part.contains(|it: char| !is_of_name(it));
    if local.split('.').all(is_name) {
        local
    } else {
        "f"
    }
}

/// How the function is written as an async one: by its own name, or in the place of a lambda.
pub(crate) fn written_async(function: &str) -> String {
    match called(function).rsplit('.').next() {
        Some(name) if function.ends_with(name) => format!("`async def {name}`"),
        _ => "an `async def` function in its place".to_owned(),
    }
}

fn is_of_name(it: char) -> bool {
    it.is_alphanumeric() || it == '_'
}
