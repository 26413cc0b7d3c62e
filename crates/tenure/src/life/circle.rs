//! Which build the running code belongs to, the circles that builds would wait in, and what a build must not
//! be built on.
//!
//! 1. A wait of a build itself that would close a circle is refused before it begins. Edges are added and
//!    searched under one lock, so of the waits that would close a circle together one sees it.
//! 2. A wait *beside* a build, of code that the build has begun and may not wait for, refuses nobody, and is
//!    refused nothing when it begins. Whoever waits so looks whether a circle lasts ([`Edge::circle`]), and
//!    gives way.
//! 3. A build is for everybody who shares its resource, and so is what it has begun: there is no session for
//!    it but one that was entered within it. See docs/design/0017-shared-builds.md.
//!
//! Lock order: the graph's lock is a leaf.

use std::collections::HashMap;

use crate::ground::strand::{Layers, Within};
use crate::ground::sync::{Arc, Mutex, thread_local};

pub(crate) type FlightId = u64;

/// Who shares what a function keeps, the fewest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reach {
    /// Those in one session.
    Session,
    /// Those whom the front door takes for one, as the users of one tenant.
    Callers,
    /// Whoever comes: all in the process, or in one place of it.
    All,
}

/// The flight that the running code belongs to, as the graph needs it.
#[derive(Clone)]
pub(crate) struct Frame {
    id: FlightId,
    name: Arc<str>,
    reach: Reach,
    /// Whether the build may not wait for this code.
    is_beside: bool,
}

impl Frame {
    pub(crate) fn new(id: FlightId, name: &Arc<str>, reach: Reach) -> Self {
        Self {
            id,
            name: Arc::clone(name),
            reach,
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

/// Something that the running code is inside of.
#[derive(Clone)]
enum Layer {
    /// It is a part of this build.
    Build(Frame),
    /// This build has begun it, and does not wait for it.
    Begun(Frame),
    /// It serves a session, which was entered within this build.
    Session(Option<FlightId>),
}

thread_local! {
    /// Gone while a thread ends: what is built there then is inside of nothing.
    static LAYERS: Layers<Layer> = const { Layers::new() };
}

impl std::fmt::Debug for Inside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Inside")
    }
}

/// Marks the code of this strand as part of a flight's build, or as what that has begun, for as long as it
/// lives.
pub(crate) struct Inside {
    _layer: Within<Layer>,
}

impl Inside {
    pub(crate) fn at(frame: Frame) -> Self {
        Self::put(Layer::Build(frame))
    }

    /// In what the build has begun, which may outlive it and is waited for by nobody.
    pub(crate) fn begun_by(frame: Frame) -> Self {
        Self::put(Layer::Begun(frame))
    }

    /// In a session that was entered within this build.
    pub(crate) fn session(within: Option<FlightId>) -> Self {
        Self::put(Layer::Session(within))
    }

    fn put(layer: Layer) -> Self {
        Self {
            _layer: Within::put(&LAYERS, layer),
        }
    }

    /// From the innermost outward, until `visit` answers `false`.
    fn each(visit: impl FnMut(Layer) -> bool) {
        let _ = LAYERS.try_with(|layers| layers.each(visit));
    }

    /// The flight that the present code belongs to, if any.
    pub(crate) fn current() -> Option<Frame> {
        let mut found = None;
        Self::each(|layer| {
            if let Layer::Build(frame) = layer {
                found = Some(frame);
            }
            found.is_none()
        });
        found
    }

    /// The flight whose build the present code belongs to, or was begun by.
    pub(crate) fn innermost() -> Option<FlightId> {
        let mut found = None;
        Self::each(|layer| {
            if let Layer::Build(frame) | Layer::Begun(frame) = layer {
                found = Some(frame.id);
            }
            found.is_none()
        });
        found
    }

    /// All flights whose builds the present code is part of.
    pub(crate) fn flights() -> Vec<FlightId> {
        Self::frames().into_iter().map(|frame| frame.id).collect()
    }

    /// The same as code can be inside of them, outermost first.
    pub(crate) fn frames() -> Vec<Frame> {
        let mut all = Vec::new();
        Self::each(|layer| {
            if let Layer::Build(frame) = layer {
                all.push(frame);
            }
            true
        });
        all.reverse();
        all
    }

    /// The name of the function whose build keeps the present code from what is shared by so few: the
    /// build is for more, and there was no session yet when it began that the code serves.
    pub(crate) fn kept_from(reach: Reach) -> Option<Arc<str>> {
        // Where the session that the code serves was entered, which may be further out than it is marked.
        let mut session = None;
        let mut around = Vec::new();
        Self::each(|layer| {
            match layer {
                Layer::Session(within) => drop(session.get_or_insert(within)),
                Layer::Build(frame) | Layer::Begun(frame) => around.push(frame),
            }
            true
        });
        let entered_in = session.flatten();
        let mut since = around
            .into_iter()
            .take_while(|it| Some(it.id) != entered_in);
        since.find(|it| it.reach > reach).map(|it| it.name)
    }
}

/// The code of this thread serves a session that was entered here, for as long as this lives; from
/// [`enter_session`].
#[derive(Debug)]
pub struct InSession {
    _inside: Inside,
}

/// Has the code of this thread serve a session that it enters here, for a front door whose host tells
/// which: within a build for all, one that was entered before the build began is nobody's.
///
/// ```
/// use tenure::front::enter_session;
/// # use std::sync::Arc;
/// # use tenure::{BuildStart, Engine, Error, Function, Host, HostBuild, Interrupt, KeyRef, Recording, Scope};
/// # use tenure::{SessionId, Settings};
/// # struct OneUser;
/// # impl Host for OneUser {
/// #     fn session(&self) -> Result<Option<SessionId>, Interrupt> { Ok(Some("alice".into())) }
/// #     fn begin(&self, _: &BuildStart<'_>) -> Result<Option<Arc<dyn HostBuild>>, Interrupt> { Ok(None) }
/// #     fn replay(&self, _: &Recording) -> Result<(), Interrupt> { Ok(()) }
/// # }
/// # let engine = Engine::new();
/// # engine.set_host(Some(Arc::new(OneUser)));
/// let own = Settings::default().scope(Scope::Session);
/// let baskets = Function::<u32, String>::plain(&engine, "basket", own)?;
/// let shops = Function::<u32, String>::plain(&engine, "shop", Settings::default())?;
/// let basket = || baskets.get_or_build(&KeyRef::EMPTY, || Ok(7));
/// let shop = shops.get_or_build(&KeyRef::EMPTY, || {
///     assert!(matches!(basket(), Err(Error::SharedBuild { .. })));
///     let _entered = enter_session(); // a session of its own, for a trial order
///     Ok(*basket().unwrap())
/// });
/// assert_eq!(*shop.unwrap(), 7);
/// # Ok::<(), tenure::SettingError>(())
/// ```
#[must_use]
pub fn enter_session() -> InSession {
    InSession {
        _inside: Inside::session(Inside::innermost()),
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
