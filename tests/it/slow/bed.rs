//! A Kubernetes cluster on this machine, as `tests/kubebed/` brings it up: the real API server, scheduler,
//! controllers and HPA, whose pods are processes.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::backend::{Backend, text};
use super::consumers;

/// A running bed; dropping it ends it and every process it started.
pub(crate) struct Bed {
    /// Its folder: kubeconfigs, logs.
    state: TempDir,
    /// The API server's; tests may have those from ten to nineteen behind it.
    port: u16,
}

impl Bed {
    /// Starts one, with options of `kubebed up`; `None`, and a loud word, where it has not been compiled.
    pub(crate) fn start<const N: usize>(options: [&str; N]) -> Option<Self> {
        let check = Command::new(script("install")).arg("--check").output().expect("a script of ours");
        if !check.status.success() {
            consumers::missing(&format!("the Kubernetes bed (tests/kubebed/install): {}", text(&check)));
            return None;
        }
        let state = tempfile::Builder::new().prefix("palier-bed-").tempdir().expect("a folder");
        let bed = Self { port: free_ports(), state };
        // Far longer than a test; it is for the test that is killed.
        let port = bed.port.to_string();
        let mut args = vec!["up", "--port", &port, "--ttl", "20m"];
        args.extend(options);
        bed.run(&args);
        Some(bed)
    }

    /// What runs in each pod of the Deployment that starts from now on; `{port}` and `{pod}` are filled in.
    pub(crate) fn backends(&self, command: &[&str]) {
        let mut args = vec!["backends", "--"];
        args.extend(command);
        self.run(&args);
    }

    /// Puts Flask behind the pods of the Deployment, and its database behind mysql-0.
    pub(crate) fn put_behind(&self, backend: &Backend) {
        let mysql = backend.mysql_port.to_string();
        let flask = script("flask-pod").display().to_string();
        self.backends(&["env", &format!("MYSQL_PORT={mysql}"), &flask, "{port}"]);
        self.run(&["backends", "--app", "mysql", "--target", &mysql]);
    }

    /// Runs a command of `kubebed` on this bed; it has to succeed. What it printed.
    #[track_caller]
    pub(crate) fn run(&self, args: &[&str]) -> String {
        let output = self.output(args);
        assert!(output.status.success(), "kubebed {args:?}: {}{}", text(&output), self.complaints());
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Runs a command of `kubebed`, which may fail.
    pub(crate) fn output(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("a script of ours")
    }

    /// Starts a command of `kubebed` that goes on for a while; whoever starts it ends it.
    pub(crate) fn spawn(&self, args: &[&str]) -> Child {
        self.command(args).stdout(Stdio::null()).spawn().expect("a script of ours")
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(script("kubebed"));
        command
            .args(args)
            .env("KUBEBED_STATE", self.state.path())
            .env("KUBECONFIG", self.kubeconfig("kubeconfig"));
        command.stdin(Stdio::null());
        command
    }

    /// One of the bed's kubeconfigs: `kubeconfig` of the administrator, `kubeconfig-reader`, `-token` and `-exec` of
    /// who may do what a load test needs (`kubebed rights` changes it).
    pub(crate) fn kubeconfig(&self, name: &str) -> PathBuf {
        self.state.path().join(name)
    }

    /// A port that is this test's: 0 to 9.
    pub(crate) fn own_port(&self, n: u16) -> u16 {
        assert!(n < 10, "ten ports are the test's");
        self.port + 10 + n
    }

    /// Every pod of an app there has been so far, with what came to it at its end of the way.
    pub(crate) fn pods(&self, app: &str) -> Vec<Pod> {
        let all: Vec<Value> = serde_json::from_str(&self.run(&["pods", "--json"])).expect("JSON");
        all.into_iter().filter(|pod| pod["app"] == app).map(Pod).collect()
    }

    /// The pods of the backend, once there are so many and all of them are ready.
    #[track_caller]
    pub(crate) fn settled(&self, replicas: usize) -> Vec<Pod> {
        let status = "jsonpath={.status.readyReplicas} {.status.replicas} {.status.updatedReplicas}";
        for _ in 0..200 {
            let pods: Vec<Pod> =
                self.pods("flask-backend").into_iter().filter(|pod| !pod.is_gone()).collect();
            let ready =
                self.run(&["kubectl", "-n", "mysql-app", "get", "deployment", "flask-backend", "-o", status]);
            if pods.len() == replicas && ready == format!("{replicas} {replicas} {replicas}") {
                return pods;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("{replicas} pods: {:?}", self.pods("flask-backend"));
    }

    /// From now on a pod of the backend that is taken away answers for three seconds more. Starts both of them anew.
    pub(crate) fn let_pods_drain(&self) {
        let drains = r#"{"spec": {"template": {"spec": {"containers": [{"name": "flask-backend",
            "lifecycle": {"preStop": {"sleep": {"seconds": 3}}}}]}}}}"#;
        self.run(&["kubectl", "-n", "mysql-app", "patch", "deployment/flask-backend", "-p", drains]);
        self.settled(2);
    }

    /// What went wrong in the bed, for a failed test.
    fn complaints(&self) -> String {
        let log = std::fs::read_to_string(self.state.path().join("logs/bed.log")).unwrap_or_default();
        if log.is_empty() { log } else { format!("\nthe bed's log:\n{log}") }
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        let down = self.output(&["down"]);
        if !std::thread::panicking() {
            assert!(down.status.success(), "{}", text(&down));
        }
    }
}

/// A pod as the bed knows it: a process, and what was counted directly before it.
#[derive(Debug)]
pub(crate) struct Pod(Value);

impl Pod {
    pub(crate) fn name(&self) -> &str {
        self.0["pod"].as_str().expect("a name")
    }

    /// Whether it has ended, and its process with it.
    pub(crate) fn is_gone(&self) -> bool {
        self.0["gone"].as_bool().expect("a bool")
    }

    /// The id of its process; `None` while none runs.
    pub(crate) fn pid(&self) -> Option<u64> {
        self.0["processes"][0]["pid"].as_u64()
    }

    /// Where its process listens.
    pub(crate) fn port(&self) -> Option<u64> {
        self.0["processes"][0]["port"].as_u64()
    }

    /// Connections that were passed on to it.
    pub(crate) fn connections(&self) -> u64 {
        self.0["traffic"]["connections"].as_u64().expect("a number")
    }

    /// Requests that reached it.
    pub(crate) fn requests(&self) -> u64 {
        self.0["traffic"]["requests"].as_u64().expect("a number")
    }

    /// Its complete answers of that status.
    pub(crate) fn answers(&self, status: u16) -> u64 {
        self.0["traffic"]["answers"][status.to_string()].as_u64().unwrap_or(0)
    }

    /// Requests whose connection ended before their answer.
    pub(crate) fn cut(&self) -> u64 {
        self.0["traffic"]["cut"].as_u64().expect("a number")
    }
}

/// The first of four hundred ports, below those that the system gives to outgoing connections (32768 on Linux): what a
/// bed takes later, for its pods, then is not taken by a passing connection. The bed's own are free now.
fn free_ports() -> u16 {
    let free = |first: u16| (first..first + 20).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok());
    (0..100).map(|_| 10_000 + 400 * fastrand::u16(0..56)).find(|first| free(*first)).expect("free ports")
}

fn script(name: &str) -> PathBuf {
    consumers::root().join("tests/kubebed").join(name)
}
