//! What a function hands down to a forked child process, and takes over in one.

use std::any::Any;

use crate::directory::AnyFunction;
use crate::engine::Engine;
use crate::function::Function;
use crate::ground::sync::Arc;
use crate::life::drain::Ends;
use crate::life::heirloom::{Heirloom, Legacy};
use crate::life::removal::ends;
use crate::life::succession::elsewhere;
use crate::words::bounds::{Failure, Resource};
use crate::words::cause::Cause;
use crate::words::fleet::{Bus, Ending, Purpose, Topic};
use crate::words::settings::Fork;

impl Engine {
    /// The functions of these types whose entries are kept over a fork ([`Fork::Keep`]).
    ///
    /// ```
    /// # use tenure::{Engine, Fork, Function, Settings};
    /// # let engine = Engine::new();
    /// let kept = Function::<u32, ()>::plain(&engine, "kept", Settings::default().fork(Fork::Keep))?;
    /// let dropped = Function::<u32, ()>::plain(&engine, "dropped", Settings::default())?;
    /// let all = engine.kept_over_forks::<u32, ()>();
    /// assert_eq!(all.iter().map(|it| it.name()).collect::<Vec<_>>(), ["kept"]);
    /// # Ok::<(), tenure::SettingError>(())
    /// ```
    #[must_use]
    pub fn kept_over_forks<V: Resource, F: Failure>(&self) -> Vec<Arc<Function<V, F>>> {
        let functions = self.functions().into_iter();
        let typed = functions.filter_map(|function| {
            let any: Arc<dyn Any + Send + Sync> = function;
            any.downcast::<Function<V, F>>().ok()
        });
        typed
            .filter(|it| it.core.settings.fork == Fork::Keep)
            .collect()
    }
}

impl<V: Resource, F: Failure> Function<V, F> {
    /// The entries that a child process is to have, for a front door that is about to fork. What is built
    /// or released on other threads after this is as it was for the child. They stay while this lives.
    ///
    /// ```
    /// # use tenure::{Engine, Fork, Function, KeyRef, Settings};
    /// # let engine = Engine::new();
    /// let settings = Settings::default().fork(Fork::Keep);
    /// let models = Function::<u32, ()>::plain(&engine, "model", settings.clone())?;
    /// models.get_or_build(&KeyRef::EMPTY, || Ok(7)).unwrap();
    /// let legacy = models.legacy();
    /// // Then the process forks. In the child:
    /// let engine_of_child = Engine::new();
    /// let its_models = Function::<u32, ()>::plain(&engine_of_child, "model", settings)?;
    /// its_models.inherit(legacy.heirlooms(|model| *model));
    /// assert_eq!(*its_models.get_or_build(&KeyRef::EMPTY, || unreachable!()).unwrap(), 7);
    /// assert!(engine_of_child.shutdown());
    /// let info = its_models.info();
    /// assert_eq!((info.builds, info.all_released()), (0, 0)); // the parent releases it
    /// # Ok::<(), tenure::SettingError>(())
    /// ```
    #[must_use]
    pub fn legacy(&self) -> Legacy<V> {
        self.global.legacy()
    }

    /// Takes over what a parent process has handed down: each is an entry like any other, and is not
    /// released when that ends. Where something stands already that stays. What other members of a fleet have ended
    /// meanwhile ends here ([`Engine::note_ends`]).
    ///
    /// ```
    /// # use tenure::{Engine, Fork, Function, KeyRef, Settings};
    /// # let engine = Engine::new();
    /// # let settings = Settings::default().fork(Fork::Keep);
    /// # let models = Function::<u32, ()>::plain(&engine, "model", settings.clone())?;
    /// # models.get_or_build(&KeyRef::EMPTY, || Ok(7)).unwrap();
    /// # let legacy = models.legacy();
    /// # let its_models = Function::<u32, ()>::plain(&Engine::new(), "model", settings)?;
    /// its_models.inherit(legacy.heirlooms(|model| *model));
    /// assert_eq!(its_models.info().inherited, 1);
    /// its_models.clear().unwrap(); // not released: it goes on in the parent
    /// assert_eq!(*its_models.get_or_build(&KeyRef::EMPTY, || Ok(8)).unwrap(), 8);
    /// assert_eq!((its_models.info().inherited, its_models.info().builds), (0, 1));
    /// # Ok::<(), tenure::SettingError>(())
    /// ```
    pub fn inherit(&self, heirlooms: impl IntoIterator<Item = Heirloom<V>>) {
        for heirloom in heirlooms {
            self.global.inherit(heirloom);
        }
        // Last: what is heard of from here on finds them.
        self.end_noted();
    }

    fn end_noted(&self) {
        let services = &self.core.services;
        let noted = services.fleet.noted();
        if noted.is_empty() {
            return;
        }
        let counted = services.under_way.count();
        let ends = match services.fleet.bus() {
            Some(bus) => {
                let ends = noted.into_iter();
                ends.flat_map(|(topic, ending)| self.end_told(&*bus, topic, ending))
                    .collect()
            }
            // It has left the fleet since, and nobody can say what is meant.
            None => self.take_cleared(Cause::Cleared),
        };
        elsewhere(services, ends, counted);
    }

    /// Takes out what of this another member has ended.
    fn end_told(&self, bus: &dyn Bus, topic: Topic, ending: Ending) -> Ends {
        let is_own = |function| self.core.mark(bus) == Some(function);
        match topic {
            Topic::Everything => self.end_as_told(bus, None, ending),
            Topic::Function(function) if is_own(function) => self.end_as_told(bus, None, ending),
            Topic::Entry { function, entry } if is_own(function) => {
                self.end_as_told(bus, Some(entry), ending)
            }
            Topic::Function(_) | Topic::Entry { .. } => Vec::new(),
            Topic::Tag(_) | Topic::AnyTag => {
                let is_meant = |tag: &str| match topic {
                    Topic::Tag(mark) => bus.mark(Purpose::Tag, &[tag.as_bytes()]) == mark,
                    _ => true,
                };
                let whole = self.carries(&is_meant);
                let mut meant = self.global.live();
                meant.retain(|it| whole || it.tags().iter().any(|tag| is_meant(tag)));
                let cause = ending.cause();
                let taken = meant.into_iter();
                let taken = taken.filter_map(|it| self.global.take(it, cause));
                ends(taken.collect(), cause)
            }
        }
    }
}
