//! Before the load: is the target there, and does it say that it is ready?

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use http::HeaderMap;

use super::connect::Dialer;
use super::exchange::{Failed, exchange};
use super::payload::Payload;
use crate::plan::{Ready, Target};
use crate::reach::Way;
use crate::units::human_duration;

/// Between two questions; a service that starts is asked often enough to lose no time, and left in peace.
const PAUSE: Duration = Duration::from_millis(250);

/// The way to a target that is ready, and by how many milliseconds its clock is ahead of ours, at least and at most,
/// where it says what time it is.
pub(super) type Reached = (Dialer, Option<(i64, i64)>);

/// Resolves the target and waits until it is ready; else a sentence that says what it did instead.
pub(super) async fn wait(target: &Target, way: Option<&Arc<dyn Way>>) -> Result<Reached, String> {
    if let Some(ready) = &target.ready {
        let within = human_duration(ready.within);
        return insist(ready.within, async || ask(target, way, ready).await).await.map_err(|trouble| {
            format!("the target {} was not ready within {within}: GET {}: {trouble}", target.url, ready.path)
        });
    }
    let attempt = insist(target.wait, async || Ok((reach(target, way).await?, None)));
    attempt.await.map_err(|trouble| format!("the target {} cannot be reached: {trouble}", target.url))
}

/// Tries again and again until it works or the time is over; at least once.
async fn insist(
    within: Duration,
    attempt: impl AsyncFn() -> Result<Reached, String>,
) -> Result<Reached, String> {
    let deadline = Instant::now() + within;
    loop {
        // One attempt may take no longer than all of them, where there is a time for them.
        let outcome = if within.is_zero() {
            Ok(attempt().await)
        } else {
            tokio::time::timeout_at(deadline.into(), attempt()).await
        };
        let trouble = match outcome {
            Ok(Ok(reached)) => return Ok(reached),
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

async fn ask(target: &Target, way: Option<&Arc<dyn Way>>, ready: &Ready) -> Result<Reached, String> {
    let dialer = reach(target, way).await?;
    let mut connection = dialer.dial().await.map_err(|trouble| trouble.message)?.connection;
    let mut request = http::Request::new(Payload::default());
    *request.uri_mut() = ready.path.parse().map_err(|error| format!("this is no path ({error})"))?;
    let host = target.authority.parse().map_err(|error| format!("no valid host ({error})"))?;
    request.headers_mut().insert(http::header::HOST, host);
    let asked = SystemTime::now();
    let answer = Box::pin(exchange(&mut connection, &mut Some(request), false)).await;
    // It is no request of the load, and counts nowhere.
    connection.requests = 0;
    match answer {
        Ok(answer) if answer.status == ready.status => {
            let ahead = ahead(&answer.headers, asked, SystemTime::now());
            Ok((dialer, ahead))
        }
        Ok(answer) => Err(format!("status {}, not {}", answer.status, ready.status)),
        Err(Failed::Broken { trouble, .. }) => Err(trouble.message),
        Err(Failed::NotSent) => Err("the connection was closed at once".to_owned()),
    }
}

/// By how many milliseconds a server's clock is ahead of ours, at least and at most: it wrote its `Date`, in whole
/// seconds rounded down (RFC 9110 §6.6.1), between our two looks at the clock.
fn ahead(headers: &HeaderMap, asked: SystemTime, answered: SystemTime) -> Option<(i64, i64)> {
    let date = httpdate::parse_http_date(headers.get(http::header::DATE)?.to_str().ok()?).ok()?;
    let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    let since = |later: SystemTime, earlier: SystemTime| match later.duration_since(earlier) {
        Ok(time) => millis(time),
        Err(before) => -millis(before.duration()),
    };
    Some((since(date, answered), since(date + Duration::from_secs(1), asked)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_tells_the_clocks_apart_by_a_second() {
        let at = |millis: u64| SystemTime::UNIX_EPOCH + Duration::from_millis(784_111_777_000 + millis);
        let mut headers = HeaderMap::new();
        headers.insert(http::header::DATE, http::HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT"));
        assert_eq!(ahead(&headers, at(300), at(400)), Some((-400, 700)));
        assert_eq!(ahead(&headers, at(60_000), at(60_010)), Some((-60_010, -59_000)));
        headers.insert(http::header::DATE, http::HeaderValue::from_static("noon"));
        assert_eq!(ahead(&headers, at(0), at(0)), None);
        assert_eq!(ahead(&HeaderMap::new(), at(0), at(0)), None);
    }
}
