//! How an argument is read: what of it code of its classes told, and whether it reads the same again.

use std::mem::take;

/// How the content of an argument is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// All of it was read in the objects themselves.
    Seen,
    /// Code of their classes told some of it.
    Told,
}

/// The digests of the values of one reading, each after those inside it, beside those of an earlier
/// one.
#[derive(Default)]
pub(super) struct Trace {
    earlier: Option<Vec<u128>>,
    digests: Vec<u128>,
}

impl Trace {
    /// The next reading, which is compared with this one.
    pub(super) fn again(mut self: Box<Self>) -> Box<Self> {
        self.earlier = Some(take(&mut self.digests));
        self
    }

    /// Takes down the digest of a value: whether the earlier reading had the same here.
    pub(super) fn is_as_before(&mut self, digest: u128) -> bool {
        let at = self.digests.len();
        self.digests.push(digest);
        match &self.earlier {
            Some(earlier) => earlier.get(at) == Some(&digest),
            None => true,
        }
    }
}
