//! The listener of a fleet, which keeps the entries.

use crate::topic::{Ending, Topic};

/// The keeper of a process's entries, as the fleet sees it.
///
/// It is called on the fleet's own threads, one call of the first four at a time and in order, with no lock held. What it
/// does delays what comes next, and a panic in it is logged.
///
/// ```
/// use tenure_fleet::{Ending, Listener, Topic};
///
/// struct Cache;
///
/// impl Listener for Cache {
///     fn ended(&self, topic: Topic, ending: Ending) {
///         println!("elsewhere {topic:?} was {ending:?}");
///     }
///     fn forgot(&self) {
///         println!("anything may have ended");
///     }
///     fn lost(&self) {
///         println!("from here on ends elsewhere are not heard");
///     }
///     fn caught_up(&self) {
///         println!("all that was missed has been told");
///     }
///     fn figures(&self) -> String {
///         r#"{"entries": 0}"#.into()
///     }
/// }
/// ```
pub trait Listener: Send + Sync + 'static {
    /// Another member has ended this. What this member raises itself is not told, but where it cannot be told from what
    /// others have raised meanwhile.
    fn ended(&self, topic: Topic, ending: Ending);

    /// The server is another one, or has lost what it knew: everything may have ended.
    fn forgot(&self);

    /// The server cannot be reached: what others end from here on is told later.
    fn lost(&self);

    /// All that others have ended so far has been told.
    fn caught_up(&self);

    /// This member's figures as JSON, for [`Fleet::members`](crate::Fleet::members) elsewhere.
    fn figures(&self) -> String;
}

/// A listener that is told of everything and does nothing.
#[cfg(test)]
pub(crate) struct Nobody;

#[cfg(test)]
impl Listener for Nobody {
    fn ended(&self, _: Topic, _: Ending) {}
    fn forgot(&self) {}
    fn lost(&self) {}
    fn caught_up(&self) {}
    fn figures(&self) -> String {
        String::new()
    }
}
