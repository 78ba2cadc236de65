//! What fuzzing reaches of this room: see [`crate::fuzz`].

use std::rc::Rc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::LOCATION;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::cookies::{Address, Jar};
use super::decode::decode;
use super::exchange::Answer;
use super::inspect::Inspected;
use super::redirect::resolve;
use super::render::Values;
use crate::plan::{Plan, Target};

/// An answer to each step of a plan: decoded, checked, captured from; its cookies kept, its redirect looked at.
pub(crate) fn answer(plan: &Plan, data: &[u8]) {
    let mut rest = data;
    let mut line = || {
        let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        let (line, after) = rest.split_at(end);
        rest = after.get(1..).unwrap_or_default();
        line
    };
    let status = std::str::from_utf8(line()).ok().and_then(|text| text.parse().ok()).unwrap_or(200);
    let mut headers = HeaderMap::new();
    loop {
        let header = line();
        let Some(colon) = header.iter().position(|byte| *byte == b':') else { break };
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(&header[..colon]), HeaderValue::from_bytes(&header[colon + 1..]))
        {
            headers.append(name, value);
        }
    }
    let mut answer = Answer { status, headers, body: Bytes::copy_from_slice(rest) };
    if let Ok(Some(decoded)) = decode(&answer.headers, &answer.body) {
        answer.body = decoded;
    }

    let slots = vec![Some(Rc::from("x")); plan.slots.len()];
    let mut values = Values { vu: 1, iteration: 0, slots, rng: fastrand::Rng::with_seed(1), jar: None };
    let inspected = Inspected::new(&answer, Duration::from_millis(20), &plan.secrets);
    for step in &plan.steps {
        for check in &step.checks {
            if !inspected.holds(check, &mut values) {
                assert!(inspected.instead(check).chars().count() < 2_000, "what a reader sees is short");
            }
        }
        for capture in &step.captures {
            drop(inspected.capture(&capture.from));
        }
    }

    let (mut jar, now) = (Jar::default(), SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000));
    let from = Address { tls: false, host: "localhost", path: "/a/b" };
    jar.store(&answer.headers, from, now);
    drop(jar.header(from, now));
    let elsewhere = Address { tls: true, host: "elsewhere.test", path: "/a/b" };
    assert!(jar.header(elsewhere, now).is_none(), "cookies of one site go to no other");

    if let Some(location) = answer.headers.get(LOCATION)
        && let Ok(location) = location.to_str()
        && let Some(url) = resolve(&plan.target, "/a/b?c", location)
    {
        let there = Target::of(&url);
        assert!(!there.host.is_empty() && !there.authority.as_str().contains('@'));
    }
}
