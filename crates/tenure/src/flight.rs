//! One build under way, those who wait for it, and who waits for whom.
//!
//! Invariants
//! 1. A flight lands once: filled, failed, or abandoned. The leader's guard sees to it on every
//!    way out, a panic and a cancelled future included.
//! 2. Who waits learns of the landing, whichever it is. After an abandoned flight the waiters look
//!    again, and one of them leads.
//! 3. A wait that would close a circle is refused before it begins. Edges are added and searched
//!    under one lock, so of the waits that would close a circle together one sees it.
//! 4. No lock is held while a build runs or a waker is called.
//!
//! Lock order: a flight's lock and the graph's are leaves.

use std::cell::RefCell;
use std::collections::HashMap;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::bounds::Resource;
use crate::entry::Lease;
use crate::key::Key;
use crate::observe::{Likeness, Seen};
use crate::record::Observed;
use crate::sync::{Arc, AtomicBool, Condvar, Mutex, Ordering, thread_local};

/// A build under way.
pub(crate) struct Flight<V: Resource, F> {
    pub(crate) id: FlightId,
    pub(crate) key: Key,
    name: Arc<str>,
    /// The observed inputs known when it began, as its leader saw them.
    seen: Seen,
    state: Mutex<State<V, F>>,
    landed: Condvar,
    /// Whether the graph knows this flight.
    linked: AtomicBool,
}

struct State<V: Resource, F> {
    landing: Option<Landing<V, F>>,
    wakers: Vec<Waker>,
}

/// How a flight ended.
pub(crate) enum Landing<V: Resource, F> {
    /// The build gave a resource.
    Filled(Lease<V>),
    /// The build failed, and had observed these inputs until then.
    Failed(F, Option<Observed>),
    /// The builder died; someone else has to build.
    Abandoned,
}

impl<V: Resource, F: Clone> Clone for Landing<V, F> {
    fn clone(&self) -> Self {
        match self {
            Self::Filled(lease) => Self::Filled(lease.clone()),
            Self::Failed(failure, observed) => Self::Failed(failure.clone(), observed.clone()),
            Self::Abandoned => Self::Abandoned,
        }
    }
}

impl<V: Resource, F: Clone> Flight<V, F> {
    pub(crate) fn new(id: FlightId, key: Key, name: Arc<str>, seen: Seen) -> Self {
        Self {
            id,
            key,
            name,
            seen,
            state: Mutex::new(State {
                landing: None,
                wakers: Vec::new(),
            }),
            landed: Condvar::new(),
            linked: AtomicBool::new(false),
        }
    }

    /// Whether a caller that sees this would build the same.
    pub(crate) fn compare(&self, seen: &Seen) -> Likeness {
        self.seen.compare(seen)
    }

    pub(crate) fn land(&self, landing: Landing<V, F>) {
        let wakers = {
            let mut state = self.state.lock();
            debug_assert!(state.landing.is_none(), "a flight lands once");
            state.landing = Some(landing);
            self.landed.notify_all();
            std::mem::take(&mut state.wakers)
        };
        for waker in wakers {
            waker.wake();
        }
    }

    /// Blocks until the flight has landed, or until `patience` has passed.
    pub(crate) fn wait(&self, patience: Option<Duration>) -> Option<Landing<V, F>> {
        let mut state = self.state.lock();
        loop {
            if let Some(landing) = &state.landing {
                return Some(landing.clone());
            }
            match patience {
                None => self.landed.wait(&mut state),
                Some(patience) => {
                    if self.landed.wait_for(&mut state, patience).timed_out() {
                        return state.landing.clone();
                    }
                }
            }
        }
    }

    /// The same for a task.
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<Landing<V, F>> {
        let mut state = self.state.lock();
        if let Some(landing) = &state.landing {
            return Poll::Ready(landing.clone());
        }
        if !state.wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
            state.wakers.push(cx.waker().clone());
        }
        Poll::Pending
    }
}

pub(crate) type FlightId = u64;

/// The flight that the running code belongs to, as the graph needs it.
#[derive(Clone)]
pub(crate) struct Frame {
    id: FlightId,
    name: Arc<str>,
}

thread_local! {
    static FRAMES: RefCell<Vec<Frame>> = const { RefCell::new(Vec::new()) };
}

/// Marks the code of this thread as part of a flight's build, for as long as it lives.
pub(crate) struct Inside {
    _not_send: std::marker::PhantomData<*const ()>,
}

impl Inside {
    pub(crate) fn enter<V: Resource, F>(flight: &Flight<V, F>) -> Self {
        let frame = Frame {
            id: flight.id,
            name: Arc::clone(&flight.name),
        };
        FRAMES.with(|frames| frames.borrow_mut().push(frame));
        Self {
            _not_send: std::marker::PhantomData,
        }
    }

    /// The flight that the present code belongs to, if any.
    pub(crate) fn current() -> Option<Frame> {
        FRAMES.with(|frames| frames.borrow().last().cloned())
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        // Dropped outside the borrow, as everything that may run a destructor.
        let frame = FRAMES.with(|frames| frames.borrow_mut().pop());
        drop(frame);
    }
}

/// Which flight needs which other one, among those that need one at all.
#[derive(Default)]
pub(crate) struct WaitGraph {
    nodes: Mutex<HashMap<FlightId, Node>>,
}

struct Node {
    name: Arc<str>,
    needs: Vec<FlightId>,
}

impl WaitGraph {
    /// Notes that `parent`'s build waits for `flight`, until the edge is dropped.
    ///
    /// # Errors
    /// The chain of names, when `flight` needs `parent`.
    pub(crate) fn need<V: Resource, F>(
        &self,
        parent: &Frame,
        flight: &Flight<V, F>,
    ) -> Result<Edge<'_>, Vec<String>> {
        let mut nodes = self.nodes.lock();
        flight.linked.store(true, Ordering::Relaxed);
        if let Some(path) = path(&nodes, flight.id, parent.id) {
            let mut chain = vec![parent.name.to_string(), flight.name.to_string()];
            chain.extend(path.iter().skip(1).map(|id| {
                let node = nodes.get(id);
                node.map_or(&parent.name, |node| &node.name).to_string()
            }));
            return Err(chain);
        }
        nodes
            .entry(parent.id)
            .or_insert_with(|| Node {
                name: Arc::clone(&parent.name),
                needs: Vec::new(),
            })
            .needs
            .push(flight.id);
        nodes.entry(flight.id).or_insert_with(|| Node {
            name: Arc::clone(&flight.name),
            needs: Vec::new(),
        });
        Ok(Edge {
            graph: self,
            from: parent.id,
            to: flight.id,
        })
    }

    fn forget(&self, from: FlightId, to: FlightId) {
        let mut nodes = self.nodes.lock();
        if let Some(node) = nodes.get_mut(&from) {
            if let Some(at) = node.needs.iter().position(|&id| id == to) {
                node.needs.swap_remove(at);
            }
            if node.needs.is_empty() {
                nodes.remove(&from);
            }
        }
        let idle = nodes.get(&to).is_some_and(|node| node.needs.is_empty());
        if idle {
            nodes.remove(&to);
        }
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.nodes.lock().is_empty()
    }
}

/// The way from one flight to another along what they need, both ends included.
fn path(nodes: &HashMap<FlightId, Node>, from: FlightId, to: FlightId) -> Option<Vec<FlightId>> {
    let mut came_from: HashMap<FlightId, FlightId> = HashMap::new();
    let mut open = vec![from];
    while let Some(id) = open.pop() {
        if id == to {
            let mut path = vec![id];
            let mut at = id;
            while at != from {
                at = came_from[&at];
                path.push(at);
            }
            path.reverse();
            return Some(path);
        }
        for &next in nodes.get(&id).map_or(&[][..], |node| &node.needs) {
            if next != from && !came_from.contains_key(&next) {
                came_from.insert(next, id);
                open.push(next);
            }
        }
    }
    None
}

/// One flight's need of another.
pub(crate) struct Edge<'a> {
    graph: &'a WaitGraph,
    from: FlightId,
    to: FlightId,
}

impl Drop for Edge<'_> {
    fn drop(&mut self) {
        self.graph.forget(self.from, self.to);
    }
}
