//! How requests travelled, where it was not straight, and what that cost.

use super::View;
use super::metrics::trend;
use crate::metrics::Route;
use crate::report::summary as out;
use crate::units::human_duration;

/// The way in words: `direct`, or through what to how many pods.
pub(super) fn words(view: &View<'_>) -> String {
    match (&view.results.route, &view.plan.target.service) {
        (Some(route), _) => {
            let pods = match route.pods.len() {
                1 => "1 pod".to_owned(),
                n => format!("{n} pods"),
            };
            format!("through port-forwards of the API server {} to {pods} of {}", route.server, route.service)
        }
        (None, Some(service)) => format!("through port-forwards to the pods of {service}"),
        (None, None) => "direct".to_owned(),
    }
}

/// What the forwards cost.
pub(super) fn forward(view: &View<'_>, route: &Route) -> out::Forward {
    out::Forward {
        service: view.mask(&route.service),
        server: view.mask(&route.server),
        connections: route.pods.iter().map(|pod| pod.connections).sum(),
        broken: route.broken,
        connecting: trend(&route.connecting),
        round_trip: trend(&route.round_trip),
    }
}

/// What a reader must know of it, a sentence each.
pub(super) fn notes(view: &View<'_>) -> Vec<String> {
    let target = &view.plan.target;
    let mut notes = Vec::new();
    if let Some(route) = &view.results.route {
        let cost = match (route.round_trip.quantile(0.5), route.round_trip.quantile(0.95)) {
            (Some(half), Some(most)) => format!(
                "a round trip on one took {} in the middle and {} at p95 ({} measured), which is in the time of every \
                 answer",
                human_duration(half),
                human_duration(most),
                route.round_trip.count()
            ),
            _ => "what a round trip on one takes could not be measured".to_owned(),
        };
        let opening = route.connecting.quantile(0.5).map(human_duration);
        let opening = opening.map(|time| format!("; opening one took {time}")).unwrap_or_default();
        notes.push(format!(
            "The requests went {}: a path for tests, and none that production takes; {cost}{opening}.",
            words(view)
        ));
    }
    if let (Some(why), Some(age)) = (target.limited_by, target.connections.max_age) {
        notes.push(format!(
            "Connections were closed after {} (± 20 %), because {why}; `[target.connections] max_age` changes it.",
            human_duration(age)
        ));
    }
    notes
}
