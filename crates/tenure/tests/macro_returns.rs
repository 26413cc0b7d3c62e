//! A return type is what it is, whatever it is called (K17).

use std::convert::Infallible;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

use tenure::{Lease, Shared, cache_resource};

type AppResult<T> = Result<T, String>;
type IoResult<T = u32> = io::Result<T>;

/// Named like a `Result`, and none.
#[derive(Debug, PartialEq)]
struct QueryResult<T>(T);

/// A build that fails at its first call.
fn fails_once(calls: &AtomicU32) -> Result<u32, String> {
    match calls.fetch_add(1, Ordering::Relaxed) {
        0 => Err("not yet".to_owned()),
        number => Ok(number),
    }
}

#[test]
fn k17_an_alias_is_handled_as_the_result_that_it_is() {
    static CALLS: AtomicU32 = AtomicU32::new(0);

    #[cache_resource]
    fn app(_key: u32) -> AppResult<u32> {
        fails_once(&CALLS)
    }

    let failed: Result<Lease<u32>, Shared<String>> = app(1);
    assert_eq!(failed.unwrap_err().failure().unwrap(), "not yet");
    assert_eq!(*app(1).unwrap(), 1);
    assert_eq!(*app(1).unwrap(), 1);
    let info = app::info();
    assert_eq!((info.builds, info.failures, info.hits), (1, 1, 1));
}

#[test]
fn k17_an_alias_hides_what_it_likes() {
    #[cache_resource]
    fn all() -> IoResult {
        Err(io::Error::other("down"))
    }

    #[cache_resource]
    fn with_settings(_key: u32) -> AppResult<Vec<u32>> {
        Ok(vec![7])
    }

    #[cache_resource(validate = |it| !it.is_empty(), on_release = |it| drop(it))]
    fn with_callbacks() -> AppResult<Vec<u32>> {
        Ok(vec![7])
    }

    fn program() -> Result<u32, Box<dyn std::error::Error + Send + Sync>> {
        Ok(*all()?)
    }

    assert_eq!(program().unwrap_err().to_string(), "down");
    assert_eq!(with_settings(1).unwrap().len(), 1);
    assert!(
        with_callbacks()
            .unwrap()
            .same_entry(&with_callbacks().unwrap())
    );
}

#[test]
fn k17_what_is_named_like_a_result_may_be_none() {
    #[cache_resource]
    fn rows() -> QueryResult<u32> {
        QueryResult(7)
    }

    let lease: Lease<QueryResult<u32>> = rows();
    assert_eq!(*lease, QueryResult(7));
}

trait Repository {
    type Rows;
    type Opened;
}

struct Notes;

impl Repository for Notes {
    type Rows = Vec<u32>;
    type Opened = Result<u32, String>;
}

#[test]
fn k17_an_associated_type_is_what_it_stands_for() {
    static CALLS: AtomicU32 = AtomicU32::new(0);

    #[cache_resource]
    fn rows() -> <Notes as Repository>::Rows {
        vec![1]
    }

    #[cache_resource]
    fn opened() -> <Notes as Repository>::Opened {
        fails_once(&CALLS)
    }

    assert_eq!(rows().len(), 1);
    assert!(opened().is_err());
    assert_eq!(*opened().unwrap(), 1);
}

macro_rules! cached {
    ($name:ident, $ttl:literal, $returns:ty, $body:expr) => {
        #[cache_resource(ttl = $ttl)]
        fn $name(_key: u32) -> $returns {
            $body
        }
    };
}

#[test]
fn k17_a_type_that_comes_through_a_macro_is_a_result_too() {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    static MORE: AtomicU32 = AtomicU32::new(0);

    cached!(plain, "1h", u32, 7);
    cached!(fallible, 60, Result<u32, String>, fails_once(&CALLS));
    cached!(aliased, 1.5, AppResult<u32>, fails_once(&MORE));

    let seven: Lease<u32> = plain(1);
    assert_eq!(*seven, 7);
    assert!(fallible(1).is_err());
    assert_eq!(*fallible(1).unwrap(), 1);
    assert!(aliased(1).is_err());
    assert_eq!(*aliased(1).unwrap(), 1);
}

#[test]
fn r1_every_setting_may_come_through_a_macro() {
    macro_rules! all {
        ($ttl:expr, $most:expr, $text:literal, $time:literal, $scope:literal, $check:expr) => {
            #[cache_resource(
                                                                            ttl = $ttl,
                                                                            max_entries = $most,
                                                                            show_spinner = $text,
                                                                            show_time = $time,
                                                                            scope = $scope,
                                                                            validate = $check
                                                                        )]
            fn pool(shard: u32) -> Vec<u32> {
                vec![shard]
            }
        };
    }

    all!("1h", 2, "Connecting", true, "global", |it| !it.is_empty());
    for shard in 0..3 {
        let _ = pool(shard);
    }
    assert_eq!(pool::info().entries, 2);
}

struct Store;

impl Store {
    #[cache_resource(associated)]
    fn open(path: &str) -> AppResult<Self> {
        if path.is_empty() {
            return Err("no path".to_owned());
        }
        Ok(Self)
    }
}

#[test]
fn k17_a_method_may_return_an_alias() {
    assert!(Store::open("").is_err());
    assert!(Store::open("here").is_ok());
    assert_eq!(Store::open_info().failures, 1);
}

#[test]
fn k17_an_async_function_may_return_an_alias() {
    static CALLS: AtomicU32 = AtomicU32::new(0);

    #[cache_resource(validate = async |it: &u32| *it > 0)]
    async fn app(_key: u32) -> AppResult<u32> {
        fails_once(&CALLS)
    }

    futures_executor::block_on(async {
        assert!(app(1).await.is_err());
        assert_eq!(*app(1).await.unwrap(), 1);
        assert_eq!(*app(1).await.unwrap(), 1);
    });
    assert_eq!(app::info().builds, 1);
}

#[test]
fn k17_a_type_parameter_that_is_a_result_is_refused_at_the_first_call() {
    #[cache_resource]
    fn made<T: Default + Send + Sync + 'static>() -> T {
        T::default()
    }

    #[derive(Debug)]
    struct Never(#[allow(dead_code)] Infallible);
    trait Make {
        type Out: Send + Sync + 'static;
        fn make() -> Self::Out;
    }
    impl Make for Never {
        type Out = Result<u32, Never>;
        fn make() -> Self::Out {
            Ok(7)
        }
    }
    #[cache_resource]
    fn through<M: Make + 'static>() -> M::Out {
        M::make()
    }

    assert_eq!(*made::<u32>(), 0);
    let refused = std::panic::catch_unwind(|| drop(through::<Never>())).unwrap_err();
    let text = refused.downcast_ref::<String>().unwrap();
    assert!(
        text.contains("`through`") && text.contains("return `Result<T, E>`"),
        "{text}"
    );
}

#[test]
fn k17_what_an_option_holds_is_kept_as_it_is() {
    #[cache_resource]
    fn maybe() -> Option<u32> {
        None
    }

    assert_eq!(*maybe(), None);
    assert!(maybe().same_entry(&maybe()));
}
