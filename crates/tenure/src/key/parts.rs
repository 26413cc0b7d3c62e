//! Which argument of a call wrote which part of its key.

use crate::key::forms::{Key, KeyRef, View};

/// An argument of a call, and where what it wrote into the key ends; it begins where the one before ends.
///
/// ```
/// use tenure::{Encoder, Engine, Function, Part, Settings};
///
/// let key_of = |shard: u8, minute: u8| {
///     let mut key = Encoder::new();
///     key.raw(&[shard, minute]);
///     key
/// };
/// let parts = [Part { name: "shard", end: 1 }, Part { name: "minute", end: 2 }];
/// let pools = Function::<u32, ()>::plain(&Engine::new(), "pool", Settings::default())?;
/// pools.get_or_build(&key_of(1, 30).finish(), || Ok(7)).unwrap();
///
/// let why = pools.explain_parts(&key_of(1, 31).finish(), &parts).unwrap();
/// assert_eq!(why.differs, [("minute".into(), 1)]);
/// # Ok::<(), tenure::SettingError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// The argument's name.
    pub name: &'a str,
    /// The length of the key with it, in bytes.
    pub end: usize,
}

impl KeyRef<'_> {
    /// Which of these arguments is the only one that a call of another key had another value of. `None` where there is
    /// no such one, or one of the keys does not keep what was written.
    pub(crate) fn differs_in(&self, other: &Key, parts: &[Part<'_>]) -> Option<usize> {
        let (View::Exact(own), View::Exact(other)) = (self.view, other.as_key().view) else {
            return None;
        };
        let same = own
            .iter()
            .zip(other)
            .take_while(|(one, other)| one == other);
        let same = same.count();
        // What is the same up to here ends in the first argument that differs.
        let at = parts.iter().position(|part| part.end > same)?;
        let begin = at.checked_sub(1).map_or(0, |before| parts[before].end);
        let behind = &own[parts[at].end..];
        let is_alone = other.len() >= begin + behind.len() && other.ends_with(behind);
        is_alone.then_some(at)
    }
}
