//! Whether a run differs from others: by how much, and how sure that is.
//!
//! Only numbers: functions of recorded series, drawn at random only from a fixed seed. The methods are published, and
//! each is cited where it stands; `docs/regression.md` says what they find and what they miss.
//!
//! - [`recording`]: a run as it is compared, by step and by window of time
//! - [`runs`]: two runs, figure by figure
//! - [`difference`]: one figure, and what may be said of it among many
//! - [`history`]: the newest run among earlier ones
//! - [`change_points`]: where a series of runs changed its level
//! - `bootstrap`: how much a figure would differ if the run were made again
//! - `track`: a run as numbers that can be drawn anew
//! - `student`: how far a mean of few observations strays

mod bootstrap;
pub mod change_points;
pub mod difference;
pub mod history;
pub mod recording;
pub mod runs;
mod student;
#[cfg(test)]
mod tests;
mod track;

pub use change_points::ChangePoint;
pub use difference::{Difference, Estimate, Figure};
pub use recording::{Bin, Circumstances, Recording, Times, Window};
pub use runs::{Comparison, Selected, Terms, compare, compare_figure};
