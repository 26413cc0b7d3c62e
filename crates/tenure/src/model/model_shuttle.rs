//! shuttle on the whole cache: threads that do anything at random, under random schedules.
//!
//! A failure prints its schedule. `TENURE_REPLAY=<schedule>` runs that one again, and
//! `SHUTTLE_RANDOM_SEED=<number>` the whole sequence of schedules that the number gives.
//! `TENURE_TESTS=long` runs many more.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use shuttle::rand::{Rng, thread_rng};
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::thread;

use super::carried::{Away, Tasks, step};
use super::world::{Ends, Got, SESSIONS, TTL, Tagged, Thing, Things, Used, World, key, tag, tags};
use crate::front::{BuildError, Holding, Identity, Patiently, Registered, enter_session};
use crate::{Cause, Error, Interrupt, Lease, Refresh, Settings};

fn check(schedules: usize, program: fn()) {
    if let Ok(schedule) = std::env::var("TENURE_REPLAY") {
        return shuttle::replay(program, &schedule);
    }
    let long = std::env::var("TENURE_TESTS").is_ok_and(|it| it == "long");
    let schedules = if long { schedules * 100 } else { schedules };
    run(RandomScheduler::new(schedules), program);
    run(PctScheduler::new(3, schedules), program);
}

fn run(scheduler: impl Scheduler + 'static, program: fn()) {
    let mut config = shuttle::Config::new();
    config.stack_size = 1 << 19;
    config.silence_warnings = true;
    shuttle::Runner::new(scheduler, config).run(program);
}

/// The things that the threads of one run share.
struct Stage {
    world: Arc<World>,
    functions: Vec<Arc<Things>>,
    /// Whether a release may come before the last use: at a shutdown, and without a drain.
    strict: bool,
    /// Whether there are builds that tasks carry, and these tasks.
    carries: bool,
    tasks: Tasks,
    /// Whether the background builds.
    refreshes: bool,
}

/// The most that everything may weigh.
const BUDGET: u64 = 6;

impl Stage {
    fn any(&self) -> &Arc<Things> {
        &self.functions[thread_rng().gen_range(0..self.functions.len())]
    }

    /// A call of any kind, with a key of three.
    fn call(&self, depth: u32) -> Option<Lease<Thing>> {
        let f = self.any();
        let number = thread_rng().gen_range(0..3);
        let got = match thread_rng().gen_range(0..10) {
            0 => self.building(f, number, || Err(BuildError::Failed(number))),
            1 => self.dying(f, number),
            2 | 3 if depth < 2 => self.building(f, number, || {
                // A need of anything, its own entry included, in a session that the build has entered.
                let _entered = enter_session();
                drop(self.call(depth + 1));
                Ok(self.world.log.thing())
            }),
            4 => self.cancelled(f, number),
            5 => self.task(f, number),
            6 | 7 if self.carries => self.carried(f, number),
            6..9 if self.refreshes => self.world.get_or_refresh(f, number, ends()),
            _ => self.world.get(f, number),
        };
        match got {
            Ok(lease) => Some(lease),
            Err(Error::Failed(_) | Error::Cycle(_) | Error::NoSession { .. }) => None,
            Err(Error::SharedBuild { .. }) => panic!("every build enters a session of its own"),
            Err(Error::Interrupted(_) | Error::TimedOut { .. }) => None,
        }
    }

    fn dying(&self, f: &Things, number: u64) -> Got {
        self.building(f, number, || Err(BuildError::Died(Interrupt(Box::new(())))))
    }

    fn building(
        &self,
        f: &Things,
        number: u64,
        build: impl FnOnce() -> Result<Thing, BuildError<u64>>,
    ) -> Got {
        let details = Tagged {
            key: number,
            again: || None,
        };
        f.get_or_refresh(&key(number).finish(), &Patiently, build, &details)
    }

    fn task(&self, f: &Things, number: u64) -> Got {
        let (key, tags) = (key(number), tags(number));
        let build = async { Ok(self.world.log.thing()) };
        let check = async |lease: Lease<Thing>| lease.number % 5 != 0;
        shuttle::future::block_on(f.call_async(&key.finish(), check, build, tags))
    }

    /// A caller whose build a task carries: it waits to the end, or gives up at its first wait. Whoever
    /// comes by polls the tasks, or drops them.
    fn carried(&self, f: &Things, number: u64) -> Got {
        let key = key(number);
        let key = key.finish();
        let check = async |lease: Lease<Thing>| lease.number % 5 != 0;
        let plan = Away::new(&self.world, &self.tasks);
        let mut future = pin!(f.call_planned(&key, check, plan, tags(number)));
        let mut cx = Context::from_waker(Waker::noop());
        if let Poll::Ready(got) = future.as_mut().poll(&mut cx) {
            return got;
        }
        if thread_rng().gen_bool(0.5) {
            return Err(Error::Failed(0));
        }
        loop {
            if let Poll::Ready(got) = future.as_mut().poll(&mut cx) {
                return got;
            }
            self.step_task();
            thread::yield_now();
        }
    }

    /// Takes a task on by one poll, or drops it.
    fn step_task(&self) {
        let task = {
            let mut tasks = self.tasks.lock().unwrap();
            if tasks.is_empty() {
                return;
            }
            let which = thread_rng().gen_range(0..tasks.len());
            tasks.swap_remove(which)
        };
        step(task, &self.tasks);
    }

    /// A task that gives up at its first wait, which may be within its own build.
    fn cancelled(&self, f: &Things, number: u64) -> Got {
        let key = key(number);
        let key = key.finish();
        let build = async {
            let mut first = true;
            std::future::poll_fn(|_| {
                if std::mem::take(&mut first) {
                    std::task::Poll::Pending
                } else {
                    std::task::Poll::Ready(())
                }
            })
            .await;
            Ok(self.world.log.thing())
        };
        let check = async |_: Lease<Thing>| true;
        let future = pin!(f.call_async(&key, check, build, tags(number)));
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        match future.poll(&mut cx) {
            std::task::Poll::Ready(got) => got,
            std::task::Poll::Pending => Err(Error::Failed(0)),
        }
    }

    /// One thing of all that can be done.
    fn act(&self, uses: &mut Vec<Used>, leases: &mut Vec<Lease<Thing>>) {
        let (world, f) = (&self.world, self.any());
        let number = thread_rng().gen_range(0..3);
        match thread_rng().gen_range(0..31) {
            0..8 => {
                if let Some(lease) = self.call(0) {
                    self.is_held(&lease);
                    leases.push(lease);
                }
            }
            8..11 => drop(leases.pop()),
            11 => {
                if let Some(lease) = self.call(0) {
                    uses.push(lease.hold());
                }
            }
            12 => drop(uses.pop()),
            13 => _ = f.clear_entry(&key(number).finish()),
            14 => _ = f.clear(),
            15 => world.engine.clear_all(),
            16 => f.release_all(Cause::Superseded),
            17..20 => {
                world.clock.advance(TTL / 3);
                world.engine.run_due();
            }
            20 => World::serve(thread_rng().gen_range(0..SESSIONS.len())),
            21 => {
                if thread_rng().gen_bool(0.3) {
                    world.end_session(thread_rng().gen_range(0..SESSIONS.len()));
                }
            }
            22 => {
                _ = f.info();
                self.step_task();
            }
            23 => {
                if let Some(lease) = leases.pop() {
                    lease.discard();
                }
            }
            24 => _ = f.expire_entry(&key(number).finish()),
            25 => _ = f.expire(),
            26 | 27 => world.warm(f, number, ends()),
            28 | 29 => self.clear_tag(number),
            _ => {
                if !self.strict && thread_rng().gen_bool(0.2) {
                    // What it says depends on the leases of all threads.
                    let _ = world.engine.shutdown();
                }
            }
        }
        leases.iter().for_each(|lease| self.is_held(lease));
        self.is_within_budget();
    }

    /// What was built before is found by nobody any more, whoever was building it.
    fn clear_tag(&self, number: u64) {
        let before = self.world.log.built();
        self.world.engine.clear_tag(tag(number));
        for f in &self.functions {
            if let Ok(Some(lease)) = f.kept(&key(number).finish()) {
                assert!(lease.number >= before);
            }
        }
    }

    fn is_within_budget(&self) {
        let services = self.world.engine.services();
        assert!(services.budget.held() <= u128::from(BUDGET));
        for f in &self.functions {
            let most = f.settings().max_weight;
            assert!(most.is_none_or(|most| f.info().weight <= most));
        }
    }

    /// No lease is ever of something released, whoever ended its entry.
    fn is_held(&self, lease: &Lease<Thing>) {
        assert_eq!(self.world.log.cause(lease.number), None);
    }
}

fn ends() -> Ends {
    match thread_rng().gen_range(0..5) {
        0 => Ends::Badly,
        1 => Ends::Dead,
        _ => Ends::Well,
    }
}

/// Three threads do as they like with these functions; then everything has its one end.
fn anything(world: Arc<World>, functions: Vec<Arc<Things>>, strict: bool) {
    everything(Stage {
        world,
        functions,
        strict,
        carries: false,
        tasks: Tasks::default(),
        refreshes: false,
    });
}

fn everything(stage: Stage) {
    stage
        .world
        .engine
        .configure(|it| it.max_weight = Some(BUDGET));
    let stage = Arc::new(stage);
    let threads: Vec<_> = (0..3)
        .map(|_| {
            let stage = Arc::clone(&stage);
            thread::spawn(move || {
                let (mut uses, mut leases) = (Vec::new(), Vec::new());
                for _ in 0..8 {
                    stage.act(&mut uses, &mut leases);
                }
                drop(leases);
                if stage.strict {
                    // Long enough drains: what is still used has not been released.
                    for used in &uses {
                        assert_eq!(stage.world.log.cause(used.number), None);
                    }
                }
            })
        })
        .collect();
    // The runtime and the background, which go on for as long as somebody may wait for what they build.
    let over = Arc::new(AtomicBool::new(!stage.carries && !stage.refreshes));
    let runtime = {
        let (stage, over) = (Arc::clone(&stage), Arc::clone(&over));
        thread::spawn(move || {
            while !over.load(Ordering::SeqCst) {
                stage.step_task();
                if stage.refreshes {
                    stage.world.engine.run_due();
                }
                thread::yield_now();
            }
        })
    };
    for thread in threads {
        thread.join().unwrap();
    }
    over.store(true, Ordering::SeqCst);
    runtime.join().unwrap();
    // It is shut down.
    let left = std::mem::take(&mut *stage.tasks.lock().unwrap());
    drop(left);
    stage.world.engine.run_due();
    let functions: Vec<_> = stage.functions.iter().collect();
    stage.world.check(&functions);
    // Nobody uses anything any more: what drained is released.
    stage.world.clock.advance(TTL);
    stage.world.engine.run_due();
    assert!(functions.iter().all(|it| it.info().draining == 0));
    stage.world.check_to_the_end(&functions);
}

fn settings() -> Settings {
    Settings {
        ttl: Some(TTL),
        max_entries: Some(2),
        tags_calls: true,
        ..Settings::default()
    }
}

fn plain_and_validating(world: &Arc<World>) -> Vec<Arc<Things>> {
    let validating = Settings {
        validates: true,
        ..settings()
    };
    vec![
        world.function(settings()),
        world.with(validating, Holding::Leases, 4),
    ]
}

#[test]
fn l1_leased_resources_under_everything() {
    check(2000, || {
        let world = World::new();
        let functions = plain_and_validating(&world);
        anything(world, functions, false);
    });
}

#[test]
fn a1_carried_builds_under_everything() {
    check(2000, || {
        let world = World::new();
        let functions = plain_and_validating(&world);
        everything(Stage {
            world,
            functions,
            strict: false,
            carries: true,
            tasks: Tasks::default(),
            refreshes: false,
        });
    });
}

#[test]
fn a4_refreshes_idle_times_and_weights_under_everything() {
    check(2000, || {
        let world = World::new();
        world.engine.configure(|it| it.refresh_workers = 1);
        let refreshed = Settings {
            refresh: Refresh::Background,
            max_stale: Some(TTL / 2),
            weighs: true,
            ..settings()
        };
        let ahead = Settings {
            refresh: Refresh::Ahead,
            max_idle: Some(TTL / 2),
            weighs: true,
            max_weight: Some(4),
            validates: true,
            ..settings()
        };
        let functions = vec![
            world.function(refreshed),
            world.with(ahead, Holding::Leases, 3),
        ];
        everything(Stage {
            world,
            functions,
            strict: false,
            carries: false,
            tasks: Tasks::default(),
            refreshes: true,
        });
    });
}

#[test]
fn l1_sessions_under_everything() {
    check(2000, || {
        let world = World::new();
        world.engine.configure(|it| it.session_grace = TTL / 2);
        let functions = vec![
            world.function(world.in_session().tags_calls(true)),
            world.function(settings()),
        ];
        anything(world, functions, false);
    });
}

#[test]
fn l5_watched_resources_under_everything() {
    check(2000, || {
        let world = World::new();
        let drained = Settings {
            drain: Some(Duration::from_secs(3600)),
            ..settings()
        };
        let functions = vec![world.with(drained, Holding::Watched, 0)];
        anything(world, functions, true);
    });
}

#[test]
fn l5_watched_resources_under_everything_and_a_shutdown() {
    check(2000, || {
        let world = World::new();
        let drained = Settings {
            drain: Some(TTL / 2),
            ..settings()
        };
        let functions = vec![
            world.with(drained, Holding::Watched, 0),
            world.with(settings(), Holding::Watched, 0),
        ];
        anything(world, functions, false);
    });
}

fn identity(settings: u8) -> Identity {
    Identity {
        settings: [settings; 16],
        maker: [settings; 16],
        ..Identity::new([1; 16], [1; 16])
    }
}

#[test]
fn f6_settings_change_under_load() {
    check(2000, || {
        let world = World::new();
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let world = Arc::clone(&world);
                thread::spawn(move || {
                    for _ in 0..5 {
                        let version = thread_rng().gen_range(0..3);
                        let make = || Ok(world.function(settings()));
                        let user: Registered<Thing, u64> =
                            world.engine.register(identity(version), make).unwrap();
                        for _ in 0..2 {
                            let got = world.get(user.function(), thread_rng().gen_range(0..2));
                            drop(got.unwrap());
                        }
                        drop(user);
                        world.engine.run_due();
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        world.engine.run_due();
        // The last version stands; what the others held is gone.
        let user: Registered<Thing, u64> = world
            .engine
            .register(identity(9), || Ok(world.function(settings())))
            .unwrap();
        world.engine.run_due();
        assert_eq!(world.log.built(), world.log.released());
        drop(user);
        assert!(world.engine.shutdown());
    });
}
