//! Deleting what a run, or every run, has left in the database.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::connection::Connection;
use super::refusal::Refusal;
use crate::metrics;
use crate::plan::{Access, DatabaseCleanup};

/// What `verify` says now; `None` where there is none.
pub async fn count(cleanup: &DatabaseCleanup, kubeconfig: &[PathBuf]) -> Result<Option<i64>, Refusal> {
    let Some(verify) = &cleanup.verify else { return Ok(None) };
    let mut connection = Connection::open(&cleanup.access, kubeconfig).await?;
    let counted = verified(&mut connection, verify).await;
    connection.leave().await;
    counted.map(Some)
}

/// Deletes what this run has left. `found` gets what is known, so that it is known even if this never ends.
pub async fn clean(
    cleanup: &DatabaseCleanup,
    kubeconfig: &[PathBuf],
    found: &mut metrics::DatabaseCleanup,
) -> Result<(), Refusal> {
    let mut connection = Connection::open(&cleanup.access, kubeconfig).await?;
    if let Some(delete) = &cleanup.delete {
        found.deleted = Some(connection.change(delete).await?);
    }
    if let Some(verify) = &cleanup.verify {
        found.after = Some(verified(&mut connection, verify).await?);
    }
    connection.leave().await;
    Ok(())
}

/// Deletes what a run has left that is no more, with its `delete`; how many rows that were. What the run asked for last
/// may still be on its way through the service: so it is done again until for a second there was nothing to delete.
pub async fn delete(access: &Access, kubeconfig: &[PathBuf], statement: &str) -> Result<u64, Refusal> {
    const QUIET: Duration = Duration::from_secs(1);
    let mut connection = Connection::open(access, kubeconfig).await?;
    let (mut deleted, mut last) = (0, Instant::now());
    loop {
        let rows = connection.change(statement).await?;
        deleted += rows;
        if rows > 0 {
            last = Instant::now();
        } else if last.elapsed() >= QUIET {
            break;
        }
        tokio::time::sleep(QUIET / 4).await;
    }
    connection.leave().await;
    Ok(deleted)
}

/// Deletes what every run has left, with `sweep`, and counts before and after. Twice is once.
pub async fn sweep(
    cleanup: &DatabaseCleanup,
    kubeconfig: &[PathBuf],
) -> Result<metrics::DatabaseCleanup, Refusal> {
    let mut found = metrics::DatabaseCleanup::default();
    let mut connection = Connection::open(&cleanup.access, kubeconfig).await?;
    if let Some(verify) = &cleanup.verify {
        found.before = Some(verified(&mut connection, verify).await?);
    }
    if let Some(sweep) = &cleanup.sweep {
        found.deleted = Some(connection.change(sweep).await?);
    }
    if let Some(verify) = &cleanup.verify {
        found.after = Some(verified(&mut connection, verify).await?);
    }
    connection.leave().await;
    Ok(found)
}

async fn verified(connection: &mut Connection, verify: &str) -> Result<i64, Refusal> {
    let value = connection.value(verify).await?;
    let number = value.as_deref().and_then(|value| value.trim().parse().ok());
    number.ok_or_else(|| {
        let value = value.map_or_else(|| "nothing".to_owned(), |value| format!("`{value}`"));
        Refusal::other(format!("`verify` answers {value}, which is no whole number"))
    })
}
