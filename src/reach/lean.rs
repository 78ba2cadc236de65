//! What a build without the feature `kubernetes` has in the place of a way to a cluster.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use super::Way;
use crate::metrics::Route;
use crate::plan::Service;

/// A way to the pods of a Service, which this build does not have.
pub struct Forward(Infallible);

impl Forward {
    /// Says that there is none.
    pub fn start(service: &Service, _: &[PathBuf]) -> Result<Self, String> {
        Err(format!(
            "this build of palier reaches no Kubernetes, and so not {service}: take one that was built with the \
             feature `kubernetes`, as by default"
        ))
    }

    /// The way, for the engine.
    pub fn way(&self) -> Arc<dyn Way> {
        match self.0 {}
    }

    /// How requests travelled.
    #[expect(clippy::unused_async, reason = "it is awaited in a build that has one")]
    pub async fn report(&self, _: Instant) -> Option<Route> {
        match self.0 {}
    }
}
