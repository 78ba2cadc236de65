//! How requests travelled, where it was not straight: what palier's own way costs, and which pod got what.

use serde::{Deserialize, Serialize};

use super::observed::Offset;
use super::trend::Trend;

/// A way through the API server of a cluster to the pods of a Service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// The Service: `mysql-app/flask-backend:5000`.
    pub service: String,
    /// The API server.
    pub server: String,
    /// How long it took to open each port-forward.
    pub connecting: Trend,
    /// One round trip on each, to the node of its pod and back, measured when it was used for the first time.
    pub round_trip: Trend,
    /// Forwards that could not be opened, or that broke in the middle of a request.
    pub broken: u64,
    /// The pods, in the order in which they were taken in.
    pub pods: Vec<RoutePod>,
}

/// A pod, and what was sent to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RoutePod {
    /// What tells it from another of the same name.
    pub uid: String,
    /// Its name.
    pub name: String,
    /// When it was first known to be ready.
    pub taken_in: Offset,
    /// Since when it is known not to be ready any more.
    pub left: Option<Offset>,
    /// Connections to it, one after another or at once.
    pub connections: u64,
    /// Requests that were sent over them.
    pub requests: u64,
}

impl Route {
    /// Adds what another shard or machine sent the same way.
    pub fn merge(&mut self, other: &Self) {
        if self.service.is_empty() {
            (self.service, self.server) = (other.service.clone(), other.server.clone());
        }
        self.connecting.merge(&other.connecting);
        self.round_trip.merge(&other.round_trip);
        self.broken += other.broken;
        for pod in &other.pods {
            match self.pods.iter_mut().find(|own| own.uid == pod.uid) {
                Some(own) => {
                    own.taken_in = own.taken_in.min(pod.taken_in);
                    own.left = own.left.max(pod.left);
                    own.connections += pod.connections;
                    own.requests += pod.requests;
                }
                None => self.pods.push(pod.clone()),
            }
        }
        self.pods.sort_by(|a, b| (a.taken_in, &a.name).cmp(&(b.taken_in, &b.name)));
    }
}
