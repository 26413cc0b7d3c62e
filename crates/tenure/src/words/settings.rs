//! The settings of a cached function, and the errors for those that cannot be.

use std::fmt;
use std::time::Duration;

use crate::ground::sync::Arc;
use crate::words::error::SettingError;
use crate::words::tags::Tags;

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

/// When a new resource is built for one that has become too old.
///
/// ```
/// use std::time::Duration;
/// use tenure::{Refresh, Settings};
///
/// let settings = Settings::default().refresh(Refresh::Background);
/// assert!(settings.check().is_err()); // too old after what time?
/// assert!(settings.ttl(Duration::from_secs(60)).check().is_ok());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refresh {
    /// A call that finds it too old builds, and waits.
    #[default]
    Foreground,
    /// A call that finds it too old has a new one built in the background, and gets the old one.
    Background,
    /// As [`Background`](Self::Background); and shortly before it is too old the engine begins by
    /// itself, where it was asked for lately.
    Ahead,
}

impl Refresh {
    /// Reads a mode as it is written in source.
    ///
    /// ```
    /// # use tenure::Refresh;
    /// assert_eq!(Refresh::parse("background").unwrap(), Refresh::Background);
    /// assert!(Refresh::parse("never").unwrap_err().to_string().contains("background"));
    /// ```
    ///
    /// # Errors
    /// Names the accepted words.
    pub fn parse(text: &str) -> Result<Self, SettingError> {
        match text {
            "foreground" => Ok(Self::Foreground),
            "background" => Ok(Self::Background),
            "ahead" => Ok(Self::Ahead),
            _ => Err(SettingError::new(format!(
                "refresh_mode must be \"foreground\", \"background\" or \"ahead\", not {text:?}. \
                 Example: refresh_mode=\"background\", ttl=\"1h\""
            ))),
        }
    }
}

/// What a forked child process has of its parent's resources.
///
/// An engine does not see a fork. A front door that does hands down what is to be kept; the Python binding
/// is one.
///
/// ```
/// use tenure::{Fork, Scope, Settings};
///
/// let settings = Settings::default().fork(Fork::Keep);
/// assert!(settings.check().is_ok());
/// assert!(settings.scope(Scope::Session).check().is_err()); // no session is there in a child
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fork {
    /// Nothing: it builds its own.
    #[default]
    Drop,
    /// All of them: it shares them with its parent, and releases none.
    Keep,
}

impl Fork {
    /// Reads it as it is written in source.
    ///
    /// ```
    /// # use tenure::Fork;
    /// assert_eq!(Fork::parse("keep").unwrap(), Fork::Keep);
    /// assert!(Fork::parse("share").unwrap_err().to_string().contains("keep"));
    /// ```
    ///
    /// # Errors
    /// Names the accepted words.
    pub fn parse(text: &str) -> Result<Self, SettingError> {
        match text {
            "drop" => Ok(Self::Drop),
            "keep" => Ok(Self::Keep),
            _ => Err(SettingError::new(format!(
                "fork must be \"drop\" or \"keep\", not {text:?}. Example: fork=\"keep\""
            ))),
        }
    }
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
    /// Whether each resource is asked for a maximum age of its own, by
    /// [`Behaviour::ttl`](crate::Behaviour::ttl), in the place of `ttl`.
    pub own_ttl: bool,
    /// When a new resource is built for one that is too old.
    pub refresh: Refresh,
    /// How long before it is too old a call, or the engine, has its successor built in the background.
    pub refresh_before: Option<Duration>,
    /// For how long a resource may still be handed out once it is too old: while its successor is
    /// built in the background, or where that build fails. `None` is not at all, and for a refresh in
    /// the background as long again as its maximum age.
    pub max_stale: Option<Duration>,
    /// After how long an entry goes that nobody has asked for and nobody holds.
    pub max_idle: Option<Duration>,
    /// Whether each resource is asked for its weight, by [`Behaviour::weight`](crate::Behaviour::weight).
    pub weighs: bool,
    /// The most that the entries of a cache may weigh together at any moment.
    pub max_weight: Option<u64>,
    /// How long a caller waits for a build that can go on without it.
    pub build_timeout: Option<Duration>,
    /// What a forked child process has of the entries.
    pub fork: Fork,
    /// The tags that all entries carry.
    pub tags: Tags,
    /// Whether each call is asked for the tags that what it builds carries, by
    /// [`Details::tags`](crate::front::Details::tags), beside these.
    pub tags_calls: bool,
    /// How many members of a fleet may build under one key at a time.
    pub fleet_builds: Option<u32>,
}

impl Settings {
    /// A text that is the same for settings under which a function is the same one, for front doors whose functions are
    /// decorated again and again. Callbacks, and who shares an entry, they tell apart by themselves.
    #[doc(hidden)]
    #[must_use]
    pub fn marks(&self) -> String {
        // Each by its name, so that whoever adds one decides.
        let Self {
            ttl,
            max_entries,
            scope: _,
            drain,
            spinner: _,
            show_time: _,
            observes,
            validates: _,
            own_ttl: _,
            refresh,
            refresh_before,
            max_stale,
            max_idle,
            weighs: _,
            max_weight,
            build_timeout,
            fork,
            tags,
            tags_calls: _,
            fleet_builds,
        } = self;
        let ages = (ttl, refresh, refresh_before, max_stale, max_idle);
        let bounds = (max_entries, max_weight, build_timeout, fleet_builds);
        format!("{ages:?} {bounds:?} {drain:?} {observes} {fork:?} {tags:?}")
    }

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

    /// Sets whether each resource has a maximum age of its own.
    ///
    /// ```
    /// # use tenure::Settings;
    /// assert!(Settings::default().own_ttl(true).own_ttl);
    /// ```
    #[must_use]
    pub fn own_ttl(mut self, own_ttl: bool) -> Self {
        self.own_ttl = own_ttl;
        self
    }

    /// Sets when a new resource is built for one that is too old.
    ///
    /// ```
    /// # use tenure::{Refresh, Settings};
    /// assert_eq!(Settings::default().refresh(Refresh::Ahead).refresh, Refresh::Ahead);
    /// ```
    #[must_use]
    pub fn refresh(mut self, refresh: Refresh) -> Self {
        self.refresh = refresh;
        self
    }

    /// Sets how long before the end of its age a successor is built, or `None`.
    ///
    /// ```
    /// # use tenure::Settings;
    /// # use std::time::Duration;
    /// let second = Duration::from_secs(1);
    /// assert_eq!(Settings::default().refresh_before(second).refresh_before, Some(second));
    /// ```
    #[must_use]
    pub fn refresh_before(mut self, refresh_before: impl Into<Option<Duration>>) -> Self {
        self.refresh_before = refresh_before.into();
        self
    }

    /// Sets for how long a resource that is too old may be handed out, or `None`.
    ///
    /// ```
    /// # use tenure::Settings;
    /// # use std::time::Duration;
    /// let hour = Duration::from_secs(3600);
    /// assert_eq!(Settings::default().max_stale(hour).max_stale, Some(hour));
    /// ```
    #[must_use]
    pub fn max_stale(mut self, max_stale: impl Into<Option<Duration>>) -> Self {
        self.max_stale = max_stale.into();
        self
    }

    /// Sets after how long an entry goes that nobody asks for, or `None`.
    ///
    /// ```
    /// # use tenure::Settings;
    /// # use std::time::Duration;
    /// let hour = Duration::from_secs(3600);
    /// assert_eq!(Settings::default().max_idle(hour).max_idle, Some(hour));
    /// ```
    #[must_use]
    pub fn max_idle(mut self, max_idle: impl Into<Option<Duration>>) -> Self {
        self.max_idle = max_idle.into();
        self
    }

    /// Sets whether resources have a weight.
    ///
    /// ```
    /// # use tenure::Settings;
    /// assert!(Settings::default().weighs(true).weighs);
    /// ```
    #[must_use]
    pub fn weighs(mut self, weighs: bool) -> Self {
        self.weighs = weighs;
        self
    }

    /// Sets the most that a cache's entries may weigh together, or `None`.
    ///
    /// ```
    /// # use tenure::Settings;
    /// let settings = Settings::default().weighs(true).max_weight(1 << 30);
    /// assert_eq!(settings.max_weight, Some(1 << 30));
    /// ```
    #[must_use]
    pub fn max_weight(mut self, max_weight: impl Into<Option<u64>>) -> Self {
        self.max_weight = max_weight.into();
        self
    }

    /// Sets how long a caller waits for a build, or `None`.
    ///
    /// ```
    /// # use tenure::Settings;
    /// # use std::time::Duration;
    /// let second = Duration::from_secs(1);
    /// assert_eq!(Settings::default().build_timeout(second).build_timeout, Some(second));
    /// ```
    #[must_use]
    pub fn build_timeout(mut self, build_timeout: impl Into<Option<Duration>>) -> Self {
        self.build_timeout = build_timeout.into();
        self
    }

    /// Sets what a forked child process has of the entries.
    ///
    /// ```
    /// # use tenure::{Fork, Settings};
    /// assert_eq!(Settings::default().fork(Fork::Keep).fork, Fork::Keep);
    /// ```
    #[must_use]
    pub fn fork(mut self, fork: Fork) -> Self {
        self.fork = fork;
        self
    }

    /// Sets the tags that all entries carry.
    ///
    /// ```
    /// # use tenure::Settings;
    /// assert_eq!(Settings::default().tags(["billing"]).tags.len(), 1);
    /// ```
    #[must_use]
    pub fn tags<T: Into<Arc<str>>>(mut self, tags: impl IntoIterator<Item = T>) -> Self {
        self.tags = tags.into_iter().collect();
        self
    }

    /// Sets whether each call has tags of its own.
    ///
    /// ```
    /// # use tenure::Settings;
    /// assert!(Settings::default().tags_calls(true).tags_calls);
    /// ```
    #[must_use]
    pub fn tags_calls(mut self, tags_calls: bool) -> Self {
        self.tags_calls = tags_calls;
        self
    }

    /// Sets how many members of a fleet may build under one key at a time, or `None` for all of them.
    ///
    /// ```
    /// # use tenure::Settings;
    /// assert_eq!(Settings::default().fleet_builds(2).fleet_builds, Some(2));
    /// ```
    #[must_use]
    pub fn fleet_builds(mut self, fleet_builds: impl Into<Option<u32>>) -> Self {
        self.fleet_builds = fleet_builds.into();
        self
    }

    /// Whether entries are refreshed beside the callers, who get the old resource meanwhile.
    pub(crate) fn refreshes_beside(&self) -> bool {
        self.refresh != Refresh::Foreground || self.refresh_before.is_some()
    }

    /// Whether entries are more than fresh or gone.
    pub(crate) fn has_terms(&self) -> bool {
        self.refreshes_beside() || self.max_stale.is_some() || self.own_ttl
    }

    /// Whether it counts when an entry was last asked for.
    pub(crate) fn notes_use(&self) -> bool {
        self.max_idle.is_some() || self.weighs || self.refresh == Refresh::Ahead
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
    /// `max_entries` below 1; a refresh beside the callers without a maximum age, or one that begins
    /// before there is anything to refresh; `max_weight` without weights; an idle time or a time-out
    /// of nothing; entries of a session or the like that are to be kept over a fork; builds by no member of a
    /// fleet, or for a session.
    pub fn check(&self) -> Result<(), SettingError> {
        let wrong = |text: &str| Err(SettingError::new(text.to_owned()));
        let never_old = self.ttl.is_none() && !self.own_ttl;
        if self.max_entries == Some(0) {
            return wrong(
                "max_entries must be at least 1, or None for no bound; it is 0. \
                 Example: max_entries=8",
            );
        }
        if self.refresh != Refresh::Foreground && (never_old || self.ttl == Some(Duration::ZERO)) {
            return wrong(
                "refresh_mode=\"background\" and refresh_mode=\"ahead\" need a ttl above 0: when is a \
                 resource too old? Example: refresh_mode=\"background\", ttl=\"1h\"",
            );
        }
        match self.refresh_before {
            Some(_) if never_old => wrong(
                "refresh_before needs a ttl: before what is the refresh to begin? \
                 Example: ttl=\"1h\", refresh_before=\"5m\"",
            ),
            Some(before) if self.ttl.is_some_and(|ttl| before >= ttl) => {
                let ttl = self.ttl.unwrap_or_default();
                wrong(&format!(
                    "refresh_before must be shorter than ttl, or each entry would be refreshed at once; \
                     it is {before:?}, and ttl is {ttl:?}. Example: ttl=\"1h\", refresh_before=\"5m\""
                ))
            }
            _ if self.max_idle == Some(Duration::ZERO) => wrong(
                "max_idle must be above 0, or None for entries that may lie idle; it is 0. \
                 Example: max_idle=\"15m\"",
            ),
            _ if self.max_weight.is_some() && !self.weighs => wrong(
                "max_weight needs a weight: how heavy is a resource? \
                 Example: weight=lambda model: model.nbytes, max_weight=8_000_000_000",
            ),
            _ if self.build_timeout == Some(Duration::ZERO) => wrong(
                "build_timeout must be above 0, or None to wait for as long as it takes; it is 0. \
                 Example: build_timeout=\"30s\"",
            ),
            _ if self.fleet_builds == Some(0) => wrong(
                "fleet_builds must be at least 1, or None for as many as there are members; it is 0. \
                 Example: fleet_builds=1",
            ),
            _ if self.fleet_builds.is_some() && self.scope == Scope::Session => wrong(
                "fleet_builds is for what the members of a fleet share, and a session is one member's own. \
                 Leave fleet_builds out, or write scope=\"global\". Example: fleet_builds=1",
            ),
            _ if self.fork == Fork::Keep && self.scope != Scope::Global => wrong(
                "fork=\"keep\" is for what all share, with scope=\"global\": a child process has none of \
                 its parent's sessions, event loops and threads, and what is kept for one of them ends \
                 with it. Leave fork out, and each process builds its own. Example: fork=\"keep\"",
            ),
            _ => Ok(()),
        }
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
