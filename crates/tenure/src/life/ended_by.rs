//! Who has entries end, in words.
//!
//! A clear and all that it takes out run on one thread, so a thread-local is enough.

use std::cell::RefCell;
use std::panic::Location;

use crate::ground::sync::{Arc, thread_local};

thread_local! {
    static PRESENT: RefCell<Option<Arc<str>>> = const { RefCell::new(None) };
}

/// A guard: what this thread has end meanwhile is ended by whoever it names.
///
/// ```
/// # use tenure::{Engine, Function, KeyRef, Settings};
/// # use tenure::front::EndedBy;
/// # let engine = Engine::new();
/// # let pools = Function::<u32, ()>::plain(&engine, "pool", Settings::default()).unwrap();
/// drop(pools.get_or_build(&KeyRef::EMPTY, || Ok(7)));
/// {
///     let _ended_by = EndedBy::enter("the operator".into());
///     pools.clear().unwrap();
/// }
/// let why = pools.explain(&KeyRef::EMPTY).unwrap();
/// assert!(why.to_string().ends_with(", by the operator"));
/// ```
#[must_use = "it holds until it is dropped"]
#[derive(Debug)]
pub struct EndedBy(Option<Arc<str>>);

impl EndedBy {
    /// Names who ends what ends on this thread, until the guard is dropped.
    pub fn enter(who: Arc<str>) -> Self {
        Self(swapped(Some(who)))
    }

    /// Names who ends what ends on this thread as [`enter`](Self::enter) does, unless somebody has a name already: what
    /// a clear leads to is that clear's.
    pub fn enter_with(who: impl FnOnce() -> String) -> Self {
        Self::enter(Self::present().unwrap_or_else(|| who().into()))
    }

    /// Names the caller.
    #[track_caller]
    pub(crate) fn caller() -> Self {
        let place = Location::caller();
        Self::enter_with(|| format!("the call at {}:{}", place.file(), place.line()))
    }

    /// Whoever ends what ends here and now, if anyone has a name.
    pub(super) fn present() -> Option<Arc<str>> {
        PRESENT.try_with(|it| it.borrow().clone()).ok().flatten()
    }
}

impl Drop for EndedBy {
    fn drop(&mut self) {
        drop(swapped(self.0.take()));
    }
}

fn swapped(who: Option<Arc<str>>) -> Option<Arc<str>> {
    PRESENT.try_with(|it| it.replace(who)).ok().flatten()
}
