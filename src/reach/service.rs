//! The pods of a Service, as its `EndpointSlice`s have them, and port-forwards to them.
//!
//! The slices are asked for twice a second instead of watched, for the reasons that `observe::kubernetes` has: a list
//! is whole by itself, and a look that failed is known to have failed. As long as the API server says nothing, the
//! pods that were there last are taken to be still there.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1;
use k8s_openapi::api::discovery::v1::{EndpointPort, EndpointSlice};
use kube::api::{Api, ListParams};
use tokio::sync::mpsc::{UnboundedReceiver, WeakUnboundedSender};
use tokio::sync::oneshot;

use super::Refusal;
use super::cluster::Cluster;
use super::forward::{Assigned, PodSeat, Word};
use super::roster::{Endpoint, Roster};
use crate::metrics::{Offset, Route, RoutePod, Trend};
use crate::plan::{Service, ServicePort};
use crate::words::ErrorKind;

/// Between two looks at the pods. A pod that is ready is known after this at the latest, and has connections once those
/// who have to move have come to their next request.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How long one look may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a Service calls the port of its pods that one of its own leads to; none where it has a single port without a
/// name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PortName(Option<String>);

/// Keeps the roster of a Service's pods, until nobody is left who could ask for one.
pub(super) async fn keep(
    service: Service,
    kubeconfig: Vec<PathBuf>,
    inbox: UnboundedReceiver<Word>,
    words: WeakUnboundedSender<Word>,
) {
    let keeper = Keeper {
        service,
        words,
        cluster: None,
        port: None,
        roster: Roster::default(),
        has_looked: false,
        trouble: None,
        waiting: Vec::new(),
        connecting: Trend::default(),
        round_trip: Trend::default(),
        broken: 0,
    };
    keeper.run(&kubeconfig, inbox).await;
}

struct Keeper {
    service: Service,
    words: WeakUnboundedSender<Word>,
    cluster: Option<Arc<Cluster>>,
    port: Option<PortName>,
    roster: Roster,
    /// Whether a look has succeeded yet.
    has_looked: bool,
    /// Why the last look failed.
    trouble: Option<String>,
    /// Those who ask before anything is known.
    waiting: Vec<oneshot::Sender<Result<Assigned, Refusal>>>,
    connecting: Trend,
    round_trip: Trend,
    broken: u64,
}

impl Keeper {
    async fn run(mut self, kubeconfig: &[PathBuf], mut inbox: UnboundedReceiver<Word>) {
        let service = self.service.clone();
        loop {
            let began = Instant::now();
            let look = look(&service, kubeconfig, self.cluster.clone(), self.port.clone());
            let mut look = std::pin::pin!(tokio::time::timeout(PATIENCE, look));
            let found = loop {
                tokio::select! {
                    found = &mut look => break found,
                    word = inbox.recv() => match word {
                        Some(word) => self.hear(word),
                        None => return,
                    },
                }
            };
            self.see(match found {
                Ok(found) => found,
                Err(_) => Err("the API server did not answer in time".to_owned()),
            });
            let next = began + LOOK_EVERY;
            loop {
                tokio::select! {
                    () = tokio::time::sleep_until(next.into()) => break,
                    word = inbox.recv() => match word {
                        Some(word) => self.hear(word),
                        None => return,
                    },
                }
            }
        }
    }

    /// Takes in what came of a look.
    fn see(&mut self, found: Result<Look, String>) {
        match found {
            Ok(Look { cluster, port, endpoints }) => {
                (self.cluster, self.port) = (Some(cluster), Some(port));
                self.roster.take(&endpoints, Instant::now());
                (self.has_looked, self.trouble) = (true, None);
            }
            Err(why) => self.trouble = Some(why),
        }
        for ask in std::mem::take(&mut self.waiting) {
            self.answer(ask);
        }
    }

    fn hear(&mut self, word: Word) {
        match word {
            Word::Ask(ask) if self.has_looked => self.answer(ask),
            Word::Ask(ask) => self.waiting.push(ask),
            Word::Opened { pod, took } => {
                self.connecting.record(took);
                if let Some(member) = self.roster.members.get_mut(pod) {
                    member.connections += 1;
                }
            }
            Word::RoundTrip(took) => self.round_trip.record(took),
            Word::Left { pod, requests } => self.roster.left(pod, requests),
            Word::Broke { pod } => {
                self.broken += 1;
                if let Some(pod) = pod {
                    self.roster.broke(pod, Instant::now());
                }
            }
            Word::Report { origin, to } => {
                // Whoever asks may have gone.
                let _ = to.send(self.report(origin));
            }
        }
    }

    /// Gives a seat to somebody who asks.
    fn answer(&mut self, ask: oneshot::Sender<Result<Assigned, Refusal>>) {
        // One that cannot be delivered is dropped, which frees the seat.
        let _ = ask.send(self.assign());
    }

    fn assign(&mut self) -> Result<Assigned, Refusal> {
        let refused = |message: String| Err(Refusal { kind: ErrorKind::ConnectRefused, message });
        let (Some(cluster), Some(words)) = (self.cluster.clone(), self.words.upgrade()) else {
            return refused(self.trouble.clone().unwrap_or_else(|| "no cluster is known".to_owned()));
        };
        let Some(pod) = self.roster.seat(Instant::now()) else {
            let (_, unready) = self.roster.count();
            let others = if unready > 0 { format!(", and {unready} that are not") } else { String::new() };
            let service = &self.service;
            let why = match &self.trouble {
                Some(why) if !self.has_looked => why.clone(),
                _ => format!(
                    "the Service {}/{} has no pod that is ready{others}",
                    service.namespace, service.name
                ),
            };
            return refused(why);
        };
        let member = &self.roster.members[pod];
        Ok(Assigned {
            name: member.endpoint.name.clone(),
            port: member.endpoint.port,
            seat: PodSeat::new(pod, Arc::clone(&member.hints), words),
            namespace: self.service.namespace.clone(),
            cluster,
        })
    }

    fn report(&self, origin: Instant) -> Route {
        let offset = |at: Instant| Offset::of(at, origin);
        let pods = self.roster.members.iter().filter_map(|member| {
            Some(RoutePod {
                uid: member.endpoint.uid.clone(),
                name: member.endpoint.name.clone(),
                taken_in: offset(member.taken_in?),
                left: member.left.map(offset),
                connections: member.connections,
                requests: member.requests,
            })
        });
        Route {
            service: format!("{}/{}:{}", self.service.namespace, self.service.name, self.service.port),
            server: self.cluster.as_ref().map(|cluster| cluster.server.clone()).unwrap_or_default(),
            connecting: self.connecting.clone(),
            round_trip: self.round_trip.clone(),
            broken: self.broken,
            pods: pods.collect(),
        }
    }
}

/// What a look has found.
pub(super) struct Look {
    pub(super) cluster: Arc<Cluster>,
    pub(super) port: PortName,
    pub(super) endpoints: Vec<Endpoint>,
}

/// Looks at the pods of a Service; the first time also for the cluster, and for the Service itself.
pub(super) async fn look(
    service: &Service,
    kubeconfig: &[PathBuf],
    cluster: Option<Arc<Cluster>>,
    port: Option<PortName>,
) -> Result<Look, String> {
    let cluster = match cluster {
        Some(cluster) => cluster,
        None => Arc::new(Cluster::connect(kubeconfig, service.context.as_deref()).await?),
    };
    let Service { namespace, name, .. } = service;
    let port = if let Some(port) = port {
        port
    } else {
        let api: Api<v1::Service> = Api::namespaced(cluster.client.clone(), namespace);
        let found = api.get_opt(name).await.map_err(|error| cluster.refusal(&error))?;
        let missing = || format!("there is no Service `{name}` in the namespace `{namespace}`");
        PortName::of(&found.ok_or_else(missing)?, service)?
    };
    let api: Api<EndpointSlice> = Api::namespaced(cluster.client.clone(), namespace);
    let labels = ListParams::default().labels(&format!("kubernetes.io/service-name={name}"));
    let found = api.list(&labels).await.map_err(|error| cluster.refusal(&error))?;
    let endpoints = endpoints(&found.items, &port);
    Ok(Look { cluster, port, endpoints })
}

impl PortName {
    fn of(found: &v1::Service, wanted: &Service) -> Result<Self, String> {
        let ports = found.spec.as_ref().and_then(|spec| spec.ports.as_deref()).unwrap_or_default();
        let is_wanted = |port: &&v1::ServicePort| match &wanted.port {
            ServicePort::Number(number) => port.port == i32::from(*number),
            ServicePort::Name(name) => port.name.as_deref() == Some(name),
        };
        if let Some(port) = ports.iter().find(is_wanted) {
            return Ok(Self(port.name.clone().filter(|name| !name.is_empty())));
        }
        let known: Vec<String> = (ports.iter())
            .map(|port| match &port.name {
                Some(name) => format!("{} ({name})", port.port),
                None => port.port.to_string(),
            })
            .collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        let Service { namespace, name, port, .. } = wanted;
        Err(format!("the Service {namespace}/{name} has no port {port}; it has {known}"))
    }
}

/// The pods in the slices of a Service. One that has addresses of both families is in two of them, and one pod. Where
/// pods give the port that the Service names different numbers, there is a slice for each of these.
fn endpoints(slices: &[EndpointSlice], port: &PortName) -> Vec<Endpoint> {
    let mut found: HashMap<String, Endpoint> = HashMap::new();
    for slice in slices {
        let ports = slice.ports.as_deref().unwrap_or_default();
        let is_wanted = |it: &&EndpointPort| {
            it.name.as_deref().unwrap_or_default() == port.0.as_deref().unwrap_or_default()
        };
        let number = ports.iter().find(is_wanted).and_then(|it| it.port);
        let Some(number) = number.and_then(|number| u16::try_from(number).ok()) else { continue };
        for endpoint in &slice.endpoints {
            // What is behind a Service without a selector may be anything; only pods can be forwarded to.
            let Some(pod) = endpoint.target_ref.as_ref().filter(|it| it.kind.as_deref() == Some("Pod"))
            else {
                continue;
            };
            let (Some(uid), Some(name)) = (pod.uid.clone(), pod.name.clone()) else { continue };
            // Unknown is to be taken for ready.
            let is_ready =
                endpoint.conditions.as_ref().and_then(|conditions| conditions.ready).unwrap_or(true);
            let known = found.entry(uid.clone());
            let known = known.or_insert(Endpoint { uid, name, port: number, is_ready });
            known.is_ready |= is_ready;
        }
    }
    let mut found: Vec<Endpoint> = found.into_values().collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slice(port: &str, endpoints: &str) -> EndpointSlice {
        let text = format!(
            r#"{{"addressType": "IPv4", "metadata": {{"name": "s"}}, "ports": [{port}], "endpoints": [{endpoints}]}}"#
        );
        serde_json::from_str(&text).expect("a slice")
    }

    fn pod(name: &str, ready: &str) -> String {
        format!(
            r#"{{"addresses": ["10.0.0.1"], "conditions": {{{ready}}},
                "targetRef": {{"kind": "Pod", "name": "{name}", "uid": "uid-{name}"}}}}"#
        )
    }

    fn service(text: &str) -> v1::Service {
        serde_json::from_str(&format!(r#"{{"metadata": {{}}, "spec": {{"ports": [{text}]}}}}"#))
            .expect("a Service")
    }

    #[test]
    fn a_port_is_found_by_number_and_by_name() {
        let found = service(
            r#"{"port": 80, "name": "http", "targetPort": "web"}, {"port": 9090, "name": "metrics"}"#,
        );
        let of = |text: &str| PortName::of(&found, &text.parse().expect("a Service"));
        assert_eq!(of("a/b:80"), Ok(PortName(Some("http".to_owned()))));
        assert_eq!(of("a/b:metrics"), Ok(PortName(Some("metrics".to_owned()))));
        assert_eq!(
            of("a/b:5000"),
            Err("the Service a/b has no port 5000; it has 80 (http), 9090 (metrics)".to_owned())
        );
        let only = service(r#"{"port": 5000}"#);
        assert_eq!(PortName::of(&only, &"a/b:5000".parse().expect("a Service")), Ok(PortName(None)));
    }

    #[test]
    fn named_ports_have_the_number_that_each_pod_gives_them() {
        let slices = [
            slice(
                r#"{"name": "http", "port": 8080}, {"name": "metrics", "port": 1}"#,
                &pod("b", r#""ready": true"#),
            ),
            slice(
                r#"{"name": "http", "port": 9000}"#,
                &[pod("a", ""), pod("c", r#""ready": false"#)].join(","),
            ),
            // The same pods under their other addresses, and something that is no pod.
            slice(
                r#"{"name": "http", "port": 8080}"#,
                &[pod("b", ""), r#"{"addresses": ["10.0.0.9"]}"#.to_owned()].join(","),
            ),
            slice(r#"{"name": "other", "port": 7}"#, &pod("d", "")),
        ];
        let found: Vec<(String, u16, bool)> = endpoints(&slices, &PortName(Some("http".to_owned())))
            .into_iter()
            .map(|it| (it.name, it.port, it.is_ready))
            .collect();
        let expected = [("a", 9000, true), ("b", 8080, true), ("c", 9000, false)];
        assert_eq!(found, expected.map(|(name, port, ready)| (name.to_owned(), port, ready)));
    }
}
