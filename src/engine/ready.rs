//! Before the load: is the target there, and does it say that it is ready?

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::connect::Dialer;
use super::exchange::{Failed, exchange};
use super::payload::Payload;
use crate::plan::{Ready, Target};
use crate::reach::Way;
use crate::units::human_duration;

/// Between two questions; a service that starts is asked often enough to lose no time, and left in peace.
const PAUSE: Duration = Duration::from_millis(250);

/// Resolves the target and waits until it is ready; else a sentence that says what it did instead.
pub(super) async fn wait(target: &Target, way: Option<&Arc<dyn Way>>) -> Result<Dialer, String> {
    if let Some(ready) = &target.ready {
        let within = human_duration(ready.within);
        return insist(ready.within, || ask(target, way, ready)).await.map_err(|trouble| {
            format!("the target {} was not ready within {within}: GET {}: {trouble}", target.url, ready.path)
        });
    }
    let attempt = insist(target.wait, || reach(target, way));
    attempt.await.map_err(|trouble| format!("the target {} cannot be reached: {trouble}", target.url))
}

/// Tries again and again until it works or the time is over; at least once.
async fn insist<F: Future<Output = Result<Dialer, String>>>(
    within: Duration,
    attempt: impl Fn() -> F,
) -> Result<Dialer, String> {
    let deadline = Instant::now() + within;
    loop {
        // One attempt may take no longer than all of them, where there is a time for them.
        let outcome = if within.is_zero() {
            Ok(attempt().await)
        } else {
            tokio::time::timeout_at(deadline.into(), attempt()).await
        };
        let trouble = match outcome {
            Ok(Ok(dialer)) => return Ok(dialer),
            Ok(Err(trouble)) => trouble,
            Err(_) => "no answer".to_owned(),
        };
        if Instant::now() + PAUSE >= deadline {
            return Err(trouble);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn reach(target: &Target, way: Option<&Arc<dyn Way>>) -> Result<Dialer, String> {
    let mut dialer = Dialer::resolve(target, way).await.map_err(|trouble| trouble.message)?;
    dialer.probe().await.map_err(|trouble| trouble.message)?;
    Ok(dialer)
}

async fn ask(target: &Target, way: Option<&Arc<dyn Way>>, ready: &Ready) -> Result<Dialer, String> {
    let dialer = reach(target, way).await?;
    let mut connection = dialer.dial().await.map_err(|trouble| trouble.message)?.connection;
    let mut request = http::Request::new(Payload::default());
    *request.uri_mut() = ready.path.parse().map_err(|error| format!("this is no path ({error})"))?;
    let host = target.authority.parse().map_err(|error| format!("no valid host ({error})"))?;
    request.headers_mut().insert(http::header::HOST, host);
    let answer = Box::pin(exchange(&mut connection, &mut Some(request), false)).await;
    // It is no request of the load, and counts nowhere.
    connection.requests = 0;
    match answer {
        Ok(answer) if answer.status == ready.status => Ok(dialer),
        Ok(answer) => Err(format!("status {}, not {}", answer.status, ready.status)),
        Err(Failed::Broken { trouble, .. }) => Err(trouble.message),
        Err(Failed::NotSent) => Err("the connection was closed at once".to_owned()),
    }
}
