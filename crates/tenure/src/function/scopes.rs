//! The caches of a function: one for all, or one for each session.

use crate::directory::AnyFunction;
use crate::function::Function;
use crate::ground::sync::{Arc, Weak};
use crate::host::{Host, SessionId};
use crate::life::cache::Cache;
use crate::life::call::ScopedCache;
use crate::sessions;
use crate::words::bounds::{Failure, Resource};
use crate::words::error::Error;
use crate::words::settings::Scope;

impl<V: Resource, F: Failure> Function<V, F> {
    /// The cache that a call looks into.
    pub(super) fn scoped_cache(
        &self,
        host: Option<&dyn Host>,
    ) -> Result<ScopedCache<'_, V, F>, Error<F>> {
        match self.core.settings.scope {
            Scope::Global => Ok(ScopedCache::Global(&self.global)),
            Scope::Session => self.session_cache(host).map(ScopedCache::OfSession),
        }
    }

    fn session_cache(&self, host: Option<&dyn Host>) -> Result<Arc<Cache<V, F>>, Error<F>> {
        let (host, session) = self.session(host)?;
        let mut caches = self.session_caches.lock();
        if let Some(cache) = caches.get(&session) {
            return Ok(Arc::clone(cache));
        }
        let cache = Cache::new(Arc::clone(&self.core));
        caches.insert(Arc::clone(&session), Arc::clone(&cache));
        drop(caches);
        let me: Weak<dyn AnyFunction> = self.me.clone();
        let sessions = self.engine.session_table();
        let joined = sessions.join(&session, me);
        // A session that ended before it was joined does not end again by itself: the cache closes,
        // and what is built in it is an orphan.
        let ended = host.has_ended(&session);
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

    /// The session that the present code serves, and the host that knows it.
    fn session<'h>(
        &self,
        host: Option<&'h dyn Host>,
    ) -> Result<(&'h dyn Host, SessionId), Error<F>> {
        let no_session = || Error::NoSession {
            function: self.core.name.to_string(),
        };
        let host = host.ok_or_else(no_session)?;
        let session = host.session().map_err(Error::Interrupted)?;
        Ok((host, session.ok_or_else(no_session)?))
    }

    /// The cache that `clear` means here, if there is one: the global one, or the present session's.
    pub(super) fn here(&self) -> Result<Option<ScopedCache<'_, V, F>>, Error<F>> {
        if self.core.settings.scope == Scope::Global {
            return Ok(Some(ScopedCache::Global(&self.global)));
        }
        let host = self.core.services.host();
        let (_, session) = self.session(host.as_deref())?;
        let cache = self.session_caches.lock().get(&session).cloned();
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
