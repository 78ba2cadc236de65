//! A cluster as `kubectl` finds it, and what bars the way to it, in words.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use http::StatusCode;
use kube::client::UpgradeConnectionError;
use kube::config::{InClusterError, KubeConfigOptions, Kubeconfig, KubeconfigError};
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

/// How to reach a cluster as `kubectl` does, and the context that leads there: by kubeconfigs, those before others
/// hold, or else by the service account of the pod that palier runs in, which has no context. Nothing is asked yet.
///
/// Only what is not there is no reason to give up: a kubeconfig that cannot be read, or that lacks the context, must not
/// lead to another cluster than the one that it means.
pub async fn config(
    kubeconfig: &[PathBuf],
    context: Option<&str>,
) -> Result<(Config, Option<String>), String> {
    let (mut config, led) = match merged(kubeconfig)? {
        Some(merged) => {
            let led = context.map(str::to_owned).or_else(|| merged.current_context.clone());
            let options =
                KubeConfigOptions { context: context.map(str::to_owned), ..KubeConfigOptions::default() };
            let with = context.map(|it| format!(" with the context `{it}`")).unwrap_or_default();
            let config = Config::from_custom_kubeconfig(merged, &options).await;
            let config =
                config.map_err(|error| format!("the kubeconfig cannot be used{with}: {}", chain(&error)))?;
            (config, led)
        }
        None => (of_pod(kubeconfig, context)?, None),
    };
    (config.connect_timeout, config.read_timeout) = (Some(CONNECT), Some(ANSWER));
    // The next look is the next try.
    config.default_retry = false;
    Ok((config, led))
}

/// All kubeconfigs in one; `None` where there is none.
fn merged(paths: &[PathBuf]) -> Result<Option<Kubeconfig>, String> {
    let mut merged: Option<Kubeconfig> = None;
    for path in paths {
        let unusable = |why: &str| format!("the kubeconfig {} cannot be used: {why}", path.display());
        let next = match Kubeconfig::read_from(path) {
            Ok(next) => next,
            Err(KubeconfigError::ReadConfig(error, _)) if is_absence(&error) => continue,
            Err(KubeconfigError::ReadConfig(error, _)) => return Err(unusable(&error.to_string())),
            // What comes after the first line quotes the file, tokens and all.
            Err(error) => return Err(unusable(chain(&error).lines().next().unwrap_or_default())),
        };
        merged = Some(match merged {
            Some(before) => before.merge(next).map_err(|error| unusable(&chain(&error)))?,
            None => next,
        });
    }
    Ok(merged)
}

/// Whether nothing is there: users of services have folders that are none, such as `/dev/null`.
fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// The cluster of the pod that palier runs in, where there is no kubeconfig. It has no contexts.
fn of_pod(kubeconfig: &[PathBuf], context: Option<&str>) -> Result<Config, String> {
    let paths: Vec<String> = kubeconfig.iter().map(|path| path.display().to_string()).collect();
    let absence = if paths.is_empty() {
        "neither `KUBECONFIG` nor `HOME` is set".to_owned()
    } else {
        format!("there is no kubeconfig {} (`KUBECONFIG` names one)", paths.join(", nor "))
    };
    match (context, Config::incluster()) {
        (Some(context), _) => {
            Err(format!("no cluster is known that the context `{context}` leads to: {absence}"))
        }
        (None, Ok(config)) => Ok(config),
        (None, Err(InClusterError::ReadEnvironmentVariable(_))) => {
            Err(format!("no cluster is known: {absence}, and palier runs in no pod"))
        }
        (None, Err(error)) => Err(format!(
            "no cluster is known: {absence}, and the service account of this pod cannot be used: {}",
            chain(&error)
        )),
    }
}

/// What the API server, or the way to it, said no with. `role` names the file with the Role that allows it.
pub fn refusal(error: &Error, server: &str, role: &str) -> String {
    #[expect(clippy::wildcard_enum_match_arm, reason = "whatever else there is did not reach the API server")]
    match error {
        Error::Api(status) if status.code == 403 => {
            format!("{} ({role} has the Role that allows it)", status.message)
        }
        Error::Api(status) if status.code == 401 => {
            format!("the API server at {server} does not know who asks: {}", status.message)
        }
        Error::Api(status) => status.message.clone(),
        other => format!("the API server at {server} cannot be asked: {}", chain(other)),
    }
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
    pub(super) async fn connect(kubeconfig: &[PathBuf], context: Option<&str>) -> Result<Self, String> {
        let (config, _) = config(kubeconfig, context).await?;
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
        refusal(error, &self.server, ROLE)
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const WHOLE: &str = r#"
apiVersion: v1
kind: Config
current-context: there
contexts: [{ name: there, context: { cluster: there, user: me } }]
clusters: [{ name: there, cluster: { server: "http://127.0.0.1:1" } }]
users: [{ name: me, user: { token: geheim } }]
"#;

    /// A folder with a kubeconfig that is whole, and one that is broken; the third path leads to nothing.
    #[expect(clippy::disallowed_methods, reason = "this is no report")]
    fn kubeconfigs() -> (tempfile::TempDir, [PathBuf; 3]) {
        let folder = tempfile::tempdir().unwrap();
        let [whole, broken, missing] = ["whole", "broken", "missing"].map(|name| folder.path().join(name));
        fs::write(&whole, WHOLE).unwrap();
        fs::write(&broken, WHOLE.replace("token: geheim }", "token: geheim")).unwrap();
        (folder, [whole, broken, missing])
    }

    #[test]
    fn one_that_is_missing_is_skipped() {
        let (_folder, [whole, _, missing]) = kubeconfigs();
        let below_a_file = whole.join("config");
        let found = merged(&[missing.clone(), whole, below_a_file.clone()]).unwrap().expect("one is there");
        assert_eq!(found.current_context.as_deref(), Some("there"));
        assert!(merged(&[missing, below_a_file]).unwrap().is_none());
        assert!(merged(&[]).unwrap().is_none());
    }

    #[test]
    fn one_that_is_broken_is_named_and_nothing_of_it_is_shown() {
        let (folder, [whole, broken, _]) = kubeconfigs();
        for path in [&broken, &folder.path().to_path_buf()] {
            let why = merged(&[whole.clone(), path.clone()]).unwrap_err();
            assert!(why.starts_with(&format!("the kubeconfig {} cannot be used: ", path.display())), "{why}");
            assert!(!why.contains("geheim"), "{why}");
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn the_context_that_leads_to_a_cluster_is_known() {
        let (_folder, [whole, broken, missing]) = kubeconfigs();
        let (config, led) = config(&[missing.clone(), whole.clone()], None).await.unwrap();
        assert_eq!((config.cluster_url.port_u16(), led.as_deref()), (Some(1), Some("there")));
        let refused = async |path: &PathBuf, context| {
            super::config(std::slice::from_ref(path), context).await.expect_err("no way")
        };
        let why = refused(&whole, Some("elsewhere")).await;
        assert!(why.starts_with("the kubeconfig cannot be used with the context `elsewhere`: "), "{why}");
        let why = refused(&broken, None).await;
        assert!(why.contains(" cannot be used: "), "{why}");
        let why = refused(&missing, Some("elsewhere")).await;
        let expected = format!(
            "no cluster is known that the context `elsewhere` leads to: there is no kubeconfig {} (`KUBECONFIG` \
             names one)",
            missing.display()
        );
        assert_eq!(why, expected);
    }
}
