//! One turn of the loop: what was read since the last one is gathered, judged, saved, and then told.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::SystemTime;

use super::HOLD_BACK_US;
use super::Heard;
use super::Live;
use super::Options;
use super::QUIET_US;
use super::Setup;
use super::clocks;
use super::fresh;
use super::judging;
use super::log::Log;
use super::published::Answer;
use super::published::Question;
use super::system;
use crate::drive::clock;
use crate::drive::deploys;
use crate::drive::deploys::Deploys;
use crate::drive::judge::Judge;
use crate::drive::judge::Told;
use crate::drive::pipeline;
use crate::drive::state::Commit;
use crate::drive::state::Loaded;
use crate::drive::state::Position;
use crate::drive::state::Unsaved;
use crate::stats::failures::FailureKey;
use crate::stats::snapshot::Snapshot;
use crate::stats::steps::Example;
use crate::stats::steps::Raise;
use crate::stats::steps::Step;
use crate::stats::stored::Counted;
use crate::stats::stored::course::Second;
use crate::stats::summary::Asked;
use crate::stats::summary::Summary;
use crate::stats::summary::sum_up;
use crate::time::MINUTE;
use crate::time::SECOND;
use crate::time::Timestamp;
use crate::verdict::alert::fingerprint;
use crate::verdict::finding::found_in;
use crate::verdict::health;
use crate::verdict::rule::Severity;
use crate::verdict::told::Alert;
use crate::verdict::told::Telling;
use crate::write::Report;
use crate::write::alert;
use crate::write::figures::counted as in_words;
use crate::write::prometheus;
use crate::write::prometheus::series::Series;
use crate::write::pulse;
use crate::write::pulse::Pulse;
use crate::write::serve::Published;
use crate::write::serve::Ready;

/// What was judged is saved at least so often, in seconds of event time: the seconds since can be judged again.
const JUDGE_EVERY_S: u32 = 60;
/// A commit is made at least so often, in microseconds: it also ages the state.
const COMMIT_US: i64 = 60 * SECOND;
/// On a terminal the first summary comes after so many seconds.
const FIRST_S: u64 = 10;
/// Idle summaries are joined for so long where nobody watches, in seconds.
const IDLE_S: u64 = 3_600;
/// Positions of logs that are not followed any more are kept for so long, in microseconds.
const FORGET_US: i64 = 86_400 * SECOND;
/// What the server shows is made anew at most so often, in microseconds.
const PUBLISH_US: i64 = SECOND;
/// Kinds of exceptions that are remembered as seen.
const SEEN: usize = 10_000;

/// A second that is not over: what it was given so far.
#[derive(Debug, Default)]
struct Open {
    second: Second,
    raised: Vec<Raise>,
    examples: Vec<Example>,
}

/// What goes on from one turn to the next.
pub(super) struct Turn {
    pub(super) judge: Judge,
    /// Seconds that are not over.
    pending: BTreeMap<u32, Open>,
    pub(super) closed_to: u32,
    judge_saved: u32,
    /// What the last run left, by source, until its log is found.
    positions: BTreeMap<String, Position>,
    kept: BTreeMap<String, Vec<u8>>,
    committed_at: i64,
    unsaved_since: Option<i64>,
    /// Texts that may be said once what they tell of is saved.
    withheld: Vec<String>,
    /// Anything at all has happened since the last commit.
    dirty: bool,
    next_summary: i64,
    interval_began: i64,
    idle_since: Option<i64>,
    seen: BTreeSet<FailureKey>,
    pub(super) deploys: Deploys,
    /// Length and time of change of the file of deploys when it was read last.
    deploys_read: Option<(u64, SystemTime)>,
    series: Series,
    series_changed: bool,
    published_at: i64,
    reload_failed: bool,
    /// What was wrong with the state, until that is told.
    damage: Option<String>,
    last_event: Vec<u8>,
    gone: Vec<String>,
}

impl Turn {
    pub(super) fn new(setup: &Setup, options: &Options, loaded: &Loaded, now: Timestamp) -> Self {
        let steady = clock::steady();
        let mut judge = Judge::new(&setup.judging);
        if let Some(saved) = loaded.kept.get("engine") {
            // Of another version, or damaged: judging begins anew, which the state's own check has told.
            let _begins_anew_where_it_cannot = judge.load(saved);
        }
        let series = loaded.kept.get("series").and_then(|b| postcard::from_bytes(b).ok()).unwrap_or_default();
        let mut all = loaded.totals(&setup.plan);
        let mut turn = Self {
            closed_to: loaded.closed_to,
            judge_saved: judge.now(),
            judge,
            pending: BTreeMap::new(),
            positions: BTreeMap::new(),
            kept: BTreeMap::new(),
            committed_at: steady,
            unsaved_since: None,
            withheld: Vec::new(),
            dirty: true,
            next_summary: steady + first_summary_us(setup, options),
            interval_began: steady,
            idle_since: None,
            seen: all.failures().kinds().map(|(key, _)| key.clone()).collect(),
            deploys: Deploys::load(loaded.kept.get("deploys")),
            deploys_read: None,
            series,
            series_changed: false,
            published_at: -PUBLISH_US,
            reload_failed: false,
            damage: None,
            last_event: Vec::new(),
            gone: Vec::new(),
        };
        let old = |p: &&Position| now.micros() - p.saved.micros() > FORGET_US && !options.paths.contains(&p.source);
        turn.gone = loaded.positions.iter().filter(old).map(|p| p.source.clone()).collect();
        for second in &loaded.seconds {
            if second.second >= loaded.closed_to {
                turn.pending.insert(second.second, Open { second: second.clone(), ..Open::default() });
            } else if second.second >= turn.judge_saved {
                // judged before, and told: only the engine has to see it again
                let step = second.step(&mut all);
                drop(turn.judge.step(&step, &all));
                turn.deploys.see(&step, &all);
            }
        }
        drop(turn.judge.advance(loaded.closed_to));
        for mark in turn.deploys.marks() {
            let (service, mark) = deploys::shown(mark);
            turn.judge.deployed(service.as_deref(), mark);
        }
        turn
    }

    /// A state that was damaged is a ticket.
    pub(super) fn damaged(&mut self, text: String) {
        self.damage = Some(text);
    }

    pub(super) fn reload_failed(&mut self) {
        self.reload_failed = true;
    }

    pub(super) fn remember(&mut self, positions: BTreeMap<String, Position>, kept: BTreeMap<String, Vec<u8>>) {
        (self.positions, self.kept) = (positions, kept);
    }

    /// Goes on with a log where the last run left it.
    pub(super) fn resume(&mut self, log: &mut Log, settings: &pipeline::Settings, steady: i64) {
        if let Some(position) = self.positions.remove(&log.name) {
            log.resume(&position, steady);
        }
        if let Some(sample) = self.kept.remove(&Log::form_word(&log.name)) {
            log.resume_form(&sample, settings, clock::now());
        }
    }

    /// Another configuration holds: rules that are unchanged go on where they are.
    pub(super) fn exchange(&mut self, setup: &Setup) {
        let state = self.judge.store();
        self.judge = Judge::new(&setup.judging);
        let _begins_anew_where_it_cannot = self.judge.load(&state);
        for mark in self.deploys.marks() {
            let (service, mark) = deploys::shown(mark);
            self.judge.deployed(service.as_deref(), mark);
        }
        self.deploys.given_anew();
        self.reload_failed = false;
        self.dirty = true;
        self.judge_saved = 0;
        let every = i64::try_from(setup.every_s).unwrap_or(60) * SECOND;
        self.next_summary = self.next_summary.min(clock::steady().saturating_add(every));
    }
}

/// From where a log is read, in words.
pub(super) fn reads_from(log: &Log, options: &Options) -> &'static str {
    if log.is_resumed() {
        "goes on where the last run stopped"
    } else if log.name == "-" {
        "from the pipe"
    } else if log.name.starts_with("journal:") {
        if options.from_start { "from its first entry" } else { "new entries" }
    } else if options.from_start {
        "from its start"
    } else {
        "from its end"
    }
}

fn first_summary_us(setup: &Setup, options: &Options) -> i64 {
    let first = if options.terminal { FIRST_S.min(setup.every_s) } else { setup.every_s };
    i64::try_from(first).unwrap_or(60) * SECOND
}

impl Live<'_> {
    /// Looks at everything, then gathers, judges, saves and tells.
    pub(super) fn tick(&mut self) {
        if let Some(following) = &mut self.following {
            let found = following.scan();
            if found > 0 {
                self.new_logs();
            }
            self.rewatch();
        }
        self.run_journals();
        for at in 0..self.streams.len() {
            if !self.streams[at].waiting.is_empty() {
                self.drain(at);
            }
        }
        self.look();
        self.settle_quiet();
        self.commit(false);
        system::alive();
        if let Some(server) = &self.server {
            server.beat();
        }
    }

    /// Lines that wait for others which do not come.
    fn settle_quiet(&mut self) {
        let (steady, now) = (clock::steady(), clock::now());
        for log in &mut self.logs {
            if log.read_at.is_some_and(|at| steady - at >= QUIET_US) && log.waits() {
                log.settle(&self.setup.reading, now, false, &mut self.since);
                log.read_at = None;
            }
        }
    }

    /// The last turn: what is there is read, and where every stream has ended all seconds are over.
    pub(super) fn last_turn(&mut self, ended: bool) {
        self.look();
        if ended {
            let (now, reading) = (clock::now(), Arc::clone(&self.setup.reading));
            for log in &mut self.logs {
                if log.waits() {
                    log.settle(&reading, now, true, &mut self.since);
                }
            }
        }
        self.turn.next_summary = i64::MIN;
        self.turn.idle_since = None;
        self.commit(ended);
        if ended {
            for telling in self.turn.judge.firing() {
                self.say(&format!("still firing at the end: {}", alert::headline(&telling.cleaned(false))));
            }
        }
    }

    /// Gathers what was counted since the last turn.
    fn gather(&mut self) -> (Option<Counted>, Vec<Second>) {
        for log in &mut self.logs {
            log.park();
        }
        let steps = self.since.take_steps(u32::MAX);
        let seconds: Vec<Second> = steps.iter().map(|step| Second::of(step, &self.since)).collect();
        for step in steps {
            if step.second >= self.turn.closed_to {
                let open = self.turn.pending.entry(step.second).or_default();
                open.second.second = step.second;
                open.raised.extend(step.raised);
                open.examples.extend(step.examples);
            }
        }
        if self.since.intake().bytes == 0 && seconds.is_empty() && self.since.intake().lost_bytes == 0 {
            return (None, seconds);
        }
        let counted = Counted::of(&mut self.since).without_slots();
        self.all.merge(counted.snapshot(self.setup.plan.clone()));
        self.interval.merge(counted.snapshot(self.setup.plan.clone()));
        self.since = fresh(&self.setup.plan);
        self.turn.dirty = true;
        (Some(counted), seconds)
    }

    /// Closes the seconds that are over, and gives what changed.
    fn judge(&mut self, seconds: &[Second], all_over: bool) -> Vec<Told> {
        let turn = &mut self.turn;
        // one that comes after it was closed is in totals and slots, in no window
        for second in seconds.iter().filter(|second| second.second >= turn.closed_to) {
            let open = &mut turn.pending.entry(second.second).or_default().second;
            open.second = second.second;
            open.groups.extend(second.groups.iter().cloned());
            open.lines.extend(second.lines.iter().cloned());
        }
        let over = if all_over {
            turn.pending.last_key_value().map(|(second, _)| second + 1)
        } else {
            let hands: Vec<clocks::Hand> = self.hands().into_iter().flatten().collect();
            clocks::over(&hands, clock::steady(), clock::now(), self.setup.reading.lateness_us)
        };
        let turn = &mut self.turn;
        let to = over.unwrap_or(0).max(turn.closed_to);
        let later = turn.pending.split_off(&to);
        let mut told = Vec::new();
        for (_, open) in std::mem::replace(&mut turn.pending, later) {
            let step = Step { raised: open.raised, examples: open.examples, ..open.second.step(&mut self.all) };
            turn.deploys.see(&step, &self.all);
            for mark in turn.deploys.settle(&self.setup.asked.deploys, self.all.doings().turns()) {
                let (service, mark) = deploys::shown(&mark);
                turn.judge.deployed(service.as_deref(), mark);
            }
            told.extend(turn.judge.step(&step, &self.all));
        }
        for (service, method, path) in self.all.take_folds() {
            told.extend(turn.judge.renamed(service.as_deref(), &method, &path));
        }
        if to > turn.closed_to {
            told.extend(turn.judge.advance(to));
            turn.closed_to = to;
        }
        told
    }

    /// Reads the file of deploys again where it has changed.
    fn follow_deploys(&mut self) {
        let Some(path) = &self.options.deploys else { return };
        let stamp = std::fs::metadata(path).ok().and_then(|m| Some((m.len(), m.modified().ok()?)));
        if stamp.is_none() || stamp == self.turn.deploys_read {
            return;
        }
        self.turn.deploys_read = stamp;
        match (self.outside.deploys)() {
            Ok(given) => {
                self.setup.asked.deploys = given;
                self.turn.deploys.given_anew();
                self.trouble("deploys", None);
            }
            Err(error) => self.trouble("deploys", Some(error.message)),
        }
    }

    /// One commit, and what is told after it.
    fn commit(&mut self, all_over: bool) {
        let (now, steady) = (clock::now(), clock::steady());
        if let Ok(Some(mutes)) = self.state.changed_mutes() {
            let own = mutes.iter().filter_map(judging::mute);
            self.turn.judge.set_mutes(self.setup.judging.mutes.iter().cloned().chain(own).collect());
        }
        let (counted, seconds) = self.gather();
        self.follow_deploys();
        let told = self.judge(&seconds, all_over);
        let changed = !told.is_empty();
        let mut tellings: Vec<Telling> = told.into_iter().filter(Told::tells).map(|told| told.telling).collect();
        tellings.extend(self.turn.damage.take().map(|text| damage(&text, now)));
        self.courier.enqueue(&mut self.outbox, &tellings, now);
        for telling in &tellings {
            let text = on_stdout(telling, self.options.json);
            self.turn.withheld.push(text);
        }
        self.summary(now, steady);
        self.save(counted.as_ref(), &seconds, changed, now, steady);
        self.judge_deploys(now, steady);
        let held = self.turn.unsaved_since.is_some_and(|since| steady - since < HOLD_BACK_US);
        if !held {
            for text in std::mem::take(&mut self.turn.withheld) {
                self.voice.say(text);
            }
            self.send();
        }
        self.hear();
        self.publish(steady);
    }

    /// Verdicts on deploys go by what is saved, and are saved before they are told.
    fn judge_deploys(&mut self, now: Timestamp, steady: i64) {
        let mut tellings = Vec::new();
        let texts = self.verdicts(now, &mut tellings);
        if texts.is_empty() {
            return;
        }
        self.courier.enqueue(&mut self.outbox, &tellings, now);
        self.turn.withheld.extend(texts);
        self.save(None, &[], true, now, steady);
    }

    /// Saves everything that has changed.
    fn save(&mut self, counted: Option<&Counted>, seconds: &[Second], judged: bool, now: Timestamp, steady: i64) {
        let (letters, done) = judging::changes(&mut self.outbox);
        let turn = &mut self.turn;
        let due = steady - turn.committed_at >= COMMIT_US;
        let dirty = turn.dirty || judged || !letters.is_empty() || !done.is_empty() || !turn.gone.is_empty();
        if !dirty && !due && turn.unsaved_since.is_none() {
            return;
        }
        let first = self.streams.len();
        let bookmarks: BTreeMap<usize, Vec<u8>> = match &mut self.following {
            None => BTreeMap::new(),
            Some(following) => following
                .changed()
                .into_iter()
                .filter_map(|(source, mark)| Some((first + usize::try_from(source).ok()?, postcard::to_stdvec(&mark).ok()?)))
                .collect(),
        };
        let mut positions = Vec::new();
        let mut kept: Vec<(String, Vec<u8>)> = Vec::new();
        for (at, log) in self.logs.iter_mut().enumerate() {
            let cursor = self.streams.get(at).and_then(|s| s.journal.as_ref()?.cursor.clone());
            if at < first && cursor.is_none() {
                continue;
            }
            let bookmark = bookmarks.get(&at).cloned().or(cursor.map(String::into_bytes));
            positions.extend(log.position(bookmark));
            kept.extend(log.take_form().map(|form| (Log::form_word(&log.name), form)));
        }
        if judged || turn.judge.now() >= turn.judge_saved.saturating_add(JUDGE_EVERY_S) {
            turn.judge_saved = turn.judge.now();
            kept.push(("engine".to_owned(), turn.judge.store()));
            kept.extend(turn.deploys.take_change().map(|deploys| ("deploys".to_owned(), deploys)));
        }
        if std::mem::take(&mut turn.series_changed) {
            kept.push(("series".to_owned(), postcard::to_stdvec(&turn.series).unwrap_or_default()));
        }
        let all = &mut self.all;
        let commit = Commit {
            now,
            counted,
            whole: &mut || Counted::of(all).without_slots(),
            seconds,
            closed_to: turn.closed_to,
            positions,
            gone: std::mem::take(&mut turn.gone),
            kept: kept.iter().map(|(word, body)| (word.as_str(), body.clone())).collect(),
            letters,
            done,
            tells: judged,
        };
        let saved = self.state.commit(commit);
        turn.dirty = false;
        match saved {
            Ok(saved) => {
                turn.committed_at = steady;
                let resumed = turn.unsaved_since.take().is_some();
                self.trouble("unsaved", None);
                if resumed {
                    self.say("the state is saved again");
                }
                if let Some(before) = saved.given_up {
                    self.say(&format!("the state has reached its greatest size: detail before {before} was given up"));
                }
                if saved.left_out > 0 {
                    self.say(&format!(
                        "{} could not be kept in the state's course of time",
                        in_words(saved.left_out, "second")
                    ));
                }
            }
            Err(why) => {
                turn.unsaved_since.get_or_insert(steady);
                turn.dirty = true;
                let text = format!("saving the state: {why}");
                if why == Unsaved::Busy {
                    return;
                }
                self.trouble("unsaved", Some(text));
            }
        }
    }

    /// Lets the sinks have what is saved.
    pub(super) fn send(&mut self) {
        let reading = !self.troubles.contains_key("input");
        for text in self.courier.step(clock::now(), reading, &mut self.outbox) {
            self.say(&text);
        }
    }

    /// What came of the last messages is saved too.
    pub(super) fn save_outbox(&mut self) {
        let (now, steady) = (clock::now(), clock::steady());
        self.save(None, &[], false, now, steady);
    }

    /// Whether anybody reads what is said.
    fn hear(&mut self) {
        let dropped = self.voice.take_dropped();
        if dropped > 0 {
            self.say(&format!("standard output was not read: {} dropped", in_words(dropped, "message")));
        }
        match self.voice.heard() {
            Heard::Closed if !self.voice_closed => {
                self.voice_closed = true;
                if self.server.is_some() || !self.setup.sinks.is_empty() {
                    self.say("standard output is closed; sinks and server go on");
                }
            }
            Heard::Failing => self.trouble("stdout", Some("standard output cannot be written".to_owned())),
            Heard::Closed | Heard::Open => self.trouble("stdout", None),
        }
    }

    /// The summary of an interval, when it is over.
    fn summary(&mut self, now: Timestamp, steady: i64) {
        if steady < self.turn.next_summary {
            return;
        }
        let last = self.turn.next_summary == i64::MIN;
        let every = i64::try_from(self.setup.every_s).unwrap_or(60).max(1) * SECOND;
        self.turn.next_summary = steady.saturating_add(every);
        self.interval.close();
        let seconds = u64::try_from((steady - self.turn.interval_began) / SECOND).unwrap_or(0);
        if last && seconds == 0 && self.interval.intake().bytes == 0 {
            return;
        }
        let mut pulse = self.pulse(now, seconds);
        self.interval = Snapshot::empty(self.setup.plan.clone());
        self.turn.interval_began = steady;
        let idle = pulse.is_idle();
        if idle && !self.options.terminal {
            let since = *self.turn.idle_since.get_or_insert(steady - i64::try_from(seconds).unwrap_or(0) * SECOND);
            let quiet = u64::try_from((steady - since) / SECOND).unwrap_or(0);
            if quiet < IDLE_S && !last {
                return;
            }
            pulse.seconds = quiet;
            self.turn.idle_since = Some(steady);
        }
        if !idle {
            self.turn.idle_since = None;
        }
        let json = pulse::json(&pulse);
        let text =
            if self.options.json { json.clone() } else { pulse::text(&pulse, pulse::Look { colour: self.options.colour }) };
        self.turn.last_event = json.lines().next().unwrap_or_default().as_bytes().to_vec();
        self.turn.withheld.push(text);
    }

    fn pulse(&mut self, now: Timestamp, seconds: u64) -> Pulse {
        let mut summary = sum_up(&self.interval, &self.asked());
        rates(&mut summary, seconds);
        let mut new_exceptions = Vec::new();
        for exception in &summary.exceptions {
            let key = FailureKey {
                service: exception.service.clone(),
                kind: exception.kind.clone(),
                place: exception.place.clone().unwrap_or_default(),
            };
            if self.turn.seen.len() < SEEN && self.turn.seen.insert(key) {
                new_exceptions.push(exception.clone());
            }
        }
        let (health, service_health) = health::live(&summary, &self.firing());
        let lag_bytes = self.lag_bytes();
        let restarts = restarts(&summary);
        let report = Report { summary, health, service_health, ..Report::default() };
        Pulse { at: now, seconds, report, new_exceptions, restarts, lag_bytes }
    }

    /// What shapes summaries, with the logs as they are now.
    fn asked(&self) -> Asked {
        let deploys = self.turn.deploys.marks().to_vec();
        Asked { sources: self.logs.iter().map(Log::figures).collect(), deploys, ..self.setup.asked.clone() }
    }

    /// What fires now, in the words of its first line.
    fn firing(&self) -> Vec<health::Firing> {
        let worded = |telling: Telling| {
            let telling = telling.cleaned(false);
            let page = telling.alert.severity == Severity::Page;
            let reason = alert::headline(&telling);
            health::Firing { service: telling.alert.service, page, reason }
        };
        let grave = |telling: &Telling| telling.alert.severity > Severity::Info;
        self.turn.judge.firing().into_iter().filter(grave).map(worded).collect()
    }

    /// Shows the present to whoever asks the server.
    fn publish(&mut self, steady: i64) {
        if self.server.is_none() || steady - self.turn.published_at < PUBLISH_US {
            return;
        }
        self.turn.published_at = steady;
        let report = self.report();
        let tellings: Vec<Telling> = self.turn.judge.firing().iter().map(|telling| telling.cleaned(false)).collect();
        let alerts = serde_json::to_vec(&tellings.iter().map(|t| &t.alert).collect::<Vec<_>>()).unwrap_or_default();
        self.all.close();
        let changed = self.turn.series.update(&self.all, self.setup.asked.routes_max, self.setup.metrics_routes);
        self.turn.series_changed |= changed;
        self.turn.dirty |= changed;
        let board = self.board(&report.summary, &tellings);
        let metrics = prometheus::page(&self.turn.series, &board);
        let reasons: Vec<String> = self.reasons();
        let ready = Ready { ok: reasons.is_empty(), reasons };
        let event = self.turn.last_event.clone();
        if let Some(server) = &self.server {
            server.publish(Published::new(report, alerts, metrics, event, ready));
        }
    }

    /// What is not as it should be.
    fn reasons(&self) -> Vec<String> {
        let logs = self.logs.iter().filter_map(|log| Some(format!("reading '{}': {}", log.name, log.trouble.as_ref()?)));
        let reload = self.turn.reload_failed.then(|| "the last configuration was not taken".to_owned());
        self.troubles.values().cloned().chain(logs).chain(reload).collect()
    }

    /// The report since the state began, without its course of time, which lies in the state.
    fn report(&mut self) -> Report {
        self.all.close();
        let asked = self.asked();
        let summary = sum_up(&self.all, &asked);
        let (health, service_health) = health::live(&summary, &self.firing());
        let findings = found_in(&self.all, &summary, &asked);
        Report { summary, health, service_health, findings }
    }

    /// Answers the server.
    pub(super) fn answer(&mut self, question: &Question) {
        let report = self.report();
        let range = match (&self.options.state.path, question.since.or(report.summary.period.start)) {
            (None, Some(since)) => self.state.range(since, Timestamp(clock::now().micros() + MINUTE)).ok(),
            _ => None,
        };
        let (plan, asked, firing) = (self.setup.plan.clone(), self.asked(), self.firing());
        // whoever asked may have gone
        drop(question.answer.try_send(Answer { report, plan, asked, firing, range }));
    }

    fn board(&self, summary: &Summary, firing: &[Telling]) -> prometheus::Board {
        let severity = |t: &Telling| t.alert.severity.word().to_owned();
        prometheus::Board {
            latency: summary.services.iter().filter_map(|s| Some((s.service.clone(), s.figures.latency?))).collect(),
            exceptions: summary.exceptions.iter().map(|e| (e.service.clone(), e.kind.clone(), e.count)).collect(),
            restarts: restarts(summary).into_iter().map(|(service, starts, _)| (service, starts)).collect(),
            firing: firing
                .iter()
                .map(|t| prometheus::Firing {
                    service: t.alert.service.clone(),
                    rule: t.alert.rule.clone(),
                    route: t.alert.route.clone(),
                    severity: severity(t),
                })
                .collect(),
            budgets: self.turn.judge.budget().into_iter().filter_map(|b| Some((b.service, b.promise, b.left?))).collect(),
            lines: kinds(summary),
            lag_bytes: vec![(None, self.lag_bytes())],
        }
    }
}

/// The ticket of a state that was damaged.
fn damage(text: &str, now: Timestamp) -> Telling {
    let second = u32::try_from(now.second()).unwrap_or(0);
    let fingerprint = fingerprint(None, None, "state", None);
    let alert = Alert {
        fingerprint: fingerprint.clone(),
        signal: "state".to_owned(),
        started_at: Some(now),
        fired_at: Some(now),
        summary: format!("TICKET {text}"),
        ..Alert::new(format!("{fingerprint}-{second}"), "state".to_owned(), Severity::Ticket)
    };
    Telling { alert, clear_for_s: None, period_s: None, gone_in_s: None, bad_of: None }
}

/// An alert for standard output.
fn on_stdout(telling: &Telling, as_json: bool) -> String {
    let telling = telling.cleaned(true);
    if !as_json {
        return alert::text(&telling);
    }
    let mut value = serde_json::to_value(&telling.alert).unwrap_or_default();
    let mut line = serde_json::Map::new();
    line.insert("type".to_owned(), "alert".into());
    if let Some(alert) = value.as_object_mut() {
        line.append(alert);
    }
    format!("{}\n", serde_json::Value::Object(line))
}

/// Rates over the interval, where its lines are of the interval: what was read up from before is spread over its own.
fn rates(summary: &mut Summary, seconds: u64) {
    #[expect(clippy::cast_precision_loss, reason = "seconds and requests of an interval are small")]
    let per = |requests: u64| (seconds > 0).then(|| requests as f64 / seconds as f64);
    #[expect(clippy::cast_precision_loss, reason = "as above")]
    let own = summary.period.seconds.is_none_or(|span| span <= (seconds * 2 + 60) as f64);
    if !own {
        return;
    }
    summary.total.rate_per_s = per(summary.total.requests);
    for service in &mut summary.services {
        service.figures.rate_per_s = per(service.figures.requests);
    }
    for route in &mut summary.routes {
        route.figures.rate_per_s = per(route.figures.requests);
    }
}

/// Starts and deaths by service; of those of which nobody knows whose they are, under no name.
fn restarts(summary: &Summary) -> Vec<(Option<String>, u64, u64)> {
    let lifecycle = &summary.lifecycle;
    if summary.services.len() <= 1 {
        let service = summary.services.first().and_then(|s| s.service.clone());
        return vec![(service, lifecycle.starts, lifecycle.worker_deaths)];
    }
    let mut all: BTreeMap<Option<String>, (u64, u64)> = BTreeMap::new();
    for event in &lifecycle.events {
        let of = all.entry(event.service.clone()).or_default();
        of.0 += u64::from(event.kind == "start");
        of.1 += u64::from(event.kind.starts_with("worker_death") || event.kind == "worker_killed");
    }
    all.into_iter().map(|(service, (starts, deaths))| (service, starts, deaths)).collect()
}

fn kinds(summary: &Summary) -> Vec<(Option<String>, &'static str, u64)> {
    let input = &summary.input;
    [
        ("request", input.requests),
        ("companion", input.companion),
        ("lifecycle", input.lifecycle),
        ("traceback", input.traceback),
        ("message", input.message),
        ("malformed", input.malformed),
    ]
    .map(|(kind, n)| (None, kind, n))
    .to_vec()
}
