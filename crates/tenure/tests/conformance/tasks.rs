//! C1, C3, C4: callers at the same time, as tasks.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use tenure::{Error, Lease};

use crate::support::lines::logged;
use crate::support::{Announced, Got, Thing, Things, World, key, receive};

/// Counts how often a task was woken.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Wakes {
    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// A future that gives way until told to end.
struct Until(Arc<AtomicUsize>);

impl Future for Until {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if self.0.load(Ordering::SeqCst) == 0 {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    }
}

fn poll<F: Future>(future: Pin<&mut F>, wakes: &Arc<Wakes>) -> Poll<F::Output> {
    let waker = Waker::from(Arc::clone(wakes));
    future.poll(&mut Context::from_waker(&waker))
}

async fn good(_: Lease<Thing>) -> bool {
    true
}

async fn call(world: &World, f: &Things, until: Arc<AtomicUsize>) -> Got {
    let key = key(1);
    let build = async {
        Until(until).await;
        Ok(world.log.thing())
    };
    f.get_or_build_async(&key.finish(), good, build).await
}

pub fn c1_one_build_for_tasks_and_threads(world: &World) {
    let f = &world.function(world.settings());
    let ready = Arc::new(AtomicUsize::new(0));
    let wakes: Arc<Wakes> = Arc::default();
    let mut builder = pin!(call(world, f, Arc::clone(&ready)));
    assert!(poll(builder.as_mut(), &wakes).is_pending());
    let mut waiter = pin!(call(world, f, Arc::clone(&ready)));
    assert!(poll(waiter.as_mut(), &wakes).is_pending());
    let (announce, announced) = channel();
    thread::scope(|scope| {
        let waiting = Announced(announce);
        let blocking = scope.spawn(move || {
            let got = f.get_or_build_while(&key(1).finish(), &waiting, || unreachable!());
            got.unwrap().number
        });
        receive(&announced);
        assert_eq!(f.info().waiting, 2);
        ready.store(1, Ordering::SeqCst);
        let Poll::Ready(built) = poll(builder.as_mut(), &wakes) else {
            panic!("it is ready");
        };
        assert_eq!(wakes.count(), 1);
        let Poll::Ready(waited) = poll(waiter.as_mut(), &wakes) else {
            panic!("it has landed");
        };
        assert!(built.unwrap().same_entry(&waited.unwrap()));
        assert_eq!(blocking.join().unwrap(), 0);
    });
    assert_eq!(world.log.built(), 1);
}

pub fn c3_a_cycle_across_tasks(world: &World) {
    let [ping, pong] =
        &["ping", "pong"].map(|it| world.function_with(it, world.settings(), world.keeper()));
    let both_build = Arc::new(AtomicUsize::new(0));
    let needs = async |mine: &Things, other: &Things| {
        let mine_key = key(1);
        let build = async {
            Until(Arc::clone(&both_build)).await;
            let inner_key = key(1);
            let build = async { unreachable!() };
            match other
                .get_or_build_async(&inner_key.finish(), good, build)
                .await
            {
                Ok(_) => Ok(world.log.thing()),
                Err(Error::Cycle(chain)) => Err(chain.join(" ")),
                Err(other) => Err(other.to_string()),
            }
        };
        mine.get_or_build_async(&mine_key.finish(), good, build)
            .await
    };
    let wakes: Arc<Wakes> = Arc::default();
    let mut first = pin!(needs(ping, pong));
    let mut second = pin!(needs(pong, ping));
    assert!(poll(first.as_mut(), &wakes).is_pending());
    assert!(poll(second.as_mut(), &wakes).is_pending());
    both_build.store(1, Ordering::SeqCst);
    assert!(poll(first.as_mut(), &wakes).is_pending());
    let Poll::Ready(Err(closed)) = poll(second.as_mut(), &wakes) else {
        panic!("the second closes the circle");
    };
    assert_eq!(closed.to_string(), "pong ping pong");
    let Poll::Ready(Err(told)) = poll(first.as_mut(), &wakes) else {
        panic!("the first is told");
    };
    assert_eq!(told.to_string(), "pong ping pong");
}

pub fn c4_a_build_that_nobody_polls_is_named_in_the_log(world: &World) {
    let f = &world.function(world.settings());
    let ready = Arc::new(AtomicUsize::new(0));
    let wakes: Arc<Wakes> = Arc::default();
    let mut builder = pin!(call(world, f, Arc::clone(&ready)));
    let mut waiter = pin!(call(world, f, Arc::clone(&ready)));
    let seconds = |count| logged(|| world.pass(Duration::from_secs(count))).1;
    assert!(poll(builder.as_mut(), &wakes).is_pending());
    assert!(seconds(60).is_empty()); // nobody waits for it
    assert!(poll(builder.as_mut(), &wakes).is_pending());
    assert!(poll(waiter.as_mut(), &wakes).is_pending());
    assert!(seconds(6).is_empty());
    assert!(poll(builder.as_mut(), &wakes).is_pending()); // it is polled after all
    assert!(seconds(6).is_empty());
    let lines = seconds(6);
    let [line] = &lines[..] else {
        panic!("one line: {lines:?}");
    };
    let name = format!("function={}", f.name());
    assert!(line.starts_with("WARN") && line.contains(&name), "{line}");
    assert!(seconds(60).is_empty()); // once
    ready.store(1, Ordering::SeqCst);
    assert!(poll(builder.as_mut(), &wakes).is_ready());
    assert!(poll(waiter.as_mut(), &wakes).is_ready());
}

pub fn c4_a_blocking_build_may_take_its_time(world: &World) {
    let f = &world.function(world.settings());
    let wakes: Arc<Wakes> = Arc::default();
    let mut waiter = pin!(call(world, f, Arc::default()));
    let built = f.get_or_build(&key(1).finish(), || {
        // On another thread: here it would be a part of the build.
        let waits = || assert!(poll(waiter.as_mut(), &wakes).is_pending());
        thread::scope(|scope| scope.spawn(waits).join().unwrap());
        let ((), lines) = logged(|| world.pass(Duration::from_secs(60)));
        assert!(lines.is_empty(), "{lines:?}");
        Ok(world.log.thing())
    });
    drop(built);
    assert!(poll(waiter.as_mut(), &wakes).is_ready());
}

pub fn c4_a_cancelled_task_hands_on(world: &World) {
    let f = &world.function(world.settings());
    let never = Arc::new(AtomicUsize::new(0));
    let ready = Arc::new(AtomicUsize::new(1));
    let wakes: Arc<Wakes> = Arc::default();
    let mut builder = Box::pin(call(world, f, never));
    assert!(poll(builder.as_mut(), &wakes).is_pending());
    let mut waiter = pin!(call(world, f, ready));
    assert!(poll(waiter.as_mut(), &wakes).is_pending());
    drop(builder);
    assert_eq!(wakes.count(), 1);
    let Poll::Ready(Ok(lease)) = poll(waiter.as_mut(), &wakes) else {
        panic!("it builds now");
    };
    assert_eq!(lease.number, 0);
    assert_eq!(world.log.built(), 1);
}

pub fn c4_a_task_that_stops_waiting_leaves_no_waker(world: &World) {
    let f = &world.function(world.settings());
    let ready = Arc::new(AtomicUsize::new(0));
    let wakes: Arc<Wakes> = Arc::default();
    let mut builder = pin!(call(world, f, Arc::clone(&ready)));
    assert!(poll(builder.as_mut(), &wakes).is_pending());
    let others: Vec<Arc<Wakes>> = (0..3).map(|_| Arc::default()).collect();
    let mut waiters: Vec<_> = others
        .iter()
        .map(|_| Box::pin(call(world, f, Arc::clone(&ready))))
        .collect();
    for (waiter, wakes) in waiters.iter_mut().zip(&others) {
        assert!(poll(waiter.as_mut(), wakes).is_pending());
        // A task that is polled again is still woken once.
        assert!(poll(waiter.as_mut(), wakes).is_pending());
        assert_eq!(Arc::strong_count(wakes), 2);
    }
    drop(waiters.remove(1));
    assert_eq!(Arc::strong_count(&others[1]), 1);
    ready.store(1, Ordering::SeqCst);
    assert!(poll(builder.as_mut(), &wakes).is_ready());
    let counts: Vec<_> = others.iter().map(|it| it.count()).collect();
    assert_eq!(counts, [1, 0, 1]);
    for (waiter, wakes) in waiters.iter_mut().zip([&others[0], &others[2]]) {
        assert!(poll(waiter.as_mut(), wakes).is_ready());
    }
}
