//! From a profile to a plan.

use std::path::PathBuf;
use std::time::Duration;

use http::Uri;

use super::compile::{Compiler, locate};
use super::{
    Connections, Executor, Load, LoadId, Place, Plan, Ready, Reuse, Service, ServicePort, Span, SpanId,
    Stage, Step, StepId, Target, observer, resolve,
};
use crate::profile::{self, At, Diagnostic, Found, Profile, SCHEME};
use crate::words::{ObserverKind, Phase};

/// What a plan is made of beside the profile.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The id of the run.
    pub run: String,
    /// Multiplies stages, durations, `start_after`, graces, windows and delays; above 0.
    pub time_scale: f64,
    /// Wait that long for the target to be ready, whatever the profile says.
    pub wait: Option<Duration>,
    /// The kubeconfigs that lead to a cluster, those before others hold.
    pub kubeconfig: Vec<PathBuf>,
}

/// How long one TCP connection may take: k6's figure.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// How old a connection becomes where nobody says it, and pods may be added that a connection kept for ever would
/// never meet.
const LIMITED_AGE: Duration = Duration::from_secs(30);

/// Compiles a profile; else all that is wrong with it, in the order of the files.
pub fn build(profile: &Profile, settings: &Settings) -> Result<Plan, Vec<Diagnostic>> {
    let mut diagnostics = Vec::new();
    let target = target(profile, settings, &mut diagnostics);
    let (slots, shared_slots) = slots(profile);
    let base = base(profile).to_owned();
    let mut compiler = Compiler {
        profile,
        run: &settings.run,
        authority: &target.authority,
        base: &base,
        slots: &slots,
        diagnostics: &mut diagnostics,
    };

    let mut steps: Vec<Step> = Vec::new();
    let mut loads = Vec::new();
    let mut spans = Vec::new();
    // The id of the first step of each scenario, in the first load that runs it.
    let mut first_steps = vec![0; profile.scenarios.len()];
    for (index, load) in profile.loads.iter().enumerate().rev() {
        let before: usize =
            profile.loads[..index].iter().map(|load| profile.scenarios[load.scenario].steps.len()).sum();
        first_steps[load.scenario] = id(before);
    }
    for (number, load) in (0_u16..).zip(&profile.loads) {
        let scenario = &profile.scenarios[load.scenario];
        let first = id(steps.len());
        let compiled = scenario.steps.iter().map(|step| compiler.step(step, Some(LoadId(number)), first));
        steps.extend(compiled.collect::<Vec<_>>());
        let executor = executor(&load.executor, settings.time_scale);
        let start_after = load.start_after.mul_f64(settings.time_scale);
        let first_span = id(spans.len());
        spans.extend(stages(load, &executor, start_after, LoadId(number)));
        loads.push(Load {
            name: load.name.value.clone(),
            executor,
            start_after,
            graceful_stop: load.graceful_stop.mul_f64(settings.time_scale),
            steps: (first..id(steps.len())).map(StepId).collect(),
            pause: scenario.pause,
            pace: scenario.pace,
            stages: (first_span..id(spans.len())).map(SpanId).collect(),
            // Set below, when all stages are laid out.
            grace: SpanId(0),
            slots: slots.len(),
        });
    }
    for (number, load) in (0_u16..).zip(&mut loads) {
        load.grace = SpanId(id(spans.len()));
        spans.push(Span { load: Some(LoadId(number)), start: load.end(), ..outside(Phase::Grace) });
    }
    spans.extend([Phase::Setup, Phase::Teardown, Phase::Cleanup].map(outside));

    let mut once = |steps_of: fn(&profile::Scenario) -> &Vec<profile::Step>| -> Vec<StepId> {
        let from = id(steps.len());
        for (scenario, first) in profile.scenarios.iter().zip(&first_steps) {
            steps.extend(
                steps_of(scenario).iter().map(|step| compiler.step(step, None, *first)).collect::<Vec<_>>(),
            );
        }
        (from..id(steps.len())).map(StepId).collect()
    };
    let setup = once(|scenario| &scenario.setup);
    let teardown = once(|scenario| &scenario.teardown);

    let mut plan = Plan {
        profile: profile.name.clone(),
        origin: match &profile.found {
            Found::Path(path) | Found::Folder(path) => Some(path.display().to_string()),
            Found::BuiltIn(_) => None,
        },
        description: profile.description.clone(),
        place: Place { file: main_file(profile), line: 1 },
        run: settings.run.clone(),
        time_scale: settings.time_scale,
        kubeconfig: settings.kubeconfig.clone(),
        target,
        loads,
        steps,
        spans,
        setup,
        teardown,
        shared_slots,
        slots,
        thresholds: Vec::new(),
        observers: observer::observers(profile),
        cleanup: observer::cleanup(profile, &settings.run),
        secrets: profile.secrets.clone(),
        shard: super::Shard::WHOLE,
        start_at: None,
    };
    plan.thresholds = resolve::thresholds(profile, &plan, &mut diagnostics);
    diagnostics.sort_by_key(|diagnostic| diagnostic.place);
    if diagnostics.is_empty() { Ok(plan) } else { Err(diagnostics) }
}

/// Ids have 16 bits; 65,535 steps or stages are more than a profile can be read with.
fn id(index: usize) -> u16 {
    u16::try_from(index).unwrap_or(u16::MAX)
}

fn outside(phase: Phase) -> Span {
    Span {
        phase,
        load: None,
        name: phase.name().to_owned(),
        start: Duration::ZERO,
        duration: Duration::ZERO,
        target: None,
    }
}

/// The file that the profile's own thresholds would be written in.
fn main_file(profile: &Profile) -> String {
    match &profile.found {
        Found::Path(path) | Found::Folder(path) => path.display().to_string(),
        Found::BuiltIn(name) => (*name).to_owned(),
    }
}

/// The names of all captures, those of `setup` first, and how many these are.
fn slots(profile: &Profile) -> (Vec<String>, usize) {
    let mut slots: Vec<String> = Vec::new();
    let mut add = |steps: &mut dyn Iterator<Item = &profile::Step>| {
        for capture in steps.flat_map(|step| &step.captures) {
            if !slots.contains(&capture.name.value) {
                slots.push(capture.name.value.clone());
            }
        }
        slots.len()
    };
    let shared = add(&mut profile.scenarios.iter().flat_map(|scenario| &scenario.setup));
    add(&mut profile.scenarios.iter().flat_map(|scenario| scenario.steps.iter().chain(&scenario.teardown)));
    (slots, shared)
}

fn target(profile: &Profile, settings: &Settings, diagnostics: &mut Vec<Diagnostic>) -> Target {
    let mut target = match &profile.target.at {
        At::Url(url) => {
            let target = Target::of(url);
            if target.host.is_empty() {
                diagnostics.push(Diagnostic::new(url.place, "the target has no host"));
            }
            target
        }
        At::Service(service) => Target::of_service(service),
    };
    let base = base(profile);
    target.ready = profile.target.ready.as_ref().map(|ready| Ready {
        path: format!("{base}{}", ready.get.value),
        status: ready.status,
        within: settings.wait.unwrap_or(ready.within),
        place: locate(profile, ready.get.place),
    });
    target.wait = settings.wait.unwrap_or_default();
    target.connections = profile.target.connections.clone();
    target.allow = profile.target.allow.iter().map(|url| Target::of(url)).collect();
    target.cookies = profile.target.cookies;
    let scales = (profile.observe.kubernetes.as_ref()).is_some_and(|cluster| cluster.hpa.is_some())
        && profile.observe.active.iter().any(|active| active.value == ObserverKind::Kubernetes);
    if target.connections.max_age.is_none() && target.connections.reuse == Reuse::Vu {
        target.limited_by = match (&target.service, scales) {
            (Some(_), _) => Some("the pods of a Service come and go"),
            (None, true) => Some("an autoscaler is observed"),
            (None, false) => None,
        };
        target.connections.max_age = target.limited_by.map(|_| LIMITED_AGE);
    }
    target
}

/// The path that all paths of the steps are below.
fn base(profile: &Profile) -> &str {
    profile.target.url().map_or("", |url| url.path().trim_end_matches('/'))
}

impl Target {
    /// What an `http` or `https` URL leads to, with nothing to wait for.
    pub fn of(url: &Uri) -> Self {
        let tls = url.scheme_str() == Some("https");
        let host = url.host().unwrap_or_default();
        let standard = if tls { 443 } else { 80 };
        let port = url.port_u16().unwrap_or(standard);
        Self {
            url: url.to_string().trim_end_matches('/').to_owned(),
            tls,
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port,
            authority: if port == standard { host.to_owned() } else { format!("{host}:{port}") },
            ready: None,
            wait: Duration::ZERO,
            connect_timeout: CONNECT_TIMEOUT,
            connections: Connections::default(),
            allow: Vec::new(),
            cookies: true,
            service: None,
            limited_by: None,
        }
    }

    /// What a Service of Kubernetes leads to, with nothing to wait for. Its pods are asked for it by the name that it
    /// has in its cluster.
    pub fn of_service(service: &Service) -> Self {
        let host = format!("{}.{}.svc", service.name, service.namespace);
        let port = match service.port {
            ServicePort::Number(number) => number,
            // Only the API server knows; nobody connects to it.
            ServicePort::Name(_) => 80,
        };
        Self {
            url: format!("{SCHEME}{service}"),
            tls: false,
            authority: if port == 80 { host.clone() } else { format!("{host}:{port}") },
            host,
            port,
            ready: None,
            wait: Duration::ZERO,
            connect_timeout: CONNECT_TIMEOUT,
            connections: Connections::default(),
            allow: Vec::new(),
            cookies: true,
            service: Some(service.clone()),
            limited_by: None,
        }
    }
}

fn executor(executor: &profile::Executor, time_scale: f64) -> Executor {
    let scaled = |duration: Duration| duration.mul_f64(time_scale);
    match executor {
        profile::Executor::RampingVus { start_vus, stages, graceful_ramp_down } => Executor::RampingVus {
            start_vus: *start_vus,
            stages: (stages.iter())
                .map(|stage| Stage { duration: scaled(stage.duration), target: stage.target })
                .collect(),
            graceful_ramp_down: scaled(*graceful_ramp_down),
        },
        profile::Executor::ConstantVus { vus, duration } => {
            Executor::ConstantVus { vus: *vus, duration: scaled(*duration) }
        }
        profile::Executor::PerVuIterations { vus, iterations, max_duration } => Executor::PerVuIterations {
            vus: *vus,
            iterations: *iterations,
            max_duration: scaled(*max_duration),
        },
        profile::Executor::SharedIterations { vus, iterations, max_duration } => Executor::SharedIterations {
            vus: *vus,
            iterations: *iterations,
            max_duration: scaled(*max_duration),
        },
        profile::Executor::ConstantArrivalRate { rate, duration, preallocated_vus, max_vus } => {
            Executor::ConstantArrivalRate {
                rate: rate.get(),
                duration: scaled(*duration),
                preallocated_vus: *preallocated_vus,
                max_vus: *max_vus,
            }
        }
        profile::Executor::RampingArrivalRate { start_rate, stages, preallocated_vus, max_vus } => {
            Executor::RampingArrivalRate {
                start_rate: start_rate.get(),
                stages: (stages.iter())
                    .map(|stage| Stage { duration: scaled(stage.duration), target: stage.target.get() })
                    .collect(),
                preallocated_vus: *preallocated_vus,
                max_vus: *max_vus,
            }
        }
    }
}

/// The spans of a load's stages; one for an executor that has none.
fn stages(load: &profile::Load, executor: &Executor, start_after: Duration, id: LoadId) -> Vec<Span> {
    let laid_out: Vec<(Option<&str>, Duration, f64)> = match (&load.executor, executor) {
        (profile::Executor::RampingVus { stages, .. }, Executor::RampingVus { stages: scaled, .. }) => {
            let named = stages.iter().map(|stage| stage.name.as_ref().map(|name| name.value.as_str()));
            named.zip(scaled).map(|(name, stage)| (name, stage.duration, f64::from(stage.target))).collect()
        }
        (
            profile::Executor::RampingArrivalRate { stages, .. },
            Executor::RampingArrivalRate { stages: scaled, .. },
        ) => {
            let named = stages.iter().map(|stage| stage.name.as_ref().map(|name| name.value.as_str()));
            named.zip(scaled).map(|(name, stage)| (name, stage.duration, stage.target)).collect()
        }
        (_, Executor::ConstantArrivalRate { rate, duration, .. }) => {
            vec![(Some(executor.name()), *duration, *rate)]
        }
        (_, other) => vec![(Some(executor.name()), other.duration(), f64::from(other.max_vus()))],
    };
    let mut start = start_after;
    let mut spans = Vec::new();
    for (index, (name, duration, target)) in laid_out.into_iter().enumerate() {
        spans.push(Span {
            phase: Phase::Load,
            load: Some(id),
            name: name.map_or_else(|| format!("stage {}", index + 1), str::to_owned),
            start,
            duration,
            target: Some(target),
        });
        start += duration;
    }
    spans
}
