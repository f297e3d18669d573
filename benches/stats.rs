//! Recording latencies, three digits, 64 groups in the proportions of a real log: values a second. The same values as
//! slots of 64 tracks, and two such sets of tracks added up.
#![allow(missing_docs, reason = "criterion's macros write undocumented functions")]

use std::hint::black_box;

use criterion::Criterion;
use criterion::Throughput;
use criterion::criterion_group;
use criterion::criterion_main;
use vitalog::stats::latency::Bounds;
use vitalog::stats::latency::Fine;
use vitalog::stats::slots::Track;

const VALUES: u64 = 1 << 20;

/// Group and latency in microseconds: low groups are frequent, latencies spread over four powers of ten.
fn traffic() -> Vec<(usize, u64)> {
    let mut state = 1_u64;
    let mut draw = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    (0..VALUES)
        .map(|_| {
            let group = (draw() % 64).min(draw() % 64).min(draw() % 64);
            (usize::try_from(group).expect("below 64"), (200 << (draw() % 13)) | (draw() % 200))
        })
        .collect()
}

fn record(criterion: &mut Criterion) {
    let values = traffic();
    let bounds = Bounds::new(&[]);
    let run = || {
        let mut groups = vec![Fine::default(); 64];
        for (group, latency_us) in &values {
            groups[*group].record(*latency_us, &bounds);
        }
        groups.iter().map(Fine::count).sum::<u64>()
    };
    assert_eq!(VALUES, run());
    let mut group = criterion.benchmark_group("stats");
    group.throughput(Throughput::Elements(VALUES));
    group.bench_function("latency", |bencher| bencher.iter(|| black_box(run())));
    let tracks = || {
        let mut groups = vec![Track::default(); 64];
        for ((group, latency_us), at) in values.iter().zip(0_u32..) {
            groups[*group].slot(at / 1024).record(200, 512, Some(*latency_us), &[]);
        }
        groups
    };
    let joined = || {
        let (mut all, parts) = (tracks(), tracks());
        all.iter_mut().zip(parts).for_each(|(all, part)| all.merge(part));
        all
    };
    let mut slots = 0;
    for track in joined() {
        track.each(|slot| slots += slot.requests());
    }
    assert_eq!(2 * VALUES, slots);
    group.bench_function("slots", |bencher| bencher.iter(|| black_box(tracks())));
    group.bench_function("slots, twice and joined", |bencher| bencher.iter(|| black_box(joined())));
    group.finish();
}

criterion_group!(benches, record);
criterion_main!(benches);
