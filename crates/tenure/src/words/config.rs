//! The configuration: what holds for all functions unless they say otherwise.

use std::time::Duration;

use crate::ground::clock::{NEVER, Nanos, nanos};
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
}

impl Default for Config {
    fn default() -> Self {
        Self {
            drain: None,
            session_grace: Duration::ZERO,
            version_grace: Some(Duration::from_secs(3600)),
            shutdown_bound: Duration::from_secs(5),
        }
    }
}

/// The configuration in force, as [`numbers`]. Every release reads it, so that takes no lock.
pub(crate) struct InForce([Figure; 4]);

impl InForce {
    pub(crate) fn read(&self) -> Config {
        let [_, session, version, shutdown] = &self.0;
        let get = |figure: &Figure| Duration::from_nanos(figure.load(Ordering::Relaxed));
        Config {
            drain: self.drain(),
            session_grace: get(session),
            version_grace: unless_never(version),
            shutdown_bound: get(shutdown),
        }
    }

    #[inline]
    pub(crate) fn drain(&self) -> Option<Duration> {
        let [drain, ..] = &self.0;
        unless_never(drain)
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

/// The drain, the two graces and the bound; `NEVER` where there is none.
fn numbers(config: &Config) -> [Nanos; 4] {
    let or_never = |time: Option<Duration>| time.map_or(NEVER, |time| nanos(time).min(NEVER - 1));
    [
        or_never(config.drain),
        nanos(config.session_grace),
        or_never(config.version_grace),
        nanos(config.shutdown_bound),
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
