//! The wait of a build for its turn among the members of a fleet: for the time that another member's clear has left
//! to this one, and for a permit where only so many members may build at a time.
//!
//! 1. It is a part of the build to whoever waits for that, and ends by itself: without a server nobody holds
//!    anybody up.
//! 2. Nobody is asked under a lock, and nobody's thread waits for the network but one that was begun for it.
//! 3. A permit that comes when nobody wants it any more is given back.

use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::ground::clock::Nanos;
use crate::ground::latch::Latch;
use crate::ground::sync::{Arc, Switch, spawn};
use crate::ground::timer::TimerId;
use crate::life::building::waiting::Awaited;
use crate::life::services::Services;
use crate::words::fleet::{Bus, Mark, Permit, PermitWait};

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
    wanted: Arc<Wanted>,
    job: Option<TimerId>,
    /// The end of the wait, with a permit where there was one to have.
    ended: Option<Option<Permit>>,
}

struct Wanted(Switch);

impl PermitWait for Wanted {
    fn is_wanted(&self) -> bool {
        self.0.load(Relaxed)
    }
}

impl Hold {
    pub(crate) fn begin(
        services: &Arc<Services>,
        name: &Arc<str>,
        not_before: Option<Nanos>,
        asks: Option<Wish>,
    ) -> Self {
        let told = Arc::<Latch<_>>::default();
        let wanted = Arc::new(Wanted(Switch::new(true)));
        let (tells, wants, function) = (Arc::clone(&told), Arc::clone(&wanted), Arc::clone(name));
        let go_on = move || match asks {
            None => tells.tell(None),
            Some(asks) => ask(&function, asks, tells, wants),
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
            wanted,
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

/// Asks on a thread of its own, since the answer may take as long as another member builds.
fn ask(name: &Arc<str>, asks: Wish, told: Arc<Latch<Option<Permit>>>, wanted: Arc<Wanted>) {
    let Wish { bus, key, at_most } = asks;
    let tells = Arc::clone(&told);
    let asks = move || {
        let permit = bus.permit(key, at_most, &*wanted);
        // Where nobody wants it, the latch goes with it.
        tells.tell(permit);
    };
    if let Err(error) = spawn("tenure-permit", asks) {
        tracing::error!(function = %name, %error, "no thread to wait for a fleet's permit: built without one");
        told.tell(None);
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
        self.wanted.0.store(false, Relaxed);
        if let Some(job) = self.job {
            self.services.timer.cancel(job);
        }
    }
}
