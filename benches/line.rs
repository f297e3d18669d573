//! Cutting blocks into lines: bytes and lines a second on 64 MiB of each form, beside bare `memchr`.
#![allow(missing_docs, reason = "criterion's macros write undocumented functions")]

#[path = "generate/mod.rs"]
mod generate;

use std::hint::black_box;

use criterion::Criterion;
use criterion::Throughput;
use criterion::criterion_group;
use criterion::criterion_main;
use vitalog::line::split::Block;

fn split(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("line");
    group.sample_size(10);
    for form in ["combined", "json", "uvicorn"] {
        let log = generate::log(form, 64 << 20);
        let lines = generate::lines(&log);
        assert_eq!(lines, Block::new(&log, 0).lines().count() as u64, "the splitter gives every line");
        group.throughput(Throughput::ElementsAndBytes { elements: lines, bytes: log.len() as u64 });
        group.bench_function(format!("memchr/{form}"), |bencher| bencher.iter(|| generate::lines(black_box(&log))));
        group
            .bench_function(format!("split/{form}"), |bencher| bencher.iter(|| Block::new(black_box(&log), 0).lines().count()));
    }
    group.finish();
}

criterion_group!(benches, split);
criterion_main!(benches);
