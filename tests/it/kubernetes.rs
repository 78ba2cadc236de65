//! What becomes of a run that is to observe a cluster, and finds none. Those that find one are in `slow`.

use std::time::Duration;

use crate::support::origin::{Origin, Script};
use crate::support::palier::Palier;
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
}
