//! The functions of an engine as a program is shown them, with their entries; the ends of those by number.

use crate::directory::AnyFunction;
use crate::engine::Engine;
use crate::function::Function;
use crate::ground::sync::Arc;
use crate::life::cache::Cache;
use crate::life::listing::owner;
use crate::words::bounds::{Failure, Resource};
use crate::words::fleet::Ending;
use crate::words::info::Figures;
use crate::words::listing::{ListedEntry, ListedFunction, Listing};
use crate::words::settings::Scope;

/// A cache, with whose it is, where it is not everybody's.
type Owned<V, F> = (Option<Arc<str>>, Arc<Cache<V, F>>);

impl<V: Resource, F: Failure> Function<V, F> {
    pub(super) fn shown(&self) -> ListedFunction {
        ListedFunction {
            number: self.core.number,
            name: Arc::clone(&self.core.name),
            scope: match self.core.settings.scope {
                Scope::Session => "session",
                Scope::Global | Scope::Custom => self.core.behaviour.scope_word(),
            },
            info: self.info(),
        }
    }

    pub(super) fn shown_entries(&self, at_most: usize) -> Vec<ListedEntry> {
        let mut shown = Vec::new();
        for (owner, cache) in self.owned_caches() {
            let listed = cache.listed(owner.as_ref(), at_most - shown.len());
            for (entry, mut info) in listed {
                // Whoever has a resource in use is asked under no lock.
                info.in_use |= self.core.is_held(entry.value());
                shown.push(info);
                if self.core.services.is_abandoned() {
                    // Forked meanwhile: it is the parent's.
                    std::mem::forget(entry);
                }
            }
        }
        shown
    }

    /// Every cache, of all scopes.
    fn owned_caches(&self) -> Vec<Owned<V, F>> {
        let of_sessions = self.session_caches.lock().clone().into_iter();
        let owned = of_sessions.map(|(session, cache)| (Some(owner(&session)), cache));
        std::iter::once((None, Arc::clone(&self.global)))
            .chain(owned)
            .collect()
    }
}

impl Engine {
    /// Everything that is kept, as a program is shown it: all functions with their figures, and so many of their entries
    /// at most. Where there are more each function has its share, so that none with many hides the others.
    ///
    /// ```
    /// # use tenure::{Encoder, Engine, Function, Settings};
    /// # let engine = Engine::new();
    /// # let pools = Function::<u32, ()>::plain(&engine, "pool", Settings::default()).unwrap();
    /// for shard in [1, 2] {
    ///     let mut key = Encoder::new();
    ///     key.tag(shard);
    ///     pools.get_or_build(&key.finish(), || Ok(shard.into())).unwrap();
    /// }
    /// let listing = engine.listing(1);
    /// assert_eq!((listing.functions[0].info.entries, listing.entries.len()), (2, 1));
    /// assert_eq!(listing.events.len(), 2);
    /// ```
    #[must_use]
    pub fn listing(&self, at_most: usize) -> Listing {
        let mut all = self.functions();
        let entries = |function: &Arc<dyn AnyFunction>| {
            let mut sum = Figures::default();
            function.sum(&mut sum);
            sum.entries
        };
        // Those with few first: what they do not need of their shares the others have.
        all.sort_by_cached_key(entries);
        let mut shown = Vec::new();
        for (taken, function) in all.iter().enumerate() {
            let share = (at_most - shown.len()) / (all.len() - taken);
            shown.extend(function.listed_entries(share));
        }
        let mut functions: Vec<_> = all.iter().map(|it| it.listed()).collect();
        functions.sort_by(|one, other| (&one.name, one.number).cmp(&(&other.name, other.number)));
        let services = self.services();
        Listing {
            functions,
            entries: shown,
            draining: services.drains.listed(),
            events: services.timeline.events(services.clock.now()),
        }
    }

    /// Ends the entry with this number as a clear or an expiry of its call does; whether it was still there. The number
    /// of an entry that has ended is no other's.
    ///
    /// ```
    /// # use tenure::{Cause, Engine, Function, KeyRef, Settings};
    /// # use tenure::fleet::Ending;
    /// # let engine = Engine::new();
    /// # let pools = Function::<u32, ()>::plain(&engine, "pool", Settings::default()).unwrap();
    /// pools.get_or_build(&KeyRef::EMPTY, || Ok(7)).unwrap();
    /// let number = engine.listing(1).entries[0].number;
    /// assert!(engine.end_entry(number, Ending::Cleared));
    /// assert_eq!(pools.info().released(Cause::Cleared), 1);
    /// pools.get_or_build(&KeyRef::EMPTY, || Ok(8)).unwrap();
    /// assert!(!engine.end_entry(number, Ending::Cleared)); // that one has gone
    /// ```
    pub fn end_entry(&self, number: u64, ending: Ending) -> bool {
        let functions = self.functions();
        functions.iter().any(|it| it.end_entry(number, ending))
    }

    /// Ends the entries that the function with this number has in every scope; whether there is such a function. All
    /// members of a fleet are told.
    ///
    /// ```
    /// # use tenure::{Cause, Engine, Function, KeyRef, Settings};
    /// # use tenure::fleet::Ending;
    /// # let engine = Engine::new();
    /// # let pools = Function::<u32, ()>::plain(&engine, "pool", Settings::default()).unwrap();
    /// pools.get_or_build(&KeyRef::EMPTY, || Ok(7)).unwrap();
    /// let number = engine.listing(1).functions[0].number;
    /// assert!(engine.end_entries(number, Ending::Expired));
    /// assert_eq!(pools.info().released(Cause::Expired), 1);
    /// ```
    pub fn end_entries(&self, function: u64, ending: Ending) -> bool {
        let functions = self.functions().into_iter();
        let meant = functions.into_iter().find(|it| it.number() == function);
        meant.is_some_and(|it| {
            it.end_entries(ending);
            true
        })
    }

    /// Has everything expire, in every scope. All members of a fleet are told.
    ///
    /// ```
    /// # use tenure::{Cause, Engine, Function, KeyRef, Settings};
    /// # let engine = Engine::new();
    /// # let pools = Function::<u32, ()>::plain(&engine, "pool", Settings::default()).unwrap();
    /// pools.get_or_build(&KeyRef::EMPTY, || Ok(7)).unwrap();
    /// engine.expire_all();
    /// assert_eq!(pools.info().released(Cause::Expired), 1);
    /// ```
    pub fn expire_all(&self) {
        for function in self.functions() {
            function.end_entries(Ending::Expired);
        }
    }
}
