//! The settings of a member.

use std::fmt;
use std::time::Duration;

use crate::error::Error;
use crate::valkey::Address;

/// The fewest bytes of a secret: what is guessed by trying does not hide what its marks stand for.
const LEAST_SECRET: usize = 16;

/// The shortest and the longest time of a fleet: with none at all its threads would not rest, and with far longer
/// ones there is no moment to wait for.
const TIMES: (Duration, Duration) = (
    Duration::from_millis(1),
    Duration::from_secs(10 * 365 * 24 * 3600),
);

/// The settings of a member. Those that differ between the members of one fleet are the times.
///
/// ```
/// use std::time::Duration;
/// use tenure_fleet::Settings;
///
/// let settings = Settings::new("rediss://cache.internal:6380", "4f1c2a9be07d4c55a7d1")
///     .name("shop")
///     .ping(Duration::from_secs(1));
/// assert!(settings.check().is_ok());
///
/// let error = Settings::new("http://cache", "4f1c2a9be07d4c55a7d1").check().unwrap_err();
/// assert!(error.is_url() && error.to_string().contains("redis://"));
/// ```
#[derive(Clone)]
pub struct Settings {
    pub(crate) url: String,
    pub(crate) secret: Vec<u8>,
    pub(crate) name: String,
    pub(crate) host: Option<String>,
    pub(crate) ping: Duration,
    pub(crate) answer: Duration,
    pub(crate) retry: (Duration, Duration),
    pub(crate) figures: Duration,
    pub(crate) permit_for: Duration,
    pub(crate) fold: (Duration, usize),
    pub(crate) since: Duration,
}

impl Settings {
    /// The settings of a fleet with this server and secret; all others have a default.
    pub fn new(url: impl Into<String>, secret: impl Into<Vec<u8>>) -> Self {
        Self {
            url: url.into(),
            secret: secret.into(),
            name: "tenure".into(),
            host: None,
            ping: Duration::from_secs(2),
            answer: Duration::from_secs(3),
            retry: (Duration::from_secs(1), Duration::from_secs(30)),
            figures: Duration::from_secs(10),
            permit_for: Duration::from_secs(10),
            fold: (Duration::from_secs(3600), 10_000),
            since: Duration::ZERO,
        }
    }

    /// The fleet's name, where one server has several; `tenure` by default.
    #[must_use]
    pub fn name(self, name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..self
        }
    }

    /// The name of this machine, as other members show it; that of the system by default.
    #[must_use]
    pub fn host(self, host: impl Into<String>) -> Self {
        Self {
            host: Some(host.into()),
            ..self
        }
    }

    /// The time between two questions to the server whether all has been heard; two seconds by default.
    #[must_use]
    pub fn ping(self, every: Duration) -> Self {
        Self {
            ping: every,
            ..self
        }
    }

    /// The time that the server may take for an answer before the connection counts as lost; three seconds by default.
    #[must_use]
    pub fn answer(self, within: Duration) -> Self {
        Self {
            answer: within,
            ..self
        }
    }

    /// The time between attempts to connect, at first and at most; a second and half a minute by default. The
    /// first attempt after a loss is made at once.
    #[must_use]
    pub fn retry(self, first: Duration, most: Duration) -> Self {
        Self {
            retry: (first, most),
            ..self
        }
    }

    /// The time between two questions to the listener for its figures; ten seconds by default. Others see them three
    /// times as long.
    #[must_use]
    pub fn figures(self, every: Duration) -> Self {
        Self {
            figures: every,
            ..self
        }
    }

    /// The time for which a permit is held that nobody renews; ten seconds by default.
    #[must_use]
    pub fn permit_for(self, time: Duration) -> Self {
        Self {
            permit_for: time,
            ..self
        }
    }

    /// The time for which the numbers of entries and tags are kept by themselves, and the most of them; an hour and ten
    /// thousand by default.
    #[must_use]
    pub fn fold(self, older: Duration, beyond: usize) -> Self {
        Self {
            fold: (older, beyond),
            ..self
        }
    }

    /// The time for which the member has had entries already: what has ended in that time is told to it. Nothing by
    /// default.
    #[must_use]
    pub fn since(self, time: Duration) -> Self {
        Self {
            since: time,
            ..self
        }
    }

    /// Whether a member could join with these settings.
    ///
    /// # Errors
    ///
    /// Where the URL is none, the secret is missing or shorter than sixteen bytes, or another setting cannot be. The
    /// error says what to write, and shows neither the URL nor the secret.
    pub fn check(&self) -> Result<(), Error> {
        self.address().map(drop)
    }

    /// Whether this could be the secret of a fleet, for a front door that uses it without one.
    ///
    /// ```
    /// use tenure_fleet::Settings;
    ///
    /// assert!(Settings::check_secret(b"4f1c2a9be07d4c55a7d1").is_ok());
    /// assert!(Settings::check_secret(b"hunter2").unwrap_err().is_secret());
    /// ```
    ///
    /// # Errors
    ///
    /// The secret is missing, or shorter than sixteen bytes.
    pub fn check_secret(secret: &[u8]) -> Result<(), Error> {
        let what = match secret.len() {
            0 => "has no secret",
            1..LEAST_SECRET => "has a secret that is too short, and can be guessed",
            _ => return Ok(()),
        };
        Err(Error::secret(format!(
            "the fleet {what}: its members tell each other of entries by digests under a secret that they share, the \
             same for all, with at least {LEAST_SECRET} bytes"
        )))
    }

    pub(crate) fn address(&self) -> Result<Address, Error> {
        Self::check_secret(&self.secret)?;
        let plain = |sign: char| sign.is_ascii_alphanumeric() || "-_.".contains(sign);
        if self.name.is_empty() || self.name.len() > 64 || !self.name.chars().all(plain) {
            return Err(Error::name(
                "the fleet's name must be 1 to 64 letters, digits, dots, hyphens or underscores",
            ));
        }
        let times = [
            ("ping", self.ping),
            ("answer", self.answer),
            ("retry", self.retry.0),
            ("retry", self.retry.1),
            ("figures", self.figures),
            ("permit_for", self.permit_for),
            ("fold", self.fold.0),
            // A member that has only just begun has had nothing for any time.
            ("since", self.since.max(TIMES.0)),
        ];
        let (least, most) = TIMES;
        if let Some((name, _)) = (times.iter()).find(|(_, time)| !(least..=most).contains(time)) {
            return Err(Error::setting(format!(
                "the times of a fleet are between a millisecond and ten years each, and {name} is not: write \
                 Settings::{name} with such a one, or leave it out"
            )));
        }
        Address::parse(&self.url)
    }
}

impl fmt::Debug for Settings {
    /// Without the secret, and without the URL, which may have a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("name", &self.name)
            .field("ping", &self.ping)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d2_a_fleet_without_a_secret_is_refused_with_what_to_write() {
        for secret in ["", "hunter2"] {
            let error = Settings::new("redis://h", secret).check().unwrap_err();
            assert!(
                error.is_secret() && error.to_string().contains("Settings::new(url, secret)"),
                "{error}"
            );
            assert!(!error.to_string().contains("hunter2"));
        }
    }

    #[test]
    fn names_that_would_not_stay_together_in_a_cluster_are_refused() {
        for name in ["", "a}b", "a b", &"a".repeat(65)] {
            let settings = Settings::new("redis://h", [7; 16]).name(name);
            let error = settings.check().unwrap_err();
            assert!(error.is_name(), "{name}");
            assert!(error.to_string().contains("Settings::name("), "{error}");
        }
    }

    #[test]
    fn d1_times_that_a_thread_would_spin_or_die_of_are_refused_with_their_name() {
        let settings = || Settings::new("redis://h", [7; 16]);
        let second = Duration::from_secs(1);
        for time in [Duration::ZERO, Duration::MAX] {
            let refused = [
                ("ping", settings().ping(time)),
                ("answer", settings().answer(time)),
                ("retry", settings().retry(time, second)),
                ("retry", settings().retry(second, time)),
                ("figures", settings().figures(time)),
                ("permit_for", settings().permit_for(time)),
                ("fold", settings().fold(time, 10)),
            ];
            for (name, settings) in refused {
                let error = settings.check().unwrap_err();
                assert!(error.is_setting(), "{name}");
                assert!(
                    error.to_string().contains(&format!("Settings::{name}")),
                    "{error}"
                );
            }
        }
        assert!(settings().since(Duration::ZERO).check().is_ok());
        assert!(settings().since(Duration::MAX).check().is_err());
    }

    #[test]
    fn d2_settings_show_neither_secret_nor_password() {
        let settings = Settings::new("redis://:hunter2@h", "hunter2hunter2hunter2");
        assert!(!format!("{settings:?}").contains("hunter2"));
    }
}
