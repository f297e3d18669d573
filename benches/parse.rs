//! Reading lines as requests, the form detected as it is in use: bytes and lines a second on 64 MiB of each form.
#![allow(missing_docs, reason = "criterion's macros write undocumented functions")]

#[path = "generate/mod.rs"]
mod generate;

use std::hint::black_box;
use std::sync::Arc;

use criterion::Criterion;
use criterion::Throughput;
use criterion::criterion_group;
use criterion::criterion_main;
use vitalog::line::split::Block;
use vitalog::parse::Record;
use vitalog::parse::detect::SAMPLE;
use vitalog::parse::detect::detect;
use vitalog::parse::look::Chosen;
use vitalog::parse::look::Look;
use vitalog::parse::look::Looker;

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

fn read(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse");
    group.sample_size(10);
    for form in ["combined", "json", "uvicorn"] {
        let log = generate::log(form, 64 << 20);
        let lines = generate::lines(&log);
        let sample: Vec<&[u8]> = Block::new(&log, 0).lines().take(SAMPLE).map(|line| line.bytes).collect();
        let chosen = Arc::new(Chosen::default());
        let mut looker = Looker::new(&detect(&sample, &chosen.settings), &chosen);
        let found = requests(&log, &mut looker);
        assert!(found < lines && found > lines / 1000 * 998, "{form}: {found} requests in {lines} lines");
        group.throughput(Throughput::ElementsAndBytes { elements: lines, bytes: log.len() as u64 });
        group.bench_function(form, |bencher| bencher.iter(|| requests(black_box(&log), &mut looker)));
    }
    group.finish();
}

criterion_group!(benches, read);
criterion_main!(benches);
