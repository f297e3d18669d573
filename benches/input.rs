//! Reading a finished file, plain and packed: unpacked bytes and lines a second on 64 MiB of the combined form.
#![allow(missing_docs, reason = "criterion's macros write undocumented functions")]

#[path = "generate/mod.rs"]
mod generate;

use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use criterion::Criterion;
use criterion::Throughput;
use criterion::criterion_group;
use criterion::criterion_main;
use vitalog::input::archive::Archive;

/// The unpacked bytes in the file, read as a walk reads them.
fn read(path: &Path) -> usize {
    let mut archive = Archive::open(path).expect("the log was written");
    let mut room = vec![0; 256 << 10];
    let mut sum = 0;
    loop {
        match archive.read(&mut room).expect("the log is whole") {
            0 => return sum,
            n => sum += n,
        }
    }
}

/// The log as the files of one folder, each packed in another way.
fn packed(folder: &Path, log: &[u8]) -> Vec<(&'static str, PathBuf)> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    gzip.write_all(log).expect("room in memory");
    let files = [
        ("plain", log.to_vec()),
        ("gzip", gzip.finish().expect("room in memory")),
        ("zstd", zstd::encode_all(log, 3).expect("room in memory")),
    ];
    let write = |(name, bytes): (&'static str, Vec<u8>)| {
        let path = folder.join(name);
        std::fs::write(&path, bytes).expect("room for the log");
        (name, path)
    };
    files.into_iter().map(write).collect()
}

fn input(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder for the logs");
    let log = generate::log("combined", 64 << 20);
    let mut group = criterion.benchmark_group("input");
    group.sample_size(10);
    group.throughput(Throughput::ElementsAndBytes { elements: generate::lines(&log), bytes: log.len() as u64 });
    for (name, path) in packed(folder.path(), &log) {
        assert_eq!(log.len(), read(&path), "every byte is read");
        group.bench_function(name, |bencher| bencher.iter(|| read(&path)));
    }
    group.finish();
}

criterion_group!(benches, input);
criterion_main!(benches);
