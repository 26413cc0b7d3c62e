//! What carries a tag, ended together.

use crate::directory::AnyFunction;
use crate::engine::Engine;
use crate::ground::sync::Arc;
use crate::life::circle::{FlightId, Inside};
use crate::life::drain::Ends;
use crate::life::succession::in_turn;
use crate::life::tagged::Tagged;
use crate::words::cause::Cause;
use crate::words::fleet::{Bus, Ending, Mark, Purpose, Topic};

impl Engine {
    /// Clears every entry that carries this tag: of all functions, in every scope. A build under way that
    /// carries it becomes an orphan, but for one that clears.
    ///
    /// ```
    /// # use tenure::{Cause, Engine, Function, KeyRef, Settings};
    /// # let engine = Engine::new();
    /// let settings = Settings::default().tags(["billing"]);
    /// let pools = Function::<u32, ()>::plain(&engine, "pool", settings)?;
    /// pools.get_or_build(&KeyRef::EMPTY, || Ok(7)).unwrap();
    /// engine.clear_tag("billing");
    /// assert_eq!(pools.info().released(Cause::Cleared), 1);
    /// # Ok::<(), tenure::SettingError>(())
    /// ```
    pub fn clear_tag(&self, tag: &str) {
        self.end_tagged(tag, Cause::Cleared);
    }

    /// Ends whatever carries this tag, for this cause, as [`clear_tag`](Self::clear_tag) does. Whatever a tag
    /// is cleared by comes here.
    ///
    /// ```
    /// # use tenure::{Cause, Engine, Function, KeyRef, Settings};
    /// # let engine = Engine::new();
    /// # let settings = Settings::default().tags(["billing"]);
    /// # let pools = Function::<u32, ()>::plain(&engine, "pool", settings).unwrap();
    /// # pools.get_or_build(&KeyRef::EMPTY, || Ok(7)).unwrap();
    /// engine.end_tagged("billing", Cause::Expired);
    /// assert_eq!(pools.info().released(Cause::Expired), 1);
    /// ```
    pub fn end_tagged(&self, tag: &str, cause: Cause) {
        let services = self.services();
        let _under_way = services.under_way.begin();
        // What is cleared is what stood before: not the builds that clear.
        let own = match cause {
            Cause::Cleared => Inside::flights(),
            _ => Vec::new(),
        };
        let each = services.tags.carrying(tag);
        let whole = self.tagged(&|it| it == tag);
        let ends = take(&whole, &each, &own, cause);
        if let Some(bus) = services.fleet.bus()
            && cause == Cause::Cleared
        {
            let tag = bus.mark(Purpose::Tag, &[tag.as_bytes()]);
            bus.raise(Topic::Tag(tag), Ending::Cleared);
            // What another member has ended may have carried it too, and that is not known any more.
            self.functions().iter().for_each(|it| it.build_at_once());
        }
        in_turn(services, ends);
    }

    /// Takes out what carries a tag that another member of the fleet has ended, or any tag at all where it may have
    /// been any, for a caller that has begun the release. Nobody's scope is spared: what a tag stands for, a credential
    /// say, may be used in all of them.
    pub(crate) fn take_tagged_as_told(
        &self,
        bus: &dyn Bus,
        mark: Option<Mark>,
        cause: Cause,
    ) -> Ends {
        let tags = &self.services().tags;
        let is_meant = |tag: &str| match mark {
            None => true,
            Some(mark) => bus.mark(Purpose::Tag, &[tag.as_bytes()]) == mark,
        };
        let whole = self.tagged(&is_meant);
        let each = mark.map_or_else(|| tags.all(), |mark| tags.marked(mark));
        whole.iter().for_each(|it| it.put_off());
        each.iter().for_each(|it| it.put_off());
        take(&whole, &each, &[], cause)
    }

    /// The functions whose own tag is meant.
    fn tagged(&self, is_meant: &dyn Fn(&str) -> bool) -> Vec<Arc<dyn AnyFunction>> {
        let mut functions = self.functions();
        functions.retain(|it| it.carries(is_meant));
        functions
    }
}

/// Takes out all that these functions keep, and each of these.
fn take(
    whole: &[Arc<dyn AnyFunction>],
    each: &[Arc<Tagged>],
    own: &[FlightId],
    cause: Cause,
) -> Ends {
    let mut ends: Ends = whole.iter().flat_map(|it| it.take_cleared(cause)).collect();
    ends.extend(each.iter().filter_map(|it| it.take(own, cause)));
    ends
}
