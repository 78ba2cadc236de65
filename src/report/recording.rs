//! What is compared of a run, packed into a summary and unpacked from one.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer as _, V2Serializer};

use super::distribution;
use super::summary::{Ms, StepWindows, Summary, Windows};
use crate::compare::recording::Step;
use crate::compare::{Bin, Circumstances, Recording, Times, Window};
use crate::metrics::LONGEST;
use crate::words::Metric;

/// The windows of a recording, as a summary holds them.
pub fn pack(recording: &Recording) -> Windows {
    let steps = recording.steps.iter().map(|step| {
        let of = |count: fn(&Window) -> u64| step.windows.iter().map(count).collect();
        let packed = StepWindows {
            requests: of(|window| window.requests),
            failed: of(|window| window.failed),
            errors: of(|window| window.errors),
            http_req_duration: step.windows.iter().map(|window| encode(&window.times)).collect(),
        };
        (step.name.clone(), packed)
    });
    Windows { length: u32::try_from(recording.window.as_secs()).unwrap_or(u32::MAX), steps: steps.collect() }
}

/// What is compared of a run, from its summary. `None` where the summary has no windows, or not those of its steps.
pub fn unpack(summary: &Summary) -> Option<Recording> {
    let windows = summary.windows.as_ref().filter(|windows| windows.length > 0)?;
    let times: BTreeMap<&str, Times> = (distribution::of_steps(summary, Metric::HttpReqDuration).into_iter())
        .map(|distribution| (distribution.step, of_hdr(&distribution.times)))
        .collect();
    let names = summary.steps.iter().map(|step| match &step.load {
        Some(load) => format!("{load}: {}", step.name),
        None => step.name.clone(),
    });
    let steps = names.filter_map(|name| {
        let own = windows.steps.get(&name)?;
        let each = own.requests.iter().zip(&own.failed).zip(&own.errors).zip(&own.http_req_duration);
        let windows = each
            .map(|(((requests, failed), errors), times)| {
                Some(Window { requests: *requests, failed: *failed, errors: *errors, times: decode(times)? })
            })
            .collect::<Option<Vec<Window>>>()?;
        let times = times.get(name.as_str()).cloned().unwrap_or_default();
        Some(Step { name, windows, times })
    });
    let steps: Vec<Step> = steps.collect();
    (!steps.is_empty()).then(|| Recording {
        run: circumstances(summary),
        window: Duration::from_secs(windows.length.into()),
        steps,
    })
}

fn circumstances(summary: &Summary) -> Circumstances {
    let time = |time: Ms| Duration::try_from_secs_f64(time.0 / 1e3).unwrap_or_default();
    // Whole milliseconds, so that a plan and a summary of it agree.
    let millis = |at: Ms| Duration::from_millis(u64::try_from(time(at).as_millis()).unwrap_or(u64::MAX));
    let stages = summary.stages.iter();
    Circumstances {
        id: summary.run.id.clone(),
        profile: summary.run.profile.name.clone(),
        start: summary.run.start.clone(),
        commit: summary.run.environment.commit.clone(),
        fingerprint: summary.host.fingerprint.clone(),
        load: time(summary.run.load_duration),
        stages: stages
            .map(|it| (it.load.clone(), millis(it.start), millis(it.duration), it.target))
            .collect(),
        sound: summary.generator.sound,
        complete: summary.run.ended_early.is_none(),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "whole counts of whole nanoseconds"
)]
fn encode(times: &Times) -> String {
    if times.0.is_empty() {
        return String::new();
    }
    let longest = LONGEST.as_nanos() as u64;
    let mut hdr = Histogram::<u64>::new_with_bounds(1, longest, 2).expect("invariant: valid bounds");
    for bin in &times.0 {
        hdr.saturating_record_n(bin.from as u64, bin.count as u64);
    }
    let mut bytes = Vec::new();
    V2Serializer::new().serialize(&hdr, &mut bytes).expect("invariant: a Vec takes all bytes");
    STANDARD.encode(bytes)
}

fn decode(text: &str) -> Option<Times> {
    if text.is_empty() {
        return Some(Times::default());
    }
    let bytes = STANDARD.decode(text).ok()?;
    Some(of_hdr(&Deserializer::new().deserialize::<u64, _>(&mut bytes.as_slice()).ok()?))
}

fn of_hdr(hdr: &Histogram<u64>) -> Times {
    let bin = |value: u64, count: u64| {
        let from = hdr.lowest_equivalent(value);
        let width = hdr.highest_equivalent(value) - from + 1;
        Bin { from: from as f64, width: width as f64, count: count as f64 }
    };
    Times(hdr.iter_recorded().map(|it| bin(it.value_iterated_to(), it.count_at_value())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn what_is_packed_is_unpacked() {
        let summary = sample::pass();
        let recording = unpack(&summary).expect("it has windows");
        assert_eq!(recording.steps.len(), summary.steps.len());
        assert_eq!(Some(pack(&recording)), summary.windows);
        let requests: u64 = recording.steps[0].windows.iter().map(|it| it.requests).sum();
        assert_eq!(requests, summary.steps[0].requests);
    }

    #[test]
    fn what_was_edited_is_no_recording() {
        let mut summary = sample::pass();
        summary.windows.as_mut().expect("it has some").steps.values_mut().for_each(|step| {
            step.http_req_duration[0] = "not base64".to_owned();
        });
        assert!(unpack(&summary).is_none());
        summary.windows = None;
        assert!(unpack(&summary).is_none());
    }
}
