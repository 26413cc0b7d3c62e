//! The outcome of a call whose build can fail.

use std::convert::Infallible;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::life::lease::Lease;
use crate::words::error::{Error, cycle_text, no_session_text, shared_build_text, timed_out_text};

/// Why a cached function that returns a `Result` gave no resource.
///
/// The function's own error is shared: every caller that waited for the failed build gets the same
/// one, and the next call builds again. Works with `?` into `Box<dyn Error>`, into `anyhow::Error`
/// and its kin, and into your own error through `From<Shared<E>>`.
///
/// ```
/// use tenure::{Shared, cache_resource};
///
/// #[cache_resource]
/// fn port(text: &str) -> Result<u16, std::num::ParseIntError> {
///     text.parse()
/// }
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     assert_eq!(*port("80")?, 80);
///     let error: Shared<_> = port("many").unwrap_err();
///     assert_eq!(error.to_string(), "invalid digit found in string");
///     assert!(error.failure().is_some());
///     Ok(())
/// }
/// ```
pub struct Shared<E>(Kind<E>);

enum Kind<E> {
    Failed(Failed<E>),
    Cycle(Arc<[String]>),
    NoSession(Arc<str>),
    TimedOut(Arc<str>, Duration),
    /// The sentence, which names both functions.
    SharedBuild(Arc<str>),
    /// With what to do about it, where that is known.
    Interrupted(Option<Arc<str>>),
}

/// How an `E` is told, as far as it can be.
#[doc(hidden)]
#[allow(missing_debug_implementations)]
pub struct Telling<E> {
    /// What caused it.
    pub source: fn(&E) -> Option<&(dyn StdError + 'static)>,
    /// The error as text, in one line where it is one.
    pub text: fn(&E) -> Option<String>,
}

impl<E> Clone for Telling<E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Telling<E> {}

/// An error of the program's own, and how it is told.
#[doc(hidden)]
pub struct Failed<E> {
    error: Arc<E>,
    telling: Telling<E>,
}

impl<E> Failed<E> {
    /// A failure for all who waited.
    pub fn new(error: E, telling: Telling<E>) -> Self {
        Self {
            error: Arc::new(error),
            telling,
        }
    }
}

/// A failure that a log can tell of.
#[doc(hidden)]
pub trait Told {
    /// It as text, where it has one.
    fn text(&self) -> Option<String>;
}

impl<E> Told for Failed<E> {
    fn text(&self) -> Option<String> {
        (self.telling.text)(&self.error)
    }
}

impl Told for Infallible {
    fn text(&self) -> Option<String> {
        match *self {}
    }
}

impl<E> Clone for Failed<E> {
    fn clone(&self) -> Self {
        Self {
            error: Arc::clone(&self.error),
            telling: self.telling,
        }
    }
}

impl<E: fmt::Debug> fmt::Debug for Failed<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<E> Shared<E> {
    /// The function's own error, if it is what ended the call.
    ///
    /// ```
    /// #[tenure::cache_resource]
    /// fn port(text: &str) -> Result<u16, std::num::ParseIntError> {
    ///     text.parse()
    /// }
    ///
    /// assert!(port("eighty").unwrap_err().failure().is_some());
    /// ```
    #[must_use]
    pub fn failure(&self) -> Option<&E> {
        match &self.0 {
            Kind::Failed(failed) => Some(&failed.error),
            _ => None,
        }
    }

    /// The function's own error, to keep: others that waited may have it too.
    ///
    /// ```
    /// use std::io;
    /// use std::sync::Arc;
    ///
    /// #[tenure::cache_resource]
    /// fn file(path: &str) -> io::Result<std::fs::File> {
    ///     std::fs::File::open(path)
    /// }
    ///
    /// let error: Arc<io::Error> = file("nowhere").unwrap_err().into_failure().unwrap();
    /// assert_eq!(error.kind(), io::ErrorKind::NotFound);
    /// ```
    ///
    /// # Errors
    /// Gives itself back where something else ended the call.
    pub fn into_failure(self) -> Result<Arc<E>, Self> {
        match self.0 {
            Kind::Failed(failed) => Ok(failed.error),
            other => Err(Self(other)),
        }
    }

    /// Whether the function needs its own entry to be built, directly or through others.
    ///
    /// ```
    /// #[tenure::cache_resource]
    /// fn circle() -> Result<u32, String> {
    ///     circle().map(|it| *it + 1).map_err(|error| {
    ///         assert!(error.is_cycle());
    ///         error.to_string()
    ///     })
    /// }
    ///
    /// assert!(circle().unwrap_err().failure().is_some());
    /// ```
    #[must_use]
    pub fn is_cycle(&self) -> bool {
        matches!(self.0, Kind::Cycle(_))
    }

    /// Whether the function has `scope = "session"` and the calling code runs in no session, or builds what
    /// more than one session shares.
    ///
    /// ```
    /// #[tenure::cache_resource(scope = "session")]
    /// fn basket() -> Result<u32, String> {
    ///     Ok(0)
    /// }
    ///
    /// assert!(basket().unwrap_err().is_no_session());
    /// ```
    #[must_use]
    pub fn is_no_session(&self) -> bool {
        matches!(self.0, Kind::NoSession(_) | Kind::SharedBuild(_))
    }

    /// Whether the build took longer than `build_timeout` lets a caller wait. It goes on, and what it
    /// gives is kept.
    ///
    /// ```
    /// use std::sync::Barrier;
    ///
    /// static TIRED: Barrier = Barrier::new(2);
    ///
    /// #[tenure::cache_resource(build_timeout = "10ms")]
    /// fn model() -> Result<u32, String> {
    ///     TIRED.wait(); // takes longer than its caller waits
    ///     Ok(7)
    /// }
    ///
    /// assert!(model().unwrap_err().is_timeout());
    /// TIRED.wait();
    /// ```
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self.0, Kind::TimedOut(..))
    }

    /// Whether the host ended the call.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use tenure::{BuildStart, Host, HostBuild, Interrupt, Recording, SessionId};
    /// # struct Closing;
    /// # impl Host for Closing {
    /// #     fn session(&self) -> Result<Option<SessionId>, Interrupt> { Ok(None) }
    /// #     fn begin(&self, _: &BuildStart<'_>) -> Result<Option<Arc<dyn HostBuild>>, Interrupt> {
    /// #         Err(Interrupt(Box::new("the program is closing")))
    /// #     }
    /// #     fn replay(&self, _: &Recording) -> Result<(), Interrupt> { Ok(()) }
    /// # }
    /// #[tenure::cache_resource]
    /// fn pool() -> Result<u32, String> {
    ///     Ok(7)
    /// }
    ///
    /// tenure::set_host(Closing); // lets no build begin
    /// assert!(pool().unwrap_err().is_interrupted());
    /// ```
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        matches!(self.0, Kind::Interrupted(_))
    }

    pub(crate) fn from_call(error: Error<Failed<E>>) -> Self {
        Self(match error {
            Error::Failed(failed) => Kind::Failed(failed),
            Error::Cycle(chain) => Kind::Cycle(chain.into()),
            Error::NoSession { function } => Kind::NoSession(function.into()),
            Error::TimedOut { function, waited } => Kind::TimedOut(function.into(), waited),
            Error::SharedBuild {
                function,
                kept_for,
                within,
            } => Kind::SharedBuild(shared_build_text(&function, kept_for, &within).into()),
            Error::Interrupted(interrupt) => Kind::Interrupted(interrupt.advice().map(Into::into)),
        })
    }
}

impl<E> Clone for Shared<E> {
    fn clone(&self) -> Self {
        Self(match &self.0 {
            Kind::Failed(failed) => Kind::Failed(failed.clone()),
            Kind::Cycle(chain) => Kind::Cycle(Arc::clone(chain)),
            Kind::NoSession(function) => Kind::NoSession(Arc::clone(function)),
            Kind::TimedOut(function, waited) => Kind::TimedOut(Arc::clone(function), *waited),
            Kind::SharedBuild(text) => Kind::SharedBuild(Arc::clone(text)),
            Kind::Interrupted(advice) => Kind::Interrupted(advice.clone()),
        })
    }
}

impl<E: fmt::Display> fmt::Display for Shared<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Failed(failed) => failed.error.fmt(f),
            Kind::Cycle(chain) => f.write_str(&cycle_text(chain)),
            Kind::NoSession(function) => f.write_str(&no_session_text(function)),
            Kind::TimedOut(function, waited) => f.write_str(&timed_out_text(function, *waited)),
            Kind::SharedBuild(text) => f.write_str(text),
            Kind::Interrupted(Some(advice)) => f.write_str(advice),
            Kind::Interrupted(None) => f.write_str("the call was interrupted by its host"),
        }
    }
}

impl<E: fmt::Debug> fmt::Debug for Shared<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Failed(failed) => failed.error.fmt(f),
            Kind::Cycle(chain) => f.debug_tuple("Cycle").field(chain).finish(),
            Kind::NoSession(function) => f.debug_tuple("NoSession").field(function).finish(),
            Kind::TimedOut(function, waited) => f
                .debug_tuple("TimedOut")
                .field(function)
                .field(waited)
                .finish(),
            Kind::SharedBuild(text) => f.debug_tuple("SharedBuild").field(text).finish(),
            Kind::Interrupted(_) => f.write_str("Interrupted"),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> StdError for Shared<E> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.0 {
            Kind::Failed(failed) => (failed.telling.source)(&failed.error),
            _ => None,
        }
    }
}

/// Any `Result`, for types that are spelled with an alias.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is named like a `Result`, but is none",
    note = "spell the return type as `Result<T, E>`, or name the type otherwise"
)]
#[doc(hidden)]
pub trait Outcome {
    /// The type of a success.
    type Value;
    /// The type of a failure.
    type Error;
}

impl<T, E> Outcome for Result<T, E> {
    type Value = T;
    type Error = E;
}

/// The lease from a call that cannot fail, but for a circle and the like.
#[track_caller]
pub(crate) fn gave<V: crate::Resource>(outcome: Result<Lease<V>, Error<Infallible>>) -> Lease<V> {
    match outcome {
        Ok(lease) => lease,
        Err(Error::Failed(never)) => match never {},
        Err(error) => panic!("{error}"),
    }
}
