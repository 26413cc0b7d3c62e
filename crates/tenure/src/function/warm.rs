//! Builds before the first caller comes.

use crate::function::Function;
use crate::ground::sync::Arc;
use crate::key::KeyRef;
use crate::life::aging::warm::{Warmed, warm};
use crate::life::building::again::Again;
use crate::words::bounds::{Failure, Resource};
use crate::words::error::Error;
use crate::words::tags::Tags;

impl<V: Resource, F: Failure> Function<V, F> {
    /// Has the resource under `key` built in the background, so that it is there when the first caller
    /// comes: by `again`, unless it is kept already or somebody is at it. It waits for its turn among the
    /// refreshes ([`Config::refresh_workers`](crate::Config::refresh_workers)), and is no call: it counts
    /// neither as a hit nor as a miss. `done` is told once what became of it, on a thread of the
    /// engine's or of whoever ends the build; it should be quick. What is built carries `tags`.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::sync::mpsc::channel;
    /// use tenure::front::{Detached, Warmed};
    /// use tenure::{Engine, Function, KeyRef, ManualClock, Settings, Tags};
    ///
    /// let engine = Engine::with_clock(ManualClock::new());
    /// let pools = Function::<u32, String>::plain(&engine, "pool", Settings::default())?;
    /// let (told, heard) = channel();
    /// let again = Arc::new(|build: Detached<u32, String>| {
    ///     let outcome = build.run(|| Ok(7));
    ///     build.finish(outcome, |interrupt| format!("{interrupt:?}"));
    /// });
    /// pools.warm(&KeyRef::EMPTY, Tags::default(), again, move |warmed| told.send(warmed).unwrap()).unwrap();
    /// engine.run_due(); // what the background thread does on the system's clock
    /// assert_eq!(heard.recv(), Ok(Warmed::Built));
    /// assert_eq!(*pools.get_or_build(&KeyRef::EMPTY, || unreachable!()).unwrap(), 7);
    /// # Ok::<(), tenure::SettingError>(())
    /// ```
    ///
    /// # Errors
    /// For a session-scoped function: a missing session, an interruption by the host.
    pub fn warm(
        &self,
        key: &KeyRef<'_>,
        tags: Tags,
        again: Again<V, F>,
        done: impl FnOnce(Warmed<F>) + Send + 'static,
    ) -> Result<(), Error<F>> {
        let host = self.core.services.host();
        let scoped = self.scoped_cache(host.as_deref())?;
        warm(Arc::clone(scoped.cache()), key.to_key(), tags, again, done);
        Ok(())
    }
}
