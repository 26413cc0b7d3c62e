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

thread_local! {
    static LINE: std::cell::Cell<Option<u32>> = const { std::cell::Cell::new(None) };
}

#[test]
fn r8_what_a_call_panics_for_is_shown_where_the_call_is() {
    #[cache_resource(scope = "session")]
    fn basket() -> u32 {
        7
    }

    #[cache_resource]
    fn circle() -> u32 {
        *circle()
    }
    let in_circle = line!() - 2;

    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let here = info.location().filter(|it| it.file() == file!());
        LINE.set(here.map(std::panic::Location::line));
        default(info);
    }));
    let panics = |call: &dyn Fn()| {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(call));
        assert!(outcome.is_err());
        LINE.take()
    };
    assert_eq!(panics(&|| drop(basket())), Some(line!()));
    assert_eq!(panics(&|| drop(circle())), Some(in_circle));
}
