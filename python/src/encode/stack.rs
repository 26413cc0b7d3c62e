//! Room for deep walks: what is nested deeply goes on on a piece of stack of our own.
//!
//! Invariants
//! 1. Python runs on the thread's own stack only. A greenlet that is switched out leaves its part of
//!    that stack to others and finds it as it was; on any other memory the switch would corrupt both.
//!    Newer Pythons take any other address for an overflow.
//! 2. So the walk has two stacks at most, and hops between them: what may run Python hops to where
//!    the thread's own stack was left, and what only reads exact built-in types hops to a piece when
//!    there is little room. What is above stays as it is until the walk is back.
//! 3. Where the thread's own stack has no room for Python any more, the nesting is refused.
//! 4. The last reference to an object is never let go of on a piece, because a finalizer is Python
//!    too: it waits until the walk is on the thread's own stack.
//!
//! Why not `stacker` alone? It keeps the limit of the present stack per thread, which other greenlets
//! of the thread would take for theirs.
#![allow(unsafe_code)]

use pyo3::ffi;

/// How often, in levels, the stack is looked at.
pub(super) const LOOK: usize = 2;
/// How much stack the levels up to the next look may need.
pub(super) const LEFT: usize = 64 << 10;
/// How much of the thread's own stack is left to Python, which needs some of it to run at all.
const OWN_LEFT: usize = 192 << 10;
/// How large a piece of stack is.
pub(super) const PIECE: usize = 4 << 20;
/// The bytes that the hop itself may need on the stack that it leaves.
pub(super) const HOP: usize = 2 << 10;
/// The alignment of a stack.
const ALIGNED: usize = 64;

/// Where a walk stands.
#[derive(Clone, Copy, Default)]
pub(super) struct Stacks {
    /// The end of the piece that it is on; nothing on the thread's own stack.
    pub(super) piece: Option<usize>,
    /// The rest of the other stack.
    pub(super) other: Option<Rest>,
}

/// The free part of a stack, which grows down from its top.
#[derive(Clone, Copy)]
pub(super) struct Rest {
    pub(super) limit: usize,
    pub(super) top: usize,
}

/// How much of the thread's own stack Python must have, from the second level on. From 3.14 on it puts
/// off finalizers in the last 64 KiB, and a switch of greenlets must find nothing put off.
#[inline]
pub(super) fn python() -> usize {
    // SAFETY: a number that never changes.
    if unsafe { ffi::Py_Version } < 0x030e_0000 {
        16 << 10
    } else {
        80 << 10
    }
}

impl Rest {
    pub(super) fn len(self) -> usize {
        self.top.saturating_sub(self.limit)
    }
}

impl Stacks {
    /// The rest of the stack that the walk is on, if that is known.
    pub(super) fn here(self) -> Option<Rest> {
        let top = pointer();
        let limit = match self.piece {
            Some(limit) => limit,
            None => top.saturating_sub(stacker::remaining_stack()?),
        };
        Some(Rest { limit, top })
    }

    /// How much of the stack that the walk is on it leaves.
    pub(super) fn left(self) -> usize {
        match self.piece {
            Some(_) => LEFT,
            None => OWN_LEFT,
        }
    }
}

psm::psm_stack_information! {
    yes {
        fn pointer() -> usize {
            psm::stack_pointer().addr()
        }
    }
    no {
        fn pointer() -> usize {
            let mark = 0u8;
            std::hint::black_box(&raw const mark).addr()
        }
    }
}

/// Runs `work` on what is left of another stack of this walk.
#[cfg(unix)]
pub(super) fn on(rest: Rest, work: &mut dyn FnMut()) {
    let limit = rest.limit.next_multiple_of(ALIGNED);
    let size = (rest.top - limit) / ALIGNED * ALIGNED;
    // SAFETY: the range is part of a stack of this thread that nothing lives in: of a piece that is
    // mapped for as long as the hop lasts, or of the thread's own stack below everything that was
    // there when the walk left it. `work` catches every panic.
    unsafe {
        psm::on_stack(std::ptr::with_exposed_provenance_mut(limit), size, work);
    }
}

#[cfg(not(unix))]
pub(super) fn on(_: Rest, work: &mut dyn FnMut()) {
    // Nobody leaves the thread's own stack where there are no pieces.
    work();
}

#[cfg(unix)]
pub(super) mod memory {
    use std::ptr;

    /// A piece of stack, with a guard at its end.
    pub(in crate::encode) struct Piece {
        start: *mut libc::c_void,
        size: usize,
    }

    const GUARD: usize = 1 << 16;

    impl Piece {
        pub(in crate::encode) fn new(size: usize) -> Option<Self> {
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            let access = libc::PROT_READ | libc::PROT_WRITE;
            // SAFETY: a new mapping wherever there is room, whose first pages are made a guard.
            unsafe {
                let start = libc::mmap(ptr::null_mut(), size, access, flags, -1, 0);
                if start == libc::MAP_FAILED {
                    return None;
                }
                let piece = Self { start, size };
                let guarded = libc::mprotect(start, GUARD, libc::PROT_NONE) == 0;
                guarded.then_some(piece)
            }
        }

        /// Its lowest address that may be used, and its end.
        pub(in crate::encode) fn bounds(&self) -> (usize, usize) {
            let start = self.start.expose_provenance();
            (start + GUARD, start + self.size)
        }
    }

    impl Drop for Piece {
        fn drop(&mut self) {
            // SAFETY: it was mapped so, and nothing runs on it any more.
            unsafe {
                libc::munmap(self.start, self.size);
            }
        }
    }
}

#[cfg(not(unix))]
pub(super) mod memory {
    pub(in crate::encode) struct Piece;

    impl Piece {
        pub(in crate::encode) fn new(_: usize) -> Option<Self> {
            None
        }

        pub(in crate::encode) fn bounds(&self) -> (usize, usize) {
            (0, 0)
        }
    }
}
