//! Days of five services of 0.01 to 500 requests a second: diurnal, with bursts, 0.02 % errors; healthy, and with incidents.

use super::*;

const SERVICES: [(&str, f64); 5] = [("tiny", 0.01), ("small", 0.1), ("middle", 2.0), ("large", 50.0), ("huge", 500.0)];
const DAY_S: u32 = 86_400;
/// Errors below which nothing is a page.
const PAGE_ERRORS: u64 = 5;

/// One service fails on one route, by this share, for so long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Incident {
    service: usize,
    route: usize,
    from: u32,
    seconds: u32,
    depth: f64,
}

/// Shares of the traffic: two routes and the rest.
const ROUTE_SHARE: [f64; 3] = [0.5, 0.2, 0.3];

fn rate(mean: f64, at: u32, burst: f64) -> f64 {
    let of_day = f64::from(at % DAY_S) / f64::from(DAY_S);
    mean * burst * (1.0 + 0.8 * (std::f64::consts::TAU * (of_day - 0.3)).sin())
}

/// All that is told over `days`, each second of each service fed by itself.
pub(super) fn lived(seed: u64, days: u32, incidents: &[Incident]) -> (Vec<Notice>, Vec<u64>, u64) {
    let mut dice = Dice(seed);
    let objectives = [Objective::available()];
    let mut engine = Engine::new(&defaults(), &objectives, Vec::new(), settings(&objectives));
    let keys: Vec<Arc<RouteKey>> = (0..3).map(key).collect();
    let mut notices = Vec::new();
    let mut spent = vec![0; incidents.len()];
    let mut requests = 0;
    let mut burst = [1.0; 5];
    for at in 0..days * DAY_S {
        let mut busy: Vec<(usize, usize, Slot)> = Vec::new();
        for (service, (_, mean)) in SERVICES.iter().enumerate() {
            if dice.below(600) == 0 {
                burst[service] = [1.0, 1.0, 1.0, 0.3, 4.0][dice.below(5) as usize];
            }
            let incident = incidents.iter().position(|i| i.service == service && (i.from..i.from + i.seconds).contains(&at));
            for (route, share) in ROUTE_SHARE.iter().enumerate() {
                let all = dice.poisson(rate(*mean, at, burst[service]) * share);
                if all == 0 {
                    continue;
                }
                let depth = incident.map(|n| incidents[n]).filter(|i| i.route == route).map_or(0.0002, |i| i.depth);
                let bad = dice.poisson(f64::from(all) * depth).min(all);
                if let Some(n) = incident.filter(|n| at < incidents[*n].from + 3600) {
                    spent[n] += u64::from(bad);
                }
                requests += u64::from(all);
                let mut slot = Slot::new(START + at);
                slot.statuses = [(200, all - bad), (503, bad)].into_iter().filter(|s| s.1 > 0).collect();
                busy.push((service, route, slot));
            }
        }
        if busy.is_empty() {
            continue;
        }
        let groups = busy.iter().map(|(service, route, slot)| Seen {
            service: Some(SERVICES[*service].0),
            layer: Layer::App,
            route: &keys[*route],
            auth: Auth::Unknown,
            cache: Cache::None,
            slot,
        });
        notices.extend(engine.second(&Second { second: START + at, groups: groups.collect(), lines: smallvec![] }));
    }
    (notices, spent, requests)
}

fn pages(notices: &[Notice]) -> Vec<&Notice> {
    let of_page = |n: &&Notice| n.tells() && n.facts.severity == Severity::Page && n.facts.resolved.is_none();
    notices.iter().filter(of_page).filter(|n| !matches!(n.decision, Decision::Repeat(_))).collect()
}

/// Sixty incidents, one every twelve hours, from `days` of life.
fn incidents(days: u32) -> Vec<Incident> {
    let mut dice = Dice(7);
    let slots = days * 2;
    (0..slots)
        .map(|n| {
            let service = dice.below(5) as usize;
            let least = [0.5, 0.3, 0.15, 0.08, 0.08][service];
            Incident {
                service,
                route: dice.below(3) as usize,
                from: n * DAY_S / 2 + 7_200 + dice.below(7_200),
                seconds: 1_800 + dice.below(5_400),
                depth: least + (1.0 - least) * dice.share(),
            }
        })
        .collect()
}

pub(super) fn healthy(days: u32) {
    let (notices, _, requests) = lived(1, days, &[]);
    let told = |severity| notices.iter().filter(|n| n.tells() && n.facts.severity == severity).count();
    println!(
        "{days} healthy days, {requests} requests: {} pages, {} tickets, {} notes told",
        told(Severity::Page),
        told(Severity::Ticket),
        told(Severity::Info)
    );
    assert!(pages(&notices).is_empty(), "{:?}", pages(&notices));
}

pub(super) fn failing(days: u32) {
    let incidents = incidents(days);
    let (notices, spent, _) = lived(1, days, &incidents);
    let pages = pages(&notices);
    let (mut delays, mut missed, mut too_little) = (Vec::new(), Vec::new(), 0);
    for (incident, bad) in incidents.iter().zip(spent) {
        let (name, mean) = SERVICES[incident.service];
        // 2 % of what thirty days of mean traffic may spend; and enough to tell.
        let budget = 0.02 * 0.001 * mean * f64::from(30 * DAY_S);
        let from = START + incident.from;
        let page = pages
            .iter()
            .find(|p| p.facts.service.as_deref() == Some(name) && (from..from + incident.seconds + 3_600).contains(&p.at));
        match page {
            Some(page) => delays.push(page.at - from),
            None if (bad as f64) < budget || bad < PAGE_ERRORS => too_little += 1,
            None => missed.push((incident, bad)),
        }
    }
    delays.sort_unstable();
    println!(
        "{} incidents: {} paged ({} pages told), median delay {:?} s, longest {:?} s; {too_little} spent too little to tell",
        incidents.len(),
        delays.len(),
        pages.len(),
        delays.get(delays.len() / 2),
        delays.last()
    );
    assert!(missed.is_empty(), "{missed:?}");
    let beside = pages.iter().filter(|p| {
        let service = SERVICES.iter().position(|s| p.facts.service.as_deref() == Some(s.0));
        let during = |i: &&Incident| (START + i.from..START + i.from + i.seconds + 3_600).contains(&p.at);
        !incidents.iter().filter(during).any(|i| Some(i.service) == service)
    });
    assert_eq!(0, beside.count(), "pages beside the incidents");
    assert!(pages.len() <= delays.len() + delays.len() / 20, "incidents paged twice");
}
