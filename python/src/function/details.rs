//! What the engine asks of a call beside its key.

use tenure::front::{Again, Details};
use tenure::{Interrupt, Tags};

use crate::life::failure::Failure;
use crate::life::resource::Held;

/// What the engine asks of a call: its build as it can be made again, and its tags.
pub(crate) struct OfCall<A, T> {
    pub(crate) again: A,
    pub(crate) tags: T,
}

impl<A, T> Details<Held, Failure> for OfCall<A, T>
where
    A: Fn() -> Option<Again<Held, Failure>>,
    T: Fn() -> Result<Tags, Interrupt>,
{
    fn again(&self) -> Option<Again<Held, Failure>> {
        (self.again)()
    }

    fn tags(&self) -> Result<Tags, Interrupt> {
        (self.tags)()
    }
}
