//! Getting into a server, and asking it.

use std::path::PathBuf;

use mysql_async::prelude::{FromRow, Queryable as _};
use mysql_async::{Conn, OptsBuilder, Row, SslOpts, Value};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::refusal::Refusal;
use crate::plan::{Access, Address, Tls};

/// A connection to a server.
#[derive(Debug)]
pub struct Connection(Conn);

impl Connection {
    /// Enters a server; kubeconfigs lead to one that is in a cluster.
    pub async fn open(access: &Access, kubeconfig: &[PathBuf]) -> Result<Self, Refusal> {
        let address = reached(&access.address, kubeconfig).await.map_err(|why| {
            Refusal::other(format!("there is no way to the database {}: {why}", access.address))
        })?;
        let opened = Conn::new(options(access, &address)?).await;
        Ok(Self(opened.map_err(|error| Refusal::at_the_door(error, access))?))
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

/// Where the client of MySQL has to connect to. It takes no stream of ours, so a port-forward gets a port of this
/// machine.
#[cfg_attr(not(feature = "kubernetes"), expect(unused_variables, reason = "this build reaches no cluster"))]
async fn reached(address: &Address, kubeconfig: &[PathBuf]) -> Result<Address, String> {
    #[cfg(feature = "kubernetes")]
    {
        use crate::reach::local::{Behind, port_to};
        let port = match address {
            Address::Service(service) => port_to(service, Behind::Service, kubeconfig).await?,
            Address::Pod(pod) => port_to(pod, Behind::Pod, kubeconfig).await?,
            Address::Tcp(..) | Address::Socket(_) => return Ok(address.clone()),
        };
        Ok(Address::Tcp("127.0.0.1".to_owned(), port))
    }
    #[cfg(not(feature = "kubernetes"))]
    Ok(address.clone())
}

fn options(access: &Access, address: &Address) -> Result<OptsBuilder, Refusal> {
    let options = OptsBuilder::default()
        .user(Some(access.user.as_str()))
        .pass(access.password.as_deref())
        .db_name(access.database.as_deref())
        // Else a server on this machine would be left for its socket.
        .prefer_socket(false)
        .stmt_cache_size(0)
        .tcp_nodelay(true);
    let options = match address {
        Address::Tcp(host, port) => options.ip_or_hostname(host.as_str()).tcp_port(*port),
        Address::Socket(path) => options.socket(Some(path.as_str())),
        // Nobody connects to these: see `reached`, and a build that cannot reach them takes no profile with them.
        Address::Service(_) | Address::Pod(_) => options,
    };
    let tls = match &access.tls {
        Tls::Off => None,
        Tls::Unverified => Some(
            SslOpts::default()
                .with_danger_accept_invalid_certs(true)
                .with_danger_skip_domain_validation(true),
        ),
        Tls::Verified { ca, name } => {
            let authorities = authorities(ca.as_deref())?.into_iter().map(Into::into).collect();
            let tls = SslOpts::default().with_root_certs(authorities).with_disable_built_in_roots(true);
            Some(if *name { tls } else { of_any_name(tls) })
        }
    };
    Ok(options.ssl_opts(tls))
}

/// Whose signature counts: that of the authorities in a file, or else of those that this machine trusts.
fn authorities(file: Option<&str>) -> Result<Vec<Vec<u8>>, Refusal> {
    let Some(file) = file else {
        let found = rustls_native_certs::load_native_certs().certs;
        // One that cannot be used must not keep the others from being used.
        let is_usable = |certificate: &CertificateDer<'_>| {
            RootCertStore::empty().add(certificate.clone().into_owned()).is_ok()
        };
        return Ok(found.iter().filter(|it| is_usable(it)).map(|it| it.to_vec()).collect());
    };
    let pem = std::fs::read(file).map_err(|error| Refusal::of_authority(file, error))?;
    let found: Result<Vec<CertificateDer<'_>>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match found {
        Ok(found) if found.is_empty() => Err(Refusal::of_authority(file, "it holds no certificate in PEM")),
        Ok(_) => Ok(vec![pem]),
        Err(error) => Err(Refusal::of_authority(file, error)),
    }
}

/// Has a certificate accepted whatever name is on it.
fn of_any_name(tls: SslOpts) -> SslOpts {
    // The driver knows that only the name is wrong by this word in the text of the error, which rustls does not write
    // there any more; but it does write the name that was asked for. All else about the certificate is still asked.
    tls.with_danger_skip_domain_validation(true).with_danger_tls_hostname_override(Some("NotValidForName"))
}
