//! `[target]`: what is put under load.

use std::time::Duration;

use http::{HeaderName, Uri};

use super::diagnostic::Diagnostic;
use super::headers;
use super::place::Placed;
use super::reader::{self, Fields, Findings};
use super::service::{self, Service};
use super::template::{Reference, Template};
use super::tree::Node;

/// What is put under load, and how its connections live.
#[derive(Clone, Debug)]
pub struct Target {
    /// Where it is.
    pub at: At,
    /// What to wait for before the load starts.
    pub ready: Option<Ready>,
    /// Headers of every request; a step's own of the same name goes before them.
    pub headers: Vec<(HeaderName, Template)>,
    /// How long connections are kept.
    pub connections: Connections,
    /// Where redirects may lead beside the target itself: scheme, host and port.
    pub allow: Vec<Placed<Uri>>,
    /// Whether virtual users keep and send cookies; true by default.
    pub cookies: bool,
}

/// Where a target is.
#[derive(Clone, Debug)]
pub enum At {
    /// Scheme, host, port and base path: `http` or `https`, no query, no user.
    Url(Placed<Uri>),
    /// The pods of a Service of Kubernetes, reached through its API server, without TLS.
    Service(Placed<Service>),
}

impl Target {
    /// Its URL; none of a Service.
    pub fn url(&self) -> Option<&Uri> {
        match &self.at {
            At::Url(url) => Some(url),
            At::Service(_) => None,
        }
    }
}

/// The request that says whether the service is up.
#[derive(Clone, Debug)]
pub struct Ready {
    /// Its path, below the URL's base path.
    pub get: Placed<String>,
    /// The status it has when it is up; 200 by default.
    pub status: u16,
    /// How long to wait for it; 30 s by default. Too late is `invalid`.
    pub within: Duration,
}

/// How long connections are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connections {
    /// For how long a connection serves.
    pub reuse: Reuse,
    /// After so many requests it is closed; at least 1.
    pub max_requests: Option<u64>,
    /// After that time it is closed, between two iterations.
    pub max_age: Option<Duration>,
}

/// For how long a connection serves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reuse {
    /// As long as its VU lives.
    #[default]
    Vu,
    /// For one iteration.
    Iteration,
    /// For one request.
    Request,
}

/// Reads `[target]`.
pub(super) fn read(node: &Node, context: Option<&str>, findings: &mut Findings) -> Option<Target> {
    let mut fields = Fields::of(node, "target", "`[target]`", findings)?;
    let at = match fields.get("service") {
        Some(node) => {
            if let Some(url) = fields.get("url") {
                findings.add(
                    Diagnostic::new(node.place, "the target has a `service` and a `url`")
                        .related(url.place, "the `url`")
                        .help("a target is one of both: take the other out"),
                );
            }
            service::read(node, "service", context, findings).map(At::Service)
        }
        None => fields
            .require("url", findings)
            .and_then(|node| Some(At::Url(Placed::new(url_of(node, "url", findings)?, node.place)))),
    };
    let ready = fields.get("ready").and_then(|node| ready(node, findings));
    let headers = fields.get("headers").map(|node| headers::read(node, findings)).unwrap_or_default();
    for (_, template) in &headers {
        for reference in template.references() {
            if let Reference::Capture(name) = &reference.value {
                findings.add(
                    Diagnostic::new(reference.place, format!("`{name}` is not known to every request")).help(
                        "headers of `[target]` take built-in values; put captures into a step's own headers",
                    ),
                );
            }
        }
    }
    let connections =
        fields.get("connections").and_then(|node| connections(node, findings)).unwrap_or_default();
    let allow = fields.get("allow").map(|node| allow(node, findings)).unwrap_or_default();
    let cookies = fields.get("cookies").and_then(|node| reader::truth(node, "cookies", findings));
    fields.finish(&["tls", "resolve"], findings);
    Some(Target { at: at?, ready, headers, connections, allow, cookies: cookies.unwrap_or(true) })
}

/// Where redirects may lead: `["https://login.example.com"]`.
fn allow(node: &Node, findings: &mut Findings) -> Vec<Placed<Uri>> {
    let mut allowed = Vec::new();
    for item in reader::array(node, "allow", findings).unwrap_or_default() {
        let Some(url) = url_of(item, "allow", findings) else { continue };
        if url.path() == "/" {
            allowed.push(Placed::new(url, item.place));
        } else {
            findings.add(
                Diagnostic::new(item.place, "`allow` names scheme, host and port, without a path")
                    .help("write it like `https://login.example.com`"),
            );
        }
    }
    allowed
}

/// Reads an `http` or `https` URL without query, fragment and user.
fn url_of(node: &Node, key: &str, findings: &mut Findings) -> Option<Uri> {
    let text = reader::text(node, key, findings)?;
    let wrong = |message: &str| Diagnostic::new(node.place, format!("`{key}`: `{text}` {message}"));
    let example = "write it like `http://localhost:5000`";
    if !text.is_ascii() {
        findings.add(wrong("has letters that URLs do not have").help("write the host in punycode: `xn--…`"));
        return None;
    }
    let Ok(uri) = text.parse::<Uri>() else {
        findings.add(wrong("is no URL").help(example));
        return None;
    };
    let Some(authority) = uri.authority().filter(|_| matches!(uri.scheme_str(), Some("http" | "https")))
    else {
        findings.add(wrong("does not begin with `http://` or `https://`").help(example));
        return None;
    };
    if authority.as_str().contains('@') {
        findings.add(wrong("holds a user").help("send `Authorization` in `headers` instead"));
    } else if uri.host().is_none_or(str::is_empty) {
        findings.add(wrong("has no host").help(example));
    } else if authority.as_str().ends_with(':')
        || (authority.port().is_some() && authority.port_u16().is_none())
    {
        findings.add(wrong("has a port that is none"));
    } else if uri.query().is_some() || text.contains('#') {
        findings.add(wrong("holds more than scheme, host, port and path").help("put queries into the steps"));
    } else {
        return Some(uri);
    }
    None
}

fn ready(node: &Node, findings: &mut Findings) -> Option<Ready> {
    let mut fields = Fields::of(node, "ready", "`ready`", findings)?;
    let get = fields.require("get", findings).and_then(|node| {
        let path = reader::text(node, "get", findings)?;
        if !path.starts_with('/') || path.contains([' ', '#']) {
            findings.add(Diagnostic::new(node.place, "`get` is a path and begins with `/`"));
            return None;
        }
        Some(Placed::new(path.to_owned(), node.place))
    });
    let status = fields.get("status").map(|node| reader::integer(node, "status", 100..=599_u16, findings));
    let within = fields.get("within").map(|node| reader::some_time(node, "within", findings));
    fields.finish(&[], findings);
    Some(Ready {
        get: get?,
        status: status.unwrap_or(Some(200))?,
        within: within.unwrap_or(Some(Duration::from_secs(30)))?,
    })
}

fn connections(node: &Node, findings: &mut Findings) -> Option<Connections> {
    let mut fields = Fields::of(node, "connections", "`[target.connections]`", findings)?;
    let choices = [("vu", Reuse::Vu), ("iteration", Reuse::Iteration), ("request", Reuse::Request)];
    let reuse = fields.get("reuse").and_then(|node| reader::choice(node, "reuse", &choices, findings));
    let max_requests = fields
        .get("max_requests")
        .and_then(|node| reader::integer(node, "max_requests", 1..=u64::MAX, findings));
    let max_age = fields.get("max_age").and_then(|node| reader::some_time(node, "max_age", findings));
    fields.finish(&[], findings);
    Some(Connections { reuse: reuse.unwrap_or_default(), max_requests, max_age })
}
