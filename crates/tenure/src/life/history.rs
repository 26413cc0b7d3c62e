//! What ended last in a cache, by call: for a miss that is to say why.
//!
//! The last 256 calls whose entries have ended, each with its latest end, and the last clear of everything. Nothing
//! is kept before something ends.

use std::collections::VecDeque;

use hashbrown::HashTable;

use crate::ground::clock::Nanos;
use crate::ground::sync::Arc;
use crate::life::ended_by::EndedBy;
use crate::words::cause::Cause;
use crate::words::miss::Miss;

/// How many calls are remembered.
const MOST: usize = 256;

/// The end of what was kept for a call.
#[derive(Clone)]
pub(crate) struct Ended {
    hash: u64,
    turn: u64,
    pub(crate) cause: Cause,
    pub(crate) at: Nanos,
    pub(crate) by: Option<Arc<str>>,
}

#[derive(Default)]
pub(super) struct History {
    ended: HashTable<Ended>,
    /// In the order in which they ended; one that has ended again since stands there twice.
    order: VecDeque<(u64, u64)>,
    turns: u64,
    /// When all was cleared at once the last time, and by whom.
    cleared: Option<(Nanos, Option<Arc<str>>)>,
}

impl History {
    /// Notes that what was kept for the call with this hash has ended.
    pub(super) fn note(&mut self, hash: u64, cause: Cause, at: Nanos) {
        self.put(hash, cause, at, EndedBy::present());
    }

    /// Notes that all that was kept has ended: for the calls with these hashes, the last first to be remembered.
    pub(super) fn note_all(
        &mut self,
        hashes: impl DoubleEndedIterator<Item = u64>,
        cause: Cause,
        at: Nanos,
    ) {
        let by = EndedBy::present();
        for hash in hashes.rev().take(MOST) {
            self.put(hash, cause, at, by.clone());
        }
        if cause == Cause::Cleared {
            self.cleared = Some((at, by));
        }
    }

    fn put(&mut self, hash: u64, cause: Cause, at: Nanos, by: Option<Arc<str>>) {
        self.turns += 1;
        let turn = self.turns;
        let ended = Ended {
            hash,
            turn,
            cause,
            at,
            by,
        };
        self.ended
            .entry(hash, |it| it.hash == hash, |it| it.hash)
            .insert(ended);
        self.order.push_back((hash, turn));
        while self.ended.len() > MOST {
            let Some((hash, turn)) = self.order.pop_front() else {
                return;
            };
            let is_it = |it: &Ended| it.hash == hash && it.turn == turn;
            if let Ok(there) = self.ended.find_entry(hash, is_it) {
                there.remove();
            }
        }
        if self.order.len() > 2 * MOST {
            let ended = &self.ended;
            self.order
                .retain(|(hash, turn)| ended.find(*hash, |it| it.turn == *turn).is_some());
        }
    }

    /// The end of what was kept for the call with this hash, if it is remembered.
    pub(super) fn of(&self, hash: u64) -> Option<&Ended> {
        self.ended.find(hash, |it| it.hash == hash)
    }

    /// When all was cleared at once the last time, and by whom.
    pub(super) fn cleared(&self) -> Option<&(Nanos, Option<Arc<str>>)> {
        self.cleared.as_ref()
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
    fn v4_the_last_calls_that_ended_are_remembered_each_with_its_latest_end() {
        let mut history = History::default();
        assert!(history.of(7).is_none());
        let most = MOST as u64;
        for hash in 0..most {
            history.note(hash, Cause::Evicted, hash);
        }
        assert!((0..most).all(|hash| history.of(hash).is_some_and(|it| it.at == hash)));
        // The first ends again: then the second is the one that has ended longest ago.
        history.note(0, Cause::Cleared, most);
        history.note(most, Cause::Idle, most);
        assert_eq!(history.why(0), Miss::Ended(Cause::Cleared));
        assert_eq!(history.why(1), Miss::Absent);
        assert_eq!(
            (history.ended.len(), history.why(2)),
            (MOST, Miss::Ended(Cause::Evicted))
        );
    }

    #[test]
    fn v4_one_call_that_ends_again_and_again_takes_no_more_room() {
        let mut history = History::default();
        for at in 0..100 * MOST as u64 {
            history.note(7, Cause::Cleared, at);
        }
        assert_eq!(history.of(7).map(|it| it.at), Some(100 * MOST as u64 - 1));
        assert!(history.order.len() <= 2 * MOST);
    }
}
