//! What the attribute gives as an expression. Where its type is another, the error says what to
//! write (R8).

use std::time::Duration;

/// What `ttl` and `drain` may be beside a literal.
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

/// Gives a resource to an `on_release`, which receives it by value.
pub fn give<V, R>(given: impl Fn(V) -> R, value: V) -> R {
    given(value)
}
