//! Rows of the numbered tables, sealed on the way in and checked on the way out.

use rusqlite::Connection;

use super::row::Row;
use super::sealed;
use super::sealed::Key;

/// Why rows could not be read.
#[derive(Debug)]
pub(super) enum Trouble {
    Sql(rusqlite::Error),
    /// A seal is broken.
    Broken(&'static str),
}

impl From<rusqlite::Error> for Trouble {
    fn from(e: rusqlite::Error) -> Self {
        Self::Sql(e)
    }
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sql(e) => e.fmt(f),
            Self::Broken(table) => write!(f, "a row of '{table}' is not as it was written"),
        }
    }
}

pub(super) type Found<T> = Result<T, Trouble>;

/// The plain bodies of the rows from `first` to before `end`, ascending.
pub(super) fn range(c: &Connection, table: &'static str, first: i64, end: i64) -> Found<Vec<(i64, Vec<u8>)>> {
    let mut all =
        c.prepare_cached(&format!("SELECT number, body FROM {table} WHERE number >= ?1 AND number < ?2 ORDER BY number"))?;
    let mut rows = all.query((first, end))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let number = row.get(0)?;
        let body = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        let plain = sealed::unseal(table, Key::Number(number), body).ok_or(Trouble::Broken(table))?;
        found.push((number, plain));
    }
    Ok(found)
}

/// The same, as rows of the course of time.
pub(super) fn rows(c: &Connection, table: &'static str, first: i64, end: i64) -> Found<Vec<(i64, Row)>> {
    range(c, table, first, end)?
        .into_iter()
        .map(|(number, plain)| Ok((number, Row::decode(&plain).ok_or(Trouble::Broken(table))?)))
        .collect()
}

/// The same for all rows, as values.
pub(super) fn values<T: serde::de::DeserializeOwned>(c: &Connection, table: &'static str) -> Found<Vec<(i64, T)>> {
    range(c, table, i64::MIN, i64::MAX)?
        .into_iter()
        .map(|(number, plain)| Ok((number, postcard::from_bytes(&plain).map_err(|_| Trouble::Broken(table))?)))
        .collect()
}

/// Puts a row in place of whatever was there.
pub(super) fn put(c: &Connection, table: &'static str, number: i64, plain: &[u8]) -> rusqlite::Result<()> {
    let body = sealed::seal(table, Key::Number(number), plain);
    c.prepare_cached(&format!("INSERT OR REPLACE INTO {table} VALUES (?1, ?2)"))?.execute((number, body))?;
    Ok(())
}

/// Removes rows from `first` to before `end`; says how many.
pub(super) fn remove(c: &Connection, table: &'static str, first: i64, end: i64) -> rusqlite::Result<usize> {
    c.prepare_cached(&format!("DELETE FROM {table} WHERE number >= ?1 AND number < ?2"))?.execute((first, end))
}

/// Adds to a row of the course of time.
pub(super) fn add(c: &Connection, table: &'static str, number: i64, more: Row) -> Found<()> {
    if more.is_empty() {
        return Ok(());
    }
    let row = match rows(c, table, number, number + 1)?.pop() {
        Some((_, mut there)) => {
            there.add(&more);
            there
        }
        None => more,
    };
    put(c, table, number, &row.encode())?;
    Ok(())
}

/// The smallest number of a table.
pub(super) fn first(c: &Connection, table: &'static str) -> rusqlite::Result<Option<i64>> {
    c.query_row(&format!("SELECT min(number) FROM {table}"), [], |r| r.get(0))
}

/// The plain body of a word's row.
pub(super) fn word(c: &Connection, table: &'static str, word: &str) -> Found<Option<Vec<u8>>> {
    let mut find = c.prepare_cached(&format!("SELECT body FROM {table} WHERE word = ?1"))?;
    let mut rows = find.query([word])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let body = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
    sealed::unseal(table, Key::Word(word), body).map(Some).ok_or(Trouble::Broken(table))
}

/// All rows of a table of words, in their order.
pub(super) fn words(c: &Connection, table: &'static str) -> Found<Vec<(String, Vec<u8>)>> {
    let mut all = c.prepare_cached(&format!("SELECT word, body FROM {table} ORDER BY word"))?;
    let mut rows = all.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let word: String = row.get(0)?;
        let body = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        let plain = sealed::unseal(table, Key::Word(&word), body).ok_or(Trouble::Broken(table))?;
        found.push((word, plain));
    }
    Ok(found)
}

/// Puts a word's row in place of whatever was there.
pub(super) fn put_word(c: &Connection, table: &'static str, word: &str, plain: &[u8]) -> rusqlite::Result<()> {
    let body = sealed::seal(table, Key::Word(word), plain);
    c.prepare_cached(&format!("INSERT OR REPLACE INTO {table} VALUES (?1, ?2)"))?.execute((word, body))?;
    Ok(())
}
