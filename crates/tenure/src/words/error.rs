//! The errors of calls and of settings.

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

/// A setting that cannot be; its text says what was wrong and what to write instead.
///
/// ```
/// use tenure::Settings;
///
/// let settings = Settings::default().max_entries(0);
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

impl StdError for SettingError {}

/// An exception of the host or the runtime that ends a wait or a build; opaque to the engine.
///
/// ```
/// let stop = tenure::Interrupt(Box::new("the user has left"));
/// assert_eq!(stop.0.downcast_ref(), Some(&"the user has left"));
/// ```
pub struct Interrupt(pub Box<dyn Any + Send + Sync>);

impl fmt::Debug for Interrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Interrupt")
    }
}

impl fmt::Display for Interrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it was ended from outside")
    }
}

impl StdError for Interrupt {}

/// An end that Tenure has brought about itself, and what the caller can do about it.
struct Advice(String);

/// What a call is told that would have to build again and no longer can: the runtime that carried its
/// build has dropped it, and its arguments with it.
pub(crate) fn lost(function: &str) -> Interrupt {
    Interrupt(Box::new(Advice(format!(
        "the runtime on which {function} was being built was shut down, and the arguments of this \
         call went with it: call again"
    ))))
}

/// What a call is told whose resource was built, and then asked in vain.
pub(crate) fn panicked(setting: &str, function: &str) -> Interrupt {
    Interrupt(Box::new(Advice(format!(
        "{setting} of {function} panicked, so what was built is not kept: see to it that it answers for \
         every resource"
    ))))
}

/// Logs a build that has panicked and whose panic goes on in nobody.
pub(crate) fn log_panicked(function: &str, panic: &(dyn Any + Send)) {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(%function, error = text, "a build panicked that nobody waited for");
}

/// Logs what has ended a build and reaches nobody.
pub(crate) fn log_interrupted(function: &str, interrupt: &Interrupt) {
    let error = interrupt.advice();
    tracing::error!(%function, error, "a build was interrupted that nobody waited for");
}

impl Interrupt {
    /// What the caller can do about it, where Tenure knows.
    pub(crate) fn advice(&self) -> Option<String> {
        let Advice(text) = self.0.downcast_ref()?;
        Some(text.clone())
    }
}

/// Why a build gave no resource.
///
/// ```
/// use tenure::front::{BuildError, Patiently};
/// use tenure::{Engine, Error, Function, Interrupt, KeyRef, Settings};
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
#[non_exhaustive]
pub enum BuildError<F> {
    /// The function failed; those who waited get this failure too.
    Failed(F),
    /// The build was ended from outside; one of those who waited takes over.
    Died(Interrupt),
}

impl<F: fmt::Display> fmt::Display for BuildError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(failure) => failure.fmt(f),
            Self::Died(_) => f.write_str("the build was interrupted"),
        }
    }
}

impl<F: StdError + 'static> StdError for BuildError<F> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Failed(failure) => failure.source(),
            Self::Died(interrupt) => Some(interrupt),
        }
    }
}

/// Whom a function keeps a resource for, where that is not whoever comes.
///
/// ```
/// use tenure::{Error, KeptFor};
///
/// # let engine = tenure::Engine::new();
/// # let settings = tenure::Settings::default().scope(tenure::Scope::Session);
/// # let baskets = tenure::Function::<u32, String>::plain(&engine, "basket", settings)?;
/// # let shops = tenure::Function::<u32, String>::plain(&engine, "shop", tenure::Settings::default())?;
/// # let key = tenure::KeyRef::EMPTY;
/// let shop = shops.get_or_build(&key, || match baskets.get_or_build(&key, || Ok(1)) {
///     Err(Error::SharedBuild { kept_for: KeptFor::Session, within, .. }) => Err(within),
///     _ => Ok(2),
/// });
/// assert!(matches!(shop, Err(Error::Failed(within)) if within == "shop"));
/// # Ok::<(), tenure::SettingError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeptFor {
    /// Those in one session.
    Session,
    /// Those for whom the front door's own scope is the same, as the users of one tenant.
    Callers,
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
///
/// It says what the function's own error says, and has the same
/// [`source`](std::error::Error::source); `?` takes it into `Box<dyn Error + Send + Sync>`,
/// `anyhow::Error` and their kin.
///
/// ```
/// use std::sync::Arc;
/// use tenure::{Engine, Function, KeyRef, Settings};
///
/// fn open() -> Result<u32, Box<dyn std::error::Error + Send + Sync>> {
///     let engine = Engine::new();
///     let files = Function::<u32, _>::plain(&engine, "file", Settings::default())?;
///     let down = || Err(Arc::new(std::io::Error::other("down")));
///     Ok(*files.get_or_build(&KeyRef::EMPTY, down)?)
/// }
///
/// assert_eq!(open().unwrap_err().to_string(), "down");
/// ```
#[derive(Debug)]
#[non_exhaustive]
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
    /// The build took longer than the caller was to wait for it
    /// ([`Settings::build_timeout`](crate::Settings::build_timeout)). It goes on, and what it gives is
    /// kept.
    TimedOut {
        /// The function's name.
        function: String,
        /// How long the caller has waited.
        waited: Duration,
    },
    /// A function that keeps its resources apart was called to build one that more share than those whom
    /// it keeps them for.
    SharedBuild {
        /// The function's name.
        function: String,
        /// Who shares what it keeps.
        kept_for: KeptFor,
        /// The name of the function that was being built.
        within: String,
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
            Self::TimedOut { function, waited } => f.write_str(&timed_out_text(function, *waited)),
            Self::SharedBuild {
                function,
                kept_for,
                within,
            } => f.write_str(&shared_build_text(function, *kept_for, within)),
            Self::Interrupted(interrupt) => match interrupt.advice() {
                Some(advice) => f.write_str(&advice),
                None => f.write_str("the call was interrupted"),
            },
        }
    }
}

impl<F: StdError + 'static> StdError for Error<F> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            // It is shown as the failure, so that what is behind it is the failure's own source.
            Self::Failed(failure) => failure.source(),
            Self::Interrupted(interrupt) => Some(interrupt),
            Self::Cycle(_)
            | Self::NoSession { .. }
            | Self::SharedBuild { .. }
            | Self::TimedOut { .. } => None,
        }
    }
}

/// The sentence for a cycle, the same in every language.
///
/// ```
/// let text = tenure::front::cycle_text(&["pool".to_owned(), "pool".to_owned()]);
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

/// The sentence for a missing session, with what a Rust program writes.
///
/// ```
/// assert!(tenure::front::no_session_text("basket").contains("basket"));
/// ```
#[must_use]
pub fn no_session_text(function: &str) -> String {
    format!(
        "{function} has scope=\"session\", but this code runs in no session. Have it run in one \
         (`Session::run`, `Session::attach` for a task, the `SessionLayer` of tenure-tower for a \
         service), or use scope=\"global\"."
    )
}

/// The sentence for a build that takes too long, the same in every language.
///
/// ```
/// use std::time::Duration;
///
/// let text = tenure::front::timed_out_text("model", Duration::from_millis(1500));
/// assert!(text.starts_with("model was not built within 1.5s"));
/// ```
#[must_use]
pub fn timed_out_text(function: &str, waited: Duration) -> String {
    format!(
        "{function} was not built within {waited:?} (build_timeout). The build goes on, and what it \
         gives is kept: call again later, or set a longer build_timeout."
    )
}

/// The sentence for a function that is called to build what more share, the same in every language.
///
/// ```
/// let text = tenure::front::shared_build_text("basket", tenure::KeptFor::Session, "shop");
/// assert!(text.contains("scope=\"session\" for shop too"));
/// ```
#[must_use]
pub fn shared_build_text(function: &str, kept_for: KeptFor, within: &str) -> String {
    let (has, more, cure) = match kept_for {
        KeptFor::Session => ("scope=\"session\"", "more than one session shares", {
            format!("Write scope=\"session\" for {within} too")
        }),
        KeptFor::Callers => (
            "a scope of its own",
            "others share too",
            format!("Give {within} the same scope"),
        ),
    };
    format!(
        "{function} has {has}, and was called to build {within}, which {more}: all of them would get what \
         belongs to whoever came first. {cure}, or call {function} where {within} is used, and pass along \
         what it gives at each call."
    )
}
