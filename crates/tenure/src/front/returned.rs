//! The meaning of a return type, where its spelling does not tell (K17).
//!
//! An alias hides whether it is a `Result`. The compiler knows; [`Probe::RESULT`] asks it, and
//! [`Returned`] makes types of the answer. That works only where the type has no parameter of the
//! function in it. Elsewhere [`Probe::plain`] refuses what turns out to be a `Result`, and
//! [`refuse_result`] does so at the first call where even the compiler cannot tell before.

use std::any::{TypeId, type_name};
use std::convert::Infallible;

use crate::front::probe::Probe;
use crate::life::lease::Lease;
use crate::words::bounds::Failure;
use crate::words::fallible::{Failed, Shared};

/// The types that a return type means; `RESULT` says whether it is a `Result`.
pub trait Returned<const RESULT: bool> {
    /// The resource.
    type Value;
    /// The failure.
    type Failure;
    /// The failure, as it is shared with those who wait.
    type Shared;
    /// The return type of a call.
    type Leased;
}

#[diagnostic::do_not_recommend]
impl<T> Returned<false> for T {
    type Value = T;
    type Failure = Infallible;
    type Shared = Infallible;
    type Leased = Lease<T>;
}

#[diagnostic::do_not_recommend]
impl<T, E> Returned<true> for Result<T, E> {
    type Value = T;
    type Failure = E;
    type Shared = Failed<E>;
    type Leased = Result<Lease<T>, Shared<E>>;
}

impl<T, E> Probe<Result<T, E>> {
    /// It is a `Result`.
    pub const RESULT: bool = true;

    /// Does not compile.
    pub fn plain(self)
    where
        Result<T, E>: NotAResult,
    {
    }
}

/// A type that is no `Result`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has another name here, and its errors would be kept as resources",
    label = "this is a `Result`",
    note = "write the return type as `Result<T, E>`, or give the alias a name that ends in \
            `Result`; of a `Result`, errors go to those who wait and are not kept"
)]
pub trait NotAResult {}

/// Types that are no `Result`, as far as can be seen.
pub trait Plain: Sized {
    /// It is none.
    const RESULT: bool = false;

    /// Is well.
    fn plain(self) {}
}

impl<T> Plain for Probe<T> {}

/// Says at the first call what could not be said before it.
///
/// # Panics
/// Where a type parameter makes a `Result` of a resource.
#[track_caller]
pub(super) fn refuse_result<V, F: Failure>(function: &str) {
    let cannot_fail = TypeId::of::<F>() == TypeId::of::<Infallible>();
    let resource = type_name::<V>();
    assert!(
        !(cannot_fail && resource.starts_with("core::result::Result<")),
        "#[cache_resource] on `{function}`: its type parameters make its resource a `{resource}`, \
         whose errors would be kept. Let the function itself return `Result<T, E>`: then errors go \
         to those who wait and are not kept"
    );
}
