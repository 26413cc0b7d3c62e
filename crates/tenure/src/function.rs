//! A cached function: its settings, its caches in every scope, and the call that ties them.

use std::any::Any;
use std::fmt;

use crate::directory::{AnyFunction, Leftover, Unreleased};
use crate::engine::Engine;
use crate::ground::clock::{NEVER, Nanos, nanos};
use crate::ground::sync::{Arc, HashMap, Mutex, Weak};
use crate::host::{Host, SessionId};
use crate::key::KeyRef;
use crate::life::cache::{Cache, Put};
use crate::life::call::{Call, Place, Step};
use crate::life::carry::{Here, Plan};
use crate::life::detached::{Awaiting, Detached, Next};
use crate::life::drain::End;
use crate::life::entry::Built;
use crate::life::hot::Hot;
use crate::life::lease::Lease;
use crate::life::release::{Unkept, release};
use crate::life::shared::{Departed, Looks, Shared};
use crate::life::waiting::{AsHostWishes, Waiting};
use crate::sessions;
use crate::words::behaviour::Behaviour;
use crate::words::bounds::{Failure, Resource};
use crate::words::cause::Cause;
use crate::words::error::{BuildError, Error, Interrupt, SettingError};
use crate::words::info::Info;
use crate::words::inspect::Inspection;
use crate::words::settings::{Scope, Settings, Spinner};

/// A cached function over resources `V` and failures `F`.
///
/// A failure is handed to every caller that waited, so it must be `Clone`. When it is dropped, it
/// releases what it holds, with cause `Superseded`.
///
/// ```
/// use tenure::{Encoder, Engine, Function, Settings};
///
/// let engine = Engine::new();
/// let squares = Function::<u64, String>::plain(&engine, "square", Settings::default())?;
/// let mut key = Encoder::new();
/// key.framed(1, &7u64.to_le_bytes());
/// let lease = squares.get_or_build(&key.finish(), || Ok(49)).unwrap();
/// assert_eq!(*lease, 49);
/// assert_eq!(squares.info().builds, 1);
/// # Ok::<(), tenure::SettingError>(())
/// ```
pub struct Function<V: Resource, F: Failure> {
    pub(crate) shared: Arc<Shared<V>>,
    engine: Engine,
    /// Whether a hit needs neither a check nor a session.
    quick: bool,
    global: Arc<Cache<V, F>>,
    sessions: Mutex<HashMap<SessionId, Arc<Cache<V, F>>>>,
    me: Weak<Self>,
}

impl<V: Resource, F: Failure> fmt::Debug for Function<V, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Function")
            .field("name", &self.name())
            .field("settings", self.settings())
            .finish_non_exhaustive()
    }
}

struct Plain;

impl<V: Resource> Behaviour<V> for Plain {}

impl<V: Resource, F: Failure> Function<V, F> {
    /// A function whose resources need no check and no callback.
    ///
    /// ```
    /// # use tenure::{Engine, Function, Settings};
    /// # let engine = Engine::new();
    /// let none = Settings::default().max_entries(0);
    /// assert!(Function::<u32, ()>::plain(&engine, "pool", none).is_err());
    /// assert!(Function::<u32, ()>::plain(&engine, "pool", Settings::default()).is_ok());
    /// ```
    ///
    /// # Errors
    /// A setting that cannot be.
    pub fn plain(
        engine: &Engine,
        name: &str,
        settings: Settings,
    ) -> Result<Arc<Self>, SettingError> {
        Self::new(engine, name, settings, Box::new(Plain))
    }

    /// A function with its own check and release. The check is asked where
    /// [`Settings::validates`] is set.
    ///
    /// ```
    /// # use tenure::{Behaviour, Engine, Function, Interrupt, KeyRef, Settings};
    /// struct Checked;
    ///
    /// impl Behaviour<u32> for Checked {
    ///     fn validate(&self, pool: &u32) -> Result<bool, Interrupt> {
    ///         Ok(*pool != 7)
    ///     }
    /// }
    ///
    /// # let engine = Engine::new();
    /// let settings = Settings::default().validates(true);
    /// let pools = Function::<u32, ()>::new(&engine, "pool", settings, Box::new(Checked))?;
    /// pools.get_or_build(&KeyRef::EMPTY, || Ok(7)).unwrap();
    /// assert_eq!(*pools.get_or_build(&KeyRef::EMPTY, || Ok(8)).unwrap(), 8);
    /// # Ok::<(), tenure::SettingError>(())
    /// ```
    ///
    /// # Errors
    /// A setting that cannot be.
    pub fn new(
        engine: &Engine,
        name: &str,
        settings: Settings,
        behaviour: Box<dyn Behaviour<V>>,
    ) -> Result<Arc<Self>, SettingError> {
        settings.check()?;
        let looks = Looks {
            spinner: settings.spinner.clone(),
            show_time: settings.show_time,
        };
        let shared = Arc::new(Shared {
            name: Arc::from(name),
            looks: Mutex::new(looks),
            ttl: settings.ttl.map_or(NEVER, nanos),
            settings,
            behaviour,
            leave: Departed::begin,
            services: Arc::clone(engine.services()),
            clock: engine.services().clock.clone(),
            counters: Arc::default(),
            hot: Hot::new(),
        });
        let function = Arc::new_cyclic(|me| Self {
            quick: shared.settings.is_quick(),
            global: Cache::new(Arc::clone(&shared)),
            sessions: Mutex::default(),
            me: Weak::clone(me),
            engine: engine.clone(),
            shared,
        });
        let any: Weak<dyn AnyFunction> = function.me.clone();
        engine.add_function(any);
        Ok(function)
    }

    /// The function's name, as messages, spinners and events show it.
    ///
    /// ```
    /// # use tenure::{Engine, Function, Settings};
    /// # let engine = Engine::new();
    /// let pools = Function::<u32, ()>::plain(&engine, "pool", Settings::default())?;
    /// assert_eq!(pools.name(), "pool");
    /// # Ok::<(), tenure::SettingError>(())
    /// ```
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// The behaviour that it was made with, for a front door that knows more of it.
    ///
    /// ```
    /// # use std::any::Any;
    /// # use tenure::{Behaviour, Engine, Function, Settings};
    /// struct Files;
    /// impl Behaviour<u32> for Files {}
    ///
    /// # let engine = Engine::new();
    /// let files = Function::<u32, ()>::new(&engine, "f", Settings::default(), Box::new(Files))?;
    /// let behaviour: &dyn Any = files.behaviour();
    /// assert!(behaviour.is::<Files>());
    /// # Ok::<(), tenure::SettingError>(())
    /// ```
    #[must_use]
    pub fn behaviour(&self) -> &dyn Behaviour<V> {
        &*self.shared.behaviour
    }

    /// Changes what builds show from now on; the entries stay, and so do the
    /// [settings](Self::settings).
    ///
    /// ```
    /// # use std::sync::{Arc, Mutex};
    /// # use tenure::{
    /// #     BuildStart, Engine, Function, Host, HostBuild, Interrupt, KeyRef, Recording, SessionId,
    /// #     Settings, Spinner,
    /// # };
    /// # static SHOWN: Mutex<Option<String>> = Mutex::new(None);
    /// # struct Texts;
    /// # impl Host for Texts {
    /// #     fn session(&self) -> Result<Option<SessionId>, Interrupt> { Ok(None) }
    /// #     fn begin(&self, start: &BuildStart<'_>) -> Result<Option<Arc<dyn HostBuild>>, Interrupt> {
    /// #         SHOWN.lock().unwrap().clone_from(&start.text);
    /// #         Ok(None)
    /// #     }
    /// #     fn replay(&self, _: &Recording) -> Result<(), Interrupt> { Ok(()) }
    /// # }
    /// # let engine = Engine::new();
    /// # engine.set_host(Some(Arc::new(Texts))); // notes the text in `SHOWN`
    /// # let pools = Function::<u32, ()>::plain(&engine, "pool", Settings::default()).unwrap();
    /// pools.set_looks(Spinner::Text("Connecting".into()), false);
    /// pools.get_or_build(&KeyRef::EMPTY, || Ok(7)).unwrap();
    /// assert_eq!(SHOWN.lock().unwrap().as_deref(), Some("Connecting"));
    /// ```
    pub fn set_looks(&self, spinner: Spinner, show_time: bool) {
        let looks = Looks { spinner, show_time };
        let before = std::mem::replace(&mut *self.shared.looks.lock(), looks);
        drop(before);
    }

    /// The settings that the function was made with.
    ///
    /// ```
    /// # use tenure::{Engine, Function, Settings};
    /// # let engine = Engine::new();
    /// let settings = Settings::default().max_entries(8);
    /// let pools = Function::<u32, ()>::plain(&engine, "pool", settings)?;
    /// assert_eq!(pools.settings().max_entries, Some(8));
    /// # Ok::<(), tenure::SettingError>(())
    /// ```
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    /// Looks at the live entry of a global function, and counts a hit.
    ///
    /// The short way for a front door: `None` where there is no entry, and where an access has to
    /// be validated or replayed. No lock is held while `look` runs.
    ///
    /// ```
    /// # use tenure::{Engine, Function, KeyRef, Settings};
    /// # let engine = Engine::new();
    /// # let pools = Function::<u32, ()>::plain(&engine, "pool", Settings::default()).unwrap();
    /// assert_eq!(pools.peek(&KeyRef::EMPTY, |pool| *pool), None);
    /// pools.get_or_build(&KeyRef::EMPTY, || Ok(7)).unwrap();
    /// assert_eq!(pools.peek(&KeyRef::EMPTY, |pool| *pool), Some(7));
    /// ```
    #[inline]
    pub fn peek<T>(&self, key: &KeyRef<'_>, look: impl FnOnce(&V) -> T) -> Option<T> {
        self.hit(key).map(|lease| look(&lease))
    }

    /// The resource under `key`; `build` runs where there is none, once for all who ask.
    ///
    /// ```
    /// # use tenure::{Engine, Error, Function, KeyRef, Settings};
    /// # let engine = Engine::new();
    /// # let pools = Function::<u32, String>::plain(&engine, "pool", Settings::default()).unwrap();
    /// let failed = pools.get_or_build(&KeyRef::EMPTY, || Err("no route".to_owned()));
    /// assert!(matches!(failed, Err(Error::Failed(text)) if text == "no route"));
    /// let one = pools.get_or_build(&KeyRef::EMPTY, || Ok(7)).unwrap(); // no error is kept
    /// let two = pools.get_or_build(&KeyRef::EMPTY, || unreachable!()).unwrap();
    /// assert!(two.same_entry(&one));
    /// ```
    ///
    /// # Errors
    /// The build's failure, a cycle, a missing session, an interruption by the host.
    #[inline]
    pub fn get_or_build(
        &self,
        key: &KeyRef<'_>,
        build: impl FnOnce() -> Result<V, F>,
    ) -> Result<Lease<V>, Error<F>> {
        self.call(key, build)
    }

    #[inline]
    pub(crate) fn call<B: Into<Built<V>>>(
        &self,
        key: &KeyRef<'_>,
        build: impl FnOnce() -> Result<B, F>,
    ) -> Result<Lease<V>, Error<F>> {
        match self.hot_hit(key) {
            Some(lease) => Ok(lease),
            None => {
                let waiting = AsHostWishes(self.shared.services.host());
                self.call_while(key, &waiting, || build().map_err(BuildError::Failed))
            }
        }
    }

    /// Gets or builds as [`get_or_build`](Self::get_or_build) does, for a caller whose wait or build
    /// can be ended from outside.
    ///
    /// ```
    /// # use std::thread;
    /// # use tenure::{Awaited, Engine, Error, Function, Interrupt, KeyRef, Settings, Waiting};
    /// # let engine = Engine::new();
    /// # let pools = Function::<u32, ()>::plain(&engine, "pool", Settings::default()).unwrap();
    /// struct Hurried;
    ///
    /// impl Waiting for Hurried {
    ///     fn wait(&self, _: &mut dyn Awaited) -> Result<(), Interrupt> {
    ///         Err(Interrupt(Box::new("no time to wait")))
    ///     }
    /// }
    ///
    /// let call = || pools.get_or_build_while(&KeyRef::EMPTY, &Hurried, || Ok(8));
    /// let build = || {
    ///     // Another thread asks while this one builds.
    ///     let got = thread::scope(|scope| scope.spawn(call).join().unwrap());
    ///     assert!(matches!(got, Err(Error::Interrupted(_))));
    ///     Ok(7)
    /// };
    /// assert_eq!(*pools.get_or_build(&KeyRef::EMPTY, build).unwrap(), 7);
    /// ```
    ///
    /// # Errors
    /// The build's failure, a cycle, a missing session, an interruption by the host or by `waiting`.
    #[inline]
    pub fn get_or_build_while(
        &self,
        key: &KeyRef<'_>,
        waiting: &dyn Waiting,
        build: impl FnOnce() -> Result<V, BuildError<F>>,
    ) -> Result<Lease<V>, Error<F>> {
        match self.hot_hit(key) {
            Some(lease) => Ok(lease),
            None => self.call_while(key, waiting, build),
        }
    }

    /// A hit that needs neither a check nor the host, nor a lock.
    #[inline(always)]
    pub(crate) fn hot_hit(&self, key: &KeyRef<'_>) -> Option<Lease<V>> {
        // SAFETY: what is offered there are entries of this function's global cache.
        #[allow(unsafe_code)]
        unsafe {
            self.shared.hot.get(key)
        }
    }

    /// A hit that needs neither a check nor the host.
    #[inline]
    pub(crate) fn hit(&self, key: &KeyRef<'_>) -> Option<Lease<V>> {
        self.hot_hit(key).or_else(|| {
            if self.quick {
                self.global.hit(key)
            } else {
                None
            }
        })
    }

    #[cold]
    fn call_while<B: Into<Built<V>>>(
        &self,
        key: &KeyRef<'_>,
        waiting: &dyn Waiting,
        build: impl FnOnce() -> Result<B, BuildError<F>>,
    ) -> Result<Lease<V>, Error<F>> {
        let host = self.shared.services.host();
        let place = self.place(host.as_deref())?;
        Call::new(&self.shared, place, host).block(key, waiting, build)
    }

    /// The resource under `key` for a task; `build` is awaited where there is none, once for all
    /// tasks and threads that ask. A future that is dropped while it builds hands the duty on.
    ///
    /// `check` is asked at each access where [`Settings::validates`] is set, in the place of
    /// [`Behaviour::validate`].
    ///
    /// ```
    /// # use tenure::{Encoder, Engine, Function, Settings};
    /// # let engine = Engine::new();
    /// # let pools = Function::<u64, String>::plain(&engine, "pool", Settings::default()).unwrap();
    /// # futures_executor::block_on(async {
    /// let key = Encoder::new();
    /// let good = async |_: tenure::Lease<u64>| true;
    /// let lease = pools.get_or_build_async(&key.finish(), good, async { Ok(7) }).await.unwrap();
    /// assert_eq!(*lease, 7);
    /// # });
    /// ```
    ///
    /// # Errors
    /// The build's failure, a cycle, a missing session, an interruption by the host.
    #[inline]
    pub async fn get_or_build_async<C: Future<Output = bool>>(
        &self,
        key: &KeyRef<'_>,
        check: impl Fn(Lease<V>) -> C,
        build: impl Future<Output = Result<V, F>>,
    ) -> Result<Lease<V>, Error<F>> {
        match self.hot_hit(key) {
            Some(lease) => Ok(lease),
            None => self.call_async(key, check, build).await,
        }
    }

    pub(crate) async fn call_async<C: Future<Output = bool>, B: Into<Built<V>>>(
        &self,
        key: &KeyRef<'_>,
        check: impl Fn(Lease<V>) -> C,
        build: impl Future<Output = Result<B, F>>,
    ) -> Result<Lease<V>, Error<F>> {
        self.call_planned(key, check, Here::new(build)).await
    }

    pub(crate) async fn call_planned<C: Future<Output = bool>>(
        &self,
        key: &KeyRef<'_>,
        check: impl Fn(Lease<V>) -> C,
        plan: impl Plan<V, F>,
    ) -> Result<Lease<V>, Error<F>> {
        let host = self.shared.services.host();
        let place = self.place(host.as_deref())?;
        let call = Call::new(&self.shared, place, host);
        call.task(key, check, plan).await
    }

    /// The next step of a call, for a front door that carries builds itself and lets its callers wait
    /// in its own way. `missed` is false at first, and the same one at each step of a call.
    ///
    /// ```
    /// # use tenure::{Engine, Function, KeyRef, Next, Settings};
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
        let host = self.shared.services.host();
        let place = self.place(host.as_deref())?;
        let call = Call::new(&self.shared, place, host);
        loop {
            return Ok(match call.step(key, missed)? {
                Step::Check(lease) if self.shared.settings.validates => Next::Check(lease),
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
    /// # use tenure::{Engine, Function, KeyRef, Next, Settings};
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
        let host = self.shared.services.host();
        let place = self.place(host.as_deref())?;
        Call::<V, F>::new(&self.shared, place, host).accept(lease)
    }

    /// The cache that a call looks into.
    pub(crate) fn place(&self, host: Option<&dyn Host>) -> Result<Place<'_, V, F>, Error<F>> {
        match self.shared.settings.scope {
            Scope::Global => Ok(Place::Global(&self.global)),
            Scope::Session | Scope::Custom => self.session_cache(host).map(Place::Session),
        }
    }

    fn session_cache(&self, host: Option<&dyn Host>) -> Result<Arc<Cache<V, F>>, Error<F>> {
        let session = self.session(host)?;
        let mut sessions = self.sessions.lock();
        if let Some(cache) = sessions.get(&session) {
            return Ok(Arc::clone(cache));
        }
        let cache = Cache::new(Arc::clone(&self.shared));
        sessions.insert(Arc::clone(&session), Arc::clone(&cache));
        drop(sessions);
        let me: Weak<dyn AnyFunction> = self.me.clone();
        let sessions = self.engine.joined_sessions();
        let joined = sessions.join(&session, me);
        // A session that ended before it was joined does not end again by itself: the cache closes,
        // and what is built in it is an orphan.
        let ended = self.has_ended(host, &session);
        match ended {
            Ok(false) => sessions.stays(&session, &joined),
            _ => {
                let _under_way = self.shared.services.under_way.begin();
                sessions::run(sessions.end_joined(&session, &joined));
            }
        }
        ended.map_err(Error::Interrupted)?;
        Ok(cache)
    }

    /// The session that the present code serves, or the scope of the front door's own.
    fn session(&self, host: Option<&dyn Host>) -> Result<SessionId, Error<F>> {
        let session = match self.shared.settings.scope {
            Scope::Custom => self.shared.behaviour.scope(),
            _ => host.map_or(Ok(None), Host::session),
        };
        let session = session.map_err(Error::Interrupted)?;
        session.ok_or_else(|| Error::NoSession {
            function: self.shared.name.to_string(),
        })
    }

    fn has_ended(&self, host: Option<&dyn Host>, session: &str) -> Result<bool, Interrupt> {
        match self.shared.settings.scope {
            Scope::Custom => self.shared.behaviour.scope_has_ended(session),
            _ => host.map_or(Ok(true), |host| host.has_ended(session)),
        }
    }

    /// The cache that `clear` means here, if there is one: the global one, or the present session's.
    pub(crate) fn here(&self) -> Result<Option<Place<'_, V, F>>, Error<F>> {
        if self.shared.settings.scope == Scope::Global {
            return Ok(Some(Place::Global(&self.global)));
        }
        let host = self.shared.services.host();
        let session = self.session(host.as_deref())?;
        let cache = self.sessions.lock().get(&session).cloned();
        Ok(cache.map(Place::Session))
    }

    /// Puts a resource under `key`, in the place of what stands there.
    pub(crate) fn put(
        &self,
        key: &KeyRef<'_>,
        value: impl Into<Built<V>>,
    ) -> Result<Put<V>, Error<F>> {
        let services = &self.shared.services;
        let _under_way = services.under_way.begin();
        self.shared.counters.built(0);
        let built_at = services.stamp(services.clock.now());
        let unkept = Unkept::new(value.into(), built_at, &self.shared);
        let place = self.place(self.shared.services.host().as_deref())?;
        let (built, built_at) = unkept.keep();
        let put = place.cache().insert(key, built, built_at);
        services.timer.report();
        Ok(put)
    }

    /// Clears the function's entries: all of them, or the present session's.
    ///
    /// ```
    /// # use tenure::{Engine, Error, Function, KeyRef, Scope, Settings};
    /// # let engine = Engine::new();
    /// # let pools = Function::<u32, ()>::plain(&engine, "pool", Settings::default()).unwrap();
    /// # pools.get_or_build(&KeyRef::EMPTY, || Ok(7)).unwrap();
    /// # let settings = Settings::default().scope(Scope::Session);
    /// # let baskets = Function::<u32, ()>::plain(&engine, "basket", settings).unwrap();
    /// pools.clear().unwrap();
    /// assert_eq!(pools.info().entries, 0);
    /// let cleared = baskets.clear(); // session-scoped
    /// assert!(matches!(cleared, Err(Error::NoSession { function }) if function == "basket"));
    /// ```
    ///
    /// # Errors
    /// For a session-scoped function: a missing session, an interruption by the host.
    pub fn clear(&self) -> Result<(), Error<F>> {
        if let Some(place) = self.here()? {
            place.cache().clear(Cause::Cleared);
        }
        Ok(())
    }

    /// Clears the entry under `key`, if there is one.
    ///
    /// ```
    /// # use tenure::{Cause, Engine, Function, KeyRef, Settings};
    /// # let engine = Engine::new();
    /// # let pools = Function::<u32, ()>::plain(&engine, "pool", Settings::default()).unwrap();
    /// # pools.get_or_build(&KeyRef::EMPTY, || Ok(7)).unwrap();
    /// pools.clear_entry(&KeyRef::EMPTY).unwrap();
    /// assert_eq!(pools.info().released(Cause::Cleared), 1);
    /// ```
    ///
    /// # Errors
    /// For a session-scoped function: a missing session, an interruption by the host.
    pub fn clear_entry(&self, key: &KeyRef<'_>) -> Result<(), Error<F>> {
        if let Some(place) = self.here()? {
            place.cache().clear_entry(key);
        }
        Ok(())
    }

    /// Gives back the resources of which `is_broken` is true, in every scope, with cause `Invalid`:
    /// for a front door whose callers have no leases. Gives how many there were. `is_broken` is asked
    /// outside every lock.
    ///
    /// ```
    /// # use tenure::{Cause, Engine, Function, KeyRef, Settings};
    /// # let engine = Engine::new();
    /// # let pools = Function::<u32, ()>::plain(&engine, "pool", Settings::default()).unwrap();
    /// # pools.get_or_build(&KeyRef::EMPTY, || Ok(7)).unwrap();
    /// assert_eq!(pools.discard_where(|pool| *pool == 7), 1);
    /// assert_eq!(pools.discard_where(|pool| *pool == 7), 0); // it has ended already
    /// assert_eq!(pools.info().released(Cause::Invalid), 1);
    /// ```
    pub fn discard_where(&self, is_broken: impl Fn(&V) -> bool) -> usize {
        self.end_where(&is_broken, Cause::Invalid)
    }

    fn end_where(&self, is_meant: &dyn Fn(&V) -> bool, cause: Cause) -> usize {
        let mut ended = 0;
        for cache in self.caches() {
            for entry in cache.held() {
                if is_meant(entry.value()) {
                    ended += 1;
                    cache.discard(entry, cause);
                }
            }
        }
        ended
    }

    /// Lets go of everything in every scope, for this cause.
    ///
    /// ```
    /// # use tenure::{Cause, Engine, Function, KeyRef, Settings};
    /// # let engine = Engine::new();
    /// # let pools = Function::<u32, ()>::plain(&engine, "pool", Settings::default()).unwrap();
    /// # pools.get_or_build(&KeyRef::EMPTY, || Ok(7)).unwrap();
    /// pools.release_all(Cause::Superseded);
    /// assert_eq!(pools.info().released(Cause::Superseded), 1);
    /// ```
    pub fn release_all(&self, cause: Cause) {
        AnyFunction::clear(self, cause);
    }

    /// The figures of this function over all its scopes.
    ///
    /// ```
    /// # use tenure::{Engine, Function, KeyRef, Settings};
    /// # let engine = Engine::new();
    /// # let pools = Function::<u32, ()>::plain(&engine, "pool", Settings::default()).unwrap();
    /// let lease = pools.get_or_build(&KeyRef::EMPTY, || Ok(7)).unwrap();
    /// pools.clear().unwrap();
    /// let info = pools.info();
    /// assert_eq!((info.entries, info.draining), (0, 1)); // leased beyond its end
    /// drop(lease);
    /// assert_eq!(pools.info().draining, 0);
    /// ```
    #[must_use]
    pub fn info(&self) -> Info {
        let mut info = self.shared.counters.read();
        for cache in self.caches() {
            cache.read(&mut info);
        }
        info.draining = info
            .builds
            .saturating_sub(info.all_released())
            .saturating_sub(info.entries);
        info
    }

    fn caches(&self) -> Vec<Arc<Cache<V, F>>> {
        let sessions = self.sessions.lock();
        std::iter::once(&self.global)
            .chain(sessions.values())
            .cloned()
            .collect()
    }
}

impl<V: Resource, F: Failure> Drop for Function<V, F> {
    fn drop(&mut self) {
        if self.shared.counters.unreleased(|| 0) > 0 {
            let left: Weak<dyn Leftover> = Arc::downgrade(&self.shared) as _;
            self.engine.add_leftover(left);
        }
    }
}

impl<V: Resource, F: Failure> AnyFunction for Function<V, F> {
    fn clear(&self, cause: Cause) {
        for cache in self.caches() {
            cache.clear(cause);
        }
    }

    fn end_where(&self, is_meant: &dyn Fn(&dyn Any) -> bool, cause: Cause) {
        Self::end_where(self, &|value| is_meant(value), cause);
    }

    fn leave_session(&self, session: &SessionId) -> Option<End> {
        let cache = self.sessions.lock().remove(session)?;
        Some(Box::new(move || {
            for entry in cache.end() {
                release(entry, Cause::SessionEnded);
            }
        }))
    }

    fn hold_all(&self) -> Vec<(Nanos, End)> {
        let held = self.caches().into_iter().flat_map(|cache| {
            let entries = cache.hold_all().into_iter();
            entries.map(move |entry| {
                let (built_at, cache) = (entry.built_at(), Arc::clone(&cache));
                let end: End = Box::new(move || {
                    cache.discard(entry, Cause::Shutdown);
                });
                (built_at, end)
            })
        });
        held.collect()
    }

    fn unreleased(&self) -> Unreleased {
        let live = || self.caches().iter().map(|cache| cache.len() as u64).sum();
        self.shared.unreleased_beside(live)
    }

    fn inspect(&self, counts: &mut Inspection) {
        for cache in self.caches() {
            cache.inspect(counts);
        }
    }
}
