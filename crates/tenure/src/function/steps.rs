//! A call taken step by step, by a front door that carries builds itself.

use crate::function::Function;
use crate::key::KeyRef;
use crate::life::call::{Call, Step};
use crate::life::detached::{Awaiting, Detached, Next};
use crate::life::lease::Lease;
use crate::words::bounds::{Failure, Resource};
use crate::words::error::Error;

impl<V: Resource, F: Failure> Function<V, F> {
    /// The next step of a call, for a front door that carries builds itself and lets its callers wait
    /// in its own way. `missed` is false at first, and the same one at each step of a call.
    ///
    /// ```
    /// # use tenure::front::Next;
    /// # use tenure::{Engine, Function, KeyRef, Settings};
    /// # let engine = Engine::new();
    /// # let pools = Function::<u32, String>::plain(&engine, "pool", Settings::default()).unwrap();
    /// let mut missed = false;
    /// let Next::Build(build, caller) = pools.next(&KeyRef::EMPTY, &mut missed).unwrap() else {
    ///     unreachable!("nothing is kept yet");
    /// };
    /// caller.give_up(); // a build belongs to no caller
    /// build.finish(Ok(7), |interrupt| format!("{interrupt:?}"));
    /// let kept = pools.next(&KeyRef::EMPTY, &mut missed).unwrap();
    /// assert!(matches!(kept, Next::Ready(lease) if *lease == 7));
    /// ```
    ///
    /// # Errors
    /// A cycle, a missing session, an interruption by the host.
    pub fn next(&self, key: &KeyRef<'_>, missed: &mut bool) -> Result<Next<V, F>, Error<F>> {
        if let Some(lease) = self.hot_hit(key) {
            return Ok(Next::Ready(lease));
        }
        let host = self.core.services.host();
        let scoped = self.scoped_cache(host.as_deref())?;
        let call = Call::new(&self.core, scoped, host);
        loop {
            return Ok(match call.step(key, missed)? {
                Step::Check(lease) if self.core.settings.validates => Next::Check(lease),
                Step::Check(lease) => match call.accept(lease)? {
                    Some(lease) => Next::Ready(lease),
                    None => continue,
                },
                Step::Build(build) => {
                    let (build, caller) = Detached::part(build);
                    Next::Build(build, caller)
                }
                Step::Wait(waiter) => Next::Wait(Awaiting::of(waiter)),
            });
        }
    }

    /// Takes the answer to a [`Next::Check`]: the resource, or nothing where the caller has to take its
    /// next step again.
    ///
    /// ```
    /// # use tenure::front::Next;
    /// # use tenure::{Engine, Function, KeyRef, Settings};
    /// # let engine = Engine::new();
    /// # let settings = Settings::default().validates(true);
    /// # let pools = Function::<u32, String>::plain(&engine, "pool", settings).unwrap();
    /// # pools.get_or_build(&KeyRef::EMPTY, || Ok(7)).unwrap();
    /// let Next::Check(lease) = pools.next(&KeyRef::EMPTY, &mut false).unwrap() else {
    ///     unreachable!("it is kept, and each access is checked");
    /// };
    /// assert!(pools.checked(lease, false).unwrap().is_none()); // it is released
    /// ```
    ///
    /// # Errors
    /// A missing session, an interruption by the host.
    pub fn checked(&self, lease: Lease<V>, is_good: bool) -> Result<Option<Lease<V>>, Error<F>> {
        if !is_good {
            lease.discard();
            return Ok(None);
        }
        let host = self.core.services.host();
        let scoped = self.scoped_cache(host.as_deref())?;
        Call::<V, F>::new(&self.core, scoped, host).accept(lease)
    }
}
