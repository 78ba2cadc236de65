//! The way to a target that is no address.

use std::path::PathBuf;

use super::failure::Failure;
use crate::plan::Target;
use crate::reach::Forward;

/// Starts a way to the pods of a Service, where the target is one, in the cluster that kubeconfigs lead to; it ends when
/// it is dropped.
pub(super) fn to(target: &Target, kubeconfig: &[PathBuf]) -> Result<Option<Forward>, Failure> {
    let start = |service| Forward::start(service, kubeconfig).map_err(Failure::other);
    target.service.as_ref().map(start).transpose()
}
