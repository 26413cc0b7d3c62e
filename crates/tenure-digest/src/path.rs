//! The arithmetics that this processor has.

#[cfg(all(target_arch = "aarch64", target_endian = "little"))]
use crate::aarch64::Pmull;
use crate::engine::{Engine, Portable};
use crate::secret::Secret;
#[cfg(target_arch = "x86_64")]
use crate::x86::{Middle, Narrow, Wide};

/// The arithmetic in use: chosen once, when the secret is drawn.
#[derive(Clone, Copy)]
pub(crate) enum Path {
    #[cfg(target_arch = "x86_64")]
    Wide(Wide),
    #[cfg(target_arch = "x86_64")]
    Middle(Middle),
    #[cfg(target_arch = "x86_64")]
    Narrow(Narrow),
    #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
    Pmull(Pmull),
    Portable(Portable),
}

/// Does something with the arithmetic that a path is, compiled for each.
macro_rules! dispatch {
    ($path:expr, $engine:ident => $body:expr) => {
        match $path {
            #[cfg(target_arch = "x86_64")]
            $crate::path::Path::Wide($engine) => $body,
            #[cfg(target_arch = "x86_64")]
            $crate::path::Path::Middle($engine) => $body,
            #[cfg(target_arch = "x86_64")]
            $crate::path::Path::Narrow($engine) => $body,
            #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
            $crate::path::Path::Pmull($engine) => $body,
            $crate::path::Path::Portable($engine) => $body,
        }
    };
}
pub(crate) use dispatch;

impl Path {
    /// All that this processor has, the fastest first.
    pub(crate) fn available() -> impl Iterator<Item = Self> {
        [
            #[cfg(target_arch = "x86_64")]
            Wide::detect().map(Path::Wide),
            #[cfg(target_arch = "x86_64")]
            Middle::detect().map(Path::Middle),
            #[cfg(target_arch = "x86_64")]
            Narrow::detect().map(Path::Narrow),
            #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
            Pmull::detect().map(Path::Pmull),
            Some(Path::Portable(Portable)),
        ]
        .into_iter()
        .flatten()
    }

    #[inline]
    pub(crate) fn digest(self, secret: &Secret, bytes: &[u8]) -> u128 {
        dispatch!(self, engine => engine.digest(secret, bytes))
    }
}
