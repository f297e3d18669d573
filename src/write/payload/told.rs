//! An alert made safe to show, and bounded.
//!
//! What it says is the judge's matter (`verdict::told`).

use crate::time::Timestamp;
use crate::verdict::rule::Severity;
use crate::verdict::told::Alert;
use crate::verdict::told::Evidence;
use crate::verdict::told::Telling;
use crate::write::figures::clean_to;

/// Names, ids and places.
const NAME: usize = 256;
/// Summaries, messages and lines.
const LINE: usize = 512;
/// Commands and addresses.
const COMMAND: usize = 1024;
/// Exceptions in one alert.
const EXCEPTIONS: usize = 10;
/// Lines in one alert.
const LINES: usize = 10;

impl Alert {
    /// The same alert with every text safe to show and bounded, without lines unless `lines`. A command or address
    /// that is too long is left out: half a command is worse than none.
    #[must_use]
    pub fn cleaned(&self, lines: bool) -> Self {
        let mut alert = self.clone();
        for text in [&mut alert.schema, &mut alert.id, &mut alert.fingerprint, &mut alert.rule, &mut alert.signal] {
            sweep(text, NAME);
        }
        for text in [&mut alert.service, &mut alert.instance, &mut alert.route].into_iter().flatten() {
            sweep(text, NAME);
        }
        sweep(&mut alert.summary, LINE);
        for command in [&mut alert.runbook, &mut alert.rollback, &mut alert.purge, &mut alert.mute] {
            *command = command.take().and_then(whole);
        }
        for number in [&mut alert.value, &mut alert.threshold] {
            *number = number.filter(|n| n.is_finite());
        }
        alert.evidence.clean(lines);
        alert
    }
}

impl Evidence {
    fn clean(&mut self, lines: bool) {
        for share in [&mut self.error_rate, &mut self.budget_left] {
            *share = share.filter(|n| n.is_finite());
        }
        self.exceptions.truncate(EXCEPTIONS);
        for raised in &mut self.exceptions {
            sweep(&mut raised.kind, NAME);
            if let Some(message) = &mut raised.message {
                sweep(message, LINE);
            }
            if let Some(place) = &mut raised.place {
                sweep(place, NAME);
            }
            raised.routes.truncate(EXCEPTIONS);
            raised.routes.iter_mut().for_each(|route| sweep(route, NAME));
        }
        self.lines.truncate(if lines { LINES } else { 0 });
        for line in &mut self.lines {
            sweep(line, LINE);
        }
        if let Some(deploy) = &mut self.deploy {
            sweep(&mut deploy.source, NAME);
            if let Some(label) = &mut deploy.label {
                sweep(label, NAME);
            }
        }
    }
}

impl Telling {
    /// The same with [`Alert::cleaned`].
    #[must_use]
    pub fn cleaned(&self, lines: bool) -> Self {
        Self { alert: self.alert.cleaned(lines), ..*self }
    }

    /// A firing alert that says it is a test, at `now`.
    pub fn test(now: Timestamp) -> Self {
        let mut alert = Alert::new(format!("test-{}", now.second()), "test", Severity::Info);
        "vitalog-test".clone_into(&mut alert.fingerprint);
        "test".clone_into(&mut alert.signal);
        (alert.started_at, alert.fired_at) = (Some(now), Some(now));
        "TEST vitalog: this sink works; nothing is wrong".clone_into(&mut alert.summary);
        alert.into()
    }
}

fn sweep(text: &mut String, most: usize) {
    let clean = clean_to(&*text, most);
    if clean.as_str() != text {
        clean.as_str().clone_into(text);
    }
}

fn whole(command: String) -> Option<String> {
    if command.len() > COMMAND {
        return None;
    }
    let clean = clean_to(&command, COMMAND);
    (clean.as_str() == command).then_some(command)
}
