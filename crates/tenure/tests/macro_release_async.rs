//! Async `on_release`: it runs to its end on every runtime and on none, without any setting (L20).

mod support;

use std::future::IntoFuture;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tenure::cache_resource;
use tokio::runtime::{Builder, Runtime};

use support::lines::logged;
use support::{lock, receive};

/// A shutdown releases what every function of the process holds: one test at a time.
static TURN: Mutex<()> = Mutex::new(());

static CLOSED: Mutex<Option<Sender<u32>>> = Mutex::new(None);

fn my_turn() -> (MutexGuard<'static, ()>, Receiver<u32>) {
    let turn = lock(&TURN);
    let (tell, told) = channel();
    *CLOSED.lock().unwrap() = Some(tell);
    (turn, told)
}

/// Needs the timer of a runtime, as a callback over a network does.
async fn close(number: u32) {
    tokio::time::sleep(Duration::from_millis(1)).await;
    let tell = CLOSED.lock().unwrap().clone().unwrap();
    let _ = tell.send(number);
}

#[cache_resource(on_release = close)]
async fn connection(number: u32) -> u32 {
    number
}

#[cache_resource(on_release = close)]
fn blocking_connection(number: u32) -> u32 {
    number
}

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn multi_thread(workers: usize) -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()
        .unwrap()
}

/// What `#[tokio::main]` makes of the guide's first line.
fn main_with_the_first_line(runtime: &Runtime) {
    runtime.block_on(async {
        let _released = tenure::shutdown_on_drop();
        drop(connection(1).await);
    });
}

#[test]
fn l20_the_end_of_main_on_a_current_thread_runtime_runs_async_releases() {
    let (_turn, closed) = my_turn();
    main_with_the_first_line(&current_thread());
    assert_eq!(closed.try_recv(), Ok(1));
}

#[test]
fn l20_the_end_of_main_on_a_multi_thread_runtime_runs_async_releases() {
    let (_turn, closed) = my_turn();
    main_with_the_first_line(&multi_thread(2));
    assert_eq!(closed.try_recv(), Ok(1));
}

#[test]
fn l20_a_shutdown_that_blocks_the_only_worker_runs_async_releases() {
    let (_turn, closed) = my_turn();
    let runtime = multi_thread(1);
    let task = runtime.spawn(async {
        drop(connection(2).await);
        connection::clear(); // given to this very worker, which then waits
        tenure::shutdown()
    });
    assert!(runtime.block_on(task).unwrap());
    assert_eq!(closed.try_recv(), Ok(2));
}

#[test]
fn l20_a_runtime_that_nobody_drives_any_more_holds_up_no_shutdown() {
    let (_turn, closed) = my_turn();
    let runtime = current_thread();
    runtime.block_on(async { drop(connection(3).await) });
    assert!(tenure::shutdown());
    assert_eq!(closed.try_recv(), Ok(3));
}

#[test]
fn l1_each_async_release_begins_when_the_one_before_has_ended() {
    static LOG: Mutex<Vec<&str>> = Mutex::new(Vec::new());

    async fn hang_up(number: u32) {
        LOG.lock().unwrap().push("begins");
        tokio::time::sleep(Duration::from_millis(1)).await;
        LOG.lock().unwrap().push("ends");
        close(number).await;
    }

    #[cache_resource(scope = "session", on_release = hang_up)]
    async fn line(number: u32) -> u32 {
        number
    }

    let (_turn, closed) = my_turn();
    for runtime in [current_thread(), multi_thread(2)] {
        runtime.block_on(async {
            let session = tenure::Session::new();
            let built = async {
                for number in 0..3 {
                    drop(line(number).await);
                }
            };
            session.attach(built).await;
            session.attach(async { line::clear() }).await.await;
            assert_eq!(closed.try_iter().collect::<Vec<_>>(), [2, 1, 0]);
            let built = async {
                for number in 3..6 {
                    drop(line(number).await);
                }
            };
            session.attach(built).await;
            session.end();
            assert!(tenure::shutdown_async().await);
            assert_eq!(closed.try_iter().collect::<Vec<_>>(), [5, 4, 3]);
        });
    }
    let log = std::mem::take(&mut *LOG.lock().unwrap());
    assert_eq!(log, ["begins", "ends"].repeat(12));
}

#[test]
fn l20_a_runtime_that_has_gone_is_made_up_for() {
    let (_turn, closed) = my_turn();
    current_thread().block_on(async { drop(connection(4).await) });
    current_thread().block_on(async { connection::clear() }); // the next `#[tokio::test]`
    assert_eq!(receive(&closed), 4);
}

#[test]
fn l20_without_a_runtime_there_is_one_for_the_release() {
    let (_turn, closed) = my_turn();
    futures_executor::block_on(async { drop(connection(5).await) });
    connection::clear();
    assert_eq!(receive(&closed), 5);
    drop(blocking_connection(6));
    assert!(tenure::shutdown());
    assert_eq!(closed.try_recv(), Ok(6));
}

#[test]
fn l20_a_shutdown_of_the_engine_is_the_programs() {
    let (_turn, closed) = my_turn();
    futures_executor::block_on(async { drop(connection(15).await) });
    assert!(tenure::Engine::global().shutdown());
    assert_eq!(closed.try_recv(), Ok(15));
}

#[test]
fn l20_a_task_that_shuts_down_goes_on_meanwhile() {
    let (_turn, closed) = my_turn();
    current_thread().block_on(async {
        drop(connection(7).await);
        assert!(tenure::shutdown_async().await);
    });
    assert_eq!(closed.try_recv(), Ok(7));
}

#[test]
fn l20_what_has_begun_on_a_runtime_that_is_blocked_is_named() {
    let (_turn, closed) = my_turn();
    tenure::configure(|config| config.shutdown_bound = Duration::from_millis(1));
    let (done, lines) = current_thread().block_on(async {
        drop(connection(8).await);
        connection::clear();
        tokio::task::yield_now().await; // begun
        logged(tenure::shutdown)
    });
    assert!(!done);
    assert!(
        lines.iter().any(|line| line.contains("function=connection")
            && line.contains("resources=1")
            && line.contains("await `shutdown_async` instead")),
        "{lines:?}"
    );
    // The runtime has been dropped: what it left is finished elsewhere, or fails there.
    tenure::configure(|config| config.shutdown_bound = Duration::from_secs(60));
    assert!(tenure::shutdown());
    let _ = closed.try_recv();
}

#[test]
fn l20_a_shutdown_says_what_is_still_leased() {
    let (_turn, _closed) = my_turn();

    #[cache_resource]
    fn kept(number: u32) -> u32 {
        number
    }

    let leases = (kept(1), kept(2));
    let (done, lines) = logged(tenure::shutdown);
    assert!(!done);
    let line = lines.iter().find(|line| line.contains("function=kept"));
    let line = line.unwrap_or_else(|| panic!("{lines:?}"));
    assert!(
        line.contains("resources=2") && line.contains("lease"),
        "{line}"
    );
    drop(leases);
    let (done, lines) = logged(tenure::shutdown);
    assert!(done && lines.is_empty(), "{lines:?}");
}

#[test]
fn l5_who_awaits_a_clear_meets_nothing_that_is_not_released() {
    let (_turn, closed) = my_turn();
    current_thread().block_on(async {
        drop((connection(9).await, connection(10).await));
        connection::clear().await;
    });
    assert_eq!(closed.try_iter().sum::<u32>(), 19);

    current_thread().block_on(async {
        drop((connection(11).await, blocking_connection(12)));
        tenure::clear_all().await;
    });
    assert_eq!(closed.try_iter().sum::<u32>(), 23);
}

#[test]
fn l5_who_awaits_a_clear_waits_for_the_leases_of_what_it_took_out() {
    let (_turn, closed) = my_turn();
    current_thread().block_on(async {
        let (one, other) = (connection(13).await, connection(14).await);
        let mut cleared = connection::clear_entry(13).into_future();
        let mut look = || {
            cleared
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()))
        };
        assert_eq!(look(), Poll::Pending);
        tokio::spawn(async { drop(one) });
        cleared.await;
        assert_eq!(closed.try_recv(), Ok(13));
        drop(other);
    });
    connection::clear();
    assert_eq!(receive(&closed), 14);
}

#[test]
fn l5_a_clear_that_takes_nothing_out_is_over_at_once() {
    #[cache_resource(on_release = close)]
    async fn never_called(number: u32) -> u32 {
        number
    }

    struct Client;

    impl Client {
        #[cache_resource(associated)]
        fn token(name: &str) -> String {
            name.to_owned()
        }
    }

    let lease = Client::token("kept");
    futures_executor::block_on(async {
        never_called::clear().await;
        never_called::clear_entry(1).await;
        Client::token_clear_entry("another").await;
    });
    assert_eq!(*lease, "kept");
    drop(lease);
    futures_executor::block_on(async { Client::token_clear().await });
}

#[test]
fn l5_who_awaits_a_clear_waits_for_what_its_callbacks_clear() {
    let (_turn, closed) = my_turn();

    fn and_the_connections(_: u32) {
        connection::clear();
    }

    async fn and_the_connections_later(_: u32) {
        tokio::task::yield_now().await;
        connection::clear();
    }

    #[cache_resource(on_release = and_the_connections)]
    fn blocking_owner() -> u32 {
        1
    }

    #[cache_resource(on_release = and_the_connections_later)]
    async fn owner() -> u32 {
        1
    }

    current_thread().block_on(async {
        drop((connection(16).await, blocking_owner()));
        blocking_owner::clear().await;
        assert_eq!(closed.try_recv(), Ok(16));

        drop((connection(17).await, owner().await));
        owner::clear().await;
        assert_eq!(closed.try_recv(), Ok(17));
    });
}

#[test]
fn l20_a_runtime_that_nobody_drives_holds_up_no_clear() {
    let (_turn, closed) = my_turn();
    let runtime = current_thread();
    runtime.block_on(async { drop(connection(18).await) });
    futures_executor::block_on(async { connection::clear().await });
    assert_eq!(closed.try_recv(), Ok(18));
}

#[test]
fn l20_the_time_of_a_shutdown_may_be_endless() {
    let (_turn, closed) = my_turn();
    futures_executor::block_on(async { drop(connection(19).await) });
    assert!(tenure::Engine::global().shutdown_within(Duration::MAX));
    assert_eq!(closed.try_recv(), Ok(19));
}
