//! Following redirects: only to the target itself, or to where its profile allows.
//!
//! A load test must never wander off to a system that nobody meant. Each hop is a request of its own, with its own
//! times; what checks and captures see is the last answer.

use std::rc::Rc;
use std::time::{Instant, SystemTime};

use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, COOKIE, HOST, LOCATION, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Method, Uri};
use percent_encoding::{AsciiSet, CONTROLS, percent_encode};

use super::attempt::{Attempt, Limits};
use super::connect::Trouble;
use super::cookies::{Address, Jar};
use super::exchange::Answer;
use super::payload::Payload;
use super::vu::Vu;
use crate::metrics::{Failure, Sample};
use crate::plan::{Reuse, SpanId, Step, StepId, Target};
use crate::words::ErrorKind;

/// What no request line may hold, as servers write it into `Location` all the same.
const UNSENDABLE: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'\\').add(b'^').add(b'`');

/// Where a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Site {
    /// To the target.
    Target,
    /// To one of the others that the profile allows: its index there.
    Allowed(u16),
}

impl Site {
    pub(super) fn of(self, target: &Target) -> &Target {
        match self {
            Self::Target => target,
            Self::Allowed(index) => &target.allow[usize::from(index)],
        }
    }
}

/// A request of a step as it is after some hops.
#[derive(Clone, Debug)]
pub(super) struct Hop {
    pub(super) site: Site,
    /// Path and query.
    pub(super) uri: Uri,
    method: Method,
    /// Whether the step's own body is still sent.
    has_body: bool,
}

/// What came of following redirects.
pub(super) struct Followed {
    pub(super) attempt: Attempt,
    /// When the last request was begun.
    pub(super) begin: Instant,
    /// That request.
    pub(super) hop: Hop,
}

/// Whether an answer asks to go elsewhere (RFC 9110, 15.4). 300 and 304 do not.
pub(super) fn is_redirect(answer: &Answer) -> bool {
    matches!(answer.status, 301 | 302 | 303 | 307 | 308) && answer.headers.contains_key(LOCATION)
}

impl Hop {
    /// Where an answer to this request leads.
    fn next(&self, answer: &Answer, target: &Target) -> Result<Self, Trouble> {
        let refused = |message: String| Trouble::new(ErrorKind::Redirect, message);
        let location = answer.headers.get(LOCATION).map_or(&b""[..], HeaderValue::as_bytes);
        let location = percent_encode(location, UNSENDABLE).to_string();
        let here = self.site.of(target);
        let url = resolve(here, self.uri.path_and_query().map_or("/", |it| it.as_str()), &location)
            .ok_or_else(|| refused(format!("redirected to `{location}`, which is no HTTP URL")))?;
        let there = Target::of(&url);
        let same = |site: &Target| {
            (site.tls, site.port) == (there.tls, there.port) && site.host.eq_ignore_ascii_case(&there.host)
        };
        let allowed = || (0_u16..).zip(&target.allow).find(|(_, site)| same(site));
        let site = match (same(target), allowed()) {
            (true, _) => Site::Target,
            (false, Some((index, _))) => Site::Allowed(index),
            (false, None) => {
                let scheme = if there.tls { "https" } else { "http" };
                return Err(refused(format!(
                    "redirected to {scheme}://{}, which is not the target: `allow` in `[target]` can name it",
                    there.authority
                )));
            }
        };
        let path = url.path_and_query().map_or("/", |it| it.as_str());
        let uri =
            path.parse().map_err(|_| refused(format!("redirected to `{location}`, which is no URL")))?;
        // What browsers do, and RFC 9110, 15.4 allows: a form that was posted is not posted again.
        let becomes_get = match answer.status {
            303 => self.method != Method::HEAD,
            301 | 302 => self.method == Method::POST,
            _ => false,
        };
        Ok(if becomes_get {
            Self { site, uri, method: Method::GET, has_body: false }
        } else {
            Self { site, uri, ..self.clone() }
        })
    }
}

/// A reference against the page that it stands on (RFC 3986, 5.2); `None` of what is no HTTP URL.
pub(super) fn resolve(here: &Target, path_and_query: &str, reference: &str) -> Option<Uri> {
    let reference = reference.split('#').next().unwrap_or_default();
    let scheme = if here.tls { "https" } else { "http" };
    let has_scheme = reference.split(['/', '?']).next().is_some_and(|first| first.contains(':'));
    let text = if has_scheme {
        reference.to_owned()
    } else if reference.starts_with("//") {
        format!("{scheme}:{reference}")
    } else {
        let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
        let (own, own_query) = match reference.split_once('?') {
            Some((own, query)) => (own, Some(query)),
            None => (reference, None),
        };
        let (path, query) = if own.is_empty() {
            (path.to_owned(), own_query.or((!query.is_empty()).then_some(query)))
        } else if own.starts_with('/') {
            (without_dots(own), own_query)
        } else {
            let folder = path.rfind('/').map_or("/", |end| &path[..=end]);
            (without_dots(&format!("{folder}{own}")), own_query)
        };
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        format!("{scheme}://{}{path}{query}", here.authority)
    };
    let uri: Uri = text.parse().ok()?;
    let is_http = uri.scheme_str().is_some_and(|scheme| matches!(scheme, "http" | "https"));
    let has_user = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
    (is_http && !has_user && uri.host().is_some_and(|host| !host.is_empty())).then_some(uri)
}

/// A path without `.` and `..` (RFC 3986, 5.2.4).
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "." => {}
            ".." => drop(kept.pop()),
            _ => kept.push(segment),
        }
        if is_last && matches!(segment, "." | "..") {
            kept.push("");
        }
    }
    format!("/{}", kept.join("/"))
}

impl Vu {
    /// Follows redirects from an answer on, and counts the hops but for the last request. `seed` is the chance that the
    /// step's request was built with, so that it can be built again, as it was.
    pub(super) async fn follow(
        &mut self,
        (id, span): (StepId, SpanId),
        seed: &fastrand::Rng,
        limits: Limits<'_>,
        mut attempt: Attempt,
        mut begin: Instant,
    ) -> Followed {
        let crew = Rc::clone(&self.crew);
        let (step, target) = (crew.plan.step(id), &crew.plan.target);
        let mut hop = self.first_hop(step, seed);
        let mut hops = 0;
        while let Attempt::Answered { answer, .. } = &attempt
            && is_redirect(answer)
        {
            let next = if hops == step.redirects {
                let message = format!("more than {hops} redirects, the last one at {}", hop.uri);
                Err(Trouble::new(ErrorKind::Redirect, message))
            } else {
                hop.next(answer, target)
            };
            let status = Some(answer.status);
            let next = match next {
                Ok(next) => next,
                Err(trouble) => {
                    attempt = Attempt::Broken { trouble, status };
                    break;
                }
            };
            if target.cookies {
                self.keep_cookies(answer, &hop);
            }
            self.correct(&mut attempt, step, begin);
            self.count_hop((id, span), &attempt, begin);
            (hop, hops, begin) = (next, hops + 1, Instant::now());
            self.go_to(hop.site);
            match self.request_again(step, seed, &hop) {
                Ok(request) => attempt = self.attempt(step, &mut Some(request), limits, begin).await,
                Err(trouble) => attempt = Attempt::Broken { trouble, status: None },
            }
        }
        Followed { attempt, begin, hop }
    }

    /// Takes the cookies that an answer to a request sets.
    pub(super) fn keep_cookies(&mut self, answer: &Answer, hop: &Hop) {
        if !answer.headers.contains_key(SET_COOKIE) {
            return;
        }
        let site = hop.site.of(&self.crew.plan.target);
        let from = Address { tls: site.tls, host: &site.host, path: hop.uri.path() };
        let jar = self.values.jar.get_or_insert_with(Box::<Jar>::default);
        jar.store(&answer.headers, from, SystemTime::now());
    }

    /// The step's request as it was first sent, without a hop.
    pub(super) fn first_hop(&mut self, step: &Step, seed: &fastrand::Rng) -> Hop {
        let uri = self.uri_again(step, seed);
        Hop { site: Site::Target, uri, method: step.request.method.clone(), has_body: true }
    }

    /// Changes to the connection that leads to a site, if there is one.
    #[inline]
    pub(super) fn go_to(&mut self, site: Site) {
        if self.site != site {
            self.change_to(site);
        }
    }

    #[cold]
    fn change_to(&mut self, site: Site) {
        if let Some(connection) = self.connection.take() {
            self.parked.push((self.site, connection));
        }
        let found = self.parked.iter().position(|(own, _)| *own == site);
        self.connection = found.map(|index| self.parked.swap_remove(index).1);
        self.site = site;
    }

    fn count_hop(&mut self, (step, span): (StepId, SpanId), attempt: &Attempt, begin: Instant) {
        let Attempt::Answered { answer, timings } = attempt else { return };
        let (sent, received) =
            self.connection.as_ref().map(|connection| connection.meter.take_bytes()).unwrap_or_default();
        if self.crew.plan.target.connections.reuse == Reuse::Request {
            self.connection = None;
        }
        self.crew.recorder.borrow_mut().request(&Sample {
            step,
            span,
            start: self.crew.offset(begin),
            timings: Some(*timings),
            status: Some(answer.status),
            failure: Failure::None,
            passes: 0,
            fails: 0,
            sent,
            received,
        });
    }

    /// Path and query of the step's request, as they were when it was built with that seed.
    fn uri_again(&mut self, step: &Step, seed: &fastrand::Rng) -> Uri {
        let rng = std::mem::replace(&mut self.values.rng, seed.clone());
        let uri = self.values.uri(&step.request);
        self.values.rng = rng;
        uri.unwrap_or_default()
    }

    /// The request of a hop: the step's own, as it was, but for what the hop changes.
    fn request_again(
        &mut self,
        step: &Step,
        seed: &fastrand::Rng,
        hop: &Hop,
    ) -> Result<http::Request<Payload>, Trouble> {
        let crew = Rc::clone(&self.crew);
        let target = &crew.plan.target;
        let rng = std::mem::replace(&mut self.values.rng, seed.clone());
        let built = self.values.request(&step.request, HeaderMap::new(), target);
        self.values.rng = rng;
        let mut request = built
            .map_err(|_| Trouble::new(ErrorKind::Redirect, "the request cannot be made a second time"))?;
        let site = hop.site.of(target);
        let headers = request.headers_mut();
        if !hop.has_body {
            headers.remove(CONTENT_TYPE);
            headers.remove(CONTENT_ENCODING);
        }
        if hop.site != Site::Target {
            // Who the user is, is nothing for others.
            headers.remove(AUTHORIZATION);
            headers.remove(COOKIE);
            if let Ok(authority) = HeaderValue::from_str(&site.authority) {
                headers.insert(HOST, authority);
            }
        }
        if let Some(jar) = &self.values.jar
            && !step.request.sets_cookie()
        {
            headers.remove(COOKIE);
            let to = Address { tls: site.tls, host: &site.host, path: hop.uri.path() };
            if let Some(cookies) = jar.header(to, SystemTime::now()) {
                headers.insert(COOKIE, cookies);
            }
        }
        if !hop.has_body {
            *request.body_mut() = Payload::default();
        }
        *request.method_mut() = hop.method.clone();
        *request.uri_mut() = hop.uri.clone();
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str) -> Target {
        Target::of(&url.parse().unwrap())
    }

    #[test]
    fn references_are_resolved_as_rfc_3986_has_it() {
        // Its base is `http://a/b/c/d;p?q` (5.4), but for what is no HTTP.
        for (reference, resolved) in [
            ("g", "http://a/b/c/g"),
            ("./g", "http://a/b/c/g"),
            ("g/", "http://a/b/c/g/"),
            ("/g", "http://a/g"),
            ("//g", "http://g/"),
            ("?y", "http://a/b/c/d;p?y"),
            ("g?y", "http://a/b/c/g?y"),
            ("#s", "http://a/b/c/d;p?q"),
            ("g#s", "http://a/b/c/g"),
            ("g?y#s", "http://a/b/c/g?y"),
            (";x", "http://a/b/c/;x"),
            ("", "http://a/b/c/d;p?q"),
            (".", "http://a/b/c/"),
            ("..", "http://a/b/"),
            ("../g", "http://a/b/g"),
            ("../..", "http://a/"),
            ("../../../g", "http://a/g"),
            ("/./g", "http://a/g"),
            ("/../g", "http://a/g"),
            ("g.", "http://a/b/c/g."),
            ("..g", "http://a/b/c/..g"),
            ("./g/.", "http://a/b/c/g/"),
            ("g/../h", "http://a/b/c/h"),
            ("https://b:8443/x?y=z", "https://b:8443/x?y=z"),
        ] {
            let found = resolve(&target("http://a"), "/b/c/d;p?q", reference).map(|url| url.to_string());
            assert_eq!(found.as_deref(), Some(resolved), "{reference}");
        }
        for reference in ["mailto:a@b", "javascript:alert(1)", "ftp://a/", "http://", "http://u@a/"] {
            assert_eq!(resolve(&target("http://a"), "/", reference), None, "{reference}");
        }
    }

    #[test]
    fn a_redirect_leads_to_the_target_or_to_what_is_allowed_and_nowhere_else() {
        let mut here = target("http://shop:8080");
        here.allow = vec![target("https://login")];
        let hop =
            Hop { site: Site::Target, uri: "/a/b".parse().unwrap(), method: Method::POST, has_body: true };
        let next = |status: u16, location: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(LOCATION, HeaderValue::from_bytes(location.as_bytes()).unwrap());
            hop.next(&Answer { status, headers, body: bytes::Bytes::new() }, &here)
        };
        let led = |status, location| {
            next(status, location)
                .map(|hop| (hop.site, hop.uri.to_string(), hop.method, hop.has_body))
                .unwrap()
        };
        assert_eq!(led(302, "c?d"), (Site::Target, "/a/c?d".to_owned(), Method::GET, false));
        assert_eq!(led(307, "http://SHOP:8080/x"), (Site::Target, "/x".to_owned(), Method::POST, true));
        assert_eq!(led(303, "https://login/in"), (Site::Allowed(0), "/in".to_owned(), Method::GET, false));
        assert_eq!(led(302, "/a b/ä").1, "/a%20b/%C3%A4");
        for elsewhere in
            ["http://shop/", "https://shop:8080/", "http://login/", "//evil/", "https://login.evil/"]
        {
            let trouble = next(302, elsewhere).unwrap_err();
            assert_eq!(trouble.kind, ErrorKind::Redirect, "{elsewhere}");
            assert!(trouble.message.contains("is not the target"), "{}", trouble.message);
        }
    }
}
