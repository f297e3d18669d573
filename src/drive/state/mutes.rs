//! Mutes in the file of a running `tail`: written by `vitalog mute` in its own short transactions, read by the running one.
//!
//! Whether an alert is muted is judged elsewhere; here a mute is data.

use std::path::Path;

use rusqlite::Connection;
use rusqlite::OpenFlags;
use rusqlite::TransactionBehavior;
use serde::Deserialize;
use serde::Serialize;

use super::file;
use super::file::fault;
use super::table;
use super::table::Found;
use crate::error::Error;
use crate::time::Timestamp;

/// One silence.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mute {
    /// Its number; given by [`Mutes::add`].
    pub id: i64,
    /// Only this service.
    pub service: Option<String>,
    /// Only this rule or promise.
    pub rule: Option<String>,
    /// Only this route, a glob on `METHOD template`.
    pub route: Option<String>,
    /// From when on.
    pub from: Timestamp,
    /// Up to when, excluded.
    pub until: Timestamp,
    /// Why, in the user's words.
    pub reason: Option<String>,
}

/// The mutes of a state that may be in use by another process.
#[derive(Debug)]
pub struct Mutes {
    connection: Connection,
    path: std::path::PathBuf,
}

pub(super) fn all(c: &Connection) -> Found<Vec<Mute>> {
    Ok(table::values(c, "mutes")?.into_iter().map(|(id, mute): (i64, Mute)| Mute { id, ..mute }).collect())
}

impl Mutes {
    /// Opens the mutes of a state that exists. Fails with `Fault::State` where there is none, or one of another version.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let missing = |e: &dyn std::fmt::Display| fault(path, format_args!("{e} (is this the --state of a running tail?)"));
        std::fs::metadata(path).map_err(|e| missing(&e))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_EXRESCODE;
        let connection = Connection::open_with_flags(path, flags).map_err(|e| missing(&e))?;
        file::ready(&connection).map_err(|e| missing(&e))?;
        super::reader::same_version(&connection, path)?;
        Ok(Self { connection, path: path.to_owned() })
    }

    /// All mutes by number, past ones included.
    pub fn list(&self) -> Result<Vec<Mute>, Error> {
        all(&self.connection).map_err(|e| fault(&self.path, e))
    }

    /// Adds one and says its number. Those that ended more than a day before `now` are removed.
    pub fn add(&mut self, mute: &Mute, now: Timestamp) -> Result<i64, Error> {
        let path = self.path.clone();
        self.change(|c| {
            let old = all(c)?;
            let id = old.iter().map(|m| m.id).max().unwrap_or(0) + 1;
            for past in old.iter().filter(|m| m.until.second() < now.second() - 86_400) {
                table::remove(c, "mutes", past.id, past.id + 1)?;
            }
            let mute = Mute { id, ..mute.clone() };
            table::put(c, "mutes", id, &postcard::to_stdvec(&mute).unwrap_or_default())?;
            Ok(id)
        })
        .map_err(|e| fault(&path, e))
    }

    /// Removes one; false if there is none of that number.
    pub fn remove(&mut self, id: i64) -> Result<bool, Error> {
        let path = self.path.clone();
        self.change(|c| Ok(table::remove(c, "mutes", id, id.saturating_add(1))? > 0)).map_err(|e| fault(&path, e))
    }

    fn change<T>(&mut self, change: impl FnOnce(&Connection) -> Found<T>) -> Found<T> {
        let c = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let done = change(&c)?;
        c.commit()?;
        Ok(done)
    }
}
