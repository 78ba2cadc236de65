//! A port of this machine that leads to a pod, for a client that takes no stream of ours: that of MySQL.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio::net::TcpListener;

use super::cluster::Cluster;
use super::service::{Look, look};
use crate::plan::{Service, ServicePort};

/// How long the client may take until it comes.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a client is to be connected with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behind {
    /// A pod of that Service.
    Service,
    /// The pod of that name.
    Pod,
}

/// Makes a port-forward to a pod, and a port on the loopback interface that leads to it. It takes one connection, the
/// first, and is closed at once; the forward lasts as long as that connection.
pub async fn port_to(service: &Service, behind: Behind, kubeconfig: &[PathBuf]) -> Result<u16, String> {
    let (cluster, name, port) = match (behind, &service.port) {
        (Behind::Pod, ServicePort::Number(port)) => {
            let cluster = Cluster::connect(kubeconfig, service.context.as_deref()).await?;
            (std::sync::Arc::new(cluster), service.name.clone(), *port)
        }
        (Behind::Pod, ServicePort::Name(port)) => return Err(format!("a pod has no port `{port}`")),
        (Behind::Service, _) => {
            let Look { cluster, endpoints, .. } = look(service, kubeconfig, None, None).await?;
            let first = endpoints.into_iter().find(|endpoint| endpoint.is_ready);
            let first = first.ok_or_else(|| {
                format!("the Service {}/{} has no pod that is ready", service.namespace, service.name)
            })?;
            (cluster, first.name, first.port)
        }
    };
    let forward = cluster.forward(&service.namespace, &name, port, |_| {}).await;
    let mut forward = forward.map_err(|failed| failed.refusal.message)?;
    let no_port = |error: io::Error| format!("no port of this machine for a port-forward: {error}");
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(no_port)?;
    let local = listener.local_addr().map_err(no_port)?.port();
    tokio::spawn(async move {
        let Ok(Ok((mut client, _))) = tokio::time::timeout(PATIENCE, listener.accept()).await else { return };
        drop(listener);
        // However it ends, the client sees it.
        let _ = tokio::io::copy_bidirectional(&mut client, &mut forward).await;
    });
    Ok(local)
}
