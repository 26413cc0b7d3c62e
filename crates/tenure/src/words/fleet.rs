//! The words between an engine and a fleet: marks, what has ended, and how a member goes on without the rest.

use std::any::Any;
use std::fmt;
use std::time::Duration;

use crate::ground::sync::Arc;
use crate::words::cause::Cause;

/// A name for something that may be seen by others: a keyed digest, from which nothing of it can be read.
///
/// ```
/// use tenure::fleet::Mark;
///
/// let mark = Mark([0xab; 16]);
/// assert_eq!(mark.to_string(), "abababababababababababababababab");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mark(pub [u8; 16]);

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mark({self})")
    }
}

/// The kinds of things that have marks; one of each kind never has the mark of another kind.
///
/// ```
/// use tenure::fleet::Purpose;
///
/// assert_ne!(Purpose::Function, Purpose::Entry);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// A cached function, by its name.
    Function,
    /// An entry, by its function and the key of the call; or all of a function in one scope.
    Entry,
    /// What a tag says belongs together.
    Tag,
    /// What so many members build at a time.
    Permit,
}

/// The entries that have ended.
///
/// ```
/// use tenure::fleet::{Mark, Topic};
///
/// let (function, entry) = (Mark([1; 16]), Mark([2; 16]));
/// assert_ne!(Topic::Function(function), Topic::Entry { function, entry });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// Those of all functions that the members share.
    Everything,
    /// Those of one function, in every scope.
    Function(Mark),
    /// One of a function, or those in one of its scopes.
    Entry {
        /// The function.
        function: Mark,
        /// The entry, or the scope.
        entry: Mark,
    },
    /// Those that carry this tag, in every scope: also in those that the members do not share.
    Tag(Mark),
    /// Those that carry any tag, in every scope. They are no part of everything, which means what members share.
    AnyTag,
}

/// How entries have ended.
///
/// ```
/// use tenure::fleet::Ending;
///
/// assert_ne!(Ending::Cleared, Ending::Expired);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ending {
    /// They were cleared: nobody is handed one any more.
    Cleared,
    /// They have expired: what is stale may be handed out for as long as the function says.
    Expired,
}

impl Ending {
    /// The cause of a release that such an end leads to.
    pub(crate) fn cause(self) -> Cause {
        match self {
            Self::Cleared => Cause::Cleared,
            Self::Expired => Cause::Expired,
        }
    }
}

/// How a member of a fleet goes on where it cannot hear of the rest.
///
/// ```
/// use std::time::Duration;
/// use tenure::fleet::{Lost, Terms};
///
/// let terms = Terms::default().lost(Lost::Rebuild).spread(Duration::from_secs(2));
/// assert_eq!(terms.lost, Lost::Rebuild);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Terms {
    /// What calls get between losing the others and having caught up with them.
    pub lost: Lost,
    /// What becomes of all entries where what was missed cannot be known any more.
    pub forgot: Ending,
    /// The time over which members spread the builds that a clear by another one asks for.
    pub spread: Duration,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            lost: Lost::Serve,
            forgot: Ending::Expired,
            spread: Duration::ZERO,
        }
    }
}

impl Terms {
    /// What calls get between losing the others and having caught up with them.
    #[must_use]
    pub fn lost(self, lost: Lost) -> Self {
        Self { lost, ..self }
    }

    /// What becomes of all entries where what was missed cannot be known any more.
    #[must_use]
    pub fn forgot(self, forgot: Ending) -> Self {
        Self { forgot, ..self }
    }

    /// The time over which members spread the builds that a clear by another one asks for.
    #[must_use]
    pub fn spread(self, spread: Duration) -> Self {
        Self { spread, ..self }
    }
}

/// What calls get while a member cannot hear of the rest.
///
/// ```
/// assert_eq!(tenure::fleet::Terms::default().lost, tenure::fleet::Lost::Serve);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// What is kept.
    Serve,
    /// What they build for themselves: nothing that is kept counts as current.
    Rebuild,
}

/// A right to build that others of the fleet wait for; given back when it is dropped.
pub type Permit = Box<dyn Any + Send + Sync>;

/// A question for a [`Permit`]; taken back when it is dropped.
pub type Asking = Box<dyn Any + Send + Sync>;

/// The way from an engine to the other members of its fleet.
///
/// ```
/// use tenure::fleet::{Asking, Bus, Ending, Mark, Permit, Purpose, Topic};
///
/// /// A fleet of one.
/// struct Alone;
///
/// impl Bus for Alone {
///     fn mark(&self, _: Purpose, parts: &[&[u8]]) -> Mark {
///         let mut mark = [0; 16];
///         mark[0] = parts.len() as u8; // a keyed digest, in earnest
///         Mark(mark)
///     }
///     fn raise(&self, _: Topic, _: Ending) {}
///     fn ask(&self, _: Mark, _: u32, tell: Box<dyn FnOnce(Option<Permit>) + Send>) -> Asking {
///         tell(None);
///         Box::new(())
///     }
/// }
///
/// let engine = tenure::Engine::new();
/// engine.join_fleet(std::sync::Arc::new(Alone), Default::default());
/// assert!(engine.fleet().is_some());
/// ```
pub trait Bus: Send + Sync + 'static {
    /// The mark of something that these parts tell from others. Computes, and does nothing else: it is asked
    /// under locks.
    fn mark(&self, purpose: Purpose, parts: &[&[u8]]) -> Mark;

    /// Has the others told that this has ended. Waits for nothing.
    fn raise(&self, topic: Topic, ending: Ending);

    /// Asks for the right to build what has this mark, which so many members may have at a time. Waits for nothing:
    /// `tell` is told, on whatever thread and perhaps at once. `None`: there is nobody to give it, so the member goes
    /// on alone. Where it is dropped untold that counts as `None`; once the question was taken back it
    /// may still be told, and nobody hears.
    fn ask(&self, key: Mark, at_most: u32, tell: Box<dyn FnOnce(Option<Permit>) + Send>) -> Asking;

    /// The engine has shut down, and its process may end: waits until all that was raised has gone out, for so long at
    /// most; whether it has.
    fn settle(&self, bound: Duration) -> bool {
        let _ = bound;
        true
    }
}

/// What a function is called among the members of a fleet.
///
/// ```
/// use tenure::fleet::KnownAs;
///
/// let known = KnownAs::new("python shop.db.pool", "cpython 3.13");
/// assert_eq!(&*known.name, "python shop.db.pool");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownAs {
    /// Its name, which stays the same over an edit and is the same wherever its file lies.
    pub name: Arc<str>,
    /// The language with its version: members with another one cannot key alike what depends on it.
    pub language: Arc<str>,
}

impl KnownAs {
    /// A function of this name, in this version of its language.
    #[must_use]
    pub fn new(name: &str, language: &str) -> Self {
        Self {
            name: name.into(),
            language: language.into(),
        }
    }
}
