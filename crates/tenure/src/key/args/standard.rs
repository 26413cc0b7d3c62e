//! The types of the standard library, numbers aside.

use std::any::TypeId;
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, LinkedList, VecDeque};
use std::ffi::{CStr, CString, OsStr, OsString};
use std::hash::Hash;
use std::marker::PhantomData;
use std::mem::Discriminant;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::ops::{Range, RangeFrom, RangeFull, RangeInclusive, RangeTo, RangeToInclusive};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::thread::ThreadId;
use std::time::{Duration, Instant, SystemTime};

use crate::key::Encoder;
use crate::key::args::cache_key::{BYTES, CacheKey, encode_len};

impl CacheKey for str {
    #[inline]
    fn encode(&self, key: &mut Encoder) {
        key.framed(BYTES, self.as_bytes());
    }
}

impl CacheKey for OsStr {
    #[inline]
    fn encode(&self, key: &mut Encoder) {
        key.framed(BYTES, self.as_encoded_bytes());
    }
}

impl CacheKey for CStr {
    #[inline]
    fn encode(&self, key: &mut Encoder) {
        key.framed(BYTES, self.to_bytes());
    }
}

/// As it is written: `a//b` and `a/b` are two keys, although they compare equal.
impl CacheKey for Path {
    #[inline]
    fn encode(&self, key: &mut Encoder) {
        self.as_os_str().encode(key);
    }
}

macro_rules! like {
    ($($owned:ty => $borrowed:ty),* $(,)?) => {$(
        impl CacheKey for $owned {
            #[inline]
            fn encode(&self, key: &mut Encoder) {
                <$borrowed>::encode(self, key);
            }
        }
    )*};
}

like!(String => str, OsString => OsStr, CString => CStr, PathBuf => Path);

macro_rules! pointers {
    ($($pointer:ty),* $(,)?) => {$(
        impl<T: CacheKey + ?Sized> CacheKey for $pointer {
            #[inline]
            fn encode(&self, key: &mut Encoder) {
                T::encode(self, key);
            }
        }
    )*};
}

pointers!(&T, &mut T, Box<T>, Rc<T>, Arc<T>);

impl<T: CacheKey + ToOwned + ?Sized> CacheKey for Cow<'_, T> {
    #[inline]
    fn encode(&self, key: &mut Encoder) {
        T::encode(self, key);
    }
}

impl<T: CacheKey> CacheKey for [T] {
    #[inline]
    fn encode(&self, key: &mut Encoder) {
        T::encode_slice(self, key);
    }
}

impl<T: CacheKey> CacheKey for Vec<T> {
    #[inline]
    fn encode(&self, key: &mut Encoder) {
        T::encode_slice(self, key);
    }
}

impl<T: CacheKey, const N: usize> CacheKey for [T; N] {
    #[inline]
    fn encode(&self, key: &mut Encoder) {
        T::encode_slice(self, key);
    }
}

impl<T: CacheKey> CacheKey for Option<T> {
    #[inline]
    fn encode(&self, key: &mut Encoder) {
        match self {
            None => key.raw(&[0]),
            Some(value) => {
                key.raw(&[1]);
                value.encode(key);
            }
        }
    }
}

impl<T: CacheKey, E: CacheKey> CacheKey for Result<T, E> {
    fn encode(&self, key: &mut Encoder) {
        match self {
            Err(error) => {
                key.raw(&[0]);
                error.encode(key);
            }
            Ok(value) => {
                key.raw(&[1]);
                value.encode(key);
            }
        }
    }
}

macro_rules! tuples {
    ($($name:ident)*) => {
        impl<$($name: CacheKey),*> CacheKey for ($($name,)*) {
            #[inline]
            #[allow(non_snake_case, unused_variables)]
            fn encode(&self, key: &mut Encoder) {
                let ($($name,)*) = self;
                $($name.encode(key);)*
            }
        }
    };
}

tuples!();
tuples!(A);
tuples!(A B);
tuples!(A B C);
tuples!(A B C D);
tuples!(A B C D E);
tuples!(A B C D E F);
tuples!(A B C D E F G);
tuples!(A B C D E F G H);
tuples!(A B C D E F G H I);
tuples!(A B C D E F G H I J);
tuples!(A B C D E F G H I J K);
tuples!(A B C D E F G H I J K L);

macro_rules! sequences {
    ($($sequence:ty),* $(,)?) => {$(
        impl<T: CacheKey> CacheKey for $sequence {
            fn encode(&self, key: &mut Encoder) {
                encode_len(self.len(), key);
                for value in self {
                    value.encode(key);
                }
            }
        }
    )*};
}

sequences!(VecDeque<T>, LinkedList<T>, BTreeSet<T>);

impl<K: CacheKey, V: CacheKey> CacheKey for BTreeMap<K, V> {
    fn encode(&self, key: &mut Encoder) {
        encode_len(self.len(), key);
        for (name, value) in self {
            name.encode(key);
            value.encode(key);
        }
    }
}

/// Writes members in the order of what they write, whatever order they come in (K4).
fn encode_unordered<T>(
    members: impl Iterator<Item = T>,
    encode: impl Fn(T, &mut Encoder),
    key: &mut Encoder,
) {
    let mut sorted: Vec<Vec<u8>> = members
        .map(|member| {
            let mut one = Encoder::new();
            encode(member, &mut one);
            one.as_bytes().to_vec()
        })
        .collect();
    sorted.sort_unstable();
    encode_len(sorted.len(), key);
    for one in &sorted {
        key.framed(BYTES, one);
    }
}

impl<T: CacheKey, S> CacheKey for HashSet<T, S> {
    fn encode(&self, key: &mut Encoder) {
        encode_unordered(self.iter(), T::encode, key);
    }
}

impl<T: CacheKey> CacheKey for BinaryHeap<T> {
    fn encode(&self, key: &mut Encoder) {
        encode_unordered(self.iter(), T::encode, key);
    }
}

impl<K: CacheKey, V: CacheKey, S> CacheKey for HashMap<K, V, S> {
    fn encode(&self, key: &mut Encoder) {
        let encode = |(name, value): (&K, &V), key: &mut Encoder| {
            name.encode(key);
            value.encode(key);
        };
        encode_unordered(self.iter(), encode, key);
    }
}

impl<T: CacheKey + Copy> CacheKey for Cell<T> {
    fn encode(&self, key: &mut Encoder) {
        self.get().encode(key);
    }
}

impl<T: CacheKey + ?Sized> CacheKey for RefCell<T> {
    fn encode(&self, key: &mut Encoder) {
        self.borrow().encode(key);
    }
}

impl<T: CacheKey> CacheKey for Reverse<T> {
    fn encode(&self, key: &mut Encoder) {
        self.0.encode(key);
    }
}

impl<T: ?Sized> CacheKey for PhantomData<T> {
    fn encode(&self, _key: &mut Encoder) {}
}

impl CacheKey for Duration {
    #[inline]
    fn encode(&self, key: &mut Encoder) {
        (self.as_secs(), self.subsec_nanos()).encode(key);
    }
}

impl<T: CacheKey> CacheKey for Range<T> {
    fn encode(&self, key: &mut Encoder) {
        (&self.start, &self.end).encode(key);
    }
}

impl<T: CacheKey> CacheKey for RangeFrom<T> {
    fn encode(&self, key: &mut Encoder) {
        self.start.encode(key);
    }
}

impl<T: CacheKey> CacheKey for RangeTo<T> {
    fn encode(&self, key: &mut Encoder) {
        self.end.encode(key);
    }
}

impl<T: CacheKey> CacheKey for RangeToInclusive<T> {
    fn encode(&self, key: &mut Encoder) {
        self.end.encode(key);
    }
}

impl<T: CacheKey + PartialOrd> CacheKey for RangeInclusive<T> {
    fn encode(&self, key: &mut Encoder) {
        // A range that was iterated to its end differs from one that was not.
        (self.start(), self.end(), self.is_empty()).encode(key);
    }
}

impl<T> CacheKey for Discriminant<T> {
    fn encode(&self, key: &mut Encoder) {
        self.hash(key);
    }
}

/// Its `Hash` writes half of it, so that what it shows follows.
impl CacheKey for TypeId {
    fn encode(&self, key: &mut Encoder) {
        self.hash(key);
        format!("{self:?}").encode(key);
    }
}

macro_rules! of_fixed_length {
    ($($name:ty),* $(,)?) => {$(
        /// A part as its `Hash` writes it, which has one length, or says in front which form
        /// follows.
        impl CacheKey for $name {
            #[inline]
            fn encode(&self, key: &mut Encoder) {
                self.hash(key);
            }
        }
    )*};
}

of_fixed_length!(
    SystemTime,
    Instant,
    ThreadId,
    RangeFull,
    IpAddr,
    Ipv4Addr,
    Ipv6Addr,
    SocketAddr,
    SocketAddrV4,
    SocketAddrV6,
    std::cmp::Ordering,
    std::alloc::Layout,
);
