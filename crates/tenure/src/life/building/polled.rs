//! Futures that no task of the program's polls: the timer does, under no lock.

use std::pin::Pin;
use std::task::{Context, Wake, Waker};

use crate::ground::sync::{Arc, Mutex};
use crate::life::services::Services;

/// A future that the timer polls.
pub(crate) struct Polled {
    services: Arc<Services>,
    state: Mutex<State>,
}

struct State {
    /// Nothing while it is being polled, and once it is over.
    future: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// It was woken while it was being polled.
    woken: bool,
}

impl Polled {
    pub(crate) fn begin(services: Arc<Services>, future: Pin<Box<dyn Future<Output = ()> + Send>>) {
        let state = State {
            future: Some(future),
            woken: false,
        };
        let polled = Self {
            services,
            state: Mutex::new(state),
        };
        Arc::new(polled).soon();
    }

    fn soon(self: Arc<Self>) {
        let services = Arc::clone(&self.services);
        let now = services.clock.now();
        services.timer.at(now, move |_| self.poll());
    }

    fn poll(self: Arc<Self>) {
        let waker = Waker::from(Arc::clone(&self));
        let mut cx = Context::from_waker(&waker);
        loop {
            let mut state = self.state.lock();
            let Some(mut future) = state.future.take() else {
                state.woken = true;
                return;
            };
            state.woken = false;
            drop(state);
            if future.as_mut().poll(&mut cx).is_ready() {
                return;
            }
            let mut state = self.state.lock();
            let woken = state.woken;
            state.future = Some(future);
            drop(state);
            if !woken {
                return;
            }
        }
    }
}

impl Wake for Polled {
    fn wake(self: Arc<Self>) {
        self.soon();
    }
}
