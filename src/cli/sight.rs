//! What observers see at the moment, in the figures that a display of a run has room for.

use crate::metrics::{Observed, Watch};
use crate::report::show::NONE;
use crate::words::Metric;

/// What observers see at the moment; empty where nobody watches.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sight {
    /// A name and a figure each: `replicas`, `2 → 3 of 10`.
    pub(super) figures: Vec<(&'static str, String)>,
}

impl Sight {
    /// The newest readings. What cannot be seen at the moment, but could before, is a dash.
    pub(super) fn new(observed: &Observed) -> Self {
        let figures = [
            ("replicas", find(observed, replicas)),
            ("pods ready", find(observed, |watch| Some(newest(watch, Metric::PodsReady)?.to_string()))),
            ("CPU", find(observed, cpu)),
            ("database connections", find(observed, connections)),
        ];
        let has_replicas = figures[0].1.is_some();
        let figures = figures.into_iter().filter_map(|(name, figure)| Some((name, figure?)));
        // Pods that are ready are of interest where they are all that is seen of a workload.
        Self { figures: figures.filter(|(name, _)| !(has_replicas && *name == "pods ready")).collect() }
    }
}

/// The figure of the watch that has one, as far as it can see.
fn find(observed: &Observed, figure: impl Fn(&Watch) -> Option<String>) -> Option<String> {
    observed.watches.iter().find_map(|watch| {
        let figure = figure(watch)?;
        Some(if watch.trouble.is_none() { figure } else { NONE.to_owned() })
    })
}

fn newest(watch: &Watch, metric: Metric) -> Option<f64> {
    let newest = watch.tracks_of(metric, &[]).filter_map(|track| track.points.last());
    newest.max_by_key(|point| point.at).map(|point| point.value)
}

fn replicas(watch: &Watch) -> Option<String> {
    let now = newest(watch, Metric::HpaReplicas)?;
    #[expect(clippy::float_cmp, reason = "whole numbers")]
    let desired = newest(watch, Metric::HpaDesiredReplicas).filter(|it| *it != now);
    let desired = desired.map_or_else(String::new, |it| format!(" → {it}"));
    let most = watch.autoscaler.as_ref().map_or_else(String::new, |it| format!(" of {}", it.max));
    Some(format!("{now}{desired}{most}"))
}

/// Of what pods request: more than all of it is what an autoscaler acts on.
fn cpu(watch: &Watch) -> Option<String> {
    Some(format!("{:.0} %", newest(watch, Metric::HpaCpu)? * 100.0))
}

fn connections(watch: &Watch) -> Option<String> {
    let now = newest(watch, Metric::MysqlThreadsConnected)?;
    let used = newest(watch, Metric::MysqlConnectionsUsed).filter(|it| *it > 0.0);
    // The server says how many there may be; what is recorded of that is the share.
    Some(used.map_or_else(|| now.to_string(), |used| format!("{now} of {:.0}", now / used)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::metrics::{Autoscaler, Offset, Reading};

    fn watch(readings: &[(Metric, f64)]) -> Watch {
        let mut watch = Watch::default();
        for (metric, value) in readings {
            for (second, value) in [(0, 1.0), (1, *value)] {
                let at = Offset::after(Duration::from_secs(second));
                watch.read(*metric, &[], Reading { at, value, of: 0.0 });
            }
        }
        watch
    }

    fn figures(watches: Vec<Watch>) -> Vec<String> {
        let sight = Sight::new(&Observed { watches, over: None });
        sight.figures.iter().map(|(name, figure)| format!("{name} {figure}")).collect()
    }

    #[test]
    fn the_newest_figures_of_a_cluster_and_a_database() {
        let mut cluster = watch(&[
            (Metric::HpaReplicas, 2.0),
            (Metric::HpaDesiredReplicas, 3.0),
            (Metric::PodsReady, 2.0),
            (Metric::HpaCpu, 1.24),
        ]);
        cluster.autoscaler = Some(Autoscaler { max: 10, ..Autoscaler::default() });
        let database =
            watch(&[(Metric::MysqlThreadsConnected, 31.0), (Metric::MysqlConnectionsUsed, 31.0 / 151.0)]);
        assert_eq!(
            figures(vec![cluster, Watch::default(), database]),
            ["replicas 2 → 3 of 10", "CPU 124 %", "database connections 31 of 151"]
        );
    }

    #[test]
    fn what_cannot_be_seen_any_more_is_a_dash() {
        let mut pods = watch(&[(Metric::PodsReady, 2.0)]);
        assert_eq!(figures(vec![pods.clone()]), ["pods ready 2"]);
        pods.trouble = Some("connection refused".into());
        assert_eq!(figures(vec![pods]), ["pods ready –"]);
        assert_eq!(figures(vec![Watch::default()]), [""; 0]);
    }
}
