//! The settings of a cached function, and the errors for those that cannot be.

use std::fmt;
use std::time::Duration;

use crate::words::error::SettingError;

/// Who shares an entry.
///
/// ```
/// use tenure::Scope;
///
/// assert_eq!(Scope::parse("session").unwrap(), Scope::Session);
/// assert!(Scope::parse("user").unwrap_err().to_string().contains("session"));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scope {
    /// All users, sessions, re-runs and threads.
    #[default]
    Global,
    /// One session; its entries end with it.
    Session,
    /// A scope of the front door's own, as
    /// [`Behaviour::scope`](crate::Behaviour::scope) names it: an event loop, a thread, a tenant.
    Custom,
}

impl Scope {
    /// Reads a scope as it is written in source.
    ///
    /// ```
    /// # use tenure::Scope;
    /// assert_eq!(Scope::parse("global").unwrap(), Scope::default());
    /// assert!(Scope::parse("Global").is_err());
    /// ```
    ///
    /// # Errors
    /// Names the accepted words.
    pub fn parse(text: &str) -> Result<Self, SettingError> {
        match text {
            "global" => Ok(Self::Global),
            "session" => Ok(Self::Session),
            _ => Err(SettingError::new(format!(
                "scope must be \"global\" or \"session\", not {text:?}. \
                 Example: scope=\"session\""
            ))),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Global => "global",
            Self::Session => "session",
            Self::Custom => "custom",
        })
    }
}

/// Whether a build shows a spinner, and with what text.
///
/// ```
/// use tenure::{Settings, Spinner};
///
/// let settings = Settings::default().spinner(Spinner::Text("Connecting".into()));
/// assert_ne!(settings, Settings::default()); // another text begins a new cache
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Spinner {
    /// Shows ``Running `name(...)`.``, without the dots where no argument is keyed.
    #[default]
    Default,
    /// Shows the default text under a name of its own.
    Named(Box<str>),
    /// Shows this text.
    Text(Box<str>),
    /// Shows nothing.
    Off,
}

/// The settings of one cached function; a change of any of them begins a new cache.
///
/// ```
/// use std::time::Duration;
/// use tenure::Settings;
///
/// let settings = Settings::default().ttl(Duration::from_secs(3600)).max_entries(8);
/// assert!(settings.check().is_ok());
/// assert_eq!(settings.ttl, Some(Duration::from_secs(3600)));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Settings {
    /// The maximum age of an entry, or `None` where it never expires.
    pub ttl: Option<Duration>,
    /// The most entries a cache may hold at any moment, at least 1; `None` is without bound.
    pub max_entries: Option<usize>,
    /// Who shares an entry.
    pub scope: Scope,
    /// How long a release may wait for callers that still hold the resource. `None` takes what is
    /// configured for the engine.
    pub drain: Option<Duration>,
    /// The spinner while a build runs.
    pub spinner: Spinner,
    /// Whether the elapsed time stands next to the spinner's text.
    pub show_time: bool,
    /// Whether observed inputs (widgets) count as arguments.
    pub observes: bool,
    /// Whether each access asks [`Behaviour::validate`](crate::Behaviour::validate).
    pub validates: bool,
}

impl Settings {
    /// Sets the maximum age of an entry, or `None`.
    ///
    /// ```
    /// # use tenure::Settings;
    /// # use std::time::Duration;
    /// assert_eq!(Settings::default().ttl(Duration::from_secs(60)).ttl, Some(Duration::from_secs(60)));
    /// ```
    #[must_use]
    pub fn ttl(mut self, ttl: impl Into<Option<Duration>>) -> Self {
        self.ttl = ttl.into();
        self
    }

    /// Sets the most entries at any moment, or `None`.
    ///
    /// ```
    /// # use tenure::Settings;
    /// assert_eq!(Settings::default().max_entries(8).max_entries, Some(8));
    /// ```
    #[must_use]
    pub fn max_entries(mut self, max_entries: impl Into<Option<usize>>) -> Self {
        self.max_entries = max_entries.into();
        self
    }

    /// Sets who shares an entry.
    ///
    /// ```
    /// # use tenure::Settings;
    /// # use tenure::Scope;
    /// assert_eq!(Settings::default().scope(Scope::Session).scope, Scope::Session);
    /// ```
    #[must_use]
    pub fn scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// Sets how long a release may wait for callers, or `None`.
    ///
    /// ```
    /// # use tenure::Settings;
    /// # use std::time::Duration;
    /// assert_eq!(Settings::default().drain(Duration::ZERO).drain, Some(Duration::ZERO));
    /// ```
    #[must_use]
    pub fn drain(mut self, drain: impl Into<Option<Duration>>) -> Self {
        self.drain = drain.into();
        self
    }

    /// Sets what is shown while a build runs.
    ///
    /// ```
    /// # use tenure::Settings;
    /// # use tenure::Spinner;
    /// assert_eq!(Settings::default().spinner(Spinner::Off).spinner, Spinner::Off);
    /// ```
    #[must_use]
    pub fn spinner(mut self, spinner: Spinner) -> Self {
        self.spinner = spinner;
        self
    }

    /// Sets whether the elapsed time is shown.
    ///
    /// ```
    /// # use tenure::Settings;
    /// assert!(Settings::default().show_time(true).show_time);
    /// ```
    #[must_use]
    pub fn show_time(mut self, show_time: bool) -> Self {
        self.show_time = show_time;
        self
    }

    /// Sets whether observed inputs count as arguments.
    ///
    /// ```
    /// # use tenure::Settings;
    /// assert!(Settings::default().observes(true).observes);
    /// ```
    #[must_use]
    pub fn observes(mut self, observes: bool) -> Self {
        self.observes = observes;
        self
    }

    /// Sets whether each access asks for a check.
    ///
    /// ```
    /// # use tenure::Settings;
    /// assert!(Settings::default().validates(true).validates);
    /// ```
    #[must_use]
    pub fn validates(mut self, validates: bool) -> Self {
        self.validates = validates;
        self
    }

    /// Whether a hit needs neither a check nor a session.
    pub(crate) fn is_quick(&self) -> bool {
        !self.validates && self.scope == Scope::Global
    }

    /// Checks what types alone cannot.
    ///
    /// ```
    /// # use tenure::Settings;
    /// let at_most = |max_entries: Option<usize>| Settings::default().max_entries(max_entries);
    /// assert!(at_most(None).check().is_ok());
    /// assert!(at_most(Some(1)).check().is_ok());
    /// assert!(at_most(Some(0)).check().is_err());
    /// ```
    ///
    /// # Errors
    /// `max_entries` below 1.
    pub fn check(&self) -> Result<(), SettingError> {
        if self.max_entries == Some(0) {
            return Err(SettingError::new(
                "max_entries must be at least 1, or None for no bound; it is 0. \
                 Example: max_entries=8"
                    .to_owned(),
            ));
        }
        Ok(())
    }
}

impl Spinner {
    /// The text to show for the function `name`, if any.
    pub(crate) fn text(&self, name: &str, has_arguments: bool) -> Option<String> {
        let dots = if has_arguments { "..." } else { "" };
        match self {
            Self::Default => Some(format!("Running `{name}({dots})`.")),
            Self::Named(name) => Some(format!("Running `{name}({dots})`.")),
            Self::Text(text) => Some(text.to_string()),
            Self::Off => None,
        }
    }
}
