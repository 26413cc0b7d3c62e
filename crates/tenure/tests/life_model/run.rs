//! Runs each step on an engine and on the model, and compares the two.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tenure::front::{BuildError, Identity, Patiently, Registered};
use tenure::{Cause, Error, Function, Lease, Scope, Settings};

use crate::model::{Expected, Model, Place, State, UNITS, in_sessions, is_watched, validates};
use crate::support::host::TestHost;
use crate::support::{Thing, Used, World, interrupt, key, lock};
use crate::{Ends, FUNCTIONS, Set, Step};

pub struct Run {
    world: World,
    model: Model,
    functions: Vec<Registered<Thing, String>>,
    versions: u8,
    spoilt: Arc<Mutex<HashSet<u64>>>,
    leases: Vec<Lease<Thing>>,
    used: Vec<(u64, Used)>,
}

/// One call, as the steps name it.
struct Call<'a> {
    place: Place,
    session: usize,
    key: u64,
    ends: Ends,
    within: &'a [Step],
}

impl Run {
    pub fn new(sets: [Set; FUNCTIONS]) -> Self {
        let mut run = Self {
            world: World::new(Scope::Global, true),
            model: Model::new(sets),
            functions: Vec::new(),
            versions: 0,
            spoilt: Arc::default(),
            leases: Vec::new(),
            used: Vec::new(),
        };
        for (function, set) in sets.into_iter().enumerate() {
            let made = run.decorate(function, set);
            run.functions.push(made);
        }
        run
    }

    fn decorate(&mut self, function: usize, set: Set) -> Registered<Thing, String> {
        self.versions += 1;
        let identity = Identity {
            settings: [self.versions; 16],
            maker: [self.versions; 16],
            ..Identity::new([function as u8; 16], [1; 16])
        };
        let half = Duration::from_micros(500);
        let settings = Settings::default()
            .ttl(set.ttl.map(|ttl| Duration::from_millis(ttl) + half))
            .max_entries(set.most)
            .scope(if in_sessions(function) {
                Scope::Session
            } else {
                Scope::Global
            })
            .validates(validates(function));
        let spoilt = Arc::clone(&self.spoilt);
        let keeper = self.world.keeper();
        let keeper = keeper.validating(move |thing| Ok(!lock(&spoilt).contains(&thing.number)));
        let keeper = if is_watched(function) {
            keeper.watched()
        } else {
            keeper
        };
        let make = || Function::new(&self.world.engine, "f", settings, Box::new(keeper));
        self.world.engine.register(identity, make).unwrap()
    }

    pub fn step(&mut self, step: &Step, depth: u32) {
        match *step {
            Step::Call {
                function,
                session,
                key,
                ends,
                keep,
                hold,
                ref within,
            } => {
                let call = Call {
                    place: self.place(function, session),
                    session,
                    key,
                    ends,
                    within,
                };
                if let Some(lease) = self.call(&call, depth) {
                    self.receive(lease, keep, hold);
                }
            }
            Step::DropLease(at) if at < self.leases.len() => {
                let lease = self.leases.swap_remove(at);
                let number = lease.number;
                drop(lease);
                self.model.drop_lease(number);
            }
            Step::LetGo(at) if at < self.used.len() => {
                let (number, used) = self.used.swap_remove(at);
                drop(used);
                self.model.resources[number as usize].users -= 1;
            }
            Step::Spoil(number) if number < self.model.resources.len() => {
                lock(&self.spoilt).insert(number as u64);
                self.model.resources[number].spoilt = true;
            }
            Step::DropLease(_) | Step::LetGo(_) | Step::Spoil(_) => {}
            Step::ClearEntry {
                function,
                session,
                key: number,
            } => {
                let cleared = Some(self.place(function, session));
                let f = self.functions[function].function();
                serve(session, || f.clear_entry(&key(number).finish())).unwrap();
                let which = |place, key| Some(place) == cleared && key == number;
                self.model.clear(Cause::Cleared, which);
            }
            Step::Clear { function, session } => {
                let cleared = self.place(function, session);
                let f = self.functions[function].function();
                serve(session, || f.clear()).unwrap();
                self.model
                    .clear(Cause::Cleared, |place, _| place == cleared);
            }
            Step::ClearAll => {
                self.world.engine.clear_all();
                self.model.clear(Cause::Cleared, |_, _| true);
            }
            Step::Pass { time, noticed } => self.pass(time, noticed),
            Step::EndSession(session) => {
                self.world.engine.end_session(&name(session));
                self.model.end_session(session);
            }
            Step::Resume(session) => {
                self.world.engine.resume_session(&name(session));
                self.model.resume(session);
            }
            Step::SetDrain(drain) => {
                let time = drain.map(Duration::from_millis);
                self.world.engine.configure(|config| config.drain = time);
                self.model.drain = drain;
            }
            Step::SetGrace(grace) => {
                let half = Duration::from_micros(500);
                let time = Duration::from_millis(grace);
                let time = if grace == 0 { time } else { time + half };
                self.world.engine.configure(|it| it.session_grace = time);
                self.model.grace = grace;
            }
            Step::Change { function, set } => self.change(function, set),
            Step::Shutdown => self.shutdown(),
        }
    }

    fn place(&self, function: usize, session: usize) -> Place {
        Place {
            function,
            session: in_sessions(function).then_some(session),
        }
    }

    fn call(&mut self, call: &Call<'_>, depth: u32) -> Option<Lease<Thing>> {
        let expected = self.model.call(call.place, call.key);
        let f = Arc::clone(self.functions[call.place.function].function());
        let mut built = None;
        let build = || {
            assert_eq!(expected, Expected::Build);
            self.model.begin(call.place, call.key);
            for step in call.within {
                self.step(step, depth + 1);
            }
            match call.ends {
                Ends::Well => {
                    let thing = self.world.log.thing();
                    built = Some(thing.number);
                    Ok(thing)
                }
                Ends::Badly => Err(BuildError::Failed(String::new())),
                Ends::Dead => Err(BuildError::Died(interrupt())),
            }
        };
        let key = key(call.key);
        let got = serve(call.session, || {
            f.get_or_build_while(&key.finish(), &Patiently, build)
        });
        match expected {
            Expected::Hit(number) => {
                let lease = got.expect("a hit");
                assert_eq!(lease.number, number);
                self.model.resources[number as usize].leases += 1;
                Some(lease)
            }
            Expected::Cycle => {
                assert!(matches!(got, Err(Error::Cycle(_))));
                None
            }
            Expected::Build => {
                self.model.land(built);
                match call.ends {
                    Ends::Well => assert_eq!(Some(got.as_ref().unwrap().number), built),
                    Ends::Badly => assert!(matches!(got, Err(Error::Failed(_)))),
                    Ends::Dead => assert!(matches!(got, Err(Error::Interrupted(_)))),
                }
                got.ok()
            }
        }
    }

    fn receive(&mut self, lease: Lease<Thing>, keep: bool, hold: bool) {
        let number = lease.number;
        if hold {
            self.used.push((number, lease.hold()));
            self.model.resources[number as usize].users += 1;
        }
        if keep {
            self.leases.push(lease);
        } else {
            drop(lease);
            self.model.drop_lease(number);
        }
    }

    fn pass(&mut self, time: u64, noticed: bool) {
        self.world.clock.advance(Duration::from_millis(time));
        self.model.now += time * UNITS;
        if noticed {
            self.world.engine.run_due();
            self.model.notice();
        }
    }

    fn change(&mut self, function: usize, set: Set) {
        let new = self.decorate(function, set);
        drop(std::mem::replace(&mut self.functions[function], new));
        // What is due before that comes before it.
        self.world.engine.run_due();
        self.model.notice();
        let old = |place: Place, _| place.function == function;
        self.model.clear(Cause::Superseded, old);
        self.model.sets[function] = set;
    }

    fn shutdown(&mut self) {
        let done = self.world.engine.shutdown();
        self.model.shutdown();
        let ended = |it: &State| matches!(it, State::Ended(_));
        let leased = self.model.resources.iter().any(|it| ended(&it.state));
        assert_eq!(done, !leased);
    }

    /// Compares what became of every resource.
    pub fn check(&mut self) {
        for (number, resource) in self.model.resources.iter_mut().enumerate() {
            let causes = self.world.causes(number as u64);
            if let State::Draining(cause, _) = resource.state
                && resource.users == 0
                && !causes.is_empty()
            {
                // Between its last use and its time, the engine has looked.
                resource.state = State::Released(cause);
            }
            if resource.either && causes == [Cause::Expired] {
                resource.state = State::Released(Cause::Expired);
            }
            let expected = match resource.state {
                State::Live | State::Ended(_) | State::Draining(..) => None,
                State::Released(cause) => Some(cause),
            };
            let expected: Vec<Cause> = expected.into_iter().collect();
            assert_eq!(causes, expected, "resource {number}: {resource:?}");
        }
        for (number, function) in self.functions.iter().enumerate() {
            let info = function.function().info();
            assert_eq!(info.entries as usize, self.model.entries(number));
            let kept = info.entries + info.draining;
            assert_eq!(info.builds, info.all_released() + kept);
        }
    }

    /// Everyone lets go, and everything ends.
    pub fn end(mut self) {
        while !self.leases.is_empty() {
            self.step(&Step::DropLease(0), 0);
        }
        while !self.used.is_empty() {
            self.step(&Step::LetGo(0), 0);
        }
        self.pass(1000, true);
        self.check();
        let draining = |it: &State| matches!(it, State::Draining(..) | State::Ended(_));
        assert!(!self.model.resources.iter().any(|it| draining(&it.state)));
        self.shutdown();
        self.check();
        assert_eq!(self.world.log.built(), self.world.log.released());
        self.world.check_idle();
        assert_eq!(self.world.engine.sessions(), 0);
    }
}

fn name(session: usize) -> String {
    format!("s{session}")
}

fn serve<T>(session: usize, work: impl FnOnce() -> T) -> T {
    // A step within a build is in a session that the build has entered.
    let _entered = tenure::front::enter_session();
    TestHost::serve(Some(&name(session)), work)
}
