//! Runs each step on an engine and on the model, and compares the two.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tenure::front::{Again, BuildError, Detached, Details, Identity, Patiently, Registered};
use tenure::{Cause, Error, Function, Interrupt, Lease, Refresh, Scope, Settings, Tags};

use crate::model::{
    Expected, Gets, Model, Place, STALE, State, UNITS, carries, in_sessions, is_tagged, is_watched,
    tags, validates,
};
use crate::support::host::TestHost;
use crate::support::{Thing, Used, World, interrupt, key, lock};
use crate::{Ends, FUNCTIONS, Old, Set, Step, TAGS};

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

/// A call with the tags of its key.
struct Tagged(Again<Thing, String>, u64);

impl Details<Thing, String> for Tagged {
    fn again(&self) -> Option<Again<Thing, String>> {
        Some(Arc::clone(&self.0))
    }

    fn tags(&self) -> Result<Tags, Interrupt> {
        Ok(tags(self.1).iter().map(ToString::to_string).collect())
    }
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
        let configure = |config: &mut tenure::Config| config.refresh_workers = 100;
        run.world.engine.configure(configure);
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
            .validates(validates(function))
            .max_idle(set.idle.map(|idle| Duration::from_millis(idle) + half))
            .weighs(set.heaviest.is_some())
            .tags(is_tagged(function).then(|| TAGS.to_string()))
            .tags_calls(!is_tagged(function))
            .max_weight(set.heaviest);
        let stale = Duration::from_millis(STALE);
        let settings = match set.old {
            Old::Gone => settings,
            Old::Serves => settings.max_stale(stale),
            Old::Refreshed => settings.max_stale(stale).refresh(Refresh::Background),
        };
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
            Step::ClearTag(tag) => {
                self.world.engine.clear_tag(&tag.to_string());
                let which = |place, key| carries(place, key, tag);
                self.model.clear(Cause::Cleared, which);
            }
            Step::ExpireEntry {
                function,
                session,
                key: number,
            } => {
                let expired = self.place(function, session);
                let f = self.functions[function].function();
                serve(session, || f.expire_entry(&key(number).finish())).unwrap();
                let which = |place, key| place == expired && key == number;
                self.model.expire(which);
            }
            Step::Expire { function, session } => {
                let expired = self.place(function, session);
                let f = self.functions[function].function();
                serve(session, || f.expire()).unwrap();
                self.model.expire(|place, _| place == expired);
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
        // Built by the background, where what is kept is too old.
        let refreshed: Arc<Mutex<Option<u64>>> = Arc::default();
        let again = self.again(call.ends, &refreshed);
        let mut built = None;
        let build = || {
            assert_eq!(expected, Expected::Build);
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
            let details = Tagged(again, call.key);
            f.get_or_refresh(&key.finish(), &Patiently, build, &details)
        });
        match expected {
            Expected::Hit(number) | Expected::StaleHit(number) => {
                let lease = got.expect("a hit");
                assert_eq!(lease.number, number);
                self.model.resources[number as usize].leases += 1;
                if expected == Expected::StaleHit(number) {
                    self.notice();
                    let refreshed = lock(&refreshed).take();
                    if let Gets::Resource(new) = self.model.land(refreshed, call.ends, true) {
                        self.model.drop_lease(new);
                    }
                }
                Some(lease)
            }
            Expected::Cycle => {
                assert!(matches!(got, Err(Error::Cycle(_))));
                None
            }
            Expected::Build => {
                match self.model.land(built, call.ends, false) {
                    Gets::Resource(number) => assert_eq!(got.as_ref().unwrap().number, number),
                    Gets::Failure => assert!(matches!(got, Err(Error::Failed(_)))),
                    Gets::Interruption => assert!(matches!(got, Err(Error::Interrupted(_)))),
                }
                got.ok()
            }
        }
    }

    /// The same build as the background makes it.
    fn again(&self, ends: Ends, built: &Arc<Mutex<Option<u64>>>) -> Again<Thing, String> {
        let (log, built) = (Arc::clone(&self.world.log), Arc::clone(built));
        Arc::new(move |build: Detached<Thing, String>| {
            let outcome = match ends {
                Ends::Well => {
                    let thing = log.thing();
                    *lock(&built) = Some(thing.number);
                    Ok(thing)
                }
                Ends::Badly => Err(BuildError::Failed(String::new())),
                Ends::Dead => return build.abandon(),
            };
            build.finish(outcome, |_| String::new());
        })
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
            self.notice();
        }
    }

    /// What is due comes to pass.
    fn notice(&mut self) {
        self.world.engine.run_due();
        self.model.notice();
        let is_idle = |number| self.world.causes(number) == [Cause::Idle];
        self.model.has_lain_idle(is_idle);
    }

    fn change(&mut self, function: usize, set: Set) {
        let new = self.decorate(function, set);
        drop(std::mem::replace(&mut self.functions[function], new));
        // What is due before that comes before it.
        self.notice();
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
            if let ([cause @ (Cause::Expired | Cause::Idle)], true) = (&causes[..], resource.either)
            {
                resource.state = State::Released(*cause);
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
        assert_eq!(self.world.engine.inspect().tags, 0);
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
