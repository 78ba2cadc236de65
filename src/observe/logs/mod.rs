//! Lines of logs that match patterns.
//!
//! - [`tally`]: which patterns a line matches, how often that was, and the first few lines as evidence
//! - [`mod@file`]: new lines of a file, whatever becomes of the file
//!
//! A [`Tally`] does not know where lines come from: `observe::kubernetes::logs` follows the logs of pods, and gives
//! their lines to one under the name of the pod.

pub mod file;
pub mod tally;

#[cfg(feature = "kubernetes")]
use std::path::PathBuf;
use std::time::Duration;
#[cfg(feature = "kubernetes")]
use std::time::Instant;

use self::file::Follower;
use self::tally::Tally;
use super::desk::Desk;
#[cfg(feature = "kubernetes")]
use super::desk::{Beat, FeedId};
#[cfg(feature = "kubernetes")]
use super::kubernetes::logs::Followed;
use crate::plan::Logs;
#[cfg(feature = "kubernetes")]
use crate::plan::{Pattern, PodLogs};
use crate::words::Metric;

/// Between two looks at a file.
const INTERVAL: Duration = Duration::from_millis(500);

/// What was written about the last requests of the load may reach a file a moment later.
const STRAGGLERS: Duration = Duration::from_millis(500);

/// Looks that fail one after another before that is said: a connection that breaks is made anew.
#[cfg(feature = "kubernetes")]
const FAILURES: u32 = 3;

/// How long the logs of pods may take to be reached before the load begins without.
#[cfg(feature = "kubernetes")]
const REACHING: Duration = Duration::from_secs(10);

/// Follows files, and the logs of pods, until the load is over.
pub async fn watch(settings: Logs, #[cfg(feature = "kubernetes")] kubeconfig: Vec<PathBuf>, mut desk: Desk) {
    let names: Vec<&str> = settings.files.iter().map(|file| file.name.as_str()).collect();
    let mut tally = Tally::new(&settings.patterns);
    let mut followers: Vec<_> = (settings.files.iter())
        .map(|file| {
            let feed = desk.feed(file.name.clone(), INTERVAL, true, &[Metric::LogMatches]);
            (file.name.clone(), feed, Follower::at_end_of(&file.path))
        })
        .collect();
    #[cfg(feature = "kubernetes")]
    let mut pods = settings.pods.map(|logs| Pods::start(logs, kubeconfig, &settings.patterns, &mut desk));
    #[cfg(feature = "kubernetes")]
    let names = [names, pods.iter().map(|pods| pods.name.as_str()).collect()].concat();
    desk.source(names.join(", "));
    while let Some(beat) = desk.beat(INTERVAL).await {
        if beat.is_last {
            tokio::time::sleep(STRAGGLERS).await;
        }
        for (name, feed, follower) in &mut followers {
            let outcome = follower.read(&mut |line| tally.line(&desk, name, beat.at, line));
            if beat.is_last {
                follower.rest(&mut |line| tally.line(&desk, name, beat.at, line));
            }
            match outcome {
                Ok(()) => desk.look(*feed, beat.at),
                Err(error) => desk.trouble(beat.at, format!("{name}: {error}")),
            }
            for note in follower.notes.drain(..) {
                desk.note(format!("{name} {note}"));
            }
        }
        #[cfg(feature = "kubernetes")]
        let is_reached = match &mut pods {
            Some(pods) => pods.look(&mut tally, &desk, beat).await,
            None => true,
        };
        #[cfg(not(feature = "kubernetes"))]
        let is_reached = true;
        tally.publish(&desk, beat.at);
        if is_reached {
            desk.settled();
        }
        if beat.is_last {
            break;
        }
    }
}

/// The logs of pods as one source: what is not read of one of them is not known of all.
#[cfg(feature = "kubernetes")]
struct Pods {
    name: String,
    feed: FeedId,
    followed: Followed,
    failures: u32,
    began: Instant,
}

#[cfg(feature = "kubernetes")]
impl Pods {
    fn start(logs: PodLogs, kubeconfig: Vec<PathBuf>, patterns: &[Pattern], desk: &mut Desk) -> Self {
        let name = format!("logs of pods {}", logs.pods.join(", "));
        // What was missed while a connection was broken is read when it is made anew.
        let feed = desk.feed(name.clone(), INTERVAL, true, &[Metric::LogMatches]);
        let followed = Followed::start(logs, kubeconfig, patterns);
        Self { name, feed, followed, failures: 0, began: Instant::now() }
    }

    /// Whether the load need not wait for them.
    async fn look(&mut self, tally: &mut Tally, desk: &Desk, beat: Beat) -> bool {
        if beat.is_last {
            self.followed.finish().await;
        }
        match self.followed.take(tally, desk) {
            Ok(true) => {
                self.failures = 0;
                desk.look(self.feed, beat.at);
                true
            }
            Ok(false) => {
                desk.failed(self.feed, "the logs were not reached yet");
                self.began.elapsed() >= REACHING
            }
            Err(why) => {
                self.failures += 1;
                desk.failed(self.feed, why.clone());
                if self.failures >= FAILURES {
                    desk.trouble(beat.at, why);
                }
                self.failures >= FAILURES
            }
        }
    }
}
