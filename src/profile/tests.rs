//! Whole profiles: what loads, and everything that is said about what does not.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use insta::assert_snapshot;
use proptest::prelude::*;

use super::*;
use crate::words::{Level, Metric};

/// Files that stand nowhere but here, below `/work`.
#[derive(Clone, Debug, Default)]
struct Memory(BTreeMap<PathBuf, String>);

impl Files for Memory {
    fn read(&self, path: &Path) -> io::Result<String> {
        self.0.get(path).cloned().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no such file"))
    }

    fn exists(&self, path: &Path) -> bool {
        self.0.contains_key(path)
    }
}

/// A profile to be loaded, with all that it is a function of.
#[derive(Clone, Debug, Default)]
struct Case {
    files: Memory,
    overrides: Vec<Override>,
    variables: BTreeMap<String, String>,
}

impl Case {
    fn file(mut self, path: &str, text: &str) -> Self {
        self.files.0.insert(Path::new("/work").join(path), text.to_owned());
        self
    }

    fn set(mut self, text: &str) -> Self {
        self.overrides.push(Override::Set(text.to_owned()));
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    fn load(&self, name: &str) -> Result<Profile, Error> {
        let Self { files, overrides, variables } = self;
        load(&Request { name, folder: Path::new("/work"), overrides, variables }, files)
    }

    #[track_caller]
    fn profile(&self, name: &str) -> Profile {
        self.load(name).unwrap_or_else(|error| match error {
            Error::Rejected(rejected) => panic!("{}", rejected.render(false)),
            Error::Unknown { .. } | Error::Unreadable { .. } => panic!("{error}"),
        })
    }

    #[track_caller]
    fn errors(&self) -> String {
        match self.load("p.toml") {
            Err(Error::Rejected(rejected)) => rejected.render(false),
            other => panic!("{other:?}"),
        }
    }
}

/// A profile that is right, with something added.
fn sound(added: &str) -> Case {
    let text = format!(
        "target.url = \"http://localhost\"\nload = {{ executor = \"constant-vus\", duration = \"1s\" }}\n{added}"
    );
    Case::default().file("p.toml", &text)
}

const STEP: &str = "[[step]]\nname = \"home\"\nget = \"/\"\n";

fn stages(profile: &Profile) -> Vec<(u64, u32)> {
    let Executor::RampingVus { stages, start_vus: 1, .. } = &profile.loads[0].executor else {
        panic!("{:?}", profile.loads[0].executor);
    };
    stages.iter().map(|stage| (stage.duration.as_secs(), stage.target)).collect()
}

#[test]
fn the_built_in_profiles_load_in_an_empty_folder() {
    let case = Case::default();
    let standard = case.profile("standard");
    assert_eq!(standard.found, Found::BuiltIn("profiles/standard.toml"));
    assert_eq!(stages(&standard), [(30, 10), (60, 20), (30, 30), (60, 20), (30, 0)]);
    assert_eq!(stages(&case.profile("quick")), [(10, 20), (10, 30), (10, 0)]);
    assert_eq!(stages(&case.profile("intensive")), [(120, 20), (300, 50), (120, 20), (60, 0)]);
    for name in BUILT_IN_PROFILES {
        let profile = case.profile(name);
        assert_eq!(profile.target.url().unwrap().to_string(), "http://localhost:5000/");
        assert_eq!(profile.target.ready.unwrap().within, Duration::from_secs(30));
        // What takes an observer is judged only where that is asked for.
        assert!(profile.observe.active.is_empty());
        let (observed, own): (Vec<_>, Vec<_>) =
            profile.thresholds.iter().partition(|threshold| threshold.metric.observer().is_some());
        // The stages of each have their own.
        let n = match name {
            "quick" => 11,
            "standard" => 23,
            _ => 19,
        };
        assert_eq!(observed.len(), n, "{name}");
        let thresholds: Vec<_> = own
            .into_iter()
            .map(|threshold| (threshold.level, threshold.metric, threshold.text.as_str(), threshold.bound()))
            .collect();
        assert_eq!(
            thresholds,
            [
                (Level::Fail, Metric::HttpReqDuration, "p(95)<500ms", Some(500.0)),
                (Level::Fail, Metric::Errors, "rate<10%", Some(0.1)),
                (Level::Fail, Metric::Checks, "rate>90%", Some(0.9)),
                (Level::Warn, Metric::Checks, "rate>95%", Some(0.95)),
                (Level::Warn, Metric::HttpReqs, "rate>100", Some(100.0)),
                (Level::Warn, Metric::HttpReqDuration, "avg<200ms", Some(200.0)),
            ]
        );
    }
}

#[test]
fn the_employees_scenario_has_seven_steps_and_eleven_checks() {
    let profile = Case::default().profile("quick");
    let scenario = &profile.scenarios[0];
    assert_eq!(scenario.pause, Some(Pause::Fixed(Duration::from_millis(500))));
    let requests: Vec<_> = scenario
        .steps
        .iter()
        .map(|step| {
            let path: String = step
                .path
                .pieces
                .iter()
                .map(|piece| match piece {
                    Piece::Text(text) => text.as_str(),
                    Piece::Value(_) => ":id",
                })
                .collect();
            format!("{} {path}", step.method)
        })
        .collect();
    assert_eq!(
        requests,
        [
            "GET /health",
            "GET /employees",
            "GET /stats",
            "POST /employees",
            "PUT /employees/:id",
            "GET /employees/:id",
            "DELETE /employees/:id"
        ]
    );
    let checks: Vec<_> =
        scenario.steps.iter().flat_map(|step| &step.checks).map(|check| check.name.value.as_str()).collect();
    assert_eq!(
        checks,
        [
            "health check status 200",
            "health check is healthy",
            "GET employees status 200",
            "employees list returned",
            "GET stats status 200",
            "stats contains total_employees",
            "POST employee status 201",
            "employee created with ID",
            "PUT employee status 200",
            "GET specific employee status 200",
            "DELETE employee status 200",
        ]
    );
    let create = &scenario.steps[3];
    assert_eq!(create.undo.as_ref().map(|undo| undo.value), Some(6));
    assert!(
        create
            .templates()
            .iter()
            .any(|template| { template.references().any(|reference| reference.value == Reference::Run) })
    );
}

#[test]
fn a_profile_of_the_repository_goes_before_the_built_in_one() {
    let case = sound(STEP).file(".git", "").file("profiles/quick.toml", "extends = \"../p.toml\"\n");
    let profile = case.profile("quick");
    assert_eq!(profile.found, Found::Folder("profiles/quick.toml".into()));
    assert_eq!(
        profile.sources.iter().map(|(_, source)| source.name.as_str()).collect::<Vec<_>>(),
        ["profiles/quick.toml", "p.toml"]
    );
}

#[test]
fn a_profile_may_extend_a_built_in_one_by_name() {
    let profile = Case::default()
        .file("p.toml", "extends = \"quick\"\npause = \"1s\"\n[target]\nurl = \"http://api\"\n")
        .profile("p.toml");
    assert_eq!(stages(&profile), [(10, 20), (10, 30), (10, 0)]);
    assert_eq!(profile.target.url().unwrap().host(), Some("api"));
    assert!(profile.target.ready.is_some(), "tables merge");
    assert_eq!(profile.scenarios[0].pause, Some(Pause::Fixed(Duration::from_secs(1))));
}

#[test]
fn thresholds_on_stages_are_inherited_as_long_as_the_stages_are() {
    let stages = |name: &str| {
        format!(
            "[load]\nexecutor = \"ramping-vus\"\nstages = [{{ name = \"{name}\", duration = \"1s\", target = 1 }}]\n"
        )
    };
    let asked = |stage: &str| format!("[thresholds]\n\"vus{{stage:{stage}}}\" = [\"max<9\"]\n");
    let base = format!("[target]\nurl = \"http://localhost\"\n{}{}{STEP}", stages("peak"), asked("peak"));
    let over = |own: &str| {
        Case::default().file("base.toml", &base).file("p.toml", &format!("extends = \"base.toml\"\n{own}"))
    };
    assert_eq!(over("").profile("p.toml").thresholds.len(), 1);
    assert_eq!(over(&stages("top")).profile("p.toml").thresholds.len(), 0);
    let own = over(&(stages("top") + &asked("top"))).profile("p.toml");
    assert_eq!(own.thresholds.len(), 1);
    let replaced = over("").set("load.stages=[{ duration = \"1s\", target = 1 }]").profile("p.toml");
    assert_eq!(replaced.thresholds.len(), 0);
    // Whoever asks something of the stages of another text has to name them as they are.
    for mistyped in [
        over(&asked("peek")),
        over("").set("thresholds.\"vus{stage:peek}\"=[\"max<9\"]"),
        over(&(stages("top") + &asked("peak"))),
        over(&stages("top")).set("warnings.\"vus{stage:peek}\"=[\"max<9\"]"),
    ] {
        let errors = mistyped.errors();
        assert!(errors.contains("there is no stage `pe"), "{errors}");
    }
}

#[test]
fn everything_can_be_set_by_its_path() {
    let mut case = Case::default()
        .set("load.stages[2].target=50")
        .set("pause={ min = \"1s\", max = \"2s\" }")
        .set("target.connections.reuse=iteration")
        .set("step[0].timeout=5s")
        .set("thresholds.http_req_duration[0]=p(99)<1s");
    case.overrides.push(Override::Flag {
        flag: "--target",
        path: "target.url",
        value: "http://127.0.0.1:1".into(),
    });
    let profile = case.profile("standard");
    assert_eq!(stages(&profile)[2], (30, 50));
    let (min, max) = (Duration::from_secs(1), Duration::from_secs(2));
    assert_eq!(profile.scenarios[0].pause, Some(Pause::Uniform { min, max }));
    assert_eq!(profile.target.connections.reuse, Reuse::Iteration);
    assert_eq!(profile.scenarios[0].steps[0].timeout, Duration::from_secs(5));
    assert_eq!(profile.thresholds[0].text, "p(99)<1s");
    assert_eq!(profile.target.url().unwrap().port_u16(), Some(1));
}

#[test]
fn another_executor_can_be_set() {
    let profile = Case::default()
        .set("load.vus=5")
        .set("load.duration=10s")
        .set("load.executor=constant-vus")
        .profile("quick");
    let Executor::ConstantVus { vus: 5, duration } = profile.loads[0].executor else {
        panic!("{:?}", profile.loads[0].executor);
    };
    assert_eq!(duration, Duration::from_secs(10));
}

#[test]
fn another_scenario_can_be_set_and_its_path_starts_here() {
    let profile = Case::default().file("s.toml", STEP).set("scenario=s.toml").profile("quick");
    assert_eq!(profile.scenarios[0].name, "s.toml");
    assert_eq!(profile.scenarios[0].steps.len(), 1);
}

#[test]
fn variables_stand_for_texts_and_numbers_and_secrets_are_kept() {
    let case = Case::default()
        .file(
            "p.toml",
            "extends = \"quick\"\nsecrets = [\"TOKEN\", \"UNSET\"]\n[target]\n\
             headers = { Authorization = \"Bearer ${TOKEN}\" }\n\
             [load]\nexecutor = \"constant-vus\"\nvus = \"${VUS:-3}\"\nduration = \"${SPAN}\"\n",
        )
        .variable("TOKEN", "s3cret")
        .variable("SPAN", "10s");
    let profile = case.profile("p.toml");
    assert!(matches!(profile.loads[0].executor, Executor::ConstantVus { vus: 3, .. }));
    assert_eq!(profile.target.headers[0].1.fixed(), Some("Bearer s3cret"));
    assert_eq!(profile.secrets.mask("say s3cret"), "say ***");
    assert!(!format!("{:?}", profile.secrets).contains("s3cret"));
}

#[test]
fn several_loads_run_scenarios_of_their_own() {
    let text = "target.url = \"https://api/base\"\nscenario = \"s.toml\"\n\
        [[loads]]\nname = \"browse\"\nexecutor = \"ramping-arrival-rate\"\nstart_rate = 10\ntime_unit = \"1m\"\n\
        stages = [{ duration = \"1m\", target = \"5/s\" }]\npreallocated_vus = 5\n\
        [[loads]]\nname = \"admin\"\nexecutor = \"per-vu-iterations\"\nscenario = \"t.toml\"\nstart_after = \"5s\"\n\
        [thresholds]\n\"http_req_duration{step:other,load:admin}\" = \"p(95)<1s\"\n";
    let profile = Case::default()
        .file("p.toml", text)
        .file("s.toml", STEP)
        .file("t.toml", "[[step]]\nname = \"other\"\nhead = \"/\"\n")
        .profile("p.toml");
    let scenarios: Vec<_> = profile.loads.iter().map(|load| load.scenario).collect();
    assert_eq!(scenarios, [0, 1]);
    let Executor::RampingArrivalRate { start_rate, stages, max_vus: 5, .. } = &profile.loads[0].executor
    else {
        panic!("{:?}", profile.loads[0].executor);
    };
    assert!((start_rate.get() - 10.0 / 60.0).abs() < 1e-12 && (stages[0].target.get() - 5.0).abs() < 1e-12);
    assert_eq!(profile.thresholds[0].selector.len(), 2);
}

#[test]
fn everything_a_step_can_say_is_read() {
    let text = r#"
pace = "2s"
[[setup]]
name = "login"
post = "/login"
form = { user = "u" }
capture = { token = { header = "X-Token" } }

[[step]]
name = "search"
get = "/search"
query = { q = "{{pick(a, b)}}", page = 2, exact = true }
headers = { Authorization = "Bearer {{token}}" }
timeout = "5s"
redirects = 0
pause = { mean = "1s" }
tags = { team = "x" }
capture = { first = { regex = "id=(\\d+)" }, session = { cookie = "sid" }, n = { json = "$.n" } }
checks = [
  { name = "a", status = [200, "3xx"] },
  { name = "b", header = "content-type", contains = "json" },
  { name = "c", body = { contains = "{{run}}" } },
  { name = "d", duration = "500ms" },
  { name = "e", json = "$.items[*].price", type = "number", min = 0, max = 10.5 },
  { name = "f", json = "$.tags", contains = "x" },
]

[[step]]
name = "save"
patch = "/items/{{first}}"
json = { nested = [1, 2.5, true, { text = "{{session}}" }] }
needs = ["first"]

[[teardown]]
name = "logout"
post = "/logout"
body = "token={{token}}"
"#;
    let profile = sound(text).profile("p.toml");
    let scenario = &profile.scenarios[0];
    assert_eq!((scenario.setup.len(), scenario.steps.len(), scenario.teardown.len()), (1, 2, 1));
    let search = &scenario.steps[0];
    assert_eq!(search.query[1].1.fixed(), Some("2"));
    assert_eq!(search.captures.len(), 3);
    assert_eq!(search.checks.len(), 6);
    assert_eq!(search.pause, Some(Pause::Exponential { mean: Duration::from_secs(1) }));
    assert!(matches!(&search.checks[0].condition, Condition::Status(statuses)
        if statuses.as_slice() == [StatusMatch::Code(200), StatusMatch::Class(3)]));
    assert_eq!(scenario.steps[1].timeout, Duration::from_secs(60));
}

#[test]
fn several_errors_are_said_at_once_and_in_file_order() {
    let text = "descripton = \"d\"\nscenario = \"s.toml\"\n\n[target]\nurl = \"localhost:5000\"\nready = { get = \"health\", status = \"ok\" }\n\n\
        [load]\nexecutor = \"ramping-vu\"\nstages = []\n\n\
        [thresholds]\nhttp_req_duratoin = [\"p(95)<500ms\"]\nhttp_req_duration = [\"p95<500ms\", \"avg<10%\"]\n\
        checks = { expr = \"rate>95\", abort = \"yes\", sections = \"x\" }\n\n[warnings]\nhpa_replicas = \"max<=10\"\n";
    let scenario = "[[step]]\nname = \"a\"\nget = \"/a/{{idd}}\"\ntimeout = 5\nundo = \"remve\"\n\
        checks = [{ name = \"x\", status = 99 }, { name = \"x\", json = \"status\", equals = 1 }]\n\n\
        [[step]]\nname = \"remove\"\ndelete = \"/a/{{id}}\"\nneeds = [\"id\"]\nweight = 3\n";
    assert_snapshot!(Case::default().file("p.toml", text).file("s.toml", scenario).errors());
}

#[test]
fn an_error_in_an_extended_file_is_shown_there() {
    let case = Case::default()
        .file("p.toml", "extends = \"base/b.toml\"\n[load]\nvus = 0\n")
        .file("base/b.toml", "[target]\nurl = \"http://x\"\n[load]\nexecutor = \"constant-vus\"\nduration = \"10 sec\"\n[[step]]\nname = \"a\"\nget = \"/\"\n");
    assert_snapshot!(case.errors());
}

#[test]
fn an_error_in_set_is_shown_there() {
    let case = sound(STEP).set("load.vus=many").set("load.stage[0]=1").set("targt.url=x").set("nothing");
    assert_snapshot!(case.errors());
}

#[test]
fn a_variable_that_is_not_set_is_said_once() {
    let case = sound(STEP).set("target.url=http://${HOST}:${PORT:-80}").set("load.duration=${SPAN}");
    assert_snapshot!(case.errors());
}

#[test]
fn no_secret_is_in_an_error() {
    let errors = sound(&format!("secrets = [\"TOKEN\"]\n{STEP}timeout = \"${{TOKEN}}\"\n"))
        .variable("TOKEN", "s3cret")
        .errors();
    assert!(errors.contains("***") && !errors.contains("s3cret"), "{errors}");
    let errors = sound(&format!("secrets = [\"TOKEN\"]\n{STEP}"))
        .variable("TOKEN", "s3cret")
        .set("step[0].timeout=s3cret")
        .errors();
    assert!(errors.contains("***") && !errors.contains("s3cret"), "{errors}");
}

#[test]
fn steps_that_lead_nowhere_are_said() {
    let text = "[[step]]\nname = \"a\"\nget = \"/{{late}}/{{vuu}}\"\nneeds = [\"lat\"]\nundo = \"a\"\n\
        [[step]]\nname = \"b\"\npost = \"/\"\ncapture = { late = { json = \"$.x[\" }, run = { json = \"$.x\" }, e = {} }\n\
        [[step]]\nname = \"b\"\nget = \"/a b\"\njson = { a = 2020-01-01 }\nbody = \"x\"\n\
        [[teardown]]\nname = \"t\"\nget = \"x\"\nundo = \"a\"\n";
    assert_snapshot!(sound(text).errors());
}

#[test]
fn a_capture_that_is_wrong_is_said_once() {
    let text = "[[step]]\nname = \"a\"\nget = \"/\"\ncapture = { id = { json = \"id\" } }\n\
        [[step]]\nname = \"b\"\nget = \"/{{id}}\"\n";
    assert_snapshot!(sound(text).errors());
}

#[test]
fn names_of_steps_are_only_looked_at_when_all_steps_are_known() {
    let links = "[[step]]\nname = \"a\"\nget = \"/{{late}}/{{vuu}}\"\nneeds = [\"lat\"]\nundo = \"a\"\n\
        [[step]]\nname = \"b\"\npost = \"/\"\ncapture = { late = { json = \"$.x\" } }\nundo = \"bb\"\n\
        [[step]]\nname = \"b\"\nget = \"/\"\n";
    assert_snapshot!(sound(links).errors());
}

#[test]
fn what_is_not_built_yet_is_refused() {
    let text = "observers = [\"prometheus\", \"mysq\"]\n[data.users]\nfile = \"u.csv\"\n\
        [[step]]\nname = \"a\"\npost = \"/\"\nmultipart = {}\nbody_file = \"b\"\nwhen = \"x\"\nrepeat = 2\nbody = \"{{users.name}}\"\n\
        checks = [{ name = \"c\", body = { matches = \"x\" } }, { name = \"d\", size = \"1 KiB\" }]\n";
    assert_snapshot!(sound(text).errors());
}

#[test]
#[cfg(not(feature = "kubernetes"))]
fn a_cluster_takes_a_build_that_knows_them() {
    let text = "observers = [\"kubernetes\"]\nobserve.kubernetes.selector = \"app=x\"\n[[step]]\nname = \"a\"\nget = \"/\"\n";
    let errors = sound(text).errors();
    assert!(errors.contains("this build of palier cannot observe `kubernetes`"), "{errors}");
    assert!(errors.contains("p.toml:"), "{errors}");
}

#[test]
fn a_cluster_is_read_with_its_defaults() {
    let text = "[observe.kubernetes]\nselector = \"app=x\"\nhpa = \"backend\"\nfollow = \"0s\"\n\
        [[step]]\nname = \"a\"\nget = \"/\"\n";
    let profile = sound(text).profile("p.toml");
    let cluster = profile.observe.kubernetes.expect("a cluster");
    assert_eq!((cluster.value.hpa.as_deref(), cluster.value.namespace.as_deref()), (Some("backend"), None));
    assert_eq!((cluster.settle.as_secs(), cluster.follow.as_secs(), cluster.interval.as_secs()), (120, 0, 1));
    let errors = sound("[observe.kubernetes]\nselector = \"app=x,\"\nlogs = true\n").errors();
    assert!(
        errors.contains("`selector` has an empty part") && errors.contains("`logs` is not supported"),
        "{errors}"
    );
}

#[test]
fn what_is_wrong_with_observers_is_said() {
    let text = "observers = [\"mysql\"]\nobserve.logs.files = []\nobserve.logs.pods = [\"mysql-0\"]\n\
        [observe.logs.thresholds]\nhttp_reqs = \"count>0\"\n\
        [thresholds]\nmysql_deadlocks = \"count==0\"\n\
        [[step]]\nname = \"a\"\nget = \"/\"\n";
    assert_snapshot!(sound(text).errors());
    let access = "[observe.mysql]\nurl = \"mysql://root:Secret-123@db:x\"\ninterval = \"1ms\"\n\
        [[step]]\nname = \"a\"\nget = \"/\"\n";
    let errors = sound(access).errors();
    assert!(!errors.contains("Secret-123"), "{errors}");
    assert_snapshot!(errors);
}

#[test]
fn a_password_of_its_own_belongs_to_whom_the_url_names() {
    let password = |fields: &str| {
        let table = format!("[observe.mysql]\n{fields}\npassword = \"own\"\n{STEP}");
        let mysql = sound(&table).profile("p.toml").observe.mysql.expect("a database");
        (mysql.access.user, mysql.access.password)
    };
    let own = |user: &str| (user.to_owned(), Some("own".to_owned()));
    assert_eq!(password("url = \"mysql://db\"\nuser = \"ann\""), own("ann"));
    assert_eq!(password("url = \"mysql://bob@db\""), own("bob"));
    assert_eq!(password("url = \"mysql://bob@db\"\nuser = \"bob\""), own("bob"));
    // The keys are those of somebody else.
    assert_eq!(password("url = \"mysql://bob@db\"\nuser = \"ann\"").1, None);
    assert_eq!(password("url = \"mysql://bob:his@db\"").1.as_deref(), Some("his"));
}

#[test]
#[cfg(feature = "kubernetes")]
fn a_target_is_a_url_or_a_service() {
    let service = |target: &str| {
        format!(
            "target = {target}\nload = {{ executor = \"constant-vus\", duration = \"1s\" }}\n\
             [[step]]\nname = \"a\"\nget = \"/\"\n[observe.kubernetes]\ncontext = \"c\"\nselector = \"a=b\"\n"
        )
    };
    let case = |text: &str| Case::default().file("p.toml", text);
    let profile = case(&service("{ service = \"shop/backend:http\" }")).profile("p.toml");
    let At::Service(found) = &profile.target.at else { panic!("{:?}", profile.target.at) };
    assert_eq!((found.to_string(), found.context.as_deref()), ("shop/backend:http".to_owned(), Some("c")));
    // What comes later goes before what was there.
    let over =
        case(&service("{ service = \"shop/backend:http\" }")).set("target.url=http://x").profile("p.toml");
    assert!(over.target.url().is_some());
    let over =
        case(&service("{ url = \"http://x\" }")).set("target.service=shop/backend:1").profile("p.toml");
    assert!(over.target.url().is_none());
    let errors = case(&service("{ url = \"http://x\", service = \"backend:1\" }")).errors();
    assert!(errors.contains("has a `service` and a `url`"), "{errors}");
    assert!(errors.contains("`backend:1` has no namespace"), "{errors}");
}

#[test]
fn a_cleanup_that_would_take_too_much_is_refused() {
    let text = "[cleanup.mysql]\ndelete = \"DELETE FROM employees WHERE name = 'x'\"\n\
        verify = \"SELECT 1; DROP TABLE employees\"\nsweep = \"DELETE FROM employees\"\n\
        [[step]]\nname = \"a\"\nget = \"/\"\n";
    assert_snapshot!(sound(text).errors());
}

#[test]
fn a_cycle_and_a_missing_file_are_said() {
    let cycle =
        Case::default().file("p.toml", "extends = \"q.toml\"\n").file("q.toml", "extends = \"./p.toml\"\n");
    assert_snapshot!(cycle.errors());
    let missing = sound("scenario = \"scenarios/employes.toml\"\n");
    assert_snapshot!(missing.errors());
}

#[test]
fn fields_of_another_executor_are_unknown() {
    let text = "target.url = \"http://x\"\n[load]\nexecutor = \"constant-arrival-rate\"\nrate = \"200\"\nduration = \"0s\"\n\
        stages = []\nmax_vus = 2\npreAllocatedVUs = 5\n[[step]]\nname = \"a\"\nget = \"/\"\n";
    assert_snapshot!(Case::default().file("p.toml", text).errors());
}

#[test]
fn an_empty_profile_is_told_what_it_lacks() {
    assert_snapshot!(Case::default().file("p.toml", "").errors());
}

#[test]
fn a_syntax_error_hides_only_what_it_broke() {
    let text = "[target]\nurl = http://localhost\n[load]\nexecutor = \"constant-vus\"\nduration = \"soon\"\n";
    assert_snapshot!(Case::default().file("p.toml", text).errors());
}

#[test]
fn a_name_that_leads_nowhere_is_said_with_the_nearest() {
    let error = Case::default().load("quik").expect_err("no such profile");
    assert_eq!(error.to_string(), "there is no profile `quik`; did you mean `quick`?");
    let error = Case::default().load("here.toml").expect_err("no such file");
    assert_eq!(error.to_string(), "cannot read the profile here.toml");
}

/// Lines that stand in profiles, right and wrong, in any order.
fn lines() -> impl Strategy<Value = String> {
    let known: Vec<&'static str> = [
        include_str!("../../profiles/standard.toml"),
        include_str!("../../profiles/scenarios/employees.toml"),
        "[[loads]]\nname = 1\nscenario = \"p.toml\"\nextends = \"p.toml\"\npause = {}\ncapture = 5\n[[setup]]\nobserve = 3\nsecrets = \"x\"\n",
    ]
    .into_iter()
    .flat_map(str::lines)
    .collect();
    let line = prop_oneof![
        6 => proptest::sample::select(known).prop_map(str::to_owned),
        1 => "[a-z]{1,8} = ([0-9]|\\[|\\{|\\}|\\]|\"[a-z$\\{\\}é<>]{0,8}\"){1,3}",
        1 => "\\PC{0,12}",
    ];
    proptest::collection::vec(line, 0..30).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #[test]
    fn no_profile_panics(text in lines(), set in "\\PC{0,20}") {
        let case = Case::default().file("p.toml", &text).set(&set);
        if let Err(Error::Rejected(rejected)) = case.load("p.toml") {
            prop_assert!(!rejected.diagnostics.is_empty());
            let places: Vec<_> = rejected.diagnostics.iter().map(|diagnostic| diagnostic.place).collect();
            prop_assert!(places.is_sorted());
            prop_assert!(rejected.render(false).contains("error: "));
        }
    }
}
