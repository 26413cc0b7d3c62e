//! An engine as a member: the one file that knows both.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tenure::Engine;
use tenure::fleet::{self, Bus, Figures, Inlet, Terms};

use crate::error::Error;
use crate::fleet::Fleet;
use crate::listener::Listener;
use crate::mark::{Mark, Purpose};
use crate::settings::Settings;
use crate::topic::{Ending, Topic};

/// What the secret of a member's argument digests is derived for.
const KEYS: &str = "tenure fleet v1 keys";

/// Has an engine be a member of a fleet: what is cleared in one member ends in all others. To be called before the first
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
    settings.check()?;
    seed(&settings.secret)?;
    let ear = Arc::new(Ear::default());
    let bus = Fleet::join(settings, ear.clone())?;
    let inlet = engine.join_fleet(bus.clone(), terms);
    let _ = ear.0.set(inlet);
    Ok(bus)
}

/// Has this process digest as all members of the fleet do.
fn seed(secret: &[u8]) -> Result<(), Error> {
    let mut seed = [0; tenure::front::SEED_BYTES];
    let key = blake3::derive_key(KEYS, secret);
    blake3::Hasher::new_keyed(&key)
        .finalize_xof()
        .fill(&mut seed);
    tenure::front::seed(&seed).map_err(|_| {
        Error::setting(
            "the fleet comes too late: a cached function was called before with a long argument, which this process \
             has digested under a secret of its own, and members have to digest alike. Join it before the first \
             cached call: write tenure.configure(fleet=…) where the program begins, or set TENURE_FLEET and \
             TENURE_FLEET_SECRET, which are read when tenure is imported",
        )
    })
}

/// What the bus tells, on its way to the engine.
#[derive(Default)]
struct Ear(OnceLock<Inlet>);

impl Ear {
    /// The bus may have something to tell before the engine has joined.
    fn inlet(&self) -> &Inlet {
        self.0.wait()
    }
}

impl Listener for Ear {
    fn ended(&self, topic: Topic, ending: Ending) {
        let ending = match ending {
            Ending::Cleared => fleet::Ending::Cleared,
            Ending::Expired => fleet::Ending::Expired,
        };
        let there = |Mark(mark)| fleet::Mark(mark);
        let topic = match topic {
            Topic::Everything => fleet::Topic::Everything,
            Topic::Function(function) => fleet::Topic::Function(there(function)),
            Topic::Entry { function, entry } => fleet::Topic::Entry {
                function: there(function),
                entry: there(entry),
            },
            Topic::Tag(tag) => fleet::Topic::Tag(there(tag)),
        };
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
        format!(
            "{{\"functions\": {functions}, \"entries\": {entries}, \"hits\": {hits}, \"misses\": {misses}, \
             \"builds\": {builds}, \"failures\": {failures}, \"weight\": {weight}}}"
        )
    }
}

impl Bus for Fleet {
    fn mark(&self, purpose: fleet::Purpose, parts: &[&[u8]]) -> fleet::Mark {
        let purpose = match purpose {
            fleet::Purpose::Function => Purpose::Function,
            fleet::Purpose::Entry => Purpose::Entry,
            fleet::Purpose::Tag => Purpose::Tag,
            fleet::Purpose::Permit => Purpose::Permit,
        };
        let Mark(mark) = Self::mark(self, purpose, parts);
        fleet::Mark(mark)
    }

    fn raise(&self, topic: fleet::Topic, ending: fleet::Ending) {
        let ending = match ending {
            fleet::Ending::Cleared => Ending::Cleared,
            fleet::Ending::Expired => Ending::Expired,
        };
        let here = |fleet::Mark(mark)| Mark(mark);
        let topic = match topic {
            fleet::Topic::Function(function) => Topic::Function(here(function)),
            fleet::Topic::Entry { function, entry } => Topic::Entry {
                function: here(function),
                entry: here(entry),
            },
            fleet::Topic::Tag(tag) => Topic::Tag(here(tag)),
            // What this crate does not know yet is a part of everything.
            _ => Topic::Everything,
        };
        Self::raise(self, topic, ending);
    }

    fn ask(
        &self,
        fleet::Mark(key): fleet::Mark,
        at_most: u32,
        tell: Box<dyn FnOnce(Option<fleet::Permit>) + Send>,
    ) -> fleet::Asking {
        let tell = move |permit: Option<_>| tell(permit.map(|it| Box::new(it) as fleet::Permit));
        Box::new(self.ask_permit(Mark(key), at_most, tell))
    }

    fn settle(&self, bound: Duration) -> bool {
        self.flush(bound)
    }
}
