//! For the tests of programs: tests of cached functions that run on the threads of one process, and do not meet; and time
//! that a test moves.

use std::time::Duration;

use crate::engine::Engine;
use crate::ground::clock::SteeredClock;
use crate::ground::sync::{Arc, Mutex, MutexGuard, OnceLock};
use crate::host::Host;
use crate::program::api::engine;
use crate::words::config::Config;

/// A test that has the cached functions of the process for itself, until this is dropped. Made by [`isolated`].
#[must_use = "the test is isolated until this is dropped: write let _isolated = tenure::testing::isolated();"]
pub struct Isolated {
    /// What the program had configured before.
    config: Config,
    host: Option<Arc<dyn Host>>,
    // The last one, so that the next test begins when all has been put back.
    _turn: MutexGuard<'static, ()>,
}

impl std::fmt::Debug for Isolated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Isolated")
    }
}

/// Waits until no other test is isolated, and begins with no entries: a guard for the length of a test.
///
/// `cargo test` runs the tests of a program on the threads of one process, where they would find each other's entries.
/// Those with a guard run one after another. When it is dropped, by a panic too, everything that was built is released, as
/// by [`shutdown`](crate::shutdown), and the configuration and the host are as they were. Figures go on counting: compare
/// those of before and after.
///
/// A test without a guard is not kept from using the functions meanwhile. A second guard on one thread, while the first
/// one lives, would wait for ever. In async tests it is held over the whole test, on a runtime with one thread, which
/// `#[tokio::test]` has by itself.
///
/// ```
/// #[tenure::cache_resource]
/// fn pool() -> String {
///     "built".to_owned()
/// }
///
/// // In a program, with #[test]:
/// fn builds_once() {
///     let _isolated = tenure::testing::isolated();
///     assert_eq!(pool::info().entries, 0);
///     let (one, two) = (pool(), pool());
///     assert!(std::ptr::eq(&*one, &*two));
/// }
///
/// builds_once();
/// assert_eq!(pool::info().entries, 0);
/// builds_once();
/// ```
pub fn isolated() -> Isolated {
    static TURN: OnceLock<Mutex<()>> = OnceLock::new();
    let turn = TURN.get_or_init(Mutex::default).lock();
    let engine: &Engine = engine();
    engine.shutdown();
    Isolated {
        config: engine.config(),
        host: engine.host(),
        _turn: turn,
    }
}

impl Drop for Isolated {
    fn drop(&mut self) {
        let engine = engine();
        engine.shutdown();
        engine.configure(|config| *config = self.config.clone());
        engine.set_host(self.host.take());
    }
}

/// The time of the cached functions of the process, which stands still but for [`advance`](Self::advance). Made by
/// [`clock`].
#[must_use = "time stands still until this is dropped: write let clock = tenure::testing::clock();"]
#[derive(Debug)]
pub struct Clock {
    time: &'static SteeredClock,
    // Dropped when time runs again: what is released then may be waited for.
    _isolated: Isolated,
}

/// A clock that stands still until the test moves it: a guard for the length of a test, which has the functions for itself
/// as by [`isolated`].
///
/// What has become due when it is moved is done by the thread that moves it: what has expired is released, a drain or a
/// grace is over, a refresh begins. A build takes no time. When the guard is dropped, by a panic too, time runs on from where
/// it stands, so that it never goes back.
///
/// All threads see it: a test without a guard, which runs meanwhile, does too. The clock is that of the cached functions
/// alone, and neither the system's nor a runtime's. What is said of [`isolated`] holds here: guards of the two kinds take
/// turns, and one thread can have one at a time.
///
/// ```
/// use std::time::Duration;
///
/// #[tenure::cache_resource(ttl = "1h")]
/// fn token() -> String {
///     "fetched".to_owned()
/// }
///
/// // In a program, with #[test]:
/// fn lasts_for_an_hour() {
///     let clock = tenure::testing::clock();
///     drop(token());
///     clock.advance(Duration::from_secs(59 * 60));
///     assert_eq!(token::info().entries, 1);
///     clock.advance(Duration::from_secs(60));
///     assert_eq!(token::info().entries, 0); // released by now, with nobody calling
/// }
///
/// lasts_for_an_hour();
/// ```
pub fn clock() -> Clock {
    let isolated = isolated();
    let time = &Engine::of_process().1;
    time.hold();
    Clock {
        time,
        _isolated: isolated,
    }
}

impl Clock {
    /// Moves time forward, and does on this thread what has become due.
    ///
    /// ```
    /// # use std::time::Duration;
    /// #[tenure::cache_resource(max_idle = "15m")]
    /// fn pool() -> u32 {
    ///     7
    /// }
    ///
    /// let clock = tenure::testing::clock();
    /// drop(pool());
    /// clock.advance(Duration::from_secs(15 * 60));
    /// assert_eq!(pool::info().entries, 0);
    /// ```
    pub fn advance(&self, by: Duration) {
        let engine = engine();
        engine.steer(|| self.time.advance(by)).run();
        // What that has armed in its turn, for a time that has come as well.
        engine.run_due();
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        self.time.run_on();
    }
}
