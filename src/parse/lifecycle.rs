//! The server speaking of itself: what a line says, and what it means for the run of the service.
//!
//! [`read`] knows the wordings of uvicorn, gunicorn, hypercorn, granian, daphne and `FastAPI`'s command, old and new,
//! behind any logging prefix. [`Runs`] carries what is needed to tell a real new start from a worker that is recycled
//! or comes back after a crash. Counting and deploy marks are left to `stats`.

use std::collections::VecDeque;

use serde::Deserialize;
use serde::Serialize;

/// How many processes are remembered of each kind.
const PROCESSES: usize = 64;
/// Within so many seconds of hypercorn's first worker the others announce themselves.
const TOGETHER_S: i64 = 30;

/// One line's own statement, before its place in the run is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifecycle {
    /// What was said.
    pub said: Said,
    /// The process spoken of, where the text names one.
    pub pid: Option<u32>,
    /// The process that wrote the line, where its prefix says so.
    pub writer: Option<u32>,
}

/// The statements that are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// The parent of all processes started.
    Parent,
    /// The same of a server that says nothing when it ends.
    Quiet,
    /// A process that serves started: the service itself where it has no parent.
    Process,
    /// A parent started a worker.
    Boot,
    /// hypercorn serves; it announces neither parent nor workers.
    Serving,
    /// Ready, listening, start-up complete.
    Ready,
    /// The parent was told to stop.
    Stop,
    /// A process closes: the service where it has no parent, else a worker.
    Closing,
    /// A process that serves ended in order.
    Finished,
    /// A worker ended in order.
    Left,
    /// The parent ended in order.
    Gone,
    /// A worker ended in another way.
    Died,
    /// A worker was killed; the server thinks of memory.
    Killed,
    /// A worker did not answer in time.
    Timeout,
    /// A worker served as many requests as it may, or lived as long.
    Limit,
    /// Told to reload, or files changed.
    Reload,
    /// It could not start, or gave up starting.
    Failed,
    /// Anything else a server says of itself.
    Note,
}

/// What a line means in its run: the word and the count in the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The service started: counts as a start, and is a deploy mark.
    Start,
    /// Ready to serve.
    Ready,
    /// Told to stop.
    Stop,
    /// Stopped in order: counts as a stop.
    Stopped,
    /// A worker started: counts as a worker start.
    WorkerStart,
    /// A worker started in place of one that died: counts as a worker start.
    WorkerRespawn,
    /// A worker ended in order.
    WorkerStop,
    /// A worker has served its share and makes room.
    WorkerRecycle,
    /// A worker died: counts as a worker death.
    WorkerDeath,
    /// A worker was killed, perhaps out of memory: counts as a worker death.
    WorkerKilled,
    /// A worker did not answer: counts as a timeout. Its request leaves no access line.
    Timeout,
    /// A reload: counts as one.
    Reload,
    /// The start failed.
    StartFailed,
    /// Anything else.
    Note,
}

impl Kind {
    /// The word in the report.
    pub fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Ready => "ready",
            Self::Stop => "stop",
            Self::Stopped => "stopped",
            Self::WorkerStart => "worker_start",
            Self::WorkerRespawn => "worker_respawn",
            Self::WorkerStop => "worker_stop",
            Self::WorkerRecycle => "worker_recycle",
            Self::WorkerDeath => "worker_death",
            Self::WorkerKilled => "worker_killed",
            Self::Timeout => "timeout",
            Self::Reload => "reload",
            Self::StartFailed => "start_failed",
            Self::Note => "note",
        }
    }
}

/// Wordings. `#` is a process, `%` another number, `*` anything.
const WORDINGS: [(Said, &str); 93] = [
    // uvicorn
    (Said::Process, "Started server process [#]"),
    (Said::Parent, "Started parent process [#]"),
    (Said::Parent, "Started reloader process [#]*"),
    (Said::Note, "Waiting for application startup."),
    (Said::Ready, "Application startup complete."),
    (Said::Failed, "Application startup failed. Exiting."),
    (Said::Failed, "Application shutdown failed. Exiting."),
    (Said::Ready, "Uvicorn running on *"),
    (Said::Closing, "Shutting down"),
    (Said::Note, "Waiting for connections to close. *"),
    (Said::Note, "Waiting for background tasks to complete. *"),
    (Said::Note, "Waiting for application shutdown."),
    (Said::Note, "Application shutdown complete."),
    (Said::Finished, "Finished server process [#]"),
    (Said::Gone, "Stopping parent process [#]"),
    (Said::Gone, "Stopping reloader process [#]"),
    (Said::Died, "Child process [#] died"),
    (Said::Note, "Waiting for child process [#]"),
    (Said::Left, "Terminated child process [#]"),
    (Said::Limit, "Maximum request limit of % exceeded. Terminating process."),
    (Said::Stop, "Received SIGINT, exiting."),
    (Said::Stop, "Received SIGTERM, exiting."),
    (Said::Stop, "Received SIGBREAK, exiting."),
    (Said::Reload, "Received SIGHUP, restarting processes."),
    (Said::Note, "Received SIGTTIN, increasing the number of processes."),
    (Said::Note, "Received SIGTTOU, decreasing number of processes."),
    (Said::Note, "Will watch for changes in these directories: *"),
    (Said::Reload, "WatchFiles detected changes in *"),
    (Said::Reload, "WatchGodReload detected *"),
    (Said::Reload, "StatReload detected changes in *"),
    (Said::Reload, "StatReload detected file change in *"),
    (Said::Note, "ASGI 'lifespan' protocol appears unsupported."),
    (Said::Note, "Cancel % running task(s), timeout graceful shutdown exceeded"),
    (Said::Failed, "[Errno %] error while attempting to bind on address *"),
    // gunicorn
    (Said::Parent, "Starting gunicorn *"),
    (Said::Note, "Arbiter booted"),
    (Said::Ready, "Listening at: *"),
    (Said::Note, "Using worker: *"),
    (Said::Note, "Control socket listening at *"),
    (Said::Ready, "Server is ready. Spawning workers"),
    (Said::Boot, "Booting worker with pid: #"),
    (Said::Ready, "ASGI server listening on *"),
    (Said::Left, "Worker exiting (pid: #)"),
    (Said::Note, "Worker shutting down..."),
    (Said::Left, "Worker (pid:#) was sent SIGTERM!"),
    (Said::Left, "Worker (pid:#) was sent SIGINT!"),
    (Said::Left, "Worker (pid:#) was sent SIGQUIT!"),
    (Said::Killed, "Worker (pid:#) was sent SIGKILL! Perhaps out of memory?"),
    (Said::Died, "Worker (pid:#) was sent *"),
    (Said::Left, "Worker with pid # was terminated due to signal 15"),
    (Said::Killed, "Worker with pid # was terminated due to signal 9"),
    (Said::Died, "Worker with pid # was terminated due to signal %"),
    (Said::Left, "Worker (pid:#) exited with code 0*"),
    (Said::Died, "Worker (pid:#) exited with code *"),
    (Said::Timeout, "WORKER TIMEOUT (pid:#)"),
    (Said::Note, "Worker graceful timeout (pid:#)"),
    (Said::Limit, "Autorestarting worker after current request."),
    (Said::Stop, "Handling signal: term"),
    (Said::Stop, "Handling signal: int"),
    (Said::Stop, "Handling signal: quit"),
    (Said::Reload, "Handling signal: hup"),
    (Said::Note, "Handling signal: *"),
    (Said::Note, "Hang up: Master"),
    (Said::Reload, "Worker reloading: *"),
    (Said::Gone, "Shutting down: Master"),
    (Said::Failed, "Reason: *"),
    (Said::Failed, "Worker failed to boot."),
    (Said::Failed, "App failed to load."),
    (Said::Failed, "Connection in use: *"),
    (Said::Note, "Retrying in % second."),
    (Said::Failed, "Can't connect to *"),
    // hypercorn
    (Said::Serving, "Running on * (CTRL + C to quit)"),
    // granian
    (Said::Parent, "Starting granian*"),
    (Said::Boot, "Spawning worker-% with PID: #"),
    (Said::Boot, "Spawning worker-% with pid: #"),
    (Said::Boot, "Booting worker-% with pid: #"),
    (Said::Note, "Started worker-%*"),
    (Said::Left, "Stopping worker-%*"),
    (Said::Note, "Stopped worker-%"),
    (Said::Left, "Stopping old worker-%"),
    (Said::Note, "Respawning worker-%"),
    (Said::Died, "Unexpected exit from worker-%"),
    (Said::Killed, "Killing worker-%*"),
    (Said::Limit, "worker-% lifetime expired*"),
    (Said::Limit, "worker-% RSS over threshold*"),
    (Said::Reload, "HUP signal received, gracefully respawning workers.."),
    (Said::Reload, "Changes detected, reloading workers.."),
    (Said::Failed, "Worker crash loop detected, exiting"),
    (Said::Failed, "ASGI lifespan startup failed"),
    (Said::Gone, "Shutting down granian"),
    (Said::Gone, "Granian shutdown completed*"),
    // daphne
    (Said::Quiet, "Starting server at *"),
    (Said::Gone, "Killed % pending application instances"),
];

/// Wordings of no consequence: banners and settings.
const NOTES: [&str; 11] = [
    "HTTP/2 support enabled",
    "HTTP/2 support not enabled *",
    "Configuring endpoint *",
    "Listening on TCP address *",
    "Listening on UNIX socket *",
    "Starting FastAPI in *",
    "Starting development server *",
    "Starting production server *",
    "Server started at *",
    "Using import string: *",
    "Documentation at *",
];

/// What a server says of itself in this line; `None` for any other line.
pub fn read(text: &[u8]) -> Option<Lifecycle> {
    let text = text.trim_ascii_end();
    if text.len() > 2048 || text.first() == Some(&b'{') {
        return None;
    }
    let mut at = text.iter().position(|b| *b != b' ')?;
    loop {
        if let Some((said, pid)) = statement(text.get(at..)?) {
            return Some(Lifecycle { said, pid, writer: writer(text.get(..at)?) });
        }
        at = next_start(text, at)?;
    }
}

/// Where a message may begin behind a prefix: after blanks that follow `:`, `]`, `-`, `|`, a level word or a sign
/// that is no ASCII.
fn next_start(text: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while at < text.len().min(200) {
        let blank = at + text.get(at..)?.iter().position(|b| *b == b' ')?;
        let start = blank + text.get(blank..)?.iter().position(|b| *b != b' ')?;
        let token = text.get(from.min(blank)..blank)?.rsplit(|b| *b == b' ').next()?;
        let ends = token.last().is_some_and(|b| matches!(b, b':' | b']' | b'-' | b'|') || *b >= 0x80);
        let level = matches!(token, b"INFO" | b"WARNING" | b"ERROR" | b"CRITICAL" | b"DEBUG" | b"info" | b"warning" | b"error");
        if ends || level {
            return Some(start);
        }
        at = start;
    }
    None
}

fn statement(text: &[u8]) -> Option<(Said, Option<u32>)> {
    let first = *text.first()?;
    let mut known = WORDINGS.iter().filter(|(_, w)| w.as_bytes().first() == Some(&first));
    let found = known.find_map(|(said, wording)| matches(text, wording.as_bytes()).map(|spoken| (*said, spoken.pid)));
    found.or_else(|| {
        let mut notes = NOTES.iter().filter(|w| w.as_bytes().first() == Some(&first));
        notes.any(|w| matches(text, w.as_bytes()).is_some()).then_some((Said::Note, None))
    })
}

/// A number of at most nine digits at the beginning, and how many digits it has.
fn number(text: &[u8]) -> Option<(u32, usize)> {
    let digits = text.iter().take(10).take_while(|b| b.is_ascii_digit()).count();
    if !(1..=9).contains(&digits) {
        return None;
    }
    let value = text.get(..digits)?.iter().fold(0, |sum, b| sum * 10 + u32::from(b - b'0'));
    Some((value, digits))
}

/// Of whom a matching line speaks.
struct Spoken {
    pid: Option<u32>,
}

/// Whether `text` is of this wording, and the process in it. A structured logger may
/// add ` [logger] key=value` behind it.
fn matches(text: &[u8], wording: &[u8]) -> Option<Spoken> {
    let (mut text, mut pid) = (text, None);
    let mut rest = wording;
    while let Some((&sign, tail)) = rest.split_first() {
        match sign {
            b'#' | b'%' => {
                let (value, digits) = number(text)?;
                pid = pid.or((sign == b'#').then_some(value));
                text = text.get(digits..)?;
            }
            b'*' if tail.is_empty() => return Some(Spoken { pid }),
            b'*' => {
                let at = memchr::memmem::find(text, tail)?;
                text = text.get(at..)?;
            }
            _ => text = text.strip_prefix(&[sign])?,
        }
        rest = tail;
    }
    (text.is_empty() || text.starts_with(b" ") && text.trim_ascii_start().starts_with(b"[")).then_some(Spoken { pid })
}

/// The process in a prefix such as `[2026-11-23 00:35:29 +0000] [7375] [INFO] `.
fn writer(prefix: &[u8]) -> Option<u32> {
    let mut parts = prefix.split(|b| *b == b'[');
    parts.find_map(|part| number(part).filter(|(_, n)| part.get(*n) == Some(&b']')).map(|(value, _)| value))
}

/// What is known of one instance's run: which process is the parent, which workers left in order. Bounded.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Runs {
    /// `None` before the first line about a run.
    running: Option<bool>,
    /// A parent stands above the processes that serve.
    parent: bool,
    stopping: bool,
    /// A server without a parent closes.
    closing: bool,
    /// It could not start, and has not been ready since.
    failed: bool,
    /// A server that says nothing when it ends.
    silent: bool,
    /// How the present run began.
    origin: Origin,
    /// Workers that their parent announced and that did not announce themselves yet.
    booted: VecDeque<u32>,
    /// Workers that ended in order; their parent may still say that they are gone.
    left: VecDeque<u32>,
    /// Workers that did not answer.
    late: VecDeque<u32>,
    /// Workers counted as dead.
    dead: VecDeque<u32>,
    /// Deaths whose replacement has not come.
    owed: u32,
    /// hypercorn's first process, and the second it began to serve.
    first: Option<(u32, Option<i64>)>,
}

/// How a run of the service began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Origin {
    /// Nothing is known of a run before it.
    #[default]
    First,
    /// The run before it had ended in order, or was told to stop.
    Ordered,
    /// The run before it broke off, or could not start.
    Crash,
}

fn remember(list: &mut VecDeque<u32>, pid: Option<u32>) {
    if let Some(pid) = pid {
        list.retain(|p| *p != pid);
        if list.len() >= PROCESSES {
            list.pop_front();
        }
        list.push_back(pid);
    }
}

fn forget(list: &mut VecDeque<u32>, pid: Option<u32>) -> bool {
    let before = list.len();
    list.retain(|p| Some(*p) != pid);
    list.len() < before
}

impl Runs {
    /// What a line means here and now. `second` is the line's time in seconds since 1970, where known.
    pub fn note(&mut self, line: &Lifecycle, second: Option<i64>) -> Kind {
        match line.said {
            Said::Parent => self.start(true),
            Said::Quiet => {
                self.silent = true;
                self.start(true)
            }
            Said::Process => self.process(line.pid),
            Said::Boot => {
                self.parent = true;
                self.running = Some(true);
                remember(&mut self.booted, line.pid);
                self.worker()
            }
            Said::Serving => self.serving(line.writer, second),
            Said::Ready => {
                self.failed = false;
                Kind::Ready
            }
            Said::Stop => {
                self.stopping = true;
                Kind::Stop
            }
            Said::Closing if self.parent => Kind::WorkerStop,
            Said::Closing => {
                self.closing = true;
                Kind::Stop
            }
            Said::Finished if self.parent => self.leave(line.pid),
            Said::Finished | Said::Gone => self.gone(),
            Said::Left => self.leave(line.pid),
            Said::Died | Said::Killed => self.died(line),
            Said::Timeout => {
                remember(&mut self.late, line.pid);
                Kind::Timeout
            }
            Said::Limit => {
                remember(&mut self.left, line.writer);
                Kind::WorkerRecycle
            }
            Said::Reload => {
                self.parent = true;
                Kind::Reload
            }
            Said::Failed => {
                self.failed = true;
                Kind::StartFailed
            }
            Said::Note => Kind::Note,
        }
    }

    fn start(&mut self, parent: bool) -> Kind {
        let origin = match self.running {
            None => Origin::First,
            Some(_) if self.failed => Origin::Crash,
            Some(true) if !(self.stopping || self.closing || self.silent) => Origin::Crash,
            Some(_) => Origin::Ordered,
        };
        *self = Self { running: Some(true), parent, silent: self.silent, origin, ..Self::default() };
        Kind::Start
    }

    /// How the run began whose [`Kind::Start`] was the last one given back.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    fn process(&mut self, pid: Option<u32>) -> Kind {
        if !self.parent {
            return self.start(false);
        }
        if forget(&mut self.booted, pid) { Kind::Ready } else { self.worker() }
    }

    fn worker(&mut self) -> Kind {
        if self.owed == 0 {
            return Kind::WorkerStart;
        }
        self.owed -= 1;
        Kind::WorkerRespawn
    }

    /// hypercorn's workers announce themselves alike and at once; whoever comes later is a new run.
    fn serving(&mut self, writer: Option<u32>, second: Option<i64>) -> Kind {
        let together = match (self.first, writer) {
            (Some((first, then)), Some(now)) if first != now => {
                then.zip(second).is_some_and(|(then, second)| (0..=TOGETHER_S).contains(&(second - then)))
            }
            // A second address of the same process.
            (Some((first, _)), Some(now)) => first == now,
            _ => false,
        };
        if !together || self.running != Some(true) {
            self.silent = true;
            let kind = self.start(false);
            self.first = writer.map(|pid| (pid, second));
            return kind;
        }
        let own = self.first.map(|(pid, _)| pid) == writer || self.booted.contains(&writer.unwrap_or_default());
        remember(&mut self.booted, writer);
        if own { Kind::Ready } else { Kind::WorkerStart }
    }

    fn gone(&mut self) -> Kind {
        let again = self.running == Some(false);
        *self = Self { running: Some(false), failed: self.failed, silent: self.silent, ..Self::default() };
        if again { Kind::Note } else { Kind::Stopped }
    }

    fn leave(&mut self, pid: Option<u32>) -> Kind {
        self.parent = true;
        if forget(&mut self.late, pid) {
            return self.death(pid, Kind::WorkerDeath);
        }
        remember(&mut self.left, pid);
        Kind::WorkerStop
    }

    fn died(&mut self, line: &Lifecycle) -> Kind {
        self.parent = true;
        if self.dead.iter().any(|p| Some(*p) == line.pid) {
            return Kind::Note;
        }
        if forget(&mut self.left, line.pid) || self.stopping {
            return Kind::WorkerStop;
        }
        let late = forget(&mut self.late, line.pid);
        let killed = line.said == Said::Killed && !late;
        self.death(line.pid, if killed { Kind::WorkerKilled } else { Kind::WorkerDeath })
    }

    fn death(&mut self, pid: Option<u32>, kind: Kind) -> Kind {
        remember(&mut self.dead, pid);
        self.owed = self.owed.saturating_add(1).min(1_000);
        kind
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str) -> Option<(Said, Option<u32>)> {
        read(line.as_bytes()).map(|l| (l.said, l.pid))
    }

    #[test]
    fn a_statement_is_understood_behind_any_prefix() {
        for prefix in [
            "",
            "INFO:     ",
            "[2026-11-23 00:35:29 +0000] [7376] [INFO] ",
            "2026-11-23 00:36:48,110 - uvicorn.error - INFO - ",
            "2026-11-23 00:37:09.361 | INFO     | uvicorn.server:_serve:103 - ",
            "23/11/2026 12:35:05 PM [7154] [INFO] uvicorn.error: ",
            "[2026-11-23T00:34:33+0000] INFO:     ",
            "2026-11-23T00:36:54.137Z [info     ] ",
            " ▕  ",
            "2026-11-23 00:38:40,720 INFO     ",
        ] {
            assert_eq!(Some((Said::Process, Some(7376))), said(&format!("{prefix}Started server process [7376]")), "{prefix}");
        }
        assert_eq!(
            Some((Said::Process, Some(8317))),
            said("2026-11-23T01:36:54.137375 [info     ] Started server process [8317]  [uvicorn.error]")
        );
        assert_eq!(
            Some(15306),
            read(b"[2026-11-23 00:47:48 +0000] [15306] [INFO] Worker exiting (pid: 15307)").unwrap().writer
        );
    }

    #[test]
    fn old_and_new_wordings_are_known() {
        for (expected, line) in [
            ((Said::Timeout, Some(15306)), "[2026-11-23 00:47:48 +0000] [15305] [CRITICAL] WORKER TIMEOUT (pid:15306)"),
            ((Said::Killed, Some(7377)), "[x] [1] [ERROR] Worker (pid:7377) was sent SIGKILL! Perhaps out of memory?"),
            ((Said::Killed, Some(9)), "[x] [1] [WARNING] Worker with pid 9 was terminated due to signal 9"),
            ((Said::Left, Some(9)), "[x] [1] [WARNING] Worker with pid 9 was terminated due to signal 15"),
            ((Said::Died, Some(9)), "[x] [1] [ERROR] Worker (pid:9) exited with code 3"),
            ((Said::Died, Some(6828)), "INFO:     Child process [6828] died"),
            ((Said::Reload, None), "WARNING:  WatchFiles detected changes in 'main.py'. Reloading..."),
            ((Said::Boot, Some(8146)), "[INFO] Spawning worker-1 with PID: 8146"),
            ((Said::Boot, Some(8146)), "[INFO] Booting worker-1 with pid: 8146"),
            ((Said::Died, None), "[ERROR] Unexpected exit from worker-2"),
            ((Said::Quiet, None), "2026-11-23 00:38:40,720 INFO     Starting server at tcp:port=18110:interface=127.0.0.1"),
            (
                (Said::Serving, None),
                "[2026-11-23 00:36:26 +0000] [8006] [INFO] Running on http://127.0.0.1:18110 (CTRL + C to quit)",
            ),
            ((Said::Serving, None), "Running on 127.0.0.1:8000 over http (CTRL + C to quit)"),
            ((Said::Limit, None), "INFO:     Maximum request limit of 260 exceeded. Terminating process."),
        ] {
            assert_eq!(Some(expected), said(line), "{line}");
        }
    }

    #[test]
    fn other_text_is_no_statement() {
        for line in [
            "rate limit for u6",
            "INFO:     Shutting down the heating",
            "user said Shutting down",
            "INFO:     127.0.0.1:5 - \"GET /Shutting down HTTP/1.1\" 200 OK",
            "{\"message\": \"Shutting down\"}",
            "",
            "   ",
        ] {
            assert_eq!(None, said(line), "{line}");
        }
    }

    /// Starts, stops, worker starts, deaths, timeouts, reloads.
    fn counts(lines: &[&str]) -> [u32; 6] {
        let (mut runs, mut n) = (Runs::default(), [0; 6]);
        for line in lines {
            let line = read(line.as_bytes()).expect(line);
            match runs.note(&line, Some(0)) {
                Kind::Start => n[0] += 1,
                Kind::Stopped => n[1] += 1,
                Kind::WorkerStart | Kind::WorkerRespawn => n[2] += 1,
                Kind::WorkerDeath | Kind::WorkerKilled => n[3] += 1,
                Kind::Timeout => n[4] += 1,
                Kind::Reload => n[5] += 1,
                _ => {}
            }
            let stored = serde_json::to_string(&runs).unwrap();
            runs = serde_json::from_str(&stored).unwrap();
        }
        n
    }

    #[test]
    fn a_recycled_worker_is_neither_a_death_nor_a_start() {
        let lines = [
            "INFO:     Started parent process [6825]",
            "INFO:     Started server process [6827]",
            "INFO:     Maximum request limit of 260 exceeded. Terminating process.",
            "INFO:     Shutting down",
            "INFO:     Finished server process [6827]",
            "INFO:     Child process [6827] died",
            "INFO:     Started server process [6844]",
            "INFO:     Received SIGTERM, exiting.",
            "INFO:     Terminated child process [6844]",
            "INFO:     Finished server process [6844]",
            "INFO:     Stopping parent process [6825]",
        ];
        assert_eq!([1, 1, 2, 0, 0, 0], counts(&lines));
    }

    #[test]
    fn a_killed_worker_is_a_death_and_its_replacement_no_start() {
        let lines = [
            "[x] [1] [INFO] Starting gunicorn 27.0.1",
            "[x] [2] [INFO] Booting worker with pid: 2",
            "[x] [2] [INFO] Started server process [2]",
            "[x] [1] [ERROR] Worker (pid:2) was sent SIGKILL! Perhaps out of memory?",
            "[x] [3] [INFO] Booting worker with pid: 3",
            "[x] [3] [INFO] Started server process [3]",
            "[x] [1] [INFO] Handling signal: term",
            "[x] [1] [INFO] Worker (pid:3) was sent SIGTERM!",
            "[x] [1] [INFO] Shutting down: Master",
        ];
        assert_eq!([1, 1, 2, 1, 0, 0], counts(&lines));
    }

    #[test]
    fn a_worker_that_did_not_answer_is_one_timeout_and_one_death() {
        let lines = [
            "[x] [1] [CRITICAL] WORKER TIMEOUT (pid:2)",
            "[x] [2] [INFO] Worker exiting (pid: 2)",
            "[x] [1] [ERROR] Worker (pid:2) exited with code 1",
            "[x] [3] [INFO] Booting worker with pid: 3",
        ];
        assert_eq!([0, 0, 1, 1, 1, 0], counts(&lines));
    }

    #[test]
    fn a_service_without_parent_starts_anew_each_time() {
        let lines =
            ["Started server process [2]", "Shutting down", "Finished server process [2]", "Started server process [3]"];
        assert_eq!([2, 1, 0, 0, 0, 0], counts(&lines));
        let crashed = ["Started server process [2]", "Started server process [3]"];
        assert_eq!([2, 0, 0, 0, 0, 0], counts(&crashed));
    }

    #[test]
    fn a_start_after_an_end_is_in_order_and_one_out_of_nothing_a_crash() {
        let origin = |lines: &[&str]| {
            let mut runs = Runs::default();
            for line in lines {
                runs.note(&read(line.as_bytes()).unwrap(), None);
            }
            runs.origin()
        };
        let (started, closing) = ("Started server process [2]", "Shutting down");
        let failed = "Application startup failed. Exiting.";
        for (want, lines) in [
            (Origin::First, &[started][..]),
            (Origin::Ordered, &[started, closing, "Finished server process [2]", started]),
            (Origin::Ordered, &[closing, "Finished server process [2]", started]),
            // killed before it could say that it had finished
            (Origin::Ordered, &[started, closing, started]),
            (Origin::Crash, &[started, started]),
            (Origin::Crash, &[started, failed, started]),
            (Origin::Ordered, &[started, failed, started, "Application startup complete.", closing, started]),
            (
                Origin::Crash,
                &[
                    "Starting gunicorn 27.0.1",
                    "Shutting down: Master",
                    "Reason: Worker failed to boot.",
                    "Starting gunicorn 27.0.1",
                ],
            ),
            // these say nothing when they end
            (Origin::Ordered, &["Running on http://a (CTRL + C to quit)", "Running on http://a (CTRL + C to quit)"]),
            (Origin::Ordered, &["Starting server at tcp:port=1", "Starting server at tcp:port=1"]),
        ] {
            assert_eq!(want, origin(lines), "{lines:?}");
        }
    }

    #[test]
    fn a_reload_is_no_start() {
        let lines = [
            "INFO:     Started reloader process [9190] using WatchFiles",
            "INFO:     Started server process [9194]",
            "WARNING:  WatchFiles detected changes in 'main.py'. Reloading...",
            "INFO:     Finished server process [9194]",
            "INFO:     Started server process [9259]",
        ];
        assert_eq!([1, 0, 2, 0, 0, 1], counts(&lines));
        assert_eq!([0, 0, 0, 0, 0, 1], counts(&["[x] [1] [INFO] Handling signal: hup", "[x] [1] [INFO] Hang up: Master"]));
    }

    #[test]
    fn hypercorns_workers_are_one_start() {
        let lines =
            ["[x] [1] [INFO] Running on http://a (CTRL + C to quit)", "[x] [2] [INFO] Running on http://a (CTRL + C to quit)"];
        assert_eq!([1, 0, 1, 0, 0, 0], counts(&lines));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut runs = Runs::default();
        for pid in 0..10_000 {
            for said in [Said::Boot, Said::Timeout, Said::Left, Said::Died] {
                runs.note(&Lifecycle { said, pid: Some(pid), writer: None }, None);
            }
        }
        assert!(serde_json::to_vec(&runs).unwrap().len() < 4_000);
    }
}
