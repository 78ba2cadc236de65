//! The same of MySQL, which has other names, other logins and a certificate of its own making.

use super::entry::{a_run_watches_and_cleans_up_over, gets_in, is_kept_out, look};
use super::{LIST, OBSERVER, counted, fails, hint, is_invalid, lines, passes, profile, run, threshold};
use crate::slow::backend::Backend;

#[test]
#[ignore = "slow: starts Flask and MySQL, half a minute"]
fn what_happens_in_mysql_is_seen_judged_and_explained() {
    let _turn = crate::slow::share_turn();
    let Some(backend) = Backend::start_on_mysql(&["--innodb-lock-wait-timeout=1"]) else { return };
    backend.sql("SET GLOBAL max_connections = 10");
    // The first login of this user: the password is encrypted with the server's public key.
    refused_connections_are_counted(&backend);
    backend.sql("SET GLOBAL max_connections = 151");
    deadlocks_and_lock_wait_timeouts_are_counted(&backend);
    who_gets_in(&backend);
    what_is_not_counted_is_said(&backend);
}

fn refused_connections_are_counted(backend: &Backend) {
    let before = backend.status("Connection_errors_max_connections");
    let run = run(&profile(backend, OBSERVER, "vus = 30\nduration = \"4s\"", LIST, ""));
    let run = run.exit(99).verdict("fail");
    let refused = backend.status("Connection_errors_max_connections") - before;
    assert!(refused > 20, "{refused}");
    assert_eq!(threshold(&run, "mysql_connections_refused count==0"), ("fail".to_owned(), refused as f64));
    fails(&run, "log_matches{pattern:Too many connections} count==0");
    passes(&run, "mysql_deadlocks count==0");
    let log = backend.log("backend.log");
    let told = lines(&log, "Too many connections");
    assert!(told > 0);
    assert!((counted(&run, "Too many connections", &log) - told as f64).abs() < 0.5);
    let hint = hint(&run, "limit of connections");
    assert!(hint["evidence"].to_string().contains(&format!("refused {refused} connections")), "{hint:#}");
}

/// Two rows taken in either order, of which somebody else holds one for a while.
fn deadlocks_and_lock_wait_timeouts_are_counted(backend: &Backend) {
    let step = r#"
        [[step]]
        name = "raise"
        post = "/raises"
        json = { first = "{{pick(1, 2)}}", second = "{{pick(1, 2)}}", pause = 0.01 }
        timeout = "10s"
        checks = [{ name = "raised", status = 200 }]
        "#;
    let deadlocks = || {
        let count = "SELECT COUNT FROM information_schema.INNODB_METRICS WHERE NAME = 'lock_deadlocks'";
        backend.sql(count).parse::<f64>().expect("a number")
    };
    let before = (deadlocks(), backend.lock_timeouts());
    let mut holder = backend.sql_meanwhile(
        "DO SLEEP(3); BEGIN; UPDATE employees SET salary = 2 WHERE id = 1; DO SLEEP(2.5); COMMIT",
    );
    let run =
        run(&profile(backend, OBSERVER, "vus = 6\nduration = \"5s\"", step, "")).exit(99).verdict("fail");
    holder.wait().expect("a child of ours");
    let found = (deadlocks() - before.0, backend.lock_timeouts() - before.1);
    assert!(found.0 > 0.0 && found.1 > 0.0, "{found:?}");
    assert_eq!(threshold(&run, "mysql_deadlocks count==0"), ("fail".to_owned(), found.0));
    assert_eq!(threshold(&run, "mysql_lock_wait_timeouts count==0"), ("fail".to_owned(), found.1));
    fails(&run, "log_matches{pattern:Deadlock} count==0");
    fails(&run, "log_matches{pattern:Lock wait timeout} count==0");
    passes(&run, "mysql_connections_refused count==0");
    hint(&run, "different orders");
    hint(&run, "innodb_lock_wait_timeout");
    assert!(run.number("/metrics/mysql_row_lock_time/count") > 500.0);
}

fn who_gets_in(backend: &Backend) {
    let with = |host: &str, query: &str| {
        format!("mysql://{OBSERVER}@{host}:{}/businessdb?{query}", backend.mysql_port)
    };
    // Its own authority signed its certificate, which names no host.
    let ca = backend.log("mysql/ca.pem").display().to_string();
    let verified = with("127.0.0.1", &format!("ssl-mode=VERIFY_CA&ssl-ca={ca}"));
    for url in [backend.mysql_url(OBSERVER), with("127.0.0.1", "ssl-mode=REQUIRED"), verified.clone()] {
        // Else the server remembers who was here, and asks for no password.
        backend.sql("FLUSH PRIVILEGES");
        gets_in(backend, &url);
    }
    backend.sql("FLUSH PRIVILEGES");
    a_run_watches_and_cleans_up_over(backend, &backend.socket_url(OBSERVER));
    let identity = verified.replace("VERIFY_CA", "VERIFY_IDENTITY");
    is_kept_out(backend, &identity, &["names no host", "ssl-mode=VERIFY_CA"]);
    let unknown = with("127.0.0.1", "ssl-mode=VERIFY_CA");
    is_kept_out(backend, &unknown, &["an authority that this machine trusts", "`ca.pem`"]);
    backend.sql("SET GLOBAL require_secure_transport = ON");
    let open = backend.mysql_url(OBSERVER);
    is_kept_out(backend, &open, &["insecure transport are prohibited", "ssl-mode=REQUIRED"]);
    gets_in(backend, &verified);
    backend.sql("SET GLOBAL require_secure_transport = OFF");
}

fn what_is_not_counted_is_said(backend: &Backend) {
    // Of both, where the user may not read them.
    let guest = "guest:guest-Password-1";
    let without = run(&profile(backend, guest, "vus = 1\nduration = \"2s\"", LIST, ""));
    let without = without.exit(98).verdict("invalid");
    for metric in ["mysql_deadlocks", "mysql_lock_wait_timeouts"] {
        is_invalid(&without, &format!("{metric} count==0"));
        assert_eq!(hint(&without, metric)["mend"], "GRANT PROCESS ON *.* TO 'guest'@'127.0.0.1'");
    }
    passes(&without, "mysql_connections_refused count==0");
    // Of one, where it is switched off.
    backend.sql("SET GLOBAL innodb_monitor_disable = 'lock_timeouts'");
    let off = look(backend, &backend.mysql_url(OBSERVER));
    assert!(off.stdout.contains("`mysql_deadlocks` can be read"), "{}", off.stdout);
    assert!(
        off.stdout.contains("mend: SET GLOBAL innodb_monitor_enable = 'lock_timeouts'"),
        "{}",
        off.stdout
    );
}
