//! What was measured.
//!
//! A worker records into its own [`Recorder`]; once a second it hands its interval over, and the collector adds
//! it to the [`Results`]. Workers, shards and machines are all merged by one operation, which is exact,
//! associative and commutative: nothing here depends on who recorded what, or in which order it arrived.
//!
//! Results are kept in [`Cell`]s, one for each pair of a span of the run (a stage, the grace after it, setup,
//! clean-up) and a step. Whatever a selector picks is a union of cells, so that no request is recorded twice
//! for being selected twice. Beside the cells stands a series of one-second points, and what observers saw
//! ([`Observed`]).
//!
//! This room knows no sockets, no clock and no files.

mod cell;
mod histogram;
mod measure;
mod observed;
mod recorder;
mod results;
mod route;
mod seconds;
mod trend;
mod vitals;

pub use cell::{Cell, CheckCount, ErrorCount, FirstError, Trends};
pub use histogram::{Bucket, Histogram, LONGEST, Packed};
pub use measure::{Measured, millis, over_run, over_windows, stretches_of};
pub use observed::{
    Autoscaler, Feed, Incident, Line, Observed, Offset, Pod, Reading, Stretch, Symptom, SymptomKind, Track,
    Watch,
};
pub use recorder::{Failure, Interval, IterationEnd, Recorder, Sample, Timings};
pub use results::{Cleanup, Clock, DatabaseCleanup, Generator, Iterations, Leftover, Results, Stop};
pub use route::{Route, RoutePod};
pub use seconds::{Point, Seconds, StepPoint};
pub use trend::Trend;
pub use vitals::{Share, Used, Vitals};
