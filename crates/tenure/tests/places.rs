//! A3: what lives on a place that ends goes one by one, the last built first, and is found until its turn.

use std::sync::{Arc, Mutex};

use tenure::{Behaviour, Cause, Encoder, Engine, Function, Settings};

struct OnLoop(Arc<Mutex<Vec<u32>>>);

impl Behaviour<u32> for OnLoop {
    fn place(&self, it: &u32) -> Option<u64> {
        Some(u64::from(*it % 10))
    }

    fn release(&self, it: u32, cause: Cause) -> Result<(), tenure::ReleaseFailed> {
        assert_eq!(cause, Cause::SessionEnded);
        self.0.lock().unwrap().push(it);
        Ok(())
    }
}

#[test]
fn a3_each_is_found_until_its_own_end() {
    let engine = Engine::new();
    let released = Arc::<Mutex<Vec<u32>>>::default();
    let functions: Vec<_> = ["pool", "user"]
        .map(|name| {
            let behaviour = Box::new(OnLoop(Arc::clone(&released)));
            Function::<u32, ()>::new(&engine, name, Settings::default(), behaviour).unwrap()
        })
        .into();
    let key = |number: u32| {
        let mut key = Encoder::new();
        key.framed(0, &number.to_be_bytes());
        key
    };
    // Built by turns: 7 and 27 by the first, 17 and 37 by the second; 8 lives elsewhere.
    for (at, number) in [(0, 7), (1, 17), (0, 27), (1, 37), (0, 8)] {
        let built = functions[at].get_or_build(&key(number).finish(), || Ok(number));
        drop(built.unwrap());
    }
    let mut ends = engine.hold_place(7, None).into_iter();
    ends.next().unwrap()();
    assert_eq!(*released.lock().unwrap(), [37]);
    let found = functions[0].get_or_build(&key(27).finish(), || unreachable!());
    drop(found.unwrap());
    ends.by_ref().for_each(|end| end());
    assert_eq!(*released.lock().unwrap(), [37, 27, 17, 7]);
    assert_eq!(functions[0].info().entries, 1);
    // What is not run stays.
    drop(engine.hold_place(8, None));
    assert_eq!(functions[0].info().entries, 1);
    engine.end_place(8);
    assert_eq!(functions[0].info().entries, 0);
}
