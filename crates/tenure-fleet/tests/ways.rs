//! The ways to a server that a URL can name: TLS, users, sentinels, the nodes of a cluster.

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use support::{BOUND, Event, Member, Server, cleared, free_port, function, server, settings};

/// What a user of the server has to be allowed to do. The guide shows this.
const ALLOWED: &str = "+hello +auth +select +client|setname +info +script|load +evalsha +subscribe +publish +time +exists \
                       +get +set +mget +del +pexpire +hget +hmget +hset +hdel +hgetall +hincrby +zadd +zcard +zrange +zrem \
                       +zremrangebyscore +zscore";

fn hear_each_other(one: &Member, other: &Member) {
    one.raise(function(1));
    assert_eq!(other.next(), cleared(function(1)));
    other.raise(function(2));
    assert_eq!(one.next(), cleared(function(2)));
}

#[test]
fn a_user_needs_no_more_than_the_guide_says() {
    let Some(server) = server() else { return };
    let mut rule = vec![
        "ACL",
        "SETUSER",
        "fleet",
        "on",
        ">pass",
        "~{tenure:*}:v1:*",
        "&{tenure:*}:v1:*",
    ];
    rule.extend(ALLOWED.split_whitespace());
    assert!(server.command(&rule).starts_with("+OK"));
    let url = format!("redis://fleet:pass@127.0.0.1:{}", server.port);
    let (one, other) = (
        Member::joined(settings(&url)),
        Member::joined(settings(&url)),
    );
    hear_each_other(&one, &other);
    while one.fleet.members(BOUND).unwrap().len() < 2 {
        thread::yield_now(); // The other has not said yet who it is.
    }
    let permit = one.fleet.permit(tenure_fleet::Mark([1; 16]), 1, &|| false);
    assert!(permit.is_some());
    drop(permit);
    assert!(
        other
            .fleet
            .permit(tenure_fleet::Mark([1; 16]), 1, &|| false)
            .is_some()
    );
    assert!(one.fleet.leave(BOUND));
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide/fleet.md");
    // A packed crate has no guide beside it.
    if let Ok(guide) = std::fs::read_to_string(guide) {
        let words: Vec<_> = guide.split_whitespace().collect();
        assert!(
            ALLOWED.split_whitespace().all(|word| words.contains(&word)),
            "{ALLOWED}"
        );
    }
}

/// A certificate for this machine, and the authority behind it; None where there is no openssl.
fn certificates(folder: &Path) -> Option<()> {
    let run = |line: &str| {
        let mut command = Command::new("openssl");
        let done = command
            .args(line.split(' '))
            .current_dir(folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        done.is_ok_and(|status| status.success()).then_some(())
    };
    let ec = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    run(&format!(
        "req -x509 {ec} -keyout ca.key -out ca.pem -subj /CN=authority -days 2"
    ))?;
    run(&format!(
        "req {ec} -keyout key.pem -out request.pem -subj /CN=localhost"
    ))?;
    std::fs::write(
        folder.join("names"),
        "subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n",
    )
    .unwrap();
    run(
        "x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -out cert.pem -days 2 -extfile names",
    )
}

/// A server that speaks TLS at a port of its own, and asks who one is; and where the certificates are.
fn secured(name: &str) -> Option<(Server, u16, PathBuf)> {
    let folder = std::env::temp_dir().join(format!("tenure-fleet-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    if certificates(&folder).is_none() {
        support::skip_or_fail("there is no openssl that makes certificates");
        return None;
    }
    let file = |name: &str| folder.join(name).display().to_string();
    let port = free_port();
    let options = [
        "--tls-port",
        &port.to_string(),
        "--tls-cert-file",
        &file("cert.pem"),
        "--tls-key-file",
        &file("key.pem"),
        "--tls-ca-cert-file",
        &file("ca.pem"),
        "--tls-auth-clients",
        "yes",
    ];
    Some((Server::start(&options)?, port, folder))
}

#[test]
fn a_server_is_spoken_to_in_private_and_has_to_prove_itself() {
    let Some((server, port, folder)) = secured("private") else {
        return;
    };
    let file = |name: &str| folder.join(name).display().to_string();
    let own = format!("tls_cert={}&tls_key={}", file("cert.pem"), file("key.pem"));
    let url = |host: &str, query: &str| format!("rediss://{host}:{port}/?{query}");
    let whole = url("localhost", &format!("tls_ca={}&{own}", file("ca.pem")));
    let (one, other) = (
        Member::joined(settings(&whole)),
        Member::joined(server.settings()),
    );
    hear_each_other(&one, &other);
    // Longer than one record of TLS, so that a part of it waits in the stream.
    for at in 0..=255 {
        other.raise(support::entry(at));
    }
    for _ in 0..=255 {
        assert!(matches!(one.next(), Event::Ended(..)));
    }
    // Whom the system trusts has not vouched for it, and another name is not its.
    assert_eq!(
        Member::join(settings(&url("localhost", &own))).next(),
        Event::Lost
    );
    let nameless = Member::join(settings(&url(
        "127.0.0.2",
        &format!("tls_ca={}&{own}", file("ca.pem")),
    )));
    assert_eq!(nameless.next(), Event::Lost);
    drop(std::fs::remove_dir_all(folder));
}

/// The reason why a member with these settings hears nothing, which whoever asks for the members is told too.
fn trouble(url: &str) -> String {
    let member = Member::join(settings(url));
    assert_eq!(member.next(), Event::Lost);
    let trouble = member.fleet.trouble().unwrap();
    let error = member.fleet.members(BOUND).unwrap_err();
    assert!(
        error.is_unanswered() && error.to_string().starts_with(&trouble),
        "{error}"
    );
    trouble
}

#[test]
fn d1_a_scheme_that_is_not_that_of_the_port_is_told_of_with_the_other_one() {
    let Some((server, port, folder)) = secured("schemes") else {
        return;
    };
    let authority = folder.join("ca.pem");
    let authority = format!("tls_ca={}", authority.display());
    let plain = trouble(&format!("rediss://127.0.0.1:{}/?{authority}", server.port));
    assert!(
        plain.contains("write redis for rediss in the URL"),
        "{plain}"
    );
    let secure = trouble(&format!("redis://127.0.0.1:{port}"));
    assert!(
        secure.contains("write rediss for redis in the URL"),
        "{secure}"
    );
    // Where it is TLS that went wrong, another scheme is no help.
    let nameless = trouble(&format!("rediss://127.0.0.2:{port}/?{authority}"));
    assert!(!nameless.contains("redis"), "{nameless}");
    drop(std::fs::remove_dir_all(folder));
}

#[test]
fn d1_who_is_not_let_in_is_told_what_to_write_in_the_url() {
    let Some(server) = Server::start(&["--requirepass", "open-sesame"]) else {
        return;
    };
    let place = format!("127.0.0.1:{}", server.port);
    for (login, advice) in [
        ("", "it asks for a password, which stands in the URL"),
        (":sesame@", "look at the user and the password in the URL"),
        ("open-sesame@", "A password stands behind a colon"),
    ] {
        let told = trouble(&format!("redis://{login}{place}"));
        assert!(
            told.starts_with("the fleet's server does not let this process in: "),
            "{told}"
        );
        assert!(told.contains(advice) && !told.contains(".."), "{told}");
        assert!(!told.contains("sesame"), "{told}");
    }
    let Some(server) = Server::start(&[]) else {
        return;
    };
    let place = format!("127.0.0.1:{}", server.port);
    for may in ["+time", "+hello", "+hello +client|setname +exists ~*"] {
        let rule = format!("ACL SETUSER bare reset on >pass {may}");
        let rule: Vec<_> = rule.split(' ').collect();
        assert!(server.command(&rule).starts_with("+OK"));
        let told = trouble(&format!("redis://bare:pass@{place}"));
        assert!(
            told.contains("NOPERM") && told.contains("page on fleets"),
            "{may}: {told}"
        );
    }
    let watched = free_port();
    let config = server.folder.join("sentinel.conf");
    let text = format!(
        "port {watched}\nbind 127.0.0.1\nrequirepass sesame\nsentinel monitor main 127.0.0.1 {} 1\n",
        server.port
    );
    std::fs::write(&config, text).unwrap();
    let _sentinel = Server::watch(watched, &config);
    for login in ["", "?sentinel_password=wrong"] {
        let told = trouble(&format!("redis+sentinel://127.0.0.1:{watched}/main{login}"));
        assert!(
            told.contains("does not let this process in: sentinel: "),
            "{told}"
        );
        assert!(told.contains("?sentinel_password=password"), "{told}");
    }
    Member::joined(settings(&format!(
        "redis+sentinel://127.0.0.1:{watched}/main?sentinel_password=sesame"
    )));
}

#[test]
fn d1_a_replica_takes_over_and_the_sentinels_say_where() {
    let Some(mut first) = server() else { return };
    let port = first.port.to_string();
    let Some(second) = Server::start(&["--replicaof", &format!("127.0.0.1 {port}")]) else {
        return;
    };
    let config: PathBuf = first.folder.join("sentinel.conf");
    let watched = free_port();
    let text = format!(
        "port {watched}\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 {port} 1\n\
         sentinel down-after-milliseconds main 300\nsentinel failover-timeout main 2000\n"
    );
    std::fs::write(&config, text).unwrap();
    let sentinel = Server::watch(watched, &config);
    while !second
        .command(&["INFO", "replication"])
        .contains("master_link_status:up")
    {
        thread::yield_now();
    }
    while !sentinel
        .command(&["SENTINEL", "replicas", "main"])
        .contains(&second.port.to_string())
    {
        thread::yield_now();
    }
    let url = format!("redis+sentinel://127.0.0.1:1,127.0.0.1:{watched}/main");
    let (one, other) = (
        Member::joined(settings(&url)),
        Member::joined(settings(&url)),
    );
    hear_each_other(&one, &other);
    first.kill();
    for member in [&one, &other] {
        assert_eq!(
            [member.next(), member.next(), member.next()],
            [Event::Lost, Event::Forgot, Event::CaughtUp]
        );
    }
    hear_each_other(&one, &other);
    assert!(
        second
            .command(&["INFO", "replication"])
            .contains("role:master")
    );
    // A replica is not mistaken for a server that can be written to.
    assert_eq!(
        Member::join(settings("redis+sentinel://127.0.0.1:1/main")).next(),
        Event::Lost
    );
}

#[test]
fn any_node_of_a_cluster_leads_to_the_right_one() {
    let node = || Server::start(&["--cluster-enabled", "yes"]);
    let (Some(low), Some(high)) = (node(), node()) else {
        return;
    };
    for (node, slots) in [(&low, ["0", "8191"]), (&high, ["8192", "16383"])] {
        assert!(
            node.command(&["CLUSTER", "ADDSLOTSRANGE", slots[0], slots[1]])
                .starts_with("+OK")
        );
    }
    low.command(&["CLUSTER", "MEET", "127.0.0.1", &high.port.to_string()]);
    for node in [&low, &high] {
        while !node
            .command(&["CLUSTER", "INFO"])
            .contains("cluster_state:ok")
        {
            thread::yield_now();
        }
    }
    let other_first = format!("redis://127.0.0.1:1,127.0.0.1:{}", high.port);
    let (one, other) = (
        Member::joined(low.settings()),
        Member::joined(settings(&other_first)),
    );
    hear_each_other(&one, &other);
    // Whose question is answered has told of itself.
    other.fleet.members(BOUND).unwrap();
    assert_eq!(one.fleet.members(BOUND).unwrap().len(), 2);
    assert!(
        other
            .fleet
            .permit(tenure_fleet::Mark([1; 16]), 1, &|| false)
            .is_some()
    );
}
