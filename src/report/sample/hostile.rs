//! A failed run with text from outside wherever there can be any.

use super::*;
use crate::report::summary::{
    ComparedRun, Difference, Evidence, Hint, ObservedSeries, Observer, ObserverState, Pod, Regression,
};
use crate::words::Change;

/// A failed run of which all that the target or the profile can name tries to break out of its place.
pub(crate) fn hostile() -> Summary {
    quoting(
        "\u{1b}[2J<script>alert('1')</script> | a \" ]]> `x` @all [x](javascript:y) ##[add-mask]z\r\n::error::gone\u{0}\u{202e}%0A",
    )
}

/// The same of which all that the target or the profile can name is that.
pub(crate) fn quoting(text: &str) -> Summary {
    let mut summary = fail();
    summary.run.target = format!("http://localhost/{text}");
    summary.run.profile.name = format!("quick.{text}");
    summary.run.profile.description = Some(text.into());
    summary.run.route = text.into();
    summary.run.environment.branch = Some(text.into());
    summary.run.environment.job_url = Some(format!("https://localhost/{text}"));
    summary.run.command = Some(format!("palier run {text}"));
    summary.run.notes = vec![text.into()];
    summary.thresholds[0].id = text.into();
    summary.thresholds[0].reason = text.into();
    summary.thresholds[0].file = Some(text.into());
    summary.reasons[0].text = text.into();
    summary.reasons[0].threshold = Some(text.into());
    summary.checks[6].name = text.into();
    for check in &mut summary.checks {
        check.step = text.into();
        if let Some(first) = &mut check.first {
            first.message = text.into();
        }
    }
    summary.steps[0].name = text.into();
    summary.steps[0].path = text.into();
    summary.stages[0].name = Some(text.into());
    summary.errors[0].first = Some(Example { message: text.repeat(10_000), vu: None, at: None });
    summary.cleanup.left_behind[0] =
        Leftover { step: text.into(), name: text.into(), reason: Some(text.into()) };
    summary.facts[0].topic = text.into();
    summary.facts[0].text = text.into();
    summary.facts[0].evidence = vec![text.into()];
    summary.metrics.insert(
        format!("http_reqs{{step:{text}}}"),
        MetricValues::Counter { unit: Unit::Count, count: 1.0, rate: Some(0.1) },
    );
    let times = summary.histograms.get_mut("http_req_duration").expect("times");
    let first = times.remove("health").expect("its times");
    times.insert(text.into(), first);
    summary.diagnosis = vec![Hint {
        section: Section::Database,
        text: text.into(),
        evidence: vec![text.into()],
        mend: Some(text.into()),
    }];
    summary.regression = Some(regression(text));
    summary.observers = vec![observer(text)];
    summary.pods = vec![Pod {
        name: text.into(),
        born: None,
        ready: Some(Ms(1e3)),
        gone: None,
        restarts: Some(1),
        last_reason: Some(text.into()),
        cpu: None,
        memory: None,
        requests: None,
    }];
    summary
}

fn regression(text: &str) -> Regression {
    let difference = Difference {
        step: Some(text.into()),
        metric: "http_req_duration".into(),
        aggregation: "p(95)".into(),
        unit: Unit::Milliseconds,
        base: Some(100.0),
        new: Some(130.0),
        difference: Some(0.3),
        low: Some(0.2),
        high: Some(0.4),
        change: Change::Worse,
        longer: None,
        detectable: Some(0.1),
    };
    Regression {
        against: Against::Baseline,
        base: vec![ComparedRun {
            id: text.into(),
            profile: text.into(),
            start: "2026-11-22T21:00:00Z".into(),
            commit: Some(text.into()),
        }],
        change: Change::Worse,
        effect: 0.05,
        points: 0.005,
        alpha: 0.05,
        windows: 15,
        window: Ms(2e3),
        differences: vec![difference],
        doubts: vec![text.into()],
        notes: vec![text.into()],
    }
}

fn observer(text: &str) -> Observer {
    let series = |metric: &str| ObservedSeries {
        metric: metric.into(),
        labels: [("pod".to_owned(), text.to_owned())].into(),
        unit: Unit::Cores,
        counter: false,
        points: vec![(Ms(0.0), 0.1), (Ms(2e3), 0.2)],
    };
    Observer {
        name: "kubernetes".into(),
        source: Some(text.into()),
        state: ObserverState::Active,
        gaps: Some(0.1),
        notes: vec![text.into()],
        // One that has a chart of its own, and one that nobody knows.
        series: vec![series(Metric::PodCpu.name()), series(text)],
        evidence: vec![Evidence {
            at: None,
            source: text.into(),
            metric: format!("log_matches{{pattern:{text}}}"),
            line: text.into(),
        }],
    }
}
