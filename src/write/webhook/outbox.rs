//! What waits to be sent: bounded, in order for each fingerprint, the same message under the same id however often it
//! is sent.
//!
//! Kept in memory and mirrored to wherever it shall survive: [`Outbox::changes`] gives what is to be stored in the same
//! transaction as the verdicts that caused it, [`Outbox::load`] takes it back. Knows no clock and no network: who sends
//! is `courier`. Only committed entries may be sent: store the changes before the next step of the courier.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashSet;

use serde::Deserialize;
use serde::Serialize;
use sha2::Digest;
use sha2::Sha256;

use crate::time::HOUR;
use crate::time::SECOND;
use crate::time::Timestamp;
use crate::write::payload::BYTES;
use crate::write::payload::Batch;
use crate::write::payload::State;
use crate::write::payload::Telling;
use crate::write::retry::RETRY_AFTER_MOST_S;

/// The most alerts that wait for one sink.
pub const WAITING: usize = 1000;
/// How long an alert waits before it is given up, in microseconds.
pub const AGE: i64 = 24 * HOUR;
/// A message that was refused so often lets others go before it: it may be the message that is at fault, not the sink.
const STUBBORN: u32 = 10;
/// Alerts as JSON in one message: any form of them is at most twice as long.
const ROOM: usize = BYTES / 2;

/// One message for one sink.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The message's id, a function of what it says and when it was put here.
    pub id: String,
    /// [`crate::write::webhook::Sink::key`] of the sink it is for.
    pub sink: String,
    /// Messages of one outbox are numbered in the order of their coming; it is stored under this number.
    pub number: i64,
    /// When it was put here.
    pub queued_at: Timestamp,
    /// What it says, cleaned; never empty.
    pub tellings: Vec<Telling>,
    /// How many alerts for this sink were lost since the message before.
    pub truncated: u64,
    /// How often it was taken to be sent.
    pub tries: u32,
    /// How often a receiver answered that it did not take it.
    pub refusals: u32,
    /// It is not sent again before this.
    pub not_before: Timestamp,
}

impl Entry {
    /// For `payload::body`.
    pub fn batch(&self) -> Batch<'_> {
        Batch { tellings: &self.tellings, truncated: self.truncated, queued_at: self.queued_at }
    }

    /// The bytes to store; no secret is among them.
    pub fn store(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// What [`Entry::store`] wrote; `None` where it is no entry.
    pub fn load(stored: &[u8]) -> Option<Self> {
        serde_json::from_slice(stored).ok()
    }

    /// Its own time and what it says, made a name.
    fn name(&mut self) {
        let mut hash = Sha256::new();
        hash.update(self.sink.as_bytes());
        hash.update(self.queued_at.0.to_be_bytes());
        for telling in &self.tellings {
            hash.update([0, u8::from(telling.alert.state == State::Resolved)]);
            hash.update(telling.alert.id.as_bytes());
        }
        hash.update(self.truncated.to_be_bytes());
        let digest = hash.finalize();
        self.id = digest.iter().take(16).fold("msg_".to_owned(), |id, byte| format!("{id}{byte:02x}"));
    }
}

/// What is to be stored.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// This entry is new or changed.
    Put(Entry),
    /// The entry of this number is no more.
    Remove(i64),
}

/// What waits to be sent.
#[derive(Debug, Clone, Default)]
pub struct Outbox {
    /// In the order of their numbers.
    entries: Vec<Entry>,
    next_number: i64,
    changed: BTreeSet<i64>,
    /// Lost since the last message, by sink.
    lost: BTreeMap<String, u64>,
    lost_in_all: u64,
    merged: u64,
}

/// Whether a time has come. One that is further off than any wait comes from a clock that was set back.
fn due(at: Timestamp, now: Timestamp) -> bool {
    at <= now || at.0 - now.0 > (RETRY_AFTER_MOST_S + 1) * SECOND
}

impl Outbox {
    /// What was stored.
    pub fn load(entries: impl IntoIterator<Item = Entry>) -> Self {
        let mut entries: Vec<Entry> = entries.into_iter().filter(|entry| !entry.tellings.is_empty()).collect();
        entries.sort_by_key(|entry| entry.number);
        let next_number = entries.last().map_or(0, |entry| entry.number + 1);
        Self { entries, next_number, ..Self::default() }
    }

    /// What is to be stored since the last call, in the order of numbers.
    pub fn changes(&mut self) -> Vec<Change> {
        let changed = std::mem::take(&mut self.changed);
        let find = |number: i64| match self.entries.iter().find(|entry| entry.number == number) {
            Some(entry) => Change::Put(entry.clone()),
            None => Change::Remove(number),
        };
        changed.into_iter().map(find).collect()
    }

    /// Puts `tellings` (cleaned) in for `sink`, at most `most` in one message. A firing alert that still waits gives
    /// way to its own end; a reminder of one that still waits is not needed. Beyond [`WAITING`] the oldest resolved
    /// ones are lost first, then the oldest.
    pub fn push(&mut self, sink: &str, most: usize, tellings: impl IntoIterator<Item = Telling>, now: Timestamp) {
        self.expire(now);
        let mut fresh: Vec<Telling> = Vec::new();
        for telling in tellings {
            match telling.alert.state {
                State::Resolved => {
                    let before = fresh.len();
                    fresh.retain(|other| other.alert.id != telling.alert.id);
                    self.merged += (before - fresh.len()) as u64;
                    self.merge(sink, &telling.alert.id);
                }
                State::Firing if self.waits(sink, &telling.alert.id) => continue,
                State::Firing => {}
            }
            fresh.push(telling);
        }
        let room = WAITING.saturating_sub(self.make_room(sink, fresh.len()));
        let beyond = fresh.len().saturating_sub(room);
        self.lose(sink, beyond as u64);
        fresh.truncate(room);
        let mut groups = grouped(fresh, most.max(1));
        let last = groups.pop();
        for tellings in groups {
            self.add(sink, tellings, 0, now);
        }
        if let Some(tellings) = last {
            let truncated = self.lost.remove(sink).unwrap_or(0);
            self.add(sink, tellings, truncated, now);
        }
    }

    fn add(&mut self, sink: &str, tellings: Vec<Telling>, truncated: u64, now: Timestamp) {
        let mut entry = Entry {
            id: String::new(),
            sink: sink.to_owned(),
            number: self.next_number,
            queued_at: now,
            tellings,
            truncated,
            tries: 0,
            refusals: 0,
            not_before: now,
        };
        self.next_number += 1;
        entry.name();
        self.changed.insert(entry.number);
        self.entries.push(entry);
    }

    /// The message of `sink` that is to be sent now, marked as tried. Never one while an earlier one waits that speaks
    /// of the same fingerprint.
    pub fn due(&mut self, sink: &str, now: Timestamp) -> Option<Entry> {
        self.expire(now);
        let first = self.free(sink).filter(|(_, entry)| due(entry.not_before, now));
        let (at, _) = first.min_by_key(|(_, entry)| (entry.refusals >= STUBBORN, entry.number))?;
        let entry = self.entries.get_mut(at)?;
        entry.tries = entry.tries.saturating_add(1);
        self.changed.insert(entry.number);
        Some(entry.clone())
    }

    /// When the next message of `sink` may be sent; `None` where nothing waits.
    pub fn next(&self, sink: &str) -> Option<Timestamp> {
        self.free(sink).map(|(_, entry)| entry.not_before).min()
    }

    /// Messages of `sink` that wait for no other.
    fn free<'a>(&'a self, sink: &'a str) -> impl Iterator<Item = (usize, &'a Entry)> {
        let mut seen = HashSet::new();
        self.entries.iter().enumerate().filter(move |(_, entry)| entry.sink == sink).filter(move |(_, entry)| {
            let mut blocked = false;
            for telling in &entry.tellings {
                blocked |= seen.contains(telling.alert.fingerprint.as_str());
            }
            seen.extend(entry.tellings.iter().map(|telling| telling.alert.fingerprint.as_str()));
            !blocked
        })
    }

    /// The message has arrived.
    pub fn delivered(&mut self, id: &str) {
        self.remove(|entry| entry.id == id);
    }

    /// The message has not arrived and is to be sent again, not before `not_before`; `refused` where the receiver
    /// said so itself.
    pub fn failed(&mut self, id: &str, not_before: Timestamp, refused: bool) {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.id == id) {
            entry.not_before = not_before;
            entry.refusals = entry.refusals.saturating_add(u32::from(refused));
            self.changed.insert(entry.number);
        }
    }

    /// The message is given up: how many alerts are lost with it.
    pub fn given_up(&mut self, id: &str) -> usize {
        let Some(entry) = self.entries.iter().find(|entry| entry.id == id) else { return 0 };
        let alerts = entry.tellings.len();
        self.remove(|entry| entry.id == id);
        alerts
    }

    /// How many alerts wait for `sink`.
    pub fn waiting(&self, sink: &str) -> usize {
        self.entries.iter().filter(|entry| entry.sink == sink).map(|entry| entry.tellings.len()).sum()
    }

    /// Every message that waits, in order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// How many alerts were lost since the start because they were too many or too old.
    pub fn lost(&self) -> u64 {
        self.lost_in_all
    }

    /// How many firing alerts gave way to their own end before they were sent.
    pub fn merged(&self) -> u64 {
        self.merged
    }

    fn waits(&self, sink: &str, alert: &str) -> bool {
        let mut waiting = self.entries.iter().filter(|entry| entry.sink == sink).flat_map(|entry| &entry.tellings);
        waiting.any(|telling| telling.alert.id == alert && telling.alert.state == State::Firing)
    }

    /// Takes the firing alert out that its own end supersedes. A message of several that was tried may have arrived
    /// as it is, and stays so.
    fn merge(&mut self, sink: &str, alert: &str) {
        let superseded = |telling: &Telling| telling.alert.id == alert && telling.alert.state == State::Firing;
        let free = |entry: &Entry| entry.sink == sink && (entry.tries == 0 || entry.tellings.len() == 1);
        let found = self.entries.iter().position(|entry| free(entry) && entry.tellings.iter().any(superseded));
        if let Some(at) = found {
            self.merged += 1;
            self.take(at, superseded);
        }
    }

    /// Takes alerts out of an entry, and the entry with its last one.
    fn take(&mut self, at: usize, unwanted: impl Fn(&Telling) -> bool) {
        let Some(entry) = self.entries.get_mut(at) else { return };
        self.changed.insert(entry.number);
        entry.tellings.retain(|telling| !unwanted(telling));
        if entry.tellings.is_empty() {
            if entry.truncated > 0 {
                *self.lost.entry(entry.sink.clone()).or_default() += entry.truncated;
            }
            self.entries.remove(at);
        } else {
            entry.name();
        }
    }

    /// Loses what is too much once `more` alerts come; how many are left.
    fn make_room(&mut self, sink: &str, more: usize) -> usize {
        let allowed = WAITING.saturating_sub(more.min(WAITING));
        for resolved_only in [true, false] {
            while self.waiting(sink) > allowed {
                let wanted = |telling: &Telling| !resolved_only || telling.alert.state == State::Resolved;
                let mut entries = self.entries.iter().enumerate().filter(|(_, entry)| entry.sink == sink);
                let untried = entries.find(|(_, entry)| entry.tries == 0 && entry.tellings.iter().any(wanted));
                let found = untried.map(|(at, entry)| (at, entry.tellings.iter().find(|telling| wanted(telling))));
                let Some((at, Some(oldest))) = found else { break };
                let (id, state) = (oldest.alert.id.clone(), oldest.alert.state);
                self.take(at, |telling| telling.alert.id == id && telling.alert.state == state);
                self.lose(sink, 1);
            }
        }
        while self.waiting(sink) > allowed {
            let Some(at) = self.entries.iter().position(|entry| entry.sink == sink) else { break };
            let entry = self.entries.remove(at);
            self.changed.insert(entry.number);
            self.lose(sink, entry.tellings.len() as u64 + entry.truncated);
        }
        self.waiting(sink)
    }

    fn lose(&mut self, sink: &str, alerts: u64) {
        if alerts > 0 {
            *self.lost.entry(sink.to_owned()).or_default() += alerts;
            self.lost_in_all += alerts;
        }
    }

    /// Gives up what is older than [`AGE`].
    fn expire(&mut self, now: Timestamp) {
        let old = |entry: &Entry| now.0.saturating_sub(entry.queued_at.0) > AGE;
        let lost: Vec<(String, u64)> = self
            .entries
            .iter()
            .filter(|entry| old(entry))
            .map(|entry| (entry.sink.clone(), entry.tellings.len() as u64))
            .collect();
        if !lost.is_empty() {
            self.remove(old);
        }
        for (sink, alerts) in lost {
            self.lose(&sink, alerts);
        }
    }

    fn remove(&mut self, gone: impl Fn(&Entry) -> bool) {
        let changed = &mut self.changed;
        self.entries.retain(|entry| {
            let stays = !gone(entry);
            if !stays {
                changed.insert(entry.number);
            }
            stays
        });
    }
}

/// In groups of at most `most` and at most [`ROOM`] bytes of JSON, one fingerprint at most once in a group.
fn grouped(tellings: Vec<Telling>, most: usize) -> Vec<Vec<Telling>> {
    let mut groups: Vec<Vec<Telling>> = Vec::new();
    let mut size = 0;
    for telling in tellings {
        let more = serde_json::to_vec(&telling.alert).map_or(ROOM, |json| json.len());
        let same = |other: &Telling| other.alert.fingerprint == telling.alert.fingerprint;
        match groups.last_mut() {
            Some(group) if group.len() < most && size + more <= ROOM && !group.iter().any(same) => {
                group.push(telling);
                size += more;
            }
            _ => {
                groups.push(vec![telling]);
                size = more;
            }
        }
    }
    groups
}

#[cfg(test)]
#[path = "outbox_tests.rs"]
mod tests;
