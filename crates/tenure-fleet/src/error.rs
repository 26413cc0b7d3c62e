//! The errors of settings and of questions to a fleet.

use std::fmt;

/// A setting that cannot be, or a question that got no answer; its text says what to write or to do instead, in Rust.
///
/// ```
/// use tenure_fleet::Settings;
///
/// let error = Settings::new("redis://localhost", "").check().unwrap_err();
/// assert!(error.is_secret() && error.to_string().contains("Settings::new"));
/// assert_eq!(format!("{error:?}"), error.to_string()); // so that a `main` which fails with it says so too
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Error {
    kind: Kind,
    mistake: Box<str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Url,
    Secret,
    Name,
    Late,
    Setting,
    Unanswered,
}

impl Kind {
    /// The text to write instead, where the mistake does not say it.
    fn advice(self) -> &'static str {
        match self {
            Self::Secret => ". Write Settings::new(url, secret): `openssl rand -hex 16` prints one",
            Self::Name => ". Write Settings::name(\"shop\")",
            Self::Late => ". Call tenure_fleet::join where the program begins",
            Self::Url | Self::Setting | Self::Unanswered => "",
        }
    }
}

impl Error {
    pub(crate) fn url(text: impl Into<String>) -> Self {
        Self::new(Kind::Url, text.into())
    }

    pub(crate) fn secret(text: impl Into<String>) -> Self {
        Self::new(Kind::Secret, text.into())
    }

    pub(crate) fn name(text: impl Into<String>) -> Self {
        Self::new(Kind::Name, text.into())
    }

    pub(crate) fn late(text: impl Into<String>) -> Self {
        Self::new(Kind::Late, text.into())
    }

    pub(crate) fn setting(text: impl Into<String>) -> Self {
        Self::new(Kind::Setting, text.into())
    }

    pub(crate) fn unanswered(text: impl Into<String>) -> Self {
        Self::new(Kind::Unanswered, text.into())
    }

    fn new(kind: Kind, mistake: String) -> Self {
        Self {
            kind,
            mistake: mistake.into_boxed_str(),
        }
    }

    /// The mistake alone, for a front door of another language, which has its own way to write it.
    ///
    /// ```
    /// let error = tenure_fleet::Settings::new("redis://localhost", "").check().unwrap_err();
    /// assert!(error.is_secret() && !error.mistake().contains("Settings"));
    /// ```
    pub fn mistake(&self) -> &str {
        &self.mistake
    }

    /// Whether the server's URL is none that can be used.
    pub fn is_url(&self) -> bool {
        self.kind == Kind::Url
    }

    /// Whether the fleet's secret is missing, or too short to be one.
    pub fn is_secret(&self) -> bool {
        self.kind == Kind::Secret
    }

    /// Whether the fleet's name is none that can be used.
    pub fn is_name(&self) -> bool {
        self.kind == Kind::Name
    }

    /// Whether something was digested before under another secret.
    pub fn is_late(&self) -> bool {
        self.kind == Kind::Late
    }

    /// Whether another setting cannot be.
    pub fn is_setting(&self) -> bool {
        self.kind == Kind::Setting
    }

    /// Whether the server did not answer in time, or cannot be reached.
    pub fn is_unanswered(&self) -> bool {
        self.kind == Kind::Unanswered
    }
}

/// The text that `Display` shows: a program that ends with it says what to write.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.mistake)?;
        f.write_str(self.kind.advice())
    }
}

impl std::error::Error for Error {}
