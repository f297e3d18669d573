//! The whole program, start-up and report included: bytes and lines a second on 64 MiB of each form.
#![allow(missing_docs, reason = "criterion's macros write undocumented functions")]

#[path = "generate/mod.rs"]
mod generate;

use std::path::Path;
use std::process::Command;

use criterion::Criterion;
use criterion::Throughput;
use criterion::criterion_group;
use criterion::criterion_main;

/// The length of the JSON report on `path`.
fn analyze(path: &Path, threads: &str) -> usize {
    let output = Command::new(env!("CARGO_BIN_EXE_vitalog"))
        .args(["analyze", "-o", "json", "--threads", threads])
        .arg(path)
        .output()
        .expect("the program starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout.len()
}

fn whole(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder for the logs");
    let mut group = criterion.benchmark_group("whole");
    group.sample_size(10);
    for form in ["combined", "json", "uvicorn"] {
        let log = generate::log(form, 64 << 20);
        let path = folder.path().join(form);
        std::fs::write(&path, &log).expect("room for the log");
        assert!(analyze(&path, "1") > 1000, "there is a report");
        group.throughput(Throughput::ElementsAndBytes { elements: generate::lines(&log), bytes: log.len() as u64 });
        for threads in ["1", "2"] {
            group.bench_function(format!("{form}/{threads} threads"), |bencher| bencher.iter(|| analyze(&path, threads)));
        }
    }
    group.finish();
}

criterion_group!(benches, whole);
criterion_main!(benches);
