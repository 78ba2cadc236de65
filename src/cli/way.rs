//! The way to a target that is no address.

use super::failure::Failure;
use crate::plan::Target;
use crate::reach::Forward;

/// Starts a way to the pods of a Service, where the target is one; it ends when it is dropped.
pub(super) fn to(target: &Target) -> Result<Option<Forward>, Failure> {
    target.service.as_ref().map(|service| Forward::start(service).map_err(Failure::other)).transpose()
}
