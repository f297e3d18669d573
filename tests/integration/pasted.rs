//! Lines as people paste them: alone, and in the company of a usual log. Never a figure that the line does not say.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::LazyLock;

use vitalog::drive::pipeline::Settings;
use vitalog::drive::source::SourceForm;
use vitalog::line::Peeled;
use vitalog::line::split::Block;
use vitalog::parse::Record;
use vitalog::parse::Role;
use vitalog::parse::lifecycle;
use vitalog::parse::look::Chosen;
use vitalog::parse::look::Look;
use vitalog::parse::look::Looker;
use vitalog::time::Stamp;
use vitalog::time::Timestamp;
use vitalog::time::zone::Zone;

const TABLE: &str = include_str!("pasted.txt");

/// The table's lines with what each must be.
fn table() -> Vec<(&'static str, &'static str)> {
    let mut lines = TABLE.lines().filter(|line| !line.is_empty() && !line.starts_with("# "));
    let mut table = Vec::new();
    while let (Some(line), Some(expected)) = (lines.next(), lines.next()) {
        table.push((line, expected.strip_prefix("=> ").expect("a line is followed by what it must be")));
    }
    table
}

fn stamp(stamp: Stamp) -> String {
    let written = |micros| {
        let written = Timestamp(micros).to_string();
        let end = written.trim_end_matches('Z');
        if end.contains('.') { end.trim_end_matches('0').trim_end_matches('.').to_owned() } else { end.to_owned() }
    };
    match stamp {
        Stamp::Exact(time) => format!(" exact {}", written(time.micros())),
        Stamp::Local(micros) => format!(" local {}", written(micros)),
        Stamp::OfDay(micros) => format!(" of day {}", &written(micros)[11..]),
        Stamp::Yearless { .. } => " yearless".to_owned(),
    }
}

/// The record in the table's words.
fn told(record: &Record<'_>) -> String {
    let text = |bytes: &[u8]| if bytes.is_empty() { "-".to_owned() } else { String::from_utf8_lossy(bytes).into_owned() };
    let mut told = match record.role {
        Role::Access | Role::Router => "request",
        Role::Timing => "timing",
        Role::Start => "start",
    }
    .to_owned();
    write!(told, " {} {}", text(record.method), text(record.path)).unwrap();
    match record.status {
        Some(0) => told.push_str(" -"),
        Some(status) => write!(told, " {status}").unwrap(),
        None if record.role == Role::Start => {}
        None => told.push_str(" ?"),
    }
    if let Some(us) = record.latency_us {
        write!(told, " {us} us").unwrap();
    }
    if let Some(bytes) = record.bytes {
        write!(told, " {bytes} B").unwrap();
    }
    told + &record.time.map(stamp).unwrap_or_default()
}

/// Made once: the table of names is large.
static SETTINGS: LazyLock<Settings> = LazyLock::new(|| Settings {
    forms: Arc::new(Chosen::default()),
    zone: Zone::utc(),
    since: None,
    until: None,
    lateness_us: 30_000_000,
    services: Vec::new(),
    service: None,
});

fn form(text: &str) -> SourceForm {
    SourceForm::find("app.log", 0, text.as_bytes(), Timestamp(1_795_000_000_000_000), &SETTINGS)
}

/// What the last line of `text` is, the form found from all of it.
fn last(text: &str) -> String {
    let form = form(text);
    let mut looker = Looker::new(&form.form, &SETTINGS.forms);
    let mut unwrapper = form.unwrapper.clone();
    let raw = Block::new(text.as_bytes(), 0).lines().last().unwrap().bytes;
    let Peeled::Line(line) = unwrapper.peel(raw) else { return "a piece".to_owned() };
    let mut record = Record::default();
    match looker.look(line.text, &mut record) {
        Look::Request(_) => told(&record),
        Look::Malformed(reject) => format!("malformed {}", reject.name()),
        Look::Other(envelope) if lifecycle::read(envelope.message).is_some() => "lifecycle".to_owned(),
        Look::Other(_) => "message".to_owned(),
    }
}

/// What is wrong with each line of the table behind `company`; a line in a wrapper has none but its like.
fn wrong(company: &str) -> Vec<String> {
    let of_it = |line: &str| company.is_empty() || form(line).unwrapper.is_bare();
    let found = table()
        .into_iter()
        .filter(|(line, _)| of_it(line))
        .map(|(line, expected)| (line, expected, last(&format!("{company}{line}\n"))));
    found
        .filter(|(_, expected, got)| expected != got)
        .map(|(line, expected, got)| format!("{line}\n  {expected}\n  {got}"))
        .collect()
}

#[test]
fn the_table_is_long_enough_to_mean_something() {
    assert!(table().len() >= 80, "{} lines", table().len());
}

/// Forty lines of uvicorn's default log.
fn usual() -> String {
    (0..40).fold(String::new(), |mut log, n| {
        writeln!(log, "INFO:     127.0.0.1:{} - \"GET /items/{n} HTTP/1.1\" 200 OK", 50_000 + n).unwrap();
        log
    })
}

#[test]
fn a_line_in_the_company_of_a_usual_log_is_the_same() {
    let wrong = wrong(&usual());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_line_alone_is_what_it_says() {
    let wrong = wrong("");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Method, path, status and latency, if `told` is about a request.
fn figures(told: &str) -> Option<String> {
    let mut words = told.split(' ').skip_while(|word| !matches!(*word, "request" | "timing")).skip(1);
    let figures: Vec<&str> = words.by_ref().take_while(|word| !matches!(*word, "exact" | "local" | "of")).collect();
    (!figures.is_empty()).then(|| figures.join(" "))
}

#[test]
fn half_of_a_prefix_changes_no_figure() {
    let mut wrong = Vec::new();
    // the end of a text that quotes a line may be one: only what is a request as a whole is asked
    let asked = table().into_iter().filter(|(_, expected)| figures(expected).is_some());
    for (line, expected) in asked {
        let ends = line.find('"').filter(|_| !line.starts_with('{')).unwrap_or(0);
        // granian's line without its time is one whose figure is in seconds: nothing in it tells otherwise
        let ends = line.find("] 127.0.0.1 - \"").unwrap_or(ends);
        for at in (1..=ends).filter(|&at| line.is_char_boundary(at)) {
            let half = &line[at..];
            let got = figures(&last(half));
            if got.is_some() && got != figures(expected) {
                wrong.push(format!("{half}\n  {expected}\n  {}", got.unwrap_or_default()));
                break;
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
