//! A shared pointer to which many references can be added, and taken away, at once.
//!
//! What `Arc` does not offer: a table may own hundreds of references to one value, and hand them
//! out and take them back one by one without touching the value. There are no weak references.
//!
//! Invariant: the count is the number of references that exist, those set aside included; whoever
//! takes the last one away drops the value.
#![allow(unsafe_code)]

use std::marker::PhantomData;
use std::ops::Deref;
use std::process::abort;
use std::ptr::NonNull;

use crate::ground::sync::{AtomicU64, Ordering, Value};

/// So many references that something leaks them in a loop.
const TOO_MANY: u64 = 1 << 62;

/// Addresses of values are multiples of this.
pub(crate) const ALIGNMENT: usize = align_of::<AtomicU64>();

pub(crate) struct Counted<T> {
    inner: NonNull<Inner<T>>,
    _owns: PhantomData<Inner<T>>,
}

struct Inner<T> {
    count: AtomicU64,
    value: Value<T>,
}

// SAFETY: as for `Arc`: all references share the value, and any of them may drop it.
unsafe impl<T: Send + Sync> Send for Counted<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Counted<T> {}

impl<T> Counted<T> {
    /// Two references to a new value.
    pub(crate) fn pair(value: T) -> [Self; 2] {
        let inner = Box::into_raw(Box::new(Inner {
            count: AtomicU64::new(2),
            value: Value::new(value),
        }));
        [(); 2].map(|()| Self {
            // SAFETY: a box is not null.
            inner: unsafe { NonNull::new_unchecked(inner) },
            _owns: PhantomData,
        })
    }

    #[inline]
    fn inner(&self) -> &Inner<T> {
        // SAFETY: this reference is counted, so the value is there.
        unsafe { self.inner.as_ref() }
    }

    /// How many references there are.
    pub(crate) fn count(&self) -> u64 {
        self.inner().count.load(Ordering::Acquire)
    }

    #[inline]
    pub(crate) fn ptr_eq(&self, other: &Self) -> bool {
        self.inner == other.inner
    }

    /// Where the value stands, which tells it from every other one that is there.
    #[inline]
    pub(crate) fn address(&self) -> usize {
        self.inner.as_ptr().addr()
    }

    /// The address of the value, for [`Counted::from_address`].
    pub(crate) fn expose(&self) -> usize {
        self.inner.as_ptr().expose_provenance()
    }

    /// Sets `more` references aside.
    #[inline]
    pub(crate) fn set_aside(&self, more: u64) {
        let before = self.inner().count.fetch_add(more, Ordering::Relaxed);
        if before > TOO_MANY {
            abort();
        }
    }

    /// Takes back references that were set aside. This one remains, so the value does too.
    pub(crate) fn take_back(&self, less: u64) {
        self.inner().count.fetch_sub(less, Ordering::Release);
    }

    /// One of the references that were set aside.
    ///
    /// # Safety
    /// `address` is what [`Counted::expose`] gave for a value of this type, and one reference that
    /// was set aside there becomes this one.
    #[inline]
    pub(crate) unsafe fn from_address(address: usize) -> Self {
        let inner = std::ptr::with_exposed_provenance_mut(address);
        Self {
            // SAFETY: a value's address is not null.
            inner: unsafe { NonNull::new_unchecked(inner) },
            _owns: PhantomData,
        }
    }

    #[cold]
    fn drop_value(&mut self) {
        // Whatever other references did to the value happened before.
        self.inner().count.load(Ordering::Acquire);
        // SAFETY: this was the last reference.
        #[cfg(not(loom))]
        drop(unsafe { Box::from_raw(self.inner.as_ptr()) });
        // SAFETY: the same.
        #[cfg(loom)]
        unsafe {
            self.inner().value.end();
        }
    }
}

impl<T> Clone for Counted<T> {
    #[inline]
    fn clone(&self) -> Self {
        self.set_aside(1);
        Self {
            inner: self.inner,
            _owns: PhantomData,
        }
    }
}

impl<T> Drop for Counted<T> {
    #[inline]
    fn drop(&mut self) {
        if self.inner().count.fetch_sub(1, Ordering::Release) == 1 {
            self.drop_value();
        }
    }
}

impl<T> Deref for Counted<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.inner().value.get()
    }
}
