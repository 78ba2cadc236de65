//! Two runs, or several baseline runs and one, figure by figure.

use std::time::Duration;

use super::bootstrap::{RESAMPLES, block_length, resample, standard_error};
use super::difference::{Difference, Estimate, Figure, settle};
use super::recording::{Recording, Times, Window};
use crate::words::{Change, Verdict};

/// What counts as a difference, and how sure it must be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    /// The least change of a time or a rate that matters, as a fraction.
    pub effect: f64,
    /// The least difference of a share that matters.
    pub points: f64,
    /// The share of false alarms among what is called changed.
    pub alpha: f64,
}

impl Default for Terms {
    fn default() -> Self {
        Self { effect: 0.05, points: 0.01, alpha: 0.05 }
    }
}

/// Fewer windows than this show nothing of how a run varies.
const LEAST_WINDOWS: usize = 10;

/// A run compared with a baseline.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// What was asked of it.
    pub terms: Terms,
    /// Every figure: those of all steps together first, then step by step.
    pub differences: Vec<Difference>,
    /// How many windows it rests on.
    pub windows: usize,
    /// How long each is.
    pub window: Duration,
    /// What makes a difference between the runs that lies not in the target: a change is then only a hint.
    pub doubts: Vec<String>,
    /// What a reader must know beside that.
    pub notes: Vec<String>,
}

impl Comparison {
    /// What became of the run as a whole: worse as soon as anything is; else what can be said of all steps together.
    /// A figure for which there are too few requests is no part of that.
    pub fn change(&self) -> Change {
        let whole = self.differences.iter().filter(|it| it.step.is_none() && it.estimate.is_some());
        let whole = whole.map(|it| it.change).max();
        let any = |change: Change| self.differences.iter().any(|it| it.change == change);
        if any(Change::Worse) {
            Change::Worse
        } else if whole.is_none_or(|change| change == Change::Inconclusive) {
            Change::Inconclusive
        } else if any(Change::Better) {
            Change::Better
        } else {
            Change::Same
        }
    }

    /// What that makes of a verdict. A change for the worse is a hint only where there are doubts.
    pub fn verdict(&self) -> Verdict {
        match self.change() {
            Change::Worse if self.doubts.is_empty() => Verdict::Fail,
            Change::Worse | Change::Inconclusive => Verdict::Warn,
            Change::Better | Change::Same => Verdict::Pass,
        }
    }
}

/// Figures of all steps together.
const WHOLE: [Figure; 5] =
    [Figure::Quantile(0.5), Figure::Quantile(0.95), Figure::Quantile(0.99), Figure::Rate, Figure::Errors];

/// Figures of each step.
const EACH: [Figure; 3] = [Figure::Quantile(0.5), Figure::Quantile(0.95), Figure::Errors];

/// Compares a run with one or more baseline runs. The same runs give the same comparison: what is drawn at random is
/// drawn from a fixed seed.
pub fn compare(base: &[Recording], new: &Recording, terms: Terms) -> Comparison {
    let (base, new) = aligned(base, new);
    let mut notes = Vec::new();
    let paired = base.iter().all(|it| it.run.stages == new.run.stages);
    if !paired {
        notes.push("the runs were not planned alike: their stages differ".to_owned());
    }
    let pair = Pair { base: &base, new: &new, paired, terms };
    let mut differences = pair.differences(None, &WHOLE);
    for step in &new.steps {
        if base.iter().all(|it| it.steps.iter().any(|other| other.name == step.name)) {
            differences.extend(pair.differences(Some(&step.name), &EACH));
        } else {
            notes.push(format!("the step `{}` is not in the baseline", step.name));
        }
    }
    for step in base.iter().flat_map(|it| &it.steps) {
        let note = format!("the step `{}` is in the baseline alone", step.name);
        if !new.steps.iter().any(|other| other.name == step.name) && !notes.contains(&note) {
            notes.push(note);
        }
    }
    settle(&mut differences, terms.alpha);
    let windows = pair.windows();
    if windows < LEAST_WINDOWS {
        notes.push(format!(
            "{windows} windows are too few to see how the runs vary: it takes {LEAST_WINDOWS} at least"
        ));
    }
    Comparison { terms, differences, windows, window: new.window, doubts: doubts(&base, &new), notes }
}

/// One selected figure of a run against a baseline, for a threshold: some steps, and windows wholly within some
/// stretches of the load, by default all of it.
pub fn compare_figure(
    base: &[Recording],
    new: &Recording,
    selection: &Selected<'_>,
    figure: Figure,
    terms: Terms,
) -> Difference {
    let narrowed: Vec<Recording> = base.iter().map(|it| selection.of(it)).collect();
    let (base, new) = aligned(&narrowed, &selection.of(new));
    let paired = base.iter().all(|it| it.run.stages == new.run.stages);
    let pair = Pair { base: &base, new: &new, paired, terms };
    let mut found = pair.differences(None, &[figure]);
    settle(&mut found, terms.alpha);
    found.remove(0)
}

/// A part of a run.
#[derive(Clone, Copy, Debug)]
pub struct Selected<'a> {
    /// The steps, by name.
    pub steps: &'a [String],
    /// Stretches of the load, from and to; none for all of it.
    pub stretches: Option<&'a [(Duration, Duration)]>,
}

impl Selected<'_> {
    fn of(&self, recording: &Recording) -> Recording {
        let mut part = recording.clone();
        part.steps.retain(|step| self.steps.contains(&step.name));
        let Some(stretches) = self.stretches else { return part };
        let window = recording.window;
        let whole = recording.whole_windows();
        let mut begin = Duration::ZERO;
        let inside: Vec<bool> = (0..whole)
            .map(|_| {
                let end = begin + window;
                let inside = stretches.iter().any(|(from, to)| *from <= begin && end <= *to);
                begin = end;
                inside
            })
            .collect();
        for step in &mut part.steps {
            let windows = std::mem::take(&mut step.windows);
            let kept = windows.into_iter().zip(&inside).filter(|(_, inside)| **inside);
            step.windows = kept.map(|(window, _)| window).collect();
            step.times = Times::default();
            let all = step.windows.iter().fold(Window::default(), |mut all, window| {
                all.merge(window);
                all
            });
            step.times = all.times;
        }
        let kept = inside.iter().filter(|inside| **inside).count();
        part.run.load = window * u32::try_from(kept).unwrap_or(u32::MAX);
        part
    }
}

/// The same runs with windows of one length, as many of each.
fn aligned(base: &[Recording], new: &Recording) -> (Vec<Recording>, Recording) {
    let mut all: Vec<Recording> = base.iter().chain([new]).cloned().collect();
    let longest = all.iter().map(|it| it.window).max().unwrap_or_default();
    for recording in &mut all {
        while !recording.window.is_zero() && recording.window < longest {
            recording.halve();
        }
    }
    let new = all.pop().unwrap_or_default();
    (all, new)
}

/// What makes a difference between runs that lies not in the target.
fn doubts(base: &[Recording], new: &Recording) -> Vec<String> {
    let mut doubts = Vec::new();
    if base.iter().any(|it| it.run.fingerprint != new.run.fingerprint) {
        doubts.push("the runs were made on different machines".to_owned());
    }
    // The same profile may be named by its path or without it.
    let stem = |profile: &str| {
        let name = profile.rsplit(['/', '\\']).next().unwrap_or(profile);
        name.strip_suffix(".toml").unwrap_or(name).to_owned()
    };
    if base.iter().any(|it| stem(&it.run.profile) != stem(&new.run.profile)) {
        doubts.push("the runs are of different profiles".to_owned());
    }
    for (whose, run) in base.iter().map(|it| ("baseline", &it.run)).chain([("new", &new.run)]) {
        if !run.sound {
            doubts.push(format!("palier itself did not keep up in the {whose} run {}", run.id));
        }
        if !run.complete {
            doubts.push(format!("the {whose} run {} ended before its plan was done", run.id));
        }
    }
    doubts
}

/// Runs that are compared.
struct Pair<'a> {
    base: &'a [Recording],
    new: &'a Recording,
    /// Whether the same window of both runs saw the same load, so that its course cancels out.
    paired: bool,
    terms: Terms,
}

impl Pair<'_> {
    fn windows(&self) -> usize {
        self.base.iter().chain([self.new]).map(Recording::whole_windows).min().unwrap_or(0)
    }

    /// Some figures of a step, or of all of them together.
    fn differences(&self, step: Option<&str>, figures: &[Figure]) -> Vec<Difference> {
        let new = Track::of(self.new, step);
        let each: Vec<Track> = self.base.iter().map(|it| Track::of(it, step)).collect();
        let n = self.windows();
        let errors = if n < LEAST_WINDOWS { None } else { Some(self.errors(&each, &new, figures, n)) };
        (figures.iter().enumerate())
            .map(|(index, figure)| {
                let bases: Vec<f64> = each.iter().filter_map(|it| it.figure(*figure)).collect();
                let complete = bases.len() == each.len() && !bases.is_empty();
                let base = complete.then(|| bases.iter().sum::<f64>() / bases.len() as f64);
                let value = new.figure(*figure);
                let enough = each.iter().chain([&new]).all(|it| it.requests >= figure.least_requests());
                let estimate = errors
                    .as_ref()
                    .filter(|_| enough && complete)
                    .and_then(|errors| self.estimate(*figure, &bases, value?, errors[index], (&each, &new)));
                Difference {
                    step: step.map(str::to_owned),
                    figure: *figure,
                    base,
                    new: value,
                    estimate,
                    change: Change::Inconclusive,
                    interval: None,
                    longer: None,
                }
            })
            .collect()
    }

    /// The standard error of each figure's difference within the runs, with its degrees of freedom.
    fn errors(&self, each: &[Track], new: &Track, figures: &[Figure], n: usize) -> Vec<(f64, f64)> {
        let base = Track::pooled(each);
        let block = self.block(&base, new, figures, n);
        let mut rng = fastrand::Rng::with_seed(0x7061_6c69_6572);
        let mut drawn = vec![Vec::with_capacity(RESAMPLES); figures.len()];
        for _ in 0..RESAMPLES {
            let times = resample(&mut rng, n, block);
            let other = if self.paired { times.clone() } else { resample(&mut rng, n, block) };
            let (base, new) = (base.drawn(&times), new.drawn(&other));
            for (figure, drawn) in figures.iter().zip(&mut drawn) {
                let difference = base.figure(*figure).zip(new.figure(*figure));
                drawn.extend(
                    difference.map(|(base, new)| contrast(*figure, base, new)).filter(|it| it.is_finite()),
                );
            }
        }
        let freedom = (n as f64 / block as f64 - 1.0).max(2.0);
        drawn.iter().map(|drawn| (standard_error(drawn, n, block), freedom)).collect()
    }

    /// The length of a block that suits all figures: what they have in common is what lasts.
    fn block(&self, base: &Track, new: &Track, figures: &[Figure], n: usize) -> usize {
        let length = |figure: &Figure| {
            let (base, new) = (base.influence(*figure, n), new.influence(*figure, n));
            if self.paired {
                let differences: Vec<f64> = base.iter().zip(&new).map(|(base, new)| new - base).collect();
                block_length(&differences)
            } else {
                block_length(&base).max(block_length(&new))
            }
        };
        figures.iter().map(length).max().unwrap_or(1)
    }

    fn estimate(
        &self,
        figure: Figure,
        bases: &[f64],
        new: f64,
        (within, freedom): (f64, f64),
        tracks: (&[Track], &Track),
    ) -> Option<Estimate> {
        let n_runs = bases.len() as f64;
        let contrasts: Vec<f64> = bases.iter().map(|base| contrast(figure, *base, new)).collect();
        let value = contrasts.iter().sum::<f64>() / n_runs;
        let effect = if figure.is_share() { self.terms.points } else { self.terms.effect.ln_1p() };
        // Figures are known to a thousandth at best; a share of n requests to what one of them makes.
        let least = if figure.is_share() {
            let (each, new) = tracks;
            each.iter().chain([new]).map(|it| it.share_error(figure).powi(2)).sum::<f64>().sqrt()
        } else {
            0.0005
        };
        let within = within.max(least).powi(2);
        // What runs of the same build differ by beyond what varies within them.
        let spread = contrasts.iter().map(|it| (it - value).powi(2)).sum::<f64>() / (n_runs - 1.0).max(1.0);
        let between = (spread - within / (1.0 + 1.0 / n_runs)).max(0.0) * (1.0 + 1.0 / n_runs);
        let error = (within + between).sqrt();
        // Welch and Satterthwaite.
        let freedom = if between > 0.0 {
            (within + between).powi(2) / (within.powi(2) / freedom + between.powi(2) / (n_runs - 1.0))
        } else {
            freedom
        };
        (value.is_finite() && error.is_finite()).then_some(Estimate { value, error, freedom, effect })
    }
}

/// By how much two figures differ, on the scale on which they are compared.
fn contrast(figure: Figure, base: f64, new: f64) -> f64 {
    if figure.is_share() { new - base } else { (new / base).ln() }
}

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
    fn pooled(each: &[Self]) -> Self {
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

    /// The error of a share of so many requests, were they independent; never 0, even if none of them failed (Agresti &
    /// Coull 1998).
    fn share_error(&self, figure: Figure) -> f64 {
        let yes = if figure == Figure::Failed { self.failed } else { self.errors };
        let share = (yes + 1.0) / (self.requests + 2.0);
        (share * (1.0 - share) / (self.requests + 2.0)).sqrt()
    }

    /// The same run with its windows drawn so many times each.
    fn drawn<'a>(&'a self, times: &'a [f64]) -> Drawn<'a> {
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
    fn influence(&self, figure: Figure, n: usize) -> Vec<f64> {
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

struct Drawn<'a> {
    track: &'a Track,
    requests: f64,
    failed: f64,
    errors: f64,
    counts: Vec<f64>,
}

impl Drawn<'_> {
    fn figure(&self, figure: Figure) -> Option<f64> {
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
