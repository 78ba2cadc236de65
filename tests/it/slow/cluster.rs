//! What the tests on a Kubernetes cluster rest on: that the bed is one.

use std::time::{Duration, Instant};

use super::backend::Backend;
use super::bed::Bed;
use crate::support::palier::Palier;

#[test]
#[ignore = "slow: brings up a Kubernetes cluster with Flask and MariaDB behind its pods"]
fn each_pod_has_a_process_of_its_own_that_gets_its_share() {
    let _turn = super::share_turn();
    let Some(backend) = Backend::start() else { return };
    let Some(bed) = Bed::start([]) else { return };
    let before = backend.rows();
    bed.put_behind(&backend);
    // So little CPU for each request that the HPA leaves the pods as they are.
    bed.run(&["cost", "10us"]);
    bed.run(&["app"]);
    let port = bed.own_port(0).to_string();
    bed.run(&["expose", "flask-backend", &port]);

    let run =
        Palier::new(["run", "quick", "--target", &format!("http://127.0.0.1:{port}"), "--time-scale", "0.3"])
            .patience(Duration::from_secs(120))
            .finish();

    // The requests that palier counted are those that the pods got, and as many were answered.
    let pods = bed.pods("flask-backend");
    assert_eq!(pods.len(), 2, "{pods:?}");
    assert_ne!(pods[0].pid(), pods[1].pid());
    assert_ne!(pods[0].port(), pods[1].port());
    let [requests, connections] = [super::bed::Pod::requests, super::bed::Pod::connections]
        .map(|count| pods.iter().map(count).sum::<u64>());
    assert!(pods.iter().all(|pod| pod.requests() > 0 && pod.answers(200) > 0 && pod.cut() == 0), "{pods:?}");
    assert!(connections >= 20, "{connections} connections of 30 users, spread over {pods:?}");
    // The probe for readiness before the run comes to them.
    assert!(
        requests >= run.count("/metrics/http_reqs/count"),
        "{requests} at the pods, {}",
        run.summary()["metrics"]["http_reqs"]
    );
    assert_eq!(backend.rows(), before, "MariaDB holds as many rows as before");

    // The database is behind mysql-0: what MariaDB greets with comes through Kubernetes.
    let near = bed.own_port(1);
    let mut forward = bed.spawn(&["kubectl", "port-forward", "mysql-0", &format!("{near}:3306")]);
    let greeting = greeting(near);
    forward.kill().expect("it runs");
    forward.wait().expect("it ends");
    assert!(String::from_utf8_lossy(&greeting).contains("MariaDB"), "{greeting:?}");

    // A pod that is deleted is replaced by one with another process.
    let gone = pods[0].name();
    bed.run(&["kubectl", "delete", "pod", gone]);
    let pods = bed.pods("flask-backend");
    assert_eq!(pods.len(), 3, "{pods:?}");
    assert!(pods.iter().any(|pod| pod.name() == gone && pod.is_gone()), "{pods:?}");
}

/// The first bytes that a server says on that port, once it listens.
fn greeting(port: u16) -> Vec<u8> {
    use std::io::Read as _;
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(20) {
        if let Ok(mut stream) = std::net::TcpStream::connect(("127.0.0.1", port)) {
            let mut bytes = vec![0; 100];
            let n = stream.read(&mut bytes).expect("a greeting");
            bytes.truncate(n);
            return bytes;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("the forward did not listen");
}
