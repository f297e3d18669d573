//! Carries the outbox to the sinks: one thread and one message on its way for each sink, so that a sink that hangs
//! delays no other and nobody else.
//!
//! The outbox stays with the caller, who calls [`Courier::step`] whenever it is woken, with the present; nothing waits
//! in here but the sinks' threads. A message is forgotten only after its delivery was told by a step; a caller that
//! dies before that sends it again under the same id.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::Sender;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use super::Parcel;
use super::Sink;
use super::Try;
use super::outbox::Entry;
use super::outbox::Outbox;
use crate::time::MINUTE;
use crate::time::Timestamp;
use crate::write::figures::counted;
use crate::write::payload;
use crate::write::payload::Body;
use crate::write::payload::Form;
use crate::write::payload::Telling;
use crate::write::retry;
use crate::write::retry::Failure;
use crate::write::retry::Verdict;

/// What one sink has seen since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Messages (or heartbeats) that arrived.
    pub delivered: u64,
    /// Tries that failed and are made again.
    pub failed: u64,
    /// Messages that were given up because they would fail again.
    pub given_up: u64,
}

/// Carries messages to all sinks.
pub struct Courier {
    lanes: Vec<Lane>,
    reports: Receiver<Report>,
    /// Reports that `wait` took.
    early: VecDeque<Report>,
    chance: u64,
    /// Alerts that the outbox lost, as far as that was said.
    lost: u64,
}

/// One sink and its thread.
struct Lane {
    sink: Arc<Sink>,
    key: String,
    jobs: Sender<Job>,
    on_its_way: Option<Way>,
    /// Failures in a row.
    failures: u32,
    not_before: Timestamp,
    counts: Counts,
}

/// What is on its way.
enum Way {
    /// The message of this id.
    Message(String),
    Beat,
}

enum Job {
    Send(Parcel),
    Beat,
}

struct Report {
    lane: usize,
    outcome: Try,
}

impl Courier {
    /// Starts a thread for each sink. `wake` is called by those threads when there is something to step for. `seed`
    /// makes the jitter. An error where the system has no thread left.
    pub fn start(sinks: Vec<Sink>, seed: u64, wake: impl Fn() + Send + Sync + 'static) -> Result<Self, String> {
        let (reporter, reports) = channel();
        let wake: Arc<dyn Fn() + Send + Sync> = Arc::new(wake);
        let mut lanes: Vec<Lane> = Vec::new();
        for (at, sink) in sinks.into_iter().enumerate() {
            let stem = sink.key();
            let twins = lanes.iter().filter(|lane| lane.sink.key() == stem).count();
            let sink = Arc::new(sink);
            let (jobs, orders) = channel();
            let (own, report, wake) = (Arc::clone(&sink), reporter.clone(), Arc::clone(&wake));
            let work = move || work(at, &own, &orders, &report, &*wake);
            let named = thread::Builder::new().name(format!("sink {}", at + 1));
            named.spawn(work).map_err(|e| format!("starting a thread for {}: {}", sink.shown(), e.kind()))?;
            lanes.push(Lane {
                key: if twins == 0 { stem } else { format!("{stem} {}", twins + 1) },
                sink,
                jobs,
                on_its_way: None,
                failures: 0,
                not_before: Timestamp(i64::MIN),
                counts: Counts::default(),
            });
        }
        Ok(Self { lanes, reports, early: VecDeque::new(), chance: seed, lost: 0 })
    }

    /// Puts `tellings` into the outbox for every sink that wants them.
    pub fn enqueue(&self, outbox: &mut Outbox, tellings: &[Telling], now: Timestamp) {
        for lane in &self.lanes {
            let sink = &lane.sink;
            let wanted: Vec<Telling> = tellings
                .iter()
                .filter(|telling| sink.form().most() > 0 && sink.wants(telling.alert.severity))
                .map(|telling| telling.cleaned(sink.lines()))
                .collect();
            if !wanted.is_empty() {
                outbox.push(&lane.key, sink.form().most(), wanted, now);
            }
        }
    }

    /// Takes in what came of the last tries and sends what is due; `reading` says whether heartbeats may go out. What
    /// there is to say on stderr comes back, a line each, without any address or secret.
    pub fn step(&mut self, now: Timestamp, reading: bool, outbox: &mut Outbox) -> Vec<String> {
        let mut said = Vec::new();
        while let Some(report) = self.early.pop_front().or_else(|| self.reports.try_recv().ok()) {
            let chance = self.chance();
            if let Some(lane) = self.lanes.get_mut(report.lane) {
                said.extend(lane.settle(&report.outcome, now, chance, outbox));
            }
        }
        for lane in &mut self.lanes {
            said.extend(lane.send(now, reading, outbox));
        }
        let lost = outbox.lost();
        if lost > self.lost {
            said.push(format!("{} lost: the outbox was full, or they waited for a day", counted(lost - self.lost, "alert")));
        }
        self.lost = lost;
        said
    }

    /// When the next step is due though nobody woke; `None` where nothing waits.
    pub fn next(&self, outbox: &Outbox) -> Option<Timestamp> {
        let idle = self.lanes.iter().filter(|lane| lane.on_its_way.is_none());
        idle.filter_map(|lane| match lane.sink.form() {
            Form::Heartbeat => Some(lane.not_before),
            _ => outbox.next(&lane.key).map(|at| at.max(lane.not_before)),
        })
        .min()
    }

    /// Whether nothing is on its way.
    pub fn idle(&self) -> bool {
        self.lanes.iter().all(|lane| lane.on_its_way.is_none())
    }

    /// Waits until a try is over, `most` long; false where none was. For callers that have nothing else to do: the
    /// last seconds before an exit.
    pub fn wait(&mut self, most: Duration) -> bool {
        let report = self.reports.recv_timeout(most).ok();
        let came = report.is_some();
        self.early.extend(report);
        came
    }

    /// Every sink as people may see it, with what it has seen.
    pub fn counts(&self) -> impl Iterator<Item = (String, Counts)> {
        self.lanes.iter().map(|lane| (lane.sink.shown(), lane.counts))
    }

    /// The names under which the sinks' messages stand in the outbox.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.lanes.iter().map(|lane| lane.key.as_str())
    }

    /// 0 to 1, by splitmix64 (Steele, Lea and Flood, 2014).
    fn chance(&mut self) -> f64 {
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.chance;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        let upper = u32::try_from((mixed ^ mixed >> 31) >> 32).unwrap_or(0);
        f64::from(upper) / f64::from(u32::MAX)
    }
}

/// A sink's thread: one job after the other until nobody gives one.
fn work(lane: usize, sink: &Sink, orders: &Receiver<Job>, report: &Sender<Report>, wake: &(dyn Fn() + Send + Sync)) {
    while let Ok(job) = orders.recv() {
        let one = AssertUnwindSafe(|| match &job {
            Job::Send(parcel) => sink.send(parcel),
            Job::Beat => sink.beat(),
        });
        let outcome = catch_unwind(one).unwrap_or(Try::Failure(Failure::Broken));
        if report.send(Report { lane, outcome }).is_err() {
            return;
        }
        wake();
    }
}

impl Lane {
    fn send(&mut self, now: Timestamp, reading: bool, outbox: &mut Outbox) -> Vec<String> {
        let mut said = Vec::new();
        if self.on_its_way.is_some() || self.rests(now) {
            return said;
        }
        if matches!(self.sink.form(), Form::Heartbeat) {
            if reading {
                self.not_before = Timestamp(now.0.saturating_add(MINUTE));
                self.start(Job::Beat, Way::Beat);
            }
            return said;
        }
        while let Some(entry) = outbox.due(&self.key, now) {
            match payload::body(self.sink.form(), entry.batch()) {
                Ok(body) => {
                    self.start(Job::Send(parcel(&entry, body, now)), Way::Message(entry.id));
                    return said;
                }
                Err(why) => said.push(self.give_up(&entry.id, &why, outbox)),
            }
        }
        said
    }

    fn start(&mut self, job: Job, way: Way) {
        // Threads outlive every panic of a try, so the job is always taken.
        self.on_its_way = self.jobs.send(job).is_ok().then_some(way);
    }

    /// Whether the sink is left alone for now. A time further off than any wait comes from a clock that was set back.
    fn rests(&self, now: Timestamp) -> bool {
        let wait = self.not_before.0.saturating_sub(now.0);
        wait > 0 && wait <= (retry::RETRY_AFTER_MOST_S + 1) * crate::time::SECOND
    }

    fn settle(&mut self, outcome: &Try, now: Timestamp, chance: f64, outbox: &mut Outbox) -> Option<String> {
        let way = self.on_its_way.take()?;
        let verdict = retry::judge(outcome.judged(), self.failures, now, chance);
        let Way::Message(id) = way else { return self.beaten(verdict) };
        match verdict {
            Verdict::Delivered => {
                outbox.delivered(&id);
                self.counts.delivered += 1;
                self.recovered(now)
            }
            Verdict::Again { not_before, why } => {
                outbox.failed(&id, not_before, matches!(outcome, Try::Answer { status, .. } if *status != 429));
                self.counts.failed += 1;
                self.failures = self.failures.saturating_add(1);
                self.not_before = not_before;
                (self.failures == 1).then(|| format!("{}: {why}; trying again", self.sink.shown()))
            }
            Verdict::Never { why } => {
                self.not_before = now;
                Some(self.give_up(&id, &why, outbox))
            }
        }
    }

    fn give_up(&mut self, id: &str, why: &str, outbox: &mut Outbox) -> String {
        self.counts.given_up += 1;
        let alerts = outbox.given_up(id);
        format!("{}: {why}; {} not told there", self.sink.shown(), counted(alerts as u64, "alert"))
    }

    /// A heartbeat is never made up for: the next one comes in a minute.
    fn beaten(&mut self, verdict: Verdict) -> Option<String> {
        match verdict {
            Verdict::Delivered => {
                self.counts.delivered += 1;
                let not_before = self.not_before;
                self.recovered(not_before)
            }
            Verdict::Again { why, .. } | Verdict::Never { why } => {
                self.counts.failed += 1;
                self.failures = self.failures.saturating_add(1);
                (self.failures == 1).then(|| format!("{}: {why}", self.sink.shown()))
            }
        }
    }

    fn recovered(&mut self, not_before: Timestamp) -> Option<String> {
        let failures = std::mem::take(&mut self.failures);
        self.not_before = not_before;
        (failures > 0).then(|| format!("{}: works again after {}", self.sink.shown(), counted(failures.into(), "failure")))
    }
}

fn parcel(entry: &Entry, body: Body, at: Timestamp) -> Parcel {
    Parcel { id: entry.id.clone(), body, at }
}
