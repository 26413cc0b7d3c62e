//! Time as the engine sees it: nanoseconds since an arbitrary start, never going back.
//!
//! A hit reads the coarse clock, which may lag by one tick of the system; where that could matter
//! (a deadline within [`COARSE_SLACK`]) the precise one decides. A [`ManualClock`] stands still
//! until a test moves it; a [`SteeredClock`] runs with the system's until it is held or moved.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Nanoseconds since the clock's start.
pub(crate) type Nanos = u64;

/// A deadline that never comes.
pub(crate) const NEVER: Nanos = Nanos::MAX;

/// More than any system's coarse tick.
const COARSE_SLACK: Nanos = 20_000_000;

/// A clock that moves only when told to, for tests. Its clones are the same clock.
///
/// ```
/// use std::time::Duration;
/// use tenure::{Engine, Function, KeyRef, ManualClock, Settings};
///
/// let clock = ManualClock::new();
/// let engine = Engine::with_clock(clock.clone());
/// let pools = Function::<u32, ()>::plain(&engine, "pool", Settings::default())?;
/// let build = || {
///     clock.advance(Duration::from_secs(2)); // a slow build that costs a test no time
///     Ok(7)
/// };
/// pools.get_or_build(&KeyRef::EMPTY, build).unwrap();
/// assert_eq!(pools.info().build_time, Duration::from_secs(2));
/// # Ok::<(), tenure::SettingError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct ManualClock {
    now: Arc<AtomicU64>,
}

impl ManualClock {
    /// A clock that stands at its start.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tenure::{Engine, Function, KeyRef, ManualClock, Settings};
    /// let engine = Engine::with_clock(ManualClock::new());
    /// # let pools = Function::<u32, ()>::plain(&engine, "pool", Settings::default()).unwrap();
    /// pools.get_or_build(&KeyRef::EMPTY, || Ok(7)).unwrap();
    /// assert_eq!(pools.info().build_time, Duration::ZERO); // it has not moved meanwhile
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Moves the clock forward. What a deadline asked for meanwhile happens in
    /// [`Engine::run_due`](crate::Engine::run_due).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tenure::{Engine, Function, KeyRef, ManualClock, Settings};
    /// # let clock = ManualClock::new();
    /// # let engine = Engine::with_clock(clock.clone());
    /// # let settings = Settings::default().ttl(Duration::from_secs(60));
    /// # let pools = Function::<u32, ()>::plain(&engine, "pool", settings).unwrap();
    /// # pools.get_or_build(&KeyRef::EMPTY, || Ok(7)).unwrap();
    /// clock.advance(Duration::from_secs(59)); // its `ttl` is a minute
    /// assert_eq!(pools.peek(&KeyRef::EMPTY, |pool| *pool), Some(7));
    /// clock.advance(Duration::from_secs(2));
    /// assert_eq!(pools.peek(&KeyRef::EMPTY, |pool| *pool), None);
    /// ```
    pub fn advance(&self, by: Duration) {
        forward(&self.now, by);
    }
}

/// A clock that runs with the system's until it is held or moved forward, for tests whose time another tool
/// sets. Its clones are the same clock.
///
/// It is steered by one thread at a time, and read by any.
///
/// ```
/// use std::time::Duration;
/// use tenure::{Engine, Function, KeyRef, Settings, SteeredClock};
///
/// let clock = SteeredClock::new();
/// let engine = Engine::with_steered(clock.clone());
/// let settings = Settings::default().ttl(Duration::from_secs(3600));
/// let pools = Function::<u32, ()>::plain(&engine, "pool", settings)?;
/// pools.get_or_build(&KeyRef::EMPTY, || Ok(7)).unwrap();
///
/// clock.hold(); // nothing grows older now
/// engine.steer(|| clock.advance(Duration::from_secs(3601))).run();
/// assert_eq!(pools.info().entries, 0);
/// clock.run_on();
/// # Ok::<(), tenure::SettingError>(())
/// ```
#[derive(Clone, Debug)]
pub struct SteeredClock(Arc<Steered>);

#[derive(Debug)]
struct Steered {
    /// Where it stands, [`NEVER`] while it runs.
    held: AtomicU64,
    /// How far it is before the system's, which may be negative: it wraps.
    ahead: AtomicU64,
}

impl Default for SteeredClock {
    fn default() -> Self {
        Self::new()
    }
}

impl SteeredClock {
    /// A clock that runs, at the system's time.
    ///
    /// ```
    /// let engine = tenure::Engine::with_steered(tenure::SteeredClock::new());
    /// assert!(engine.shutdown());
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Steered {
            held: AtomicU64::new(NEVER),
            ahead: AtomicU64::new(0),
        }))
    }

    /// Has it stand still where it is.
    ///
    /// ```
    /// let clock = tenure::SteeredClock::new();
    /// clock.hold();
    /// assert!(clock.is_held());
    /// ```
    pub fn hold(&self) {
        self.0.held.store(self.precise(), Ordering::SeqCst);
    }

    /// Whether it stands still.
    ///
    /// ```
    /// assert!(!tenure::SteeredClock::new().is_held());
    /// ```
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.0.held.load(Ordering::SeqCst) != NEVER
    }

    /// Moves it forward, whether it runs or stands still. What a deadline asked for meanwhile happens in
    /// [`Engine::run_due`](crate::Engine::run_due), or a little later on the background thread; in
    /// [`Engine::steer`](crate::Engine::steer), on the caller's thread alone.
    ///
    /// ```
    /// let clock = tenure::SteeredClock::new();
    /// clock.advance(std::time::Duration::from_secs(60));
    /// ```
    pub fn advance(&self, by: Duration) {
        if self.is_held() {
            forward(&self.0.held, by);
        } else {
            self.0.ahead.fetch_add(nanos(by), Ordering::SeqCst);
        }
    }

    /// Has it run again, from where it stands.
    ///
    /// ```
    /// let clock = tenure::SteeredClock::new();
    /// clock.hold();
    /// clock.run_on();
    /// assert!(!clock.is_held());
    /// ```
    pub fn run_on(&self) {
        let held = self.0.held.load(Ordering::SeqCst);
        if held != NEVER {
            let ahead = held.wrapping_sub(system::precise());
            self.0.ahead.store(ahead, Ordering::SeqCst);
            // After it, so that nobody reads the old difference.
            self.0.held.store(NEVER, Ordering::SeqCst);
        }
    }

    fn precise(&self) -> Nanos {
        self.at(system::precise)
    }

    fn at(&self, system: impl FnOnce() -> Nanos) -> Nanos {
        match self.0.held.load(Ordering::SeqCst) {
            NEVER => system().wrapping_add(self.0.ahead.load(Ordering::SeqCst)),
            held => held,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Clock {
    System,
    Manual(ManualClock),
    Steered(SteeredClock),
}

impl Clock {
    /// The present time, precisely.
    pub(crate) fn now(&self) -> Nanos {
        match self {
            Self::System => system::precise(),
            Self::Manual(clock) => clock.now.load(Ordering::SeqCst),
            Self::Steered(clock) => clock.precise(),
        }
    }

    /// Whether `deadline` has come. Costs one coarse reading unless it is close.
    #[inline]
    pub(crate) fn has_come(&self, deadline: Nanos) -> bool {
        self.has_come_by(self.coarse(), deadline)
    }

    /// The present time, which may lag by one tick of the system.
    #[inline]
    pub(crate) fn coarse(&self) -> Nanos {
        match self {
            Self::System => system::coarse(),
            Self::Manual(clock) => clock.now.load(Ordering::SeqCst),
            Self::Steered(clock) => clock.at(system::coarse),
        }
    }

    /// Whether `deadline` has come, for one who has the [`coarse`](Self::coarse) time.
    #[inline]
    pub(crate) fn has_come_by(&self, coarse: Nanos, deadline: Nanos) -> bool {
        match self {
            Self::System => {
                coarse.saturating_add(COARSE_SLACK) >= deadline && system::precise() >= deadline
            }
            Self::Manual(_) => coarse >= deadline,
            Self::Steered(clock) => {
                coarse.saturating_add(COARSE_SLACK) >= deadline && clock.precise() >= deadline
            }
        }
    }

    pub(crate) fn is_manual(&self) -> bool {
        matches!(self, Self::Manual(_))
    }
}

/// Moves a clock that stands forward, to the last time that there is at most.
fn forward(clock: &AtomicU64, by: Duration) {
    let moved = |now: Nanos| Some(now.saturating_add(nanos(by)).min(NEVER - 1));
    let moved = clock.fetch_update(Ordering::SeqCst, Ordering::SeqCst, moved);
    debug_assert!(moved.is_ok(), "there is always such a time");
}

/// A duration in nanoseconds; one longer than five centuries is five centuries.
pub(crate) fn nanos(duration: Duration) -> Nanos {
    Nanos::try_from(duration.as_nanos()).unwrap_or(NEVER / 2)
}

#[cfg(target_os = "linux")]
mod system {
    #![allow(unsafe_code)]

    use super::Nanos;

    fn read(clock: libc::clockid_t) -> Nanos {
        let mut time = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: `time` is a valid timespec, and both clocks exist on every supported kernel.
        unsafe { libc::clock_gettime(clock, &raw mut time) };
        (time.tv_sec as u64) * 1_000_000_000 + time.tv_nsec as u64
    }

    pub(super) fn precise() -> Nanos {
        read(libc::CLOCK_MONOTONIC)
    }

    #[inline]
    pub(super) fn coarse() -> Nanos {
        read(libc::CLOCK_MONOTONIC_COARSE)
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use super::{Nanos, nanos};
    use std::sync::OnceLock;
    use std::time::Instant;

    pub(super) fn precise() -> Nanos {
        static START: OnceLock<Instant> = OnceLock::new();
        nanos(START.get_or_init(Instant::now).elapsed())
    }

    pub(super) fn coarse() -> Nanos {
        precise()
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn t3_a_clock_that_is_moved_never_goes_back() {
        let manual = ManualClock::new();
        let clock = Clock::Manual(manual.clone());
        let steered = SteeredClock::new();
        steered.hold();
        let held = Clock::Steered(steered.clone());
        let mut before = (clock.now(), held.now());
        for _ in 0..4 {
            manual.advance(Duration::MAX);
            steered.advance(Duration::MAX);
            let after = (clock.now(), held.now());
            assert!(after.0 >= before.0 && after.1 >= before.1);
            before = after;
        }
        assert!(steered.is_held());
    }
}
