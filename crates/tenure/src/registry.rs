//! The versions of each function: a script that runs again finds its caches, and what an edit left
//! behind is released.
//!
//! A function stands at a *site* (its module, file and name). At one site there may be several
//! versions at once: closures of one factory, lambdas on one line, and what was there before an
//! edit. A version is *outdated* once its site has a newer one that it cannot stand beside:
//!
//! | The other one has | then this one is |
//! |---|---|
//! | the same code and closure, other settings | outdated |
//! | other code or another closure, from the same state of the source | a sibling, and stays |
//! | other code or another closure, from another state of the source | outdated |
//!
//! An outdated version is released, with cause `Superseded`, when its last user is gone; until
//! then those who hold it may go on with it. A version that is not outdated stays without users:
//! between two runs of a script nobody holds it.
//!
//! Lock order: the registry's lock is a leaf; functions are made and released outside it.

use std::any::Any;
use std::collections::HashMap;

use crate::bounds::{Failure, Resource};
use crate::engine::{AnyFunction, Engine};
use crate::error::SettingError;
use crate::function::Function;
use crate::release::Cause;
use crate::sync::{Arc, Mutex};

/// What tells a function from others; each part is a digest that the front door makes.
///
/// ```
/// use tenure::Identity;
///
/// let one = Identity { site: [1; 16], version: [1; 16], settings: [1; 16], stamp: [1; 16], passing: false };
/// let edited = Identity { version: [2; 16], stamp: [2; 16], ..one };
/// assert_ne!(one, edited);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// Where it stands: stays the same over an edit.
    pub site: [u8; 16],
    /// Its code, constants, defaults and closure.
    pub version: [u8; 16],
    /// Its settings and callbacks.
    pub settings: [u8; 16],
    /// The state of the source that it was read from.
    pub stamp: [u8; 16],
    /// Whether no later run can make an equal one, because something in its closure is told apart
    /// by address.
    pub passing: bool,
}

#[derive(Default)]
pub(crate) struct Registry {
    sites: Mutex<HashMap<[u8; 16], Vec<Version>>>,
}

struct Version {
    identity: Identity,
    any: Arc<dyn AnyFunction>,
    typed: Arc<dyn Any + Send + Sync>,
    users: usize,
    outdated: bool,
}

impl Version {
    fn is_same(&self, identity: &Identity) -> bool {
        self.identity.version == identity.version && self.identity.settings == identity.settings
    }

    fn is_outdated_by(&self, newer: &Identity) -> bool {
        if self.identity.version == newer.version {
            self.identity.settings != newer.settings
        } else {
            self.identity.stamp != newer.stamp
        }
    }

    /// Whether nobody finds it any more but those who hold it.
    fn is_past(&self) -> bool {
        self.outdated || self.identity.passing
    }

    fn is_over(&self) -> bool {
        self.users == 0 && self.is_past()
    }

    /// Whether it has this function: after a retirement another one may have its place.
    fn has<V: Resource, F: Failure>(
        &self,
        identity: &Identity,
        function: &Arc<Function<V, F>>,
    ) -> bool {
        self.is_same(identity) && std::ptr::addr_eq(Arc::as_ptr(&self.any), Arc::as_ptr(function))
    }
}

/// A function in the hands of one decorated object; the version is in use while it lives.
///
/// ```
/// use tenure::{Engine, Function, Identity, Registered, Settings};
///
/// let engine = Engine::new();
/// let identity = Identity { site: [1; 16], version: [1; 16], settings: [1; 16], stamp: [1; 16], passing: false };
/// let make = || Function::plain(&engine, "pool", Settings::default());
/// let one: Registered<u32, ()> = engine.register(identity, make)?;
/// let again: Registered<u32, ()> = engine.register(identity, make)?;
/// assert!(std::sync::Arc::ptr_eq(one.function(), again.function()));
/// # Ok::<(), tenure::SettingError>(())
/// ```
pub struct Registered<V: Resource, F: Failure> {
    function: Arc<Function<V, F>>,
    engine: Engine,
    identity: Identity,
}

impl<V: Resource, F: Failure> Registered<V, F> {
    /// The function that all users of this version share.
    ///
    /// ```
    /// # use tenure::{Engine, Function, Identity, Registered, Settings};
    /// # let engine = Engine::new();
    /// # let identity = Identity { site: [1; 16], version: [1; 16], settings: [1; 16], stamp: [1; 16], passing: false };
    /// let make = || Function::plain(&engine, "pool", Settings::default());
    /// let pools: Registered<u32, ()> = engine.register(identity, make)?;
    /// assert_eq!(pools.function().name(), "pool");
    /// # Ok::<(), tenure::SettingError>(())
    /// ```
    #[must_use]
    pub fn function(&self) -> &Arc<Function<V, F>> {
        &self.function
    }

    /// Whether the version ends with this user: it is outdated, and nobody else uses it.
    ///
    /// ```
    /// # use tenure::{Engine, Function, Identity, Registered, Settings};
    /// # let engine = Engine::new();
    /// # let identity = Identity { site: [1; 16], version: [1; 16], settings: [1; 16], stamp: [1; 16], passing: false };
    /// # let make = || Function::plain(&engine, "pool", Settings::default());
    /// let before: Registered<u32, ()> = engine.register(identity, make)?;
    /// assert!(!before.is_last());
    /// let edited = Identity { version: [2; 16], stamp: [2; 16], ..identity };
    /// let _after: Registered<u32, ()> = engine.register(edited, make)?;
    /// assert!(before.is_last());
    /// # Ok::<(), tenure::SettingError>(())
    /// ```
    #[must_use]
    pub fn is_last(&self) -> bool {
        let registry = &self.engine.core().registry;
        registry.is_last(&self.identity, &self.function)
    }
}

impl<V: Resource, F: Failure> std::fmt::Debug for Registered<V, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registered")
            .field("function", &self.function.name())
            .finish_non_exhaustive()
    }
}

impl<V: Resource, F: Failure> Drop for Registered<V, F> {
    fn drop(&mut self) {
        let registry = &self.engine.core().registry;
        let gone = registry.leave(&self.identity, &self.function);
        if gone.is_empty() {
            return;
        }
        // A drop may come from anywhere, a garbage collection included: callbacks run elsewhere.
        let now = self.engine.core().clock.now();
        self.engine
            .core()
            .timer
            .at(now, Box::new(move || supersede(gone)));
    }
}

fn supersede(gone: Vec<Version>) {
    for version in gone {
        version.any.clear(Cause::Superseded);
    }
}

impl Engine {
    /// Finds the function with this identity, or makes it; older versions that it supersedes and
    /// that nobody uses are released.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use tenure::{Cause, Engine, Function, Identity, KeyRef, Registered, Settings};
    /// # let engine = Engine::new();
    /// # let identity = Identity { site: [1; 16], version: [1; 16], settings: [1; 16], stamp: [1; 16], passing: false };
    /// # let make = || Function::plain(&engine, "pool", Settings::default());
    /// let one: Registered<u32, ()> = engine.register(identity, make)?;
    /// one.function().get_or_build(&KeyRef::EMPTY, || Ok(7)).unwrap();
    /// let before = Arc::clone(one.function());
    /// drop(one); // the script has run; it is edited, and runs again
    /// let edited = Identity { version: [2; 16], stamp: [2; 16], ..identity };
    /// let two: Registered<u32, ()> = engine.register(edited, make)?;
    /// assert_eq!(before.info().released(Cause::Superseded), 1);
    /// # Ok::<(), tenure::SettingError>(())
    /// ```
    ///
    /// # Errors
    /// What `make` says of its settings.
    pub fn register<V: Resource, F: Failure>(
        &self,
        identity: Identity,
        make: impl FnOnce() -> Result<Arc<Function<V, F>>, SettingError>,
    ) -> Result<Registered<V, F>, SettingError> {
        let registry = &self.core().registry;
        let (function, gone) = match registry.join::<V, F>(&identity) {
            Some(found) => found,
            None => registry.add(&identity, make()?),
        };
        supersede(gone);
        Ok(Registered {
            function,
            engine: self.clone(),
            identity,
        })
    }
}

impl Engine {
    /// Forgets every registered function: whoever holds one may go on with it, and the next
    /// [`register`](Self::register) begins anew. For an engine that has had its time.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use tenure::{Engine, Function, Identity, Registered, Settings};
    /// # let engine = Engine::new();
    /// # let identity = Identity { site: [1; 16], version: [1; 16], settings: [1; 16], stamp: [1; 16], passing: false };
    /// # let make = || Function::plain(&engine, "pool", Settings::default());
    /// # let one: Registered<u32, ()> = engine.register(identity, make)?;
    /// let before = Arc::clone(one.function());
    /// # drop(one);
    /// engine.retire();
    /// let anew: Registered<u32, ()> = engine.register(identity, make)?;
    /// assert!(!Arc::ptr_eq(anew.function(), &before));
    /// # Ok::<(), tenure::SettingError>(())
    /// ```
    pub fn retire(&self) {
        let sites = std::mem::take(&mut *self.core().registry.sites.lock());
        drop(sites);
    }
}

type Joined<V, F> = (Arc<Function<V, F>>, Vec<Version>);

impl Registry {
    fn join<V: Resource, F: Failure>(&self, identity: &Identity) -> Option<Joined<V, F>> {
        let mut sites = self.sites.lock();
        rejoin(sites.get_mut(&identity.site)?, identity)
    }

    /// Adds a version, unless another thread has just done so.
    fn add<V: Resource, F: Failure>(
        &self,
        identity: &Identity,
        function: Arc<Function<V, F>>,
    ) -> Joined<V, F> {
        let mut sites = self.sites.lock();
        let versions = sites.entry(identity.site).or_default();
        if let Some(found) = rejoin(versions, identity) {
            // The function that lost is dropped outside the lock.
            drop(sites);
            return found;
        }
        let gone = outdate(versions, identity);
        versions.push(Version {
            identity: *identity,
            any: Arc::clone(&function) as Arc<dyn AnyFunction>,
            typed: Arc::clone(&function) as Arc<dyn Any + Send + Sync>,
            users: 1,
            outdated: false,
        });
        (function, gone)
    }

    fn leave<V: Resource, F: Failure>(
        &self,
        identity: &Identity,
        function: &Arc<Function<V, F>>,
    ) -> Vec<Version> {
        let mut sites = self.sites.lock();
        let Some(versions) = sites.get_mut(&identity.site) else {
            return Vec::new();
        };
        if let Some(there) = versions.iter_mut().find(|it| it.has(identity, function)) {
            there.users -= 1;
        }
        let gone = take_over(versions);
        if versions.is_empty() {
            sites.remove(&identity.site);
        }
        gone
    }

    fn is_last<V: Resource, F: Failure>(
        &self,
        identity: &Identity,
        function: &Arc<Function<V, F>>,
    ) -> bool {
        let sites = self.sites.lock();
        let versions = sites.get(&identity.site);
        let there = versions.and_then(|it| it.iter().find(|it| it.has(identity, function)));
        there.is_some_and(|it| it.users == 1 && it.is_past())
    }
}

fn rejoin<V: Resource, F: Failure>(
    versions: &mut Vec<Version>,
    identity: &Identity,
) -> Option<Joined<V, F>> {
    let there = versions.iter_mut().find(|it| it.is_same(identity))?;
    let function = Arc::clone(&there.typed).downcast().ok()?;
    there.users += 1;
    there.outdated = false;
    there.identity.stamp = identity.stamp;
    Some((function, outdate(versions, identity)))
}

/// Marks what the newer identity outdates, and takes out what nobody uses any more.
fn outdate(versions: &mut Vec<Version>, newer: &Identity) -> Vec<Version> {
    for version in versions.iter_mut() {
        version.outdated |= version.is_outdated_by(newer);
    }
    take_over(versions)
}

fn take_over(versions: &mut Vec<Version>) -> Vec<Version> {
    versions.extract_if(.., |it| it.is_over()).collect()
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;
    use crate::{KeyRef, ManualClock, Settings};

    #[test]
    fn f6_who_uses_a_retired_version_is_no_user_of_its_successor() {
        let engine = Engine::with_clock(ManualClock::new());
        let identity = Identity {
            site: [1; 16],
            version: [1; 16],
            settings: [1; 16],
            stamp: [1; 16],
            passing: true,
        };
        let register = || -> Registered<u32, ()> {
            let make = || Function::plain(&engine, "f", Settings::default());
            engine.register(identity, make).unwrap()
        };
        let retired = register();
        engine.retire();
        let successor = register();
        let function = Arc::clone(successor.function());
        function.get_or_build(&KeyRef::EMPTY, || Ok(7)).unwrap();
        drop(retired);
        engine.run_due();
        assert_eq!(function.info().entries, 1);
        drop(successor);
        engine.run_due();
        assert_eq!(function.info().released(Cause::Superseded), 1);
    }
}
