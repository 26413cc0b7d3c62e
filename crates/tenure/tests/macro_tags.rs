//! D6 in the attribute's spelling, and of a cache that somebody owns.

use std::io;
use std::sync::mpsc::channel;

use tenure::{Cache, Refresh, Tags, cache_resource};

#[test]
fn d6_all_that_a_function_keeps_carries_the_tags_of_a_list() {
    const REGION: &str = "list: eu";

    #[cache_resource(tags = ["list: billing", REGION])]
    fn client(tenant: u32) -> u32 {
        tenant
    }

    #[cache_resource(tags = vec![format!("list: {}", 7)])]
    fn other() -> u32 {
        7
    }

    drop((client(1), client(2), other()));
    tenure::clear_tag("list: eu");
    assert_eq!((client::info().entries, other::info().entries), (0, 1));
    drop(client(1));
    tenure::clear_tag("list: billing");
    tenure::clear_tag("list: 7");
    assert_eq!((client::info().entries, other::info().entries), (0, 0));
}

fn of_tenant(tenant: &str, _shard: &u32) -> Vec<String> {
    vec![format!("path: {tenant}")]
}

#[test]
fn d6_each_call_carries_what_a_closure_or_a_function_says_of_its_arguments() {
    #[cache_resource(tags = |tenant, shard| [format!("closure: {tenant}"), format!("shard: {shard}")])]
    fn client(tenant: &str, shard: u32) -> Result<usize, io::Error> {
        Ok(tenant.len() + shard as usize)
    }

    #[cache_resource(tags = of_tenant)]
    fn by_path(tenant: String, shard: u32) -> String {
        format!("{tenant} {shard}")
    }

    #[cache_resource(tags = |tenant: &str, _log: &Vec<u8>| Some(format!("left out: {tenant} {}", _log.len())))]
    fn typed(tenant: &str, _log: &mut Vec<u8>) -> usize {
        _log.push(0);
        tenant.len()
    }

    drop((
        client("a", 1).unwrap(),
        client("a", 2).unwrap(),
        client("b", 1).unwrap(),
    ));
    tenure::clear_tag("closure: a");
    assert!(!client::contains("a", 1) && !client::contains("a", 2) && client::contains("b", 1));
    tenure::clear_tag("shard: 1");
    assert!(!client::contains("b", 1));

    drop((by_path("a".to_owned(), 1), by_path("b".to_owned(), 1)));
    tenure::clear_tag("path: a");
    assert_eq!(by_path::info().entries, 1);

    let mut log = vec![1, 2];
    drop(typed("a", &mut log));
    tenure::clear_tag("left out: a 2"); // as it was before the build
    assert_eq!(typed::info().entries, 0);
}

#[test]
fn d6_what_is_put_in_by_hand_or_warmed_carries_them_too() {
    #[cache_resource(tags = |tenant| [format!("hand: {tenant}")])]
    fn client(tenant: &str) -> usize {
        tenant.len()
    }

    client::insert("a", 7);
    client::replace("b", 8);
    client::warm(["a", "b", "c"]).wait();
    assert_eq!(client::info().entries, 3);
    for (tenant, left) in [("a", 2), ("b", 1), ("c", 0)] {
        tenure::clear_tag(&format!("hand: {tenant}"));
        assert_eq!(client::info().entries, left);
    }
}

#[test]
fn d6_methods_generics_and_async_functions_carry_tags() {
    struct Shop(u32);

    impl Shop {
        #[cache_resource(tags = |shelf| [format!("shelf: {shelf}")])]
        fn stock(#[key(with = |it: &&Self| it.0)] &self, shelf: u32) -> u32 {
            self.0 + shelf
        }
    }

    #[cache_resource(tags = |it| [format!("generic: {it}")])]
    fn shown<T: std::fmt::Display + tenure::CacheKey>(it: T) -> String {
        it.to_string()
    }

    #[cache_resource(tags = |tenant| [format!("async: {tenant}")])]
    async fn client(tenant: &str) -> Result<usize, io::Error> {
        Ok(tenant.len())
    }

    #[cache_resource(tags = |tenant| [format!("refreshed: {tenant}")], ttl = "1h", refresh_mode = "background")]
    async fn refreshed(tenant: String) -> usize {
        tenant.len()
    }

    drop((Shop(1).stock(7), Shop(2).stock(7), Shop(2).stock(8)));
    tenure::clear_tag("shelf: 7");
    assert_eq!(Shop::stock_info().entries, 1);

    drop((shown(7), shown("seven"), shown(8)));
    tenure::clear_tag("generic: 7");
    assert_eq!(shown::info().entries, 2);

    futures_executor::block_on(async {
        drop((client("a").await.unwrap(), client("b").await.unwrap()));
        tenure::clear_tag("async: a").await;
        assert!(!client::contains("a") && client::contains("b"));

        drop((
            refreshed("a".to_owned()).await,
            refreshed("b".to_owned()).await,
        ));
        tenure::clear_tag("refreshed: a").await;
        assert_eq!(refreshed::info().entries, 1);
    });
}

#[test]
fn d6_a_hit_asks_for_no_tags() {
    use std::sync::atomic::{AtomicU32, Ordering};
    static ASKED: AtomicU32 = AtomicU32::new(0);

    #[cache_resource(tags = |_it| { ASKED.fetch_add(1, Ordering::SeqCst); ["hit"] })]
    fn client(it: u32) -> u32 {
        it
    }

    for _ in 0..100 {
        drop(client(1));
    }
    // What is asked for often is found without a lock, and with nothing else.
    let asked = ASKED.load(Ordering::SeqCst);
    drop(client(1));
    assert_eq!(ASKED.load(Ordering::SeqCst), asked);
    assert_eq!(client::info().builds, 1);
}

#[test]
fn d6_a_cache_that_somebody_owns_has_tags() {
    let (told, heard) = channel();
    let clients = Cache::<str, usize, std::num::ParseIntError>::builder("client")
        .tags(["owned"])
        .tags_of(|tenant| [format!("owned: {tenant}")])
        .ttl(std::time::Duration::from_secs(60))
        .refresh_mode(Refresh::Background)
        .on_release(move |client, _cause| told.send(client).unwrap())
        .build()
        .unwrap();
    let left = || clients.info().entries;
    clients.try_get("1", || "1".parse()).unwrap();
    clients.try_get_refreshed("2", || "2".parse()).unwrap();
    clients.insert("3", 3);
    clients.replace("4", 4);
    clients.try_warm("5", || "5".parse()).wait();
    futures_executor::block_on(clients.try_get_async("6", async { "6".parse() })).unwrap();
    for tenant in ["1", "2", "3", "4", "5"] {
        let before = left();
        tenure::clear_tag(&format!("owned: {tenant}"));
        assert_eq!(left(), before - 1);
        assert_eq!(heard.recv().unwrap().to_string(), tenant);
    }
    tenure::clear_tag("owned");
    assert_eq!(left(), 0);
    assert_eq!(heard.recv(), Ok(6));
}

#[test]
fn d6_tags_are_each_there_once() {
    let tags: Tags = ["a", "b", "a"].into_iter().collect();
    assert_eq!(format!("{tags:?}"), r#"["a", "b"]"#);
    assert!(Tags::default().is_empty());
}
