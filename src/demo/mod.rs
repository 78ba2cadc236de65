//! The embedded employees API.
