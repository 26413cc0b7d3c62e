//! The checks of two members and a server: what must hold, whatever happens in whichever order.

use stateright::{Checker, HasDiscoveries, Model, Property};

use super::flaw::Flaw;
use super::world::{Action, Bounds, Member, World};
use crate::machine::Phase;

/// Without this, nothing was checked.
const HAPPENS: &str = "all was raised, and both know";

/// All that may happen within bounds.
pub(super) struct Bus(pub(super) Bounds);

impl Model for Bus {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(&self.0)]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        let known = |action: &Action| !matches!(action, Action::Raise(_, entry) if *entry >= self.0.entries);
        actions.extend(world.may_happen().into_iter().filter(known));
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = world.clone();
        next.happens(action).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(
                "whoever is caught up has nothing that is older than what had been raised",
                |_, world: &World| {
                    world.members.iter().all(|member| {
                        member.machine.phase() != Phase::CaughtUp
                            || (0..2).all(|entry| member.built[entry] >= member.must[entry])
                    })
                },
            ),
            Property::always(
                "what was raised waits, or has reached a server",
                |_, world: &World| {
                    world
                        .members
                        .iter()
                        .all(|member| member.unsent.is_empty() || !member.outbox.is_empty())
                },
            ),
            Property::always(
                "whoever is caught up and has nothing to come knows all, where nothing was lost on the way or put back",
                |bus: &Self, world: &World| {
                    world.left.lost < bus.0.lost
                        || world.left.backs < bus.0.backs
                        || (0..2).all(|at| {
                            let member = &world.members[at];
                            !member.machine.is_settled()
                                || world.is_busy(at)
                                || (0..2).all(|entry| member.built[entry] >= world.arrived[entry])
                        })
                },
            ),
            Property::always(
                "a server that has not gone back is not taken for one that did",
                |bus: &Self, world: &World| {
                    world.left.backs < bus.0.backs
                        || !world.members.iter().any(|member| member.machine.disowns())
                },
            ),
            Property::sometimes(HAPPENS, |_, world: &World| {
                let known = |member: &Member| {
                    member.machine.is_settled()
                        && (0..2).all(|entry| member.built[entry] >= world.arrived[entry])
                };
                world.left.raises == [0; 2]
                    && world.arrived.contains(&world.version)
                    && world.members.iter().all(known)
            }),
        ]
    }
}

/// Checks all that may happen within these bounds: how many states there are.
///
/// # Panics
///
/// Where something does not hold, with what led to it.
pub(super) fn holds(bounds: Bounds) -> usize {
    let checker = Bus(bounds).checker().threads(2).spawn_bfs().join();
    checker.assert_properties();
    checker.unique_state_count()
}

/// The way to a state in which something does not hold, with this flaw.
///
/// # Panics
///
/// Where there is nothing.
pub(super) fn breaks(bounds: Bounds, flaw: Flaw) -> Vec<Action> {
    let bounds = Bounds {
        flaw: Some(flaw),
        ..bounds
    };
    let checker = Bus(bounds)
        .checker()
        .threads(2)
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    let found = checker
        .discoveries()
        .into_iter()
        .find(|(name, _)| *name != HAPPENS);
    let Some((_, path)) = found else {
        panic!(
            "{flaw:?} was not noticed in {} states",
            checker.unique_state_count()
        );
    };
    path.into_actions()
}
