//! What holds for all functions unless they say otherwise.

use std::time::Duration;

use crate::clock::{NEVER, Nanos, nanos};
use crate::sync::{Figure, Ordering};

/// What holds for all functions unless they say otherwise.
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
    /// How long the releases at the end of the process may take in all.
    pub shutdown_bound: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            drain: None,
            session_grace: Duration::ZERO,
            shutdown_bound: Duration::from_secs(5),
        }
    }
}

/// The configuration in force. Every release reads it, so that takes no lock.
pub(crate) struct InForce {
    /// `NEVER`: none.
    drain: Figure,
    session_grace: Figure,
    shutdown_bound: Figure,
}

impl InForce {
    pub(crate) fn read(&self) -> Config {
        let get = |figure: &Figure| Duration::from_nanos(figure.load(Ordering::Relaxed));
        Config {
            drain: self.drain(),
            session_grace: get(&self.session_grace),
            shutdown_bound: get(&self.shutdown_bound),
        }
    }

    #[inline]
    pub(crate) fn drain(&self) -> Option<Duration> {
        match self.drain.load(Ordering::Relaxed) {
            NEVER => None,
            drain => Some(Duration::from_nanos(drain)),
        }
    }

    /// Puts in force what `change` changes, and leaves the rest as it may have become meanwhile.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Config)) {
        let before = self.read();
        let mut after = before.clone();
        change(&mut after);
        let set = |figure: &Figure, before: Nanos, after: Nanos| {
            if before != after {
                figure.store(after, Ordering::Relaxed);
            }
        };
        set(&self.drain, bound(before.drain), bound(after.drain));
        for (figure, before, after) in [
            (
                &self.session_grace,
                before.session_grace,
                after.session_grace,
            ),
            (
                &self.shutdown_bound,
                before.shutdown_bound,
                after.shutdown_bound,
            ),
        ] {
            set(figure, nanos(before), nanos(after));
        }
    }
}

impl Default for InForce {
    fn default() -> Self {
        let config = Config::default();
        Self {
            drain: Figure::new(bound(config.drain)),
            session_grace: Figure::new(nanos(config.session_grace)),
            shutdown_bound: Figure::new(nanos(config.shutdown_bound)),
        }
    }
}

fn bound(drain: Option<Duration>) -> Nanos {
    drain.map_or(NEVER, |drain| nanos(drain).min(NEVER - 1))
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
