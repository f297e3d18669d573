//! Methods and segments as words that are compared by number, each looked at once.
//!
//! Some hundred paths are compared thousands of times while they are named; most of their segments are the same few. What
//! one word looks like is judged here, what many of them at one position mean in `position.rs`.

use std::cmp::Ordering;

use crate::route::fold::SLUG;
use crate::route::segment::REST;
use crate::route::segment::is_placeholder;
use crate::route::segment::is_word;

/// Literal names that stand beside parameters.
const FIXED: [&str; 64] = [
    "about",
    "accept",
    "activate",
    "active",
    "all",
    "archive",
    "available",
    "batch",
    "bulk",
    "callback",
    "cancel",
    "check",
    "complete",
    "confirm",
    "count",
    "create",
    "current",
    "default",
    "delete",
    "download",
    "edit",
    "events",
    "export",
    "featured",
    "feed",
    "filter",
    "history",
    "import",
    "info",
    "latest",
    "list",
    "login",
    "logout",
    "lookup",
    "me",
    "mine",
    "new",
    "popular",
    "preview",
    "query",
    "random",
    "recent",
    "refresh",
    "register",
    "reset",
    "restore",
    "schema",
    "search",
    "self",
    "settings",
    "stats",
    "status",
    "stream",
    "suggest",
    "summary",
    "sync",
    "top",
    "trending",
    "trigger",
    "update",
    "upload",
    "validate",
    "verify",
    "version",
];

/// Endings of files that a browser loads.
const ENDINGS: [&str; 22] = [
    "avif",
    "css",
    "eot",
    "gif",
    "ico",
    "jpeg",
    "jpg",
    "js",
    "map",
    "mjs",
    "mp3",
    "mp4",
    "otf",
    "png",
    "svg",
    "ttf",
    "wasm",
    "webm",
    "webmanifest",
    "webp",
    "woff",
    "woff2",
];

/// One distinct word. Compared by its place among all: the order is that of the texts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Word<'a> {
    place: u32,
    placeholder: bool,
    fixed: bool,
    file: bool,
    weight: f64,
    text: &'a str,
}

impl PartialEq for Word<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.place == other.place
    }
}

impl Eq for Word<'_> {}

impl PartialOrd for Word<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Word<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.place.cmp(&other.place)
    }
}

impl<'a> Word<'a> {
    fn new(place: usize, text: &'a str) -> Self {
        Self {
            place: u32::try_from(place).unwrap_or(u32::MAX),
            placeholder: is_placeholder(text),
            fixed: FIXED.binary_search(&text).is_ok(),
            file: is_file(text),
            weight: weight(text),
            text,
        }
    }

    /// As it is written.
    pub(super) fn text(&self) -> &'a str {
        self.text
    }

    /// `{id}` and its like.
    pub(super) fn is_placeholder(&self) -> bool {
        self.placeholder
    }

    /// No placeholder, and not nothing.
    pub(super) fn is_literal(&self) -> bool {
        !self.text.is_empty() && self.text != REST && !self.placeholder
    }

    /// Names a route rather than a value.
    pub(super) fn is_fixed(&self) -> bool {
        self.fixed
    }

    /// A file that a browser loads.
    pub(super) fn is_file(&self) -> bool {
        self.file
    }

    /// How much it looks like a value; see [`weight`].
    pub(super) fn weight(&self) -> f64 {
        self.weight
    }
}

/// All words of some paths, in their order.
#[derive(Debug, Default)]
pub(super) struct Words<'a>(Vec<Word<'a>>);

impl<'a> Words<'a> {
    /// Those of `texts`, and the slug's.
    pub(super) fn of(texts: impl Iterator<Item = &'a str>) -> Self {
        let mut all: Vec<&str> = texts.chain([SLUG]).collect();
        all.sort_unstable();
        all.dedup();
        Self(all.into_iter().enumerate().map(|(place, text)| Word::new(place, text)).collect())
    }

    /// The word of a text that is one of them.
    pub(super) fn get(&self, text: &'a str) -> Word<'a> {
        let place = self.0.binary_search_by(|word| word.text.cmp(text));
        place.ok().and_then(|at| self.0.get(at)).copied().unwrap_or_else(|| Word::new(self.0.len(), text))
    }
}

fn is_file(segment: &str) -> bool {
    segment.rsplit_once('.').is_some_and(|(name, ending)| !name.is_empty() && ENDINGS.binary_search(&ending).is_ok())
}

/// How much a segment looks like a value: a plain word 1, words joined by dashes 1.5, three or more 2.5, what no route is
/// called (escapes, brackets, commas, digits among letters) 4.
fn weight(segment: &str) -> f64 {
    if is_word(segment) {
        return 1.0;
    }
    let digits = segment.bytes().filter(u8::is_ascii_digit).count();
    let letters = segment.bytes().filter(u8::is_ascii_alphabetic).count();
    let strange = segment.bytes().any(|b| b"%(),;:@!$'*+=&~".contains(&b));
    let leading = segment.starts_with(|c: char| c.is_ascii_digit()) && letters > 0;
    if strange || (digits >= 3 && letters > 0) || leading {
        return 4.0;
    }
    match segment.bytes().filter(|b| *b == b'-').count() {
        0 => 1.0,
        1 => 1.5,
        _ => 2.5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn word_lists_are_sorted() {
        for list in [&FIXED[..], &ENDINGS[..]] {
            assert!(list.is_sorted(), "{list:?}");
        }
    }

    #[test]
    fn words_are_ordered_as_their_texts_and_the_same_text_is_the_same_word() {
        let texts = ["users", "{id}", "", "me", "users", "a.css", "Z"];
        let words = Words::of(texts.into_iter());
        for a in texts {
            for b in texts.into_iter().chain([SLUG]) {
                assert_eq!(a.cmp(b), words.get(a).cmp(&words.get(b)), "{a} {b}");
            }
        }
    }
}
