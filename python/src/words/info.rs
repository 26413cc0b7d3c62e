//! A function's figures as a Python object.

use std::sync::Arc;
use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{IntoPyDict, PyDict};
use tenure::{Histogram, Trigger};

use crate::process::once::intern;

/// The figures of one entry, as `clear_if` shows them.
#[pyclass(frozen, get_all, module = "tenure", name = "EntryInfo")]
pub(crate) struct EntryInfo {
    /// The time since it was built, in seconds.
    age: f64,
    /// Calls that it has answered.
    hits: u64,
}

impl EntryInfo {
    pub(crate) fn new(entry: &tenure::EntryInfo) -> Self {
        Self {
            age: entry.age.as_secs_f64(),
            hits: entry.hits,
        }
    }
}

#[pymethods]
impl EntryInfo {
    fn __repr__(&self) -> String {
        format!("EntryInfo(age={:?}, hits={})", self.age, self.hits)
    }
}

/// Shows a text as the result of a cell, where IPython would show the `repr`.
pub(crate) fn in_notebook(printer: &Bound<'_, PyAny>, text: &str) -> PyResult<()> {
    printer
        .call_method1(intern!(printer.py(), "text"), (text,))
        .map(drop)
}

/// The bounds of a histogram in seconds, each with how many took no longer; the last is infinity.
fn buckets(times: &Histogram) -> Vec<(f64, u64)> {
    let seconds = |bound: Option<Duration>| bound.map_or(f64::INFINITY, |it| it.as_secs_f64());
    let buckets = times.buckets();
    buckets
        .map(|(bound, count)| (seconds(bound), count))
        .collect()
}

/// The figures of one cached function, over all its scopes.
///
/// Times are in seconds. `releases` gives the number of releases by cause; the causes are
/// `evicted`, `expired`, `cleared`, `invalid`, `replaced`, `session_ended`, `superseded`,
/// `orphaned`, `idle` and `shutdown`.
#[pyclass(frozen, module = "tenure", name = "Info")]
pub(crate) struct Info(Arc<tenure::Info>);

impl Info {
    pub(crate) fn new(info: Arc<tenure::Info>) -> Self {
        Self(info)
    }
}

#[pymethods]
impl Info {
    /// Calls that were answered from an entry.
    #[getter]
    fn hits(&self) -> u64 {
        self.0.hits
    }

    /// Calls that found no entry, and built or waited.
    #[getter]
    fn misses(&self) -> u64 {
        self.0.misses
    }

    /// Calls that found no entry, by the name of the reason.
    #[getter]
    fn misses_by_reason<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let misses = self.0.all_missed().map(|(it, number)| (it.name(), number));
        misses.into_py_dict(py)
    }

    /// Builds that gave a new resource; those that gave what was kept are `renewals`.
    #[getter]
    fn builds(&self) -> u64 {
        self.0.builds
    }

    /// How long the builds took in all that gave a new resource, in seconds.
    #[getter]
    fn build_time(&self) -> f64 {
        self.0.build_time.as_secs_f64()
    }

    /// How many builds took no longer than each bound, in seconds: pairs, the last with a bound of infinity.
    #[getter]
    fn build_times(&self) -> Vec<(f64, u64)> {
        buckets(&self.0.build_times)
    }

    /// The bound in seconds that this part of the builds did not exceed: 0.5 for the median. `None` where there was
    /// none, or where it lies beyond the last bound, five minutes.
    fn build_quantile(&self, part: f64) -> PyResult<Option<f64>> {
        if !(0.0..=1.0).contains(&part) {
            return Err(PyValueError::new_err(format!(
                "build_quantile takes a part of the builds from 0 to 1, and not {part:?}. Example: \
                 info.build_quantile(0.95)"
            )));
        }
        let bound = self.0.build_times.quantile(part);
        Ok(bound.map(|it| it.as_secs_f64()))
    }

    /// Builds that raised.
    #[getter]
    fn failures(&self) -> u64 {
        self.0.failures
    }

    /// How long the function ran in all, in seconds, whatever came of it: by what had it run, `miss` or `refresh`.
    #[getter]
    fn run_time<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let times = Trigger::ALL.map(|it| (it.name(), self.0.runs(it).time.as_secs_f64()));
        times.into_py_dict(py)
    }

    /// How many runs of the function took no longer than each bound, in seconds: pairs, the last with a bound of infinity.
    #[getter]
    fn run_times<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let times = Trigger::ALL.map(|it| (it.name(), buckets(&self.0.runs(it).times)));
        times.into_py_dict(py)
    }

    /// Whether entries are refreshed in the background.
    #[getter]
    fn refreshes_itself(&self) -> bool {
        self.0.refreshes_itself
    }

    /// Refreshes in the background, by what became of them: `success`, `error`, or `skipped` where no worker was free.
    #[getter]
    fn refreshes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let refreshes = self.0.refreshes().map(|(it, number)| (it.name(), number));
        refreshes.into_py_dict(py)
    }

    /// Entries that have ended, by the name of the cause; also those that somebody still uses.
    #[getter]
    fn ends<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let ends = self.0.ends().map(|(it, number)| (it.name(), number));
        ends.into_py_dict(py)
    }

    /// Releases, by the name of their cause.
    #[getter]
    fn releases<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let releases = self.0.releases().map(|(it, number)| (it.name(), number));
        releases.into_py_dict(py)
    }

    /// Releases whose `on_release` or teardown raised.
    #[getter]
    fn release_failures(&self) -> u64 {
        self.0.release_failures
    }

    /// Live entries.
    #[getter]
    fn entries(&self) -> u64 {
        self.0.entries
    }

    /// Live entries that nobody holds.
    #[getter]
    fn idle(&self) -> u64 {
        self.0.idle
    }

    /// Live entries whose time is over, and that are handed out until there is a successor.
    #[getter]
    fn stale(&self) -> u64 {
        self.0.stale
    }

    /// Live entries of a parent process (`fork="keep"`), which were not built here and are not released here.
    #[getter]
    fn inherited(&self) -> u64 {
        self.0.inherited
    }

    /// Resources that the cache has let go and that are still in use.
    #[getter]
    fn draining(&self) -> u64 {
        self.0.draining
    }

    /// Refreshes that gave the very resource that was kept already.
    #[getter]
    fn renewals(&self) -> u64 {
        self.0.renewals
    }

    /// What the live entries weigh together, where they have a weight.
    #[getter]
    fn weight(&self) -> u64 {
        self.0.weight
    }

    /// Callers that wait for a build now.
    #[getter]
    fn waiting(&self) -> u64 {
        self.0.waiting
    }

    /// The age of each live entry, in seconds, oldest first within each scope.
    #[getter]
    fn ages(&self) -> Vec<f64> {
        self.0.ages.iter().map(|age| age.as_secs_f64()).collect()
    }

    /// The figures as a JSON object, times in seconds.
    fn to_json(&self) -> String {
        self.0.to_json()
    }

    /// The figures as a person reads them.
    fn __str__(&self) -> String {
        self.0.to_string()
    }

    fn _repr_pretty_(&self, printer: &Bound<'_, PyAny>, _cycle: bool) -> PyResult<()> {
        in_notebook(printer, &self.__str__())
    }

    fn __repr__(&self) -> String {
        let releases = self
            .0
            .releases()
            .filter(|(_, number)| *number > 0)
            .map(|(cause, number)| format!("{:?}: {number}", cause.name()))
            .collect::<Vec<_>>()
            .join(", ");
        // What most functions have none of.
        let more = [
            ("weight", self.0.weight),
            ("renewals", self.0.renewals),
            ("inherited", self.0.inherited),
        ];
        let more = more.iter().filter(|(_, number)| *number > 0);
        let more: String = more
            .map(|(name, number)| format!("{name}={number}, "))
            .collect();
        format!(
            "Info(hits={}, misses={}, builds={}, failures={}, entries={}, draining={}, {more}\
             releases={{{releases}}})",
            self.0.hits,
            self.0.misses,
            self.0.builds,
            self.0.failures,
            self.0.entries,
            self.0.draining,
        )
    }
}

/// The figures of all functions. What is written of them is written without the interpreter.
#[pyclass(frozen, module = "tenure._native")]
pub(crate) struct Report(tenure::Report);

impl Report {
    pub(crate) fn new(report: tenure::Report) -> Self {
        Self(report)
    }
}

#[pymethods]
impl Report {
    /// The figures of all of them together, by their names.
    fn figures<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let sum = self.0.sum();
        let figures = PyDict::new(py);
        for (name, number) in [
            ("functions", sum.functions),
            ("entries", sum.entries),
            ("hits", sum.hits),
            ("misses", sum.misses),
            ("builds", sum.builds),
            ("failures", sum.failures),
            ("weight", sum.weight),
        ] {
            figures.set_item(name, number)?;
        }
        Ok(figures)
    }

    /// The name of each with its figures.
    fn by_function(&self) -> Vec<(String, Info)> {
        let functions = self.0.functions.iter();
        functions
            .map(|(name, info)| (name.to_string(), Info::new(Arc::clone(info))))
            .collect()
    }

    fn to_json(&self, py: Python<'_>) -> String {
        py.detach(|| self.0.to_json())
    }

    fn to_prometheus(&self, py: Python<'_>) -> String {
        py.detach(|| self.0.to_prometheus())
    }

    fn __str__(&self, py: Python<'_>) -> String {
        py.detach(|| self.0.to_string())
    }
}
