//! The fleet that this process is a member of: as the program says, or its environment.
//!
//! The program's own engine is the member, from when it is made: a forked child process, which makes one of its own,
//! joins by itself. Engines of hand-driven clocks are in no fleet.

use std::env;
use std::mem;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use tenure::Engine;
use tenure::fleet::{Ending, Lost, Terms};
use tenure_fleet::{Error, Fleet, Settings};

use crate::encode::alike;

/// A fleet as the program writes it.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) url: Option<String>,
    pub(crate) secret: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) lost: Option<Lost>,
    pub(crate) forgot: Option<Ending>,
    pub(crate) spread: Option<Duration>,
}

/// A variable of the environment, unless it is empty.
fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|it| !it.is_empty())
}

impl Written {
    /// The secret, as the program says, or its environment.
    fn secret(&self) -> Option<String> {
        (self.secret.clone()).or_else(|| variable("TENURE_FLEET_SECRET"))
    }

    /// The fleet, with what the environment says where the program says nothing. Nothing where none is named.
    fn chosen(&self) -> Option<Chosen> {
        let url = (self.url.clone()).or_else(|| variable("TENURE_FLEET"))?;
        let mut settings = Settings::new(url, self.secret().unwrap_or_default());
        if let Some(name) = (self.name.clone()).or_else(|| variable("TENURE_FLEET_NAME")) {
            settings = settings.name(name);
        }
        let terms = Terms::default();
        let terms = terms
            .lost(self.lost.unwrap_or(terms.lost))
            .forgot(self.forgot.unwrap_or(terms.forgot))
            .spread(self.spread.unwrap_or(terms.spread));
        Some(Chosen { settings, terms })
    }

    /// The settings that mean something in a fleet alone, where they are not what they are by themselves.
    fn of_a_fleet(&self) -> Vec<&'static str> {
        let terms = Terms::default();
        let is_set = [
            ("fleet_name", self.name.is_some()),
            ("fleet_lost", self.lost.is_some_and(|it| it != terms.lost)),
            (
                "fleet_forgot",
                self.forgot.is_some_and(|it| it != terms.forgot),
            ),
            (
                "fleet_spread",
                self.spread.is_some_and(|it| it != terms.spread),
            ),
        ];
        let set = is_set.into_iter().filter(|(_, is_set)| *is_set);
        set.map(|(name, _)| name).collect()
    }
}

/// The longest wait for the server of a process that joins.
const CONTACT: Duration = Duration::from_millis(250);

/// A fleet that cannot be, with what to write instead.
pub(crate) fn explained(error: &Error) -> String {
    let advice = if error.is_secret() {
        ". Write fleet_secret=\"…\" or set TENURE_FLEET_SECRET: python3 -c 'import secrets; \
         print(secrets.token_hex(16))' prints one"
    } else if error.is_name() {
        ". Write fleet_name=\"shop\" or set TENURE_FLEET_NAME"
    } else if error.is_late() {
        ": write tenure.configure(fleet=…) where the program begins, or set TENURE_FLEET and TENURE_FLEET_SECRET, which \
         are read when tenure is imported"
    } else {
        ""
    };
    format!("{}{advice}", error.mistake())
}

/// A fleet to be a member of.
#[derive(Clone)]
struct Chosen {
    settings: Settings,
    terms: Terms,
}

/// Locked only by who holds the interpreter, so that it is free after a fork.
static FLEET: Mutex<Known> = Mutex::new(Known {
    written: None,
    chosen: None,
    member: None,
    joined: None,
    since: None,
});

struct Known {
    /// As the program has said it last.
    written: Option<Written>,
    chosen: Option<Chosen>,
    member: Option<Arc<Fleet>>,
    /// When this process became a member.
    joined: Option<Instant>,
    /// Since when there may be entries that a member before has not heard of the end of: in this process, or in its
    /// parent.
    since: Option<Instant>,
}

impl Known {
    /// Until when this process has heard all that others have ended: whoever takes over its entries is told the rest.
    fn heard_until(&self) -> Option<Instant> {
        self.member.as_ref()?.heard_until().or(self.joined)
    }
}

fn known() -> std::sync::MutexGuard<'static, Known> {
    FLEET.lock().expect("nothing panics under this lock")
}

/// Reads the environment, when the module is imported.
///
/// # Errors
/// A fleet that cannot be, with what to write.
pub(crate) fn read_environment(py: Python<'_>) -> Result<(), Error> {
    let version = py.version_info();
    LANGUAGE.get_or_init(|| format!("cpython {}.{}", version.major, version.minor));
    choose(py, None, Written::default()).map(drop)
}

/// Makes the program's own engine, if there is one yet, a member of the fleet that is written, or of none. Gives what
/// the program is to know of it, for the log.
///
/// # Errors
/// A fleet that cannot be, with what to write; then everything stays as it was.
pub(crate) fn choose(
    py: Python<'_>,
    engine: Option<&Engine>,
    written: Written,
) -> Result<Option<String>, Error> {
    if known().written.as_ref() == Some(&written) {
        return Ok(None);
    }
    let chosen = written.chosen();
    if let Some(chosen) = &chosen {
        tenure_fleet::prepare(&chosen.settings)?;
        alike::begin();
    } else if let Some(secret) = &written.secret {
        // It may be for the names of actors in a cluster.
        Settings::check_secret(secret.as_bytes())?;
    }
    let leaves = chosen.is_none();
    let of_a_fleet = written.of_a_fleet();
    let before = {
        let mut known = known();
        known.since = known.heard_until().or(known.since);
        known.written = Some(written);
        known.chosen = chosen;
        known.member.take()
    };
    let has_left = leaves && before.is_some();
    let mut bus = None;
    if let Some(engine) = engine {
        if leaves {
            bus = engine.leave_fleet();
        }
        // In the place of the one before, so that at no moment it is in none.
        join(engine);
    }
    // It sends what it has raised.
    py.detach(move || drop((before, bus)));
    let told = if has_left {
        "this process has left its fleet: tenure.configure() sets all of it, and was called without fleet=. Give it in \
         each call, or set TENURE_FLEET"
            .to_owned()
    } else if leaves && !of_a_fleet.is_empty() {
        format!(
            "tenure.configure() was called with {names}, and this process is in no fleet, so that changes nothing. Write \
             fleet=\"redis://…\" too, or set TENURE_FLEET",
            names = of_a_fleet.join(", ")
        )
    } else {
        return Ok(None);
    };
    Ok(Some(told))
}

/// The secret as the program has written it, or as its environment says, which needs no fleet. Nothing where there is
/// none.
///
/// # Errors
/// It can be guessed.
pub(crate) fn secret() -> Result<Option<String>, Error> {
    let written = known().written.clone().unwrap_or_default();
    let secret = written.secret();
    if let Some(secret) = &secret {
        Settings::check_secret(secret.as_bytes())?;
    }
    Ok(secret)
}

/// Joins with the program's own engine, if there is a fleet to join.
pub(crate) fn join(engine: &Engine) {
    let (chosen, since) = {
        let known = known();
        (known.chosen.clone(), known.since)
    };
    let Some(Chosen { settings, terms }) = chosen else {
        return;
    };
    let age = since.map_or(Duration::ZERO, |it| it.elapsed());
    let joined = Instant::now() - age;
    match tenure_fleet::join_as(engine, settings.since(age), terms, language()) {
        Ok(member) => {
            {
                let mut known = known();
                known.joined = Some(joined);
                known.member = Some(Arc::clone(&member));
            }
            // So that what is built first need not be built once more.
            Python::attach(|py| py.detach(|| member.await_contact(CONTACT)));
        }
        Err(error) => {
            let error = explained(&error);
            tracing::error!(%error, "this process is not a member of its fleet");
        }
    }
}

static LANGUAGE: OnceLock<String> = OnceLock::new();

/// The language of this process, with its version: each compiles code in its own way.
pub(crate) fn language() -> &'static str {
    LANGUAGE.get().map_or("cpython", String::as_str)
}

/// Before a fork: what a child process is handed is as old as what this one has heard. Where something is aside that this
/// one has been handed itself, and has not put among its entries, what it has heard has not ended that.
pub(crate) fn before_fork(_: Python<'_>, is_any_aside: bool) {
    let mut known = known();
    if !is_any_aside {
        known.since = known.heard_until().or(known.since);
    }
}

/// In a child process: the member is the parent's.
pub(crate) fn after_fork() {
    mem::forget(known().member.take());
}

/// The member that this process is, if it is one.
pub(crate) fn member() -> Option<Arc<Fleet>> {
    known().member.clone()
}
