//! The secret that the programs of a fleet share, under which they name what others see.

use std::sync::Mutex;

use tenure::front::Digests;

/// What the key of the names is for, which tells it from others under the same secret.
const PURPOSE: &str = "tenure-rs 2026-11-29 names of what the members of a fleet share";

static GIVEN: Mutex<Option<String>> = Mutex::new(None);

/// The secret whose key was derived last, with it: a program has one.
static LAST: Mutex<Option<(String, Digests)>> = Mutex::new(None);

/// Sets the secret, or takes it back.
pub(crate) fn give(secret: Option<String>) {
    *GIVEN.lock().expect("nothing panics under this lock") = secret;
}

/// The digests under the secret that was set, or that the environment has. Nothing without one.
pub(crate) fn digests() -> Option<Digests> {
    let given = GIVEN.lock().expect("nothing panics under this lock").clone();
    let secret = given.or_else(|| std::env::var("TENURE_FLEET_SECRET").ok());
    let secret = secret.filter(|it| !it.is_empty())?;
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
