//! Which build the running code belongs to, and the circles that builds would wait in.
//!
//! 1. A wait of a build itself that would close a circle is refused before it begins. Edges are added and
//!    searched under one lock, so of the waits that would close a circle together one sees it.
//! 2. A wait *beside* a build, of code that the build has begun and may not wait for, refuses nobody, and is
//!    refused nothing when it begins. Whoever waits so looks whether a circle lasts ([`Edge::circle`]), and
//!    gives way.
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
    /// Whether the build may not wait for this code.
    is_beside: bool,
}

impl Frame {
    pub(crate) fn new(id: FlightId, name: &Arc<str>) -> Self {
        Self {
            id,
            name: Arc::clone(name),
            is_beside: false,
        }
    }

    /// The same for code that the build has begun and may not wait for.
    pub(crate) fn beside(&self) -> Self {
        Self {
            is_beside: true,
            ..self.clone()
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
    needs: Vec<Need>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Need {
    flight: FlightId,
    is_beside: bool,
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
        let need = Need {
            flight,
            is_beside: parent.is_beside,
        };
        let mut nodes = self.nodes.lock();
        // The edge would close a circle where its other end leads back already.
        if !need.is_beside
            && let Some(path) = path(&nodes, flight, parent.id, |it| !it.is_beside)
        {
            return Err(chain(&nodes, &parent.name, name, &path));
        }
        nodes
            .entry(parent.id)
            .or_insert_with(|| Node {
                name: Arc::clone(&parent.name),
                needs: Vec::new(),
            })
            .needs
            .push(need);
        Ok(Edge {
            graph: Arc::clone(self),
            from: parent.id,
            need,
        })
    }

    /// The chain of names, where this wait, which is beside its build, is part of a circle.
    fn circle(&self, from: FlightId, need: Need, name: &str) -> Option<Vec<String>> {
        let nodes = self.nodes.lock();
        let path = path(&nodes, need.flight, from, |_| true)?;
        let parent = &nodes.get(&from)?.name;
        Some(chain(&nodes, parent, name, &path))
    }

    fn forget(&self, from: FlightId, need: Need) {
        let mut nodes = self.nodes.lock();
        let Some(node) = nodes.get_mut(&from) else {
            return;
        };
        if let Some(at) = node.needs.iter().position(|&it| it == need) {
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

/// The names along a circle: a build, what it needs, and the way from there back to the build.
fn chain(
    nodes: &HashMap<FlightId, Node>,
    parent: &Arc<str>,
    name: &str,
    path: &[FlightId],
) -> Vec<String> {
    let mut chain = vec![parent.to_string(), name.to_owned()];
    // The way begins with what is needed, which is named, and ends with the build, which has no node before
    // it needs something.
    chain.extend(path.iter().skip(1).map(|id| {
        let node = nodes.get(id);
        node.map_or(parent, |node| &node.name).to_string()
    }));
    chain
}

/// The way from one flight to another along those of their needs that count, both ends included.
fn path(
    nodes: &HashMap<FlightId, Node>,
    from: FlightId,
    to: FlightId,
    counts: impl Fn(&Need) -> bool,
) -> Option<Vec<FlightId>> {
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
        let needs = nodes.get(&id).map_or(&[][..], |node| &node.needs);
        for next in needs.iter().filter(|it| counts(it)).map(|it| it.flight) {
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
    need: Need,
}

impl Edge {
    /// Whether this is the need of code that a build has begun and may not wait for.
    pub(crate) fn is_beside(&self) -> bool {
        self.need.is_beside
    }

    /// The chain of names, where it is such a need and part of a circle; `name` is that of the function
    /// which is waited for.
    pub(crate) fn circle(&self, name: &str) -> Option<Vec<String>> {
        let circle = || self.graph.circle(self.from, self.need, name);
        self.is_beside().then(circle).flatten()
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        self.graph.forget(self.from, self.need);
    }
}
