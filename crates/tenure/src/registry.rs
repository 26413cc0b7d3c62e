//! The functions of a process by their identity: a script that runs again finds its caches, and
//! what an edit or a run left behind is released.
//!
//! A function stands at a *site* (its module, file and name). At one site there may be several
//! [versions](crate::versions) at once: closures of one factory, one function with two settings,
//! lambdas on one line, and what was there before an edit. What nothing can call any more is
//! released, with cause `Superseded`.
//!
//! Lock order: the registry's lock, then the timer's. Functions are made and released outside both.

use std::collections::HashMap;

use crate::bounds::{Failure, Resource};
use crate::cause::Cause;
use crate::clock::{Nanos, nanos};
use crate::drain::End;
use crate::engine::Engine;
use crate::error::SettingError;
use crate::function::Function;
use crate::sync::{Arc, Mutex};
use crate::timer::TimerId;
use crate::versions::{Site, Version, Visitor};

/// The marks by which a function is told from others; each is a digest that the front door makes.
///
/// ```
/// use tenure::Identity;
///
/// let one = Identity { maker: [1; 16], stamp: Some([1; 16]), ..Identity::new([1; 16], [1; 16]) };
/// let edited = Identity { version: [2; 16], maker: [2; 16], stamp: Some([2; 16]), ..one };
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
    /// The code that decorates it: the same for whatever closures and settings that code has made,
    /// and another one after an edit.
    pub maker: [u8; 16],
    /// Where its maker stands: stays the same over an edit.
    pub place: [u8; 16],
    /// The state of the source that it and its maker were read from; `None` where that has no file.
    pub stamp: Option<[u8; 16]>,
    /// The run of its maker's module that it was made in.
    pub run: [u8; 16],
    /// The objects that its callbacks are bound to. Two functions of one run that both live and
    /// differ in these share nothing.
    pub callbacks: [u8; 16],
    /// Whether no later run can make an equal one, because something in its closure is told apart
    /// by address.
    pub passing: bool,
}

impl Identity {
    /// An identity without settings, of code that has no file.
    ///
    /// ```
    /// let (site, version) = ([1; 16], [2; 16]);
    /// assert_eq!(tenure::Identity::new(site, version).stamp, None);
    /// ```
    #[must_use]
    pub const fn new(site: [u8; 16], version: [u8; 16]) -> Self {
        Self {
            site,
            version,
            settings: [0; 16],
            maker: [0; 16],
            place: [0; 16],
            stamp: None,
            run: [0; 16],
            callbacks: [0; 16],
            passing: false,
        }
    }
}

#[derive(Default)]
pub(crate) struct Registry {
    sites: Mutex<Sites>,
}

#[derive(Default)]
struct Sites {
    by_site: HashMap<[u8; 16], Site>,
    /// The look at those that wait, while any does.
    watch: Option<TimerId>,
}

/// A function in the hands of one decorated object; the version is in use while it lives.
///
/// ```
/// use tenure::{Engine, Function, Identity, Registered, Settings};
///
/// let engine = Engine::new();
/// let identity = Identity::new([1; 16], [1; 16]);
/// let make = || Function::plain(&engine, "pool", Settings::default());
/// let one: Registered<u32, ()> = engine.register(identity, make)?;
/// let again: Registered<u32, ()> = engine.register(identity, make)?;
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
    /// # use tenure::{Engine, Function, Identity, Registered, Settings};
    /// # let engine = Engine::new();
    /// # let identity = Identity::new([1; 16], [1; 16]);
    /// let make = || Function::plain(&engine, "pool", Settings::default());
    /// let pools: Registered<u32, ()> = engine.register(identity, make)?;
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
    /// # use tenure::{Engine, Function, Identity, Registered, Settings};
    /// # let engine = Engine::new();
    /// # let identity = Identity::new([1; 16], [1; 16]);
    /// # let make = || Function::plain(&engine, "pool", Settings::default());
    /// let before: Registered<u32, ()> = engine.register(identity, make)?;
    /// assert!(!before.is_last());
    /// let edited = Identity { version: [2; 16], maker: [2; 16], ..identity };
    /// let _after: Registered<u32, ()> = engine.register(edited, make)?;
    /// assert!(before.is_last());
    /// # Ok::<(), tenure::SettingError>(())
    /// ```
    #[must_use]
    pub fn is_last(&self) -> bool {
        let sites = self.engine.core().registry.sites.lock();
        let site = sites.by_site.get(&self.visitor.identity.site);
        site.is_some_and(|it| it.is_last(&self.visitor.identity, &self.function))
    }

    /// The functions that the same code has made before for the same session, which has not come
    /// back to any of them, oldest first. Many of them mean that something which is new at each run
    /// is captured.
    ///
    /// ```
    /// # use tenure::{Engine, Function, Identity, Registered, Settings};
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
        let sites = self.engine.core().registry.sites.lock();
        let site = sites.by_site.get(&self.visitor.identity.site);
        site.map_or_else(Vec::new, |it| it.left_behind(&self.visitor))
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
        let gone = self.engine.change(&self.visitor, |site, now| {
            site.leave(&self.visitor, &self.function, now);
        });
        if !gone.is_empty() {
            // A drop may come from anywhere, a garbage collection included: callbacks run elsewhere.
            self.engine.in_background(move || supersede(gone));
        }
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
    /// # let identity = Identity::new([1; 16], [1; 16]);
    /// # let make = || Function::plain(&engine, "pool", Settings::default());
    /// let one: Registered<u32, ()> = engine.register(identity, make)?;
    /// one.function().get_or_build(&KeyRef::EMPTY, || Ok(7)).unwrap();
    /// let before = Arc::clone(one.function());
    /// drop(one); // the script has run; it is edited, and runs again
    /// let edited = Identity { version: [2; 16], maker: [2; 16], ..identity };
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
        let session = self.host().and_then(|host| host.session().ok().flatten());
        let visitor = Visitor { identity, session };
        let mut found = None;
        supersede(self.change(&visitor, |site, now| found = site.find(&visitor, now)));
        if found.is_none() {
            let function = make()?;
            supersede(self.change(&visitor, |site, now| {
                // Unless another thread has just added it; what that leaves is dropped outside.
                found = site.find(&visitor, now);
                if found.is_none() {
                    site.add(&visitor, &function, now);
                }
            }));
            found.get_or_insert(function);
        }
        Ok(Registered {
            function: found.expect("it was found or made"),
            engine: self.clone(),
            visitor,
        })
    }

    /// Changes what stands at the visitor's site, and takes out what nothing can call any more. To
    /// be released outside every lock.
    fn change(&self, visitor: &Visitor, change: impl FnOnce(&mut Site, Nanos)) -> Vec<Version> {
        let now = self.services().clock.now();
        let mut sites = self.core().registry.sites.lock();
        let at = visitor.identity.site;
        let site = sites.by_site.entry(at).or_default();
        change(site, now);
        let gone = site.take_over(visitor.session.as_deref(), self.waited_too_long(now));
        let waits = site.longest_wait().is_some();
        if site.is_empty() {
            sites.by_site.remove(&at);
        }
        if waits && sites.watch.is_none() {
            self.watch_versions(&mut sites, now);
        }
        gone
    }

    /// Those go that have waited since then or longer.
    fn waited_too_long(&self, now: Nanos) -> Option<Nanos> {
        now.checked_sub(nanos(self.config().version_grace?))
    }

    /// Arms the look at those that wait for when the next one is due.
    fn watch_versions(&self, sites: &mut Sites, now: Nanos) {
        sites.watch = None;
        let Some(grace) = self.config().version_grace else {
            return;
        };
        let waits = sites.by_site.values().filter_map(Site::longest_wait);
        let Some(first) = waits.min() else {
            return;
        };
        let when = first.saturating_add(nanos(grace)).max(now);
        let core = self.downgrade();
        let job = move |_| {
            if let Some(engine) = core.upgrade() {
                supersede(engine.look_at_versions());
            }
        };
        sites.watch = Some(self.services().timer.at(when, job));
    }

    fn look_at_versions(&self) -> Vec<Version> {
        let now = self.services().clock.now();
        let before = self.waited_too_long(now);
        let mut gone = Vec::new();
        let mut sites = self.core().registry.sites.lock();
        sites.by_site.retain(|_, site| {
            gone.extend(site.take_over(None, before));
            !site.is_empty()
        });
        self.watch_versions(&mut sites, now);
        gone
    }

    /// The time that versions wait has changed.
    pub(crate) fn watch_versions_anew(&self) {
        let now = self.services().clock.now();
        let mut sites = self.core().registry.sites.lock();
        if let Some(watch) = sites.watch.take() {
            self.services().timer.cancel(watch);
        }
        self.watch_versions(&mut sites, now);
    }

    /// What a session's end leaves that nothing can call, as what releases it.
    pub(crate) fn leave_versions(&self, session: &str) -> Vec<End> {
        let mut gone = Vec::new();
        let mut sites = self.core().registry.sites.lock();
        for site in sites.by_site.values_mut() {
            site.leave_session(session);
            gone.extend(site.take_over(None, None));
        }
        drop(sites);
        if gone.is_empty() {
            return Vec::new();
        }
        vec![Box::new(move || supersede(gone))]
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
    /// # let identity = Identity::new([1; 16], [1; 16]);
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
        if let Some(watch) = sites.watch {
            self.services().timer.cancel(watch);
        }
        drop(sites);
    }
}
