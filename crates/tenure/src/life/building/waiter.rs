//! A caller that waits for a build: counted, shown, and known to the wait graph while it lives.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use crate::ground::sync::Arc;
use crate::host::shown::Shown;
use crate::life::building::asked::Asked;
use crate::life::building::asker::Asker;
use crate::life::building::hearer::Hearer;
use crate::life::building::patience::Patience;
use crate::life::building::stalled::Watch;
use crate::life::circle::Edge;
use crate::life::flight::{Arrival, Flight, Landing};
use crate::life::lease::Lease;
use crate::words::bounds::{Failure, Resource};
use crate::words::error::Error;
use crate::words::info;

/// A caller that waits for a build.
pub(crate) struct Waiter<V: Resource, F: Failure> {
    asker: Asker<V>,
    hearer: Hearer<V, F>,
    /// Whether this caller began the build: what it gives is meant for the caller in any case, and what
    /// it put out stands there already.
    led: bool,
    shown: Option<Shown>,
    edge: Option<Edge>,
    _watch: Option<Watch>,
    _counted: info::WaitCount,
}

impl<V: Resource, F: Failure> Waiter<V, F> {
    pub(crate) fn begin(asker: &Asker<V>, hearer: Hearer<V, F>) -> Result<Self, Error<F>> {
        let flight = hearer.flight();
        let edge = asker.edge(flight)?;
        let shown = asker.begin(flight, edge.is_some(), true)?;
        let core = &asker.core;
        Ok(Self {
            shown,
            led: false,
            edge,
            _watch: Watch::begin(&core.services, &core.name, &flight.polls),
            _counted: core.counters.waits(),
            asker: asker.clone(),
            hearer,
        })
    }

    /// The wait of the caller that began the build.
    pub(crate) fn of_caller(
        asker: &Asker<V>,
        flight: &Arc<Flight<V, F>>,
        edge: Option<Edge>,
    ) -> Self {
        Self {
            asker: asker.clone(),
            hearer: Hearer::begin(&asker.core, flight),
            led: true,
            shown: None,
            edge,
            _watch: None,
            _counted: asker.core.counters.waits(),
        }
    }

    pub(crate) fn flight(&self) -> &Arc<Flight<V, F>> {
        self.hearer.flight()
    }

    /// Whether the code that waits was begun by a build which may not wait for it.
    pub(crate) fn is_beside(&self) -> bool {
        self.edge.as_ref().is_some_and(Edge::is_beside)
    }

    /// The chain of names, where it is such code and waits in a circle now.
    pub(crate) fn circle(&self) -> Option<Vec<String>> {
        self.edge.as_ref()?.circle(&self.asker.core.name)
    }

    /// The landing as a future.
    pub(crate) fn arrival(&self) -> Arrival<V, F> {
        self.hearer.arrival()
    }

    /// How long this caller waits, where that is bounded.
    pub(crate) fn patience(&self, asked: &mut Asked) -> Option<Patience> {
        let core = &self.asker.core;
        let until = asked.until(core)?;
        let flight = Arc::clone(self.flight());
        Some(Patience::begin(&core.services, until, move || {
            flight.nudge()
        }))
    }

    /// The landing, as a task waits for it: nothing where it is out of patience before that.
    pub(crate) async fn arrived(&self, patience: Option<&Patience>) -> Option<Landing<V, F>> {
        let mut arrival = self.arrival();
        poll_fn(|cx| match Pin::new(&mut arrival).poll(cx) {
            Poll::Ready(landing) => Poll::Ready(Some(landing)),
            Poll::Pending => match patience.map(|it| it.poll(cx)) {
                Some(Poll::Ready(())) => Poll::Ready(None),
                _ => Poll::Pending,
            },
        })
        .await
    }

    /// The caller is out of patience.
    pub(crate) fn timed_out(self, patience: &Patience) -> Error<F> {
        let error = Error::TimedOut {
            function: self.asker.core.name.to_string(),
            waited: patience.in_all,
        };
        self.give_up();
        error
    }

    /// The wait has ended before the build has.
    pub(crate) fn give_up(self) {
        if let Some(shown) = self.shown {
            shown.end(false);
        }
    }

    /// It counts as no caller any more, and hears how the build ends.
    pub(crate) fn only_hears(self) -> Hearer<V, F> {
        if let Some(shown) = self.shown {
            shown.end(false);
        }
        self.hearer
    }

    /// What the build has ended with, or nothing where the caller has to look again.
    pub(crate) fn landed(self, landing: Landing<V, F>) -> Result<Option<Lease<V>>, Error<F>> {
        let Self {
            asker,
            led,
            shown,
            edge,
            _watch: watch,
            _counted: counted,
            hearer,
        } = self;
        if let Some(shown) = shown {
            shown.end(true);
        }
        drop((edge, watch, counted));
        match landing {
            Landing::Filled(entry) if led => Ok(Some(Lease::new(entry))),
            // Who woke late may have slept past its expiry.
            Landing::Filled(entry) if entry.is_gone() => Ok(None),
            Landing::Filled(entry) => {
                let observed = entry.observed().map(|(_, observed)| observed);
                if !asker.sees_the_same(observed)? {
                    return Ok(None);
                }
                asker.replayed(Lease::new(entry)).map(Some)
            }
            Landing::Failed(failure, observed) => {
                if led || asker.sees_the_same(observed.as_ref())? {
                    hearer.heard();
                    Err(Error::Failed(failure))
                } else {
                    Ok(None)
                }
            }
            Landing::HandedOn => Ok(None),
        }
    }
}
