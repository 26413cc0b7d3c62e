//! The services of an engine to all its functions: time, background work, the host, and what is
//! under way.

use crate::ground::clock::{Clock, Nanos};
use crate::ground::sync::{Arc, AtomicBool, Figure, Mutex, Ordering};
use crate::ground::timer::Timer;
use crate::ground::underway::UnderWay;
use crate::host::Host;
use crate::life::aging::budget::Budget;
use crate::life::aging::workers::Workers;
use crate::life::async_release::AsyncReleases;
use crate::life::circle::WaitGraph;
use crate::life::drain::Drains;
use crate::life::fleet::membership::Membership;
use crate::life::tagged::TagIndex;
use crate::life::tally::Tally;
use crate::life::timeline::Timeline;
use crate::words::config::InForce;

pub(crate) struct Services {
    pub(crate) clock: Clock,
    pub(crate) timer: Arc<Timer>,
    pub(crate) graph: Arc<WaitGraph>,
    pub(crate) drains: Arc<Drains>,
    pub(crate) async_releases: Arc<AsyncReleases>,
    pub(crate) under_way: Arc<UnderWay>,
    /// Releases to come: an entry has left its cache, and whoever drops the last lease of it
    /// releases.
    pub(crate) leaving: UnderWay,
    pub(crate) config: InForce,
    host: Mutex<Option<Arc<dyn Host>>>,
    /// Whether there is a host, so that a call without one takes no lock to find that out.
    hosted: AtomicBool,
    numbers: Figure,
    next_stamp: Figure,
    next_use: Figure,
    pub(crate) budget: Budget,
    pub(crate) tags: Arc<TagIndex>,
    /// What all functions have counted.
    pub(crate) tally: Tally,
    /// What has happened last.
    pub(crate) timeline: Timeline,
    pub(crate) workers: Arc<Workers>,
    /// The engine's place in a fleet.
    pub(crate) fleet: Membership,
}

impl Services {
    pub(crate) fn new(clock: Clock) -> Arc<Self> {
        let timer = Timer::new(clock.clone());
        let under_way = Arc::default();
        Arc::new(Self {
            drains: Drains::new(&clock, &timer, &under_way),
            async_releases: AsyncReleases::new(&clock, &timer),
            timer,
            clock,
            graph: Arc::default(),
            under_way,
            leaving: UnderWay::default(),
            config: InForce::default(),
            host: Mutex::new(None),
            hosted: AtomicBool::new(false),
            numbers: Figure::new(first_number()),
            next_stamp: Figure::new(0),
            next_use: Figure::new(0),
            budget: Budget::default(),
            tags: Arc::default(),
            tally: Tally::default(),
            timeline: Timeline::default(),
            workers: Arc::default(),
            fleet: Membership::default(),
        })
    }

    pub(crate) fn host(&self) -> Option<Arc<dyn Host>> {
        if !self.hosted.load(Ordering::Acquire) {
            return None;
        }
        self.host.lock().clone()
    }

    /// Puts a host in the place of the one that this gives.
    pub(crate) fn set_host(&self, host: Option<Arc<dyn Host>>) -> Option<Arc<dyn Host>> {
        let mut present = self.host.lock();
        self.hosted.store(host.is_some(), Ordering::Release);
        std::mem::replace(&mut *present, host)
    }

    /// In a child process: nothing of this is touched any more.
    pub(crate) fn abandon(&self) {
        self.timer.abandon();
        self.under_way.abandon();
        self.leaving.abandon();
        self.workers.abandon();
        self.tags.abandon();
    }

    #[inline]
    pub(crate) fn is_abandoned(&self) -> bool {
        self.timer.is_abandoned()
    }

    /// A number that was not given before.
    pub(crate) fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// The present time for a use, later than all that was used before; what is built is used first then.
    /// Takes no turns with other threads: two uses at once may get the same.
    #[inline]
    pub(crate) fn use_stamp(&self, now: Nanos) -> Nanos {
        let stamp = now.max(self.next_use.load(Ordering::Relaxed));
        self.next_use.store(stamp + 1, Ordering::Relaxed);
        stamp
    }

    /// Whether a use at this time was the last one of all.
    #[inline]
    pub(crate) fn is_last_use(&self, used_at: Nanos) -> bool {
        self.next_use.load(Ordering::Relaxed) == used_at + 1
    }

    /// The present time, made unique and rising.
    pub(crate) fn stamp(&self, now: Nanos) -> Nanos {
        let mut next = self.next_stamp.load(Ordering::Relaxed);
        loop {
            // Of two builds that end at one time, one is the later.
            let stamp = now.max(next);
            let swap = self.next_stamp.compare_exchange_weak(
                next,
                stamp + 1,
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
            match swap {
                Ok(_) => return stamp,
                Err(newer) => next = newer,
            }
        }
    }
}

/// The numbers of two engines never meet: code that belongs to a build of one may call the other,
/// in a child process or in a test.
fn first_number() -> u64 {
    // Not behind `sync.rs`: no order of events depends on it.
    static ENGINES: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    ENGINES.fetch_add(1, std::sync::atomic::Ordering::Relaxed) << 40
}

impl Drop for Services {
    fn drop(&mut self) {
        self.timer.stop();
    }
}
