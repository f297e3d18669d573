//! `--fail-on CONDITION`: what was asked to fail, judged on what was read, and said.
//!
//! A condition with a window (or about silence) is held against every window of the archive while it is read, all
//! others against the report's figures. A gate that measured nothing never passes.

use crate::cli::exit::Exit;
use crate::cli::say;
use crate::cli::settings::FailOn;
use crate::cli::settings::Settings;
use crate::drive::sequence::Follower;
use crate::drive::sequence::Parts;
use crate::stats::counts::ErrorRule;
use crate::stats::snapshot::Snapshot;
use crate::stats::summary::Asked;
use crate::stats::summary::Summary;
use crate::time::Timestamp;
use crate::verdict::condition::Condition;
use crate::verdict::engine;
use crate::verdict::evidence::figure;
use crate::verdict::gate::Gate;
use crate::verdict::gate::Worst;
use crate::verdict::gate::needs_time;
use crate::verdict::promise::limits_us;
use crate::verdict::second::Second;
use crate::verdict::whole::Lack;
use crate::verdict::whole::whole;
use crate::write::Report;
use crate::write::figures::clean;
use crate::write::figures::from_to;
use crate::write::figures::span;

/// The conditions that are judged while reading.
pub struct Windows {
    gates: Vec<(Condition, Gate)>,
}

impl Windows {
    /// Those of `settings`.
    pub fn of(settings: &Settings) -> Self {
        let engine = engine::Settings {
            errors: ErrorRule::new(settings.config.health.errors.clone()),
            include_probes: settings.include_probes,
            limits_us: limits_us(&settings.config.promises),
            ..engine::Settings::default()
        };
        let conditions = settings.fail_on.iter().filter_map(FailOn::condition).filter(|c| needs_time(c));
        Self { gates: conditions.map(|c| (c.clone(), Gate::new(c.clone(), engine.clone()))).collect() }
    }

    /// Whether there is none: then seconds need not be kept.
    pub fn is_empty(&self) -> bool {
        self.gates.is_empty()
    }

    fn finish(self) -> Vec<(Condition, Option<Worst>)> {
        self.gates.into_iter().map(|(condition, gate)| (condition, gate.finish())).collect()
    }
}

impl Follower for Windows {
    fn second(&mut self, parts: &Parts<'_>) {
        let mut second = Second::default();
        for (step, all) in parts {
            second.second = step.second;
            second.extend(step, all.desks());
        }
        self.gates.iter_mut().for_each(|(_, gate)| gate.second(&second));
    }
}

/// What came of one condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Whether it holds: the service is bad; `None` where that cannot be judged.
    pub met: Option<bool>,
    /// The sentence.
    pub text: String,
}

/// The answers to all conditions on figures, in the order of windows, then of the rest.
pub fn answers(settings: &Settings, windows: Windows, snapshot: &Snapshot, summary: &Summary, asked: &Asked) -> Vec<Answer> {
    let mut all: Vec<Answer> =
        windows.finish().into_iter().map(|(condition, worst)| windowed(&condition, worst, summary)).collect();
    let rest = settings.fail_on.iter().filter_map(FailOn::condition).filter(|c| !needs_time(c));
    all.extend(rest.map(|condition| match whole(condition, snapshot, summary, asked) {
        Ok(found) => told(condition, found.met, found.value, found.route.as_deref(), ""),
        Err(lack) => unjudged(condition, &lack, summary),
    }));
    all
}

fn told(condition: &Condition, met: bool, value: f64, route: Option<&str>, when: &str) -> Answer {
    let value = figure(value, condition.signal.dimension(), false);
    let on = route.map_or_else(String::new, |route| format!(" on {}", clean(route)));
    let verdict = if met { "failed" } else { "passed" };
    Answer {
        met: Some(met),
        text: format!("{verdict}: '{}': {} is {value}{on}{when}", clean(&condition.text), condition.signal),
    }
}

fn windowed(condition: &Condition, worst: Option<Worst>, summary: &Summary) -> Answer {
    let Some(worst) = worst else {
        let missing = |figure: &str| summary.unavailable.iter().any(|u| u.figure == figure);
        let lack = match () {
            () if summary.input.requests == 0 => Lack::NoRequest,
            () if summary.period.start.is_none() => Lack::Figure("time"),
            () if needs_latency(condition) && missing("latency") => Lack::Figure("latency"),
            () if condition.signal == crate::verdict::condition::Signal::CacheHitRatio && missing("cache") => {
                Lack::Figure("cache")
            }
            () => Lack::TooFew(condition.signal.min_requests()),
        };
        return unjudged(condition, &lack, summary);
    };
    let at = |second: u32| Timestamp::from_seconds(i64::from(second));
    let when = format!(" from {}", from_to(at(worst.from), at(worst.until)));
    let route = match (&worst.service, &worst.route) {
        (Some(service), Some(route)) => Some(format!("{service} {route}")),
        (service, route) => service.clone().or_else(|| route.clone()),
    };
    told(condition, worst.met, worst.value, route.as_deref(), &when)
}

fn needs_latency(condition: &Condition) -> bool {
    condition.signal.dimension() == crate::verdict::condition::Dimension::Time
        && condition.signal != crate::verdict::condition::Signal::Silence
}

/// What is missing, and what helps.
fn unjudged(condition: &Condition, lack: &Lack, summary: &Summary) -> Answer {
    let route = condition.route.as_deref().unwrap_or("it");
    let why = match lack {
        Lack::NoRequest => "no request was read (is it the right file and time?)".to_owned(),
        Lack::NoneThere => format!("no request to {} was read (the report lists the routes that were)", clean(route)),
        Lack::TooFew(least) => {
            let window = condition.over_s.map_or_else(String::new, |s| format!(" within {}", span(u64::from(s))));
            let on = if condition.over_s.is_none() { "no route had" } else { "nowhere were there" };
            format!("{on} {least} requests{window} (send more, or ask for a longer window)")
        }
        Lack::Figure(figure) => {
            let known = summary.unavailable.iter().find(|u| u.figure == *figure);
            let (because, help) = known
                .map_or((format!("no line tells the {figure}"), String::new()), |u| (u.because.clone(), u.enable_with.clone()));
            let help = if help.is_empty() { "'vitalog explain --fix' shows the change".to_owned() } else { help };
            format!("the {figure} is not in this log: {} ({})", clean(because), clean(help))
        }
    };
    Answer { met: None, text: format!("'--fail-on {}' cannot be judged: {why}", clean(&condition.text)) }
}

/// Says what was found, and gives the exit code: unreadable input, and what was asked to fail.
pub fn judged(report: &Report, answers: &[Answer], settings: &Settings) -> Exit {
    let unread = report.summary.input.sources.iter().any(|s| s.error.is_some());
    let mut exit = if unread { Exit::Unread } else { Exit::Done };
    for condition in settings.fail_on.iter().filter_map(FailOn::condition).filter(|c| c.looks_like_a_goal()) {
        if !settings.quiet {
            say(&format!("'--fail-on {}' reads like a goal: it fails where that holds", clean(&condition.text)));
        }
    }
    let status = report.health.status;
    let healths = settings.fail_on.iter().filter_map(|gate| Some((gate.word()?, gate.holds(status))));
    let healths = healths.map(|(word, met)| {
        let why = report.health.reasons.first().map_or("no request was read", String::as_str);
        let text = match met {
            Some(true) => format!("failed: '{word}': {} ({})", status.word(), clean(why)),
            Some(false) => format!("passed: '{word}': {}", status.word()),
            None => format!("'--fail-on {word}' cannot be judged: {}", clean(why)),
        };
        Answer { met, text }
    });
    for answer in healths.chain(answers.iter().cloned()) {
        if answer.met != Some(false) || settings.verbose > 0 {
            say(&answer.text);
        }
        exit = exit.and(match answer.met {
            Some(true) => Exit::Bad,
            Some(false) => Exit::Done,
            None => Exit::Usage,
        });
    }
    exit
}
