//! The definition of a cached function, as the attribute gives it.

use std::any::Any;

use crate::front::returned::refuse_result;
use crate::front::rules::{CountsFailures, Rules};
use crate::function::Function;
use crate::ground::sync::{Arc, Weak};
use crate::program::api;
use crate::words::bounds::{Failure, Resource};
use crate::words::error::SettingError;
use crate::words::fallible::Told;
use crate::words::settings::Settings;

/// A function's name, settings and rules, for the first call to make its cache of.
pub struct Definition<V> {
    name: &'static str,
    settings: Settings,
    rules: Rules<V>,
}

impl<V> Definition<V> {
    /// A definition from its parts.
    #[must_use]
    pub const fn new(name: &'static str, settings: Settings, rules: Rules<V>) -> Self {
        Self {
            name,
            settings,
            rules,
        }
    }
}

impl<V: Resource> Definition<V> {
    /// Makes the function.
    ///
    /// # Panics
    /// Where a setting that is not a literal has a value that cannot be.
    #[track_caller]
    pub(super) fn function<F: Failure + Told>(self) -> Arc<Function<V, F>> {
        let Self {
            name,
            settings,
            rules,
        } = self;
        refuse_result::<V, F>(name);
        let function = function(name, settings, rules);
        function.unwrap_or_else(|error| panic!("#[cache_resource] on `{name}`: {error}"))
    }
}

/// A function of the program's engine with these rules.
pub(super) fn function<V: Resource, F: Failure + Told>(
    name: &'static str,
    settings: Settings,
    mut rules: Rules<V>,
) -> Result<Arc<Function<V, F>>, SettingError> {
    rules.name = name;
    rules.text = text::<F>;
    let settings = rules.settings(settings);
    let failures = Arc::clone(&rules.failures);
    let function = Function::new(api::engine(), name, settings, Box::new(rules))?;
    let weak: Weak<dyn CountsFailures> = Arc::downgrade(&function) as _;
    let _ = failures.set(weak);
    Ok(function)
}

/// The failure of a function as text.
fn text<F: Failure + Told>(failure: &dyn Any) -> Option<String> {
    failure.downcast_ref::<F>().and_then(Told::text)
}

/// Keeps a function for as long as the program runs, as its code is kept.
pub(super) fn kept<V: Resource, F: Failure>(
    function: &Arc<Function<V, F>>,
) -> &'static Function<V, F> {
    Box::leak(Box::new(Arc::clone(function)))
}
