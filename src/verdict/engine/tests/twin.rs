//! The brute-force twin: every window anew from the raw records at every second, and alerts by counting seconds.

use super::*;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum R {
    Bad,
    Between,
    Good,
    Nothing,
}

#[derive(Default)]
struct One {
    held: Option<u32>,
    firing: bool,
    good: Option<u32>,
    rows: Vec<usize>,
    before: Option<R>,
}

impl One {
    /// Fired (true) or resolved (false).
    fn tick(&mut self, r: R, for_s: u32, clear_for_s: u32) -> Option<bool> {
        let ran = u32::from(self.before != Some(R::Nothing));
        self.before = Some(r);
        if self.firing {
            match r {
                R::Good => {
                    let good = self.good.map_or(0, |g| g + ran);
                    self.good = Some(good);
                    if good >= clear_for_s {
                        *self = Self { before: Some(r), ..Self::default() };
                        return Some(false);
                    }
                }
                R::Nothing => self.good = self.good.map(|g| g + ran),
                R::Bad | R::Between => self.good = None,
            }
            return None;
        }
        match r {
            R::Bad => {
                let held = self.held.map_or(0, |h| h + ran);
                self.held = Some(held);
                if held >= for_s {
                    (self.firing, self.held) = (true, None);
                    return Some(true);
                }
            }
            R::Nothing => self.held = self.held.map(|h| h + ran),
            R::Good | R::Between => self.held = None,
        }
        None
    }
}

fn window(raw: &[Raw], now: u32, width: u32) -> &[Raw] {
    let by = advance_of(width);
    let end = now / by * by;
    let start = end - width.div_ceil(by) * by;
    let from = raw.partition_point(|r| r.second < start);
    &raw[from..raw.partition_point(|r| r.second < end)]
}

/// How many stand behind a figure, and the figure.
fn value(signal: Signal, of: &[Raw], window_s: u32) -> (usize, Option<f64>) {
    let share = |n: usize| n as f64 / of.len() as f64;
    let exact = || of.iter().filter_map(|r| r.us);
    let latency = matches!(signal, Signal::Quantile(_) | Signal::Mean | Signal::Max);
    let behind = if latency { exact().count() } else { of.len() };
    if behind == 0 {
        return (0, None);
    }
    let max = exact().max().unwrap_or(0);
    let errors = of.iter().filter(|r| r.status >= 500).count();
    let value = match signal {
        Signal::ErrorRate => share(errors),
        Signal::StatusRate(code) => share(of.iter().filter(|r| r.status == code).count()),
        Signal::Rate => behind as f64 / f64::from(window_s),
        Signal::Errors => errors as f64,
        Signal::Max => max as f64,
        Signal::Mean => exact().sum::<u64>() as f64 / behind as f64,
        Signal::Quantile(q) => {
            let mut all: Vec<u64> = exact().map(|us| coarse_highest(coarse(us))).collect();
            all.sort_unstable();
            let rank = (q * all.len() as f64 - 1e-6).ceil().max(1.0) as usize;
            all[rank - 1].min(max) as f64
        }
        _ => unreachable!(),
    };
    (behind, Some(value))
}

pub(super) fn events(raw: &[Raw], end: u32, rules: &[Rule], objectives: &[Objective]) -> Vec<Event> {
    let mut all = Vec::new();
    let first = raw[0].second;
    for rule in rules {
        let subjects: Vec<(Option<String>, Vec<usize>)> = match &rule.condition.on {
            On::All => vec![(None, vec![0, 1, 2])],
            On::Each => (0..3).map(|r| (Some(name(r)), vec![r])).collect(),
            On::Route(glob) => {
                let of = (0..3).filter(|r| glob.matches(ROUTES[*r].0, ROUTES[*r].1)).collect();
                vec![(rule.condition.route.clone(), of)]
            }
        };
        for (route, of) in subjects {
            let mine: Vec<Raw> = raw.iter().filter(|r| of.contains(&r.route)).copied().collect();
            let mut one = One::default();
            for now in first + 1..=end {
                let (read, value) = read(rule, &mine, raw, now, first);
                if let Some(fired) = one.tick(read, rule.for_s, rule.clear_for_s) {
                    all.push((now, rule.name.clone(), rule.severity.word(), route.clone(), fired, rounded(value)));
                }
            }
        }
    }
    for objective in objectives {
        for severity in [Severity::Page, Severity::Ticket] {
            promise(objective, severity, raw, first, end, &mut all);
        }
    }
    all.sort();
    all
}

fn read(rule: &Rule, mine: &[Raw], raw: &[Raw], now: u32, first: u32) -> (R, Option<f64>) {
    let c = &rule.condition;
    if c.signal == Signal::Silence {
        let last = raw[raw.partition_point(|r| r.second < now) - 1].second;
        let silent = f64::from(now - last - 1) * 1e6;
        return (if c.op.holds(silent, c.value) { R::Bad } else { R::Good }, Some(silent));
    }
    let w = rule.window_s();
    let (behind, shown) = value(c.signal, window(mine, now, w), w);
    let must = match c.signal {
        Signal::Rate => w,
        _ if w > 600 => w / 2,
        _ => 0,
    };
    let read = match shown {
        _ if now - first < must || (behind as u64) < rule.least() => R::Nothing,
        None => R::Nothing,
        Some(v) if c.op.holds(v, c.value) => R::Bad,
        Some(_) => R::Good,
    };
    (read, shown)
}

fn promise(objective: &Objective, severity: Severity, raw: &[Raw], first: u32, end: u32, all: &mut Vec<Event>) {
    let table: Vec<_> = rows(objective).0.into_iter().filter(|r| r.severity == severity).collect();
    let share = |now, w| {
        let mut share = crate::verdict::promise::Share::default();
        for r in window(raw, now, w) {
            let (counts, bad) = match objective.slower_than_us {
                Some(limit) => (r.us.is_some(), r.us.is_some_and(|us| us > limit)),
                None => (true, r.status >= 500),
            };
            share.all += u64::from(counts);
            share.bad += u64::from(bad);
        }
        share
    };
    let mut one = One::default();
    for now in first + 1..=end {
        let standing = |r: &crate::verdict::promise::Row| match now - first {
            observed if observed < r.long_s / 2 => Standing::WarmingUp,
            observed => stand(r, share(now, r.long_s), share(now, r.short_s), observed),
        };
        let read: Vec<Standing> = table.iter().map(standing).collect();
        let tripped: Vec<usize> = (0..read.len()).filter(|i| read[*i] == Standing::Tripped).collect();
        let mut counting: Vec<Standing> =
            if one.rows.is_empty() { read.clone() } else { one.rows.iter().map(|i| read[*i]).collect() };
        counting.retain(|s| *s != Standing::WarmingUp);
        let r = if !tripped.is_empty() {
            R::Bad
        } else if counting.is_empty() || counting.contains(&Standing::NoData) {
            R::Nothing
        } else if counting.contains(&Standing::Between) {
            R::Between
        } else {
            R::Good
        };
        let rows_before = one.rows.clone();
        let changed = one.tick(r, 0, objective.clear_for_s);
        if one.firing {
            one.rows.extend(tripped.iter().filter(|i| !rows_before.contains(i)));
            one.rows.sort_unstable();
        }
        if let Some(fired) = changed {
            let rows = if fired { &one.rows } else { &rows_before };
            let value = share(now, table[rows[0]].short_s).ratio();
            all.push((now, objective.name.clone(), severity.word(), None, fired, rounded(value)));
        }
    }
}
