//! A run in windows of time.

use std::time::Duration;

use super::standard::noise;
use super::{PER_STEP, STEPS};
use crate::compare::recording::Step;
use crate::compare::{Bin, Circumstances, Recording, Times, Window};
use crate::report::recording;
use crate::report::summary::Windows;

/// Thirty seconds in windows of two, all times so many times as long as usual.
pub(super) fn windows(factor: f64) -> Windows {
    const N: u32 = 15;
    let step = |index: u32, name: &str| {
        let window = |n: u32| {
            let requests = PER_STEP / u64::from(N) + u64::from(u64::from(n) < PER_STEP % u64::from(N));
            // A slow moment slows all that is asked for in it.
            let moment = 1.0 + 0.1 * noise(n, 30);
            let bin = |k: u32| {
                let ms = factor * moment * (40.0 + 80.0 * noise(n, 40 + k + index).powi(3));
                Bin { from: (ms * 1e6).floor(), width: 1.0, count: 1.0 }
            };
            let mut bins: Vec<Bin> = (0..u32::try_from(requests).unwrap_or_default()).map(bin).collect();
            bins.sort_by(|a, b| a.from.total_cmp(&b.from));
            Window { requests, failed: 0, errors: 0, times: Times(bins).coarse() }
        };
        Step { name: name.to_owned(), windows: (0..N).map(window).collect(), times: Times::default() }
    };
    recording::pack(&Recording {
        run: Circumstances::default(),
        window: Duration::from_secs(2),
        steps: (0_u32..).zip(STEPS).map(|(index, (name, ..))| step(index, name)).collect(),
    })
}
