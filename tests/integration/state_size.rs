//! How large a state grows, and what a commit costs: figures for the README, not a check.
//!
//! `cargo test --release --test integration state_size -- --ignored --nocapture`
#![allow(clippy::cast_precision_loss, reason = "sizes for people")]

use std::path::Path;

use rusqlite::Connection;
use vitalog::drive::state::Commit;
use vitalog::drive::state::Settings;
use vitalog::drive::state::State;
use vitalog::route::NamedBy;
use vitalog::route::RouteKey;
use vitalog::stats::group::GroupKey;
use vitalog::stats::group::Layer;
use vitalog::stats::slots::Slot;
use vitalog::stats::snapshot::Snapshot;
use vitalog::stats::stored::Counted;
use vitalog::stats::stored::course::GroupName;
use vitalog::stats::stored::course::Second;
use vitalog::time::Timestamp;

const START: i64 = 1_790_000_100 / 900 * 900;

/// Numbers that look random.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }
}

struct Traffic {
    names: Vec<GroupName>,
    draw: Draw,
    per_second: u64,
}

impl Traffic {
    fn new(routes: usize, per_second: u64) -> Self {
        let mut snapshot = Snapshot::empty(super::state::plan());
        let desk = snapshot.desk(Some("shop"), Layer::App);
        let names = (0..routes)
            .map(|n| {
                let record = vitalog::parse::Record {
                    method: b"GET",
                    path: b"",
                    route: format!("/api/v1/resource{n}/{{id}}").leak().as_bytes(),
                    status: Some(200),
                    ..vitalog::parse::Record::default()
                };
                let route = snapshot.request(desk, &record, None);
                let key = GroupKey {
                    desk: 0,
                    era: 0,
                    route,
                    auth: vitalog::parse::Auth::Unknown,
                    cache: vitalog::parse::Cache::None,
                };
                let _: &RouteKey = snapshot.router(desk).key(route);
                assert_eq!(NamedBy::Log, snapshot.router(desk).key(route).by);
                GroupName::of(&snapshot, &key)
            })
            .collect();
        Self { names, draw: Draw(7), per_second }
    }

    /// What happens in `seconds` seconds, as one.
    fn second(&mut self, at: i64, seconds: u64) -> Second {
        let mut slots: Vec<Slot> = self.names.iter().map(|_| Slot::default()).collect();
        for _ in 0..self.per_second * seconds {
            // a few routes take most: the smaller of two draws, as in `benches/stats.rs`
            let many = self.names.len() as u64;
            let at = (self.draw.next() % many).min(self.draw.next() % many);
            let slot = &mut slots[usize::try_from(at).unwrap()];
            let status = match self.draw.next() % 1_000 {
                0..5 => 500,
                5..30 => 404,
                _ => 200,
            };
            // most within a factor of four of the route's own, a tail of one in sixteen
            let base = 2_000 + at * 300;
            let latency_us =
                base + base * (self.draw.next() % 64) / 32 + base * u64::from(self.draw.next().is_multiple_of(16)) * 8;
            slot.record(status, 700 + self.draw.next() % 4_000, Some(latency_us), &[300_000]);
        }
        let groups = self.names.iter().cloned().zip(slots).filter(|g| !g.1.statuses.is_empty());
        Second {
            second: u32::try_from(at).unwrap(),
            groups: groups
                .map(|(name, mut slot)| {
                    slot.tidy();
                    (name, slot)
                })
                .collect(),
            lines: Vec::new(),
        }
    }
}

fn commit(state: &mut State, now_s: i64, seconds: &[Second]) {
    let commit = Commit {
        now: Timestamp::from_seconds(now_s),
        counted: None,
        whole: &mut Counted::default,
        seconds,
        closed_to: u32::try_from(now_s).unwrap(),
        positions: Vec::new(),
        gone: Vec::new(),
        kept: Vec::new(),
        letters: Vec::new(),
        done: Vec::new(),
        tells: false,
    };
    state.commit(commit).unwrap();
}

/// Rows and bytes of a table.
fn size(path: &Path, table: &str) -> (i64, f64) {
    let c = Connection::open(path).unwrap();
    let sql = format!("SELECT count(*), coalesce(sum(length(body)), 0) FROM {table}");
    c.query_row(&sql, [], |r| Ok((r.get(0)?, r.get::<_, i64>(1)?))).map(|(n, b)| (n, b as f64 / 1_048_576.0)).unwrap()
}

#[test]
#[ignore = "takes minutes; prints figures"]
fn figures() {
    for (routes, per_second) in [(60, 100), (500, 1_000)] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("v.db");
        let settings =
            Settings { path: Some(path.clone()), limits_us: vec![300_000], max_size: 8 << 30, ..Settings::default() };
        let (mut state, ..) = State::open(&settings, Timestamp::from_seconds(START)).unwrap();
        let mut traffic = Traffic::new(routes, per_second);
        for minute in 0..1_440 {
            let at = START + minute * 60;
            commit(&mut state, at, &[traffic.second(at, 60)]);
        }
        let day = START + 86_400;
        commit(&mut state, day + 700, &[]);
        let (rows, minutes) = size(&path, "minutes");
        let delays = size(&path, "delays").1;
        let file = std::fs::metadata(&path).unwrap().len() as f64 / 1_048_576.0;
        for second in 0..60 {
            commit(&mut state, day + 800 + second, &[traffic.second(day + 800 + second, 1)]);
        }
        let (parts, seconds) = size(&path, "seconds");
        // two days later all latencies stand by the quarter of an hour
        commit(&mut state, day + 3 * 86_400, &[]);
        let quarters = size(&path, "quarters").1;
        let all = 35.0 * minutes + 2.0 * delays + 33.0 * quarters;
        println!(
            "{routes} routes at {per_second}/s: {rows} minutes; a day of counts {minutes:.1} MiB, of latencies by the minute"
        );
        println!("  {delays:.1} MiB, by the quarter of an hour {quarters:.1} MiB; the file {file:.1} MiB; a second's row");
        println!(
            "  {:.0} bytes; 35 days: 35 x {minutes:.2} + 2 x {delays:.2} + 33 x {quarters:.2} = {all:.0} MiB",
            seconds * 1_048_576.0 / parts as f64
        );
    }
}
