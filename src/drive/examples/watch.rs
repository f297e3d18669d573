//! Looks on while a source is walked, and keeps one example of every kind and form of line.

use std::collections::BTreeSet;

use super::redacted;
use super::units::Units;
use crate::drive::pipeline::Seen;
use crate::drive::pipeline::Settings;
use crate::drive::pipeline::Took;
use crate::drive::source::SourceForm;
use crate::parse::Auth;
use crate::parse::Cache;
use crate::parse::Ends;
use crate::parse::Exception;
use crate::parse::Record;
use crate::parse::Reject;
use crate::parse::Role;
use crate::parse::detect::looks_like_access;
use crate::parse::lifecycle;
use crate::parse::lifecycle::Runs;
use crate::parse::look::Look;
use crate::parse::look::Looker;
use crate::parse::redact;
use crate::route::NamedBy;
use crate::route::table::Router;
use crate::stats::intake::Intake;
use crate::stats::intake::Kind;
use crate::stats::snapshot::Plan;
use crate::stats::snapshot::Snapshot;
use crate::stats::summary::named;
use crate::write::explain::Example;
use crate::write::explain::Fields;
use crate::write::explain::Place;
use crate::write::explain::Read;

/// Kinds and forms kept at once.
const KINDS: usize = 48;
/// Broken lines shown with their place.
const BROKEN: usize = 10;
/// Bytes kept of a line.
const KEPT: usize = 4096;
/// Services of one source that are named.
const SERVICES: usize = 32;
/// Lines of one form from which the unit of its latencies is learnt.
const UNIT_LINES: u64 = 200;

/// One kind and form of line.
struct Kept {
    key: (Sort, Option<&'static str>, bool),
    lines: u64,
    line: u64,
    offset: u64,
    text: String,
    request: Option<Request>,
    units: Units,
    timed: u64,
}

/// In the order of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Sort {
    Request,
    Companion,
    Start,
    Lifecycle,
    Traceback,
    Message,
    Unread,
}

/// What a record told.
struct Request {
    fields: Fields,
    method: String,
    path: String,
    key: String,
    by: NamedBy,
    latency_us: Option<u64>,
    ends: Ends,
    told: usize,
}

/// One source's examples.
pub(super) struct Watch {
    kept: Vec<Kept>,
    malformed: Vec<Place>,
    services: BTreeSet<String>,
    line: u64,
    unread: u64,
    looker: Looker,
    runs: Runs,
    router: Router,
}

impl Watch {
    pub(super) fn new(form: &SourceForm, settings: &Settings, plan: &Plan) -> Self {
        Self {
            kept: Vec::new(),
            malformed: Vec::new(),
            services: BTreeSet::new(),
            line: 0,
            unread: 0,
            looker: Looker::new(&form.form, &settings.forms),
            runs: Runs::default(),
            router: (plan.routers)(form.service.as_deref().or(settings.service.as_deref())),
        }
    }

    /// One line.
    pub(super) fn see(&mut self, seen: &Seen<'_>) {
        self.line += 1;
        let text = seen.line.map_or(seen.raw.bytes, |line| line.text);
        if let Some(line) = seen.line
            && !line.hint.service.is_empty()
            && self.services.len() < SERVICES
        {
            let name = String::from_utf8_lossy(line.hint.service);
            if !self.services.contains(&*name) {
                self.services.insert(name.into_owned());
            }
        }
        match seen.took {
            Took::Request(record) => self.request(seen, text, record),
            Took::As(Kind::Malformed(reject)) => self.broken(seen, text, reject),
            Took::As(Kind::Lifecycle) => self.lifecycle(seen, text),
            Took::As(Kind::Traceback) => self.note(Sort::Traceback, None, seen, text),
            Took::As(_) if looks_like_access(text) => {
                self.unread += 1;
                self.note(Sort::Unread, None, seen, text);
            }
            Took::As(_) if !text.is_empty() => self.note(Sort::Message, None, seen, text),
            Took::As(_) | Took::Open => {}
        }
    }

    fn request(&mut self, seen: &Seen<'_>, text: &[u8], record: &Record<'_>) {
        let sort = match record.role {
            Role::Access => Sort::Request,
            Role::Start => Sort::Start,
            Role::Timing | Role::Router => Sort::Companion,
        };
        let format = self.looker.form(text).map(crate::parse::detect::Kind::name);
        let websocket = record.status == Some(101) || record.method == b"WEBSOCKET";
        let Some(at) = self.place((sort, format, websocket), seen) else { return };
        let told = told(record);
        let Self { kept, router, .. } = self;
        let kept = &mut kept[at];
        if let Some(us) = record.latency_us
            && kept.timed < UNIT_LINES
        {
            kept.timed += 1;
            kept.units.keep(text, us);
        }
        if kept.request.as_ref().is_some_and(|known| known.told >= told) {
            return;
        }
        let (line, offset) = (self.line, seen.raw.offset);
        let time = if record.time.is_some() { Some("line") } else { seen.line.and_then(|l| l.hint.time).map(|_| "wrapper") };
        let refused = matches!(record.status, Some(404 | 405));
        let id = router.id(record.method, record.path, record.route, refused);
        let key = router.key(id).clone();
        let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes.get(..KEPT).unwrap_or(bytes)).into_owned();
        (kept.line, kept.offset, kept.text) = (line, offset, lossy(text));
        kept.request = Some(Request {
            fields: Fields {
                method: if record.method.is_empty() { "-".to_owned() } else { key.method.clone() },
                route: None,
                status: record.status.map(|s| if s == 0 { "-".to_owned() } else { s.to_string() }),
                bytes: record.bytes,
                latency: None,
                time,
                request_id: !record.request_id.is_empty(),
                logged_in: match record.auth {
                    Auth::Unknown => None,
                    Auth::Anonymous => Some(false),
                    Auth::Authenticated => Some(true),
                },
                cache: cache(record.cache),
                version: (!record.version.is_empty()).then(|| lossy(record.version)),
            },
            method: key.method,
            path: lossy(record.path),
            key: key.path,
            by: key.by,
            latency_us: record.latency_us.filter(|_| !websocket),
            ends: record.ends,
            told,
        });
    }

    /// The server spoke of itself: one example of each thing it said.
    fn lifecycle(&mut self, seen: &Seen<'_>, text: &[u8]) {
        let message = match self.looker.look(text, &mut Record::default()) {
            Look::Other(envelope) => lifecycle::read(envelope.message),
            _ => None,
        };
        let said = message.or_else(|| lifecycle::read(text)).map(|line| self.runs.note(&line, None).word());
        self.note(Sort::Lifecycle, said, seen, text);
    }

    fn note(&mut self, sort: Sort, what: Option<&'static str>, seen: &Seen<'_>, text: &[u8]) {
        let (line, new) = (self.line, self.kept.len());
        let Some(at) = self.place((sort, what, false), seen) else { return };
        if at < new {
            return;
        }
        let lossy = String::from_utf8_lossy(text.get(..KEPT).unwrap_or(text));
        let kept = &mut self.kept[at];
        kept.line = line;
        kept.text = match sort {
            Sort::Lifecycle => redact::example(&lossy, "", ""),
            Sort::Unread => redacted::broken(&lossy),
            _ => redact::message(&lossy),
        };
    }

    /// The place of a kind of line, counted one up; `None` where there are too many kinds.
    fn place(&mut self, key: (Sort, Option<&'static str>, bool), seen: &Seen<'_>) -> Option<usize> {
        if let Some(at) = self.kept.iter().position(|kept| kept.key == key) {
            self.kept[at].lines += 1;
            return Some(at);
        }
        if self.kept.len() >= KINDS {
            return None;
        }
        let offset = seen.raw.offset;
        let (text, units) = (String::new(), Units::default());
        self.kept.push(Kept { key, lines: 1, line: self.line, offset, text, request: None, units, timed: 0 });
        Some(self.kept.len() - 1)
    }

    fn broken(&mut self, seen: &Seen<'_>, text: &[u8], reject: Reject) {
        if self.malformed.len() >= BROKEN {
            return;
        }
        let lossy = String::from_utf8_lossy(text.get(..KEPT).unwrap_or(text));
        self.malformed.push(Place {
            line: self.line,
            offset: seen.raw.offset,
            reason: reject.name(),
            text: redacted::broken(&lossy),
        });
    }

    /// Lines that look like access lines and that no form reads.
    pub(super) fn unread(&self) -> u64 {
        self.unread
    }

    /// The broken lines.
    pub(super) fn malformed(&mut self) -> Vec<Place> {
        std::mem::take(&mut self.malformed)
    }

    /// The services that the source's lines belong to.
    pub(super) fn services(&self, form: &SourceForm, settings: &Settings) -> Vec<String> {
        match &form.service {
            Some(service) => vec![service.clone()],
            None if self.services.is_empty() => settings.service.iter().cloned().collect(),
            None => self.services.iter().cloned().collect(),
        }
    }

    /// The examples, in the order of the page, routes named as the report names them.
    pub(super) fn examples(
        &mut self,
        snapshot: &Snapshot,
        most: usize,
        intake: &Intake,
        raised: Option<&Exception>,
    ) -> Vec<Example> {
        let mut kept = std::mem::take(&mut self.kept);
        kept.sort_by_key(|k| (k.key, k.line));
        let (names, groups) = named(snapshot, most);
        let name = |request: &Request| {
            let of = |key: &crate::route::RouteKey| key.method == request.method && key.path == request.key;
            let group = groups.iter().find(|g| {
                snapshot.desks().get(usize::from(g.group.key.desk)).is_some_and(|desk| of(desk.router.key(g.group.key.route)))
            });
            group.map_or_else(
                || (request.key.clone(), request.by.word()),
                |g| (names[g.name].route.clone(), names[g.name].by.word()),
            )
        };
        kept.into_iter().map(|kept| example(kept, &name, intake, raised)).collect()
    }
}

fn example(
    kept: Kept,
    name: &dyn Fn(&Request) -> (String, &'static str),
    intake: &Intake,
    raised: Option<&Exception>,
) -> Example {
    let (sort, form, _) = kept.key;
    let (format, said) = if sort == Sort::Lifecycle { (None, form) } else { (form, None) };
    let kind = match sort {
        Sort::Request => "request",
        // a timing line whose access line is not there is the request itself
        Sort::Companion if intake.kinds.companion == 0 => "request",
        Sort::Companion | Sort::Start => "companion",
        Sort::Lifecycle => "lifecycle",
        Sort::Traceback => "traceback",
        Sort::Message => "message",
        Sort::Unread => "unread",
    };
    let seen = said.map(|said| said.replace('_', " ")).or_else(|| {
        let raised = raised.filter(|_| sort == Sort::Traceback)?;
        let place = if raised.place.is_empty() { String::new() } else { format!(" at {}", raised.place) };
        Some(format!("{}{place}", raised.kind))
    });
    let mut text = kept.text;
    let fields = kept.request.map(|request| {
        let route = (!request.path.is_empty()).then(|| name(&request));
        let shown = route.as_ref().map_or("", |(route, _)| route.as_str());
        text = redacted::request(&text, &request.method, &request.path, shown);
        let latency = request.latency_us.map(|us| Read {
            us,
            unit: kept.units.one(),
            ends: match request.ends {
                Ends::Unknown => None,
                Ends::Headers => Some("headers"),
                Ends::LastByte => Some("last byte"),
            },
        });
        let neighbour = intake.time_of_neighbour > 0 && intake.undated == 0;
        let time = request.fields.time.or(neighbour.then_some("neighbour"));
        Fields { route, latency, time, ..request.fields }
    });
    Example { kind, format, lines: kept.lines, line: kept.line, offset: kept.offset, text, fields, seen }
}

/// How many fields a record tells.
fn told(record: &Record<'_>) -> usize {
    [
        !record.method.is_empty(),
        !record.path.is_empty(),
        !record.route.is_empty(),
        record.status.is_some_and(|s| (200..300).contains(&s)),
        record.bytes.is_some(),
        record.latency_us.is_some(),
        record.time.is_some(),
        record.auth != Auth::Unknown,
        record.auth == Auth::Authenticated,
        record.cache != Cache::None,
        !record.version.is_empty(),
        !record.request_id.is_empty(),
    ]
    .iter()
    .filter(|told| **told)
    .count()
}

fn cache(cache: Cache) -> Option<&'static str> {
    match cache {
        Cache::None => None,
        Cache::Hit => Some("hit"),
        Cache::Miss => Some("miss"),
        Cache::Expired => Some("expired"),
        Cache::Stale => Some("stale"),
        Cache::Bypass => Some("bypass"),
        Cache::Other => Some("other"),
    }
}
