//! A call taken step by step, by a front door that carries builds itself.

use crate::function::Function;
use crate::key::KeyRef;
use crate::life::building::asked::Asked;
use crate::life::building::detached::{Awaiting, Detached, Next};
use crate::life::building::details::Details;
use crate::life::call::{Call, Step};
use crate::life::lease::Lease;
use crate::words::bounds::{Failure, Resource};
use crate::words::error::Error;

impl<V: Resource, F: Failure> Function<V, F> {
    /// The next step of a call, for a front door that carries builds itself and lets its callers wait
    /// in its own way. `asked` is a new one for each call, and the same one at each of its steps; `details`
    /// gives the call's build, to be carried with nobody waiting for it, and its tags.
    ///
    /// ```
    /// # use tenure::front::{Asked, Next};
    /// # use tenure::{Engine, Function, KeyRef, Settings};
    /// # let engine = Engine::new();
    /// # let pools = Function::<u32, String>::plain(&engine, "pool", Settings::default()).unwrap();
    /// let step = || pools.next(&KeyRef::EMPTY, &mut Asked::default(), &|| None).unwrap();
    /// let Next::Build(build, caller) = step() else {
    ///     unreachable!("nothing is kept yet");
    /// };
    /// caller.give_up(); // a build belongs to no caller
    /// build.finish(Ok(7), |interrupt| format!("{interrupt:?}"));
    /// assert!(matches!(step(), Next::Ready(lease) if *lease == 7));
    /// ```
    ///
    /// # Errors
    /// A cycle, a missing session, an interruption by the host.
    pub fn next(
        &self,
        key: &KeyRef<'_>,
        asked: &mut Asked,
        details: &dyn Details<V, F>,
    ) -> Result<Next<V, F>, Error<F>> {
        if !asked.is_miss()
            && let Some(lease) = self.hot_hit(key)
        {
            return Ok(Next::Ready(lease));
        }
        let host = self.core.services.host();
        let scoped = self.scoped_cache(host.as_deref())?;
        let call = Call::new(&self.core, scoped, host);
        loop {
            return Ok(match call.step(key, asked, details)? {
                Step::Check(lease) if self.core.settings.validates => Next::Check(lease),
                Step::Check(lease) => match call.accept(lease, asked, details)? {
                    Some(lease) => Next::Ready(lease),
                    None => continue,
                },
                Step::Build(mut build) => {
                    call.set_details(&mut build, details);
                    let (build, caller) = Detached::part(build);
                    Next::Build(build, Awaiting::of(caller, asked))
                }
                Step::Wait(waiter) => Next::Wait(Awaiting::of(waiter, asked)),
            });
        }
    }

    /// Takes the end of a caller's wait: the resource, or nothing where the caller has to take its next step again. One
    /// that is out of patience has what may still be handed out in the place of what it waited for.
    ///
    /// ```
    /// # use tenure::front::{Asked, Next};
    /// # use tenure::{Engine, Function, KeyRef, Settings};
    /// # let engine = Engine::new();
    /// # let pools = Function::<u32, String>::plain(&engine, "pool", Settings::default()).unwrap();
    /// let next = pools.next(&KeyRef::EMPTY, &mut Asked::default(), &|| None).unwrap();
    /// let Next::Build(build, caller) = next else {
    ///     unreachable!("nothing is kept yet");
    /// };
    /// build.finish(Ok(7), |interrupt| format!("{interrupt:?}"));
    /// assert_eq!(pools.landed(&KeyRef::EMPTY, caller).unwrap().as_deref(), Some(&7));
    /// ```
    ///
    /// # Errors
    /// The build's failure, an interruption by the host, a build that takes too long.
    pub fn landed(
        &self,
        key: &KeyRef<'_>,
        caller: Awaiting<V, F>,
    ) -> Result<Option<Lease<V>>, Error<F>> {
        match caller.landed() {
            Err(error @ Error::TimedOut { .. }) => {
                let host = self.core.services.host();
                let scoped = self.scoped_cache(host.as_deref())?;
                let call = Call::new(&self.core, scoped, host);
                call.kept_after(key, error).map(Some)
            }
            landed => landed,
        }
    }

    /// Takes the answer to a [`Next::Check`]: the resource, or nothing where the caller has to take its
    /// next step again.
    ///
    /// ```
    /// # use tenure::front::{Asked, Next};
    /// # use tenure::{Engine, Function, KeyRef, Settings};
    /// # let engine = Engine::new();
    /// # let settings = Settings::default().validates(true);
    /// # let pools = Function::<u32, String>::plain(&engine, "pool", settings).unwrap();
    /// # pools.get_or_build(&KeyRef::EMPTY, || Ok(7)).unwrap();
    /// let next = pools.next(&KeyRef::EMPTY, &mut Asked::default(), &|| None).unwrap();
    /// let Next::Check(lease) = next else {
    ///     unreachable!("it is kept, and each access is checked");
    /// };
    /// assert!(pools.checked(lease, false, &Asked::default(), &|| None).unwrap().is_none()); // it is released
    /// ```
    ///
    /// # Errors
    /// A missing session, an interruption by the host.
    pub fn checked(
        &self,
        lease: Lease<V>,
        is_good: bool,
        asked: &Asked,
        details: &dyn Details<V, F>,
    ) -> Result<Option<Lease<V>>, Error<F>> {
        if !is_good {
            lease.discard();
            return Ok(None);
        }
        let host = self.core.services.host();
        let scoped = self.scoped_cache(host.as_deref())?;
        Call::<V, F>::new(&self.core, scoped, host).accept(lease, asked, details)
    }
}
