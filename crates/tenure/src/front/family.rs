//! The caches of functions with type parameters, and of methods.

use std::any::{Any, TypeId};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::marker::PhantomData;

use crate::engine::Engine;
use crate::front::cached::{Cached, Erased};
use crate::front::definition::{Definition, kept};
use crate::ground::sync::{Mutex, OnceLock};
use crate::key::KeyRef;
use crate::life::cleared::{Cleared, Clearing};
use crate::life::ended_by::EndedBy;
use crate::words::bounds::{Failure, Resource};
use crate::words::fallible::Told;
use crate::words::info::{EntryInfo, Info};

/// The caches of a function with type parameters, or of a method: one for each combination of
/// types, which belongs to the type whose method it is. They live as long as the program, as the code of each combination does.
pub struct Family {
    members: OnceLock<Mutex<HashMap<Which, &'static dyn Erased>>>,
    first: OnceLock<(Which, &'static dyn Erased)>,
}

/// The types that tell one member of a family from another.
type Which = [TypeId; 4];

impl Family {
    /// One without members.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            members: OnceLock::new(),
            first: OnceLock::new(),
        }
    }

    /// The member for these types.
    #[must_use]
    pub fn member<V, F>(&self, owner: TypeId, types: TypeId) -> Member<'_, V, F> {
        let which = [owner, types, typeid::of::<V>(), typeid::of::<F>()];
        Member {
            family: self,
            which,
            types: PhantomData,
        }
    }

    fn find(&self, which: &Which) -> Option<&'static dyn Erased> {
        match self.first.get() {
            Some((first, member)) if first == which => Some(*member),
            _ => self.members.get()?.lock().get(which).copied(),
        }
    }

    /// The members of one owner that keep these resources.
    #[must_use]
    pub fn all<V, F>(&self, owner: TypeId) -> Members<V, F> {
        Members {
            members: self.members(owner),
            types: PhantomData,
        }
    }

    fn members(&self, of: TypeId) -> Vec<&'static dyn Erased> {
        let members = self.members.get_or_init(Mutex::default).lock();
        let of_owner = members.iter().filter(|([owner, ..], _)| *owner == of);
        of_owner.map(|(_, member)| *member).collect()
    }

    /// Clears all members of one owner.
    ///
    /// # Panics
    /// For a session-scoped function where there is no session.
    #[track_caller]
    pub fn clear(&self, owner: TypeId) -> Cleared {
        let clearing = Clearing::begin();
        for member in self.members(owner) {
            member.clear();
        }
        clearing.end(Engine::global().services())
    }

    /// Has all entries of all members of one owner expire.
    ///
    /// # Panics
    /// For a session-scoped function where there is no session.
    #[track_caller]
    pub fn expire_all(&self, owner: TypeId) {
        let _ended_by = EndedBy::caller();
        for member in self.members(owner) {
            member.expire();
        }
    }

    /// The figures of the entries of all members of one owner, oldest first.
    ///
    /// # Panics
    /// For a session-scoped function where there is no session.
    #[must_use]
    #[track_caller]
    pub fn entries(&self, owner: TypeId) -> Vec<EntryInfo> {
        let mut entries = Vec::new();
        for member in self.members(owner) {
            entries.extend(member.entries());
        }
        entries.sort_by_key(|entry| Reverse(entry.age));
        entries
    }

    /// The figures of all members of one owner together.
    #[must_use]
    pub fn info(&self, owner: TypeId) -> Info {
        let mut sum = Info::default();
        for member in self.members(owner) {
            sum.add(&member.info());
        }
        sum
    }
}

impl Default for Family {
    fn default() -> Self {
        Self::new()
    }
}

/// One cache of a family, which may not be there yet. It has no bounds, for the reason that a
/// [`Slot`](crate::front::Slot) has none.
pub struct Member<'a, V, F> {
    family: &'a Family,
    which: Which,
    types: PhantomData<fn(V, F)>,
}

impl<V, F> Member<'_, V, F> {
    /// `name::clear_entry(…)`.
    ///
    /// # Panics
    /// For a session-scoped function where there is no session.
    #[track_caller]
    pub fn clear_entry(&self, key: &KeyRef<'_>) -> Cleared {
        let _ended_by = EndedBy::caller();
        match self.family.find(&self.which) {
            Some(member) => member.clear_entry(key),
            None => Cleared::nothing(),
        }
    }

    /// `name::expire(…)`.
    ///
    /// # Panics
    /// For a session-scoped function where there is no session.
    #[track_caller]
    pub fn expire(&self, key: &KeyRef<'_>) {
        let _ended_by = EndedBy::caller();
        if let Some(member) = self.family.find(&self.which) {
            member.expire_entry(key);
        }
    }
}

impl<V: Resource, F: Failure + Told> Member<'_, V, F> {
    /// The cache, made by the first call.
    #[track_caller]
    pub fn get(self, make: fn() -> Definition<V>) -> Cached<'static, V, F> {
        let Self { family, which, .. } = self;
        let member: &'static dyn Any = match family.find(&which) {
            Some(member) => member,
            None => {
                // Made without the lock; if another thread was quicker, its is taken.
                let made = make().function::<F>();
                let mut members = family.members.get_or_init(Mutex::default).lock();
                let member = *members.entry(which).or_insert_with(|| kept(&made));
                drop(members);
                let _ = family.first.set((which, member));
                member
            }
        };
        let function = member.downcast_ref();
        Cached(function.expect("the types say which member it is"), None)
    }
}

/// Several caches of a family, which may keep other resources. It has no bounds, as a [`Member`].
pub struct Members<V, F> {
    members: Vec<&'static dyn Erased>,
    types: PhantomData<fn(V, F)>,
}

impl<V: Resource, F: Failure> Members<V, F> {
    /// Those that keep these resources.
    #[must_use]
    pub fn get(self, (): ()) -> All<V, F> {
        let members = self.members.into_iter().filter_map(|member| {
            let member: &dyn Any = member;
            member.downcast_ref().map(|it| Cached(it, None))
        });
        All(members.collect())
    }
}

/// Several caches of one kind.
pub struct All<V: Resource + 'static, F: Failure + 'static>(Vec<Cached<'static, V, F>>);

impl<V: Resource, F: Failure> All<V, F> {
    /// `name::clear_if(…)`.
    ///
    /// # Panics
    /// For a session-scoped function where there is no session.
    #[track_caller]
    pub fn clear_if(&self, mut is_meant: impl FnMut(&V, &EntryInfo) -> bool) -> usize {
        let mut cleared = 0;
        for member in &self.0 {
            cleared += member.clear_if(&mut is_meant);
        }
        cleared
    }
}

/// Some types, as a value: those of a member of a family. Lifetimes do not count.
pub struct Types<T: ?Sized>(pub PhantomData<T>);

impl<T: ?Sized> Types<T> {
    /// Adds the type of a value, for types that have no name.
    pub fn and<U: ?Sized>(self, _: &U) -> Types<(PhantomData<T>, PhantomData<U>)> {
        Types(PhantomData)
    }

    /// Their identity.
    #[must_use]
    pub fn id(self) -> TypeId {
        typeid::of::<T>()
    }
}
