//! What takes many minutes: `ci/test --long` runs them.

mod soak;

use std::fmt::Write as _;
use std::time::Duration;

use crate::slow::backend::Backend;
use crate::slow::bed::Bed;
use crate::slow::latency::{OK, agree, distribution, open_loads};
use crate::slow::{take_turn, told};
use crate::support::cpu::on_the_first_core;
use crate::support::metronome::{Holds, Metronome};
use crate::support::palier::Palier;

/// Generator, Flask and MariaDB share two cores, as they do in a small pipeline. The target may fail; that palier was
/// the one to blame is never true here.
#[test]
#[ignore = "long: twenty runs of half a minute beside Flask and MariaDB"]
fn twenty_quick_runs_beside_the_system_under_test_are_not_invalid() {
    let _turn = take_turn();
    quick_runs(20, "1");
}

#[track_caller]
pub(crate) fn quick_runs(runs: u32, scale: &str) {
    let Some(backend) = Backend::start() else { return };
    let mut invalid = Vec::new();
    for number in 1..=runs {
        let run = Palier::new(["run", "quick", "--target", &backend.url, "--time-scale", scale])
            .patience(Duration::from_secs(120))
            .finish();
        let verdict = run.summary()["verdict"].clone();
        told(&format!(
            "run {number}: {verdict}, lag p99 {:.2} ms, p95 {:.0} ms, sound {}",
            run.number("/generator/lag/p(99)"),
            run.number("/metrics/http_req_duration/p(95)"),
            run.summary()["generator"]["sound"]
        ));
        if verdict == "invalid" {
            invalid.push(run.reasons());
        }
    }
    assert!(invalid.is_empty(), "{} of {runs}: {invalid:#?}", invalid.len());
}

#[test]
#[ignore = "long: finds out what this machine can do, and takes half of it"]
fn quantiles_are_true_at_half_of_what_the_generator_can_do() {
    let _turn = take_turn();
    // Answers that palier has to look into: it must be the one that is at its limit, and not the server, which has to be
    // on time at half of it.
    let items: Vec<String> =
        (0..100).map(|id| format!(r#"{{"id":{id},"name":"item {id}","price":12.5}}"#)).collect();
    let body = format!(r#"{{"items":[{}],"ok":true}}"#, items.join(","));
    let mut checks = OK.to_owned();
    for item in [9, 39, 69, 99] {
        let _ =
            write!(checks, r#", {{ name = "item {item}", json = "$.items[{item}].id", equals = {item} }}"#);
    }
    let holds = Holds::from([("/a", distribution(Duration::from_millis(20), 1))]);
    // What it can do is what would take all of its core: a closed loop would do more, because answers come in heaps
    // there, and one look at the sockets serves many.
    let server = Metronome::start(holds.clone(), &body);
    let (profile, files) = open_loads(&["/a"], &checks, 4_000, 4);
    let palier = files.iter().fold(Palier::run(&profile), |palier, (name, text)| palier.file(name, text));
    let run = on_the_first_core(palier).args(["--target", &server.url()]).finish();
    assert_eq!(run.count("/metrics/checks/fails"), 0);
    let capacity = 4_000.0 / run.number("/generator/cpu");
    drop(server);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some ten thousand")]
    let rate = ((capacity / 2.0) as u64 / 1_000).max(1) * 1_000;
    told(&format!("capacity {capacity:.0}/s, so {rate}/s"));
    // A request now and then finds others before it, which at half load is twice what one takes: 1 % of a time that is
    // some hundred times as long.
    agree(&holds, &body, &checks, rate, 10_000_u64.div_ceil(rate).max(4));
}

/// Everything at once, in real time: the load of `standard`, the autoscaler that it takes up and that comes down again,
/// the database behind the pods, and their logs. The CPU of the pods follows the requests that reach them.
#[test]
#[ignore = "long: the standard run in real time, on Kubernetes with Flask and MariaDB behind its pods"]
fn the_standard_run_judges_load_autoscaler_pods_and_database() {
    let _turn = take_turn();
    let Some(backend) = Backend::start() else { return };
    let Some(bed) = Bed::start([]) else { return };
    bed.put_behind(&backend);
    // Half of what two pods request, with ten users and the half second that they pause.
    bed.run(&["cost", "1300us"]);
    bed.run(&["app"]);
    bed.let_pods_drain();
    let before = backend.rows();
    let run = Palier::new(["run", "standard", "--observe", "kubernetes,mysql,logs"])
        .args(["--target", "service://mysql-app/flask-backend:5000"])
        .args(["--set", "observe.mysql.service=mysql-app/mysql:3306"])
        .env("KUBECONFIG", bed.kubeconfig("kubeconfig-reader").to_str().expect("UTF-8"))
        .env("MYSQL_URL", "mysql:///businessdb")
        .env("MYSQL_USER", "observer")
        .env("MYSQL_PASSWORD", "observer-Password-1")
        .patience(Duration::from_secs(900))
        .finish();
    let summary = run.summary();
    told(&run.stdout);
    assert_ne!(summary["verdict"], "invalid", "{}", run.reasons());
    assert_eq!(backend.rows(), before, "MariaDB holds as many rows as before");
    let thresholds = summary["thresholds"].as_array().expect("a list");
    for threshold in thresholds {
        let outcome = threshold["outcome"].as_str().expect("a word");
        assert!(matches!(outcome, "pass" | "warn" | "fail"), "it was judged: {threshold}");
        // How fast this machine is, is not the question here.
        let is_of_cluster = threshold["section"] != "performance";
        assert!(outcome != "fail" || !is_of_cluster, "{threshold}");
    }
    for section in ["performance", "checks", "autoscaling", "stability", "database"] {
        assert!(thresholds.iter().any(|threshold| threshold["section"] == section), "{section}");
    }
    for observer in summary["observers"].as_array().expect("a list") {
        assert_eq!(observer["state"], "active", "{observer}");
    }
    // All of it went through port-forwards of palier's own, to pods that it can tell apart.
    let sent = |pod: &serde_json::Value| pod["requests"].as_u64().unwrap_or_default();
    let sent: u64 = summary["pods"].as_array().expect("a list").iter().map(sent).sum();
    let requests = run.count("/metrics/http_reqs/count");
    assert!(sent >= requests, "{sent} were sent to pods, {requests} counted: more only by what undoes");
    // The pods that the autoscaler takes away still answer for a while, and are left in that time.
    assert_eq!(summary["run"]["forward"]["broken"], 0, "{}", summary["run"]["forward"]);
    assert_eq!(summary["errors"].as_array().expect("a list").len(), 0, "{}", summary["errors"]);
}
