//! Whoever is to hear how a build ends. A failure that nobody hears of is told to the front door, once.
//!
//! 1. A hearer is counted before its flight can land: under the lock of the cache that it finds the flight
//!    in, or by whoever leads it.
//! 2. Nobody hears of a failure where no hearer is left when it lands, or where the last one leaves after
//!    that and none has [heard](Hearer::heard) it. Only one of the two can be so, and it is so once.
//! 3. A hearer is dropped under no lock: what it tells the front door may run anything.

use crate::ground::sync::Arc;
use crate::life::core::Core;
use crate::life::flight::{Arrival, Flight, Landing};
use crate::words::bounds::{Failure, Resource};

/// One who is to hear how a flight ends.
pub(crate) struct Hearer<V: Resource, F: Failure> {
    core: Arc<Core<V>>,
    flight: Arc<Flight<V, F>>,
}

impl<V: Resource, F: Failure> Hearer<V, F> {
    pub(crate) fn begin(core: &Arc<Core<V>>, flight: &Arc<Flight<V, F>>) -> Self {
        flight.hearing.begins();
        Self {
            core: Arc::clone(core),
            flight: Arc::clone(flight),
        }
    }

    pub(crate) fn flight(&self) -> &Arc<Flight<V, F>> {
        &self.flight
    }

    /// The landing as a future.
    pub(crate) fn arrival(&self) -> Arrival<V, F> {
        self.flight.arrival()
    }

    /// The failure has come to somebody.
    pub(crate) fn heard(&self) {
        self.flight.hearing.heard();
    }
}

impl<V: Resource, F: Failure> Drop for Hearer<V, F> {
    fn drop(&mut self) {
        if self.flight.hearing.leaves()
            && let Some(Landing::Failed(failure, _)) = self.flight.landed()
        {
            self.core.behaviour.build_failed(&self.core.name, &failure);
        }
    }
}
