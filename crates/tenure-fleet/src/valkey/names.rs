//! Under which names a fleet's things are kept on the server.

use crate::mark::Mark;

/// The names of one fleet. What stands in braces has all of them on one node of a cluster; `v1` is the version of what is
/// written there, so that members of different versions do not misread each other; and what follows stands for the secret,
/// so that those with another one are in another fleet.
#[derive(Clone)]
pub(crate) struct Names {
    /// A hash: the epoch, the head, and a number for each topic. One key for all of them, so that a server that throws
    /// away what it has no room for cannot lose some of it.
    pub(crate) numbers: String,
    /// A sorted set: which numbers of entries and tags are the oldest.
    pub(crate) ages: String,
    /// The channel. All databases of a server have their channels in common.
    pub(crate) raised: String,
    /// A sorted set: the members, and until when they are.
    pub(crate) members: String,
    /// The last fencing number.
    pub(crate) gifts: String,
    before: String,
}

impl Names {
    pub(crate) fn new(fleet: &str, secret: &[u8], database: u32) -> Self {
        let [a, b, c, d, ..] = blake3::derive_key("tenure fleet v1 name", secret);
        let secret = u32::from_be_bytes([a, b, c, d]);
        let before = format!("{{tenure:{fleet}}}:v1:{secret:08x}:");
        let name = |what: &str| format!("{before}{what}");
        Self {
            numbers: name("numbers"),
            ages: name("ages"),
            raised: match database {
                0 => name("raised"),
                other => name(&format!("raised:{other}")),
            },
            members: name("members"),
            gifts: name("gifts"),
            before,
        }
    }

    /// The card of a member.
    pub(crate) fn member(&self, member: u64) -> String {
        format!("{}member:{member:016x}", self.before)
    }

    /// A sorted set: who holds a permit, and until when.
    pub(crate) fn permit(&self, key: Mark) -> String {
        format!("{}permit:{key}", self.before)
    }
}
