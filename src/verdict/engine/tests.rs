//! The engine against its twin, through restarts, on the SRE Workbook's examples and over days of traffic.
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "small numbers in tests"
)]

mod month;
mod twin;

use super::*;
use crate::parse::Auth;
use crate::parse::Cache;
use crate::route::NamedBy;
use crate::route::RouteKey;
use crate::stats::latency::coarse;
use crate::stats::latency::coarse_highest;
use crate::stats::slots::Slot;
use crate::stats::snapshot::SlotLines;
use crate::verdict::condition::On;
use crate::verdict::condition::parse;
use crate::verdict::promise::Standing;
use crate::verdict::promise::limits_us;
use crate::verdict::promise::rows;
use crate::verdict::promise::stand;
use crate::verdict::rule::defaults;
use crate::verdict::second::Seen;
use crate::verdict::second::Told;
use crate::verdict::window::advance_of;
use smallvec::smallvec;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A Monday's midnight, and a boundary of every advance.
const START: u32 = 1_795_392_000;

/// `SplitMix64` (Sebastiano Vigna): seeded noise.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u32) -> u32 {
        u32::try_from(self.next() % u64::from(n)).unwrap()
    }

    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Poisson: by Knuth's product below 30, by a normal's sum of twelve above.
    fn poisson(&mut self, mean: f64) -> u32 {
        if mean > 30.0 {
            let normal: f64 = (0..12).map(|_| self.share()).sum::<f64>() - 6.0;
            return (mean + normal * mean.sqrt()).round().max(0.0) as u32;
        }
        let (limit, mut product, mut n) = ((-mean).exp(), self.share(), 0);
        while product > limit {
            product *= self.share();
            n += 1;
        }
        n
    }
}

#[derive(Debug, Clone, Copy)]
struct Raw {
    second: u32,
    route: usize,
    status: u16,
    us: Option<u64>,
}

const ROUTES: [(&str, &str); 3] = [("GET", "/items/{id}"), ("POST", "/checkout"), ("GET", "/")];

fn key(route: usize) -> Arc<RouteKey> {
    let (method, path) = (ROUTES[route].0.to_owned(), ROUTES[route].1.to_owned());
    Arc::new(RouteKey { method, path, by: NamedBy::Pattern, refused: false, probe: false, streaming: false })
}

fn name(route: usize) -> String {
    format!("{} {}", ROUTES[route].0, ROUTES[route].1)
}

/// The records of one second as the engine gets them.
fn feed(engine: &mut Engine, second: u32, raw: &[Raw], limits: &[u64]) -> Vec<Notice> {
    let mut slots: BTreeMap<usize, Slot> = BTreeMap::new();
    for r in raw {
        slots.entry(r.route).or_insert_with(|| Slot::new(second)).record(r.status, 0, r.us, limits);
    }
    slots.values_mut().for_each(Slot::tidy);
    let keys: Vec<Arc<RouteKey>> = (0..ROUTES.len()).map(key).collect();
    let groups = slots.iter().map(|(route, slot)| Seen {
        service: Some("shop"),
        layer: Layer::App,
        route: &keys[*route],
        auth: Auth::Unknown,
        cache: Cache::None,
        slot,
    });
    let mut lines = SlotLines::default();
    lines.kinds.request = raw.len() as u64;
    let told = Told { service: Some("shop"), layer: Layer::App, lines: &lines };
    engine.second(&Second { second, groups: groups.collect(), lines: smallvec![told] })
}

fn rule(name: &str, when: &str, for_s: u32, clear_for_s: u32, least: Option<u64>) -> Rule {
    Rule { for_s, clear_for_s, min_requests: least, ..Rule::new(name, parse(when).unwrap()) }
}

fn settings(objectives: &[Objective]) -> Settings {
    Settings { repeat_s: 14_400, limits_us: limits_us(objectives), ..Settings::default() }
}

/// One change as both sides tell it: time, rule, severity, route, fired or resolved, value in millionths.
type Event = (u32, String, &'static str, Option<String>, bool, Option<i64>);

fn rounded(value: Option<f64>) -> Option<i64> {
    value.map(|v| (v * 1e6).round() as i64)
}

fn events(notices: &[Notice]) -> Vec<Event> {
    let mut all: Vec<Event> = notices
        .iter()
        .filter(|n| matches!(n.change, Change::Fired(_) | Change::Resolved(_)))
        .map(|n| {
            let f = &n.facts;
            let own = if f.blames { None } else { f.route.clone() };
            (n.at, f.rule.clone(), f.severity.word(), own, f.resolved.is_none(), rounded(f.value))
        })
        .collect();
    all.sort();
    all
}

/// Random traffic with bad and slow spells and gaps.
fn traffic(dice: &mut Dice, seconds: u32, per_s: f64) -> Vec<Raw> {
    let mut raw = Vec::new();
    let (mut failing, mut slow, mut busy) = (0.0, 0.0, 1.0);
    let mut second = START + dice.below(900);
    let end = second + seconds;
    while second < end {
        if dice.below(150) == 0 {
            failing = [0.0, 0.0, 0.02, 0.3, 1.0][dice.below(5) as usize];
            slow = [0.0, 0.0, 0.1, 0.9][dice.below(4) as usize];
            busy = [1.0, 1.0, 0.2, 3.0][dice.below(4) as usize];
        }
        if dice.below(1500) == 0 {
            second += dice.below(1200);
        }
        for _ in 0..dice.poisson(per_s * busy) {
            let route = [0, 0, 1, 2][dice.below(4) as usize];
            let status = if dice.share() < failing && route < 2 { 500 + dice.below(4) as u16 } else { 200 };
            let base = if dice.share() < slow { 400_000.0 } else { 20_000.0 };
            let us = (dice.below(20) > 0).then(|| (base * (0.5 + 2.0 * dice.share())) as u64);
            raw.push(Raw { second, route, status, us });
        }
        second += 1;
    }
    raw
}

fn mixed_rules() -> (Vec<Rule>, Vec<Objective>) {
    let rules = vec![
        rule("down", "error_rate > 50% over 1m", 0, 60, None),
        rule("failing route", "error_rate >= 5% over 5m on each", 30, 120, Some(5)),
        rule("slow", "p95 > 300ms over 2m", 10, 30, None),
        rule("slow items", "p99 > 450ms over 15m on GET /items/*", 60, 60, None),
        rule("mean", "mean > 200ms over 90s on each", 0, 10, Some(3)),
        rule("max", "max >= 900ms over 10s", 0, 5, None),
        rule("quiet", "rate < 0.1/s over 3m", 20, 20, None),
        rule("loud", "rate > 0.12/s over 61s on POST /checkout", 0, 0, None),
        rule("some 503", "status_503_rate > 1% over 31m", 0, 300, None),
        rule("many errors", "errors > 20 over 10m", 0, 60, None),
        rule("silent", "silence > 5m", 0, 0, None),
        rule("silent so long", "silence >= 7m", 60, 30, None),
    ];
    let fast = Objective {
        name: "fast".to_owned(),
        target: 0.985,
        slower_than_us: Some(300_000),
        clear_for_s: 120,
        ..Objective::available()
    };
    (rules, vec![Objective::available(), fast])
}

fn run(engine: &mut Engine, raw: &[Raw], limits: &[u64], mut between: impl FnMut(&mut Engine, u32)) -> Vec<Notice> {
    let mut notices = Vec::new();
    for of in raw.chunk_by(|a, b| a.second == b.second) {
        notices.extend(feed(engine, of[0].second, of, limits));
        between(engine, of[0].second);
    }
    notices
}

#[test]
fn the_engine_agrees_with_a_brute_force_twin_on_random_traffic() {
    let (rules, objectives) = mixed_rules();
    let limits = limits_us(&objectives);
    let mut kinds: BTreeMap<(String, bool), u32> = BTreeMap::new();
    for seed in 0..4 {
        let mut dice = Dice(seed);
        let raw = traffic(&mut dice, 12_000, 0.2);
        let mut engine = Engine::new(&rules, &objectives, Vec::new(), settings(&objectives));
        let mut notices = run(&mut engine, &raw, &limits, |_, _| {});
        let end = raw.last().unwrap().second + 4_000;
        notices.extend(engine.advance(end));
        let (want, got) = (twin::events(&raw, end, &rules, &objectives), events(&notices));
        for (w, g) in want.iter().zip(&got) {
            assert_eq!(w, g, "seed {seed}");
        }
        assert_eq!(want.len(), got.len(), "seed {seed}");
        for e in want {
            *kinds.entry((e.1, e.4)).or_default() += 1;
        }
    }
    // Every rule fired and resolved somewhere, or nothing is shown.
    for name in rules.iter().map(|r| &r.name).chain(objectives.iter().map(|o| &o.name)) {
        for fired in [true, false] {
            assert!(kinds.contains_key(&(name.clone(), fired)), "'{name}' never {}", if fired { "fired" } else { "resolved" });
        }
    }
}

#[test]
fn stored_at_any_second_and_loaded_it_goes_on_as_if_nothing_had_happened() {
    let (mut rules, objectives) = mixed_rules();
    rules.extend(defaults());
    let limits = limits_us(&objectives);
    for seed in 100..104 {
        let mut dice = Dice(seed);
        let raw = traffic(&mut dice, 6_000, 0.3);
        let fresh = || Engine::new(&rules, &objectives, Vec::new(), settings(&objectives));
        let want = run(&mut fresh(), &raw, &limits, |_, _| {});
        assert!(want.iter().any(Notice::tells) && want.iter().any(|n| !n.tells()));
        let got = run(&mut fresh(), &raw, &limits, |engine, _| {
            if dice.below(40) == 0 {
                let stored = engine.store();
                *engine = fresh();
                engine.load(&stored).unwrap();
                assert_eq!(stored, engine.store());
            }
        });
        assert_eq!(want, got, "seed {seed}");
    }
}

#[test]
fn damaged_or_newer_state_is_refused() {
    let mut engine = Engine::new(&defaults(), &[Objective::available()], Vec::new(), Settings::default());
    let mut newer = engine.store();
    newer[0] = 2;
    for (want, bytes) in [
        (Err(LoadError::Newer), newer),
        (Err(LoadError::Damaged), vec![1, 0]),
        (Err(LoadError::Damaged), vec![0; 20]),
        (Err(LoadError::Damaged), vec![1, 0, 0, 0, 255, 255, 255, 255]),
        (Ok(()), engine.store()),
    ] {
        assert_eq!(want, engine.load(&bytes));
    }
}

/// A service of so many requests each second, `errors(second)` of them failing, over so many seconds.
fn steady(per_s: u32, seconds: u32, mut errors: impl FnMut(u32) -> u32) -> Vec<Notice> {
    let objectives = [Objective::available()];
    let mut engine = Engine::new(&defaults(), &objectives, Vec::new(), settings(&objectives));
    let keys = key(1);
    let mut notices = Vec::new();
    for at in 0..seconds {
        let mut slot = Slot::new(START + at);
        let bad = errors(at);
        slot.statuses = [(200, per_s - bad), (500, bad)].into_iter().filter(|s| s.1 > 0).collect();
        let (layer, auth, cache) = (Layer::App, Auth::Unknown, Cache::None);
        let seen = Seen { service: None, layer, route: &keys, auth, cache, slot: &slot };
        notices.extend(engine.second(&Second { second: START + at, groups: smallvec![seen], lines: smallvec![] }));
    }
    notices
}

fn fired<'n>(notices: &'n [Notice], rule: &str, severity: Severity) -> Option<&'n Notice> {
    notices.iter().find(|n| matches!(n.change, Change::Fired(_)) && n.facts.rule == rule && n.facts.severity == severity)
}

#[test]
fn a_total_outage_pages_within_a_minute_and_the_row_of_14_4_trips_when_its_arithmetic_says() {
    let from = 7_200;
    let notices = steady(100, from + 600, |at| if at >= from { 100 } else { 0 });
    // More than half of the last minute: 31 s.
    let outage = fired(&notices, "outage", Severity::Page).unwrap();
    assert_eq!((START + from + 31, true), (outage.at, outage.tells()));
    // 1.44 % of an hour is 51.84 s: the hour's window sees them at the next minute.
    let promise = fired(&notices, "available", Severity::Page).unwrap();
    assert_eq!(START + from + 60, promise.at);
    assert_eq!(Decision::Held(outage.facts.id.clone()), promise.decision);
    assert_eq!(1, notices.iter().filter(|n| n.tells()).count());
    assert_eq!(Some("POST /checkout"), outage.facts.route.as_deref());
}

#[test]
fn ten_percent_failing_pages_when_an_hours_share_is_over_1_44_percent() {
    let from = 7_200;
    let notices = steady(100, from + 900, |at| if at >= from { 10 } else { 0 });
    // 10 % of t seconds over 1.44 % of 3600 s: 518.4 s, seen at 540 s.
    let page = notices.iter().find(|n| n.tells() && n.facts.severity == Severity::Page).unwrap();
    assert_eq!(START + from + 540, page.at);
}

#[test]
fn a_steady_error_rate_as_promised_never_pages() {
    let notices = steady(100, 86_400, |at| u32::from(at % 10 == 0));
    assert!(notices.iter().all(|n| n.facts.severity < Severity::Page), "{notices:?}");
}

#[test]
fn one_failure_in_ten_requests_an_hour_never_pages() {
    let mut engine = Engine::new(&defaults(), &[Objective::available()], Vec::new(), settings(&[]));
    for hours_with_a_failure in [1, 72] {
        let mut notices = Vec::new();
        for n in 0..720 {
            let second = START + n * 360 + (n % 7) * 11;
            let status = if n % 10 == 3 && n / 10 < hours_with_a_failure { 500 } else { 200 };
            notices.extend(feed(&mut engine, second, &[Raw { second, route: 0, status, us: None }], &[]));
        }
        assert!(notices.iter().all(|n| n.facts.severity < Severity::Page));
        engine = Engine::new(&defaults(), &[Objective::available()], Vec::new(), settings(&[]));
    }
}

#[test]
fn a_gap_of_years_takes_no_time() {
    let (rules, objectives) = mixed_rules();
    let mut engine = Engine::new(&rules, &objectives, Vec::new(), settings(&objectives));
    let one = |second| [Raw { second, route: 0, status: 500, us: Some(9) }];
    feed(&mut engine, 5, &one(5), &[300_000]);
    let notices = feed(&mut engine, START, &one(START), &[300_000]);
    assert!(notices.iter().any(|n| n.facts.rule == "silent" && n.facts.started == 6 + 301));
    assert_eq!(0, feed(&mut engine, 7, &one(7), &[300_000]).len());
    assert_eq!(1, engine.ignored());
}

#[test]
fn a_mute_holds_back_and_its_end_tells_what_still_holds() {
    let mute = |until: u32| Mute {
        rule: Some("down".to_owned()),
        until: Some(crate::time::Timestamp::from_seconds(i64::from(until))),
        reason: Some("deploy".to_owned()),
        ..Mute::default()
    };
    let rules = [rule("down", "error_rate > 50% over 1m", 0, 60, None)];
    let mut engine = Engine::new(&rules, &[], vec![mute(START + 300)], Settings::default());
    let raw: Vec<Raw> =
        (0..400).map(|at| Raw { second: START + at, route: 1, status: if at < 320 { 500 } else { 200 }, us: None }).collect();
    let mut notices = run(&mut engine, &raw, &[], |_, _| {});
    notices.extend(engine.advance(START + 1000));
    let told: Vec<(u32, String, String)> =
        notices.iter().map(|n| (n.at - START, n.change.to_string(), n.decision.to_string())).collect();
    let told: Vec<(u32, &str, &str)> = told.iter().map(|t| (t.0, t.1.as_str(), t.2.as_str())).collect();
    assert_eq!(
        vec![
            (20, "the condition holds", "held back: muted (deploy)"),
            (300, "the condition still holds", "told: the mute is over and it still holds"),
        ],
        told[..2]
    );
    // Half of the last minute is good again 30 s after 320: a minute of that resolves it.
    assert_eq!(vec![(410, "good for 1 min", "told: it is over")], told[2..]);
}

#[test]
fn a_route_that_is_renamed_ends_its_alert() {
    let rules = [rule("bad", "error_rate > 50% over 1m on each", 0, 60, Some(3))];
    let mut engine = Engine::new(&rules, &[], Vec::new(), Settings::default());
    let raw: Vec<Raw> = (0..5).map(|at| Raw { second: START + at, route: 1, status: 500, us: None }).collect();
    let fired = run(&mut engine, &raw, &[], |_, _| {});
    let over = engine.renamed(Some("shop"), "POST", "/checkout");
    assert_eq!((1, 1), (fired.len(), over.len()));
    assert_eq!((Change::Renamed, true, &fired[0].facts.id), (over[0].change, over[0].tells(), &over[0].facts.id));
    assert!(engine.firing().is_empty());
    // Its window is gone too: nothing fires again from it.
    let raw = [Raw { second: START + 5, route: 0, status: 200, us: None }];
    assert_eq!(Vec::<Notice>::new(), run(&mut engine, &raw, &[], |_, _| {}));
}

#[test]
fn requests_come_from_the_edge_once_a_proxy_was_seen_and_starts_from_the_application() {
    let rules = [rule("bad", "error_rate > 50% over 1m", 0, 60, Some(1)), rule("starts", "restarts > 1 over 1m", 0, 60, None)];
    let keys = key(0);
    let slot = |status| {
        let mut slot = Slot::new(START);
        slot.record(status, 0, None, &[]);
        slot
    };
    let (bad, good) = (slot(500), slot(200));
    let starts = SlotLines {
        starts: 2,
        kinds: crate::stats::intake::Kinds { lifecycle: 2, ..Default::default() },
        ..SlotLines::default()
    };
    for (layer, want) in [(Layer::Edge, vec!["starts"]), (Layer::App, vec!["bad", "starts"])] {
        let mut engine = Engine::new(&rules, &[], Vec::new(), Settings::default());
        let seen = |layer, slot| Seen { service: None, layer, route: &keys, auth: Auth::Unknown, cache: Cache::None, slot };
        let told = |layer| Told { service: None, layer, lines: &starts };
        let groups = vec![seen(Layer::App, &bad), seen(Layer::App, &bad), seen(layer, &good)];
        let lines = vec![told(Layer::App), told(Layer::Edge)];
        let lines = if layer == Layer::Edge { lines } else { lines[..1].to_vec() };
        let notices = engine.second(&Second { second: START, groups: groups.into(), lines: lines.into() });
        let mut names: Vec<&str> = notices.iter().map(|n| n.facts.rule.as_str()).collect();
        names.sort_unstable();
        assert_eq!(want, names);
        assert_eq!(Some(2.0), notices.iter().find(|n| n.facts.rule == "starts").unwrap().facts.value);
    }
}

#[test]
fn healthy_days_with_noise_never_page() {
    month::healthy(2);
}

#[test]
fn incidents_that_spend_two_percent_of_the_budget_are_paged() {
    month::failing(2);
}

#[test]
#[ignore = "minutes without optimisation: cargo test --release --lib thirty -- --ignored --nocapture"]
fn thirty_healthy_days_with_noise_never_page() {
    month::healthy(30);
}

#[test]
#[ignore = "minutes without optimisation: cargo test --release --lib thirty -- --ignored --nocapture"]
fn sixty_incidents_in_thirty_days_are_paged() {
    month::failing(30);
}
