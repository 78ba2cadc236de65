//! A run or a step as numbers that can be drawn anew, window by window.

use super::difference::Figure;
use super::recording::{Recording, Times, Window};

/// A run or a step as numbers to draw from.
pub(super) struct Track {
    requests: f64,
    failed: f64,
    errors: f64,
    /// Requests per second.
    rate: f64,
    times: Times,
    windows: Vec<Counts>,
    /// The range of each coarse bin, in milliseconds.
    bins: Vec<(f64, f64)>,
}

/// One window, its times as counts by bin.
#[derive(Clone, Default)]
struct Counts {
    requests: f64,
    failed: f64,
    errors: f64,
    times: Vec<(usize, f64)>,
}

impl Track {
    pub(super) fn of(recording: &Recording, step: Option<&str>) -> Self {
        let n = recording.whole_windows();
        let steps = || recording.steps.iter().filter(|own| step.is_none_or(|step| own.name == step));
        let mut windows = vec![Window::default(); n];
        let mut all = Window::default();
        let mut times = Times::default();
        for step in steps() {
            times.merge(&step.times);
            for window in &step.windows {
                all.requests += window.requests;
                all.failed += window.failed;
                all.errors += window.errors;
            }
            windows.iter_mut().zip(&step.windows).for_each(|(own, add)| own.merge(add));
        }
        let rated: u64 = windows.iter().map(|window| window.requests).sum();
        let rated_time = (recording.window * u32::try_from(n).unwrap_or(u32::MAX)).as_secs_f64();
        let mut track = Self {
            requests: all.requests as f64,
            failed: all.failed as f64,
            errors: all.errors as f64,
            rate: rated as f64 / rated_time,
            times,
            windows: Vec::new(),
            bins: Vec::new(),
        };
        track.lay_out(&windows);
        track
    }

    fn lay_out(&mut self, windows: &[Window]) {
        let mut froms: Vec<(f64, f64)> =
            windows.iter().flat_map(|it| &it.times.0).map(|bin| (bin.from, bin.width)).collect();
        froms.sort_by(|a, b| a.0.total_cmp(&b.0));
        froms.dedup();
        self.windows = (windows.iter())
            .map(|window| Counts {
                requests: window.requests as f64,
                failed: window.failed as f64,
                errors: window.errors as f64,
                times: (window.times.0.iter())
                    .filter_map(|bin| {
                        let index = froms.binary_search_by(|(from, _)| from.total_cmp(&bin.from)).ok()?;
                        Some((index, bin.count))
                    })
                    .collect(),
            })
            .collect();
        self.bins = froms.into_iter().map(|(from, width)| (from / 1e6, width / 1e6)).collect();
    }

    /// Several runs of one plan as one: window upon window.
    pub(super) fn pooled(each: &[Self]) -> Self {
        let mut bins: Vec<(f64, f64)> = each.iter().flat_map(|it| it.bins.iter().copied()).collect();
        bins.sort_by(|a, b| a.0.total_cmp(&b.0));
        bins.dedup();
        let n = each.iter().map(|it| it.windows.len()).min().unwrap_or(0);
        let mut windows = vec![Counts::default(); n];
        for track in each {
            for (own, add) in windows.iter_mut().zip(&track.windows) {
                own.requests += add.requests;
                own.failed += add.failed;
                own.errors += add.errors;
                own.times.extend(add.times.iter().filter_map(|(index, count)| {
                    let from = track.bins[*index].0;
                    Some((bins.binary_search_by(|(own, _)| own.total_cmp(&from)).ok()?, *count))
                }));
            }
        }
        let sum = |of: fn(&Self) -> f64| each.iter().map(of).sum::<f64>();
        let mut times = Times::default();
        for track in each {
            times.merge(&track.times);
        }
        Self {
            requests: sum(|it| it.requests),
            failed: sum(|it| it.failed),
            errors: sum(|it| it.errors),
            rate: sum(|it| it.rate) / each.len() as f64,
            times,
            windows,
            bins,
        }
    }

    /// The figure of the whole run, as reports show it.
    pub(super) fn figure(&self, figure: Figure) -> Option<f64> {
        match figure {
            Figure::Quantile(q) => self.times.quantile(q),
            Figure::Mean => self.times.mean(),
            Figure::Rate => Some(self.rate).filter(|rate| *rate > 0.0),
            Figure::Errors => (self.requests > 0.0).then(|| self.errors / self.requests),
            Figure::Failed => (self.requests > 0.0).then(|| self.failed / self.requests),
        }
    }

    /// How many answers or requests a figure rests on.
    pub(super) fn samples(&self, figure: Figure) -> f64 {
        match figure {
            Figure::Quantile(_) | Figure::Mean => self.times.count(),
            Figure::Rate | Figure::Errors | Figure::Failed => self.requests,
        }
    }

    /// In how many of its first windows there is something that a figure rests on.
    pub(super) fn occupied(&self, figure: Figure, n: usize) -> usize {
        self.weights(figure, n).filter(|weight| *weight > 0.0).count()
    }

    /// How many windows of equal weight its windows are worth: where one holds nearly everything, hardly more than one
    /// (Kish, "Survey Sampling", 1965).
    pub(super) fn worth(&self, figure: Figure, n: usize) -> f64 {
        let (sum, squares) = self
            .weights(figure, n)
            .fold((0.0, 0.0), |(sum, squares), weight| (sum + weight, squares + weight * weight));
        if squares > 0.0 { sum * sum / squares } else { 0.0 }
    }

    /// How much of what a figure rests on lies in each window: answers for times, requests for all else.
    fn weights(&self, figure: Figure, n: usize) -> impl Iterator<Item = f64> {
        self.windows.iter().take(n).map(move |window| match figure {
            Figure::Quantile(_) | Figure::Mean => window.times.iter().map(|(_, count)| count).sum(),
            Figure::Rate | Figure::Errors | Figure::Failed => window.requests,
        })
    }

    /// The error of a share of so many requests, were they independent; never 0, even if none of them failed. Where two
    /// shares are compared, one more that failed and one more that did not are what makes their interval right (Agresti &
    /// Caffo, "Simple and effective confidence intervals for proportions and differences of proportions", 2000).
    pub(super) fn share_error(&self, figure: Figure) -> f64 {
        let yes = if figure == Figure::Failed { self.failed } else { self.errors };
        let share = (yes + 1.0) / (self.requests + 2.0);
        (share * (1.0 - share) / (self.requests + 2.0)).sqrt()
    }

    /// The same run with its windows drawn so many times each.
    pub(super) fn drawn<'a>(&'a self, times: &'a [f64]) -> Drawn<'a> {
        let mut drawn = Drawn {
            track: self,
            requests: 0.0,
            failed: 0.0,
            errors: 0.0,
            counts: vec![0.0; self.bins.len()],
        };
        for (window, times) in self.windows.iter().zip(times).filter(|(_, times)| **times > 0.0) {
            drawn.requests += times * window.requests;
            drawn.failed += times * window.failed;
            drawn.errors += times * window.errors;
            for (index, count) in &window.times {
                drawn.counts[*index] += times * count;
            }
        }
        drawn
    }

    /// What each window adds to a figure, to first order: of a quantile the values above it beyond the share that is
    /// to be there.
    pub(super) fn influence(&self, figure: Figure, n: usize) -> Vec<f64> {
        let total: f64 = self.windows.iter().map(|it| it.requests).sum::<f64>().max(1.0);
        let bound = match figure {
            Figure::Quantile(_) | Figure::Mean => self.figure(figure).unwrap_or(0.0),
            Figure::Rate | Figure::Errors | Figure::Failed => 0.0,
        };
        let of = |window: &Counts| match figure {
            Figure::Quantile(q) => {
                let above = window.times.iter().filter(|(index, _)| self.bins[*index].0 >= bound);
                above.map(|(_, count)| count).sum::<f64>() - (1.0 - q) * window.requests
            }
            Figure::Mean => {
                window.times.iter().map(|(index, count)| (self.bins[*index].0 / bound - 1.0) * count).sum()
            }
            Figure::Rate => window.requests,
            Figure::Errors => window.errors - self.errors / self.requests.max(1.0) * window.requests,
            Figure::Failed => window.failed - self.failed / self.requests.max(1.0) * window.requests,
        };
        self.windows.iter().take(n).map(|window| of(window) / total).collect()
    }
}

/// A run made again of windows of its own.
pub(super) struct Drawn<'a> {
    track: &'a Track,
    requests: f64,
    failed: f64,
    errors: f64,
    counts: Vec<f64>,
}

impl Drawn<'_> {
    pub(super) fn figure(&self, figure: Figure) -> Option<f64> {
        match figure {
            Figure::Quantile(q) => self.quantile(q),
            Figure::Mean => {
                let count: f64 = self.counts.iter().sum();
                let middles = self.track.bins.iter().map(|(from, width)| from + width / 2.0);
                let sum: f64 = middles.zip(&self.counts).map(|(middle, count)| middle * count).sum();
                (count > 0.0).then(|| sum / count)
            }
            Figure::Rate => Some(self.requests).filter(|requests| *requests > 0.0),
            Figure::Errors => (self.requests > 0.0).then(|| self.errors / self.requests),
            Figure::Failed => (self.requests > 0.0).then(|| self.failed / self.requests),
        }
    }

    /// Between the ends of its bin, so that a quantile that moves within one is seen to move.
    fn quantile(&self, q: f64) -> Option<f64> {
        let rank = q * self.counts.iter().sum::<f64>();
        let mut seen = 0.0;
        for ((from, width), count) in self.track.bins.iter().zip(&self.counts) {
            if *count > 0.0 && seen + count >= rank {
                return Some(from + width * ((rank - seen) / count).clamp(0.0, 1.0));
            }
            seen += count;
        }
        None
    }
}
