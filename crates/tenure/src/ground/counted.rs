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

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;

    /// Tells its drop, which looks at the sum without an order of its own: it needs all that other
    /// references did to have happened before.
    struct Told {
        sum: AtomicU64,
        told: Arc<AtomicU64>,
    }

    impl Drop for Told {
        fn drop(&mut self) {
            let sum = *self.sum.get_mut();
            let before = self.told.swap(sum, Ordering::Relaxed);
            assert_eq!(before, 0, "dropped once");
        }
    }

    fn told() -> ([Counted<Told>; 2], Arc<AtomicU64>) {
        let told = Arc::default();
        let value = Told {
            sum: AtomicU64::new(1),
            told: Arc::clone(&told),
        };
        (Counted::pair(value), told)
    }

    #[test]
    fn l1_the_last_of_all_references_drops_the_value() {
        let ([one, other], told) = told();
        assert_eq!((one.count(), one.ptr_eq(&other)), (2, true));
        let third = one.clone();
        drop((one, other));
        assert_eq!((third.count(), told.load(Ordering::Relaxed)), (1, 0));
        drop(third);
        assert_eq!(told.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn l1_references_set_aside_are_references() {
        let ([one, other], told) = told();
        let address = one.expose();
        one.set_aside(3);
        // SAFETY: two of the three that were set aside.
        let taken = [(); 2].map(|()| unsafe { Counted::<Told>::from_address(address) });
        assert_eq!(taken[0].count(), 5);
        one.take_back(1);
        drop((one, other));
        assert!(taken.iter().all(|it| it.sum.load(Ordering::Relaxed) == 1));
        drop(taken);
        assert_eq!(told.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn l1_what_other_threads_did_happened_before_the_drop() {
        const TIMES: usize = if cfg!(miri) { 20 } else { 200 };
        for _ in 0..TIMES {
            let ([one, other], told) = told();
            one.set_aside(1);
            let address = one.expose();
            let adds = |it: Counted<Told>| {
                move || {
                    let again = it.clone();
                    drop(it);
                    again.sum.fetch_add(1, Ordering::Relaxed);
                }
            };
            let threads = [
                thread::spawn(adds(one)),
                thread::spawn(adds(other)),
                // SAFETY: the one that was set aside.
                thread::spawn(adds(unsafe { Counted::from_address(address) })),
            ];
            for thread in threads {
                thread.join().unwrap();
            }
            assert_eq!(told.load(Ordering::Relaxed), 4);
        }
    }
}
