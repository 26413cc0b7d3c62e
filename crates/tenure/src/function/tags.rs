//! What carries a tag, ended together.

use crate::engine::Engine;
use crate::life::circle::Inside;
use crate::life::drain::Ends;
use crate::life::succession::in_turn;
use crate::words::cause::Cause;

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
        let functions = self.functions().into_iter();
        let whole = functions.filter(|it| it.carries(tag));
        let mut ends: Ends = whole.flat_map(|it| it.take_cleared(cause)).collect();
        // What is cleared is what stood before: not the builds that clear.
        let own = match cause {
            Cause::Cleared => Inside::flights(),
            _ => Vec::new(),
        };
        let each = services.tags.carrying(tag).into_iter();
        ends.extend(each.filter_map(|it| it.take(&own, cause)));
        in_turn(services, ends);
    }
}
