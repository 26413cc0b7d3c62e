//! Why an entry ends, and what a front door knows of its function's resources.

use std::any::Any;
use std::fmt;

use crate::words::error::Interrupt;

/// Why an entry ended.
///
/// ```
/// use tenure::Cause;
///
/// assert_eq!(Cause::SessionEnded.to_string(), "session_ended");
/// assert!(Cause::ALL.contains(&Cause::Evicted));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
#[non_exhaustive]
pub enum Cause {
    /// It was the oldest in a full cache.
    Evicted,
    /// Its `ttl` had passed.
    Expired,
    /// Someone cleared it.
    Cleared,
    /// `validate` turned it down, or its user discarded it.
    Invalid,
    /// A refresh built its successor.
    Replaced,
    /// Its session ended.
    SessionEnded,
    /// The function was edited or its settings changed.
    Superseded,
    /// It became no entry: it was cleared, superseded, or its session ended, while it was being
    /// built, or `keep_if` turned it down.
    Orphaned,
    /// The process ends.
    Shutdown,
}

impl Cause {
    /// Every cause, in the order of their numbers.
    pub const ALL: &'static [Self] = &[
        Self::Evicted,
        Self::Expired,
        Self::Cleared,
        Self::Invalid,
        Self::Replaced,
        Self::SessionEnded,
        Self::Superseded,
        Self::Orphaned,
        Self::Shutdown,
    ];

    /// The cause's name in snake case, as `info()` shows it.
    ///
    /// ```
    /// # use tenure::Cause;
    /// assert_eq!(Cause::Evicted.name(), "evicted");
    /// ```
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Evicted => "evicted",
            Self::Expired => "expired",
            Self::Cleared => "cleared",
            Self::Invalid => "invalid",
            Self::Replaced => "replaced",
            Self::SessionEnded => "session_ended",
            Self::Superseded => "superseded",
            Self::Orphaned => "orphaned",
            Self::Shutdown => "shutdown",
        }
    }

    pub(crate) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A front door's knowledge of a function's resources: how to check and to release them.
///
/// None of these is ever called under a lock.
///
/// ```
/// use tenure::{Behaviour, Cause, Engine, Function, Interrupt, KeyRef, ReleaseFailed, Settings};
///
/// struct Files;
///
/// impl Behaviour<String> for Files {
///     fn validate(&self, path: &String) -> Result<bool, Interrupt> {
///         Ok(!path.is_empty())
///     }
///     fn release(&self, path: String, cause: Cause) -> Result<(), ReleaseFailed> {
///         println!("{path} is closed: {cause}");
///         Ok(())
///     }
/// }
///
/// let engine = Engine::new();
/// let settings = Settings::default().validates(true);
/// let files = Function::<String, ()>::new(&engine, "file", settings, Box::new(Files))?;
/// files.get_or_build(&KeyRef::EMPTY, || Ok("a".to_owned())).unwrap();
/// files.clear().unwrap();
/// assert_eq!(files.info().released(Cause::Cleared), 1);
/// # Ok::<(), tenure::SettingError>(())
/// ```
pub trait Behaviour<V>: Any + Send + Sync {
    /// Whether the resource is still good. Asked at each access where
    /// [`Settings::validates`](crate::Settings::validates) is set.
    ///
    /// # Errors
    /// What ends the access instead; the entry stays.
    fn validate(&self, value: &V) -> Result<bool, Interrupt> {
        let _ = value;
        Ok(true)
    }

    /// Whether what was built becomes an entry. What does not goes to the callers of its build, and
    /// is released with cause [`Cause::Orphaned`] once they let go.
    ///
    /// # Errors
    /// What ends the call instead; the resource is released, and those who waited look again.
    fn keeps(&self, value: &V) -> Result<bool, Interrupt> {
        let _ = value;
        Ok(true)
    }

    /// Receives the resource when its entry has ended; dropping it is all that is needed where
    /// there is nothing to do.
    ///
    /// # Errors
    /// What went wrong, already logged: the engine counts it.
    fn release(&self, value: V, cause: Cause) -> Result<(), ReleaseFailed> {
        let _ = cause;
        drop(value);
        Ok(())
    }

    /// How callers hold resources.
    fn holding(&self) -> Holding {
        Holding::Leases
    }

    /// Whether anyone outside the cache uses the resource, where leases do not tell.
    fn in_use(&self, value: &V) -> bool {
        let _ = value;
        false
    }

    /// Whether someone who uses it has asked for it to stay meanwhile, where leases do not tell.
    /// It then stays without a drain too.
    fn is_claimed(&self, value: &V) -> bool {
        let _ = value;
        false
    }
}

/// How it is known that a caller still uses a resource.
///
/// ```
/// use tenure::front::Holding;
/// use tenure::Behaviour;
///
/// struct Plain;
/// impl Behaviour<u32> for Plain {}
/// assert_eq!(Plain.holding(), Holding::Leases);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holding {
    /// Only through a [`Lease`](crate::Lease).
    Leases,
    /// Also in ways that only [`Behaviour::in_use`] and [`Behaviour::is_claimed`] see; they are
    /// asked again and again.
    Watched,
}

/// A release callback failed, and the front door has logged it.
///
/// ```
/// use tenure::{Cause, Behaviour, Engine, Function, KeyRef, ReleaseFailed, Settings};
///
/// struct Stuck;
/// impl Behaviour<u32> for Stuck {
///     fn release(&self, _: u32, _: Cause) -> Result<(), ReleaseFailed> {
///         Err(ReleaseFailed)
///     }
/// }
///
/// let engine = Engine::new();
/// let stuck = Function::<u32, ()>::new(&engine, "stuck", Settings::default(), Box::new(Stuck))?;
/// stuck.get_or_build(&KeyRef::EMPTY, || Ok(7)).unwrap();
/// stuck.clear().unwrap();
/// assert_eq!(stuck.info().release_failures, 1);
/// # Ok::<(), tenure::SettingError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReleaseFailed;
