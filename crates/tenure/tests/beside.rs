//! C6, C3: code that a build has begun and may not wait for closes no circle, and can ask whether it is in one.

use tenure::front::{Asked, Awaiting, Detached, Next};
use tenure::{Engine, Error, Function, KeyRef, Settings};

type Numbers = Function<u32, ()>;

fn step(function: &Numbers) -> Next<u32, ()> {
    let next = function.next(&KeyRef::EMPTY, &mut Asked::default(), &|| None);
    next.unwrap()
}

fn built(function: &Numbers) -> (Detached<u32, ()>, Awaiting<u32, ()>) {
    match step(function) {
        Next::Build(build, caller) => (build, caller),
        other => panic!("{other:?}"),
    }
}

fn two() -> (std::sync::Arc<Numbers>, std::sync::Arc<Numbers>) {
    let engine = Engine::new();
    let function = |name| Numbers::plain(&engine, name, Settings::default()).unwrap();
    (function("one"), function("two"))
}

#[test]
fn c6_a_wait_beside_a_build_refuses_nobody_and_sees_the_circle() {
    let (one, two) = two();
    let (first, _caller) = built(&one);
    let (second, beside) = {
        let _inside = first.place().enter_beside();
        built(&two)
    };
    assert!(beside.is_beside());
    assert_eq!(beside.circle(), None);
    let Next::Wait(own) = ({
        let _inside = second.place().enter();
        step(&one)
    }) else {
        panic!("the wait of an innocent build");
    };
    assert!(!own.is_beside());
    assert_eq!(own.circle(), None);
    assert_eq!(beside.circle().unwrap(), ["one", "two", "one"]);
    // It was none: the build ends without its task.
    first.finish(Ok(1), |_| ());
    let lease = own.landed().unwrap().unwrap();
    second.finish(Ok(*lease + 1), |_| ());
    assert_eq!(*beside.landed().unwrap().unwrap(), 2);
}

#[test]
fn c6_where_it_gives_way_the_others_go_on() {
    let (one, two) = two();
    let (first, _caller) = built(&one);
    let (second, beside) = {
        let _inside = first.place().enter_beside();
        built(&two)
    };
    let _inside = second.place().enter();
    let Next::Wait(own) = step(&one) else {
        panic!("the wait of an innocent build");
    };
    beside.give_up();
    first.finish(Ok(1), |_| ());
    assert_eq!(*own.landed().unwrap().unwrap(), 1);
}

#[test]
fn c3_a_wait_of_the_build_itself_is_refused_at_once() {
    let (one, two) = two();
    let (first, _caller) = built(&one);
    let (second, _own) = {
        let _inside = first.place().enter();
        built(&two)
    };
    let _inside = second.place().enter();
    let refused = one.next(&KeyRef::EMPTY, &mut Asked::default(), &|| None);
    assert!(matches!(refused, Err(Error::Cycle(chain)) if chain == ["two", "one", "two"]));
}

#[test]
fn c3_a_build_that_asks_for_itself_beside_itself_sees_it() {
    let (one, _) = two();
    let (first, _caller) = built(&one);
    let _inside = first.place().enter_beside();
    let Next::Wait(beside) = step(&one) else {
        panic!("a wait");
    };
    assert_eq!(beside.circle().unwrap(), ["one", "one"]);
}
