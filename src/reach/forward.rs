//! A way to the pods of a Service, and what is said between those who use it and whoever keeps the roster.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use super::cluster::{Cluster, Failed};
use super::roster::Hints;
use super::{Opened, Opening, Refusal, Seat, Way, service};
use crate::metrics::Route;
use crate::plan::Service;
use crate::words::ErrorKind;

/// A way to the pods of a Service. Its clones lead to the same; with the last of them its thread ends.
#[derive(Clone)]
pub struct Forward {
    words: UnboundedSender<Word>,
}

/// What is said to whoever keeps the roster.
pub(super) enum Word {
    /// Somebody wants a connection.
    Ask(oneshot::Sender<Result<Assigned, Refusal>>),
    /// A stream to that pod was opened, which took so long.
    Opened { pod: usize, took: Duration },
    /// A round trip on one took so long.
    RoundTrip(Duration),
    /// A connection is no more, over which so many requests were sent.
    Left { pod: usize, requests: u64 },
    /// A connection was broken off, or there was none to be had.
    Broke { pod: Option<usize> },
    /// Somebody wants to know how it went; moments are counted from that one.
    Report { origin: Instant, to: oneshot::Sender<Route> },
}

/// A pod, for somebody who asked for one.
pub(super) struct Assigned {
    pub(super) seat: PodSeat,
    pub(super) cluster: Arc<Cluster>,
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) port: u16,
}

/// The place of one connection at a pod.
pub(super) struct PodSeat {
    pod: usize,
    hints: Arc<Hints>,
    words: UnboundedSender<Word>,
    requests: u64,
}

impl Forward {
    /// Starts to look for the pods of a Service, in the cluster that kubeconfigs lead to; an error says why this cannot
    /// even be tried.
    pub fn start(service: &Service, kubeconfig: &[PathBuf]) -> Result<Self, String> {
        let (words, inbox) = unbounded_channel();
        let (service, kubeconfig, own) = (service.clone(), kubeconfig.to_vec(), words.downgrade());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime =
            runtime.map_err(|error| format!("no runtime could be started for port-forwards: {error}"))?;
        let thread = std::thread::Builder::new().name("forward".to_owned());
        thread
            .spawn(move || runtime.block_on(service::keep(service, kubeconfig, inbox, own)))
            .map_err(|error| format!("no thread could be started for port-forwards: {error}"))?;
        Ok(Self { words })
    }

    /// The way, for the engine.
    pub fn way(&self) -> Arc<dyn Way> {
        Arc::new(self.clone())
    }

    /// How requests travelled so far, in moments counted from the start of the load. `None` where that is not known,
    /// because palier failed at it.
    pub async fn report(&self, origin: Instant) -> Option<Route> {
        let (to, answer) = oneshot::channel();
        self.words.send(Word::Report { origin, to }).ok()?;
        answer.await.ok()
    }

    /// Asks for a pod, and makes a port-forward to it.
    async fn reach(&self) -> Result<Opened, Refusal> {
        let nobody = || {
            let message = "nobody keeps the list of pods any more, which is a bug of palier's";
            Refusal { kind: ErrorKind::Generator, message: message.to_owned() }
        };
        let (ask, told) = oneshot::channel();
        self.words.send(Word::Ask(ask)).map_err(|_| nobody())?;
        let Assigned { seat, cluster, namespace, name, port } = told.await.map_err(|_| nobody())??;
        let begin = Instant::now();
        let words = self.words.clone();
        let on_pong = move |took| say(&words, Word::RoundTrip(took));
        match cluster.forward(&namespace, &name, port, on_pong).await {
            Ok(stream) => {
                say(&self.words, Word::Opened { pod: seat.pod, took: begin.elapsed() });
                Ok(Opened { stream: Box::new(stream), seat: Box::new(seat) })
            }
            Err(Failed { refusal, of_pod }) => {
                say(&self.words, Word::Broke { pod: of_pod.then_some(seat.pod) });
                Err(refusal)
            }
        }
    }
}

impl Way for Forward {
    fn open(&self) -> Opening<'_> {
        Box::pin(self.reach())
    }
}

impl PodSeat {
    pub(super) fn new(pod: usize, hints: Arc<Hints>, words: UnboundedSender<Word>) -> Self {
        Self { pod, hints, words, requests: 0 }
    }
}

impl Seat for PodSeat {
    fn is_wanted_elsewhere(&self) -> bool {
        self.hints.is_wanted_elsewhere()
    }

    fn broke(&self) {
        say(&self.words, Word::Broke { pod: Some(self.pod) });
    }

    fn sent(&mut self, requests: u64) {
        self.requests = requests;
    }
}

impl Drop for PodSeat {
    fn drop(&mut self) {
        say(&self.words, Word::Left { pod: self.pod, requests: self.requests });
    }
}

/// With nobody there to listen the run is over.
fn say(words: &UnboundedSender<Word>, word: Word) {
    let _ = words.send(word);
}
