//! `[cleanup.mysql]`, for whoever runs a plan: nothing of it fails, what went wrong is said in what it returns.

use std::time::Duration;

use crate::metrics::DatabaseCleanup as Found;
use crate::plan::Plan;
#[cfg(feature = "mysql")]
use crate::units::human_duration;

/// How long counting before the load may take.
#[cfg(feature = "mysql")]
const COUNTING: Duration = Duration::from_secs(10);

/// Asks `verify` before the load. `None` where the run deletes nothing from the database.
#[cfg(feature = "mysql")]
pub async fn before(plan: &Plan) -> Option<Found> {
    let cleanup = plan.cleanup.as_ref().filter(|cleanup| cleanup.active)?;
    let counted =
        tokio::time::timeout(COUNTING, super::mysql::cleanup::count(cleanup, &plan.kubeconfig)).await;
    Some(match counted {
        Ok(Ok(before)) => Found { before, ..Found::default() },
        Ok(Err(refusal)) => {
            Found { trouble: Some(format!("before the load: {refusal}")), ..Found::default() }
        }
        Err(_) => {
            let trouble = format!("before the load: no answer within {}", human_duration(COUNTING));
            Found { trouble: Some(trouble), ..Found::default() }
        }
    })
}

/// Deletes what the run has left, and asks `verify` once more, all within a time.
#[cfg(feature = "mysql")]
pub async fn after(plan: &Plan, found: &mut Found, within: Duration) {
    let Some(cleanup) = plan.cleanup.as_ref().filter(|cleanup| cleanup.active) else { return };
    let outcome =
        tokio::time::timeout(within, super::mysql::cleanup::clean(cleanup, &plan.kubeconfig, found)).await;
    let trouble = match outcome {
        Ok(Ok(())) => return,
        Ok(Err(refusal)) => refusal.to_string(),
        Err(_) => format!("no answer within {}", human_duration(within)),
    };
    found.trouble = Some(trouble);
}

/// Deletes what the plan's run has left, after its end, whatever that was, and for as long as something comes; how many
/// rows that were. `None` where the profile has no `delete`.
#[cfg(feature = "mysql")]
pub async fn delete(plan: &Plan, within: Duration) -> Option<Result<u64, String>> {
    let cleanup = plan.cleanup.as_ref()?;
    let deleting = super::mysql::cleanup::delete(&cleanup.access, &plan.kubeconfig, cleanup.delete.as_ref()?);
    Some(match tokio::time::timeout(within, deleting).await {
        Ok(deleted) => deleted.map_err(|refusal| refusal.to_string()),
        Err(_) => Err(format!("no end of it within {}", human_duration(within))),
    })
}

/// Deletes what every run has left, with `sweep` of a plan's profile; `None` where the profile has none.
#[cfg(feature = "mysql")]
pub async fn sweep(plan: &Plan) -> Option<Result<Found, String>> {
    let cleanup = plan.cleanup.as_ref().filter(|cleanup| cleanup.sweep.is_some())?;
    Some(super::mysql::cleanup::sweep(cleanup, &plan.kubeconfig).await.map_err(|refusal| refusal.to_string()))
}

/// This build knows no database.
#[cfg(not(feature = "mysql"))]
#[expect(clippy::unused_async, reason = "it is awaited in a build that does")]
pub async fn before(_: &Plan) -> Option<Found> {
    None
}

/// This build knows no database.
#[cfg(not(feature = "mysql"))]
#[expect(clippy::unused_async, reason = "it is awaited in a build that does")]
pub async fn after(_: &Plan, _: &mut Found, _: Duration) {}

/// This build knows no database.
#[cfg(not(feature = "mysql"))]
#[expect(clippy::unused_async, reason = "it is awaited in a build that does")]
pub async fn delete(plan: &Plan, _: Duration) -> Option<Result<u64, String>> {
    plan.cleanup.as_ref().filter(|cleanup| cleanup.delete.is_some())?;
    Some(Err(NO_MYSQL.to_owned()))
}

/// This build knows no database.
#[cfg(not(feature = "mysql"))]
#[expect(clippy::unused_async, reason = "it is awaited in a build that does")]
pub async fn sweep(plan: &Plan) -> Option<Result<Found, String>> {
    plan.cleanup.as_ref().filter(|cleanup| cleanup.sweep.is_some())?;
    Some(Err(NO_MYSQL.to_owned()))
}

#[cfg(not(feature = "mysql"))]
const NO_MYSQL: &str = "this build of palier has no MySQL: take one that was built with the feature `mysql`";
