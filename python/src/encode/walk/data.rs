//! Long contents: replaced by their digests, and read without the interpreter.
#![allow(unsafe_code)]

use super::Walk;
use crate::encode::stream::{Stream, Strided};
use crate::encode::{memo, tags};
use pyo3::ffi;
use tenure::front::Digests;

/// A run of written members from this length on is replaced by its digest.
pub(in crate::encode) const PIECE: usize = 1 << 16;

/// From this length on data is digested without the interpreter.
pub(in crate::encode) const DETACH: usize = 1 << 16;

impl Walk<'_, '_, '_> {
    /// Replaces what was written since `start` by its digest, if it has grown long. Callers ask
    /// after each member, so the boundaries depend on the content alone. Gives the place where
    /// the next piece begins.
    #[inline]
    pub(in crate::encode) fn piece(&mut self, start: usize) -> usize {
        if self.enc.len() - start < PIECE {
            start
        } else {
            self.condense(start);
            self.enc.len()
        }
    }

    #[cold]
    fn condense(&mut self, start: usize) {
        let len = (self.enc.len() - start) as u64;
        let digest = self.enc.digests().of(&self.enc.as_bytes()[start..]);
        self.enc.truncate(start);
        self.enc.framed_digest(tags::PIECE, len, digest);
        self.digested += len;
    }

    /// Writes data of any length under a tag.
    ///
    /// # Safety
    ///
    /// The bytes stay where they are while the interpreter is not held.
    pub(in crate::encode) unsafe fn bulk(&mut self, tag: u8, bytes: &[u8]) {
        if bytes.len() < DETACH {
            self.enc.framed(tag, bytes);
        } else {
            let digest = self.digest(bytes);
            self.enc.framed_digest(tag, bytes.len() as u64, digest);
        }
    }

    /// The digest of data that stays where it is; long data is read without the interpreter.
    pub(in crate::encode) fn digest(&mut self, bytes: &[u8]) -> u128 {
        self.digested += bytes.len() as u64;
        let digests = self.enc.digests();
        if bytes.len() < DETACH {
            digests.of(bytes)
        } else {
            self.py.detach(|| digests.of(bytes))
        }
    }

    /// Writes the content of an object that cannot change, and remembers its digest if it is
    /// long.
    ///
    /// # Safety
    ///
    /// `bytes` are the content of `owner` or a part of it, and `owner` is an exact `bytes` or `str`.
    pub(in crate::encode) unsafe fn immutable(
        &mut self,
        tag: u8,
        owner: *mut ffi::PyObject,
        bytes: &[u8],
    ) {
        if bytes.len() < memo::WORTH {
            self.enc.framed(tag, bytes);
            return;
        }
        // Those of arguments alone are remembered.
        let is_remembered = self.enc.digests() == Digests::Keyed;
        let found = is_remembered.then(|| memo::find(self.py, owner, bytes));
        let digest = match found.flatten() {
            Some(digest) => digest,
            None if !is_remembered => self.digest(bytes),
            None => {
                let digest = self.digest(bytes);
                // SAFETY: the caller's promise.
                unsafe { memo::remember(self.py, owner, bytes, digest) };
                digest
            }
        };
        self.enc.framed_digest(tag, bytes.len() as u64, digest);
    }

    pub(in crate::encode) fn shape(&mut self, shape: &[usize]) {
        self.enc.raw(&[shape.len() as u8]);
        for &len in shape {
            self.enc.raw(&(len as u64).to_le_bytes());
        }
    }

    /// Writes data of any layout in the order of its indices, the first `used` bytes of each
    /// item; long data is read without the interpreter.
    ///
    /// # Safety
    ///
    /// The data stays where it is while this runs.
    pub(in crate::encode) unsafe fn strided(&mut self, data: &Strided, used: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            if used == data.item
                && let Some(run) = data.as_slice()
            {
                self.bulk(tags::DATA, run);
                return;
            }
            let mut stream = Stream::new(self.enc.digests());
            if data.bytes() < DETACH {
                data.push_all(&mut stream, used);
            } else {
                self.digested += data.bytes() as u64;
                self.py.detach(|| data.push_all(&mut stream, used));
            }
            stream.finish(self.enc, tags::DATA);
        }
    }
}
