//! What observers saw, what happened, and what explains it.

use super::View;
use crate::metrics::{Feed, Line, Offset, RoutePod, Stretch, Track, Watch};
use crate::plan::Observer;
use crate::report::summary as out;
use crate::report::summary::{Ms, ObserverState};
use crate::verdict::Judgement;
use crate::verdict::diagnosis::{self, Diagnosis};
use crate::words::{Metric, MetricKind};

/// The most points of a series; of a longer one every second is left out, again and again.
const MOST_POINTS: usize = out::MAX_POINTS;

pub(super) fn diagnose(view: &View<'_>, judgement: &Judgement) -> (Vec<out::Fact>, Vec<out::Hint>) {
    let Diagnosis { facts, hints } = diagnosis::diagnose(view.plan, view.results, judgement);
    let masked = |texts: &[String]| texts.iter().map(|text| view.mask(text)).collect();
    let facts = (facts.iter())
        .map(|fact| out::Fact {
            at: fact.at.map(ms),
            topic: fact.topic.to_owned(),
            text: view.mask(&fact.text),
            evidence: masked(&fact.evidence),
        })
        .collect();
    let hints = (hints.iter())
        .map(|hint| out::Hint {
            section: hint.section,
            text: view.mask(&hint.text),
            evidence: masked(&hint.evidence),
            mend: hint.mend.as_deref().map(|mend| view.mask(mend)),
        })
        .collect();
    (facts, hints)
}

pub(super) fn observers(view: &View<'_>) -> Vec<out::Observer> {
    let nothing = Watch::default();
    let watches = view.results.observed.watches.iter().chain(std::iter::repeat(&nothing));
    view.plan.observers.iter().zip(watches).map(|(observer, watch)| seen(view, observer, watch)).collect()
}

/// The pods of all observers, and those that requests went to, in order of birth.
pub(super) fn pods(view: &View<'_>) -> Vec<out::Pod> {
    let watches = &view.results.observed.watches;
    let mut routed: Vec<&RoutePod> = view.results.route.iter().flat_map(|route| &route.pods).collect();
    let mut all: Vec<_> =
        watches.iter().flat_map(|watch| watch.pods.iter().map(move |pod| (watch, pod))).collect();
    all.sort_by(|(_, a), (_, b)| (a.born, &a.name).cmp(&(b.born, &b.name)));
    let mut pods: Vec<out::Pod> = (all.into_iter())
        .map(|(watch, pod)| {
            let labels = [("pod".to_owned(), pod.name.clone())];
            let most = |metric| {
                let tracks = watch.tracks_of(metric, &labels);
                tracks.flat_map(|track| &track.points).map(|point| point.value).reduce(f64::max)
            };
            let to_it = routed.iter().position(|routed| routed.uid == pod.uid);
            let requests = to_it.map(|index| routed.remove(index).requests);
            out::Pod {
                name: view.mask(&pod.name),
                born: pod.born.map(ms),
                ready: pod.ready.map(ms),
                gone: pod.gone.map(ms),
                restarts: Some(pod.restarts),
                last_reason: pod.last_reason.as_deref().map(|reason| view.mask(reason)),
                cpu: most(Metric::PodCpu),
                memory: most(Metric::PodMemory),
                // One that is watched and was never ready got none.
                requests: requests.or(view.results.route.is_some().then_some(0)),
            }
        })
        .collect();
    // Those that no observer watched: what is known of them is what a Service says.
    pods.extend(routed.into_iter().map(|pod| out::Pod {
        name: view.mask(&pod.name),
        born: None,
        ready: Some(ms(pod.taken_in)),
        gone: pod.left.map(ms),
        restarts: None,
        last_reason: None,
        cpu: None,
        memory: None,
        requests: Some(pod.requests),
    }));
    pods
}

fn seen(view: &View<'_>, observer: &Observer, watch: &Watch) -> out::Observer {
    let over = view.results.observed.over.unwrap_or(Offset::after(view.results.elapsed));
    let load = Stretch { from: Offset::ZERO, to: over };
    let state = match (observer.active, watch.is_blind()) {
        (false, _) => ObserverState::Inactive,
        (true, true) => ObserverState::Blind,
        (true, false) => ObserverState::Active,
    };
    let trouble = watch.trouble.iter().map(|why| format!("it sees nothing: {why}"));
    let missing = watch.missing.iter().map(|(metric, why)| format!("`{metric}` is missing: {why}"));
    let mut barred: Vec<&str> = watch.feeds.iter().filter_map(Feed::is_barred).collect();
    barred.dedup();
    // Where all of it is out of sight, that has been said.
    barred.retain(|_| watch.trouble.is_none());
    let barred = barred.iter().map(|why| format!("not all of it could be seen: {why}"));
    let notes = trouble.chain(missing).chain(watch.notes.iter().cloned()).chain(barred);
    out::Observer {
        name: observer.kind().name().to_owned(),
        source: watch.source.as_deref().map(|source| view.mask(source)),
        state,
        gaps: observer.active.then(|| watch.gaps(load)),
        notes: notes.map(|note| view.mask(&note)).collect(),
        series: watch.tracks.iter().map(|track| series(view, track)).collect(),
        evidence: watch.lines.iter().map(|line| evidence(view, line)).collect(),
    }
}

/// A share has two counters; what is shown is the share between one reading and the next.
fn series(view: &View<'_>, track: &Track) -> out::ObservedSeries {
    let mut points: Vec<(Ms, f64)> = match track.metric.kind() {
        MetricKind::Rate => (track.points.windows(2))
            .filter_map(|pair| {
                let of = pair[1].of - pair[0].of;
                (of > 0.0).then(|| (ms(pair[1].at), (pair[1].value - pair[0].value) / of))
            })
            .collect(),
        MetricKind::Counter | MetricKind::Gauge | MetricKind::Trend => {
            track.points.iter().map(|point| (ms(point.at), point.value)).collect()
        }
    };
    while points.len() > MOST_POINTS {
        let last = points.len() - 1;
        let mut index = 0..=last;
        // The last stays: it is what a counter came to.
        points.retain(|_| index.next().is_some_and(|index| index % 2 == 0 || index == last));
    }
    out::ObservedSeries {
        metric: track.metric.name().to_owned(),
        labels: track.labels.iter().map(|(key, value)| (key.clone(), view.mask(value))).collect(),
        unit: track.metric.unit(),
        counter: track.metric.kind() == MetricKind::Counter,
        points,
    }
}

fn evidence(view: &View<'_>, line: &Line) -> out::Evidence {
    // The source stands beside it.
    let labels = line.labels.iter().filter(|(key, _)| key != "source");
    let labels: Vec<String> = labels.map(|(key, value)| format!("{key}:{value}")).collect();
    out::Evidence {
        at: Some(ms(line.at)),
        source: view.mask(&line.source),
        metric: view.mask(&key(line.metric, &labels)),
        line: view.mask(&line.text),
    }
}

fn key(metric: Metric, labels: &[String]) -> String {
    if labels.is_empty() { metric.name().to_owned() } else { format!("{metric}{{{}}}", labels.join(",")) }
}

fn ms(offset: Offset) -> Ms {
    Ms(offset.millis())
}
