//! Build permits: of all members, at most so many build one thing at a time.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use crate::mark::Mark;
use crate::number::Number;
use crate::shared::{Ask, Shared};

/// The time between two questions to whoever waits for a permit, whether it still does.
const LOOK: Duration = Duration::from_millis(50);

/// A permit to build, until it is dropped. It is renewed meanwhile, and runs out by itself when its holder dies.
///
/// It is for load and not for correctness: a holder that was stopped for longer than its time finds that another one builds
/// too.
pub struct Permit {
    shared: Arc<Shared>,
    key: Mark,
    holder: Number,
    fence: u64,
    held: Arc<AtomicBool>,
}

impl Permit {
    /// The number of this permit; a later one has a greater one. What keeps the greatest that it has seen can refuse what a
    /// holder writes whose permit has run out.
    pub fn fence(&self) -> u64 {
        self.fence
    }

    /// Whether it has not run out, as far as this member knows.
    pub fn is_held(&self) -> bool {
        self.held.load(Ordering::Acquire)
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("fence", &self.fence())
            .field("held", &self.is_held())
            .finish()
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.held.store(false, Ordering::Release);
        self.shared.change(|todo| {
            todo.renewals.remove(&self.holder);
            todo.given_back.push((self.key, self.holder));
        });
    }
}

/// A wait for a permit, which may be told to stop.
///
/// ```
/// use std::sync::atomic::{AtomicBool, Ordering};
/// use tenure_fleet::PermitWait;
///
/// let interrupted = AtomicBool::new(true);
/// assert!((|| interrupted.load(Ordering::Relaxed)).is_stopped());
/// ```
pub trait PermitWait {
    /// Whether it does not wait any longer. It is asked twenty times a second on the thread that waits, with no lock held.
    fn is_stopped(&self) -> bool;
}

impl<F: Fn() -> bool> PermitWait for F {
    fn is_stopped(&self) -> bool {
        self()
    }
}

/// A question for a permit. It is taken back when this is dropped.
#[must_use = "the question is taken back when this is dropped"]
pub struct Asking {
    shared: Arc<Shared>,
    given_up: Arc<AtomicBool>,
}

impl fmt::Debug for Asking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Asking")
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.given_up.store(true, Ordering::Release);
        self.shared.change(|_| {});
    }
}

/// Asks for a permit, and has the answer told on the fleet's thread.
pub(crate) fn ask(
    shared: &Arc<Shared>,
    key: Mark,
    at_most: u32,
    tell: impl FnOnce(Option<Permit>) + Send + 'static,
) -> Asking {
    let given_up = Arc::new(AtomicBool::new(false));
    let asking = Asking {
        shared: shared.clone(),
        given_up: given_up.clone(),
    };
    let mut untold = Some(tell);
    shared.change(|todo| {
        if todo.leaving || todo.ended > 0 {
            return;
        }
        let Some(tell) = untold.take() else { return };
        let holder = todo.number(shared.me);
        let held = Arc::new(AtomicBool::new(true));
        let (shared, is_held) = (shared.clone(), held.clone());
        let tell = move |fence: Option<u64>| {
            tell(fence.map(|fence| Permit {
                shared,
                key,
                holder,
                fence,
                held: is_held,
            }));
        };
        todo.asks.push(Ask {
            key,
            at_most: at_most.max(1),
            holder,
            due: Instant::now(),
            pause: LOOK,
            given_up,
            held,
            tell: Box::new(tell),
        });
    });
    if let Some(tell) = untold {
        tell(None);
    }
    asking
}

/// Waits for a permit; None where the build is to go on without, or whoever waits was stopped.
pub(crate) fn wait(
    shared: &Arc<Shared>,
    key: Mark,
    at_most: u32,
    wait: &dyn PermitWait,
) -> Option<Permit> {
    let (tell, told) = channel();
    let asking = ask(shared, key, at_most, move |permit| drop(tell.send(permit)));
    loop {
        match told.recv_timeout(LOOK) {
            Ok(permit) => {
                drop(asking);
                return permit;
            }
            // The question was dropped: there is nobody to answer it.
            Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) if wait.is_stopped() => return None,
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}
