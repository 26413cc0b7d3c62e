//! D6: what carries a tag is cleared together, on the bare engine.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

use tenure::front::{Again, Asked, BuildError, Detached, Details, Next, Patiently};
use tenure::{
    Behaviour, BuildStart, Cause, Encoder, Engine, Error, Fork, Function, Host, HostBuild, Info,
    Interrupt, KeyRef, Lease, ManualClock, Observed, ProgramHost, Recording, Refresh,
    ReleaseFailed, Scope, Session, SessionId, Settings, Tags,
};

const MINUTE: Duration = Duration::from_secs(60);

type Clients = Arc<Function<u32, String>>;

fn tagged() -> Settings {
    Settings::default().tags_calls(true)
}

fn key(number: u32) -> Encoder {
    let mut key = Encoder::new();
    key.framed(1, &number.to_le_bytes());
    key
}

type Meanwhile = Box<dyn FnOnce() + Send>;

/// A call with tags, which counts how often it was asked for them.
struct Call {
    number: u32,
    tags: Result<Vec<String>, &'static str>,
    asked: AtomicU32,
    meanwhile: Arc<Mutex<Option<Meanwhile>>>,
}

impl Call {
    fn new(number: u32, tags: &[&str]) -> Self {
        Self {
            number,
            tags: Ok(tags.iter().map(|&it| it.to_owned()).collect()),
            asked: AtomicU32::new(0),
            meanwhile: Arc::default(),
        }
    }

    /// Another thread does this while the successor is built.
    fn meanwhile(&self, act: impl FnOnce() + Send + 'static) {
        *self.meanwhile.lock().unwrap() = Some(Box::new(act));
    }

    fn of(
        &self,
        clients: &Clients,
        build: impl FnOnce() -> u32,
    ) -> Result<Lease<u32>, Error<String>> {
        let key = key(self.number);
        clients.get_or_refresh(&key.finish(), &Patiently, || Ok(build()), self)
    }
}

impl Details<u32, String> for Call {
    fn again(&self) -> Option<Again<u32, String>> {
        let (number, meanwhile) = (self.number, Arc::clone(&self.meanwhile));
        Some(Arc::new(move |build: Detached<u32, String>| {
            let outcome = build.run(|| {
                if let Some(meanwhile) = meanwhile.lock().unwrap().take() {
                    thread::spawn(meanwhile).join().unwrap();
                }
                Ok::<_, BuildError<String>>(number + 100)
            });
            build.finish(outcome, |interrupt| format!("{interrupt:?}"));
        }))
    }

    fn tags(&self) -> Result<Tags, Interrupt> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        match &self.tags {
            Ok(tags) => Ok(tags.iter().cloned().collect()),
            Err(text) => Err(Interrupt(Box::new(*text))),
        }
    }
}

fn get(clients: &Clients, number: u32, tags: &[&str]) -> u32 {
    *Call::new(number, tags).of(clients, || number).unwrap()
}

fn live(clients: &Clients, number: u32) -> bool {
    clients.kept(&key(number).finish()).unwrap().is_some()
}

fn clients(engine: &Engine, settings: Settings) -> Clients {
    Function::plain(engine, "client", settings).unwrap()
}

fn cleared(info: &Info) -> u64 {
    info.released(Cause::Cleared)
}

#[test]
fn d6_what_carries_a_tag_is_cleared_in_every_function_and_nothing_else_is() {
    let engine = Engine::with_clock(ManualClock::new());
    let (one, two) = (clients(&engine, tagged()), clients(&engine, tagged()));
    let billing = clients(&engine, Settings::default().tags(["billing", "tenant:7"]));
    let plain = clients(&engine, Settings::default());
    get(&one, 1, &["tenant:7"]);
    get(&one, 2, &["tenant:8", "tenant:7", "tenant:7"]);
    get(&one, 3, &["tenant:8"]);
    get(&one, 4, &[]);
    get(&two, 5, &["tenant:7"]);
    get(&billing, 6, &["never asked"]);
    get(&plain, 7, &["tenant:7"]); // and nobody has asked for it
    assert_eq!(engine.inspect().tags, 2);

    engine.clear_tag("tenant:7");
    assert_eq!(
        [1, 2, 3, 4].map(|it| live(&one, it)),
        [false, false, true, true]
    );
    assert!(!live(&two, 5) && !live(&billing, 6) && live(&plain, 7));
    let all = [&one, &two, &billing, &plain];
    assert_eq!(all.map(|it| cleared(&it.info())), [2, 1, 1, 0]);
    engine.clear_tag("tenant:7");
    engine.clear_tag("tenant");
    assert_eq!(all.map(|it| cleared(&it.info())), [2, 1, 1, 0]);

    get(&one, 1, &["tenant:9"]); // built anew, it carries what the new call says
    engine.clear_tag("tenant:7");
    assert!(live(&one, 1));
}

#[test]
fn d6_a_tag_reaches_every_session() {
    let engine = Engine::with_clock(ManualClock::new());
    engine.set_host(Some(Arc::new(ProgramHost)));
    let baskets = clients(&engine, tagged().scope(Scope::Session));
    let (alice, bob) = (Session::new(), Session::new());
    alice.run(|| get(&baskets, 1, &["sale"]));
    bob.run(|| get(&baskets, 1, &["sale"]));
    bob.run(|| get(&baskets, 2, &["other"]));
    engine.clear_tag("sale"); // from outside of any session
    assert_eq!((baskets.info().entries, cleared(&baskets.info())), (1, 2));
}

#[test]
fn d6_a_call_is_asked_once_and_only_where_it_builds() {
    let engine = Engine::with_clock(ManualClock::new());
    let clients = clients(&engine, tagged().validates(true));
    let call = Call::new(1, &["a"]);
    call.of(&clients, || 1).unwrap();
    call.of(&clients, || unreachable!()).unwrap();
    assert_eq!(call.asked.load(Ordering::SeqCst), 1);

    let fails = Call {
        tags: Err("no tenant"),
        ..Call::new(2, &[])
    };
    let got = fails.of(&clients, || unreachable!());
    assert!(
        matches!(got, Err(Error::Interrupted(it)) if it.0.downcast_ref() == Some(&"no tenant"))
    );
    assert_eq!(engine.inspect().flights, 0);
    // Another call of the same key builds.
    assert_eq!(get(&clients, 2, &["a"]), 2);
}

#[test]
fn d6_a_build_under_way_that_carries_it_goes_to_its_callers_and_is_not_kept() {
    let engine = Engine::with_clock(ManualClock::new());
    let clients = clients(&engine, tagged());
    let (begun, goes_on) = (Barrier::new(2), Barrier::new(2));
    thread::scope(|scope| {
        let built = scope.spawn(|| {
            let build = || {
                begun.wait();
                goes_on.wait();
                1
            };
            *Call::new(1, &["tenant:7"]).of(&clients, build).unwrap()
        });
        begun.wait();
        engine.clear_tag("other");
        assert_eq!(engine.inspect().flights, 1);
        engine.clear_tag("tenant:7");
        assert_eq!(engine.inspect().flights, 0);
        // Who asks now does not get what was built with the old credential.
        assert_eq!(*Call::new(1, &["tenant:7"]).of(&clients, || 2).unwrap(), 2);
        goes_on.wait();
        assert_eq!(built.join().unwrap(), 1);
    });
    assert_eq!(*clients.kept(&key(1).finish()).unwrap().unwrap(), 2);
    let info = clients.info();
    assert_eq!((info.released(Cause::Orphaned), cleared(&info)), (1, 0));
    // The new one carries it as well.
    engine.clear_tag("tenant:7");
    assert!(!live(&clients, 1));
}

#[test]
fn d6_a_build_that_clears_its_own_tag_is_kept() {
    let engine = Engine::with_clock(ManualClock::new());
    let clients = clients(&engine, tagged());
    get(&clients, 2, &["model"]);
    let build = || {
        engine.clear_tag("model"); // frees the old one first
        assert_eq!(clients.info().entries, 0);
        1
    };
    Call::new(1, &["model"]).of(&clients, build).unwrap();
    assert!(live(&clients, 1));
}

#[test]
fn d6_a_successor_carries_the_tags_and_its_build_is_struck_with_them() {
    let clock = ManualClock::new();
    let engine = Engine::with_clock(clock.clone());
    let settings = tagged().ttl(MINUTE).refresh(Refresh::Background);
    let clients = clients(&engine, settings);
    let call = Call::new(1, &["tenant:7"]);
    let value = |call: &Call| *call.of(&clients, || 1).unwrap();
    assert_eq!(value(&call), 1);
    clock.advance(MINUTE + Duration::from_secs(1));
    assert_eq!(value(&call), 1);
    engine.run_due();
    assert_eq!(value(&call), 101); // the successor
    assert_eq!(call.asked.load(Ordering::SeqCst), 1);
    engine.clear_tag("tenant:7");
    assert!(!live(&clients, 1));

    // A refresh that builds, and whose entry is cleared meanwhile: it is nobody's.
    assert_eq!(value(&call), 1);
    clock.advance(MINUTE + Duration::from_secs(1));
    assert_eq!(value(&call), 1);
    let clears = engine.clone();
    call.meanwhile(move || {
        assert_eq!(clears.inspect().flights, 1);
        clears.clear_tag("tenant:7");
        assert_eq!(clears.inspect().flights, 0);
    });
    engine.run_due();
    assert!(!live(&clients, 1));
    assert_eq!(clients.info().released(Cause::Orphaned), 1);
    assert_eq!(engine.inspect().tags, 0);
}

#[test]
fn d6_the_index_holds_what_is_live_and_nothing_else() {
    let clock = ManualClock::new();
    let engine = Engine::with_clock(clock.clone());
    engine.set_host(Some(Arc::new(ProgramHost)));
    let tags = || engine.inspect().tags;
    let few = clients(&engine, tagged().max_entries(1).ttl(MINUTE));
    get(&few, 1, &["a", "b"]);
    let held = few.kept(&key(1).finish()).unwrap();
    get(&few, 2, &["c"]);
    assert_eq!(tags(), 1); // evicted, though it is leased
    drop(held);
    clock.advance(2 * MINUTE);
    engine.run_due();
    assert_eq!(tags(), 0);

    get(&few, 3, &["a"]);
    few.expire().unwrap();
    assert_eq!(tags(), 0);
    get(&few, 3, &["a"]);
    few.insert(&key(3).finish(), 4).unwrap(); // by hand, without tags
    assert_eq!(tags(), 0);
    get(&few, 4, &["a"]);
    few.clear().unwrap();
    assert_eq!(tags(), 0);
    get(&few, 5, &["a"]);
    few.kept(&key(5).finish()).unwrap().unwrap().discard();
    assert_eq!(tags(), 0);

    let failed = Call::new(6, &["a"]);
    let build = || Err(BuildError::Failed("down".to_owned()));
    let got = few.get_or_refresh(
        &key(6).finish(),
        &Patiently,
        build as fn() -> Result<u32, _>,
        &failed,
    );
    assert!(got.is_err());
    assert_eq!(tags(), 0);

    let of_session = clients(&engine, tagged().scope(Scope::Session));
    let session = Session::named("alice");
    session.run(|| get(&of_session, 1, &["a"]));
    assert_eq!(tags(), 1);
    // The session belongs to the program's engine, and this is another.
    engine.end_session("alice");
    assert_eq!(tags(), 0);

    for number in 0..1000 {
        get(&of_many(&engine), number, &["same"]);
    }
    assert_eq!(tags(), 0); // with each function
    let many = of_many(&engine);
    for number in 0..1000 {
        get(&many, number, &["same", &format!("own {number}")]);
    }
    assert_eq!(tags(), 1001);
    engine.clear_tag("own 500");
    assert_eq!((tags(), many.info().entries), (1000, 999));
    engine.clear_tag("same");
    assert_eq!((tags(), many.info().entries), (0, 0));
    get(&many, 1, &["same"]);
    drop(many);
    assert_eq!(tags(), 0);
    get(&few, 1, &["a"]);
    assert!(engine.shutdown());
    assert_eq!(tags(), 0);
}

fn of_many(engine: &Engine) -> Clients {
    clients(engine, tagged())
}

#[test]
fn d6_a_call_taken_step_by_step_carries_its_tags() {
    let engine = Engine::with_clock(ManualClock::new());
    let clients = clients(&engine, tagged());
    let call = Call::new(1, &["tenant:7"]);
    let mut asked = Asked::default();
    let next = clients.next(&key(1).finish(), &mut asked, &call).unwrap();
    let Next::Build(build, caller) = next else {
        unreachable!("nothing is kept");
    };
    caller.give_up();
    build.finish(Ok(7), |interrupt| format!("{interrupt:?}"));
    assert!(live(&clients, 1));
    engine.clear_tag("tenant:7");
    assert!(!live(&clients, 1));
}

#[test]
fn d6_what_is_warmed_carries_the_tags_that_it_was_given() {
    let engine = Engine::with_clock(ManualClock::new());
    let clients = clients(&engine, tagged());
    let again = Call::new(1, &[]).again().unwrap();
    let tags = ["tenant:7"].into_iter().collect();
    clients.warm(&key(1).finish(), tags, again, |_| {}).unwrap();
    engine.run_due();
    assert!(live(&clients, 1));
    engine.clear_tag("tenant:7");
    assert!(!live(&clients, 1));
}

#[test]
fn d6_a_child_process_has_the_tags_of_what_it_inherits() {
    let clock = ManualClock::new();
    let settings = tagged().fork(Fork::Keep);
    let parent = clients(&Engine::with_clock(clock.clone()), settings.clone());
    get(&parent, 1, &["tenant:7"]);
    get(&parent, 2, &["tenant:8"]);
    let engine = Engine::with_clock(clock);
    let child = clients(&engine, settings);
    child.inherit(parent.legacy().heirlooms(|it| *it));
    engine.clear_tag("tenant:7");
    assert!(!live(&child, 1) && live(&child, 2));
    assert!(live(&parent, 1));
}

#[test]
fn d6_the_last_built_is_released_first() {
    struct Ledger(Arc<Mutex<Vec<u32>>>);

    impl Behaviour<u32> for Ledger {
        fn release(&self, value: u32, cause: Cause) -> Result<(), ReleaseFailed> {
            assert_eq!(cause, Cause::Cleared);
            self.0.lock().unwrap().push(value);
            Ok(())
        }
    }

    let engine = Engine::new();
    let released = Arc::default();
    let make = |settings| {
        let ledger = Box::new(Ledger(Arc::clone(&released)));
        Function::<u32, String>::new(&engine, "client", settings, ledger).unwrap()
    };
    let (pools, clients) = (make(Settings::default().tags(["a"])), make(tagged()));
    get(&pools, 1, &[]);
    get(&clients, 2, &["a"]);
    get(&pools, 3, &[]);
    engine.clear_tag("a");
    assert_eq!(*released.lock().unwrap(), [3, 2, 1]);
}

/// A host whose builds observe one input, which is always the same.
struct Observing;

struct Build;

impl Host for Observing {
    fn session(&self) -> Result<Option<SessionId>, Interrupt> {
        Ok(None)
    }

    fn begin(&self, _: &BuildStart<'_>) -> Result<Option<Arc<dyn HostBuild>>, Interrupt> {
        Ok(Some(Arc::new(Build)))
    }

    fn replay(&self, _: &Recording) -> Result<(), Interrupt> {
        Ok(())
    }

    fn observe(&self, _: &Observed, values: &mut Encoder) -> Result<(), Interrupt> {
        values.framed(1, b"seven");
        Ok(())
    }
}

impl HostBuild for Build {
    fn show(&self) {}

    fn end(&self, _: bool) -> Option<Recording> {
        let mut shape = Encoder::new();
        shape.framed(1, b"slider");
        let observed = Observed::new((), &shape.finish());
        Some(Recording::new(()).observing(observed))
    }
}

#[test]
fn d6_an_entry_whose_key_observed_inputs_complete_is_found() {
    let engine = Engine::with_clock(ManualClock::new());
    engine.set_host(Some(Arc::new(Observing)));
    let clients = clients(&engine, tagged().observes(true));
    get(&clients, 1, &["tenant:7"]);
    assert_eq!(clients.info().entries, 1);
    engine.clear_tag("tenant:7");
    assert_eq!(clients.info().entries, 0);
    assert_eq!(engine.inspect().tags, 0);
}

#[test]
fn d6_a_clear_while_entries_land_leaves_nothing_of_what_stood_before() {
    let engine = Engine::with_clock(ManualClock::new());
    let clients = clients(&engine, tagged());
    // The credential in force, and the last one whose clear is over.
    let (present, cleared) = (AtomicU32::new(0), AtomicU32::new(0));
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for round in 0..2000 {
                    let least = cleared.load(Ordering::SeqCst);
                    let call = Call::new(round % 5, &["credential"]);
                    let got = call.of(&clients, || present.load(Ordering::SeqCst));
                    assert!(*got.unwrap() >= least);
                }
            });
        }
        for next in 1..500 {
            present.store(next, Ordering::SeqCst);
            engine.clear_tag("credential");
            cleared.store(next, Ordering::SeqCst);
        }
    });
    engine.clear_tag("credential");
    assert_eq!((engine.inspect().tags, clients.info().entries), (0, 0));
    let info = clients.info();
    assert_eq!(info.builds, info.all_released());
}

#[test]
fn d6_a_key_without_arguments_carries_tags() {
    let engine = Engine::with_clock(ManualClock::new());
    let clients = clients(&engine, tagged());
    let call = Call::new(0, &["a"]);
    clients
        .get_or_refresh(&KeyRef::EMPTY, &Patiently, || Ok(7), &call)
        .unwrap();
    engine.clear_tag("a");
    assert_eq!(clients.info().entries, 0);
}
