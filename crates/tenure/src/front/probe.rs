//! Questions about types, asked at compile time: inherent methods win over those of a trait, so
//! that what is known of a type decides which method a name means.

use std::error::Error as StdError;
use std::fmt;
use std::future::{Ready, ready};
use std::iter::successors;
use std::marker::PhantomData;

use crate::front::rules::Settled;
use crate::ground::sync::Arc;
use crate::words::bounds::{Resource, SharedFailure};
use crate::words::fallible::Telling;

/// Asks what a type is, at compile time: inherent methods win over those of a trait.
pub struct Probe<T: ?Sized>(pub PhantomData<T>);

impl<E: StdError + 'static> Probe<E> {
    /// An error says what it is, and what caused it.
    #[must_use]
    pub fn telling(self) -> Telling<E> {
        Telling {
            source: |error| error.source(),
            text: |error| {
                let causes = successors(error.source(), |&it| it.source());
                let causes = causes.map(|it| format!(": {it}"));
                Some(error.to_string() + &causes.collect::<String>())
            },
        }
    }
}

/// Errors that do not say what caused them.
pub trait TellingOwn<E> {
    /// No cause is known.
    fn telling(self) -> Telling<E>;
}

impl<E: fmt::Debug> TellingOwn<E> for Probe<E> {
    fn telling(self) -> Telling<E> {
        Telling {
            source: |_| None,
            text: |error| Some(format!("{error:?}")),
        }
    }
}

/// Errors that say nothing.
pub trait TellingNothing<E> {
    /// Nothing is known.
    fn telling(self) -> Telling<E>;
}

// Behind a reference, so that it is asked last.
impl<E> TellingNothing<E> for &Probe<E> {
    fn telling(self) -> Telling<E> {
        Telling {
            source: |_| None,
            text: |_| None,
        }
    }
}

/// An answer that the `validate` of an async function may return.
#[diagnostic::on_unimplemented(
    message = "`validate` returns `{Self}`",
    note = "it must return a `bool`, or a future of one"
)]
pub trait Verdict {
    /// The verdict.
    fn verdict(self) -> bool;
}

impl Verdict for bool {
    fn verdict(self) -> bool {
        self
    }
}

/// The answer of a `validate`, as it was returned.
pub struct Said<T>(pub T);

impl<T: Verdict> Said<T> {
    /// The verdict.
    pub fn verdict(self) -> Ready<bool> {
        ready(self.0.verdict())
    }
}

/// A verdict that has to be awaited.
pub trait SaidLater {
    /// The future of it.
    type Verdict: Future<Output = bool>;
    /// The future of the verdict.
    fn verdict(self) -> Self::Verdict;
}

impl<T: Future<Output = bool>> SaidLater for Said<T> {
    type Verdict = T;
    fn verdict(self) -> T {
        self.0
    }
}

/// Neither: asked last, for the error that says what it must be.
pub trait SaidWrong<T> {
    /// There is none.
    fn verdict(self) -> Ready<bool>
    where
        T: Verdict;
}

impl<T> SaidWrong<T> for &Said<T> {
    fn verdict(self) -> Ready<bool>
    where
        T: Verdict,
    {
        unreachable!("what is a `Verdict` is one by the method of its own")
    }
}

/// An outcome that an `on_release` may return.
///
/// ```
/// use std::io;
///
/// #[tenure::cache_resource(on_release = flush)]
/// fn journal() -> String {
///     String::new()
/// }
///
/// fn flush(_journal: String) -> io::Result<()> {
///     Err(io::Error::other("the disk is full")) // logged and counted
/// }
///
/// journal();
/// journal::clear();
/// assert_eq!(journal::info().release_failures, 1);
/// ```
#[diagnostic::on_unimplemented(
    message = "`on_release` returns `{Self}`",
    note = "it must return `()`, a `Result<(), E>` whose error is logged, or a future of one of \
            these that is `Send` and `'static`"
)]
pub trait Released {
    /// The error that there was, as it is to be logged.
    fn outcome(self) -> Result<(), String>;
}

impl Released for () {
    fn outcome(self) -> Result<(), String> {
        Ok(())
    }
}

impl<E: fmt::Debug> Released for Result<(), E> {
    fn outcome(self) -> Result<(), String> {
        self.map_err(|error| format!("{error:?}"))
    }
}

/// The outcome of an `on_release`, as it was returned.
pub struct Done<T>(pub T);

impl<T: Released> Done<T> {
    /// The release is over.
    #[must_use]
    pub fn settled(self) -> Settled {
        Settled::Now(self.0.outcome())
    }
}

/// A release that has to be awaited.
pub trait DoneLater {
    /// The release is on its way.
    fn settled(self) -> Settled;
}

impl<T> DoneLater for Done<T>
where
    T: Future<Output: Released> + Send + 'static,
{
    fn settled(self) -> Settled {
        Settled::Later(Box::pin(async { self.0.await.outcome() }))
    }
}

/// Neither: asked last, for the error that says what it must be.
pub trait DoneWrong<T> {
    /// There is none.
    fn settled(self) -> Settled
    where
        T: Released;
}

impl<T> DoneWrong<T> for &Done<T> {
    fn settled(self) -> Settled
    where
        T: Released,
    {
        unreachable!("what is `Released` is so by the method of its own")
    }
}

/// Says what a future gives.
#[inline]
pub fn future<T, B: Future<Output = T>>(build: B) -> B {
    build
}

/// The part of a key that a custom hash function makes of an argument.
#[inline]
pub fn with<'a, T: ?Sized, R>(value: &'a T, function: impl FnOnce(&'a T) -> R) -> R {
    function(value)
}

/// Arguments with their names, as text. What is a pattern has no name.
#[must_use]
pub fn shown(arguments: &[(&str, &dyn fmt::Debug)]) -> Arc<str> {
    let shown = arguments.iter().map(|(name, argument)| match *name {
        "" => format!("{argument:?}"),
        name => format!("{name}: {argument:?}"),
    });
    shown.collect::<Vec<_>>().join(", ").into()
}

/// Asks of a resource what must be so of each.
pub fn resource<V: Resource>() {}

/// Asks of a failure what must be so of each that is shared.
pub fn shared_failure<E: SharedFailure>() {}
