//! A comparison told: text for people, one JSON object, Markdown for a pull request.
//!
//! Pages only dress what `verdict::compare` found. Names come from logs and are made safe here; reasons hold figures
//! alone.

mod csv;
mod json;
mod markdown;
mod text;

pub use csv::csv;
pub use json::json;
pub use json::object;
pub use markdown::MARKER;
pub use markdown::markdown;
pub use text::text;

use crate::stats::summary::Figures;
use crate::verdict::compare::About;
use crate::write::figures::clean;
use crate::write::figures::count;
use crate::write::figures::counted;
use crate::write::figures::duration;
use crate::write::figures::from_to;
use crate::write::figures::percent;

/// A side in one line: what it is called, how much it holds, when.
fn side(about: &About) -> String {
    let mut parts = vec![counted(about.requests, "request")];
    parts.extend(about.period.map(|(start, end)| from_to(start, end)));
    if about.left_out > 0 {
        parts.push(format!("{} left out as warm-up", count(about.left_out)));
    }
    let name = clean(name(about)).to_string();
    let lead = if name.is_empty() { String::new() } else { format!("{name}: ") };
    format!("{lead}{}", parts.join(", "))
}

/// What a side is called: its label, else its version, else nothing.
fn name(about: &About) -> &str {
    if about.label.is_empty() { about.version.as_deref().unwrap_or_default() } else { &about.label }
}

/// What a route did in the same hours a week earlier.
fn week_earlier(week: &Figures) -> String {
    let errors = week.error_rate.filter(|_| week.errors > 0).map_or_else(|| "no errors".to_owned(), |e| percent(e) + " errors");
    let latency = week.latency.map(|l| format!(", p95 {}, p50 {}", duration(l.p95_us), duration(l.p50_us)));
    format!("a week earlier: {}, {errors}{}", counted(week.requests, "request"), latency.unwrap_or_default())
}

/// `412 → 398`.
fn arrow(before: impl std::fmt::Display, after: impl std::fmt::Display) -> String {
    format!("{before} → {after}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::stats::summary::ExceptionFigures;
    use crate::verdict::command::Remedy;
    use crate::verdict::compare::Comparison;
    use crate::verdict::compare::Half;
    use crate::verdict::compare::Limits;
    use crate::verdict::compare::RouteSide;
    use crate::verdict::compare::Side;
    use crate::verdict::compare::compare;
    use crate::write::example;
    use crate::write::figures;
    use crate::write::text::Look;

    fn route(name: &str, requests: u64, statuses: &[(u16, u64)], us: u64) -> RouteSide {
        let errors = statuses.iter().filter(|s| s.0 >= 500).map(|s| s.1).sum();
        let mut figures = example::figures(requests, errors, Some(us));
        figures.status = BTreeMap::from([(200, requests - statuses.iter().map(|s| s.1).sum::<u64>())]);
        figures.status.extend(statuses.iter().copied());
        figures.client_errors = statuses.iter().filter(|s| s.0 / 100 == 4).map(|s| s.1).sum();
        let bucket = u16::try_from(us / 100).unwrap();
        let buckets = vec![(bucket, requests / 2), (bucket + 1, requests - requests / 2)];
        let (method, path) = name.split_once(' ').unwrap();
        let side = Side { figures, buckets };
        RouteSide { service: None, method: method.to_owned(), route: path.to_owned(), probe: false, side }
    }

    pub(super) fn comparison(name: &str) -> Comparison {
        let half = |label: &str, from: i64, routes: Vec<RouteSide>| Half {
            label: label.to_owned(),
            period: Some((example::at(from), example::at(from + 600))),
            routes,
            ..Half::default()
        };
        let before = half(
            "before v1.4.2",
            0,
            vec![
                route(&format!("POST {name}"), 1000, &[(500, 5)], 20_000),
                route("GET /items/{id}", 4000, &[], 30_000),
                route("GET /reports", 2000, &[], 90_000),
                route("GET /cart", 900, &[(404, 9)], 12_000),
                route("GET /rare", 3, &[], 12_000),
            ],
        );
        let mut after = half(
            "v1.4.2",
            600,
            vec![
                route(&format!("POST {name}"), 1010, &[(500, 90)], 20_000),
                route("GET /items/{id}", 4100, &[], 60_000),
                route("GET /reports", 2000, &[], 45_000),
                route("GET /cart", 950, &[(404, 10)], 12_000),
                route("GET /new", 40, &[], 12_000),
            ],
        );
        after.left_out = 123;
        after.exceptions = vec![ExceptionFigures {
            kind: "KeyError".to_owned(),
            place: Some("shop/pay.py:14".to_owned()),
            count: 88,
            routes: vec![format!("POST {name}")],
            ..ExceptionFigures::default()
        }];
        let remedy = Remedy {
            rollback: Some("kubectl rollout undo deploy/shop"),
            purge: Some("curl -X PURGE https://cdn.example.com{path}"),
            purge_wildcard: Some("*"),
        };
        Comparison { changed_at: Some(example::at(600)), ..compare(&before, &after, &Limits::default(), |_| remedy) }
    }

    fn pages(comparison: &Comparison) -> Vec<(&'static str, String)> {
        let drawn = |draw: &dyn Fn(&mut Vec<u8>) -> std::io::Result<()>| {
            let mut out = Vec::new();
            draw(&mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        vec![
            ("text", drawn(&|out| text(comparison, Look { width: 80, colour: false }, out))),
            ("json", drawn(&|out| json(comparison, out))),
            ("markdown", drawn(&|out| markdown(comparison, out))),
        ]
    }

    #[test]
    fn text_says_what_got_worse_and_how_to_take_it_back() {
        insta::assert_snapshot!(pages(&comparison("/checkout"))[0].1, @r#"
        ● REGRESSED  2 of 6 routes got worse

          before     before v1.4.2: 7,903 requests, 2026-11-23 00:36:48 to 00:46:48 UTC
          changed    2026-11-23 00:46:48 UTC
          after      v1.4.2: 8,100 requests, 2026-11-23 00:46:48 to 00:56:48 UTC, 123
                     left out as warm-up

        Changed  worst first, before → after
          regressed  POST /checkout  1,000 → 1,010 requests
                     more errors: 0.50 % → 8.9 % (5 of 1,000 → 90 of 1,010, most of them
                     500)
                     before █▊
                     after  ████████████████████████████████
          regressed  GET /items/{id}  4,000 → 4,100 requests
                     slower: p95 90.0 ms → 180 ms (+100 %), p50 15.0 ms → 30.0 ms (+100
                     %), p99 150 ms → 300 ms (+100 %)
                     before ████████████████
                     after  ████████████████████████████████
          improved   GET /reports  2,000 → 2,000 requests
                     faster: p95 270 ms → 135 ms (−50 %), p50 45.0 ms → 22.5 ms (−50 %),
                     p99 450 ms → 225 ms (−50 %)
                     before ████████████████████████████████
                     after  ████████████████

        Other routes  before → after
                    route       requests                p50                p95
          same      GET /cart  900 → 950  6.00 ms → 6.00 ms  36.0 ms → 36.0 ms
          appeared  GET /new      0 → 40        - → 6.00 ms        - → 36.0 ms
          vanished  GET /rare      3 → 0        6.00 ms → -        36.0 ms → -

        New exceptions  not seen before the change
              88  KeyError at shop/pay.py:14 · POST /checkout

        Roll back  takes the change back
          kubectl rollout undo deploy/shop

        Purge  the regressed routes alone
          curl -X PURGE https://cdn.example.com/checkout
          curl -X PURGE https://cdn.example.com'/items/*'
        "#);
    }

    #[test]
    fn markdown_is_the_record_of_a_change() {
        insta::assert_snapshot!(pages(&comparison("/checkout"))[2].1, @r#"
        <!-- vitalog compare -->
        ### 🔴 vitalog compare: regressed

        2 of 6 routes got worse.

        | | side | measured | requests | left out as warm-up |
        |---|---|---|--:|--:|
        | before | `before v1.4.2` | 2026-11-23 00:36:48 to 00:46:48 UTC | 7,903 | 0 |
        | changed | | 2026-11-23 00:46:48 UTC | | |
        | after | `v1.4.2` | 2026-11-23 00:46:48 to 00:56:48 UTC | 8,100 | 123 |

        **Regressed**

        - `POST /checkout`
          - more errors: 0.50 % → 8.9 % (5 of 1,000 → 90 of 1,010, most of them 500)
        - `GET /items/{id}`
          - slower: p95 90.0 ms → 180 ms (+100 %), p50 15.0 ms → 30.0 ms (+100 %), p99 150 ms → 300 ms (+100 %)

        **Improved**

        - `GET /reports`
          - faster: p95 270 ms → 135 ms (−50 %), p50 45.0 ms → 22.5 ms (−50 %), p99 450 ms → 225 ms (−50 %)

        **Before → after**

        | route | verdict | requests | errors | 4xx | p50 | p95 | p99 |
        |---|---|--:|--:|--:|--:|--:|--:|
        | `POST /checkout` | regressed | 1,000 → 1,010 | 0.50 % → 8.9 % | - → - | 10.0 ms → 10.0 ms | 60.0 ms → 60.0 ms | 100 ms → 100 ms |
        | `GET /items/{id}` | regressed | 4,000 → 4,100 | - → - | - → - | 15.0 ms → 30.0 ms | 90.0 ms → 180 ms | 150 ms → 300 ms |
        | `GET /reports` | improved | 2,000 → 2,000 | - → - | - → - | 45.0 ms → 22.5 ms | 270 ms → 135 ms | 450 ms → 225 ms |
        | `GET /cart` | same | 900 → 950 | - → - | 1.0 % → 1.1 % | 6.00 ms → 6.00 ms | 36.0 ms → 36.0 ms | 60.0 ms → 60.0 ms |
        | `GET /new` | too few | 0 → 40 | - → - | - → - | - → 6.00 ms | - → 36.0 ms | - → 60.0 ms |
        | `GET /rare` | too few | 3 → 0 | - → - | - → - | 6.00 ms → - | 36.0 ms → - | 60.0 ms → - |

        **New exceptions**

        - 88 × `KeyError` at `shop/pay.py:14`, `POST /checkout`

        **Take it back**

        ```sh
        kubectl rollout undo deploy/shop
        ```

        **Purge**

        ```sh
        curl -X PURGE https://cdn.example.com/checkout
        curl -X PURGE https://cdn.example.com'/items/*'
        ```
        "#);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn no_page_lets_a_forbidden_character_through(name in "[\\x00-\\x1f\\x7f-\\x9f\u{202a}-\u{202e}`|é漢 a]{1,40}") {
            let mut comparison = comparison(&name);
            comparison.before.label.clone_from(&name);
            comparison.new_exceptions[0].kind.clone_from(&name);
            comparison.rollback = Some(name.clone());
            comparison.purge = Some(name);
            for (page, text) in pages(&comparison) {
                prop_assert_eq!(None, text.chars().find(|c| *c != '\n' && figures::forbidden(*c)), "{}", page);
            }
        }
    }

    #[test]
    fn a_thousand_routes_stay_below_sixty_thousand_characters_and_eighty_columns() {
        let mut long = comparison(&"`|/very/long".repeat(200));
        let routes = long.routes.clone();
        long.routes = (0..200).flat_map(|_| routes.clone()).collect();
        long.new_exceptions = (0..200).flat_map(|_| long.new_exceptions.clone()).collect();
        let pages = pages(&long);
        assert!(pages[2].1.chars().count() < 60_000);
        let wide = pages[0].1.lines().find(|l| figures::width(l) > 80);
        assert_eq!(None, wide.filter(|l| !l.contains("curl") && !l.contains("kubectl")));
    }
}
