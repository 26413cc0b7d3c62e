//! What a resource is asked before it is kept: how heavy it is, and how long it lives.

use std::time::Duration;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyDelta;
use pyo3::{PyTraverseError, PyVisit};

use crate::caller::user_code;
use crate::words::{errors, log, values};

const WEIGHTS: &str = "Accepted are a number from 0 on, in any unit, a function of the resource that returns one, \
                       or tenure.weigh.memory. Example: weight=lambda model: model.nbytes";

/// The weight of a function's resources.
pub(crate) enum Weight {
    /// Of each of them.
    Fixed(u64),
    /// Asked of each.
    Asked(Py<PyAny>),
    /// The difference that its build has made to this gauge.
    Measured(Py<PyAny>),
}

/// A part of a weight that was measured: the unit in which it stands beside the resource.
const GRAIN: u64 = 1024;

/// What a gauge says now.
pub(crate) fn present(gauge: &Bound<'_, PyAny>) -> PyResult<i128> {
    gauge.call_method0(PRESENT)?.extract()
}

/// What a build has added to a gauge that stood so before it, in the unit in which it is kept.
pub(crate) fn added(gauge: &Bound<'_, PyAny>, before: i128) -> u32 {
    let added = present(gauge).map(|now| u64::try_from(now - before).unwrap_or(0));
    // The resource is there by now: what cannot be weighed is not lost for that.
    let added = added.unwrap_or_else(|error| {
        log::error(gauge.py(), "a weight could not be measured", error);
        0
    });
    u32::try_from(added.div_ceil(GRAIN)).unwrap_or(u32::MAX)
}

const PRESENT: &str = "present";

impl Weight {
    /// Reads the setting.
    ///
    /// # Errors
    /// `TypeError` or `ValueError`, with the accepted forms and an example.
    pub(crate) fn read(value: Bound<'_, PyAny>) -> PyResult<Option<Self>> {
        if value.is_none() {
            return Ok(None);
        }
        if value
            .getattr_opt(PRESENT)?
            .is_some_and(|it| it.is_callable())
        {
            return Ok(Some(Self::Measured(value.unbind())));
        }
        if value.is_callable() {
            let asked =
                values::blocking_callback("weight", "weight=lambda model: model.nbytes", value)?;
            return Ok(asked.map(Self::Asked));
        }
        number("weight cannot be", &value).map(|it| Some(Self::Fixed(it)))
    }

    /// The weight of a resource of the function named.
    pub(crate) fn of(
        &self,
        function: &str,
        resource: &Bound<'_, PyAny>,
        measured: u32,
    ) -> PyResult<u64> {
        match self {
            Self::Fixed(weight) => Ok(*weight),
            Self::Measured(_) => Ok(u64::from(measured) * GRAIN),
            Self::Asked(callback) => {
                let answer = asked("weight", function, callback, resource)?;
                number(&format!("weight of {function} returned"), &answer)
            }
        }
    }

    pub(crate) fn callback(&self) -> Option<&Py<PyAny>> {
        match self {
            Self::Fixed(_) => None,
            Self::Asked(callback) | Self::Measured(callback) => Some(callback),
        }
    }

    /// The function that is asked of each resource.
    pub(crate) fn asked(&self) -> Option<&Py<PyAny>> {
        match self {
            Self::Asked(callback) => Some(callback),
            _ => None,
        }
    }

    /// Its mark among the settings, beside a function's own identity.
    pub(crate) fn mark(&self, py: Python<'_>) -> String {
        match self {
            Self::Fixed(weight) => format!("fixed {weight}"),
            Self::Asked(_) => "asked".to_owned(),
            // By its class: a script that runs again may make another gauge.
            Self::Measured(gauge) => format!("measured {:?}", gauge.bind(py).get_type()),
        }
    }

    /// The gauge that is to be read before and after a build.
    pub(crate) fn gauge(&self) -> Option<&Py<PyAny>> {
        match self {
            Self::Measured(gauge) => Some(gauge),
            _ => None,
        }
    }

    pub(crate) fn clone_ref(&self, py: Python<'_>) -> Self {
        match self {
            Self::Fixed(weight) => Self::Fixed(*weight),
            Self::Asked(callback) => Self::Asked(callback.clone_ref(py)),
            Self::Measured(gauge) => Self::Measured(gauge.clone_ref(py)),
        }
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(self.callback())
    }
}

/// What a function that is a setting says of a resource of the function named.
fn asked<'py>(
    setting: &str,
    function: &str,
    callback: &Py<PyAny>,
    resource: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = resource.py();
    let answer = user_code::apply(callback.bind(py), [resource]);
    answer.map_err(|error| errors::raised_by(py, setting, function, error))
}

/// A weight as it was written or returned; a part of one counts as a whole one. `said` begins the sentence that
/// refuses it.
fn number(said: &str, value: &Bound<'_, PyAny>) -> PyResult<u64> {
    let py = value.py();
    let text = || format!("{said} {value:?}. {WEIGHTS}");
    if values::is_truth(value) {
        return Err(errors::setting_type(py, text()));
    }
    if let Ok(number) = value.extract::<u64>() {
        return Ok(number);
    }
    match value.extract::<f64>() {
        Ok(number) if number >= 0.0 => Ok(number.ceil() as u64),
        Ok(_) => Err(errors::setting_value(py, text())),
        Err(_) => Err(errors::setting_type(py, text())),
    }
}

/// The maximum age that a resource of the function named has of its own. One that is over is no time at
/// all.
pub(crate) fn own_ttl(
    function: &str,
    callback: &Py<PyAny>,
    resource: &Bound<'_, PyAny>,
) -> PyResult<Option<Duration>> {
    let py = resource.py();
    let answer = asked("ttl", function, callback, resource)?;
    if is_over(&answer) {
        return Ok(Some(Duration::ZERO));
    }
    values::duration("ttl", &answer).map_err(|error| {
        let text = format!("ttl of {function} returned {answer:?}: {}", error.value(py));
        if error.is_instance_of::<PyTypeError>(py) {
            errors::setting_type(py, text)
        } else {
            errors::setting_value(py, text)
        }
    })
}

fn is_over(time: &Bound<'_, PyAny>) -> bool {
    if time.is_instance_of::<PyDelta>() {
        let zero = time.call_method0("total_seconds");
        return zero
            .and_then(|it| it.extract::<f64>())
            .is_ok_and(|it| it <= 0.0);
    }
    !values::is_truth(time) && time.extract::<f64>().is_ok_and(|it| it <= 0.0)
}
