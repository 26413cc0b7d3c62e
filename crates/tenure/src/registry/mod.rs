//! The functions of a process by their identity: a script that runs again finds its caches, and
//! what an edit or a run left behind is released.
//!
//! A function stands at a *site* (its module, file and name). At one site there may be several
//! [versions] at once: closures of one factory, one function with two settings,
//! lambdas on one line, and what was there before an edit. What nothing can call any more is
//! released, with cause `Superseded`.
//!
//! Lock order: the registry's lock, then the timer's. Functions are made and released outside both.

pub(crate) mod identity;
pub(crate) mod registered;
pub(crate) mod versions;

use std::collections::HashMap;

use crate::ground::clock::{Nanos, nanos};
use crate::ground::sync::{Arc, Mutex, Weak};
use crate::ground::timer::TimerId;
use crate::life::drain::End;
use crate::life::services::Services;
use crate::registry::versions::{Gone, Site, Visitor};
use crate::words::cause::Cause;

pub(crate) struct Registry {
    services: Arc<Services>,
    sites: Mutex<Sites>,
    me: Weak<Self>,
}

#[derive(Default)]
struct Sites {
    by_site: HashMap<[u8; 16], Site>,
    /// The look at those that wait, while any does.
    watch: Option<TimerId>,
}

/// Releases what nothing can call any more. Under no lock.
pub(crate) fn supersede(gone: Gone) {
    for function in gone {
        function.clear(Cause::Superseded);
    }
}

impl Registry {
    pub(crate) fn new(services: &Arc<Services>) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            services: Arc::clone(services),
            sites: Mutex::default(),
            me: Weak::clone(me),
        })
    }

    /// A look at what stands at the visitor's site, if anything does.
    pub(crate) fn look<T>(&self, visitor: &Visitor, look: impl FnOnce(&Site) -> T) -> Option<T> {
        let sites = self.sites.lock();
        sites.by_site.get(&visitor.identity.site).map(look)
    }

    /// Changes what stands at the visitor's site, and takes out what nothing can call any more. To
    /// be released outside every lock.
    pub(crate) fn change(&self, visitor: &Visitor, change: impl FnOnce(&mut Site, Nanos)) -> Gone {
        let now = self.services.clock.now();
        let mut sites = self.sites.lock();
        let at = visitor.identity.site;
        let site = sites.by_site.entry(at).or_default();
        change(site, now);
        let gone = site.take_over(visitor.session.as_deref(), self.waited_too_long(now), now);
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
        now.checked_sub(nanos(self.services.config.read().version_grace?))
    }

    /// Arms the look at those that wait for when the next one is due.
    fn watch_versions(&self, sites: &mut Sites, now: Nanos) {
        sites.watch = None;
        let Some(grace) = self.services.config.read().version_grace else {
            return;
        };
        let waits = sites.by_site.values().filter_map(Site::longest_wait);
        let Some(first) = waits.min() else {
            return;
        };
        let when = first.saturating_add(nanos(grace)).max(now);
        let registry = Weak::clone(&self.me);
        let job = move |_| {
            if let Some(registry) = registry.upgrade() {
                supersede(registry.look_at_versions());
            }
        };
        sites.watch = Some(self.services.timer.at(when, job));
    }

    fn look_at_versions(&self) -> Gone {
        let now = self.services.clock.now();
        let before = self.waited_too_long(now);
        let mut gone = Gone::new();
        let mut sites = self.sites.lock();
        sites.by_site.retain(|_, site| {
            gone.extend(site.take_over(None, before, now));
            !site.is_empty()
        });
        self.watch_versions(&mut sites, now);
        gone
    }

    /// The time that versions wait has changed.
    pub(crate) fn watch_versions_anew(&self) {
        let now = self.services.clock.now();
        let mut sites = self.sites.lock();
        if let Some(watch) = sites.watch.take() {
            self.services.timer.cancel(watch);
        }
        self.watch_versions(&mut sites, now);
    }

    /// The versions that a session's end leaves and nothing can call, as what releases them.
    pub(crate) fn leave_versions(&self, session: &str) -> Vec<End> {
        let now = self.services.clock.now();
        let mut gone = Gone::new();
        let mut sites = self.sites.lock();
        for site in sites.by_site.values_mut() {
            site.leave_session(session, now);
            gone.extend(site.take_over(None, None, now));
        }
        if sites.watch.is_none() {
            self.watch_versions(&mut sites, now);
        }
        drop(sites);
        if gone.is_empty() {
            return Vec::new();
        }
        vec![Box::new(move || supersede(gone))]
    }

    /// Forgets all functions.
    pub(crate) fn retire(&self) {
        let sites = std::mem::take(&mut *self.sites.lock());
        if let Some(watch) = sites.watch {
            self.services.timer.cancel(watch);
        }
        drop(sites);
    }
}
