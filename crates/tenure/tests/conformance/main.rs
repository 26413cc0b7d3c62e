//! The promises of the engine, each test named for the one it keeps, in every scope, with and
//! without a host. After each test the world looks for leftovers.

#[path = "../support/mod.rs"]
mod support;

mod by_hand;
mod callers;
mod drain;
mod life;
mod orphans;
mod own_clears;
mod reentry;
mod scopes;
mod shown;
mod shutdown;
mod tasks;
mod terms;

use support::World;
use tenure::Scope;

fn run(scope: Scope, hosted: bool, test: fn(&World)) {
    let world = World::new(scope, hosted);
    test(&world);
    world.check();
    world.check_all_released();
}

/// Runs each test in each world that it is for.
macro_rules! suite {
    ($($module:ident: $($test:ident)+;)+) => {
        mod global_bare {
            $($(#[test] fn $test() { super::run(super::Scope::Global, false, super::$module::$test) })+)+
        }
        mod global_hosted {
            $($(#[test] fn $test() { super::run(super::Scope::Global, true, super::$module::$test) })+)+
        }
        mod session_hosted {
            $($(#[test] fn $test() { super::run(super::Scope::Session, true, super::$module::$test) })+)+
        }
    };
}

suite! {
    callers:
        c1_one_build_per_key
        c1_builds_of_other_keys_go_on
        c2_waiters_share_the_failure
        c2_a_failure_is_not_kept
        c3_its_own_entry_is_a_cycle
        c3_a_cycle_across_two_threads
        c3_a_cycle_across_three_threads
        c3_what_two_need_is_no_cycle
        c3_a_need_that_is_over_closes_no_circle
        c4_a_wait_can_be_interrupted
        c4_a_build_that_dies_hands_on
        c4_a_build_that_panics_hands_on
        c4_a_death_with_nobody_waiting_leaves_nothing;
    tasks:
        c1_one_build_for_tasks_and_threads
        c3_a_cycle_across_tasks
        c4_a_build_that_nobody_polls_is_named_in_the_log
        c4_a_cancelled_task_hands_on
        c4_a_blocking_build_may_take_its_time
        c4_a_task_that_stops_waiting_leaves_no_waker;
    life:
        l1_evicted
        l1_expired
        l1_cleared
        l1_cleared_last_built_first
        l1_invalid
        l1_superseded
        l19_a_discarded_lease_is_released_once_and_its_successor_stays
        l20_a_shutdown_is_true_only_without_leases
        f6_superseded_by_what_it_is_made_of
        l1_no_lease_no_call_is_left_out
        l3_a_release_that_fails_reaches_no_caller
        l4_expired_is_released_with_nobody_calling
        l4_expired_is_never_returned
        l4_expired_during_its_check_is_not_returned
        l4_a_waiter_that_wakes_late_builds_anew
        l4_one_deadline_is_watched_at_a_time
        l9_invalid_is_released_and_built_anew
        l9_a_check_that_is_interrupted_keeps_the_entry
        l9_cleared_during_its_check_is_not_returned
        l10_the_oldest_goes_first
        l10_nothing_is_kept_for_keys_that_are_gone
        v1_the_figures_add_up;
    reentry:
        l2_a_release_may_ask_for_its_own_entry
        l2_a_slow_release_delays_nobody
        l2_a_slow_check_delays_nobody
        l2_a_failure_is_cloned_without_a_lock
        l2_a_check_may_clear_its_own_entry;
    orphans:
        l8_cleared_while_it_was_built
        l8_its_entry_cleared_while_it_was_built
        l8_superseded_while_it_was_built
        l8_an_orphan_overwrites_nothing
        l8_an_orphan_waits_until_it_is_let_go;
    own_clears:
        l13_a_build_that_clears_itself_is_kept
        l13_what_stood_before_is_released_first
        l13_a_nested_build_clears_for_those_around_it
        l13_a_task_clears_for_its_own_build_only
        l13_a_clear_by_a_thread_of_the_build_is_anothers;
    by_hand:
        l1_what_is_put_in_is_an_entry_like_any_other
        l1_what_is_replaced_stays_with_who_asked_for_it
        v1_a_look_builds_nothing_and_counts_nothing
        v1_a_look_waits_for_no_build
        l8_a_build_that_something_was_put_before_is_an_orphan
        l10_what_is_put_in_makes_room_first
        l1_those_that_are_meant_are_cleared
        v1_each_entry_has_its_figures
        l1_what_is_not_to_be_kept_goes_to_its_callers_alone
        l1_a_question_whether_to_keep_that_is_interrupted_loses_nothing;
    drain:
        l5_a_lease_keeps_its_resource
        l5_watched_waits_for_its_users
        l5_watched_is_released_when_its_time_is_over
        l5_without_a_drain_release_is_at_once
        l5_a_late_lease_is_warned_of
        l5_a_lease_that_is_back_warns_of_nothing
        l5_the_engines_drain_holds_for_all;
    shutdown:
        l6_last_built_first
        l6_a_callback_finds_what_is_older
        l6_what_a_callback_builds_is_released_too
        l6_what_drains_is_released_in_its_place
        l6_a_build_under_way_becomes_an_orphan
        l6_the_engine_goes_on_afterwards;
    terms:
        a4_the_old_one_serves_until_its_successor_is_there
        a4_the_old_one_serves_where_no_successor_can_be_built
        a6_a_shutdown_gives_up_what_waits_for_its_turn
        a6_what_is_warm_is_there_for_the_first_caller
        a6_what_warms_waits_for_its_turn
        l14_what_lies_idle_goes_unless_it_is_held
        l15_no_more_is_kept_than_may_be
        l17_what_expires_by_hand_is_refreshed_or_gone;
    scopes:
        s1_or_s2_one_for_all_who_share_it;
}

mod hosted {
    use super::{Scope, run, scopes, shown, shutdown};

    macro_rules! once {
        ($($module:ident: $($test:ident)+;)+) => {
            $($(#[test] fn $test() { run(Scope::Session, true, $module::$test) })+)+
        };
    }

    once! {
        scopes:
            s1_global_is_one_for_all_sessions
            s2_each_session_has_its_own
            s2_its_end_releases_what_it_holds
            s2_what_was_built_last_goes_first
            s2_what_all_share_is_not_built_on_what_is_ones_own
            s2_a_host_may_lend_its_sessions_to_what_all_share
            s2_a_session_that_ended_before_it_was_joined_leaves_nothing
            s3_without_a_session_it_is_an_error
            s4_a_session_that_comes_back_finds_its_resources
            s4_a_session_that_stays_away_ends
            s4_within_the_grace_period_the_late_ones_wait_with_the_rest
            s4_an_end_that_comes_after_the_return_is_void
            s5_the_end_of_one_touches_no_other
            l8_its_session_ended_while_it_was_built
            l8_what_is_built_for_a_session_that_has_ended_is_an_orphan
            clears_are_for_the_present_session;
        shown:
            h3_a_build_that_ends_at_once_shows_nothing
            h3_a_long_build_shows_its_text_once
            h3_the_text_can_be_given_or_left_out
            h3_only_the_outermost_build_shows
            h3_who_waits_sees_it_too
            h3_a_build_that_panics_hides_its_spinner
            h4_a_hit_replays
            h4_who_waited_replays
            h4_what_stands_in_for_a_build_that_takes_too_long_replays
            h4_nested_recordings_are_part_of_the_outer_one
            l2_a_host_that_needs_the_entry_is_a_cycle
            c4_a_host_can_have_who_waits_stop;
        shutdown:
            l6_sessions_end_with_it;
    }
}

#[test]
fn s3_without_a_host_there_is_no_session() {
    run(
        Scope::Global,
        false,
        scopes::s3_without_a_session_it_is_an_error,
    );
}
