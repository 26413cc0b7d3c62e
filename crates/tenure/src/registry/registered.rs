//! A function in the hands of a front door that decorates the same code again and again.

use crate::engine::Engine;
use crate::function::Function;
use crate::ground::sync::Arc;
use crate::registry::identity::Identity;
use crate::registry::supersede;
use crate::registry::versions::{Site, Visitor};
use crate::words::bounds::{Failure, Resource};
use crate::words::error::SettingError;

/// A function in the hands of one decorated object; the version is in use while it lives.
///
/// ```
/// use tenure::front::{Identity, Registered};
/// use tenure::{Engine, Function, Settings};
///
/// let engine = Engine::new();
/// let identity = Identity::new([1; 16], [1; 16]);
/// let make = || Function::plain(&engine, "pool", Settings::default());
/// let one: Registered<u32, ()> = engine.register(identity.clone(), make)?;
/// let again: Registered<u32, ()> = engine.register(identity.clone(), make)?;
/// assert!(std::sync::Arc::ptr_eq(one.function(), again.function()));
/// # Ok::<(), tenure::SettingError>(())
/// ```
pub struct Registered<V: Resource, F: Failure> {
    function: Arc<Function<V, F>>,
    engine: Engine,
    visitor: Visitor,
}

impl<V: Resource, F: Failure> Registered<V, F> {
    /// The function that all users of this version share.
    ///
    /// ```
    /// # use tenure::front::{Identity, Registered};
    /// # use tenure::{Engine, Function, Settings};
    /// # let engine = Engine::new();
    /// # let identity = Identity::new([1; 16], [1; 16]);
    /// let make = || Function::plain(&engine, "pool", Settings::default());
    /// let pools: Registered<u32, ()> = engine.register(identity.clone(), make)?;
    /// assert_eq!(pools.function().name(), "pool");
    /// # Ok::<(), tenure::SettingError>(())
    /// ```
    #[must_use]
    pub fn function(&self) -> &Arc<Function<V, F>> {
        &self.function
    }

    /// Whether the version goes or waits without this user: it is outdated or has a newer one beside
    /// it, and nobody else uses it.
    ///
    /// ```
    /// # use tenure::front::{Identity, Registered};
    /// # use tenure::{Engine, Function, Settings};
    /// # let engine = Engine::new();
    /// # let identity = Identity::new([1; 16], [1; 16]);
    /// # let make = || Function::plain(&engine, "pool", Settings::default());
    /// let before: Registered<u32, ()> = engine.register(identity.clone(), make)?;
    /// assert!(!before.is_last());
    /// let edited = Identity { version: [2; 16], maker: [2; 16], ..identity.clone() };
    /// let _after: Registered<u32, ()> = engine.register(edited, make)?;
    /// assert!(before.is_last());
    /// # Ok::<(), tenure::SettingError>(())
    /// ```
    #[must_use]
    pub fn is_last(&self) -> bool {
        let is_last = |site: &Site| site.is_last(&self.visitor.identity, &self.function);
        let registry = self.engine.registry();
        registry.look(&self.visitor, is_last).unwrap_or(false)
    }

    /// The functions that the same code has made before for the same session, which has not come
    /// back to any of them, oldest first. Many of them mean that something which is new at each run
    /// is captured.
    ///
    /// ```
    /// # use tenure::front::{Identity, Registered};
    /// # use tenure::{Engine, Function, Settings};
    /// # let engine = Engine::new();
    /// # let make = || Function::plain(&engine, "pool", Settings::default());
    /// let at_nine = Identity::new([1; 16], [9; 16]);
    /// let before: Registered<u32, ()> = engine.register(at_nine, make)?;
    /// drop(before);
    /// let at_ten = Identity::new([1; 16], [10; 16]);
    /// let after: Registered<u32, ()> = engine.register(at_ten, make)?;
    /// assert_eq!(after.left_behind().len(), 1);
    /// # Ok::<(), tenure::SettingError>(())
    /// ```
    #[must_use]
    pub fn left_behind(&self) -> Vec<Arc<Function<V, F>>> {
        let left_behind = |site: &Site| site.left_behind(&self.visitor);
        let registry = self.engine.registry();
        registry
            .look(&self.visitor, left_behind)
            .unwrap_or_default()
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
        let gone = self.engine.registry().change(&self.visitor, |site, now| {
            site.leave(&self.visitor, &self.function, now);
        });
        if !gone.is_empty() {
            // A drop may come from anywhere, a garbage collection included: callbacks run elsewhere.
            self.engine.in_background(move || supersede(gone));
        }
    }
}

impl Engine {
    /// Finds the function with this identity, or makes it; older versions that it supersedes and
    /// that nobody uses are released.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use tenure::front::{Identity, Registered};
    /// # use tenure::{Cause, Engine, Function, KeyRef, Settings};
    /// # let engine = Engine::new();
    /// # let identity = Identity::new([1; 16], [1; 16]);
    /// # let make = || Function::plain(&engine, "pool", Settings::default());
    /// let one: Registered<u32, ()> = engine.register(identity.clone(), make)?;
    /// one.function().get_or_build(&KeyRef::EMPTY, || Ok(7)).unwrap();
    /// let before = Arc::clone(one.function());
    /// drop(one); // the script has run; it is edited, and runs again
    /// let edited = Identity { version: [2; 16], maker: [2; 16], ..identity.clone() };
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
        let registry = self.registry();
        let session = self.host().and_then(|host| host.session().ok().flatten());
        let visitor = Visitor { identity, session };
        let mut found = None;
        supersede(registry.change(&visitor, |site, now| found = site.find(&visitor, now)));
        if found.is_none() {
            let function = make()?;
            let mut outdated = Vec::new();
            let gone = registry.change(&visitor, |site, now| {
                // Unless another thread has just added it; what that leaves is dropped outside.
                found = site.find(&visitor, now);
                if found.is_none() {
                    outdated = site.outdated_by(&visitor);
                    site.add(&visitor, &function, now);
                }
            });
            for before in outdated {
                function.takes_over(&before);
            }
            supersede(gone);
            found.get_or_insert(function);
        }
        Ok(Registered {
            function: found.expect("it was found or made"),
            engine: self.clone(),
            visitor,
        })
    }

    /// Forgets every registered function: whoever holds one may go on with it, and the next
    /// [`register`](Self::register) begins anew. For an engine that has had its time.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use tenure::front::{Identity, Registered};
    /// # use tenure::{Engine, Function, Settings};
    /// # let engine = Engine::new();
    /// # let identity = Identity::new([1; 16], [1; 16]);
    /// # let make = || Function::plain(&engine, "pool", Settings::default());
    /// # let one: Registered<u32, ()> = engine.register(identity.clone(), make)?;
    /// let before = Arc::clone(one.function());
    /// # drop(one);
    /// engine.retire();
    /// let anew: Registered<u32, ()> = engine.register(identity.clone(), make)?;
    /// assert!(!Arc::ptr_eq(anew.function(), &before));
    /// # Ok::<(), tenure::SettingError>(())
    /// ```
    pub fn retire(&self) {
        self.registry().retire();
    }
}
