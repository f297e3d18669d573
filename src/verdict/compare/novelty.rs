//! Exceptions that the change brought.
//!
//! An exception is known by its type and its place. A change moves lines, so a place that another line of the same file
//! has left is taken for the same one moved; what is left over is new.

use std::collections::BTreeMap;

use crate::stats::summary::ExceptionFigures;

/// Service, type, file.
type Home<'a> = (&'a Option<String>, &'a str, &'a str);

/// Lines of one home: before, and after with the exceptions they belong to.
type Lines<'a> = (Vec<u32>, Vec<(u32, &'a ExceptionFigures)>);

/// `shop/cart.py` and 88; line 0 where there is no place.
fn place(exception: &ExceptionFigures) -> (&str, u32) {
    let text = exception.place.as_deref().unwrap_or_default();
    match text.rsplit_once(':').map(|(file, line)| (file, line.parse())) {
        Some((file, Ok(line))) => (file, line),
        _ => (text, 0),
    }
}

fn home(exception: &ExceptionFigures) -> Home<'_> {
    (&exception.service, &exception.kind, place(exception).0)
}

/// Those of `after` that were not there before, most frequent first, marked as new.
pub(super) fn new_exceptions(before: &[ExceptionFigures], after: &[ExceptionFigures]) -> Vec<ExceptionFigures> {
    let mut homes: BTreeMap<Home<'_>, Lines<'_>> = BTreeMap::new();
    for exception in before {
        homes.entry(home(exception)).or_default().0.push(place(exception).1);
    }
    for exception in after {
        homes.entry(home(exception)).or_default().1.push((place(exception).1, exception));
    }
    let mut new: Vec<ExceptionFigures> = homes
        .into_values()
        .flat_map(left_over)
        .map(|exception| ExceptionFigures { new: Some(true), ..exception.clone() })
        .collect();
    new.sort_by(|a, b| {
        b.count.cmp(&a.count).then_with(|| (&a.kind, &a.place, &a.service).cmp(&(&b.kind, &b.place, &b.service)))
    });
    new
}

/// Of one file's places: those that neither stayed nor were moved there, the nearest one left taken as the origin.
fn left_over((mut was, mut is): Lines<'_>) -> Vec<&ExceptionFigures> {
    is.retain(|(line, _)| {
        let stayed = was.iter().position(|w| w == line);
        stayed.map(|at| was.remove(at)).is_none()
    });
    is.sort_by_key(|(line, _)| *line);
    for origin in was {
        let nearest = (0..is.len()).min_by_key(|i| is[*i].0.abs_diff(origin));
        if let Some(at) = nearest {
            is.remove(at);
        }
    }
    is.into_iter().map(|(_, exception)| exception).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(kind: &str, place: &str, count: u64) -> ExceptionFigures {
        ExceptionFigures { kind: kind.to_owned(), place: Some(place.to_owned()), count, ..ExceptionFigures::default() }
    }

    fn new(before: &[(&str, &str)], after: &[(&str, &str)]) -> Vec<String> {
        let all = |side: &[(&str, &str)]| -> Vec<_> { side.iter().map(|(kind, place)| seen(kind, place, 1)).collect() };
        let found = new_exceptions(&all(before), &all(after));
        found.into_iter().map(|e| format!("{} {}", e.kind, e.place.unwrap_or_default())).collect()
    }

    #[test]
    fn a_place_that_moved_is_not_new_and_one_more_in_the_file_is() {
        let before = [("KeyError", "shop/cart.py:88"), ("KeyError", "shop/cart.py:10")];
        assert!(new(&before, &[("KeyError", "shop/cart.py:90"), ("KeyError", "shop/cart.py:10")]).is_empty());
        let three = [("KeyError", "shop/cart.py:90"), ("KeyError", "shop/cart.py:10"), ("KeyError", "shop/cart.py:200")];
        assert_eq!(vec!["KeyError shop/cart.py:200"], new(&before, &three));
    }

    #[test]
    fn another_type_or_file_is_new() {
        let before = [("KeyError", "shop/cart.py:88")];
        for place in ["shop/pay.py:88", "shop/cart.py:88"] {
            let after = if place == "shop/pay.py:88" { ("KeyError", place) } else { ("TypeError", place) };
            assert_eq!(vec![format!("{} {place}", after.0)], new(&before, &[after]));
        }
        assert!(new(&[("OSError", "")], &[("OSError", "")]).is_empty());
    }

    #[test]
    fn the_most_frequent_stands_first_and_is_marked() {
        let after = [seen("A", "a.py:1", 3), seen("B", "b.py:1", 30)];
        let found = new_exceptions(&[], &after);
        assert_eq!(
            vec![("B", Some(true)), ("A", Some(true))],
            found.iter().map(|e| (e.kind.as_str(), e.new)).collect::<Vec<_>>()
        );
    }
}
