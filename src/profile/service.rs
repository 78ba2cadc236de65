//! `mysql-app/flask-backend:5000`: a Service of Kubernetes, and one of its ports.

use std::fmt;
use std::str::FromStr;

use super::diagnostic::Diagnostic;
use super::place::Placed;
use super::reader::{self, Findings};
use super::tree::Node;

/// A Service, or a single pod, and one of its ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// The context of the kubeconfig, that of `[observe.kubernetes]`; `None` for the current one, or the cluster that
    /// palier itself runs in.
    pub context: Option<String>,
    /// The namespace.
    pub namespace: String,
    /// The name of the Service, or of the pod.
    pub name: String,
    /// The port: of a Service its own, which need not be that of its pods.
    pub port: ServicePort,
}

/// A port of a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServicePort {
    /// By its number.
    Number(u16),
    /// By the name that the Service gives it.
    Name(String),
}

/// How a Service is written where a URL may stand, too: `--target service://mysql-app/flask-backend:5000`.
pub const SCHEME: &str = "service://";

const EXAMPLE: &str = "write namespace, name and port: `mysql-app/flask-backend:5000`";

impl FromStr for Service {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (namespace, rest) = text.split_once('/').ok_or("has no namespace")?;
        let (name, port) = rest.rsplit_once(':').ok_or("has no port")?;
        if !is_name(namespace) {
            return Err("has a namespace that is none");
        }
        if !is_name(name) {
            return Err("has a name that is none");
        }
        let port = match port.parse() {
            Ok(number) if number > 0 => ServicePort::Number(number),
            Err(_) if is_name(port) && port.contains(|it: char| it.is_ascii_lowercase()) => {
                ServicePort::Name(port.to_owned())
            }
            Ok(_) | Err(_) => return Err("has a port that is none"),
        };
        Ok(Self { context: None, namespace: namespace.to_owned(), name: name.to_owned(), port })
    }
}

/// As RFC 1123 has it, with dots between labels, as names of pods may have them.
fn is_name(text: &str) -> bool {
    let is_label = |label: &str| {
        label.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-')
            && !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}:{}", self.namespace, self.name, self.port)
    }
}

impl fmt::Display for ServicePort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// Reads one, where this build can reach it.
pub(super) fn read(
    node: &Node,
    key: &str,
    context: Option<&str>,
    findings: &mut Findings,
) -> Option<Placed<Service>> {
    let text = reader::text(node, key, findings)?;
    match text.parse::<Service>() {
        Ok(_) if cfg!(not(feature = "kubernetes")) => {
            findings.add(
                Diagnostic::new(
                    node.place,
                    format!("this build of palier reaches no Kubernetes, so `{key}` leads nowhere"),
                )
                .help("take one that was built with the feature `kubernetes`, as by default"),
            );
            None
        }
        Ok(service) => {
            Some(Placed::new(Service { context: context.map(str::to_owned), ..service }, node.place))
        }
        Err(why) => {
            findings.add(Diagnostic::new(node.place, format!("`{key}`: `{text}` {why}")).help(EXAMPLE));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_has_a_namespace_a_name_and_a_port() {
        for text in ["mysql-app/flask-backend:5000", "a/b:http", "a/mysql-0:3306", "a/b:8080-tcp"] {
            let service: Service = text.parse().expect(text);
            assert_eq!(service.to_string(), text);
        }
        for (text, why) in [
            ("flask-backend:5000", "has no namespace"),
            ("a/b", "has no port"),
            ("a/b:", "has a port that is none"),
            ("a/b:0", "has a port that is none"),
            ("a/b:70000", "has a port that is none"),
            ("a/B:1", "has a name that is none"),
            ("/b:1", "has a namespace that is none"),
            ("a/b/c:1", "has a name that is none"),
        ] {
            assert_eq!(text.parse::<Service>(), Err(why), "{text}");
        }
    }
}
