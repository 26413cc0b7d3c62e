//! The wait of a build for its turn among the members of a fleet: for the time that another member's clear has left
//! to this one, and for a permit where only so many members may build at a time.
//!
//! 1. It is a part of the build to whoever waits for that, and ends by itself: without a server nobody holds
//!    anybody up.
//! 2. Nobody is asked under a lock, and no thread of the program waits for the network.
//! 3. A permit that comes when nobody wants it any more is given back.

use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::ground::clock::Nanos;
use crate::ground::latch::Latch;
use crate::ground::sync::{Arc, Mutex};
use crate::ground::timer::TimerId;
use crate::life::building::waiting::Awaited;
use crate::life::services::Services;
use crate::words::fleet::{Asking, Bus, Mark, Permit};

/// How long a thread waits before it looks again.
const LOOK: Duration = Duration::from_secs(1);

/// What a build asks of its fleet.
pub(crate) struct Wish {
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) key: Mark,
    pub(crate) at_most: u32,
}

/// The wait of a build for its turn.
pub(crate) struct Hold {
    name: Arc<str>,
    services: Arc<Services>,
    told: Arc<Latch<Option<Permit>>>,
    /// The question, once it was asked. It is taken back with this.
    asking: Arc<Mutex<Option<Asking>>>,
    job: Option<TimerId>,
    /// The end of the wait, with a permit where there was one to have.
    ended: Option<Option<Permit>>,
}

impl Hold {
    pub(crate) fn begin(
        services: &Arc<Services>,
        name: &Arc<str>,
        not_before: Option<Nanos>,
        wish: Option<Wish>,
    ) -> Self {
        let told = Arc::<Latch<_>>::default();
        let asking = Arc::<Mutex<_>>::default();
        let tells = Tells {
            services: Arc::clone(services),
            told: Some(Arc::clone(&told)),
        };
        let asked = Arc::downgrade(&asking);
        let go_on = move || match wish {
            None => tells.tell(None),
            Some(wish) => {
                let tell = Box::new(move |permit| tells.tell(permit));
                let asking = wish.bus.ask(wish.key, wish.at_most, tell);
                // Where nobody waits any more it is taken back.
                if let Some(asked) = asked.upgrade() {
                    *asked.lock() = Some(asking);
                }
            }
        };
        let job = match not_before {
            Some(when) => Some(services.timer.at(when, move |_| go_on())),
            None => {
                go_on();
                None
            }
        };
        Self {
            name: Arc::clone(name),
            services: Arc::clone(services),
            told,
            asking,
            job,
            ended: None,
        }
    }

    /// What the wait has ended with.
    pub(crate) fn permit(mut self) -> Option<Permit> {
        self.ended.take().flatten()
    }

    /// Waits to the end, on a thread that nobody needs meanwhile; or until `is_over`, which is asked now and then.
    pub(crate) fn wait(&mut self, is_over: impl Fn() -> bool) {
        while !self.block(Some(LOOK)) && !is_over() {}
    }

    /// A look by the task that waits.
    pub(crate) fn poll(&mut self, cx: &Context<'_>) -> Poll<()> {
        if self.ended.is_none()
            && let Poll::Ready(permit) = self.told.poll(cx)
        {
            self.ended = Some(permit);
        }
        match self.ended {
            Some(_) => Poll::Ready(()),
            None => Poll::Pending,
        }
    }
}

/// Tells whoever waits, once: nobody waits for an answer that is lost.
struct Tells {
    services: Arc<Services>,
    told: Option<Arc<Latch<Option<Permit>>>>,
}

impl Tells {
    fn tell(mut self, permit: Option<Permit>) {
        self.pass_on(permit);
    }

    fn pass_on(&mut self, permit: Option<Permit>) {
        let Some(told) = self.told.take() else {
            return;
        };
        if self.services.clock.is_manual() {
            return told.tell(permit);
        }
        // In the background: to wake who waits may take long, and the bus has others to hear.
        let now = self.services.clock.now();
        self.services.timer.at(now, move |_| told.tell(permit));
    }
}

impl Drop for Tells {
    fn drop(&mut self) {
        self.pass_on(None);
    }
}

impl Awaited for Hold {
    fn function(&self) -> &str {
        &self.name
    }

    fn block(&mut self, pause: Option<Duration>) -> bool {
        if self.ended.is_none() {
            self.ended = self.told.wait(pause.unwrap_or(LOOK));
        }
        self.ended.is_some()
    }

    fn poll(&mut self, waker: &Waker) -> bool {
        Self::poll(self, &Context::from_waker(waker)).is_ready()
    }

    fn is_of_this_thread(&self) -> bool {
        false
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(job) = self.job {
            self.services.timer.cancel(job);
        }
        let asking = self.asking.lock().take();
        drop(asking);
    }
}
