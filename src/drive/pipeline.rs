//! One source's walk from line to Snapshot: the stages meet here and only here.
//!
//! [`Walk`] takes raw lines in order and counts into a [`Snapshot`]. What is still open between two lines is its
//! [`Carry`]: pieces of a line, tracebacks, unpaired lines, the last time. Two walks whose carries are equal do the same
//! from there on, which is what `batch` holds its guesses against and what `live` saves beside a position.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::Deserialize;
use serde::Serialize;

use crate::line::Broken;
use crate::line::Hint;
use crate::line::Line;
use crate::line::Peeled;
use crate::line::Unwrapper;
use crate::line::join::Held;
use crate::line::pods;
use crate::line::split::Block;
use crate::line::split::RawLine;
use crate::parse::Exception;
use crate::parse::Record;
use crate::parse::Reject;
use crate::parse::Role;
use crate::parse::fields::Envelope;
use crate::parse::lifecycle;
use crate::parse::lifecycle::Lifecycle;
use crate::parse::look::Chosen;
use crate::parse::look::Look;
use crate::parse::look::Looker;
use crate::parse::lost;
use crate::parse::own;
use crate::parse::pair::Aside;
use crate::parse::pair::Pairer;
use crate::parse::redact;
use crate::parse::traceback;
use crate::parse::traceback::Folder;
use crate::parse::traceback::Offer;
use crate::parse::traceback::Taken;
use crate::route::RouteId;
use crate::stats::group::Layer;
use crate::stats::intake::Intake;
use crate::stats::intake::Kind;
use crate::stats::snapshot::POD;
use crate::stats::snapshot::Snapshot;
use crate::time::SECOND;
use crate::time::Stamp;
use crate::time::Timestamp;
use crate::time::zone::Dating;
use crate::time::zone::Zone;

use super::source::SourceForm;
use super::source::instance_of;

/// How lines are read, the same for every source of a run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What the user says about forms.
    pub forms: Arc<Chosen>,
    /// The zone for stamps without one.
    pub zone: Zone,
    /// Requests before it are left out of everything but the intake.
    pub since: Option<Timestamp>,
    /// Requests at or after it are left out likewise.
    pub until: Option<Timestamp>,
    /// How far behind its source's newest time a second stays open, in microseconds.
    pub lateness_us: i64,
    /// Which service a path belongs to, and on which side of a proxy it was written; in the order of the configuration.
    pub services: Vec<ServiceRule>,
    /// The service where neither configuration nor wrapper names one.
    pub service: Option<String>,
}

/// Paths that belong to a service.
#[derive(Debug, Clone)]
pub struct ServiceRule {
    /// The service's name.
    pub name: String,
    /// Its layer, where the configuration says so.
    pub layer: Option<Layer>,
    /// Globs on the path of a source.
    pub paths: Vec<glob::Pattern>,
}

/// What is open between two lines of one source. Bounded whatever arrives.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Carry {
    /// The source's last time.
    pub last: Option<Timestamp>,
    /// The source's newest time of a request.
    pub newest: Option<Timestamp>,
    /// Pieces of lines.
    pub held: Held,
    /// Tracebacks, by stream.
    pub folders: Vec<(u64, Folder)>,
    /// Lines that wait for the other line about their request.
    pub pairer: Pairer,
    /// Names behind the numbers of instances that wait.
    pub instances: Vec<Instance>,
}

/// An instance that a waiting line belongs to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Its number.
    pub number: u64,
    /// Its service.
    pub service: Option<String>,
    /// What stands for the version where none is logged.
    pub version: Box<[u8]>,
}

impl Carry {
    /// Whether the same is open in another: pieces, tracebacks, waiting lines.
    pub fn same_open(&self, other: &Self) -> bool {
        self.held == other.held && self.folders == other.folders && self.pairer == other.pairer
    }

    /// Whether nothing is open.
    pub fn is_settled(&self) -> bool {
        self.held.is_empty() && self.folders.is_empty() && self.pairer.waiting() == 0
    }
}

/// Streams with an open traceback at once.
const FOLDERS: usize = 32;
/// Instances of one source known at once.
const INSTANCES: usize = 256;

/// Something whose meaning depends on what came before it in the whole source: settled in order by [`Book`](super::book::Book).
#[derive(Debug, Clone)]
pub enum Event {
    /// The server spoke of itself.
    Lifecycle {
        /// Where.
        at: At,
        /// What it said.
        line: Lifecycle,
        /// The text, shortened.
        text: String,
    },
    /// A request was answered with 500.
    Failed {
        /// Where.
        at: At,
        /// `GET /items/{id}`.
        route: String,
        /// Method and path as logged.
        target: (String, String),
        /// Its id, where logged.
        request_id: String,
        /// Its process, where logged.
        pid: Option<u32>,
    },
    /// A traceback ended.
    Raised {
        /// Where.
        at: At,
        /// What it says.
        exception: Box<Exception>,
    },
}

/// Where something happened.
#[derive(Debug, Clone)]
pub struct At {
    /// The service.
    pub service: Option<Arc<str>>,
    /// The side of a proxy.
    pub layer: Layer,
    /// The instance.
    pub instance: u64,
    /// The time.
    pub time: Option<Timestamp>,
    /// The line, those of tracebacks left out, counted from where the walk began.
    pub line: u64,
    /// The source's number.
    pub source: u64,
    /// Bytes from the beginning of the source.
    pub offset: u64,
}

/// Whose line it is: a desk of the snapshot that is counted into, and the names behind it.
#[derive(Debug, Clone)]
struct Whose {
    instance: u64,
    service: Option<Arc<str>>,
    desk: usize,
    /// What stands for the version where none is logged; empty where nothing does.
    version: Box<[u8]>,
}

/// What a walk that began in the middle of a source relied on.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rests {
    /// A line took its time from before the walk began.
    pub on_last: bool,
    /// The oldest request's time.
    pub oldest: Option<Timestamp>,
    /// A line of the walk itself had a time.
    dated: bool,
}

impl Rests {
    /// Whether the same requests are late when the newest before was `real` and not `guess`.
    pub fn late_alike(&self, guess: Option<Timestamp>, real: Option<Timestamp>, lateness_us: i64) -> bool {
        match (self.oldest, real) {
            (Some(oldest), Some(real)) => guess == Some(real) || !is_late(oldest, real, lateness_us),
            _ => true,
        }
    }

    /// What a walk relied on that went on with what `next` tells of.
    #[must_use]
    pub fn then(self, next: Self) -> Self {
        Self {
            on_last: self.on_last || next.on_last && !self.dated,
            oldest: self.oldest.into_iter().chain(next.oldest).min(),
            dated: self.dated || next.dated,
        }
    }
}

/// One source's walk. Counts into one snapshot from its first line to its last.
pub struct Walk {
    unwrapper: Unwrapper,
    looker: Looker,
    count: Count,
}

impl Walk {
    /// From the beginning of a source (no carry), or from where another walk of it ended.
    pub fn new(settings: &Arc<Settings>, source: &Arc<SourceForm>, carry: Option<Carry>) -> Self {
        let mut unwrapper = source.unwrapper.clone();
        let mut carry =
            carry.unwrap_or_else(|| Carry { last: source.first_time, pairer: Pairer::new(source.pairing), ..Carry::default() });
        unwrapper.resume(std::mem::take(&mut carry.held));
        Self {
            unwrapper,
            looker: Looker::new(&source.form, &settings.forms),
            count: Count {
                dating: Dating::new(settings.zone.clone(), source.near),
                alone: source.pairing.is_none() && carry.pairer.waiting() == 0,
                whose: Vec::new(),
                events: Vec::new(),
                recent: VecDeque::new(),
                keep_until: KEEP_LINES,
                line: 0,
                intake: Intake::default(),
                rests: Rests::default(),
                arrival: None,
                last_arrived: None,
                carry,
                settings: Arc::clone(settings),
                source: Arc::clone(source),
            },
        }
    }

    /// What is open now.
    pub fn carry(&self) -> Carry {
        let mut carry = Carry { held: self.unwrapper.held().clone(), ..self.count.carry.clone() };
        if !carry.is_settled() {
            for whose in &self.count.whose {
                if !carry.instances.iter().any(|i| i.number == whose.instance) {
                    let service = whose.service.as_deref().map(str::to_owned);
                    carry.instances.push(Instance { number: whose.instance, service, version: whose.version.clone() });
                }
            }
        }
        carry
    }

    /// Lines from here on came at this moment: where nothing dates them, that is their time. `None` for archives, and for
    /// lines that were there when live reading began.
    pub fn arrived(&mut self, arrival: Option<Timestamp>) {
        self.count.arrival = arrival;
    }

    /// When the last line came that had a time of its own; to be handed to the walk that goes on after this one.
    pub fn last_arrived(&self) -> Option<Timestamp> {
        self.count.last_arrived
    }

    /// Goes on behind a walk whose [`Walk::last_arrived`] this was.
    pub fn set_last_arrived(&mut self, at: Option<Timestamp>) {
        self.count.last_arrived = at;
    }

    /// The newest time of a request so far.
    pub fn newest(&self) -> Option<Timestamp> {
        self.count.carry.newest
    }

    /// What the walk relied on so far.
    pub fn rests(&self) -> Rests {
        self.count.rests
    }

    /// From here on counts anew, into another snapshot: what came before was a run-up.
    pub fn begin_counting(&mut self) {
        drop(self.take_events());
        self.begin_piece();
        self.count.whose.clear();
    }

    /// From here on tells anew what it read and relied on: what came before was another piece of the same snapshot.
    pub fn begin_piece(&mut self) {
        self.count.intake = Intake::default();
        self.count.rests = Rests::default();
    }

    /// Takes what must be settled in order, and how many lines (but those of tracebacks) it spans.
    pub fn take_events(&mut self) -> (Vec<Event>, u64) {
        let count = &mut self.count;
        let mut events = std::mem::take(&mut count.events);
        events.extend(count.recent.drain(..));
        let lines = std::mem::take(&mut count.line);
        count.keep_until = KEEP_LINES;
        (events, lines)
    }

    /// Events that wait to be taken.
    pub fn waiting_events(&self) -> usize {
        self.count.events.len()
    }

    /// What this walk has read.
    pub fn intake(&self) -> &Intake {
        &self.count.intake
    }

    /// Walks over whole lines.
    pub fn block(&mut self, block: &Block<'_>, out: &mut Snapshot) {
        let Self { unwrapper, looker, count } = self;
        let bytes = block.bytes.len() as u64 + block.hole;
        count.intake.bytes += bytes;
        out.intake_mut().bytes += bytes;
        if count.source.unwrapper.is_bare() && block.is_plain() && !block.too_long {
            for raw in block.lines() {
                count.text(looker, raw.bytes, &Hint::default(), 0, raw.offset, out);
            }
            return;
        }
        for raw in block.lines() {
            if raw.too_long {
                count.line(Kind::Malformed(Reject::TooLong), 0, None, out);
            } else {
                count.peeled(looker, unwrapper.peel(raw.bytes), raw.offset, out);
            }
        }
    }

    /// Walks over whole lines as [`Walk::block`] does, and tells `see` of each line after it was counted. Looks at every
    /// line twice: for `explain`, not for speed.
    pub fn observed(&mut self, block: &Block<'_>, out: &mut Snapshot, see: &mut dyn FnMut(&Seen<'_>)) {
        let Self { unwrapper, looker, count } = self;
        let bytes = block.bytes.len() as u64 + block.hole;
        count.intake.bytes += bytes;
        out.intake_mut().bytes += bytes;
        for raw in block.lines() {
            if raw.too_long {
                let kind = Kind::Malformed(Reject::TooLong);
                count.line(kind, 0, None, out);
                see(&Seen { raw, line: None, took: Took::As(kind) });
                continue;
            }
            let before = count.intake.clone();
            let peeled = unwrapper.peel(raw.bytes);
            let line = if let Peeled::Line(line) = peeled { Some(line) } else { None };
            let offer = line.and_then(|line| count.would_fold(&line)).unwrap_or_default();
            count.peeled(looker, peeled, raw.offset, out);
            let Some(line) = line.filter(|_| offer.taken == Taken::Outside) else {
                see(&Seen { raw, line, took: own_kind(&before, &count.intake, &offer) });
                continue;
            };
            let mut record = Record::default();
            let took = match looker.look(line.text, &mut record) {
                Look::Request(_) => Took::Request(&record),
                Look::Malformed(reject) => Took::As(Kind::Malformed(reject)),
                Look::Other(_) => own_kind(&before, &count.intake, &offer),
            };
            see(&Seen { raw, line: Some(line), took });
        }
    }

    /// Ends the source: what waited is settled.
    pub fn finish(&mut self, out: &mut Snapshot) {
        let Self { unwrapper, looker, count } = self;
        while let Some(peeled) = unwrapper.finish() {
            count.peeled(looker, peeled, 0, out);
        }
        count.finish(out);
    }

    /// Settles what waits for a line that does not come, tracebacks and lines about a request, and goes on; pieces of a
    /// line are left as they are.
    pub fn settle(&mut self, out: &mut Snapshot) {
        self.count.finish(out);
        self.count.carry.pairer = Pairer::new(self.count.source.pairing);
    }

    /// Whether something waits that [`Walk::settle`] would settle.
    pub fn waits(&self) -> bool {
        !self.count.carry.folders.is_empty() || self.count.carry.pairer.waiting() > 0
    }
}

/// One line of a source, as somebody who watches a walk sees it.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// As it stands in the source.
    pub raw: RawLine<'a>,
    /// The application's own text; `None` for a piece of a line, and where the wrapper gives none.
    pub line: Option<Line<'a>>,
    /// What became of it.
    pub took: Took<'a>,
}

/// What became of a line.
#[derive(Debug, Clone, Copy)]
pub enum Took<'a> {
    /// It tells of a request: one of its own, or a companion of another line's.
    Request(&'a Record<'a>),
    /// It was counted as this.
    As(Kind),
    /// That is settled by lines to come: a piece, or what may be a traceback's beginning.
    Open,
}

/// What a line that is no request was counted as: what came to the intake, without what the line settled of those before.
fn own_kind(before: &Intake, after: &Intake, offer: &Offer) -> Took<'static> {
    let (was, is) = (&before.kinds, &after.kinds);
    let rejects = after.rejects.iter().zip(before.rejects);
    if let Some((reject, _)) = Reject::ALL.iter().zip(rejects).find(|(_, (after, before))| **after > *before) {
        return Took::As(Kind::Malformed(*reject));
    }
    for (kind, came) in [
        (Kind::Lifecycle, is.lifecycle - was.lifecycle),
        (Kind::Traceback, (is.traceback - was.traceback).saturating_sub(u64::from(offer.settled_traceback))),
        (Kind::Message, (is.message - was.message).saturating_sub(u64::from(offer.settled_message))),
    ] {
        if came > 0 {
            return Took::As(kind);
        }
    }
    Took::Open
}

/// The counting part of a walk: everything but the buffers that lines borrow from.
struct Count {
    settings: Arc<Settings>,
    source: Arc<SourceForm>,
    dating: Dating,
    carry: Carry,
    /// Who wrote lines so far.
    whose: Vec<Whose>,
    /// Every record is a request of its own.
    alone: bool,
    events: Vec<Event>,
    /// Failed requests that no exception came near yet.
    recent: VecDeque<Event>,
    /// Failed requests up to this line are kept: an exception came before them, or might have.
    keep_until: u64,
    /// Lines that are no part of a traceback.
    line: u64,
    intake: Intake,
    rests: Rests,
    /// When the lines came that are read now; live reading alone knows.
    arrival: Option<Timestamp>,
    /// When the last line came that had a time.
    last_arrived: Option<Timestamp>,
}

/// A line without a time has that of the one before it, if that came so shortly before, in microseconds; else that of
/// its own arrival.
const TOGETHER_US: i64 = SECOND;
/// A time further ahead of the arrival is no time.
const AHEAD_US: i64 = 300 * SECOND;

/// Lines around an exception in which its request is looked for.
const KEEP_LINES: u64 = crate::stats::failures::REACH_LINES;
/// The most failed requests that are kept for an exception that may follow.
const KEEP_REQUESTS: usize = 256;

impl Count {
    fn peeled(&mut self, looker: &mut Looker, peeled: Peeled<'_>, offset: u64, out: &mut Snapshot) {
        match peeled {
            Peeled::Line(Line { text, hint }) => {
                let whose = self.whose(&hint, out);
                self.text(looker, text, &hint, whose, offset, out);
            }
            Peeled::Held => {}
            Peeled::Broken(Broken::Wrapper) => self.line(Kind::Malformed(Reject::Wrapper), 0, None, out),
            Peeled::Broken(Broken::TooLong) => self.line(Kind::Malformed(Reject::TooLong), 0, None, out),
            Peeled::Lost => self.line(Kind::Message, 0, None, out),
        }
    }

    /// Whose line it is: the configuration's service, else the wrapper's, else the one that was typed.
    fn whose(&mut self, hint: &Hint<'_>, out: &mut Snapshot) -> usize {
        let instance = instance_of(hint);
        if let Some(at) = self.whose.iter().position(|w| w.instance == instance) {
            return at;
        }
        let wrapper = (!hint.service.is_empty()).then(|| String::from_utf8_lossy(hint.service).into_owned());
        let name = self.source.service.clone().or(wrapper).or_else(|| self.settings.service.clone());
        let desk = out.desk(name.as_deref(), self.source.layer);
        if self.whose.len() >= INSTANCES {
            self.whose.truncate(1);
        }
        let pod = pods::template_hash(hint.instance).or_else(|| self.source.pod.as_deref().map(str::as_bytes));
        let version = pod.map(|hash| [POD.as_bytes(), hash].concat()).unwrap_or_default().into();
        self.whose.push(Whose { instance, service: name.map(Arc::from), desk, version });
        self.whose.len() - 1
    }

    /// The entry at `whose`; the source's own where nobody spoke yet.
    #[inline]
    fn desk(&mut self, whose: usize, out: &mut Snapshot) -> usize {
        if let Some(known) = self.whose.get(whose) {
            return known.desk;
        }
        let at = self.whose(&Hint::default(), out);
        self.whose[at].desk
    }

    /// Counts a line.
    #[inline]
    fn line(&mut self, kind: Kind, whose: usize, time: Option<Timestamp>, out: &mut Snapshot) {
        let desk = self.desk(whose, out);
        self.intake.count(kind);
        out.line(desk, kind, time);
    }

    /// Counts `n` lines that are no requests, at the source's last time.
    fn lines(&mut self, kind: Kind, n: u64, whose: usize, out: &mut Snapshot) {
        for _ in 0..n {
            self.line(kind, whose, self.latest().0, out);
        }
    }

    /// The time of a line that has none: the last one seen, else its arrival.
    fn latest(&self) -> (Option<Timestamp>, TimeFrom) {
        match self.arrival {
            Some(at) if self.last_arrived.is_none_or(|last| at.micros() - last.micros() > TOGETHER_US) => {
                (Some(at), TimeFrom::Arrival)
            }
            _ => (self.carry.last, TimeFrom::Neighbour),
        }
    }

    /// When something happened: the line's own time, else the wrapper's, else the last one seen.
    #[inline]
    fn time(&mut self, own: Option<Stamp>, wrapper: Option<Stamp>) -> (Option<Timestamp>, TimeFrom) {
        let from = if own.is_some() { TimeFrom::Line } else { TimeFrom::Wrapper };
        let Some(stamp) = own.or(wrapper) else {
            self.rests.on_last |= !self.rests.dated;
            return self.latest();
        };
        let settled = self.dating.settle(stamp, self.carry.last);
        if let Some(at) = self.arrival {
            if settled.time.micros() > at.micros().saturating_add(AHEAD_US) {
                return (Some(at), TimeFrom::Arrival);
            }
            self.last_arrived = Some(at);
        }
        self.rests.on_last |= settled.by_last && !self.rests.dated;
        self.rests.dated = true;
        self.carry.last = Some(settled.time);
        (Some(settled.time), if settled.assumed { from.assumed() } else { from })
    }

    /// One whole line of the application's own text.
    #[inline]
    fn text(&mut self, looker: &mut Looker, text: &[u8], hint: &Hint<'_>, whose: usize, offset: u64, out: &mut Snapshot) {
        if own::is_ours(text) {
            self.line += 1;
            self.intake.own += 1;
            out.intake_mut().own += 1;
            return self.line(Kind::Message, whose, None, out);
        }
        if !self.carry.folders.is_empty() && self.folded(text, hint, whose, offset, out) {
            return;
        }
        self.line += 1;
        let mut record = Record::default();
        match looker.look(text, &mut record) {
            Look::Request(raised) => {
                if let Some(exception) = raised {
                    self.raised(*exception, whose, offset, out);
                }
                self.request(&record, text, hint, whose, offset, out);
            }
            Look::Malformed(reject) => {
                let (time, _) = self.time(None, hint.time);
                self.line(Kind::Malformed(reject), whose, time, out);
            }
            Look::Other(envelope) => self.other(text, &envelope, hint, whose, offset, out),
        }
    }

    /// Takes a record about a request: counted at once, or held until the other line about it has come.
    #[inline]
    fn request(&mut self, record: &Record<'_>, text: &[u8], hint: &Hint<'_>, whose: usize, offset: u64, out: &mut Snapshot) {
        if self.alone {
            if record.role == Role::Start {
                let (time, _) = self.time(record.time, hint.time);
                self.line(Kind::Companion, whose, time, out);
            } else {
                self.complete(record, text, hint.time, whose, offset, out);
            }
            return;
        }
        let instance = match self.whose.get(whose) {
            _ if self.source.with_router => 0,
            Some(whose) => whose.instance,
            None => instance_of(hint),
        };
        let mut pairer = std::mem::take(&mut self.carry.pairer);
        let aside = Aside { time: hint.time, offset, instance };
        let companions = pairer.take(record, aside, |record, aside| self.paired(record, text, aside, out));
        self.carry.pairer = pairer;
        self.lines(Kind::Companion, companions, whose, out);
    }

    fn paired(&mut self, record: &Record<'_>, text: &[u8], aside: Aside, out: &mut Snapshot) {
        let whose = self.known(aside.instance, out);
        self.complete(record, text, aside.time, whose, aside.offset, out);
    }

    /// Whose number that is: seen by this walk, or by the one before it.
    fn known(&mut self, instance: u64, out: &mut Snapshot) -> usize {
        if let Some(at) = self.whose.iter().position(|w| w.instance == instance) {
            return at;
        }
        let Some(known) = self.carry.instances.iter().find(|i| i.number == instance).cloned() else { return 0 };
        let desk = out.desk(known.service.as_deref(), self.source.layer);
        self.whose.push(Whose { instance, service: known.service.map(Arc::from), desk, version: known.version });
        self.whose.len() - 1
    }

    /// Counts one request, at the latest from the line `text`.
    #[inline]
    fn complete(
        &mut self,
        record: &Record<'_>,
        text: &[u8],
        wrapper: Option<Stamp>,
        whose: usize,
        offset: u64,
        out: &mut Snapshot,
    ) {
        let (time, from) = self.time(record.time, wrapper);
        let desk = self.desk(whose, out);
        self.intake.count(Kind::Request);
        out.line(desk, Kind::Request, time);
        let late = self.dated(time, from, out.intake_mut());
        if !self.is_asked_for(time) {
            return;
        }
        let websocket = record.status == Some(101) || record.method == b"WEBSOCKET";
        let pod = self.whose.get(whose).map(|w| &*w.version).filter(|pod| !pod.is_empty() && record.version.is_empty());
        let count = |record: &Record<'_>, out: &mut Snapshot| {
            if late { out.late_request(desk, record, time) } else { out.request(desk, record, time) }
        };
        let route = if websocket && record.latency_us.is_some() || pod.is_some() {
            let latency_us = record.latency_us.filter(|_| !websocket);
            count(&Record { latency_us, version: pod.unwrap_or(record.version), ..*record }, out)
        } else {
            count(record, out)
        };
        if out.listens() {
            let slow = |limit: &u64| record.latency_us.is_some_and(|us| us > *limit);
            if record.status >= Some(500) || out.plan().limits_us.iter().any(slow) {
                keep_line(record, text, route, desk, time, out);
            }
        }
        if record.status == Some(500) {
            let key = out.router(desk).key(route);
            let route = format!("{} {}", key.method, key.path);
            self.failed(record, route, whose, time, offset);
        }
        if !record.exception.is_empty()
            && let Some(exception) = traceback::parse_text(record.exception)
        {
            let own = |id: &[u8]| String::from_utf8_lossy(id).into_owned();
            let exception = Exception { request_id: own(record.request_id), pid: record.pid, ..exception };
            self.raised(exception, whose, offset, out);
        }
    }

    /// Notes where a request's time came from; whether it is late.
    #[inline]
    fn dated(&mut self, time: Option<Timestamp>, from: TimeFrom, intake: &mut Intake) -> bool {
        let Some(time) = time else {
            intake.undated += 1;
            return false;
        };
        match from {
            TimeFrom::Line | TimeFrom::LineAssumed => intake.time_of_line += 1,
            TimeFrom::Wrapper | TimeFrom::WrapperAssumed => intake.time_of_wrapper += 1,
            TimeFrom::Neighbour => intake.time_of_neighbour += 1,
            TimeFrom::Arrival => intake.time_of_arrival += 1,
        }
        if matches!(from, TimeFrom::LineAssumed | TimeFrom::WrapperAssumed) {
            intake.zone_assumed += 1;
        }
        if self.rests.oldest.is_none_or(|oldest| time < oldest) {
            self.rests.oldest = Some(time);
        }
        match self.carry.newest {
            Some(newest) if newest >= time => {
                let late = is_late(time, newest, self.settings.lateness_us);
                intake.late += u64::from(late);
                late
            }
            _ => {
                self.carry.newest = Some(time);
                false
            }
        }
    }

    /// Whether a request lies within `--since` and `--until`; one without time only where neither was asked for.
    #[inline]
    fn is_asked_for(&self, time: Option<Timestamp>) -> bool {
        let Settings { since, until, .. } = &*self.settings;
        match time {
            Some(time) => since.is_none_or(|since| time >= since) && until.is_none_or(|until| time < until),
            None => since.is_none() && until.is_none(),
        }
    }

    fn at(&self, whose: usize, time: Option<Timestamp>, offset: u64) -> At {
        let whose = self.whose.get(whose);
        At {
            service: whose.and_then(|w| w.service.clone()),
            layer: self.source.layer,
            instance: whose.map_or(0, |w| w.instance),
            time,
            line: self.line,
            source: self.source.number,
            offset,
        }
    }

    fn failed(&mut self, record: &Record<'_>, route: String, whose: usize, time: Option<Timestamp>, offset: u64) {
        let own = |bytes: &[u8]| String::from_utf8_lossy(bytes.get(..256).unwrap_or(bytes)).into_owned();
        let event = Event::Failed {
            at: self.at(whose, time, offset),
            route,
            target: (own(record.method), own(record.path)),
            request_id: own(record.request_id),
            pid: record.pid,
        };
        if self.line <= self.keep_until {
            self.events.push(event);
            return;
        }
        while self.recent.len() >= KEEP_REQUESTS || self.recent.front().is_some_and(|e| e.line() + KEEP_LINES < self.line) {
            self.recent.pop_front();
        }
        self.recent.push_back(event);
    }

    fn raised(&mut self, exception: Exception, whose: usize, offset: u64, out: &mut Snapshot) {
        let (time, _) = self.latest();
        if !self.is_asked_for(time) {
            return;
        }
        // whoever speaks for the first time is entered, so that the event below has its service
        self.desk(whose, out);
        while self.recent.front().is_some_and(|e| e.line() + KEEP_LINES < self.line) {
            self.recent.pop_front();
        }
        self.events.extend(self.recent.drain(..));
        self.keep_until = self.line + KEEP_LINES;
        let at = self.at(whose, time, offset);
        self.events.push(Event::Raised { at, exception: Box::new(exception) });
    }

    /// The stream a line belongs to, for tracebacks: instance, process and standard error apart.
    fn stream(hint: &Hint<'_>) -> u64 {
        instance_of(hint) ^ u64::from(hint.pid.unwrap_or(0)).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from(hint.stderr)
    }

    /// Offers a line to its stream's open traceback; true if that is all it is.
    #[cold]
    fn folded(&mut self, text: &[u8], hint: &Hint<'_>, whose: usize, offset: u64, out: &mut Snapshot) -> bool {
        let stream = Self::stream(hint);
        let Some(at) = self.carry.folders.iter().position(|f| f.0 == stream) else { return false };
        let offer = self.carry.folders[at].1.offer(text);
        if !self.carry.folders[at].1.is_open() {
            self.carry.folders.remove(at);
        }
        let taken = offer.taken;
        if taken != Taken::Outside {
            let _ = self.time(None, hint.time);
        }
        self.offered(offer, whose, offset, out);
        taken != Taken::Outside
    }

    /// What the open traceback of a line's stream would make of it.
    fn would_fold(&self, line: &Line<'_>) -> Option<Offer> {
        let stream = Self::stream(&line.hint);
        let (_, folder) = self.carry.folders.iter().find(|f| f.0 == stream)?;
        Some(folder.clone().offer(line.text))
    }

    /// Counts what an offer settled.
    fn offered(&mut self, offer: Offer, whose: usize, offset: u64, out: &mut Snapshot) {
        self.lines(Kind::Traceback, u64::from(offer.settled_traceback), whose, out);
        self.lines(Kind::Message, u64::from(offer.settled_message), whose, out);
        self.line += u64::from(offer.settled_message);
        if let Some(exception) = offer.ended {
            self.raised(exception, whose, offset, out);
        }
        match offer.taken {
            Taken::Outside | Taken::Held => {}
            Taken::Part => self.lines(Kind::Traceback, 1, whose, out),
            Taken::Torn => self.lines(Kind::Malformed(Reject::Interleaved), 1, whose, out),
        }
    }

    /// A line that is no request: the server speaking of itself, a traceback's beginning, or a message.
    fn other(&mut self, text: &[u8], envelope: &Envelope<'_>, hint: &Hint<'_>, whose: usize, offset: u64, out: &mut Snapshot) {
        let (time, _) = self.time(envelope.time, hint.time);
        if let Some(dropped) = lost::read(envelope.message) {
            self.intake.suppressed += dropped;
            out.intake_mut().suppressed += dropped;
        }
        if let Some(line) = lifecycle::read(envelope.message).or_else(|| lifecycle::read(text)) {
            self.line(Kind::Lifecycle, whose, time, out);
            if self.is_asked_for(time) {
                let at = self.at(whose, time, offset);
                let text = redact::example(&String::from_utf8_lossy(envelope.message), "", "");
                self.events.push(Event::Lifecycle { at, line, text });
            }
            return;
        }
        let packed = !std::ptr::eq(envelope.message, text);
        let exception = envelope
            .raised
            .as_deref()
            .cloned()
            .or_else(|| traceback::parse_text(envelope.exception))
            .or_else(|| if packed { traceback::parse_text(envelope.message) } else { None });
        if let Some(mut exception) = exception {
            if exception.request_id.is_empty() {
                exception.request_id = String::from_utf8_lossy(envelope.request_id).into_owned();
            }
            exception.pid = exception.pid.or(envelope.pid);
            self.line(Kind::Traceback, whose, time, out);
            self.raised(exception, whose, offset, out);
            return;
        }
        let stream = Self::stream(hint);
        if !self.carry.folders.iter().any(|f| f.0 == stream) {
            let mut folder = Folder::default();
            let offer = folder.begin(text);
            if offer.taken != Taken::Outside {
                self.line -= 1;
                self.offered(offer, whose, offset, out);
                if folder.is_open() {
                    self.open(stream, folder, whose, out);
                }
                return;
            }
        }
        self.line(Kind::Message, whose, time, out);
    }

    fn open(&mut self, stream: u64, folder: Folder, whose: usize, out: &mut Snapshot) {
        if self.carry.folders.len() >= FOLDERS {
            let (_, mut oldest) = self.carry.folders.remove(0);
            let offer = oldest.finish();
            self.offered(offer, whose, 0, out);
        }
        self.carry.folders.push((stream, folder));
    }

    fn finish(&mut self, out: &mut Snapshot) {
        for (_, mut folder) in std::mem::take(&mut self.carry.folders) {
            let offer = folder.finish();
            self.offered(offer, 0, 0, out);
        }
        let mut pairer = std::mem::take(&mut self.carry.pairer);
        let companions = pairer.finish(|record, aside| self.paired(record, b"", aside, out));
        self.lines(Kind::Companion, companions, 0, out);
    }
}

/// Keeps a line about a request that went wrong for whoever listens.
fn keep_line(record: &Record<'_>, text: &[u8], route: RouteId, desk: usize, time: Option<Timestamp>, out: &mut Snapshot) {
    // Of a pair, the line at hand may be about another request.
    if memchr::memmem::find(text, record.path).is_some() {
        out.example(desk, route, time, text, record.path);
    }
}

/// Whether a request comes when its second is already closed.
fn is_late(time: Timestamp, newest: Timestamp, lateness_us: i64) -> bool {
    (time.second() + 1).saturating_mul(SECOND).saturating_add(lateness_us) < newest.micros()
}

/// Where a time came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TimeFrom {
    Line,
    LineAssumed,
    Wrapper,
    WrapperAssumed,
    Neighbour,
    Arrival,
}

impl TimeFrom {
    fn assumed(self) -> Self {
        match self {
            Self::Line => Self::LineAssumed,
            Self::Wrapper => Self::WrapperAssumed,
            other => other,
        }
    }
}

impl Event {
    fn line(&self) -> u64 {
        match self {
            Self::Lifecycle { at, .. } | Self::Failed { at, .. } | Self::Raised { at, .. } => at.line,
        }
    }

    /// Its line is counted from so many lines earlier.
    pub fn shift(&mut self, lines: u64) {
        match self {
            Self::Lifecycle { at, .. } | Self::Failed { at, .. } | Self::Raised { at, .. } => at.line += lines,
        }
    }
}
