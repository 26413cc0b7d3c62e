//! Python's `logging`, under the name `tenure`, and its warnings.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::Mutex;

use pyo3::exceptions::PyUserWarning;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::caller::place;
use crate::process::once::{Once, intern};

fn logger(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static LOGGER: Once<Py<PyAny>> = Once::new();
    let find = || {
        py.import(intern!(py, "logging"))?
            .call_method1(intern!(py, "getLogger"), (intern!(py, "tenure"),))
            .map(Bound::unbind)
    };
    LOGGER.get_or_try_init(py, find).map(|it| it.bind(py))
}

/// Logs what foreign code raised, with its traceback. Never raises.
pub(crate) fn error(py: Python<'_>, text: &str, error: PyErr) {
    let logged = logger(py).and_then(|logger| {
        let options = PyDict::new(py);
        options.set_item(intern!(py, "exc_info"), error.into_value(py))?;
        logger.call_method(intern!(py, "error"), ("%s", text), Some(&options))
    });
    if let Err(broken) = logged {
        broken.write_unraisable(py, None);
    }
}

/// Logs one line, as a warning or as an error. Never raises.
pub(crate) fn line(py: Python<'_>, is_error: bool, text: &str) {
    let level = if is_error {
        intern!(py, "error")
    } else {
        intern!(py, "warning")
    };
    let logged = logger(py).and_then(|logger| logger.call_method1(level, ("%s", text)));
    if let Err(broken) = logged {
        broken.write_unraisable(py, None);
    }
}

/// Logs what may be of interest, where the program wants to see that. Never raises.
pub(crate) fn info(py: Python<'_>, text: fmt::Arguments<'_>) {
    let logged = logger(py).and_then(|logger| {
        /// `logging.INFO`.
        const INFO: u8 = 20;
        let wanted = logger.call_method1(intern!(py, "isEnabledFor"), (INFO,))?;
        if wanted.is_truthy()? {
            logger.call_method1(intern!(py, "info"), ("%s", text.to_string()))?;
        }
        Ok(())
    });
    if let Err(broken) = logged {
        broken.write_unraisable(py, None);
    }
}

/// Whether a warning is due now for the function that stands at a site: once, when the object that
/// it is about is the one of this number there. A script that runs again decorates again, and is
/// told no second time.
pub(crate) fn is_due(site: [u8; 16], what: &str, object: usize, number: u8) -> bool {
    /// The object that was met last, and how many others came before.
    type Met = HashMap<([u8; 16], String), (usize, u8)>;
    static MET: Mutex<Option<Met>> = Mutex::new(None);
    let mut met = MET.lock().unwrap_or_else(|poison| poison.into_inner());
    match met.get_or_insert_default().entry((site, what.to_owned())) {
        Entry::Vacant(none) => {
            none.insert((object, 1));
            number == 1
        }
        Entry::Occupied(met) if met.get().0 == object => false,
        Entry::Occupied(mut met) => {
            let (last, count) = met.get_mut();
            (*last, *count) = (object, count.saturating_add(1));
            *count == number
        }
    }
}

/// Warns the program, at its line that calls the package.
///
/// # Errors
/// The warning itself, where the program has made it one.
pub(crate) fn warn(py: Python<'_>, text: &str) -> PyResult<()> {
    let category = py.get_type::<PyUserWarning>();
    // An audit may forbid the look: the warning is due all the same.
    let level = place::program(py).map_or(1, |program| program.map_or(1, |(_, level)| level));
    py.import(intern!(py, "warnings"))?
        .call_method1(intern!(py, "warn"), (text, category, level))
        .map(drop)
}
