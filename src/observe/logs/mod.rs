//! Lines of logs that match patterns.
//!
//! - [`tally`]: which patterns a line matches, how often that was, and the first few lines as evidence
//! - [`mod@file`]: new lines of a file, whatever becomes of the file
//!
//! A [`Tally`] does not know where lines come from: whoever streams the log of a pod gives its lines to one, under the
//! name of the pod and its container, and declares a feed for it.

pub mod file;
pub mod tally;

use std::time::Duration;

use self::file::Follower;
use self::tally::Tally;
use super::desk::Desk;
use crate::plan::Logs;
use crate::words::Metric;

/// Between two looks at a file.
const INTERVAL: Duration = Duration::from_millis(500);

/// What was written about the last requests of the load may reach a file a moment later.
const STRAGGLERS: Duration = Duration::from_millis(500);

/// Follows files until the load is over.
pub async fn watch(settings: Logs, mut desk: Desk) {
    let names: Vec<&str> = settings.files.iter().map(|file| file.name.as_str()).collect();
    desk.source(names.join(", "));
    let mut tally = Tally::new(&settings.patterns);
    let mut followers: Vec<_> = (settings.files.iter())
        .map(|file| {
            let feed = desk.feed(file.name.clone(), INTERVAL, true, &[Metric::LogMatches]);
            (file.name.clone(), feed, Follower::at_end_of(&file.path))
        })
        .collect();
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
        tally.publish(&desk, beat.at);
        desk.settled();
        if beat.is_last {
            break;
        }
    }
}
