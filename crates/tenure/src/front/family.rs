//! The caches of functions with type parameters, and of methods.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::marker::PhantomData;

use crate::bounds::{Failure, Resource};
use crate::front::Cached;
use crate::info::Info;
use crate::sync::{Mutex, OnceLock};

/// The caches of a function with type parameters, or of a method: one for each combination of
/// types, which belongs to the type whose method it is. They live as long as the program, as the code of each combination does.
pub struct Family {
    members: OnceLock<Mutex<HashMap<Which, &'static dyn Member>>>,
    first: OnceLock<(Which, &'static dyn Member)>,
}

/// What tells one member of a family from another.
type Which = [TypeId; 4];

trait Member: Any + Send + Sync {
    fn clear(&self);
    fn info(&self) -> Info;
}

impl<V: Resource, F: Failure> Member for Cached<V, F> {
    fn clear(&self) {
        Cached::clear(self);
    }

    fn info(&self) -> Info {
        Cached::info(self)
    }
}

impl Family {
    /// One without members.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            members: OnceLock::new(),
            first: OnceLock::new(),
        }
    }

    /// The cache for these types.
    pub fn get<V: Resource, F: Failure>(
        &self,
        owner: TypeId,
        types: TypeId,
        make: fn() -> Cached<V, F>,
    ) -> &'static Cached<V, F> {
        let types = [owner, types, TypeId::of::<V>(), TypeId::of::<F>()];
        let member = match self.first.get() {
            Some((first, member)) if *first == types => *member,
            _ => self.find(types, make),
        };
        let member: &'static dyn Any = member;
        member
            .downcast_ref()
            .expect("the types say which member it is")
    }

    fn find<V: Resource, F: Failure>(
        &self,
        types: Which,
        make: fn() -> Cached<V, F>,
    ) -> &'static dyn Member {
        let members = self.members.get_or_init(Mutex::default);
        if let Some(there) = members.lock().get(&types) {
            return *there;
        }
        let made = make();
        let mut members = members.lock();
        let member = *members
            .entry(types)
            .or_insert_with(|| Box::leak(Box::new(made)));
        drop(members);
        let _ = self.first.set((types, member));
        member
    }

    fn members(&self, of: TypeId) -> Vec<&'static dyn Member> {
        let members = self.members.get_or_init(Mutex::default).lock();
        let of_owner = members.iter().filter(|([owner, ..], _)| *owner == of);
        of_owner.map(|(_, member)| *member).collect()
    }

    /// Clears all members of one owner.
    ///
    /// # Panics
    /// For a session-scoped function where there is no session.
    pub fn clear(&self, owner: TypeId) {
        for member in self.members(owner) {
            member.clear();
        }
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
