//! The course of time in the file: seconds as they come, one row a minute for all routes, latencies that grow coarser.
//!
//! | table | a row | kept |
//! |---|---|---|
//! | `seconds` | what one commit gave one second; number = second × 65,536 + part | from ten minutes before what is judged |
//! | `minutes` | counts of one minute, all routes | `keep` |
//! | `delays` | latencies of one minute, all routes | 2 days |
//! | `quarters` | latencies of one quarter of an hour, all routes | `keep` |
//!
//! Rows only ever add up, so what comes late finds its place wherever that is by then.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::row::Row;
use super::table;
use super::table::Found;

/// Seconds stay rows of their own for so long.
pub(super) const RECENT_S: i64 = 600;
/// Latencies stay by the minute for so long.
pub(super) const FINE_S: i64 = 2 * 86_400;
/// So far ahead of the present a second may lie to be kept.
pub(super) const AHEAD_S: i64 = 86_400;
/// Parts of a second.
const PARTS: i64 = 1 << 16;
/// Minutes in a quarter of an hour.
pub(super) const QUARTER: i64 = 15;

/// From where on seconds are rows of their own: whole minutes, at least [`RECENT_S`] before what is judged next. A log
/// that claims to be of the future does not move it beyond the present.
pub(super) fn recent_from(closed_to: u32, now_s: i64) -> i64 {
    (i64::from(closed_to).min(now_s) - RECENT_S).div_euclid(60) * 60
}

/// From which minute on latencies are kept by the minute: a whole quarter of an hour.
pub(super) fn fine_from(now_s: i64) -> i64 {
    (now_s - FINE_S).div_euclid(900) * QUARTER
}

/// Adds what a commit gave a second.
pub(super) fn add_second(c: &Connection, second: u32, encoded: &[u8]) -> rusqlite::Result<()> {
    let first = i64::from(second) * PARTS;
    let last: Option<i64> = c
        .prepare_cached("SELECT max(number) FROM seconds WHERE number >= ?1 AND number < ?2")?
        .query_row((first, first + PARTS), |r| r.get(0))?;
    table::put(c, "seconds", last.map_or(first, |l| l + 1), encoded)
}

/// What was given to the seconds from `first` to before `end`, ascending, each second once.
pub(super) fn seconds(c: &Connection, first: i64, end: i64) -> Found<Vec<(u32, Row)>> {
    let mut all: BTreeMap<u32, Row> = BTreeMap::new();
    for (number, row) in table::rows(c, "seconds", first.saturating_mul(PARTS), end.saturating_mul(PARTS))? {
        all.entry(u32::try_from(number / PARTS).unwrap_or(u32::MAX)).or_default().add(&row);
    }
    Ok(all.into_iter().collect())
}

/// The first second that is kept by itself.
pub(super) fn first_second(c: &Connection) -> Found<Option<i64>> {
    Ok(table::first(c, "seconds")?.map(|number| number.div_euclid(PARTS)))
}

/// Adds to a minute: counts to its own row, latencies where those of its age lie.
pub(super) fn add_minute(c: &Connection, minute: i64, row: Row, now_s: i64) -> Found<()> {
    let (counts, delays) = row.split();
    table::add(c, "minutes", minute, counts)?;
    if minute < fine_from(now_s) {
        table::add(c, "quarters", minute.div_euclid(QUARTER), delays)
    } else {
        table::add(c, "delays", minute, delays)
    }
}

/// Takes the seconds before `from` into their minutes.
pub(super) fn fold(c: &Connection, from: i64, now_s: i64) -> Found<()> {
    let Some(first) = table::first(c, "seconds")? else { return Ok(()) };
    let mut minute = first.div_euclid(PARTS * 60);
    while minute * 60 < from {
        let mut row = Row::default();
        for (_, second) in seconds(c, minute * 60, minute * 60 + 60)? {
            row.add(&second);
        }
        add_minute(c, minute, row, now_s)?;
        table::remove(c, "seconds", minute * 60 * PARTS, (minute * 60 + 60) * PARTS)?;
        let next: Option<i64> = table::first(c, "seconds")?;
        let Some(next) = next else { break };
        minute = next.div_euclid(PARTS * 60);
    }
    Ok(())
}

/// What age asks for: latencies by the minute become latencies by the quarter of an hour, and what is older than `keep`
/// goes.
pub(super) fn age(c: &Connection, now_s: i64, keep_s: i64) -> Found<()> {
    let fine = fine_from(now_s);
    while let Some(first) = table::first(c, "delays")?.filter(|first| *first < fine) {
        coarsen(c, first.div_euclid(QUARTER))?;
    }
    forget(c, (now_s - keep_s).div_euclid(60))?;
    Ok(())
}

/// Makes one quarter's latencies one row.
pub(super) fn coarsen(c: &Connection, quarter: i64) -> Found<()> {
    let (first, end) = (quarter * QUARTER, (quarter + 1) * QUARTER);
    let mut all = Row::default();
    for (_, row) in table::rows(c, "delays", first, end)? {
        all.add(&row);
    }
    table::add(c, "quarters", quarter, all)?;
    table::remove(c, "delays", first, end)?;
    Ok(())
}

/// Drops what lies before a minute.
pub(super) fn forget(c: &Connection, minute: i64) -> rusqlite::Result<()> {
    table::remove(c, "minutes", i64::MIN, minute)?;
    table::remove(c, "delays", i64::MIN, minute)?;
    table::remove(c, "quarters", i64::MIN, minute.div_euclid(QUARTER))?;
    Ok(())
}

/// Bytes in use.
pub(super) fn size(c: &Connection) -> rusqlite::Result<u64> {
    let figure = |name: &str| c.query_row(&format!("PRAGMA {name}"), [], |r| r.get::<_, i64>(0));
    let pages = figure("page_count")? - figure("freelist_count")?;
    Ok(u64::try_from(pages * figure("page_size")?).unwrap_or(0))
}

/// Brings the file below `most` bytes: the oldest detail goes first, a quarter of an hour at a time. Latencies by the
/// minute become coarser, then latencies go, then counts. Says up to which minute something was given up early.
pub(super) fn shrink(c: &Connection, most: u64, now_s: i64) -> Found<Option<i64>> {
    let mut lost = None;
    // A day's worth of the newest is out of reach: without it nothing could be judged.
    let reach = (now_s - 86_400).div_euclid(60);
    while size(c)? > most {
        let oldest = |name| table::first(c, name);
        let (delay, quarter, minute) = (oldest("delays")?, oldest("quarters")?, oldest("minutes")?);
        let upto = if let Some(delay) = delay.filter(|d| *d < reach) {
            coarsen(c, delay.div_euclid(QUARTER))?;
            (delay.div_euclid(QUARTER) + 1) * QUARTER
        } else if let Some(quarter) = quarter {
            table::remove(c, "quarters", quarter, quarter + 4)?;
            (quarter + 4) * QUARTER
        } else if let Some(minute) = minute {
            let end = (minute.div_euclid(60) + 1) * 60;
            forget(c, end)?;
            end
        } else if let Some(delay) = delay {
            table::remove(c, "delays", delay, delay + QUARTER)?;
            delay + QUARTER
        } else {
            break;
        };
        lost = lost.max(Some(upto));
    }
    Ok(lost)
}
