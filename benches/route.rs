//! From a request's path to the number of its route: requests a second on the paths of 16 MiB of the combined form, with
//! learned names alone and with one known template, which switches the memo on.
#![allow(missing_docs, reason = "criterion's macros write undocumented functions")]

#[path = "generate/mod.rs"]
mod generate;

use std::hint::black_box;
use std::sync::Arc;

use criterion::Criterion;
use criterion::Throughput;
use criterion::criterion_group;
use criterion::criterion_main;
use vitalog::route::table::Router;
use vitalog::route::table::Settings;
use vitalog::route::template::Templates;

/// Method, path without its query, and whether it was refused, of every request line.
fn requests(log: &[u8]) -> Vec<(&[u8], &[u8], bool)> {
    let request = |line| {
        let mut parts = <[u8]>::split(line, |b| *b == b'"');
        let request = parts.nth(1)?;
        let refused = parts.next()?.starts_with(b" 404");
        let mut words = request.split(|b| *b == b' ' || *b == b'?');
        Some((words.next()?, words.next()?, refused))
    };
    log.split(|b| *b == b'\n').filter_map(request).collect()
}

/// The number of keys once all requests were counted.
fn keys(router: &mut Router, requests: &[(&[u8], &[u8], bool)]) -> usize {
    for (method, path, refused) in requests {
        black_box(router.id(method, path, b"", *refused));
        if router.due() {
            drop(router.fold());
        }
    }
    router.len()
}

fn route(criterion: &mut Criterion) {
    let log = generate::log("combined", 16 << 20);
    let requests = requests(&log);
    assert!(requests.len() > 90_000, "the log is one of requests");
    let template = Templates::build(&[], &["/static/{path:path}".to_owned()]).expect("a template");
    let mut group = criterion.benchmark_group("route");
    group.sample_size(10);
    group.throughput(Throughput::Elements(requests.len() as u64));
    for (name, templates) in [("learned", Arc::default()), ("one template", Arc::new(template))] {
        let router = || Router::new(Arc::clone(&templates), Settings::default());
        assert!(keys(&mut router(), &requests) > 64, "every route has its key");
        group.bench_function(name, |bencher| bencher.iter_with_setup(router, |mut router| keys(&mut router, &requests)));
    }
    group.finish();
}

criterion_group!(benches, route);
criterion_main!(benches);
