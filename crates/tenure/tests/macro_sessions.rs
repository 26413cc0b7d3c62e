//! Sessions and stages of a Rust program (R5, R7, and S1 to S5 where they hold in Rust).

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use tenure::{Cause, Session, Stage, cache_resource, stage};

#[test]
fn s2_a_session_has_its_own_entry_until_it_ends() {
    static CLOSED: AtomicU32 = AtomicU32::new(0);

    #[cache_resource(
        scope = "session",
        on_release = |_: u32| { CLOSED.fetch_add(1, Ordering::Relaxed); },
    )]
    fn connection(to: u32) -> u32 {
        to
    }

    let (alice, bob) = (Session::new(), Session::new());
    let hers = alice.run(|| connection(1));
    let his = bob.run(|| connection(1));
    assert!(!hers.same_entry(&his));
    assert!(hers.same_entry(&alice.run(|| connection(1))));
    drop((hers, his));
    alice.run(connection::clear);
    assert_eq!(connection::info().released(Cause::Cleared), 1);
    let _ = alice.run(|| connection(2));
    alice.end();
    assert!(alice.has_ended());
    assert_eq!(connection::info().released(Cause::SessionEnded), 1);
    drop(bob);
    assert_eq!(connection::info().released(Cause::SessionEnded), 2);
    assert_eq!(CLOSED.load(Ordering::Relaxed), 3);
}

#[test]
fn s3_a_call_outside_every_session_says_what_to_do() {
    #[cache_resource(scope = "session")]
    fn fallible() -> Result<u32, String> {
        Ok(1)
    }

    #[cache_resource(scope = "session")]
    fn infallible() -> u32 {
        1
    }

    let error = fallible().unwrap_err();
    assert!(error.is_no_session());
    assert!(error.to_string().contains("scope=\"session\""), "{error}");
    for cure in ["Session::run", "Session::attach", "SessionLayer"] {
        assert!(error.to_string().contains(cure), "{error}");
    }
    let panic = thread::spawn(|| *infallible()).join().unwrap_err();
    assert!(
        panic
            .downcast_ref::<String>()
            .unwrap()
            .contains("runs in no session")
    );
}

#[test]
fn s2_what_all_share_is_built_for_no_session() {
    #[cache_resource(scope = "session")]
    fn basket() -> Result<u32, String> {
        Ok(1)
    }

    #[cache_resource]
    fn shop() -> Result<u32, String> {
        assert_eq!(Session::current(), None);
        let refused = basket().unwrap_err();
        assert!(refused.is_no_session());
        let text = refused.to_string();
        assert!(text.contains("was called to build shop"), "{text}");
        // What the build begins, and what may outlive it, has none either.
        let begun = tenure::carry(async { basket().unwrap_err() });
        let begun = thread::spawn(|| futures_executor::block_on(begun));
        assert!(begun.join().unwrap().is_no_session());
        // One that the build enters by itself is its own.
        let trial = Session::new();
        let carried = trial.run(|| tenure::carry(async { basket().map(|it| *it) }));
        assert_eq!(*trial.run(basket).unwrap(), 1);
        assert_eq!(trial.run(Session::current), Some(trial.clone()));
        assert_eq!(futures_executor::block_on(carried).unwrap(), 1);
        Ok(2)
    }

    let alice = Session::new();
    assert_eq!(*alice.run(shop).unwrap(), 2);
    assert_eq!(*alice.run(basket).unwrap(), 1);
}

#[test]
fn s2_what_all_share_is_built_for_no_session_on_a_task_either() {
    #[cache_resource(scope = "session")]
    async fn basket() -> Result<u32, String> {
        Ok(1)
    }

    #[cache_resource]
    async fn shop() -> Result<u32, String> {
        tokio::task::yield_now().await;
        assert!(basket().await.unwrap_err().is_no_session());
        let begun = tokio::spawn(tenure::carry(basket()));
        assert!(begun.await.unwrap().unwrap_err().is_no_session());
        Ok(2)
    }

    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let alice = Session::new();
    let built = runtime.unwrap().block_on(alice.attach(shop()));
    assert_eq!(*built.unwrap(), 2);
}

#[test]
fn r5_guards_nest() {
    let (outer, inner) = (Session::new(), Session::new());
    let entered = outer.enter();
    inner.run(|| assert_eq!(Session::current(), Some(inner.clone())));
    assert_eq!(Session::current(), Some(outer.clone()));
    drop(entered);
    assert_eq!(Session::current(), None);
}

#[test]
fn r5_a_name_is_one_session_while_it_lives() {
    #[cache_resource(scope = "session")]
    fn basket() -> u32 {
        3
    }

    let tab = Session::named("alice");
    let other = Session::named("alice");
    assert_eq!((tab.name(), &tab), (Some("alice"), &other));
    let lease = tab.run(basket);
    drop(tab);
    assert!(lease.same_entry(&other.run(basket)));
    drop(other);
    assert_eq!(basket::info().released(Cause::SessionEnded), 0);
    drop(lease);
    assert_eq!(basket::info().released(Cause::SessionEnded), 1);
    assert!(!Session::named("alice").has_ended());
}

#[test]
fn s2_a_session_that_ends_during_a_build_keeps_nothing() {
    static BEGUN: Barrier = Barrier::new(2);

    #[cache_resource(scope = "session")]
    fn slow() -> u32 {
        BEGUN.wait();
        BEGUN.wait();
        5
    }

    let session = Session::new();
    thread::scope(|scope| {
        let builder = scope.spawn(|| session.run(slow));
        BEGUN.wait();
        session.end();
        BEGUN.wait();
        assert_eq!(*builder.join().unwrap(), 5);
    });
    let info = slow::info();
    assert_eq!((info.entries, info.released(Cause::Orphaned)), (0, 1));
}

/// A page with a form: elements are lines, inputs are numbers.
#[derive(Default)]
struct Page {
    lines: Mutex<Vec<String>>,
    fields: Mutex<Vec<(&'static str, u32)>>,
}

impl Stage for Page {
    type Element = String;
    type Input = Option<u32>;

    fn put(&self, element: &String) {
        self.lines.lock().unwrap().push(element.clone());
    }

    fn input(&self, id: &str) -> Option<u32> {
        let fields = self.fields.lock().unwrap();
        fields.iter().find(|(name, _)| *name == id).map(|it| it.1)
    }
}

fn page(fields: &[(&'static str, u32)]) -> Arc<Page> {
    Arc::new(Page {
        lines: Mutex::default(),
        fields: Mutex::new(fields.to_vec()),
    })
}

fn field(id: &str) -> u32 {
    stage::input::<Option<u32>>(id).flatten().unwrap_or(0)
}

fn shown(page: &Page) -> Vec<String> {
    page.lines.lock().unwrap().clone()
}

#[test]
fn r7_elements_are_put_out_again_also_from_nested_functions() {
    #[cache_resource]
    fn inner(of: u32) -> u32 {
        stage::put(format!("inner {of}"));
        of
    }

    #[cache_resource]
    fn outer(of: u32) -> u32 {
        stage::put("before".to_owned());
        let inner = *inner(of);
        stage::put("after".to_owned());
        stage::put(7u8); // of another type: it goes nowhere
        inner
    }

    let first = page(&[]);
    stage::run(&first, || {
        inner(1);
        outer(1)
    });
    assert_eq!(shown(&first), ["inner 1", "before", "inner 1", "after"]);
    let second = page(&[]);
    stage::run(&second, || outer(1));
    assert_eq!(shown(&second), ["before", "inner 1", "after"]);
    assert_eq!((outer::info().builds, inner::info().builds), (1, 1));
    // Nobody looks: nothing is shown, and nothing breaks.
    assert_eq!(*outer(1), 1);
}

#[test]
fn r7_what_was_built_off_stage_is_shown_on_one() {
    #[cache_resource]
    fn chart() -> u32 {
        stage::put("chart".to_owned());
        1
    }

    stage::run(&page(&[]), || {});
    let _ = chart();
    let later = page(&[]);
    stage::run(&later, chart);
    assert_eq!(shown(&later), ["chart"]);
}

#[test]
fn r7_inputs_count_as_arguments_where_the_function_says_so() {
    #[cache_resource(observes = true)]
    fn scaled(of: u32) -> u32 {
        stage::put(format!("{of} scaled"));
        of * field("scale")
    }

    #[cache_resource]
    fn once(of: u32) -> u32 {
        of * field("scale")
    }

    let with = |scale| page(&[("scale", scale), ("other", scale)]);
    assert_eq!(*stage::run(&with(2), || scaled(10)), 20);
    assert_eq!(*stage::run(&with(3), || scaled(10)), 30);
    let again = with(2);
    assert_eq!(*stage::run(&again, || scaled(10)), 20);
    assert_eq!(shown(&again), ["10 scaled"]);
    assert_eq!(scaled::info().builds, 2);
    assert_eq!(*stage::run(&with(2), || once(10)), 20);
    assert_eq!(*stage::run(&with(3), || once(10)), 20);
}

#[test]
fn r7_inputs_of_nested_functions_count_for_the_outer_one() {
    #[cache_resource(observes = true)]
    fn inner() -> u32 {
        field("scale")
    }

    #[cache_resource(observes = true)]
    fn outer() -> u32 {
        *inner() + 1
    }

    let with = |scale| page(&[("scale", scale)]);
    assert_eq!(*stage::run(&with(1), outer), 2);
    assert_eq!(*stage::run(&with(2), outer), 3);
    assert_eq!(*stage::run(&with(1), outer), 2);
    // A hit on the inner one tells the outer one what it depends on.
    outer::clear();
    assert_eq!(*stage::run(&with(1), outer), 2);
    assert_eq!(*stage::run(&with(2), outer), 3);
    assert_eq!((inner::info().builds, outer::info().builds), (2, 4));
}

#[test]
fn r7_an_input_that_changes_during_the_build_is_never_a_hit() {
    #[cache_resource(observes = true)]
    fn sum(#[key(skip)] page: &Page) -> u32 {
        let before = field("x");
        page.fields.lock().unwrap()[0].1 += 1;
        before + field("x")
    }

    let page = page(&[("x", 1)]);
    assert_eq!(*stage::run(&page, || sum(&page)), 3);
    page.fields.lock().unwrap()[0].1 = 1;
    assert_eq!(*stage::run(&page, || sum(&page)), 3);
    assert_eq!(sum::info().builds, 2);
}

#[test]
fn r7_async_builds_record_on_the_stage_of_their_task() {
    #[cache_resource]
    async fn chart(of: u32) -> u32 {
        stage::put(format!("chart {of}"));
        of
    }

    let (first, second) = (page(&[]), page(&[]));
    futures_executor::block_on(async {
        stage::attach(&first, chart(1)).await;
        stage::attach(&second, chart(1)).await;
    });
    assert_eq!(
        (shown(&first), shown(&second)),
        (vec!["chart 1".to_owned()], vec!["chart 1".to_owned()])
    );
    assert_eq!(chart::info().builds, 1);
}

#[test]
fn r7_async_builds_observe_the_stage_of_their_task() {
    #[cache_resource(observes = true)]
    async fn scaled(of: u32) -> u32 {
        tokio::task::yield_now().await;
        of * field("scale")
    }

    let (two, three) = (page(&[("scale", 2)]), page(&[("scale", 3)]));
    // On one thread, by turns.
    let both = || async {
        tokio::join!(
            stage::attach(&two, scaled(10)),
            stage::attach(&three, scaled(10))
        )
    };
    let built = futures_executor::block_on(both());
    assert_eq!((*built.0, *built.1), (20, 30));
    let found = futures_executor::block_on(both());
    assert!(found.0.same_entry(&built.0) && found.1.same_entry(&built.1));
    let info = scaled::info();
    assert_eq!((info.builds, info.hits), (2, 2));
}
