//! For the tests of programs: tests of cached functions that run on the threads of one process, and do not meet.

use crate::engine::Engine;
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
