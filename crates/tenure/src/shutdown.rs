//! The shutdown of an engine: everything is released, and what is not is told.

use std::time::{Duration, Instant};

use crate::directory::Unreleased;
use crate::engine::Engine;
use crate::ground::latch::Latch;
use crate::ground::sync::{Arc, spawn};
use crate::ground::underway::{self, Mine};
use crate::life::drain::at_once;

/// How often a shutdown looks for what callbacks have built again meanwhile.
const SHUTDOWN_ROUNDS: usize = 8;

/// For how long a shutdown waits, beside its bound, until a fleet has been told.
const PARTING: Duration = Duration::from_secs(1);

impl Engine {
    /// Releases everything that is held or drains, last built first, with cause `Shutdown`.
    ///
    /// Gives `false` where not everything that was built has been released: a lease is still held,
    /// or the configured bound ran out before all callbacks had returned, which then go on in the
    /// background. The log says which functions these are, how many resources of each, and why. In a fleet it may take a
    /// second more, until what was raised has gone out.
    ///
    /// ```
    /// # use tenure::{Cause, Engine, Function, KeyRef, ManualClock, Settings};
    /// # let engine = Engine::with_clock(ManualClock::new());
    /// # let pools = Function::<u32, ()>::plain(&engine, "pool", Settings::default()).unwrap();
    /// # pools.get_or_build(&KeyRef::EMPTY, || Ok(7)).unwrap();
    /// assert!(engine.shutdown());
    /// assert_eq!(pools.info().released(Cause::Shutdown), 1);
    /// ```
    pub fn shutdown(&self) -> bool {
        self.shutdown_within(self.config().shutdown_bound)
    }

    /// Releases everything as [`shutdown`](Self::shutdown) does, within a bound of its own.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let engine = tenure::Engine::new();
    /// assert!(engine.shutdown_within(Duration::from_secs(1)));
    /// ```
    pub fn shutdown_within(&self, bound: Duration) -> bool {
        let began = Instant::now();
        let left = self.release_all(bound);
        let in_time = left.is_some();
        let left = left.unwrap_or_else(|| self.unreleased());
        left.iter().for_each(Unreleased::tell);
        let rest = || bound.saturating_sub(began.elapsed());
        let all = self.services().async_releases.settle(rest()) && in_time && left.is_empty();
        self.settle_fleet();
        all
    }

    /// Gives what was raised a moment to go out, however long the releases took: a process that clears and ends at once
    /// has cleared.
    fn settle_fleet(&self) {
        if let Some(bus) = self.fleet()
            && !bus.settle(PARTING)
        {
            tracing::warn!(
                "what was cleared or has expired last could not be told to the fleet in the time that was left, which is \
                 {PARTING:?}: the other members keep it until it ends there by itself"
            );
        }
    }

    /// Releases everything as [`shutdown_within`](Self::shutdown_within) does, before another shutdown:
    /// what is left is for that one to tell.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tenure::{Cause, Engine, Function, KeyRef, ManualClock, Settings};
    /// # let engine = Engine::with_clock(ManualClock::new());
    /// # let pools = Function::<u32, ()>::plain(&engine, "pool", Settings::default()).unwrap();
    /// # pools.get_or_build(&KeyRef::EMPTY, || Ok(7)).unwrap();
    /// engine.release_within(Duration::from_secs(1)); // threads may go on, and build
    /// assert_eq!(pools.info().released(Cause::Shutdown), 1);
    /// assert!(engine.shutdown_within(Duration::from_secs(1))); // they have stopped
    /// ```
    pub fn release_within(&self, bound: Duration) {
        self.release_all(bound);
    }

    /// Releases everything. Gives what leases keep, or nothing where the time ran out.
    fn release_all(&self, bound: Duration) -> Option<Vec<Unreleased>> {
        let done = Arc::<Latch<Vec<Unreleased>>>::default();
        let engine = self.clone();
        let told = Arc::clone(&done);
        // What this thread is releasing itself cannot be waited for.
        let mine = underway::mine();
        let is_manual = self.services().clock.is_manual();
        let work = move || {
            // Nor can it by what a callback of the shutdown itself waits for.
            let _around = (!is_manual).then(|| underway::carry_all(mine));
            engine.release_everything(mine);
            let mut left = engine.leased();
            if !left.is_empty() {
                // Other threads may have been about to release it.
                engine.await_releases(mine);
                left = engine.leased();
            }
            told.tell(left);
        };
        if is_manual {
            work();
        } else if spawn("tenure-shutdown", work).is_err() {
            return None;
        }
        done.wait(bound)
    }

    /// Counts, for every function, of what it could not release so far.
    fn unreleased(&self) -> Vec<Unreleased> {
        let live = self.functions().into_iter().map(|it| it.unreleased());
        let gone = self.leftovers();
        live.chain(gone.into_iter().map(|it| it.unreleased()))
            .collect()
    }

    /// The part of it that leases keep. Callbacks that run now are someone else's: the wait for
    /// those that it has to wait for is over.
    fn leased(&self) -> Vec<Unreleased> {
        let mut left = self.unreleased();
        left.retain(|it| it.leased > 0);
        for it in &mut left {
            it.held = 0;
            it.releasing = 0;
        }
        left
    }

    fn release_everything(&self, mine: Mine) {
        self.services().workers.give_up();
        for round in 0..SHUTDOWN_ROUNDS {
            let under_way = self.services().under_way.begin();
            let mut held = self.services().drains.take_all();
            for function in self.functions() {
                held.extend(function.hold_all());
            }
            if held.is_empty() && round > 0 {
                break;
            }
            // One by one out of their caches: a callback finds what was built before its own
            // resource.
            at_once(held);
            // Another shutdown may wait for this one, as this one does for the other.
            drop(under_way);
            self.await_releases(mine);
        }
        self.session_table().forget_all();
    }

    /// Waits until all releases that have begun are over, or in the drains, but for `mine`.
    fn await_releases(&self, mine: Mine) {
        self.services().under_way.settle(mine);
        // A test that drives the clock may keep a lease itself; so may, further out, who shuts down
        // within a release.
        if mine == Mine::default() && !self.services().clock.is_manual() {
            self.services().leaving.settle(mine);
            // Those that were leased until now are under way by now.
            self.services().under_way.settle(mine);
        }
    }
}
