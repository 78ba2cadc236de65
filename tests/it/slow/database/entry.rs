//! Getting in, and what keeps palier out; what is deleted over the same connection.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use quick_junit::TestCaseStatus;
use tempfile::TempDir;

use super::{LIST, OBSERVER, case, hint, is_invalid, passes, profile, run, threshold};
use crate::slow::backend::Backend;
use crate::support::palier::{Done, Palier};

const CREATE: &str = r#"
    [[step]]
    name = "create"
    post = "/employees"
    json = { name = "LoadTest User {{run}}-{{vu}}", email = "{{uuid}}@example.com" }
    "#;

const CLEANUP: &str = r#"
    [cleanup.mysql]
    delete = "DELETE FROM employees WHERE name LIKE 'LoadTest User {{run}}-%'"
    verify = "SELECT COUNT(*) FROM employees"
    "#;

#[test]
#[ignore = "slow: starts Flask and MariaDB, half a minute"]
fn who_gets_in_sees_and_deletes_and_who_does_not_is_told_why() {
    let _turn = crate::slow::share_turn();
    let authority = Authority::new();
    let file = |name: &str| authority.file(name).display().to_string();
    let options = [
        format!("--ssl-ca={}", file("ca.pem")),
        format!("--ssl-cert={}", file("server.pem")),
        format!("--ssl-key={}", file("server.key")),
    ];
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let Some(backend) = Backend::start_with_options(&options) else { return };
    the_doctor_says_what_is_wrong_and_what_mends_it(&backend);
    what_cannot_be_seen_is_invalid_and_says_how_to_mend_it(&backend);
    what_a_run_leaves_in_the_database_is_deleted(&backend);
    a_certificate_is_asked_for_as_the_url_says(&backend, &authority);
    a_run_watches_and_cleans_up_over(&backend, &authority.verified(&backend, "localhost", "VERIFY_IDENTITY"));
    a_run_watches_and_cleans_up_over(&backend, &backend.socket_url(OBSERVER));
}

/// What the doctor says of a database at that URL.
pub(super) fn look(backend: &Backend, url: &str) -> Done {
    let login = "observer:observer-Password-1";
    let profile = profile(backend, login, "vus = 2\nduration = \"3s\"", LIST, CLEANUP);
    let profile = profile.replace(&backend.mysql_url(login), url);
    Palier::new(["doctor", "load.toml"]).file("load.toml", &profile).finish()
}

/// The doctor finds something wrong, and says these words of it.
#[track_caller]
pub(super) fn is_kept_out(backend: &Backend, url: &str, words: &[&str]) {
    let done = look(backend, url);
    assert_eq!(done.code, Some(1), "{url}\n{}{}", done.stdout, done.stderr);
    for word in words {
        assert!(done.stdout.contains(word), "no `{word}` for {url} in\n{}", done.stdout);
    }
    assert!(!done.stdout.contains("Password"), "{}", done.stdout);
}

/// The doctor gets in, and finds nothing wrong.
#[track_caller]
pub(super) fn gets_in(backend: &Backend, url: &str) {
    let done = look(backend, url);
    assert_eq!(done.code, Some(0), "{url}\n{}{}", done.stdout, done.stderr);
    for line in ["lets `observer` in", "`delete` of `[cleanup.mysql]` is allowed"] {
        assert!(done.stdout.contains(line), "no `{line}` for {url} in\n{}", done.stdout);
    }
}

/// A run over that connection sees what happens, and leaves nothing behind.
#[track_caller]
pub(super) fn a_run_watches_and_cleans_up_over(backend: &Backend, url: &str) {
    let rows = backend.rows();
    let profile = profile(backend, OBSERVER, "vus = 2\nduration = \"2s\"", CREATE, CLEANUP);
    let done = run(&profile.replace(&backend.mysql_url(OBSERVER), url)).exit(0).verdict("pass");
    passes(&done, "mysql_lock_wait_timeouts count==0");
    let requests = done.number("/metrics/http_reqs/count");
    assert!(done.number("/metrics/mysql_queries/count") >= requests, "{requests} requests");
    assert_eq!(done.summary()["cleanup"]["database"]["deleted"].as_f64(), Some(requests), "{url}");
    assert_eq!(backend.rows(), rows);
}

fn a_certificate_is_asked_for_as_the_url_says(backend: &Backend, authority: &Authority) {
    let with = |host: &str, query: &str| {
        format!("mysql://{OBSERVER}@{host}:{}/businessdb?{query}", backend.mysql_port)
    };
    let of_authority = |host: &str, mode: &str| authority.verified(backend, host, mode);
    backend.sql("SET GLOBAL require_secure_transport = ON");
    is_kept_out(backend, &backend.mysql_url(OBSERVER), &["the server requires TLS", "ssl-mode=REQUIRED"]);
    gets_in(backend, &with("127.0.0.1", "ssl-mode=REQUIRED"));
    gets_in(backend, &backend.socket_url(OBSERVER));
    // The certificate is made out for `localhost` alone.
    gets_in(backend, &of_authority("localhost", "VERIFY_IDENTITY"));
    gets_in(backend, &of_authority("127.0.0.1", "VERIFY_CA"));
    backend.sql("SET GLOBAL require_secure_transport = OFF");
    let wrong_name = of_authority("127.0.0.1", "VERIFY_IDENTITY");
    is_kept_out(
        backend,
        &wrong_name,
        &["is made out for `localhost`, not for `127.0.0.1`", "ssl-mode=VERIFY_CA"],
    );
    // Nobody here has heard of who signed it; nor has another authority.
    let unknown = with("localhost", "ssl-mode=VERIFY_CA");
    is_kept_out(backend, &unknown, &["an authority that this machine trusts", "`ssl-ca=FILE`"]);
    let other = authority.file("other.pem").display().to_string();
    for (host, mode) in [("127.0.0.1", "VERIFY_CA"), ("localhost", "VERIFY_IDENTITY")] {
        let url = with(host, &format!("ssl-mode={mode}&ssl-ca={other}"));
        is_kept_out(backend, &url, &["not signed by the authority in", "`ssl-ca=FILE`"]);
    }
    let absent = with("localhost", "ssl-mode=VERIFY_CA&ssl-ca=/nowhere/ca.pem");
    is_kept_out(backend, &absent, &["`ssl-ca` names /nowhere/ca.pem: No such file", "name the PEM file"]);
    let nothing = backend.socket_url(OBSERVER).replace("mysql.sock", "other.sock");
    is_kept_out(backend, &nothing, &["there is no such socket"]);
}

/// Who signs the certificate of a server, and another one, who does not.
pub(super) struct Authority(TempDir);

impl Authority {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let openssl = |arguments: &str| {
            let done = Command::new("openssl").args(arguments.split(' ')).current_dir(folder.path()).output();
            let done = done.expect("openssl");
            assert!(done.status.success(), "{arguments}: {}", String::from_utf8_lossy(&done.stderr));
        };
        for name in ["ca", "other"] {
            openssl(&format!(
                "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={name} -keyout {name}.key -out {name}.pem"
            ));
        }
        openssl(
            "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -CA ca.pem -CAkey ca.key \
             -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE \
             -keyout server.key -out server.pem",
        );
        Self(folder)
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        Path::new(self.0.path()).join(name)
    }

    /// The URL of a connection whose other end is verified so.
    fn verified(&self, backend: &Backend, host: &str, mode: &str) -> String {
        let ca = self.file("ca.pem");
        format!(
            "mysql://{OBSERVER}@{host}:{}/businessdb?ssl-mode={mode}&ssl-ca={}",
            backend.mysql_port,
            ca.display()
        )
    }
}

fn what_cannot_be_seen_is_invalid_and_says_how_to_mend_it(backend: &Backend) {
    let load = "vus = 2\nduration = \"3s\"";
    let start = |profile: &str| Palier::run(profile).patience(Duration::from_secs(120)).start();
    let of = |login: &str| profile(backend, login, load, LIST, "");
    // Beside each other: what they judge is not how long something takes.
    let without = start(&of("guest:guest-Password-1"));
    let wrong = start(&of("observer:Wrong-Password-9"));
    let nobody_listens = start(&of(OBSERVER).replace(&format!(":{}/", backend.mysql_port), ":1/"));
    let none = Palier::run(&of(OBSERVER)).args(["--observe", "none"]).start();

    // A user without rights: what needs one cannot be judged, all else can.
    let without = without.finish().exit(98).verdict("invalid");
    is_invalid(&without, "mysql_lock_wait_timeouts count==0");
    passes(&without, "mysql_connections_refused count==0");
    let hint_of = hint(&without, "mysql_lock_wait_timeouts");
    assert_eq!(hint_of["mend"], "GRANT PROCESS ON *.* TO 'guest'@'127.0.0.1'");

    let wrong = wrong.finish().exit(98).verdict("invalid");
    is_invalid(&wrong, "mysql_deadlocks count==0");
    passes(&wrong, "log_matches{pattern:Deadlock} count==0");
    assert!(wrong.reasons().contains("Access denied for user 'observer'@'127.0.0.1'"), "{}", wrong.reasons());
    assert!(wrong.reasons().contains("check `user` and `password`"), "{}", wrong.reasons());
    let everything = format!("{}{}{}", wrong.stdout, wrong.stderr, wrong.summary());
    assert!(!everything.contains("Wrong-Password-9"));
    hint(&wrong, "saw nothing");

    let unreachable = nobody_listens.finish().exit(98).verdict("invalid");
    is_invalid(&unreachable, "mysql_deadlocks count==0");
    assert!(unreachable.reasons().contains("connection refused"), "{}", unreachable.reasons());

    // What is not asked for is not judged.
    let none = none.finish().exit(0);
    assert_eq!(threshold(&none, "mysql_deadlocks count==0").0, "skipped");
    assert!(matches!(case(&none, "mysql_deadlocks count==0"), TestCaseStatus::Skipped { .. }));
    assert_eq!(none.summary()["observers"][0]["state"], "inactive");
}

fn what_a_run_leaves_in_the_database_is_deleted(backend: &Backend) {
    let rows = backend.rows();
    // Rows of another run are none of its business.
    backend.sql("INSERT INTO employees (name, email) VALUES ('LoadTest User other-1', 'other@example.com')");
    let done = run(&profile(backend, OBSERVER, "vus = 3\nduration = \"2s\"", CREATE, CLEANUP)).exit(0);
    assert_eq!(backend.rows(), rows + 1);
    let summary = done.summary();
    let database = &summary["cleanup"]["database"];
    assert_eq!((database["before"].as_u64(), database["after"].as_u64()), (Some(rows + 1), Some(rows + 1)));
    assert_eq!(database["deleted"].as_f64(), Some(done.number("/metrics/http_reqs/count")));
    drop(done);

    // It may not delete: that is said, and so is what is left.
    let denied =
        run(&profile(backend, "guest:guest-Password-1", "vus = 1\nduration = \"2s\"", CREATE, CLEANUP));
    assert!(denied.reasons().contains("could not be cleaned up"), "{}", denied.reasons());
    drop(denied);

    // A sweep needs no journal.
    let mysql = format!("mysql://observer:observer-Password-1@127.0.0.1:{}/businessdb", backend.mysql_port);
    let swept = Palier::new(["sweep", "--profile", "standard"]).env("MYSQL_URL", &mysql).finish();
    assert_eq!(swept.code, Some(0), "{}", swept.stderr);
    assert!(swept.stdout.contains(&format!("and {rows} after")), "{}", swept.stdout);

    // Interrupted, it is cleaned up all the same.
    let profile = profile(backend, OBSERVER, "vus = 3\nduration = \"30s\"", CREATE, CLEANUP);
    let running = Palier::run(&profile).start().wait(Duration::from_secs(3));
    let stopped = running.signal(crate::support::palier::Signal::INT).finish();
    assert!(stopped.took < Duration::from_secs(11), "{:?}", stopped.took);
    assert_eq!(backend.rows(), rows);
}

fn the_doctor_says_what_is_wrong_and_what_mends_it(backend: &Backend) {
    let doctor = |login: &str| look(backend, &backend.mysql_url(login));
    let well = doctor(OBSERVER);
    assert_eq!(well.code, Some(0), "{}{}", well.stdout, well.stderr);
    for line in [
        "lets `observer` in",
        "`mysql_lock_wait_timeouts` can be read",
        "backend.log can be read",
        "nothing is wrong",
    ] {
        assert!(well.stdout.contains(line), "no `{line}` in\n{}", well.stdout);
    }
    let ill = doctor("guest:guest-Password-1");
    assert_eq!(ill.code, Some(1), "{}", ill.stdout);
    assert!(ill.stdout.contains("mend: GRANT PROCESS ON *.* TO 'guest'@'127.0.0.1'"), "{}", ill.stdout);
    let locked_out = doctor("observer:Wrong-Password-9");
    assert_eq!(locked_out.code, Some(1));
    assert!(locked_out.stdout.contains("Access denied") && !locked_out.stdout.contains("Wrong-Password-9"));
}
