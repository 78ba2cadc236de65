//! What browsers do without being asked: redirects, cookies, compression.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::support::palier::{Done, Palier};
use crate::support::rogue::{Asked, Reply, Rogue};

/// These steps, run by two users, twice each.
fn run(target: &Rogue, settings: &str, steps: &str) -> Done {
    let profile = format!(
        r#"
[target]
url = "http://127.0.0.1:9"
{settings}

[load]
executor = "per-vu-iterations"
vus = 2
iterations = 2

[thresholds]
errors = ["rate<=0"]
{steps}
"#
    );
    Palier::run(&profile).args(["--target", &target.url()]).finish()
}

fn to(status: &str, location: &str) -> Reply {
    Reply::with(status, &format!("location: {location}\r\n"), b"")
}

#[test]
fn redirects_are_followed_and_each_hop_is_a_request() {
    let target = Rogue::start(|asked| match asked.path.as_str() {
        "/form" if asked.method == "POST" => to("302 Found", "../one?from=form#top"),
        "/one?from=form" if asked.method == "GET" && asked.body.is_empty() => {
            to("301 Moved Permanently", "/two")
        }
        "/two" => Reply::ok("arrived"),
        "/kept" if asked.body == asked.header("x-same") => to("307 Temporary Redirect", "/again"),
        "/again" if asked.method == "PUT" && asked.body == asked.header("x-same") => Reply::ok(&asked.body),
        _ => Reply::with("404 Not Found", "", asked.head.as_bytes()),
    });
    let steps = r#"
[[step]]
name = "form"
post = "/form"
form = { user = "ann" }
checks = [{ name = "arrived", body = { equals = "arrived" } }]

[[step]]
name = "kept"
put = "/kept"
body = "fixed"
headers = { X-Same = "fixed" }
checks = [{ name = "the same again", body = { equals = "fixed" } }]

[[step]]
name = "taken as it is"
post = "/form"
redirects = 0
checks = [{ name = "302", status = 302 }, { name = "where", header = "Location", contains = "one" }]
"#;
    let run = run(&target, "", steps).exit(0);
    assert_eq!(run.count("/metrics/http_reqs/count"), 4 * (3 + 2 + 1));
    assert_eq!(run.count("/metrics/http_req_duration/count"), target.requests());
    assert_eq!(run.count("/metrics/checks/passes"), 4 * 4);
    assert_eq!(target.connections(), 3, "one a user, and one to see whether it is there");
}

#[test]
fn redirects_lead_nowhere_that_the_profile_does_not_allow() {
    let other = Rogue::start(|asked| {
        Reply::ok(&format!("{} {}", asked.header("authorization"), asked.header("host")))
    });
    let (there, port) = (other.url(), other.port());
    let target = Rogue::start(move |asked| match asked.path.as_str() {
        "/away" => to("302 Found", &format!("{there}/in")),
        "/loop" => to("302 Found", "/loop"),
        "/nowhere" => to("302 Found", "javascript:alert(1)"),
        _ => Reply::ok(""),
    });
    let step = |path: &str, checks: &str| {
        format!(
            "[[step]]\nname = \"it\"\nget = \"{path}\"\nheaders = {{ Authorization = \"Bearer x\" }}\nchecks = [{checks}]\n"
        )
    };
    let denied = run(&target, "", &step("/away", "")).exit(99);
    assert_eq!(denied.errors("redirect"), 4);
    assert_eq!(other.requests(), 0, "nobody meant it");
    let text = denied.read("palier-report/summary.json");
    assert!(
        text.contains(&format!("redirected to http://127.0.0.1:{port}, which is not the target")),
        "{text}"
    );

    let allow = format!("allow = [\"http://127.0.0.1:{port}\"]");
    let body = format!("{{ name = \"there\", body = {{ equals = \" 127.0.0.1:{port}\" }} }}");
    let allowed = run(&target, &allow, &step("/away", &body)).exit(0);
    assert_eq!(allowed.count("/metrics/http_reqs/count"), 8);
    assert_eq!(other.requests(), 4);
    assert_eq!(other.connections(), 2, "both connections are kept");

    let looping = run(&target, "", &step("/loop", "")).exit(99);
    assert_eq!(looping.errors("redirect"), 4);
    assert_eq!(looping.count("/metrics/http_reqs/count"), 4 * 11);
    assert_eq!(run(&target, "", &step("/nowhere", "")).exit(99).errors("redirect"), 4);
}

/// Counts visitors: a new one gets a number, and whoever comes back is known by it.
fn visits(asked: &Asked) -> Reply {
    match (asked.path.as_str(), asked.header("cookie")) {
        ("/new", "") => Reply::with(
            "200 OK",
            "set-cookie: id=7; Path=/; HttpOnly\r\nset-cookie: deep=1; Path=/deep\r\n",
            b"new",
        ),
        ("/out", "id=7") => Reply::with("200 OK", "set-cookie: id=; Path=/; Max-Age=0\r\n", b"out"),
        (_, cookies) => Reply::ok(&format!("<{cookies}>")),
    }
}

#[test]
fn each_user_keeps_its_cookies_for_an_iteration() {
    let target = Rogue::start(visits);
    let step = |name: &str, path: &str, more: &str, body: &str| {
        format!(
            "[[step]]\nname = \"{name}\"\nget = \"{path}\"\n{more}\nchecks = [{{ name = \"{name}\", body = {{ equals = \"{body}\" }} }}]\n"
        )
    };
    let steps = [
        step("new", "/new", "", "new"),
        step("known", "/", "", "<id=7>"),
        step("deep", "/deep/er", "", "<deep=1; id=7>"),
        step("own", "/", "headers = { Cookie = \"mine=1\" }", "<mine=1>"),
        step("out", "/out", "", "out"),
        step("unknown", "/", "", "<>"),
    ]
    .concat();
    let all = run(&target, "", &steps).exit(0);
    assert_eq!(all.count("/metrics/checks/passes"), 4 * 6);
    let steps = [step("new", "/new", "", "new"), step("unknown", "/", "", "<>")].concat();
    run(&target, "cookies = false", &steps).exit(0);
}

#[test]
fn compression_is_taken_off_where_somebody_looks() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(br#"{"id": 17}"#).unwrap();
    let whole = encoder.finish().unwrap();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&vec![b' '; 32 << 20]).unwrap();
    let bomb = encoder.finish().unwrap();
    let broken = whole[..whole.len() - 6].to_vec();
    let target = Rogue::start(move |asked| {
        let body = match asked.path.as_str() {
            "/bomb" => &bomb,
            "/broken" => &broken,
            _ if asked.header("accept-encoding") == "gzip" => &whole,
            _ => return Reply::ok(r#"{"id": 17}"#),
        };
        Reply::with("200 OK", "content-encoding: gzip\r\n", body)
    });
    let steps = r#"
[[step]]
name = "asked for"
get = "/"
headers = { Accept-Encoding = "gzip" }
capture = { id = { json = "$.id" } }
checks = [{ name = "compressed", header = "Content-Encoding", equals = "gzip" }]

[[step]]
name = "not asked for"
get = "/"
checks = [
  { name = "plain", header = "Content-Encoding", exists = false },
  { name = "the same", json = "$.id", equals = 17 },
]

[[step]]
name = "nobody looks"
get = "/broken"
headers = { X-Id = "{{id}}" }
checks = [{ name = "came", status = 200 }]
"#;
    let good = run(&target, "", steps).exit(0);
    assert_eq!(good.count("/metrics/checks/passes"), 4 * 4);
    let steps = "[[step]]\nname = \"b\"\nget = \"/bomb\"\nchecks = [{ name = \"b\", body = { contains = \"x\" } }]\n\
        [[step]]\nname = \"c\"\nget = \"/broken\"\nchecks = [{ name = \"c\", json = \"$.id\", equals = 17 }]\n";
    let bad = run(&target, "", steps).exit(99);
    assert_eq!((bad.errors("too-large"), bad.errors("protocol")), (4, 4));
    assert_eq!(bad.count("/metrics/http_req_duration/count"), 8, "they were answered");
}
