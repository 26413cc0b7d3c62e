//! Everything that ends entries of a function: clears, discards, an edit, and the ends of its sessions, of the
//! function and of the process.

use std::any::Any;

use crate::directory::{AnyFunction, Leaving, Leftover, Unreleased};
use crate::function::Function;
use crate::ground::clock::Nanos;
use crate::ground::sync::{Arc, Weak};
use crate::host::SessionId;
use crate::key::KeyRef;
use crate::life::cache::Cache;
use crate::life::drain::{End, Ends, at_once};
use crate::life::entry::EntryRef;
use crate::life::succession::in_turn;
use crate::words::bounds::{Failure, Resource};
use crate::words::cause::Cause;
use crate::words::error::Error;
use crate::words::fleet::{Bus, Ending, Mark};
use crate::words::info::{Counters, Figures, Info};
use crate::words::inspect::Inspection;
use crate::words::listing::{ListedEntry, ListedFunction};

impl<V: Resource, F: Failure> Function<V, F> {
    /// It stands in the place of one whose code was another: what that one keeps for all is superseded.
    pub(crate) fn takes_over(&self, before: &Self) {
        self.global.takes_over(before.global.hashes());
    }

    /// Clears the function's entries: all of them, or the present session's.
    ///
    /// ```
    /// # use tenure::{Engine, Error, Function, KeyRef, Scope, Settings};
    /// # let engine = Engine::new();
    /// # let pools = Function::<u32, ()>::plain(&engine, "pool", Settings::default()).unwrap();
    /// # pools.get_or_build(&KeyRef::EMPTY, || Ok(7)).unwrap();
    /// # let settings = Settings::default().scope(Scope::Session);
    /// # let baskets = Function::<u32, ()>::plain(&engine, "basket", settings).unwrap();
    /// pools.clear().unwrap();
    /// assert_eq!(pools.info().entries, 0);
    /// let cleared = baskets.clear(); // session-scoped
    /// assert!(matches!(cleared, Err(Error::NoSession { function }) if function == "basket"));
    /// ```
    ///
    /// # Errors
    /// For a session-scoped function: a missing session, an interruption by the host.
    pub fn clear(&self) -> Result<(), Error<F>> {
        // What is not kept here may be elsewhere.
        let absent = |scope: &str| {
            self.core.raise_all(Some(scope), Ending::Cleared);
        };
        if let Some(scoped) = self.here_or(absent)? {
            scoped.cache().clear();
        }
        Ok(())
    }

    /// Clears the entry under `key`, if there is one.
    ///
    /// ```
    /// # use tenure::{Cause, Engine, Function, KeyRef, Settings};
    /// # let engine = Engine::new();
    /// # let pools = Function::<u32, ()>::plain(&engine, "pool", Settings::default()).unwrap();
    /// # pools.get_or_build(&KeyRef::EMPTY, || Ok(7)).unwrap();
    /// pools.clear_entry(&KeyRef::EMPTY).unwrap();
    /// assert_eq!(pools.info().released(Cause::Cleared), 1);
    /// ```
    ///
    /// # Errors
    /// For a session-scoped function: a missing session, an interruption by the host.
    pub fn clear_entry(&self, key: &KeyRef<'_>) -> Result<(), Error<F>> {
        // What is not kept here may be elsewhere.
        let absent = |scope: &str| {
            self.core.raise(Some(scope), key, Ending::Cleared);
        };
        if let Some(scoped) = self.here_or(absent)? {
            scoped.cache().clear_entry(key);
        }
        Ok(())
    }

    /// Has the function's entries expire: all of them, or the present session's. What is expired is
    /// handed out for no longer than [`Settings::max_stale`](crate::Settings::max_stale) allows, and
    /// is refreshed; where that is not at all, it is released with cause `Expired`.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tenure::{Cause, Engine, Function, KeyRef, Settings};
    /// # let engine = Engine::new();
    /// let settings = Settings::default().max_stale(Duration::from_secs(60));
    /// let rates = Function::<u32, ()>::plain(&engine, "rates", settings)?;
    /// rates.get_or_build(&KeyRef::EMPTY, || Ok(7)).unwrap();
    /// rates.expire().unwrap();
    /// let got = rates.get_or_build(&KeyRef::EMPTY, || Err(())); // the source is down
    /// assert_eq!(*got.unwrap(), 7);
    /// # Ok::<(), tenure::SettingError>(())
    /// ```
    ///
    /// # Errors
    /// For a session-scoped function: a missing session, an interruption by the host.
    pub fn expire(&self) -> Result<(), Error<F>> {
        // What is not kept here may be elsewhere.
        let absent = |scope: &str| {
            self.core.raise_all(Some(scope), Ending::Expired);
        };
        if let Some(scoped) = self.here_or(absent)? {
            scoped.cache().expire_all();
        }
        Ok(())
    }

    /// Has the entry under `key` expire, if there is one.
    ///
    /// ```
    /// # use tenure::{Cause, Engine, Function, KeyRef, Settings};
    /// # let engine = Engine::new();
    /// # let pools = Function::<u32, ()>::plain(&engine, "pool", Settings::default()).unwrap();
    /// # pools.get_or_build(&KeyRef::EMPTY, || Ok(7)).unwrap();
    /// pools.expire_entry(&KeyRef::EMPTY).unwrap();
    /// assert_eq!(pools.info().released(Cause::Expired), 1);
    /// ```
    ///
    /// # Errors
    /// For a session-scoped function: a missing session, an interruption by the host.
    pub fn expire_entry(&self, key: &KeyRef<'_>) -> Result<(), Error<F>> {
        // What is not kept here may be elsewhere.
        let absent = |scope: &str| {
            self.core.raise(Some(scope), key, Ending::Expired);
        };
        if let Some(scoped) = self.here_or(absent)? {
            scoped.cache().expire_entry(key);
        }
        Ok(())
    }

    /// Gives back the resources of which `is_broken` is true, in every scope, with cause `Invalid`:
    /// for a front door whose callers have no leases. Gives how many there were. `is_broken` is asked
    /// outside every lock.
    ///
    /// ```
    /// # use tenure::{Cause, Engine, Function, KeyRef, Settings};
    /// # let engine = Engine::new();
    /// # let pools = Function::<u32, ()>::plain(&engine, "pool", Settings::default()).unwrap();
    /// # pools.get_or_build(&KeyRef::EMPTY, || Ok(7)).unwrap();
    /// assert_eq!(pools.discard_where(|pool| *pool == 7), 1);
    /// assert_eq!(pools.discard_where(|pool| *pool == 7), 0); // it has ended already
    /// assert_eq!(pools.info().released(Cause::Invalid), 1);
    /// ```
    pub fn discard_where(&self, is_broken: impl Fn(&V) -> bool) -> usize {
        self.end_where(&is_broken, Cause::Invalid)
    }

    fn take_expired(&self) -> Ends {
        let caches = self.caches().into_iter();
        caches.flat_map(|it| it.take_all_expired()).collect()
    }

    fn end_where(&self, is_meant: &dyn Fn(&V) -> bool, cause: Cause) -> usize {
        let _under_way = self.core.services.under_way.begin();
        let ends = self.ends_meant(is_meant, cause);
        let ended = ends.len();
        at_once(ends);
        ended
    }

    /// The ends of the live entries of which this is true. It is asked outside every lock.
    fn ends_meant(&self, is_meant: &dyn Fn(&V) -> bool, cause: Cause) -> Ends {
        let mut ends: Ends = Vec::new();
        for cache in self.caches() {
            for entry in cache.live() {
                if is_meant(entry.value()) {
                    ends.push(end(&cache, entry, cause));
                }
            }
        }
        ends
    }

    /// Lets go of everything in every scope, for this cause.
    ///
    /// ```
    /// # use tenure::{Cause, Engine, Function, KeyRef, Settings};
    /// # let engine = Engine::new();
    /// # let pools = Function::<u32, ()>::plain(&engine, "pool", Settings::default()).unwrap();
    /// # pools.get_or_build(&KeyRef::EMPTY, || Ok(7)).unwrap();
    /// pools.release_all(Cause::Superseded);
    /// assert_eq!(pools.info().released(Cause::Superseded), 1);
    /// ```
    pub fn release_all(&self, cause: Cause) {
        AnyFunction::clear(self, cause);
    }
}

impl<V: Resource, F: Failure> Drop for Function<V, F> {
    fn drop(&mut self) {
        if self.core.counters.unreleased(|| 0) > 0 {
            let left: Weak<dyn Leftover> = Arc::downgrade(&self.core) as _;
            self.engine.add_leftover(left);
        }
    }
}

impl<V: Resource, F: Failure> AnyFunction for Function<V, F> {
    fn clear(&self, cause: Cause) {
        let _under_way = self.core.services.under_way.begin();
        in_turn(&self.core.services, self.take_cleared(cause));
    }

    fn take_cleared(&self, cause: Cause) -> Ends {
        let caches = self.caches().into_iter();
        caches.flat_map(|it| it.take_cleared(cause)).collect()
    }

    fn carries(&self, is_meant: &dyn Fn(&str) -> bool) -> bool {
        self.core.settings.tags.iter().any(|it| is_meant(it))
    }

    fn ends_where(&self, is_meant: &dyn Fn(&dyn Any) -> bool, cause: Cause) -> Ends {
        self.ends_meant(&|value| is_meant(value), cause)
    }

    fn show(&self, see: &mut dyn FnMut(&dyn Any)) {
        let kept = self.caches().into_iter().flat_map(|it| it.live());
        for entry in kept.filter(|it| !it.is_inherited()) {
            see(entry.value());
        }
    }

    fn hold_place(&self, place: u64, scope: Option<&str>) -> Ends {
        let of_scope = scope.and_then(|it| self.session_caches.lock().get(it).cloned());
        let caches = self.caches().into_iter();
        let held = caches.flat_map(|cache| {
            let goes_whole = of_scope.as_ref().is_some_and(|it| Arc::ptr_eq(it, &cache));
            let mut entries = cache.live();
            entries.retain(|entry| {
                goes_whole || self.core.behaviour.place(entry.value()) == Some(place)
            });
            entries
                .into_iter()
                .map(move |entry| end(&cache, entry, Cause::SessionEnded))
        });
        held.collect()
    }

    fn leave_session(&self, session: &SessionId) -> Option<Leaving> {
        let cache = self.session_caches.lock().remove(session)?;
        Some(Box::new(move || cache.end(Cause::SessionEnded)))
    }

    fn hold_all(&self) -> Ends {
        let held = self.caches().into_iter().flat_map(|cache| {
            let entries = cache.hold_all().into_iter();
            entries.map(move |entry| end(&cache, entry, Cause::Shutdown))
        });
        held.collect()
    }

    fn unreleased(&self) -> Unreleased {
        let live = || self.caches().iter().map(|cache| cache.built() as u64).sum();
        self.core.unreleased_beside(live)
    }

    fn full_name(&self) -> Arc<str> {
        let full = self.core.behaviour.full_name();
        full.unwrap_or_else(|| Arc::clone(&self.core.name))
    }

    fn counters(&self) -> &Arc<Counters> {
        &self.core.counters
    }

    fn described(&self) -> (Arc<str>, Info) {
        (Arc::clone(&self.core.name), self.info())
    }

    fn sum(&self, all: &mut Figures) {
        self.core.counters.sum(all);
        self.caches().iter().for_each(|it| it.sum(all));
    }

    fn join_fleet(&self, bus: &dyn Bus) -> Option<Mark> {
        let mark = self.core.mark(bus)?;
        for cache in self.caches() {
            cache.note_marks();
        }
        Some(mark)
    }

    fn end_as_told(&self, bus: &dyn Bus, entry: Option<Mark>, ending: Ending) -> Ends {
        if self.core.known_as.is_none() {
            return Vec::new();
        }
        let caches = self.caches().into_iter();
        caches
            .flat_map(|it| it.end_as_told(bus, entry, ending))
            .collect()
    }

    fn put_off(&self) {
        self.caches().iter().for_each(|it| it.put_off_all());
    }

    fn build_at_once(&self) {
        self.caches().iter().for_each(|it| it.build_at_once(None));
    }

    fn be_apart(&self) {
        if self.core.is_apart() {
            self.global.cool();
        }
    }

    fn inspect(&self, counts: &mut Inspection) {
        for cache in self.caches() {
            cache.inspect(counts);
        }
    }

    fn listed(&self) -> ListedFunction {
        self.shown()
    }

    fn listed_entries(&self, at_most: usize) -> Vec<ListedEntry> {
        self.shown_entries(at_most)
    }

    fn number(&self) -> u64 {
        self.core.number
    }

    fn end_entry(&self, number: u64, ending: Ending) -> bool {
        let found = |cache: &Arc<Cache<V, F>>| Some((Arc::clone(cache), cache.numbered(number)?));
        let found = self.caches().iter().find_map(found);
        found.is_some_and(|(cache, entry)| cache.end_this(entry, ending))
    }

    fn end_entries(&self, ending: Ending) {
        let services = &self.core.services;
        let _under_way = services.under_way.begin();
        let ends = match ending {
            Ending::Cleared => self.take_cleared(Cause::Cleared),
            Ending::Expired => self.take_expired(),
        };
        // That of all scopes: each is a part of it.
        self.core.raise_all(None, ending);
        self.build_at_once();
        in_turn(services, ends);
    }
}

/// What takes an entry out of its cache when its turn has come, and releases it: what is released before it
/// finds it there.
fn end<V: Resource, F: Failure>(
    cache: &Arc<Cache<V, F>>,
    entry: EntryRef<V>,
    cause: Cause,
) -> (Nanos, End) {
    let (built_at, cache) = (entry.built_at(), Arc::clone(cache));
    let end: End = Box::new(move || {
        cache.discard(entry, cause);
    });
    (built_at, end)
}
