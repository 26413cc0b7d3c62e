//! The one way out: why an entry ends, and what happens then.
//!
//! Invariants
//! 1. An entry ends once: whoever takes it out of its cache owns it, and no one else can.
//! 2. `Behaviour::release` runs when the cache has let go and the last lease is gone; never twice,
//!    and never under a lock.
//! 3. What a process has of its parent goes no further than out of its cache.
//! 4. A panic in it is logged with the function's name, counted, and reaches no caller.
//!
//! Why is the callback run by the drop of the last reference? Because "released exactly once" then
//! follows from ownership: there is no second place that could do it, and no moment at which a
//! lease could outlive it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::ground::clock::{NEVER, Nanos, nanos};
use crate::ground::sync::Arc;
use crate::ground::underway::CountGuard;
use crate::life::batch::Batch;
use crate::life::core::{Core, Departed};
use crate::life::drain::Watched;
use crate::life::entry::{Built, Entry, EntryRef};
use crate::life::late_release::Later;
use crate::words::behaviour::{Holding, ReleaseFailed};
use crate::words::bounds::Resource;
use crate::words::cause::Cause;
use crate::words::listing::{Happened, ListedDraining};

/// Lets go of what a cache held: the one way out.
///
/// The entry must have been taken out of its cache by this thread, which has begun a release, and no
/// lock may be held. What follows happens when the last lease is gone, which may be now.
pub(crate) fn release<V: Resource>(entry: EntryRef<V>, cause: Cause) {
    if entry.count() == 1 {
        // Nobody has a lease, and nobody can get one any more: it is released here and now.
        entry.end(cause, None);
        return;
    }
    let core = entry.core();
    let services = &core.services;
    match core.behaviour.holding() {
        // Who uses it is asked once the last reference is gone; a shutdown waits until then.
        Holding::Watched => entry.end(cause, Some(services.leaving.count())),
        Holding::Leases => {
            entry.end(cause, None);
            let (bound, batch) = (core.drain(), Batch::present());
            // Only where someone is to be told of the last lease.
            if bound.is_some() || batch.is_some() {
                entry.lend();
                let address = address(&entry);
                services.drains.lend(&core.name, address, bound, batch);
            }
        }
    }
}

impl<V> Drop for Entry<V> {
    fn drop(&mut self) {
        let address = address(self);
        if let Some((departed, is_lent)) = self.depart() {
            let services = &self.core().services;
            // A thread that is not in this process may hold the lock.
            let is_lent = is_lent && !services.is_abandoned();
            let batch = is_lent.then(|| services.drains.returned(address));
            let _belongs = batch.flatten().map(Batch::enter);
            (self.core().leave)(departed, self.core());
        }
    }
}

fn address<V>(entry: &Entry<V>) -> usize {
    std::ptr::from_ref(entry).addr()
}

impl<V: Resource> Departed<V> {
    /// Called by the drop of what held the resource and nowhere else.
    pub(crate) fn begin(self, core: &Arc<Core<V>>) {
        let services = &core.services;
        if services.is_abandoned() {
            // It belongs to the parent process.
            return std::mem::forget(self);
        }
        // Kept until it drains or its release has begun: at no moment does a shutdown miss it.
        let leaving = self.leaving.map(|side| services.leaving.take_over(side));
        if self.inherited {
            // Not even dropped: its parent process does that.
            return std::mem::forget(self.value);
        }
        match self.users(core) {
            Some((users, bound)) if self.has(core, users) => {
                let until = services.clock.now().saturating_add(bound);
                let used = Used {
                    place: core.behaviour.place(&self.value),
                    departed: self,
                    core: Arc::clone(core),
                    users,
                };
                services.drains.watch(Box::new(used), until);
            }
            _ => self.settle(core, leaving),
        }
    }

    /// Whose use delays the release, and for how long at most.
    fn users(&self, core: &Core<V>) -> Option<(Users, Nanos)> {
        if core.behaviour.holding() == Holding::Leases || self.cause == Cause::Shutdown {
            return None;
        }
        match core.drain() {
            Some(bound) => Some((Users::All, nanos(bound))),
            // Whoever waited for an orphan has only just received it.
            None if self.cause == Cause::Orphaned => Some((Users::All, NEVER)),
            // Without a drain nobody delays it who has not asked for that.
            None => Some((Users::Claiming, NEVER)),
        }
    }

    fn has(&self, core: &Core<V>, users: Users) -> bool {
        core.look(|behaviour| match users {
            Users::All => behaviour.in_use(&self.value),
            Users::Claiming => behaviour.is_claimed(&self.value),
        })
    }

    fn settle(self, core: &Core<V>, leaving: Option<CountGuard<'_>>) {
        let Self {
            value,
            cause,
            built_at,
            weight,
            ..
        } = self;
        // One count begins before the other ends.
        let _under_way = core.services.under_way.begin_once();
        drop(leaving);
        core.counters.released(cause);
        core.note(core.clock.now(), Some(built_at), Happened::Released(cause));
        let _releasing = core.counters.releases();
        let why = went_because(cause, weight);
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let later = Later {
                function: &core.name,
                releases: &core.services.async_releases,
                counters: &core.counters,
            };
            let released = core.behaviour.release_or_begin(value, cause, &later);
            if let Some(why) = why {
                core.behaviour.gave_way(&core.name, why, weight);
            }
            released
        }));
        match outcome {
            Ok(Ok(())) => {}
            Ok(Err(ReleaseFailed)) => core.counters.release_failed(),
            Err(_) => {
                tracing::error!(function = %core.name, %cause, "on_release panicked");
                core.counters.release_failed();
            }
        }
    }
}

/// Why the cache itself gave up a good resource, where that is worth telling: of those in a cache that is
/// full by number it is not.
fn went_because(cause: Cause, weight: u64) -> Option<&'static str> {
    match cause {
        Cause::Idle => Some("released, since nobody asked for it within max_idle"),
        Cause::Evicted if weight > 0 => Some("released, to make room for another"),
        _ => None,
    }
}

/// A resource between its build and its entry: whatever happens there, it is released.
pub(crate) struct Unkept<'a, V: Resource> {
    built: Option<Built<V>>,
    built_at: Nanos,
    core: &'a Arc<Core<V>>,
}

impl<'a, V: Resource> Unkept<'a, V> {
    pub(crate) fn new(built: Built<V>, built_at: Nanos, core: &'a Arc<Core<V>>) -> Self {
        Self {
            built: Some(built),
            built_at,
            core,
        }
    }

    /// One that no build timed, counted as built now. A release has begun.
    pub(crate) fn given(built: Built<V>, core: &'a Arc<Core<V>>) -> Self {
        core.counters.built(0);
        let now = core.clock.now();
        let built_at = core.services.stamp(now);
        core.note(now, Some(built_at), Happened::Built(Duration::ZERO));
        Self::new(built, built_at, core)
    }

    pub(crate) fn value(&self) -> &V {
        let built = self.built.as_ref();
        &built.expect("it is here until it is kept").value
    }

    /// Hands the resource to its entry, with the time that it was built at.
    pub(crate) fn keep(mut self) -> (Built<V>, Nanos) {
        (self.built.take().expect("kept once"), self.built_at)
    }
}

impl<V: Resource> Drop for Unkept<'_, V> {
    fn drop(&mut self) {
        if let Some(built) = self.built.take() {
            self.core.counters.ended(Cause::Orphaned);
            Departed {
                value: built.value,
                cause: Cause::Orphaned,
                built_at: self.built_at,
                weight: 0,
                leaving: None,
                inherited: false,
            }
            .begin(self.core);
        }
    }
}

/// Whose use of a resource delays its release.
#[derive(Clone, Copy)]
enum Users {
    All,
    /// Only those who have asked for it to stay.
    Claiming,
}

/// A resource that is released once these users are gone.
struct Used<V: Resource> {
    departed: Departed<V>,
    core: Arc<Core<V>>,
    users: Users,
    place: Option<u64>,
}

impl<V: Resource> Watched for Used<V> {
    fn in_use(&self) -> bool {
        self.departed.has(&self.core, self.users)
    }

    fn is_claimed(&self) -> bool {
        self.departed.has(&self.core, Users::Claiming)
    }

    fn place(&self) -> Option<u64> {
        self.place
    }

    fn function(&self) -> &str {
        &self.core.name
    }

    fn built_at(&self) -> Nanos {
        self.departed.built_at
    }

    fn listed(&self, now: Nanos) -> ListedDraining {
        ListedDraining {
            number: self.departed.built_at,
            function: self.core.number,
            cause: self.departed.cause,
            age: Duration::from_nanos(now.saturating_sub(self.departed.built_at)),
            weight: self.departed.weight,
        }
    }

    fn resource(&self) -> &dyn Any {
        &self.departed.value
    }

    fn release(self: Box<Self>) {
        self.departed.settle(&self.core, None);
    }
}
