//! From a line of a journal to the request that undoes what it tells of.

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderName, HeaderValue, Uri};

use super::Env;
use super::failure::Failure;
use super::sweep::Args;
use crate::journal::{Journal, Made, Thing, seal};
use crate::plan::Target;
use crate::profile::SCHEME;

/// Where things are undone, and with what.
pub(super) struct Where<'a> {
    pub(super) args: &'a Args,
    pub(super) env: &'a Env,
}

impl Where<'_> {
    /// The request that undoes a thing; `None` if the journal does not hold it.
    pub(super) fn errand(
        &self,
        journal: &Journal,
        thing: &Thing,
        made: &Made,
    ) -> Result<Option<http::Request<Bytes>>, Failure> {
        let (Some(path), Some(undoing)) = (&made.path, journal.undoing(thing)) else { return Ok(None) };
        let body = match made.body.as_ref().or(undoing.body.as_ref()) {
            Some(body) => Bytes::from(self.open(body)?),
            None => Bytes::new(),
        };
        let mut request = http::Request::new(body);
        let (Some(method), Ok(uri)) = (undoing.method(), self.open(path)?.parse()) else { return Ok(None) };
        (*request.method_mut(), *request.uri_mut()) = (method, uri);
        let headers = request.headers_mut();
        for (name, value) in undoing.headers.iter().chain(&made.headers) {
            let Ok(name) = name.parse::<HeaderName>() else { return Ok(None) };
            if self.args.headers.iter().any(|(given, _)| *given == name) {
                continue;
            }
            let Some(value) = value else {
                let message = format!("the header `{name}` carried a credential, which is in no journal");
                let help = format!("give it with `--header \"{name}: …\"`");
                return Err(Failure::usage(message).help(help));
            };
            let Ok(value) = self.open(value)?.parse::<HeaderValue>() else { return Ok(None) };
            headers.append(name, value);
        }
        headers.extend(self.args.headers.iter().cloned());
        if !headers.contains_key(HOST)
            && let Ok(host) = self.target(journal)?.authority.parse()
        {
            headers.insert(HOST, host);
        }
        Ok(Some(request))
    }

    /// What the requests go to.
    pub(super) fn target(&self, journal: &Journal) -> Result<Target, Failure> {
        if let Some(target) = &self.args.target {
            return Ok(Target::clone(target));
        }
        let url = self.open(&journal.target)?;
        let found = target(&url);
        let mut found = *found.map_err(|why| Failure::usage(why).help("give the address with `--target`"))?;
        // The same Service of another cluster has other things.
        if let (Some(service), Some(context)) = (&mut found.service, &journal.context) {
            service.context = Some(self.open(context)?);
        }
        Ok(found)
    }

    /// A text with the secrets in it.
    fn open(&self, text: &str) -> Result<String, Failure> {
        seal::open(text, self.env.variables()).map_err(Failure::usage)
    }
}

/// An `http` or `https` URL, or a Service of Kubernetes.
pub(super) fn target(text: &str) -> Result<Box<Target>, String> {
    if let Some(service) = text.strip_prefix(SCHEME) {
        let service =
            service.parse().map_err(|why| format!("`{text}` {why}: {SCHEME}NAMESPACE/NAME:PORT"))?;
        return Ok(Box::new(Target::of_service(&service)));
    }
    let uri: Uri = text.parse().map_err(|error| format!("`{text}` is no URL: {error}"))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none() {
        return Err(format!("`{text}` is no URL with `http` or `https` and a host"));
    }
    Ok(Box::new(Target::of(&uri)))
}

/// `Name: value`, as curl takes it.
pub(super) fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("a header is written `Name: value`")?;
    let name = name.trim().parse().map_err(|_| format!("`{name}` is no name of a header"))?;
    let value =
        value.trim().parse().map_err(|_| "its value holds a character that no header may".to_owned())?;
    Ok((name, value))
}
