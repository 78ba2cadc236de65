//! `latency.hlog`: the distributions of `http_req_duration` as a log of `HdrHistogram`, which its plotters and
//! processors read.
//!
//! One interval, as long as the load, for each step under its name as the tag, and one without a tag for all of them:
//! readers that know no tags see the run as a whole. Values are nanoseconds; the greatest one of an interval is given
//! in milliseconds, as is the custom.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};

use super::summary::Summary;
use super::{distribution, show};
use crate::words::Metric;

/// The log; its one interval is empty where the run has no answered request.
pub fn render(summary: &Summary) -> String {
    let mut log = Vec::new();
    // Whatever a `Vec` takes, it takes whole, so nothing below can fail but for a time out of bounds.
    let _ = write(summary, &mut log);
    String::from_utf8_lossy(&log).into_owned()
}

fn write(summary: &Summary, log: &mut Vec<u8>) -> Result<(), Box<dyn std::error::Error>> {
    let start = humantime::parse_rfc3339(&summary.run.start).unwrap_or(SystemTime::UNIX_EPOCH);
    let mut serializer = V2DeflateSerializer::new();
    let comment = format!("palier {}, {}", summary.palier, show::one_line(&summary.run.profile.name, 100));
    let mut writer = IntervalLogWriterBuilder::new()
        .add_comment(&format!(
            "[Histogram log format version 1.3]\n{comment}, http_req_duration in nanoseconds"
        ))
        .with_start_time(start)
        .with_max_value_divisor(1e6)
        .begin_log_with(log, &mut serializer)?;
    let length = Duration::try_from_secs_f64(summary.run.load_duration.seconds())?;
    let steps = distribution::of_steps(summary, Metric::HttpReqDuration);
    // A log without an interval makes some readers fail, so one without values stands for none.
    let total = match distribution::total(&steps) {
        Some(total) => total,
        None => Histogram::new(3)?,
    };
    writer.write_histogram(&total, Duration::ZERO, length, None).map_err(|error| format!("{error:?}"))?;
    let mut taken = BTreeSet::new();
    for step in &steps {
        let tag = tag(step.step, &mut taken);
        writer
            .write_histogram(&step.times, Duration::ZERO, length, Tag::new(&tag))
            .map_err(|error| format!("{error:?}"))?;
    }
    Ok(())
}

/// A name that no other has, without what ends a tag: a comma, or white space.
fn tag(step: &str, taken: &mut BTreeSet<String>) -> String {
    let plain = |it: char| if it.is_alphanumeric() || "._-{}/:".contains(it) { it } else { '_' };
    let base: String = show::one_line(step, 100).chars().map(plain).collect();
    let mut tag = base.clone();
    for n in 2.. {
        if taken.insert(tag.clone()) {
            break;
        }
        tag = format!("{base}_{n}");
    }
    tag
}

#[cfg(test)]
mod tests {
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    use super::*;
    use crate::report::sample;

    fn tags(log: &str) -> Vec<Option<String>> {
        IntervalLogIterator::new(log.as_bytes())
            .filter_map(|entry| match entry.expect("a log") {
                LogEntry::Interval(it) => Some(it.tag().map(|tag| tag.as_str().to_owned())),
                LogEntry::StartTime(_) | LogEntry::BaseTime(_) => None,
            })
            .collect()
    }

    #[test]
    fn the_log_has_the_whole_and_each_step() {
        let log = render(&sample::pass());
        let tags = tags(&log);
        assert_eq!(tags.len(), 8, "{log}");
        assert_eq!(tags[0], None);
        assert!(tags.contains(&Some("create_employee".to_owned())), "{tags:?}");
        let head: Vec<&str> = log.lines().take_while(|it| it.starts_with('#')).collect();
        assert_eq!(
            head,
            [
                "#[Histogram log format version 1.3]",
                "#palier 0.1.0, quick, http_req_duration in nanoseconds",
                "#[StartTime: 1795467600.123 (seconds since epoch)]",
                "#[MaxValueDivisor: 1000000.000]",
            ]
        );
    }

    #[test]
    fn a_run_without_answers_has_an_empty_interval() {
        let log = render(&sample::invalid());
        assert_eq!(tags(&log), [None]);
        assert!(log.starts_with("#[Histogram log format"), "{log}");
    }

    #[test]
    fn no_two_steps_share_a_tag() {
        let mut taken = BTreeSet::new();
        let tags = ["a b", "a,b", "a\nb", "é"].map(|step| tag(step, &mut taken));
        assert_eq!(tags, ["a_b", "a_b_2", "a_b_3", "é"]);
    }
}
