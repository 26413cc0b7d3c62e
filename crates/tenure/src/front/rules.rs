//! `validate`, `keep_if`, `on_release` and what else is asked of a resource, as a front door gives it.

use std::any::Any;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use tracing::field::display;

use crate::front::given::{Lifetime, Lives, Weight};
use crate::function::Function;
use crate::ground::sync::{Arc, OnceLock, Weak};
use crate::life::async_release::{HINT, ReleaseRuntime};
use crate::program::api;
use crate::words::behaviour::{Behaviour, ReleaseFailed};
use crate::words::bounds::{Failure, Resource};
use crate::words::cause::Cause;
use crate::words::error::{Interrupt, panicked};
use crate::words::fleet::KnownAs;
use crate::words::settings::Settings;

/// The processor's words: `Hash` writes numbers as they lie in memory.
const LANGUAGE: &str = if cfg!(target_endian = "big") {
    "rust big-endian"
} else if cfg!(target_pointer_width = "64") {
    "rust little-endian 64"
} else {
    "rust little-endian 32"
};

pub(super) trait CountsFailures: Send + Sync {
    fn release_failed(&self);
}

impl<V: Resource, F: Failure> CountsFailures for Function<V, F> {
    fn release_failed(&self) {
        self.core.counters.release_failed();
    }
}

/// A release, over or to be awaited. An error is given as it is to be logged.
pub enum Settled {
    /// It has been released.
    Now(Result<(), String>),
    /// It is released by this future.
    Later(Pin<Box<dyn Future<Output = Result<(), String>> + Send>>),
}

type Question<V> = Box<dyn Fn(&V) -> bool + Send + Sync>;
type Release<V> = Box<dyn Fn(V, Cause) -> Settled + Send + Sync>;
type Weigh<V> = Box<dyn Fn(&V) -> u64 + Send + Sync>;

/// `validate`, `keep_if`, `on_release` and what else is asked of a resource, as a front door gives it.
pub struct Rules<V> {
    /// The function's name, for what is logged.
    pub(super) name: &'static str,
    /// A failure of it as text, for the same.
    pub(super) text: fn(&dyn Any) -> Option<String>,
    /// The module that the function stands in, where it has a place that is the same in every process.
    module: Option<&'static str>,
    pub(super) validates: bool,
    validate: Option<Question<V>>,
    keep_if: Option<Question<V>>,
    release: Option<Release<V>>,
    weight: Option<Weigh<V>>,
    lives: Option<Lives<V>>,
    pub(super) runtime: ReleaseRuntime,
    pub(super) failures: Arc<OnceLock<Weak<dyn CountsFailures>>>,
}

impl<V> Rules<V> {
    /// No rules.
    #[must_use]
    pub fn new() -> Self {
        Self {
            name: "",
            text: |_| None,
            module: None,
            validates: false,
            validate: None,
            keep_if: None,
            release: None,
            weight: None,
            lives: None,
            runtime: ReleaseRuntime::new(&api::engine().services().async_releases),
            failures: Arc::default(),
        }
    }

    /// The rules of a function that stands in this module.
    #[must_use]
    pub fn within(mut self, module: &'static str) -> Self {
        self.module = Some(module);
        self
    }

    /// A check that blocks.
    #[must_use]
    pub fn validate(mut self, validate: impl Fn(&V) -> bool + Send + Sync + 'static) -> Self {
        self.validates = true;
        self.validate = Some(Box::new(validate));
        self
    }

    /// A check that the async call brings along.
    #[must_use]
    pub fn validate_async(mut self) -> Self {
        self.validates = true;
        self
    }

    /// A choice of the results that are kept.
    #[must_use]
    pub fn keep_if(mut self, keep_if: impl Fn(&V) -> bool + Send + Sync + 'static) -> Self {
        self.keep_if = Some(Box::new(keep_if));
        self
    }

    /// How heavy each is.
    #[must_use]
    pub fn weight<W: Weight>(mut self, weight: impl Fn(&V) -> W + Send + Sync + 'static) -> Self {
        self.weight = Some(Box::new(move |value| weight(value).weight()));
        self
    }

    /// How long each lives, as it says itself.
    #[must_use]
    pub fn own_ttl<L: Lifetime>(mut self, ttl: impl Fn(&V) -> L + Send + Sync + 'static) -> Self {
        self.lives = Some(Lives::AsItSays(Box::new(move |value| {
            ttl(value).lifetime()
        })));
        self
    }

    /// How long each lives.
    #[must_use]
    pub fn lives(mut self, lives: Lives<V>) -> Self {
        self.lives = Some(lives);
        self
    }

    /// The settings of a function with these rules.
    pub(super) fn settings(&self, settings: Settings) -> Settings {
        let settings = settings
            .validates(self.validates)
            .weighs(self.weight.is_some());
        match &self.lives {
            None => settings,
            Some(Lives::For(ttl)) => settings.ttl(*ttl),
            Some(Lives::AsItSays(_)) => settings.own_ttl(true),
        }
    }

    /// A callback for what is released.
    #[must_use]
    pub fn release(
        mut self,
        release: impl Fn(V, Cause) -> Settled + Send + Sync + 'static,
    ) -> Self {
        self.release = Some(Box::new(release));
        self
    }
}

impl<V> Default for Rules<V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<V: Resource> Behaviour<V> for Rules<V> {
    fn validate(&self, value: &V) -> Result<bool, Interrupt> {
        let answer = answer(self.validate.as_ref(), value);
        Ok(answer.unwrap_or_else(|| turned_down(self.name)))
    }

    fn known_as(&self) -> Option<KnownAs> {
        let (module, name) = (self.module?, self.name);
        Some(KnownAs::new(&format!("rust {module}::{name}"), LANGUAGE))
    }

    fn full_name(&self) -> Option<Arc<str>> {
        let (module, name) = (self.module?, self.name);
        Some(format!("{module}::{}", name.trim_start_matches("r#")).into())
    }

    fn keeps(&self, value: &V) -> Result<bool, Interrupt> {
        Ok(answer(self.keep_if.as_ref(), value).unwrap_or_else(|| {
            let function = self.name;
            tracing::error!(%function, "keep_if panicked; the resource is not kept");
            false
        }))
    }

    fn weight(&self, value: &V) -> Result<u64, Interrupt> {
        let Some(weight) = &self.weight else {
            return Ok(0);
        };
        let weight = catch_unwind(AssertUnwindSafe(|| weight(value)));
        weight.map_err(|_| panicked("weight", self.name))
    }

    fn ttl(&self, value: &V) -> Result<Option<Duration>, Interrupt> {
        let Some(Lives::AsItSays(ttl)) = &self.lives else {
            return Ok(None);
        };
        let ttl = catch_unwind(AssertUnwindSafe(|| ttl(value)));
        ttl.map_err(|_| panicked("ttl", self.name))
    }

    fn refresh_failed(&self, function: &str, failure: &dyn Any) {
        let error = (self.text)(failure).map(display);
        tracing::warn!(%function, error, "no new resource could be built in the place of the old one");
    }

    fn build_failed(&self, function: &str, failure: &dyn Any) {
        let error = (self.text)(failure).map(display);
        tracing::error!(%function, error, "a build failed that nobody waited for any more");
    }

    fn release(&self, value: V, cause: Cause) -> Result<(), ReleaseFailed> {
        let Some(release) = &self.release else {
            drop(value);
            return Ok(());
        };
        let name = self.name;
        let failed = move |error: String| {
            tracing::error!(function = %name, %cause, %error, "on_release failed");
            ReleaseFailed
        };
        match release(value, cause) {
            Settled::Now(outcome) => outcome.map_err(failed),
            Settled::Later(future) => {
                let failures = Arc::clone(&self.failures);
                let panicked = Arc::clone(&failures);
                let counted = async move {
                    if future.await.map_err(failed).is_err() {
                        count_failure(&failures);
                    }
                };
                self.runtime.run(name, counted, move || {
                    tracing::error!(function = %name, %cause, "on_release panicked{}", HINT);
                    count_failure(&panicked);
                });
                Ok(())
            }
        }
    }
}

/// The answer to a question that need not have been set, or nothing where it panicked.
fn answer<V>(question: Option<&Question<V>>, value: &V) -> Option<bool> {
    let Some(question) = question else {
        return Some(true);
    };
    catch_unwind(AssertUnwindSafe(|| question(value))).ok()
}

fn count_failure(failures: &OnceLock<Weak<dyn CountsFailures>>) {
    if let Some(function) = failures.get().and_then(Weak::upgrade) {
        function.release_failed();
    }
}

/// A check that is awaited.
pub(super) async fn guarded_async(name: &str, check: impl Future<Output = bool>) -> bool {
    let mut check = pin!(check);
    let checked = poll_fn(|cx| {
        let poll = AssertUnwindSafe(|| check.as_mut().poll(cx));
        match catch_unwind(poll) {
            Ok(poll) => poll.map(Some),
            Err(_) => Poll::Ready(None),
        }
    });
    checked.await.unwrap_or_else(|| turned_down(name))
}

/// A check that panics counts as one that says no (L9).
fn turned_down(name: &str) -> bool {
    tracing::error!(
        function = %name,
        "validate panicked; the entry is built anew"
    );
    false
}
