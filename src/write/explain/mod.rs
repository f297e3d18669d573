//! What was made of each source, line by line: the pages of `explain`, as text and as JSON (`vitalog.explain/1`).
//!
//! [`Explained`] is what the pages are made from; who walks the sources fills it in. Lines in it are redacted already,
//! and pass through `figures` once more here. The changes that `--fix` prints stand in `fix.rs`.

pub mod fix;

mod json;
mod text;

pub use json::json;
pub use text::text;

use crate::stats::intake::Kinds;
use crate::stats::summary::Unavailable;

/// All sources that were explained.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Explained {
    /// In the order they were read, those that could not be read included.
    pub sources: Vec<Source>,
}

impl Explained {
    /// Whether anything in it was understood: a request, the server speaking of itself, or a traceback.
    pub fn understood(&self) -> bool {
        self.sources.iter().any(|source| {
            let kinds = &source.kinds;
            source.snapshot || kinds.request + kinds.companion + kinds.lifecycle + kinds.traceback > 0
        })
    }

    /// Whether a source could not be read (to its end).
    pub fn unread(&self) -> bool {
        self.sources.iter().any(|source| source.error.is_some())
    }
}

/// One source.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Source {
    /// As given or found.
    pub path: String,
    /// It is a snapshot file: nothing to explain.
    pub snapshot: bool,
    /// The wrappers taken off, outermost first, joined by `+`.
    pub wrapper: Option<String>,
    /// The written forms, most frequent first, joined by `+`; `None` where nothing was understood.
    pub format: Option<String>,
    /// Of the lines at its head that look like access lines, the share that was understood, 0 to 1.
    pub sure: Option<f64>,
    /// Of all lines about requests, the broken ones and those no form reads included, the share that was understood.
    pub understood: Option<f64>,
    /// The services its lines belong to; empty where nothing names one.
    pub services: Vec<String>,
    /// `edge` or `app`.
    pub layer: &'static str,
    /// Lines of one request are put together: by their ids, or by their places.
    pub pairs: bool,
    /// Lines by kind.
    pub kinds: Kinds,
    /// Bytes after decompression.
    pub bytes: u64,
    /// Where its times come from: `line`, `wrapper` or `none`.
    pub time_source: &'static str,
    /// The zone that stamps without one were read in, if there were any.
    pub zone_assumed: Option<String>,
    /// One example of every kind of line, in the order of the kinds.
    pub examples: Vec<Example>,
    /// The first broken lines.
    pub malformed: Vec<Place>,
    /// Broken lines by reason, in the order of the reasons.
    pub reasons: Vec<(&'static str, u64)>,
    /// Figures that it cannot give.
    pub unavailable: Vec<Unavailable>,
    /// Why it could not be read (to its end).
    pub error: Option<String>,
}

/// One kind of line.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Example {
    /// `request`, `companion`, `lifecycle`, `traceback`, `message`, or `unread` for text that looks like an access line
    /// and that no form reads (counted as a message).
    pub kind: &'static str,
    /// The written form, where one takes it.
    pub format: Option<&'static str>,
    /// So many lines are of this kind and form.
    pub lines: u64,
    /// The line's number in the source, from 1.
    pub line: u64,
    /// Where it begins, in bytes of the unpacked source.
    pub offset: u64,
    /// The line, redacted.
    pub text: String,
    /// What it tells of a request; `None` for other kinds.
    pub fields: Option<Fields>,
    /// What else was seen in it: what the server did, what was raised.
    pub seen: Option<String>,
}

/// What a line tells of a request. `None` and false where it does not.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fields {
    /// The method; `-` where it names none.
    pub method: String,
    /// The path's route, and where that name comes from.
    pub route: Option<(String, &'static str)>,
    /// The status; `-` for no answer.
    pub status: Option<String>,
    /// The size of the answer.
    pub bytes: Option<u64>,
    /// How long it took.
    pub latency: Option<Read>,
    /// Whose time it has: `line`, `wrapper`, or `neighbour` (the last time before it).
    pub time: Option<&'static str>,
    /// It names the request's id.
    pub request_id: bool,
    /// Somebody was logged in, or nobody.
    pub logged_in: Option<bool>,
    /// What a cache said.
    pub cache: Option<&'static str>,
    /// The application's version.
    pub version: Option<String>,
}

/// How a latency was read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Read {
    /// In microseconds.
    pub us: u64,
    /// The unit: `ns`, `us`, `ms` or `s`; `None` where the value tells its own or several would do.
    pub unit: Option<&'static str>,
    /// `headers`, `last byte`, or `None` where the form does not tell.
    pub ends: Option<&'static str>,
}

/// A broken line.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Place {
    /// Its number in the source, from 1.
    pub line: u64,
    /// Where it begins, in bytes of the unpacked source.
    pub offset: u64,
    /// Why, in the report's words.
    pub reason: &'static str,
    /// The line, redacted.
    pub text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained() -> Explained {
        let fields = Fields {
            method: "GET".to_owned(),
            route: Some(("/items/{id}".to_owned(), "learned")),
            status: Some("200".to_owned()),
            latency: Some(Read { us: 12_345, unit: Some("ms"), ends: Some("last byte") }),
            time: Some("line"),
            ..Fields::default()
        };
        let kinds = Kinds { request: 98, message: 1, malformed: 2, ..Kinds::default() };
        let missing = Unavailable {
            figure: "version",
            because: "no line names it".to_owned(),
            enable_with: "the change that --fix prints".to_owned(),
        };
        Explained {
            sources: vec![
                Source {
                    path: "app.log".to_owned(),
                    wrapper: Some("docker".to_owned()),
                    format: Some("granian".to_owned()),
                    sure: Some(1.0),
                    understood: Some(0.98),
                    layer: "app",
                    kinds,
                    time_source: "line",
                    examples: vec![Example {
                        kind: "request",
                        format: Some("granian"),
                        lines: 98,
                        line: 3,
                        offset: 210,
                        text: "- - \"GET /items/{id} HTTP/1.1\" 200 12.345".to_owned(),
                        fields: Some(fields),
                        seen: None,
                    }],
                    malformed: vec![Place { line: 7, offset: 812, reason: "cut", text: "- - \"GE\u{1b}".to_owned() }],
                    reasons: vec![("cut", 2)],
                    unavailable: vec![missing],
                    ..Source::default()
                },
                Source {
                    path: "gone.log".to_owned(),
                    layer: "app",
                    error: Some("no such file".to_owned()),
                    ..Source::default()
                },
            ],
        }
    }

    #[test]
    fn the_text_tells_what_each_kind_of_line_was_taken_for() {
        let mut out = Vec::new();
        text(&explained(), crate::write::text::Look::default(), &mut out).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r##"
        app.log
          wrapper    docker
          format     granian (100 % of its first access lines understood, 98.0 % of all)
          service    none named · layer app
          time       of the lines
          read       101 lines (0 B): 98 requests, 1 messages, 2 malformed

          request    98 lines · granian · here line 3
                     - - "GET /items/{id} HTTP/1.1" 200 12.345
                     method GET · route /items/{id} (learned) · status 200 · latency
                     12.3 ms (read in ms, ends at the last byte) · time of the line

          malformed  2 lines: 2 cut
                     line 7, byte 812: cut
                       - - "GE�
                     and 1 more

          impossible version: no line names it
                       → the change that --fix prints

        gone.log
          unreadable no such file
        "##);
    }

    #[test]
    fn the_json_has_its_schema_and_lets_no_control_character_through() {
        let mut out = Vec::new();
        json(&explained(), &mut out).unwrap();
        let object: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!("vitalog.explain/1", object["schema"]);
        assert_eq!(12_345, object["sources"][0]["examples"][0]["fields"]["latency"]["us"]);
        assert_eq!("last byte", object["sources"][0]["examples"][0]["fields"]["latency"]["ends"]);
        assert_eq!(812, object["sources"][0]["malformed"][0]["offset"]);
        assert_eq!("- - \"GE\u{fffd}", object["sources"][0]["malformed"][0]["text"]);
        assert_eq!("no such file", object["sources"][1]["error"]);
    }

    #[test]
    fn a_source_of_messages_alone_is_not_understood() {
        let of = |kinds| Explained { sources: vec![Source { kinds, ..Source::default() }] }.understood();
        assert!(!of(Kinds { message: 5, malformed: 2, ..Kinds::default() }));
        assert!(of(Kinds { traceback: 1, ..Kinds::default() }));
    }
}
