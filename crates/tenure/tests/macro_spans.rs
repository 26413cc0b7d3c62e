//! The `tracing` span of a build, which holds the function's name and no argument.

mod support;

use futures_executor::block_on;
use tenure::cache_resource;

use support::lines::spanned;

#[test]
fn v3_a_build_is_a_span_and_a_hit_is_none() {
    #[cache_resource]
    fn pool(_url: &str, size: u32) -> u32 {
        size
    }

    let (_, spans) = spanned(|| pool("db://here", 8));
    assert_eq!(spans, ["build function=pool"]);
    let (_, spans) = spanned(|| pool("db://here", 8));
    assert!(spans.is_empty(), "{spans:?}");
    let (_, spans) = spanned(|| [pool("db://here", 9), pool("db://here", 10)]);
    assert_eq!(spans, ["build function=pool"; 2]);
}

#[test]
fn v3_an_async_build_is_one_span_over_its_polls() {
    #[cache_resource]
    async fn pool(size: u32) -> u32 {
        tokio::task::yield_now().await;
        size
    }

    let (_, spans) = spanned(|| block_on(pool(8)));
    assert_eq!(spans, ["build function=pool"]);
    let (_, spans) = spanned(|| block_on(pool(8)));
    assert!(spans.is_empty(), "{spans:?}");
}
