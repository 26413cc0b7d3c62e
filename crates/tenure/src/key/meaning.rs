//! How far an encoding means the same.

/// How far an encoding means the same: members of a fleet can speak of an entry whose key means the same to
/// all of them.
///
/// ```
/// use tenure::Encoder;
/// use tenure::front::Meaning;
///
/// let mut key = Encoder::new();
/// key.framed(1, b"eu");
/// assert_eq!(key.meaning(), Meaning::Everywhere);
/// key.narrow(Meaning::Process); // the address of an object follows, say
/// key.narrow(Meaning::Version); // once narrow, it stays so
/// assert_eq!(key.meaning(), Meaning::Process);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Meaning {
    /// In every process.
    #[default]
    Everywhere,
    /// Where the language's version is the same, as for compiled code.
    Version,
    /// In this process alone, as for an object's identity.
    Process,
}

impl Meaning {
    /// The meaning with this number.
    pub(super) const fn from_bits(bits: u8) -> Self {
        match bits {
            0 => Self::Everywhere,
            1 => Self::Version,
            _ => Self::Process,
        }
    }
}
