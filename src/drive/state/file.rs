//! The file: opened, checked, migrated, or set aside.
//!
//! One writer holds an advisory lock on `FILE.lock` (not on the file itself: SQLite's own locks live there, and closing
//! any descriptor of a file drops them). The lock goes with the process, so no crash leaves a stale one; the lock file
//! stays and names its last holder. A new file is made beside and renamed, so that a crash never leaves half of one.

use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::io::Read;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use rusqlite::Connection;
use rusqlite::ErrorCode;
use rusqlite::OpenFlags;

use super::sealed;
use super::sealed::Key;
use crate::error::Error;
use crate::error::Fault;
use crate::time::Timestamp;
use crate::time::civil_from_days;

/// `vlog`, where SQLite keeps the number of the program a file belongs to.
pub(super) const APPLICATION: i32 = 0x766c_6f67;

/// How the file came to be as it is: entry `n` leads from version `n` to `n + 1`. Bodies are sealed (see `sealed`).
pub(super) const STEPS: &[&str] = &["
CREATE TABLE meta (word TEXT PRIMARY KEY, body BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE positions (word TEXT PRIMARY KEY, body BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE names (number INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
CREATE TABLE totals (number INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
CREATE TABLE seconds (number INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
CREATE TABLE minutes (number INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
CREATE TABLE delays (number INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
CREATE TABLE quarters (number INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
CREATE TABLE outbox (number INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
CREATE TABLE mutes (number INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
"];

/// Tables whose rows have a number for a key.
const NUMBERED: [&str; 8] = ["names", "totals", "seconds", "minutes", "delays", "quarters", "outbox", "mutes"];
/// Tables whose rows have a word for a key.
const WORDED: [&str; 2] = ["meta", "positions"];
/// The row of `meta` that says the version once more.
const VERSION: &str = "version";

/// What opening a state had to do, for stderr and `/readyz`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// There was none: it begins now.
    Fresh,
    /// It was written by an older vitalog and is brought up to date; the older one is kept in `copy`.
    Migrated {
        /// The version it had.
        from: usize,
        /// Where the older one lies.
        copy: PathBuf,
    },
    /// It was damaged, lies in `to` now, and a new one begins.
    SetAside {
        /// Where it lies.
        to: PathBuf,
        /// What was found.
        why: String,
    },
}

/// What a look at a file finds.
pub(super) enum Look {
    /// Whole, of this version.
    Whole,
    /// Whole, of an older version.
    Older(usize),
    /// Written by a newer vitalog.
    Newer(usize),
    /// Changed or cut.
    Damaged(String),
}

pub(super) fn fault(path: &Path, what: impl std::fmt::Display) -> Error {
    Error::new(Fault::State, format!("state '{}': {what}", path.display()))
}

/// Whether an error speaks of the file's content and not of the machine around it.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    use ErrorCode as E;
    !matches!(
        error.sqlite_error_code(),
        Some(
            E::ReadOnly
                | E::DiskFull
                | E::SystemIoFailure
                | E::PermissionDenied
                | E::DatabaseBusy
                | E::DatabaseLocked
                | E::CannotOpen
                | E::OutOfMemory
                | E::OperationInterrupted
                | E::FileLockingProtocolFailed
        )
    )
}

fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Takes the writer's lock, or says who holds it.
pub(super) fn lock(path: &Path) -> Result<File, Error> {
    let beside = suffixed(path, ".lock");
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    private(&mut options);
    let mut file = options.open(&beside).map_err(|e| fault(path, format_args!("opening '{}': {e}", beside.display())))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let told = file.take(64).read_to_string(&mut holder).is_ok();
            let holder: String = holder.chars().filter(char::is_ascii_digit).collect();
            let who = if told && !holder.is_empty() { format!("process {holder}") } else { "another process".to_owned() };
            return Err(fault(path, format_args!("{who} is writing it (stop that one, or name another file with --state)")));
        }
        Err(fs::TryLockError::Error(e)) => return Err(fault(path, format_args!("locking '{}': {e}", beside.display()))),
    }
    // The holder's number is a help for messages only: where it cannot be written, the lock holds all the same.
    let named = file.set_len(0).and_then(|()| file.write_all(format!("{}\n", std::process::id()).as_bytes()));
    drop(named);
    Ok(file)
}

#[cfg(unix)]
fn private(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(0o600);
}

#[cfg(not(unix))]
fn private(_: &mut OpenOptions) {}

/// A connection that writes: its own log beside the file, rows of the state's own order of safety.
pub(super) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let connection = Connection::open_with_flags(path, flags)?;
    ready(&connection)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    Ok(connection)
}

/// What every connection needs.
pub(super) fn ready(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(std::time::Duration::from_secs(1))?;
    for (name, value) in [("trusted_schema", 0), ("cell_size_check", 1), ("journal_size_limit", 8 << 20), ("synchronous", 1)] {
        connection.pragma_update(None, name, value)?;
    }
    Ok(())
}

/// Applies the steps behind version `from`. Within a transaction of the caller's.
fn apply(connection: &Connection, steps: &[&str], from: usize) -> rusqlite::Result<()> {
    for step in &steps[from..] {
        connection.execute_batch(step)?;
    }
    let version = i32::try_from(steps.len()).unwrap_or(i32::MAX);
    connection.pragma_update(None, "user_version", version)?;
    let body = sealed::write("meta", Key::Word(VERSION), &steps.len());
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?1, ?2)", (VERSION, body))?;
    Ok(())
}

/// An empty state in memory.
pub(super) fn in_memory(steps: &[&str]) -> rusqlite::Result<Connection> {
    let connection = Connection::open_in_memory()?;
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    apply(&connection, steps, 0)?;
    Ok(connection)
}

/// Makes an empty state under `path`, where none lies.
pub(super) fn create(path: &Path, steps: &[&str]) -> Result<(), Error> {
    let new = suffixed(path, ".new");
    for rest in ["", "-wal", "-shm", "-journal"] {
        drop(fs::remove_file(suffixed(&new, rest)));
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    private(&mut options);
    options.open(&new).map_err(|e| fault(path, format_args!("creating '{}': {e}", new.display())))?;
    let made = (|| {
        let connection = Connection::open(&new)?;
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        connection.pragma_update(None, "application_id", APPLICATION)?;
        apply(&connection, steps, 0)?;
        connection.close().map_err(|(_, e)| e)
    })();
    made.map_err(|e| fault(path, format_args!("creating it: {e}")))?;
    fs::rename(&new, path).map_err(|e| fault(path, format_args!("creating it: {e}")))
}

/// Whether a file is one of ours, whole or damaged: an empty one, one of zeros, or one that begins as ours do for the
/// greater part. Anything else is somebody else's and is left alone.
pub(super) fn is_ours(path: &Path) -> std::io::Result<bool> {
    let mut head = Vec::new();
    File::open(path)?.take(100).read_to_end(&mut head)?;
    let magic = b"SQLite format 3\0";
    let begins = head.iter().zip(magic).filter(|(a, b)| a == b).count();
    let application = head.get(68..72).is_some_and(|a| a == APPLICATION.to_be_bytes());
    let cut = head.len() < 72 && begins + 1 >= head.len().min(magic.len());
    Ok(head.iter().all(|b| *b == 0) || cut || application || (begins >= 12 && other_application(&head)))
}

/// A program's number that is one flipped bit away from ours.
fn other_application(head: &[u8]) -> bool {
    let Some(Ok(number)) = head.get(68..72).map(<[u8; 4]>::try_from) else { return true };
    (i32::from_be_bytes(number) ^ APPLICATION).count_ones() <= 8
}

/// Looks through the whole file: structure, schema, and the seal of every row.
pub(super) fn look(connection: &Connection, steps: &[&str]) -> Result<Look, rusqlite::Error> {
    match look_through(connection, steps) {
        Err(e) if is_damage(&e) => Ok(Look::Damaged(e.to_string())),
        other => other,
    }
}

fn look_through(connection: &Connection, steps: &[&str]) -> rusqlite::Result<Look> {
    let version: i64 = connection.query_row("PRAGMA user_version", [], |r| r.get(0))?;
    let body: Vec<u8> = connection.query_row("SELECT body FROM meta WHERE word = ?1", [VERSION], |r| r.get(0))?;
    let said: Option<usize> = sealed::read("meta", Key::Word(VERSION), &body);
    let Some(said) = said.filter(|s| i64::try_from(*s) == Ok(version)) else {
        return Ok(Look::Damaged("its version is unclear".to_owned()));
    };
    if said > steps.len() {
        return Ok(Look::Newer(said));
    }
    let told: String = connection.query_row("PRAGMA quick_check(1)", [], |r| r.get(0))?;
    if told != "ok" {
        return Ok(Look::Damaged(told));
    }
    if schema(connection)? != schema(&in_memory(&steps[..said])?)? {
        return Ok(Look::Damaged("its tables are not as they were made".to_owned()));
    }
    for table in NUMBERED.into_iter().chain(WORDED) {
        if let Some(why) = broken_row(connection, table)? {
            return Ok(Look::Damaged(why));
        }
    }
    Ok(if said < steps.len() { Look::Older(said) } else { Look::Whole })
}

fn schema(connection: &Connection) -> rusqlite::Result<Vec<(String, String, String)>> {
    let mut all = connection.prepare("SELECT type, name, coalesce(sql, '') FROM sqlite_schema ORDER BY type, name")?;
    all.query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))?.collect()
}

/// The first row of a table whose seal is broken.
fn broken_row(connection: &Connection, table: &str) -> rusqlite::Result<Option<String>> {
    let worded = WORDED.contains(&table);
    let key = if worded { "word" } else { "number" };
    let mut all = connection.prepare(&format!("SELECT {key}, body FROM {table}"))?;
    let mut rows = all.query([])?;
    while let Some(row) = rows.next()? {
        let word: String;
        let key = if worded {
            word = row.get(0)?;
            Key::Word(&word)
        } else {
            Key::Number(row.get(0)?)
        };
        if !sealed::is_whole(table, key, row.get_ref(1)?.as_blob()?) {
            return Ok(Some(format!("a row of '{table}' is not as it was written")));
        }
    }
    Ok(None)
}

/// Brings an older state up to date and keeps a copy of it.
pub(super) fn migrate(
    connection: &mut Connection,
    path: &Path,
    steps: &[&str],
    from: usize,
    now: Timestamp,
) -> Result<PathBuf, Error> {
    let copy = free(path, &format!(".v{from}-{}", stamp(now)));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    private(&mut options);
    let failed = |e: &dyn std::fmt::Display| fault(path, format_args!("keeping a copy before migrating it: {e}"));
    options.open(&copy).map_err(|e| failed(&e))?;
    connection.execute("VACUUM INTO ?1", [copy.to_string_lossy()]).map_err(|e| failed(&e))?;
    let done = (|| {
        let all = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        apply(&all, steps, from)?;
        all.commit()
    })();
    done.map_err(|e| fault(path, format_args!("migrating it from version {from}: {e}")))?;
    Ok(copy)
}

/// Moves a damaged state and what belongs to it out of the way; nothing is deleted.
pub(super) fn set_aside(path: &Path, now: Timestamp) -> Result<PathBuf, Error> {
    put_away(path, "damaged", now)
}

/// Renames a state and what belongs to it to `FILE.WHY-TIME`.
pub(super) fn put_away(path: &Path, why: &str, now: Timestamp) -> Result<PathBuf, Error> {
    let to = free(path, &format!(".{why}-{}", stamp(now)));
    let failed = |e| fault(path, format_args!("setting it aside as '{}': {e}", to.display()));
    // The log first: a crash in between leaves the damaged file without it, never a new one with a stranger's.
    for rest in ["-wal", "-shm", "-journal"] {
        match fs::rename(suffixed(path, rest), suffixed(&to, rest)) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(failed(e)),
            _ => {}
        }
    }
    match fs::rename(path, &to) {
        // only its log was left
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(suffixed(&to, "-wal")),
        renamed => renamed.map(|()| to.clone()).map_err(failed),
    }
}

/// A name nobody has.
fn free(path: &Path, suffix: &str) -> PathBuf {
    (1..10_000)
        .map(|n| suffixed(path, &if n == 1 { suffix.to_owned() } else { format!("{suffix}-{n}") }))
        .find(|candidate| !candidate.exists())
        .unwrap_or_else(|| suffixed(path, suffix))
}

/// `20261122T031500Z`: a time that every file system takes.
fn stamp(now: Timestamp) -> String {
    let seconds = now.second();
    let (year, month, day) = civil_from_days(seconds.div_euclid(86_400));
    let in_day = seconds.rem_euclid(86_400);
    format!("{year:04}{month:02}{day:02}T{:02}{:02}{:02}Z", in_day / 3600, in_day / 60 % 60, in_day % 60)
}
