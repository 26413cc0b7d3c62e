//! Engines as members of one fleet, over a bus of the test's own: it tells everything to all others at once.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;

use tenure::fleet::{Asking, Bus, Ending, Inlet, KnownAs, Mark, Permit, Purpose, Terms, Topic};
use tenure::front::{Again, Details, Digests, Patiently};
use tenure::{
    Behaviour, Encoder, Engine, Function, Interrupt, ManualClock, Scope, SessionId, Settings, Tags,
};

pub type Pools = Arc<Function<u64, String>>;

/// The other members of a bus, and what was raised on all of them.
#[derive(Default)]
pub struct Fleet {
    pub members: Mutex<Vec<(u64, Inlet)>>,
    pub raised: Mutex<Vec<(Topic, Ending)>>,
    pub permits: Mutex<Vec<Mark>>,
    pub permits_most: AtomicUsize,
}

pub struct Member {
    pub number: u64,
    pub fleet: Arc<Fleet>,
}

impl Bus for Member {
    fn mark(&self, purpose: Purpose, parts: &[&[u8]]) -> Mark {
        let text = format!("{purpose:?} {parts:?}");
        Mark(Digests::Fixed.of(text.as_bytes()).to_le_bytes())
    }

    fn raise(&self, topic: Topic, ending: Ending) {
        self.fleet.raised.lock().unwrap().push((topic, ending));
        let members = self.fleet.members.lock().unwrap().clone();
        for (number, inlet) in members {
            if number != self.number {
                inlet.ended(topic, ending);
            }
        }
    }

    fn ask(&self, key: Mark, at_most: u32, tell: Box<dyn FnOnce(Option<Permit>) + Send>) -> Asking {
        let asked = Arc::new(());
        let (asks, fleet) = (Arc::downgrade(&asked), Arc::clone(&self.fleet));
        thread::spawn(move || {
            while asks.strong_count() > 0 {
                let mut permits = fleet.permits.lock().unwrap();
                let there = permits.iter().filter(|it| **it == key).count();
                if there < at_most as usize {
                    permits.push(key);
                    fleet.permits_most.fetch_max(there + 1, SeqCst);
                    drop(permits);
                    return tell(Some(Box::new(Returned(fleet, key))));
                }
                drop(permits);
                thread::yield_now();
            }
        });
        Box::new(asked)
    }
}

pub struct Returned(pub Arc<Fleet>, pub Mark);

impl Drop for Returned {
    fn drop(&mut self) {
        let mut permits = self.0.permits.lock().unwrap();
        let at = permits.iter().position(|it| *it == self.1).unwrap();
        permits.swap_remove(at);
    }
}

impl Fleet {
    pub fn raised(&self) -> usize {
        self.raised.lock().unwrap().len()
    }
}

/// An engine in the fleet.
pub struct World {
    pub engine: Engine,
    pub clock: ManualClock,
    pub inlet: Inlet,
}

pub fn member_with(fleet: &Arc<Fleet>, terms: Terms) -> World {
    static NUMBERS: AtomicU64 = AtomicU64::new(0);
    let clock = ManualClock::new();
    let engine = Engine::with_clock(clock.clone());
    let number = NUMBERS.fetch_add(1, SeqCst);
    let bus = Member {
        number,
        fleet: Arc::clone(fleet),
    };
    let inlet = engine.join_fleet(Arc::new(bus), terms);
    fleet.members.lock().unwrap().push((number, inlet.clone()));
    World {
        engine,
        clock,
        inlet,
    }
}

pub fn member(fleet: &Arc<Fleet>) -> World {
    member_with(fleet, Terms::default())
}

pub struct Shared {
    pub name: &'static str,
    pub scope: Option<&'static str>,
    pub of_callers: bool,
}

impl Behaviour<u64> for Shared {
    fn known_as(&self) -> Option<KnownAs> {
        Some(KnownAs::new(self.name, "test 1"))
    }

    fn scope(&self) -> Result<Option<SessionId>, Interrupt> {
        Ok(self.scope.map(SessionId::from))
    }

    fn scope_is_of_callers(&self) -> bool {
        self.of_callers
    }
}

pub fn pools_with(world: &World, settings: Settings) -> Pools {
    let shared = Shared {
        name: "pool",
        scope: None,
        of_callers: false,
    };
    Function::new(&world.engine, "pool", settings, Box::new(shared)).unwrap()
}

pub fn pools(world: &World) -> Pools {
    pools_with(world, Settings::default())
}

pub fn key(number: u64) -> Encoder {
    let mut key = Encoder::new();
    key.framed(1, &number.to_le_bytes());
    key
}

/// The resource of a call that builds this where nothing is kept.
pub fn get(pools: &Pools, at: u64, value: u64) -> u64 {
    *pools.get_or_build(&key(at).finish(), || Ok(value)).unwrap()
}

/// A call whose entry carries a tag.
pub struct Tagging(pub &'static str);

impl Details<u64, String> for Tagging {
    fn again(&self) -> Option<Again<u64, String>> {
        None
    }

    fn tags(&self) -> Result<Tags, Interrupt> {
        Ok([self.0].into_iter().collect())
    }
}

pub fn get_tagged(pools: &Pools, at: u64, tag: &'static str) {
    let call = Tagging(tag);
    let got = pools.get_or_refresh(&key(at).finish(), &Patiently, || Ok(at), &call);
    assert_eq!(*got.unwrap(), at);
}

/// A function whose entries belong to one session alone, which no other member knows.
pub fn desks(world: &World, settings: Settings) -> Pools {
    let own = Shared {
        name: "desk",
        scope: Some("ada"),
        of_callers: false,
    };
    let settings = settings.scope(Scope::Custom);
    Function::new(&world.engine, "desk", settings, Box::new(own)).unwrap()
}
