//! Filling templates in: from the plan's pieces to the bytes of one request.

use std::fmt::{Display, Write as _};
use std::rc::Rc;
use std::time::SystemTime;

use bytes::Bytes;
use http::header::COOKIE;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::cookies::{Address, Jar};
use super::payload::Payload;
use crate::plan::{Body, Escape, Path, Piece, Request, Slot, Target, Template, Value};

/// All but the characters that RFC 3986 leaves unreserved: a value never ends its segment or adds a parameter.
const NOT_UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What a virtual user fills its templates with.
#[derive(Debug)]
pub(super) struct Values {
    /// The number of the virtual user, from 1; 0 outside the load.
    pub(super) vu: u32,
    /// The number of its iteration, from 0.
    pub(super) iteration: u64,
    /// Captured values, by slot.
    pub(super) slots: Vec<Option<Rc<str>>>,
    /// Its own source of chance.
    pub(super) rng: fastrand::Rng,
    /// Its cookies; boxed, and none until an answer sets the first, as most users never have one.
    pub(super) jar: Option<Box<Jar>>,
}

/// Why a request could not be built from its templates.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unfilled {
    /// Nothing was captured into this slot.
    Missing(Slot),
    /// The values make no valid request: a line break in a header, for example.
    Invalid(String),
}

/// A request, but for the headers that are the same for every request of its step.
#[derive(Clone, Debug)]
pub(super) struct Filled {
    pub(super) uri: Uri,
    /// Those headers whose templates were filled in.
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Filled {
    /// The whole request.
    pub(super) fn whole(&self, request: &Request) -> http::Request<Payload> {
        let mut built = http::Request::new(Payload::from(self.body.clone()));
        *built.method_mut() = request.method.clone();
        *built.uri_mut() = self.uri.clone();
        let headers = built.headers_mut();
        headers.extend(request.headers.iter().map(|(name, value)| (name.clone(), value.clone())));
        for (name, value) in &self.headers {
            headers.append(name, value.clone());
        }
        built
    }
}

impl Values {
    /// Builds a request. Its headers take the room of `spare`, an empty map: that of an answer which nobody needs any
    /// more, so that no room is asked for and given back with every request. hyper in turn uses the map of a request
    /// for its answer.
    pub(super) fn request(
        &mut self,
        request: &Request,
        spare: HeaderMap,
        home: &Target,
    ) -> Result<http::Request<Payload>, Unfilled> {
        debug_assert!(spare.is_empty());
        let mut built = http::Request::new(Payload::from(Bytes::new()));
        *built.method_mut() = request.method.clone();
        *built.headers_mut() = spare;
        for (name, value) in &request.headers {
            built.headers_mut().append(name, value.clone());
        }
        *built.uri_mut() = self.uri(request)?;
        let path = built.uri().clone();
        self.own_headers(request, path.path(), home, built.headers_mut())?;
        *built.body_mut() = Payload::from(self.body(request)?);
        Ok(built)
    }

    /// Builds what is a request's own.
    pub(super) fn filled(&mut self, request: &Request, home: &Target) -> Result<Filled, Unfilled> {
        let uri = self.uri(request)?;
        let mut headers = HeaderMap::new();
        self.own_headers(request, uri.path(), home, &mut headers)?;
        Ok(Filled { uri, headers, body: self.body(request)? })
    }

    /// Path and query.
    pub(super) fn uri(&mut self, request: &Request) -> Result<Uri, Unfilled> {
        match &request.path {
            Path::Static(uri) => Ok(uri.clone()),
            Path::Filled(template) => {
                let path = PathAndQuery::from_maybe_shared(Bytes::from(self.fill(template)?))
                    .map_err(|error| Unfilled::Invalid(format!("the path is invalid: {error}")))?;
                Ok(Uri::from(path))
            }
        }
    }

    /// Adds the headers that are filled in, and the cookies for this path.
    fn own_headers(
        &mut self,
        request: &Request,
        path: &str,
        home: &Target,
        headers: &mut HeaderMap,
    ) -> Result<(), Unfilled> {
        for (name, template) in &request.filled_headers {
            let value = HeaderValue::from_maybe_shared(Bytes::from(self.fill(template)?))
                .map_err(|_| Unfilled::Invalid(format!("the value of the header `{name}` is invalid")))?;
            headers.append(name, value);
        }
        if let Some(jar) = &self.jar
            && !request.sets_cookie()
        {
            let to = Address { tls: home.tls, host: &home.host, path };
            if let Some(cookies) = jar.header(to, SystemTime::now()) {
                headers.insert(COOKIE, cookies);
            }
        }
        Ok(())
    }

    fn body(&mut self, request: &Request) -> Result<Bytes, Unfilled> {
        Ok(match &request.body {
            Body::None => Bytes::new(),
            Body::Static(bytes) => bytes.clone(),
            Body::Filled(template) => Bytes::from(self.fill(template)?),
        })
    }

    /// Fills a template in.
    pub(super) fn fill(&mut self, template: &Template) -> Result<String, Unfilled> {
        let mut text = String::with_capacity(128);
        for piece in &template.pieces {
            match piece {
                Piece::Text(piece) => text.push_str(piece),
                Piece::Value(value) => self.put(value, template.escape, &mut text)?,
            }
        }
        Ok(text)
    }

    fn put(&mut self, value: &Value, escape: Escape, text: &mut String) -> Result<(), Unfilled> {
        match value {
            Value::Vu => text.push_str(itoa::Buffer::new().format(self.vu)),
            Value::Iteration => text.push_str(itoa::Buffer::new().format(self.iteration)),
            Value::Uuid => self.uuid(text),
            Value::Now => {
                escape_into(&humantime::format_rfc3339_millis(SystemTime::now()).to_string(), escape, text);
            }
            Value::Random(range) => text.push_str(itoa::Buffer::new().format(self.rng.i64(range.clone()))),
            Value::Pick(choices) => {
                if let Some(choice) = self.rng.choice(choices) {
                    escape_into(choice, escape, text);
                }
            }
            Value::Captured(slot) => match &self.slots[usize::from(slot.0)] {
                Some(captured) => escape_into(captured, escape, text),
                None => return Err(Unfilled::Missing(*slot)),
            },
        }
        Ok(())
    }

    /// A random UUID (RFC 9562, version 4).
    fn uuid(&mut self, text: &mut String) {
        let random = self.rng.u128(..) & !(0xf000_u128 << 64) & !(0xc000_u128 << 48);
        let id = random | (0x4000_u128 << 64) | (0x8000_u128 << 48);
        // By hand: every created thing has one, and `format_args!` goes through dynamic calls for each of its groups.
        for (index, byte) in id.to_be_bytes().into_iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                text.push('-');
            }
            for digit in [byte >> 4, byte & 15] {
                text.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
            }
        }
    }
}

fn show(text: &mut String, value: impl Display) {
    // Writing to a string does not fail.
    let _ = write!(text, "{value}");
}

fn escape_into(value: &str, escape: Escape, text: &mut String) {
    match escape {
        Escape::None => text.push_str(value),
        Escape::Percent => text.extend(utf8_percent_encode(value, NOT_UNRESERVED)),
        Escape::Json => {
            for character in value.chars() {
                match character {
                    '"' => text.push_str("\\\""),
                    '\\' => text.push_str("\\\\"),
                    '\u{0}'..='\u{1f}' => show(text, format_args!("\\u{:04x}", u32::from(character))),
                    _ => text.push(character),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values(captured: &str) -> Values {
        Values {
            vu: 7,
            iteration: 3,
            slots: vec![Some(captured.into()), None],
            rng: fastrand::Rng::with_seed(1),
            jar: None,
        }
    }

    fn captured(escape: Escape) -> Template {
        Template { pieces: vec![Piece::Value(Value::Captured(Slot(0)))], escape }
    }

    #[test]
    fn a_uuid_has_its_version_and_variant() {
        let template = Template { pieces: vec![Piece::Value(Value::Uuid)], escape: Escape::None };
        for _ in 0..100 {
            let id = values("").fill(&template).unwrap();
            assert_eq!((id.len(), &id[14..15]), (36, "4"), "{id}");
            assert!("89ab".contains(&id[19..20]), "{id}");
        }
    }

    #[test]
    fn what_was_not_captured_is_named() {
        let template =
            Template { pieces: vec![Piece::Value(Value::Captured(Slot(1)))], escape: Escape::None };
        assert_eq!(values("").fill(&template), Err(Unfilled::Missing(Slot(1))));
    }

    proptest! {
        #[test]
        fn no_value_breaks_out_of_a_path(value in ".*") {
            let filled = values(&value).fill(&captured(Escape::Percent)).unwrap();
            prop_assert!(!filled.contains(['/', '?', '#', ' ', '\r', '\n', '&', '=']));
            let decoded = percent_encoding::percent_decode_str(&filled).decode_utf8().unwrap();
            prop_assert_eq!(decoded, value);
        }

        #[test]
        fn no_value_breaks_out_of_a_json_string(value in ".*") {
            let filled = values(&value).fill(&captured(Escape::Json)).unwrap();
            let decoded: String = serde_json::from_str(&format!("\"{filled}\"")).unwrap();
            prop_assert_eq!(decoded, value);
        }
    }
}
