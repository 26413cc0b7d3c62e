//! What is logged where a callback of the attribute fails: the function's name, and what went wrong
//! (L3, L9).

mod support;

use std::sync::Mutex;

use futures_executor::block_on;
use tenure::{ReleaseFuture, cache_resource, set_spawner};

use support::lines::logged;

#[derive(Debug)]
struct Closed;

#[test]
fn l3_a_release_that_fails_is_logged_with_the_functions_name() {
    fn close(text: String) -> Result<(), Closed> {
        assert_ne!(text, "panic");
        Err(Closed)
    }

    #[cache_resource(on_release = close)]
    fn thing(name: &str) -> String {
        name.to_owned()
    }

    let _ = (thing("error"), thing("panic"));
    let (_, lines) = logged(thing::clear);
    assert_eq!(
        lines,
        [
            "ERROR message=on_release panicked function=thing cause=cleared",
            "ERROR message=on_release failed function=thing cause=cleared error=Closed",
        ]
    );
}

#[test]
fn l3_a_question_whether_to_keep_that_panics_says_no_and_is_logged() {
    #[cache_resource(keep_if = |_| panic!("cannot tell"))]
    fn thing() -> u32 {
        7
    }

    let (_, lines) = logged(|| assert_eq!(*thing(), 7));
    assert_eq!(
        lines,
        ["ERROR message=keep_if panicked; the resource is not kept function=thing"]
    );
    assert!(!thing::contains());
}

#[test]
fn l3_an_async_release_that_fails_is_logged_with_the_functions_name() {
    static SPAWNED: Mutex<Vec<ReleaseFuture>> = Mutex::new(Vec::new());

    async fn close(text: String) -> Result<(), Closed> {
        assert_ne!(text, "panic");
        Err(Closed)
    }

    #[cache_resource(on_release = close)]
    async fn thing(name: &str) -> String {
        name.to_owned()
    }

    block_on(async { drop((thing("error").await, thing("panic").await)) });
    set_spawner(|release| SPAWNED.lock().unwrap().push(release)); // which would run builds too
    for name in ["error", "panic"] {
        thing::clear_entry(name);
    }
    let ((), lines) = logged(|| {
        for release in std::mem::take(&mut *SPAWNED.lock().unwrap()) {
            block_on(release);
        }
    });
    assert_eq!(
        lines,
        [
            "ERROR message=on_release failed function=thing cause=cleared error=Closed",
            "ERROR message=on_release panicked function=thing cause=cleared",
        ]
    );
    assert_eq!(thing::info().release_failures, 2);
}

#[test]
fn l9_a_check_that_panics_is_logged_with_the_functions_name() {
    fn broken(_: &u32) -> bool {
        panic!("checking")
    }

    #[cache_resource(validate = broken)]
    fn thing() -> u32 {
        7
    }

    // Not for the spawner of another test.
    #[cache_resource(carry = false, validate = async |_: &u32| panic!("checking"))]
    async fn later() -> u32 {
        7
    }

    let panicked =
        |name| format!("ERROR message=validate panicked; the entry is built anew function={name}");
    let _ = thing();
    let (_, lines) = logged(thing);
    assert_eq!(lines, [panicked("thing")]);
    assert_eq!(thing::info().builds, 2);

    let _ = block_on(later());
    let (_, lines) = logged(|| block_on(later()));
    assert_eq!(lines, [panicked("later")]);
    assert_eq!(later::info().builds, 2);
}

#[test]
fn l15_the_log_tells_what_had_to_make_room() {
    #[cache_resource(weight = |text: &String| text.len(), max_weight = 10)]
    fn heavy(name: &str) -> String {
        name.repeat(6)
    }

    #[cache_resource(max_entries = 1)]
    fn full(name: &str) -> String {
        name.to_owned()
    }

    let (_, lines) = logged(|| {
        let _ = (heavy("a"), heavy("b"), full("a"), full("b"));
    });
    let lines: Vec<_> = lines.iter().filter(|it| it.starts_with("INFO")).collect();
    assert_eq!(
        lines,
        ["INFO message=released, to make room for another function=heavy weight=6"]
    );
}
