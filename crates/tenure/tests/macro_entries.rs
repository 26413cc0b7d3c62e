//! What is kept, looked at and changed by hand (L1, V1), and what is not kept.

use std::convert::Infallible;
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Sender, channel};

use tenure::{Cause, EntryInfo, Lease, Session, cache_resource};

#[test]
fn l1_a_look_builds_nothing_and_counts_nothing() {
    #[cache_resource]
    fn pool(host: &str, _note: u32) -> String {
        host.to_owned()
    }

    assert!(pool::peek("here", 0).is_none());
    assert!(!pool::contains("here", 0));
    assert_eq!((pool::info().builds, pool::info().misses), (0, 0));
    let built = pool("here", 0);
    let kept: Lease<String> = pool::peek("here", 1).unwrap();
    assert!(kept.same_entry(&built));
    assert!(pool::contains("here", 2));
    assert!(!pool::contains("there", 2));
    assert_eq!((pool::info().hits, pool::info().misses), (0, 1));
    pool::clear();
    assert!(pool::peek("here", 0).is_none());
}

#[test]
fn l9_a_look_does_not_check() {
    #[cache_resource(validate = |_| false)]
    fn pool() -> u32 {
        7
    }

    pool();
    assert_eq!(pool::peek().as_deref(), Some(&7));
    assert_eq!(pool::info().released(Cause::Invalid), 0);
}

#[test]
fn l1_what_is_put_in_is_released_like_what_was_built() {
    static RELEASED: Mutex<Vec<(u32, Cause)>> = Mutex::new(Vec::new());

    fn release(number: u32, cause: Cause) {
        RELEASED.lock().unwrap().push((number, cause));
    }

    // An argument may be called as the resource is.
    #[cache_resource(max_entries = 2, on_release = release)]
    fn number(value: u32) -> io::Result<u32> {
        Ok(value)
    }

    let put: Lease<u32> = number::insert(1, 10);
    assert!(number(1).unwrap().same_entry(&put));
    drop(put);
    assert!(number::replace(2, 20).is_none());
    let before = number::replace(2, 21).unwrap();
    assert_eq!((*before, *number(2).unwrap()), (20, 21));
    assert_eq!(*RELEASED.lock().unwrap(), []);
    drop(before);
    number::insert(3, 30);
    number::clear_entry(2);
    assert_eq!(
        *RELEASED.lock().unwrap(),
        [
            (20, Cause::Replaced),
            (10, Cause::Evicted),
            (21, Cause::Cleared)
        ]
    );
    assert_eq!(number::info().builds, 4);
}

#[test]
fn l1_those_that_are_meant_are_cleared() {
    #[cache_resource]
    fn number(of: u32) -> u32 {
        of
    }

    assert!(number::entries().is_empty());
    assert_eq!(number::clear_if(|_, _| true), 0);
    let held = number(1);
    for of in [2, 3, 3] {
        number(of);
    }
    let figures: Vec<_> = number::entries()
        .iter()
        .map(|it| (it.hits, it.leases))
        .collect();
    assert_eq!(figures, [(0, 1), (0, 0), (1, 0)]);
    // Asked under no lock: it may call the function.
    let odd = number::clear_if(|it, info| *number(*it) % 2 == 1 && info.leases == 0);
    assert_eq!(odd, 1);
    assert_eq!(number::clear_if(|it, _| it % 2 == 1), 1);
    assert_eq!(number::entries().len(), 1);
    drop(held);
    assert_eq!(number::info().released(Cause::Cleared), 2);
}

#[derive(tenure::CacheKey)]
struct Region(&'static str);

impl Region {
    #[cache_resource]
    async fn pool(&self, size: u32) -> Result<Vec<u32>, Infallible> {
        let _ = size;
        Ok(vec![])
    }

    #[cache_resource(associated, cache = the_default)]
    pub fn standard() -> Region {
        Region("north")
    }
}

#[test]
fn l1_a_method_has_them_too() {
    let north = Region("north");
    assert!(Region::pool_peek(&north, 1).is_none());
    let put: Lease<Vec<u32>> = Region::pool_insert(&north, 1, vec![7]);
    assert!(north.pool_contains(1) && !Region("south").pool_contains(1));
    let got = futures_executor::block_on(north.pool(1)).unwrap();
    assert!(got.same_entry(&put));
    let before = north.pool_replace(1, vec![8, 9]);
    assert_eq!(before.as_deref(), Some(&vec![7]));
    assert_eq!(Region::pool_entries().len(), 1);
    assert_eq!(Region::pool_clear_if(|pool, _| pool.len() == 2), 1);
    assert!(!north.pool_contains(1));

    assert!(!Region::the_default_contains());
    Region::standard();
    assert_eq!(Region::the_default_clear_if(|it, _| it.0 == "north"), 1);
}

#[test]
fn l1_functions_with_type_parameters_have_them_for_each_type() {
    #[cache_resource]
    fn table<T: Default + Clone + Send + Sync + 'static, const N: usize>(rows: usize) -> Vec<[T; N]>
    where
        [T; N]: Default,
    {
        vec![Default::default(); rows]
    }

    #[cache_resource]
    fn count(things: &(impl AsRef<[u8]> + std::hash::Hash), _by: &impl Fn(u8) -> u32) -> usize {
        things.as_ref().len()
    }

    #[cache_resource(keep_if = Option::is_some, on_release = |it: Option<T>, _| drop(it))]
    fn parsed<'a, T>(text: &'a str) -> Option<T>
    where
        T: TryFrom<&'a str> + Send + Sync + 'static,
    {
        text.try_into().ok()
    }

    assert!(parsed::<String>("seven").is_some());
    assert!(parsed::contains::<String>("seven") && !parsed::contains::<Box<str>>("seven"));
    assert_eq!(parsed::clear_if::<String>(|_, _| true), 1);

    table::<u8, 2>(1);
    table::<u8, 2>(2);
    table::insert::<u16, 2>(2, vec![[7, 8]]);
    assert_eq!(table::peek::<u16, 2>(2).as_deref(), Some(&vec![[7, 8]]));
    assert!(!table::contains::<u16, 2>(1));
    assert_eq!(table::entries().len(), 3);
    assert_eq!(table::clear_if::<u8, 2>(|it, _| it.len() == 2), 1);
    assert_eq!(table::clear_if::<u16, 2>(|_, _| true), 1);
    assert_eq!(table::info().entries, 1);

    let by = |it: u8| u32::from(it);
    count(&[1, 2], &by);
    count(&vec![1, 2, 3], &by);
    assert!(count::contains(&[1, 2], &by));
    assert_eq!(count::clear_if(|it, _| *it >= 2), 2);
}

mod elsewhere {
    macro_rules! kept {
        ($name:ident -> $returns:ty, $limit:literal) => {
            #[tenure::cache_resource(max_entries = $limit, keep_if = |it| *it > 0)]
            pub fn $name(number: u32) -> $returns {
                Ok(number)
            }
        };
    }

    kept!(number -> Result<u32, std::num::ParseIntError>, 1);
}

struct Repository<T>(std::marker::PhantomData<T>);

impl<T: Default + Send + Sync + 'static> Repository<T> {
    #[cache_resource(associated, on_release = |rows: Vec<T>, cause: Cause| drop((rows, cause)))]
    fn rows<const N: usize>(_hint: &str) -> Vec<T> {
        (0..N).map(|_| T::default()).collect()
    }
}

#[test]
fn l1_they_come_along_wherever_the_function_goes() {
    use elsewhere::number;

    number::insert(1, 10);
    assert_eq!(*number(1).unwrap(), 10);
    assert_eq!(*number(0).unwrap(), 0);
    assert!(!number::contains(0) && number::contains(1));

    Repository::<u8>::rows::<2>("any");
    Repository::<u8>::rows::<3>("any");
    Repository::<String>::rows_insert::<2>("any", vec![]);
    assert!(Repository::<u8>::rows_contains::<2>("other"));
    assert!(!Repository::<u8>::rows_contains::<4>("any"));
    assert_eq!(Repository::<u8>::rows_entries().len(), 2);
    assert_eq!(Repository::<u8>::rows_clear_if(|it, _| it.len() == 3), 1);
    assert_eq!(Repository::<String>::rows_info().entries, 1);
}

#[test]
fn l1_a_session_sees_its_own() {
    #[cache_resource(scope = "session")]
    fn basket() -> u32 {
        0
    }

    let (alice, bob) = (Session::new(), Session::new());
    alice.run(|| basket::insert(7));
    assert_eq!(alice.run(|| basket::peek().as_deref().copied()), Some(7));
    bob.run(|| {
        assert!(!basket::contains());
        assert!(basket::entries().is_empty());
        assert_eq!(basket::clear_if(|_, _| true), 0);
    });
    let outside: [fn(); 5] = [
        || drop(basket::peek()),
        || drop(basket::insert(1)),
        || drop(basket::replace(1)),
        || drop(basket::entries()),
        || assert_eq!(basket::clear_if(|_, _| true), 0),
    ];
    for act in outside {
        let panicked = std::panic::catch_unwind(act).unwrap_err();
        let text = panicked.downcast_ref::<String>().unwrap();
        assert!(text.starts_with("basket has scope=\"session\""), "{text}");
    }
    assert_eq!(alice.run(basket::entries).len(), 1);
}

#[test]
fn l1_what_is_not_to_be_kept_goes_to_its_callers_alone() {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    static RELEASED: Mutex<Vec<Cause>> = Mutex::new(Vec::new());

    #[cache_resource(keep_if = Option::is_some, on_release = |_, cause| RELEASED.lock().unwrap().push(cause))]
    fn user(_name: &str) -> Option<u32> {
        match CALLS.fetch_add(1, Ordering::Relaxed) {
            0 => None,
            number => Some(number),
        }
    }

    let none = user("ann");
    assert_eq!(*none, None);
    assert!(!user::contains("ann"));
    assert_eq!(*RELEASED.lock().unwrap(), []);
    drop(none);
    assert_eq!(*RELEASED.lock().unwrap(), [Cause::Orphaned]);
    assert_eq!((*user("ann"), *user("ann")), (Some(1), Some(1)));

    // Of a `Result` it is asked about what was built; async functions have it too.
    #[cache_resource(keep_if = |rows| !rows.is_empty())]
    async fn rows(count: usize) -> io::Result<Vec<u8>> {
        Ok(vec![0; count])
    }

    for (count, kept) in [(0, false), (2, true)] {
        assert_eq!(
            futures_executor::block_on(rows(count)).unwrap().len(),
            count
        );
        assert_eq!(rows::contains(count), kept);
    }
}

#[test]
fn l1_an_on_release_may_take_the_cause() {
    static SEEN: Mutex<Vec<(&str, Cause)>> = Mutex::new(Vec::new());

    fn see(who: &'static str, cause: Cause) {
        SEEN.lock().unwrap().push((who, cause));
    }

    async fn tell(told: Sender<Cause>, cause: Cause) -> io::Result<()> {
        told.send(cause).map_err(io::Error::other)
    }

    #[cache_resource(on_release = see)]
    fn by_path() -> &'static str {
        "path"
    }

    #[cache_resource(on_release = |who: &'static str, cause| see(who, cause))]
    fn by_closure() -> &'static str {
        "closure"
    }

    #[cache_resource(on_release = |_, _| ())]
    fn by_nothing() -> Vec<u32> {
        vec![]
    }

    #[cache_resource(on_release = drop)]
    fn by_a_generic_function() -> Vec<u32> {
        vec![]
    }

    #[cache_resource(on_release = tell)]
    async fn by_async_path(#[key(skip)] told: Sender<Cause>) -> Result<Sender<Cause>, Infallible> {
        Ok(told)
    }

    by_path();
    by_closure();
    by_nothing();
    by_a_generic_function();
    let (tell, told) = channel();
    futures_executor::block_on(by_async_path(tell)).unwrap();
    by_path::clear();
    by_closure::insert("closure");
    by_nothing::clear();
    by_a_generic_function::clear();
    assert_eq!(
        *SEEN.lock().unwrap(),
        [("path", Cause::Cleared), ("closure", Cause::Replaced)]
    );
    by_async_path::clear();
    assert_eq!(told.recv(), Ok(Cause::Cleared));
}

#[test]
fn v1_entries_tell_the_arguments_that_count_where_that_is_asked_for() {
    #[derive(Debug, Hash, PartialEq, Eq)]
    struct Tenant(u32);

    #[cache_resource(show_arguments = true)]
    fn pool(host: &str, Tenant(tenant): Tenant, _secret: &str) -> String {
        format!("{host}/{tenant}")
    }

    fn arguments(of: &[EntryInfo]) -> Vec<&str> {
        of.iter()
            .map(|it| it.arguments.as_deref().unwrap())
            .collect()
    }

    pool("here", Tenant(7), "hunter2");
    pool::insert("there", Tenant(8), "hunter2", "by hand".to_owned());
    assert_eq!(
        arguments(&pool::entries()),
        ["host: \"here\", Tenant(7)", "host: \"there\", Tenant(8)"]
    );

    #[derive(Debug, Hash)]
    struct Client(&'static str);

    impl Client {
        #[cache_resource(show_arguments = true)]
        async fn shard<const N: usize>(&self, number: u32) -> io::Result<u32> {
            match number {
                0 => Err(io::Error::other("none")),
                number => Ok(number),
            }
        }
    }

    let client = Client("ada");
    futures_executor::block_on(async {
        client.shard::<3>(1).await.unwrap();
        client.shard::<3>(0).await.unwrap_err();
    });
    assert_eq!(
        arguments(&Client::shard_entries()),
        ["N: 3, self: Client(\"ada\"), number: 1"]
    );
}

#[test]
fn v1_arguments_are_told_of_nobody_who_was_not_asked() {
    #[cache_resource]
    fn pool(host: &str) -> String {
        host.to_owned()
    }

    pool("here");
    assert_eq!(pool::entries()[0].arguments, None);
}

#[test]
fn v1_of_an_argument_that_counts_in_part_that_part_is_told() {
    struct Credentials {
        user: String,
        _password: String,
    }

    fn user(credentials: &Credentials) -> String {
        credentials.user.clone()
    }

    #[cache_resource(show_arguments = true)]
    fn account(
        #[key(with = user)] credentials: &Credentials,
        #[key(skip)] _attempt: u32,
        mut r#try: Vec<u8>,
    ) -> usize {
        r#try.push(0);
        credentials.user.len() + r#try.len()
    }

    let ada = Credentials {
        user: "ada".to_owned(),
        _password: "hunter2".to_owned(),
    };
    account(&ada, 1, vec![7]);
    let entries = account::entries();
    assert_eq!(
        entries[0].arguments.as_deref(),
        Some("credentials: \"ada\", try: [7]")
    );
}

#[test]
fn v1_the_future_of_a_function_that_tells_its_arguments_goes_to_any_thread() {
    #[cache_resource(show_arguments = true)]
    async fn pool(host: String) -> String {
        std::future::ready(()).await;
        host
    }

    let call = pool("here".to_owned());
    let built = std::thread::spawn(|| futures_executor::block_on(call));
    assert_eq!(*built.join().unwrap(), "here");
    assert_eq!(
        pool::entries()[0].arguments.as_deref(),
        Some("host: \"here\"")
    );
}

#[test]
fn l1_a_resource_may_hold_a_lease_of_its_own_kind() {
    struct Folder {
        parent: Option<Lease<Folder>>,
    }

    #[cache_resource]
    fn folder(path: &str) -> Folder {
        let parent = path.rsplit_once('/').map(|(parent, _)| folder(parent));
        Folder { parent }
    }

    let leaf = folder("a/b");
    assert!(leaf.parent.as_ref().unwrap().same_entry(&folder("a")));
}

#[test]
fn c1_what_a_thread_builds_while_it_ends_is_kept() {
    #[cache_resource]
    fn pool(number: u32) -> u32 {
        number
    }

    struct AtItsEnd;

    impl Drop for AtItsEnd {
        fn drop(&mut self) {
            pool(2);
        }
    }

    thread_local! {
        // Met first, so that it is the last to go.
        static END: AtItsEnd = const { AtItsEnd };
    }

    let thread = std::thread::spawn(|| {
        END.with(|_| ());
        pool(1);
    });
    thread.join().unwrap();
    assert_eq!(pool::peek(2).as_deref(), Some(&2));
}
