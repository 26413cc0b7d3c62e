//! Defaults: what counts in a key for one that the call leaves out (K16).
//!
//! A default is made once and handed to every call, so it counts as what it was when the function
//! was decorated, whatever a body has done to it since. One without a key counts as "the default":
//! there is no other object that it could be taken for.
//!
//! One exception: what stands for something else, or for whoever asks now (a proxy of the
//! current user, say), is no fixed thing. It is read at each call as if it had been passed, and
//! refused there if it has no key.
//!
//! A lock in a default tells no function from another. It holds nothing that two could differ by,
//! and a script that runs again makes a new one each time.

use super::context::Context;
use super::walk::Walk;
use super::{tags, types};
use pyo3::prelude::*;
use tenure::Encoder;
use tenure::front::{Digests, Meaning};

/// What a default counts as.
pub(crate) struct Settled {
    pub(crate) bytes: Box<[u8]>,
    /// How far the bytes mean the same.
    pub(crate) meaning: Meaning,
}

/// What a default counts as, or `None` where it is read at each call; these digests stand for long contents.
///
/// # Errors
///
/// An interrupt, a lack of memory. A default without a key is none.
pub(crate) fn settle(
    py: Python<'_>,
    default: &Bound<'_, PyAny>,
    cx: &Context<'_>,
    digests: Digests,
) -> PyResult<Option<Settled>> {
    let mut enc = Encoder::with(digests);
    let mut walk = Walk::new(py, &mut enc, cx.hash_funcs, types::of);
    walk.scope.settling = true;
    let outcome = walk.value(default.as_ptr());
    let (is_read_now, lacks_key) = (walk.is_read_now, walk.lacks_key);
    match outcome {
        Err(fault) if fault.is_interrupt() => return Err(fault.raise(py, "", cx.function)),
        _ if is_read_now => return Ok(None),
        Err(fault) if fault.is_elsewhere() => return Ok(None),
        Ok(()) if !lacks_key => {}
        _ => {
            enc.clear();
            enc.tag(tags::DEFAULT);
        }
    }
    Ok(Some(Settled {
        bytes: enc.as_bytes().into(),
        meaning: enc.meaning(),
    }))
}
