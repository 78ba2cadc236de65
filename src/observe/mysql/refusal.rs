//! What keeps palier out of a server, in words, and what mends it.

use std::fmt;
use std::io;

use mysql_async::{DriverError, Error, IoError, TlsError};
use rustls::CertificateError;

use crate::plan::{Access, Address, Tls};

/// Why a server could not be entered, or did not answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// MySQL's number of the error, where the server itself refused.
    pub code: Option<u16>,
    text: String,
    mend: Option<String>,
}

/// `ER_CON_COUNT_ERROR`
const TOO_MANY_CONNECTIONS: u16 = 1040;
/// `ER_DBACCESS_DENIED_ERROR`, `ER_ACCESS_DENIED_ERROR`, and MySQL 8's `ER_ACCESS_DENIED_NO_PASSWORD_ERROR`.
const WRONG_LOGIN: [u16; 3] = [1044, 1045, 1698];
/// `ER_TABLEACCESS_DENIED_ERROR`, `ER_SPECIFIC_ACCESS_DENIED_ERROR`
const NO_RIGHT: [u16; 2] = [1142, 1227];
/// `ER_BAD_DB_ERROR`
const NO_DATABASE: u16 = 1049;
/// `ER_HOST_NOT_PRIVILEGED`
const HOST_NOT_ALLOWED: u16 = 1130;
/// `ER_SECURE_TRANSPORT_REQUIRED`
const NOT_ENCRYPTED: u16 = 3159;

const ENCRYPT: &str = "add `?ssl-mode=VERIFY_IDENTITY&ssl-ca=FILE` to `url` of `[observe.mysql]`, or `?ssl-mode=REQUIRED` where nobody could pretend to be the server";

impl Refusal {
    /// What goes wrong without the server saying so.
    pub fn other(text: impl Into<String>) -> Self {
        Self { code: None, text: text.into(), mend: None }
    }

    /// Why a server could not be entered.
    pub(super) fn at_the_door(error: Error, access: &Access) -> Self {
        let refusal = match certificate_error(&error) {
            Some(trouble) => of_certificate(trouble, access),
            None => Self::from(error),
        };
        let mend = refusal.mend.or_else(|| mend_entry(refusal.code, access));
        let text = format!("cannot log in to {} as `{}`: {}", access.address, access.user, refusal.text);
        Self { code: refusal.code, text, mend }
    }

    /// What is wrong with the file of `ssl-ca`.
    pub(super) fn of_authority(file: &str, trouble: impl fmt::Display) -> Self {
        Self {
            code: None,
            text: format!("`ssl-ca` names {file}: {trouble}"),
            mend: Some(
                "name the PEM file with the certificate of who signed the server's; relative paths start from the folder that palier is run in"
                    .to_owned(),
            ),
        }
    }

    /// Whether the server has no connection to give.
    pub fn is_too_many(&self) -> bool {
        self.code == Some(TOO_MANY_CONNECTIONS)
    }

    /// Whether the user lacks a right.
    pub fn is_right(&self) -> bool {
        self.code.is_some_and(|code| NO_RIGHT.contains(&code))
    }

    /// What mends it, where that can be known.
    pub fn mend(&self) -> Option<&str> {
        self.mend.as_deref()
    }

    /// The text, and what mends it, in one sentence.
    pub fn with_mend(&self) -> String {
        match &self.mend {
            Some(mend) => format!("{}; {mend}", self.text),
            None => self.text.clone(),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::Server(error) => {
                let text = format!("{} (error {})", error.message.trim_end_matches('.'), error.code);
                Self { code: Some(error.code), text, mend: None }
            }
            Error::Io(IoError::Io(error)) => Self::other(io_words(&error)),
            Error::Driver(DriverError::ConnectionClosed) => Self::other("the server closed the connection"),
            Error::Driver(DriverError::NoClientSslFlagFromServer) => Self {
                code: None,
                text: "the server speaks no TLS".to_owned(),
                mend: Some(
                    "give the server `ssl_cert` and `ssl_key`; or leave `ssl-mode` out of `url` of `[observe.mysql]` where nobody can listen in"
                        .to_owned(),
                ),
            },
            error @ (Error::Driver(_) | Error::Io(_) | Error::Other(_) | Error::Url(_)) => {
                Self::other(error.to_string())
            }
        }
    }
}

fn io_words(error: &io::Error) -> String {
    #[expect(clippy::wildcard_enum_match_arm, reason = "all others say themselves what they are")]
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused: nothing listens there".to_owned(),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof => {
            "the server closed the connection".to_owned()
        }
        io::ErrorKind::NotFound => "there is no such socket".to_owned(),
        io::ErrorKind::PermissionDenied => "this user may not open the socket".to_owned(),
        _ => error.to_string(),
    }
}

fn mend_entry(code: Option<u16>, access: &Access) -> Option<String> {
    let is_open = access.tls == Tls::Off && matches!(access.address, Address::Tcp(..));
    let mend = match code? {
        TOO_MANY_CONNECTIONS => {
            "raise max_connections, or give the user CONNECTION ADMIN (MySQL: CONNECTION_ADMIN), for whom a connection is kept free"
                .to_owned()
        }
        // MariaDB refuses an open connection with the same words where it, or the user, requires TLS.
        code if WRONG_LOGIN.contains(&code) && is_open => {
            format!("check `user` and `password` of `[observe.mysql]`; where the server requires TLS, {ENCRYPT}")
        }
        code if WRONG_LOGIN.contains(&code) => "check `user` and `password` of `[observe.mysql]`".to_owned(),
        NOT_ENCRYPTED => ENCRYPT.to_owned(),
        NO_DATABASE => "check the name of the database at the end of `url` of `[observe.mysql]`".to_owned(),
        HOST_NOT_ALLOWED => {
            format!("CREATE USER '{}'@'%' IDENTIFIED BY '…', on the server", access.user)
        }
        _ => return None,
    };
    Some(mend)
}

/// What is wrong with a server's certificate, where that is what is wrong.
fn certificate_error(error: &Error) -> Option<&CertificateError> {
    let error = match error {
        Error::Io(IoError::Tls(TlsError::Tls(error))) => error,
        Error::Io(IoError::Io(error)) => error.get_ref()?.downcast_ref::<rustls::Error>()?,
        Error::Io(_) | Error::Server(_) | Error::Driver(_) | Error::Other(_) | Error::Url(_) => return None,
    };
    if let rustls::Error::InvalidCertificate(trouble) = error { Some(trouble) } else { None }
}

fn of_certificate(trouble: &CertificateError, access: &Access) -> Refusal {
    let authority = if let Tls::Verified { ca, .. } = &access.tls { ca.as_deref() } else { None };
    #[expect(clippy::wildcard_enum_match_arm, reason = "all others say themselves what they are")]
    let (text, mend) = match trouble {
        CertificateError::UnknownIssuer => {
            let text = match authority {
                Some(file) => format!("its certificate was not signed by the authority in {file}"),
                None => "its certificate was not signed by an authority that this machine trusts".to_owned(),
            };
            let mend = "name the file with the certificate of who signed it: `ssl-ca=FILE` in `url` of `[observe.mysql]`; a server that made its own has it as `ca.pem` in its data folder";
            (text, mend.to_owned())
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            let host = expected.to_str();
            let names: Vec<String> = presented.iter().map(|name| plain_name(name)).collect();
            let text = match names.as_slice() {
                [] => format!("its certificate names no host, and `{host}` was asked for"),
                names => format!("its certificate is made out for {}, not for `{host}`", names.join(", ")),
            };
            let mend = "use a host in `url` of `[observe.mysql]` that the certificate names, or `ssl-mode=VERIFY_CA`, which asks only who signed it";
            (text, mend.to_owned())
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            ("its certificate has expired".to_owned(), "give the server a new one".to_owned())
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            let mend = "check the clocks of both machines".to_owned();
            ("its certificate is not valid yet".to_owned(), mend)
        }
        // One certificate is both: what was signed by itself has to be told from what signs others.
        other if format!("{other:?}").contains("CaUsedAsEndEntity") => (
            "its certificate is that of an authority, which may only sign others".to_owned(),
            "give the server one that the authority has signed, or write `ssl-mode=REQUIRED` where nobody could pretend to be the server"
                .to_owned(),
        ),
        other => return Refusal::other(format!("its certificate is not accepted: {other}")),
    };
    Refusal { code: None, text, mend: Some(mend) }
}

/// A name as rustls shows it, `DnsName("db.example")` or `IpAddress(127.0.0.1)`, as people write it.
fn plain_name(name: &str) -> String {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(name);
    format!("`{}`", inner.trim_matches('"'))
}
