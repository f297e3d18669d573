//! Two lines about one request made one record.
//!
//! A middleware's timing line beside the server's access line, a start beside its end, the router's line beside the
//! application's: [`Pairing`] says which of these a source has, decided once from its head; [`Pairer`] then takes the
//! records in order and gives each request once, with everything its lines know. What is still open is small, bounded
//! and can be stored. Only lines about requests are counted when near is told from far: tracebacks and messages between
//! partners change nothing. Sources whose every line is a request of its own pass through untouched.

use crate::parse::Auth;
use crate::parse::Cache;
use crate::parse::Ends;
use crate::parse::Headers;
use crate::parse::Record;
use crate::parse::Role;
use crate::parse::Status;
use crate::time::Stamp;
use serde::Deserialize;
use serde::Serialize;
use std::collections::VecDeque;

/// How many lines about requests a partner by position is waited for, and one by id or beside a router.
const NEAR: u64 = 32;
const FAR: u64 = 1024;
/// The most records that wait at a time.
const MOST_WAITING: usize = 1024;
/// How near a partner stands that proves a source to pair by position, and how many timing lines are asked.
const PROOF_LINES: usize = 2;
const PROOF_COUNT: usize = 20;
/// The most records of a head that are looked at.
const HEAD: usize = 512;
/// A router's 503 after so long is its time-out: the application is still at it and will write its own line.
const ROUTER_TIMEOUT_US: u64 = 30_000_000;

/// Which of two lines about one request comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum First {
    /// The middleware's.
    Timing,
    /// The server's.
    Access,
    /// Now this one, now that one.
    Either,
}

/// How a source's lines belong together. The default is: not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Pairing {
    /// The roles that carry a request's id, as bits; 0 where no id is shared by lines of different roles.
    ids: u8,
    /// Pairs by position, and their order.
    near: Option<First>,
    /// A router's lines stand beside the application's.
    router: bool,
}

impl Pairing {
    /// True where every record is a request of its own: the pairer is then a plain passage.
    pub fn is_none(self) -> bool {
        self == Self::default()
    }
}

fn bit(role: Role) -> u8 {
    match role {
        Role::Access => 1,
        Role::Timing => 2,
        Role::Router => 4,
        Role::Start => 0,
    }
}

/// What the reader knows about a record beside the line's own text; handed back with the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Aside {
    /// The wrapper's time.
    pub time: Option<Stamp>,
    /// Where the line begins in its source.
    pub offset: u64,
    /// A number for pod, container or replica: lines of different instances are never partners.
    pub instance: u64,
}

/// A record that owns its text, so that it can wait.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Pending {
    text: Vec<u8>,
    lengths: [u32; 9],
    /// Roles of the lines it is made of, as bits.
    roles: u8,
    role: Role,
    status: Option<Status>,
    bytes: Option<u64>,
    latency_us: Option<u64>,
    ends: Ends,
    time: Option<Stamp>,
    auth: Auth,
    cache: Cache,
    pid: Option<u32>,
    age: Option<u64>,
    set_cookie: bool,
    aside: Aside,
    /// The number of the line about a request that brought it.
    born: u64,
}

impl Pending {
    /// Takes over a record; the buffer is used again.
    fn take(&mut self, record: &Record<'_>, aside: Aside, born: u64) {
        self.text.clear();
        let parts = [
            record.method,
            record.path,
            record.route,
            record.version,
            record.request_id,
            record.service,
            record.headers.cache_control,
            record.headers.vary,
            record.exception,
        ];
        for (part, length) in parts.iter().zip(&mut self.lengths) {
            self.text.extend_from_slice(part);
            *length = u32::try_from(part.len()).unwrap_or(u32::MAX);
        }
        self.roles = bit(record.role);
        (self.role, self.status, self.bytes) = (record.role, record.status, record.bytes);
        (self.latency_us, self.ends, self.time) = (record.latency_us, record.ends, record.time);
        (self.auth, self.cache, self.pid) = (record.auth, record.cache, record.pid);
        (self.age, self.set_cookie) = (record.headers.age, record.headers.set_cookie);
        (self.aside, self.born) = (aside, born);
    }

    /// As a record again.
    fn record(&self) -> Record<'_> {
        let mut rest = self.text.as_slice();
        let mut next = self.lengths.iter().map(|&length| {
            let (part, behind) = rest.split_at_checked(length as usize).unwrap_or_default();
            rest = behind;
            part
        });
        let mut part = || next.next().unwrap_or_default();
        Record {
            role: self.role,
            method: part(),
            path: part(),
            route: part(),
            version: part(),
            request_id: part(),
            service: part(),
            headers: Headers { cache_control: part(), vary: part(), age: self.age, set_cookie: self.set_cookie },
            exception: part(),
            status: self.status,
            bytes: self.bytes,
            latency_us: self.latency_us,
            ends: self.ends,
            time: self.time,
            auth: self.auth,
            cache: self.cache,
            pid: self.pid,
        }
    }
}

/// One record of two: what the server's line says comes first, but for the latency, which is the middleware's.
fn joined<'a>(one: Record<'a>, other: Record<'a>) -> Record<'a> {
    let (main, aside) = if rank(one.role) <= rank(other.role) { (one, other) } else { (other, one) };
    let text = |a: &'a [u8], b: &'a [u8]| if a.is_empty() { b } else { a };
    let timed =
        if aside.role == Role::Timing && aside.latency_us.is_some() || main.latency_us.is_none() { aside } else { main };
    Record {
        role: main.role,
        method: text(main.method, aside.method),
        path: text(main.path, aside.path),
        route: text(main.route, aside.route),
        status: main.status.or(aside.status),
        bytes: main.bytes.or(aside.bytes),
        latency_us: timed.latency_us,
        ends: timed.ends,
        time: main.time.or(aside.time),
        auth: if main.auth == Auth::Unknown { aside.auth } else { main.auth },
        cache: if main.cache == Cache::None { aside.cache } else { main.cache },
        version: text(main.version, aside.version),
        request_id: text(main.request_id, aside.request_id),
        pid: main.pid.or(aside.pid),
        service: text(main.service, aside.service),
        headers: if main.headers == Headers::default() { aside.headers } else { main.headers },
        exception: text(main.exception, aside.exception),
    }
}

/// Whose word counts first: the server's, the middleware's, the router's, the start's.
fn rank(role: Role) -> u8 {
    match role {
        Role::Access => 0,
        Role::Timing => 1,
        Role::Router => 2,
        Role::Start => 3,
    }
}

/// True where two records do not contradict each other: method, path (percent-decoded), status and process, each
/// where both know it.
fn agree(one: &Record<'_>, other: &Record<'_>) -> bool {
    let both = |a: &[u8], b: &[u8]| !a.is_empty() && !b.is_empty();
    let differ = both(one.method, other.method) && one.method != other.method
        || one.status.is_some() && other.status.is_some() && one.status != other.status
        || one.pid.is_some() && other.pid.is_some() && one.pid != other.pid
        || both(one.path, other.path) && !same_path(one.path, other.path);
    !differ
}

fn same_path(one: &[u8], other: &[u8]) -> bool {
    one == other || Letters { rest: one }.eq(Letters { rest: other })
}

/// The bytes of a path, percent-decoded, without control bytes and terminal escapes: servers quote those, URL
/// libraries drop some, and colour codes are taken off before a line is read.
struct Letters<'a> {
    rest: &'a [u8],
}

impl Letters<'_> {
    fn decoded(&mut self) -> Option<u8> {
        let (&first, rest) = self.rest.split_first()?;
        self.rest = rest;
        let digit = |at: usize| rest.get(at).and_then(|b| char::from(*b).to_digit(16));
        if let (b'%', Some(high), Some(low)) = (first, digit(0), digit(1)) {
            self.rest = rest.get(2..).unwrap_or_default();
            return u8::try_from(high * 16 + low).ok();
        }
        Some(first)
    }

    /// Passes over the rest of a terminal escape.
    fn escape(&mut self) -> Option<()> {
        match self.decoded()? {
            b'[' => while !matches!(self.decoded()?, 0x40..=0x7e) {},
            b']' => while self.decoded()? != 7 {},
            _ => {}
        }
        Some(())
    }
}

impl Iterator for Letters<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        loop {
            match self.decoded()? {
                0x1b => self.escape()?,
                0..0x20 | 0x7f => {}
                byte => return Some(byte),
            }
        }
    }
}

/// Looks at the head of a source and says how its lines belong together.
#[derive(Debug, Clone, Default)]
pub struct Scout {
    seen: Vec<Pending>,
}

impl Scout {
    /// Notes the next record of the head; those beyond the first 512 change nothing.
    pub fn see(&mut self, record: &Record<'_>, aside: Aside) {
        if self.seen.len() < HEAD {
            let mut pending = Pending::default();
            pending.take(record, aside, self.seen.len() as u64);
            self.seen.push(pending);
        }
    }

    /// How the lines seen belong together: by id where one id stands on lines of different roles; by position where at
    /// least half of the first 20 timing lines have an access line that agrees within two lines; with a router where
    /// at least half of its first 20 lines have an access line that agrees anywhere in the head.
    pub fn decide(&self) -> Pairing {
        let records: Vec<_> = self.seen.iter().map(|pending| (pending.record(), pending.aside.instance)).collect();
        let shared = |(index, (record, _)): (usize, &(Record<'_>, u64))| {
            let others = records.iter().skip(index + 1);
            !record.request_id.is_empty()
                && others.into_iter().any(|(other, _)| other.request_id == record.request_id && other.role != record.role)
        };
        let by_id = records.iter().enumerate().any(shared);
        let ids = records.iter().filter(|(record, _)| by_id && !record.request_id.is_empty());
        let ids = ids.fold(0, |bits, (record, _)| bits | bit(record.role));
        let (found, asked, first) = partners(&records, Role::Timing, PROOF_LINES);
        let near = if asked > 0 && 2 * found >= asked { first } else { None };
        let (found, asked, _) = partners(&records, Role::Router, HEAD);
        Pairing { ids, near, router: asked > 0 && 2 * found >= asked }
    }
}

/// Of the first records with `role`: how many have an access line that agrees within `reach` lines, how many there
/// are, and which comes first.
fn partners(records: &[(Record<'_>, u64)], role: Role, reach: usize) -> (usize, usize, Option<First>) {
    let mut taken = vec![false; records.len()];
    let (mut found, mut asked, mut first) = (0, 0, None);
    for (index, (record, instance)) in records.iter().enumerate().filter(|(_, (r, _))| r.role == role).take(PROOF_COUNT) {
        asked += 1;
        let near = (1..=reach).flat_map(|d| [index.checked_add(d), index.checked_sub(d)]).flatten();
        let mut near = near.filter(|&at| {
            let fits =
                records.get(at).is_some_and(|(other, i)| other.role == Role::Access && i == instance && agree(record, other));
            fits && taken.get(at) == Some(&false)
        });
        let Some(at) = near.next() else { continue };
        if let Some(taken) = taken.get_mut(at) {
            *taken = true;
        }
        found += 1;
        let this = if at > index { First::Timing } else { First::Access };
        first = Some(if first.is_none_or(|f| f == this) { this } else { First::Either });
    }
    (found, asked, first)
}

/// Takes the records of one source in order and gives its requests, each once; what still waits is its carry.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Pairer {
    pairing: Pairing,
    near: VecDeque<Pending>,
    far: VecDeque<Pending>,
    now: u64,
    #[serde(skip)]
    spare: Vec<Pending>,
}

/// Two are equal where they will do the same from here on, wherever each began.
impl PartialEq for Pairer {
    fn eq(&self, other: &Self) -> bool {
        let same = |ours: &VecDeque<Pending>, theirs: &VecDeque<Pending>| {
            let ages = |queue: &VecDeque<Pending>, now| queue.iter().map(|p| now - p.born).collect::<Vec<_>>();
            ours.len() == theirs.len()
                && ages(ours, self.now) == ages(theirs, other.now)
                && ours
                    .iter()
                    .zip(theirs)
                    .all(|(a, b)| a.aside == b.aside && a.roles == b.roles && Same(a.record()) == Same(b.record()))
        };
        self.pairing == other.pairing && same(&self.near, &other.near) && same(&self.far, &other.far)
    }
}

/// Compares two records field by field.
struct Same<'a>(Record<'a>);

impl PartialEq for Same<'_> {
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (&self.0, &other.0);
        (a.role, a.method, a.path, a.route, a.status, a.bytes, a.latency_us, a.ends, a.time, a.auth, a.cache)
            == (b.role, b.method, b.path, b.route, b.status, b.bytes, b.latency_us, b.ends, b.time, b.auth, b.cache)
            && (a.version, a.request_id, a.pid, a.service, a.headers, a.exception)
                == (b.version, b.request_id, b.pid, b.service, b.headers, b.exception)
    }
}

impl Pairer {
    /// One for a source whose lines belong together as `pairing` says.
    pub fn new(pairing: Pairing) -> Self {
        Self { pairing, ..Self::default() }
    }

    /// How many records wait for a partner.
    pub fn waiting(&self) -> usize {
        self.near.len() + self.far.len()
    }

    /// Takes the next record; gives to `done` each request that is complete by now, in a fixed order. Returns how many
    /// lines turned out to be companions.
    pub fn take(&mut self, record: &Record<'_>, aside: Aside, mut done: impl FnMut(&Record<'_>, Aside)) -> u64 {
        if self.pairing.is_none() {
            if record.role == Role::Start {
                return 1;
            }
            done(record, aside);
            return 0;
        }
        if self.waiting() == 0 {
            self.now = 0;
        }
        self.now += 1;
        let companions = self.settle_old(&mut done);
        let by_id = self.pairing.ids != 0
            && !record.request_id.is_empty()
            && (bit(record.role) == 0 || self.pairing.ids & bit(record.role) != 0);
        companions
            + if by_id { self.take_by_id(record, aside, &mut done) } else { self.take_by_place(record, aside, &mut done) }
    }

    /// Ends the source: gives what still waited. Returns how many lines turned out to be companions.
    pub fn finish(&mut self, mut done: impl FnMut(&Record<'_>, Aside)) -> u64 {
        let mut companions = 0;
        while let Some(pending) = self.near.pop_front().or_else(|| self.far.pop_front()) {
            companions += self.settle(pending, &mut done);
        }
        companions
    }

    /// Gives up on partners that have not come.
    fn settle_old(&mut self, done: &mut impl FnMut(&Record<'_>, Aside)) -> u64 {
        let mut companions = 0;
        while self.near.front().is_some_and(|pending| self.now - pending.born > NEAR) {
            let Some(pending) = self.near.pop_front() else { break };
            companions += self.settle(pending, done);
        }
        while self.far.len() >= MOST_WAITING || self.far.front().is_some_and(|pending| self.now - pending.born > FAR) {
            let Some(pending) = self.far.pop_front() else { break };
            companions += self.settle(pending, done);
        }
        companions
    }

    /// What waited in vain: a start is a companion, and so is a router's time-out; anything else a request.
    fn settle(&mut self, pending: Pending, done: &mut impl FnMut(&Record<'_>, Aside)) -> u64 {
        let late = pending.status == Some(503) && pending.latency_us.is_some_and(|us| us >= ROUTER_TIMEOUT_US);
        let alone = pending.role == Role::Start || pending.role == Role::Router && self.pairing.router && late;
        if !alone {
            done(&pending.record(), pending.aside);
        }
        self.spare.push(pending);
        u64::from(alone)
    }

    fn take_by_id(&mut self, record: &Record<'_>, aside: Aside, done: &mut impl FnMut(&Record<'_>, Aside)) -> u64 {
        let own = bit(record.role);
        let partner = self.far.iter().position(|pending| {
            let other = pending.record();
            let new = if own == 0 { pending.role != Role::Start } else { pending.roles & own == 0 };
            other.request_id == record.request_id && pending.aside.instance == aside.instance && new && agree(&other, record)
        });
        let complete = |roles: u8| roles & self.pairing.ids == self.pairing.ids;
        let Some(partner) = partner else {
            if own != 0 && complete(own) {
                done(record, aside);
            } else {
                self.wait(record, aside, true);
            }
            return 0;
        };
        let Some(mut pending) = self.far.remove(partner) else { return 0 };
        let roles = pending.roles | own;
        let main = if rank(record.role) < rank(pending.role) { aside } else { pending.aside };
        if complete(roles) {
            done(&joined(pending.record(), *record), main);
            self.spare.push(pending);
        } else {
            let born = pending.born;
            let mut both = self.spare.pop().unwrap_or_default();
            both.take(&joined(pending.record(), *record), main, born);
            both.roles = roles;
            std::mem::swap(&mut both, &mut pending);
            self.spare.push(both);
            self.far.insert(partner, pending);
        }
        1
    }

    fn take_by_place(&mut self, record: &Record<'_>, aside: Aside, done: &mut impl FnMut(&Record<'_>, Aside)) -> u64 {
        if record.role == Role::Start {
            return 1;
        }
        let Pairing { near, router, .. } = self.pairing;
        let distant = router;
        let queue = if distant { &mut self.far } else { &mut self.near };
        let now = self.now;
        let fits = |pending: &Pending| {
            let beside = match (record.role, pending.role) {
                (Role::Timing, Role::Access) | (Role::Access, Role::Timing) => near.is_some(),
                (Role::Router, Role::Access) | (Role::Access, Role::Router) => router,
                _ => false,
            };
            let other = pending.record();
            let nameless = other.path.is_empty() || record.path.is_empty();
            let close = !nameless || now - pending.born == 1;
            beside && close && pending.aside.instance == aside.instance && agree(&other, record)
        };
        // A middleware's line and its server's follow each other; a router's come in their own order.
        let partner = if distant { queue.iter().position(fits) } else { queue.iter().rposition(fits) };
        if let Some(pending) = partner.and_then(|at| queue.remove(at)) {
            let main = if rank(record.role) < rank(pending.role) { aside } else { pending.aside };
            done(&joined(pending.record(), *record), main);
            self.spare.push(pending);
            return 1;
        }
        let waits = match record.role {
            Role::Timing => matches!(near, Some(First::Timing | First::Either)),
            Role::Access => matches!(near, Some(First::Access | First::Either)) || router,
            Role::Router => router,
            Role::Start => false,
        };
        if waits {
            self.wait(record, aside, distant);
        } else {
            done(record, aside);
        }
        0
    }

    fn wait(&mut self, record: &Record<'_>, aside: Aside, distant: bool) {
        let mut pending = self.spare.pop().unwrap_or_default();
        pending.take(record, aside, self.now);
        if distant { &mut self.far } else { &mut self.near }.push_back(pending);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::Verdict;
    use crate::parse::timing;
    use proptest::prelude::*;

    fn access(method: &'static str, path: &'static str, status: u16) -> Record<'static> {
        Record { method: method.as_bytes(), path: path.as_bytes(), status: Some(status), ..Record::default() }
    }

    fn timed(line: &str) -> Record<'_> {
        let mut out = Record::default();
        assert_eq!(Verdict::Request, timing::parse(line.as_bytes(), &mut out), "{line}");
        out
    }

    fn router(path: &'static str, status: u16, latency_us: u64) -> Record<'static> {
        Record { role: Role::Router, latency_us: Some(latency_us), ..access("GET", path, status) }
    }

    /// Requests as `method path status latency`, and the number of companions.
    fn run(pairing: Option<Pairing>, records: &[Record<'_>]) -> (Vec<String>, u64) {
        let mut scout = Scout::default();
        for record in records {
            scout.see(record, Aside::default());
        }
        let mut pairer = Pairer::new(pairing.unwrap_or_else(|| scout.decide()));
        let mut told = Vec::new();
        let mut done = |r: &Record<'_>, _: Aside| {
            let (method, path) = (String::from_utf8_lossy(r.method), String::from_utf8_lossy(r.path));
            told.push(format!("{method} {path} {} {}", r.status.unwrap_or(0), r.latency_us.unwrap_or(0)));
        };
        let mut companions = 0;
        for record in records {
            companions += pairer.take(record, Aside::default(), &mut done);
        }
        companions += pairer.finish(&mut done);
        (told, companions)
    }

    #[test]
    fn a_timing_line_and_the_access_line_behind_it_are_one_request() {
        let records = [
            timed("GET /admin/stats completed_in=34.93ms status_code=403"),
            access("GET", "/admin/stats", 403),
            timed("GET /nope/<script> completed_in=1.13ms status_code=404"),
            access("GET", "/nope/%3Cscript%3E", 404),
            access("GET", "/crash", 500),
        ];
        let expected = ["GET /admin/stats 403 34930", "GET /nope/%3Cscript%3E 404 1130", "GET /crash 500 0"];
        assert_eq!((expected.map(str::to_owned).to_vec(), 2), run(None, &records));
    }

    #[test]
    fn the_access_line_may_come_first() {
        let records = [
            access("GET", "/a", 200),
            timed("GET /a 200 0.5s"),
            access("GET", "/b", 200),
            access("GET", "/a", 200),
            timed("GET /a 200 0.25s"),
        ];
        let expected = ["GET /a 200 500000", "GET /a 200 250000", "GET /b 200 0"];
        assert_eq!((expected.map(str::to_owned).to_vec(), 2), run(None, &records));
    }

    #[test]
    fn contradicting_lines_are_two_requests() {
        let near = Some(Pairing { near: Some(First::Timing), ..Pairing::default() });
        for other in [access("POST", "/a", 200), access("GET", "/b", 200), access("GET", "/a", 201)] {
            let (told, companions) = run(near, &[timed("GET /a 200 0.5s"), other]);
            assert_eq!((2, 0), (told.len(), companions), "{told:?}");
        }
    }

    #[test]
    fn a_source_without_partners_passes_through() {
        let records = [timed("GET /a 200 0.5s"), timed("GET /b 200 0.5s"), timed("GET /c 200 0.5s"), access("GET", "/z", 200)];
        let mut scout = Scout::default();
        for record in &records {
            scout.see(record, Aside::default());
        }
        assert!(scout.decide().is_none());
        assert_eq!((4, 0), {
            let (told, companions) = run(None, &records);
            (told.len(), companions)
        });
    }

    #[test]
    fn start_and_end_pair_by_id_and_a_start_alone_is_a_companion() {
        let records = [
            timed("rid=LPSCOH start request path=/static/app.js"),
            timed("rid=F8TPWN start request path=/products/695"),
            timed("rid=F8TPWN completed_in=47.43ms status_code=200"),
        ];
        assert_eq!((vec![" /products/695 200 47430".to_owned()], 2), run(None, &records));
    }

    #[test]
    fn three_lines_of_one_id_are_one_request() {
        let id = |record: Record<'static>| Record { request_id: b"a1", ..record };
        let records = [
            id(Record { role: Role::Start, status: None, ..access("GET", "/a", 0) }),
            id(access("GET", "/a", 200)),
            id(Record { role: Role::Timing, latency_us: Some(7), status: None, ..access("GET", "/a", 0) }),
        ];
        assert_eq!((vec!["GET /a 200 7".to_owned()], 2), run(None, &records));
    }

    #[test]
    fn a_routers_line_gives_its_time_and_its_time_out_is_no_second_request() {
        let records = [
            access("GET", "/a", 200),
            access("GET", "/b", 200),
            router("/b", 200, 9000),
            router("/a", 200, 8000),
            router("/c", 503, 30_000_000),
        ];
        let expected = ["GET /b 200 9000", "GET /a 200 8000"];
        assert_eq!((expected.map(str::to_owned).to_vec(), 3), run(None, &records));
        assert_eq!((vec!["GET /c 503 30000000".to_owned()], 0), run(None, &[router("/c", 503, 30_000_000)]));
    }

    #[test]
    fn paths_are_the_same_however_they_are_quoted() {
        let table = [
            ("/caf%C3%A9", "/café", true),
            ("/nope%1B%5B31mred%1B%5B0m", "/nopered", true),
            ("/nope%1B%5D0%3Bowned%07", "/nope", true),
            ("/nope%0D%0AINFO", "/nopeINFO", true),
            ("/a%2Fb", "/a/b", true),
            ("/a%zz", "/a%zz", true),
            ("/a", "/A", false),
            ("/a/", "/a", false),
        ];
        for (one, other, expected) in table {
            assert_eq!(expected, same_path(one.as_bytes(), other.as_bytes()), "{one} {other}");
        }
    }

    fn any_record() -> impl Strategy<Value = (u8, u8, u16, u8)> {
        (0_u8..4, 0_u8..3, prop_oneof![Just(200_u16), Just(404)], 0_u8..4)
    }

    fn built((role, path, status, id): (u8, u8, u16, u8)) -> Record<'static> {
        let role = [Role::Access, Role::Timing, Role::Router, Role::Start][role as usize];
        let path = [b"/a".as_slice(), b"/b", b""][path as usize];
        let request_id = [b"".as_slice(), b"", b"i", b"j"][id as usize];
        Record { role, path, method: b"GET", status: (role != Role::Start).then_some(status), request_id, ..Record::default() }
    }

    proptest! {
        #[test]
        fn every_line_is_a_request_or_a_companion_and_storing_changes_nothing(
            rows in proptest::collection::vec(any_record(), 0..60), cut in any::<prop::sample::Index>(),
            ids in 0_u8..8, near in prop_oneof![Just(None), Just(Some(First::Timing)), Just(Some(First::Access)), Just(Some(First::Either))], router in any::<bool>()) {
            let pairing = Pairing { ids, near, router };
            let records: Vec<_> = rows.into_iter().map(built).collect();
            let cut = cut.index(records.len() + 1);
            let (told, companions) = run(Some(pairing), &records);
            prop_assert_eq!(records.len() as u64, told.len() as u64 + companions);

            let mut pairer = Pairer::new(pairing);
            let mut count = 0;
            for (at, record) in records.iter().enumerate() {
                if at == cut {
                    let stored = serde_json::to_string(&pairer).unwrap();
                    let loaded: Pairer = serde_json::from_str(&stored).unwrap();
                    prop_assert_eq!(&pairer, &loaded);
                    pairer = loaded;
                }
                pairer.take(record, Aside::default(), |_, _| count += 1);
                prop_assert!(pairer.waiting() <= 2 * MOST_WAITING);
            }
            pairer.finish(|_, _| count += 1);
            prop_assert_eq!(told.len(), count);
        }
    }
}
