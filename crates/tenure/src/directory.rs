//! The functions of an engine, whatever their types.

use std::any::Any;

use crate::ground::sync::{Arc, Mutex, Weak};
use crate::host::SessionId;
use crate::life::drain::Ends;
use crate::words::cause::Cause;
use crate::words::fleet::{Bus, Ending, Mark};
use crate::words::info::{Counters, Figures, Info};
use crate::words::inspect::Inspection;
use crate::words::listing::{ListedEntry, ListedFunction};

/// Weak references, each noted for as long as the thing that it leads to lives.
pub(crate) struct Weaks<T: ?Sized>(Mutex<Vec<Weak<T>>>);

impl<T: ?Sized> Weaks<T> {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    pub(crate) fn add(&self, it: Weak<T>) {
        let mut all = self.0.lock();
        // Amortised: what is gone is swept when the list would grow.
        if all.len() == all.capacity() {
            all.retain(|it| it.strong_count() > 0);
        }
        all.push(it);
    }

    pub(crate) fn live(&self) -> Vec<Arc<T>> {
        self.0.lock().iter().filter_map(Weak::upgrade).collect()
    }
}

/// Ends a session's cache, and gives what releases its entries. To be run by a caller that has begun the
/// release, outside of every lock.
pub(crate) type Leaving = Box<dyn FnOnce() -> Ends + Send>;

/// A function, whatever its types.
pub(crate) trait AnyFunction: Any + Send + Sync {
    fn clear(&self, cause: Cause);
    /// Takes everything out, for a caller that has begun the release.
    fn take_cleared(&self, cause: Cause) -> Ends;
    /// Whether all that it keeps carries a tag that is meant.
    fn carries(&self, is_meant: &dyn Fn(&str) -> bool) -> bool;
    /// The ends of the resources of which this is true.
    fn ends_where(&self, is_meant: &dyn Fn(&dyn Any) -> bool, cause: Cause) -> Ends;
    /// Shows each resource that it keeps.
    fn show(&self, see: &mut dyn FnMut(&dyn Any));
    /// The ends of what lives on a place that ends, and of what is kept for a scope that ends with it.
    fn hold_place(&self, place: u64, scope: Option<&str>) -> Ends;
    /// Forgets the session's cache, and gives what ends it.
    fn leave_session(&self, session: &SessionId) -> Option<Leaving>;
    /// The ends of everything that is held; the builds under way become orphans.
    fn hold_all(&self) -> Ends;
    /// Counts of what has left its caches and is not released yet.
    fn unreleased(&self) -> Unreleased;
    /// Its name with its module, as far as it has one.
    fn full_name(&self) -> Arc<str>;
    /// Where it counts.
    fn counters(&self) -> &Arc<Counters>;
    /// Its name and its figures.
    fn described(&self) -> (Arc<str>, Info);
    /// Adds its figures.
    fn sum(&self, all: &mut Figures);
    /// Its mark, where the members of a fleet share what it keeps: its entries can be found by theirs from now on.
    fn join_fleet(&self, bus: &dyn Bus) -> Option<Mark>;
    /// Takes out what another member of the fleet has ended: all of it, or what has this mark.
    fn end_as_told(&self, bus: &dyn Bus, entry: Option<Mark>, ending: Ending) -> Ends;
    /// Has no call find anything without a look, where nothing that it keeps counts as current.
    fn be_apart(&self);
    /// Another member of the fleet has ended everything: what is built next waits for its time, where they spread.
    fn put_off(&self);
    /// This member has ended what others may have ended before, and builds at once.
    fn build_at_once(&self);
    fn inspect(&self, counts: &mut Inspection);
    /// Itself, as a program is shown it.
    fn listed(&self) -> ListedFunction;
    /// So many of its live entries, as a program is shown them.
    fn listed_entries(&self, at_most: usize) -> Vec<ListedEntry>;
    /// Its number among all functions.
    fn number(&self) -> u64;
    /// Ends the entry with this number, if it has it; whether it had.
    fn end_entry(&self, number: u64, ending: Ending) -> bool;
    /// Ends its entries in every scope.
    fn end_entries(&self, ending: Ending);
}

/// A function that has gone, though there may be leases of it.
pub(crate) trait Leftover: Send + Sync {
    fn unreleased(&self) -> Unreleased;
}

/// Counts of the resources that one function could not release so far.
pub(crate) struct Unreleased {
    pub(crate) function: Arc<str>,
    /// Entries that are still in their caches.
    pub(crate) held: u64,
    /// Resources that someone has a lease of.
    pub(crate) leased: u64,
    /// Callbacks that have not returned.
    pub(crate) releasing: u64,
}

impl Unreleased {
    pub(crate) fn tell(&self) {
        let function = &self.function;
        if self.held > 0 {
            tracing::warn!(
                %function,
                resources = self.held,
                "not released in the time of the shutdown: it was not their turn yet"
            );
        }
        if self.leased > 0 {
            tracing::warn!(
                %function,
                resources = self.leased,
                "not released by the shutdown: callers still hold it; it is released with the last \
                 one"
            );
        }
        if self.releasing > 0 {
            tracing::warn!(
                %function,
                resources = self.releasing,
                "not released in the time of the shutdown: its release has not ended"
            );
        }
    }
}
