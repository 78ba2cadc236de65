//! `palier bench` beside `ab`, in turns, against nginx.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::str::FromStr;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{consumers, told};
use crate::support::palier::Palier;

/// Requests of a round of each.
const REQUESTS: u64 = 4000;
const ROUNDS: usize = 5;

/// An nginx of the test's own, which ends with it.
struct Nginx {
    child: Child,
    folder: tempfile::TempDir,
    port: u16,
}

impl Nginx {
    fn start() -> Option<Self> {
        let program = ["/usr/sbin/nginx", "/usr/bin/nginx"].into_iter().find(|it| Path::new(it).exists())?;
        let folder = tempfile::tempdir().expect("a folder");
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a free port").port();
        let work = folder.path().display();
        let config = format!(
            "worker_processes 1; daemon off; pid {work}/pid; error_log {work}/error.log;\n\
             events {{ worker_connections 256; }}\n\
             http {{ access_log {work}/access.log; keepalive_requests 1000000;\n\
             client_body_temp_path {work}/b; proxy_temp_path {work}/p; fastcgi_temp_path {work}/f;\n\
             uwsgi_temp_path {work}/u; scgi_temp_path {work}/s;\n\
             server {{ listen 127.0.0.1:{port}; location / {{ return 200 'twelve bytes'; }} }} }}\n"
        );
        let path = folder.path().join("nginx.conf");
        std::io::Write::write_all(&mut fs::File::create(&path).expect("a file"), config.as_bytes())
            .expect("room");
        let child = Command::new(program)
            .arg("-c")
            .arg(&path)
            .arg("-e")
            .arg(folder.path().join("start.log"))
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx is there");
        for _ in 0..200 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(Self { child, folder, port })
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// The requests that it has answered, as its own log has them. It writes a line after the answer has gone, so
    /// that so many lines are waited for.
    fn answered(&self, expected: u64) -> u64 {
        let start = Instant::now();
        loop {
            let log = fs::read_to_string(self.folder.path().join("access.log")).expect("a log");
            let lines = log.lines().count() as u64;
            if lines >= expected || start.elapsed() > Duration::from_secs(5) {
                return lines;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // The master takes its worker with it, if it is asked and not killed.
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.child.wait();
    }
}

/// A figure of ab's output: `Complete requests:      4000`.
#[track_caller]
fn figure<T: FromStr>(output: &str, name: &str) -> T {
    let line =
        output.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{name}: {output}"));
    let word = line.split_whitespace().next().expect("a figure");
    word.parse().unwrap_or_else(|_| panic!("{name}: {line}"))
}

#[test]
#[ignore = "slow: ab and palier in turns against nginx"]
fn bench_counts_what_ab_counts() {
    let _turn = super::share_turn();
    let Some(nginx) = Nginx::start() else { return consumers::missing("nginx") };
    if Command::new("ab").arg("-V").output().is_err() {
        return consumers::missing("ab (apache2-utils)");
    }
    let (n, c) = (REQUESTS.to_string(), "10");
    let (mut ratios, mut sent) = (Vec::new(), 0);
    for round in 0..ROUNDS {
        let output =
            Command::new("ab").args(["-q", "-k", "-n", &n, "-c", c, &nginx.url()]).output().expect("ab");
        let ab = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(figure::<u64>(&ab, "Complete requests:"), REQUESTS);
        assert_eq!(figure::<u64>(&ab, "Failed requests:"), 0);
        // What nginx has seen is what each of them says.
        sent += REQUESTS;
        assert_eq!(nginx.answered(sent), sent, "after ab in round {round}");

        let run = Palier::new(["bench", "-n", &n, "-c", c, "--json", &nginx.url()]).exit(0);
        let summary: Value = serde_json::from_str(&run.stdout).expect("JSON");
        assert_eq!(summary["metrics"]["http_reqs"]["count"], 4000.0);
        assert_eq!(summary["metrics"]["http_req_failed"]["passes"], 0);
        sent += REQUESTS;
        assert_eq!(nginx.answered(sent), sent, "after palier in round {round}");

        let trend = &summary["metrics"]["http_req_duration"];
        let times =
            ["min", "med", "p(90)", "p(95)", "p(99)", "max"].map(|it| trend[it].as_f64().expect("a time"));
        assert!(times.is_sorted(), "{trend}");
        let (palier, ab) = (trend["avg"].as_f64().expect("a mean"), figure::<f64>(&ab, "Time per request:"));
        told(&format!(
            "round {round}: mean of ab {ab:.3} ms, of palier {palier:.3} ms, p95 {:.3} ms",
            times[3]
        ));
        ratios.push(palier / ab);
        // Little's law: arrivals times their time are those under way, which is no more than the users, however busy
        // the machine is; and users who pause for nothing are waiting most of the time.
        let under_way = palier / 1e3 * summary["metrics"]["http_reqs"]["rate"].as_f64().expect("a rate");
        assert!((1.0..=10.0).contains(&under_way), "{under_way} requests at a time");
    }
    ratios.sort_by(f64::total_cmp);
    // Only told: another process may take a core of two at any time.
    told(&format!(
        "palier's mean is {:.2} times that of ab, in the middle of {ROUNDS} rounds",
        ratios[ROUNDS / 2]
    ));
}
