//! S4 in a Rust program. A test program of its own, since the grace period holds for all sessions.

use std::time::Duration;

use tenure::{Engine, Session, cache_resource, configure};

#[test]
fn s4_a_named_session_that_comes_back_finds_its_resources() {
    #[cache_resource(scope = "session")]
    fn basket() -> Vec<u32> {
        Vec::new()
    }

    configure(|config| config.session_grace = Duration::from_secs(3600));
    let engine = Engine::global();
    let tab = Session::named("a");
    let lease = tab.run(basket);
    drop(tab);
    assert_eq!((engine.inspect().endings, engine.inspect().jobs), (1, 1));
    let tab = Session::named("a");
    assert_eq!((engine.inspect().endings, engine.inspect().jobs), (0, 0));
    assert!(tab.run(basket).same_entry(&lease));
    // A second handle of a session that is there changes nothing, and the last one ends it again.
    drop(Session::named("a"));
    assert_eq!(engine.inspect().jobs, 0);
    drop(tab);
    assert_eq!(engine.inspect().jobs, 1);
    assert_eq!(basket::info().entries, 1);
}
