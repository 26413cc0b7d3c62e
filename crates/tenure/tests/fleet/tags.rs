//! What carries a tag ends at all members, in every scope.

use std::sync::Arc;
use std::time::Duration;

use tenure::fleet::{Ending, Terms, Topic};
use tenure::front::{Asked, Next, Patiently};
use tenure::{Cause, Settings};

use crate::support::*;

/// Whether the build of this call has to wait.
fn waits(pools: &Pools, at: u64) -> bool {
    let step = pools.next(
        &key(at).finish(),
        &mut Asked::default(),
        &Tagging("tenant:7"),
    );
    let Ok(Next::Build(build, caller)) = step else {
        panic!("it is there, or being built");
    };
    caller.give_up();
    !build.poll_turn(std::task::Waker::noop())
}

#[test]
fn d1_who_clears_everything_or_a_tag_builds_at_once_and_the_others_spread() {
    let fleet = Arc::default();
    let time = Duration::from_secs(1000);
    let spread = Terms::default().spread(time);
    let (one, two) = (member_with(&fleet, spread), member_with(&fleet, spread));
    let each = pools_with(&two, Settings::default().tags_calls(true));
    let whole = desks(&two, Settings::default().tags(["tenant:7"]));
    two.inlet.forgot();
    assert!(!waits(&each, 1), "there was nothing yet");
    let own_clears: [&dyn Fn(); 2] = [&|| two.engine.clear_all(), &|| {
        two.engine.clear_tag("tenant:7");
    }];
    for clears in own_clears {
        get_tagged(&each, 1, "tenant:7");
        get(&whole, 1, 1);
        one.engine.clear_tag("tenant:7");
        assert!(waits(&each, 1) && waits(&whole, 1));
        assert!(!waits(&each, 2), "nobody has ended it");
        clears();
        assert!(!waits(&each, 1) && !waits(&whole, 1));
    }
    get_tagged(&each, 1, "tenant:7");
    get(&whole, 1, 1);
    one.engine.clear_tag("tenant:7");
    assert!(waits(&each, 1) && waits(&whole, 1));
    two.clock.advance(time);
    assert!(!waits(&each, 1) && !waits(&whole, 1));
}

#[test]
fn d6_a_tag_that_one_member_clears_ends_what_carries_it_at_all_of_them_in_every_scope() {
    let fleet = Arc::default();
    let (one, two) = (member(&fleet), member(&fleet));
    let pools = pools_with(&two, Settings::default().tags_calls(true));
    let desk = desks(&two, Settings::default().tags(["tenant:7"]));
    let other = desks(&two, Settings::default());
    get_tagged(&pools, 1, "tenant:7");
    get_tagged(&pools, 2, "tenant:8");
    get(&desk, 3, 30);
    get(&other, 4, 40);
    one.engine.clear_tag("tenant:7");
    two.engine.run_due();
    let entries = [&pools, &desk, &other].map(|it| it.info().entries);
    assert_eq!(entries, [1, 0, 1]);
    assert_eq!(pools.info().released(Cause::Cleared), 1);
    assert_eq!(fleet.raised(), 1); // and not once more
    two.engine.clear_tag("tenant:8");
    assert_eq!(two.engine.inspect().tags, 0);
    assert_eq!(fleet.raised(), 2);
}

#[test]
fn d6_tags_are_known_to_a_fleet_that_is_joined_after_they_were_built() {
    let fleet: Arc<Fleet> = Arc::default();
    let one = member(&fleet);
    let two = member(&fleet);
    two.engine.leave_fleet();
    let pools = pools_with(&two, Settings::default().tags_calls(true));
    get_tagged(&pools, 1, "tenant:7");
    let bus = Arc::new(Member {
        number: u64::MAX,
        fleet: Arc::clone(&fleet),
    });
    let inlet = two.engine.join_fleet(bus, Terms::default());
    fleet.members.lock().unwrap().push((u64::MAX, inlet));
    one.engine.clear_tag("tenant:7");
    assert_eq!(pools.info().entries, 0);
}

#[test]
fn d6_a_build_that_began_before_the_tag_was_cleared_elsewhere_becomes_no_entry() {
    let fleet = Arc::default();
    let (one, two) = (member(&fleet), member(&fleet));
    let pools = pools_with(&two, Settings::default().tags_calls(true));
    let build = || {
        one.engine.clear_tag("tenant:7");
        Ok(1)
    };
    let call = Tagging("tenant:7");
    let got = pools.get_or_refresh(&key(1).finish(), &Patiently, build, &call);
    assert_eq!(*got.unwrap(), 1);
    assert_eq!(pools.info().entries, 0);
}

#[test]
fn d6_where_it_cannot_be_known_which_tags_were_cleared_all_that_carries_one_ends() {
    let fleet = Arc::default();
    let two = member(&fleet);
    let tagged = desks(
        &two,
        Settings::default()
            .tags(["tenant:7"])
            .max_stale(Duration::from_secs(60)),
    );
    let plain = desks(&two, Settings::default());
    get(&tagged, 1, 10);
    get(&plain, 1, 10);
    two.inlet.forgot();
    two.engine.run_due();
    assert_eq!((tagged.info().entries, plain.info().entries), (0, 1));
}

#[test]
fn d6_a_clear_of_everything_elsewhere_means_what_members_share_and_no_tags() {
    let fleet: Arc<Fleet> = Arc::default();
    let (one, two) = (member(&fleet), member(&fleet));
    let tagged = desks(&two, Settings::default().tags(["tenant:7"]));
    let shared = pools_with(&two, Settings::default().tags(["tenant:7"]));
    get(&tagged, 1, 10);
    get(&shared, 1, 10);
    one.engine.clear_all();
    assert_eq!((tagged.info().entries, shared.info().entries), (1, 0));
    // A member that has too many tags to tell says that any may be meant.
    two.inlet.ended(Topic::AnyTag, Ending::Cleared);
    assert_eq!(tagged.info().entries, 0);
}
