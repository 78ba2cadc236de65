//! What becomes of a run that is to observe a cluster, and finds none. Those that find one are in `slow`.

use std::time::Duration;

#[cfg(feature = "kubernetes")]
use crate::support::origin::Act;
use crate::support::origin::{Origin, Script};
use crate::support::palier::Palier;
#[cfg(feature = "kubernetes")]
use crate::support::palier::{Signal, write};
use crate::support::profile::steady;

fn watching(observers: &str) -> String {
    format!("observers = {observers}\n")
        + &steady(2, "2s")
        + r#"
[observe.kubernetes]
namespace = "shop"
hpa = "backend"
selector = "app=backend"

[observe.kubernetes.thresholds]
hpa_replicas = ["max>=3"]
"hpa_replicas{phase:after}" = ["value==2"]
pod_restarts = ["count==0"]
"#
}

const NOBODY_LISTENS: &str = r#"
apiVersion: v1
kind: Config
current-context: there
contexts: [{ name: there, context: { cluster: there, user: me } }]
clusters: [{ name: there, cluster: { server: "http://127.0.0.1:1" } }]
users: [{ name: me, user: { token: abc } }]
"#;

/// A kubeconfig whose current context is `there`, and that has another one, `elsewhere`.
#[cfg(feature = "kubernetes")]
fn of_two_clusters(there: &Origin, elsewhere: &Origin) -> String {
    format!(
        r#"
apiVersion: v1
kind: Config
current-context: there
contexts:
- {{ name: there, context: {{ cluster: there, user: me }} }}
- {{ name: elsewhere, context: {{ cluster: elsewhere, user: me }} }}
clusters:
- {{ name: there, cluster: {{ server: "{}" }} }}
- {{ name: elsewhere, cluster: {{ server: "{}" }} }}
users: [{{ name: me, user: {{ token: abc }} }}]
"#,
        there.url(),
        elsewhere.url(),
    )
}

#[test]
fn a_cluster_that_nobody_asked_for_is_not_judged() {
    let origin = Origin::start(Script::ok());
    let run = Palier::run(&watching("[]")).target(&origin).env("KUBECONFIG", "/nowhere").exit(0);
    assert_eq!(run.threshold("count==0")["outcome"], "skipped");
}

#[test]
#[cfg(feature = "kubernetes")]
fn without_a_kubeconfig_the_load_is_made_and_the_verdict_invalid() {
    let origin = Origin::start(Script::ok());
    let run = Palier::run(&watching("[\"kubernetes\"]"))
        .target(&origin)
        .env("KUBECONFIG", "/nowhere/config")
        .exit(98)
        .verdict("invalid");
    assert!(run.count("/metrics/http_reqs/count") > 0);
    let why = run.threshold("max>=3")["reason"].to_string();
    assert!(why.contains("no cluster is known") && why.contains("/nowhere/config"), "{why}");
}

#[test]
#[cfg(feature = "kubernetes")]
fn an_api_server_that_is_down_holds_up_no_load() {
    let origin = Origin::start(Script::ok());
    let run = Palier::run(&watching("[\"kubernetes\"]")).file("config", NOBODY_LISTENS).target(&origin);
    let config = run.folder().join("config");
    let run = run.env("KUBECONFIG", config.to_str().unwrap()).exit(98).verdict("invalid");
    assert!(run.count("/metrics/http_reqs/count") > 0);
    assert!(run.took < Duration::from_secs(60), "{:?}: neither waited for, nor followed", run.took);
    let why = run.threshold("count==0")["reason"].to_string();
    assert!(why.contains("http://127.0.0.1:1 cannot be asked"), "{why}");
    assert!(run.stderr.contains("kubernetes sees nothing: "), "{}", run.stderr);
    assert!(!run.stderr.contains("not all of it can be seen"), "once is enough: {}", run.stderr);
}

#[test]
#[cfg(feature = "kubernetes")]
fn what_a_run_left_in_a_cluster_is_swept_in_that_cluster() {
    let refusing = || {
        let body =
            r#"{"kind":"Status","apiVersion":"v1","status":"Failure","message":"not here","code":403}"#;
        Origin::start(Script::all(Act::Answer { status: 403, body: body.to_owned() }))
    };
    let (there, elsewhere) = (refusing(), refusing());
    let profile = r#"
[target]
service = "shop/backend:http"
[load]
executor = "per-vu-iterations"
[[step]]
name = "create"
post = "/things"
capture = { id = { json = "$.id" } }
undo = "delete"
[[step]]
name = "delete"
delete = "/things/{{id}}"
needs = ["id"]
[thresholds]
errors = ["rate<=1"]
[observe.kubernetes]
context = "elsewhere"
selector = "app=backend"
"#;
    let run = Palier::run(profile).file("config", &of_two_clusters(&there, &elsewhere));
    let config = run.folder().join("config");
    let run = run.env("KUBECONFIG", config.to_str().unwrap()).finish();
    assert!(elsewhere.requests() > 0 && there.requests() == 0, "the run asks the cluster that it names");

    // As a killed run leaves it.
    let journal = run.read("palier-report/journal.jsonl");
    let begun: Vec<&str> = journal.lines().take(2).collect();
    let made = r#"{"made":1,"step":0,"path":"/things/7"}"#;
    write(&run.path("palier-report/journal.jsonl"), &format!("{}\n{made}\n", begun.join("\n")));
    let told = run.then(["sweep", "--dry-run"]).exit(99);
    told.says("against service://shop/backend:http (context `elsewhere`)");
    let asked = elsewhere.requests();
    let sweeping = run.then(["sweep"]).env("KUBECONFIG", config.to_str().unwrap()).start();
    let swept = sweeping.wait_until(|| elsewhere.requests() > asked || there.requests() > 0);
    swept.signal(Signal::INT).finish().exit(105);
    assert!(elsewhere.requests() > asked && there.requests() == 0, "so does what is swept");
}
