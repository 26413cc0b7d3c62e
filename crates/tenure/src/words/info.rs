//! Figures: what a function's caches did and hold.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;
use std::fmt;
use std::time::Duration;

use crate::ground::sync::{Arc, Figure, Ordering};
use crate::words::cause::Cause;
use crate::words::histogram::{Histogram, Times};
use crate::words::miss::{MISSES, Miss};
use crate::words::runs::{Refreshed, RunCounter, Runs, Trigger};

const CAUSES: usize = Cause::ALL.len();
const TRIGGERS: usize = Trigger::ALL.len();
const OUTCOMES: usize = Refreshed::ALL.len();

/// The figures of one function, over all its scopes.
///
/// ```
/// #[tenure::cache_resource]
/// fn answer() -> u32 {
///     42
/// }
///
/// let _ = (answer(), answer());
/// let info = answer::info();
/// assert_eq!((info.builds, info.hits, info.misses, info.entries), (1, 1, 1, 1));
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Info {
    /// Calls that were answered from an entry.
    pub hits: u64,
    /// Calls that found no entry, and built or waited.
    pub misses: u64,
    /// The misses, by the number of the reason.
    missed: [u64; MISSES],
    /// Builds that gave a new resource; those that gave what was kept are `renewals`.
    pub builds: u64,
    /// How long the builds took in all that gave a new resource.
    pub build_time: Duration,
    /// How many of those builds took how long.
    pub build_times: Histogram,
    /// Builds that failed.
    pub failures: u64,
    /// How long the function ran, by the number of the trigger.
    runs: [Runs; TRIGGERS],
    /// Whether entries are refreshed in the background.
    pub refreshes_itself: bool,
    /// The refreshes in the background, by the number of what became of them.
    refreshes: [u64; OUTCOMES],
    /// Entries that have ended, by the number of the cause.
    ends: [u64; CAUSES],
    /// Releases, by the number of their cause.
    releases: [u64; CAUSES],
    /// `on_release` callbacks that failed.
    pub release_failures: u64,
    /// Live entries.
    pub entries: u64,
    /// Live entries that nobody holds.
    pub idle: u64,
    /// Live entries whose time is over, and that are handed out until there is a successor.
    pub stale: u64,
    /// Live entries of a parent process. They were not built here, and are not released here.
    pub inherited: u64,
    /// Resources that a cache has let go and that are not released yet.
    pub draining: u64,
    /// Refreshes that gave the very resource that was kept already.
    pub renewals: u64,
    /// What the live entries weigh together, where they have a weight.
    pub weight: u64,
    /// Callers that wait for a build now.
    pub waiting: u64,
    /// The age of each live entry, oldest first within each scope.
    pub ages: Vec<Duration>,
}

/// The figures of functions together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Figures {
    /// Functions that are alive.
    pub functions: u64,
    /// Entries that are kept.
    pub entries: u64,
    /// Calls that were answered from an entry. Those of entries that are asked for most come in batches.
    pub hits: u64,
    /// Calls that found no entry.
    pub misses: u64,
    /// Builds that gave a new resource.
    pub builds: u64,
    /// Builds that failed.
    pub failures: u64,
    /// The weight of the entries.
    pub weight: u64,
}

impl Info {
    /// How many resources were released for this cause.
    ///
    /// ```
    /// # use tenure::Cause;
    /// #[tenure::cache_resource]
    /// fn pool() -> u32 {
    ///     7
    /// }
    ///
    /// drop(pool());
    /// pool::clear();
    /// let info = pool::info();
    /// assert_eq!((info.released(Cause::Cleared), info.released(Cause::Evicted)), (1, 0));
    /// ```
    #[must_use]
    pub fn released(&self, cause: Cause) -> u64 {
        self.releases[cause as usize]
    }

    /// How many resources were released, for each cause.
    ///
    /// ```
    /// # use tenure::Cause;
    /// #[tenure::cache_resource]
    /// fn pool() -> u32 {
    ///     7
    /// }
    ///
    /// drop(pool());
    /// pool::clear();
    /// let info = pool::info();
    /// let released: Vec<_> = info.releases().filter(|(_, number)| *number > 0).collect();
    /// assert_eq!(released, [(Cause::Cleared, 1)]);
    /// ```
    pub fn releases(&self) -> impl Iterator<Item = (Cause, u64)> + '_ {
        Cause::ALL
            .iter()
            .map(|&cause| (cause, self.released(cause)))
    }

    /// How many entries have ended for this cause. Those that somebody still uses are among them, which are released
    /// later.
    ///
    /// ```
    /// # use tenure::Cause;
    /// #[tenure::cache_resource(max_entries = 1)]
    /// fn pool(shard: u32) -> u32 {
    ///     shard
    /// }
    ///
    /// let (_in_use, _kept) = (pool(1), pool(2)); // the second evicts the first
    /// let info = pool::info();
    /// assert_eq!((info.ended(Cause::Evicted), info.released(Cause::Evicted)), (1, 0));
    /// ```
    #[must_use]
    pub fn ended(&self, cause: Cause) -> u64 {
        self.ends[cause as usize]
    }

    /// How many entries have ended, for each cause.
    pub fn ends(&self) -> impl Iterator<Item = (Cause, u64)> + '_ {
        Cause::ALL.iter().map(|&cause| (cause, self.ended(cause)))
    }

    /// How long the function ran for this trigger: all runs, also those that failed.
    ///
    /// ```
    /// # use tenure::Trigger;
    /// #[tenure::cache_resource]
    /// fn pool() -> Result<u32, String> {
    ///     Err("no server".to_owned())
    /// }
    ///
    /// assert!(pool().is_err());
    /// let info = pool::info();
    /// assert_eq!((info.runs(Trigger::Miss).times.count(), info.build_times.count()), (1, 0));
    /// ```
    #[must_use]
    pub fn runs(&self, trigger: Trigger) -> &Runs {
        &self.runs[trigger as usize]
    }

    /// What became of the refreshes in the background: how many ended so.
    ///
    /// ```
    /// # use tenure::Refreshed;
    /// #[tenure::cache_resource(ttl = "1h", refresh_mode = "background")]
    /// fn rates() -> u32 {
    ///     7
    /// }
    ///
    /// drop(rates());
    /// assert_eq!(rates::info().refreshed(Refreshed::Success), 0); // it is fresh
    /// ```
    #[must_use]
    pub fn refreshed(&self, outcome: Refreshed) -> u64 {
        self.refreshes[outcome as usize]
    }

    /// How many refreshes in the background there were, for each outcome.
    pub fn refreshes(&self) -> impl Iterator<Item = (Refreshed, u64)> + '_ {
        Refreshed::ALL
            .map(|it| (it, self.refreshed(it)))
            .into_iter()
    }

    /// How many calls were misses for this reason.
    ///
    /// ```
    /// # use tenure::{Cause, Miss};
    /// #[tenure::cache_resource]
    /// fn pool() -> u32 {
    ///     7
    /// }
    ///
    /// drop(pool());
    /// pool::clear();
    /// drop(pool());
    /// let info = pool::info();
    /// assert_eq!((info.missed(Miss::Absent), info.missed(Miss::Ended(Cause::Cleared))), (1, 1));
    /// ```
    #[must_use]
    pub fn missed(&self, reason: Miss) -> u64 {
        self.missed[reason.number()]
    }

    /// How many calls were misses, for each reason.
    ///
    /// ```
    /// #[tenure::cache_resource]
    /// fn pool() -> u32 {
    ///     7
    /// }
    ///
    /// drop(pool());
    /// let info = pool::info();
    /// assert_eq!(info.all_missed().map(|(_, number)| number).sum::<u64>(), info.misses);
    /// ```
    pub fn all_missed(&self) -> impl Iterator<Item = (Miss, u64)> + '_ {
        Miss::all().map(|reason| (reason, self.missed(reason)))
    }

    /// How many resources were released in all.
    ///
    /// ```
    /// #[tenure::cache_resource(max_entries = 1)]
    /// fn pool(shard: u32) -> u32 {
    ///     shard
    /// }
    ///
    /// drop(pool(1));
    /// drop(pool(2)); // evicts the first
    /// pool::clear();
    /// assert_eq!(pool::info().all_released(), 2);
    /// ```
    #[must_use]
    pub fn all_released(&self) -> u64 {
        self.releases.iter().sum()
    }

    /// Adds the figures of one more function to the sums by name, and gives them: shared, where they are the first.
    pub(crate) fn add_to(
        sums: &mut BTreeMap<Arc<str>, Arc<Self>>,
        name: &Arc<str>,
        info: Self,
    ) -> Arc<Self> {
        let info = Arc::new(info);
        match sums.entry(Arc::clone(name)) {
            Slot::Vacant(first) => {
                first.insert(Arc::clone(&info));
            }
            Slot::Occupied(mut sum) => Arc::make_mut(sum.get_mut()).add(&info),
        }
        info
    }

    /// Adds the figures of another cache.
    pub(crate) fn add(&mut self, other: &Self) {
        self.hits += other.hits;
        self.misses += other.misses;
        add_each(&mut self.missed, &other.missed);
        self.builds += other.builds;
        self.build_time += other.build_time;
        self.build_times.add(&other.build_times);
        self.failures += other.failures;
        for (sum, more) in self.runs.iter_mut().zip(&other.runs) {
            sum.add(more);
        }
        self.refreshes_itself |= other.refreshes_itself;
        add_each(&mut self.refreshes, &other.refreshes);
        add_each(&mut self.ends, &other.ends);
        add_each(&mut self.releases, &other.releases);
        self.release_failures += other.release_failures;
        self.entries += other.entries;
        self.idle += other.idle;
        self.stale += other.stale;
        self.inherited += other.inherited;
        self.draining += other.draining;
        self.renewals += other.renewals;
        self.weight = self.weight.saturating_add(other.weight);
        self.waiting += other.waiting;
        self.ages.extend_from_slice(&other.ages);
    }
}

fn add_each(sums: &mut [u64], others: &[u64]) {
    for (sum, more) in sums.iter_mut().zip(others) {
        *sum += more;
    }
}

impl fmt::Debug for Info {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// The causes that there were, by their names.
        struct Releases<'a>(&'a Info);

        impl fmt::Debug for Releases<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let were = self.0.releases().filter(|(_, number)| *number > 0);
                f.debug_map().entries(were).finish()
            }
        }

        f.debug_struct("Info")
            .field("hits", &self.hits)
            .field("misses", &self.misses)
            .field("builds", &self.builds)
            .field("build_time", &self.build_time)
            .field("failures", &self.failures)
            .field("releases", &Releases(self))
            .field("release_failures", &self.release_failures)
            .field("entries", &self.entries)
            .field("draining", &self.draining)
            .field("waiting", &self.waiting)
            .field("ages", &self.ages)
            .finish()
    }
}

/// The figures of one entry.
///
/// ```
/// use tenure::{Engine, Function, KeyRef, Settings};
///
/// let engine = Engine::new();
/// let pools = Function::<u32, ()>::plain(&engine, "pool", Settings::default())?;
/// let lease = pools.get_or_build(&KeyRef::EMPTY, || Ok(7)).unwrap();
/// pools.get_or_build(&KeyRef::EMPTY, || unreachable!()).unwrap();
/// let entry = &pools.entries().unwrap()[0];
/// assert_eq!((entry.hits, entry.leases), (1, 1));
/// # Ok::<(), tenure::SettingError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EntryInfo {
    /// The time since it was built.
    pub age: Duration,
    /// Calls that it has answered.
    pub hits: u64,
    /// Leases of it that are out now.
    pub leases: u64,
    /// The arguments that count, as `Debug` writes them, where `show_arguments` asks for that.
    pub arguments: Option<Arc<str>>,
}

#[derive(Default)]
pub(crate) struct Counters {
    retired_hits: Figure,
    /// The most hits that anybody was told of.
    told_hits: Figure,
    misses: [Figure; MISSES],
    builds: Figure,
    build_nanos: Figure,
    build_times: Times,
    failures: Figure,
    runs: [RunCounter; TRIGGERS],
    refreshes: [Figure; OUTCOMES],
    renewals: Figure,
    ends: [Figure; CAUSES],
    releases: [Figure; CAUSES],
    release_failures: Figure,
    releasing: Figure,
    waiting: Figure,
}

impl Counters {
    pub(crate) fn missed(&self, reason: Miss) {
        self.misses[reason.number()].fetch_add(1, Ordering::Relaxed);
    }

    /// How many calls were misses.
    fn misses(&self) -> u64 {
        self.misses
            .iter()
            .map(|it| it.load(Ordering::Relaxed))
            .sum()
    }

    pub(crate) fn built(&self, nanos: u64) {
        self.builds.fetch_add(1, Ordering::Relaxed);
        self.build_nanos.fetch_add(nanos, Ordering::Relaxed);
        self.build_times.count(nanos);
    }

    /// A build gave what was kept already: it is no further resource to release.
    pub(crate) fn renewed(&self) {
        self.renewals.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn failed(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    /// The function has run for so long, whatever came of it.
    pub(crate) fn ran(&self, trigger: Trigger, nanos: u64) {
        self.runs[trigger as usize].count(nanos);
    }

    pub(crate) fn refreshed(&self, outcome: Refreshed) {
        self.refreshes[outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// An entry has left its cache.
    pub(crate) fn ended(&self, cause: Cause) {
        self.ends[cause as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn released(&self, cause: Cause) {
        self.releases[cause as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a callback for as long as it runs.
    pub(crate) fn releases(&self) -> ReleaseCount<'_> {
        self.releasing.fetch_add(1, Ordering::Relaxed);
        ReleaseCount(self)
    }

    /// How many callbacks are running.
    pub(crate) fn releasing(&self) -> u64 {
        self.releasing.load(Ordering::Relaxed)
    }

    /// How many of what was built and is not among the `live` have not been released.
    pub(crate) fn unreleased(&self, live: impl FnOnce() -> u64) -> u64 {
        // In this order, what moves on meanwhile is not taken for something that is left.
        let builds = self.builds.load(Ordering::Relaxed);
        let live = live();
        let released = self.releases.iter().map(|it| it.load(Ordering::Relaxed));
        builds.saturating_sub(live).saturating_sub(released.sum())
    }

    pub(crate) fn release_failed(&self) {
        self.release_failures.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn retire_hits(&self, hits: u64) {
        self.retired_hits.fetch_add(hits, Ordering::Relaxed);
    }

    /// The hits to tell of, for who has counted so many: an entry that ends meanwhile is missed, and a count must not
    /// fall for that.
    pub(crate) fn hits_told(&self, counted: u64) -> u64 {
        let before = self.told_hits.fetch_max(counted, Ordering::Relaxed);
        before.max(counted)
    }

    pub(crate) fn waits(self: &Arc<Self>) -> WaitCount {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        WaitCount(Arc::clone(self))
    }

    /// Adds the figures so far; the hits of live entries and what is live are the caller's to add.
    pub(crate) fn sum(&self, all: &mut Figures) {
        let get = |counter: &Figure| counter.load(Ordering::Relaxed);
        all.hits += get(&self.retired_hits);
        all.misses += self.misses();
        all.builds += get(&self.builds);
        all.failures += get(&self.failures);
    }

    /// The figures so far; the hits of live entries and what is live are the caller's to add.
    pub(crate) fn read(&self) -> Info {
        let get = |counter: &Figure| counter.load(Ordering::Relaxed);
        let missed = self.misses.each_ref().map(get);
        Info {
            hits: get(&self.retired_hits),
            misses: missed.iter().sum(),
            missed,
            builds: get(&self.builds),
            build_time: Duration::from_nanos(get(&self.build_nanos)),
            build_times: self.build_times.read(),
            failures: get(&self.failures),
            runs: self.runs.each_ref().map(RunCounter::read),
            refreshes: self.refreshes.each_ref().map(get),
            renewals: get(&self.renewals),
            ends: self.ends.each_ref().map(get),
            releases: self.releases.each_ref().map(get),
            release_failures: get(&self.release_failures),
            waiting: get(&self.waiting),
            ..Info::default()
        }
    }
}

/// Counts a callback for as long as it runs.
pub(crate) struct ReleaseCount<'a>(&'a Counters);

impl Drop for ReleaseCount<'_> {
    fn drop(&mut self) {
        self.0.releasing.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Counts a waiting caller for as long as it lives.
pub(crate) struct WaitCount(Arc<Counters>);

impl Drop for WaitCount {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}
