//! What a program is shown of everything that it keeps: its functions, the entries of all of them, what drains, and
//! what has happened last. Neither a key nor a session's own name is ever among it.

use std::time::Duration;

use crate::ground::sync::Arc;
use crate::words::cause::Cause;
use crate::words::info::Info;
use crate::words::json;

/// Everything that an engine keeps, as [`Engine::listing`](crate::Engine::listing) gives it.
///
/// ```
/// use tenure::{Engine, Function, KeyRef, Settings};
///
/// let engine = Engine::new();
/// let pools = Function::<u32, ()>::plain(&engine, "pool", Settings::default())?;
/// drop(pools.get_or_build(&KeyRef::EMPTY, || Ok(7)));
/// let listing = engine.listing(100);
/// assert_eq!(&*listing.functions[0].name, "pool");
/// assert_eq!(listing.entries[0].function, listing.functions[0].number);
/// # Ok::<(), tenure::SettingError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Listing {
    /// The functions, in the order of their names.
    pub functions: Vec<ListedFunction>,
    /// Their live entries, as many as were asked for: of each function its share.
    pub entries: Vec<ListedEntry>,
    /// What has left its cache and is in use, where leases do not tell that.
    pub draining: Vec<ListedDraining>,
    /// The last builds and releases, oldest first.
    pub events: Vec<Event>,
}

/// A function, and its figures.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ListedFunction {
    /// Its number, which no other function of the engine has or will have.
    pub number: u64,
    /// Its name. Versions of one function, and methods for several types, have one name.
    pub name: Arc<str>,
    /// Who shares an entry, in a word: `global`, `session`, or what the front door calls a scope of its own.
    pub scope: &'static str,
    /// Its figures over all scopes.
    pub info: Info,
}

/// A live entry.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ListedEntry {
    /// Its number, which no other entry of the engine has or will have.
    pub number: u64,
    /// The number of its function.
    pub function: u64,
    /// Whose it is, where it is not everybody's: a short digest of the session's or the scope's name. Entries of one
    /// session have the same, in this process alone.
    pub owner: Option<Arc<str>>,
    /// Whether it is past its time, and is handed out until there is a successor.
    pub is_stale: bool,
    /// Whether it was built by a parent process.
    pub is_inherited: bool,
    /// The time since it was built.
    pub age: Duration,
    /// The time since it was asked for last, where the function's settings have that noted.
    pub unused: Option<Duration>,
    /// How long its build took.
    pub build_time: Duration,
    /// Calls that it has answered.
    pub hits: u64,
    /// Leases of it that are out now.
    pub leases: u64,
    /// Whether somebody holds it, by a lease or in a way that only the front door sees.
    pub in_use: bool,
    /// What it weighs, where entries have a weight.
    pub weight: u64,
    /// The arguments that count, where they were kept to be shown.
    pub arguments: Option<Arc<str>>,
}

/// A resource that has left its cache, and is released when nobody uses it any more.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ListedDraining {
    /// The number that it had as an entry.
    pub number: u64,
    /// The number of its function.
    pub function: u64,
    /// Why it left.
    pub cause: Cause,
    /// The time since it was built.
    pub age: Duration,
    /// What it weighs.
    pub weight: u64,
}

/// A build or a release.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Event {
    /// The time since it happened.
    pub ago: Duration,
    /// The number of the function.
    pub function: u64,
    /// The function's name, which may be gone by now.
    pub name: Arc<str>,
    /// The number of the entry, where there was a resource.
    pub entry: Option<u64>,
    /// What happened.
    pub what: Happened,
}

/// What happened to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Happened {
    /// It was built, in this time.
    Built(Duration),
    /// It could not be built.
    Failed,
    /// It was released.
    Released(Cause),
}

impl Listing {
    /// All of it as a JSON object, times in seconds, numbers of functions and entries as texts, which JSON has no room
    /// for otherwise. Of a function's figures it has those that a page of thousands of them shows, and no histograms;
    /// `total` has their sums. Arguments are in it where `show_arguments` asks for them.
    ///
    /// ```
    /// let listing = tenure::Engine::new().listing(100);
    /// let json = listing.to_json(false);
    /// assert!(json.starts_with(r#"{"functions": [], "total": {"entries": 0, "#));
    /// assert!(json.ends_with(r#""entries": [], "draining": [], "events": []}"#));
    /// ```
    #[must_use]
    pub fn to_json(&self, show_arguments: bool) -> String {
        let functions = json::list(self.functions.iter().map(ListedFunction::to_json));
        let entries = json::list(self.entries.iter().map(|it| it.to_json(show_arguments)));
        let draining = json::list(self.draining.iter().map(ListedDraining::to_json));
        let events = json::list(self.events.iter().map(Event::to_json));
        let mut total = Info::default();
        for function in &self.functions {
            total.add(&function.info);
        }
        format!(
            "{{\"functions\": {functions}, \"total\": {{{}}}, \"entries\": {entries}, \"draining\": {draining}, \
             \"events\": {events}}}",
            figures(&total),
        )
    }
}

impl ListedFunction {
    fn to_json(&self) -> String {
        let Self {
            number,
            name,
            scope,
            info,
        } = self;
        format!(
            "{{\"number\": \"{number}\", \"name\": {}, \"scope\": \"{scope}\", {}}}",
            json::text(name),
            figures(info),
        )
    }
}

/// The figures that are shown of a function, and of all together, as members of an object.
fn figures(info: &Info) -> String {
    let numbers = json::members([
        ("entries", info.entries),
        ("hits", info.hits),
        ("misses", info.misses),
        ("builds", info.builds),
        ("failures", info.failures),
        ("idle", info.idle),
        ("stale", info.stale),
        ("draining", info.draining),
        ("waiting", info.waiting),
        ("weight", info.weight),
    ]);
    format!(
        "{numbers}, \"hit_rate\": {}, \"build_time\": {}, \"build_mean\": {}",
        json::maybe(info.hit_rate().map(json::part)),
        json::seconds(info.build_time),
        json::maybe(info.build_mean().map(json::seconds)),
    )
}

impl ListedEntry {
    fn to_json(&self, show_arguments: bool) -> String {
        let Self {
            number,
            function,
            is_stale,
            is_inherited,
            hits,
            leases,
            in_use,
            weight,
            ..
        } = self;
        let owner = json::maybe(self.owner.as_deref().map(json::text));
        let unused = json::maybe(self.unused.map(json::seconds));
        let arguments = self.arguments.as_deref().filter(|_| show_arguments);
        let arguments = arguments.map(|it| format!(", \"arguments\": {}", json::text(it)));
        format!(
            "{{\"number\": \"{number}\", \"function\": \"{function}\", \"owner\": {owner}, \"is_stale\": {is_stale}, \
             \"is_inherited\": {is_inherited}, \"age\": {}, \"unused\": {unused}, \"build_time\": {}, \"hits\": {hits}, \
             \"leases\": {leases}, \"in_use\": {in_use}, \"weight\": {weight}{}}}",
            json::seconds(self.age),
            json::seconds(self.build_time),
            arguments.unwrap_or_default(),
        )
    }
}

impl ListedDraining {
    fn to_json(&self) -> String {
        let Self {
            number,
            function,
            cause,
            age,
            weight,
        } = self;
        format!(
            "{{\"number\": \"{number}\", \"function\": \"{function}\", \"cause\": \"{cause}\", \"age\": {}, \
             \"weight\": {weight}}}",
            json::seconds(*age)
        )
    }
}

impl Event {
    fn to_json(&self) -> String {
        let (what, cause, took) = match self.what {
            Happened::Built(took) => ("built", None, Some(took)),
            Happened::Failed => ("failed", None, None),
            Happened::Released(cause) => ("released", Some(cause.name()), None),
        };
        format!(
            "{{\"ago\": {}, \"function\": \"{}\", \"name\": {}, \"entry\": {}, \"what\": \"{what}\", \"cause\": {}, \
             \"build_time\": {}}}",
            json::seconds(self.ago),
            self.function,
            json::text(&self.name),
            json::maybe(self.entry.map(|it| format!("\"{it}\""))),
            json::maybe(cause.map(json::text)),
            json::maybe(took.map(json::seconds)),
        )
    }
}
