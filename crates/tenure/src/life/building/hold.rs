//! The wait of a build for its turn among the members of a fleet: for the time that another member's clear has left
//! to this one, and for a permit where only so many members may build at a time.
//!
//! 1. It is a part of the build to whoever waits for that, and ends by itself: without a server nobody holds
//!    anybody up.
//! 2. Nobody is asked under a lock, and no thread of the program waits for the network.
//! 3. A permit that comes when nobody wants it any more is given back.
//! 4. A task that waits is woken when the wait ends, and when it is given up.
//! 5. A build inside of another one, which may have a permit that somebody waits for, waits only so long: two that
//!    build the same two things in another order would wait for each other, in two processes where nobody sees it.

use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::ground::clock::{Nanos, nanos};
use crate::ground::latch::Latch;
use crate::ground::sync::{Arc, Mutex};
use crate::ground::timer::TimerId;
use crate::life::building::waiting::Awaited;
use crate::life::services::Services;
use crate::words::fleet::{Asking, Bus, Mark, Permit};

/// How long a thread waits before it looks again.
const LOOK: Duration = Duration::from_secs(1);
/// How long a build inside of another one waits for its permit: as long as that of a builder that dies lasts.
const NESTED: Duration = Duration::from_secs(10);

/// What a build asks of its fleet.
pub(crate) struct Wish {
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) key: Mark,
    pub(crate) at_most: u32,
    /// Whether it is asked for inside of another build.
    pub(crate) is_nested: bool,
}

/// The wait of a build for its turn, and then the turn itself: a permit is given back when this is dropped.
pub(crate) struct Hold {
    name: Arc<str>,
    services: Arc<Services>,
    turn: Arc<BuildTurn>,
    /// The question, once it was asked. It is taken back with this.
    asking: Arc<Mutex<Option<Asking>>>,
    /// When it asks, and when it waits no longer.
    jobs: [Option<TimerId>; 2],
}

/// The turn of a build, which comes once.
#[derive(Default)]
pub(crate) struct BuildTurn {
    /// The end of the wait, with a permit where there was one to have.
    ended: Mutex<Option<Option<Permit>>>,
    told: Latch<()>,
}

impl BuildTurn {
    fn begin(&self, permit: Option<Permit>) {
        let late = {
            let mut ended = self.ended.lock();
            match &*ended {
                Some(_) => permit,
                None => {
                    *ended = Some(permit);
                    None
                }
            }
        };
        // Nobody wants it any more.
        drop(late);
        self.told.tell(());
    }

    pub(crate) fn has_come(&self) -> bool {
        self.ended.lock().is_some()
    }

    /// Ends it, with the permit that it has. One that comes later is given back.
    fn end(&self) {
        let permit = self.ended.lock().replace(None);
        drop(permit);
        self.told.tell(());
    }

    /// A look by the task that waits.
    pub(crate) fn poll(&self, cx: &Context<'_>) -> Poll<()> {
        match self.has_come() {
            true => Poll::Ready(()),
            false => self.told.poll(cx),
        }
    }
}

impl Hold {
    pub(crate) fn begin(
        services: &Arc<Services>,
        name: &Arc<str>,
        not_before: Option<Nanos>,
        wish: Option<Wish>,
    ) -> Self {
        let turn = Arc::<BuildTurn>::default();
        let asking = Arc::<Mutex<_>>::default();
        let tells = Tells {
            services: Arc::clone(services),
            turn: Some(Arc::clone(&turn)),
        };
        let asked = Arc::downgrade(&asking);
        let last = wish.as_ref().filter(|it| it.is_nested).map(|_| {
            let (turn, name) = (Arc::clone(&turn), Arc::clone(name));
            let begun = not_before.unwrap_or_else(|| services.clock.now());
            let last = begun.saturating_add(nanos(NESTED));
            services.timer.at(last, move |_| {
                if !turn.has_come() {
                    tracing::warn!(
                        function = &*name,
                        "a build within another one goes on without its permit, which has not come in {NESTED:?}: \
                         the two may be waiting for each other"
                    );
                    turn.begin(None);
                }
            })
        });
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
            turn,
            asking,
            jobs: [job, last],
        }
    }

    pub(crate) fn turn(&self) -> &Arc<BuildTurn> {
        &self.turn
    }
}

/// Tells whoever waits, once: nobody waits for an answer that is lost.
struct Tells {
    services: Arc<Services>,
    turn: Option<Arc<BuildTurn>>,
}

impl Tells {
    fn tell(mut self, permit: Option<Permit>) {
        self.pass_on(permit);
    }

    fn pass_on(&mut self, permit: Option<Permit>) {
        let Some(turn) = self.turn.take() else {
            return;
        };
        if self.services.clock.is_manual() {
            return turn.begin(permit);
        }
        // In the background: to wake who waits may take long, and the bus has others to hear.
        let now = self.services.clock.now();
        self.services.timer.at(now, move |_| turn.begin(permit));
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
        self.turn.has_come() || self.turn.told.wait(pause.unwrap_or(LOOK)).is_some()
    }

    fn poll(&mut self, waker: &Waker) -> bool {
        self.turn.poll(&Context::from_waker(waker)).is_ready()
    }

    fn is_of_this_thread(&self) -> bool {
        false
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        for job in self.jobs.into_iter().flatten() {
            self.services.timer.cancel(job);
        }
        let asking = self.asking.lock().take();
        drop(asking);
        self.turn.end();
    }
}
