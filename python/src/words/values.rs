//! Values as users write them: times, numbers, flags and callbacks, with an error that says what to write
//! where they cannot be.

use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDelta, PyString};

use crate::function::shape::is_async_function;
use crate::life::arity::{self, Use};
use crate::words::errors;
use crate::words::log;

/// A span of time as users write it: seconds, a `timedelta`, or a string.
///
/// # Errors
/// `TypeError` or `ValueError`, with the accepted forms and an example.
pub(crate) fn duration(name: &str, value: &Bound<'_, PyAny>) -> PyResult<Option<Duration>> {
    if value.is_none() {
        return Ok(None);
    }
    if let Ok(text) = value.cast::<PyString>() {
        return tenure::front::parse_duration(name, text.to_str()?)
            .map(|parsed| Some(parsed.duration))
            .map_err(|error| errors::setting_value(value.py(), error.to_string()));
    }
    if value.is_instance_of::<PyDelta>() {
        return value
            .extract()
            .map(Some)
            .map_err(|_| unusable(name, value, "is negative"));
    }
    if truth(value).is_some() {
        return Err(wrong_type(name, value));
    }
    let seconds: f64 = value.extract().map_err(|_| wrong_type(name, value))?;
    if seconds.is_nan() {
        return Err(unusable(name, value, "is not a number"));
    }
    if seconds < 0.0 {
        return Err(unusable(name, value, "is negative"));
    }
    // What is longer than the engine can count, infinity too, never passes.
    Ok(Duration::try_from_secs_f64(seconds).ok())
}

/// Warns of a text that is a number and nothing else: it is easily taken for seconds.
pub(crate) fn mind_unit(name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
    let Ok(text) = value.cast::<PyString>() else {
        return Ok(());
    };
    if !tenure::front::parse_duration(name, text.to_str()?).is_ok_and(|parsed| parsed.bare_number) {
        return Ok(());
    }
    let text = format!(
        "{name}={value:?} has no unit and means nanoseconds. Write the unit, as in \
         {name}=\"60s\", or a number of seconds, as in {name}=60."
    );
    log::warn(value.py(), &text)
}

const DURATION_FORMS: &str = "Accepted are None, a number of seconds, a datetime.timedelta, or a \
                              string as pandas.Timedelta reads it";

fn wrong_type(name: &str, value: &Bound<'_, PyAny>) -> PyErr {
    errors::setting_type(
        value.py(),
        format!("{name} cannot be {value:?}. {DURATION_FORMS}. Example: {name}=\"1h30m\""),
    )
}

fn unusable(name: &str, value: &Bound<'_, PyAny>, why: &str) -> PyErr {
    errors::setting_value(
        value.py(),
        format!("{name}={value:?} {why}. {DURATION_FORMS}. Example: {name}=\"1h30m\""),
    )
}

/// A number without a fraction, whatever its class: `5`, `5.0`, and NumPy's. Neither a truth value
/// nor a text is one.
fn whole_number(value: &Bound<'_, PyAny>) -> Option<i128> {
    if truth(value).is_some() {
        return None;
    }
    if let Ok(number) = value.extract() {
        return Some(number);
    }
    let number: f64 = value.extract().ok()?;
    // Infinity and what is beyond any count are none; below that the conversion is exact.
    let is_whole = number.trunc() == number && number.abs() < 1e38;
    is_whole.then_some(number as i128)
}

/// Whether a value is a boolean, Python's or NumPy's.
pub(crate) fn is_truth(value: &Bound<'_, PyAny>) -> bool {
    truth(value).is_some()
}

/// A boolean, Python's or NumPy's.
fn truth(value: &Bound<'_, PyAny>) -> Option<bool> {
    // This is what PyO3 takes for a `bool`.
    value.extract().ok()
}

/// A boolean, or one of the numbers 0 and 1 in its place.
pub(crate) fn switch(value: &Bound<'_, PyAny>) -> Option<bool> {
    truth(value).or_else(|| match value.extract::<i128>() {
        Ok(0) => Some(false),
        Ok(1) => Some(true),
        _ => None,
    })
}

/// The most that entries may weigh together.
pub(crate) fn max_weight(value: &Bound<'_, PyAny>) -> PyResult<Option<u64>> {
    let forms = "Accepted are None for no bound, or a whole number from 1 on, in the unit of weight. \
                 Example: max_weight=8_000_000_000";
    bound("max_weight", value, forms, 1)
}

/// How many refreshes may run at a time.
pub(crate) fn workers(value: &Bound<'_, PyAny>) -> PyResult<usize> {
    let forms = "Accepted is a whole number from 0 on, where 0 is no refresh in the background. \
                 Example: refresh_workers=4";
    let workers = bound("refresh_workers", value, forms, 0)?;
    let workers = workers.and_then(|it| usize::try_from(it).ok());
    workers.ok_or_else(|| {
        let text = format!("refresh_workers cannot be {value:?}. {forms}");
        errors::setting_type(value.py(), text)
    })
}

/// A whole number from `least` on, or `None`.
pub(crate) fn bound(
    name: &str,
    value: &Bound<'_, PyAny>,
    forms: &str,
    least: u64,
) -> PyResult<Option<u64>> {
    if value.is_none() {
        return Ok(None);
    }
    match whole_number(value).map(u64::try_from) {
        Some(Ok(number)) if number >= least => Ok(Some(number)),
        Some(_) => Err(errors::setting_value(
            value.py(),
            format!("{name}={value:?} is no bound. {forms}"),
        )),
        None => Err(errors::setting_type(
            value.py(),
            format!("{name} cannot be {value:?}. {forms}"),
        )),
    }
}

/// A setting that is a boolean and nothing else.
pub(crate) fn flag(name: &str, value: &Bound<'_, PyAny>) -> PyResult<bool> {
    match value.cast::<PyBool>() {
        Ok(flag) => Ok(flag.is_true()),
        Err(_) => Err(neither(name, value)),
    }
}

/// A setting that apps also give as a number or as NumPy's boolean.
pub(crate) fn switched(name: &str, value: &Bound<'_, PyAny>) -> PyResult<bool> {
    switch(value).ok_or_else(|| neither(name, value))
}

fn neither(name: &str, value: &Bound<'_, PyAny>) -> PyErr {
    errors::setting_type(
        value.py(),
        format!("{name} must be True or False, not {value:?}. Example: {name}=True"),
    )
}

/// A callback that is called with the resource.
pub(crate) fn callback(
    name: &str,
    example: &str,
    value: Bound<'_, PyAny>,
) -> PyResult<Option<Py<PyAny>>> {
    let Some(callback) = callable(name, example, value)? else {
        return Ok(None);
    };
    arity::check(&Use {
        setting: name,
        given: &["the resource"],
        example,
        callable: &callback,
    })?;
    Ok(Some(callback.unbind()))
}

/// A callback, whatever it takes.
pub(crate) fn callable<'py>(
    name: &str,
    example: &str,
    value: Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    if value.is_none() {
        return Ok(None);
    }
    if !value.is_callable() {
        return Err(errors::setting_type(
            value.py(),
            format!(
                "{name} must be a function that takes the resource, or None, not {value:?}. \
             Example: {example}"
            ),
        ));
    }
    Ok(Some(value))
}

/// A callback that nobody awaits, whatever the function.
pub(crate) fn blocking_callback(
    name: &str,
    example: &str,
    value: Bound<'_, PyAny>,
) -> PyResult<Option<Py<PyAny>>> {
    if value.is_callable() && is_async_function(&value)? {
        return Err(errors::setting_type(
            value.py(),
            format!(
                "{name} cannot be an async function, since nothing awaits it here: {value:?}. \
             Example: {example}"
            ),
        ));
    }
    callback(name, example, value)
}

/// A setting that is a text, or `None`.
///
/// # Errors
/// A `TypeError` with an example. The value is not shown: it may be a secret.
pub(crate) fn text(
    name: &str,
    example: &str,
    value: &Bound<'_, PyAny>,
) -> PyResult<Option<String>> {
    if value.is_none() {
        return Ok(None);
    }
    value.extract().map(Some).map_err(|_| {
        let class = value.get_type();
        let class = class
            .name()
            .map_or_else(|_| "?".to_owned(), |it| it.to_string());
        errors::setting_type(
            value.py(),
            format!("{name} must be a text or None, not a {class}. Example: {name}=\"{example}\""),
        )
    })
}

/// A setting that is one of two words.
///
/// # Errors
/// A `ValueError` that names both.
pub(crate) fn one_of<T: Copy>(
    name: &str,
    value: &Bound<'_, PyAny>,
    words: [(&str, T); 2],
) -> PyResult<T> {
    let text = value.extract::<String>().ok();
    let found = words
        .iter()
        .find(|(word, _)| text.as_deref() == Some(*word));
    found.map(|(_, meant)| *meant).ok_or_else(|| {
        let [(one, _), (other, _)] = words;
        errors::setting_value(
            value.py(),
            format!(
                "{name} must be \"{one}\" or \"{other}\", not {value:?}. Example: {name}=\"{other}\""
            ),
        )
    })
}

/// How many members of a fleet may build one key at a time.
pub(crate) fn fleet_builds(value: &Bound<'_, PyAny>) -> PyResult<Option<u32>> {
    let forms = "Accepted are None for as many as there are members, or a whole number from 1 on. \
                 Example: fleet_builds=1";
    let most = bound("fleet_builds", value, forms, 1)?;
    // More than there can be members is no bound.
    Ok(most.and_then(|most| u32::try_from(most).ok()))
}
