//! The generator watches itself: what it uses, what it is short of, and what that makes of a verdict.

use std::time::Duration;

use crate::support::cpu::Fifth;
use crate::support::origin::{Origin, Script};
use crate::support::palier::{Palier, Signal};
use crate::support::profile::steady;

#[test]
fn what_the_generator_uses_is_measured_against_its_limits() {
    let origin = Origin::start(Script::ok());
    let thresholds = r#"
[thresholds]
generator_cpu = ["max<=100%"]
generator_throttled = ["max<=100%"]
generator_sockets = ["max>=20"]
generator_descriptors = ["max<90%"]
generator_ports = ["max<90%"]
generator_delay = ["p(95)<1m"]
"#;
    let run = Palier::run(&(steady(20, "2s") + thresholds)).target(&origin).files(500).exit(0);
    assert_eq!(run.count("/generator/descriptors/limit"), 500);
    let (sockets, descriptors) = (run.count("/generator/sockets"), run.count("/generator/descriptors/most"));
    assert!(
        (20..40).contains(&sockets) && descriptors > sockets,
        "{sockets} sockets, {descriptors} descriptors"
    );
    assert!(run.count("/generator/ports/most") >= 20);
    assert!(run.count("/generator/ports/limit") > 1_000);
    let share = run.number("/metrics/generator_descriptors/max");
    assert!((share - descriptors as f64 / 500.0).abs() < 1e-6, "{share}");
    assert!(run.number("/generator/cpu_max") > 0.0 && run.number("/generator/cores") > 0.0);
    // On a busy machine it may have been short of CPU.
    let short = run.summary()["generator"]["short"].to_string();
    assert!(!short.contains("were"), "{short}");
    assert!(run.number("/series/points/0/generator_cpu") > 0.0);
}

#[test]
fn a_plan_that_needs_more_files_than_there_are_is_told_so_before_it_runs() {
    let origin = Origin::start(Script::ok());
    let run = Palier::run(&steady(60, "1s")).target(&origin).files(40).exit(98).verdict("invalid");
    assert!(run.stderr.contains("may have 40 files open"), "{}", run.stderr);
    let summary = run.summary();
    let notes = summary["run"]["notes"].as_array().unwrap();
    assert!(notes.iter().any(|note| note.as_str().unwrap().contains("may have 40 files open")), "{notes:?}");
    let short = summary["generator"]["short"].to_string();
    assert!(short.contains("of 40 file descriptors were open"), "{short}");
    assert_eq!(summary["generator"]["sound"], false);
    run.says("of 40 file descriptors were open");
    assert!(run.read("palier-report/summary.md").contains("of 40 file descriptors were open"));
}

#[test]
fn the_soft_limit_on_files_is_raised_to_the_hard_one() {
    let origin = Origin::start(Script::ok());
    let run = Palier::run(&steady(60, "1s")).target(&origin).before("ulimit -Sn 40").exit(0);
    assert!(run.count("/generator/descriptors/limit") > 40);
    assert!(!run.stderr.contains("files open"), "{}", run.stderr);
}

/// Twenty local ports, in a network of its own: the demo stands in for a target, as it comes with palier.
#[test]
fn local_ports_that_run_out_are_not_blamed_on_the_target() {
    let network = ["unshare", "--map-root-user", "--net"];
    let tried = std::process::Command::new(network[0]).args(&network[1..]).arg("true").output();
    if !tried.is_ok_and(|tried| tried.status.success()) {
        // Not every container lets a process have a network of its own.
        return;
    }
    let profile = steady(60, "2s").replace("get = \"/\"", "get = \"/health\"");
    let run = Palier::run(&profile)
        .args(["--demo"])
        .through(network)
        .before("ip link set lo up")
        .before("echo 40000 40019 > /proc/sys/net/ipv4/ip_local_port_range")
        .exit(98)
        .verdict("invalid");
    assert!(run.stderr.contains("There are 20 local ports"), "{}", run.stderr);
    assert_eq!(run.count("/generator/ports/limit"), 20);
    let own = run.errors("generator");
    assert!(own > 0);
    assert_eq!(own, run.count("/metrics/errors/passes"), "nothing else went wrong");
    assert!(run.reasons().contains("own limits"), "{}", run.reasons());
    let short = run.summary()["generator"]["short"].to_string();
    assert!(short.contains("of 20 local ports were in use"), "{short}");
}

#[test]
fn a_quota_is_what_there_is() {
    let fifth = Fifth::of_a_core();
    if !fifth.is_quota() {
        // Making cgroups takes rights that not every pipeline has; `slow::saturation` does without.
        return;
    }
    let origin = Origin::start(Script::ok());
    let profile = steady(50, "2s").replace("pause = \"20ms\"", "");
    let run = fifth.holds(Palier::run(&profile)).target(&origin).finish();
    assert!((run.number("/generator/cores") - 0.2).abs() < 1e-9);
    // How far it got to that limit depends on who else is busy; `slow::saturation` says what becomes of it.
    assert!(run.number("/generator/cpu") > 0.0 && run.number("/generator/throttled") >= 0.0);
    assert!(run.number("/metrics/generator_throttled/max") >= 0.0);
    run.says("of 0.2 core");
}

/// Palier is stopped for a second in the middle of its load. All answers were there in time; nobody read them.
#[test]
fn a_second_that_palier_slept_through_is_not_blamed_on_the_target() {
    let origin = Origin::start(Script::ok());
    let profile = steady(40, "3s").replace("get = \"/\"", "get = \"/\"\ntimeout = \"500ms\"")
        + "[thresholds]\nhttp_req_duration = [\"max<400ms\"]\n";
    let running = Palier::run(&profile).target(&origin).start();
    let running = running.wait_until(|| origin.requests() > 400);
    let running = running.signal(Signal::STOP).wait(Duration::from_secs(1)).signal(Signal::CONT);
    let run = running.finish();
    assert_eq!(run.errors("timeout"), 0, "the answers were there");
    let threshold = run.threshold("max<400ms");
    assert_ne!(threshold["outcome"], "fail", "{threshold:#}");
    assert!(run.number("/generator/lag/max") >= 900.0);
}
