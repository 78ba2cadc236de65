//! The cookies of one virtual user (RFC 6265, section 5), as a browser keeps them.
//!
//! A user has no jar until an answer sets a cookie, so those that never meet one pay for none. What an iteration was
//! given is forgotten at its end, as in k6: the next one is somebody else.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderValue};

/// So many a browser keeps for one site; the oldest goes.
const MOST: usize = 180;

/// A longer one is refused, as browsers do.
const LONGEST: usize = 4096;

/// Where a request goes to, as far as cookies care.
#[derive(Clone, Copy, Debug)]
pub(super) struct Address<'a> {
    pub(super) tls: bool,
    /// In lower case.
    pub(super) host: &'a str,
    /// Without the query.
    pub(super) path: &'a str,
}

impl Address<'_> {
    /// Whether nobody between can read what is sent: by TLS, or because there is nobody between, as browsers have it.
    fn is_safe(&self) -> bool {
        self.tls || self.host == "localhost"
    }
}

/// The cookies of one virtual user, the oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Jar(Vec<Cookie>);

#[derive(Clone, Debug)]
struct Cookie {
    name: String,
    value: String,
    /// The host itself, or the domain whose hosts get it, too.
    domain: String,
    host_only: bool,
    path: String,
    secure: bool,
    expires: Option<SystemTime>,
}

impl Jar {
    /// Takes the cookies that an answer sets.
    pub(super) fn store(&mut self, headers: &HeaderMap, from: Address<'_>, now: SystemTime) {
        for value in headers.get_all(SET_COOKIE) {
            let Some(cookie) = value.to_str().ok().and_then(|text| parse(text, from, now)) else { continue };
            let same = |own: &Cookie| {
                (&own.name, &own.domain, &own.path) == (&cookie.name, &cookie.domain, &cookie.path)
            };
            match self.0.iter().position(same) {
                Some(index) if cookie.is_over(now) => drop(self.0.remove(index)),
                Some(index) => self.0[index] = cookie,
                None if cookie.is_over(now) => {}
                None => {
                    if self.0.len() >= MOST {
                        self.0.remove(0);
                    }
                    self.0.push(cookie);
                }
            }
        }
    }

    /// The `Cookie` header of a request; none where none is for it.
    pub(super) fn header(&self, to: Address<'_>, now: SystemTime) -> Option<HeaderValue> {
        let mut fitting: Vec<&Cookie> = self.0.iter().filter(|cookie| cookie.is_for(to, now)).collect();
        // Longer paths first; among equals the older one, which a stable sort keeps (5.4, step 2).
        fitting.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        let mut text = String::new();
        for cookie in fitting {
            text.push_str(if text.is_empty() { "" } else { "; " });
            text.push_str(&cookie.name);
            text.push('=');
            text.push_str(&cookie.value);
        }
        if text.is_empty() { None } else { HeaderValue::try_from(text).ok() }
    }

    /// The end of an iteration: what it was given goes.
    pub(super) fn end_iteration(&mut self) {
        self.0.clear();
    }
}

impl Cookie {
    fn is_over(&self, now: SystemTime) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    fn is_for(&self, to: Address<'_>, now: SystemTime) -> bool {
        let host = if self.host_only { self.domain == to.host } else { is_within(to.host, &self.domain) };
        host && (to.is_safe() || !self.secure) && path_matches(to.path, &self.path) && !self.is_over(now)
    }
}

/// Reads one `Set-Cookie` (5.2 and 5.3); nothing where it is to be ignored.
fn parse(text: &str, from: Address<'_>, now: SystemTime) -> Option<Cookie> {
    let mut parts = text.split(';');
    let (name, value) = parts.next()?.split_once('=')?;
    let (name, value) = (name.trim(), value.trim());
    if name.is_empty()
        || name.len() + value.len() > LONGEST
        || text.chars().any(|c| c.is_control() && c != '\t')
    {
        return None;
    }
    let mut cookie = Cookie {
        name: name.to_owned(),
        value: value.to_owned(),
        domain: from.host.to_owned(),
        host_only: true,
        path: default_path(from.path).to_owned(),
        secure: false,
        expires: None,
    };
    let mut lives = None;
    for attribute in parts {
        let (key, value) = attribute.split_once('=').unwrap_or((attribute, ""));
        let value = value.trim();
        match key.trim().to_ascii_lowercase().as_str() {
            "secure" => cookie.secure = true,
            "path" if value.starts_with('/') => value.clone_into(&mut cookie.path),
            "domain" => {
                let domain = value.trim_start_matches('.').to_ascii_lowercase();
                if domain.is_empty() {
                    continue;
                }
                if !is_within(from.host, &domain) {
                    return None;
                }
                // A whole top-level domain shares no cookies.
                if domain != from.host && !domain.contains('.') {
                    return None;
                }
                cookie.host_only = false;
                cookie.domain = domain;
            }
            // Of the two this one counts, wherever it stands.
            "max-age" => {
                if let Ok(seconds) = value.parse::<i64>() {
                    let lives_for = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
                    lives = Some(now.checked_add(lives_for));
                }
            }
            "expires" => cookie.expires = date(value),
            _ => {}
        }
    }
    if let Some(lives) = lives {
        cookie.expires = lives;
    }
    // Such a one would never be sent back over this connection; browsers refuse it, too.
    (from.is_safe() || !cookie.secure).then_some(cookie)
}

/// Whether a host is that domain or below it (5.1.3).
fn is_within(host: &str, domain: &str) -> bool {
    let below = || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
    host == domain || (below() && host.parse::<std::net::IpAddr>().is_err())
}

/// Whether a path is that one or below it (5.1.4).
fn path_matches(path: &str, own: &str) -> bool {
    path.strip_prefix(own).is_some_and(|rest| rest.is_empty() || own.ends_with('/') || rest.starts_with('/'))
}

/// The folder of a path (5.1.4).
fn default_path(path: &str) -> &str {
    match path.rfind('/') {
        Some(end) if end > 0 && path.starts_with('/') => &path[..end],
        Some(_) | None => "/",
    }
}

/// A date, as loosely as servers write it (5.1.1).
fn date(text: &str) -> Option<SystemTime> {
    const MONTHS: [&str; 12] =
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let (mut time, mut day, mut month, mut year) = (None, None, None, None);
    let is_delimiter = |c: char| !(c.is_ascii_alphanumeric() || c == ':');
    for token in text.split(is_delimiter).filter(|token| !token.is_empty()) {
        let digits = token.chars().take_while(char::is_ascii_digit).count();
        let number = token[..digits].parse::<u64>().ok();
        let lower = token.to_ascii_lowercase();
        let named = MONTHS.iter().position(|name| lower.starts_with(name));
        if time.is_none() && token.contains(':') {
            let mut fields = token.split(':').map(|field| field.parse::<u64>().ok());
            let (hour, minute, second) = (fields.next()??, fields.next()??, fields.next()??);
            if hour >= 24 || minute >= 60 || second >= 60 {
                return None;
            }
            time = Some(hour * 3600 + minute * 60 + second);
        } else if let (None, 1 | 2) = (day, digits) {
            day = number;
        } else if month.is_none() && named.is_some() {
            month = named;
        } else if let (None, 2 | 4) = (year, digits) {
            year = number.map(|year| match year {
                70..=99 => year + 1900,
                0..=69 => year + 2000,
                _ => year,
            });
        }
    }
    let (time, day, month, year) = (time?, day?, month?, year?);
    if year < 1970 {
        // Over long ago.
        return (year >= 1601).then_some(UNIX_EPOCH);
    }
    let date = format!("{year:04}-{:02}-{day:02}T00:00:00Z", month + 1);
    humantime::parse_rfc3339(&date).ok()?.checked_add(Duration::from_secs(time))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HERE: Address<'static> = Address { tls: false, host: "shop.example.com", path: "/cart/add" };

    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_700_000_000)
    }

    fn jar(set: &[&str]) -> Jar {
        let mut jar = Jar::default();
        for text in set {
            let mut headers = HeaderMap::new();
            headers.append(SET_COOKIE, text.parse().unwrap());
            jar.store(&headers, HERE, now());
        }
        jar
    }

    #[track_caller]
    fn sent(set: &[&str], to: Address<'_>, expected: &str) {
        let header = jar(set).header(to, now());
        assert_eq!(header.as_ref().map_or("", |value| value.to_str().unwrap()), expected, "{set:?}");
    }

    #[test]
    fn cookies_go_back_where_they_belong() {
        let to = |host, path| Address { tls: false, host, path };
        sent(&["a=1; Path=/", "b=2; path=/; HttpOnly; SameSite=Lax"], HERE, "a=1; b=2");
        sent(&["a=1; Path=/", "a=2; Path=/"], HERE, "a=2");
        sent(&["a=1"], to("shop.example.com", "/cart"), "a=1");
        sent(&["a=1"], to("shop.example.com", "/cartoon"), "");
        sent(&["a=1; Path=/", "b=2; Path=/cart"], HERE, "b=2; a=1");
        sent(&["a=1; Path=/"], to("example.com", "/"), "");
        sent(&["a=1; Path=/"], to("other.example.com", "/"), "");
        sent(&["a=1; Path=/; Domain=.Example.com"], to("other.example.com", "/"), "a=1");
        sent(&["a=1; Path=/; Domain=example.org"], HERE, "");
        sent(&["a=1; Path=/; Domain=com"], HERE, "");
        sent(&["s=1; Path=/; Secure"], HERE, "");
        sent(&["nothing", "=x", "a=b=c; Path=/"], HERE, "a=b=c");
    }

    #[test]
    fn cookies_end() {
        sent(&["a=1; Path=/", "a=; Path=/; Max-Age=0"], HERE, "");
        sent(&["a=1; Path=/", "a=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT"], HERE, "");
        sent(&["a=1; Path=/; Expires=Wed, 21-Oct-2015 07:28:00 GMT"], HERE, "");
        sent(&["a=1; Path=/; Expires=Wed, 21 Oct 2099 07:28:00 GMT"], HERE, "a=1");
        sent(&["a=1; Path=/; Expires=Wed, 21 Oct 2015 07:28:00 GMT; Max-Age=60"], HERE, "a=1");
        sent(&["a=1; Path=/; Max-Age=99999999999999999"], HERE, "a=1");
        assert_eq!(
            date("Tue, 14 Nov 2023 22:13:20 GMT"),
            Some(UNIX_EPOCH + Duration::from_secs(1_700_000_000))
        );
        assert_eq!(date("Sunday, 06-Nov-94 08:49:37 GMT"), date("Sun Nov  6 08:49:37 1994"));
    }

    #[test]
    fn an_iteration_forgets_what_it_was_given() {
        let mut jar = jar(&["basket=1; Path=/"]);
        jar.end_iteration();
        assert_eq!(jar.header(HERE, now()), None);
    }

    #[test]
    fn nobody_is_between_this_machine_and_itself() {
        let here = Address { host: "localhost", ..HERE };
        let mut jar = Jar::default();
        let mut headers = HeaderMap::new();
        headers.append(SET_COOKIE, "s=1; Path=/; Secure".parse().unwrap());
        jar.store(&headers, here, now());
        assert_eq!(jar.header(here, now()).unwrap(), "s=1");
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        let days = |n: u64| Some(UNIX_EPOCH + Duration::from_secs(n * 86_400));
        assert_eq!(date("29 Feb 2000 00:00:00"), days(11_016));
        assert_eq!(date("31 Feb 2000 00:00:00"), None);
        assert_eq!(date("01 Jan 1900 00:00:00"), days(0), "over long ago");
        assert_eq!(date("01 Jan 1500 00:00:00"), None);
        assert_eq!(date("01 Jan 2000 18446744073709551610:00:00"), None);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC*", near in "a=b(; ?(Path|Domain|Expires|Max-Age|Secure)=?[-/.:0-9A-Za-z, ]{0,20}){0,4}") {
            parse(&text, HERE, now());
            parse(&near, HERE, now());
            date(&text);
        }
    }
}
