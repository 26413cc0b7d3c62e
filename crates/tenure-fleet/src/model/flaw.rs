//! The flaws that a protocol can have.

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
    /// A message that does not follow on the last means nothing.
    GapIsNothing,
    /// The answer to a ping means nothing.
    PongIsNothing,
    /// Numbers that are not those that were heard are taken as they are.
    BackIsNothing,
    /// A message that comes late stands for what has been raised since.
    LateStands,
    /// A fold is believed by a member that has not heard all before it.
    FoldOverGap,
    /// A fold leaves no number behind.
    FoldUnseen,
    /// A member takes what it finds when it joins as what it has always known.
    NewcomerTrusts,
    /// A raise that is sent once more has the number that it had.
    SameNumberAgain,
    /// A raise that was sent counts as done.
    SentIsDone,
}
