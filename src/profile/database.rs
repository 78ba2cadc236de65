//! `[observe.mysql]`: how to reach a database server.

use std::fmt;
use std::time::Duration;

use percent_encoding::percent_decode_str;

use super::diagnostic::Diagnostic;
use super::observe;
use super::place::Place;
use super::reader::{self, Fields, Findings};
use super::service::{self, SCHEME, Service, ServicePort};
use super::tree::Node;

/// `[observe.mysql]`: a MySQL or MariaDB server.
#[derive(Clone, Debug)]
pub struct Mysql {
    /// How to reach and enter it.
    pub access: Access,
    /// The time between two looks; a second by default.
    pub interval: Duration,
    /// Where the table stands.
    pub place: Place,
}

/// How to reach and enter a database server.
#[derive(Clone, PartialEq, Eq)]
pub struct Access {
    /// Where it listens.
    pub address: Address,
    /// Who logs in.
    pub user: String,
    /// With which password; never shown.
    pub password: Option<String>,
    /// The database that statements refer to.
    pub database: Option<String>,
    /// Whether the connection is encrypted.
    pub tls: Tls,
}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A host, IPv6 without brackets, and a port.
    Tcp(String, u16),
    /// The path of a Unix socket.
    Socket(String),
    /// A pod of a Service of Kubernetes, reached through its API server.
    Service(Service),
    /// This pod.
    Pod(Service),
}

/// Whether a connection is encrypted, by the names of MySQL's own `ssl-mode`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tls {
    /// `DISABLED`, the default.
    Off,
    /// `REQUIRED`: encrypted, and nobody asks whose certificate it is.
    Unverified,
    /// `VERIFY_CA`, `VERIFY_IDENTITY`: the certificate has to be signed by the authority in the file `ssl-ca`, or else
    /// by one that everybody trusts; with the second it also has to be made out for this host.
    Verified {
        /// The file of `ssl-ca`, PEM.
        ca: Option<String>,
        /// Whether the name has to be right.
        name: bool,
    },
}

// Shows no password.
impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("address", &self.address)
            .field("user", &self.user)
            .field("database", &self.database)
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp(host, port) => write!(f, "{host}:{port}"),
            Self::Socket(path) => f.write_str(path),
            Self::Service(service) => write!(f, "{SCHEME}{service}"),
            Self::Pod(pod) => write!(f, "pod {pod}"),
        }
    }
}

const EXAMPLE: &str = "write it like `mysql://127.0.0.1:3306/businessdb`";

/// Reads `[observe.mysql]`, but for its thresholds.
pub(super) fn read(fields: &mut Fields<'_>, context: Option<&str>, findings: &mut Findings) -> Option<Mysql> {
    let place = fields.place;
    let behind = behind(fields, context, findings);
    let url = if behind.is_some() { fields.get("url") } else { fields.require("url", findings) };
    let user = fields.get("user").and_then(|node| reader::text(node, "user", findings));
    let password = fields.get("password").and_then(|node| reader::text(node, "password", findings));
    let interval = observe::interval(fields, findings);
    let (text, at) = match url {
        Some(node) => (reader::text(node, "url", findings)?, node.place),
        None if behind.is_some() => ("mysql://", place),
        None => return None,
    };
    let is_there = behind.is_some();
    match access(text, is_there) {
        Ok(mut access) => {
            access.address = behind.unwrap_or(access.address);
            // Who is named in the URL goes before the keys, which have their values from variables.
            let password = password.filter(|password| !password.is_empty()).map(str::to_owned);
            if access.user.is_empty() {
                user.unwrap_or_default().clone_into(&mut access.user);
                access.password = password;
            } else if access.password.is_none() && user.is_none_or(|user| user == access.user) {
                access.password = password;
            }
            if access.user.is_empty() {
                findings.missing(
                    Diagnostic::new(at, "nobody is named who logs in to the database")
                        .help("add `user` and `password`, or write `mysql://user:password@host:3306`"),
                );
            }
            Some(Mysql { access, interval, place })
        }
        Err(why) => {
            // The URL itself is not shown: a password may stand in it.
            findings.add(Diagnostic::new(at, format!("`url` {why}")).help(EXAMPLE));
            None
        }
    }
}

/// `service` or `pod`: where the server is, instead of what `url` says of that.
fn behind(fields: &mut Fields<'_>, context: Option<&str>, findings: &mut Findings) -> Option<Address> {
    let (service, pod) = (fields.get("service"), fields.get("pod"));
    if let (Some(service), Some(pod)) = (service, pod) {
        findings.add(
            Diagnostic::new(pod.place, "the database has a `service` and a `pod`")
                .related(service.place, "the `service`")
                .help("it is reached through one of both: take the other out"),
        );
    }
    if let Some(node) = service {
        return Some(Address::Service(service::read(node, "service", context, findings)?.value));
    }
    let node = pod?;
    let pod = service::read(node, "pod", context, findings)?;
    if let ServicePort::Name(_) = pod.value.port {
        findings.add(
            Diagnostic::new(node.place, "`pod` has a port with a name, which only a Service has")
                .help("write its number: `mysql-app/mysql-0:3306`"),
        );
    }
    Some(Address::Pod(pod.value))
}

/// `mysql://[user[:password]@]host[:port][/database][?socket=PATH&ssl-mode=MODE&ssl-ca=FILE]`
///
/// With `hostless` the server is named elsewhere, and only what is said of it here counts.
fn access(url: &str, hostless: bool) -> Result<Access, String> {
    let rest = (url.strip_prefix("mysql://").or_else(|| url.strip_prefix("mariadb://")))
        .ok_or("does not begin with `mysql://`")?;
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
    let (login, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = match login.split_once(':') {
        Some((user, password)) => (user, Some(decoded(password)?)),
        None => (login, None),
    };
    let (host, port) = match host.rsplit_once(':') {
        Some((host, port)) if !host.ends_with(':') && (host.ends_with(']') || !host.contains(':')) => {
            (host, port.parse().map_err(|_| "has a port that is none".to_owned())?)
        }
        _ => (host, 3306),
    };
    let host = decoded(host.trim_start_matches('[').trim_end_matches(']'))?;
    let (mut socket, mut mode, mut ca) = (None, "DISABLED".to_owned(), None);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = decoded(value)?;
        match key {
            "socket" => socket = Some(value),
            "ssl-mode" => mode = value.to_ascii_uppercase(),
            "ssl-ca" => ca = Some(value),
            _ => return Err(format!("holds `{key}`; there are `socket`, `ssl-mode` and `ssl-ca`")),
        }
    }
    let tls = match mode.as_str() {
        "DISABLED" => Tls::Off,
        "REQUIRED" => Tls::Unverified,
        "VERIFY_CA" => Tls::Verified { ca: ca.take(), name: false },
        "VERIFY_IDENTITY" => Tls::Verified { ca: ca.take(), name: true },
        _ => {
            return Err(
                "has an `ssl-mode` that is none of `DISABLED`, `REQUIRED`, `VERIFY_CA` and `VERIFY_IDENTITY`"
                    .to_owned(),
            );
        }
    };
    if ca.is_some() {
        return Err("has an `ssl-ca` that its `ssl-mode` never looks at".to_owned());
    }
    if socket.is_some() && tls != Tls::Off {
        return Err(
            "has an `ssl-mode` beside its `socket`, which nobody encrypts: leave one of them out".to_owned()
        );
    }
    let address = match socket {
        Some(path) => Address::Socket(path),
        None if host.is_empty() && !hostless => return Err("has no host".to_owned()),
        None => Address::Tcp(host, port),
    };
    let database = decoded(database)?;
    Ok(Access {
        address,
        user: decoded(user)?,
        password,
        database: (!database.is_empty()).then_some(database),
        tls,
    })
}

fn decoded(text: &str) -> Result<String, String> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(std::borrow::Cow::into_owned).map_err(|_| "is no UTF-8 when it is decoded".to_owned())
}

/// What of a URL or a password must never be shown, whatever else is wrong with the profile: who logs in with what,
/// as the URL has it, and the password where it is long enough not to be a word of other texts.
pub(super) fn secrets(observe: Option<&Node>) -> Vec<String> {
    let text = |key: &str| {
        let mysql = observe?.table()?.get("mysql")?.table()?;
        Some(mysql.get(key)?.text()?.content.clone())
    };
    let mut passwords: Vec<String> = text("password").into_iter().filter(|it| !it.is_empty()).collect();
    // As a file or a `--set` writes it.
    let forms = |it: &String| {
        [format!("password={it}"), format!("password = \"{it}\""), format!("password=\"{it}\"")]
    };
    let mut secrets: Vec<String> = passwords.iter().flat_map(forms).collect();
    if let Some(url) = text("url")
        && let Some((_, rest)) = url.split_once("://")
        && let Some((login, _)) = rest.rsplit_once('@')
        && let Some((_, password)) = login.split_once(':')
    {
        secrets.push(format!(":{password}@"));
        passwords.push(password.to_owned());
        passwords.extend(decoded(password));
    }
    let is_telling =
        |password: &String| password.len() >= 8 && !password.chars().all(|c| c.is_ascii_lowercase());
    secrets.extend(passwords.into_iter().filter(is_telling));
    secrets
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(url: &str, expected: &str) {
        let found = match access(url, false) {
            Ok(it) => format!(
                "{} {} {} {} {:?}",
                it.address,
                it.user,
                it.password.unwrap_or_default(),
                it.database.unwrap_or_default(),
                it.tls
            ),
            Err(why) => why,
        };
        assert_eq!(found, expected, "{url}");
    }

    #[test]
    fn urls_are_read() {
        check("mysql://127.0.0.1", "127.0.0.1:3306    Off");
        check("mysql://app:p%40ss:w@db:3307/business", "db:3307 app p@ss:w business Off");
        check("mysql://app:p@ss@db/x", "db:3306 app p@ss x Off");
        check("mariadb://root@[::1]:3306/", "[::1]:3306 root   Off");
        check("mysql://root@localhost?socket=/run/mysqld/mysqld.sock", "/run/mysqld/mysqld.sock root   Off");
        check("mysql://r@db?ssl-mode=required", "db:3306 r   Unverified");
        check(
            "mysql://r@db?ssl-mode=VERIFY_CA&ssl-ca=/ca.pem",
            "db:3306 r   Verified { ca: Some(\"/ca.pem\"), name: false }",
        );
    }

    #[test]
    fn what_is_wrong_with_a_url_is_said() {
        check("postgres://db", "does not begin with `mysql://`");
        check("mysql://", "has no host");
        check("mysql://db:port", "has a port that is none");
        check("mysql://db?sslmode=on", "holds `sslmode`; there are `socket`, `ssl-mode` and `ssl-ca`");
        check(
            "mysql://db?socket=/s&ssl-mode=REQUIRED",
            "has an `ssl-mode` beside its `socket`, which nobody encrypts: leave one of them out",
        );
        check("mysql://db?ssl-ca=/x", "has an `ssl-ca` that its `ssl-mode` never looks at");
    }

    #[test]
    fn no_password_is_shown() {
        let access = access("mysql://root:se%20cret@db", false).unwrap();
        assert_eq!(access.password.as_deref(), Some("se cret"));
        assert!(!format!("{access:?}").contains("cret"));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC*", near in "mysql://(a|:|@|/|[?]|=|&|%|\\[|\\]|é|4){0,16}") {
            let _ = (access(&text, false), access(&near, true));
        }
    }
}
