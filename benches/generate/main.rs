//! Writes access logs for measuring: the same bytes for the same seed, and beside them what a reader must find.
//!
//! `generate FORM SIZE OUT [--truth FILE] [--seed N] [--rate BYTES] [--start EPOCH] [--span SECONDS]`, where FORM is
//! `combined` (with `%(D)s` microseconds at the end), `json` (structlog style) or `uvicorn` (its default line), SIZE
//! is bytes with `K`, `M` or `G` (1024s; 0 never ends) and OUT a file or `-`. With `--rate` the output is held to so
//! many bytes a second and the log's own clock runs at that pace too.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "every number here is made here, and small"
)]

mod form;
mod random;
mod routes;
mod traffic;
mod truth;

use std::fs::File;
use std::io::Write;
use std::io::{self, BufWriter};
use std::process::ExitCode;
use std::time::Duration;

use crate::form::Form;
use crate::traffic::Plan;
use crate::traffic::Traffic;

/// What was asked for on the command line.
struct Wanted {
    plan: Plan,
    out: String,
    truth: Option<String>,
    rate: Option<u64>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match wanted(&arguments).and_then(|wanted| run(&wanted).map_err(|error| format!("writing '{}': {error}", wanted.out))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            let _told = writeln!(io::stderr(), "generate: {message}");
            ExitCode::from(2)
        }
    }
}

/// Reads the arguments; the message says which one is wrong.
fn wanted(arguments: &[String]) -> Result<Wanted, String> {
    let mut words = Vec::new();
    let (mut truth, mut rate, mut seed, mut start, mut span) = (None, None, 1, None, None);
    let mut rest = arguments.iter();
    while let Some(word) = rest.next() {
        if !word.starts_with("--") {
            words.push(word.as_str());
            continue;
        }
        let value = rest.next().ok_or(format!("'{word}' needs a value"))?;
        match word.as_str() {
            "--truth" => truth = Some(value.clone()),
            "--rate" => rate = Some(size(value)?),
            "--seed" => seed = size(value)?,
            "--start" => start = Some(size(value)?),
            "--span" => span = Some(size(value)?),
            _ => return Err(format!("there is no option '{word}'")),
        }
    }
    let [form, bytes, out] = words[..] else {
        return Err("usage: generate combined|json|uvicorn SIZE OUT [--truth FILE] [--seed N] [--rate BYTES] [--start EPOCH] [--span SECONDS]".into());
    };
    let form = Form::named(form).ok_or(format!("there is no form '{form}'"))?;
    let plan = Plan { form, bytes: size(bytes)?, seed, start, span, rate };
    Ok(Wanted { plan, out: out.into(), truth, rate })
}

/// A number of bytes, `512M` or `1G`.
fn size(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.as_bytes().last() {
        Some(b'K') => (&text[..text.len() - 1], 1 << 10),
        Some(b'M') => (&text[..text.len() - 1], 1 << 20),
        Some(b'G') => (&text[..text.len() - 1], 1 << 30),
        _ => (text, 1),
    };
    digits.parse::<u64>().map(|n| n * unit).map_err(|_| format!("'{text}' is no size; write 64M or 1G"))
}

/// Writes the log and, where asked, the truth.
fn run(wanted: &Wanted) -> io::Result<()> {
    let mut out: Box<dyn Write> = if wanted.out == "-" { Box::new(io::stdout()) } else { Box::new(File::create(&wanted.out)?) };
    let mut traffic = Traffic::new(&wanted.plan, wanted.truth.is_some());
    let mut pace = wanted.rate.map(Pace::new);
    let mut block = Vec::with_capacity(1 << 20);
    while traffic.fill(&mut block, if pace.is_some() { 1 << 15 } else { 1 << 20 }) {
        match out.write_all(&block) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            done => done?,
        }
        if let Some(pace) = &mut pace {
            pace.wait(block.len());
        }
        block.clear();
    }
    out.flush()?;
    if let (Some(path), Some(truth)) = (&wanted.truth, traffic.truth()) {
        let mut file = BufWriter::new(File::create(path)?);
        truth.write(&mut file)?;
        file.flush()?;
    }
    Ok(())
}

/// Holds the output to a number of bytes a second.
struct Pace {
    began: std::time::Instant,
    bytes_per_s: u64,
    written: u64,
}

impl Pace {
    #[expect(clippy::disallowed_methods, reason = "a live feed is paced by the real clock")]
    fn new(bytes_per_s: u64) -> Self {
        Self { began: std::time::Instant::now(), bytes_per_s: bytes_per_s.max(1), written: 0 }
    }

    #[expect(clippy::disallowed_methods, reason = "a live feed is paced by the real clock")]
    fn wait(&mut self, bytes: usize) {
        self.written += bytes as u64;
        let due = Duration::from_micros(self.written.saturating_mul(1_000_000) / self.bytes_per_s);
        if let Some(early) = due.checked_sub(self.began.elapsed()) {
            std::thread::sleep(early);
        }
    }
}
