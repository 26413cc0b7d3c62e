//! A Rust program's words to the whole cache at once.

use std::future::poll_fn;
use std::thread;

use crate::engine::Engine;
use crate::ground::latch::Latch;
use crate::ground::sync::{Arc, OnceLock};
use crate::host::Host;
use crate::life::cleared::{Cleared, Clearing};
use crate::program::ProgramHost;
use crate::words::config::Config;
use crate::words::report::Report;

/// The engine of cached functions in Rust. It has a host from its first use on.
pub(crate) fn engine() -> &'static Engine {
    static READY: OnceLock<()> = OnceLock::new();
    let engine = Engine::global();
    READY.get_or_init(|| {
        if engine.host().is_none() {
            engine.set_host(Some(Arc::new(ProgramHost)));
        }
    });
    engine
}

/// The figures of each cached function: a table where it is displayed.
///
/// ```
/// #[tenure::cache_resource]
/// fn answer() -> u32 {
///     42
/// }
///
/// drop((answer(), answer()));
/// println!("{}", tenure::info());
/// assert_eq!(tenure::info().sum().hits, 1);
/// ```
#[must_use]
pub fn info() -> Report {
    engine().info()
}

/// Clears every entry of every cached function, in all scopes. What this gives may be awaited, until
/// all of it has been released.
///
/// ```
/// #[tenure::cache_resource]
/// fn answer() -> u32 {
///     42
/// }
///
/// let _ = answer();
/// tenure::clear_all();
/// assert_eq!(answer::info().entries, 0);
/// ```
#[track_caller]
pub fn clear_all() -> Cleared {
    let clearing = Clearing::begin();
    engine().clear_all();
    clearing.end(engine().services())
}

/// Clears every entry that carries this tag, of every cached function and in all scopes: the settings `tags`
/// say which those are. A build under way that carries it goes to its callers, and is not kept. What this
/// gives may be awaited, until all of it has been released.
///
/// ```
/// #[tenure::cache_resource(tags = |tenant| [format!("tenant:{tenant}")])]
/// fn client(tenant: u32) -> u32 {
///     tenant
/// }
///
/// drop((client(7), client(8)));
/// tenure::clear_tag("tenant:7");
/// assert!(!client::contains(7));
/// assert!(client::contains(8));
/// ```
#[track_caller]
pub fn clear_tag(tag: &str) -> Cleared {
    let clearing = Clearing::begin();
    engine().clear_tag(tag);
    clearing.end(engine().services())
}

/// Changes what holds for all functions: the default drain time, the grace period of sessions, and
/// the bound of a shutdown.
///
/// ```
/// use std::time::Duration;
///
/// tenure::configure(|config| config.session_grace = Duration::from_secs(30));
/// let config = tenure::Engine::global().config();
/// assert_eq!(config.session_grace, Duration::from_secs(30));
/// ```
pub fn configure(change: impl FnOnce(&mut Config)) {
    engine().configure(change);
}

/// Puts a host of your own in the place of [`ProgramHost`].
///
/// ```
/// use std::sync::Arc;
/// use tenure::{BuildStart, Host, HostBuild, Interrupt, ProgramHost, Recording, SessionId};
///
/// /// Prints what is built, and leaves the rest as it is.
/// struct Talkative;
///
/// impl Host for Talkative {
///     fn session(&self) -> Result<Option<SessionId>, Interrupt> {
///         ProgramHost.session()
///     }
///     fn begin(&self, start: &BuildStart<'_>) -> Result<Option<Arc<dyn HostBuild>>, Interrupt> {
///         println!("{} is being built", start.function);
///         ProgramHost.begin(start)
///     }
///     fn replay(&self, recording: &Recording) -> Result<(), Interrupt> {
///         ProgramHost.replay(recording)
///     }
/// }
///
/// #[tenure::cache_resource]
/// fn pool() -> u32 {
///     7
/// }
///
/// tenure::set_host(Talkative);
/// assert_eq!(*pool(), 7); // prints "pool is being built"
/// ```
pub fn set_host(host: impl Host) {
    engine().set_host(Some(Arc::new(host)));
}

/// Releases everything that is held, last built first, with cause `Shutdown`; callbacks have
/// [`shutdown_bound`](Config::shutdown_bound) in all. `true`: everything that was built has been
/// released. `false`: a lease is still held somewhere, or the time ran out; the log says which
/// functions these are, how many resources of each, and why.
///
/// Rust drops no statics at the end of a process, so a program says when it is over, here or with
/// [`shutdown_on_drop`].
///
/// ```
/// # #[tenure::cache_resource]
/// # fn pool() -> u32 { 7 }
/// drop(pool());
/// assert!(tenure::shutdown());
/// assert_eq!(pool::info().released(tenure::Cause::Shutdown), 1);
/// ```
///
/// Blocks. Async callbacks that have not begun run on a runtime of Tenure's own meanwhile, so that
/// this is right at the end of `main` on every runtime; what has begun on the calling thread's own
/// runtime waits for [`shutdown_async`], which a task should rather use.
pub fn shutdown() -> bool {
    engine().shutdown()
}

/// Calls [`shutdown`] when it is dropped: at the end of `main`, by a return or by a panic.
///
/// ```
/// # #[tenure::cache_resource]
/// # fn pool() -> u32 { 7 }
/// let released = tenure::shutdown_on_drop();
/// drop(pool());
/// drop(released); // what the end of `main` does
/// assert_eq!(pool::info().entries, 0);
/// ```
#[must_use = "the shutdown is when this is dropped"]
#[derive(Debug)]
pub struct ShutdownOnDrop(());

/// Has everything released when the value that this gives is dropped.
///
/// ```
/// # use tenure::Cause;
/// # #[tenure::cache_resource]
/// # fn pool() -> u32 { 7 }
/// fn program() {
///     let _released = tenure::shutdown_on_drop(); // at the top of `main`
///     drop(pool());
/// }
///
/// program();
/// assert_eq!(pool::info().released(Cause::Shutdown), 1);
/// ```
pub fn shutdown_on_drop() -> ShutdownOnDrop {
    ShutdownOnDrop(())
}

impl Drop for ShutdownOnDrop {
    fn drop(&mut self) {
        shutdown();
    }
}

/// Releases everything as [`shutdown`] does, for a task: async callbacks go on while it waits.
///
/// ```
/// # futures_executor::block_on(async {
/// assert!(tenure::shutdown_async().await);
/// # });
/// ```
pub async fn shutdown_async() -> bool {
    let over = Arc::<Latch<bool>>::default();
    let told = Arc::clone(&over);
    if thread::Builder::new()
        .spawn(move || told.tell(shutdown()))
        .is_err()
    {
        return shutdown();
    }
    poll_fn(|cx| over.poll(cx)).await
}
