//! Calls of async functions whose builds a task can carry: with arguments that can leave the call, and
//! a future that is `Send`.
//!
//! The macro knows of each argument whether it is owned, or borrowed and copied in the way of
//! [`Owned`]. Whether the future is `Send` the compiler is asked, in a function beside the call
//! ([`Carrying`]): what the call itself is, that question must not depend on, since an async function
//! may call itself.

use std::borrow::Borrow;
use std::convert::Infallible;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::front::cached::{Cached, runtime};
use crate::front::leaving::{Anew, ByCopies, Keep, Never};
use crate::front::rules::guarded_async;
use crate::front::sort::{Always, Fails, Sort};
use crate::ground::latch::Latch;
use crate::ground::sync::Arc;
use crate::key::KeyRef;
use crate::life::building::again::Again;
use crate::life::building::build::Build;
use crate::life::building::carry::{Carrier, Ended, Plan, Sent, Start, Starting, poll_told, send};
use crate::life::building::waiter::Waiter;
use crate::life::core::Core;
use crate::life::entry::Built;
use crate::life::lease::Lease;
use crate::program::context;
use crate::words::bounds::{Failure, Resource};
use crate::words::error::{Error, Interrupt};
use crate::words::fallible::{self, Failed, Shared, Telling};

/// A borrowed argument, of which a build that leaves its call takes a copy.
pub trait Owned {
    /// The copy.
    type Owned;
    /// The copy, made now.
    fn owned(&self) -> Self::Owned;
    /// The argument as the function is given it, out of the copy.
    fn lent(owned: &Self::Owned) -> &Self;
}

impl<T: ToOwned + ?Sized> Owned for T {
    type Owned = T::Owned;
    fn owned(&self) -> T::Owned {
        self.to_owned()
    }
    fn lent(owned: &T::Owned) -> &T {
        owned.borrow()
    }
}

/// The arguments of a call that has found nothing.
pub struct Arguments<R> {
    given: Option<R>,
    copy: Option<fn(&R) -> R>,
}

impl<R> Arguments<R> {
    /// Gives them, once or as often as they can be copied.
    pub fn take(&mut self) -> Option<R> {
        match self.copy {
            None => self.given.take(),
            Some(copy) => self.given.as_ref().map(copy),
        }
    }
}

impl<R> Arguments<R> {
    /// A copy of them, where they can be copied.
    pub fn copied(&self) -> Option<R> {
        let copy = self.copy?;
        self.given.as_ref().map(copy)
    }
}

/// Asks of arguments whether they can be copied at any price.
pub struct GivenAgain<R>(pub R);

impl<R: Clone> GivenAgain<R> {
    /// They can.
    pub fn arguments(self) -> Arguments<R> {
        Arguments {
            given: Some(self.0),
            copy: Some(R::clone),
        }
    }
}

impl<R> GivenOnce<R> for GivenAgain<R> {
    fn arguments(self) -> Arguments<R> {
        Given(self.0).arguments()
    }
}

/// Asks of arguments whether they can be copied.
pub struct Given<R>(pub R);

impl<R: Copy> Given<R> {
    /// They can.
    pub fn arguments(self) -> Arguments<R> {
        Arguments {
            given: Some(self.0),
            copy: Some(|given| *given),
        }
    }
}

/// Arguments that there is one of.
pub trait GivenOnce<R> {
    /// They cannot.
    fn arguments(self) -> Arguments<R>;
}

impl<R> GivenOnce<R> for Given<R> {
    fn arguments(self) -> Arguments<R> {
        Arguments {
            given: Some(self.0),
            copy: None,
        }
    }
}

/// Asks whether a build can go to another thread.
pub struct Carrying<T, A>(pub T, pub PhantomData<fn(A)>);

impl<T, A, B> Carrying<T, A>
where
    T: Fn(A) -> B + Send + 'static,
    A: Send + 'static,
    B: Future<Output: 'static> + Send + 'static,
{
    /// It can.
    ///
    /// # Errors
    /// None.
    pub fn start(self, arguments: A) -> Result<Start<A, B::Output>, A> {
        Ok(Box::new(Ready(self.0, arguments)))
    }
}

struct Ready<T, A>(T, A);

impl<T, A, B> Starting<A, B::Output> for Ready<T, A>
where
    T: Fn(A) -> B + Send,
    A: Send,
    B: Future + Send + 'static,
{
    fn begin(self: Box<Self>) -> Pin<Box<dyn Future<Output = B::Output> + Send>> {
        let Self(build, arguments) = *self;
        Box::pin(build(arguments))
    }

    fn back(self: Box<Self>) -> A {
        self.1
    }
}

/// A build that has to stay on its thread.
pub trait NotCarried<A, O> {
    /// It cannot.
    ///
    /// # Errors
    /// The arguments.
    fn start(self, arguments: A) -> Result<Start<A, O>, A>;
}

impl<T, A, O> NotCarried<A, O> for Carrying<T, A> {
    fn start(self, arguments: A) -> Result<Start<A, O>, A> {
        Err(arguments)
    }
}

/// A build that goes to a task where there is one.
struct Carried<V, G, A, O, H, T, S, R> {
    function: Arc<Core<V>>,
    given: G,
    again: R,
    /// The arguments that a build has given back.
    back: Option<A>,
    here: H,
    start: T,
    sort: S,
    /// Set once the build has gone.
    told: Option<Arc<Latch<Ended<A, O>>>>,
}

impl<V: Resource, G: FnMut() -> Option<A>, A, O, H, T, S, R> Carried<V, G, A, O, H, T, S, R> {
    fn take(&mut self) -> Option<A> {
        self.back.take().or_else(|| (self.given)())
    }

    /// Notes where the resource is built.
    fn note(&self) {
        runtime(&*self.function.behaviour).note();
    }
}

impl<V, F, G, A, O, B, H, T, S, R> Plan<V, F> for Carried<V, G, A, O, H, T, S, R>
where
    V: Resource,
    F: Failure,
    G: FnMut() -> Option<A>,
    A: 'static,
    O: 'static,
    B: Future<Output = O>,
    H: Fn(A) -> B,
    T: Fn(A) -> Result<Start<A, O>, A>,
    S: Sort<V, O, Failure = F>,
    R: Anew<V, F>,
{
    type Output = O;
    type Here = B;

    fn again(&self) -> Option<Again<V, F>> {
        self.again.again()
    }

    fn away(&mut self, build: Build<V, F>) -> Result<Waiter<V, F>, Build<V, F>> {
        // What one runtime has dropped is not given to another: whoever calls can build it.
        if self.told.is_some() {
            return Err(build);
        }
        let Some(carrier) = Carrier::find() else {
            return Err(build);
        };
        let Some(arguments) = self.take() else {
            return Err(build);
        };
        let start = match (self.start)(arguments) {
            Ok(start) => start,
            Err(arguments) => {
                self.back = Some(arguments);
                return Err(build);
            }
        };
        self.note();
        let sort = self.sort;
        let sort = move |output| sort.outcome(output);
        let Sent { waiter, told, task } = send(build, start, sort);
        self.told = Some(told);
        carrier.spawn(Box::pin(context::carry(task)));
        Ok(waiter)
    }

    fn poll_back(&mut self, cx: &Context<'_>) -> Poll<Result<(), Interrupt>> {
        let Some(told) = &self.told else {
            return Poll::Ready(Ok(()));
        };
        poll_told(told, cx).map_ok(|back| self.back = back)
    }

    fn here(&mut self) -> Option<B> {
        let arguments = self.take()?;
        self.note();
        Some((self.here)(arguments))
    }

    fn outcome(&self, output: O) -> Result<Built<V>, F> {
        self.sort.outcome(output)
    }
}

impl<V: Resource, F: Failure> Cached<'_, V, F> {
    #[allow(clippy::too_many_arguments)]
    async fn run_carried<C, G, A, O, B, H, T, S, R>(
        &self,
        key: &KeyRef<'_>,
        check: impl Fn(Lease<V>) -> C,
        again: R,
        given: G,
        here: H,
        start: T,
        sort: S,
    ) -> Result<Lease<V>, Error<F>>
    where
        C: Future<Output = bool>,
        G: FnMut() -> Option<A>,
        A: 'static,
        O: 'static,
        B: Future<Output = O>,
        H: Fn(A) -> B,
        T: Fn(A) -> Result<Start<A, O>, A>,
        S: Sort<V, O, Failure = F>,
        R: Anew<V, F>,
    {
        let plan = Carried {
            function: Arc::clone(&self.0.core),
            given,
            again,
            back: None,
            here,
            start,
            sort,
            told: None,
        };
        let check = |lease| guarded_async(&self.0.core.name, check(lease));
        self.0.call_planned(key, check, plan, self.tags()).await
    }
}

impl<V: Resource> Cached<'_, V, Infallible> {
    /// A call of an async function that cannot fail, after [`hit`](Self::hit), whose build a task can
    /// carry. `given` gives the arguments, owned; `here` builds, and `start` has it built elsewhere where
    /// that can be.
    ///
    /// # Panics
    /// As [`call_async`](Self::call_async), and where the runtime of the build was shut down and the
    /// call cannot build again.
    pub async fn call_carried<C, G, A, O, B, H, T>(
        &self,
        key: &KeyRef<'_>,
        _: Telling<Infallible>,
        check: impl Fn(Lease<V>) -> C,
        given: G,
        here: H,
        start: T,
    ) -> Lease<V>
    where
        C: Future<Output = bool>,
        A: 'static,
        O: Into<Built<V>> + 'static,
        B: Future<Output = O>,
        G: FnMut() -> Option<A>,
        H: Fn(A) -> B,
        T: Fn(A) -> Result<Start<A, O>, A>,
    {
        let gave = self.run_carried(key, check, Never, given, here, start, Always);
        fallible::gave(gave.await)
    }

    /// A call as by [`call_carried`](Self::call_carried), of a function whose builds can do without a
    /// caller.
    ///
    /// # Panics
    /// As that, and where the build takes too long.
    #[allow(clippy::too_many_arguments)]
    pub async fn call_refreshed_async<C, G, A, O, B, H, T>(
        &self,
        key: &KeyRef<'_>,
        _: Telling<Infallible>,
        check: impl Fn(Lease<V>) -> C,
        given: G,
        keep: Option<Keep<A>>,
        here: H,
        start: T,
    ) -> Lease<V>
    where
        C: Future<Output = bool>,
        A: 'static,
        O: Into<Built<V>> + 'static,
        B: Future<Output = O>,
        G: Fn() -> Option<A>,
        H: Fn(A) -> B,
        T: Fn(A) -> Result<Start<A, O>, A> + Copy + Send + Sync + 'static,
    {
        let given = &given;
        let again = ByCopies {
            given,
            keep,
            start,
            sort: Always,
        };
        let gave = self.run_carried(key, check, again, given, here, start, Always);
        fallible::gave(gave.await)
    }
}

impl<V: Resource, E: Send + Sync + 'static> Cached<'_, V, Failed<E>> {
    /// A call of an async function that can fail, after [`hit`](Self::hit), whose build a task can
    /// carry. `given` gives the arguments, owned; `here` builds, and `start` has it built elsewhere where
    /// that can be.
    ///
    /// # Errors
    /// As [`call_async`](Self::call_async), and where the runtime of the build was shut down and the
    /// call cannot build again.
    pub async fn call_carried<C, G, A, O, B, H, T>(
        &self,
        key: &KeyRef<'_>,
        telling: Telling<E>,
        check: impl Fn(Lease<V>) -> C,
        given: G,
        here: H,
        start: T,
    ) -> Result<Lease<V>, Shared<E>>
    where
        C: Future<Output = bool>,
        A: 'static,
        O: Into<Built<Result<V, E>>> + 'static,
        B: Future<Output = O>,
        G: FnMut() -> Option<A>,
        H: Fn(A) -> B,
        T: Fn(A) -> Result<Start<A, O>, A>,
    {
        let gave = self.run_carried(key, check, Never, given, here, start, Fails(telling));
        gave.await.map_err(Shared::from_call)
    }

    /// A call as by [`call_carried`](Self::call_carried), of a function whose builds can do without a
    /// caller.
    ///
    /// # Errors
    /// As that, and a build that takes too long.
    #[allow(clippy::too_many_arguments)]
    pub async fn call_refreshed_async<C, G, A, O, B, H, T>(
        &self,
        key: &KeyRef<'_>,
        telling: Telling<E>,
        check: impl Fn(Lease<V>) -> C,
        given: G,
        keep: Option<Keep<A>>,
        here: H,
        start: T,
    ) -> Result<Lease<V>, Shared<E>>
    where
        C: Future<Output = bool>,
        A: 'static,
        O: Into<Built<Result<V, E>>> + 'static,
        B: Future<Output = O>,
        G: Fn() -> Option<A>,
        H: Fn(A) -> B,
        T: Fn(A) -> Result<Start<A, O>, A> + Copy + Send + Sync + 'static,
    {
        let given = &given;
        let again = ByCopies {
            given,
            keep,
            start,
            sort: Fails(telling),
        };
        let gave = self.run_carried(key, check, again, given, here, start, Fails(telling));
        gave.await.map_err(Shared::from_call)
    }
}
