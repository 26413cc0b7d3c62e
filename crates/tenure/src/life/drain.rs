//! The resources that caches have let go of and someone still uses.
//!
//! Lock order: each lock, then the timer's.

use std::any::Any;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use crate::ground::clock::{Clock, Nanos, nanos};
use crate::ground::sync::{Arc, Mutex, Weak};
use crate::ground::timer::{Timer, TimerId};
use crate::ground::underway::UnderWay;
use crate::life::batch::Batch;
use crate::words::listing::ListedDraining;

/// The end of one resource, to be run later.
pub(crate) type End = Box<dyn FnOnce() + Send>;

/// The ends of resources, with the time each was built at.
pub(crate) type Ends = Vec<(Nanos, End)>;

/// Begins all releases, the last built first. For whoever has them take turns.
pub(crate) fn at_once(mut ends: Ends) {
    ends.sort_by_key(|(built_at, _)| Reverse(*built_at));
    for (_, end) in ends {
        end();
    }
}

const FIRST_LOOK: Nanos = 5_000_000;
const LAST_LOOK: Nanos = 100_000_000;

/// A resource of any type that has no leases: it is looked at again and again until nobody uses it.
pub(crate) trait Watched: Send + Sync {
    fn in_use(&self) -> bool;
    /// Whether someone has asked for it to stay.
    fn is_claimed(&self) -> bool;
    /// The place that it is released with.
    fn place(&self) -> Option<u64>;
    fn function(&self) -> &str;
    fn built_at(&self) -> Nanos;
    /// What is shown of it at this time.
    fn listed(&self, now: Nanos) -> ListedDraining;
    /// The resource itself, for whoever looks for its holders.
    fn resource(&self) -> &dyn Any;
    fn release(self: Box<Self>);
}

/// A resource that somebody uses, and when it goes in any case. A look at it holds it too, so that it is seen meanwhile:
/// of those who have taken it out, and the look, the last to let go releases it.
struct Draining {
    resource: Box<dyn Watched>,
    until: Nanos,
}

impl Draining {
    /// Lets go of it, outside of the lock.
    fn let_go(self: Arc<Self>) {
        if let Some(last) = Arc::into_inner(self) {
            last.resource.release();
        }
    }

    fn end(self: Arc<Self>) -> (Nanos, End) {
        let built_at = self.resource.built_at();
        (built_at, Box::new(|| self.let_go()))
    }
}

/// The resources of an engine that have left their caches and are in use.
pub(crate) struct Drains {
    clock: Clock,
    timer: Arc<Timer>,
    under_way: Arc<UnderWay>,
    watched: Mutex<BTreeMap<TimerId, Arc<Draining>>>,
    /// Entries that callers lease beyond their end, by address.
    lent: Mutex<HashMap<usize, Lent>>,
    me: Weak<Self>,
}

/// Who is told of the last lease of an entry.
struct Lent {
    function: Arc<str>,
    /// The job that will warn.
    warning: Option<TimerId>,
    /// Whoever waits for the release.
    batch: Option<Batch>,
}

impl Drains {
    pub(crate) fn new(clock: &Clock, timer: &Arc<Timer>, under_way: &Arc<UnderWay>) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            clock: clock.clone(),
            timer: Arc::clone(timer),
            under_way: Arc::clone(under_way),
            watched: Mutex::default(),
            lent: Mutex::default(),
            me: Weak::clone(me),
        })
    }

    /// Releases a resource once nobody uses it any more, at the latest when `until` has come.
    pub(crate) fn watch(&self, resource: Box<dyn Watched>, until: Nanos) {
        self.watch_on(Arc::new(Draining { resource, until }), FIRST_LOOK);
    }

    fn watch_on(&self, draining: Arc<Draining>, pause: Nanos) {
        let next = self.clock.now().saturating_add(pause).min(draining.until);
        let drains = Weak::clone(&self.me);
        let look = move |id| {
            if let Some(drains) = drains.upgrade() {
                drains.look(id, pause);
            }
        };
        let mut watched = self.watched.lock();
        watched.insert(self.timer.at(next, look), draining);
    }

    /// Looks again at one resource: keeps it or lets it go.
    fn look(&self, id: TimerId, pause: Nanos) {
        let _under_way = self.under_way.begin();
        let Some(draining) = self.watched.lock().get(&id).cloned() else {
            return;
        };
        // Asked without the lock; a shutdown may be quicker.
        let in_use = draining.resource.in_use();
        if self.watched.lock().remove(&id).is_none() {
            return draining.let_go();
        }
        if in_use {
            if self.clock.now() < draining.until {
                return self.watch_on(draining, (pause * 2).min(LAST_LOOK));
            }
            tracing::warn!(
                function = draining.resource.function(),
                "a resource was released while still in use: its drain time is over"
            );
        }
        draining.let_go();
    }

    /// What is watched now: whoever looks at it holds it, and is to let it go.
    fn all(&self) -> Vec<(TimerId, Arc<Draining>)> {
        let watched = self.watched.lock();
        let all = watched.iter();
        all.map(|(id, draining)| (*id, Arc::clone(draining)))
            .collect()
    }

    /// Takes out everything that is watched, with the time each was built at.
    pub(crate) fn take_all(&self) -> Ends {
        let watched = std::mem::take(&mut *self.watched.lock());
        let watched = watched.into_iter().map(|(id, draining)| {
            self.timer.cancel(id);
            draining.end()
        });
        watched.collect()
    }

    /// The ends of what lives on a place that ends, whoever uses it, but for what someone has asked to stay.
    pub(crate) fn ends_on_place(&self, place: u64) -> Ends {
        self.take_where(|it| it.place() == Some(place), |it| !it.is_claimed())
    }

    /// Releases what lives on a place and nobody uses any more, before the next look at it.
    pub(crate) fn look_at_place(&self, place: u64) {
        self.look_where(|it| it.place() == Some(place));
    }

    /// Releases what is meant and nobody uses any more, before the next look at it.
    pub(crate) fn look_where(&self, is_meant: impl Fn(&dyn Watched) -> bool) {
        let _under_way = self.under_way.begin();
        at_once(self.take_where(is_meant, |resource| !resource.in_use()));
    }

    /// Takes out what is meant and goes, for a caller that has begun the release.
    fn take_where(
        &self,
        is_meant: impl Fn(&dyn Watched) -> bool,
        goes: impl Fn(&dyn Watched) -> bool,
    ) -> Ends {
        // Asked under no lock.
        let mut ends = Vec::new();
        for (id, draining) in self.all() {
            if !is_meant(&*draining.resource) || self.watched.lock().remove(&id).is_none() {
                draining.let_go();
                continue;
            }
            self.timer.cancel(id);
            if goes(&*draining.resource) {
                ends.push(draining.end());
            } else {
                self.watch_on(draining, FIRST_LOOK);
            }
        }
        ends
    }

    /// Has a warning logged if the entry of this function at this address is still leased after
    /// `bound`, and its release belong to `batch`.
    pub(crate) fn lend(
        &self,
        function: &Arc<str>,
        address: usize,
        bound: Option<Duration>,
        batch: Option<Batch>,
    ) {
        let function = Arc::clone(function);
        let mut lent = self.lent.lock();
        let warning = bound.map(|bound| {
            let when = self.clock.now().saturating_add(nanos(bound));
            let (drains, function) = (Weak::clone(&self.me), Arc::clone(&function));
            self.timer.at(when, move |id| {
                if drains.upgrade().is_some_and(|it| it.is_late(address, id)) {
                    tracing::warn!(
                        %function,
                        "a resource is still leased after its drain time; it is released with its \
                         last lease"
                    );
                }
            })
        });
        let there = Lent {
            function,
            warning,
            batch,
        };
        lent.insert(address, there);
    }

    /// The functions with an entry that is still leased, and whose release belongs to a batch that is meant.
    pub(crate) fn lent_for(&self, is_meant: impl Fn(&Batch) -> bool) -> Vec<Arc<str>> {
        let lent = self.lent.lock();
        let meant = lent
            .values()
            .filter(|it| it.batch.as_ref().is_some_and(&is_meant));
        let mut functions: Vec<_> = meant.map(|it| Arc::clone(&it.function)).collect();
        functions.sort_unstable();
        functions.dedup();
        functions
    }

    /// Whether the entry for which this warning was armed is still leased. Another one may have
    /// come to stand at its address.
    fn is_late(&self, address: usize, warning: TimerId) -> bool {
        let mut lent = self.lent.lock();
        let there = lent.get_mut(&address);
        let there = there.filter(|it| it.warning == Some(warning));
        there.is_some_and(|it| it.warning.take().is_some())
    }

    /// The last lease of a lent entry is gone: what its release belongs to.
    pub(crate) fn returned(&self, address: usize) -> Option<Batch> {
        let lent = self.lent.lock().remove(&address)?;
        if let Some(warning) = lent.warning {
            self.timer.cancel(warning);
        }
        lent.batch
    }

    /// What is watched, as a program is shown it.
    pub(crate) fn listed(&self) -> Vec<ListedDraining> {
        let now = self.clock.now();
        let watched = self.watched.lock();
        let all = watched.values().map(|it| it.resource.listed(now));
        all.collect()
    }

    /// Shows what is watched of the function with this number.
    pub(crate) fn show(&self, function: u64, see: &mut dyn FnMut(&dyn Any, ListedDraining)) {
        // One that is let go meanwhile is released here.
        let _under_way = self.under_way.begin();
        let now = self.clock.now();
        for (_, draining) in self.all() {
            let shown = draining.resource.listed(now);
            if shown.function == function {
                see(draining.resource.resource(), shown);
            }
            draining.let_go();
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.watched.lock().len() + self.lent.lock().len()
    }
}
