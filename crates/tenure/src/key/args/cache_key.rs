//! The types that can be part of a key.

use crate::key::Encoder;

/// A type that can be an argument of a cached function.
///
/// Implemented for the types of the standard library that have a value: numbers (floats bit for
/// bit), text, paths, times, references, slices, options, tuples, collections. Any other type
/// that is [`Hash`](std::hash::Hash) is taken as well, as long as its `Hash` writes everything that
/// tells its values apart, which a derived one does. For types of your own, derive it:
///
/// ```
/// use tenure::{CacheKey, Encoder};
///
/// #[derive(CacheKey)]
/// struct Model {
///     name: String,
///     temperature: f64,
///     #[key(skip)]
///     label: String,
/// }
///
/// let key = |temperature, label: &str| {
///     let mut key = Encoder::new();
///     Model { name: "base".into(), temperature, label: label.into() }.encode(&mut key);
///     key.finish().to_key()
/// };
/// assert_eq!(key(0.5, "draft"), key(0.5, "final"));
/// assert_ne!(key(0.5, "draft"), key(0.7, "draft"));
/// ```
///
/// Why is `Hash` not enough? Floats have none, and two values of one type may compare unequal and
/// still write the same to a hasher; a key must tell them apart. A `Hash` that was written by hand
/// may say less than `Eq` does, to be quick, and is legal: a map compares as well. A key has only
/// what was written, and nobody can see from outside that something was left out. **Where a type's
/// `Hash` leaves out what tells its values apart, they share an entry.** None of the standard
/// library is taken that way. For another, write `CacheKey`, which goes before `Hash`, or give the
/// parameter `#[key(with = …)]`:
///
/// ```
/// use std::hash::{Hash, Hasher};
///
/// #[derive(PartialEq, Eq)]
/// struct Plan {
///     id: u32,
///     source: String,
/// }
///
/// impl Hash for Plan {
///     fn hash<H: Hasher>(&self, state: &mut H) {
///         self.id.hash(state); // enough for a map
///     }
/// }
///
/// fn whole(plan: &Plan) -> (u32, &str) {
///     (plan.id, &plan.source)
/// }
///
/// #[tenure::cache_resource]
/// fn table(#[key(with = whole)] plan: &Plan) -> String {
///     plan.source.clone()
/// }
///
/// let plan = |source: &str| Plan { id: 1, source: source.into() };
/// assert_eq!(*table(&plan("orders")), "orders");
/// assert_eq!(*table(&plan("salaries")), "salaries");
/// ```
///
/// ```
/// use tenure::{CacheKey, Encoder};
///
/// /// A word, in whatever case it is written.
/// struct Word(String);
///
/// impl CacheKey for Word {
///     fn encode(&self, key: &mut Encoder) {
///         self.0.to_lowercase().encode(key);
///     }
/// }
///
/// #[tenure::cache_resource]
/// fn meaning(word: &Word) -> usize {
///     word.0.len()
/// }
///
/// assert!(meaning(&Word("Yes".into())).same_entry(&meaning(&Word("yes".into()))));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be part of a key",
    label = "this is an argument of a cached function",
    note = "derive `CacheKey` or `Hash` for `{Self}`, \
            give the parameter `#[key(with = …)]`, or leave it out with `#[key(skip)]`"
)]
pub trait CacheKey {
    /// Writes the value, so that no other value writes the same bytes or begins with them.
    fn encode(&self, key: &mut Encoder);

    /// Writes many values at once; plain numbers do it in one piece.
    #[doc(hidden)]
    #[inline]
    fn encode_slice(values: &[Self], key: &mut Encoder)
    where
        Self: Sized,
    {
        encode_len(values.len(), key);
        for value in values {
            value.encode(key);
        }
    }
}

/// The tag of text and bytes. Types are static, so one tag serves all.
pub(super) const BYTES: u8 = 0;

/// Writes how many values follow.
#[inline]
pub(super) fn encode_len(len: usize, key: &mut Encoder) {
    key.raw(&(len as u64).to_le_bytes());
}
