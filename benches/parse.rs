//! Reading lines, the form detected (or given) as it is in use: bytes and lines a second of every form, 16 MiB each from
//! a fixed seed (the generator's three forms 64 MiB); and of what is no request: tracebacks, lifecycle, messages.
//!
//! `cargo bench --bench parse -- nginx` measures one. No form may cost another its speed.
#![allow(missing_docs, reason = "criterion's macros write undocumented functions")]

#[path = "parse/forms.rs"]
mod forms;
#[path = "generate/mod.rs"]
mod generate;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::BenchmarkGroup;
use criterion::Criterion;
use criterion::Throughput;
use criterion::criterion_group;
use criterion::criterion_main;
use criterion::measurement::WallTime;
use vitalog::line::split::Block;
use vitalog::parse::Record;
use vitalog::parse::access::Unit;
use vitalog::parse::custom::choice;
use vitalog::parse::detect::SAMPLE;
use vitalog::parse::detect::detect;
use vitalog::parse::fields::Names;
use vitalog::parse::lifecycle;
use vitalog::parse::look::Chosen;
use vitalog::parse::look::Look;
use vitalog::parse::look::Looker;
use vitalog::parse::traceback::Folder;
use vitalog::parse::traceback::Taken;

/// Requests among the log's lines.
fn requests(log: &[u8], looker: &mut Looker) -> u64 {
    let mut found = 0;
    for line in Block::new(log, 0).lines() {
        let mut record = Record::default();
        found += u64::from(matches!(looker.look(line.bytes, &mut record), Look::Request(_)));
        black_box(record.latency_us);
    }
    found
}

/// Lifecycle lines among the log's lines, each offered to the forms first, as in use.
fn lifecycles(log: &[u8], looker: &mut Looker) -> u64 {
    let mut found = 0;
    for line in Block::new(log, 0).lines() {
        if let Look::Other(envelope) = looker.look(line.bytes, &mut Record::default()) {
            found += u64::from(lifecycle::read(envelope.message).is_some());
        }
    }
    found
}

/// Exceptions at the ends of the log's tracebacks.
fn exceptions(log: &[u8]) -> u64 {
    let mut found = 0;
    let mut folder = Folder::default();
    for line in Block::new(log, 0).lines() {
        let mut offer = if folder.is_open() { folder.offer(line.bytes) } else { folder.begin(line.bytes) };
        found += u64::from(offer.ended.take().is_some());
        if offer.taken == Taken::Outside && !folder.is_open() {
            found += u64::from(folder.begin(line.bytes).ended.is_some());
        }
    }
    found + u64::from(folder.finish().ended.is_some())
}

/// 16 MiB of what `write` writes.
fn log(write: forms::Writer) -> Vec<u8> {
    let mut random = generate::random::Random::new(1);
    let mut text = String::with_capacity(17 << 20);
    for n in 0.. {
        if text.len() >= 16 << 20 {
            break;
        }
        write(&mut text, &forms::Draw::new(n, &mut random)).expect("a string takes all");
        text.push('\n');
    }
    text.into_bytes()
}

fn looker(log: &[u8], format: Option<&str>) -> Looker {
    let chosen = match format {
        Some(format) => {
            let choice = choice::from_option(format).unwrap_or_else(|error| panic!("{format}: {error:?}"));
            Chosen::new(choice, Names::default(), None::<Unit>)
        }
        None => Chosen::default(),
    };
    let sample: Vec<&[u8]> = Block::new(log, 0).lines().take(SAMPLE).map(|line| line.bytes).collect();
    let chosen = Arc::new(chosen);
    Looker::new(&detect(&sample, &chosen.settings), &chosen)
}

fn measured(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, log: &[u8], mut pass: impl FnMut(&[u8]) -> u64) {
    group.throughput(Throughput::ElementsAndBytes { elements: generate::lines(log), bytes: log.len() as u64 });
    group.bench_function(name, |bencher| bencher.iter(|| pass(black_box(log))));
}

fn read(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse");
    group.sample_size(10).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    for form in ["combined", "json", "uvicorn"] {
        let log = generate::log(form, 64 << 20);
        let lines = generate::lines(&log);
        let mut looker = looker(&log, None);
        let found = requests(&log, &mut looker);
        assert!(found < lines && found > lines / 1000 * 998, "{form}: {found} requests in {lines} lines");
        measured(&mut group, &format!("{form}, generated"), &log, |log| requests(log, &mut looker));
    }
    for form in forms::REQUESTS {
        let log = log(form.write);
        let mut looker = looker(&log, form.format);
        assert_eq!(generate::lines(&log), requests(&log, &mut looker), "{}", form.name);
        measured(&mut group, form.name, &log, |log| requests(log, &mut looker));
    }
    group.finish();
}

fn others(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse, no requests");
    group.sample_size(10).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    let tracebacks = log(forms::traceback);
    let expected = memchr::memmem::find_iter(&tracebacks, b"\nKeyError: ").count() as u64;
    assert_eq!(expected, exceptions(&tracebacks));
    measured(&mut group, "traceback", &tracebacks, exceptions);
    let events = log(forms::lifecycle);
    let mut reader = looker(&events, None);
    assert_eq!(generate::lines(&events), lifecycles(&events, &mut reader));
    measured(&mut group, "lifecycle", &events, |log| lifecycles(log, &mut reader));
    let messages = log(forms::message);
    let mut reader = looker(&messages, None);
    assert_eq!((0, 0), (requests(&messages, &mut reader), lifecycles(&messages, &mut reader)));
    measured(&mut group, "message", &messages, |log| lifecycles(log, &mut reader));
    group.finish();
}

criterion_group!(benches, read, others);
criterion_main!(benches);
