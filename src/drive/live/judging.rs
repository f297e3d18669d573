//! What live reading needs to judge and to tell: the rules, and who is told.
//!
//! The engine is `verdict`'s, the words are `evidence`'s; here they meet what else is known of a service: exceptions,
//! deploys, commands.

use std::collections::BTreeMap;

use crate::drive::state::Letter;
use crate::error::Error;
use crate::error::Fault;
use crate::stats::snapshot::Snapshot;
use crate::stats::summary::ExceptionFigures;
use crate::time::Timestamp;
use crate::verdict::engine;
use crate::verdict::engine::Engine;
use crate::verdict::evidence::Commands;
use crate::verdict::evidence::Context;
use crate::verdict::evidence::Facts;
use crate::verdict::evidence::Mark;
use crate::verdict::evidence::dress;
use crate::verdict::promise::Objective;
use crate::verdict::rule::Mute;
use crate::verdict::rule::Rule;
use crate::verdict::told::Raised;
use crate::verdict::told::Telling;
use crate::write::webhook::Change;
use crate::write::webhook::Courier;
use crate::write::webhook::Entry;
use crate::write::webhook::Outbox;
use crate::write::webhook::Sink;

/// Rules and who is told.
#[derive(Debug, Clone, Default)]
pub struct Judging {
    /// All rules, those that hold by themselves included.
    pub rules: Vec<Rule>,
    /// All promises.
    pub objectives: Vec<Objective>,
    /// Mutes of the configuration.
    pub mutes: Vec<Mute>,
    /// What holds for all rules.
    pub engine: engine::Settings,
    /// Commands of services that have none of their own.
    pub commands: Commands,
    /// Commands by service.
    pub of_service: BTreeMap<String, Commands>,
    /// Who is told, beside standard output.
    pub sinks: Vec<Sink>,
}

impl Judging {
    /// The engine at its beginning.
    pub(super) fn engine(&self) -> Engine {
        Engine::new(&self.rules, &self.objectives, self.mutes.clone(), self.engine.clone())
    }

    /// Threads for all sinks.
    pub(super) fn courier(&self, wake: impl Fn() + Send + Sync + 'static) -> Result<Courier, Error> {
        let seed = u64::from(std::process::id());
        Courier::start(self.sinks.clone(), seed, wake).map_err(|why| Error::new(Fault::Output, why))
    }

    /// Nobody is told but standard output.
    pub(super) fn is_mute(&self) -> bool {
        self.sinks.is_empty()
    }

    fn commands(&self, service: Option<&str>) -> &Commands {
        service.and_then(|name| self.of_service.get(name)).unwrap_or(&self.commands)
    }

    /// An alert with all that is known around it.
    pub(super) fn dressed(&self, facts: &Facts, all: &Snapshot, deploys: &[(Option<String>, Mark)]) -> Telling {
        let from = Timestamp::from_seconds(i64::from(facts.started) - i64::from(facts.window_s));
        let raised: Vec<Raised> = all
            .failures()
            .figures()
            .into_iter()
            .filter(|e| e.service == facts.service && e.last.is_some_and(|last| last >= from))
            .map(raised)
            .collect();
        let marks: Vec<Mark> = deploys.iter().filter(|d| d.0.is_none() || d.0 == facts.service).map(|d| d.1.clone()).collect();
        let commands = Some(self.commands(facts.service.as_deref()));
        dress(facts, &Context { exceptions: &raised, deploys: &marks, lines: &[], commands })
    }
}

fn raised(e: ExceptionFigures) -> Raised {
    Raised {
        kind: e.kind,
        message: e.message,
        place: e.place,
        count: e.count,
        first: e.first,
        routes: e.routes,
        ..Raised::default()
    }
}

/// The messages that waited when the last run ended.
pub(super) fn outbox(letters: &[Letter]) -> Outbox {
    Outbox::load(letters.iter().filter_map(|letter| Entry::load(&letter.body)))
}

/// What is to be saved of the outbox, and which numbers are done with. Letters are numbered from 1.
pub(super) fn changes(outbox: &mut Outbox) -> (Vec<Letter>, Vec<i64>) {
    let (mut letters, mut done) = (Vec::new(), Vec::new());
    for change in outbox.changes() {
        match change {
            Change::Remove(number) => done.push(number),
            Change::Put(entry) => letters.push(Letter {
                id: entry.number,
                sink: entry.sink.clone(),
                fingerprint: entry.tellings.first().map(|t| t.alert.fingerprint.clone()).unwrap_or_default(),
                body: entry.store(),
                next_attempt: entry.not_before,
                attempts: entry.tries,
            }),
        }
    }
    (letters, done)
}

/// A mute of the state as the engine takes it; one whose pattern cannot be read mutes nothing.
pub(super) fn mute(saved: &crate::drive::state::mutes::Mute) -> Option<Mute> {
    let route = saved.route.as_deref().map(crate::route::glob::RouteGlob::new).transpose().ok()?;
    Some(Mute {
        service: saved.service.clone(),
        rule: saved.rule.clone(),
        route,
        from: Some(saved.from),
        until: Some(saved.until),
        reason: saved.reason.clone(),
    })
}
