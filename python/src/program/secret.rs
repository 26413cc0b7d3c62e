//! What the programs of a fleet derive from the secret that they share, for names that others see.

use std::sync::Mutex;

use tenure::front::Digests;

use crate::process::fleet;

/// What the key of the names is for, which tells it from others under the same secret.
const PURPOSE: &str = "tenure-rs 2026-11-29 names of actors in a cluster";

/// The secret whose key was derived last, with it: a program has one.
static LAST: Mutex<Option<(String, Digests)>> = Mutex::new(None);

/// The digests under the secret that was set, or that the environment has. Nothing without one that is long enough.
pub(crate) fn digests() -> Option<Digests> {
    let secret = fleet::secret()?;
    let mut last = LAST.lock().expect("nothing panics under this lock");
    match &*last {
        Some((of, digests)) if *of == secret => Some(*digests),
        _ => {
            let digests = Digests::given(PURPOSE, secret.as_bytes());
            *last = Some((secret, digests));
            Some(digests)
        }
    }
}
