//! Latencies against known answers, to the tenth of a millisecond.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::told;
use crate::arrivals::arriving;
use crate::latency::{agree_with_the_server, profile};
use crate::support::cpu::on_the_first_core;
use crate::support::metronome::{Holds, Metronome, quantile, shares};
use crate::support::origin::{Origin, Script};
use crate::support::palier::{Done, Palier, binary};

#[test]
#[ignore = "slow: wants the release build, and a machine that does nothing else"]
fn percentiles_agree_with_a_known_distribution_of_short_times() {
    let _turn = super::take_turn();
    agree_with_the_server(&profile(10), Duration::from_millis(10));
    agree_with_the_server(&profile(2), Duration::from_millis(1));
}

const QUANTILES: [f64; 4] = [0.50, 0.95, 0.99, 0.999];

/// Of 2,000 requests 1,700 are held for `unit`, 250 for twice, 46 for four and 4 for eight times as long: each of
/// the quantiles lies well inside of one of these.
pub(crate) fn distribution(unit: Duration, seed: u64) -> Vec<Duration> {
    shares(&[(1_700, unit), (250, unit * 2), (46, unit * 4), (4, unit * 8)], seed)
}

pub(crate) const OK: &str = "{ name = \"is ok\", status = 200 }";

/// One load and one step for each path, each at that rate.
pub(crate) fn open_loads(
    paths: &[&str],
    checks: &str,
    rate: u64,
    seconds: u64,
) -> (String, Vec<(String, String)>) {
    let mut profile = "[target]\nurl = \"http://127.0.0.1:9\"\n".to_owned();
    let mut thresholds = "[thresholds]\n".to_owned();
    let mut files = Vec::new();
    for path in paths {
        let name = path.trim_start_matches('/');
        let _ = write!(
            profile,
            "[[loads]]\nname = \"{name}\"\nexecutor = \"constant-arrival-rate\"\nrate = \"{rate}/s\"\nduration = \"{seconds}s\"\npreallocated_vus = 800\nscenario = \"{name}.toml\"\n"
        );
        let _ = writeln!(
            thresholds,
            "\"http_req_duration{{step:{name}}}\" = [\"p(50)<1m\", \"p(95)<1m\", \"p(99)<1m\", \"p(99.9)<1m\"]"
        );
        let step = format!("[[step]]\nname = \"{name}\"\nget = \"{path}\"\nchecks = [{checks}]\n");
        files.push((format!("{name}.toml"), step));
    }
    (profile + &thresholds, files)
}

/// Runs such loads and compares every quantile of every path with the server's own record: within 1 % or 100 µs.
///
/// What else the machine does only ever adds time between the server's clock and ours, so one of five runs has to
/// agree; an error of palier's own would show in all of them.
#[track_caller]
pub(crate) fn agree(holds: &Holds, body: &str, checks: &str, rate: u64, seconds: u64) {
    let paths: Vec<&str> = holds.keys().copied().collect();
    let mut misses = Vec::new();
    for _ in 0..5 {
        let server = Metronome::start(holds.clone(), body);
        let (profile, files) = open_loads(&paths, checks, rate, seconds);
        let palier = files.iter().fold(Palier::run(&profile), |palier, (name, text)| palier.file(name, text));
        let run = on_the_first_core(palier).args(["--target", &server.url()]).finish();
        let record = server.record();
        let mut too_far = Vec::new();
        for (number, path) in paths.iter().enumerate() {
            let held = &record[path];
            assert_eq!(held.len() as u64, rate * seconds, "every request of {path} was answered");
            for (index, q) in QUANTILES.into_iter().enumerate() {
                let truth = quantile(held, q);
                let reported =
                    run.number(&format!("/thresholds/{}/observed", number * QUANTILES.len() + index));
                assert!(reported >= truth, "{path} p({}): {reported} ms, held {truth} ms", q * 100.0);
                told(&format!("{path} at {rate}/s p({}): {reported:.3} ms, held {truth:.3} ms", q * 100.0));
                if reported - truth > (truth * 0.01).max(0.1) {
                    too_far.push(format!("{path} p({}): {reported} ms, held {truth} ms", q * 100.0));
                }
            }
        }
        if too_far.is_empty() {
            return;
        }
        misses.push(too_far);
    }
    panic!("{misses:#?}");
}

#[test]
#[ignore = "slow: ten seconds of arrivals, and wants a machine that does nothing else"]
fn quantiles_are_true_at_a_thousand_requests_a_second() {
    let _turn = super::take_turn();
    let holds = Holds::from([("/a", distribution(Duration::from_millis(10), 1))]);
    agree(&holds, r#"{"ok":true}"#, OK, 1_000, 10);
}

#[test]
#[ignore = "slow: ten seconds of arrivals, and wants a machine that does nothing else"]
fn quantiles_of_two_distributions_at_once_are_true_by_step() {
    let _turn = super::take_turn();
    let holds = Holds::from([
        ("/a", distribution(Duration::from_millis(10), 1)),
        ("/b", distribution(Duration::from_millis(25), 2)),
    ]);
    agree(&holds, r#"{"ok":true}"#, OK, 1_000, 10);
}

/// What a first-come-first-served queue makes of arrivals at 200/s for ten seconds when at most `users` are served at
/// once, each for 20 ms, and the server freezes from the fifth second to the sixth: p(95) and p(99) in milliseconds.
fn queued(users: usize, freeze: impl Fn(f64) -> f64) -> [f64; 2] {
    // Whole microseconds, because a heap wants an order.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some seconds")]
    let micros = |seconds: f64| (seconds * 1e6).round() as u64;
    let mut free: BinaryHeap<Reverse<u64>> = (0..users).map(|_| Reverse(0)).collect();
    let mut times: Vec<u64> = Vec::new();
    for number in 0..2_000_u32 {
        let arrival = micros(f64::from(number) / 200.0);
        let Reverse(idle) = free.pop().expect("as many as there are users");
        let answered = micros(freeze(arrival.max(idle) as f64 / 1e6));
        times.push(answered - arrival);
        free.push(Reverse(answered));
    }
    times.sort_unstable();
    [0.95, 0.99].map(|q: f64| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank among 2,000")]
        let rank = (q * 2_000.0).ceil() as usize;
        times[rank - 1] as f64 / 1e3
    })
}

/// When an answer comes that would be due 20 ms after it was asked for: what falls due in the freeze comes at its end.
fn held_back(asked: f64) -> f64 {
    let due = asked + 0.020;
    if (5.0..6.0).contains(&due) { 6.0 } else { due }
}

/// The same of a process that is stopped: it does not read meanwhile, so what is asked in the freeze takes its 20 ms
/// after it.
fn stopped(asked: f64) -> f64 {
    if (5.0..6.0).contains(&asked) { 6.020 } else { held_back(asked) }
}

const FELT: &str = "http_req_corrected = [\"p(95)<1m\", \"p(99)<1m\"]";

fn at_200_a_second(vus: usize) -> String {
    format!(
        "executor = \"constant-arrival-rate\"\nrate = \"200/s\"\nduration = \"10s\"\npreallocated_vus = {vus}\ngraceful_stop = \"5s\""
    )
}

/// Within 3 % of the truth.
#[track_caller]
fn felt(run: &Done, truth: [f64; 2]) {
    assert_eq!(run.count("/metrics/iterations/count"), 2_000);
    for (index, (name, truth)) in ["p(95)", "p(99)"].into_iter().zip(truth).enumerate() {
        let felt = run.number(&format!("/thresholds/{index}/observed"));
        told(&format!("http_req_corrected {name}: {felt:.1} ms, the truth is {truth:.1} ms"));
        assert!((felt / truth - 1.0).abs() <= 0.03, "{name}: {felt} ms, the truth is {truth} ms");
    }
}

/// At 200/s and 20 ms a request, a target that freezes for one second of ten is as slow as 525 ms for one user in
/// twenty and as 925 ms for one in a hundred, if nobody has to queue for anything but the target. A tool that counts
/// from the moment at which it came to send says 27 ms with 50 users (performance of the peers, measured).
///
/// With 50 users, whoever is in the middle of the queue also waits while those before are served, 50 at a time. That is
/// no error, it is what a limit of 50 does, and how much it is is computed.
#[test]
#[ignore = "slow: twenty seconds of arrivals, and wants a machine that does little else"]
fn a_freeze_of_the_target_is_felt_by_all_who_arrive_in_it() {
    let _turn = super::take_turn();
    for (vus, truth) in [(300, [525.0, 925.0]), (50, queued(50, held_back))] {
        let script = Script::ok().delay(Duration::from_millis(20));
        let origin = Origin::start(script.stall(Duration::from_secs(5), Duration::from_secs(1)));
        let run = Palier::run(&arriving(&at_200_a_second(vus), FELT)).target(&origin).exit(0);
        felt(&run, truth);
    }
    let many = queued(300, held_back);
    assert!(
        (many[0] - 525.0).abs() < 6.0 && (many[1] - 925.0).abs() < 6.0,
        "the computation agrees: {many:?}"
    );
}

/// `palier demo` as a process of its own, which can be stopped as the kernel stops one.
struct Demo {
    process: Child,
    url: String,
}

impl Demo {
    fn start() -> Self {
        let mut process = Command::new(binary())
            .args(["demo", "--port", "0", "--latency", "20ms"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary was built");
        let stderr = BufReader::new(process.stderr.take().expect("piped"));
        let stdout = BufReader::new(process.stdout.take().expect("piped"));
        let (sender, lines) = std::sync::mpsc::channel();
        for stream in [Box::new(stderr) as Box<dyn std::io::BufRead + Send>, Box::new(stdout)] {
            let sender = sender.clone();
            std::thread::spawn(move || {
                // What is said after the address was found is for nobody.
                stream.lines().map_while(Result::ok).for_each(|line| drop(sender.send(line)));
            });
        }
        let url = lines.iter().find_map(|line| {
            let at = line.find("http://127.0.0.1:")?;
            Some(line[at..].split_whitespace().next()?.trim_end_matches(['/', ',', '.']).to_owned())
        });
        Self { process, url: url.expect("it says where it listens") }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).expect("a child of ours");
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The same with a server that is really stopped, by SIGSTOP, with 50 users at most.
#[test]
#[ignore = "slow: twenty seconds of arrivals, and wants a machine that does little else"]
fn a_server_that_is_stopped_for_a_second_is_felt_by_all_who_arrive_in_it() {
    let _turn = super::take_turn();
    let truth = queued(50, stopped);
    let mut misses = Vec::new();
    for _ in 0..3 {
        let demo = Demo::start();
        let profile = arriving(&at_200_a_second(50), FELT).replace("get = \"/\"", "get = \"/health\"");
        let running = Palier::run(&profile).args(["--target", &demo.url]).start();
        std::thread::sleep(Duration::from_secs(5));
        let begin = Instant::now();
        demo.signal(Signal::STOP);
        std::thread::sleep(Duration::from_secs(1).saturating_sub(begin.elapsed()));
        demo.signal(Signal::CONT);
        let frozen = begin.elapsed();
        let run = running.finish().exit(0);
        assert_eq!(run.count("/metrics/iterations/count"), 2_000);
        let found = [0, 1].map(|index| run.number(&format!("/thresholds/{index}/observed")));
        told(&format!("stopped for {frozen:?}: felt {found:.1?} ms, the truth is {truth:.1?} ms"));
        if found.iter().zip(truth).all(|(found, truth)| (found / truth - 1.0).abs() <= 0.03) {
            return;
        }
        misses.push(found);
    }
    panic!("{misses:?}, the truth is {truth:?}");
}
