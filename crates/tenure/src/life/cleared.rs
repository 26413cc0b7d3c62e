//! The wait for everything that a clear has taken out: for its [`Batch`]. Who waits for long is told of once in the log; a look
//! is planned only while somebody waits.

use std::fmt;
use std::future::{IntoFuture, poll_fn};
use std::pin::Pin;

use crate::ground::clock::nanos;
use crate::ground::latch::Latch;
use crate::ground::sync::{Arc, Weak};
use crate::ground::timer::TimerId;
use crate::life::batch::{Batch, Belongs};
use crate::life::building::stalled::PATIENCE;
use crate::life::ended_by::EndedBy;
use crate::life::services::Services;

/// A clear under way.
pub(crate) struct Clearing {
    over: Arc<Latch<()>>,
    _belongs: Belongs,
    _ended_by: EndedBy,
}

impl Clearing {
    #[track_caller]
    pub(crate) fn begin() -> Self {
        let over = Arc::<Latch<()>>::default();
        Self {
            _belongs: Batch::begin(&over).enter(),
            over,
            _ended_by: EndedBy::caller(),
        }
    }

    /// `services` tell the time to whoever waits.
    pub(crate) fn end(self, services: &Arc<Services>) -> Cleared {
        Cleared {
            over: self.over,
            services: Arc::downgrade(services),
        }
    }
}

/// A clear that has happened. Nothing has to be done with it; a task may await it, until everything
/// that the clear took out has been released: until no lease of it is left, and each `on_release`
/// has ended, an async one too. For `select!`, a time-out and the like it is made a future by
/// [`into_future`](IntoFuture::into_future).
///
/// A task that holds a lease of its own waits for itself: drop the lease first. After ten seconds the log names the functions
/// whose resources are still leased. A build that is under
/// way is not waited for: what it gives goes to its callers only.
///
/// ```
/// use tenure::cache_resource;
///
/// # struct Pool;
/// # impl Pool {
/// #     fn query(&self, _: &str) {}
/// #     async fn close(self) {}
/// # }
/// #[cache_resource(on_release = Pool::close)]
/// async fn pool() -> Pool {
///     Pool
/// }
///
/// # futures_executor::block_on(async {
/// pool().await.query("select 1");
/// pool::clear().await; // it has been closed
/// pool::clear(); // the same without the wait
/// # });
/// ```
pub struct Cleared {
    over: Arc<Latch<()>>,
    services: Weak<Services>,
}

impl fmt::Debug for Cleared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cleared").finish_non_exhaustive()
    }
}

impl Cleared {
    /// The clear of a function that has kept nothing yet.
    pub(crate) fn nothing() -> Self {
        Cleared {
            over: Clearing::begin().over,
            services: Weak::new(),
        }
    }
}

impl IntoFuture for Cleared {
    type Output = ();
    type IntoFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let mut watch = None;
        Box::pin(poll_fn(move |cx| {
            let polled = self.over.poll(cx);
            if polled.is_pending() && watch.is_none() {
                watch = Watch::begin(&self);
            }
            polled
        }))
    }
}

/// The look at a wait that takes long, for as long as somebody waits.
struct Watch {
    services: Weak<Services>,
    look: TimerId,
}

impl Watch {
    fn begin(cleared: &Cleared) -> Option<Self> {
        let there = cleared.services.upgrade()?;
        let over = Arc::clone(&cleared.over);
        let services = Weak::clone(&cleared.services);
        let when = there.clock.now().saturating_add(nanos(PATIENCE));
        let look = there.timer.at(when, move |_| {
            if let Some(services) = services.upgrade() {
                tell(&services, &over);
            }
        });
        Some(Self {
            services: Weak::clone(&cleared.services),
            look,
        })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(services) = self.services.upgrade() {
            services.timer.cancel(self.look);
        }
    }
}

fn tell(services: &Services, over: &Arc<Latch<()>>) {
    let leased = services.drains.lent_for(|batch| batch.is_awaited_by(over));
    let seconds = PATIENCE.as_secs();
    if leased.is_empty() {
        tracing::warn!(
            seconds,
            "a clear is awaited whose releases have not ended yet: an on_release takes long"
        );
    } else {
        tracing::warn!(
            functions = %leased.join(", "),
            seconds,
            "a clear is awaited whose resources are still leased; it is over with their last lease. Who awaits it and \
             holds such a lease waits for ever: drop the lease first"
        );
    }
}
