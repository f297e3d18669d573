//! Findings about caches: from logged response headers, and from the cache's own word.

use super::Evidence;
use super::Finding;
use super::RouteHeaders;
use super::Severity;
use super::about;
use super::part;
use crate::parse::Auth;
use crate::stats::headers::DIRECTIVES;
use crate::stats::headers::HeaderCounts;
use crate::stats::summary::Summary;
use crate::verdict::wording::count;
use crate::verdict::wording::percent;

/// A directive that fewer answers than this share have, or lack, is an exception and no change.
const CHANGES: f64 = 0.02;
/// Fewer answers tell nothing of what is usual.
const ENOUGH: u64 = 20;
/// So many look-ups tell a hit ratio.
const LOOKED_UP: u64 = 50;
/// A cache that answers less than this share is not worth its keep.
const LOW: f64 = 0.5;

pub(super) fn findings(evidence: &Evidence<'_>) -> Vec<Finding> {
    let mut all: Vec<Finding> = evidence.headers.iter().flat_map(of_headers).collect();
    all.extend(low_hit_ratio(evidence.summary));
    all
}

fn of_headers(route: &RouteHeaders) -> Vec<Finding> {
    let name = format!("{} {}", route.method, route.route);
    let finding = |severity, kind, text, advice| Finding {
        severity,
        kind,
        service: route.service.clone(),
        route: Some(name.clone()),
        text,
        advice,
    };
    let mut all = Vec::new();
    if let Some(known) = route.by_auth.get(&Auth::Authenticated) {
        if known.open > 0 {
            let text = format!(
                "{} of {} answers to logged-in requests may be kept by any cache and given to anybody",
                count(known.open),
                count(known.told)
            );
            let advice =
                "answer logged-in requests with 'Cache-Control: private, no-store', and purge what caches hold of this route";
            all.push(finding(Severity::Serious, "public_to_logged_in", text, advice));
        } else if known.open_by_default > 0 {
            let text = format!(
                "{} of {} answers to logged-in requests have no Cache-Control: a cache that keeps by default may give them to anybody",
                count(known.open_by_default),
                count(known.told)
            );
            let advice = "say it outright: 'Cache-Control: private, no-store' on what only one user may see";
            all.push(finding(Severity::Warning, "public_to_logged_in", text, advice));
        }
    }
    let mut whole = HeaderCounts::default();
    route.by_auth.values().for_each(|counts| whole.add(counts));
    if whole.set_cookie_kept > 0 {
        let text = format!("{} answers that a cache may keep set a cookie", count(whole.set_cookie_kept));
        let advice = "take Set-Cookie off cacheable answers, or mark them private: a kept cookie is given to the next user";
        all.push(finding(Severity::Serious, "set_cookie_on_cacheable", text, advice));
    }
    if let Some(text) = route.by_auth.values().find_map(changes) {
        let advice = "set Cache-Control for the whole route in one place; answers that differ are kept or not by chance";
        all.push(finding(Severity::Warning, "directives_change", text, advice));
    }
    all
}

/// The directive that stands in some answers and not in others, the most evenly spread first.
fn changes(counts: &HeaderCounts) -> Option<String> {
    if counts.told < ENOUGH {
        return None;
    }
    let rows = DIRECTIVES.iter().map(|(directive, name)| (counts.with(*directive), *name));
    let present = counts.told - counts.absent;
    let rows = rows.chain([(present, "Cache-Control")]);
    let rarer = |n: u64| n.min(counts.told - n);
    let (n, name) =
        rows.filter(|(n, _)| part(rarer(*n), counts.told) >= CHANGES && rarer(*n) > 1).max_by_key(|(n, _)| rarer(*n))?;
    Some(format!("{} of {} answers have '{name}', the others have not", count(n), count(counts.told)))
}

fn low_hit_ratio(summary: &Summary) -> Vec<Finding> {
    let low = summary.routes.iter().filter(|r| !r.probe).filter_map(|route| {
        let cache = route.figures.cache.as_ref()?;
        let looked_up = cache.hit + cache.miss + cache.expired + cache.stale;
        let ratio = cache.hit_ratio.filter(|ratio| looked_up >= LOOKED_UP && *ratio < LOW)?;
        let text = format!(
            "{} of {} look-ups were answered by the cache ({} missed, {} expired)",
            percent(ratio),
            count(looked_up),
            count(cache.miss),
            count(cache.expired)
        );
        let advice = if cache.expired > cache.miss {
            "give its answers a longer lifetime, or let the cache refresh them in the background"
        } else {
            "look at what varies the key (query, cookies, Vary) and at the lifetime; a cache that mostly misses only costs"
        };
        Some(about(Severity::Warning, "low_hit_ratio", route, text, advice))
    });
    low.collect()
}
