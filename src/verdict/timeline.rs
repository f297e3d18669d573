//! What a stretch of time would have brought: every firing with its notifications, from an engine's notices.
//!
//! Collects and counts; nothing is judged here. Bad minutes are kept beside, so that a firing can say how long it came
//! after the trouble began.

use std::collections::BTreeMap;
use std::collections::VecDeque;

use crate::verdict::alert::Change;
use crate::verdict::evidence::Facts;
use crate::verdict::notice::Decision;
use crate::verdict::promise::Budget;
use crate::verdict::rule::Severity;
use crate::verdict::told::Telling;

/// One firing of one alert. Times are seconds since 1970.
#[derive(Debug, Clone, PartialEq)]
pub struct Spell {
    /// The alert as it fired; state and end are those it had at last.
    pub telling: Telling,
    /// When the condition began to hold.
    pub started: u32,
    /// When it fired.
    pub fired: u32,
    /// When it was over; `None` where it still fires at the end.
    pub resolved: Option<u32>,
    /// Notifications receivers would have got about it.
    pub notifications: u64,
    /// Why nobody was told, where nobody was.
    pub held: Option<String>,
    /// Seconds from the beginning of the first bad minute to the firing, where errors are what is bad.
    pub delay_s: Option<u32>,
    /// The same alert had been over for less than [`FLAP_S`].
    pub flap: bool,
}

impl Spell {
    /// How grave.
    pub fn severity(&self) -> Severity {
        self.telling.alert.severity
    }

    /// Whether anybody would have been told.
    pub fn told(&self) -> bool {
        self.notifications > 0
    }
}

/// An alert that fires again so soon after it was over flaps.
pub const FLAP_S: u32 = 3_600;
/// Minutes remembered of one subject.
const MINUTES: usize = 1_440;
/// Subjects of which minutes are remembered.
const SUBJECTS: usize = 1_000;
/// Good minutes that do not end an incident.
const GAP: u32 = 5;
/// Firings kept.
const SPELLS: usize = 10_000;

/// Minutes with errors: the minute since 1970, requests, errors.
type Minutes = VecDeque<(u32, u64, u64)>;

/// Minutes of a service: of all its routes for `None`.
type ByRoute = BTreeMap<Option<String>, Minutes>;

/// What happened.
#[derive(Debug, Default)]
pub struct Timeline {
    /// First and last second judged.
    pub span: Option<(u32, u32)>,
    /// In the order of firing.
    pub spells: Vec<Spell>,
    /// Firings beyond the most that are kept.
    pub left_out: u64,
    /// Notifications in all.
    pub notifications: u64,
    /// What is left of each promise's budget at the end.
    pub budgets: Vec<Budget>,
    /// By service: minutes of all its routes, and of each that failed where single routes are looked at.
    minutes: Vec<(Option<String>, ByRoute)>,
    subjects: usize,
}

impl Timeline {
    /// A second was judged in which so many requests of a service's route (of all its routes for `None`) came.
    pub fn minute(&mut self, second: u32, service: Option<&str>, route: Option<&str>, requests: u64, errors: u64) {
        let at = self.minutes.iter().position(|of| of.0.as_deref() == service);
        let at = match at {
            None if errors == 0 || self.subjects >= SUBJECTS => return,
            None => {
                self.minutes.push((service.map(str::to_owned), BTreeMap::new()));
                self.minutes.len() - 1
            }
            Some(at) => at,
        };
        let routes = &mut self.minutes[at].1;
        let route = route.map(str::to_owned);
        if !routes.contains_key(&route) {
            if errors == 0 || self.subjects >= SUBJECTS {
                return;
            }
            self.subjects += 1;
        }
        let minutes = routes.entry(route).or_default();
        let minute = second / 60;
        match minutes.back_mut().filter(|last| last.0 == minute) {
            Some(last) => (last.1, last.2) = (last.1 + requests, last.2 + errors),
            None => minutes.push_back((minute, requests, errors)),
        }
        if minutes.len() > MINUTES {
            minutes.pop_front();
        }
    }

    /// A second was judged.
    pub fn passed(&mut self, second: u32) {
        self.span = Some(self.span.map_or((second, second), |span| (span.0, second)));
    }

    /// Takes a notice's change and decision, and what was or would have been told.
    pub fn take(&mut self, change: Change, decision: &Decision, facts: &Facts, telling: &Telling) {
        let tells = decision.tells();
        self.notifications += u64::from(tells);
        if matches!(change, Change::Fired(_)) {
            self.fired(facts, telling.clone());
        }
        let Some(spell) = self.spells.iter_mut().rfind(|spell| spell.telling.alert.id == facts.id) else { return };
        spell.notifications += u64::from(tells);
        spell.held = match decision {
            _ if spell.notifications > 0 => None,
            Decision::Muted(_) | Decision::Held(_) => Some(decision.to_string()),
            _ => spell.held.take(),
        };
        if facts.resolved.is_some() {
            // Its figures stay those of the firing: at its end they are good again.
            let alert = &mut spell.telling.alert;
            (alert.state, alert.resolved_at) = (telling.alert.state, telling.alert.resolved_at);
        }
        spell.resolved = facts.resolved;
    }

    fn fired(&mut self, facts: &Facts, telling: Telling) {
        if self.spells.len() >= SPELLS {
            self.left_out += 1;
            return;
        }
        let before = self.spells.iter().rev().find(|s| s.telling.alert.fingerprint == facts.fingerprint);
        let over = before.and_then(|s| s.resolved);
        self.spells.push(Spell {
            telling,
            started: facts.started,
            fired: facts.fired,
            resolved: None,
            notifications: 0,
            held: None,
            delay_s: self.delay_s(facts),
            flap: over.and_then(|over| facts.fired.checked_sub(over)).is_some_and(|quiet| quiet < FLAP_S),
        });
    }

    /// How long before it fired the first minute of the incident was over the limit.
    fn delay_s(&self, facts: &Facts) -> Option<u32> {
        if facts.signal != "error_rate" {
            return None;
        }
        let route = facts.route.clone().filter(|_| !facts.blames && !facts.pattern);
        let minutes = self.minutes.iter().find(|of| of.0 == facts.service)?.1.get(&route)?;
        let now = facts.fired.saturating_sub(1) / 60;
        let mut first = None;
        #[expect(clippy::cast_precision_loss, reason = "a share is shown, not summed")]
        let bad = |m: &&(u32, u64, u64)| m.2 as f64 > facts.threshold * m.1 as f64;
        for minute in minutes.iter().rev().skip_while(|m| m.0 > now).filter(bad) {
            if first.unwrap_or(now).saturating_sub(minute.0) > GAP + 1 {
                break;
            }
            first = Some(minute.0);
        }
        first.map(|minute| facts.fired.saturating_sub(minute * 60))
    }

    /// Those that receivers would have known of.
    pub fn told(&self) -> impl Iterator<Item = &Spell> {
        self.spells.iter().filter(|spell| spell.told())
    }

    /// For how many seconds a told one of this severity fired, each second once.
    pub fn firing_s(&self, severity: Severity) -> u64 {
        let end = self.span.map_or(0, |span| span.1 + 1);
        let mut spells: Vec<(u32, u32)> =
            self.told().filter(|s| s.severity() == severity).map(|s| (s.fired, s.resolved.unwrap_or(end))).collect();
        spells.sort_unstable();
        let (mut sum, mut until) = (0, 0);
        for (from, to) in spells {
            sum += u64::from(to.saturating_sub(from.max(until)));
            until = until.max(to);
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::evidence::Context;
    use crate::verdict::evidence::dress;
    use crate::verdict::evidence::tests::checkout;

    fn at(id: &str, fired: u32, resolved: Option<u32>) -> Facts {
        let fingerprint = "f".to_owned();
        Facts { id: id.to_owned(), fingerprint, started: fired, fired, resolved, pattern: false, ..checkout() }
    }

    fn put(timeline: &mut Timeline, change: Change, decision: &Decision, facts: &Facts) {
        timeline.take(change, decision, facts, &dress(facts, &Context::default()));
    }

    #[test]
    fn firings_are_counted_with_their_notifications_and_flaps() {
        let mut timeline = Timeline::default();
        let t = 1_795_392_000;
        (0..7200).step_by(10).for_each(|s| timeline.passed(t + s));
        for (id, fired, resolved) in [("a", t + 60, t + 660), ("b", t + 1000, t + 1300), ("c", t + 6000, t + 6100)] {
            put(&mut timeline, Change::Fired(0), &Decision::New, &at(id, fired, None));
            put(&mut timeline, Change::Resolved(300), &Decision::Over, &at(id, fired, Some(resolved)));
        }
        put(&mut timeline, Change::Fired(0), &Decision::Held("c".to_owned()), &at("d", t + 6050, None));
        assert_eq!(6, timeline.notifications);
        assert_eq!([2, 2, 2, 0], [0, 1, 2, 3].map(|n| timeline.spells[n].notifications));
        // The second comes 340 s after the first was over, the third more than an hour after the second.
        assert_eq!([false, true, false, false], [0, 1, 2, 3].map(|n| timeline.spells[n].flap));
        assert_eq!((3, true), (timeline.told().count(), timeline.spells[3].held.is_some()));
        assert_eq!(600 + 300 + 100, timeline.firing_s(Severity::Page));
        assert_eq!(0, timeline.firing_s(Severity::Ticket));
    }

    #[test]
    fn the_delay_counts_from_the_first_bad_minute_of_the_incident() {
        let mut timeline = Timeline::default();
        let t = 1_795_392_000;
        // Bad in minutes 0 (another incident), 20 to 24 with a good one between; it fires at the end of minute 24.
        for minute in 0..25 {
            let errors = if minute == 0 || minute >= 20 && minute != 22 { 10 } else { 0 };
            timeline.minute(t + minute * 60, Some("shop"), Some("POST /checkout"), 100, errors);
        }
        put(&mut timeline, Change::Fired(0), &Decision::New, &at("a", t + 25 * 60, None));
        assert_eq!(Some(300), timeline.spells[0].delay_s);
        put(&mut timeline, Change::Fired(0), &Decision::New, &Facts { signal: "p99".to_owned(), ..at("b", t + 1500, None) });
        assert_eq!(None, timeline.spells[1].delay_s);
    }
}
