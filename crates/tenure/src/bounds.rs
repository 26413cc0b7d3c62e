//! What may be a resource, and what may be a failure.

/// Anything that threads can share: what a cached function may return.
///
/// Why must it be `Send` and `Sync`? Callers on any thread use it, and any thread may release it.
pub trait Resource: Send + Sync + 'static {}

impl<T: Send + Sync + 'static> Resource for T {}

/// What a build that failed gives to everyone who waited for it.
pub trait Failure: Clone + Send + Sync + 'static {}

impl<T: Clone + Send + Sync + 'static> Failure for T {}
