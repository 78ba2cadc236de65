//! `palier import`: what comes out is a profile, and does what was imported.

use std::time::Duration;

use crate::support::origin::{Origin, Script};
use crate::support::palier::{Done, Palier};

/// The profile that came out is right, and a short run of it makes these requests, in this order.
#[track_caller]
fn runs(import: &Done, origin: &Origin) -> Done {
    let check = import.then(["check", "imported.toml"]).file("imported.toml", &import.stdout).exit(0);
    check
        .then([
            "run",
            "imported.toml",
            "--target",
            &origin.url(),
            "--set",
            "load.executor=\"per-vu-iterations\"",
        ])
        .finish()
}

#[test]
fn a_curl_command_is_done_as_it_was_copied() {
    let command = "curl 'http://localhost:5000/employees?page=1' \\\n  -X POST \\\n  -H 'Accept: */*' \\\n  \
                   -H 'Authorization: Bearer s3cr3t' --compressed -k \\\n  \
                   --data-raw $'{\"name\":\"O\\'Hara {{x ${HOME}\"}' -H 'content-type: application/json'\n";
    let import = Palier::new(["import", command]).exit(0);
    assert!(!import.stdout.contains("s3cr3t"), "{}", import.stdout);
    for part in ["# not carried over: -k", "redirects = 0", "Accept-Encoding = \"gzip, deflate, br\""] {
        assert!(import.stdout.contains(part), "{part}: {}", import.stdout);
    }
    import.says("1 thing not carried over");
    Palier::new(["import", "--strict", command]).exit(1);

    let origin = Origin::start(Script::ok());
    runs(&import, &origin).then(["--version"]).exit(0);
    let record = origin.record();
    assert_eq!(record.count("POST /employees"), 1);
    let seen = record.requests.iter().find(|it| it.method == "POST").expect("the request");
    let head = seen.head.to_lowercase();
    for line in
        ["post /employees?page=1 ", "accept: */*", "content-type: application/json", "content-length: 29"]
    {
        assert!(head.contains(line), "{line}: {head}");
    }
}

#[test]
fn several_commands_are_several_steps() {
    let script = "#!/bin/sh\n# what we do by hand\n$ curl -s localhost:5000/health\ncurl -u me:pw -d a=1 -d b=2 localhost:5000/form | jq .\n\
                  curl -G --data-urlencode 'q=a b' localhost:5000/search -m 2.5\ncurl https://elsewhere.example/\n";
    let import = Palier::new(["import", "commands.sh", "-o", "out.toml"]).file("commands.sh", script).exit(0);
    let toml = import.read("out.toml");
    for part in [
        "name = \"GET /health\"",
        "post = \"/form\"",
        "body = \"a=1&b=2\"",
        "get = \"/search?q=a%20b\"",
        "timeout = \"2500ms\"",
        "secrets = [\"AUTHORIZATION\"]",
        "# not carried over: line 6: GET https://elsewhere.example/: a profile has one target",
        "`jq` is no curl command",
    ] {
        assert!(toml.contains(part), "{part}: {toml}");
    }
    assert!(!toml.contains("bWU6cHc"), "{toml}");
    import.then(["check", "out.toml"]).exit(0);
    // What is there already is kept.
    import.then(["import", "commands.sh", "-o", "out.toml"]).exit(1).says("out.toml");
    Palier::new(["import", "nothing.txt"]).file("nothing.txt", "hello").exit(2).says("curl");
    Palier::new(["import", "curl -X POST"]).exit(2).says("no address");
}

#[test]
fn options_of_curl_are_read_as_curl_reads_them() {
    for (command, parts) in [
        ("curl -su me:1234 http://h/", &["secrets = [\"AUTHORIZATION\"]", "get = \"/\""][..]),
        ("curl -sXPUT -sHX-A:b -sSLo s3cr3t.html http://h/x", &["put = \"/x\"", "X-A = \"b\""]),
        ("curl -sH 'Authorization: s3cr3t' h", &["Authorization = \"${AUTHORIZATION:-}\""]),
        ("curl --oauth2-bearer s3cr3t h", &["Authorization = \"${AUTHORIZATION:-}\""]),
        (
            "curl -U me:s3cr3t --pass s3cr3t h",
            &["carried over: --proxy-user and its value", "over: --pass and"],
        ),
        ("curl -K s3cr3t --tlspassword=s3cr3t h", &["carried over: --config and", "over: --tlspassword and"]),
        ("curl --no-such-thing s3cr3t -W s3cr3t h/a?b=1", &["an option that curl's manual does not have"]),
        ("curl -H s3cr3t -H 'X;' h", &["a header without a colon"]),
        ("curl -X 's3cr3t x' h", &["the method of --request"]),
        ("TOKEN=s3cr3t curl h", &["line 1: the shell's variable `TOKEN`"]),
        ("curl http://me:s3cr3t@h/x -G -d api_key=s3cr3t#a", &["get = \"/x?api_key=${API_KEY:-}\""]),
        ("curl h/a#s3cr3t -G -d q=1", &["get = \"/a?q=1\"", "name = \"GET /a\""]),
        ("curl h/a --next -H X:s3cr3t h/b", &["--next and what follows it"]),
        ("curl --json '{\"user\":{\"password\":\"s3cr3t\"}}' h", &["Accept = ", "\\\"${PASSWORD:-}\\\""]),
        ("curl -d 'a=1&pwd=s3cr3t' h", &["body = \"a=1&pwd=${PWD:-}\""]),
    ] {
        let import = Palier::new(["import", command]).exit(0);
        for part in parts {
            assert!(import.stdout.contains(part), "{command}: {part}: {}", import.stdout);
        }
        for text in [&import.stdout, &import.stderr] {
            assert!(!text.contains("s3cr3t") && !text.contains("bWU6"), "{command}: {text}");
        }
        import.then(["check", "i.toml"]).file("i.toml", &import.stdout).exit(0);
    }
    let refused = Palier::new(["import", "curl ftp://me:s3cr3t@h/?token=s3cr3t"]).exit(2);
    refused.says("ftp://h/");
    assert!(!refused.stderr.contains("s3cr3t"), "{}", refused.stderr);
}

#[test]
fn what_looks_like_a_variable_or_a_template_is_what_was_written() {
    let script = "curl 'http://h/${ID}/{{x}}' -H 'Authorization: one'\ncurl 'http://h/b' -H 'Authorization: two'\n\
                  curl -H 'X: ${HOME}' -d '{{a}} ${HOME}' https://me:s3cr3t@elsewhere/?token=s3cr3t\n";
    let import = Palier::new(["import", "commands.sh"]).file("commands.sh", script).exit(0);
    for part in [
        "secrets = [\"AUTHORIZATION\", \"AUTHORIZATION_2\"]",
        "name = \"GET /$${ID}/{{x}}\"",
        "get = \"/$%7BID%7D/%7B%7Bx%7D%7D\"",
        "POST https://elsewhere/: a profile has one target",
    ] {
        assert!(import.stdout.contains(part), "{part}: {}", import.stdout);
    }
    assert!(!import.stdout.contains("s3cr3t"), "{}", import.stdout);
    import.then(["check", "i.toml"]).file("i.toml", &import.stdout).exit(0);
}

/// As Chromium writes it, shortened.
const HAR: &str = r#"{"log": {"version": "1.2", "entries": [
  {"startedDateTime": "2026-11-25T01:00:00.000Z", "time": 120.5,
   "request": {"method": "GET", "url": "http://localhost:5000/employees?page=1", "headers": [
     {"name": ":authority", "value": "localhost"}, {"name": "Accept", "value": "application/json"},
     {"name": "Cookie", "value": "session=s3cr3t"}, {"name": "sec-ch-ua", "value": "x"}]},
   "response": {"status": 200}},
  {"startedDateTime": "2026-11-25T01:00:02.000Z", "time": 40,
   "request": {"method": "POST", "url": "http://localhost:5000/employees", "headers": [{"name": "Content-Type", "value": "application/json"}],
     "postData": {"mimeType": "application/json", "text": "{\"name\":\"x\"}"}},
   "response": {"status": 201}},
  {"startedDateTime": "2026-11-25T01:00:02.010Z", "time": 5,
   "request": {"method": "GET", "url": "https://fonts.example/a.woff", "headers": []}, "response": {"status": 200}},
  {"startedDateTime": "2026-11-25T01:00:02.045Z", "time": 5,
   "request": {"method": "GET", "url": "wss://u:s3cr3t@h/live?access_token=s3cr3t", "headers": []}, "response": {"status": 101}},
  {"startedDateTime": "2026-11-25T01:00:02.046Z", "time": 5,
   "request": {"method": "GET", "url": "data:image/png;base64,s3cr3t", "headers": []}, "response": {"status": 200}},
  {"startedDateTime": "2026-11-25T01:00:02.050Z", "time": 5,
   "request": {"method": "GET", "url": "http://u:s3cr3t@localhost:5000/employees?page=2|3&sessionid=s3cr3t", "headers": []}, "response": {"status": 0}}
]}}"#;

#[test]
fn a_recording_is_played_again() {
    let import = Palier::new(["import", "shop.har"]).file("shop.har", HAR).exit(0);
    let toml = &import.stdout;
    for part in [
        "url = \"http://localhost:5000\"",
        "pause = \"1879ms\"",
        "status = 201",
        "name = \"GET /employees (2)\"",
        "page=2%7C3",
        "# not carried over: 1 request to https://fonts.example",
        "# not carried over: data:image/png;base64: not HTTP",
        "# not carried over: wss://h/live: not HTTP",
        "# not carried over: the user in its address",
        "# not carried over: its status",
        "# not carried over: the cookies of the recording",
    ] {
        assert!(toml.contains(part), "{part}: {toml}");
    }
    assert!(!toml.contains("s3cr3t") && !toml.contains("sec-ch-ua"), "{toml}");
    let origin = Origin::start(Script::ok().delay(Duration::from_millis(1)));
    drop(runs(&import, &origin));
    let record = origin.record();
    assert_eq!((record.count("GET /employees"), record.count("POST /employees")), (2, 1));
}

#[test]
fn the_options_of_k6_are_loads_and_thresholds() {
    let options = r#"{"paused": null, "scenarios": {
      "a": {"executor": "ramping-vus", "startVUs": 2, "stages": [{"duration": "1m0s", "target": 20}, {"duration": "0s", "target": 5}],
            "gracefulRampDown": "10s", "gracefulStop": null, "startTime": "0s", "env": {"TOKEN": "s3cr3t"}, "exec": "browse", "tags": {"kind": "x"}},
      "b": {"executor": "constant-vus", "vus": 3, "duration": "30s", "exec": "default", "startTime": "5s"},
      "c": {"executor": "per-vu-iterations", "vus": 3, "iterations": 4, "maxDuration": "1m"},
      "d": {"executor": "shared-iterations", "vus": 3, "iterations": 40},
      "e": {"executor": "constant-arrival-rate", "rate": 30, "timeUnit": "1m", "duration": "1m", "preAllocatedVUs": 5, "maxVUs": 10},
      "f": {"executor": "ramping-arrival-rate", "startRate": 1, "stages": [{"duration": "10s", "target": 50}], "preAllocatedVUs": 5},
      "g": {"executor": "externally-controlled", "vus": 1, "duration": "1m"}},
      "thresholds": {"http_req_duration": ["p(95)\u003c500", "avg<200"], "http_req_duration{scenario:b}": ["max<3000"],
        "checks": [{"threshold": "rate>0.9", "abortOnFail": true, "delayAbortEval": "10s"}],
        "my_counter": ["count<1"], "http_req_duration{group:::g}": ["avg<1"]},
      "noConnectionReuse": true, "rps": 100, "tlsAuth": [{"cert": "s3cr3t"}], "userAgent": "us/1.0", "insecureSkipTLSVerify": false}"#;
    let import = Palier::new(["import", "options.json"]).file("options.json", options).exit(0);
    let toml = &import.stdout;
    for part in [
        "start_vus = 2",
        "{ duration = \"1m0s\", target = 20 }",
        "graceful_ramp_down = \"10s\"",
        "start_after = \"5s\"",
        "time_unit = \"1m\"",
        "preallocated_vus = 5",
        "http_req_duration = [\"p(95)<500\", \"avg<200\"]",
        "\"http_req_duration{load:b}\" = [\"max<3000\"]",
        "{ expr = \"rate>0.9\", abort = true, delay = \"10s\" }",
        "reuse = \"request\"",
        "User-Agent = \"us/1.0\"",
        "# not carried over: the scenario g:",
        "# not carried over: the scenario a: its variables TOKEN",
        "# not carried over: the threshold my_counter count<1:",
        "# not carried over: the threshold http_req_duration{group:::g}",
        "# not carried over: the option rps",
        "# not carried over: the option tlsAuth",
    ] {
        assert!(toml.contains(part), "{part}: {toml}");
    }
    assert!(!toml.contains("s3cr3t"), "{toml}");
    let check = import.then(["check", "k6.toml"]).file("k6.toml", toml).exit(0);
    for load in
        ["a, ramping-vus: 2 stages", "e, constant-arrival-rate: 0.50 iterations/s", "f, ramping-arrival-rate"]
    {
        check.says(load);
    }
}

#[test]
fn the_shortcuts_of_k6_are_its_scenarios() {
    for (options, executor) in [
        (r#"{"vus": 5, "duration": "30s"}"#, "constant-vus"),
        (r#"{"stages": [{"duration": "10s", "target": 5}]}"#, "ramping-vus"),
        (r#"{"vus": 5, "iterations": 10}"#, "shared-iterations"),
        (r#"{"vus": 1, "iterations": null, "thresholds": {"checks": ["rate>0.5"]}}"#, "per-vu-iterations"),
    ] {
        let import = Palier::new(["import", "o.json"]).file("o.json", options).exit(0);
        assert!(import.stdout.contains(&format!("[load]\nexecutor = \"{executor}\"")), "{}", import.stdout);
        import.then(["check", "i.toml"]).file("i.toml", &import.stdout).exit(0);
    }
    Palier::new(["import", "o.json"]).file("o.json", "{\"a\": 1}").exit(2).says("scenarios");
}
