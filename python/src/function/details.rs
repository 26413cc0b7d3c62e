//! What the engine asks of a call beside its key.

use std::sync::Arc;

use tenure::front::{Again, Details};
use tenure::{Interrupt, Tags};

use crate::life::failure::Failure;
use crate::life::resource::Held;

/// What the engine asks of a call: its build as it can be made again, its tags, and its
/// arguments where they are to be shown.
pub(crate) struct OfCall<A, T, S> {
    pub(crate) again: A,
    pub(crate) tags: T,
    pub(crate) arguments: S,
}

impl<A, T, S> Details<Held, Failure> for OfCall<A, T, S>
where
    A: Fn() -> Option<Again<Held, Failure>>,
    T: Fn() -> Result<Tags, Interrupt>,
    S: Fn() -> Option<Arc<str>>,
{
    fn again(&self) -> Option<Again<Held, Failure>> {
        (self.again)()
    }

    fn tags(&self) -> Result<Tags, Interrupt> {
        (self.tags)()
    }

    fn arguments(&self) -> Option<Arc<str>> {
        (self.arguments)()
    }
}
