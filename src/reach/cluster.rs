//! A cluster as `kubectl` finds it, and what bars the way to it, in words.

use std::io;
use std::time::Duration;

use http::StatusCode;
use kube::client::UpgradeConnectionError;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config, Error};
use tokio::io::{AsyncRead, AsyncWrite};

use super::socket::Socket;
use super::{Refusal, kind_of};
use crate::words::ErrorKind;

/// How long a connection to the API server may take.
const CONNECT: Duration = Duration::from_secs(4);

/// How long the API server may say nothing where it is asked something.
const ANSWER: Duration = Duration::from_secs(4);

/// The file that has the Role for port-forwards.
const ROLE: &str = "ci/kubernetes/forward.yaml";

/// How to reach a cluster: `KUBECONFIG`, `~/.kube/config`, or the service account of the pod that palier runs in.
/// Nothing is asked yet.
pub async fn config(context: Option<&str>) -> Result<Config, String> {
    let mut config = match context {
        Some(context) => {
            let options =
                KubeConfigOptions { context: Some(context.to_owned()), ..KubeConfigOptions::default() };
            Config::from_kubeconfig(&options).await.map_err(|error| {
                format!("the kubeconfig cannot be used with the context `{context}`: {}", chain(&error))
            })?
        }
        None => match Kubeconfig::read() {
            Ok(kubeconfig) => {
                let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
                config.map_err(|error| format!("the kubeconfig cannot be used: {}", chain(&error)))?
            }
            Err(unread) => Config::incluster().map_err(|_| {
                format!("no cluster is known: {} (`KUBECONFIG` names a kubeconfig)", chain(&unread))
            })?,
        },
    };
    (config.connect_timeout, config.read_timeout) = (Some(CONNECT), Some(ANSWER));
    // The next look is the next try.
    config.default_retry = false;
    Ok(config)
}

/// A client of a cluster, and the address of its API server for messages.
pub fn client(config: Config) -> Result<(Client, String), String> {
    let server = config.cluster_url.to_string().trim_end_matches('/').to_owned();
    let client = Client::try_from(config);
    client
        .map(|client| (client, server))
        .map_err(|error| format!("the kubeconfig cannot be used: {}", chain(&error)))
}

/// An error with all its causes, each said once.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

/// Why there is no port-forward.
pub(super) struct Failed {
    pub(super) refusal: Refusal,
    /// Whether it is for the pod or its node that there is none.
    pub(super) of_pod: bool,
}

/// A cluster whose pods can be reached.
pub(super) struct Cluster {
    /// For questions.
    pub(super) client: Client,
    /// For forwards, which are silent for as long as nobody says anything.
    forwards: Client,
    /// The API server, for messages.
    pub(super) server: String,
}

impl Cluster {
    pub(super) async fn connect(context: Option<&str>) -> Result<Self, String> {
        let config = config(context).await?;
        let mut silent = config.clone();
        (silent.read_timeout, silent.write_timeout) = (None, None);
        let (client, server) = client(config)?;
        let (forwards, _) = self::client(silent)?;
        Ok(Self { client, forwards, server })
    }

    /// Makes a port-forward to a pod; `on_pong` is told of its round trip.
    ///
    /// It is made and driven by whoever polls this: on that one's runtime. Whether anything listens at the port is
    /// known only once something was read.
    pub(super) async fn forward(
        &self,
        namespace: &str,
        pod: &str,
        port: u16,
        on_pong: impl Fn(Duration) + Send + 'static,
    ) -> Result<Socket<impl AsyncRead + AsyncWrite + Unpin + Send + 'static>, Failed> {
        let path = format!("/api/v1/namespaces/{namespace}/pods/{pod}/portforward?ports={port}");
        let request = http::Request::get(path).body(Vec::new());
        let request = request.map_err(|error| {
            let refusal = Refusal { kind: ErrorKind::Protocol, message: error.to_string() };
            Failed { refusal, of_pod: false }
        })?;
        match self.forwards.connect(request).await {
            Ok(connection) => Ok(Socket::new(connection.into_stream(), on_pong)),
            Err(error) => Err(self.refused(&error, pod)),
        }
    }

    /// Why there is no port-forward. Whatever it is, no request was sent.
    fn refused(&self, error: &Error, pod: &str) -> Failed {
        if let Some(status) = answered(error) {
            let server = &self.server;
            let why = match status {
                StatusCode::FORBIDDEN => format!(
                    "the API server at {server} forbids a port-forward to the pod {pod}: it takes the rights to `get` \
                     and `create` pods/portforward ({ROLE} has the Role)"
                ),
                StatusCode::UNAUTHORIZED => {
                    format!("the API server at {server} does not know who asks for a port-forward (401)")
                }
                StatusCode::NOT_FOUND => format!("there is no pod {pod} any more"),
                other => {
                    format!("the API server at {server} cannot reach the node of the pod {pod} ({other})")
                }
            };
            let of_pod = status == StatusCode::NOT_FOUND || status.is_server_error();
            let refusal = Refusal { kind: ErrorKind::ConnectRefused, message: why };
            return Failed { refusal, of_pod };
        }
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
        let mut kind = ErrorKind::ConnectRefused;
        while let Some(error) = cause {
            if let Some(io) = error.downcast_ref::<io::Error>() {
                kind = kind_of(io);
            }
            cause = error.source();
        }
        let message = format!("the API server at {} cannot be reached: {}", self.server, chain(error));
        Failed { refusal: Refusal { kind, message }, of_pod: false }
    }

    /// What a question was answered with instead.
    pub(super) fn refusal(&self, error: &Error) -> String {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "whatever else there is did not reach the API server"
        )]
        match error {
            Error::Api(status) if status.code == 403 => {
                format!("{} ({ROLE} has the Role that allows it)", status.message)
            }
            Error::Api(status) if status.code == 401 => {
                format!("the API server at {} does not know who asks: {}", self.server, status.message)
            }
            Error::Api(status) => status.message.clone(),
            other => format!("the API server at {} cannot be asked: {}", self.server, chain(other)),
        }
    }
}

/// The status that the API server answered with, where it answered.
fn answered(error: &Error) -> Option<StatusCode> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "whatever else there is did not reach the API server")]
    match error {
        Error::UpgradeConnection(UpgradeConnectionError::ProtocolSwitch(status)) => Some(*status),
        Error::Api(status) => StatusCode::from_u16(status.code).ok(),
        _ => None,
    }
}
