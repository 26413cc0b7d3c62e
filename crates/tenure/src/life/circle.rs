//! Which build the running code belongs to, and the circles that builds would wait in.
//!
//! Invariant: a wait that would close a circle is refused before it begins. Edges are added and searched
//! under one lock, so of the waits that would close a circle together one sees it.
//!
//! Lock order: the graph's lock is a leaf.

use std::collections::HashMap;

use crate::ground::strand::{Layers, Within};
use crate::ground::sync::{Arc, Mutex, thread_local};

pub(crate) type FlightId = u64;

/// The flight that the running code belongs to, as the graph needs it.
#[derive(Clone)]
pub(crate) struct Frame {
    id: FlightId,
    name: Arc<str>,
}

impl Frame {
    pub(crate) fn new(id: FlightId, name: &Arc<str>) -> Self {
        Self {
            id,
            name: Arc::clone(name),
        }
    }

    pub(crate) fn id(&self) -> FlightId {
        self.id
    }
}

thread_local! {
    /// Gone while a thread ends: what is built there then is inside of nothing.
    static FRAMES: Layers<Frame> = const { Layers::new() };
}

impl std::fmt::Debug for Inside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Inside")
    }
}

/// Marks the code of this strand as part of a flight's build, for as long as it lives.
pub(crate) struct Inside {
    _frame: Within<Frame>,
}

impl Inside {
    pub(crate) fn enter(id: FlightId, name: &Arc<str>) -> Self {
        Self::at(Frame::new(id, name))
    }

    pub(crate) fn at(frame: Frame) -> Self {
        Self {
            _frame: Within::put(&FRAMES, frame),
        }
    }

    /// The flight that the present code belongs to, if any.
    pub(crate) fn current() -> Option<Frame> {
        FRAMES.try_with(Layers::last).ok().flatten()
    }

    /// All flights whose builds the present code is part of.
    pub(crate) fn flights() -> Vec<FlightId> {
        Self::frames().into_iter().map(|frame| frame.id).collect()
    }

    /// The same as code can be inside of them, outermost first.
    pub(crate) fn frames() -> Vec<Frame> {
        let mut all = Vec::new();
        let _ = FRAMES.try_with(|frames| {
            frames.each(|frame| {
                all.push(frame);
                true
            });
        });
        all.reverse();
        all
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
    /// Notes that `parent`'s build waits for `flight`, which builds for the function `name`, until
    /// the edge is dropped.
    ///
    /// # Errors
    /// The chain of names, when `flight` needs `parent`.
    pub(crate) fn need(
        self: &Arc<Self>,
        parent: &Frame,
        flight: FlightId,
        name: &str,
    ) -> Result<Edge, Vec<String>> {
        let mut nodes = self.nodes.lock();
        // The edge would close a circle where its other end leads back already.
        if let Some(path) = path(&nodes, flight, parent.id) {
            let mut chain = vec![parent.name.to_string(), name.to_owned()];
            // It begins with `flight`, which is named, and ends with the parent, which has no node before it
            // needs something.
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
            .push(flight);
        Ok(Edge {
            graph: Arc::clone(self),
            from: parent.id,
            to: flight,
        })
    }

    fn forget(&self, from: FlightId, to: FlightId) {
        let mut nodes = self.nodes.lock();
        let Some(node) = nodes.get_mut(&from) else {
            return;
        };
        if let Some(at) = node.needs.iter().position(|&id| id == to) {
            node.needs.swap_remove(at);
        }
        if node.needs.is_empty() {
            nodes.remove(&from);
        }
    }

    /// How many flights need another one.
    pub(crate) fn len(&self) -> usize {
        self.nodes.lock().len()
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
            // Each is come to once, and the first one never, which is where the way back ends.
            if next != from && !came_from.contains_key(&next) {
                came_from.insert(next, id);
                open.push(next);
            }
        }
    }
    None
}

/// One flight's need of another.
pub(crate) struct Edge {
    graph: Arc<WaitGraph>,
    from: FlightId,
    to: FlightId,
}

impl Drop for Edge {
    fn drop(&mut self) {
        self.graph.forget(self.from, self.to);
    }
}
