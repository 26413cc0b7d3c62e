//! The attribute's values that are expressions. Where the type of one is another, the error says
//! what to write (R8).

use std::time::Duration;

use crate::words::cause::Cause;

/// A value of `ttl` or `drain` that is no literal.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a time",
    label = "this must be a `Duration`",
    note = "write a `Duration`, or right here a text like \"1h30m\" or a number of seconds"
)]
pub trait Time {
    /// The time itself.
    fn duration(self) -> Duration;
}

impl Time for Duration {
    fn duration(self) -> Duration {
        self
    }
}

/// A `ttl` or a `drain`.
pub fn time(given: impl Time) -> Duration {
    given.duration()
}

/// A value of `on_release`. `Given` says what it takes: the resource, or the cause with it.
#[diagnostic::on_unimplemented(
    message = "`on_release` must take a `{V}`",
    label = "takes something else",
    note = "it must be a function or a closure that takes a `{V}` by value, and the `tenure::Cause` \
            of the release where it has a second parameter"
)]
pub trait OnRelease<V, Given> {
    /// Its return type.
    type Outcome;
    /// Gives it the resource.
    fn give(&self, value: V, cause: Cause) -> Self::Outcome;
}

#[diagnostic::do_not_recommend]
impl<V, R, C: Fn(V) -> R> OnRelease<V, (V,)> for C {
    type Outcome = R;
    fn give(&self, value: V, _: Cause) -> R {
        self(value)
    }
}

#[diagnostic::do_not_recommend]
impl<V, R, C: Fn(V, Cause) -> R> OnRelease<V, (V, Cause)> for C {
    type Outcome = R;
    fn give(&self, value: V, cause: Cause) -> R {
        self(value, cause)
    }
}

/// Gives a resource to an `on_release`, which receives it by value.
pub fn give<V, Given, C: OnRelease<V, Given>>(to: &C, value: V, cause: Cause) -> C::Outcome {
    to.give(value, cause)
}
