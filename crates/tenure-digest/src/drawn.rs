//! The secret of this process, and the arithmetic of its processor: drawn and found out once.

use std::sync::LazyLock;

use crate::path::Path;
use crate::secret::Secret;

/// A secret, and the arithmetic that digests under it.
pub(crate) struct Drawn {
    pub(crate) secret: Box<Secret>,
    pub(crate) path: Path,
}

/// Those of this process.
pub(crate) static DRAWN: LazyLock<Drawn> = LazyLock::new(|| Drawn {
    secret: Secret::draw(),
    path: Path::available().next().expect("one needs nothing"),
});
