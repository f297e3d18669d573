//! A live run: wake-ups and ticks in, closed seconds judged, what is worth telling out.
//!
//! One thread owns everything that counts. It is woken by the watcher, by streams, by sinks, by signals, and at least
//! once a second; then it looks at the logs, and once a second it *commits*: what was counted since, the positions
//! behind it, what was judged and what is to be told are saved in one transaction, and only then told. Windows go by
//! event time (`clocks`); the wall clock dates only what has no time. Nothing here blocks on anybody: standard output
//! has its own thread (`voice`), each sink too (`write::webhook`), and the server shows what was published last.

mod clocks;
mod judging;
mod log;
mod published;
mod streams;
mod system;
mod turn;
mod verdicts;
mod voice;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::mpsc::SyncSender;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use super::clock;
use super::judge;
use super::pipeline;
use super::state;
use super::state::Loaded;
use super::state::State;
use super::state::Told as StateTold;
use crate::error::Error;
use crate::input::follow::Begin;
use crate::input::follow::Follower;
use crate::input::follow::Following;
use crate::input::follow::Happening;
use crate::input::follow::Options as FollowOptions;
use crate::input::follow::Told;
use crate::input::watch::Watcher;
use crate::line::LONGEST;
use crate::line::split::Block;
use crate::stats::deploys::Mark;
use crate::stats::snapshot::Plan;
use crate::stats::snapshot::Snapshot;
use crate::stats::summary::Asked;
use crate::time::SECOND;
use crate::time::Timestamp;
use crate::write::figures::bytes as sized;
use crate::write::figures::clean;
use crate::write::serve;
use crate::write::serve::Server;
use crate::write::webhook::Courier;
use crate::write::webhook::Outbox;
use crate::write::webhook::Sink;

use log::Lines;
use log::Log;
use streams::Flow;
use streams::Journal;
use streams::Stream;
use streams::is_stream;
pub use system::Signal;
use voice::Heard;
use voice::Voice;

/// Between two commits, in microseconds.
const TICK_US: i64 = SECOND;
/// Between two looks at the logs, in microseconds: a busy log is read in pieces worth reading.
const LOOK_US: i64 = 50_000;
/// Bytes read in one look.
const BUDGET: u64 = 16 << 20;
/// Bytes read between two commits, at most about so many: what they gave waits in memory.
const MUCH: u64 = 64 << 20;
/// Wake-ups that may wait; with them up to so many pieces of streams.
const WAKES: usize = 16;
/// Files held open at once; more are opened again when they have grown.
const OPEN: usize = 512;
/// Lines waiting to pair, or a traceback's end, are settled after such a silence, in microseconds.
const QUIET_US: i64 = 2 * SECOND;
/// How long a state that cannot be saved holds back what is to be told, in microseconds.
const HOLD_BACK_US: i64 = 10 * SECOND;
/// All that happens after the order to stop must be over by then.
const LAST: Duration = Duration::from_millis(4_500);
/// Logs that are introduced by name when a run starts.
const INTRODUCED: usize = 20;

/// What the configuration says; it can be exchanged while running.
pub struct Setup {
    /// How lines are read.
    pub reading: Arc<pipeline::Settings>,
    /// How requests are counted.
    pub plan: Plan,
    /// How figures are summed up.
    pub asked: Asked,
    /// Rules, promises, mutes and commands.
    pub judging: judge::Setup,
    /// Who is told, beside standard output.
    pub sinks: Vec<Sink>,
    /// Between two summaries, in seconds.
    pub every_s: u64,
    /// Routes with series of their own in `/metrics`.
    pub metrics_routes: usize,
}

/// What is settled when a run starts.
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub struct Options {
    /// Files, folders, globs, `-`, `journal:UNIT`.
    pub paths: Vec<String>,
    /// Logs are read from their beginning.
    pub from_start: bool,
    /// Folders are not watched but looked at.
    pub poll: bool,
    /// The file of `--deploys`.
    pub deploys: Option<PathBuf>,
    /// Where the state lies.
    pub state: state::Settings,
    /// The state begins anew.
    pub reset: bool,
    /// The server, where asked for.
    pub listen: Option<serve::Settings>,
    /// Standard output is JSON, an object a line.
    pub json: bool,
    /// Standard output is a terminal.
    pub terminal: bool,
    /// Text is coloured.
    pub colour: bool,
    /// Says less.
    pub quiet: bool,
}

/// What a text such as `15m` means at a time, or why it means nothing.
pub type When = Arc<dyn Fn(&str, Timestamp) -> Result<Timestamp, String> + Send + Sync>;

/// What cannot be passed in as data: talk on standard error, and the configuration read again.
pub struct Outside<'a> {
    /// One message about vitalog itself.
    pub say: &'a dyn Fn(&str),
    /// The point in time that a text such as `15m` means now.
    pub when: When,
    /// Reads the given deploy marks again: the file of `--deploys` has changed.
    pub deploys: &'a dyn Fn() -> Result<Vec<Mark>, Error>,
    /// Reads the configuration again, for SIGHUP.
    pub reload: &'a dyn Fn() -> Result<Setup, Error>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// By a signal, or because every log was a stream that came to its end.
    Well,
    /// As [`Ended::Well`], but some input could not be read.
    Unread,
}

/// What wakes the loop.
enum Wake {
    /// Something may have changed.
    Look,
    /// A stream gave something.
    Flow(usize, Flow),
    /// A signal came.
    Signal(Signal),
    /// The server asks.
    Question(published::Question),
}

/// A running `tail`.
pub struct Live<'a> {
    setup: Setup,
    options: Options,
    outside: Outside<'a>,
    wakes: Receiver<Wake>,
    waker: SyncSender<Wake>,
    following: Option<Following>,
    watcher: Watcher,
    /// Followed logs stand under their follower's number, streams come before them.
    logs: Vec<Log>,
    /// How many of `logs` are streams.
    streams: Vec<Stream>,
    state: State,
    all: Snapshot,
    since: Snapshot,
    interval: Snapshot,
    turn: turn::Turn,
    outbox: Outbox,
    courier: Courier,
    server: Option<Server>,
    voice: Voice,
    voice_closed: bool,
    troubles: BTreeMap<&'static str, String>,
    looked_at: i64,
    /// How often.
    looks: u64,
    look_due: bool,
    read_since_commit: u64,
    introduced: usize,
    unread: bool,
}

impl<'a> Live<'a> {
    /// Opens the state, takes up where the last run ended, and begins to watch. Fails where the state is held by
    /// another, the address is taken, or nothing can be read.
    pub fn start(setup: Setup, options: Options, outside: Outside<'a>) -> Result<Self, Error> {
        let now = clock::now();
        if options.reset
            && let Some(path) = &options.state.path
        {
            State::reset(path, now)?.into_iter().for_each(|kept| {
                (outside.say)(&format!(
                    "the state begins anew; the old one lies in '{}'",
                    clean(kept.to_string_lossy().as_bytes())
                ));
            });
        }
        let (state, loaded, told) = State::open(&options.state, now)?;
        let (waker, woken_by) = sync_channel(WAKES);
        let woken = waker.clone();
        let (watcher, notice) =
            if options.poll { (Watcher::poll_only(), None) } else { Watcher::new(move || drop(woken.try_send(Wake::Look))) };
        system::listen(&waker);
        let courier = judging::courier(&setup.sinks, wake_of(&waker))?;
        let server = options
            .listen
            .clone()
            .map(|settings| {
                Server::start(published::answered(settings, &waker, options.state.path.clone(), Arc::clone(&outside.when)))
            })
            .transpose()?;
        let mut all = loaded.totals(&setup.plan);
        all.tell_folds();
        let mut live = Self {
            all,
            since: fresh(&setup.plan),
            interval: Snapshot::empty(setup.plan.clone()),
            turn: turn::Turn::new(&setup, &options, &loaded, now),
            outbox: judging::outbox(&loaded.outbox),
            following: None,
            logs: Vec::new(),
            streams: Vec::new(),
            voice: Voice::new(std::io::stdout()),
            voice_closed: false,
            troubles: BTreeMap::new(),
            looked_at: -LOOK_US,
            looks: 0,
            look_due: true,
            read_since_commit: 0,
            introduced: 0,
            unread: false,
            setup,
            options,
            outside,
            wakes: woken_by,
            waker,
            watcher,
            state,
            courier,
            server,
        };
        if let Some(notice) = notice {
            live.say(&notice);
        }
        live.tell_state(&told);
        if let Some(server) = &live.server {
            live.say(&format!("listening on http://{}", server.address()));
        }
        live.take_up(loaded)?;
        Ok(live)
    }

    fn say(&self, message: &str) {
        (self.outside.say)(message);
    }

    fn tell_state(&mut self, told: &[StateTold]) {
        if self.options.state.path.is_none() {
            self.say("the state is in memory only: a restart begins anew ('--state FILE' keeps it)");
            return;
        }
        for told in told {
            match told {
                StateTold::Fresh => {}
                StateTold::Migrated { from, copy } => self.say(&format!(
                    "the state was brought up to date from version {from}; the old one lies in '{}'",
                    clean(copy.to_string_lossy().as_bytes())
                )),
                StateTold::SetAside { to, why } => {
                    let to = clean(to.to_string_lossy().as_bytes()).as_str().to_owned();
                    let text = format!("the state was damaged ({}) and begins anew; it was set aside as '{to}'", clean(why));
                    self.say(&text);
                    self.turn.damaged(text.clone());
                    self.troubles.insert("state", text);
                }
            }
        }
    }

    /// Finds the logs, and where reading of each goes on.
    fn take_up(&mut self, loaded: Loaded) -> Result<(), Error> {
        let mut positions: BTreeMap<String, state::Position> =
            loaded.positions.into_iter().map(|p| (p.source.clone(), p)).collect();
        let (streams, files): (Vec<String>, Vec<String>) =
            std::mem::take(&mut self.options.paths).into_iter().partition(|path| is_stream(path));
        for name in streams {
            self.open_stream(&name, &mut positions, &loaded.kept)?;
        }
        let begin = if self.options.from_start { Begin::Start } else { Begin::End };
        let exclude = self.options.state.path.iter().cloned().collect();
        let options = FollowOptions { begin, longest: LONGEST, most_open: OPEN.min(system::files_to_hold()), exclude };
        let mut following = Following::new(&files, options);
        for (name, position) in &positions {
            if let Ok(bookmark) = postcard::from_bytes(&position.bookmark) {
                following.resume(PathBuf::from(name), bookmark);
            }
        }
        following.scan();
        self.following = Some(following);
        self.turn.remember(positions, loaded.kept);
        self.new_logs();
        self.rewatch();
        Ok(())
    }

    /// Takes in logs that a scan has found.
    fn new_logs(&mut self) {
        let Some(following) = &self.following else { return };
        let (steady, mut found) = (clock::steady(), Vec::new());
        for follower in following.followers().iter().skip(self.logs.len() - self.streams.len()) {
            let name = follower.path().to_string_lossy().into_owned();
            let mut log = Log::new(name, self.logs.len() as u64);
            self.turn.resume(&mut log, &self.setup.reading, steady);
            self.logs.push(log);
            if self.logs.last().is_some_and(|log| log.form().is_some()) {
                found.push(self.logs.len() - 1);
            }
        }
        for at in found {
            self.introduce(at);
        }
    }

    fn rewatch(&mut self) {
        let Some(following) = &self.following else { return };
        if let Some(notice) = self.watcher.watch(&following.folders()) {
            self.say(&notice);
        }
    }

    fn open_stream(
        &mut self,
        name: &str,
        positions: &mut BTreeMap<String, state::Position>,
        kept: &BTreeMap<String, Vec<u8>>,
    ) -> Result<(), Error> {
        let number = self.streams.len();
        let mut log = Log::new(name.to_owned(), number as u64);
        let mut journal = None;
        if let Some(unit) = name.strip_prefix("journal:") {
            let mut cursor = None;
            if let Some(position) = positions.remove(name) {
                log.resume(&position, clock::steady());
                cursor = String::from_utf8(position.bookmark).ok().filter(|c| !c.is_empty());
            }
            if let Some(sample) = kept.get(&Log::form_word(name)) {
                log.resume_form(sample, &self.setup.reading, clock::now());
            }
            journal = Some(Journal::new(unit, cursor));
        } else {
            let from: Box<dyn std::io::Read + Send> = if name == "-" {
                Box::new(std::io::stdin())
            } else {
                Box::new(std::fs::File::open(name).map_err(|e| Error::input(format!("reading '{name}': {e}")))?)
            };
            self.pump(number, from, name);
        }
        self.logs.push(log);
        self.streams.push(Stream::new(number, journal));
        self.run_journals();
        Ok(())
    }

    fn pump(&self, number: usize, from: impl std::io::Read + Send + 'static, name: &str) {
        let waker = self.waker.clone();
        streams::read(from, name.to_owned(), move |flow| waker.send(Wake::Flow(number, flow)).is_ok());
    }

    /// Runs until told to stop, or until every stream is over and nothing else is followed.
    pub fn run(mut self) -> Ended {
        // where reading begins is saved at once: a log that is renamed in the first second is found again
        let mut next_tick = clock::steady();
        system::ready();
        loop {
            let now = clock::steady();
            let look_at = if self.look_due { self.looked_at.saturating_add(LOOK_US) } else { i64::MAX };
            let wait = look_at.min(next_tick).saturating_sub(now).max(0);
            match self.wakes.recv_timeout(Duration::from_micros(u64::try_from(wait).unwrap_or(0))) {
                Ok(wake) => {
                    if self.woken(wake) {
                        return self.stop();
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
            let now = clock::steady();
            if self.look_due && now - self.looked_at >= LOOK_US {
                self.look();
            }
            if now >= next_tick || self.read_since_commit >= MUCH {
                next_tick = now + TICK_US;
                self.tick();
                if self.is_over() {
                    return self.stop();
                }
            }
        }
    }

    /// What a wake-up asks for; true where the run is to end.
    fn woken(&mut self, wake: Wake) -> bool {
        match wake {
            Wake::Look => self.look_due = true,
            Wake::Flow(at, flow) => self.flow(at, flow),
            Wake::Signal(Signal::Stop) => return true,
            Wake::Signal(Signal::Reload) => self.reload(),
            Wake::Question(question) => self.answer(&question),
        }
        false
    }

    /// Every stream has ended, nothing is followed, and nothing waits to be judged.
    fn is_over(&self) -> bool {
        let followed = self.following.as_ref().is_some_and(|f| !f.asked().is_empty());
        !followed && !self.streams.is_empty() && self.streams.iter().all(|s| s.over)
            || self.voice_closed && self.server.is_none() && self.setup.sinks.is_empty()
    }

    fn look(&mut self) {
        self.look_due = false;
        self.looked_at = clock::steady();
        // what happens from here on gives a new signal
        let _looked_at_everything_anyway = self.watcher.take();
        self.find_forms();
        self.hold_back();
        let (steady, now) = (self.looked_at, clock::now());
        let Some(following) = &mut self.following else { return };
        let (logs, since, setup) = (&mut self.logs, &mut self.since, &self.setup);
        let (first, read) = (self.streams.len(), &mut self.read_since_commit);
        let mut happened: Vec<(usize, Happening)> = Vec::new();
        let look = following.poll(steady, BUDGET, &mut |told| match told {
            Told::Chunk(chunk) => {
                let at = first + usize::try_from(chunk.source).unwrap_or(usize::MAX - first);
                let Some(log) = logs.get_mut(at) else { return };
                let block = Block {
                    bytes: chunk.bytes,
                    offset: chunk.offset,
                    hole: chunk.hole,
                    ends_inside: chunk.ends_inside,
                    too_long: chunk.too_long,
                };
                *read += chunk.bytes.len() as u64;
                if log.form().is_none() {
                    log.see_head(chunk.bytes, &setup.reading, now, None);
                }
                log.take(&Lines { block, backlog: chunk.backlog, now }, &setup.reading, steady, since);
            }
            Told::Happening(source, _, happening) => {
                happened.push((first + usize::try_from(source).unwrap_or(usize::MAX - first), happening));
            }
        });
        self.look_due |= look.more;
        for (at, happening) in happened {
            self.happening(at, &happening);
        }
        let starved = "so many files are open that some wait for their turn (raise the limit of open files)";
        self.trouble("files", look.starved.then(|| starved.to_owned()));
    }

    /// Notes a lasting trouble, says it once, and its end.
    fn trouble(&mut self, what: &'static str, trouble: Option<String>) {
        match trouble {
            Some(text) if !self.troubles.contains_key(what) => {
                self.say(&text);
                self.troubles.insert(what, text);
            }
            Some(_) => {}
            None => drop(self.troubles.remove(what)),
        }
    }

    fn happening(&mut self, at: usize, happening: &Happening) {
        let Some(log) = self.logs.get_mut(at) else { return };
        let name = clean(log.name.as_bytes()).as_str().to_owned();
        let lost = happening.lost_bytes();
        self.since.intake_mut().lost_bytes += lost;
        let (text, trouble) = match happening {
            Happening::Missing => ("it does not exist yet; it is read from its first byte when it comes".to_owned(), None),
            Happening::Denied => {
                let why = "permission denied (try a user in group 'adm'); tried again every second";
                (why.to_owned(), Some("permission denied".to_owned()))
            }
            Happening::NotAFile => {
                ("no regular file; it is read when one stands there".to_owned(), Some("no regular file".to_owned()))
            }
            Happening::Failed(error) => {
                let why = error.message.strip_prefix(&format!("reading '{}': ", log.name)).unwrap_or(&error.message).to_owned();
                (why.clone(), Some(why))
            }
            Happening::Appeared | Happening::Granted => ("it is there and is read now".to_owned(), None),
            Happening::Truncated { lost } if *lost > 0 => (format!("it was truncated; {} are lost", sized(*lost)), None),
            Happening::Truncated { .. } => ("it was truncated; nothing is known to be lost".to_owned(), None),
            Happening::Lost { bytes } => {
                (format!("it is gone before it was read to its end; {} are lost", sized(*bytes)), None)
            }
            Happening::Rotated | Happening::Replaced | Happening::Vanished | Happening::Recovered(_) => return,
        };
        log.trouble = trouble.or_else(|| {
            log.trouble.take().filter(|_| matches!(happening, Happening::Truncated { .. } | Happening::Lost { .. }))
        });
        self.say(&format!("reading '{name}': {}", clean(&text)));
    }

    /// Finds the forms of logs that have something to show, and says what was found.
    fn find_forms(&mut self) {
        let (steady, now) = (clock::steady(), clock::now());
        let first = self.looks == 0;
        self.looks += 1;
        for at in self.streams.len()..self.logs.len() {
            let log = &mut self.logs[at];
            if !log.wants_sample() {
                continue;
            }
            if !log.is_head_due(steady) {
                self.look_due |= log.has_head();
                continue;
            }
            let head = log::head_of(Path::new(&log.name));
            let is_empty = || std::fs::metadata(&log.name).is_ok_and(|m| m.is_file() && m.len() == 0);
            if first && head.is_empty() && is_empty() {
                self.introduce(at);
                continue;
            }
            if !head.is_empty() && log.see_head(&head, &self.setup.reading, now, Some(steady)) {
                self.introduce(at);
            }
            self.look_due |= self.logs[at].wants_sample() && !head.is_empty();
        }
    }

    /// Says of a log what a reader of its figures must know.
    fn introduce(&mut self, at: usize) {
        self.introduced += 1;
        if self.options.quiet || self.introduced > INTRODUCED {
            if self.introduced == INTRODUCED + 1 && !self.options.quiet {
                self.say("more logs are read; they are not named one by one");
            }
            return;
        }
        let from = turn::reads_from(&self.logs[at], &self.options);
        let text = self.logs[at].introduction(&self.setup.reading, &self.setup.plan, &self.setup.asked, from);
        self.say(&text);
    }

    /// Logs whose form is not known, and those that are far ahead of others, wait.
    fn hold_back(&mut self) {
        let first = self.streams.len();
        let hands = self.hands();
        let ahead = clocks::ahead(&hands);
        let unknown = (first..self.logs.len()).filter(|at| self.logs[*at].form().is_none());
        let held: BTreeSet<u64> =
            ahead.into_iter().chain(unknown).filter(|at| *at >= first).map(|at| (at - first) as u64).collect();
        if let Some(following) = &mut self.following {
            following.hold(held);
        }
    }

    /// Each log's clock; `None` for those without times of their own.
    fn hands(&self) -> Vec<Option<clocks::Hand>> {
        let unread = |at: usize| match (at.checked_sub(self.streams.len()), &self.following) {
            (Some(at), Some(following)) => following.followers().get(at).map_or(0, Follower::unread),
            _ => self.streams.get(at).map_or(0, |s| s.waiting.len() as u64),
        };
        let hand = |(at, log): (usize, &Log)| {
            let newest = log.newest?;
            Some(clocks::Hand { newest, read_at: log.read_at, behind: unread(at) > 0 })
        };
        self.logs.iter().enumerate().map(hand).collect()
    }

    /// Bytes that lie there unread.
    fn lag_bytes(&self) -> u64 {
        let files = self.following.iter().flat_map(Following::followers).map(Follower::unread).sum::<u64>();
        files + self.streams.iter().flat_map(|s| &s.waiting).map(|(bytes, _)| bytes.len() as u64).sum::<u64>()
    }

    /// Takes in what a stream gave.
    fn flow(&mut self, at: usize, flow: Flow) {
        let Some(stream) = self.streams.get_mut(at) else { return };
        match flow {
            Flow::Bytes(bytes, paused) => stream.waiting.push_back((bytes, paused)),
            Flow::End(error) => {
                if let Some(journal) = &mut stream.journal {
                    journal.ended();
                } else {
                    stream.over = true;
                }
                if let Some(error) = error {
                    self.unread = true;
                    self.say(&error.message);
                }
            }
        }
        self.drain(at);
    }

    /// Walks over what waits in a stream, once its form is known or nothing more comes.
    fn drain(&mut self, at: usize) {
        let (steady, now) = (clock::steady(), clock::now());
        let stream = &mut self.streams[at];
        let log = &mut self.logs[stream.log];
        if log.form().is_none() {
            let head = stream.waiting.iter().flat_map(|(bytes, _)| bytes).copied().take(log::HEAD).collect::<Vec<u8>>();
            let patience = (!stream.over).then_some(steady);
            if head.is_empty() || !log.see_head(&head, &self.setup.reading, now, patience) {
                return;
            }
            self.introduce(at);
        }
        let stream = &mut self.streams[at];
        let log = &mut self.logs[stream.log];
        while let Some((bytes, paused)) = stream.waiting.pop_front() {
            stream.take(&bytes, paused, log, &self.setup.reading, (now, steady), &mut self.since);
            self.read_since_commit += bytes.len() as u64;
        }
        if stream.over {
            stream.finish(log, &self.setup.reading, (now, steady), &mut self.since);
        }
    }

    /// Starts the journals that do not run.
    fn run_journals(&mut self) {
        let (steady, from_start) = (clock::steady(), self.options.from_start);
        for at in 0..self.streams.len() {
            let Some(journal) = &mut self.streams[at].journal else { continue };
            if journal.child.is_some() || steady < journal.again_at {
                continue;
            }
            let started = streams::journal(&journal.unit, journal.cursor.as_deref(), from_start).and_then(|mut child| {
                let out = child.stdout.take().ok_or_else(|| Error::input("journalctl gives no output".to_owned()))?;
                journal.child = Some(child);
                Ok(out)
            });
            match started {
                Ok(out) => {
                    let name = self.logs[at].name.clone();
                    self.logs[at].trouble = None;
                    self.pump(at, out, &name);
                }
                Err(error) => {
                    journal.ended();
                    if self.logs[at].trouble.replace("journalctl cannot be run".to_owned()).is_none() {
                        self.say(&error.message);
                    }
                }
            }
        }
    }

    /// What SIGHUP asks for.
    fn reload(&mut self) {
        system::reloading();
        match (self.outside.reload)() {
            Ok(setup) => {
                self.tick();
                match judging::courier(&setup.sinks, wake_of(&self.waker)) {
                    Ok(courier) => self.courier = courier,
                    Err(error) => return self.say(&error.message),
                }
                self.exchange(setup);
                self.say("the configuration was read again");
            }
            Err(error) => {
                self.say(&format!("the configuration is not taken, the old one goes on: {}", error.message));
                self.turn.reload_failed();
            }
        }
        system::ready();
    }

    /// Another configuration holds from now on; what was counted is kept.
    fn exchange(&mut self, setup: Setup) {
        self.all = crate::stats::stored::Counted::of(&mut self.all).snapshot(setup.plan.clone());
        self.all.tell_folds();
        self.interval = crate::stats::stored::Counted::of(&mut self.interval).snapshot(setup.plan.clone());
        self.since = fresh(&setup.plan);
        self.turn.exchange(&setup);
        self.setup = setup;
        for at in 0..self.logs.len() {
            self.logs[at].change_settings(&self.setup.reading, clock::now());
        }
        self.look_due = true;
    }

    /// The end: everything that was read is saved, sinks and standard output get their last seconds.
    fn stop(mut self) -> Ended {
        let deadline = clock::steady() + i64::try_from(LAST.as_micros()).unwrap_or(0);
        system::stopping();
        for stream in &mut self.streams {
            if let Some(journal) = &mut stream.journal {
                journal.kill();
            }
        }
        let ended = self.streams.iter().all(|s| s.over) && !self.streams.is_empty();
        self.last_turn(ended);
        let left = |most: Duration| most.min(Duration::from_micros(u64::try_from(deadline - clock::steady()).unwrap_or(0)));
        loop {
            self.send();
            let waits = self.courier.next(&self.outbox).is_some_and(|at| at <= clock::now());
            let rest = left(Duration::from_millis(500));
            if (self.courier.idle() && !waits) || rest.is_zero() {
                break;
            }
            self.courier.wait(rest);
        }
        self.save_outbox();
        self.voice.finish(left(Duration::from_secs(2)).max(Duration::from_millis(50)));
        drop(self.server.take());
        let unreadable = self.logs.iter().any(|log| log.trouble.is_some());
        if self.unread || unreadable { Ended::Unread } else { Ended::Well }
    }
}

/// Wakes the loop without ever waiting for it.
fn wake_of(waker: &SyncSender<Wake>) -> impl Fn() + Send + Sync + 'static {
    let waker = waker.clone();
    move || drop(waker.try_send(Wake::Look))
}

/// What the next second is counted into.
fn fresh(plan: &Plan) -> Snapshot {
    let mut snapshot = Snapshot::empty(plan.clone());
    snapshot.listen();
    snapshot
}
