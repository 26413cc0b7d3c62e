//! What can go wrong in a call, and in a setting.

use std::any::Any;
use std::fmt;

/// A setting that cannot be; its text says what was wrong and what to write instead.
///
/// ```
/// use tenure::Settings;
///
/// let settings = Settings { max_entries: Some(0), ..Settings::default() };
/// let error = settings.check().unwrap_err();
/// assert!(error.to_string().contains("max_entries must be at least 1"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingError(Box<str>);

impl SettingError {
    pub(crate) fn new(text: String) -> Self {
        Self(text.into_boxed_str())
    }
}

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SettingError {}

/// What the host or the runtime raised to end a wait or a build; opaque to the engine.
///
/// ```
/// let stop = tenure::Interrupt(Box::new("the user has left"));
/// assert_eq!(stop.0.downcast_ref(), Some(&"the user has left"));
/// ```
pub struct Interrupt(pub Box<dyn Any + Send>);

impl fmt::Debug for Interrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Interrupt")
    }
}

/// Why a build gave no resource.
///
/// ```
/// use tenure::{BuildError, Engine, Error, Function, Interrupt, KeyRef, Patiently, Settings};
///
/// let engine = Engine::new();
/// let pools = Function::<u32, String>::plain(&engine, "pool", Settings::default())?;
/// let dies = || Err(BuildError::Died(Interrupt(Box::new("stop"))));
/// let got = pools.get_or_build_while(&KeyRef::EMPTY, &Patiently, dies);
/// assert!(matches!(got, Err(Error::Interrupted(_))));
/// assert_eq!(pools.info().entries, 0); // the next call builds
/// # Ok::<(), tenure::SettingError>(())
/// ```
#[derive(Debug)]
pub enum BuildError<F> {
    /// The function failed; those who waited get this failure too.
    Failed(F),
    /// The build was ended from outside; one of those who waited takes over.
    Died(Interrupt),
}

/// Why a call gave no resource.
///
/// ```
/// use tenure::{Engine, Error, Function, KeyRef, Settings};
///
/// let engine = Engine::new();
/// let pools = Function::<u32, String>::plain(&engine, "pool", Settings::default())?;
/// let key = KeyRef::EMPTY;
/// let circle = pools.get_or_build(&key, || match pools.get_or_build(&key, || Ok(1)) {
///     Err(Error::Cycle(chain)) => Err(chain.join(" needs ")),
///     _ => Ok(2),
/// });
/// assert!(matches!(circle, Err(Error::Failed(text)) if text == "pool needs pool"));
/// # Ok::<(), tenure::SettingError>(())
/// ```
#[derive(Debug)]
pub enum Error<F> {
    /// The function failed, in this call or in the one that this call waited for.
    Failed(F),
    /// The function needs its own entry, through the functions named, first to last.
    Cycle(Vec<String>),
    /// A session-scoped function was called where there is no session.
    NoSession {
        /// The function's name.
        function: String,
    },
    /// The wait or the build was ended from outside.
    Interrupted(Interrupt),
}

impl<F: fmt::Display> fmt::Display for Error<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(failure) => failure.fmt(f),
            Self::Cycle(chain) => f.write_str(&cycle_text(chain)),
            Self::NoSession { function } => f.write_str(&no_session_text(function)),
            Self::Interrupted(_) => f.write_str("the call was interrupted"),
        }
    }
}

impl<F: fmt::Debug + fmt::Display> std::error::Error for Error<F> {}

/// The sentence for a cycle, the same in every language.
///
/// ```
/// let text = tenure::cycle_text(&["pool".to_owned(), "pool".to_owned()]);
/// assert!(text.contains("pool"));
/// ```
#[must_use]
pub fn cycle_text(chain: &[String]) -> String {
    format!(
        "{} needs its own entry to be built: {}. Break the circle: pass the resource as an \
         argument whose name begins with `_`, or build it in a function that is not cached.",
        chain.first().map_or("a cached function", String::as_str),
        chain.join(" → ")
    )
}

/// The sentence for a missing session, the same in every language.
///
/// ```
/// assert!(tenure::no_session_text("basket").contains("basket"));
/// ```
#[must_use]
pub fn no_session_text(function: &str) -> String {
    format!(
        "{function} has scope=\"session\", but this code runs in no session. Call it from code \
         that serves one (a Streamlit script, a request), or use scope=\"global\"."
    )
}
