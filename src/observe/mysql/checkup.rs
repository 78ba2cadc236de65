//! Whether a server lets palier see all that it asks for.

use std::path::PathBuf;

use super::OF_INNODB;
use super::connection::Connection;
use super::refusal::Refusal;
use super::status::{Server, Status, innodb_name};
use crate::observe::checkup::Finding;
use crate::plan::{DatabaseCleanup, Mysql};

const TOPIC: &str = "database";

/// From this share of connections in use on, a load will run into the limit.
const NEARLY_ALL: f64 = 0.8;

/// Looks at a server, and at what a run is to delete from it.
pub async fn check(
    settings: &Mysql,
    kubeconfig: &[PathBuf],
    cleanup: Option<&DatabaseCleanup>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let access = &settings.access;
    let mut connection = match Connection::open(access, kubeconfig).await {
        Ok(connection) => connection,
        Err(refusal) => return vec![Finding::wrong(TOPIC, refusal.to_string(), Some(mend_entry(&refusal)))],
    };
    let outcome = look(&mut connection, settings, cleanup, &mut findings).await;
    if let Err(refusal) = outcome {
        findings.push(Finding::wrong(TOPIC, refusal.to_string(), refusal.mend().map(str::to_owned)));
    }
    connection.leave().await;
    findings
}

fn mend_entry(refusal: &Refusal) -> String {
    let anyway = "check `url` of `[observe.mysql]`, and that the server listens there";
    refusal.mend().unwrap_or(anyway).to_owned()
}

async fn look(
    connection: &mut Connection,
    settings: &Mysql,
    cleanup: Option<&DatabaseCleanup>,
    findings: &mut Vec<Finding>,
) -> Result<(), Refusal> {
    let server = Server::ask(connection).await?;
    let user = &settings.access.user;
    findings.push(Finding::right(TOPIC, format!("{server} at {} lets `{user}` in", settings.access.address)));
    let status = Status::read(connection, &server).await?;
    match &server.innodb_denied {
        Some(denied) => {
            let text = format!("lock wait timeouts cannot be read: {denied}");
            let mend = format!("GRANT PROCESS ON *.* TO {}", server.account);
            findings.push(Finding::wrong(TOPIC, text, Some(mend)));
        }
        None => {
            for metric in OF_INNODB {
                let is_there = status.counts.iter().any(|(known, _)| *known == metric);
                findings.push(if is_there {
                    Finding::right(TOPIC, format!("`{metric}` can be read"))
                } else {
                    let mend = format!("SET GLOBAL innodb_monitor_enable = '{}'", innodb_name(metric));
                    Finding::wrong(TOPIC, format!("`{metric}` is not counted by the server"), Some(mend))
                });
            }
        }
    }
    if let Some(most) = status.max_connections {
        let used = status.threads_connected.saturating_sub(1);
        let text = format!("{used} of {most} connections are in use");
        findings.push(if used as f64 > NEARLY_ALL * most as f64 {
            let mend = format!("close some, or: SET GLOBAL max_connections = {}", most * 2);
            Finding::wrong(TOPIC, text, Some(mend))
        } else {
            Finding::right(TOPIC, text)
        });
    }
    findings.extend(variables(connection).await?);
    if let Some(cleanup) = cleanup {
        findings.extend(clean_up(connection, cleanup, &server).await);
    }
    Ok(())
}

/// Settings that decide where something can be seen.
async fn variables(connection: &mut Connection) -> Result<Vec<Finding>, Refusal> {
    let rows: Vec<(String, String)> = connection
        .rows(
            "SHOW GLOBAL VARIABLES WHERE Variable_name IN \
             ('innodb_print_all_deadlocks', 'slow_query_log', 'long_query_time', 'innodb_lock_wait_timeout')",
        )
        .await?;
    let value = |name: &str| rows.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let mut findings = Vec::new();
    if value("innodb_print_all_deadlocks") == Some("OFF") {
        findings.push(Finding::note(
            TOPIC,
            "deadlocks are told to clients only, not to the server's log: watch the log of the service",
            Some("SET GLOBAL innodb_print_all_deadlocks = ON"),
        ));
    }
    if let Some(time) = value("long_query_time") {
        let time = time.trim_end_matches('0').trim_end_matches('.');
        let log =
            if value("slow_query_log") == Some("ON") { "are logged" } else { "are counted, and not logged" };
        findings.push(Finding::note(TOPIC, format!("statements of more than {time} s {log} as slow"), None));
    }
    if let Some(time) = value("innodb_lock_wait_timeout") {
        findings.push(Finding::note(TOPIC, format!("a statement waits for a locked row for {time} s"), None));
    }
    Ok(findings)
}

/// Whether the statements of `[cleanup.mysql]` will be allowed; nothing is deleted.
async fn clean_up(connection: &mut Connection, cleanup: &DatabaseCleanup, server: &Server) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(verify) = &cleanup.verify {
        findings.push(match connection.value(verify).await {
            Ok(Some(value)) => {
                Finding::right(TOPIC, format!("`verify` of `[cleanup.mysql]` answers {value}"))
            }
            Ok(None) => Finding::wrong(TOPIC, "`verify` of `[cleanup.mysql]` answers nothing", None),
            Err(refusal) => Finding::wrong(
                TOPIC,
                format!("`verify` of `[cleanup.mysql]`: {refusal}"),
                grant(&refusal, server),
            ),
        });
    }
    for (key, statement) in [("delete", &cleanup.delete), ("sweep", &cleanup.sweep)] {
        // Explaining a DELETE takes the right to do it.
        let Some(statement) = statement else { continue };
        findings.push(match connection.change(&format!("EXPLAIN {statement}")).await {
            Ok(_) => Finding::right(TOPIC, format!("`{key}` of `[cleanup.mysql]` is allowed")),
            Err(refusal) => Finding::wrong(
                TOPIC,
                format!("`{key}` of `[cleanup.mysql]`: {refusal}"),
                grant(&refusal, server),
            ),
        });
    }
    findings
}

fn grant(refusal: &Refusal, server: &Server) -> Option<String> {
    refusal.is_right().then(|| format!("GRANT SELECT, DELETE ON … TO {}", server.account))
}
