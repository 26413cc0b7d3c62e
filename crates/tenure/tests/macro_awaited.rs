//! A clear that is awaited for long is told of in the log (L5).

mod support;

use std::future::IntoFuture;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tenure::{Cleared, cache_resource};
use tokio::sync::Semaphore;

use support::lines::logged;

const LEASED: &str = "WARN message=a clear is awaited whose resources are still leased; it is over with their last \
    lease. Who awaits it and holds such a lease waits for ever: drop the lease first functions=";

type Wait = Pin<Box<dyn Future<Output = ()> + Send>>;

fn poll(wait: &mut Wait) -> Poll<()> {
    wait.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

fn waits(cleared: Cleared) -> Wait {
    let mut wait = cleared.into_future();
    assert_eq!(poll(&mut wait), Poll::Pending);
    wait
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn l5_a_clear_that_waits_for_a_lease_is_told_of_once() {
    #[cache_resource]
    fn pool(number: u32) -> u32 {
        number
    }
    #[cache_resource(drain = "1s")]
    fn client() -> u32 {
        7
    }

    let clock = tenure::testing::clock();
    let (one, two, own) = (pool(1), pool(2), client());
    let mut wait = waits(tenure::clear_all());
    let (_, lines) = logged(|| clock.advance(seconds(9)));
    assert!(
        !lines.iter().any(|line| line.contains("awaited")),
        "{lines:?}"
    );
    let (_, lines) = logged(|| clock.advance(seconds(1)));
    assert_eq!(lines, [format!("{LEASED}client, pool seconds=10")]);
    let (_, lines) = logged(|| clock.advance(seconds(60)));
    assert_eq!(lines, [""; 0]);
    drop((one, two));
    assert_eq!(poll(&mut wait), Poll::Pending);
    drop(own);
    assert_eq!(poll(&mut wait), Poll::Ready(()));
}

#[test]
fn l5_what_a_callback_clears_is_named_to_who_awaits_the_callback() {
    #[cache_resource]
    fn inner() -> u32 {
        7
    }
    fn close(_: u32) {
        inner::clear();
    }
    #[cache_resource(on_release = close)]
    fn outer() -> u32 {
        7
    }

    let clock = tenure::testing::clock();
    drop(outer());
    let _lease = inner();
    let _wait = waits(outer::clear());
    let (_, lines) = logged(|| clock.advance(seconds(10)));
    assert_eq!(lines, [format!("{LEASED}inner seconds=10")]);
}

#[test]
fn l5_a_clear_that_nobody_awaits_any_more_is_not_told_of() {
    #[cache_resource]
    fn pool() -> u32 {
        7
    }

    let clock = tenure::testing::clock();
    let lease = pool();
    drop(waits(pool::clear()));
    let _again = pool();
    let _nobody = pool::clear();
    let (_, lines) = logged(|| clock.advance(seconds(20)));
    assert_eq!(lines, [""; 0]);
    drop(lease);
}

#[tokio::test]
async fn l5_a_clear_that_waits_for_a_callback_is_told_of() {
    static HAS_BEGUN: Semaphore = Semaphore::const_new(0);
    static MAY_END: Semaphore = Semaphore::const_new(0);
    async fn close(_: u32) {
        HAS_BEGUN.add_permits(1);
        drop(MAY_END.acquire().await);
    }
    #[cache_resource(on_release = close)]
    async fn pool() -> u32 {
        7
    }

    let clock = tenure::testing::clock();
    drop(pool().await);
    let wait = waits(pool::clear());
    drop(HAS_BEGUN.acquire().await);
    let (_, lines) = logged(|| clock.advance(seconds(10)));
    MAY_END.add_permits(1);
    assert_eq!(
        lines,
        [
            "WARN message=a clear is awaited whose releases have not ended yet: an on_release takes long seconds=10"
        ]
    );
    wait.await;
}
