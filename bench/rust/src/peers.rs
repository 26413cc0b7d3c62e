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

/// quick_cache; it has no time to live.
pub fn quick<K: std::hash::Hash + Eq + Clone>() -> quick_cache::sync::Cache<K, Arc<Resource>> {
    quick_cache::sync::Cache::new(100_000)
}
