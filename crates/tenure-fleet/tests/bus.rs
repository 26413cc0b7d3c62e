//! What a member raises reaches the others, whatever happens to the server and to what lies in between.

mod support;

use std::time::Duration;

use support::proxy::{Mode, Proxy};
use support::{BOUND, Event, Member, Server, cleared, entry, expired, function, server, tag};
use tenure_fleet::{Ending, State, Topic};

#[test]
fn d1_a_raise_reaches_all_others_and_not_the_one_that_raised() {
    let Some(server) = server() else { return };
    let members: Vec<_> = (0..3).map(|_| Member::joined(server.settings())).collect();
    let topics = [Topic::Everything, function(1), entry(2), tag(3)];
    for topic in topics {
        members[0].raise(topic);
        for member in &members[1..] {
            assert_eq!(member.next(), cleared(topic));
        }
    }
    // The first hears of the second, and of nothing before that.
    members[1].fleet.raise(function(9), Ending::Expired);
    assert_eq!(members[0].next(), expired(function(9)));
    assert!(matches!(members[0].fleet.state(), State::CaughtUp { .. }));
}

#[test]
fn d1_a_clear_and_an_expire_are_both_told() {
    let Some(server) = server() else { return };
    let (one, other) = (
        Member::joined(server.settings()),
        Member::joined(server.settings()),
    );
    one.fleet.raise(function(1), Ending::Expired);
    assert_eq!(other.next(), expired(function(1)));
    one.fleet.raise(function(1), Ending::Cleared);
    assert_eq!(other.next(), cleared(function(1)));
}

/// Whether a member's metrics have this line.
fn says(member: &Member, line: &str) -> bool {
    let text = member.fleet.to_prometheus();
    text.lines().any(|it| it == line)
}

#[test]
fn d1_what_was_raised_meanwhile_is_told_before_a_member_is_caught_up_again() {
    let Some(server) = server() else { return };
    let proxy = Proxy::new(server.port);
    let (away, other) = (
        Member::joined(support::settings(&proxy.url())),
        Member::joined(server.settings()),
    );
    other.raise(function(1));
    assert_eq!(away.next(), cleared(function(1)));
    assert!(says(&away, "tenure_fleet_caught_up 1"));
    proxy.set(Mode::Cut);
    assert_eq!(away.next(), Event::Lost);
    assert!(says(&away, "tenure_fleet_caught_up 0"));
    other.raise(function(2));
    other.fleet.raise(entry(3), Ending::Expired);
    other.raise(function(2));
    // It has been sent when its own next question is answered.
    other.fleet.members(BOUND).unwrap();
    proxy.set(Mode::Forward);
    let mut told = away.until(Event::CaughtUp);
    told.pop();
    told.sort_by_key(|event| format!("{event:?}"));
    assert_eq!(told, [expired(entry(3)), cleared(function(2))]);
}

#[test]
fn d1_what_is_raised_while_the_server_is_away_goes_out_when_it_is_back() {
    let Some(server) = server() else { return };
    let proxy = Proxy::new(server.port);
    let (away, other) = (
        Member::joined(support::settings(&proxy.url())),
        Member::joined(server.settings()),
    );
    proxy.set(Mode::Cut);
    assert_eq!(away.next(), Event::Lost);
    assert_eq!(away.fleet.state(), State::Lost);
    for _ in 0..100 {
        away.raise(entry(1));
        away.raise(tag(2));
    }
    assert!(
        !away.fleet.leave(Duration::ZERO) || !matches!(away.fleet.state(), State::CaughtUp { .. })
    );
    drop(away);
    let away = Member::join(support::settings(&proxy.url()));
    assert_eq!(away.next(), Event::Lost);
    away.raise(entry(1));
    away.raise(tag(2));
    proxy.set(Mode::Forward);
    let told = [other.next(), other.next()];
    assert!(
        told.contains(&cleared(entry(1))) && told.contains(&cleared(tag(2))),
        "{told:?}"
    );
    assert!(!away.until(Event::CaughtUp).contains(&cleared(entry(1))));
}

#[test]
fn d1_a_server_that_is_killed_and_comes_back_empty_has_forgotten() {
    let Some(mut server) = server() else { return };
    let members = [
        Member::joined(server.settings()),
        Member::joined(server.settings()),
    ];
    members[0].raise(function(1));
    assert_eq!(members[1].next(), cleared(function(1)));
    server.kill();
    for member in &members {
        assert_eq!(member.next(), Event::Lost);
    }
    server.run();
    for member in &members {
        assert_eq!(
            [member.next(), member.next()],
            [Event::Forgot, Event::CaughtUp]
        );
    }
    members[1].raise(function(2));
    assert_eq!(members[0].next(), cleared(function(2)));
}

#[test]
fn d1_a_server_that_comes_back_as_it_was_once_has_forgotten() {
    let Some(mut server) = Server::start(&["--dbfilename", "numbers.rdb"]) else {
        return;
    };
    let members = [
        Member::joined(server.settings()),
        Member::joined(server.settings()),
    ];
    members[0].raise(function(1));
    assert_eq!(members[1].next(), cleared(function(1)));
    server.command(&["SAVE"]);
    members[0].raise(function(1));
    assert_eq!(members[1].next(), cleared(function(1)));
    server.kill();
    server.run();
    assert!(
        server
            .command(&["HLEN", &server.name("numbers")])
            .contains(":3")
    );
    for member in &members {
        assert_eq!(
            [member.next(), member.next(), member.next()],
            [Event::Lost, Event::Forgot, Event::CaughtUp]
        );
    }
}

#[test]
fn d1_a_flush_is_noticed_though_the_connection_stays() {
    let Some(server) = server() else { return };
    let members = [
        Member::joined(server.settings()),
        Member::joined(server.settings()),
    ];
    server.command(&["FLUSHALL"]);
    for member in &members {
        assert_eq!(member.next(), Event::Forgot);
    }
    members[0].raise(function(2));
    assert_eq!(members[1].next(), cleared(function(2)));
}

#[test]
fn d1_a_server_that_goes_back_in_place_has_forgotten() {
    let Some(server) = server() else { return };
    let proxy = Proxy::new(server.port);
    let (one, other, away) = (
        Member::joined(server.settings()),
        Member::joined(server.settings()),
        Member::joined(support::settings(&proxy.url())),
    );
    for at in [1, 2] {
        one.raise(function(at));
        assert_eq!(other.next(), cleared(function(at)));
        assert_eq!(away.next(), cleared(function(at)));
    }
    let (numbers, saved) = (server.name("numbers"), server.name("saved"));
    server.command(&["COPY", &numbers, &saved]);
    proxy.set(Mode::Cut);
    assert_eq!(away.next(), Event::Lost);
    one.raise(function(2));
    assert_eq!(other.next(), cleared(function(2)));
    server.command(&["COPY", &saved, &numbers, "REPLACE"]);
    // As many as were lost, so that the count alone tells nothing.
    one.raise(function(3));
    one.until(Event::Forgot);
    assert_eq!(other.until(Event::Forgot)[0], cleared(function(3)));
    // Nobody but those who had heard it could know of the one that was lost.
    proxy.set(Mode::Forward);
    away.until(Event::Forgot);
    one.raise(function(4));
    other.until(cleared(function(4)));
    away.until(cleared(function(4)));
}

#[test]
fn d1_a_server_that_takes_no_writes_for_a_while_gets_them_later() {
    let Some(server) = server() else { return };
    let (one, other) = (
        Member::joined(server.settings()),
        Member::joined(server.settings()),
    );
    one.fleet.members(BOUND).unwrap();
    server.command(&["ACL", "SETUSER", "default", "-evalsha"]);
    one.raise(function(1));
    while !server
        .command(&["INFO", "errorstats"])
        .contains("errorstat_NOPERM")
    {
        std::thread::yield_now();
    }
    server.command(&["ACL", "SETUSER", "default", "+evalsha"]);
    assert_eq!(other.next(), cleared(function(1)));
}

#[test]
fn d1_a_server_that_stands_still_is_lost_and_nothing_else() {
    let Some(server) = server() else { return };
    let fast = |settings: tenure_fleet::Settings| settings.answer(Duration::from_millis(300));
    let members = [
        Member::joined(fast(server.settings())),
        Member::joined(fast(server.settings())),
    ];
    server.signal("-STOP");
    for member in &members {
        assert_eq!(member.next(), Event::Lost);
    }
    members[0].raise(function(1));
    server.signal("-CONT");
    assert_eq!(members[0].next(), Event::CaughtUp);
    let told = [members[1].next(), members[1].next()];
    assert!(
        told.contains(&Event::CaughtUp) && told.contains(&cleared(function(1))),
        "{told:?}"
    );
}

#[test]
fn d1_a_connection_that_says_nothing_is_given_up() {
    let Some(server) = server() else { return };
    for mode in [Mode::HalfOpen, Mode::Hold] {
        let proxy = Proxy::new(server.port);
        let settings = support::settings(&proxy.url()).answer(Duration::from_millis(300));
        let (away, other) = (Member::joined(settings), Member::joined(server.settings()));
        proxy.set(mode);
        other.raise(function(1));
        assert_eq!(away.next(), Event::Lost, "{mode:?}");
        proxy.set(Mode::Forward);
        assert_eq!(
            [away.next(), away.next()],
            [cleared(function(1)), Event::CaughtUp],
            "{mode:?}"
        );
    }
}

#[test]
fn d1_what_comes_a_few_bytes_at_a_time_is_heard_whole() {
    let Some(server) = server() else { return };
    let proxy = Proxy::new(server.port);
    // However slowly it comes.
    let patient = support::settings(&proxy.url()).answer(BOUND);
    let (slow, other) = (Member::joined(patient), Member::joined(server.settings()));
    proxy.set(Mode::Trickle);
    for at in 0..20 {
        other.raise(function(at));
    }
    let mut told: Vec<_> = (0..20).map(|_| slow.next()).collect();
    told.sort_by_key(|event| format!("{event:?}"));
    let mut all: Vec<_> = (0..20).map(|at| cleared(function(at))).collect();
    all.sort_by_key(|event| format!("{event:?}"));
    assert_eq!(told, all);
}

#[test]
fn d1_a_subscriber_that_was_dropped_for_being_slow_reads_what_it_missed() {
    let limit = ["--client-output-buffer-limit", "pubsub 1mb 0 0"];
    let Some(server) = Server::start(&limit) else {
        return;
    };
    let proxy = Proxy::new(server.port);
    // It does not notice by itself that nothing comes.
    let patient = support::settings(&proxy.url()).answer(BOUND);
    let (slow, other) = (Member::joined(patient), Member::joined(server.settings()));
    proxy.set(Mode::Hold);
    let (much, raised) = ("x".repeat(1 << 16), server.name("raised"));
    while server
        .command(&["CLIENT", "LIST"])
        .matches(" sub=1")
        .count()
        == 2
    {
        server.command(&["PUBLISH", &raised, &much]);
    }
    other.raise(function(1));
    other.fleet.members(BOUND).unwrap();
    proxy.set(Mode::Forward);
    let told = slow.until(Event::CaughtUp);
    assert!(
        told.contains(&Event::Lost) && told.contains(&cleared(function(1))),
        "{told:?}"
    );
}

#[test]
fn d1_a_newcomer_is_told_of_what_was_raised_before_it_was_connected() {
    let Some(server) = server() else { return };
    let proxy = Proxy::new(server.port);
    let old = Member::joined(server.settings());
    proxy.set(Mode::Cut);
    let new = Member::join(support::settings(&proxy.url()));
    assert_eq!(new.next(), Event::Lost);
    old.raise(function(1));
    old.fleet.members(BOUND).unwrap();
    proxy.set(Mode::Forward);
    assert!(
        new.until(Event::CaughtUp)
            .iter()
            .any(|event| [cleared(function(1)), Event::Forgot].contains(event))
    );
}

#[test]
fn d1_fleets_of_other_names_and_other_secrets_do_not_hear_each_other() {
    let Some(server) = server() else { return };
    let (one, other) = (
        Member::joined(server.settings()),
        Member::joined(server.settings().name("other")),
    );
    one.raise(function(1));
    one.fleet.members(BOUND).unwrap();
    let third = Member::joined(server.settings().name("other"));
    third.raise(function(2));
    assert_eq!(other.next(), cleared(function(2)));
}

#[test]
fn a_password_is_asked_for_and_given() {
    let Some(server) = Server::start(&["--requirepass", "open sesame"]) else {
        return;
    };
    let url = format!("redis://:open%20sesame@127.0.0.1:{}", server.port);
    let (one, other) = (
        Member::joined(support::settings(&url)),
        Member::joined(support::settings(&url)),
    );
    one.raise(function(1));
    assert_eq!(other.next(), cleared(function(1)));
    let shut_out = Member::join(server.settings());
    assert_eq!(shut_out.next(), Event::Lost);
}

#[test]
fn a_unix_socket_will_do() {
    let Some(server) = server() else { return };
    let url = format!("unix://{}", server.socket().display());
    let (one, other) = (
        Member::joined(support::settings(&url)),
        Member::joined(server.settings()),
    );
    one.raise(function(1));
    assert_eq!(other.next(), cleared(function(1)));
}

#[test]
fn d1_a_member_that_leaves_sends_what_it_has_raised() {
    let Some(server) = server() else { return };
    let (one, other) = (
        Member::joined(server.settings()),
        Member::joined(server.settings()),
    );
    for at in 0..200 {
        one.raise(entry(at));
    }
    assert!(one.fleet.leave(BOUND));
    for _ in 0..200 {
        assert!(matches!(
            other.next(),
            Event::Ended(Topic::Entry { .. }, Ending::Cleared)
        ));
    }
}
