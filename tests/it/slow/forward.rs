//! Requests that go through port-forwards of palier's own to the pods of a Service, counted at their far end.

use std::time::Duration;

use serde_json::Value;

use super::backend::Backend;
use super::bed::{Bed, Pod};
use crate::support::palier::{Done, Palier, Signal};

/// A constant load on the pods, which nothing but palier and the test come to.
fn profile(duration: &str, more: &str) -> String {
    format!(
        r#"
{more}
[target]
service = "mysql-app/flask-backend:5000"
[load]
executor = "constant-vus"
vus = 6
duration = "{duration}"
[[step]]
name = "get"
get = "/"
pause = "50ms"
[thresholds]
errors = ["rate<1%"]
"#
    )
}

fn through(bed: &Bed, duration: &str) -> Palier {
    let config = bed.kubeconfig("kubeconfig-reader");
    Palier::run(&profile(duration, ""))
        .env("KUBECONFIG", config.to_str().expect("UTF-8"))
        .patience(Duration::from_secs(60))
}

/// What palier says that it sent to a pod.
fn sent_to(run: &Done, pod: &Pod) -> u64 {
    let pods = run.summary()["pods"].as_array().expect("pods").clone();
    let found = pods.iter().find(|it| it["name"] == pod.name());
    found.map_or(0, |pod| pod["requests"].as_u64().expect("a number"))
}

fn scale(bed: &Bed, replicas: u32) {
    let replicas = format!("--replicas={replicas}");
    bed.run(&["kubectl", "-n", "mysql-app", "scale", "deployment/flask-backend", &replicas]);
}

fn errors(run: &Done) -> Vec<(String, u64)> {
    let kinds = run.summary()["errors"].as_array().expect("errors").clone();
    kinds
        .iter()
        .map(|it| (it["kind"].as_str().expect("a word").to_owned(), it["count"].as_u64().expect("a number")))
        .collect()
}

/// One bed for all that can be asked of one: it takes longer to start than any of these.
#[test]
#[ignore = "slow: takes pods away under a load, and the API server"]
fn requests_go_to_every_pod_and_follow_pods_as_they_come_and_go() {
    let _turn = super::share_turn();
    let Some(backend) = Backend::start() else { return };
    let Some(bed) = Bed::start([]) else { return };
    bed.run(&["backends", "--app", "mysql", "--target", &backend.mysql_port.to_string()]);
    bed.run(&["cost", "10us"]);
    bed.run(&["app"]);
    // The test says how many pods there are.
    bed.run(&["kubectl", "-n", "mysql-app", "delete", "hpa", "--all"]);
    bed.let_pods_drain();

    pods_that_come_and_go_cost_nothing(&bed);
    a_pod_that_is_killed_costs_what_is_under_way_on_it(&bed);
    without_its_api_server_a_run_goes_on_afterwards(&bed);
    what_bars_the_way_is_said(&bed);
    a_database_is_reached_the_same_way(&bed);
}

fn pods_that_come_and_go_cost_nothing(bed: &Bed) {
    let before: u64 = bed.pods("flask-backend").iter().map(Pod::requests).sum();
    let running = through(bed, "16s").start();
    std::thread::sleep(Duration::from_secs(3));
    scale(bed, 3);
    // From the moment that all three are ready: what comes to each of them.
    let at_first = bed.settled(3);
    std::thread::sleep(Duration::from_secs(3));
    let later = bed.pods("flask-backend");
    scale(bed, 2);
    let run = running.finish().exit(0);
    let requests = run.count("/metrics/http_reqs/count");
    assert_eq!(errors(&run), [], "{}", run.reasons());

    // Pod by pod what palier counted is what came to it, and nothing else did.
    let pods = bed.pods("flask-backend");
    let mut sent: Vec<u64> = Vec::new();
    for pod in &pods {
        let count = sent_to(&run, pod);
        if count > 0 {
            assert_eq!((pod.requests(), pod.cut()), (count, 0), "{pod:?}");
            sent.push(count);
        }
    }
    assert_eq!(sent.len(), 3, "two pods, and one that came later: {pods:?}");
    assert_eq!(sent.iter().sum::<u64>(), requests);
    assert_eq!(pods.iter().map(Pod::requests).sum::<u64>(), before + requests);
    // Users are spread by their number: two of six at each of three pods.
    let got = at_first.iter().map(|pod| {
        let now = later.iter().find(|it| it.name() == pod.name()).expect("it is still there");
        now.requests() - pod.requests()
    });
    let got: Vec<u64> = got.collect();
    let (least, all) = (got.iter().min().expect("three"), got.iter().sum::<u64>());
    super::told(&format!("requests to each of three pods: {got:?}"));
    assert!(least * 6 >= all, "{got:?}: the pod that came later gets its share");

    let run_section = &run.summary()["run"];
    let route = run_section["route"].as_str().expect("words");
    assert!(route.contains("port-forwards") && route.contains("to 3 pods"), "{route}");
    let forward = &run_section["forward"];
    assert_eq!(forward["broken"], 0, "{forward}");
    let opened = forward["connections"].as_u64().expect("a number");
    assert!(opened >= 8, "six users, and those who moved: {forward}");
    let round_trips = forward["round_trip"]["count"].as_u64().expect("a number");
    assert!(round_trips > 0 && round_trips <= opened, "{forward}");
    assert!(forward["round_trip"]["med"].as_f64().expect("a time") > 0.0, "{forward}");
    assert!(run.stdout.contains("a path for tests"), "{}", run.stdout);
    super::told(&format!("a round trip: {}", forward["round_trip"]));
}

fn a_pod_that_is_killed_costs_what_is_under_way_on_it(bed: &Bed) {
    let pods = bed.settled(2);
    let running = through(bed, "6s").start();
    std::thread::sleep(Duration::from_secs(3));
    bed.run(&["kill", pods[0].name()]);
    let run = running.finish();
    let errors = errors(&run);
    let failed: u64 = errors.iter().map(|(_, count)| count).sum();
    // Three users were on it. One of those who come back may be sent there once more before the cluster says that it
    // is gone; it then refuses.
    assert!(failed <= 5, "{errors:?}");
    let kinds = ["reset", "closed-early", "connect-refused"];
    assert!(errors.iter().all(|(kind, _)| kinds.contains(&kind.as_str())), "{errors:?}");
    let after = bed.pods("flask-backend").into_iter().find(|pod| pod.name() == pods[0].name());
    let after = after.expect("it is started anew");
    assert!(pods[0].pid().is_some() && after.pid() != pods[0].pid(), "{pods:?} and then {after:?}");
    let cut = after.cut() - pods[0].cut();
    assert!(cut <= failed, "{cut} requests were cut at the pod, {failed} failed");
    let got = after.requests() - pods[0].requests();
    let sent = sent_to(&run, &after);
    assert!(got <= sent && sent <= got + failed, "{sent} sent, {got} came, {failed} failed");
}

fn without_its_api_server_a_run_goes_on_afterwards(bed: &Bed) {
    bed.settled(2);
    let running = through(bed, "60s").start();
    std::thread::sleep(Duration::from_secs(2));
    // It returns when the API server answers again, which takes as long as the machine is slow.
    bed.run(&["apiserver", "stop", "--for", "1s"]);
    std::thread::sleep(Duration::from_secs(5));
    let run = running.signal(Signal::INT).finish();
    let errors = errors(&run);
    assert!(!errors.is_empty(), "{}", run.reasons());
    let kinds = ["reset", "closed-early", "connect-refused", "connect-timeout"];
    assert!(errors.iter().all(|(kind, _)| kinds.contains(&kind.as_str())), "{errors:?}");
    assert!(run.summary()["run"]["forward"]["broken"].as_u64().expect("a number") > 0);
    let texts = run.summary()["errors"].to_string();
    assert!(texts.contains("the API server at"), "{texts}");
    // In the end there are answers again.
    let points = run.summary()["series"]["points"].as_array().expect("points").clone();
    let answered = |point: &Value| point["requests"].as_u64() > point["failed"].as_u64();
    assert!(points.iter().rev().take(3).any(answered), "{points:?}");
}

fn what_bars_the_way_is_said(bed: &Bed) {
    bed.settled(2);
    let refused = |target: &str, expected: &[&str]| {
        let run = through(bed, "1s").args(["--target", target]).exit(98);
        for text in expected {
            assert!(run.stdout.contains(text), "{text} in {}", run.stdout);
        }
    };
    refused(
        "service://mysql-app/nobody:5000",
        &["there is no Service `nobody` in the namespace `mysql-app`"],
    );
    refused("service://mysql-app/flask-backend:80", &["has no port 80; it has 5000 (http)"]);
    for (right, expected) in [
        ("pods/portforward", "pods/portforward"),
        ("endpointslices", "endpointslices"),
        ("services", "services"),
    ] {
        bed.run(&["rights", "without", right]);
        refused("service://mysql-app/flask-backend:http", &[expected, "ci/kubernetes/forward.yaml"]);
        bed.run(&["rights", "all"]);
    }
}

fn a_database_is_reached_the_same_way(bed: &Bed) {
    for at in ["service = \"mysql-app/mysql:3306\"", "pod = \"mysql-app/mysql-0:3306\""] {
        let observe = format!(
            "observers = [\"mysql\"]\n[observe.mysql]\n{at}\nurl = \"mysql:///businessdb\"\nuser = \"observer\"\n\
             password = \"observer-Password-1\"\n[observe.mysql.thresholds]\n\
             mysql_threads_connected = [\"max<100\"]\nmysql_connections_refused = [\"count==0\"]\n\
             [cleanup.mysql]\nverify = \"SELECT COUNT(*) FROM employees\"\n"
        );
        let config = bed.kubeconfig("kubeconfig-reader");
        let run = Palier::run(&profile("2s", &observe))
            .env("KUBECONFIG", config.to_str().expect("UTF-8"))
            .patience(Duration::from_secs(60))
            .finish();
        let observer: &Value = &run.summary()["observers"][0];
        assert_eq!(observer["state"], "active", "{observer}");
        assert!(observer["source"].to_string().contains("mysql-app/mysql"), "{observer}");
        assert_eq!(run.threshold("count==0")["outcome"], "pass", "{}", run.reasons());
    }
}
