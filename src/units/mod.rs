//! Quantities with a unit: read from profiles, shown in reports.
//!
//! Every quantity has two ways of being shown. The *written* form (`1m30s`, `64 KiB`, `10%`) is what a profile
//! holds: parsing it gives the same value again, to the last bit. The *human* form (`612 ms`, `31.1/s`,
//! `1.4 MB`, `3.2 %`) is for reports: three significant digits, and no way back.
//!
//! A bare number is never a quantity here: what it means depends on where it stands, so that is decided there.

mod bytes;
mod duration;
mod fraction;
mod number;
mod percentile;
mod rate;

pub use bytes::Bytes;
pub use duration::{human_duration, parse_duration, show_duration};
pub use fraction::Fraction;
pub use number::human_number;
pub use percentile::Percentile;
pub use rate::Rate;

/// Why a text is no quantity: a fragment that fits after the text itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnitError(pub(crate) String);
