//! The peers, each as its users would write it; every resource is an `Arc` with a number in it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use cached::macros::{cached, once};
use tenure::cache_resource;

/// What is kept. The number tells whether the right one came back.
pub struct Resource {
    pub number: u64,
}

/// How many resources were built, by anyone.
pub static BUILDS: AtomicU64 = AtomicU64::new(0);

/// Builds one.
pub fn counted(number: u64) -> Resource {
    BUILDS.fetch_add(1, Ordering::Relaxed);
    Resource { number }
}

/// Builds one to share, as the peers want it.
pub fn build(number: u64) -> Arc<Resource> {
    Arc::new(counted(number))
}

/// The number in every resource of the hit cases.
pub const NUMBER: u64 = 7;
/// The key of the hit cases with a text.
pub const TEXT: &str = "postgres://db.example.org/shop";
const HOUR: Duration = Duration::from_secs(3600);

#[cache_resource(ttl = "1h", show_spinner = false)]
pub fn tenure_none() -> Resource {
    counted(NUMBER)
}

#[cache_resource(ttl = "1h", show_spinner = false)]
pub fn tenure_number(key: u64) -> Resource {
    counted(key)
}

#[cache_resource(ttl = "1h", show_spinner = false)]
pub fn tenure_text(key: &str) -> Resource {
    counted(key.len() as u64)
}

#[cache_resource(ttl = "1h", show_spinner = false)]
pub fn tenure_slow(key: u64) -> Resource {
    std::thread::sleep(Duration::from_millis(100));
    counted(key)
}

#[cache_resource(ttl = "1h", show_spinner = false)]
pub async fn tenure_async(key: u64) -> Resource {
    counted(key)
}

#[cache_resource(
    ttl = "1h",
    max_idle = "30m",
    weight = 1,
    max_weight = 100_000,
    refresh_mode = "ahead",
    show_spinner = false
)]
pub fn tenure_all_on(key: u64) -> Resource {
    counted(key)
}

/// Whether a successor may be built.
pub static MAY_REFRESH: AtomicBool = AtomicBool::new(false);

#[cache_resource(ttl = "1h", refresh_mode = "background", show_spinner = false)]
pub fn tenure_stale(key: u64) -> Resource {
    while tenure_stale::info().builds > 0 && !MAY_REFRESH.load(Ordering::Acquire) {
        std::thread::sleep(Duration::from_millis(1));
    }
    counted(key)
}

#[once(ttl_secs = 3600)]
pub fn once_with_ttl() -> Arc<Resource> {
    build(NUMBER)
}

#[cached(max_size = 100_000, ttl_secs = 3600)]
pub fn cached_number(key: u64) -> Arc<Resource> {
    build(key)
}

#[cached(
    max_size = 1000,
    ttl_secs = 3600,
    key = "String",
    convert = r#"{ key.to_owned() }"#
)]
pub fn cached_text(key: &str) -> Arc<Resource> {
    build(key.len() as u64)
}

/// Slow on purpose, so that threads that begin together meet inside.
#[cached(max_size = 1000, ttl_secs = 3600)]
pub fn cached_slow(key: u64) -> Arc<Resource> {
    std::thread::sleep(Duration::from_millis(100));
    build(key)
}

pub static LOCK: OnceLock<Arc<Resource>> = OnceLock::new();

/// moka with a time to live.
pub fn moka<K: std::hash::Hash + Eq + Send + Sync + 'static>() -> moka::sync::Cache<K, Arc<Resource>>
{
    moka::sync::Cache::builder()
        .max_capacity(100_000)
        .time_to_live(HOUR)
        .build()
}

/// moka with a time to live and to idle.
pub fn moka_idle<K: std::hash::Hash + Eq + Send + Sync + 'static>()
-> moka::sync::Cache<K, Arc<Resource>> {
    moka::sync::Cache::builder()
        .max_capacity(100_000)
        .weigher(|_, _| 1)
        .time_to_live(HOUR)
        .time_to_idle(HOUR / 2)
        .build()
}

/// A key of amalgam, which has texts alone.
pub const AMALGAM_KEY: &str = "7";

/// amalgam with a time to live, for blocking callers. Its resources become due for a successor after this
/// part of it, where one is given; they are handed out meanwhile.
pub fn amalgam(due: Option<f32>) -> amalgam::BlockingCache<Arc<Resource>> {
    let due = due.and_then(amalgam::EagerThreshold::new);
    let options = amalgam::EntryOptions::new(HOUR).with_eager_refresh(due);
    let builder = amalgam::Cache::builder().default_options(options);
    amalgam::BlockingCache::from_builder(builder).expect("the options are good")
}

/// A call of it, whose build is this.
pub fn amalgam_get(
    cache: &amalgam::BlockingCache<Arc<Resource>>,
    build: fn() -> Arc<Resource>,
) -> Arc<Resource> {
    let build = amalgam::source::factory(move |_| Ok::<_, std::convert::Infallible>(build()));
    let got = cache.get_or_set(AMALGAM_KEY, build).execute();
    got.expect("nothing fails here")
}

/// How often amalgam has begun a build of the stale case.
pub static AMALGAM_BUILDS: AtomicU64 = AtomicU64::new(0);

/// The build of the stale case: the first at once, its successor once it may.
pub fn amalgam_successor() -> Arc<Resource> {
    let is_first = AMALGAM_BUILDS.fetch_add(1, Ordering::AcqRel) == 0;
    while !is_first && !MAY_REFRESH.load(Ordering::Acquire) {
        std::thread::sleep(Duration::from_millis(1));
    }
    build(NUMBER)
}

/// amalgam with a resource whose successor is being built.
pub fn amalgam_due() -> amalgam::BlockingCache<Arc<Resource>> {
    let cache = amalgam(Some(1e-9));
    while AMALGAM_BUILDS.load(Ordering::Acquire) < 2 {
        amalgam_get(&cache, amalgam_successor);
    }
    cache
}

/// quick_cache; it has no time to live.
pub fn quick<K: std::hash::Hash + Eq + Clone>() -> quick_cache::sync::Cache<K, Arc<Resource>> {
    quick_cache::sync::Cache::new(100_000)
}
