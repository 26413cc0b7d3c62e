//! What ended last in a cache, by call: for a miss that is to say why.
//!
//! A table with one place for a hash. It is made anew, twice as large, while two calls want one place, until it has
//! 256; from then on the later one has it. Nothing is kept before something ends.

use crate::ground::clock::Nanos;
use crate::ground::sync::Arc;
use crate::life::ended_by::EndedBy;
use crate::words::cause::Cause;
use crate::words::miss::Miss;

/// How many places there are at first, and at most.
const FIRST: usize = 4;
const MOST: usize = 256;

/// The end of what was kept for a call.
#[derive(Clone)]
pub(crate) struct Ended {
    hash: u64,
    pub(crate) cause: Cause,
    pub(crate) at: Nanos,
    pub(crate) by: Option<Arc<str>>,
}

#[derive(Default)]
pub(super) struct History {
    places: Vec<Option<Ended>>,
}

impl History {
    /// Notes that what was kept for the call with this hash has ended.
    pub(super) fn note(&mut self, hash: u64, cause: Cause, at: Nanos, by: Option<&Arc<str>>) {
        let by = by.cloned();
        self.put(Ended {
            hash,
            cause,
            at,
            by,
        });
    }

    /// Notes the ends of these, of which there may be many.
    pub(super) fn note_all(
        &mut self,
        hashes: impl DoubleEndedIterator<Item = u64>,
        cause: Cause,
        at: Nanos,
    ) {
        let by = EndedBy::present();
        for hash in hashes.rev().take(MOST) {
            self.note(hash, cause, at, by.as_ref());
        }
    }

    fn put(&mut self, ended: Ended) {
        if self.places.is_empty() {
            self.places.resize_with(FIRST, || None);
        }
        while self.is_taken(ended.hash) && self.places.len() < MOST {
            let more = vec![None; self.places.len() * 2];
            for there in std::mem::replace(&mut self.places, more) {
                let Some(there) = there else { continue };
                let place = self.place(there.hash);
                self.places[place] = Some(there);
            }
        }
        let place = self.place(ended.hash);
        self.places[place] = Some(ended);
    }

    /// Whether another call has the place.
    fn is_taken(&self, hash: u64) -> bool {
        let there = self.places[self.place(hash)].as_ref();
        there.is_some_and(|it| it.hash != hash)
    }

    #[allow(clippy::cast_possible_truncation)] // the lowest bits count
    fn place(&self, hash: u64) -> usize {
        hash as usize & (self.places.len() - 1)
    }

    /// The end of what was kept for the call with this hash, if it is remembered.
    pub(super) fn of(&self, hash: u64) -> Option<&Ended> {
        if self.places.is_empty() {
            return None;
        }
        let there = self.places[self.place(hash)].as_ref();
        there.filter(|it| it.hash == hash)
    }

    pub(super) fn why(&self, hash: u64) -> Miss {
        self.of(hash)
            .map_or(Miss::Absent, |it| Miss::Ended(it.cause))
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn v4_each_call_has_its_own_end_until_the_table_is_full() {
        let mut history = History::default();
        assert!(history.of(7).is_none());
        let hashes: Vec<u64> = (0..MOST as u64)
            .map(|it| it.wrapping_mul(MOST as u64 + 1))
            .collect();
        for hash in &hashes {
            history.note(*hash, Cause::Evicted, *hash, None);
        }
        assert_eq!(history.places.len(), MOST);
        for hash in &hashes {
            assert_eq!(history.of(*hash).map(|it| it.at), Some(*hash));
        }
        history.note(hashes[3] + (MOST as u64) * 7, Cause::Idle, 0, None);
        assert!(history.of(hashes[3]).is_none());
        assert_eq!(history.places.len(), MOST);
        history.note(hashes[4], Cause::Cleared, 1, None);
        assert_eq!(history.why(hashes[4]), Miss::Ended(Cause::Cleared));
    }
}
