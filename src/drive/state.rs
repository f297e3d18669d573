//! What a running `tail` knows, in one SQLite file: positions with their carries, totals, the course of time, alert
//! state, mutes and outbox, saved together in one transaction at most every second.
//!
//! **Exactness.** A position and the counts of the lines before it are always of the same transaction, so after SIGKILL at
//! any moment reading goes on where counting ended. The file runs in WAL mode. With `synchronous = NORMAL` a power cut may
//! take the last commits, but takes them whole: their lines are read and counted again. What is told to the outside cannot
//! be taken back that way, so a commit that something is told after is made with `FULL` ([`Commit::tells`]).
//!
//! **Totals** are a base and the additions since. The base is written anew when the additions outweigh it, or when a
//! commit has failed: so a commit costs what happened since the last one, and a failed one needs nothing kept.
//!
//! The course of time is `course`'s, the file itself `file`'s, reading beside a writer `reader`'s, `vitalog mute` goes
//! through `mutes`. When anything is saved or told is left to `drive::live`.

mod course;
mod file;
pub mod mutes;
mod names;
pub mod reader;
mod row;
mod sealed;
mod table;

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::path::Path;
use std::path::PathBuf;

use rusqlite::Connection;
use rusqlite::ErrorCode;
use rusqlite::TransactionBehavior;
use rusqlite::config::DbConfig;
use serde::Deserialize;
use serde::Serialize;

use crate::error::Error;
use crate::stats::snapshot::Plan;
use crate::stats::snapshot::Snapshot;
use crate::stats::stored::Counted;
use crate::stats::stored::course::Second;
use crate::time::Timestamp;

use file::Look;
pub use file::Told;
use file::fault;
use mutes::Mute;
use names::Name;
use names::Names;
use row::Row;
use table::Trouble;

/// The base of the totals; additions come after it.
const BASE: i64 = 0;
/// Additions below it never cause a new base.
const FEW_BYTES: usize = 256 << 10;
/// What a state without a file may take in memory.
const IN_MEMORY: u64 = 16 << 20;
/// While nothing can be saved, so many seconds wait as they are, and so many minutes packed.
const WAITING_SECONDS: usize = 1_200;
const WAITING_MINUTES: usize = 240;

/// Where the state lies and how much it may keep.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The file; `None` keeps the state in memory, for this run only.
    pub path: Option<PathBuf>,
    /// How long counts by the minute are kept, in seconds.
    pub keep_s: i64,
    /// The most bytes the file may take; its log comes to it, 8 MiB where no reader holds it back.
    pub max_size: u64,
    /// Limits counted exactly in every slot, in the order of [`Plan::limits_us`].
    pub limits_us: Vec<u64>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { path: None, keep_s: 35 * 86_400, max_size: 512 << 20, limits_us: Vec::new() }
    }
}

/// Where reading of one source stands. The parts are opaque here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// What finds it again: a path, `journal:UNIT`.
    pub source: String,
    /// Where in which file (the follower's).
    pub bookmark: Vec<u8>,
    /// What is still open between lines.
    pub carry: Vec<u8>,
    /// What ties events.
    pub book: Vec<u8>,
    /// When it was saved; set by [`State::commit`].
    pub saved: Timestamp,
}

/// A message that waits to be sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// Its number, ascending in the order things happened; never used again.
    pub id: i64,
    /// Which sink, by its place or name; never its URL.
    pub sink: String,
    /// Letters of one fingerprint and sink go in the order of their numbers.
    pub fingerprint: String,
    /// What is sent.
    pub body: Vec<u8>,
    /// Not before.
    pub next_attempt: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
}

/// Everything one transaction saves. What is empty stays as it was.
pub struct Commit<'a> {
    /// The present.
    pub now: Timestamp,
    /// What was counted since the last commit, whether that one succeeded or not.
    pub counted: Option<&'a Counted>,
    /// Everything counted since the state began, `counted` included. Asked for now and then only.
    pub whole: &'a mut dyn FnMut() -> Counted,
    /// What each second was given since the last commit, judged already or not.
    pub seconds: &'a [Second],
    /// Seconds before it are judged.
    pub closed_to: u32,
    /// Sources that were read from.
    pub positions: Vec<Position>,
    /// Sources that are no longer followed.
    pub gone: Vec<String>,
    /// Further state under a word each: alerts, metrics, sequence.
    pub kept: Vec<(&'a str, Vec<u8>)>,
    /// Letters that are new or were tried.
    pub letters: Vec<Letter>,
    /// Letters that are done with.
    pub done: Vec<i64>,
    /// Something of this is told to the outside as soon as it is saved: it must survive a power cut.
    pub tells: bool,
}

/// What a commit did beside saving.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Saved {
    /// `max_size` was reached: detail before this time was given up early.
    pub given_up: Option<Timestamp>,
    /// Seconds that could not be kept while nothing could be saved, or that lie more than a day ahead. They are in the
    /// totals.
    pub left_out: u64,
}

/// Why a commit was not saved. Nothing of it is lost: the next commit saves it too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unsaved {
    /// No room; remove something, or give the state a larger place.
    Full,
    /// The file or its folder cannot be written; give the user of `vitalog` the right to.
    ReadOnly,
    /// Another process holds the file for longer than a second.
    Busy,
    /// Anything else, in SQLite's words.
    Other(String),
}

impl fmt::Display for Unsaved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("no room left (counting goes on; saving resumes by itself when there is room)"),
            Self::ReadOnly => f.write_str("it cannot be written (counting goes on; saving resumes by itself when it can)"),
            Self::Busy => f.write_str("another process holds it (saving is tried again)"),
            Self::Other(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Unsaved {}

impl From<Trouble> for Unsaved {
    fn from(trouble: Trouble) -> Self {
        let Trouble::Sql(error) = trouble else { return Self::Other(trouble.to_string()) };
        // SQLITE_IOERR_WRITE is what a limit on the size of files gives; there is nothing else to be done about it either.
        let write = error.sqlite_error().is_some_and(|e| e.extended_code == 778);
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::SystemIoFailure) if write => Self::Full,
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => Self::ReadOnly,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            _ => Self::Other(error.to_string()),
        }
    }
}

/// What was saved last.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The base of the totals and what was added since; see [`Loaded::totals`].
    pub counted: Vec<Counted>,
    /// Sources.
    pub positions: Vec<Position>,
    /// Seconds before it are judged.
    pub closed_to: u32,
    /// The last ten minutes before `closed_to` and all after it, ascending, each once.
    pub seconds: Vec<Second>,
    /// Further state by its word.
    pub kept: BTreeMap<String, Vec<u8>>,
    /// Mutes.
    pub mutes: Vec<Mute>,
    /// Unsent letters, ascending.
    pub outbox: Vec<Letter>,
    /// When the state began.
    pub began: Option<Timestamp>,
}

impl Loaded {
    /// The totals since the state began, without slots.
    pub fn totals(&self, plan: &Plan) -> Snapshot {
        let mut all = Snapshot::empty(plan.clone());
        for counted in &self.counted {
            all.merge(counted.snapshot(plan.clone()));
        }
        all.close();
        all
    }
}

/// What is not saved yet.
#[derive(Default)]
struct Waiting {
    positions: BTreeMap<String, Option<Position>>,
    kept: BTreeMap<String, Vec<u8>>,
    letters: BTreeMap<i64, Option<Letter>>,
    seconds: BTreeMap<u32, Row>,
    /// Packed, while nothing can be saved for long.
    minutes: BTreeMap<i64, Vec<u8>>,
    closed_to: u32,
    tells: bool,
    left_out: u64,
}

/// The state, open for writing. Dropping it loses nothing that was committed.
pub struct State {
    connection: Connection,
    names: Names,
    limits_us: Vec<u64>,
    keep_s: i64,
    max_size: u64,
    waiting: Waiting,
    /// The next commit writes the totals whole.
    whole_due: bool,
    base_bytes: usize,
    added_bytes: usize,
    next_addition: i64,
    /// The minute that was last looked after.
    tidied: Option<i64>,
    mutes_seen: Option<i64>,
    /// Held as long as the state is.
    _lock: Option<File>,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("path", &self.connection.path()).finish_non_exhaustive()
    }
}

impl State {
    /// Opens the state for writing, making it where there is none. A damaged one is set aside. Fails with `Fault::State`
    /// if another process writes it, a newer vitalog wrote it, or its folder cannot be written.
    pub fn open(settings: &Settings, now: Timestamp) -> Result<(Self, Loaded, Vec<Told>), Error> {
        Self::open_with(settings, now, file::STEPS)
    }

    fn open_with(settings: &Settings, now: Timestamp, steps: &[&str]) -> Result<(Self, Loaded, Vec<Told>), Error> {
        let Some(path) = &settings.path else {
            let connection = file::in_memory(steps).map_err(|e| fault(Path::new("memory"), e))?;
            let settings = Settings { max_size: settings.max_size.min(IN_MEMORY), ..settings.clone() };
            let (state, loaded) = Self::load(connection, None, &settings).map_err(|e| fault(Path::new("memory"), e))?;
            return Ok((state, loaded, vec![Told::Fresh]));
        };
        let path = &real(path)?;
        let lock = file::lock(path)?;
        let mut told = Vec::new();
        let connection = opened(path, now, steps, &mut told)?;
        let (state, loaded) = Self::load(connection, Some(lock), settings).map_err(|e| fault(path, e))?;
        Ok((state, loaded, told))
    }

    /// Moves a state out of the way, so that a new one begins; says where it lies now, `None` where there was none. Fails
    /// with `Fault::State` where another process writes it.
    pub fn reset(path: &Path, now: Timestamp) -> Result<Option<PathBuf>, Error> {
        let path = &real(path)?;
        if !path.exists() {
            return Ok(None);
        }
        let _lock = file::lock(path)?;
        file::put_away(path, "old", now).map(Some)
    }

    fn load(connection: Connection, lock: Option<File>, settings: &Settings) -> table::Found<(Self, Loaded)> {
        let c = &connection;
        let names = Names::load(c)?;
        let totals = table::range(c, "totals", i64::MIN, i64::MAX)?;
        let bytes = |of: &dyn Fn(i64) -> bool| totals.iter().filter(|t| of(t.0)).map(|t| t.1.len()).sum();
        let (base_bytes, added_bytes) = (bytes(&|n| n == BASE), bytes(&|n| n != BASE));
        let meta: BTreeMap<String, Vec<u8>> = table::words(c, "meta")?.into_iter().collect();
        let closed_to = meta.get("closed_to").and_then(|b| postcard::from_bytes(b).ok()).unwrap_or(0);
        let mut seconds = Vec::new();
        for (second, mut row) in course::seconds(c, 0, i64::from(u32::MAX))? {
            row.fit(&settings.limits_us);
            seconds.push(named(&names, second, row));
        }
        let positions = table::words(c, "positions")?
            .into_iter()
            .map(|(_, plain)| postcard::from_bytes(&plain).map_err(|_| Trouble::Broken("positions")))
            .collect::<table::Found<_>>()?;
        let counted = totals
            .iter()
            .map(|(_, plain)| postcard::from_bytes(plain).map_err(|_| Trouble::Broken("totals")))
            .collect::<table::Found<_>>()?;
        let loaded = Loaded {
            counted,
            positions,
            closed_to,
            seconds,
            kept: meta.iter().filter_map(|(w, b)| Some((w.strip_prefix("kept/")?.to_owned(), b.clone()))).collect(),
            mutes: mutes::all(c)?,
            outbox: table::values(c, "outbox")?.into_iter().map(|(_, letter)| letter).collect(),
            began: meta.get("began").and_then(|b| postcard::from_bytes(b).ok()),
        };
        let next_addition = totals.last().map_or(BASE + 1, |t| t.0 + 1);
        let state = Self {
            names,
            limits_us: settings.limits_us.clone(),
            keep_s: settings.keep_s,
            max_size: settings.max_size,
            waiting: Waiting { closed_to, ..Waiting::default() },
            whole_due: false,
            base_bytes,
            added_bytes,
            next_addition,
            tidied: None,
            mutes_seen: None,
            _lock: lock,
            connection,
        };
        Ok((state, loaded))
    }

    /// Saves everything in one transaction. After an error nothing of it is saved and nothing lost: the next commit saves
    /// it too. To be called at most every second.
    pub fn commit(&mut self, commit: Commit<'_>) -> Result<Saved, Unsaved> {
        let now_s = commit.now.second();
        let Commit { counted, whole, .. } = self.take_in(commit, now_s);
        self.whole_due |= self.added_bytes > self.base_bytes.max(FEW_BYTES);
        let totals = if self.whole_due {
            Some((true, postcard::to_stdvec(&whole()).unwrap_or_default()))
        } else {
            counted.map(|c| (false, postcard::to_stdvec(c).unwrap_or_default()))
        };
        match self.write(totals.as_ref(), now_s) {
            Ok(given_up) => {
                self.names.saved();
                if let Some((is_whole, bytes)) = totals {
                    if is_whole {
                        (self.base_bytes, self.added_bytes, self.next_addition) = (bytes.len(), 0, BASE + 1);
                    } else {
                        self.added_bytes += bytes.len();
                        self.next_addition += 1;
                    }
                }
                self.whole_due = false;
                self.tidied = Some(now_s.div_euclid(60));
                let closed_to = self.waiting.closed_to;
                let done = std::mem::replace(&mut self.waiting, Waiting { closed_to, ..Waiting::default() });
                Ok(Saved { given_up: given_up.map(|minute| Timestamp::from_seconds(minute * 60)), left_out: done.left_out })
            }
            Err(trouble) => {
                self.whole_due = true;
                self.bound_waiting(now_s);
                Err(trouble.into())
            }
        }
    }

    /// Moves a commit's parts to what waits to be saved.
    fn take_in<'a>(&mut self, mut commit: Commit<'a>, now_s: i64) -> Commit<'a> {
        let waiting = &mut self.waiting;
        for mut position in commit.positions.drain(..) {
            position.saved = commit.now;
            waiting.positions.insert(position.source.clone(), Some(position));
        }
        waiting.positions.extend(commit.gone.drain(..).map(|source| (source, None)));
        waiting.kept.extend(commit.kept.drain(..).map(|(word, body)| (word.to_owned(), body)));
        waiting.letters.extend(commit.letters.drain(..).map(|letter| (letter.id, Some(letter))));
        waiting.letters.extend(commit.done.drain(..).map(|id| (id, None)));
        (waiting.closed_to, waiting.tells) = (commit.closed_to, waiting.tells || commit.tells);
        for second in commit.seconds {
            if i64::from(second.second) > now_s + course::AHEAD_S {
                waiting.left_out += 1;
                continue;
            }
            let row = waiting.seconds.entry(second.second).or_default();
            row.limits.clone_from(&self.limits_us);
            for (name, slot) in &second.groups {
                row.put(self.names.number(Name::Group(name.clone())), slot);
            }
            for (desk, lines) in &second.lines {
                row.put_lines(self.names.number(Name::Desk(desk.clone())), lines);
            }
        }
        commit
    }

    /// Writes all that waits, or nothing.
    fn write(&mut self, totals: Option<&(bool, Vec<u8>)>, now_s: i64) -> table::Found<Option<i64>> {
        self.connection.pragma_update(None, "synchronous", if self.waiting.tells { "FULL" } else { "NORMAL" })?;
        let c = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let waiting = &self.waiting;
        self.names.save(&c)?;
        for (source, position) in &waiting.positions {
            match position {
                Some(position) => {
                    table::put_word(&c, "positions", source, &postcard::to_stdvec(position).unwrap_or_default())?;
                }
                None => drop(c.prepare_cached("DELETE FROM positions WHERE word = ?1")?.execute([source])?),
            }
        }
        match totals {
            Some((true, whole)) => {
                table::remove(&c, "totals", i64::MIN, i64::MAX)?;
                table::put(&c, "totals", BASE, whole)?;
            }
            Some((false, more)) => table::put(&c, "totals", self.next_addition, more)?,
            None => {}
        }
        for (word, body) in &waiting.kept {
            table::put_word(&c, "meta", &format!("kept/{word}"), body)?;
        }
        let closed_to = postcard::to_stdvec(&waiting.closed_to).unwrap_or_default();
        table::put_word(&c, "meta", "closed_to", &closed_to)?;
        if self.tidied.is_none() && table::word(&c, "meta", "began")?.is_none() {
            let now = Timestamp::from_seconds(now_s);
            table::put_word(&c, "meta", "began", &postcard::to_stdvec(&now).unwrap_or_default())?;
        }
        for (id, letter) in &waiting.letters {
            match letter {
                Some(letter) => table::put(&c, "outbox", *id, &postcard::to_stdvec(letter).unwrap_or_default())?,
                None => drop(table::remove(&c, "outbox", *id, id + 1)?),
            }
        }
        write_course(&c, waiting, now_s)?;
        let given_up = if self.tidied == Some(now_s.div_euclid(60)) {
            None
        } else {
            course::age(&c, now_s, self.keep_s)?;
            course::shrink(&c, self.max_size, now_s)?
        };
        c.commit()?;
        if self.tidied != Some(now_s.div_euclid(60)) {
            // Saved is saved: pages that could not be given back now are given back the next minute.
            drop(self.give_back());
        }
        Ok(given_up)
    }

    /// Gives free pages back to the system, a few at a time.
    fn give_back(&self) -> rusqlite::Result<()> {
        let free: i64 = self.connection.query_row("PRAGMA freelist_count", [], |r| r.get(0))?;
        if free > 4_096 {
            let mut some = self.connection.prepare("PRAGMA incremental_vacuum(1024)")?;
            let mut rows = some.query([])?;
            while rows.next().is_ok_and(|row| row.is_some()) {}
        }
        Ok(())
    }

    /// Packs what waits for long, and gives up the oldest of it.
    fn bound_waiting(&mut self, now_s: i64) {
        let waiting = &mut self.waiting;
        if waiting.seconds.len() <= WAITING_SECONDS {
            return;
        }
        let from = course::recent_from(waiting.closed_to, now_s);
        let keep = waiting.seconds.split_off(&u32::try_from(from).unwrap_or(0));
        let old = std::mem::replace(&mut waiting.seconds, keep);
        let mut minutes: BTreeMap<i64, Row> = BTreeMap::new();
        for (second, row) in old {
            minutes.entry(i64::from(second) / 60).or_default().add(&row);
        }
        for (minute, row) in minutes {
            let mut all = waiting.minutes.get(&minute).and_then(|b| unpacked(b)).unwrap_or_default();
            all.add(&row);
            waiting.minutes.insert(minute, crate::stats::stored::shrink(&all.encode()));
        }
        while waiting.minutes.len() > WAITING_MINUTES {
            waiting.minutes.pop_first();
            waiting.left_out += 60;
        }
        while waiting.seconds.len() > 2 * WAITING_SECONDS {
            waiting.seconds.pop_first();
            waiting.left_out += 1;
        }
    }

    /// The mutes, if another process has changed the file since the last call; always the first time. Cheap enough for
    /// every second.
    pub fn changed_mutes(&mut self) -> Result<Option<Vec<Mute>>, Unsaved> {
        let version: i64 =
            self.connection.query_row("PRAGMA data_version", [], |r| r.get(0)).map_err(|e| Unsaved::from(Trouble::from(e)))?;
        if self.mutes_seen == Some(version) {
            return Ok(None);
        }
        let mutes = mutes::all(&self.connection)?;
        self.mutes_seen = Some(version);
        Ok(Some(mutes))
    }

    /// A reader of what is saved; for a state in memory this is the only one.
    pub fn range(&self, since: Timestamp, until: Timestamp) -> Result<reader::Range, Unsaved> {
        Ok(reader::range(&self.connection, since, until)?)
    }
}

fn write_course(c: &Connection, waiting: &Waiting, now_s: i64) -> table::Found<()> {
    for (minute, packed) in &waiting.minutes {
        if let Some(row) = unpacked(packed) {
            course::add_minute(c, *minute, row, now_s)?;
        }
    }
    let from = course::recent_from(waiting.closed_to, now_s);
    let mut minutes: BTreeMap<i64, Row> = BTreeMap::new();
    for (second, row) in &waiting.seconds {
        if i64::from(*second) < from {
            minutes.entry(i64::from(*second) / 60).or_default().add(row);
        } else {
            course::add_second(c, *second, &row.encode())?;
        }
    }
    for (minute, row) in minutes {
        course::add_minute(c, minute, row, now_s)?;
    }
    course::fold(c, from, now_s)
}

fn unpacked(packed: &[u8]) -> Option<Row> {
    Row::decode(&crate::stats::stored::grow(packed).ok()?)
}

fn named(names: &Names, second: u32, row: Row) -> Second {
    Second {
        second,
        groups: row
            .groups
            .into_iter()
            .filter_map(|(number, mut slot)| {
                slot.number = second;
                Some((names.group(number)?.clone(), slot))
            })
            .collect(),
        lines: row.lines.into_iter().filter_map(|(number, lines)| Some((names.desk(number)?.clone(), lines))).collect(),
    }
}

/// The file behind links, in its real folder: what is renamed beside it must lie there.
fn real(path: &Path) -> Result<PathBuf, Error> {
    if let Ok(real) = path.canonicalize() {
        return Ok(real);
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let name = path.file_name().ok_or_else(|| fault(path, "it names no file"))?;
    let folder = folder.canonicalize().map_err(|e| fault(path, format_args!("its folder: {e} (make the folder first)")))?;
    Ok(folder.join(name))
}

/// The writer's connection to a whole file of this version.
fn opened(path: &Path, now: Timestamp, steps: &[&str], told: &mut Vec<Told>) -> Result<Connection, Error> {
    let mut damage = None;
    match std::fs::metadata(path) {
        Ok(found) if !found.is_file() => return Err(fault(path, "it is no file")),
        Ok(found) => {
            if !file::is_ours(path).map_err(|e| fault(path, e))? {
                return Err(fault(path, "this is no state of vitalog (name another file with --state)"));
            }
            // SQLite takes what is shorter than its smallest page for a file that is yet to be filled.
            if found.len() < 512 {
                damage = Some(format!("it is {} bytes long", found.len()));
            }
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            let log = path.with_file_name(format!("{}-wal", path.file_name().unwrap_or_default().to_string_lossy()));
            // a reader may leave an empty one
            if std::fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
                damage = Some("only its log was left".to_owned());
            } else {
                file::create(path, steps)?;
                told.push(Told::Fresh);
            }
        }
        Err(e) => return Err(fault(path, e)),
    }
    if damage.is_none() {
        match whole(path, now, steps, told)? {
            Ok(connection) => return Ok(connection),
            Err(why) => damage = Some(why),
        }
    }
    let to = file::set_aside(path, now)?;
    told.push(Told::SetAside { to, why: damage.unwrap_or_default() });
    file::create(path, steps)?;
    file::connect(path).map_err(|e| fault(path, e))
}

/// The connection, or what is damaged.
fn whole(path: &Path, now: Timestamp, steps: &[&str], told: &mut Vec<Told>) -> Result<Result<Connection, String>, Error> {
    let mut connection = match file::connect(path) {
        Ok(connection) => connection,
        Err(e) if file::is_damage(&e) => return Ok(Err(e.to_string())),
        Err(e) => return Err(fault(path, e)),
    };
    match file::look(&connection, steps).map_err(|e| fault(path, e))? {
        Look::Whole => Ok(Ok(connection)),
        Look::Older(from) => {
            let copy = file::migrate(&mut connection, path, steps, from, now)?;
            told.push(Told::Migrated { from, copy });
            Ok(Ok(connection))
        }
        Look::Newer(version) => Err(fault(
            path,
            format_args!(
                "a newer vitalog wrote it (version {version}, this one knows {}): run that one, or name another file with --state",
                steps.len()
            ),
        )),
        Look::Damaged(why) => {
            // The file and its log stay as they were found.
            drop(connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true));
            Ok(Err(why))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEXT: &str = "CREATE TABLE more (number INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;";

    fn commit(state: &mut State, source: &str) {
        let positions = vec![Position { source: source.to_owned(), ..Position::default() }];
        let commit = Commit {
            now: Timestamp(0),
            counted: None,
            whole: &mut Counted::default,
            seconds: &[],
            closed_to: 5,
            positions,
            gone: Vec::new(),
            kept: Vec::new(),
            letters: Vec::new(),
            done: Vec::new(),
            tells: false,
        };
        state.commit(commit).unwrap();
    }

    fn sources(loaded: &Loaded) -> Vec<&str> {
        loaded.positions.iter().map(|p| p.source.as_str()).collect()
    }

    #[test]
    fn an_older_state_is_migrated_and_a_copy_kept_a_newer_one_refused() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings { path: Some(folder.path().join("v.db")), ..Settings::default() };
        let (mut state, ..) = State::open(&settings, Timestamp(0)).unwrap();
        commit(&mut state, "app.log");
        drop(state);
        let newer = [file::STEPS[0], NEXT];
        let (state, loaded, told) = State::open_with(&settings, Timestamp(0), &newer).unwrap();
        let copy = folder.path().canonicalize().unwrap().join("v.db.v1-19700101T000000Z");
        assert_eq!(vec![Told::Migrated { from: 1, copy: copy.clone() }], told);
        assert_eq!(vec!["app.log"], sources(&loaded));
        drop(state);
        let (_, _, told) = State::open_with(&settings, Timestamp(0), &newer).unwrap();
        assert_eq!(Vec::<Told>::new(), told);
        let error = State::open(&settings, Timestamp(0)).unwrap_err();
        assert_eq!(crate::error::Fault::State, error.fault);
        assert!(error.message.contains("a newer vitalog wrote it (version 2, this one knows 1)"), "{error}");
        let (_, loaded, told) = State::open(&Settings { path: Some(copy), ..settings }, Timestamp(0)).unwrap();
        assert_eq!((vec!["app.log"], Vec::new()), (sources(&loaded), told));
    }

    #[test]
    fn a_commit_that_cannot_be_written_is_told_and_the_next_one_saves_it_too() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings { path: Some(folder.path().join("v.db")), ..Settings::default() };
        let (mut state, ..) = State::open(&settings, Timestamp(0)).unwrap();
        commit(&mut state, "one");
        state.connection.pragma_update(None, "query_only", 1).unwrap();
        let failing = |state: &mut State, source: &str| {
            let commit = Commit {
                now: Timestamp(0),
                counted: None,
                whole: &mut Counted::default,
                seconds: &[],
                closed_to: 6,
                positions: vec![Position { source: source.to_owned(), ..Position::default() }],
                gone: vec!["one".to_owned()],
                kept: Vec::new(),
                letters: Vec::new(),
                done: Vec::new(),
                tells: true,
            };
            state.commit(commit)
        };
        assert_eq!(Err(Unsaved::ReadOnly), failing(&mut state, "two"));
        assert_eq!(Err(Unsaved::ReadOnly), failing(&mut state, "three"));
        state.connection.pragma_update(None, "query_only", 0).unwrap();
        commit(&mut state, "four");
        drop(state);
        let (_, loaded, _) = State::open(&settings, Timestamp(0)).unwrap();
        assert_eq!((vec!["four", "three", "two"], 5), (sources(&loaded), loaded.closed_to));
    }
}
