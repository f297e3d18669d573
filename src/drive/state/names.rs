//! Names of groups and desks, each written once and a number from then on.

use std::collections::BTreeMap;

use rusqlite::Connection;
use serde::Deserialize;
use serde::Serialize;

use super::sealed;
use super::sealed::Key;
use crate::stats::stored::course::DeskName;
use crate::stats::stored::course::GroupName;

/// What a number stands for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Name {
    Group(GroupName),
    Desk(DeskName),
}

/// All names, both ways. Numbers are never used again.
#[derive(Debug, Default)]
pub(super) struct Names {
    numbers: BTreeMap<Name, u32>,
    of: BTreeMap<u32, Name>,
    /// Numbers below it are in the file.
    saved: u32,
}

impl Names {
    pub(super) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let mut all = Self::default();
        let mut rows = connection.prepare("SELECT number, body FROM names ORDER BY number")?;
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            let number: u32 = row.get(0)?;
            if let Some(name) = sealed::read::<Name>("names", Key::Number(number.into()), row.get_ref(1)?.as_blob()?) {
                all.numbers.insert(name.clone(), number);
                all.of.insert(number, name);
            }
            all.saved = number + 1;
        }
        Ok(all)
    }

    fn next(&self) -> u32 {
        self.of.last_key_value().map_or(0, |last| last.0 + 1).max(self.saved)
    }

    pub(super) fn number(&mut self, name: Name) -> u32 {
        if let Some(number) = self.numbers.get(&name) {
            return *number;
        }
        let number = self.next();
        self.numbers.insert(name.clone(), number);
        self.of.insert(number, name);
        number
    }

    pub(super) fn group(&self, number: u32) -> Option<&GroupName> {
        match self.of.get(&number)? {
            Name::Group(name) => Some(name),
            Name::Desk(_) => None,
        }
    }

    pub(super) fn desk(&self, number: u32) -> Option<&DeskName> {
        match self.of.get(&number)? {
            Name::Desk(name) => Some(name),
            Name::Group(_) => None,
        }
    }

    /// Writes the names that are not in the file yet. [`Names::saved`] once that is for good.
    pub(super) fn save(&self, connection: &Connection) -> rusqlite::Result<()> {
        let mut insert = connection.prepare_cached("INSERT INTO names VALUES (?1, ?2)")?;
        for (number, name) in self.of.range(self.saved..) {
            insert.execute((number, sealed::write("names", Key::Number((*number).into()), name)))?;
        }
        Ok(())
    }

    pub(super) fn saved(&mut self) {
        self.saved = self.next();
    }
}
