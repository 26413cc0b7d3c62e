//! What a cached function is made of: the settings as the attribute gives them, and the rules.

use std::time::Duration;

use crate::front::returned::refuse_result;
use crate::front::rules::{CountsFailures, Rules};
use crate::function::Function;
use crate::ground::sync::{Arc, Weak};
use crate::program::api;
use crate::words::bounds::{Failure, Resource};
use crate::words::error::SettingError;
use crate::words::settings::{Scope, Settings, Spinner};

/// The settings as the attribute gives them.
pub struct Definition {
    /// The function's name.
    pub name: &'static str,
    /// `ttl = …`
    pub ttl: Option<Duration>,
    /// `max_entries = …`
    pub max_entries: Option<usize>,
    /// `scope = "session"`
    pub session: bool,
    /// `drain = …`
    pub drain: Option<Duration>,
    /// `show_spinner = …`: off, or with a text of its own.
    pub spinner: Option<&'static str>,
    /// Whether there is a spinner.
    pub shows: bool,
    /// `show_time = …`
    pub show_time: bool,
    /// `observes = …`
    pub observes: bool,
}

impl Definition {
    /// The settings that a bare attribute means.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            ttl: None,
            max_entries: None,
            session: false,
            drain: None,
            spinner: None,
            shows: true,
            show_time: false,
            observes: false,
        }
    }

    fn settings(&self) -> Settings {
        Settings {
            ttl: self.ttl,
            max_entries: self.max_entries,
            scope: if self.session {
                Scope::Session
            } else {
                Scope::Global
            },
            drain: self.drain,
            spinner: match self.spinner {
                _ if !self.shows => Spinner::Off,
                None => Spinner::Default,
                Some(text) => Spinner::Text(text.into()),
            },
            show_time: self.show_time,
            observes: self.observes,
            validates: false,
        }
    }

    /// The settings and the rules, for the first call to make the cache of.
    #[must_use]
    pub fn with<V>(self, rules: Rules<V>) -> Made<V> {
        Made {
            definition: self,
            rules,
        }
    }
}

/// What a cache is made of.
pub struct Made<V> {
    definition: Definition,
    rules: Rules<V>,
}

impl<V: Resource> Made<V> {
    /// Makes the function.
    ///
    /// # Panics
    /// Where a setting that is not a literal has a value that cannot be.
    #[track_caller]
    pub(super) fn function<F: Failure>(self) -> Arc<Function<V, F>> {
        let Self { definition, rules } = self;
        let name = definition.name;
        refuse_result::<V, F>(name);
        let function = function(name, definition.settings(), rules);
        function.unwrap_or_else(|error| panic!("#[cache_resource] on `{name}`: {error}"))
    }
}

/// A function of the program's engine with these rules.
pub(super) fn function<V: Resource, F: Failure>(
    name: &'static str,
    settings: Settings,
    mut rules: Rules<V>,
) -> Result<Arc<Function<V, F>>, SettingError> {
    rules.name = name;
    let settings = settings.validates(rules.validates);
    let failures = Arc::clone(&rules.failures);
    let function = Function::new(api::engine(), name, settings, Box::new(rules))?;
    let weak: Weak<dyn CountsFailures> = Arc::downgrade(&function) as _;
    let _ = failures.set(weak);
    Ok(function)
}

/// Keeps a function for as long as the program runs, as its code is kept.
pub(super) fn kept<V: Resource, F: Failure>(
    function: &Arc<Function<V, F>>,
) -> &'static Function<V, F> {
    Box::leak(Box::new(Arc::clone(function)))
}
