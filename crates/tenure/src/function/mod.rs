//! A cached function: its settings, its caches in every scope, and the call that ties them.

mod ends;
mod entries;
mod figures;
mod forks;
mod held;
mod listing;
mod scopes;
mod steps;
mod tags;
mod warm;

use std::fmt;

use crate::directory::AnyFunction;
use crate::engine::Engine;
use crate::ground::clock::{NEVER, nanos};
use crate::ground::sync::{Arc, AtomicBool, HashMap, Mutex, Weak};
use crate::host::SessionId;
use crate::key::KeyRef;
use crate::life::aging::term::Pace;
use crate::life::building::carry::{Here, Plan};
use crate::life::building::details::Details;
use crate::life::building::waiting::{AsHostWishes, Waiting};
use crate::life::cache::Cache;
use crate::life::call::Call;
use crate::life::core::{Core, Departed, Looks};
use crate::life::entry::Built;
use crate::life::hot::Hot;
use crate::life::lease::Lease;
use crate::words::behaviour::Behaviour;
use crate::words::bounds::{Failure, Resource};
use crate::words::error::{BuildError, Error, SettingError};
use crate::words::settings::{Scope, Settings, Spinner};
use crate::words::tags::Tags;

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
    pub(crate) core: Arc<Core<V>>,
    engine: Engine,
    /// Whether a hit needs neither a check nor a session.
    quick: bool,
    global: Arc<Cache<V, F>>,
    session_caches: Mutex<HashMap<SessionId, Arc<Cache<V, F>>>>,
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

struct DefaultBehaviour;

impl<V: Resource> Behaviour<V> for DefaultBehaviour {}

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
        Self::new(engine, name, settings, Box::new(DefaultBehaviour))
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
        let is_shared = match settings.scope {
            Scope::Global => true,
            Scope::Session => false,
            Scope::Custom => behaviour.scope_is_of_callers(),
        };
        let core = Arc::new(Core {
            known_as: behaviour.known_as().filter(|_| is_shared),
            name: Arc::from(name),
            number: engine.services().number(),
            looks: Mutex::new(looks),
            ttl: settings.ttl.map_or(NEVER, nanos),
            pace: Pace::of(&settings),
            settings,
            behaviour,
            leave: Departed::begin,
            services: Arc::clone(engine.services()),
            clock: engine.services().clock.clone(),
            counters: Arc::default(),
            hot: Hot::new(),
            told_of_sharing: AtomicBool::new(false),
        });
        let function = Arc::new_cyclic(|me| Self {
            quick: core.settings.is_quick(),
            global: Cache::new(Arc::clone(&core), None),
            session_caches: Mutex::default(),
            me: Weak::clone(me),
            engine: engine.clone(),
            core,
        });
        let services = engine.services();
        services
            .tally
            .add(function.full_name(), &function.core.counters);
        let any: Weak<dyn AnyFunction> = function.me.clone();
        engine.add_function(any);
        Ok(function)
    }

    /// A reference that does not keep the function.
    ///
    /// ```
    /// # use tenure::{Engine, Function, Settings};
    /// # let engine = Engine::new();
    /// # let pools = Function::<u32, ()>::plain(&engine, "pool", Settings::default()).unwrap();
    /// let pool = pools.downgrade();
    /// assert!(pool.upgrade().is_some());
    /// drop(pools);
    /// assert!(pool.upgrade().is_none());
    /// ```
    #[must_use]
    pub fn downgrade(&self) -> Weak<Self> {
        Weak::clone(&self.me)
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
        &self.core.name
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
        &*self.core.behaviour
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
        let before = std::mem::replace(&mut *self.core.looks.lock(), looks);
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
        &self.core.settings
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
        self.call(key, build, &|| None)
    }

    #[inline]
    pub(crate) fn call<B: Into<Built<V>>>(
        &self,
        key: &KeyRef<'_>,
        build: impl FnOnce() -> Result<B, F>,
        details: &dyn Details<V, F>,
    ) -> Result<Lease<V>, Error<F>> {
        match self.hot_hit(key) {
            Some(lease) => Ok(lease),
            None => {
                let waiting = AsHostWishes(self.core.services.host());
                let build = || build().map_err(BuildError::Failed);
                self.call_while(key, &waiting, build, details)
            }
        }
    }

    /// Gets or builds as [`get_or_build`](Self::get_or_build) does, for a caller whose wait or build
    /// can be ended from outside.
    ///
    /// ```
    /// # use std::thread;
    /// # use tenure::front::{Awaited, Waiting};
    /// # use tenure::{Engine, Error, Function, Interrupt, KeyRef, Settings};
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
        self.get_or_refresh(key, waiting, build, &|| None)
    }

    /// Gets or builds as [`get_or_build_while`](Self::get_or_build_while) does, for a caller whose build
    /// can also be made without it: by [`Again`](crate::front::Again), which `details` give where it is
    /// needed. So are builds in the background made, and those that take longer than a caller waits. They
    /// give the call's tags too.
    ///
    /// # Errors
    /// As for `get_or_build_while`, and a build that takes too long.
    #[inline]
    pub fn get_or_refresh<B: Into<Built<V>>>(
        &self,
        key: &KeyRef<'_>,
        waiting: &dyn Waiting,
        build: impl FnOnce() -> Result<B, BuildError<F>>,
        details: &dyn Details<V, F>,
    ) -> Result<Lease<V>, Error<F>> {
        match self.hot_hit(key) {
            Some(lease) => Ok(lease),
            None => self.call_while(key, waiting, build, details),
        }
    }

    /// A hit that needs neither a check nor the host, nor a lock.
    #[inline(always)]
    pub(crate) fn hot_hit(&self, key: &KeyRef<'_>) -> Option<Lease<V>> {
        // SAFETY: what is offered there are entries of this function's global cache.
        #[allow(unsafe_code)]
        unsafe {
            self.core.hot.get(key)
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
        details: &dyn Details<V, F>,
    ) -> Result<Lease<V>, Error<F>> {
        let host = self.core.services.host();
        let scoped = self.scoped_cache(host.as_deref())?;
        Call::new(&self.core, scoped, host).block(key, waiting, build, details)
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
            None => {
                let tags = Tags::default();
                self.call_async(key, check, build, tags).await
            }
        }
    }

    pub(crate) async fn call_async<C: Future<Output = bool>, B: Into<Built<V>>>(
        &self,
        key: &KeyRef<'_>,
        check: impl Fn(Lease<V>) -> C,
        build: impl Future<Output = Result<B, F>>,
        tags: Tags,
    ) -> Result<Lease<V>, Error<F>> {
        self.call_planned(key, check, Here::new(build), tags).await
    }

    pub(crate) async fn call_planned<C: Future<Output = bool>>(
        &self,
        key: &KeyRef<'_>,
        check: impl Fn(Lease<V>) -> C,
        plan: impl Plan<V, F>,
        tags: Tags,
    ) -> Result<Lease<V>, Error<F>> {
        let host = self.core.services.host();
        let scoped = self.scoped_cache(host.as_deref())?;
        let call = Call::new(&self.core, scoped, host);
        call.task(key, check, plan, tags).await
    }
}
