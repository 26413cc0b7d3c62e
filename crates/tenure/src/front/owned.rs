//! A cached function as a value: the settings of the attribute without a static.

use std::convert::Infallible;
use std::error::Error as StdError;
use std::fmt;
use std::future::ready;
use std::marker::PhantomData;

use crate::front::builder::{CacheBuilder, Show, Tag};
use crate::front::cached::{Cached, Erased, expect_session};
use crate::front::definition::function;
use crate::front::leaving::keep;
use crate::front::probe::Probe;
use crate::front::warming::Warming;
use crate::function::Function;
use crate::ground::sync::Arc;
use crate::key::Encoder;
use crate::key::args::CacheKey;
use crate::life::cleared::Cleared;
use crate::life::entry::Built;
use crate::life::lease::Lease;
use crate::words::bounds::Resource;
use crate::words::error::SettingError;
use crate::words::explanation::Explanation;
use crate::words::fallible::{Failed, Shared, Telling};
use crate::words::info::{EntryInfo, Info};
use crate::words::tags::Tags;

/// A cache that somebody owns: what [`cache_resource`](crate::cache_resource) makes of a function,
/// as a value for a library that wants no static.
///
/// `K` is what resources are asked for by, and what [`CacheKey`] makes of it is the whole key. `V` is
/// the resource. `E` is the error of a build that can fail, as for [`try_get`](Self::try_get). A cache
/// that is dropped releases what it holds, with cause [`Superseded`](crate::Cause::Superseded); leases
/// go on. Until then it belongs to the program as a cached function does:
/// [`clear_all`](crate::clear_all) and [`shutdown`](crate::shutdown) mean it too.
///
/// ```
/// use std::io;
/// use std::time::Duration;
/// use tenure::{Cache, Lease, Shared};
///
/// struct Pool { host: String }
///
/// impl Pool {
///     fn connect(host: &str) -> io::Result<Self> { Ok(Self { host: host.to_owned() }) }
///     fn is_alive(&self) -> bool { true }
///     fn close(self) {}
/// }
///
/// /// A client that a library gives its users.
/// struct Client { pools: Cache<str, Pool, io::Error> }
///
/// impl Client {
///     fn new() -> Result<Self, tenure::SettingError> {
///         let pools = Cache::builder("pool")
///             .ttl(Duration::from_secs(3600))
///             .max_entries(8)
///             .validate(Pool::is_alive)
///             .on_release(|pool, _cause| Pool::close(pool))
///             .build()?;
///         Ok(Self { pools })
///     }
///
///     fn pool(&self, host: &str) -> Result<Lease<Pool>, Shared<io::Error>> {
///         self.pools.try_get(host, || Pool::connect(host))
///     }
/// }
///
/// let client = Client::new()?;
/// let here = client.pool("here")?;
/// assert!(client.pool("here")?.same_entry(&here)); // a hit
/// assert_eq!(here.host, "here");
/// tenure::clear_all();
/// assert!(client.pools.entries().is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Cache<K: ?Sized, V: Resource, E: Send + Sync + 'static = Infallible> {
    function: Arc<Function<V, Failed<E>>>,
    show: Option<Show<K>>,
    tag: Option<Tag<K>>,
}

impl<K: ?Sized, V: Resource, E: Send + Sync + 'static> fmt::Debug for Cache<K, V, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("name", &self.function.name())
            .field("settings", self.function.settings())
            .finish_non_exhaustive()
    }
}

impl<K: ?Sized, V: Resource, E: Send + Sync + 'static> Cache<K, V, E> {
    /// A cache to be set up. Messages, spinners and events show it by its name. A closure in a setting
    /// is read before the end of the chain: where it has to know the types, they stand in front.
    ///
    /// ```
    /// use tenure::Cache;
    ///
    /// let squares = Cache::<u64, u64>::builder("square").keep_if(|it| it.is_power_of_two()).build()?;
    /// assert_eq!(*squares.get(&4, || 16), 16);
    /// # Ok::<(), tenure::SettingError>(())
    /// ```
    pub fn builder(name: &'static str) -> CacheBuilder<K, V, E> {
        CacheBuilder::new(name)
    }

    fn cached(&self) -> Cached<'_, V, Failed<E>> {
        Cached(&self.function, None)
    }

    /// The tags of what is kept for `key`.
    fn tags(&self, key: &K) -> Tags {
        self.tag.as_ref().map(|tag| tag(key)).unwrap_or_default()
    }

    /// A resource built for `key`, with the key as text where entries are listed with it.
    fn built<T>(&self, key: &K, value: T) -> Built<T> {
        let arguments = self.show.map(|show| show(key));
        Built { value, arguments }
    }

    /// Clears every entry: of all, or of the present session's. What this gives may be awaited, until all
    /// of it has been released.
    ///
    /// ```
    /// # let cache: tenure::Cache<u64, u64> = tenure::Cache::builder("square").build()?;
    /// cache.get(&7, || 49);
    /// cache.clear();
    /// assert_eq!(cache.info().entries, 0);
    /// # Ok::<(), tenure::SettingError>(())
    /// ```
    ///
    /// # Panics
    /// Where the scope is the session and this code runs in none.
    #[track_caller]
    pub fn clear(&self) -> Cleared {
        Erased::clear(&*self.function)
    }

    /// Has every entry expire: of all, or of the present session's. What is expired is handed out for no
    /// longer than [`max_stale`](CacheBuilder::max_stale) allows, and is refreshed; where that is not at
    /// all, it is released.
    ///
    /// ```
    /// # let cache: tenure::Cache<u64, u64> = tenure::Cache::builder("square").build()?;
    /// cache.get(&7, || 49);
    /// cache.expire_all();
    /// assert_eq!(cache.info().released(tenure::Cause::Expired), 1);
    /// # Ok::<(), tenure::SettingError>(())
    /// ```
    ///
    /// # Panics
    /// As [`clear`](Self::clear).
    #[track_caller]
    pub fn expire_all(&self) {
        Erased::expire(&*self.function);
    }

    /// Clears the entries that `is_meant` says yes to, and gives how many there were. It is asked
    /// under no lock.
    ///
    /// ```
    /// # let cache: tenure::Cache<u64, u64> = tenure::Cache::builder("square").build()?;
    /// cache.get(&7, || 49);
    /// cache.get(&8, || 64);
    /// assert_eq!(cache.clear_if(|square, entry| *square > 50 && entry.leases == 0), 1);
    /// # Ok::<(), tenure::SettingError>(())
    /// ```
    ///
    /// # Panics
    /// As [`clear`](Self::clear).
    #[track_caller]
    pub fn clear_if(&self, is_meant: impl FnMut(&V, &EntryInfo) -> bool) -> usize {
        self.cached().clear_if(is_meant)
    }

    /// The figures of each live entry, oldest first.
    ///
    /// ```
    /// # let cache: tenure::Cache<u64, u64> = tenure::Cache::builder("square").build()?;
    /// let square = cache.get(&7, || 49);
    /// assert_eq!(cache.entries()[0].leases, 1);
    /// # Ok::<(), tenure::SettingError>(())
    /// ```
    ///
    /// # Panics
    /// As [`clear`](Self::clear).
    #[must_use]
    #[track_caller]
    pub fn entries(&self) -> Vec<EntryInfo> {
        Erased::entries(&*self.function)
    }

    /// The figures of this cache over all sessions.
    ///
    /// ```
    /// # let cache: tenure::Cache<u64, u64> = tenure::Cache::builder("square").build()?;
    /// cache.get(&7, || 49);
    /// cache.get(&7, || unreachable!());
    /// assert_eq!((cache.info().builds, cache.info().hits), (1, 1));
    /// # Ok::<(), tenure::SettingError>(())
    /// ```
    #[must_use]
    pub fn info(&self) -> Info {
        self.function.info()
    }
}

impl<K: CacheKey + ?Sized, V: Resource, E: Send + Sync + 'static> Cache<K, V, E> {
    /// The entry for `key`, if there is one: nothing is built, awaited or checked, and no hit is
    /// counted. What has expired is none.
    ///
    /// ```
    /// # let cache: tenure::Cache<u64, u64> = tenure::Cache::builder("square").build()?;
    /// assert!(cache.peek(&7).is_none());
    /// cache.get(&7, || 49);
    /// assert_eq!(cache.peek(&7).as_deref(), Some(&49));
    /// # Ok::<(), tenure::SettingError>(())
    /// ```
    ///
    /// # Panics
    /// As [`clear`](Self::clear).
    #[must_use]
    #[track_caller]
    pub fn peek(&self, key: &K) -> Option<Lease<V>> {
        self.cached().peek(&encoded(key).finish())
    }

    /// Whether there is an entry for `key`, looked at as by [`peek`](Self::peek).
    ///
    /// ```
    /// # let cache: tenure::Cache<u64, u64> = tenure::Cache::builder("square").build()?;
    /// assert!(!cache.contains(&7));
    /// # Ok::<(), tenure::SettingError>(())
    /// ```
    ///
    /// # Panics
    /// As [`clear`](Self::clear).
    #[must_use]
    #[track_caller]
    pub fn contains(&self, key: &K) -> bool {
        self.cached().contains(&encoded(key).finish())
    }

    /// Keeps a resource that was made elsewhere as if it had been built for `key`. What stood there
    /// is released with cause [`Replaced`](crate::Cause::Replaced), and a build of it that is under way
    /// becomes an orphan.
    ///
    /// ```
    /// # let cache: tenure::Cache<u64, u64> = tenure::Cache::builder("square").build()?;
    /// let lease = cache.insert(&7, 49);
    /// assert!(cache.get(&7, || unreachable!()).same_entry(&lease));
    /// # Ok::<(), tenure::SettingError>(())
    /// ```
    ///
    /// # Panics
    /// As [`clear`](Self::clear).
    #[track_caller]
    pub fn insert(&self, key: &K, value: V) -> Lease<V> {
        let (built, tags) = (self.built(key, value), self.tags(key));
        let cached = self.cached().tagged(&tags);
        cached.insert(&encoded(key).finish(), built)
    }

    /// Keeps a resource as [`insert`](Self::insert) does, and gives what stood there: it is
    /// released once the lease is gone.
    ///
    /// ```
    /// # let cache: tenure::Cache<u64, u64> = tenure::Cache::builder("square").build()?;
    /// assert!(cache.replace(&7, 48).is_none());
    /// assert_eq!(cache.replace(&7, 49).as_deref(), Some(&48));
    /// # Ok::<(), tenure::SettingError>(())
    /// ```
    ///
    /// # Panics
    /// As [`clear`](Self::clear).
    #[track_caller]
    pub fn replace(&self, key: &K, value: V) -> Option<Lease<V>> {
        let (built, tags) = (self.built(key, value), self.tags(key));
        let cached = self.cached().tagged(&tags);
        cached.replace(&encoded(key).finish(), built)
    }

    /// Clears the entry for `key`, if there is one. What this gives may be awaited, as for
    /// [`clear`](Self::clear).
    ///
    /// ```
    /// # let cache: tenure::Cache<u64, u64> = tenure::Cache::builder("square").build()?;
    /// cache.get(&7, || 49);
    /// cache.clear_entry(&7);
    /// assert!(!cache.contains(&7));
    /// # Ok::<(), tenure::SettingError>(())
    /// ```
    ///
    /// # Panics
    /// As [`clear`](Self::clear).
    #[track_caller]
    pub fn clear_entry(&self, key: &K) -> Cleared {
        Erased::clear_entry(&*self.function, &encoded(key).finish())
    }

    /// Tells whether `get` would be a hit, and why not. Nothing is built, awaited, checked or counted.
    ///
    /// ```
    /// # let cache: tenure::Cache<u64, u64> = tenure::Cache::builder("square").build()?;
    /// cache.get(&7, || 49);
    /// assert!(cache.explain(&7).is_hit());
    /// cache.clear();
    /// assert!(cache.explain(&7).to_string().contains("it was cleared"));
    /// # Ok::<(), tenure::SettingError>(())
    /// ```
    ///
    /// # Panics
    /// As [`clear`](Self::clear).
    #[must_use]
    #[track_caller]
    pub fn explain(&self, key: &K) -> Explanation {
        expect_session(self.function.explain(&encoded(key).finish()))
    }
}

impl<K: CacheKey + ?Sized, V: Resource, E: Send + Sync + 'static> Cache<K, V, E> {
    /// Has the entry for `key` expire, if there is one; see [`expire_all`](Self::expire_all).
    ///
    /// ```
    /// # let cache: tenure::Cache<u64, u64> = tenure::Cache::builder("square").build()?;
    /// cache.get(&7, || 49);
    /// cache.expire(&7);
    /// assert!(!cache.contains(&7));
    /// # Ok::<(), tenure::SettingError>(())
    /// ```
    ///
    /// # Panics
    /// As [`clear`](Self::clear).
    #[track_caller]
    pub fn expire(&self, key: &K) {
        Erased::expire_entry(&*self.function, &encoded(key).finish());
    }
}

/// A build that can be made again.
type Recipe<V, E> = Arc<dyn Fn() -> Built<Result<V, E>> + Send + Sync>;

impl<K, V, E> Cache<K, V, E>
where
    K: CacheKey + ?Sized,
    V: Resource,
    E: Send + Sync + 'static,
{
    fn recipe(
        &self,
        key: &K,
        build: impl Fn() -> Result<V, E> + Send + Sync + 'static,
    ) -> Recipe<V, E> {
        let arguments = self.show.map(|show| show(key));
        Arc::new(move || Built {
            value: build(),
            arguments: arguments.clone(),
        })
    }

    fn refreshed(
        &self,
        key: &K,
        telling: Telling<E>,
        build: impl Fn() -> Result<V, E> + Send + Sync + 'static,
    ) -> Result<Lease<V>, Shared<E>> {
        let (encoded, cached) = (encoded(key), self.cached());
        let encoded = encoded.finish();
        if let Some(hit) = cached.hit(&encoded) {
            return hit;
        }
        let (recipe, tags) = (self.recipe(key, build), self.tags(key));
        let given = || Some(Arc::clone(&recipe));
        let cached = cached.tagged(&tags);
        cached.call_refreshed(&encoded, telling, given, Some(keep), |recipe| recipe())
    }

    #[track_caller]
    fn warmed(
        &self,
        key: &K,
        telling: Telling<E>,
        build: impl Fn() -> Result<V, E> + Send + Sync + 'static,
    ) -> Warming {
        let recipe = keep(self.recipe(key, build));
        let (warming, tags) = (Warming::begin(), self.tags(key));
        let (encoded, cached) = (encoded(key), self.cached().tagged(&tags));
        cached.warm(
            &encoded.finish(),
            telling,
            recipe,
            |recipe| recipe(),
            &warming,
        );
        warming.all()
    }
}

impl<K: CacheKey + ?Sized, V: Resource> Cache<K, V> {
    /// The resource for `key`, as [`get`](Self::get) gives it, with a `build` that can do without its
    /// caller: it may run again in the background, to [refresh](CacheBuilder::refresh_mode) the resource,
    /// or go on where that takes longer than the caller [waits](CacheBuilder::build_timeout).
    ///
    /// ```
    /// use std::time::Duration;
    /// use tenure::{Cache, Refresh};
    ///
    /// let rates = Cache::<str, u32>::builder("rate")
    ///     .ttl(Duration::from_secs(60))
    ///     .refresh_mode(Refresh::Background)
    ///     .build()?;
    /// assert_eq!(*rates.get_refreshed("euro", || 7), 7);
    /// rates.expire("euro");
    /// assert_eq!(*rates.get_refreshed("euro", || 8), 7); // 8 is being built
    /// # while *rates.get_refreshed("euro", || 8) == 7 { std::thread::yield_now() }
    /// # Ok::<(), tenure::SettingError>(())
    /// ```
    ///
    /// # Panics
    /// As [`get`](Self::get), and where the build takes too long.
    #[track_caller]
    pub fn get_refreshed(
        &self,
        key: &K,
        build: impl Fn() -> V + Send + Sync + 'static,
    ) -> Lease<V> {
        let got = self.refreshed(key, Probe::<Infallible>(PhantomData).telling(), move || {
            Ok(build())
        });
        got.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Has the resource for `key` built in the background before the first user comes.
    ///
    /// ```
    /// # let cache: tenure::Cache<u64, u64> = tenure::Cache::builder("square").build()?;
    /// cache.warm(&7, || 49).wait();
    /// assert_eq!(*cache.get(&7, || unreachable!()), 49);
    /// # Ok::<(), tenure::SettingError>(())
    /// ```
    ///
    /// # Panics
    /// As [`clear`](Self::clear).
    #[track_caller]
    pub fn warm(&self, key: &K, build: impl Fn() -> V + Send + Sync + 'static) -> Warming {
        self.warmed(key, Probe::<Infallible>(PhantomData).telling(), move || {
            Ok(build())
        })
    }

    /// The resource for `key`; `build` runs where there is none, once for all who ask.
    ///
    /// ```
    /// # let cache: tenure::Cache<u64, u64> = tenure::Cache::builder("square").build()?;
    /// assert_eq!(*cache.get(&7, || 49), 49);
    /// # Ok::<(), tenure::SettingError>(())
    /// ```
    ///
    /// # Panics
    /// In a cycle, and where the scope is the session and this code runs in none.
    #[track_caller]
    pub fn get(&self, key: &K, build: impl FnOnce() -> V) -> Lease<V> {
        let got = self.try_get(key, || Ok(build()));
        got.unwrap_or_else(|error| panic!("{error}"))
    }

    /// The resource for `key`, as [`get`](Self::get) gives it, for a task; `build` is awaited where
    /// there is none.
    ///
    /// ```
    /// # let cache: tenure::Cache<u64, u64> = tenure::Cache::builder("square").build()?;
    /// # futures_executor::block_on(async {
    /// assert_eq!(*cache.get_async(&7, async { 49 }).await, 49);
    /// # });
    /// # Ok::<(), tenure::SettingError>(())
    /// ```
    ///
    /// # Panics
    /// As [`get`](Self::get).
    pub async fn get_async(&self, key: &K, build: impl Future<Output = V>) -> Lease<V> {
        let got = self.try_get_async(key, async { Ok(build.await) }).await;
        got.unwrap_or_else(|error| panic!("{error}"))
    }
}

impl<K, V, E> Cache<K, V, E>
where
    K: CacheKey + ?Sized,
    V: Resource,
    E: StdError + Send + Sync + 'static,
{
    /// The resource for `key`, where a build can fail. An error goes to all who waited for that
    /// build and is not kept: the next call builds again.
    ///
    /// ```
    /// use std::num::ParseIntError;
    /// use tenure::Cache;
    ///
    /// let ports: Cache<str, u16, ParseIntError> = Cache::builder("port").build()?;
    /// assert!(ports.try_get("many", || "many".parse()).unwrap_err().failure().is_some());
    /// assert_eq!(*ports.try_get("80", || "80".parse())?, 80);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The build's own, a cycle, a missing session.
    pub fn try_get(
        &self,
        key: &K,
        build: impl FnOnce() -> Result<V, E>,
    ) -> Result<Lease<V>, Shared<E>> {
        let telling = Probe::<E>(PhantomData).telling();
        let build = || self.built(key, build());
        let (encoded, cached) = (encoded(key), self.cached());
        let encoded = encoded.finish();
        if self.tag.is_none() {
            return cached.call(&encoded, telling, build);
        }
        if let Some(hit) = cached.hit(&encoded) {
            return hit;
        }
        let tags = self.tags(key);
        cached.tagged(&tags).call(&encoded, telling, build)
    }

    /// The resource for `key`, as [`try_get`](Self::try_get) gives it, with a `build` that can do without
    /// its caller, as for [`get_refreshed`](Cache::get_refreshed).
    ///
    /// ```
    /// # use std::num::ParseIntError;
    /// # use std::time::Duration;
    /// # use tenure::Cache;
    /// let ports: Cache<str, u16, ParseIntError> =
    ///     Cache::builder("port").build_timeout(Duration::from_secs(30)).build()?;
    /// assert_eq!(*ports.try_get_refreshed("80", || "80".parse())?, 80);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`try_get`](Self::try_get), and a build that takes too long.
    pub fn try_get_refreshed(
        &self,
        key: &K,
        build: impl Fn() -> Result<V, E> + Send + Sync + 'static,
    ) -> Result<Lease<V>, Shared<E>> {
        self.refreshed(key, Probe::<E>(PhantomData).telling(), build)
    }

    /// Has the resource for `key` built in the background before the first user comes. A failure is
    /// logged, and counted by what this gives.
    ///
    /// ```
    /// # use std::num::ParseIntError;
    /// # use tenure::Cache;
    /// # let ports: Cache<str, u16, ParseIntError> = Cache::builder("port").build()?;
    /// let warming = ports.try_warm("many", || "many".parse());
    /// warming.wait();
    /// assert_eq!(warming.failures(), 1);
    /// # Ok::<(), tenure::SettingError>(())
    /// ```
    ///
    /// # Panics
    /// As [`clear`](Self::clear).
    #[track_caller]
    pub fn try_warm(
        &self,
        key: &K,
        build: impl Fn() -> Result<V, E> + Send + Sync + 'static,
    ) -> Warming {
        self.warmed(key, Probe::<E>(PhantomData).telling(), build)
    }

    /// The resource for `key`, as [`try_get`](Self::try_get) gives it, for a task; `build` is awaited
    /// where there is none.
    ///
    /// ```
    /// # use std::num::ParseIntError;
    /// # use tenure::Cache;
    /// # let ports: Cache<str, u16, ParseIntError> = Cache::builder("port").build()?;
    /// # futures_executor::block_on(async {
    /// let port = ports.try_get_async("80", async { "80".parse() }).await?;
    /// assert_eq!(*port, 80);
    /// # Ok::<(), tenure::Shared<ParseIntError>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`try_get`](Self::try_get).
    pub async fn try_get_async(
        &self,
        key: &K,
        build: impl Future<Output = Result<V, E>>,
    ) -> Result<Lease<V>, Shared<E>> {
        let build = async { self.built(key, build.await) };
        let (encoded, cached) = (encoded(key), self.cached());
        let encoded = encoded.finish();
        if let Some(hit) = cached.hit(&encoded) {
            return hit;
        }
        let tags = self.tags(key);
        let cached = cached.tagged(&tags);
        let telling = Probe::<E>(PhantomData).telling();
        let check = |lease: Lease<V>| ready(self.function.core.is_valid(&lease).unwrap_or(false));
        cached.call_async(&encoded, telling, check, build).await
    }
}

fn encoded<K: CacheKey + ?Sized>(key: &K) -> Encoder {
    let mut encoded = Encoder::new();
    key.encode(&mut encoded);
    encoded
}

impl<K: ?Sized, V: Resource, E: Send + Sync + 'static> CacheBuilder<K, V, E> {
    /// The cache itself.
    ///
    /// ```
    /// use tenure::Cache;
    ///
    /// let none = Cache::<str, u32>::builder("pool").max_entries(0).build();
    /// assert!(none.unwrap_err().to_string().contains("max_entries must be at least 1"));
    /// ```
    ///
    /// # Errors
    /// A setting that cannot be.
    pub fn build(self) -> Result<Cache<K, V, E>, SettingError> {
        Ok(Cache {
            function: function(self.name, self.settings, self.rules)?,
            show: self.show,
            tag: self.tag,
        })
    }
}
