//! Making connections: name, TCP, TLS, HTTP, each timed apart.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::connection::{Connection, Stream};
use super::redirect::Site;
use super::wire::{Measures, Meter, Metered};
use crate::plan::Target;
use crate::reach::{Opened, Way, kind_of};
use crate::units::human_duration;
use crate::words::ErrorKind;

/// Why something could not be done on the network, in the terms of reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) kind: ErrorKind,
    pub(super) message: String,
}

impl Trouble {
    pub(super) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

/// Knows how to get to the target: found out once, shared by all workers.
#[derive(Clone)]
pub(super) struct Dialer {
    road: Road,
    connect_timeout: Duration,
    /// The ways to where redirects may lead, in the order of `Target::allow`.
    elsewhere: Vec<Dialer>,
}

/// How to get to the target.
#[derive(Clone)]
enum Road {
    Straight {
        /// In the order in which they are tried.
        addresses: Vec<SocketAddr>,
        tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    },
    /// Somebody else opens the streams.
    Handed(Arc<dyn Way>),
}

/// A new connection, and what it took.
pub(super) struct Dialed {
    pub(super) connection: Connection,
    pub(super) connecting: Duration,
    pub(super) tls_handshaking: Duration,
}

impl Dialer {
    /// Resolves the target's name and loads the roots of trust that it needs.
    pub(super) async fn resolve(target: &Target, way: Option<&Arc<dyn Way>>) -> Result<Self, Trouble> {
        let connect_timeout = target.connect_timeout;
        if let Some(way) = way {
            let elsewhere = Self::elsewhere(target).await?;
            return Ok(Self { road: Road::Handed(Arc::clone(way)), connect_timeout, elsewhere });
        }
        let addresses: Vec<SocketAddr> = tokio::net::lookup_host((target.host.as_str(), target.port))
            .await
            .map_err(|error| {
                Trouble::new(
                    ErrorKind::Dns,
                    format!("the host name `{}` cannot be resolved: {error}", target.host),
                )
            })?
            .collect();
        if addresses.is_empty() {
            let message = format!("the host name `{}` has no address", target.host);
            return Err(Trouble::new(ErrorKind::Dns, message));
        }
        let tls = if target.tls { Some(tls(&target.host)?) } else { None };
        let elsewhere = Self::elsewhere(target).await?;
        Ok(Self { road: Road::Straight { addresses, tls }, connect_timeout, elsewhere })
    }

    /// The ways to where redirects may lead.
    async fn elsewhere(target: &Target) -> Result<Vec<Self>, Trouble> {
        let mut elsewhere = Vec::new();
        for allowed in &target.allow {
            elsewhere.push(Box::pin(Self::resolve(allowed, None)).await?);
        }
        Ok(elsewhere)
    }

    /// The way to a site.
    pub(super) fn to(&self, site: Site) -> &Self {
        match site {
            Site::Target => self,
            Site::Allowed(index) => &self.elsewhere[usize::from(index)],
        }
    }

    /// Makes sure that the target answers a connection, and remembers which address did.
    pub(super) async fn probe(&mut self) -> Result<(), Trouble> {
        let n_addresses = match &self.road {
            Road::Straight { addresses, .. } => addresses.len(),
            Road::Handed(way) => return self.ask(way.as_ref()).await.map(drop),
        };
        let mut first = None;
        for index in 0..n_addresses {
            let Road::Straight { addresses, .. } = &mut self.road else { break };
            let address = addresses[index];
            match tcp(address, self.connect_timeout).await {
                Ok(_) => {
                    addresses.swap(0, index);
                    return Ok(());
                }
                Err(trouble) => first = first.or(Some(trouble)),
            }
        }
        // `resolve` leaves no dialer without an address.
        Err(first.unwrap_or_else(|| Trouble::new(ErrorKind::Dns, "no address")))
    }

    /// Makes a connection.
    pub(super) async fn dial(&self) -> Result<Dialed, Trouble> {
        let (addresses, tls) = match &self.road {
            Road::Straight { addresses, tls } => (addresses, tls),
            Road::Handed(way) => return self.be_handed(way.as_ref()).await,
        };
        let begin = Instant::now();
        let mut addresses = addresses.iter();
        let stream = loop {
            // `resolve` leaves no dialer without an address.
            let Some(address) = addresses.next() else {
                return Err(Trouble::new(ErrorKind::Dns, "no address"));
            };
            match tcp(*address, self.connect_timeout).await {
                Ok(stream) => break stream,
                Err(trouble) if addresses.len() == 0 || trouble.kind == ErrorKind::Generator => {
                    return Err(trouble);
                }
                Err(_) => {}
            }
        };
        let connected = Instant::now();
        let meter = Meter::new(connected);
        let stream = match tls {
            None => Stream::Plain(Metered { stream, meter: meter.clone(), measures: Measures::Both }),
            Some((config, name)) => {
                let stream = Metered { stream, meter: meter.clone(), measures: Measures::Bytes };
                let stream = TlsConnector::from(config.clone())
                    .connect(name.clone(), stream)
                    .await
                    .map_err(|error| Trouble::new(ErrorKind::Tls, format!("TLS handshake: {error}")))?;
                Stream::Tls(Box::new(Metered { stream, meter: meter.clone(), measures: Measures::Times }))
            }
        };
        let opened = Instant::now();
        Ok(Dialed {
            connection: Connection::over(stream, meter, opened, None).await?,
            connecting: connected - begin,
            tls_handshaking: if tls.is_some() { opened - connected } else { Duration::ZERO },
        })
    }

    /// Makes a connection over a stream that is opened elsewhere.
    async fn be_handed(&self, way: &dyn Way) -> Result<Dialed, Trouble> {
        let begin = Instant::now();
        let Opened { stream, seat } = self.ask(way).await?;
        let opened = Instant::now();
        let meter = Meter::new(opened);
        let stream = Stream::Handed(Metered { stream, meter: meter.clone(), measures: Measures::Both });
        Ok(Dialed {
            connection: Connection::over(stream, meter, opened, Some(seat)).await?,
            connecting: opened - begin,
            tls_handshaking: Duration::ZERO,
        })
    }

    async fn ask(&self, way: &dyn Way) -> Result<Opened, Trouble> {
        let Ok(opened) = tokio::time::timeout(self.connect_timeout, way.open()).await else {
            let patience = human_duration(self.connect_timeout);
            let message = format!("no way to the target was opened within {patience}");
            return Err(Trouble::new(ErrorKind::ConnectTimeout, message));
        };
        opened.map_err(|refusal| Trouble::new(refusal.kind, refusal.message))
    }
}

async fn tcp(address: SocketAddr, patience: Duration) -> Result<TcpStream, Trouble> {
    match tokio::time::timeout(patience, TcpStream::connect(address)).await {
        Ok(Ok(stream)) => {
            // Requests are small and written whole; waiting for more to send would only add delay. A socket
            // that refuses the option works all the same.
            let _ = stream.set_nodelay(true);
            Ok(stream)
        }
        Ok(Err(error)) => Err(of_io(&error, &format!("connect to {address}"))),
        Err(_) => Err(Trouble::new(
            ErrorKind::ConnectTimeout,
            format!("connect to {address}: no answer within {}", human_duration(patience)),
        )),
    }
}

fn tls(host: &str) -> Result<(Arc<ClientConfig>, ServerName<'static>), Trouble> {
    let tls = |message: String| Trouble::new(ErrorKind::Tls, message);
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found.errors.first().map(|error| format!(" ({error})")).unwrap_or_default();
        return Err(tls(format!(
            "this system has no root certificates{why}: install `ca-certificates`, or set SSL_CERT_FILE"
        )));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| tls(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| tls(format!("`{host}` is no name that a certificate could be for")))?;
    Ok((Arc::new(config), name))
}

/// What an error of the operating system is called in reports.
pub(super) fn of_io(error: &io::Error, doing: &str) -> Trouble {
    Trouble::new(kind_of(error), format!("{doing}: {error}"))
}
