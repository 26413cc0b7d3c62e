//! What `#[cache_resource]` expands to: signatures and conversions around the engine's calls.
//!
//! Public for the expansion alone; nothing of it is promised.

mod cached;
mod family;
mod given;
mod probe;
mod rules;

pub use crate::args::{Arg, ByHash, ByKey, ByNothing};
pub use crate::fallible::{Failed, Outcome, Shared};
pub use crate::key::{Encoder, KeyRef};
pub use cached::{Cached, Slot};
pub use family::{Family, Types};
pub use given::{Time, give, time};
pub use probe::{
    Done, DoneLater, DoneWrong, NoSource, Probe, Released, Said, SaidLater, Source, future, with,
};
pub use rules::{Rules, Settled};

use std::time::Duration;

use crate::api;
use crate::bounds::{Failure, Resource};
use crate::function::Function;
use crate::settings::{Scope, Settings, Spinner};
use crate::sync::{Arc, Weak};
use rules::CountsFailures;

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

    fn settings(&self, validates: bool) -> Settings {
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
            validates,
        }
    }

    /// Makes the function.
    ///
    /// # Panics
    /// Where a setting that is not a literal has a value that cannot be.
    #[must_use]
    pub fn cached<V: Resource, F: Failure>(self, mut rules: Rules<V>) -> Cached<V, F> {
        let settings = self.settings(rules.validates);
        let name = self.name;
        rules.name = name;
        let place = Arc::clone(&rules.place);
        let failures = Arc::clone(&rules.failures);
        let function = Function::new(api::engine(), name, settings, Box::new(rules));
        let function: Arc<Function<V, F>> =
            function.unwrap_or_else(|error| panic!("#[cache_resource] on `{name}`: {error}"));
        let weak: Weak<dyn CountsFailures> = Arc::downgrade(&function) as _;
        let _ = failures.set(weak);
        Cached { function, place }
    }
}
