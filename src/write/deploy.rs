//! The verdict on a deploy, given by a live run some minutes behind its mark: text for people, one JSON object on a line.
//!
//! Pages only dress what `verdict::compare` found; when a verdict is due is left to `drive::live`.

use serde_json::Value;
use serde_json::json;

use crate::stats::deploys::Mark;
use crate::time::Timestamp;
use crate::verdict::compare::Comparison;
use crate::verdict::compare::RouteChange;
use crate::verdict::compare::Verdict;
use crate::write::figures::clean;
use crate::write::figures::clean_to;
use crate::write::figures::counted;
use crate::write::figures::moment;
use crate::write::figures::span;
use crate::write::json::exception;
use crate::write::json::stats;

/// Routes that are named.
const ROUTES: usize = 10;
/// Reasons of one route in text.
const REASONS: usize = 3;
/// The longest name in text, in bytes.
const LONGEST: usize = 200;

/// A verdict and what it is about.
#[derive(Debug, Clone)]
pub struct Judged {
    /// When it was given.
    pub at: Timestamp,
    /// The deploy.
    pub mark: Mark,
    /// How long after the deploy, in seconds.
    pub after_s: u32,
    /// What was found.
    pub comparison: Comparison,
}

impl Judged {
    /// Routes that changed, the worst first.
    fn changed(&self) -> impl Iterator<Item = &RouteChange> {
        let moved = |r: &&RouteChange| !r.probe && matches!(r.verdict, Verdict::Regressed | Verdict::Improved);
        self.comparison.routes.iter().filter(moved).take(ROUTES)
    }

    /// The first line, without the word before it: it stands alone.
    pub fn headline(&self) -> String {
        self.sentence("deploy ")
    }

    fn sentence(&self, word: &str) -> String {
        let name = |text: &Option<String>| text.as_ref().map(|t| format!("{} ", clean_to(t, LONGEST))).unwrap_or_default();
        let at = moment(self.mark.at);
        let at = at.get(11..16).unwrap_or(&at);
        let mark = format!("{word}{}of {at} UTC", name(&self.mark.label));
        let after = span(self.after_s.into());
        format!("{}{mark}, {after} later: {}", name(&self.mark.service), self.comparison.headline())
    }
}

fn named(route: &RouteChange) -> String {
    format!("{} {}", clean_to(&route.method, 24), clean_to(&route.route, LONGEST))
}

/// The verdict as text.
pub fn text(judged: &Judged) -> String {
    let all = &judged.comparison;
    let mut lines = vec![format!("DEPLOY {}", judged.sentence(""))];
    for route in judged.changed() {
        let reasons: Vec<&str> = route.reasons.iter().take(REASONS).map(|r| r.text.as_str()).collect();
        lines.push(format!("  {} {}: {}", route.verdict.word(), named(route), reasons.join("; ")));
    }
    for exception in all.new_exceptions.iter().take(REASONS) {
        let place = exception.place.as_ref().map(|p| format!(" at {}", clean_to(p, LONGEST))).unwrap_or_default();
        let times = counted(exception.count, "time");
        lines.push(format!("  new exception {}{place}, {times}", clean_to(&exception.kind, LONGEST)));
    }
    lines.extend(all.rollback.as_ref().map(|command| format!("Roll back: {}", clean(command))));
    lines.extend(all.purge.iter().flat_map(|p| p.lines()).map(|command| format!("Purge: {}", clean(command))));
    lines.join("\n") + "\n"
}

/// The verdict as one JSON object on a line.
pub fn json(judged: &Judged) -> String {
    let all = &judged.comparison;
    let mark = &judged.mark;
    let safe = |text: &String| clean_to(text, LONGEST).as_str().to_owned();
    let route = |r: &RouteChange| {
        json!({
            "service": r.service.as_ref().map(safe),
            "method": safe(&r.method),
            "route": safe(&r.route),
            "verdict": r.verdict.word(),
            "reasons": r.reasons.iter().map(|reason| reason.text.clone()).collect::<Vec<_>>(),
            "before": stats(&r.before),
            "after": stats(&r.after),
        })
    };
    let object = json!({
        "type": "deploy",
        "time": judged.at.to_string(),
        "service": mark.service.as_ref().map(safe),
        "deploy": { "at": mark.at.to_string(), "label": mark.label.as_ref().map(safe), "source": mark.source.word() },
        "after_s": judged.after_s,
        "verdict": all.verdict.word(),
        "summary": judged.headline(),
        "before": { "requests": all.before.requests },
        "after": { "requests": all.after.requests, "left_out": all.after.left_out },
        "routes": judged.changed().map(route).collect::<Vec<Value>>(),
        "new_exceptions": all.new_exceptions.iter().take(ROUTES).map(exception).collect::<Vec<Value>>(),
        "rollback": all.rollback.as_deref().map(|c| clean(c).as_str().to_owned()),
        "purge": all.purge.as_ref().map(|p| p.lines().map(|l| clean(l).as_str().to_owned()).collect::<Vec<_>>().join("\n")),
    });
    format!("{object}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::deploys::Source;
    use crate::stats::summary::Figures;
    use crate::verdict::compare::Reason;
    use crate::write::figures::forbidden;

    fn judged(name: &str) -> Judged {
        let mark = Mark {
            service: Some("shop".to_owned()),
            ..Mark::given(Timestamp::from_seconds(1_790_000_000), Some("v1.4.2".to_owned()), Source::Option)
        };
        let route = RouteChange {
            service: Some("shop".to_owned()),
            method: "POST".to_owned(),
            route: name.to_owned(),
            probe: false,
            verdict: Verdict::Regressed,
            reasons: vec![Reason { worse: Some(true), text: "errors 0 % → 9.0 %".to_owned(), bar: None }],
            before: Figures::default(),
            after: Figures::default(),
            latency: None,
            shares: Vec::new(),
            week: None,
        };
        let comparison = Comparison {
            verdict: Verdict::Regressed,
            routes: vec![route],
            rollback: Some("kubectl rollout undo deploy/shop".to_owned()),
            purge: Some(format!("curl -X PURGE https://cdn{name}")),
            ..Comparison::default()
        };
        Judged { at: Timestamp::from_seconds(1_790_000_300), mark, after_s: 300, comparison }
    }

    #[test]
    fn the_first_line_stands_alone_and_commands_stand_below() {
        let text = text(&judged("/checkout"));
        let want = "DEPLOY shop v1.4.2 of 14:13 UTC, 5 min later: 1 of 1 route got worse\n  \
                    regressed POST /checkout: errors 0 % → 9.0 %\n\
                    Roll back: kubectl rollout undo deploy/shop\n\
                    Purge: curl -X PURGE https://cdn/checkout\n";
        assert_eq!(want, text);
    }

    #[test]
    fn whatever_a_route_is_called_it_is_one_safe_line_of_json() {
        let line = json(&judged("/\u{1b}[31m\n\"x"));
        assert_eq!(1, line.lines().count());
        assert!(!line.trim_end().chars().any(forbidden), "{line}");
        let value: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(("deploy", "regressed"), (value["type"].as_str().unwrap(), value["verdict"].as_str().unwrap()));
        assert_eq!(Some("v1.4.2"), value["deploy"]["label"].as_str());
    }
}
