//! An autoscaler and its pods on a real control plane, watched and judged.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::bed::Bed;
use crate::support::palier::{Done, Palier, Running};

/// Load that takes the autoscaler up, and a threshold for each thing it does.
fn profile(port: u16, duration: &str) -> String {
    format!(
        r#"
observers = ["kubernetes", "logs"]
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
[observe.logs]
pods = ["mysql-0", "app=flask-backend"]
[observe.logs.thresholds]
"log_matches{{pattern:Deadlock}}" = ["count<100"]
"#
    )
}

fn watching(bed: &Bed, duration: &str) -> Palier {
    with_rights(bed, Palier::run(&profile(bed.own_port(0), duration)))
}

fn with_rights(bed: &Bed, palier: Palier) -> Palier {
    palier
        .env("KUBECONFIG", bed.kubeconfig("kubeconfig-reader").to_str().expect("UTF-8"))
        .patience(Duration::from_secs(400))
}

/// A run that neither waits for a steady state nor watches what comes after it.
fn at_once(bed: &Bed, duration: &str) -> Palier {
    watching(bed, duration).args([
        "--set",
        "observe.kubernetes.settle=0s",
        "--set",
        "observe.kubernetes.follow=0s",
    ])
}

fn doctor(bed: &Bed) -> Palier {
    let doctor = Palier::new(["doctor", "load.toml"]).file("load.toml", &profile(bed.own_port(0), "3s"));
    with_rights(bed, doctor)
}

/// Waits until the load is under way: so many requests have come to the pods.
fn under_way(bed: &Bed, running: Running) -> Running {
    let served = || bed.pods("flask-backend").iter().map(super::bed::Pod::requests).sum::<u64>();
    let before = served();
    running.wait_until(|| served() > before + 50)
}

fn hints(run: &Done) -> String {
    run.summary()["diagnosis"].to_string()
}

fn kubectl<const N: usize>(bed: &Bed, args: [&str; N]) -> String {
    bed.run(&[["kubectl", "-n", "mysql-app"].as_slice(), args.as_slice()].concat())
}

/// The replicas that the autoscaler counts.
fn replicas(bed: &Bed) -> String {
    kubectl(bed, ["get", "hpa", "flask-backend-hpa", "-o", "jsonpath={.status.currentReplicas}"])
}

#[track_caller]
fn until(what: impl Fn() -> bool) {
    let start = Instant::now();
    while !what() {
        assert!(start.elapsed() < Duration::from_secs(90), "it did not come to be");
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// One cluster for all: starting it takes longer than most of what is tried on it. Each part leaves the cluster as it
/// found it; all of them are tried, whatever became of those before.
#[test]
#[ignore = "slow: brings up a Kubernetes cluster, and takes its autoscaler up and down again"]
fn an_autoscaler_and_its_pods_are_watched_and_judged() {
    let _turn = super::take_turn();
    let Some(bed) = Bed::start(["--downscale", "10s"]) else { return };
    bed.run(&["app"]);
    bed.run(&["expose", "flask-backend", &bed.own_port(0).to_string()]);
    let parts: [fn(&Bed); 5] = [
        a_missing_right_is_said_and_makes_invalid_what_it_hides,
        what_keeps_pods_from_starting_is_named_with_what_mends_it,
        a_crash_loop_and_a_capped_autoscaler_fail_and_are_named,
        a_cluster_as_it_should_be_is_all_right,
        the_autoscaler_goes_up_and_down_while_the_api_server_is_stopped_for_a_moment,
    ];
    let outcomes = parts.map(|part| catch_unwind(AssertUnwindSafe(|| part(&bed))));
    for outcome in outcomes {
        if let Err(failure) = outcome {
            resume_unwind(failure);
        }
    }
}

fn a_missing_right_is_said_and_makes_invalid_what_it_hides(bed: &Bed) {
    for (right, verb, what, threshold) in [
        ("horizontalpodautoscalers", "get", "horizontalpodautoscalers.autoscaling", "max>=3"),
        ("pods", "list", "pods", "count==0"),
        ("pods.metrics.k8s.io", "list", "pods.metrics.k8s.io", "max<2"),
        ("pods/log", "get", "pods/log", "count<100"),
    ] {
        bed.run(&["rights", "without", right]);
        let run = at_once(bed, "3s").finish();
        let doctor = doctor(bed).finish().exit(1);
        bed.run(&["rights", "all"]);
        let judged = run.threshold(threshold);
        assert_eq!(judged["outcome"], "invalid", "{right}: {judged}");
        let resource = right.split('.').next().expect("a name");
        let why = judged["reason"].to_string();
        assert!(why.contains(resource) && why.contains("forbidden"), "{right}: {why}");
        assert!(why.contains("ci/kubernetes/observe.yaml"), "{why}");
        doctor.says(&format!("wrong  rights      may not {verb} {what} in namespace mysql-app"));
        doctor.says("kubectl apply -n mysql-app -f ci/kubernetes/observe.yaml && kubectl create rolebinding");
        doctor.says("--role=palier-observe --user=reader");
    }
}

fn what_keeps_pods_from_starting_is_named_with_what_mends_it(bed: &Bed) {
    bed.run(&["metrics", "off"]);
    let running = under_way(bed, at_once(bed, "15s").start());
    let container = |image: &str, cpu: &str| {
        format!(
            r#"{{"spec":{{"containers":[{{"name":"app","image":"{image}","resources":{{"requests":{{"cpu":"{cpu}"}}}}}}]}}}}"#
        )
    };
    for (name, image, cpu) in [("large", "x", "100"), ("broken", "x:missing", "10m")] {
        let overrides = format!("--overrides={}", container(image, cpu));
        let image = format!("--image={image}");
        kubectl(bed, ["run", name, &image, "--labels=app=flask-backend", &overrides]);
    }
    let run = running.finish();
    bed.run(&["metrics", "on"]);
    kubectl(bed, ["delete", "pod", "large", "broken", "--wait=true"]);
    // There is no CPU to judge, and the hint says why.
    let cpu = run.threshold("max<2");
    assert_eq!(cpu["outcome"], "invalid", "{cpu}");
    let hints = hints(&run);
    for text in [
        "metrics.k8s.io",
        "minikube addons enable metrics-server",
        "pod large found no node",
        "Insufficient cpu",
        "kubectl set resources deployment/flask-backend -n mysql-app --requests=cpu=50m",
        "container app of pod broken cannot start",
        "kubectl describe pod broken -n mysql-app",
    ] {
        assert!(hints.contains(text), "{text} in {hints}");
    }
}

fn a_crash_loop_and_a_capped_autoscaler_fail_and_are_named(bed: &Bed) {
    let cap = |most: u32| {
        let patch = format!(r#"{{"spec":{{"maxReplicas":{most}}}}}"#);
        kubectl(bed, ["patch", "hpa", "flask-backend-hpa", "--patch", &patch]);
    };
    cap(2);
    // The parts before have left more, and the autoscaler takes them down by and by.
    until(|| {
        replicas(bed) == "2" && bed.pods("flask-backend").iter().filter(|pod| !pod.is_gone()).count() == 2
    });
    // What was written before palier watched is not of this run.
    bed.run(&["log", "--count", "2", "deadlock"]);
    let running = watching(bed, "25s").args(["--set", "observe.kubernetes.follow=0s"]).start();
    let running = under_way(bed, running);
    bed.run(&["log", "--count", "3", "deadlock"]);
    let pods = bed.pods("flask-backend");
    let alive = pods.iter().find(|pod| !pod.is_gone()).expect("a pod").name();
    bed.run(&["log", "--pod", alive, "Deadlock found when trying to get lock"]);
    bed.run(&["crash", "--one", "--reason", "OOMKilled"]);
    let run = running.finish().exit(99);
    bed.run(&["heal"]);
    cap(10);
    assert_eq!(run.threshold("count==0")["outcome"], "fail", "{}", run.reasons());
    assert_eq!(run.threshold("max>=3")["outcome"], "fail", "{}", run.reasons());
    assert_eq!(run.threshold("count<100")["observed"].to_string(), "4.0");
    let evidence = run.summary()["observers"].to_string();
    assert!(evidence.contains(r#""source":"mysql-0""#), "{evidence}");
    assert!(evidence.contains(&format!(r#""source":"{alive}""#)), "{evidence}");
    let hints = hints(&run);
    for text in [
        "OOMKilled",
        "exit code 137",
        "flask-backend-",
        "CrashLoopBackOff",
        "its log: GET / 200",
        "kubectl set resources deployment/flask-backend -n mysql-app -c flask-backend --limits=memory=",
        "kubectl patch hpa flask-backend-hpa -n mysql-app --patch",
    ] {
        assert!(hints.contains(text), "{text} in {hints}");
    }
}

fn a_cluster_as_it_should_be_is_all_right(bed: &Bed) {
    let doctor = doctor(bed).finish();
    for text in [
        "ok     cluster     context kubebed, namespace mysql-app: Kubernetes v1.",
        "ok     rights      may get horizontalpodautoscalers.autoscaling",
        "ok     rights      may list pods",
        "ok     rights      may get pods/log",
        "hpa flask-backend-hpa scales deployment/flask-backend from 2 to 10 replicas at 70 % CPU",
        "ok     pods        all their containers request CPU",
        "ok     service     service flask-backend, port 5000, leads to",
        "ok     logs        the log of mysql-0 can be read",
    ] {
        doctor.says(text);
    }
}

fn the_autoscaler_goes_up_and_down_while_the_api_server_is_stopped_for_a_moment(bed: &Bed) {
    let earlier = bed.pods("flask-backend");
    let running = under_way(bed, watching(bed, "1m").start()).wait(Duration::from_secs(20));
    bed.run(&["apiserver", "stop", "--for", "3s"]);
    let run = running.finish();
    let summary = run.summary();
    assert_eq!(summary["verdict"], "pass", "{}", run.reasons());
    let before = &run.threshold("value==2")["observed"];
    assert_eq!(before.to_string(), "2.0");
    let observer: &Value = &summary["observers"][0];
    let gaps = observer["gaps"].as_f64().expect("a share");
    assert!(gaps > 0.01, "it was noticed: {gaps}");
    // That everything is forbidden for a moment after a start is nothing to remember.
    assert!(!observer["notes"].to_string().contains("forbidden"), "{}", observer["notes"]);
    assert_eq!(replicas(bed), "2");
    // Each pod that was there in the end is in the table, and so is each that came, whether it has gone since or not.
    let there = bed.pods("flask-backend");
    let alive: Vec<&str> = there.iter().filter(|pod| !pod.is_gone()).map(super::bed::Pod::name).collect();
    let pods = summary["pods"].as_array().expect("pods");
    let names: Vec<&str> = pods.iter().filter_map(|pod| pod["name"].as_str()).collect();
    assert!(alive.iter().all(|pod| names.contains(pod)), "{alive:?} and {names:?}");
    let came = there.iter().filter(|pod| earlier.iter().all(|it| it.name() != pod.name()));
    let came: Vec<&str> = came.map(super::bed::Pod::name).collect();
    assert!(!came.is_empty() && came.iter().all(|pod| names.contains(pod)), "{came:?} and {names:?}");
    assert_eq!(pods.iter().filter(|pod| pod["gone"].is_null()).count(), 2, "{pods:?}");
    assert!(names.len() > 2, "{names:?}");
    assert!(run.stdout.contains("first new pod was ready"), "{}", run.stdout);
}
