//! Logs that come as a stream: standard input, a named pipe, the journal. Each has a thread that reads, since only
//! reading tells when more has come.
//!
//! A stream gives blocks of bytes over a bounded channel; how many wait is bounded, so a slow run slows its writer down
//! and never fills memory. Lines are cut where they are taken in.

use std::collections::VecDeque;
use std::io::Read;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::thread;

use super::log::Lines;
use super::log::Log;
use crate::drive::clock;
use crate::drive::pipeline;
use crate::error::Error;
use crate::line::split::Position;
use crate::line::split::Splitter;
use crate::stats::snapshot::Snapshot;
use crate::time::SECOND;
use crate::time::Timestamp;

/// Bytes read at a time.
const PIECE: usize = 256 << 10;
/// The first pause so long ends what was there before, in microseconds.
const PAUSE_US: i64 = 200_000;
/// The journal's cursor in its JSON form; older versions write blanks around the colon.
const CURSOR: &[u8] = b"\"__CURSOR\"";
/// A cursor is not longer.
const LONGEST_CURSOR: usize = 512;

/// What a stream gives.
#[derive(Debug)]
pub(super) enum Flow {
    /// Bytes; whether they came after the stream's first pause.
    Bytes(Vec<u8>, bool),
    /// It is over, by its end or an error.
    End(Option<Error>),
}

/// A log that comes as a stream.
pub(super) struct Stream {
    pub(super) log: usize,
    pub(super) splitter: Splitter,
    /// Bytes that wait until the log's form is known.
    pub(super) waiting: VecDeque<(Vec<u8>, bool)>,
    /// Everything before this offset came before the first pause.
    pub(super) backlog: u64,
    pub(super) offset: u64,
    pub(super) paused: bool,
    pub(super) over: bool,
    pub(super) journal: Option<Journal>,
}

/// The journal of a unit.
pub(super) struct Journal {
    pub(super) unit: String,
    pub(super) child: Option<Child>,
    pub(super) cursor: Option<String>,
    pub(super) failures: u32,
    pub(super) again_at: i64,
}

/// Reads `from` to its end on a thread of its own and hands each piece to `give`, which may wait; false ends it.
pub(super) fn read(mut from: impl Read + Send + 'static, name: String, give: impl Fn(Flow) -> bool + Send + 'static) {
    let work = move || {
        let (mut buffer, mut paused, mut begun) = (vec![0; PIECE], false, false);
        let error = loop {
            let before = clock::steady();
            match from.read(&mut buffer) {
                Ok(0) => break None,
                Ok(n) => {
                    paused |= begun && clock::steady() - before >= PAUSE_US;
                    begun = true;
                    if !give(Flow::Bytes(buffer[..n].to_vec(), paused)) {
                        return;
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => break Some(Error::input(format!("reading '{name}': {error}"))),
            }
        };
        give(Flow::End(error));
    };
    let named = thread::Builder::new().name("stream".to_owned());
    // Where no thread can be had there is nothing that could be done instead; the run goes on with its other logs.
    drop(named.spawn(work));
}

/// `journalctl` of a unit, from behind `cursor`; from its newest entry, or its first where `from_start`, without one.
pub(super) fn journal(unit: &str, cursor: Option<&str>, from_start: bool) -> Result<Child, Error> {
    let mut command = Command::new("journalctl");
    command.args(["-u", unit, "-o", "json", "--no-pager", "-f"]);
    match cursor {
        Some(cursor) => command.arg(format!("--after-cursor={cursor}")).arg("--no-tail"),
        None if from_start => command.arg("--no-tail"),
        None => command.args(["-n", "0"]),
    };
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command.spawn().map_err(|e| Error::input(format!("reading 'journal:{unit}': running journalctl: {e}")))
}

/// The cursor of the last entry in whole lines of the journal.
pub(super) fn last_cursor(lines: &[u8]) -> Option<&str> {
    let start = memchr::memmem::rfind(lines, CURSOR)? + CURSOR.len();
    let rest = lines.get(start..)?.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start().strip_prefix(b"\"")?;
    let end = memchr::memchr(b'"', rest).filter(|end| *end <= LONGEST_CURSOR)?;
    std::str::from_utf8(&rest[..end]).ok().filter(|c| c.bytes().all(|b| b.is_ascii_graphic()))
}

/// How long after its end the journal is asked again, by how often it has ended at once.
pub(super) fn again_after_us(failures: u32) -> i64 {
    SECOND << failures.min(5)
}

impl Stream {
    /// Of the log with this number.
    pub(super) fn new(log: usize, journal: Option<Journal>) -> Self {
        Self {
            log,
            splitter: Splitter::new(Position::default()),
            waiting: VecDeque::new(),
            backlog: 0,
            offset: 0,
            // what a cursor stands before is no backlog
            paused: journal.is_some(),
            over: false,
            journal,
        }
    }

    /// Cuts bytes into lines and walks over them.
    pub(super) fn take(
        &mut self,
        bytes: &[u8],
        paused: bool,
        log: &mut Log,
        settings: &Arc<pipeline::Settings>,
        (now, steady): (Timestamp, i64),
        out: &mut Snapshot,
    ) {
        self.paused |= paused;
        let mut rest = bytes;
        while !rest.is_empty() {
            let room = self.splitter.room();
            let n = room.len().min(rest.len());
            room[..n].copy_from_slice(&rest[..n]);
            self.splitter.filled(n);
            rest = &rest[n..];
            self.offset += n as u64;
            if !self.paused {
                self.backlog = self.offset;
            }
            while let Some(block) = self.splitter.next_block() {
                if let Some(journal) = &mut self.journal {
                    journal.saw(block.bytes);
                }
                log.take(&Lines { block, backlog: self.backlog, now }, settings, steady, out);
            }
        }
    }

    /// The stream is over: its last line counts without an end too.
    pub(super) fn finish(
        &mut self,
        log: &mut Log,
        settings: &Arc<pipeline::Settings>,
        (now, steady): (Timestamp, i64),
        out: &mut Snapshot,
    ) {
        while let Some(block) = self.splitter.finish() {
            log.take(&Lines { block, backlog: self.backlog, now }, settings, steady, out);
        }
        log.settle(settings, now, true, out);
    }
}

impl Journal {
    /// Of `unit`, from behind `cursor`.
    pub(super) fn new(unit: &str, cursor: Option<String>) -> Self {
        Self { unit: unit.to_owned(), child: None, cursor, failures: 0, again_at: i64::MIN }
    }

    pub(super) fn saw(&mut self, lines: &[u8]) {
        if let Some(cursor) = last_cursor(lines) {
            self.cursor = Some(cursor.to_owned());
            self.failures = 0;
        }
    }

    pub(super) fn ended(&mut self) {
        self.kill();
        self.again_at = clock::steady() + again_after_us(self.failures);
        self.failures += 1;
    }

    pub(super) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // gone already where it has ended by itself
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// Standard input, the journal, and named pipes.
pub(super) fn is_stream(path: &str) -> bool {
    use std::os::unix::fs::FileTypeExt;
    let special = |kind: std::fs::FileType| kind.is_fifo() || kind.is_char_device();
    path == "-" || path.starts_with("journal:") || std::fs::metadata(path).is_ok_and(|m| special(m.file_type()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn the_last_entry_names_the_cursor() {
        let lines =
            b"{\"__CURSOR\":\"s=1;i=a\",\"MESSAGE\":\"x\"}\n{\"MESSAGE\":\"\\\"__CURSOR\\\":\",\"__CURSOR\":\"s=1;i=b\"}\n";
        assert_eq!(Some("s=1;i=b"), last_cursor(lines));
        assert_eq!(Some("s=1"), last_cursor(b"{ \"__CURSOR\" : \"s=1\", \"MESSAGE\" : \"x\" }\n"));
        for none in [&b""[..], b"{\"MESSAGE\":\"x\"}\n", b"{\"__CURSOR\":\"unended"] {
            assert_eq!(None, last_cursor(none));
        }
    }

    #[test]
    fn a_stream_is_given_whole_and_then_its_end() {
        let (sender, given) = mpsc::channel();
        read(&b"one\ntwo\n"[..], "-".to_owned(), move |flow| sender.send(flow).is_ok());
        let mut bytes = Vec::new();
        loop {
            match given.recv().unwrap() {
                Flow::Bytes(more, paused) => {
                    bytes.extend(more);
                    assert!(!paused);
                }
                Flow::End(error) => break assert_eq!(None, error.map(|e| e.message)),
            }
        }
        assert_eq!(b"one\ntwo\n"[..], bytes);
    }
}
