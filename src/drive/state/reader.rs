//! A state read beside its writer: the course of time between two moments, as plain data that becomes a snapshot.
//!
//! Figures are right to the slot: seconds within the last ten minutes, minutes before, quarters of an hour where
//! latencies are older than two days (they stand in the first minute of their quarter). What cannot be cut by time,
//! exceptions and what servers said of themselves, is told with its own times.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::Connection;
use rusqlite::OpenFlags;

use super::course;
use super::course::QUARTER;
use super::file;
use super::file::fault;
use super::named;
use super::names::Names;
use super::row::Row;
use super::table;
use super::table::Found;
use crate::error::Error;
use crate::stats::doings::Doings;
use crate::stats::failures::Failures;
use crate::stats::slots::Track;
use crate::stats::snapshot::SlotLines;
use crate::stats::snapshot::width_of;
use crate::stats::stored::Counted;
use crate::stats::stored::course::Course;
use crate::stats::stored::course::Second;
use crate::stats::stored::course::Span;
use crate::time::Timestamp;

/// What was saved of a span of time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Range {
    /// Everything in it: statuses, bytes and lines exact, latencies to two digits.
    pub counted: Counted,
    /// What it really covers, cut at slot borders and at what is kept; `None` if there is nothing.
    pub covers: Option<(Timestamp, Timestamp)>,
    /// The width of slots in seconds.
    pub slot_s: u32,
}

/// A state, open for reading; its writer goes on beside.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
    path: std::path::PathBuf,
}

impl Reader {
    /// Opens a state for reading. Fails with `Fault::State` where there is none, it is newer or older than this program,
    /// or cannot be read.
    pub fn open(path: &Path) -> Result<Self, Error> {
        std::fs::metadata(path).map_err(|e| fault(path, e))?;
        if !file::is_ours(path).map_err(|e| fault(path, e))? {
            return Err(fault(path, "this is no state of vitalog"));
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_EXRESCODE;
        let mut connection = Connection::open_with_flags(path, flags).map_err(|e| fault(path, e))?;
        connection.busy_timeout(std::time::Duration::from_secs(5)).map_err(|e| fault(path, e))?;
        if version_of(&connection).is_err_and(|e| !file::is_damage(&e)) && !has_log(path) {
            // A folder that cannot be written and no writer: nothing can change under us.
            let uri = format!("file:{}?immutable=1", escaped(path));
            connection = Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_URI).map_err(|e| fault(path, e))?;
        }
        same_version(&connection, path)?;
        Ok(Self { connection, path: path.to_owned() })
    }

    /// What was saved from `since` to before `until`, all of one moment.
    pub fn range(&mut self, since: Timestamp, until: Timestamp) -> Result<Range, Error> {
        let path = self.path.clone();
        let one = self.connection.transaction().map_err(|e| fault(&path, e))?;
        range(&one, since, until).map_err(|e| fault(&path, e))
    }

    /// Tells of what was saved from `since` to before `until`, all of one moment, in order of time: each minute at its last
    /// second, and each second of the last minutes. `limits_us`: the counts wanted at limits. Latencies that are kept by
    /// the quarter of an hour are left out. Gives what it really covers.
    pub fn follow(
        &mut self,
        since: Timestamp,
        until: Timestamp,
        limits_us: &[u64],
        tell: &mut dyn FnMut(&Second),
    ) -> Result<Option<(Timestamp, Timestamp)>, Error> {
        let path = self.path.clone();
        let one = self.connection.transaction().map_err(|e| fault(&path, e))?;
        follow(&one, since, until, limits_us, tell).map_err(|e| fault(&path, e))
    }

    /// What the writer keeps beside under this word.
    pub fn kept(&self, word: &str) -> Result<Option<Vec<u8>>, Error> {
        table::word(&self.connection, "meta", &format!("kept/{word}")).map_err(|e| fault(&self.path, e))
    }

    /// The last time that was saved in a row, excluded: where `--since 7d` counts from when nobody writes.
    pub fn end(&self) -> Result<Option<Timestamp>, Error> {
        end(&self.connection).map_err(|e| fault(&self.path, e))
    }
}

fn end(c: &Connection) -> Found<Option<Timestamp>> {
    let last = |name: &str| c.query_row(&format!("SELECT max(number) FROM {name}"), [], |r| r.get::<_, Option<i64>>(0));
    let second = last("seconds")?.map(|n| n / 65_536 + 1);
    let minute = last("minutes")?.map(|n| (n + 1) * 60);
    Ok(second.max(minute).map(Timestamp::from_seconds))
}

fn has_log(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    Path::new(&log).exists()
}

/// A path within a URI.
fn escaped(path: &Path) -> String {
    let text = path.to_string_lossy();
    text.replace('%', "%25").replace('?', "%3f").replace('#', "%23")
}

fn version_of(c: &Connection) -> rusqlite::Result<i64> {
    c.query_row("PRAGMA user_version", [], |r| r.get(0))
}

/// Refuses a state of another version.
pub(super) fn same_version(c: &Connection, path: &Path) -> Result<(), Error> {
    let version = version_of(c).map_err(|e| fault(path, e))?;
    let own = i64::try_from(file::STEPS.len()).unwrap_or(i64::MAX);
    match version.cmp(&own) {
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Greater => Err(fault(path, "a newer vitalog wrote it (use that one)")),
        std::cmp::Ordering::Less => Err(fault(path, "an older vitalog wrote it (start 'vitalog tail' on it once)")),
    }
}

/// The tracks and lines of a span while they are gathered.
struct Gathering {
    first_s: i64,
    end_s: i64,
    width: u32,
    tracks: BTreeMap<u32, Track>,
    lines: BTreeMap<(u32, u32), SlotLines>,
    covers: Option<(i64, i64)>,
}

impl Gathering {
    /// Adds a row that begins at `start_s` and is `long_s` long.
    fn add(&mut self, start_s: i64, long_s: i64, row: &Row) {
        let number = u32::try_from(start_s.max(self.first_s) / i64::from(self.width)).unwrap_or(0);
        self.covers = Some(self.covers.map_or((start_s, start_s + long_s), |c| (c.0.min(start_s), c.1.max(start_s + long_s))));
        for (name, slot) in &row.groups {
            let mut slot = slot.clone();
            // Counts at limits belong to the recording's configuration; the reader's may be another.
            slot.over.clear();
            self.tracks.entry(*name).or_default().slot(number).add(&slot);
        }
        for (name, lines) in &row.lines {
            self.lines.entry((number, *name)).or_default().add(lines);
        }
    }

    fn has(&self, start_s: i64) -> bool {
        start_s >= self.first_s && start_s < self.end_s
    }
}

pub(super) fn range(c: &Connection, since: Timestamp, until: Timestamp) -> Found<Range> {
    let until_s = -(-until.micros()).div_euclid(1_000_000);
    let Some(until_s) = end(c)?.map(|e| e.second().min(until_s)) else { return Ok(Range { slot_s: 1, ..Range::default() }) };
    let oldest = table::first(c, "minutes")?.map(|m| m * 60);
    let recent = table::first(c, "seconds")?.map(|n| n / 65_536);
    let since_s = since.second().max(oldest.into_iter().chain(recent).min().unwrap_or(0));
    let folded: bool = c.query_row(
        "SELECT EXISTS (SELECT 1 FROM minutes WHERE number >= ?1 AND number <= ?2)",
        (since_s.div_euclid(60), until_s.div_euclid(60)),
        |r| r.get(0),
    )?;
    let by_span = width_of(u32::try_from((until_s - since_s).max(0)).unwrap_or(u32::MAX));
    let width = if folded { by_span.max(60) } else { by_span };
    // Where latencies have become coarse, they can be cut at a quarter of an hour only.
    let coarse = c.query_row("SELECT max(number) FROM quarters", [], |r| r.get::<_, Option<i64>>(0))?;
    let cut = if coarse.is_some_and(|q| since_s < (q + 1) * 900) { 900 } else { i64::from(width) };
    let first_s = since_s.div_euclid(cut) * cut;
    let mut all = Gathering { first_s, end_s: until_s, width, tracks: BTreeMap::new(), lines: BTreeMap::new(), covers: None };
    let (mut quarter, last) = (first_s.div_euclid(900), until_s.div_euclid(900));
    while quarter <= last {
        let (from, to) = (quarter * QUARTER, (quarter + 1) * QUARTER);
        for (_, row) in table::rows(c, "quarters", quarter, quarter + 1)? {
            if all.has(quarter * 900) {
                all.add(quarter * 900, 900, &row);
            }
        }
        for name in ["minutes", "delays"] {
            for (minute, row) in table::rows(c, name, from, to)? {
                if all.has(minute * 60) {
                    all.add(minute * 60, 60, &row);
                }
            }
        }
        quarter += 1;
    }
    for (second, row) in course::seconds(c, first_s, until_s)? {
        all.add(i64::from(second), 1, &row);
    }
    finish(c, all)
}

fn follow(
    c: &Connection,
    since: Timestamp,
    until: Timestamp,
    limits_us: &[u64],
    tell: &mut dyn FnMut(&Second),
) -> Found<Option<(Timestamp, Timestamp)>> {
    let names = Names::load(c)?;
    let Some(end) = end(c)? else { return Ok(None) };
    let until_s = end.second().min(-(-until.micros()).div_euclid(1_000_000));
    let oldest = table::first(c, "minutes")?.map(|minute| minute * 60);
    let recent = course::first_second(c)?;
    let Some(first_s) = oldest.into_iter().chain(recent).min().map(|s| s.max(since.second())) else { return Ok(None) };
    let coarse = c.query_row("SELECT max(number) FROM quarters", [], |r| r.get::<_, Option<i64>>(0))?;
    let mut covers: Option<(i64, i64)> = None;
    let mut told = |second: i64, from: i64, mut row: Row| {
        row.fit(limits_us);
        covers = Some(covers.map_or((from, second + 1), |c| (c.0, second + 1)));
        tell(&named(&names, u32::try_from(second).unwrap_or(0), row));
    };
    // an hour at a time
    let (first, last) = (-(-first_s).div_euclid(60), until_s.div_euclid(60));
    let mut minute = first;
    while minute < last {
        let to = last.min(minute + 60);
        let mut rows: BTreeMap<i64, Row> = table::rows(c, "minutes", minute, to)?.into_iter().collect();
        for (number, row) in table::rows(c, "delays", minute, to)? {
            rows.entry(number).or_default().add(&row);
        }
        for (number, mut row) in rows {
            if coarse.is_some_and(|quarter| number < (quarter + 1) * QUARTER) {
                row.forget_latencies();
            }
            let ends = number * 60 + 59;
            // of a minute whose end is still kept by the second, what is before
            let ends = recent.map_or(ends, |recent| ends.min(recent - 1)).max(number * 60);
            told(ends, number * 60, row);
        }
        minute = to;
    }
    for (second, row) in course::seconds(c, first_s, until_s)? {
        told(i64::from(second), i64::from(second), row);
    }
    Ok(covers.map(|(from, to)| (Timestamp::from_seconds(from), Timestamp::from_seconds(to))))
}

fn finish(c: &Connection, all: Gathering) -> Found<Range> {
    let names = Names::load(c)?;
    let (mut failures, mut doings) = (Failures::empty(), Doings::default());
    for (_, counted) in table::values::<Counted>(c, "totals")? {
        let (more, done) = counted.told();
        failures.merge(more);
        doings.merge(done);
    }
    let counted = Counted::of_span(Span {
        width: all.width,
        courses: all
            .tracks
            .into_iter()
            .filter_map(|(name, track)| Some(Course { name: names.group(name)?.clone(), track }))
            .collect(),
        lines: all.lines.into_iter().filter_map(|((at, name), l)| Some((at, names.desk(name)?.clone(), l))).collect(),
        failures,
        doings,
    });
    let covers = all.covers.map(|(from, to)| (Timestamp::from_seconds(from), Timestamp::from_seconds(to)));
    Ok(Range { counted, covers, slot_s: all.width })
}
