//! A function whose resource lives in a cluster: what builds, names and ends it there, through the package's adapter.

use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};
use tenure::Settings;

use crate::function::actor_settings::ActorSettings;
use crate::life::callback::OnRelease;
use crate::process::once::intern;

/// The adapter of one cached function whose resource lives in a cluster.
pub(crate) struct Remote {
    /// Called as the function is, gives the handle of the resource.
    builder: Py<PyAny>,
    /// Told of a handle that is not kept any more, and why.
    on_release: OnRelease,
}

impl Remote {
    pub(crate) fn new(
        func: &Bound<'_, PyAny>,
        actor: &ActorSettings,
        name: &str,
        is_async: bool,
    ) -> PyResult<Self> {
        let py = func.py();
        let module = py.import(intern!(py, "tenure.cluster"))?;
        let (settings, options) = (&actor.settings, &actor.ray_options);
        let given = (func, settings, options, name, is_async);
        let builder = module.call_method1(intern!(py, "Adapter"), given)?;
        let released = builder.getattr(intern!(py, "released"))?;
        Ok(Self {
            on_release: OnRelease::new(released)?,
            builder: builder.unbind(),
        })
    }

    /// What is called in the place of the function.
    pub(crate) fn builder<'py>(&self, py: Python<'py>) -> &Bound<'py, PyAny> {
        self.builder.bind(py)
    }

    pub(crate) fn on_release(&self, py: Python<'_>) -> OnRelease {
        self.on_release.clone_ref(py)
    }

    /// Tells it which cached function it is of.
    pub(crate) fn belongs_to(&self, cached: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = cached.py();
        self.builder(py)
            .call_method1(intern!(py, "belongs_to"), (cached,))
            .map(drop)
    }

    /// Ends what other programs keep of the function: all of it, or what has this name.
    pub(crate) fn end(&self, py: Python<'_>, how: &str, name: &str) -> PyResult<()> {
        self.builder(py)
            .call_method1(intern!(py, "end"), (how, name))
            .map(drop)
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.builder)?;
        self.on_release.traverse(visit)
    }
}

/// The settings of a handle: what is for those who wait for the build, and the tags, by which handles are ended as
/// the resource is.
pub(crate) fn settings_here(settings: &Settings) -> Settings {
    Settings::default()
        .spinner(settings.spinner.clone())
        .show_time(settings.show_time)
        .build_timeout(settings.build_timeout)
        .tags(settings.tags.iter().cloned())
        .tags_calls(settings.tags_calls)
}
