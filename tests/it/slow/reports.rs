//! What a run writes, whatever its verdict, read by readers that are not ours.

use super::consumers;
use crate::support::origin::{Act, Origin, Script};
use crate::support::palier::{Done, Palier, Signal};
use crate::support::profile::steady;

#[track_caller]
fn are_read(run: &Done) {
    let file = |name: &str| run.path("palier-report").join(name);
    let path = |name: &str| file(name).display().to_string();
    consumers::accept("check-junit.sh", &[&path("junit.xml"), "--contract", "--fast"]);
    consumers::accept("check-badge.py", &[&path("badge.json"), &path("badge.svg")]);
    consumers::accept("check-gitlab-load.py", &[&path("k6-summary.json")]);
    consumers::accept("check-openmetrics.sh", &[&path("metrics.txt")]);
    consumers::accept("check-annotations.py", &[&path("annotations.json")]);
    consumers::accept("check-hlog.sh", &[&path("latency.hlog")]);
    consumers::accept("check-report.sh", &[&path("report.html"), "How it was measured"]);
    consumers::validate(&consumers::root().join("summary.schema.json"), &file("summary.json"));
}

#[test]
#[ignore = "slow: starts the readers of reports again and again"]
fn reports_of_every_verdict_are_read() {
    if !consumers::are_there() {
        return;
    }
    let _turn = super::take_turn();
    let ok = Origin::start(Script::ok());
    let profile = steady(2, "1s");
    are_read(&Palier::run(&profile).target(&ok).exit(0).verdict("pass"));
    let warning = "[warnings]\nhttp_reqs = [\"count<1\"]\n";
    are_read(&Palier::run(&(profile.clone() + warning)).target(&ok).exit(0).verdict("warn"));
    let few = "[thresholds]\nhttp_req_duration = [\"p(99)<10s\"]\n";
    are_read(&Palier::run(&(profile.clone() + few)).target(&ok).exit(98).verdict("invalid"));
    are_read(&Palier::run(&profile).exit(98).verdict("invalid"));

    // Its answer holds what is an escape, markup or no character at all in one format or another.
    let body = "\u{1b}[31m]]> <script>&\u{0}\u{fffe}\u{2028}| `a` \\".to_owned();
    let bad = Origin::start(Script::all(Act::Answer { status: 500, body }));
    are_read(&Palier::run(&profile).target(&bad).exit(99).verdict("fail"));
    let hung = Origin::start(Script::all(Act::Hang));
    are_read(&Palier::run(&profile).target(&hung).exit(99).verdict("fail"));

    let running = Palier::run(&steady(2, "20s")).target(&ok).start();
    let before = ok.requests();
    let running = running.wait_until(|| ok.requests() > before + 4).signal(Signal::INT);
    are_read(&running.finish().exit(105));
}
