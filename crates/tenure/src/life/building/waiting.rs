//! How a blocking caller waits for another's build.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::ground::sync::Arc;
use crate::host::Host;
use crate::life::building::patience::Patience;
use crate::life::flight::{Arrival, Flight, Landing};
use crate::words::bounds::{Failure, Resource};
use crate::words::error::Interrupt;

/// A way to wait for another's build.
///
/// ```
/// use std::time::Duration;
/// use tenure::front::{Awaited, Waiting};
/// use tenure::Interrupt;
///
/// /// Gives up after so many looks.
/// struct Looks(u32);
///
/// impl Waiting for Looks {
///     fn wait(&self, build: &mut dyn Awaited) -> Result<(), Interrupt> {
///         for _ in 0..self.0 {
///             if build.block(Some(Duration::from_millis(50))) {
///                 return Ok(());
///             }
///         }
///         Err(Interrupt(Box::new("it took too long")))
///     }
/// }
/// # struct Done;
/// # impl Awaited for Done {
/// #     fn function(&self) -> &str { "pool" }
/// #     fn block(&mut self, _: Option<Duration>) -> bool { true }
/// #     fn poll(&mut self, _: &std::task::Waker) -> bool { true }
/// #     fn is_of_this_thread(&self) -> bool { false }
/// # }
/// # assert!(Looks(3).wait(&mut Done).is_ok());
/// # assert!(Looks(0).wait(&mut Done).is_err());
/// ```
pub trait Waiting {
    /// Waits until `build` has ended: until its [`block`](Awaited::block) or its
    /// [`poll`](Awaited::poll) has said so.
    ///
    /// # Errors
    /// An [`Interrupt`] where something outside ends the wait.
    ///
    /// # Panics
    /// The call that waits panics where this returns `Ok` before `build` has said that it has ended.
    fn wait(&self, build: &mut dyn Awaited) -> Result<(), Interrupt>;
}

/// Another's build that a caller waits for.
///
/// ```
/// use std::task::Waker;
/// use tenure::front::{Awaited, Waiting};
/// use tenure::Interrupt;
///
/// /// Turns over to others of its thread until it is woken.
/// struct Yielding;
///
/// impl Waiting for Yielding {
///     fn wait(&self, build: &mut dyn Awaited) -> Result<(), Interrupt> {
///         while !build.poll(Waker::noop()) {
///             std::thread::yield_now();
///         }
///         Ok(())
///     }
/// }
/// ```
pub trait Awaited {
    /// The name of the function that builds.
    fn function(&self) -> &str;

    /// Blocks the thread until the build has ended, or until the pause has passed; whether it has
    /// ended.
    fn block(&mut self, pause: Option<Duration>) -> bool;

    /// Whether the build has ended. Where not, `waker` is woken once it has, and no earlier one is.
    fn poll(&mut self, waker: &Waker) -> bool;

    /// Whether the build began on this very thread: to block it may be to wait for ever.
    fn is_of_this_thread(&self) -> bool;
}

/// Waits until the build has ended, whatever happens.
///
/// ```
/// use tenure::front::Patiently;
/// use tenure::{Engine, Function, KeyRef, Settings};
///
/// let engine = Engine::new();
/// let pools = Function::<u32, ()>::plain(&engine, "pool", Settings::default())?;
/// let lease = pools.get_or_build_while(&KeyRef::EMPTY, &Patiently, || Ok(7)).unwrap();
/// assert_eq!(*lease, 7);
/// # Ok::<(), tenure::SettingError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Patiently;

impl Waiting for Patiently {
    fn wait(&self, build: &mut dyn Awaited) -> Result<(), Interrupt> {
        while !build.block(None) {}
        Ok(())
    }
}

/// How long a caller waits before it asks its host whether it may go on.
const LOOK: Duration = Duration::from_millis(50);

/// Waits until the build has ended, or until the host has the caller stop.
pub(crate) struct AsHostWishes(pub(crate) Option<Arc<dyn Host>>);

impl Waiting for AsHostWishes {
    fn wait(&self, build: &mut dyn Awaited) -> Result<(), Interrupt> {
        let Some(host) = &self.0 else {
            return Patiently.wait(build);
        };
        while !build.block(Some(LOOK)) {
            host.interrupted()?;
        }
        Ok(())
    }
}

/// A wait for a flight by a blocking caller, and what it has seen of the landing.
pub(crate) struct BlockingWait<'a, V: Resource, F> {
    function: &'a str,
    flight: &'a Flight<V, F>,
    arrival: Arrival<V, F>,
    landing: Option<Landing<V, F>>,
    patience: Option<&'a Patience>,
}

impl<'a, V: Resource, F: Failure> BlockingWait<'a, V, F> {
    pub(crate) fn new(
        function: &'a str,
        flight: &'a Arc<Flight<V, F>>,
        patience: Option<&'a Patience>,
    ) -> Self {
        Self {
            patience,
            function,
            flight,
            arrival: flight.arrival(),
            landing: None,
        }
    }

    /// How the flight ended, after a wait that ended well: nothing where the caller was out of patience
    /// before that.
    pub(crate) fn landing(self) -> Option<Landing<V, F>> {
        assert!(self.has_ended(), "a wait that ends well has seen the end");
        self.landing
    }

    fn is_over(&self) -> bool {
        self.patience.is_some_and(Patience::is_over)
    }

    fn has_ended(&self) -> bool {
        self.landing.is_some() || self.is_over()
    }
}

impl<V: Resource, F: Failure> Awaited for BlockingWait<'_, V, F> {
    fn function(&self) -> &str {
        self.function
    }

    fn block(&mut self, pause: Option<Duration>) -> bool {
        self.landing = self.flight.wait(pause, || self.is_over());
        self.has_ended()
    }

    fn poll(&mut self, waker: &Waker) -> bool {
        let cx = &mut Context::from_waker(waker);
        if let Poll::Ready(landing) = Pin::new(&mut self.arrival).poll(cx) {
            self.landing = Some(landing);
        }
        self.has_ended() || self.patience.is_some_and(|it| it.poll(cx).is_ready())
    }

    fn is_of_this_thread(&self) -> bool {
        self.flight.is_of_this_thread()
    }
}
