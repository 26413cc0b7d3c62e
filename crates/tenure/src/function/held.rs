//! The resources of a function that somebody may hold, for whoever looks for who that is.

use std::any::Any;
use std::time::Duration;

use crate::function::Function;
use crate::words::bounds::{Failure, Resource};
use crate::words::cause::Cause;

impl<V: Resource, F: Failure> Function<V, F> {
    /// Shows each resource that is kept in any scope, and each that has left its cache and is looked at until nobody
    /// uses it: with the time since it was built, and the cause of its leaving. One that is leased beyond its end is not
    /// seen: its leases are its own.
    ///
    /// ```
    /// # use tenure::{Engine, Function, KeyRef, Settings};
    /// # let engine = Engine::new();
    /// # let pools = Function::<u32, ()>::plain(&engine, "pool", Settings::default()).unwrap();
    /// drop(pools.get_or_build(&KeyRef::EMPTY, || Ok(7)).unwrap());
    /// let mut seen = Vec::new();
    /// pools.show_held(&mut |pool, _, left| seen.push((*pool, left)));
    /// assert_eq!(seen, [(7, None)]);
    /// ```
    pub fn show_held(&self, see: &mut dyn FnMut(&V, Duration, Option<Cause>)) {
        for cache in self.caches() {
            let described = cache.described();
            for (entry, info) in &described {
                see(entry.value(), info.age, None);
            }
            if self.core.services.is_abandoned() {
                // Forked meanwhile: these are the parent's.
                std::mem::forget(described);
            }
        }
        if self.core.services.is_abandoned() {
            return;
        }
        let drains = &self.core.services.drains;
        drains.show(self.core.number, &mut |resource: &dyn Any, shown| {
            if let Some(value) = resource.downcast_ref::<V>() {
                see(value, shown.age, Some(shown.cause));
            }
        });
    }
}
