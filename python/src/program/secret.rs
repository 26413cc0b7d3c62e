//! What the programs of a fleet derive from the secret that they share, for names that others see.

use std::sync::Mutex;

use pyo3::prelude::*;
use tenure::front::Digests;

use crate::process::fleet;
use crate::words::errors::{self, Kind};

/// What the key of the names is for, which tells it from others under the same secret.
const PURPOSE: &str = "tenure-rs 2026-11-29 names of actors in a cluster";

/// The secret whose key was derived last, with it: a program has one.
static LAST: Mutex<Option<(String, Digests)>> = Mutex::new(None);

/// The digests under the secret that was set, or that the environment has. Nothing without one.
///
/// # Errors
/// The secret is too short.
pub(crate) fn digests(py: Python<'_>) -> PyResult<Option<Digests>> {
    let secret = fleet::secret().map_err(|error| {
        let text = format!(
            "what has scope=\"cluster\" is named under the secret of the fleet, and {}",
            fleet::explained(&error)
        );
        errors::raise(py, Kind::Scope, text, None)
    })?;
    let Some(secret) = secret else {
        return Ok(None);
    };
    let mut last = LAST.lock().expect("nothing panics under this lock");
    let digests = match &*last {
        Some((of, digests)) if *of == secret => *digests,
        _ => {
            let digests = Digests::given(PURPOSE, secret.as_bytes());
            *last = Some((secret, digests));
            digests
        }
    };
    Ok(Some(digests))
}
