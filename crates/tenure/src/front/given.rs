//! The attribute's values that are expressions. Where the type of one is another, the error says
//! what to write (R8).

use std::time::Duration;

use crate::ground::sync::Arc;
use crate::words::cause::Cause;
use crate::words::tags::Tags;

/// A value of `drain`, `max_idle` and the like that is no literal.
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

/// A time that is no literal.
pub fn time(given: impl Time) -> Duration {
    given.duration()
}

/// The maximum age of resources.
pub enum Lives<V> {
    /// That of each.
    For(Duration),
    /// What each says of itself; nothing for any time.
    AsItSays(Says<V>),
}

type Says<V> = Box<dyn Fn(&V) -> Option<Duration> + Send + Sync>;

/// A value of `ttl` that is neither a literal nor a closure. `Given` says what it is.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a time",
    label = "this must be a `Duration`, or a function of a `&{V}` that returns one",
    note = "write a `Duration`, or right here a text like \"1h30m\" or a number of seconds; where each \
            resource knows how long it lives, write a function or a closure that takes a `&{V}` and \
            returns a `Duration`, or an `Option` of one"
)]
pub trait Ttl<V, Given> {
    /// How long resources live.
    fn lives(self) -> Lives<V>;
}

/// It is the time itself.
pub struct Fixed;

#[diagnostic::do_not_recommend]
impl<V> Ttl<V, Fixed> for Duration {
    fn lives(self) -> Lives<V> {
        Lives::For(self)
    }
}

#[diagnostic::do_not_recommend]
impl<V, L, C> Ttl<V, (L,)> for C
where
    L: Lifetime,
    C: Fn(&V) -> L + Send + Sync + 'static,
{
    fn lives(self) -> Lives<V> {
        Lives::AsItSays(Box::new(move |value| self(value).lifetime()))
    }
}

/// A `ttl` that is neither a literal nor a closure.
pub fn ttl<V, Given, T: Ttl<V, Given>>(given: T) -> Lives<V> {
    given.lives()
}

/// An answer of a `ttl` that is asked of each resource.
#[diagnostic::on_unimplemented(
    message = "`ttl` returns `{Self}`",
    label = "must return a `Duration`",
    note = "it must return the time that the resource lives, a `Duration`, or an `Option` of one where \
            `None` is for any time"
)]
pub trait Lifetime {
    /// The time; nothing for any time.
    fn lifetime(self) -> Option<Duration>;
}

impl Lifetime for Duration {
    fn lifetime(self) -> Option<Duration> {
        Some(self)
    }
}

impl Lifetime for Option<Duration> {
    fn lifetime(self) -> Option<Duration> {
        self
    }
}

/// The tags that a call says it has.
#[diagnostic::on_unimplemented(
    message = "`tags` returns `{Self}`",
    label = "must return texts",
    note = "it must return the tags as an array or a `Vec` of `String`s or `&str`s. Example: \
            tags = |tenant| [format!(\"tenant:{{tenant}}\")]"
)]
pub trait Tagging {
    /// The tags.
    fn tags(self) -> Tags;
}

#[diagnostic::do_not_recommend]
impl<T: Into<Arc<str>>, const N: usize> Tagging for [T; N] {
    fn tags(self) -> Tags {
        self.into_iter().collect()
    }
}

#[diagnostic::do_not_recommend]
impl<T: Into<Arc<str>>> Tagging for Vec<T> {
    fn tags(self) -> Tags {
        self.into_iter().collect()
    }
}

#[diagnostic::do_not_recommend]
impl<T: Into<Arc<str>>> Tagging for Option<T> {
    fn tags(self) -> Tags {
        self.into_iter().collect()
    }
}

impl Tagging for Tags {
    fn tags(self) -> Tags {
        self
    }
}

/// The tags of a call.
#[must_use]
pub fn tags(given: impl Tagging) -> Tags {
    given.tags()
}

/// An answer of a `weight`.
#[diagnostic::on_unimplemented(
    message = "`weight` returns `{Self}`",
    label = "must return a `u64`",
    note = "it must return how heavy the resource is, a `u64` or a `usize` in any unit"
)]
pub trait Weight {
    /// How heavy.
    fn weight(self) -> u64;
}

impl Weight for u64 {
    fn weight(self) -> u64 {
        self
    }
}

impl Weight for u32 {
    fn weight(self) -> u64 {
        self.into()
    }
}

impl Weight for usize {
    fn weight(self) -> u64 {
        u64::try_from(self).unwrap_or(u64::MAX)
    }
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
