//! What else members have from their server: permits to build, what they know of each other, and numbers that fold.

mod support;

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use support::proxy::{Mode, Proxy};
use support::{BOUND, Event, Member, Server, cleared, entry, function, server, tag};
use tenure_fleet::{Ending, Fleet, Listener, Mark, Purpose, State, Topic};

const NEVER: fn() -> bool = || false;

fn key(member: &Member) -> Mark {
    member.fleet.mark(Purpose::Permit, &[b"model"])
}

#[test]
fn d3_at_most_so_many_members_hold_a_permit() {
    let Some(server) = server() else { return };
    for at_most in [1, 3] {
        let (holding, most) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let begin = Arc::new(Barrier::new(6));
        let builders: Vec<_> = (0..6)
            .map(|_| {
                let member = Member::joined(server.settings());
                let (holding, most, begin) = (holding.clone(), most.clone(), begin.clone());
                thread::spawn(move || {
                    begin.wait();
                    let permit = member
                        .fleet
                        .permit(key(&member), at_most, &NEVER)
                        .expect("it is given");
                    most.fetch_max(holding.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    assert!(permit.is_held());
                    holding.fetch_sub(1, Ordering::SeqCst);
                    permit.fence()
                })
            })
            .collect();
        let mut fences: Vec<_> = builders
            .into_iter()
            .map(|builder| builder.join().unwrap())
            .collect();
        assert!((1..=at_most).contains(&most.load(Ordering::SeqCst)));
        fences.sort_unstable();
        fences.dedup();
        assert_eq!(fences.len(), 6, "no two permits have one number");
    }
}

#[test]
fn d3_a_permit_is_held_until_it_is_dropped_and_the_next_has_a_greater_number() {
    let Some(server) = server() else { return };
    let short = || server.settings().permit_for(Duration::from_millis(150));
    let (one, other) = (Member::joined(short()), Member::joined(short()));
    let first = one.fleet.permit(key(&one), 1, &NEVER).unwrap();
    let (tell, told) = channel();
    let asking = other
        .fleet
        .ask_permit(key(&other), 1, move |permit| tell.send(permit).unwrap());
    // Renewed for longer than it lasts by itself, as the server counts.
    let name = server.name(&format!("permit:{}", key(&one)));
    let until = |server: &Server| server.command(&["ZRANGE", &name, "0", "-1", "WITHSCORES"]);
    let mut changes = 0;
    let mut last = until(&server);
    while changes < 5 {
        let now = until(&server);
        changes += u32::from(now != last);
        last = now;
    }
    assert!(first.is_held() && told.try_recv().is_err());
    let fence = first.fence();
    drop(first);
    let second = told.recv_timeout(BOUND).unwrap().unwrap();
    assert!(second.fence() > fence);
    drop(asking);
}

#[test]
fn d3_the_permit_of_a_dead_builder_runs_out() {
    let Some(server) = server() else { return };
    let proxy = Proxy::new(server.port);
    let short = |url: &str| support::settings(url).permit_for(Duration::from_millis(300));
    let (dead, other) = (
        Member::joined(short(&proxy.url())),
        Member::joined(short(&server.url())),
    );
    let permit = dead.fleet.permit(key(&dead), 1, &NEVER).unwrap();
    // From here on nothing of it reaches the server, as if it were dead.
    proxy.set(Mode::Cut);
    assert!(other.fleet.permit(key(&other), 1, &NEVER).is_some());
    drop(permit);
}

#[test]
fn d3_a_holder_whose_permit_ran_out_learns_of_it() {
    let Some(server) = server() else { return };
    let member = Member::joined(server.settings().permit_for(Duration::from_millis(150)));
    let permit = member.fleet.permit(key(&member), 1, &NEVER).unwrap();
    server.command(&["DEL", &server.name(&format!("permit:{}", key(&member)))]);
    let begun = Instant::now();
    while permit.is_held() {
        assert!(begun.elapsed() < BOUND, "it never learns");
        thread::yield_now();
    }
}

#[test]
fn d3_without_the_server_members_go_on_alone() {
    let Some(mut server) = server() else { return };
    let member = Member::joined(server.settings());
    let waiting = Member::joined(server.settings());
    let held = member.fleet.permit(key(&member), 1, &NEVER).unwrap();
    let (tell, told) = channel();
    let _asking = waiting.fleet.ask_permit(key(&waiting), 1, move |permit| {
        tell.send(permit.is_some()).unwrap()
    });
    server.kill();
    assert!(!told.recv_timeout(BOUND).unwrap());
    member.until(Event::Lost);
    assert!(member.fleet.permit(key(&member), 1, &NEVER).is_none());
    drop(held);
}

#[test]
fn d3_a_build_at_the_start_waits_for_the_connection_and_not_for_a_server_that_is_away() {
    let Some(server) = server() else { return };
    let member = Member::join(server.settings());
    assert!(member.fleet.permit(key(&member), 1, &NEVER).is_some());
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let member = Member::join(support::settings(&format!("redis://{nobody}")));
    assert!(member.fleet.permit(key(&member), 1, &NEVER).is_none());
}

#[test]
fn d3_whoever_waits_for_a_permit_can_be_stopped() {
    let Some(server) = server() else { return };
    let (one, other) = (
        Member::joined(server.settings()),
        Member::joined(server.settings()),
    );
    let held = one.fleet.permit(key(&one), 1, &NEVER).unwrap();
    let stop = AtomicBool::new(false);
    let (fleet, key_of_other) = (other.fleet.clone(), key(&other));
    thread::scope(|scope| {
        let waits = scope.spawn(|| fleet.permit(key_of_other, 1, &|| stop.load(Ordering::Relaxed)));
        stop.store(true, Ordering::Relaxed);
        assert!(waits.join().unwrap().is_none());
    });
    assert!(held.is_held());
    // The question went with whoever asked it.
    drop(held);
    assert!(one.fleet.permit(key(&one), 1, &NEVER).is_some());
}

#[test]
fn d3_a_member_that_leaves_gives_its_permits_back() {
    let Some(server) = server() else { return };
    let (one, other) = (
        Member::joined(server.settings()),
        Member::joined(server.settings()),
    );
    let held = one.fleet.permit(key(&one), 1, &NEVER).unwrap();
    assert!(one.fleet.leave(BOUND));
    assert!(other.fleet.permit(key(&other), 1, &NEVER).is_some());
    assert!(one.fleet.permit(key(&one), 1, &NEVER).is_none());
    drop(held);
}

#[test]
fn d5_members_are_seen_with_their_figures_until_they_leave() {
    let Some(server) = server() else { return };
    let one = Member::joined(server.settings());
    let other = Member::joined(server.settings().host("elsewhere"));
    other.fleet.members(BOUND).unwrap();
    let mut seen = one.fleet.members(BOUND).unwrap();
    seen.sort_by_key(|member| !member.is_this);
    let [this, that] = &seen[..] else {
        panic!("{seen:?}")
    };
    assert_eq!(
        (this.id.clone(), this.host.as_str(), this.is_this),
        (one.fleet.id(), "here", true)
    );
    assert_eq!(
        (that.id.clone(), that.host.as_str(), that.is_this),
        (other.fleet.id(), "elsewhere", false)
    );
    assert_eq!(
        (that.process, that.figures.as_str()),
        (std::process::id(), r#"{"entries": 3}"#)
    );
    assert_eq!((this.behind, that.behind), (0, 0));
    assert!(other.fleet.leave(BOUND));
    assert_eq!(one.fleet.members(BOUND).unwrap().len(), 1);
    assert!(other.fleet.members(BOUND).unwrap_err().is_unanswered());
}

/// A keeper of entries that takes as long as the test says to be told of an end.
struct Slow {
    is_told: Mutex<Sender<()>>,
    goes_on: Mutex<Receiver<()>>,
}

impl Listener for Slow {
    fn ended(&self, _: Topic, _: Ending) {
        let _ = self.is_told.lock().unwrap().send(());
        let _ = self.goes_on.lock().unwrap().recv();
    }
    fn forgot(&self) {}
    fn lost(&self) {}
    fn caught_up(&self) {}
    fn figures(&self) -> String {
        "{}".into()
    }
}

#[test]
fn d5_a_member_that_hears_is_never_behind_and_one_that_does_not_is_by_what_it_has_not_heard() {
    let Some(server) = server() else { return };
    let (one, other) = (
        Member::joined(server.settings()),
        Member::joined(server.settings()),
    );
    let behind = |id: &str| {
        let members = one.fleet.members(BOUND).unwrap();
        let found = members.iter().find(|it| it.id == id);
        found.map(|it| it.behind)
    };
    other.fleet.members(BOUND).unwrap();
    for name in 0..20 {
        one.raise(function(name));
        assert_eq!(behind(&other.fleet.id()), Some(0));
        assert_eq!(behind(&one.fleet.id()), Some(0));
    }
    let ((is_told, told), (go_on, goes_on)) = (channel(), channel());
    let slow = Slow {
        is_told: Mutex::new(is_told),
        goes_on: Mutex::new(goes_on),
    };
    let often = server.settings().answer(Duration::from_millis(300));
    let often = often.figures(Duration::from_millis(50));
    let slow = Fleet::join(often, Arc::new(slow)).unwrap();
    assert!(matches!(slow.await_contact(BOUND), State::CaughtUp { .. }));
    one.raise(function(21));
    told.recv_timeout(BOUND).unwrap();
    one.raise(function(22));
    one.raise(function(23));
    let until = |number: u64| {
        let begun = Instant::now();
        while behind(&slow.id()) != Some(number) {
            assert!(begun.elapsed() < BOUND, "{:?}", behind(&slow.id()));
            std::thread::yield_now();
        }
    };
    until(3);
    drop(go_on);
    until(0);
}

#[test]
fn d5_a_member_that_dies_is_seen_for_a_while_only() {
    let Some(server) = server() else { return };
    let proxy = Proxy::new(server.port);
    let quick = |url: &str| support::settings(url).figures(Duration::from_millis(50));
    let (dead, other) = (
        Member::joined(quick(&proxy.url())),
        Member::joined(quick(&server.url())),
    );
    dead.fleet.members(BOUND).unwrap();
    assert_eq!(other.fleet.members(BOUND).unwrap().len(), 2);
    proxy.set(Mode::Cut);
    while other.fleet.members(BOUND).unwrap().len() == 2 {
        thread::yield_now();
    }
    proxy.set(Mode::Forward);
    dead.until(Event::CaughtUp);
    dead.fleet.members(BOUND).unwrap();
    assert_eq!(other.fleet.members(BOUND).unwrap().len(), 2);
}

#[test]
fn d2_neither_names_nor_figures_nor_secrets_are_on_the_server() {
    let Some(server) = Server::start(&["--rdbcompression", "no"]) else {
        return;
    };
    let member = Member::joined(server.settings().host("a-host-of-mine"));
    let name = member.fleet.mark(Purpose::Function, &[b"shop.prices"]);
    member.fleet.raise(
        tenure_fleet::Topic::Function(name),
        tenure_fleet::Ending::Cleared,
    );
    member.fleet.members(BOUND).unwrap();
    let _permit = member
        .fleet
        .permit(
            member.fleet.mark(Purpose::Permit, &[b"shop.prices"]),
            1,
            &NEVER,
        )
        .unwrap();
    server.command(&["SAVE"]);
    let saved = std::fs::read(server.folder.join("dump.rdb")).unwrap();
    let found = |text: &str| {
        saved
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    };
    assert!(found(&name.to_string()), "the marks are there to be found");
    for hidden in [
        "shop",
        "prices",
        "a-host-of-mine",
        "entries\": 3",
        support::SECRET,
    ] {
        assert!(!found(hidden), "{hidden}");
    }
}

#[test]
fn d1_numbers_that_are_too_many_fold_and_whoever_hears_it_clears_nothing() {
    let Some(server) = server() else { return };
    let few = |url: &str| support::settings(url).fold(Duration::from_secs(3600), 10);
    let proxy = Proxy::new(server.port);
    let (one, other) = (
        Member::joined(few(&server.url())),
        Member::joined(few(&server.url())),
    );
    let away = Member::joined(few(&proxy.url()));
    one.raise(function(1));
    assert_eq!([other.next(), away.next()], [cleared(function(1)); 2]);
    proxy.set(Mode::Cut);
    away.until(Event::Lost);
    for at in 0..40 {
        one.raise(entry(at));
        assert_eq!(other.next(), cleared(entry(at)));
    }
    let kept = || server.command(&["HLEN", &server.name("numbers")]);
    // The epoch, the head, the function, what speaks for its entries, and ten of these.
    while !kept().contains(":14\r") {
        assert!(!kept().contains(":5\r"));
        one.raise(entry(50));
        assert_eq!(other.next(), cleared(entry(50)));
    }
    // It has heard of the fold, told nobody, and reads nothing again.
    one.raise(function(2));
    assert_eq!(other.next(), cleared(function(2)));
    // Whoever was away has the whole function ended, since it cannot know which entries were.
    proxy.set(Mode::Forward);
    let told = away.until(Event::CaughtUp);
    let support_function = cleared(function(7));
    assert!(
        told.contains(&support_function) && told.contains(&cleared(function(2))),
        "{told:?}"
    );
    assert!(
        !told
            .iter()
            .any(|event| matches!(event, Event::Ended(tenure_fleet::Topic::Entry { .. }, _))),
        "{told:?}"
    );
}

#[test]
fn d1_members_that_raise_fold_and_come_and_go_at_once_never_take_the_server_for_one_that_went_back()
{
    let Some(server) = server() else { return };
    let few = |url: &str| support::settings(url).fold(Duration::from_secs(3600), 10);
    let proxy = Proxy::new(server.port);
    let members = [
        Member::joined(few(&server.url())),
        Member::joined(few(&server.url())),
        Member::joined(few(&proxy.url())),
    ];
    let came_to = |last: Event| {
        let events = members[2].until(last);
        assert!(!events.contains(&Event::Forgot), "{events:?}");
    };
    std::thread::scope(|scope| {
        for (member, own) in members.iter().zip(0..) {
            let fleet = &member.fleet;
            scope.spawn(move || {
                for at in (0..60).cycle().take(400) {
                    fleet.raise(entry(at + own), Ending::Cleared);
                    std::thread::yield_now();
                }
            });
        }
        for _ in 0..4 {
            proxy.set(Mode::Cut);
            came_to(Event::Lost);
            proxy.set(Mode::Forward);
            came_to(Event::CaughtUp);
        }
    });
    for (at, member) in (200..).zip(&members) {
        member.raise(function(at));
    }
    for (at, member) in members.iter().enumerate() {
        let mut awaited: Vec<Event> = (200..203).map(function).map(cleared).collect();
        awaited.remove(at);
        while !awaited.is_empty() {
            let event = member.next();
            assert_ne!(event, Event::Forgot, "member {at}");
            awaited.retain(|it| *it != event);
        }
    }
}

#[test]
fn d1_ages_that_were_thrown_away_are_known_anew_before_the_next_number_has_one() {
    let Some(server) = server() else { return };
    let few = |url: &str| support::settings(url).fold(Duration::from_secs(3600), 10);
    let proxy = Proxy::new(server.port);
    let one = Member::joined(few(&server.url()));
    let other = Member::joined(few(&proxy.url()));
    let raise = |at: u8| {
        one.raise(entry(at));
        assert_eq!(other.next(), cleared(entry(at)));
    };
    (0..5).for_each(raise);
    server.command(&["DEL", &server.name("ages")]);
    (5..30).for_each(raise);
    let kept = || server.command(&["HLEN", &server.name("numbers")]);
    // The epoch, the head, what speaks for the entries, and ten of these.
    while !kept().contains(":13\r") {
        raise(30);
    }
    proxy.set(Mode::Cut);
    other.until(Event::Lost);
    proxy.set(Mode::Forward);
    assert_eq!(other.until(Event::CaughtUp), [Event::CaughtUp]);
}

#[test]
fn d1_numbers_that_are_old_fold_and_those_of_tags_into_one_for_all_tags() {
    let Some(server) = server() else { return };
    let brief = |url: &str| support::settings(url).fold(Duration::from_millis(60), 10_000);
    let proxy = Proxy::new(server.port);
    let (one, away) = (
        Member::joined(brief(&server.url())),
        Member::joined(brief(&proxy.url())),
    );
    proxy.set(Mode::Cut);
    away.until(Event::Lost);
    one.raise(tag(1));
    one.fleet.members(BOUND).unwrap();
    while server
        .command(&["HEXISTS", &server.name("numbers"), "clear:tags"])
        .contains(":0")
    {
        thread::yield_now();
    }
    assert!(
        server
            .command(&["EXISTS", &server.name("ages")])
            .contains(":0")
    );
    proxy.set(Mode::Forward);
    assert!(
        away.until(Event::CaughtUp)
            .contains(&cleared(tenure_fleet::Topic::AnyTag))
    );
}
