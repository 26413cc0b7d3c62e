//! An engine as a member of a fleet: what it tells the others through its [`Bus`], and what they tell it
//! through an [`Inlet`].
//!
//! Nothing but marks goes out: no argument, no resource, no name ([`Mark`]). The engine knows no server and no
//! network; whoever does is the bus.

use crate::directory::AnyFunction;
use crate::engine::{Engine, WeakEngine};
use crate::ground::sync::{Arc, Weak};
use crate::life::drain::Ends;
use crate::life::ended_by::EndedBy;
use crate::life::succession::elsewhere;

pub use crate::words::info::Figures;

pub use crate::words::fleet::{
    Asking, Bus, Ending, KnownAs, Lost, Mark, Permit, Purpose, Terms, Topic,
};

impl Engine {
    /// Has the engine be a member of a fleet from now on: what is cleared or expires by a call here is raised on
    /// `bus`, and what the others raise ends here as the [`Inlet`] is told. Takes the place of a fleet that it was
    /// a member of before.
    ///
    /// ```
    /// # use std::sync::{Arc, Mutex};
    /// # use tenure::fleet::{Asking, Bus, Ending, KnownAs, Mark, Permit, Purpose, Topic};
    /// # use tenure::{Behaviour, Engine, Function, KeyRef, Settings};
    /// # #[derive(Default)]
    /// # struct Raised(Mutex<Vec<Topic>>);
    /// # impl Bus for Raised {
    /// #     fn mark(&self, purpose: Purpose, parts: &[&[u8]]) -> Mark {
    /// #         let text = format!("{purpose:?}{parts:?}");
    /// #         Mark(tenure::front::Digests::Fixed.of(text.as_bytes()).to_le_bytes())
    /// #     }
    /// #     fn raise(&self, topic: Topic, _: Ending) { self.0.lock().unwrap().push(topic) }
    /// #     fn ask(&self, _: Mark, _: u32, tell: Box<dyn FnOnce(Option<Permit>) + Send>) -> Asking {
    /// #         tell(None);
    /// #         Box::new(())
    /// #     }
    /// # }
    /// struct Shared;
    /// impl Behaviour<u32> for Shared {
    ///     fn known_as(&self) -> Option<KnownAs> {
    ///         Some(KnownAs::new("pool", "rust"))
    ///     }
    /// }
    ///
    /// let engine = Engine::new();
    /// let bus = Arc::new(Raised::default()); // notes what is raised
    /// let inlet = engine.join_fleet(bus.clone(), Default::default());
    /// let pools = Function::<u32, ()>::new(&engine, "pool", Settings::default(), Box::new(Shared))?;
    /// pools.clear().unwrap();
    /// let topic = bus.0.lock().unwrap()[0];
    ///
    /// pools.get_or_build(&KeyRef::EMPTY, || Ok(7)).unwrap();
    /// inlet.ended(topic, Ending::Cleared); // another member says the same
    /// assert_eq!(pools.info().entries, 0);
    /// # Ok::<(), tenure::SettingError>(())
    /// ```
    pub fn join_fleet(&self, bus: Arc<dyn Bus>, terms: Terms) -> Inlet {
        let before = self.services().fleet.set(Some((Arc::clone(&bus), terms)));
        drop(before);
        for function in self.functions() {
            self.know(&*bus, Arc::downgrade(&function));
        }
        let mark = |tag: &str| bus.mark(Purpose::Tag, &[tag.as_bytes()]);
        self.services().tags.mark(&mark);
        Inlet {
            engine: self.downgrade(),
            bus: Arc::downgrade(&bus),
        }
    }

    /// Has the engine be on its own again. Gives the bus that it had.
    ///
    /// ```
    /// assert!(tenure::Engine::new().leave_fleet().is_none());
    /// ```
    pub fn leave_fleet(&self) -> Option<Arc<dyn Bus>> {
        self.services().fleet.set(None)
    }

    /// The bus of the fleet that the engine is a member of.
    ///
    /// ```
    /// assert!(tenure::Engine::new().fleet().is_none());
    /// ```
    #[must_use]
    pub fn fleet(&self) -> Option<Arc<dyn Bus>> {
        self.services().fleet.bus()
    }

    /// Has what other members end noted from now on, for a front door that has put entries of a parent process aside:
    /// what was meant among them ends as [`Function::inherit`](crate::Function::inherit) takes them over.
    ///
    /// ```
    /// let engine_of_child = tenure::Engine::new();
    /// engine_of_child.note_ends(); // then it joins a fleet
    /// ```
    pub fn note_ends(&self) {
        self.services().fleet.note_ends();
    }

    /// The figures of all functions together, as a member shows them to the others. No hit is held up for them, however
    /// many entries there are.
    ///
    /// ```
    /// # use tenure::{Engine, Function, KeyRef, Settings};
    /// # let engine = Engine::new();
    /// # let pools = Function::<u32, ()>::plain(&engine, "pool", Settings::default()).unwrap();
    /// pools.get_or_build(&KeyRef::EMPTY, || Ok(7)).unwrap();
    /// let all = engine.figures();
    /// assert_eq!((all.functions, all.entries, all.builds), (1, 1, 1));
    /// ```
    #[must_use]
    pub fn figures(&self) -> Figures {
        let mut all = Figures::default();
        for function in self.functions() {
            all.functions += 1;
            function.sum(&mut all);
        }
        all
    }
}

/// What the other members of a fleet tell an engine. It keeps neither the engine nor the bus, and tells nothing to
/// an engine that has gone over to another bus.
#[derive(Clone)]
pub struct Inlet {
    engine: WeakEngine,
    bus: Weak<dyn Bus>,
}

impl std::fmt::Debug for Inlet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Inlet")
    }
}

impl Inlet {
    fn member(&self) -> Option<(Engine, Arc<dyn Bus>)> {
        let engine = self.engine.upgrade()?;
        let bus = engine.services().fleet.bus_if_on(&self.bus)?;
        (!engine.services().is_abandoned()).then_some((engine, bus))
    }

    /// Another member has ended this. It is in no cache any more when this returns, and is released in the
    /// background; builds of it that are under way become orphans.
    pub fn ended(&self, topic: Topic, ending: Ending) {
        let Some((engine, bus)) = self.member() else {
            return;
        };
        let services = engine.services();
        let _ended_by = EndedBy::enter_with(|| "another member of the fleet".to_owned());
        services.fleet.hears(topic, ending);
        // Counted before anything leaves: a shutdown waits for it.
        let counted = services.under_way.count();
        let ends: Ends = match topic {
            Topic::Everything => ended(&engine.functions(), &*bus, None, ending),
            Topic::Function(function) => {
                ended(&services.fleet.known(function), &*bus, None, ending)
            }
            Topic::Entry { function, entry } => {
                ended(&services.fleet.known(function), &*bus, Some(entry), ending)
            }
            Topic::Tag(tag) => engine.take_tagged_as_told(&*bus, Some(tag), ending.cause()),
            Topic::AnyTag => engine.take_tagged_as_told(&*bus, None, ending.cause()),
        };
        elsewhere(services, ends, counted);
    }

    /// What was missed cannot be known any more: everything that members share ends, as the terms say. What carries a tag
    /// ends in every scope, and nothing of it is handed out as stale.
    pub fn forgot(&self) {
        let Some((engine, _)) = self.member() else {
            return;
        };
        let ending = engine.services().fleet.terms().forgot;
        let _ended_by =
            EndedBy::enter("the fleet's server, which had forgotten what was ended".into());
        self.ended(Topic::Everything, ending);
        self.ended(Topic::AnyTag, ending);
    }

    /// The others cannot be heard: calls get what the terms say from here on.
    pub fn lost(&self) {
        if let Some((engine, _)) = self.member()
            && engine.services().fleet.lose(&self.bus)
        {
            engine.functions().iter().for_each(|it| it.be_apart());
        }
    }

    /// All that was missed has been told.
    pub fn caught_up(&self) {
        if let Some((engine, _)) = self.member() {
            engine.services().fleet.catch_up(&self.bus);
        }
    }

    /// The engine's figures, unless it has gone.
    #[must_use]
    pub fn figures(&self) -> Option<Figures> {
        self.member().map(|(engine, _)| engine.figures())
    }
}

fn ended(
    functions: &[Arc<dyn AnyFunction>],
    bus: &dyn Bus,
    entry: Option<Mark>,
    ending: Ending,
) -> Ends {
    let ends = functions.iter();
    ends.flat_map(|it| it.end_as_told(bus, entry, ending))
        .collect()
}
