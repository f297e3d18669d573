//! What needs the whole past of a history, settled in order: which start is a deploy and which a crash, which exception
//! failed which request, which report is the second of one failure.
//!
//! A walk gives such things back as events, because it may have begun in the middle; here they are taken in the order of
//! the source and counted into its snapshot.

use serde::Deserialize;
use serde::Serialize;

use super::pipeline::At;
use super::pipeline::Event;
use crate::parse::lifecycle;
use crate::parse::lifecycle::Lifecycle;
use crate::parse::lifecycle::Runs;
use crate::stats::doings::Doing;
use crate::stats::failures::Failed;
use crate::stats::failures::Mark;
use crate::stats::failures::Spot;
use crate::stats::failures::Ties;
use crate::stats::snapshot::SlotLines;
use crate::stats::snapshot::Snapshot;
use crate::time::Timestamp;

/// Settles events of one history in order: which start is a deploy and which a crash, which exception failed which
/// request. Bounded; part of what live state saves.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Book {
    runs: Vec<(u64, Runs)>,
    ties: Vec<(u64, Ties)>,
    lines: u64,
}

/// Instances whose runs and ties are remembered.
const BOOKED: usize = 64;

fn page<T: Default>(pages: &mut Vec<(u64, T)>, instance: u64) -> &mut T {
    let at = pages.iter().position(|p| p.0 == instance).unwrap_or_else(|| {
        if pages.len() >= BOOKED {
            pages.remove(0);
        }
        pages.push((instance, T::default()));
        pages.len() - 1
    });
    &mut pages[at].1
}

impl Book {
    /// Settles the events of the next walk, which spanned `lines` lines.
    pub fn settle(&mut self, events: Vec<Event>, lines: u64, out: &mut Snapshot) {
        for event in events {
            match event {
                Event::Lifecycle { at, line, text } => self.lifecycle(&at, &line, text, out),
                Event::Failed { at, route, target, request_id, pid } => {
                    let failed = Failed {
                        spot: self.spot(&at),
                        route: &route,
                        method: &target.0,
                        path: &target.1,
                        request_id: &request_id,
                        pid,
                    };
                    if let Some(tie) = page(&mut self.ties, at.instance).request(&failed) {
                        out.tie(at.service.as_deref(), &tie, at.time);
                    }
                }
                Event::Raised { at, exception } => {
                    let spot = self.spot(&at);
                    let told = page(&mut self.ties, at.instance).exception(&exception, spot);
                    if told.again {
                        continue;
                    }
                    let desk = out.desk(at.service.as_deref(), at.layer);
                    out.happened(desk, at.time, &SlotLines { exceptions: 1, ..SlotLines::default() });
                    let mark = Mark::new(at.time, at.source, at.offset);
                    out.exception(at.service.as_deref(), &exception, mark);
                    if let Some(tie) = told.tie {
                        out.tie(at.service.as_deref(), &tie, at.time);
                    }
                }
            }
        }
        self.lines += lines;
    }

    fn spot(&self, at: &At) -> Spot {
        Spot { line: self.lines + at.line, micros: at.time.map(Timestamp::micros) }
    }

    fn lifecycle(&mut self, at: &At, line: &Lifecycle, text: String, out: &mut Snapshot) {
        let runs = page(&mut self.runs, at.instance);
        let kind = runs.note(line, at.time.map(Timestamp::second));
        if let Some(time) = at.time {
            out.doings_mut().turn(at.service.as_deref(), time, kind, runs.origin());
        }
        let desk = out.desk(at.service.as_deref(), at.layer);
        let here = SlotLines {
            starts: u64::from(kind == lifecycle::Kind::Start),
            worker_deaths: u64::from(matches!(kind, lifecycle::Kind::WorkerDeath | lifecycle::Kind::WorkerKilled)),
            ..SlotLines::default()
        };
        out.happened(desk, at.time, &here);
        let doing = Doing {
            service: at.service.as_deref().map(str::to_owned),
            kind: kind.word().to_owned(),
            pid: line.pid.or(line.writer),
            text,
        };
        out.doings_mut().record(kind, Mark::new(at.time, at.source, at.offset), doing);
    }
}
