//! The entries of a function, looked at and changed by hand.

use crate::function::Function;
use crate::ground::sync::Arc;
use crate::key::KeyRef;
use crate::life::aging::admission::Admission;
use crate::life::cache::Put;
use crate::life::call::Call;
use crate::life::entry::Built;
use crate::life::lease::Lease;
use crate::life::release::Unkept;
use crate::life::removal::ends;
use crate::life::succession::in_turn;
use crate::words::bounds::{Failure, Resource};
use crate::words::cause::Cause;
use crate::words::error::Error;
use crate::words::fleet::Ending;
use crate::words::info::EntryInfo;

impl<V: Resource, F: Failure> Function<V, F> {
    /// A lease of the live entry under `key`, if there is one. Nothing is built, awaited, checked or
    /// shown again, and no hit is counted; what has expired is none, nor is what may not be current in a member that is cut
    /// off from its fleet ([`Lost::Rebuild`](crate::fleet::Lost::Rebuild)).
    ///
    /// ```
    /// # use tenure::{Engine, Function, KeyRef, Settings};
    /// # let engine = Engine::new();
    /// # let pools = Function::<u32, ()>::plain(&engine, "pool", Settings::default()).unwrap();
    /// assert!(pools.kept(&KeyRef::EMPTY).unwrap().is_none());
    /// pools.get_or_build(&KeyRef::EMPTY, || Ok(7)).unwrap();
    /// assert_eq!(pools.kept(&KeyRef::EMPTY).unwrap().as_deref(), Some(&7));
    /// assert_eq!(pools.info().hits, 0);
    /// ```
    ///
    /// # Errors
    /// For a session-scoped function: a missing session, an interruption by the host.
    pub fn kept(&self, key: &KeyRef<'_>) -> Result<Option<Lease<V>>, Error<F>> {
        match self.here()? {
            None => Ok(None),
            Some(scoped) => {
                let host = self.core.services.host();
                Call::new(&self.core, scoped, host).kept(key)
            }
        }
    }

    /// The figures of each live entry, oldest first: all of them, or the present session's.
    ///
    /// ```
    /// # use tenure::{Engine, Function, KeyRef, Settings};
    /// # let engine = Engine::new();
    /// # let pools = Function::<u32, ()>::plain(&engine, "pool", Settings::default()).unwrap();
    /// assert!(pools.entries().unwrap().is_empty());
    /// pools.get_or_build(&KeyRef::EMPTY, || Ok(7)).unwrap();
    /// assert_eq!(pools.entries().unwrap()[0].leases, 0);
    /// ```
    ///
    /// # Errors
    /// For a session-scoped function: a missing session, an interruption by the host.
    pub fn entries(&self) -> Result<Vec<EntryInfo>, Error<F>> {
        let scoped = self.here()?;
        Ok(scoped.map_or_else(Vec::new, |scoped| {
            let described = scoped.cache().described().into_iter();
            described.map(|(_, info)| info).collect()
        }))
    }

    /// Clears the entries that `is_meant` says yes to: of all, or of the present session's. It is
    /// asked under no lock, so an entry may have ended by itself meanwhile.
    ///
    /// ```
    /// # use tenure::{Cause, Encoder, Engine, Function, Settings};
    /// # let engine = Engine::new();
    /// # let pools = Function::<u32, ()>::plain(&engine, "pool", Settings::default()).unwrap();
    /// for shard in [1, 2] {
    ///     let mut key = Encoder::new();
    ///     key.tag(shard);
    ///     pools.get_or_build(&key.finish(), || Ok(shard.into())).unwrap();
    /// }
    /// assert_eq!(pools.clear_if(|pool, info| *pool > 1 && info.leases == 0).unwrap(), 1);
    /// assert_eq!(pools.info().released(Cause::Cleared), 1);
    /// ```
    ///
    /// # Errors
    /// For a session-scoped function: a missing session, an interruption by the host.
    pub fn clear_if(
        &self,
        mut is_meant: impl FnMut(&V, &EntryInfo) -> bool,
    ) -> Result<usize, Error<F>> {
        let Some(scoped) = self.here()? else {
            return Ok(0);
        };
        let cache = scoped.cache();
        let services = &self.core.services;
        let mut meant = cache.described();
        meant.retain(|(entry, info)| is_meant(entry.value(), info));
        if services.is_abandoned() {
            // Forked meanwhile: these are the parent's.
            std::mem::forget(meant);
            return Ok(0);
        }
        let _under_way = services.under_way.begin();
        let taken = meant
            .into_iter()
            .filter_map(|(entry, _)| cache.take_cleared_entry(entry));
        let taken: Vec<_> = taken.collect();
        for entry in &taken {
            let call = entry.call_key();
            cache.raise(&call.as_key(), Ending::Cleared);
        }
        let cleared = ends(taken, Cause::Cleared);
        let count = cleared.len();
        in_turn(services, cleared);
        Ok(count)
    }

    /// Keeps a resource that was made elsewhere, as if it had been built by a call under `key`; it
    /// counts as a build. What stood there is released with cause `Replaced`, and a build of it that
    /// is under way becomes an orphan.
    ///
    /// ```
    /// # use tenure::{Cause, Engine, Function, KeyRef, Settings};
    /// # let engine = Engine::new();
    /// # let pools = Function::<u32, ()>::plain(&engine, "pool", Settings::default()).unwrap();
    /// pools.get_or_build(&KeyRef::EMPTY, || Ok(7)).unwrap();
    /// let lease = pools.insert(&KeyRef::EMPTY, 8).unwrap();
    /// assert!(pools.get_or_build(&KeyRef::EMPTY, || unreachable!()).unwrap().same_entry(&lease));
    /// assert_eq!(pools.info().released(Cause::Replaced), 1);
    /// ```
    ///
    /// # Errors
    /// For a session-scoped function: a missing session, an interruption by the host. The resource
    /// is then released with cause `Orphaned`.
    pub fn insert(&self, key: &KeyRef<'_>, value: V) -> Result<Lease<V>, Error<F>> {
        self.put(key, value, &[]).map(|put| put.lease)
    }

    /// Keeps a resource as [`insert`](Self::insert) does, and gives what stood there, which is
    /// released once the lease is gone.
    ///
    /// ```
    /// # use tenure::{Cause, Engine, Function, KeyRef, Settings};
    /// # let engine = Engine::new();
    /// # let pools = Function::<u32, ()>::plain(&engine, "pool", Settings::default()).unwrap();
    /// assert!(pools.replace(&KeyRef::EMPTY, 7).unwrap().is_none());
    /// let before = pools.replace(&KeyRef::EMPTY, 8).unwrap();
    /// assert_eq!(before.as_deref(), Some(&7));
    /// assert_eq!(pools.info().draining, 1);
    /// ```
    ///
    /// # Errors
    /// As for [`insert`](Self::insert).
    pub fn replace(&self, key: &KeyRef<'_>, value: V) -> Result<Option<Lease<V>>, Error<F>> {
        self.put(key, value, &[]).map(|put| put.before)
    }

    /// Puts a resource under `key`, in the place of what stands there, which is to carry these tags.
    pub(crate) fn put(
        &self,
        key: &KeyRef<'_>,
        value: impl Into<Built<V>>,
        tags: &[Arc<str>],
    ) -> Result<Put<V>, Error<F>> {
        let services = &self.core.services;
        let _under_way = services.under_way.begin();
        let unkept = Unkept::given(value.into(), &self.core);
        let scoped = self.scoped_cache(self.core.services.host().as_deref())?;
        let admission =
            Admission::of_given(&self.core, unkept.value()).map_err(Error::Interrupted)?;
        let (built, built_at) = unkept.keep();
        let put = scoped.cache().insert(key, built, built_at, admission, tags);
        services.timer.report();
        Ok(put)
    }
}
