//! The bounds of resources and of failures.

/// Anything that threads can share: what a cached function may return.
///
/// Why must it be `Send` and `Sync`? Callers on any thread use it, and any thread may release it.
///
/// ```
/// use std::cell::Cell;
/// use std::sync::Mutex;
///
/// fn used_elsewhere<R: tenure::Resource>(resource: &R, work: fn(&R)) {
///     std::thread::scope(|scope| {
///         scope.spawn(|| work(resource));
///     });
/// }
///
/// // A `Cell` is not `Sync`; in a mutex it can be shared.
/// let counter = Mutex::new(Cell::new(7));
/// used_elsewhere(&counter, |counter| counter.lock().unwrap().set(8));
/// assert_eq!(counter.lock().unwrap().get(), 8);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be kept as a resource",
    label = "any thread may use this, and any thread may release it",
    note = "it must be `Send`, `Sync` and `'static`: a `Mutex` makes what is only `Send` into that, \
            an `Arc` does it for an `Rc`, and a type parameter is given these bounds"
)]
pub trait Resource: Send + Sync + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Send + Sync + 'static> Resource for T {}

/// An error that a failed build can give to everyone who waited for it.
///
/// ```
/// use std::sync::Arc;
///
/// fn for_two<F: tenure::Failure>(failure: F) -> (F, F) {
///     (failure.clone(), failure)
/// }
///
/// // An `io::Error` is not `Clone`; an `Arc` of one is.
/// let (one, two) = for_two(Arc::new(std::io::Error::other("no route")));
/// assert!(Arc::ptr_eq(&one, &two));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be shared with those who waited for a build that failed",
    note = "it must be `Send`, `Sync` and `'static`"
)]
pub trait Failure: Clone + Send + Sync + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Clone + Send + Sync + 'static> Failure for T {}

/// The demands on a cached function's failure, on its own: many get it, behind an `Arc`.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be shared with those who waited for a build that failed",
    label = "every thread that waited gets this error",
    note = "it must be `Send`, `Sync` and `'static`; of a boxed error that is \
            `Box<dyn std::error::Error + Send + Sync>`"
)]
pub trait SharedFailure: Send + Sync + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Send + Sync + 'static> SharedFailure for T {}
