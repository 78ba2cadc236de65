//! The commands themselves.

use std::net::{SocketAddr, TcpListener, TcpStream};

use crate::support::client::get;
use crate::support::palier::{Palier, Signal};

#[test]
fn the_shipped_profiles_are_sound() {
    for profile in ["quick", "standard", "intensive"] {
        let run = Palier::new(["check", profile]).exit(0);
        run.says(profile);
        run.says("create employee");
    }
}

#[test]
fn check_shows_what_is_wrong_and_makes_no_request() {
    let run =
        Palier::new(["check", "load.toml"]).file("load.toml", "[target]\nurll = \"http://x\"\n").exit(2);
    run.says("load.toml:2:");
    run.says("`url`");
}

#[test]
fn an_unknown_flag_is_a_usage_error() {
    Palier::new(["run", "quick", "--demmo"]).exit(2).says("--demo");
    Palier::new(["run", "quick", "--time-scale", "0"]).exit(2);
    Palier::new(["run"]).exit(2);
}

#[test]
fn the_demo_is_served_until_a_signal_comes() {
    // Free a moment ago, and the system gives it to nobody so soon.
    let addr: SocketAddr = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).unwrap();
    let port = addr.port().to_string();
    let demo = Palier::new(["demo", "--port", &port, "--employees", "7", "--latency", "50ms"]).start();
    let demo = demo.wait_until(|| TcpStream::connect(addr).is_ok());
    assert_eq!(get(addr, "/stats")["total_employees"], 7);
    let demo = demo.signal(Signal::INT).finish().exit(0);
    demo.says(&format!("http://{addr}"));
    assert!(TcpStream::connect(addr).is_err());
}

#[test]
fn help_and_version_are_there() {
    assert!(Palier::new(["--version"]).exit(0).stdout.contains(env!("CARGO_PKG_VERSION")));
    let help = Palier::new(["--help"]).exit(0).stdout.clone();
    for command in ["run", "check", "report", "demo"] {
        assert!(help.contains(command), "{help}");
    }
    // The exit codes are what a pipeline is written against.
    let run_help = Palier::new(["run", "--help"]).exit(0).stdout.clone() + &help;
    for code in ["99", "98", "105"] {
        assert!(run_help.contains(code), "{run_help}");
    }
}
