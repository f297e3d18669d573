//! The judgement by table. Histograms are made of plain lists, figures by arithmetic.

use super::*;
use crate::stats::latency::Bounds;
use crate::stats::latency::Fine;
use crate::stats::summary::Latency;

/// Latencies in microseconds as a side, all answered 200 but those of `statuses`.
pub(super) fn side(requests: u64, statuses: &[(u16, u64)], latencies_us: &[u64]) -> Side {
    let mut fine = Fine::default();
    for us in latencies_us {
        fine.record(*us, &Bounds::default());
    }
    let other: u64 = statuses.iter().map(|s| s.1).sum();
    let mut status: BTreeMap<u16, u64> = statuses.iter().copied().filter(|s| s.1 > 0).collect();
    *status.entry(200).or_default() += requests - other;
    let class = |digit: u16| status.iter().filter(|(s, _)| **s / 100 == digit).map(|(_, n)| n).sum::<u64>();
    let (errors, client_errors) = (class(5), class(4));
    let at = |q| fine.quantile_us(q).unwrap_or(0);
    let latency = fine.max_us().map(|max_us| Latency {
        count: fine.count(),
        mean_us: fine.sum_us() / fine.count(),
        p50_us: at(0.5),
        p95_us: at(0.95),
        p99_us: at(0.99),
        max_us,
        digits: 3,
        ..Latency::default()
    });
    let error_rate = (requests > 0).then(|| real(errors) / real(requests));
    let figures = Figures { requests, status, errors, error_rate, client_errors, latency, ..Figures::default() };
    Side { figures, buckets: fine.buckets() }
}

fn one(side: Side) -> Half {
    let route = RouteSide { method: "GET".to_owned(), route: "/items/{id}".to_owned(), side, ..RouteSide::default() };
    Half { routes: vec![route], ..Half::default() }
}

fn compared(before: Side, after: Side) -> Comparison {
    compare(&one(before), &one(after), &Limits::default(), |_| Remedy::default())
}

fn verdict(before: Side, after: Side) -> (Verdict, Vec<String>) {
    let route = compared(before, after).routes.remove(0);
    (route.verdict, route.reasons.into_iter().map(|r| r.text).collect())
}

/// `n` latencies that spread evenly from half to one and a half times `middle_us`.
fn spread(n: u64, middle_us: u64) -> Vec<u64> {
    (0..n).map(|i| middle_us / 2 + middle_us * i / n).collect()
}

#[test]
fn shares_are_judged_by_sureness_and_size() {
    for (want, why, requests, before, after) in [
        (Verdict::Regressed, "half a point up", 10_000, vec![(500, 10)], vec![(500, 70)]),
        (Verdict::Regressed, "doubled and over the allowance", 100_000, vec![(500, 100)], vec![(500, 210)]),
        (Verdict::Same, "doubled below the allowance", 1_000_000, vec![(500, 100)], vec![(500, 300)]),
        (Verdict::Same, "sure but neither doubled nor half a point", 1_000_000, vec![(500, 10_000)], vec![(500, 12_000)]),
        (Verdict::Same, "far but not sure", 100, vec![(500, 1)], vec![(500, 4)]),
        (Verdict::Improved, "half a point down", 10_000, vec![(500, 70)], vec![(500, 10)]),
        (Verdict::Regressed, "not found", 1_000, vec![], vec![(404, 400)]),
        (Verdict::Regressed, "unprocessable", 1_000, vec![(422, 20)], vec![(422, 100)]),
        (Verdict::Regressed, "one 4xx for another", 1_000, vec![(401, 200)], vec![(401, 100), (422, 100)]),
        (Verdict::Regressed, "no answer", 1_000, vec![], vec![(0, 50)]),
        (Verdict::Regressed, "a redirect that was never given", 1_000, vec![], vec![(307, 900)]),
        (Verdict::Same, "more of a redirect that is usual", 1_000, vec![(303, 500)], vec![(303, 700)]),
        (Verdict::Same, "created instead of fine", 1_000, vec![], vec![(201, 900)]),
        (Verdict::Same, "not modified", 1_000, vec![], vec![(304, 400)]),
    ] {
        assert_eq!(want, verdict(side(requests, &before, &[]), side(requests, &after, &[])).0, "{why}");
    }
}

#[test]
fn latencies_are_judged_by_sureness_and_size() {
    for (want, why, n, before_us, after_us) in [
        (Verdict::Regressed, "a tenth and 5 ms", 2_000, 100_000, 115_000),
        (Verdict::Same, "a tenth but below 5 ms", 2_000, 10_000, 12_000),
        (Verdict::Same, "5 ms but below a tenth", 2_000, 200_000, 212_000),
        (Verdict::Regressed, "half and 1 ms", 2_000, 2_000, 3_500),
        (Verdict::Same, "half but below 1 ms", 2_000, 400, 900),
        (Verdict::Improved, "a tenth and 5 ms faster", 2_000, 115_000, 100_000),
        (Verdict::Same, "far but not sure", 25, 100_000, 115_000),
        (Verdict::Regressed, "from twenty on", 20, 100_000, 300_000),
    ] {
        let got = verdict(side(n, &[], &spread(n, before_us)), side(n, &[], &spread(n, after_us)));
        assert_eq!(want, got.0, "{why}: {:?}", got.1);
    }
}

#[test]
fn a_slower_twentieth_alone_is_a_regression() {
    let mut slow = spread(940, 100_000);
    slow.extend(spread(60, 900_000));
    let (verdict, reasons) = verdict(side(1_000, &[], &spread(1_000, 100_000)), side(1_000, &[], &slow));
    assert_eq!(Verdict::Regressed, verdict);
    assert!(reasons[0].starts_with("slower: p95 145 ms → "), "{reasons:?}");
}

#[test]
fn fewer_than_twenty_latencies_are_no_test() {
    let few = compared(side(19, &[], &spread(19, 1_000)), side(500, &[], &spread(500, 900_000)));
    assert_eq!(None, few.routes[0].latency);
}

#[test]
fn too_few_is_said_where_not_even_a_total_failure_would_stand_out() {
    // 1 / C(2n, n) twice: 2/70 with 4 a side, 2/252 with 5.
    for (want, n) in [(Verdict::TooFew, 1), (Verdict::TooFew, 4), (Verdict::Same, 5)] {
        assert_eq!(want, verdict(side(n, &[], &[]), side(n, &[], &[])).0, "{n}");
    }
    let (_, reasons) = verdict(side(3, &[], &[]), side(4, &[], &[]));
    assert_eq!(vec!["3 requests before and 4 after: not even a total failure would stand out"], reasons);
    assert_eq!(Verdict::Regressed, verdict(side(5, &[], &[]), side(5, &[(500, 5)], &[])).0);
}

#[test]
fn a_route_that_appeared_or_vanished_says_so() {
    let both = (Half::default(), one(side(300, &[(500, 30)], &[])));
    let appeared = compare(&both.0, &both.1, &Limits::default(), |_| Remedy::default());
    assert_eq!((Verdict::TooFew, 0), (appeared.verdict, appeared.routes[0].before.requests));
    assert_eq!("appeared: 300 requests after the change, none before, 10.0 % errors", appeared.routes[0].reasons[0].text);
    let vanished = compare(&both.1, &both.0, &Limits::default(), |_| Remedy::default());
    assert_eq!("vanished: no request after the change, 300 before", vanished.routes[0].reasons[0].text);
    let nothing = compare(&both.0, &both.0, &Limits::default(), |_| Remedy::default());
    assert_eq!((Verdict::TooFew, "too few requests to tell"), (nothing.verdict, nothing.headline().as_str()));
}

#[test]
fn reasons_are_sentences_with_both_figures() {
    let before = side(1_000, &[(500, 5), (422, 10)], &[]);
    let after = side(2_000, &[(500, 50), (503, 20), (404, 400), (422, 20)], &[]);
    assert_eq!(
        vec![
            "more errors: 0.50 % → 3.5 % (5 of 1,000 → 70 of 2,000, most of them 500)",
            "more client errors (4xx): 1.0 % → 21.0 % (10 of 1,000 → 420 of 2,000, most of them 404 (new on this route))",
        ],
        verdict(before, after).1
    );
    let (_, reasons) = verdict(side(1_000, &[], &spread(1_000, 100_000)), side(1_000, &[], &spread(1_000, 200_000)));
    assert_eq!(
        vec!["slower: p95 145 ms → 290 ms (+100 %), p50 99.9 ms → 200 ms (+100 %), p99 149 ms → 298 ms (+100 %)"],
        reasons
    );
}

#[test]
fn what_one_test_would_call_a_find_is_said_among_many() {
    let half = |errors: u64| {
        let many = (0..30).map(|n| named(&format!("/r{n}"), side(2_000, &[], &spread(2_000, 50_000))));
        let routes = many.chain([named("/cart", side(40, &[(500, errors)], &[]))]).collect();
        Half { routes, ..Half::default() }
    };
    let comparison = compare(&half(0), &half(8), &Limits::default(), |_| Remedy::default());
    let cart = comparison.routes.iter().find(|r| r.route == "/cart").unwrap();
    let want = "perhaps more errors: 0 % → 20.0 % (0 of 40 → 8 of 40, most of them 500 (new on this route)): \
                among 31 tests, chance alone may do that";
    assert_eq!((Verdict::Same, want), (cart.verdict, cart.reasons[0].text.as_str()));
}

#[test]
fn a_share_under_a_second_name_is_tested_once() {
    let comparison = compared(side(500, &[(500, 9), (404, 3), (422, 3)], &[]), side(500, &[(500, 9)], &[]));
    let of: Vec<Of> = comparison.routes[0].shares.iter().map(|s| s.of).collect();
    assert_eq!(vec![Of::Errors, Of::ClientErrors, Of::Status(404), Of::Status(422)], of);
    assert_eq!(vec![true, false, false, false], comparison.routes[0].shares.iter().map(|s| s.possible).collect::<Vec<_>>());
}

fn named(name: &str, side: Side) -> RouteSide {
    RouteSide { method: "GET".to_owned(), route: name.to_owned(), side, ..RouteSide::default() }
}

#[test]
fn the_worst_route_stands_first_and_gets_the_commands() {
    let half = |routes: Vec<RouteSide>, version: &str| Half { routes, version: Some(version.to_owned()), ..Half::default() };
    let good = || side(2_000, &[], &spread(2_000, 50_000));
    let mut probe = named("/health", side(2_000, &[(500, 2_000)], &[]));
    probe.probe = true;
    let before = half(
        vec![named("/a", good()), named("/b", good()), named("/c/{id}", good()), RouteSide { side: good(), ..probe.clone() }],
        "1.4.1",
    );
    let after = half(
        vec![
            named("/a", side(2_000, &[], &spread(2_000, 90_000))),
            named("/b", good()),
            named("/c/{id}", side(2_000, &[(500, 300)], &spread(2_000, 50_000))),
            probe,
        ],
        "1.4.2",
    );
    let remedy = Remedy {
        rollback: Some("kubectl rollout undo deploy/shop # {previous_version}"),
        purge: Some("curl -X PURGE https://cdn{path}"),
        purge_wildcard: Some("*"),
    };
    let comparison = compare(&before, &after, &Limits::default(), |_| remedy);
    let order: Vec<_> = comparison.routes.iter().map(|r| (r.route.as_str(), r.verdict)).collect();
    let want =
        [("/c/{id}", Verdict::Regressed), ("/a", Verdict::Regressed), ("/b", Verdict::Same), ("/health", Verdict::Regressed)];
    assert_eq!(want, order[..]);
    assert_eq!("2 of 3 routes got worse", comparison.headline());
    assert_eq!(Some("kubectl rollout undo deploy/shop # 1.4.1"), comparison.rollback.as_deref());
    assert_eq!(Some("curl -X PURGE https://cdn'/c/*'\ncurl -X PURGE https://cdn/a"), comparison.purge.as_deref());
    let healthy = compare(&before, &before, &Limits::default(), |_| remedy);
    assert_eq!((Verdict::Same, None, None), (healthy.verdict, healthy.rollback, healthy.purge));
}
