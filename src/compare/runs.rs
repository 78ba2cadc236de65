//! Two runs, or several baseline runs and one, figure by figure.

use std::time::Duration;

use super::bootstrap::{RESAMPLES, block_length, resample, standard_error};
use super::difference::{Difference, Estimate, Figure, settle};
use super::recording::{Recording, Times, Window};
use super::track::Track;
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

/// So many windows of equal weight they have to be worth: of what lies nearly all in one of them the others say nothing.
const LEAST_WORTH: f64 = 5.0;

/// Of what is drawn anew, so much has to have a figure: what is missing from more draws rests on too few of the windows.
const MOST_DRAWS: f64 = 0.9;

/// How well times of a whole run are known, as a fraction: half of the range that a value is recorded as.
const FINE: f64 = 0.0005;

/// The same of times that are put together from windows, which hold them to two digits.
const COARSE: f64 = 0.004;

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
    /// What makes a difference between the runs that lies not in the target: what was found is then only a hint.
    pub doubts: Vec<String>,
    /// What a reader must know beside that.
    pub notes: Vec<String>,
}

impl Comparison {
    /// What became of the run as a whole: worse as soon as anything is; else what can be said of all steps together.
    /// A figure for which there are too few requests is no part of that, but for those that make a comparison.
    pub fn change(&self) -> Change {
        let whole = || self.differences.iter().filter(|it| it.step.is_none() && it.estimate.is_some());
        let is_known = LEAST.iter().all(|figure| whole().any(|it| it.figure == *figure));
        let is_open = whole().any(|it| it.change == Change::Inconclusive);
        let any = |change: Change| self.differences.iter().any(|it| it.change == change);
        if any(Change::Worse) {
            Change::Worse
        } else if is_open || !is_known {
            Change::Inconclusive
        } else if any(Change::Better) {
            Change::Better
        } else {
            Change::Same
        }
    }

    /// What that makes of a verdict. Where there are doubts, what was found is a hint only, whatever it is.
    pub fn verdict(&self) -> Verdict {
        match self.change() {
            _ if !self.doubts.is_empty() => Verdict::Warn,
            Change::Worse => Verdict::Fail,
            Change::Inconclusive => Verdict::Warn,
            Change::Better | Change::Same => Verdict::Pass,
        }
    }
}

/// Figures of all steps together.
const WHOLE: [Figure; 5] =
    [Figure::Quantile(0.5), Figure::Quantile(0.95), Figure::Quantile(0.99), Figure::Rate, Figure::Errors];

/// Those of them without which nothing can be said of a run. A `p(99)` takes a thousand answers, and is left out where there
/// are fewer.
const LEAST: [Figure; 2] = [Figure::Quantile(0.95), Figure::Errors];

/// Figures of each step.
const EACH: [Figure; 3] = [Figure::Quantile(0.5), Figure::Quantile(0.95), Figure::Errors];

/// Compares a run with one or more baseline runs. The same runs give the same comparison: what is drawn at random is
/// drawn from a fixed seed.
pub fn compare(base: &[Recording], new: &Recording, terms: Terms) -> Comparison {
    let (base, new) = aligned(base, new);
    let pair = Pair { base: &base, new: &new, paired: paired(&base, &new), resolution: FINE, terms };
    let mut differences = pair.differences(None, &WHOLE);
    for step in &new.steps {
        if base.iter().all(|it| it.has(&step.name)) {
            differences.extend(pair.differences(Some(&step.name), &EACH));
        }
    }
    settle(&mut differences, terms.alpha);
    let windows = pair.windows();
    let mut notes = Vec::new();
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
    // First windows of one length, so that the same ones lie within the stretches.
    let (base, new) = aligned(base, new);
    let base: Vec<Recording> = base.iter().map(|it| selection.of(it)).collect();
    let new = selection.of(&new);
    let resolution = if selection.stretches.is_some() { COARSE } else { FINE };
    let pair = Pair { base: &base, new: &new, paired: paired(&base, &new), resolution, terms };
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

/// Whether the same window of all runs saw the same load.
fn paired(base: &[Recording], new: &Recording) -> bool {
    base.iter().all(|it| it.run.stages == new.run.stages)
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
    if !paired(base, new) {
        doubts.push("the runs were not planned alike: their stages differ".to_owned());
    }
    let not_in_all = new.steps.iter().filter(|step| !base.iter().all(|it| it.has(&step.name)));
    doubts.extend(not_in_all.map(|step| format!("the step `{}` is not in the baseline", step.name)));
    for step in base.iter().flat_map(|it| &it.steps).filter(|step| !new.has(&step.name)) {
        let doubt = format!("the step `{}` is in the baseline alone", step.name);
        if !doubts.contains(&doubt) {
            doubts.push(doubt);
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
    /// How well times are known at best, as a fraction.
    resolution: f64,
    terms: Terms,
}

/// How sure a difference is by what varies within the runs.
#[derive(Clone, Copy, Debug)]
struct Within {
    /// Its standard error.
    error: f64,
    /// The degrees of freedom of that.
    freedom: f64,
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
        let within =
            if n < LEAST_WINDOWS { vec![None; figures.len()] } else { self.within(&each, &new, figures, n) };
        (figures.iter().enumerate())
            .map(|(index, figure)| {
                let bases: Vec<f64> = each.iter().filter_map(|it| it.figure(*figure)).collect();
                let complete = bases.len() == each.len() && !bases.is_empty();
                let base = complete.then(|| bases.iter().sum::<f64>() / bases.len() as f64);
                let value = new.figure(*figure);
                let enough =
                    each.iter().chain([&new]).all(|it| it.samples(*figure) >= figure.least_samples());
                let estimate = within[index]
                    .filter(|_| enough && complete)
                    .and_then(|within| self.estimate(*figure, &bases, value?, within, (&each, &new)));
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

    /// How sure each figure's difference is by what varies within the runs; `None` where too few windows hold what it
    /// rests on.
    fn within(&self, each: &[Track], new: &Track, figures: &[Figure], n: usize) -> Vec<Option<Within>> {
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
        let within = |(figure, drawn): (&Figure, &Vec<f64>)| {
            let tracks = || each.iter().chain([new]);
            let occupied = tracks().map(|it| it.occupied(*figure, n)).min().unwrap_or(0);
            let worth = tracks().map(|it| it.worth(*figure, n)).fold(f64::INFINITY, f64::min);
            let is_spread = occupied >= LEAST_WINDOWS && worth >= LEAST_WORTH;
            if !is_spread || (drawn.len() as f64) < MOST_DRAWS * RESAMPLES as f64 {
                return None;
            }
            // A single block would leave nothing that varies.
            let blocks = (worth / block as f64).max(2.0);
            Some(Within { error: standard_error(drawn, blocks), freedom: (blocks - 1.0).max(2.0) })
        };
        figures.iter().zip(&drawn).map(within).collect()
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
        within: Within,
        tracks: (&[Track], &Track),
    ) -> Option<Estimate> {
        let n_runs = bases.len() as f64;
        let contrasts: Vec<f64> = bases.iter().map(|base| contrast(figure, *base, new)).collect();
        let value = contrasts.iter().sum::<f64>() / n_runs;
        let effect = if figure.is_share() { self.terms.points } else { self.terms.effect.ln_1p() };
        // A figure is known as well as it was recorded at best; a share of n requests to what one of them makes. The value is off
        // the mean of the baseline runs, each of which counts for so much of it.
        let least = if figure.is_share() {
            let (each, new) = tracks;
            let base = each.iter().map(|it| it.share_error(figure).powi(2)).sum::<f64>() / n_runs.powi(2);
            (base + new.share_error(figure).powi(2)).sqrt()
        } else {
            self.resolution
        };
        let Within { error, freedom } = within;
        let within = error.max(least).powi(2);
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
