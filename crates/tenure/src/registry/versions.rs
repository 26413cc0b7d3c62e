//! The versions of the function at one site: which one a decoration finds, which ones an edit
//! outdates, and which ones nothing can call any more.
//!
//! | Another version has | then it is |
//! |---|---|
//! | been made by the same code: another closure, other settings, another scope | a sibling |
//! | been made at another place, or from the same state of the source | a sibling |
//! | been made of a text without lines, in the same run of a script for the same session | a sibling |
//! | code of its own that the edited maker still defines, as another function of the name | a sibling |
//! | been made by other code at the same place, from another state of the source | outdated |
//! | been made by other code at the same place without a file, that the same session ran | outdated |
//!
//! Only a version that is new outdates any, or one that comes back after it was outdated or released: one that
//! is there already has not been edited, and says nothing of the others.
//!
//! An outdated version goes when its last user does. A sibling without a user *waits* once a newer
//! one stands beside it: a run that brings it back finds it, until the time is over or too many
//! wait. The newest of a site stays: between two runs of a script nobody holds it.
//!
//! A decorated object is a user while it lives, unless it is left over from an earlier run of its
//! script or loading of its module. Something that is kept may hold the names of that run for good:
//! a callback, a class of the script's, a generator that waits at its `yield`. Who calls what is left
//! over has it built anew, and that goes with the object, or as what has waited too long.

use std::any::Any;

use crate::directory::AnyFunction;
use crate::ground::clock::Nanos;
use crate::ground::sync::Arc;
use crate::host::SessionId;
use crate::registry::identity::{Identity, Origin, Stamp};

/// Functions that nothing can call any more, or only what is left over.
pub(crate) type Gone = Vec<Arc<dyn AnyFunction>>;

/// So many versions wait for each session, and for all who have none.
pub(crate) const WAITING_MAX: usize = 16;

/// Who decorates: the function and the session that it is done for.
#[derive(Clone)]
pub(crate) struct Visitor {
    pub(crate) identity: Identity,
    pub(crate) session: Option<SessionId>,
}

/// A decorated object that lives.
#[derive(PartialEq)]
struct User {
    run: [u8; 16],
    callbacks: [u8; 16],
    origin: Origin,
    session: Option<SessionId>,
}

impl User {
    fn new(visitor: &Visitor) -> Self {
        Self {
            run: visitor.identity.run,
            callbacks: visitor.identity.callbacks,
            origin: visitor.identity.origin,
            session: visitor.session.clone(),
        }
    }

    /// Whether both live in one run and must not share: what one built would be released through
    /// the other's callbacks.
    fn excludes(&self, other: &Self) -> bool {
        self.run == other.run && self.session == other.session && self.callbacks != other.callbacks
    }

    /// Whether its origin has been replaced by the one of a newer user.
    fn is_left_by(&self, newer: &Self) -> bool {
        match (self.origin, newer.origin) {
            (Origin::Script(mine), Origin::Script(theirs)) => {
                mine != theirs && self.session.is_some() && self.session == newer.session
            }
            (Origin::Module(mine), Origin::Module(theirs)) => mine != theirs,
            _ => false,
        }
    }
}

struct Version {
    identity: Identity,
    any: Arc<dyn AnyFunction>,
    users: Vec<User>,
    /// Objects that live and are no users any more.
    left_over: Vec<User>,
    /// When what it held was released last, while there were some of these.
    let_go: Option<Nanos>,
    outdated: bool,
    /// Who decorated it last.
    session: Option<SessionId>,
    /// When it was decorated last, in turns of its site.
    turn: u64,
    /// Since when it has had no user and a newer one beside it.
    waits: Option<Nanos>,
    /// A decoration has found it when it had no user.
    came_back: bool,
}

impl Version {
    /// The function, if it is of these types.
    fn typed<T: AnyFunction>(&self) -> Option<Arc<T>> {
        let any: Arc<dyn Any + Send + Sync> = Arc::clone(&self.any) as _;
        any.downcast().ok()
    }

    fn is_same(&self, identity: &Identity) -> bool {
        self.identity.version == identity.version && self.identity.settings == identity.settings
    }

    fn is_outdated_by(&self, newer: &Visitor) -> bool {
        let (mine, theirs) = (&self.identity, &newer.identity);
        if self.is_same(theirs) || mine.place != theirs.place || mine.maker == theirs.maker {
            return false;
        }
        if theirs.is_made_beside(mine) {
            return false;
        }
        match (mine.stamp, theirs.stamp) {
            (Stamp::File(mine), Stamp::File(theirs)) => mine != theirs,
            (Stamp::Typed(mine), Stamp::Typed(theirs)) if mine == theirs => false,
            (Stamp::Unknown, Stamp::Unknown) if self.is_of_one_run_with(newer) => false,
            // What one session types says nothing of what another one has typed.
            _ => self.session == newer.session,
        }
    }

    /// Whether one run of a script, which its host runs again and again for a session, has made both.
    fn is_of_one_run_with(&self, other: &Visitor) -> bool {
        let (mine, theirs) = (self.identity.origin, other.identity.origin);
        matches!(mine, Origin::Script(_)) && mine == theirs && other.session.is_some()
    }

    /// Whether nobody finds it any more but those who hold it.
    fn is_past(&self) -> bool {
        self.outdated || self.identity.passing
    }

    fn is_over(&self) -> bool {
        self.users.is_empty() && self.is_past()
    }

    fn waits_for(&self, session: Option<&str>) -> bool {
        self.waits.is_some()
            && self.let_go.is_none()
            && !self.is_past()
            && self.session.as_deref() == session
    }

    /// Has the users be left over of which this is so. The last of them may have it wait.
    fn leave_over(&mut self, newest: u64, now: Nanos, is_left: impl Fn(&User) -> bool) {
        let left = self.users.extract_if(.., |it| is_left(it));
        self.left_over.extend(left);
        self.waits_without_users(newest, now);
    }

    fn waits_without_users(&mut self, newest: u64, now: Nanos) {
        if self.users.is_empty() && self.turn != newest {
            self.waits.get_or_insert(now);
        }
    }

    /// Whether it has this function: after a retirement another one may have its place.
    fn has<T: AnyFunction>(&self, identity: &Identity, function: &Arc<T>) -> bool {
        self.is_same(identity) && std::ptr::addr_eq(Arc::as_ptr(&self.any), Arc::as_ptr(function))
    }
}

/// All versions of one function, in the order in which they were made.
#[derive(Default)]
pub(crate) struct Site {
    versions: Vec<Version>,
    /// How many decorations there have been.
    turns: u64,
}

impl Site {
    pub(crate) fn is_empty(&self) -> bool {
        self.versions.is_empty()
    }

    /// Finds the visitor's version. Of several that are alike but for the objects that their
    /// callbacks are bound to, the first one that nobody in the visitor's run has taken.
    pub(crate) fn find<T: AnyFunction>(&mut self, visitor: &Visitor, now: Nanos) -> Option<Arc<T>> {
        let user = User::new(visitor);
        let at = self.versions.iter().position(|it| {
            it.is_same(&visitor.identity) && !it.users.iter().any(|it| it.excludes(&user))
        })?;
        let there = &mut self.versions[at];
        let function = there.typed()?;
        there.came_back |= there.users.is_empty();
        there.users.push(user);
        // An edit that was taken back is one as well.
        let is_back = there.let_go.take().is_some() | std::mem::take(&mut there.outdated);
        there.identity.clone_from(&visitor.identity);
        there.session.clone_from(&visitor.session);
        self.turn(at, now);
        self.replace(visitor, is_back, now);
        Some(function)
    }

    pub(crate) fn add<T: AnyFunction>(&mut self, visitor: &Visitor, function: &Arc<T>, now: Nanos) {
        self.versions.push(Version {
            identity: visitor.identity.clone(),
            any: Arc::clone(function) as Arc<dyn AnyFunction>,
            users: vec![User::new(visitor)],
            left_over: Vec::new(),
            let_go: None,
            outdated: false,
            session: visitor.session.clone(),
            turn: 0,
            waits: None,
            came_back: false,
        });
        self.turn(self.versions.len() - 1, now);
        self.replace(visitor, true, now);
    }

    /// Makes a version the newest one. The one that was so may begin to wait.
    fn turn(&mut self, at: usize, now: Nanos) {
        let newest = self.turns;
        self.turns += 1;
        for version in &mut self.versions {
            if version.turn == newest && version.users.is_empty() {
                version.waits = Some(now);
            }
        }
        let there = &mut self.versions[at];
        there.turn = self.turns;
        there.waits = None;
    }

    /// The functions that the visitor's outdates.
    pub(crate) fn outdated_by<T: AnyFunction>(&self, newer: &Visitor) -> Vec<Arc<T>> {
        let outdated = self.versions.iter().filter(|it| it.is_outdated_by(newer));
        outdated.filter_map(Version::typed).collect()
    }

    /// Sees to what a visitor's version puts an end to.
    fn replace(&mut self, newer: &Visitor, is_new: bool, now: Nanos) {
        let (user, newest) = (User::new(newer), self.turns);
        for version in &mut self.versions {
            version.outdated |= is_new && version.is_outdated_by(newer);
            version.leave_over(newest, now, |it| it.is_left_by(&user));
        }
    }

    /// One who used the function is gone.
    pub(crate) fn leave<T: AnyFunction>(
        &mut self,
        visitor: &Visitor,
        function: &Arc<T>,
        now: Nanos,
    ) {
        let user = User::new(visitor);
        let newest = self.turns;
        let has = |it: &&mut Version| it.has(&visitor.identity, function);
        let Some(there) = self.versions.iter_mut().find(has) else {
            return;
        };
        // Of two that are equal one has gone: the other is left over, if any is.
        for all in [&mut there.left_over, &mut there.users] {
            if let Some(at) = all.iter().position(|it| *it == user) {
                all.swap_remove(at);
                break;
            }
        }
        there.waits_without_users(newest, now);
    }

    /// The session has ended: what waits for it waits on among those of nobody, and what its script has made is left over.
    pub(crate) fn leave_session(&mut self, session: &str, now: Nanos) {
        let newest = self.turns;
        for version in &mut self.versions {
            if version.session.as_deref() == Some(session) {
                version.session = None;
            }
            version.leave_over(newest, now, |it| {
                matches!(it.origin, Origin::Script(_)) && it.session.as_deref() == Some(session)
            });
        }
    }

    /// Takes out what nothing can call any more: what is outdated, has waited since `before` or
    /// longer, or is one too many of those that wait for the session, or for none. What is left over of
    /// it may still be called, and keeps its version; what that has built anew goes after as long a time, since it may
    /// hold what is left over itself.
    pub(crate) fn take_over(
        &mut self,
        session: Option<&str>,
        before: Option<Nanos>,
        now: Nanos,
    ) -> Gone {
        let kept = [self.kept_from(session), self.kept_from(None)];
        let is_long_ago = |since| before.is_some_and(|before| since <= before);
        let is_gone = |it: &Version| {
            let has_waited = it.waits.is_some_and(|since| {
                is_long_ago(since)
                    || (it.waits_for(session) && it.turn < kept[0])
                    || (it.waits_for(None) && it.turn < kept[1])
            });
            it.users.is_empty()
                && match it.let_go {
                    Some(since) => it.left_over.is_empty() || is_long_ago(since),
                    None => it.is_over() || has_waited,
                }
        };
        let mut gone = Gone::new();
        self.versions.retain_mut(|it| {
            if !is_gone(it) {
                return true;
            }
            gone.push(Arc::clone(&it.any));
            it.let_go = Some(now);
            !it.left_over.is_empty()
        });
        gone
    }

    /// The turn from which on those are kept that wait for the session.
    fn kept_from(&self, session: Option<&str>) -> u64 {
        let waiting = self.versions.iter().filter(|it| it.waits_for(session));
        let mut turns: Vec<u64> = waiting.map(|it| it.turn).collect();
        match turns.len().checked_sub(WAITING_MAX) {
            Some(excess @ 1..) => *turns.select_nth_unstable(excess).1,
            _ => 0,
        }
    }

    /// Since when the one has waited that has waited longest.
    pub(crate) fn longest_wait(&self) -> Option<Nanos> {
        let since = self.versions.iter().filter_map(|it| it.let_go.or(it.waits));
        since.min()
    }

    /// Whether the version goes or waits without this user.
    pub(crate) fn is_last<T: AnyFunction>(&self, identity: &Identity, function: &Arc<T>) -> bool {
        let there = self.versions.iter().find(|it| it.has(identity, function));
        there.is_some_and(|it| {
            it.users.len() + it.left_over.len() == 1 && (it.is_past() || it.turn != self.turns)
        })
    }

    /// The functions that the same code has made for the same session before, and that it has not
    /// come back to, oldest first.
    pub(crate) fn left_behind<T: AnyFunction>(&self, visitor: &Visitor) -> Vec<Arc<T>> {
        self.versions
            .iter()
            .filter(|it| {
                it.waits.is_some()
                    && !it.came_back
                    && it.session == visitor.session
                    && it.identity.maker == visitor.identity.maker
                    && it.identity.settings == visitor.identity.settings
            })
            .filter_map(Version::typed)
            .collect()
    }
}
