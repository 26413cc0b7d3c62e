//! The protocol, checked: see the models below.

/// A defect on which the models are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Flaw {
    /// There is none.
    None,
    /// Numbers are read before the subscription stands.
    ReadFirst,
    /// The server's run is not looked at.
    NoRun,
    /// The epoch is not looked at.
    NoEpoch,
    /// A number counts as new only where it is greater.
    Greater,
    /// A member's own number is nothing new to it, also where it was read.
    OwnIsNothingNew,
    /// A number that is gone means nothing.
    GoneIsNothingNew,
    /// What is heard before the numbers are read is dropped.
    EarlyIsDropped,
    /// A message that does not follow on the last means nothing.
    GapIsNothing,
    /// The answer to a ping means nothing.
    PongIsNothing,
    /// A fold is believed by a member that has not heard all before it.
    FoldOverGap,
    /// A member takes what it finds when it joins as what it has always known.
    NewcomerTrusts,
}
