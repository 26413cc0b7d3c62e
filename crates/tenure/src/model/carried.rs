//! Builds that tasks carry, in a model: whoever comes by polls a task, or drops it.

use std::future::{Ready, ready};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use shuttle::rand::{Rng, thread_rng};

use super::world::{Thing, World};
use crate::ground::latch::Latch;
use crate::life::async_release::ReleaseFuture;
use crate::life::building::build::Build;
use crate::life::building::carry::{Ended, Plan, Sent, Starting, poll_told, send};
use crate::life::building::waiter::Waiter;
use crate::life::entry::Built;
use crate::words::error::Interrupt;

/// The tasks of a runtime. No part of what is checked, so under a lock of the standard library's.
pub(super) type Tasks = Arc<Mutex<Vec<ReleaseFuture>>>;

/// Polls a task once and puts it back, or drops it.
pub(super) fn step(mut task: ReleaseFuture, tasks: &Tasks) {
    if thread_rng().gen_bool(0.2) {
        return drop(task);
    }
    let mut cx = Context::from_waker(Waker::noop());
    if task.as_mut().poll(&mut cx).is_pending() {
        tasks.lock().unwrap().push(task);
    }
}

type Output = Result<Thing, u64>;

/// The arguments of a build, of which there is one.
pub(super) struct Arguments(Arc<World>);

/// Gives up its turn a few times, then builds or fails.
struct Building(Arc<World>, u32);

impl Future for Building {
    type Output = Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Output> {
        if self.1 > 0 {
            self.1 -= 1;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(if thread_rng().gen_bool(0.2) {
            Err(1)
        } else {
            Ok(self.0.log.thing())
        })
    }
}

impl Starting<Arguments, Output> for Arguments {
    fn begin(self: Box<Self>) -> Pin<Box<dyn Future<Output = Output> + Send>> {
        Box::pin(Building(self.0, thread_rng().gen_range(0..3)))
    }

    fn back(self: Box<Self>) -> Arguments {
        *self
    }
}

/// A plan whose builds go to tasks.
pub(super) struct Away {
    arguments: Option<Arguments>,
    tasks: Tasks,
    told: Option<Arc<Latch<Ended<Arguments, Output>>>>,
}

impl Away {
    pub(super) fn new(world: &Arc<World>, tasks: &Tasks) -> Self {
        Self {
            arguments: Some(Arguments(Arc::clone(world))),
            tasks: Arc::clone(tasks),
            told: None,
        }
    }
}

impl Plan<Thing, u64> for Away {
    type Output = Output;
    type Here = Ready<Output>;

    fn away(&mut self, build: Build<Thing, u64>) -> Result<Waiter<Thing, u64>, Build<Thing, u64>> {
        if self.told.is_some() {
            return Err(build);
        }
        let Some(arguments) = self.arguments.take() else {
            return Err(build);
        };
        let sort = |output: Output| output.map(Built::from);
        let Sent { waiter, told, task } = send(build, Box::new(arguments), sort);
        self.told = Some(told);
        self.tasks.lock().unwrap().push(Box::pin(task));
        Ok(waiter)
    }

    fn poll_back(&mut self, cx: &Context<'_>) -> Poll<Result<(), Interrupt>> {
        let Some(told) = &self.told else {
            return Poll::Ready(Ok(()));
        };
        poll_told(told, cx).map_ok(|back| self.arguments = back)
    }

    fn here(&mut self) -> Option<Ready<Output>> {
        let Arguments(world) = self.arguments.take()?;
        Some(ready(Ok(world.log.thing())))
    }

    fn outcome(&self, output: Output) -> Result<Built<Thing>, u64> {
        output.map(Built::from)
    }
}
