//! What the server shows: figures from the loop, the course of time from the state.
//!
//! The loop answers with what it holds in memory. What must be read from the state's file is read on the server's own
//! threads, beside the loop, which goes on.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::sync::mpsc::TrySendError;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use super::Wake;
use super::When;
use crate::drive::clock;
use crate::drive::state::reader::Range;
use crate::drive::state::reader::Reader;
use crate::stats::snapshot::Plan;
use crate::stats::summary::Asked;
use crate::stats::summary::sum_up;
use crate::time::MINUTE;
use crate::time::Timestamp;
use crate::verdict::finding::found_in;
use crate::verdict::health;
use crate::write::Report;
use crate::write::json;
use crate::write::serve;
use crate::write::serve::Refused;

/// How long a reader waits for the loop's answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Somebody asks how things are.
pub(super) struct Question {
    /// From when on, where the state is in memory and must be read by the loop; `None` for since the state began.
    pub(super) since: Option<Timestamp>,
    /// Where the answer goes.
    pub(super) answer: SyncSender<Answer>,
}

/// What the loop holds.
pub(super) struct Answer {
    /// Since the state began, without the course of time.
    pub(super) report: Report,
    pub(super) plan: Plan,
    pub(super) asked: Asked,
    pub(super) firing: Vec<health::Firing>,
    /// The span of time that was asked for, of a state in memory.
    pub(super) range: Option<Range>,
}

/// Whoever answers for the server.
struct Desk {
    waker: SyncSender<Wake>,
    path: Option<PathBuf>,
    when: When,
}

/// The server's settings with its questions led to the loop.
pub(super) fn answered(
    settings: serve::Settings,
    waker: &SyncSender<Wake>,
    path: Option<PathBuf>,
    when: When,
) -> serve::Settings {
    let desk = Arc::new(Desk { waker: waker.clone(), path, when });
    let whole = Arc::clone(&desk);
    let ranges = move |since: &str| desk.span(since);
    serve::Settings { ranges: Arc::new(ranges), whole: Some(Arc::new(move || whole.whole())), ..settings }
}

impl Desk {
    fn ask(&self, since: Option<Timestamp>) -> Result<Answer, Refused> {
        let busy = || Refused::Cannot("the reader is busy".to_owned());
        let (answer, answered) = sync_channel(1);
        match self.waker.try_send(Wake::Question(Question { since, answer })) {
            Ok(()) => answered.recv_timeout(PATIENCE).map_err(|_| busy()),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => Err(busy()),
        }
    }

    fn range(&self, answer: &mut Answer, since: Timestamp, until: Timestamp) -> Result<Range, Refused> {
        match &self.path {
            None => Ok(answer.range.take().unwrap_or_default()),
            Some(path) => {
                let read = Reader::open(path).and_then(|mut reader| reader.range(since, until));
                read.map_err(|e| Refused::Cannot(e.message))
            }
        }
    }

    /// The report since the state began.
    fn whole(&self) -> Result<Vec<u8>, Refused> {
        let mut answer = self.ask(None)?;
        if let Some(start) = answer.report.summary.period.start {
            let range = self.range(&mut answer, start, soon())?;
            let mut course = range.counted.snapshot(answer.plan.clone());
            course.close();
            answer.report.summary.series = sum_up(&course, &answer.asked).series;
        }
        Ok(written(&answer.report))
    }

    /// The report of a span of time up to now.
    fn span(&self, since: &str) -> Result<Vec<u8>, Refused> {
        let since = (self.when)(since, clock::now()).map_err(Refused::Bad)?;
        let mut answer = self.ask(Some(since))?;
        let range = self.range(&mut answer, since, soon())?;
        let mut snapshot = range.counted.snapshot(answer.plan.clone());
        snapshot.close();
        let summary = sum_up(&snapshot, &answer.asked);
        let (health, service_health) = health::live(&summary, &answer.firing);
        let findings = found_in(&snapshot, &summary, &answer.asked);
        Ok(written(&Report { summary, health, service_health, findings }))
    }
}

/// A little beyond the present: clocks of logs need not be ours.
fn soon() -> Timestamp {
    Timestamp(clock::now().micros().saturating_add(MINUTE))
}

fn written(report: &Report) -> Vec<u8> {
    let mut page = Vec::new();
    // writing to memory cannot fail
    drop(json::json(report, &mut page));
    page
}
