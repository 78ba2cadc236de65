//! An autoscaler and its pods on a real control plane, watched and judged.

use std::time::Duration;

use serde_json::Value;

use super::bed::Bed;
use crate::support::palier::{Done, Palier};

/// Load that takes the autoscaler up, and a threshold for each thing it does.
fn profile(port: u16, duration: &str) -> String {
    format!(
        r#"
observers = ["kubernetes"]
[target]
url = "http://127.0.0.1:{port}"
[load]
executor = "constant-vus"
vus = 6
duration = "{duration}"
[[step]]
name = "get"
get = "/"
pause = "100ms"
[thresholds]
errors = ["rate<90%"]
[observe.kubernetes]
namespace = "mysql-app"
hpa = "flask-backend-hpa"
selector = "app=flask-backend"
settle = "60s"
follow = "3m"
[observe.kubernetes.thresholds]
"hpa_replicas{{phase:before}}" = ["value==2"]
hpa_replicas = ["max>=3", "max<=10"]
"hpa_replicas{{phase:after}}" = ["value==2"]
hpa_cpu = ["max>70%"]
hpa_scale_up_time = ["value<60s"]
hpa_scale_down_time = ["value<3m"]
pod_restarts = ["count==0"]
pod_crash_loops = ["count==0"]
pod_cpu = ["max<2"]
"#
    )
}

fn bed() -> Option<Bed> {
    let bed = Bed::start(["--downscale", "10s"])?;
    bed.run(&["app"]);
    bed.run(&["expose", "flask-backend", &bed.own_port(0).to_string()]);
    Some(bed)
}

fn watching(bed: &Bed, duration: &str) -> Palier {
    Palier::run(&profile(bed.own_port(0), duration))
        .env("KUBECONFIG", bed.kubeconfig("kubeconfig-reader").to_str().expect("UTF-8"))
        .patience(Duration::from_secs(400))
}

fn hints(run: &Done) -> String {
    run.summary()["diagnosis"].to_string()
}

fn kubectl(bed: &Bed, what: &str) -> String {
    bed.run(&[
        "kubectl",
        "-n",
        "mysql-app",
        "get",
        "hpa",
        "flask-backend-hpa",
        "-o",
        &format!("jsonpath={{{what}}}"),
    ])
}

#[test]
#[ignore = "slow: takes a real autoscaler up and down again"]
fn the_autoscaler_goes_up_and_down_and_kubectl_says_the_same() {
    let _turn = super::take_turn();
    let Some(bed) = bed() else { return };
    let run = watching(&bed, "50s").finish();
    let summary = run.summary();
    assert_eq!(summary["verdict"], "pass", "{}", run.reasons());
    assert_eq!(run.threshold("value==2")["observed"].to_string(), "2.0");
    assert_eq!(kubectl(&bed, ".status.currentReplicas"), "2");
    // Each pod that was ever there is in the table.
    let there: Vec<String> = bed.pods("flask-backend").iter().map(|pod| pod.name().to_owned()).collect();
    let pods = summary["pods"].as_array().expect("pods");
    let names: Vec<&str> = pods.iter().filter_map(|pod| pod["name"].as_str()).collect();
    assert!(there.iter().all(|pod| names.contains(&pod.as_str())), "{there:?} and {names:?}");
    assert_eq!(pods.iter().filter(|pod| pod["gone"].is_null()).count(), 2, "{pods:?}");
    assert!(run.stdout.contains("first new pod was ready"), "{}", run.stdout);
}

#[test]
#[ignore = "slow: kills a container of a pod again and again"]
fn a_crash_loop_fails_and_is_named() {
    let _turn = super::take_turn();
    let Some(bed) = bed() else { return };
    let running = watching(&bed, "40s").start();
    std::thread::sleep(Duration::from_secs(12));
    bed.run(&["crash", "--one", "--reason", "OOMKilled"]);
    let run = running.finish().exit(99);
    assert_eq!(run.threshold("count==0")["outcome"], "fail", "{}", run.reasons());
    let hints = hints(&run);
    for text in ["OOMKilled", "exit code 137", "flask-backend-", "CrashLoopBackOff", "kubectl "] {
        assert!(hints.contains(text), "{text} in {hints}");
    }
}

#[test]
#[ignore = "slow: takes the metrics API away"]
fn without_metrics_nothing_is_said_of_cpu_and_the_hint_says_why() {
    let _turn = super::take_turn();
    let Some(bed) = bed() else { return };
    bed.run(&["metrics", "off"]);
    let run = watching(&bed, "30s").finish();
    let cpu = run.threshold("max<2");
    assert_eq!(cpu["outcome"], "invalid", "{cpu}");
    assert!(hints(&run).contains("metrics.k8s.io"), "{}", hints(&run));
}

#[test]
#[ignore = "slow: stops the API server"]
fn a_stopped_api_server_costs_its_samples_and_nothing_else() {
    let _turn = super::take_turn();
    let Some(bed) = bed() else { return };
    let running = watching(&bed, "60s").start();
    std::thread::sleep(Duration::from_secs(25));
    bed.run(&["apiserver", "stop", "--for", "6s"]);
    let run = running.finish();
    assert_eq!(run.summary()["verdict"], "pass", "{}", run.reasons());
    let observer: &Value = &run.summary()["observers"][0];
    let gaps = observer["gaps"].as_f64().expect("a share");
    assert!(gaps > 0.01, "it was noticed: {gaps}");
}

#[test]
#[ignore = "slow: takes rights away, one by one"]
fn a_missing_right_is_said_and_makes_invalid_what_it_hides() {
    let _turn = super::take_turn();
    let Some(bed) = bed() else { return };
    for (right, threshold) in
        [("horizontalpodautoscalers", "max>=3"), ("pods", "count==0"), ("pods.metrics.k8s.io", "max<2")]
    {
        bed.run(&["rights", "without", right]);
        let run = watching(&bed, "5s").finish();
        let judged = run.threshold(threshold);
        assert_eq!(judged["outcome"], "invalid", "{right}: {judged}");
        let resource = right.split('.').next().expect("a name");
        let why = judged["reason"].to_string();
        assert!(why.contains(resource) && why.contains("forbidden"), "{right}: {why}");
        assert!(why.contains("ci/kubernetes/observe.yaml"), "{why}");
        bed.run(&["rights", "all"]);
    }
}
