//! The one way out: why an entry ends, and what happens then.
//!
//! Invariants
//! 1. An entry ends once: whoever takes it out of its cache owns it, and no one else can.
//! 2. `Behaviour::release` runs when the cache has let go and the last lease is gone; never twice,
//!    and never under a lock.
//! 3. A panic in it is logged with the function's name, counted, and reaches no caller.
//!
//! Why is the callback run by the drop of the last reference? Because "released exactly once" then
//! follows from ownership: there is no second place that could do it, and no moment at which a
//! lease could outlive it.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::bounds::Resource;
use crate::cause::{Cause, Holding, ReleaseFailed};
use crate::cleared::Batch;
use crate::clock::{NEVER, Nanos, nanos};
use crate::engine::{End, Engine};
use crate::entry::{Entry, Held};
use crate::function::Shared;
use crate::sync::{Arc, Mutex};
use crate::timer::TimerId;
use crate::underway::{Counted, Side};

/// Lets go of what a cache held: the one way out.
///
/// The entry must have been taken out of its cache by this thread, which has begun a release, and no
/// lock may be held. What follows happens when the last lease is gone, which may be now.
pub(crate) fn release<V: Resource>(entry: Held<V>, cause: Cause) {
    if entry.count() == 1 {
        // Nobody has a lease, and nobody can get one any more: it is released here and now.
        entry.end(cause, None);
        return;
    }
    let shared = entry.shared();
    let core = shared.engine.core();
    match shared.behaviour.holding() {
        Holding::Watched => entry.end(cause, Some(core.leaving.count())),
        Holding::Leases => {
            entry.end(cause, None);
            core.drains.lend(&entry, shared.drain(), Batch::present());
        }
    }
}

/// A resource without leases: released now, or once nobody uses it any more.
pub(crate) struct Draining<V> {
    pub(crate) value: V,
    pub(crate) cause: Cause,
    pub(crate) built_at: Nanos,
    /// Where a shutdown waits for it until it is released, or in `Drains`.
    pub(crate) leaving: Option<Side>,
}

impl<V: Resource> Draining<V> {
    /// Called by the drop of what held the resource and nowhere else.
    pub(crate) fn begin(self, shared: &Arc<Shared<V>>) {
        let engine = &shared.engine;
        let core = engine.core();
        if core.timer.is_abandoned() {
            // It belongs to the parent process.
            return std::mem::forget(self);
        }
        let leaving = self.leaving.map(|side| core.leaving.counted(side));
        match self.users(shared) {
            Some((users, bound)) if self.has(shared, users) => {
                let until = core.clock.now().saturating_add(bound);
                let used = Used {
                    draining: self,
                    shared: Arc::clone(shared),
                    users,
                };
                core.drains.hold(engine, Box::new(used), until, FIRST_LOOK);
            }
            _ => self.settle(shared, leaving),
        }
    }

    /// Whose use delays the release, and for how long at most.
    fn users(&self, shared: &Shared<V>) -> Option<(Users, Nanos)> {
        if shared.behaviour.holding() == Holding::Leases || self.cause == Cause::Shutdown {
            return None;
        }
        match shared.drain() {
            Some(bound) => Some((Users::All, nanos(bound))),
            // Whoever waited for an orphan has only just received it.
            None if self.cause == Cause::Orphaned => Some((Users::All, NEVER)),
            None => Some((Users::Claiming, NEVER)),
        }
    }

    fn has(&self, shared: &Shared<V>, users: Users) -> bool {
        let look = || match users {
            Users::All => shared.behaviour.in_use(&self.value),
            Users::Claiming => shared.behaviour.is_claimed(&self.value),
        };
        catch_unwind(AssertUnwindSafe(look)).unwrap_or_else(|_| {
            tracing::error!(function = %shared.name, "the look for its users panicked");
            false
        })
    }

    fn settle(self, shared: &Shared<V>, leaving: Option<Counted<'_>>) {
        let Self { value, cause, .. } = self;
        let _under_way = shared.engine.core().under_way.begin_once();
        drop(leaving);
        shared.counters.released(cause);
        let _releasing = shared.counters.releases();
        let outcome = catch_unwind(AssertUnwindSafe(|| shared.behaviour.release(value, cause)));
        match outcome {
            Ok(Ok(())) => {}
            Ok(Err(ReleaseFailed)) => shared.counters.release_failed(),
            Err(_) => {
                tracing::error!(function = %shared.name, %cause, "on_release panicked");
                shared.counters.release_failed();
            }
        }
    }
}

/// A resource between its build and its entry: whatever happens there, it is released.
pub(crate) struct Unkept<'a, V: Resource> {
    value: Option<V>,
    built_at: Nanos,
    shared: &'a Arc<Shared<V>>,
}

impl<'a, V: Resource> Unkept<'a, V> {
    pub(crate) fn new(value: V, built_at: Nanos, shared: &'a Arc<Shared<V>>) -> Self {
        Self {
            value: Some(value),
            built_at,
            shared,
        }
    }

    pub(crate) fn value(&self) -> &V {
        self.value.as_ref().expect("it is here until it is kept")
    }

    /// Hands the resource to its entry, with the time that it was built at.
    pub(crate) fn keep(mut self) -> (V, Nanos) {
        (self.value.take().expect("kept once"), self.built_at)
    }
}

impl<V: Resource> Drop for Unkept<'_, V> {
    fn drop(&mut self) {
        if let Some(value) = self.value.take() {
            Draining {
                value,
                cause: Cause::Orphaned,
                built_at: self.built_at,
                leaving: None,
            }
            .begin(self.shared);
        }
    }
}

const FIRST_LOOK: Nanos = 5_000_000;
const LAST_LOOK: Nanos = 100_000_000;

/// Whose use of a resource delays its release.
#[derive(Clone, Copy)]
enum Users {
    All,
    /// Only those who have asked for it to stay.
    Claiming,
}

/// A resource that is released once these users are gone.
struct Used<V: Resource> {
    draining: Draining<V>,
    shared: Arc<Shared<V>>,
    users: Users,
}

/// A draining resource of any type.
trait Watched: Send {
    fn in_use(&self) -> bool;
    fn function(&self) -> &str;
    fn built_at(&self) -> Nanos;
    fn release(self: Box<Self>);
}

impl<V: Resource> Watched for Used<V> {
    fn in_use(&self) -> bool {
        self.draining.has(&self.shared, self.users)
    }

    fn function(&self) -> &str {
        &self.shared.name
    }

    fn built_at(&self) -> Nanos {
        self.draining.built_at
    }

    fn release(self: Box<Self>) {
        self.draining.settle(&self.shared, None);
    }
}

/// The resources that caches have let go of and that someone still uses.
///
/// Lock order: each lock, then the timer's.
#[derive(Default)]
pub(crate) struct Drains {
    held: Mutex<Watches>,
    /// Entries that callers lease beyond their end, by address.
    lent: Mutex<HashMap<usize, Lent>>,
}

/// Who is told of the last lease of an entry.
struct Lent {
    number: u64,
    /// The job that will warn.
    warning: Option<TimerId>,
    /// Whoever waits for the release.
    batch: Option<Batch>,
}

#[derive(Default)]
struct Watches {
    numbers: u64,
    entries: HashMap<u64, (Box<dyn Watched>, TimerId)>,
}

impl Drains {
    fn hold(&self, engine: &Engine, entry: Box<dyn Watched>, until: Nanos, pause: Nanos) {
        let core = engine.core();
        let next = core.clock.now().saturating_add(pause).min(until);
        let mut held = self.held.lock();
        held.numbers += 1;
        let number = held.numbers;
        let engine = engine.downgrade();
        let look = Box::new(move || {
            if let Some(engine) = engine.upgrade() {
                engine.core().drains.look(&engine, number, until, pause);
            }
        });
        let timer = core.timer.at(next, look);
        held.entries.insert(number, (entry, timer));
    }

    /// Looks again at one resource: keeps it or lets it go.
    fn look(&self, engine: &Engine, number: u64, until: Nanos, pause: Nanos) {
        let _under_way = engine.core().under_way.begin();
        let Some((entry, _)) = self.held.lock().entries.remove(&number) else {
            return;
        };
        if entry.in_use() {
            if engine.core().clock.now() < until {
                return self.hold(engine, entry, until, (pause * 2).min(LAST_LOOK));
            }
            tracing::warn!(
                function = entry.function(),
                "a resource was released while still in use: its drain time is over"
            );
        }
        entry.release();
    }

    /// Takes out everything that is watched, with the time each was built at.
    pub(crate) fn take_all(&self, engine: &Engine) -> Vec<(Nanos, End)> {
        let entries = std::mem::take(&mut self.held.lock().entries);
        let entries = entries.into_values().map(|(entry, timer)| {
            engine.core().timer.cancel(timer);
            let built_at = entry.built_at();
            let end: End = Box::new(|| entry.release());
            (built_at, end)
        });
        entries.collect()
    }

    /// Has a warning logged if the entry is still leased after `bound`, and its release belong to
    /// `batch`.
    fn lend<V: Resource>(&self, entry: &Held<V>, bound: Option<Duration>, batch: Option<Batch>) {
        if bound.is_none() && batch.is_none() {
            return;
        }
        entry.lend();
        let number = entry.shared().engine.core().number();
        let mut lent = self.lent.lock();
        let warning = bound.map(|bound| warn_after(bound, entry, number));
        lent.insert(
            address(entry),
            Lent {
                number,
                warning,
                batch,
            },
        );
    }

    /// The last lease of a lent entry is gone: what its release belongs to.
    pub(crate) fn returned<V>(&self, entry: &Entry<V>) -> Option<Batch> {
        let lent = self.lent.lock().remove(&address(entry))?;
        if let Some(warning) = lent.warning {
            entry.shared().engine.core().timer.cancel(warning);
        }
        lent.batch
    }

    pub(crate) fn len(&self) -> usize {
        self.held.lock().entries.len() + self.lent.lock().len()
    }
}

/// Arms the warning that a lent entry is still leased.
fn warn_after<V: Resource>(bound: Duration, entry: &Held<V>, number: u64) -> TimerId {
    let core = entry.shared().engine.core();
    let when = core.clock.now().saturating_add(nanos(bound));
    let address = address(entry);
    let name = Arc::clone(&entry.shared().name);
    let engine = entry.shared().engine.downgrade();
    let warn = move || {
        let Some(engine) = engine.upgrade() else {
            return;
        };
        let mut lent = engine.core().drains.lent.lock();
        // Another entry may have come to stand there.
        let is_out = lent.get_mut(&address).filter(|it| it.number == number);
        if let Some(lent) = is_out {
            lent.warning = None;
        } else {
            return;
        }
        drop(lent);
        tracing::warn!(
            function = %name,
            "a resource is still leased after its drain time; it is released with its last lease"
        );
    };
    core.timer.at(when, Box::new(warn))
}

fn address<V>(entry: &Entry<V>) -> usize {
    std::ptr::from_ref(entry).addr()
}
