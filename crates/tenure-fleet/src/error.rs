//! The errors of settings and of questions to a fleet.

use std::fmt;

/// A setting that cannot be, or a question that got no answer; its text says what to write or to do instead.
///
/// ```
/// use tenure_fleet::Settings;
///
/// let error = Settings::new("redis://localhost", "").check().unwrap_err();
/// assert!(error.is_secret() && error.to_string().contains("fleet_secret"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: Kind,
    text: Box<str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Url,
    Secret,
    Setting,
    Unanswered,
}

impl Error {
    pub(crate) fn url(text: impl Into<String>) -> Self {
        Self::new(Kind::Url, text.into())
    }

    pub(crate) fn secret(text: impl Into<String>) -> Self {
        Self::new(Kind::Secret, text.into())
    }

    pub(crate) fn setting(text: impl Into<String>) -> Self {
        Self::new(Kind::Setting, text.into())
    }

    pub(crate) fn unanswered(text: impl Into<String>) -> Self {
        Self::new(Kind::Unanswered, text.into())
    }

    fn new(kind: Kind, text: String) -> Self {
        Self {
            kind,
            text: text.into_boxed_str(),
        }
    }

    /// Whether the server's URL is none that can be used.
    pub fn is_url(&self) -> bool {
        self.kind == Kind::Url
    }

    /// Whether the fleet's secret is missing, or too short to be one.
    pub fn is_secret(&self) -> bool {
        self.kind == Kind::Secret
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

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Error {}
