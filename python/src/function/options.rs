//! The settings of a decorator: from Python objects to the engine's, with an error that says what
//! to write where they cannot be.

use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDelta, PyString};
use pyo3::{PyTraverseError, PyVisit};
use tenure::{Settings, Spinner};

use crate::function::shape::is_async_function;
use crate::life::callback::OnRelease;
use crate::program::scope::Sharing;
use crate::words::errors;
use crate::words::log::{self, Caller};

/// The settings of a decorator, checked.
pub(crate) struct Options {
    pub(crate) settings: Settings,
    pub(crate) hash_funcs: Option<Py<PyAny>>,
    pub(crate) validate: Option<Py<PyAny>>,
    pub(crate) keep_if: Option<Py<PyAny>>,
    pub(crate) on_release: Option<OnRelease>,
    pub(crate) sharing: Sharing,
    /// Whether the function gives a context manager, to be entered for the resource.
    pub(crate) enters: bool,
    /// The first of its callbacks that is async, by its setting's name.
    pub(crate) async_callback: Option<&'static str>,
    pub(crate) releases_async: bool,
}

impl Options {
    /// Refuses an async callback where nobody awaits it.
    ///
    /// # Errors
    /// A `TypeError` that says what to write.
    pub(crate) fn check_callbacks(&self, func: &Bound<'_, PyAny>, is_async: bool) -> PyResult<()> {
        match self.async_callback {
            Some(name) if !is_async => Err(errors::setting_type(
                func.py(),
                format!(
                    "{name} is an async function and {func:?} is not, so nothing would await it. Write \
                     `def` for {name}, or `async def` for the function"
                ),
            )),
            _ => Ok(()),
        }
    }

    /// The program's own functions among them.
    pub(crate) fn callbacks<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let on_release = self.on_release.as_ref().map(|it| &it.callback);
        let given = [self.validate.as_ref(), on_release, self.keep_if.as_ref()];
        let given = given.into_iter().flatten().map(|it| it.bind(py).clone());
        let mut callbacks: Vec<_> = given.collect();
        callbacks.extend(self.sharing.callable().map(|it| it.bind(py).clone()));
        if let Some(funcs) = &self.hash_funcs {
            for func in funcs.bind(py).call_method0("values")?.try_iter()? {
                callbacks.push(func?);
            }
        }
        Ok(callbacks)
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.hash_funcs)?;
        visit.call(&self.validate)?;
        visit.call(&self.keep_if)?;
        visit.call(self.sharing.callable())?;
        self.on_release.iter().try_for_each(|it| it.traverse(visit))
    }
}

/// The arguments of `cache_resource`, as they were written.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Written<'py> {
    ttl: Bound<'py, PyAny>,
    max_entries: Bound<'py, PyAny>,
    show_spinner: Bound<'py, PyAny>,
    show_time: Bound<'py, PyAny>,
    validate: Bound<'py, PyAny>,
    keep_if: Bound<'py, PyAny>,
    hash_funcs: Bound<'py, PyAny>,
    on_release: Bound<'py, PyAny>,
    scope: Bound<'py, PyAny>,
    experimental_allow_widgets: Bound<'py, PyAny>,
    drain: Bound<'py, PyAny>,
    refresh_mode: Bound<'py, PyAny>,
    enter: Bound<'py, PyAny>,
}

impl Written<'_> {
    /// Warns of what is allowed and seldom meant.
    pub(crate) fn warn(&self) -> PyResult<()> {
        mind_unit("ttl", &self.ttl, Caller::Above)?;
        mind_unit("drain", &self.drain, Caller::Above)
    }

    /// Checks everything.
    ///
    /// # Errors
    /// `TypeError` or `ValueError`, with the setting, its value, the accepted forms and an example.
    pub(crate) fn check(self) -> PyResult<Options> {
        let py = self.validate.py();
        let validates = !self.validate.is_none();
        refresh_mode(&self.refresh_mode)?;
        let sharing = Sharing::read(&self.scope)?;
        let enters = flag("enter", &self.enter)?;
        let validates_async = validates && is_async_function(&self.validate)?;
        let releases_async = !self.on_release.is_none() && is_async_function(&self.on_release)?;
        Ok(Options {
            settings: Settings::default()
                .ttl(duration("ttl", &self.ttl)?)
                .max_entries(max_entries(&self.max_entries)?)
                .scope(sharing.scope())
                .drain(duration("drain", &self.drain)?)
                .spinner(spinner(&self.show_spinner)?)
                .show_time(switched("show_time", &self.show_time)?)
                .observes(flag(
                    "experimental_allow_widgets",
                    &self.experimental_allow_widgets,
                )?)
                .validates(validates),
            hash_funcs: (!self.hash_funcs.is_none()).then(|| self.hash_funcs.unbind()),
            validate: callback(
                "validate",
                "validate=lambda resource: resource.ok()",
                self.validate,
            )?,
            keep_if: blocking_callback(
                "keep_if",
                "keep_if=lambda resource: resource is not None",
                self.keep_if,
            )?,
            on_release: callback(
                "on_release",
                "on_release=lambda resource: resource.close()",
                self.on_release,
            )?
            .map(|it| OnRelease::new(py, it))
            .transpose()?,
            sharing,
            enters,
            async_callback: match (validates_async, releases_async) {
                (true, _) => Some("validate"),
                (_, true) => Some("on_release"),
                _ => None,
            },
            releases_async,
        })
    }
}

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
pub(crate) fn mind_unit(name: &str, value: &Bound<'_, PyAny>, caller: Caller) -> PyResult<()> {
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
    log::warn(value.py(), &text, caller)
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

fn max_entries(value: &Bound<'_, PyAny>) -> PyResult<Option<usize>> {
    if value.is_none() {
        return Ok(None);
    }
    let forms =
        "Accepted are None for no bound, or a whole number from 1 on. Example: max_entries=8";
    match whole_number(value) {
        Some(number) => match usize::try_from(number) {
            Ok(most) if most >= 1 => Ok(Some(most)),
            _ => Err(errors::setting_value(
                value.py(),
                format!("max_entries={value:?} keeps nothing. {forms}"),
            )),
        },
        None => Err(errors::setting_type(
            value.py(),
            format!("max_entries cannot be {value:?}. {forms}"),
        )),
    }
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

/// A boolean, Python's or NumPy's.
fn truth(value: &Bound<'_, PyAny>) -> Option<bool> {
    // This is what PyO3 takes for a `bool`.
    value.extract().ok()
}

/// A boolean, or one of the numbers 0 and 1 in its place.
fn switch(value: &Bound<'_, PyAny>) -> Option<bool> {
    truth(value).or_else(|| match value.extract::<i128>() {
        Ok(0) => Some(false),
        Ok(1) => Some(true),
        _ => None,
    })
}

fn refresh_mode(value: &Bound<'_, PyAny>) -> PyResult<()> {
    match value.extract::<String>().as_deref() {
        Ok("foreground") => Ok(()),
        _ => Err(errors::setting_value(
            value.py(),
            format!(
                "refresh_mode must be \"foreground\", which refreshes an entry when it is asked \
                 for, not {value:?}. Example: refresh_mode=\"foreground\""
            ),
        )),
    }
}

fn spinner(value: &Bound<'_, PyAny>) -> PyResult<Spinner> {
    if let Some(is_shown) = switch(value) {
        return Ok(if is_shown {
            Spinner::Default
        } else {
            Spinner::Off
        });
    }
    match value.extract::<String>() {
        Ok(text) => Ok(Spinner::Text(text.into())),
        Err(_) => Err(errors::setting_type(
            value.py(),
            format!(
                "show_spinner must be True, False, or the text to show, not {value:?}. \
             Example: show_spinner=\"Loading the model...\""
            ),
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
fn switched(name: &str, value: &Bound<'_, PyAny>) -> PyResult<bool> {
    switch(value).ok_or_else(|| neither(name, value))
}

fn neither(name: &str, value: &Bound<'_, PyAny>) -> PyErr {
    errors::setting_type(
        value.py(),
        format!("{name} must be True or False, not {value:?}. Example: {name}=True"),
    )
}

fn callback(name: &str, example: &str, value: Bound<'_, PyAny>) -> PyResult<Option<Py<PyAny>>> {
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
    Ok(Some(value.unbind()))
}

/// A callback that nobody awaits, whatever the function.
fn blocking_callback(
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
