//! The configuration: what holds for all functions unless they say otherwise.

use std::time::Duration;

use crate::ground::clock::{NEVER, nanos};
use crate::ground::sync::{Figure, Ordering};

/// The settings for all functions that do not say otherwise.
///
/// ```
/// use std::time::Duration;
/// use tenure::Engine;
///
/// let engine = Engine::new();
/// engine.configure(|config| config.drain = Some(Duration::from_secs(10)));
/// assert_eq!(engine.config().shutdown_bound, Duration::from_secs(5));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// How long a release waits for callers that still hold the resource.
    pub drain: Option<Duration>,
    /// How long a session's entries stay after its disconnect.
    pub session_grace: Duration,
    /// How long a version of a function stays that nothing can call, and that has a newer one beside
    /// it, in case a run of its code brings it back; `None` for any time.
    pub version_grace: Option<Duration>,
    /// How long the releases at the end of the process may take in all.
    pub shutdown_bound: Duration,
    /// How many refreshes may run in the background at a time. With none, a resource that is too old
    /// is built again by a call once it may not be handed out any more.
    pub refresh_workers: usize,
    /// The most that the entries of all functions that have weights may weigh together.
    pub max_weight: Option<u64>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            drain: None,
            session_grace: Duration::ZERO,
            version_grace: Some(Duration::from_secs(3600)),
            shutdown_bound: Duration::from_secs(5),
            refresh_workers: 4,
            max_weight: None,
        }
    }
}

impl Config {
    /// This one with what is another in `after` than in `before`, where this has what is in `before`.
    #[doc(hidden)]
    #[must_use]
    pub fn with_changes(mut self, before: &Self, after: Self) -> Self {
        fn take<T: PartialEq>(own: &mut T, before: &T, after: T) {
            if own == before {
                *own = after;
            }
        }
        // Each by its name, so that whoever adds one is told.
        let Self {
            drain,
            session_grace,
            version_grace,
            shutdown_bound,
            refresh_workers,
            max_weight,
        } = after;
        take(&mut self.drain, &before.drain, drain);
        take(
            &mut self.session_grace,
            &before.session_grace,
            session_grace,
        );
        take(
            &mut self.version_grace,
            &before.version_grace,
            version_grace,
        );
        take(
            &mut self.shutdown_bound,
            &before.shutdown_bound,
            shutdown_bound,
        );
        take(
            &mut self.refresh_workers,
            &before.refresh_workers,
            refresh_workers,
        );
        take(&mut self.max_weight, &before.max_weight, max_weight);
        self
    }
}

/// The configuration in force, as [`numbers`]. Every release reads it, so that takes no lock.
pub(crate) struct InForce([Figure; 6]);

impl InForce {
    pub(crate) fn read(&self) -> Config {
        let [_, session, version, shutdown, _, _] = &self.0;
        let get = |figure: &Figure| Duration::from_nanos(figure.load(Ordering::Relaxed));
        Config {
            drain: self.drain(),
            session_grace: get(session),
            version_grace: unless_never(version),
            shutdown_bound: get(shutdown),
            refresh_workers: self.refresh_workers(),
            max_weight: Some(self.max_weight()).filter(|it| *it != u64::MAX),
        }
    }

    #[inline]
    pub(crate) fn drain(&self) -> Option<Duration> {
        let [drain, ..] = &self.0;
        unless_never(drain)
    }

    pub(crate) fn refresh_workers(&self) -> usize {
        let [_, _, _, _, workers, _] = &self.0;
        usize::try_from(workers.load(Ordering::Relaxed)).unwrap_or(usize::MAX)
    }

    /// The budget for the entries of all functions, which may be without bound.
    pub(crate) fn max_weight(&self) -> u64 {
        let [_, _, _, _, _, weight] = &self.0;
        weight.load(Ordering::Relaxed)
    }

    /// Puts in force what `change` changes, and leaves the rest as it may have become meanwhile.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Config)) {
        let before = self.read();
        let mut after = before.clone();
        change(&mut after);
        let changes = numbers(&before).into_iter().zip(numbers(&after));
        for (figure, (before, after)) in self.0.iter().zip(changes) {
            if before != after {
                figure.store(after, Ordering::Relaxed);
            }
        }
    }
}

impl Default for InForce {
    fn default() -> Self {
        Self(numbers(&Config::default()).map(Figure::new))
    }
}

#[inline]
fn unless_never(figure: &Figure) -> Option<Duration> {
    match figure.load(Ordering::Relaxed) {
        NEVER => None,
        time => Some(Duration::from_nanos(time)),
    }
}

/// The drain, the two graces, the bound, the workers and the budget; the greatest number where there is
/// none.
fn numbers(config: &Config) -> [u64; 6] {
    let or_never = |time: Option<Duration>| time.map_or(NEVER, |time| nanos(time).min(NEVER - 1));
    [
        or_never(config.drain),
        nanos(config.session_grace),
        or_never(config.version_grace),
        nanos(config.shutdown_bound),
        config.refresh_workers as u64,
        config.max_weight.unwrap_or(u64::MAX),
    ]
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use crate::Engine;
    use std::time::Duration;

    #[test]
    fn l2_what_changes_the_configuration_may_change_it_again() {
        let engine = Engine::new();
        let second = Duration::from_secs(1);
        engine.configure(|config| {
            engine.configure(|config| config.session_grace = second);
            config.drain = Some(Duration::MAX);
        });
        let config = engine.config();
        assert_eq!(config.session_grace, second);
        assert_eq!(config.shutdown_bound, 5 * second);
        assert!(config.drain > Some(second));
        engine.configure(|config| config.drain = None);
        assert_eq!(engine.config().drain, None);
    }
}
