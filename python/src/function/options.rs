//! The settings of a decorator: from Python objects to the engine's, with an error that says what
//! to write where they cannot be.

use pyo3::prelude::*;
use pyo3::{Borrowed, PyTraverseError, PyVisit};
use tenure::{Fork, Refresh, SettingError, Settings, Spinner};

use crate::decoration::identity::Place;
use crate::function::actor_settings::ActorSettings;
use crate::function::shape::is_async_function;
use crate::function::tags::Tagging;
use crate::life::callback::OnRelease;
use crate::life::measures::Weight;
use crate::process::once::intern;
use crate::program::host;
use crate::program::scope::Sharing;
use crate::words::errors;
use crate::words::values::{
    blocking_callback, bound, callback, duration, flag, fleet_builds, max_weight, mind_unit,
    switch, switched,
};

/// The settings of a decorator, checked.
pub(crate) struct Options {
    pub(crate) settings: Settings,
    pub(crate) hash_funcs: Option<Py<PyAny>>,
    pub(crate) validate: Option<Py<PyAny>>,
    pub(crate) keep_if: Option<Py<PyAny>>,
    pub(crate) on_release: Option<OnRelease>,
    pub(crate) weight: Option<Weight>,
    /// A resource's own maximum age, where the function of it is the setting.
    pub(crate) ttl: Option<Py<PyAny>>,
    pub(crate) sharing: Sharing,
    /// What says the tags of each call.
    pub(crate) tags: Option<Py<PyAny>>,
    /// Whether the function gives a context manager, to be entered for the resource.
    pub(crate) enters: bool,
    /// The first of its callbacks that is async, by its setting's name.
    pub(crate) async_callback: Option<&'static str>,
    pub(crate) releases_async: bool,
    /// What holds where the resource lives, if that is not in this process.
    pub(crate) actor: Option<ActorSettings>,
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
                    "{name} is an async function and {} is not, so nothing would await it. Write `def` for {name}, or \
                     `async def` for the function",
                    Place::of(func)?.name
                ),
            )),
            _ => Ok(()),
        }
    }

    /// Refuses to keep over a fork what lives on an event loop.
    ///
    /// # Errors
    /// A `TypeError` that says what to write.
    pub(crate) fn check_fork(&self, py: Python<'_>, is_async: bool) -> PyResult<()> {
        if is_async && self.settings.fork == Fork::Keep {
            return Err(errors::setting_type(
                py,
                "fork=\"keep\" cannot be for an async function: what it gives lives on an event loop, and a \
                 child process has none of its parent's. Leave fork out, and each process builds its own. \
                 Example: @cache_resource(ttl=\"1h\")"
                    .to_owned(),
            ));
        }
        Ok(())
    }

    /// The program's own functions among them.
    pub(crate) fn callbacks<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let on_release = self.on_release.as_ref().map(|it| &it.callback);
        let weight = self.weight.as_ref().and_then(Weight::callback);
        let given = [
            self.validate.as_ref(),
            on_release,
            self.keep_if.as_ref(),
            weight,
            self.ttl.as_ref(),
            self.tags.as_ref(),
        ];
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
        visit.call(&self.ttl)?;
        visit.call(&self.tags)?;
        self.weight.iter().try_for_each(|it| it.traverse(visit))?;
        visit.call(self.sharing.callable())?;
        self.actor.iter().try_for_each(|it| it.traverse(visit))?;
        self.on_release.iter().try_for_each(|it| it.traverse(visit))
    }
}

/// The arguments of `cache_resource`, as they were written: a struct that is read from a mapping.
macro_rules! written {
    ($($name: ident)*) => {
        pub(crate) struct Written<'py> {
            $($name: Bound<'py, PyAny>,)*
        }

        impl<'py> FromPyObject<'_, 'py> for Written<'py> {
            type Error = PyErr;

            fn extract(written: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
                Ok(Self {
                    $($name: written.get_item(intern!(written.py(), stringify!($name)))?,)*
                })
            }
        }
    };
}

written! {
    ttl
    max_entries
    show_spinner
    show_time
    validate
    keep_if
    hash_funcs
    on_release
    scope
    experimental_allow_widgets
    drain
    refresh_mode
    enter
    max_stale
    refresh_before
    max_idle
    weight
    max_weight
    build_timeout
    fork
    tags
    ray_options
    fleet_builds
}

impl Written<'_> {
    /// Warns of what is allowed and seldom meant.
    pub(crate) fn warn(&self) -> PyResult<()> {
        let times = [
            ("ttl", &self.ttl),
            ("drain", &self.drain),
            ("max_stale", &self.max_stale),
            ("refresh_before", &self.refresh_before),
            ("max_idle", &self.max_idle),
            ("build_timeout", &self.build_timeout),
        ];
        let mut times = times.into_iter();
        times.try_for_each(|(name, value)| mind_unit(name, value))
    }

    /// Checks everything.
    ///
    /// # Errors
    /// `TypeError` or `ValueError`, with the setting, its value, the accepted forms and an example.
    pub(crate) fn check(self) -> PyResult<Options> {
        let py = self.validate.py();
        let validates = !self.validate.is_none();
        let refresh = refresh_mode(&self.refresh_mode)?;
        let own_ttl = self.ttl.is_callable();
        let sharing = Sharing::read(&self.scope)?;
        let actor = self.actor(&sharing)?;
        let tagging = Tagging::read(self.tags)?;
        let weight = Weight::read(self.weight)?;
        let enters = flag("enter", &self.enter)?;
        let validates_async = validates && is_async_function(&self.validate)?;
        let releases_async = !self.on_release.is_none() && is_async_function(&self.on_release)?;
        let ttl = if own_ttl {
            None
        } else {
            duration("ttl", &self.ttl)?
        };
        let max_stale = match duration("max_stale", &self.max_stale)? {
            Some(most) => Some(most),
            None if refresh == Refresh::Foreground => None,
            None => host::stale_after(py, ttl)?,
        };
        let settings = Settings::default()
            .ttl(ttl)
            .own_ttl(own_ttl)
            .refresh(refresh)
            .refresh_before(duration("refresh_before", &self.refresh_before)?)
            .max_stale(max_stale)
            .max_idle(duration("max_idle", &self.max_idle)?)
            .weighs(weight.is_some())
            .max_weight(max_weight(&self.max_weight)?)
            .build_timeout(duration("build_timeout", &self.build_timeout)?)
            .fork(fork(&self.fork)?)
            .tags(tagging.all.iter().cloned())
            .tags_calls(tagging.each.is_some())
            .fleet_builds(fleet_builds(&self.fleet_builds)?)
            .max_entries(max_entries(&self.max_entries)?)
            .scope(sharing.scope())
            .drain(duration("drain", &self.drain)?)
            .spinner(spinner(&self.show_spinner)?)
            .show_time(switched("show_time", &self.show_time)?)
            .observes(flag(
                "experimental_allow_widgets",
                &self.experimental_allow_widgets,
            )?)
            .validates(validates);
        let is_built_elsewhere = settings.refresh != Refresh::Foreground
            || settings.refresh_before.is_some()
            || settings.build_timeout.is_some();
        if sharing.is_by_thread() && is_built_elsewhere {
            return Err(errors::setting_value(
                py,
                "scope=\"thread\" keeps a resource for the thread that built it, and refresh_mode, refresh_before \
                 and build_timeout build on another one. Leave them out, or write another scope. \
                 Example: scope=\"thread\", ttl=\"1h\""
                    .to_owned(),
            ));
        }
        if settings.fleet_builds.is_some() && sharing.is_one_process() {
            return Err(errors::setting_value(
                py,
                "fleet_builds is for what the members of a fleet share, and a session, a loop or a thread is one \
                 process's own. Leave fleet_builds out, or write scope=\"global\". Example: fleet_builds=1"
                    .to_owned(),
            ));
        }
        let settings = settings.check().map(|()| settings);
        Ok(Options {
            settings: settings
                .map_err(|error: SettingError| errors::setting_value(py, error.to_string()))?,
            weight,
            ttl: if own_ttl {
                blocking_callback("ttl", "ttl=lambda token: token.expires_in", self.ttl)?
            } else {
                None
            },
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
            on_release: OnRelease::read(self.on_release)?,
            sharing,
            tags: tagging.each,
            enters,
            async_callback: match (validates_async, releases_async) {
                (true, _) => Some("validate"),
                (_, true) => Some("on_release"),
                _ => None,
            },
            releases_async,
            actor,
        })
    }

    /// What holds in the actor of a resource that lives in a cluster: what it was decorated with, but for what is
    /// for callers.
    fn actor(&self, sharing: &Sharing) -> PyResult<Option<ActorSettings>> {
        let py = self.ray_options.py();
        if !sharing.is_by_handle() {
            if self.ray_options.is_none() {
                return Ok(None);
            }
            return Err(errors::setting_value(
                py,
                "ray_options is for scope=\"cluster\", where a resource lives in a Ray actor. Write \
                 scope=\"cluster\" too, or leave ray_options out"
                    .to_owned(),
            ));
        }
        let is_written = [
            (
                "max_entries",
                !self.max_entries.is_none(),
                "each resource has an actor of its own there, so what the \
              nodes have is the bound: write ray_options={\"num_gpus\": 1}, and max_idle=\"10m\" for those that \
              nobody asks for",
            ),
            (
                "keep_if",
                !self.keep_if.is_none(),
                "what is not kept has no actor to live in: raise from the function \
              instead",
            ),
            (
                "experimental_allow_widgets",
                self.experimental_allow_widgets.is_truthy()?,
                "the actor has no page to \
              put widgets on: ask for them outside, and pass what they give as arguments",
            ),
            (
                "fleet_builds",
                !self.fleet_builds.is_none(),
                "the actor has one build at a time as it is",
            ),
            (
                "fork",
                self.fork.ne("drop")?,
                "a child process has none of its parent's connections to the cluster",
            ),
        ];
        for (name, is_written, why) in is_written {
            if is_written {
                let text = format!("{name} cannot be with scope=\"cluster\": {why}");
                return Err(errors::setting_value(py, text));
            }
        }
        let there = [
            ("ttl", &self.ttl),
            ("validate", &self.validate),
            ("hash_funcs", &self.hash_funcs),
            ("on_release", &self.on_release),
            ("drain", &self.drain),
            ("refresh_mode", &self.refresh_mode),
            ("enter", &self.enter),
            ("max_stale", &self.max_stale),
            ("refresh_before", &self.refresh_before),
            ("max_idle", &self.max_idle),
            ("weight", &self.weight),
            ("max_weight", &self.max_weight),
            ("tags", &self.tags),
        ];
        ActorSettings::read(&there, &self.ray_options).map(Some)
    }
}

fn max_entries(value: &Bound<'_, PyAny>) -> PyResult<Option<usize>> {
    let forms =
        "Accepted are None for no bound, or a whole number from 1 on. Example: max_entries=8";
    let most = bound("max_entries", value, forms, 1)?;
    // More than can be counted is no bound.
    Ok(most.and_then(|most| usize::try_from(most).ok()))
}

fn refresh_mode(value: &Bound<'_, PyAny>) -> PyResult<Refresh> {
    word(value, Refresh::parse)
}

fn fork(value: &Bound<'_, PyAny>) -> PyResult<Fork> {
    word(value, Fork::parse)
}

/// One of the words that the engine knows.
fn word<T>(
    value: &Bound<'_, PyAny>,
    parse: impl FnOnce(&str) -> Result<T, SettingError>,
) -> PyResult<T> {
    // What is no text is shown as it is written.
    let text = value.extract::<String>();
    let text = text.or_else(|_| value.repr().and_then(|it| it.extract()))?;
    parse(&text).map_err(|error| errors::setting_value(value.py(), error.to_string()))
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
