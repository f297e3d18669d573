//! One condition over a finished reading: the worst window of an archive, for `--fail-on CONDITION over 5m`.
//!
//! Every window of the archive is looked at, at the same boundaries as a rule's (`window.rs`); the first second needs no
//! history. Where too little stands behind every window's figure, there is no answer: a gate that measured nothing never
//! passes. A condition without `over` is judged on the whole input by whoever has its figures.

use crate::stats::group::Layer;
use crate::verdict::alert::Reading;
use crate::verdict::condition::Condition;
use crate::verdict::condition::Op;
use crate::verdict::condition::Signal;
use crate::verdict::engine::Settings;
use crate::verdict::lens::Plan;
use crate::verdict::lens::Scope;
use crate::verdict::rule::Rule;
use crate::verdict::second::Second;
use crate::verdict::service::Service;

/// The worst window found.
#[derive(Debug, Clone, PartialEq)]
pub struct Worst {
    /// The service.
    pub service: Option<String>,
    /// `GET /x`, or the pattern; `None` for the service as a whole.
    pub route: Option<String>,
    /// The figure, in the signal's dimension.
    pub value: f64,
    /// The window: seconds since 1970, its end not included.
    pub from: u32,
    /// Its end.
    pub until: u32,
    /// Whether the condition holds there.
    pub met: bool,
}

/// A condition on its way over an archive.
#[derive(Debug)]
pub struct Gate {
    plan: Plan,
    settings: Settings,
    op: Op,
    services: Vec<Service>,
    now: u32,
    worst: Option<Worst>,
}

impl Gate {
    /// A gate for one condition with a window.
    pub fn new(condition: Condition, settings: Settings) -> Self {
        let op = condition.op;
        let plan = Plan::new(&[Rule::new("gate", condition)], &[], &settings.limits_us);
        Self { plan, settings, op, services: Vec::new(), now: 0, worst: None }
    }

    /// Takes one closed second in, later than all before it.
    pub fn second(&mut self, second: &Second<'_>) {
        if second.second < self.now {
            return;
        }
        self.advance(second.second);
        let of_group = second.groups.iter().map(|g| (g.service, g.layer));
        for (name, layer) in of_group.chain(second.lines.iter().map(|l| (l.service, l.layer))) {
            let at = self.services.iter().position(|s| s.name.as_deref() == name).unwrap_or_else(|| {
                self.services.push(Service::new(name, second.second, &self.plan.lenses));
                self.services.len() - 1
            });
            self.services[at].heard(second.second);
            if layer == Layer::Edge {
                self.services[at].has_edge();
            }
        }
        let (lenses, settings) = (&self.plan.lenses, &self.settings);
        for service in &mut self.services {
            let name = service.name.clone();
            for seen in second.groups.iter().filter(|g| g.service == name.as_deref()) {
                service.requests(second.second, seen, lenses, &settings.errors, settings.include_probes);
            }
            for told in second.lines.iter().filter(|l| l.service == name.as_deref()) {
                service.lines(told, lenses);
            }
        }
        self.tick(second.second + 1);
    }

    /// The worst window; `None` where no window had enough behind it.
    pub fn finish(self) -> Option<Worst> {
        self.worst
    }

    fn advance(&mut self, to: u32) {
        while let Some(wake) = self.services.iter().map(Service::wake).min().filter(|wake| *wake <= to) {
            self.tick(wake.max(self.now));
        }
        // Silence is longest right before it ends.
        if to > self.now {
            self.services.iter_mut().flat_map(|s| s.subjects.iter_mut().flatten()).for_each(|s| s.wake = 0);
            self.tick(to);
        }
    }

    fn tick(&mut self, now: u32) {
        self.now = now;
        let op = self.op;
        for service in &mut self.services {
            let course = service.course(now);
            let name = service.name.clone();
            for (lens, subjects) in self.plan.lenses.iter().zip(&mut service.subjects) {
                for subject in subjects.iter_mut().filter(|s| s.dirty || s.wake <= now) {
                    subject.advance(now, &lens.columns);
                    subject.wake = subject.meter.wake().unwrap_or(u32::MAX);
                    for judge in &lens.judges {
                        let read = judge.read(&subject.meter, &course, 0);
                        subject.wake = read.wake.filter(|t| *t > now).map_or(subject.wake, |t| t.min(subject.wake));
                        if matches!(read.reading, Reading::NoData | Reading::WarmingUp) {
                            continue;
                        }
                        let seen = judge.seen(&subject.meter, &course, 0);
                        let Some(value) = seen.value else { continue };
                        let worse = |before: &Worst| match op {
                            Op::Above | Op::AtLeast => value > before.value,
                            Op::Below | Op::AtMost => value < before.value,
                        };
                        if self.worst.as_ref().is_none_or(worse) {
                            let pattern = match &lens.scope {
                                Scope::Pattern(text, _) => Some(text.clone()),
                                _ => subject.route.clone(),
                            };
                            let until = seen.place.map_or(now, |_| {
                                let by = crate::verdict::window::advance_of(seen.window_s);
                                now / by * by
                            });
                            self.worst = Some(Worst {
                                service: name.clone(),
                                route: pattern,
                                value,
                                from: until.saturating_sub(seen.window_s),
                                until,
                                met: read.reading == Reading::Bad,
                            });
                        }
                    }
                }
            }
        }
    }
}

/// Whether a condition needs a window to be judged: silence and counts of what happens can only be looked for in time.
pub fn needs_time(condition: &Condition) -> bool {
    condition.over_s.is_some() || condition.signal == Signal::Silence
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::parse::Auth;
    use crate::parse::Cache;
    use crate::route::NamedBy;
    use crate::route::RouteKey;
    use crate::stats::slots::Slot;
    use crate::verdict::condition::parse;
    use crate::verdict::second::Seen;
    use smallvec::smallvec;

    fn key(path: &str) -> Arc<RouteKey> {
        let (method, path) = ("GET".to_owned(), path.to_owned());
        Arc::new(RouteKey { method, path, by: NamedBy::Pattern, refused: false, probe: false, streaming: false })
    }

    /// 100 s of 10 requests each, all fine but from second 50 to 54, when half fail; then one more after 400 s.
    fn gated(condition: &str) -> Option<Worst> {
        let mut gate = Gate::new(parse(condition).unwrap(), Settings::default());
        let (a, b) = (key("/a"), key("/b"));
        for at in (0..100).chain([500]) {
            let second = 1_000_000 + at;
            let mut slots = [Slot::new(second), Slot::new(second)];
            for n in 0..10u64 {
                let bad = (50..55).contains(&at) && n % 2 == 1;
                slots[(n % 2) as usize].record(if bad { 500 } else { 200 }, 0, Some(1000 * (n + 1)), &[]);
            }
            slots.iter_mut().for_each(Slot::tidy);
            let seen =
                |route, slot| Seen { service: None, layer: Layer::App, route, auth: Auth::Unknown, cache: Cache::None, slot };
            gate.second(&Second { second, groups: smallvec![seen(&a, &slots[0]), seen(&b, &slots[1])], lines: smallvec![] });
        }
        gate.finish()
    }

    #[test]
    fn the_worst_window_is_told_with_its_figure_and_time() {
        let t = |at: u32| 1_000_000 + at;
        for (condition, route, value, from, until, met) in [
            ("error_rate > 1% over 10s", None, 0.25, t(45), t(55), true),
            ("error_rate > 30% over 10s", None, 0.25, t(45), t(55), false),
            ("error_rate > 1% over 5s on each", Some("GET /b"), 1.0, t(50), t(55), true),
            ("error_rate > 1% over 5s on GET /a", Some("GET /a"), 0.0, t(0), t(4), false),
            ("silence > 5m", None, 400e6, t(100), t(500), true),
            ("max > 5ms over 1s", None, 10_000.0, t(0), t(1), true),
        ] {
            let worst = gated(condition).unwrap();
            let route = route.map(str::to_owned);
            let want = Worst { service: None, route, value, from, until, met };
            // Four seconds hold twenty requests of a route: the first window that counts is not full yet.
            let got = Worst { from: worst.from.max(t(0)), ..worst };
            assert_eq!((want.value, want.met, &want.route), (got.value, got.met, &got.route), "{condition}");
            assert_eq!(until, got.until, "{condition}");
            assert_eq!(from, got.from, "{condition}");
        }
    }

    #[test]
    fn what_was_never_measured_has_no_answer() {
        assert_eq!(None, gated("cache_hit_ratio < 50% over 1m"));
        assert_eq!(None, gated("error_rate > 1% over 1s"));
        assert!(gated("error_rate > 1% over 2s").is_some());
    }
}
