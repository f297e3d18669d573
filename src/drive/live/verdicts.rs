//! The verdict on a deploy, by itself: some minutes behind each mark what came after is compared with what came before.
//!
//! Both sides come from the course of time that the state holds, so latencies have two digits. How they are tested is
//! `verdict::compare`'s matter. A regression goes to the sinks, once for each deploy: as a ticket, or as a page where
//! the service has an alert that pages.

use super::Live;
use crate::drive::deploys::is_about_one;
use crate::stats::deploys::Mark;
use crate::stats::snapshot::Snapshot;
use crate::time::SECOND;
use crate::time::Timestamp;
use crate::verdict::alert::fingerprint;
use crate::verdict::command::Remedy;
use crate::verdict::compare::Comparison;
use crate::verdict::compare::Limits;
use crate::verdict::compare::Verdict;
use crate::verdict::compare::cut::Cut;
use crate::verdict::compare::cut::How;
use crate::verdict::compare::cut::Reach;
use crate::verdict::compare::cut::compared;
use crate::verdict::compare::sides;
use crate::verdict::evidence::shell_quoted;
use crate::verdict::rule::Severity;
use crate::verdict::told::Alert;
use crate::verdict::told::Deploy;
use crate::verdict::told::Evidence;
use crate::verdict::told::Raised;
use crate::verdict::told::Telling;
use crate::write::deploy;
use crate::write::deploy::Judged;

/// When verdicts are given, in seconds behind a mark.
const AFTER_S: [u32; 2] = [300, 1_800];
/// A mark that lies further back than this when it is found gets none, in seconds: nobody waits for it.
const LATE_S: u32 = 3_600;

impl Live<'_> {
    /// Verdicts that are due: texts for standard output; regressions are added to what the sinks are told.
    pub(super) fn verdicts(&mut self, now: Timestamp, tellings: &mut Vec<Telling>) -> Vec<String> {
        let mut texts = Vec::new();
        for after_s in AFTER_S {
            for mark in self.turn.deploys.due(after_s, self.turn.closed_to) {
                let age = i64::from(self.turn.closed_to) - mark.at.second();
                if age > i64::from(after_s + LATE_S) {
                    continue;
                }
                let Some(comparison) = self.compare(&mark, after_s) else { continue };
                let judged = Judged { at: now, mark, after_s, comparison };
                texts.push(if self.options.json { deploy::json(&judged) } else { deploy::text(&judged) });
                if judged.comparison.verdict == Verdict::Regressed && self.turn.deploys.tell(&judged.mark) {
                    tellings.push(self.telling(&judged));
                }
            }
        }
        texts
    }

    /// What changed at a mark; `None` where one side has nothing to compare, or the state cannot be read now.
    fn compare(&mut self, mark: &Mark, after_s: u32) -> Option<Comparison> {
        let long = i64::from(after_s) * SECOND;
        // a side may be a little longer than the other, and minutes are cut whole
        let (from, to) = (mark.at.0 - long - long / 5 - 60 * SECOND, mark.at.0 + long + 60 * SECOND);
        let range = self.state.range(Timestamp(from), Timestamp(to)).ok()?;
        let mut snapshot: Snapshot = range.counted.snapshot(self.setup.plan.clone());
        snapshot.close();
        let reach = Reach { window_us: long, ..Reach::default() };
        let cut = Cut::at(mark, &snapshot, self.turn.deploys.marks(), &reach).ok()?;
        let asked = &self.setup.asked;
        let allowance = self.setup.judging.objectives.iter().find(|o| o.slower_than_us.is_none()).map(|o| 1.0 - o.target);
        let how = How {
            asked: sides::Asked {
                routes_max: asked.routes_max,
                errors: asked.errors.clone(),
                route: None,
                include_probes: asked.include_probes,
            },
            limits: Limits { allowance: allowance.unwrap_or(Limits::default().allowance), ..Limits::default() },
            auth: None,
        };
        let commands = |service: Option<&str>| {
            let judging = &self.setup.judging;
            service.and_then(|s| judging.of_service.get(s)).unwrap_or(&judging.commands)
        };
        let remedy = |service: Option<&str>| {
            let of = commands(service);
            Remedy {
                rollback: of.rollback.as_deref(),
                purge: of.purge.as_deref(),
                purge_wildcard: of.purge_wildcard.as_deref(),
            }
        };
        let mut all = compared(&snapshot, &cut, &how, remedy);
        if all.before.requests == 0 || all.after.requests == 0 {
            return None;
        }
        if is_about_one(mark) {
            only(&mut all, mark.service.as_deref());
        }
        // exceptions of a span are told with their own times: those first seen behind the mark are new
        all.new_exceptions = self
            .all
            .failures()
            .figures()
            .into_iter()
            .filter(|e| {
                e.first.is_some_and(|first| (mark.at.0..mark.at.0 + long).contains(&first.0))
                    && (!is_about_one(mark) || e.service == mark.service)
            })
            .collect();
        Some(all)
    }

    /// A regression as sinks are told of it.
    fn telling(&self, judged: &Judged) -> Telling {
        let (mark, all) = (&judged.mark, &judged.comparison);
        let worst = all.with(Verdict::Regressed).find(|r| !r.probe);
        let service = mark.service.clone().or_else(|| worst.and_then(|r| r.service.clone()));
        let pages = |t: &Telling| t.alert.severity == Severity::Page && t.alert.service == service;
        let severity = if self.turn.judge.firing().iter().any(pages) { Severity::Page } else { Severity::Ticket };
        let fingerprint_of = fingerprint(service.as_deref(), None, "deploy", None);
        let id = fingerprint(service.as_deref(), None, "deploy", Some(&mark.at.to_string()));
        let routes: Vec<String> =
            all.with(Verdict::Regressed).filter(|r| !r.probe).map(|r| format!("{} {}", r.method, r.route)).collect();
        let reason = worst.and_then(|r| r.reasons.first()).map(|r| format!(": {}", r.text)).unwrap_or_default();
        let shown = routes.first().map(|route| format!(", {route}{reason}")).unwrap_or_default();
        let after = worst.map(|r| &r.after);
        let raised = |e: &crate::stats::summary::ExceptionFigures| Raised {
            kind: e.kind.clone(),
            message: e.message.clone(),
            place: e.place.clone(),
            count: e.count,
            first: e.first,
            last: e.last,
            routes: e.routes.clone(),
        };
        let whose = service.as_deref().map(|s| format!(" --service {}", shell_quoted(s))).unwrap_or_default();
        let alert = Alert {
            fingerprint: fingerprint_of,
            service: service.clone(),
            route: routes.first().cloned(),
            signal: "deploy".to_owned(),
            window_s: Some(judged.after_s.into()),
            started_at: Some(mark.at),
            fired_at: Some(Timestamp(mark.at.0 + i64::from(judged.after_s) * SECOND)),
            summary: format!("{} {}{shown}", severity.word().to_uppercase(), judged.headline()),
            evidence: Evidence {
                requests: after.map(|f| f.requests),
                errors: after.map(|f| f.errors),
                error_rate: after.and_then(|f| f.error_rate),
                exceptions: all.new_exceptions.iter().take(3).map(raised).collect(),
                deploy: Some(Deploy { at: Some(mark.at), label: mark.label.clone(), source: mark.source.word().to_owned() }),
                ..Evidence::default()
            },
            rollback: all.rollback.clone(),
            purge: all.purge.clone(),
            mute: Some(format!("vitalog mute{whose} --rule deploy --for 2h")),
            ..Alert::new(id, "deploy".to_owned(), severity)
        };
        Telling { alert, clear_for_s: None, period_s: None, gone_in_s: None, bad_of: None }
    }
}

/// Keeps the routes of one service, and what they say together.
fn only(all: &mut Comparison, service: Option<&str>) {
    all.routes.retain(|r| r.service.as_deref() == service);
    let judged = || all.routes.iter().filter(|r| !r.probe).map(|r| r.verdict);
    let worst = judged().min();
    let rest = if judged().any(|v| v == Verdict::Same) { Verdict::Same } else { Verdict::TooFew };
    all.verdict = match worst {
        Some(Verdict::Regressed) => Verdict::Regressed,
        Some(Verdict::Improved) => Verdict::Improved,
        _ => rest,
    };
}
