//! The figures of a function, and what a call would meet.

use crate::function::Function;
use crate::key::{KeyRef, Part};
use crate::life::call::Call;
use crate::life::entry::EntryRef;
use crate::words::bounds::{Failure, Resource};
use crate::words::error::Error;
use crate::words::explanation::Explanation;
use crate::words::info::Info;

impl<V: Resource, F: Failure> Function<V, F> {
    /// The figures of this function over all its scopes.
    ///
    /// ```
    /// # use tenure::{Engine, Function, KeyRef, Settings};
    /// # let engine = Engine::new();
    /// # let pools = Function::<u32, ()>::plain(&engine, "pool", Settings::default()).unwrap();
    /// let lease = pools.get_or_build(&KeyRef::EMPTY, || Ok(7)).unwrap();
    /// pools.clear().unwrap();
    /// let info = pools.info();
    /// assert_eq!((info.entries, info.draining), (0, 1)); // leased beyond its end
    /// drop(lease);
    /// assert_eq!(pools.info().draining, 0);
    /// ```
    #[must_use]
    pub fn info(&self) -> Info {
        let mut info = Info::default();
        info.draining = self.core.counters.unreleased(|| {
            info = self.counted();
            info.entries - info.inherited
        });
        info
    }

    /// Its figures, but for what drains.
    fn counted(&self) -> Info {
        let mut info = self.core.counters.read();
        info.refreshes_itself = self.core.settings.refreshes_beside();
        for cache in self.caches() {
            let unleased = cache.read(&mut info);
            info.idle += self.idle(unleased);
        }
        info.hits = self.core.counters.hits_told(info.hits);
        info
    }

    /// How many of these entries, which nobody has a lease of, nobody holds in any other way.
    fn idle(&self, unleased: Vec<EntryRef<V>>) -> u64 {
        // Whoever has a resource in use is asked under no lock.
        let idle = unleased.iter().filter(|it| !self.core.is_held(it.value()));
        let idle = idle.count() as u64;
        if self.core.services.is_abandoned() {
            // Forked meanwhile: these are the parent's.
            std::mem::forget(unleased);
        }
        idle
    }

    /// What a call under `key` would meet, and why: nothing is built, awaited, checked or counted.
    ///
    /// ```
    /// # use tenure::{Engine, Function, KeyRef, Miss, Settings};
    /// # let engine = Engine::new();
    /// # let pools = Function::<u32, ()>::plain(&engine, "pool", Settings::default()).unwrap();
    /// let why = pools.explain(&KeyRef::EMPTY).unwrap();
    /// assert_eq!(why.miss, Some(Miss::Absent));
    /// drop(pools.get_or_build(&KeyRef::EMPTY, || Ok(7)));
    /// assert!(pools.explain(&KeyRef::EMPTY).unwrap().is_hit());
    /// assert_eq!(pools.info().hits, 0);
    /// ```
    ///
    /// # Errors
    /// For a session-scoped function: a missing session, an interruption by the host.
    pub fn explain(&self, key: &KeyRef<'_>) -> Result<Explanation, Error<F>> {
        self.explain_parts(key, &[])
    }

    /// What a call would meet whose arguments wrote these parts of the key: of a miss it is told which calls that are
    /// kept differ in one of them alone. See [`Part`].
    ///
    /// # Errors
    /// As for [`explain`](Self::explain).
    pub fn explain_parts(
        &self,
        key: &KeyRef<'_>,
        parts: &[Part<'_>],
    ) -> Result<Explanation, Error<F>> {
        // Nothing is made for a scope that nothing was kept for.
        let Some(scoped) = self.here()? else {
            return Ok(Explanation::nothing(&self.core.name));
        };
        let host = self.core.services.host();
        Call::new(&self.core, scoped, host).explain(key, parts)
    }
}
