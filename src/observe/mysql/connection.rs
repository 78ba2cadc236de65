//! Getting into a server, and what keeps palier out, in words.

use std::fmt;
use std::io;

use mysql_async::prelude::{FromRow, Queryable as _};
use mysql_async::{Conn, DriverError, Error, OptsBuilder, Row, SslOpts, Value};

use crate::plan::{Access, Address, Tls};

/// A connection to a server.
#[derive(Debug)]
pub struct Connection(Conn);

/// Why a server could not be entered, or did not answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// MySQL's number of the error, where the server itself refused.
    pub code: Option<u16>,
    text: String,
}

/// `ER_CON_COUNT_ERROR`
const TOO_MANY_CONNECTIONS: u16 = 1040;
/// `ER_DBACCESS_DENIED_ERROR`, `ER_ACCESS_DENIED_ERROR`, and MySQL 8's `ER_ACCESS_DENIED_NO_PASSWORD_ERROR`.
const WRONG_LOGIN: [u16; 3] = [1044, 1045, 1698];
/// `ER_TABLEACCESS_DENIED_ERROR`, `ER_SPECIFIC_ACCESS_DENIED_ERROR`
const NO_RIGHT: [u16; 2] = [1142, 1227];

impl Refusal {
    /// What goes wrong without the server saying so.
    pub fn other(text: impl Into<String>) -> Self {
        Self { code: None, text: text.into() }
    }

    /// Whether the server has no connection to give.
    pub fn is_too_many(&self) -> bool {
        self.code == Some(TOO_MANY_CONNECTIONS)
    }

    /// Whether the server does not let this user in with this password.
    pub fn is_login(&self) -> bool {
        self.code.is_some_and(|code| WRONG_LOGIN.contains(&code))
    }

    /// Whether the user lacks a right.
    pub fn is_right(&self) -> bool {
        self.code.is_some_and(|code| NO_RIGHT.contains(&code))
    }

    /// What mends it, where that can be known.
    pub fn mend(&self) -> Option<String> {
        if self.is_too_many() {
            Some("raise max_connections, or give the user CONNECTION ADMIN (MySQL 8: CONNECTION_ADMIN), for whom a connection is kept free".to_owned())
        } else if self.is_login() {
            Some("check `user` and `password` of `[observe.mysql]`".to_owned())
        } else {
            None
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
                Self { code: Some(error.code), text }
            }
            Error::Io(mysql_async::IoError::Io(error)) => Self::other(io_words(&error)),
            Error::Driver(DriverError::ConnectionClosed) => Self::other("the server closed the connection"),
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
        _ => error.to_string(),
    }
}

impl Connection {
    /// Enters a server.
    pub async fn open(access: &Access) -> Result<Self, Refusal> {
        let opened = Conn::new(options(access)).await;
        let connection = opened.map_err(|error| {
            let refusal = Refusal::from(error);
            let text = format!("cannot log in to {} as `{}`: {refusal}", access.address, access.user);
            Refusal { text, ..refusal }
        })?;
        Ok(Self(connection))
    }

    /// All rows that a statement answers with.
    pub async fn rows<T: FromRow + Send + 'static>(&mut self, statement: &str) -> Result<Vec<T>, Refusal> {
        Ok(self.0.query(statement).await?)
    }

    /// The first value of the first row of a single statement, as text; `None` where there is none. The server itself
    /// refuses a second statement.
    pub async fn value(&mut self, statement: &str) -> Result<Option<String>, Refusal> {
        let row: Option<Row> = self.0.exec_first(statement, ()).await?;
        Ok(row.and_then(|row| row.as_ref(0).and_then(text)))
    }

    /// How many rows a single statement changed.
    pub async fn change(&mut self, statement: &str) -> Result<u64, Refusal> {
        self.0.exec_drop(statement, ()).await?;
        Ok(self.0.affected_rows())
    }

    /// The server's version as its handshake has it.
    pub fn version(&self) -> (u16, u16, u16) {
        self.0.server_version()
    }

    /// Says goodbye.
    pub async fn leave(self) {
        // A server that is gone needs no goodbye.
        let _ = self.0.disconnect().await;
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Bytes(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        Value::Int(number) => Some(number.to_string()),
        Value::UInt(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Double(number) => Some(number.to_string()),
        Value::NULL | Value::Date(..) | Value::Time(..) => None,
    }
}

fn options(access: &Access) -> OptsBuilder {
    let mut options = OptsBuilder::default()
        .user(Some(access.user.as_str()))
        .pass(access.password.as_deref())
        .db_name(access.database.as_deref())
        // Else a server on this machine would be left for its socket.
        .prefer_socket(false)
        .stmt_cache_size(0)
        .tcp_nodelay(true);
    options = match &access.address {
        Address::Tcp(host, port) => options.ip_or_hostname(host.as_str()).tcp_port(*port),
        Address::Socket(path) => options.socket(Some(path.as_str())),
    };
    let tls = match &access.tls {
        Tls::Off => None,
        Tls::Unverified => Some(
            SslOpts::default()
                .with_danger_accept_invalid_certs(true)
                .with_danger_skip_domain_validation(true),
        ),
        Tls::Verified { ca, name } => {
            let tls = SslOpts::default().with_danger_skip_domain_validation(!name);
            Some(match ca {
                Some(file) => tls
                    .with_root_certs(vec![std::path::PathBuf::from(file).into()])
                    .with_disable_built_in_roots(true),
                None => tls,
            })
        }
    };
    options.ssl_opts(tls)
}
