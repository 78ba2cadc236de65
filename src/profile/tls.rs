//! `[target.tls]`: whom to trust, and who palier is.

use std::sync::Arc;

use bytes::Bytes;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};

use super::diagnostic::Diagnostic;
use super::reader::{self, Fields, Findings};
use super::tree::Node;

/// How TLS to the target is made.
#[derive(Clone, Debug, Default)]
pub struct TargetTls {
    /// Authorities that are trusted beside those of the system.
    pub ca: Vec<CertificateDer<'static>>,
    /// What palier shows when it is asked who it is.
    pub client: Option<Arc<Client>>,
    /// The name that the certificate has to be for, and that is asked for (SNI); the host's by default.
    pub server_name: Option<ServerName<'static>>,
    /// Whether any certificate will do. Said in every report.
    pub insecure: bool,
}

/// A client certificate with its key.
#[derive(Debug)]
pub struct Client {
    /// The certificate first, then those above it.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its private key.
    pub key: PrivateKeyDer<'static>,
}

/// Reads `[target.tls]`.
pub(super) fn read(node: &Node, findings: &mut Findings) -> Option<TargetTls> {
    let mut fields = Fields::of(node, "tls", "`[target.tls]`", findings)?;
    let ca = fields.get("ca").map(|node| certificates(node, "ca", findings)).unwrap_or_default();
    let (cert, key) = (fields.get("cert"), fields.get("key"));
    let client = match (cert, key) {
        (Some(cert), Some(key)) => client(cert, key, findings),
        (None, None) => None,
        (Some(node), None) => {
            findings.missing(Diagnostic::new(node.place, "`cert` needs its private key, in `key`"));
            None
        }
        (None, Some(node)) => {
            findings.missing(Diagnostic::new(node.place, "`key` needs its certificate, in `cert`"));
            None
        }
    };
    let server_name = fields.get("server_name").and_then(|node| {
        let name = reader::name(node, "server_name", findings)?;
        let read = ServerName::try_from(name.to_owned()).ok();
        if read.is_none() {
            let message = format!("`{name}` is no name that a certificate could be for");
            findings.add(Diagnostic::new(node.place, message));
        }
        read
    });
    let insecure = fields.get("insecure").and_then(|node| reader::truth(node, "insecure", findings));
    fields.finish(&[], findings);
    Some(TargetTls { ca, client, server_name, insecure: insecure.unwrap_or(false) })
}

fn client(cert: &Node, key: &Node, findings: &mut Findings) -> Option<Arc<Client>> {
    let chain = certificates(cert, "cert", findings);
    let (name, pem) = file(key, "key", findings)?;
    let read = PrivateKeyDer::from_pem_slice(&pem).ok();
    if read.is_none() {
        let message = format!("`{name}` holds no private key in PEM that is not encrypted");
        findings.add(Diagnostic::new(key.place, message));
    }
    let key = read?;
    (!chain.is_empty()).then(|| Arc::new(Client { chain, key }))
}

/// The certificates of a file, or of several.
fn certificates(node: &Node, key: &str, findings: &mut Findings) -> Vec<CertificateDer<'static>> {
    let mut all = Vec::new();
    for node in node.one_or_many() {
        let Some((name, pem)) = file(node, key, findings) else { continue };
        let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
        match read {
            Ok(read) if !read.is_empty() => all.extend(read),
            Ok(_) | Err(_) => {
                let message = format!("`{name}` holds no certificates in PEM");
                findings.add(
                    Diagnostic::new(node.place, message).help("it begins with `-----BEGIN CERTIFICATE-----`"),
                );
            }
        }
    }
    all
}

/// A file that a text names, and that text; a file that could not be read was complained about when that was tried.
fn file<'t>(node: &'t Node, key: &str, findings: &mut Findings) -> Option<(&'t str, Bytes)> {
    let name = reader::name(node, key, findings)?;
    Some((name, findings.files.get(&node.place)?.clone()))
}
