//! The settings of an owned cache, one after another.

use std::convert::Infallible;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use crate::front::given::{Lifetime, Weight};
use crate::front::probe::{Done, DoneLater, Released};
use crate::front::rules::Rules;
use crate::ground::sync::Arc;
use crate::words::bounds::Resource;
use crate::words::cause::Cause;
use crate::words::settings::{Refresh, Scope, Settings, Spinner};
use crate::words::tags::Tags;

/// The settings of a [`Cache`](crate::Cache): those of [`cache_resource`](crate::cache_resource), under the same
/// names.
///
/// ```
/// use std::time::Duration;
/// use tenure::{Cache, Cause};
///
/// let models = Cache::<str, Vec<f32>>::builder("model")
///     .ttl(Duration::from_secs(600))
///     .keep_if(|model| !model.is_empty())
///     .on_release(|model, cause| {
///         assert_eq!((model.len(), cause), (2, Cause::Superseded));
///     })
///     .build()?;
/// assert_eq!(models.get("none", Vec::new).len(), 0);
/// assert!(!models.contains("none"));
/// models.get("base", || vec![0.5, 0.25]);
/// drop(models);
/// # Ok::<(), tenure::SettingError>(())
/// ```
#[must_use = "a builder makes nothing until `build`"]
pub struct CacheBuilder<K: ?Sized, V, E = Infallible> {
    pub(super) name: &'static str,
    pub(super) settings: Settings,
    pub(super) rules: Rules<V>,
    pub(super) show: Option<Show<K>>,
    pub(super) tag: Option<Tag<K>>,
    types: PhantomData<fn() -> E>,
}

/// Writes a key for the list of entries.
pub(super) type Show<K> = fn(&K) -> Arc<str>;

/// The tags for a key.
pub(super) type Tag<K> = Box<dyn Fn(&K) -> Tags + Send + Sync>;

impl<K: ?Sized, V, E> fmt::Debug for CacheBuilder<K, V, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheBuilder")
            .field("name", &self.name)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl<K: ?Sized, V: Resource, E: Send + Sync + 'static> CacheBuilder<K, V, E> {
    pub(super) fn new(name: &'static str) -> Self {
        Self {
            name,
            settings: Settings::default(),
            rules: Rules::new(),
            show: None,
            tag: None,
            types: PhantomData,
        }
    }

    /// The maximum age of an entry; none by default.
    pub fn ttl(self, ttl: Duration) -> Self {
        self.set(|settings| settings.ttl(ttl))
    }

    /// The maximum age of each entry, as its resource says itself: a `Duration`, or an `Option` of one.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tenure::Cache;
    ///
    /// struct Token { expires_in: Duration }
    ///
    /// let tokens = Cache::<str, Token>::builder("token").ttl_of(|it| it.expires_in).build()?;
    /// tokens.get("short", || Token { expires_in: Duration::ZERO });
    /// assert!(!tokens.contains("short")); // its callers have it all the same
    /// # Ok::<(), tenure::SettingError>(())
    /// ```
    pub fn ttl_of<L: Lifetime>(mut self, ttl: impl Fn(&V) -> L + Send + Sync + 'static) -> Self {
        self.rules = self.rules.own_ttl(ttl);
        self
    }

    /// When a new resource is built for one that is too old, for
    /// [`Cache::get_refreshed`](crate::Cache::get_refreshed).
    pub fn refresh_mode(self, refresh_mode: Refresh) -> Self {
        self.set(|settings| settings.refresh(refresh_mode))
    }

    /// How long before the end of its age the successor of an entry is built, by
    /// [`Cache::get_refreshed`](crate::Cache::get_refreshed).
    pub fn refresh_before(self, refresh_before: Duration) -> Self {
        self.set(|settings| settings.refresh_before(refresh_before))
    }

    /// For how long a resource that is too old may be handed out: while its successor is built in the
    /// background, or where that build fails.
    ///
    /// ```
    /// use std::num::ParseIntError;
    /// use std::time::Duration;
    /// use tenure::Cache;
    ///
    /// let rates = Cache::<str, u32, ParseIntError>::builder("rate")
    ///     .max_stale(Duration::from_secs(3600))
    ///     .build()?;
    /// rates.try_get("euro", || "7".parse())?;
    /// rates.expire("euro");
    /// assert_eq!(*rates.try_get("euro", || "seven".parse())?, 7); // better than nothing
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn max_stale(self, max_stale: Duration) -> Self {
        self.set(|settings| settings.max_stale(max_stale))
    }

    /// After how long an entry goes that nobody asks for and nobody holds.
    pub fn max_idle(self, max_idle: Duration) -> Self {
        self.set(|settings| settings.max_idle(max_idle))
    }

    /// How heavy each resource is, in any unit.
    ///
    /// ```
    /// use tenure::{Cache, Cause};
    ///
    /// let models = Cache::<str, Vec<u8>>::builder("model").weight(Vec::len).max_weight(10).build()?;
    /// models.get("base", || vec![0; 4]);
    /// models.get("large", || vec![0; 8]); // the other one goes
    /// assert_eq!((models.info().weight, models.info().released(Cause::Evicted)), (8, 1));
    /// # Ok::<(), tenure::SettingError>(())
    /// ```
    pub fn weight<W: Weight>(mut self, weight: impl Fn(&V) -> W + Send + Sync + 'static) -> Self {
        self.rules = self.rules.weight(weight);
        self
    }

    /// The most that the entries may weigh together at any moment; the one used longest ago goes first.
    pub fn max_weight(self, max_weight: u64) -> Self {
        self.set(|settings| settings.max_weight(max_weight))
    }

    /// How long a caller of [`Cache::get_refreshed`](crate::Cache::get_refreshed) waits for a build,
    /// which then goes on without it.
    pub fn build_timeout(self, build_timeout: Duration) -> Self {
        self.set(|settings| settings.build_timeout(build_timeout))
    }

    /// The most entries at any moment, at least 1; no bound by default.
    pub fn max_entries(self, max_entries: usize) -> Self {
        self.set(|settings| settings.max_entries(max_entries))
    }

    /// Who shares an entry; all do by default.
    pub fn scope(self, scope: Scope) -> Self {
        self.set(|settings| settings.scope(scope))
    }

    /// How long a lease may outlive its entry before a warning is logged.
    pub fn drain(self, drain: Duration) -> Self {
        self.set(|settings| settings.drain(drain))
    }

    /// The spinner while a build runs.
    pub fn spinner(self, spinner: Spinner) -> Self {
        self.set(|settings| settings.spinner(spinner))
    }

    /// Whether the elapsed time stands next to the spinner's text.
    pub fn show_time(self, show_time: bool) -> Self {
        self.set(|settings| settings.show_time(show_time))
    }

    /// Lists entries with their keys, as [`EntryInfo::arguments`](crate::EntryInfo::arguments).
    ///
    /// ```
    /// use tenure::Cache;
    ///
    /// let squares: Cache<u64, u64> = Cache::builder("square").show_arguments().build()?;
    /// squares.get(&7, || 49);
    /// assert_eq!(squares.entries()[0].arguments.as_deref(), Some("7"));
    /// # Ok::<(), tenure::SettingError>(())
    /// ```
    pub fn show_arguments(mut self) -> Self
    where
        K: fmt::Debug,
    {
        self.show = Some(|key| format!("{key:?}").into());
        self
    }

    /// The tags that all entries carry; [`clear_tag`](crate::clear_tag) clears what carries one together.
    ///
    /// ```
    /// use tenure::Cache;
    ///
    /// let rates: Cache<u64, u64> = Cache::builder("rate").tags(["billing"]).build()?;
    /// rates.get(&7, || 49);
    /// tenure::clear_tag("billing");
    /// assert!(!rates.contains(&7));
    /// # Ok::<(), tenure::SettingError>(())
    /// ```
    pub fn tags<T: Into<Arc<str>>>(self, tags: impl IntoIterator<Item = T>) -> Self {
        self.set(|settings| settings.tags(tags))
    }

    /// The tags of each entry, by its key, beside those of [`tags`](Self::tags). A successor that is built
    /// in the background keeps them.
    ///
    /// ```
    /// use tenure::Cache;
    ///
    /// let clients = Cache::<str, u32>::builder("client").tags_of(|it| [it.to_owned()]).build()?;
    /// clients.get("here", || 7);
    /// clients.get("there", || 8);
    /// tenure::clear_tag("here");
    /// assert!(!clients.contains("here") && clients.contains("there"));
    /// # Ok::<(), tenure::SettingError>(())
    /// ```
    pub fn tags_of<I: IntoIterator<Item: Into<Arc<str>>>>(
        mut self,
        tags: impl Fn(&K) -> I + Send + Sync + 'static,
    ) -> Self {
        self.tag = Some(Box::new(move |key| tags(key).into_iter().collect()));
        self.set(|settings| settings.tags_calls(true))
    }

    /// Whether inputs that a build observes count as a part of the key.
    pub fn observes(self, observes: bool) -> Self {
        self.set(|settings| settings.observes(observes))
    }

    fn set(mut self, change: impl FnOnce(Settings) -> Settings) -> Self {
        self.settings = change(self.settings);
        self
    }

    /// Asked before each hit, also in a task; `false`, or a panic, releases and builds anew.
    pub fn validate(mut self, validate: impl Fn(&V) -> bool + Send + Sync + 'static) -> Self {
        self.rules = self.rules.validate(validate);
        self
    }

    /// Asked of what a build gave; with `false`, or a panic, it goes to its callers and is not kept.
    pub fn keep_if(mut self, keep_if: impl Fn(&V) -> bool + Send + Sync + 'static) -> Self {
        self.rules = self.rules.keep_if(keep_if);
        self
    }

    /// Receives the resource when its entry has ended and nobody holds it.
    pub fn on_release<R: Released>(
        mut self,
        on_release: impl Fn(V, Cause) -> R + Send + Sync + 'static,
    ) -> Self {
        let release = move |value, cause| Done(on_release(value, cause)).settled();
        self.rules = self.rules.release(release);
        self
    }

    /// Receives the resource as for [`on_release`](Self::on_release), where releasing takes an
    /// await. [`set_spawner`](crate::set_spawner) says where that runs.
    ///
    /// ```
    /// use std::sync::mpsc::channel;
    /// use tenure::Cache;
    ///
    /// let (told, heard) = channel();
    /// let pools: Cache<str, u32> = Cache::builder("pool")
    ///     .on_release_async(move |pool, _cause| {
    ///         let told = told.clone();
    ///         async move { told.send(pool).unwrap() }
    ///     })
    ///     .build()?;
    /// pools.get("here", || 7);
    /// pools.clear();
    /// assert_eq!(heard.recv(), Ok(7));
    /// # Ok::<(), tenure::SettingError>(())
    /// ```
    pub fn on_release_async<R: Future<Output: Released> + Send + 'static>(
        mut self,
        on_release: impl Fn(V, Cause) -> R + Send + Sync + 'static,
    ) -> Self {
        let release = move |value, cause| DoneLater::settled(Done(on_release(value, cause)));
        self.rules = self.rules.release(release);
        self
    }
}
