//! The order in which pages for people list routes: the worst first.
//!
//! Most errors first, because that is whom the service failed; among equals the route that took the most time in all,
//! then the one asked most often, then by name. Probes come last whatever they did.

use std::cmp::Reverse;

use crate::stats::summary::RouteFigures;

/// The routes, worst first.
pub fn worst_first(routes: &[RouteFigures]) -> Vec<&RouteFigures> {
    let mut order: Vec<_> = routes.iter().collect();
    order.sort_by_cached_key(|r| {
        let figures = &r.figures;
        let names = (r.service.clone(), r.route.clone(), r.method.clone());
        (r.probe, Reverse(figures.errors), Reverse(time_spent_us(r)), Reverse(figures.requests), names)
    });
    order
}

/// The time all its answers took together, in microseconds; 0 for streams and where no line says.
pub fn time_spent_us(route: &RouteFigures) -> u128 {
    let latency = route.figures.latency.filter(|_| !route.streaming);
    latency.map_or(0, |l| u128::from(l.mean_us) * u128::from(l.count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::write::example;

    #[test]
    fn errors_come_first_then_time_then_requests_and_probes_last() {
        let mut probe = example::route("GET", "/health", 9000, 9000, None);
        probe.probe = true;
        let mut stream = example::route("GET", "/events", 5, 0, Some(60_000_000));
        stream.streaming = true;
        let routes = [
            probe,
            stream,
            example::route("GET", "/often", 900, 0, Some(1000)),
            example::route("GET", "/slow", 10, 0, Some(900_000)),
            example::route("GET", "/some", 10, 2, Some(10)),
            example::route("GET", "/many", 500, 40, Some(10)),
        ];
        let order: Vec<_> = worst_first(&routes).iter().map(|r| r.route.as_str()).collect();
        assert_eq!(["/many", "/some", "/slow", "/often", "/events", "/health"], order[..]);
    }
}
