//! Logs that come as a stream: standard input, a named pipe, the journal. Each has a thread that reads, since only
//! reading tells when more has come.
//!
//! A stream gives blocks of bytes over a bounded channel; how many wait is bounded, so a slow run slows its writer down
//! and never fills memory. Lines are cut where they are taken in.

use std::io::Read;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::thread;

use crate::drive::clock;
use crate::error::Error;
use crate::time::SECOND;

/// Bytes read at a time.
const PIECE: usize = 256 << 10;
/// The first pause so long ends what was there before, in microseconds.
const PAUSE_US: i64 = 200_000;
/// The journal's cursor in its JSON form.
const CURSOR: &[u8] = b"\"__CURSOR\":\"";
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
    let rest = lines.get(start..)?;
    let end = memchr::memchr(b'"', rest).filter(|end| *end <= LONGEST_CURSOR)?;
    std::str::from_utf8(&rest[..end]).ok().filter(|c| c.bytes().all(|b| b.is_ascii_graphic()))
}

/// How long after its end the journal is asked again, by how often it has ended at once.
pub(super) fn again_after_us(failures: u32) -> i64 {
    SECOND << failures.min(5)
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
