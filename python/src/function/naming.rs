//! The names under which the programs of a cluster find one resource, and what is ended by name.

use pyo3::prelude::*;
use tenure::Encoder;
use tenure::front::{Digests, Meaning};

use crate::decoration::identity;
use crate::encode::{self, Role};
use crate::function::cached::Cached;
use crate::function::plan::Arguments;
use crate::process::once::intern;
use crate::program::{modules, secret};
use crate::words::code;
use crate::words::errors::{self, Kind};

impl Cached {
    /// What the names of its actors begin with: the mark of the function, its settings among it, under the
    /// secret of the fleet. Nothing where there is no secret.
    ///
    /// # Errors
    /// What it holds has no key, or one that means something in this process alone.
    pub(crate) fn cluster_mark(&self, py: Python<'_>) -> PyResult<Option<(String, Digests)>> {
        let (Some(digests), Some(actor)) = (secret::digests(py)?, &self.options.actor) else {
            return Ok(None);
        };
        let mut enc = Encoder::with(digests);
        enc.framed(2, self.name().as_bytes());
        let func = self.func(py);
        let mut parts = identity::methods(&identity::layers(func)?)?;
        parts.push(func.clone());
        for part in parts {
            let held = encode::encode_callable(py, &mut enc, &part, self.name(), Role::Function)?;
            if let Some(pin) = held.pins.first() {
                let text = format!(
                    "{name} has scope=\"cluster\" and holds `{variable}`, {reason}, so another process could not \
                     ask for the same resource. Make it in the function; or, if it can be pickled, pass it as an \
                     argument whose name begins with an underscore",
                    name = self.name(),
                    variable = pin.name,
                    reason = pin.reason,
                );
                return Err(errors::raise(py, Kind::Unhashable, text, None));
            }
        }
        actor.encode(py, &mut enc)?;
        if enc.meaning() == Meaning::Process {
            return Err(self.of_this_process(py, "what it holds or is set to"));
        }
        let mark = digests.of(enc.as_bytes());
        Ok(Some((format!("{}{mark:032x}", of_fleet(digests)), digests)))
    }

    /// The name of the actor of a call with these arguments.
    ///
    /// # Errors
    /// No secret is set, or an argument has no key that means the same to others.
    pub(crate) fn cluster_name(&self, py: Python<'_>, arguments: Arguments) -> PyResult<String> {
        let (mark, digests) = self.named_mark(py)?;
        let mut enc = Encoder::with(digests);
        self.plan
            .encode_named(py, self.name(), arguments, &mut enc)?;
        if enc.meaning() == Meaning::Process {
            return Err(self.of_this_process(py, "one of its arguments"));
        }
        Ok(format!("{mark}-{:032x}", digests.of(enc.as_bytes())))
    }

    fn named_mark(&self, py: Python<'_>) -> PyResult<(String, Digests)> {
        let mark = self.cluster_mark(py)?;
        mark.ok_or_else(|| {
            let text = format!(
                "{} has scope=\"cluster\", and no secret is set under which the members of a fleet name what they \
                 share. Write tenure.configure(fleet_secret=\"...\") or set TENURE_FLEET_SECRET, to the same \
                 random text of at least 16 bytes in every program that shares the resource",
                self.name()
            );
            errors::raise(py, Kind::Scope, text, None)
        })
    }

    /// Ends what the actors hold, whoever has built it: all of the function, or that of a call with these arguments.
    /// Before what is kept here, whose actors have ended it then.
    ///
    /// # Errors
    /// There is no secret, no cluster is connected, or an actor cannot be reached.
    pub(crate) fn end_in_cluster(
        &self,
        py: Python<'_>,
        how: &str,
        arguments: Option<Arguments>,
    ) -> PyResult<()> {
        let Some(remote) = &self.remote else {
            return Ok(());
        };
        // Callers get what a test has put there, and a test needs no cluster for it.
        if self.is_replaced() {
            return Ok(());
        }
        let name = match arguments {
            Some(arguments) => self.cluster_name(py, arguments)?,
            None => self.named_mark(py)?.0,
        };
        remote.end(py, how, &name)
    }

    /// Refuses to lend what is not here.
    ///
    /// # Errors
    /// A `TypeError` that says what to write.
    pub(crate) fn check_lendable(&self, py: Python<'_>) -> PyResult<()> {
        if self.remote.is_none() {
            return Ok(());
        }
        Err(errors::setting_type(
            py,
            format!(
                "{name} has scope=\"cluster\", and a lease here would hold its handle and not the resource, which \
                 each call on the handle holds while it runs. Write `{called}(...)`, and put what has to run \
                 on one resource without a break into one method of it",
                name = self.name(),
                called = code::called(self.name()),
            ),
        ))
    }

    fn of_this_process(&self, py: Python<'_>, what: &str) -> PyErr {
        let text = format!(
            "{} has scope=\"cluster\", and {what} is known by its identity in this process alone, so another \
             process could not ask for the same resource. What cannot be pickled is made in the function; anything \
             else can be an argument whose name begins with an underscore, which is left out of the key, or its \
             class can have hash_funcs",
            self.name()
        );
        errors::raise(py, Kind::Unhashable, text, None)
    }
}

/// The beginning of the names of all actors of the programs that share this secret.
fn of_fleet(digests: Digests) -> String {
    format!("tenure-{:032x}-", digests.of(b"fleet"))
}

/// Ends what the actors of the cluster hold, whichever function it is of: all of it, or what carries the tag. `how` is
/// `"clear"` or `"expire"`. Where the program knows no cluster there is none.
///
/// # Errors
/// An actor cannot be reached.
pub(crate) fn end_all_in_cluster(py: Python<'_>, how: &str, tag: Option<&str>) -> PyResult<()> {
    let has = |name| modules::imported(py, name).is_some();
    let has_functions = has(intern!(py, "tenure.cluster"));
    if !has_functions && !has(intern!(py, "ray")) {
        return Ok(());
    }
    // Without a secret nothing has been named.
    let Some(digests) = secret::digests(py)? else {
        return Ok(());
    };
    let given = (how, of_fleet(digests), tag, has_functions);
    py.import(intern!(py, "tenure.cluster._endings"))?
        .call_method1(intern!(py, "end_all"), given)
        .map(drop)
}
