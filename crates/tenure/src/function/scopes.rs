//! The caches of a function: one for all, or one for each session or scope of the front door's own.

use crate::directory::AnyFunction;
use crate::function::Function;
use crate::ground::sync::{Arc, Ordering, Weak};
use crate::host::{Host, SessionId};
use crate::life::cache::Cache;
use crate::life::call::ScopedCache;
use crate::life::circle::{Inside, Reach};
use crate::sessions;
use crate::words::bounds::{Failure, Resource};
use crate::words::error::{Error, Interrupt, KeptFor, shared_build_text};
use crate::words::settings::Scope;

impl<V: Resource, F: Failure> Function<V, F> {
    /// The cache that a call looks into.
    pub(super) fn scoped_cache(
        &self,
        host: Option<&dyn Host>,
    ) -> Result<ScopedCache<'_, V, F>, Error<F>> {
        match self.core.settings.scope {
            Scope::Global => Ok(ScopedCache::Global(&self.global)),
            Scope::Session | Scope::Custom => self.session_cache(host).map(ScopedCache::OfSession),
        }
    }

    fn session_cache(&self, host: Option<&dyn Host>) -> Result<Arc<Cache<V, F>>, Error<F>> {
        let session = self.session(host)?;
        let mut caches = self.session_caches.lock();
        if let Some(cache) = caches.get(&session) {
            return Ok(Arc::clone(cache));
        }
        let cache = Cache::new(Arc::clone(&self.core), Some(Arc::clone(&session)));
        caches.insert(Arc::clone(&session), Arc::clone(&cache));
        drop(caches);
        let me: Weak<dyn AnyFunction> = self.me.clone();
        let sessions = self.engine.session_table();
        let joined = sessions.join(&session, me);
        // A session that ended before it was joined does not end again by itself: the cache closes,
        // and what is built in it is an orphan.
        let ended = self.has_ended(host, &session);
        match ended {
            Ok(false) => sessions.stays(&session, &joined),
            _ => {
                let _under_way = self.core.services.under_way.begin();
                sessions::run(sessions.end_joined(&session, &joined));
            }
        }
        ended.map_err(Error::Interrupted)?;
        Ok(cache)
    }

    /// The session that the present code serves, or the scope of the front door's own.
    fn session(&self, host: Option<&dyn Host>) -> Result<SessionId, Error<F>> {
        let reach = self.core.reach();
        if let Some(within) = Inside::kept_from(reach)
            && !self.is_lent(host, reach, &within)?
        {
            return Err(Error::SharedBuild {
                function: self.core.name.to_string(),
                kept_for: kept_for(reach),
                within: within.to_string(),
            });
        }
        let session = match self.core.settings.scope {
            Scope::Custom => self.core.behaviour.scope(),
            _ => host.map_or(Ok(None), Host::session),
        };
        let session = session.map_err(Error::Interrupted)?;
        session.ok_or_else(|| Error::NoSession {
            function: self.core.name.to_string(),
        })
    }

    /// Whether the host lets a build that more share be built on what is kept for one session.
    fn is_lent(
        &self,
        host: Option<&dyn Host>,
        reach: Reach,
        within: &str,
    ) -> Result<bool, Error<F>> {
        let lends = host.filter(|_| reach == Reach::Session);
        let is_lent = lends.map_or(Ok(false), Host::lends_sessions);
        let is_lent = is_lent.map_err(Error::Interrupted)?;
        if is_lent && !self.core.told_of_sharing.swap(true, Ordering::Relaxed) {
            let text = shared_build_text(&self.core.name, KeptFor::Session, within);
            tracing::warn!(function = %self.core.name, "{text}");
        }
        Ok(is_lent)
    }

    fn has_ended(&self, host: Option<&dyn Host>, session: &str) -> Result<bool, Interrupt> {
        match self.core.settings.scope {
            Scope::Custom => self.core.behaviour.scope_has_ended(session),
            _ => host.map_or(Ok(true), |host| host.has_ended(session)),
        }
    }

    /// The cache that `clear` means here, if there is one: the global one, or the present session's.
    pub(super) fn here(&self) -> Result<Option<ScopedCache<'_, V, F>>, Error<F>> {
        self.here_or(|_| ())
    }

    /// The cache that `clear` means here; where there is none, `absent` is told in which scope.
    pub(super) fn here_or(
        &self,
        absent: impl FnOnce(&str),
    ) -> Result<Option<ScopedCache<'_, V, F>>, Error<F>> {
        if self.core.settings.scope == Scope::Global {
            return Ok(Some(ScopedCache::Global(&self.global)));
        }
        let host = self.core.services.host();
        let session = self.session(host.as_deref())?;
        let cache = self.session_caches.lock().get(&session).cloned();
        if cache.is_none() {
            absent(&session);
        }
        Ok(cache.map(ScopedCache::OfSession))
    }

    /// Every cache, of all scopes.
    pub(super) fn caches(&self) -> Vec<Arc<Cache<V, F>>> {
        let of_sessions = self.session_caches.lock();
        std::iter::once(&self.global)
            .chain(of_sessions.values())
            .cloned()
            .collect()
    }
}

fn kept_for(reach: Reach) -> KeptFor {
    match reach {
        Reach::Session => KeptFor::Session,
        // Nothing is built for more than all.
        Reach::Callers | Reach::All => KeptFor::Callers,
    }
}
