//! The address of a server, and how one is let in: what a URL says.

use std::path::PathBuf;

use percent_encoding::percent_decode_str;

use crate::error::Error;

/// The server of a fleet, as its URL names it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) places: Places,
    pub(crate) login: Login,
    pub(crate) database: u32,
    pub(crate) tls: Option<Tls>,
}

/// The places to look for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Places {
    /// One server, or some of the nodes of a cluster, one of which leads to the right one.
    Servers(Vec<Place>),
    /// Sentinels, which know where the service is.
    Sentinels {
        service: String,
        sentinels: Vec<Place>,
        login: Login,
    },
}

/// A place to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Tcp(String, u16),
    Unix(PathBuf),
}

/// A user and a password; both empty where there are none.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) password: String,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Login")
    }
}

/// The files of a TLS connection, where they are not those of the system.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tls {
    pub(crate) authority: Option<PathBuf>,
    pub(crate) certificate: Option<(PathBuf, PathBuf)>,
}

const FORMS: &str = "redis://[user:password@]host[:6379][/database], rediss://… for TLS, unix:///path/to/socket, or \
                     redis+sentinel://host1:26379,host2:26379/service (valkey… is the same as redis…)";

/// The options that a query in a URL can have.
const OPTIONS: [&str; 8] = [
    "tls_ca",
    "tls_cert",
    "tls_key",
    "db",
    "user",
    "password",
    "sentinel_user",
    "sentinel_password",
];

/// The errors say nothing of what the URL has, since that may be a password.
fn wrong(what: &str) -> Error {
    Error::url(format!(
        "the URL of the fleet's server {what}: write {FORMS}"
    ))
}

impl Address {
    pub(crate) fn parse(url: &str) -> Result<Self, Error> {
        let (scheme, rest) = url
            .trim()
            .split_once("://")
            .ok_or_else(|| wrong("names no scheme"))?;
        let (kind, secure) = match scheme.to_ascii_lowercase().as_str() {
            "redis" | "valkey" => (Kind::Servers, false),
            "rediss" | "valkeys" => (Kind::Servers, true),
            "redis+sentinel" | "valkey+sentinel" => (Kind::Sentinels, false),
            "rediss+sentinel" | "valkeys+sentinel" => (Kind::Sentinels, true),
            "unix" | "redis+unix" | "valkey+unix" => (Kind::Unix, false),
            _ => return Err(wrong("has a scheme that Tenure does not know")),
        };
        if rest.contains('#') {
            return Err(wrong("has a fragment (a # in a password is written %23)"));
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let options = Options::parse(query)?;
        let (authority, path) = match rest.split_once('/') {
            Some((authority, path)) => (authority, decoded(path)?),
            None => (rest, String::new()),
        };
        let (login, hosts) = match authority.rsplit_once('@') {
            Some((login, hosts)) => (Login::parse(login)?, hosts),
            None => (Login::default(), authority),
        };
        let path = path.trim_end_matches('/');
        let (places, number) = match kind {
            Kind::Servers => (Places::Servers(places(hosts, 6379)?), path),
            Kind::Unix if hosts.is_empty() => (
                Places::Servers(vec![Place::Unix(format!("/{path}").into())]),
                "",
            ),
            Kind::Unix => return Err(wrong("names a host in front of the socket's path")),
            Kind::Sentinels => {
                let (service, number) = path.split_once('/').unwrap_or((path, ""));
                if service.is_empty() {
                    return Err(wrong("names sentinels and no service"));
                }
                let places = Places::Sentinels {
                    service: service.into(),
                    sentinels: places(hosts, 26379)?,
                    login: Login {
                        user: options.get("sentinel_user"),
                        password: options.get("sentinel_password"),
                    },
                };
                (places, number)
            }
        };
        Ok(Self {
            places,
            login: match (options.get("user"), options.get("password")) {
                (user, password) if user.is_empty() && password.is_empty() => login,
                (user, password) => Login { user, password },
            },
            database: database(number, &options.get("db"))?,
            tls: options.tls(secure)?,
        })
    }
}

enum Kind {
    Servers,
    Sentinels,
    Unix,
}

impl Login {
    fn parse(text: &str) -> Result<Self, Error> {
        let (user, password) = text.split_once(':').unwrap_or((text, ""));
        Ok(Self {
            user: decoded(user)?,
            password: decoded(password)?,
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.user.is_empty() && self.password.is_empty()
    }
}

struct Options(Vec<(String, String)>);

impl Options {
    fn parse(query: &str) -> Result<Self, Error> {
        let mut options = Vec::new();
        for option in query.split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            if !OPTIONS.contains(&name) {
                return Err(Error::url(format!(
                    "the URL of the fleet's server has an option that Tenure does not know: it may have {}",
                    OPTIONS.join(", ")
                )));
            }
            options.push((name.to_owned(), decoded(value)?));
        }
        Ok(Self(options))
    }

    fn get(&self, name: &str) -> String {
        let mut found = self.0.iter().filter(|(known, _)| known == name);
        found
            .next_back()
            .map(|(_, value)| value.clone())
            .unwrap_or_default()
    }

    fn tls(&self, secure: bool) -> Result<Option<Tls>, Error> {
        let file = |name| {
            Some(self.get(name))
                .filter(|path| !path.is_empty())
                .map(PathBuf::from)
        };
        let tls = Tls {
            authority: file("tls_ca"),
            certificate: match (file("tls_cert"), file("tls_key")) {
                (Some(certificate), Some(key)) => Some((certificate, key)),
                (None, None) => None,
                _ => {
                    return Err(wrong(
                        "has one of tls_cert= and tls_key=, which belong together",
                    ));
                }
            },
        };
        if !secure && tls != Tls::default() {
            return Err(wrong("has files for TLS, and a scheme without it"));
        }
        Ok(secure.then_some(tls))
    }
}

fn decoded(text: &str) -> Result<String, Error> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded
        .map(Into::into)
        .map_err(|_| wrong("has signs that are not UTF-8"))
}

fn database(in_path: &str, in_query: &str) -> Result<u32, Error> {
    match (in_path, in_query) {
        ("", "") => Ok(0),
        (number, "") | ("", number) => number
            .parse()
            .map_err(|_| wrong("names a database that is no number")),
        _ => Err(wrong("names the database twice")),
    }
}

fn places(hosts: &str, port: u16) -> Result<Vec<Place>, Error> {
    let place = |host: &str| {
        // In brackets, an address of IPv6.
        let (name, rest) = match host.strip_prefix('[') {
            Some(rest) => rest
                .split_once(']')
                .ok_or_else(|| wrong("has a bracket that is not closed"))?,
            None => host.split_at(host.find(':').unwrap_or(host.len())),
        };
        let port = match rest.strip_prefix(':') {
            Some(port) => port
                .parse()
                .map_err(|_| wrong("has a port that is no number"))?,
            None if rest.is_empty() => port,
            None => return Err(wrong("has something between a host and its port")),
        };
        if name.is_empty() {
            return Err(wrong("names no host"));
        }
        Ok(Place::Tcp(decoded(name)?, port))
    };
    hosts.split(',').map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(hosts: &[(&str, u16)]) -> Places {
        Places::Servers(
            hosts
                .iter()
                .map(|(host, port)| Place::Tcp((*host).into(), *port))
                .collect(),
        )
    }

    fn parse(url: &str) -> Address {
        Address::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"))
    }

    #[test]
    fn a_url_names_a_server() {
        assert_eq!(parse("redis://cache").places, servers(&[("cache", 6379)]));
        let whole = parse("rediss://ann:p%40ss%2Fword@[::1]:7000/3?tls_ca=/etc/ca.pem");
        assert_eq!(whole.places, servers(&[("::1", 7000)]));
        assert_eq!(
            (whole.login.user.as_str(), whole.login.password.as_str()),
            ("ann", "p@ss/word")
        );
        assert_eq!(whole.database, 3);
        assert_eq!(whole.tls.unwrap().authority, Some("/etc/ca.pem".into()));
        assert!(parse("redis://:secret@cache").login.user.is_empty());
        assert_eq!(
            parse("valkey://a:1,b:2").places,
            servers(&[("a", 1), ("b", 2)])
        );
        let socket = parse("unix:///run/valkey.sock?db=2&password=x");
        assert_eq!(
            socket.places,
            Places::Servers(vec![Place::Unix("/run/valkey.sock".into())])
        );
        assert_eq!((socket.database, socket.login.password.as_str()), (2, "x"));
    }

    #[test]
    fn a_url_names_sentinels() {
        let address = parse("redis+sentinel://:p@s1,s2:5000/main/4?sentinel_password=q");
        let Places::Sentinels {
            service,
            sentinels,
            login,
        } = address.places
        else {
            panic!()
        };
        assert_eq!(service, "main");
        assert_eq!(
            sentinels,
            [
                Place::Tcp("s1".into(), 26379),
                Place::Tcp("s2".into(), 5000)
            ]
        );
        assert_eq!(
            (login.password.as_str(), address.login.password.as_str()),
            ("q", "p")
        );
        assert_eq!(address.database, 4);
    }

    #[test]
    fn what_is_no_url_is_refused_without_showing_it() {
        for url in [
            "hunter2",
            "http://hunter2",
            "redis://",
            "redis://hunter2:x",
            "redis://h/x",
            "redis://h#hunter2",
            "redis+sentinel://h",
            "redis://h?hunter2=1",
            "redis://h?tls_ca=x",
            "rediss://h?tls_cert=x",
            "redis://[h",
            "unix://hunter2/x",
            "redis://a,/0",
            "redis://h/%ff",
        ] {
            let error = Address::parse(url).err().unwrap_or_else(|| panic!("{url}"));
            assert!(
                error.is_url() && !error.to_string().contains("hunter2"),
                "{url}: {error}"
            );
        }
    }
}
