//! What the output of a build means.

use std::convert::Infallible;

use crate::life::entry::Built;
use crate::words::fallible::{Failed, Telling};

/// The meaning of a build's output: a type of its own for each kind of function, since a closure
/// would bring the lifetimes of the call into the question whether the call is `Send`.
pub(super) trait Sort<V, O>: Copy + Send + Sync + 'static {
    type Failure;
    fn outcome(self, output: O) -> Result<Built<V>, Self::Failure>;
}

/// The output of a function that cannot fail.
#[derive(Clone, Copy)]
pub(super) struct Always;

impl<V, O: Into<Built<V>>> Sort<V, O> for Always {
    type Failure = Infallible;
    fn outcome(self, output: O) -> Result<Built<V>, Infallible> {
        Ok(output.into())
    }
}

/// The output of one that can, with how its error is told.
pub(super) struct Fails<E>(pub(super) Telling<E>);

impl<E> Clone for Fails<E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Fails<E> {}

impl<V, E: 'static, O: Into<Built<Result<V, E>>>> Sort<V, O> for Fails<E> {
    type Failure = Failed<E>;
    fn outcome(self, output: O) -> Result<Built<V>, Failed<E>> {
        let outcome = output.into().transpose();
        outcome.map_err(|error| Failed::new(error, self.0))
    }
}
