//! An engine as a member: the one file that knows both.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use tenure::Engine;
use tenure::fleet::{self, Bus, Ending, Figures, Inlet, Mark, Purpose, Terms, Topic};

use crate::error::Error;
use crate::fleet::Fleet;
use crate::listener::Listener;
use crate::member::Member;
use crate::settings::Settings;
use crate::threads;

/// The purpose for which the secret of a member's argument digests is derived.
const KEYS: &str = "tenure fleet v1 keys";

/// The language of functions that the macro keeps, as their members say it.
const RUST: &str = "rust";

/// The time to wait for what other members say of themselves.
const LOOK: Duration = Duration::from_secs(10);

/// Makes an engine a member of a fleet: what is cleared in one member ends in all others. To be called before the first
/// call of a cached function with a long argument.
///
/// ```no_run
/// use tenure_fleet::Settings;
///
/// #[tenure::cache_resource(ttl = "1h")]
/// fn prices(country: &str) -> Vec<f64> {
///     // from a slow source
/// #   vec![country.len() as f64]
/// }
///
/// # fn main() -> Result<(), tenure_fleet::Error> {
/// let settings = Settings::new("redis://cache.internal", std::env::var("FLEET_SECRET").unwrap());
/// tenure_fleet::join(tenure::Engine::global(), settings, Default::default())?;
/// prices("nz");
/// prices::clear_entry("nz"); // here, and in every other member
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// As [`Fleet::join`], and where something was digested under another secret before: members have to digest alike.
pub fn join(engine: &Engine, settings: Settings, terms: Terms) -> Result<Arc<Fleet>, Error> {
    join_as(engine, settings, terms, RUST)
}

/// Makes an engine a member of a fleet as [`join`] does, for a front door of another language. A member that finds
/// others with another version of its language says so, once.
///
/// # Errors
///
/// As for [`join`].
pub fn join_as(
    engine: &Engine,
    settings: Settings,
    terms: Terms,
    language: &str,
) -> Result<Arc<Fleet>, Error> {
    prepare(&settings)?;
    let adapter = Arc::new(Adapter {
        language: language.to_owned(),
        engine: OnceLock::new(),
        has_looked: Arc::default(),
    });
    let bus = Fleet::join(settings, adapter.clone())?;
    let inlet = engine.join_fleet(bus.clone(), terms);
    let _ = adapter.engine.set((inlet, Arc::downgrade(&bus)));
    Ok(bus)
}

/// Checks the settings of a member that is to join later, and has this process digest as all members do.
///
/// # Errors
///
/// As for [`join`].
pub fn prepare(settings: &Settings) -> Result<(), Error> {
    settings.check()?;
    let mut seed = [0; tenure::front::SEED_BYTES];
    let key = blake3::derive_key(KEYS, &settings.secret);
    blake3::Hasher::new_keyed(&key)
        .finalize_xof()
        .fill(&mut seed);
    tenure::front::seed(&seed).map_err(|_| {
        Error::late(
            "the fleet comes too late: this process has digested something long under a secret of its own or of another \
             fleet before, an argument of a cached call or a default, and members have to digest alike. Join it before \
             the first cached call",
        )
    })
}

/// The listener that tells the engine what the bus tells.
struct Adapter {
    language: String,
    engine: OnceLock<(Inlet, Weak<Fleet>)>,
    /// Whether it was looked for members of other versions.
    has_looked: Arc<AtomicBool>,
}

impl Adapter {
    /// The bus may have something to tell before the engine has joined.
    fn inlet(&self) -> &Inlet {
        &self.engine.wait().0
    }

    /// Says once which versions cannot key alike what depends on them. On a thread of its own: the bus has others to
    /// hear.
    fn look(&self) {
        if self.has_looked.swap(true, Relaxed) {
            return;
        }
        let (_, fleet) = self.engine.wait();
        let (fleet, own) = (Weak::clone(fleet), self.language.clone());
        let has_looked = Arc::clone(&self.has_looked);
        let look = move || {
            let Some(members) = named(&fleet) else {
                // To be looked for when this member is caught up the next time.
                return has_looked.store(false, Relaxed);
            };
            let figures = members.iter().map(|it| it.figures.as_str());
            let others: BTreeSet<_> = figures.filter_map(|it| other_version(it, &own)).collect();
            if !others.is_empty() {
                let others = others.into_iter().collect::<Vec<_>>().join(", ");
                tracing::warn!(
                    "members of this fleet run {others}, and this one {own}: they cannot key alike arguments that are \
                     made of code, as functions are and classes made at run time. A clear of one such entry reaches \
                     the members of its own version; a clear of the function reaches all"
                );
            }
        };
        if let Err(error) = threads::spawn("tenure-look", look) {
            tracing::warn!(%error, "the versions of the fleet's other members are not known");
        }
    }
}

/// The members of a fleet, which may be left meanwhile; None where there is no answer.
fn named(fleet: &Weak<Fleet>) -> Option<Vec<Member>> {
    let asked = fleet.upgrade()?.ask_members().ok()?;
    asked.within(LOOK)?.ok()
}

/// The language in these figures, if it is another version of this one.
fn other_version<'a>(figures: &'a str, own: &str) -> Option<&'a str> {
    let (_, rest) = figures.split_once("\"language\": \"")?;
    let (language, _) = rest.split_once('"')?;
    let family = |it: &str| it.split(' ').next().map(str::to_owned);
    (language != own && family(language) == family(own)).then_some(language)
}

impl Listener for Adapter {
    fn ended(&self, topic: Topic, ending: Ending) {
        self.inlet().ended(topic, ending);
    }

    fn forgot(&self) {
        self.inlet().forgot();
    }

    fn lost(&self) {
        self.inlet().lost();
    }

    fn caught_up(&self) {
        self.inlet().caught_up();
        self.look();
    }

    fn figures(&self) -> String {
        let figures = self.inlet().figures().unwrap_or_default();
        let Figures {
            functions,
            entries,
            hits,
            misses,
            builds,
            failures,
            weight,
            ..
        } = figures;
        let language = &self.language;
        format!(
            "{{\"language\": \"{language}\", \"functions\": {functions}, \"entries\": {entries}, \"hits\": {hits}, \"misses\": {misses}, \
             \"builds\": {builds}, \"failures\": {failures}, \"weight\": {weight}}}"
        )
    }
}

impl Bus for Fleet {
    fn mark(&self, purpose: Purpose, parts: &[&[u8]]) -> Mark {
        Self::mark(self, purpose, parts)
    }

    fn raise(&self, topic: Topic, ending: Ending) {
        Self::raise(self, topic, ending);
    }

    fn ask(
        &self,
        key: Mark,
        at_most: u32,
        tell: Box<dyn FnOnce(Option<fleet::Permit>) + Send>,
    ) -> fleet::Asking {
        let tell = move |permit: Option<_>| tell(permit.map(|it| Box::new(it) as fleet::Permit));
        Box::new(self.ask_permit(key, at_most, tell))
    }

    fn settle(&self, bound: Duration) -> bool {
        let begun = Instant::now();
        let all = self.flush(bound);
        self.withdraw(bound.saturating_sub(begun.elapsed()));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listener::Nobody;

    #[test]
    fn d2_whoever_asks_for_the_members_keeps_nobody_from_leaving_and_learns_that_there_is_no_answer()
     {
        let away = Settings::new("redis://127.0.0.1:1", [7; 16]);
        let fleet = Fleet::join(away, Arc::new(Nobody)).unwrap();
        let weak = Arc::downgrade(&fleet);
        let asked = fleet.ask_members().unwrap();
        drop(fleet);
        assert!(weak.upgrade().is_none());
        assert!(matches!(
            asked.within(Duration::from_secs(60)),
            Some(Err(_))
        ));
        assert!(named(&weak).is_none());
    }

    #[test]
    fn d2_members_of_other_versions_of_the_same_language_are_told_from_others() {
        let figures =
            |language: &str| format!("{{\"language\": \"{language}\", \"functions\": 1}}");
        let own = "cpython 3.12";
        assert_eq!(
            other_version(&figures("cpython 3.11"), own),
            Some("cpython 3.11")
        );
        for same in ["cpython 3.12", "rust"] {
            assert_eq!(other_version(&figures(same), own), None);
        }
        assert_eq!(other_version("{}", own), None);
    }
}
