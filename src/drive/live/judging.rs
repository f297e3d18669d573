//! What a live run tells, and to whom: the outbox and the state's letters, mutes, an alert on standard output.
//!
//! Judging is `drive::judge`'s, sending `write::webhook`'s.

use crate::drive::state::Letter;
use crate::error::Error;
use crate::error::Fault;
use crate::verdict::rule::Mute;
use crate::write::webhook::Change;
use crate::write::webhook::Courier;
use crate::write::webhook::Entry;
use crate::write::webhook::Outbox;
use crate::write::webhook::Sink;

/// Threads for all sinks.
pub(super) fn courier(sinks: &[Sink], wake: impl Fn() + Send + Sync + 'static) -> Result<Courier, Error> {
    let seed = u64::from(std::process::id());
    Courier::start(sinks.to_vec(), seed, wake).map_err(|why| Error::new(Fault::Output, why))
}

/// The messages that waited when the last run ended.
pub(super) fn outbox(letters: &[Letter]) -> Outbox {
    Outbox::load(letters.iter().filter_map(|letter| Entry::load(&letter.body)))
}

/// What is to be saved of the outbox, and which numbers are done with. Letters are numbered from 1.
pub(super) fn changes(outbox: &mut Outbox) -> (Vec<Letter>, Vec<i64>) {
    let (mut letters, mut done) = (Vec::new(), Vec::new());
    for change in outbox.changes() {
        match change {
            Change::Remove(number) => done.push(number),
            Change::Put(entry) => letters.push(Letter {
                id: entry.number,
                sink: entry.sink.clone(),
                fingerprint: entry.tellings.first().map(|t| t.alert.fingerprint.clone()).unwrap_or_default(),
                body: entry.store(),
                next_attempt: entry.not_before,
                attempts: entry.tries,
            }),
        }
    }
    (letters, done)
}

/// A mute of the state as the engine takes it; one whose pattern cannot be read mutes nothing.
pub(super) fn mute(saved: &crate::drive::state::mutes::Mute) -> Option<Mute> {
    let route = saved.route.as_deref().map(crate::route::glob::RouteGlob::new).transpose().ok()?;
    Some(Mute {
        service: saved.service.clone(),
        rule: saved.rule.clone(),
        route,
        from: Some(saved.from),
        until: Some(saved.until),
        reason: saved.reason.clone(),
    })
}
