//! V1 and V4: misses by their reasons, who ended what was kept, and what a call would meet, by a clock that is driven by
//! hand.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use tenure::front::{EndedBy, Identity, Registered};
use tenure::{
    Behaviour, Cause, Encoder, Engine, Explanation, Function, Interrupt, KeyRef, ManualClock, Miss,
    Part, Refresh, Settings,
};

const MINUTE: Duration = Duration::from_secs(60);

/// Finds everything bad while it says so.
#[derive(Default)]
struct Critic(Arc<AtomicBool>);

impl Behaviour<u32> for Critic {
    fn validate(&self, _: &u32) -> Result<bool, Interrupt> {
        Ok(!self.0.load(Ordering::SeqCst))
    }

    fn keeps(&self, it: &u32) -> Result<bool, Interrupt> {
        Ok(*it != 13)
    }
}

struct World {
    clock: ManualClock,
    engine: Engine,
    function: Arc<Function<u32, ()>>,
    is_bad: Arc<AtomicBool>,
}

impl World {
    fn new(settings: Settings) -> Self {
        let clock = ManualClock::new();
        let engine = Engine::with_clock(clock.clone());
        let critic = Critic::default();
        let is_bad = Arc::clone(&critic.0);
        let function = Function::new(&engine, "thing", settings, Box::new(critic)).unwrap();
        Self {
            clock,
            engine,
            function,
            is_bad,
        }
    }

    fn get(&self, key: u8, gives: u32) -> u32 {
        *self
            .function
            .get_or_build(&encoded(key).finish(), || Ok(gives))
            .unwrap()
    }

    fn explain(&self, key: u8) -> Explanation {
        self.function.explain(&encoded(key).finish()).unwrap()
    }

    /// The reasons that there were, with their numbers.
    fn missed(&self) -> Vec<(&'static str, u64)> {
        let info = self.function.info();
        let missed = info.all_missed().filter(|(_, number)| *number > 0);
        missed
            .map(|(reason, number)| (reason.name(), number))
            .collect()
    }
}

fn encoded(key: u8) -> Encoder {
    let mut encoder = Encoder::new();
    encoder.tag(key);
    encoder
}

/// A way in which what is kept for the first call ends, and the cause of that.
type Way = (Cause, Settings, fn(&World));

fn ways() -> Vec<Way> {
    let plain = Settings::default;
    vec![
        (Cause::Cleared, plain(), |it| it.function.clear().unwrap()),
        (Cause::Cleared, plain(), |it| {
            it.function.clear_entry(&encoded(1).finish()).unwrap();
        }),
        (Cause::Cleared, plain(), |it| {
            assert_eq!(it.function.clear_if(|_, _| true).unwrap(), 1);
        }),
        (Cause::Cleared, plain().tags(["a"]), |it| {
            it.engine.clear_tag("a")
        }),
        (Cause::Expired, plain().ttl(MINUTE), |it| {
            it.clock.advance(MINUTE)
        }),
        (Cause::Expired, plain(), |it| it.function.expire().unwrap()),
        (Cause::Idle, plain().max_idle(MINUTE), |it| {
            it.clock.advance(MINUTE);
            it.engine.run_due();
        }),
        (Cause::Evicted, plain().max_entries(1), |it| {
            assert_eq!(it.get(2, 2), 2);
        }),
        (Cause::Invalid, plain(), |it| {
            assert_eq!(it.function.discard_where(|it| *it == 1), 1);
        }),
    ]
}

#[test]
fn v4_a_miss_says_for_what_cause_what_was_kept_has_ended() {
    for (number, (cause, settings, end)) in ways().into_iter().enumerate() {
        let world = World::new(settings);
        assert_eq!(world.explain(1).miss, Some(Miss::Absent), "{number}");
        world.get(1, 1);
        assert!(world.explain(1).is_hit(), "{number}");
        end(&world);
        let why = world.explain(1);
        assert_eq!(why.miss, Some(Miss::Ended(cause)), "{number}");
        assert_eq!(why.age, Some(Duration::ZERO), "{number}");
        let info = world.function.info();
        world.get(1, 1);
        assert_eq!(
            world.function.info().missed(Miss::Ended(cause)),
            1,
            "{number}"
        );
        // To explain counts nothing and builds nothing.
        assert_eq!(
            (info.hits, info.missed(Miss::Ended(cause))),
            (0, 0),
            "{number}"
        );
    }
}

#[test]
fn v4_what_validate_turns_down_is_found_invalid_and_explain_does_not_ask_it() {
    let world = World::new(Settings::default().validates(true));
    world.get(1, 1);
    world.is_bad.store(true, Ordering::SeqCst);
    let why = world.explain(1);
    assert!(why.is_hit() && why.validates);
    assert!(why.to_string().contains("if validate finds it good"));
    world.get(1, 2);
    assert_eq!(world.missed(), [("absent", 1), ("invalid", 1)]);
}

#[test]
fn v4_what_is_not_kept_is_no_entry_the_next_time_either() {
    let world = World::new(Settings::default());
    world.get(1, 13);
    assert_eq!(world.explain(1).miss, Some(Miss::Ended(Cause::Orphaned)));
    world.get(1, 13);
    assert_eq!(world.missed(), [("absent", 1), ("orphaned", 1)]);
}

#[test]
fn v4_who_ended_it_is_told_and_what_that_leads_to_is_the_same_ones() {
    let world = World::new(Settings::default());
    world.get(1, 1);
    world.get(2, 2);
    {
        let _ended_by = EndedBy::enter("the operator".into());
        let _within = EndedBy::enter_with(|| unreachable!("somebody has a name"));
        world.function.clear().unwrap();
    }
    world.clock.advance(MINUTE);
    let why = world.explain(2);
    assert_eq!(why.by.as_deref(), Some("the operator"));
    assert_eq!(
        why.to_string(),
        "thing would be a miss: it was cleared, 60 s ago, by the operator"
    );
    world.get(2, 2);
    world.function.clear().unwrap();
    assert_eq!(world.explain(2).by, None);
    assert_eq!(world.explain(1).by.as_deref(), Some("the operator"));
}

#[test]
fn v1_a_call_that_waits_for_anothers_build_says_so() {
    let world = World::new(Settings::default());
    let (begun, ends) = (Barrier::new(2), Barrier::new(2));
    thread::scope(|scope| {
        let function = &world.function;
        let (begun, ends) = (&begun, &ends);
        scope.spawn(move || {
            let build = || {
                begun.wait();
                ends.wait();
                Ok(1)
            };
            drop(function.get_or_build(&KeyRef::EMPTY, build).unwrap());
        });
        begun.wait();
        let why = function.explain(&KeyRef::EMPTY).unwrap();
        assert_eq!(why.miss, Some(Miss::Building));
        let waits = scope.spawn(move || *function.get_or_build(&KeyRef::EMPTY, || Ok(2)).unwrap());
        while function.info().waiting == 0 {
            thread::yield_now();
        }
        ends.wait();
        assert_eq!(waits.join().unwrap(), 1);
    });
    assert_eq!(world.missed(), [("absent", 1), ("building", 1)]);
}

#[test]
fn v1_what_is_stale_is_a_hit_where_a_successor_is_built_beside_it_and_a_miss_elsewhere() {
    let settings = Settings::default().ttl(MINUTE).max_stale(MINUTE);
    for (refresh, is_hit) in [(Refresh::Foreground, false), (Refresh::Background, true)] {
        let world = World::new(settings.clone().refresh(refresh));
        world.get(1, 1);
        world.clock.advance(MINUTE);
        let why = world.explain(1);
        assert_eq!(
            (why.is_hit(), why.refreshes),
            (is_hit, is_hit),
            "{refresh:?}"
        );
        assert_eq!(world.function.info().stale, 1);
        if !is_hit {
            assert_eq!(why.miss, Some(Miss::Stale));
            world.get(1, 2);
            assert_eq!(world.missed(), [("absent", 1), ("stale", 1)]);
        }
    }
}

#[test]
fn v1_a_call_that_has_the_old_one_since_no_successor_can_be_built_is_one_miss_and_no_hit() {
    let world = World::new(Settings::default().ttl(MINUTE).max_stale(MINUTE));
    world.get(1, 1);
    world.clock.advance(MINUTE);
    let got = world
        .function
        .get_or_build(&encoded(1).finish(), || Err(()))
        .unwrap();
    assert_eq!(*got, 1);
    let info = world.function.info();
    assert_eq!((info.hits, info.misses, info.failures), (0, 2, 1));
    assert_eq!(world.missed(), [("absent", 1), ("stale", 1)]);
}

#[test]
fn v1_entries_that_nobody_holds_are_idle() {
    let world = World::new(Settings::default());
    let lease = world
        .function
        .get_or_build(&KeyRef::EMPTY, || Ok(1))
        .unwrap();
    world.get(1, 1);
    let info = world.function.info();
    assert_eq!((info.entries, info.idle), (2, 1));
    let why = world.function.explain(&KeyRef::EMPTY).unwrap();
    assert_eq!(why.leases, 1);
    drop(lease);
    assert_eq!(world.function.info().idle, 2);
}

#[test]
fn v1_the_times_of_builds_are_counted() {
    let world = World::new(Settings::default());
    for (key, taken) in [(1, 1), (2, 1), (3, 20)] {
        let build = || {
            world.clock.advance(Duration::from_secs(taken));
            Ok(0)
        };
        drop(
            world
                .function
                .get_or_build(&encoded(key).finish(), build)
                .unwrap(),
        );
    }
    let times = world.function.info().build_times;
    assert_eq!(times.count(), 3);
    assert_eq!(times.quantile(0.5), Some(Duration::from_secs(1)));
    assert_eq!(times.quantile(0.9), Some(Duration::from_secs(30)));
}

#[test]
fn v4_what_an_edit_leaves_behind_was_superseded() {
    let engine = Engine::new();
    let make = || Function::plain(&engine, "pool", Settings::default());
    let identity = Identity::new([1; 16], [1; 16]);
    let before: Registered<u32, ()> = engine.register(identity.clone(), make).unwrap();
    drop(before.function().get_or_build(&KeyRef::EMPTY, || Ok(7)));
    drop(before);
    let edited = Identity {
        version: [2; 16],
        maker: [2; 16],
        ..identity.clone()
    };
    let after: Registered<u32, ()> = engine.register(edited.clone(), make).unwrap();
    let why = after.function().explain(&KeyRef::EMPTY).unwrap();
    assert_eq!(why.miss, Some(Miss::Ended(Cause::Superseded)));
    assert!(why.to_string().contains("the function was edited"));
    let other = after.function().explain(&encoded(1).finish()).unwrap();
    assert_eq!(other.miss, Some(Miss::Absent));
    // What the same code makes beside it has superseded nothing.
    let sibling = Identity {
        version: [3; 16],
        ..edited.clone()
    };
    let beside: Registered<u32, ()> = engine.register(sibling, make).unwrap();
    let why = beside.function().explain(&KeyRef::EMPTY).unwrap();
    assert_eq!(why.miss, Some(Miss::Absent));
}

#[test]
fn v4_of_more_ends_than_are_remembered_the_first_is_forgotten() {
    let world = World::new(Settings::default());
    for key in 0..=u8::MAX {
        world.get(key, 0);
    }
    world.function.clear().unwrap();
    let cleared = Some(Miss::Ended(Cause::Cleared));
    assert!((0..=u8::MAX).all(|key| world.explain(key).miss == cleared));
    // One more, and the one that ended longest ago is forgotten; all was cleared, though.
    world
        .function
        .get_or_build(&KeyRef::EMPTY, || Ok(0))
        .unwrap();
    world.function.discard_where(|_| true);
    let forgotten = (0..=u8::MAX)
        .map(|key| world.explain(key))
        .find(|why| why.miss != cleared);
    let why = forgotten.unwrap();
    assert_eq!(
        (why.miss, why.last_clear),
        (Some(Miss::Absent), Some(Duration::ZERO))
    );
    assert!(why.to_string().ends_with("; all was cleared 0 s ago"));
}

/// The key of a call with these arguments, and what each of them wrote.
fn parts_of(arguments: &[(&'static str, &str)]) -> (Encoder, Vec<Part<'static>>) {
    let mut key = Encoder::new();
    let parts = arguments.iter().map(|(name, value)| {
        key.framed(1, value.as_bytes());
        Part {
            name,
            end: key.len(),
        }
    });
    let parts = parts.collect();
    (key, parts)
}

#[test]
fn v4_an_argument_that_alone_differs_is_named_with_how_many_entries_differ_in_it() {
    let world = World::new(Settings::default());
    let call =
        |url, region, minute| parts_of(&[("url", url), ("region", region), ("minute", minute)]);
    let keep = |(key, _): (Encoder, Vec<Part<'_>>)| {
        drop(world.function.get_or_build(&key.finish(), || Ok(1)));
    };
    keep(call("shop", "eu", "12:30"));
    keep(call("shop", "eu", "12:31:05"));
    keep(call("shop", "us", "12:32"));
    keep(call("bank", "us", "12:32"));
    let explain = |(key, parts): (Encoder, Vec<Part<'_>>)| {
        world.function.explain_parts(&key.finish(), &parts).unwrap()
    };
    let why = explain(call("shop", "eu", "12:32"));
    assert_eq!(why.differs, [("minute".into(), 2), ("region".into(), 1)]);
    assert!(
        why.to_string()
            .ends_with("; 2 entries differ in `minute` alone; 1 entry differs in `region` alone"),
        "{why}"
    );
    // The one that is kept differs in nothing, and none in two arguments is told of.
    assert_eq!(explain(call("shop", "us", "12:32")).differs, []);
    assert_eq!(
        explain(call("bank", "eu", "12:30")).differs,
        [("url".into(), 1)]
    );
    assert_eq!(explain(call("inn", "jp", "12:40")).differs, []);
    // Texts may be long. Of what is kept as a digest altogether nothing is known.
    let text = "text".repeat(100);
    keep(call(&text, &text, "1"));
    assert_eq!(
        explain(call(&text, &text, "2")).differs,
        [("minute".into(), 1)]
    );
    let many: Vec<_> = std::iter::repeat_n(("many", &*text), 20).collect();
    keep(parts_of(&many));
    assert_eq!(
        explain(parts_of(&[&many[1..], &[("many", "other")]].concat())).differs,
        []
    );
    // What has been kept is told by its end.
    world.function.clear().unwrap();
    assert_eq!(explain(call("shop", "eu", "12:30")).differs, []);
}

#[test]
fn v4_a_cached_functions_arguments_are_named() {
    #[tenure::cache_resource]
    fn pool(url: &str, #[key(skip)] _log: bool, r#type: u8, minute: u64) -> String {
        format!("{url}{} {minute}", r#type)
    }

    drop(pool("shop", true, 1, 30));
    drop(pool("shop", true, 1, 31));
    drop(pool("shop", true, 2, 32));
    let why = pool::explain("shop", false, 1, 32);
    assert_eq!(why.differs, [("minute".into(), 2), ("type".into(), 1)]);
}
