//! What a call would meet, as a Python object.

use std::sync::Arc;
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::{IntoPyDict, PyDict};

use crate::words::info::in_notebook;

/// What a call would meet: whether it would be a hit, and why not. Its text says it in a sentence.
///
/// `reason` is `None` for a hit. For a miss it is `absent`, `building`, `stale`, `apart`, or the cause for which what was
/// kept has ended, as `Info.releases` names it; `overridden` where a test has something else in the function's place.
#[pyclass(frozen, module = "tenure", name = "Explanation")]
pub(crate) struct Explanation {
    /// The function's name.
    #[pyo3(get)]
    function: String,
    /// Whether the call would have what is kept, if `validate` does not turn it down.
    #[pyo3(get)]
    is_hit: bool,
    /// Why the call would be a miss.
    #[pyo3(get)]
    reason: Option<String>,
    /// For a hit, the seconds since it was built; for a miss, since what was kept ended, where that is known.
    #[pyo3(get)]
    age: Option<f64>,
    /// Who ended what was kept, where that is known: `clear() at shop.py:31`.
    #[pyo3(get)]
    by: Option<String>,
    /// For a miss of what nothing is known of, the seconds since all that the function kept was cleared, where it was.
    #[pyo3(get)]
    last_clear: Option<f64>,
    /// For a hit, whether the call has a successor built.
    #[pyo3(get)]
    refreshes: bool,
    /// Whether `validate` is asked before a hit.
    #[pyo3(get)]
    validates: bool,
    differs: Vec<(Arc<str>, u64)>,
    text: String,
}

impl Explanation {
    pub(crate) fn new(why: tenure::Explanation) -> Self {
        Self {
            text: why.to_string(),
            function: why.function.to_string(),
            is_hit: why.is_hit(),
            reason: why.miss.map(|it| it.name().to_owned()),
            age: why.age.as_ref().map(Duration::as_secs_f64),
            by: why.by.map(|it| it.to_string()),
            last_clear: why.last_clear.as_ref().map(Duration::as_secs_f64),
            refreshes: why.refreshes,
            validates: why.validates,
            differs: why.differs,
        }
    }

    /// Of a function that a test has put something in the place of.
    pub(crate) fn overridden(function: &str) -> Self {
        Self {
            text: format!("{function} is overridden in a test, and its cache is not asked"),
            function: function.to_owned(),
            is_hit: false,
            reason: Some("overridden".to_owned()),
            age: None,
            by: None,
            last_clear: None,
            refreshes: false,
            validates: false,
            differs: Vec::new(),
        }
    }
}

#[pymethods]
impl Explanation {
    /// For an absent call, the arguments in which alone calls that are kept differ from it, with how many do: the most
    /// first.
    #[getter]
    fn differs<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let differs = self.differs.iter().map(|(it, number)| (&**it, number));
        differs.into_py_dict(py)
    }

    fn __str__(&self) -> &str {
        &self.text
    }

    fn _repr_pretty_(&self, printer: &Bound<'_, PyAny>, _cycle: bool) -> PyResult<()> {
        in_notebook(printer, &self.text)
    }

    fn __repr__(&self) -> String {
        format!("<Explanation: {}>", self.text)
    }
}
