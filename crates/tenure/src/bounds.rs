//! What may be a resource, and what may be a failure.

/// Anything that threads can share: what a cached function may return.
///
/// Why must it be `Send` and `Sync`? Callers on any thread use it, and any thread may release it.
///
/// ```
/// use std::cell::Cell;
/// use std::sync::Mutex;
///
/// fn keeps(_: impl tenure::Resource) {}
///
/// // A `Cell` is not `Sync`; in a mutex it can be shared.
/// keeps(Mutex::new(Cell::new(7)));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be kept as a resource",
    note = "any thread may use it and any thread may release it, so it must be `Send`, `Sync` and \
            `'static`; a `Mutex` makes what is only `Send` into that"
)]
pub trait Resource: Send + Sync + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Send + Sync + 'static> Resource for T {}

/// What a build that failed gives to everyone who waited for it.
///
/// ```
/// use std::sync::Arc;
///
/// fn shares(_: impl tenure::Failure) {}
///
/// // An `io::Error` is not `Clone`; an `Arc` of one is.
/// shares(Arc::new(std::io::Error::other("no route")));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be shared with those who waited for a build that failed",
    note = "it must be `Send`, `Sync` and `'static`"
)]
pub trait Failure: Clone + Send + Sync + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Clone + Send + Sync + 'static> Failure for T {}
