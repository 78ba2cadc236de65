//! Profiles that are wrong: everything at once, where it stands, what would be right, and no request made.

use crate::support::origin::{Origin, Script};
use crate::support::palier::{Done, Palier, REPORTS};
use crate::support::profile::steady;

#[track_caller]
fn refused(profile: &str, says: &[&str]) -> Done {
    let origin = Origin::start(Script::ok());
    let run = Palier::run(profile).target(&origin).exit(2);
    for text in says {
        run.says(text);
    }
    assert_eq!((origin.requests(), origin.connections()), (0, 0));
    assert!(!run.path("palier-report/summary.json").exists());
    run
}

/// The number of the line that holds that text, as diagnostics show it.
fn line(profile: &str, text: &str) -> String {
    let number = profile.lines().position(|line| line.contains(text)).expect("it stands there") + 1;
    format!("load.toml:{number}:")
}

#[test]
fn all_errors_are_shown_at_once_with_their_lines_and_what_is_nearest() {
    let profile =
        steady(2, "1s").replace("graceful_stop", "gracefull_stop").replace("status = 200", "statuss = 200")
            + "[thresholds]\nhttp_req_duratoin = [\"p(95)<500ms\"]\nerrors = [\"p(95)<1\"]\n";
    let places = ["gracefull_stop", "statuss", "http_req_duratoin", "p(95)<1\""].map(|it| line(&profile, it));
    let run = refused(&profile, &["`graceful_stop`", "`status`", "`http_req_duration`"]);
    for place in places {
        run.says(&place);
    }
    run.says("gracefull_stop = \"1s\"");
}

#[test]
fn a_step_that_there_is_not_cannot_be_selected() {
    let profile = steady(2, "1s") + "[thresholds]\n\"http_req_duration{step:got}\" = [\"p(95)<500ms\"]\n";
    let run = refused(&profile, &["got", "`get`"]);
    run.says(&line(&profile, "step:got"));
}

#[test]
fn thresholds_that_k6_refuses_or_panics_at_are_profile_errors() {
    for threshold in [
        "http_req_duration = [\"p(150)<500\"]",
        "http_req_duration = [\"avg<NaN\"]",
        "http_req_duration = [\"rate<1%\"]",
        "http_req_duration = [\"p(95)<5%\"]",
        "http_reqs = [\"p(95)<5\"]",
        "checks = [\"count>5\"]",
        "checks = [\"rate>150%\"]",
        "http_req_duration = [\"p(95)<\"]",
    ] {
        let profile = steady(2, "1s") + "[thresholds]\n" + threshold + "\n";
        refused(&profile, &[&line(&profile, threshold), "error"]);
    }
}

#[test]
fn an_override_of_something_that_is_not_there_is_an_error() {
    let origin = Origin::start(Script::ok());
    let run = Palier::run(&steady(2, "1s")).target(&origin).args(["--set", "load.durration=2s"]).exit(2);
    run.says("durration");
    run.says("`duration`");
    let run = Palier::run(&steady(2, "1s")).target(&origin).args(["--set", "load.vus=many"]).exit(2);
    run.says("many");
    assert_eq!(origin.connections(), 0);
}

#[test]
fn an_override_holds() {
    let origin = Origin::start(Script::ok());
    let run = Palier::run(&steady(2, "20s"))
        .target(&origin)
        .args(["--set", "load.duration=500ms", "--set", "load.vus=3"])
        .exit(0);
    assert!((run.number("/run/load_duration") - 500.0).abs() < 1e-9);
    assert_eq!(run.number("/metrics/vus/max").to_string(), "3");
}

#[test]
fn a_variable_that_is_not_set_is_an_error_and_a_default_is_not() {
    let profile = steady(2, "1s").replace("http://127.0.0.1:9", "${SERVICE_URL}");
    let run = Palier::run(&profile).exit(2);
    run.says("SERVICE_URL");
    run.says(&line(&profile, "SERVICE_URL"));

    let origin = Origin::start(Script::ok());
    Palier::run(&profile).env("SERVICE_URL", &origin.url()).exit(0);
    let profile = profile.replace("${SERVICE_URL}", &format!("${{SERVICE_URL:-{}}}", origin.url()));
    Palier::run(&profile).exit(0);
}

#[test]
fn a_profile_that_there_is_not_is_an_error_with_the_nearest_name() {
    Palier::new(["run", "quik"]).exit(2).says("`quick`");
    Palier::new(["run", "no/such/file.toml"]).exit(2).says("no/such/file.toml");
}

#[test]
fn a_profile_that_is_no_toml_is_an_error_with_its_line() {
    Palier::run("[target]\nurl = \"http://x\n").exit(2).says("load.toml:2:");
}

const TOKEN: &str = "s3cr3t-t0ken-4711";

#[test]
fn a_secret_is_in_no_output_even_if_the_target_repeats_it() {
    // The target sends back what it was sent, in an error whose text reports quote.
    let origin = Origin::start(Script::all(crate::support::origin::Act::Answer {
        status: 500,
        body: r#"{"error":"{head}"}"#.to_owned(),
    }));
    let profile = steady(2, "1s")
        .replace("pause = ", "secrets = [\"TOKEN\"]\npause = ")
        .replace(
            "get = \"/\"",
            "get = \"/?token=${TOKEN}\"\nheaders = { Authorization = \"Bearer ${TOKEN}\" }",
        )
        .replace(
            "name = \"is ok\", status = 200",
            "name = \"is ok\", json = \"$.error\", equals = \"${TOKEN}\"",
        );
    let run = Palier::run(&profile).target(&origin).env("TOKEN", TOKEN).args(["-v"]).exit(99).verdict("fail");
    for name in REPORTS {
        let report = run.read(&format!("palier-report/{name}"));
        assert!(!report.contains(TOKEN), "{name} holds the secret");
    }
    assert!(!run.stdout.contains(TOKEN), "stdout holds the secret");
    assert!(!run.stderr.contains(TOKEN), "stderr holds the secret");
    // It was sent, and the answer was quoted: what is hidden was there to be shown.
    let first = run.summary()["errors"][0]["first"]["message"].as_str().unwrap().to_owned();
    assert!(first.contains("500"), "{first}");
}

#[test]
fn a_secret_is_not_shown_by_an_error_of_its_profile() {
    let profile = steady(2, "1s")
        .replace("pause = ", "secrets = [\"TOKEN\"]\npause = ")
        .replace("vus = 2", "vus = \"${TOKEN}\"");
    let run = Palier::run(&profile).env("TOKEN", TOKEN).exit(2);
    assert!(!run.stdout.contains(TOKEN) && !run.stderr.contains(TOKEN));
}

#[test]
fn no_part_of_a_secret_is_shown_where_an_answer_is_cut_short() {
    // Wherever reports cut what they quote, half a secret is at the end for one of these lengths.
    for length in (120..170).step_by(10) {
        let body = format!("{}{}", "x".repeat(length), TOKEN.repeat(20));
        let origin = Origin::start(Script::all(crate::support::origin::Act::Answer { status: 500, body }));
        let profile = steady(1, "200ms")
            .replace("pause = ", "secrets = [\"TOKEN\"]\npause = ")
            .replace("get = \"/\"", "get = \"/\"\nheaders = { Authorization = \"${TOKEN}\" }");
        let run = Palier::run(&profile).target(&origin).env("TOKEN", TOKEN).exit(99);
        let texts = REPORTS.map(|name| run.read(&format!("palier-report/{name}"))).join("\n") + &run.stdout;
        assert!(texts.contains("xxx"), "the answer is quoted");
        assert!(!texts.contains(&TOKEN[..4]), "the beginning of the secret is shown after {length}");
    }
}
