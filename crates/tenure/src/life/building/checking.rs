//! Checks under way, so that none asks for the very entry that it checks: it would wait for itself.

use std::future::poll_fn;
use std::pin::pin;

use crate::ground::strand::{Layers, Within};
use crate::ground::sync::thread_local;

thread_local! {
    /// The entries whose checks the code of this strand is inside of, by address.
    static CHECKED: Layers<usize> = const { Layers::new() };
}

/// The code of this thread checks an entry, for as long as this lives.
pub(crate) struct Checking {
    _within: Within<usize>,
}

impl Checking {
    /// Begins a check of an entry; nothing where the code is inside of such a check already.
    pub(crate) fn begin(entry: usize) -> Option<Self> {
        (!checked().contains(&entry)).then(|| Self::at(entry))
    }

    /// Goes on with a check on this thread, as a part of it that runs elsewhere does.
    pub(crate) fn at(entry: usize) -> Self {
        Self {
            _within: Within::put(&CHECKED, entry),
        }
    }
}

/// The entries whose checks the present code is inside of, innermost first.
pub(crate) fn checked() -> Vec<usize> {
    let mut all = Vec::new();
    let _ = CHECKED.try_with(|checked| {
        checked.each(|it| {
            all.push(it);
            true
        });
    });
    all
}

/// Awaits a check of this entry, whose code is inside of it at each poll.
pub(crate) async fn awaited(entry: usize, check: impl Future<Output = bool>) -> bool {
    let mut check = pin!(check);
    let good = poll_fn(|cx| {
        let _checking = Checking::at(entry);
        check.as_mut().poll(cx)
    });
    good.await
}
