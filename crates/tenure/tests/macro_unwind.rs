//! L6 for a program that panics. A test program of its own, since it shuts all functions down.

use std::panic::catch_unwind;
use std::sync::Mutex;

use tenure::{Cause, cache_resource, shutdown_on_drop};

#[test]
fn l6_a_panic_that_nobody_catches_releases_everything() {
    static CLOSED: Mutex<Vec<u32>> = Mutex::new(Vec::new());

    #[cache_resource(on_release = |number: u32| {
        CLOSED.lock().unwrap().push(number);
        // Reaches nobody, and ends no program that panics already (L3).
        assert_ne!(number, 2, "closing");
    })]
    fn pool(number: u32) -> u32 {
        number
    }

    fn program() {
        let _released = shutdown_on_drop();
        drop((pool(1), pool(2)));
        let _lease = pool(3);
        panic!("nobody catches this");
    }

    let panic = catch_unwind(program).unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"nobody catches this"));
    assert_eq!(*CLOSED.lock().unwrap(), [3, 2, 1]);
    let info = pool::info();
    assert_eq!((info.entries, info.released(Cause::Shutdown)), (0, 3));
    assert_eq!(info.release_failures, 1);
}
