//! Which written forms a source's lines have, and how its figures are to be read, from its first lines.
//!
//! Decided once per source, before it is cut over threads: afterwards a line is what its form and its bytes say. Knows
//! names (`--format`) and settings; the reading itself is `reader`'s.

use super::Verdict;
use super::access::Reading;
use super::access::Unit;
use super::clf;
use super::fields::Names;
use super::head;
use super::reader::Reader;
use memchr::memchr;
use memchr::memmem;
use serde::Deserialize;
use serde::Serialize;
use std::sync::Arc;

/// How many lines at the head of a source are looked at.
pub const SAMPLE: usize = 200;

/// One written form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Kind {
    /// uvicorn's access line, under gunicorn too.
    Uvicorn,
    /// uvicorn's lines as `fastapi run` and `fastapi dev` print them.
    Rich,
    /// gunicorn's own access log.
    Gunicorn,
    /// hypercorn's access log.
    Hypercorn,
    /// granian's own form.
    Granian,
    /// daphne's access log.
    Daphne,
    /// The common log format.
    Common,
    /// The combined log format.
    Combined,
    /// Combined with what nginx puts behind it.
    Nginx,
    /// JSON lines.
    Json,
    /// `key=value` lines.
    Logfmt,
    /// loguru's text.
    Loguru,
    /// structlog's console.
    Structlog,
    /// Lines of pasted timing middlewares.
    Timing,
    /// The user's own format.
    Custom,
}

impl Kind {
    /// Every kind that `--format` can name.
    pub const NAMED: [Self; 13] = [
        Self::Uvicorn,
        Self::Gunicorn,
        Self::Hypercorn,
        Self::Granian,
        Self::Daphne,
        Self::Common,
        Self::Combined,
        Self::Nginx,
        Self::Json,
        Self::Logfmt,
        Self::Loguru,
        Self::Structlog,
        Self::Timing,
    ];

    /// The name in `--format` and in the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Uvicorn | Self::Rich => "uvicorn",
            Self::Gunicorn => "gunicorn",
            Self::Hypercorn => "hypercorn",
            Self::Granian => "granian",
            Self::Daphne => "daphne",
            Self::Common => "common",
            Self::Combined => "combined",
            Self::Nginx => "nginx",
            Self::Json => "json",
            Self::Logfmt => "logfmt",
            Self::Loguru => "loguru",
            Self::Structlog => "structlog",
            Self::Timing => "timing",
            Self::Custom => "custom",
        }
    }

    /// Whether its lines hold a message that may itself be of another form.
    pub(super) fn packs(self) -> bool {
        matches!(self, Self::Json | Self::Logfmt | Self::Loguru | Self::Structlog | Self::Custom)
    }

    /// The kind called so in `--format`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMED.into_iter().find(|kind| kind.name() == name)
    }
}

/// What the user says about a source before it is looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// `--format NAME`: the main form; the others are still tried on lines that it does not take.
    pub forced: Option<Kind>,
    /// `[fields] latency_unit`: for durations without a name.
    pub bare_unit: Option<Unit>,
    /// The names of fields, the user's own among them; `[fields] latency_unit` is to be told to them as well.
    pub names: Arc<Names>,
}

/// The forms of one source, and how its figures are to be read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Form {
    /// The forms that occurred, most frequent first, those that only carried messages last; empty where nothing was
    /// understood.
    pub kinds: Vec<Kind>,
    /// How figures are read.
    pub reading: Reading,
    /// Lines of the sample that look like access lines, understood or not.
    pub candidates: u32,
    /// Those of them that a form took as a request.
    pub understood: u32,
}

impl Form {
    /// The forms' names in the contract's words, most frequent first, each once.
    pub fn names(&self) -> Vec<&'static str> {
        let mut names = Vec::new();
        for kind in &self.kinds {
            if !names.contains(&kind.name()) {
                names.push(kind.name());
            }
        }
        names
    }

    /// Share of the sample's access-like lines that were understood, 0 to 1; `None` where there were none.
    pub fn sure(&self) -> Option<f64> {
        (self.candidates > 0).then(|| f64::from(self.understood) / f64::from(self.candidates))
    }
}

/// The form of a source whose first lines, unwrapped, are `sample` (those beyond [`SAMPLE`] are not looked at).
pub fn detect(sample: &[&[u8]], settings: &Settings) -> Form {
    let sample = sample.get(..SAMPLE).unwrap_or(sample);
    let reading = Reading {
        bare_unit: settings.bare_unit,
        day_first: day_first(sample),
        named_tail: named_tail(sample),
        no_users: no_users(sample),
    };
    let mut reader = Reader::new(&Form { reading, ..Form::default() }, &settings.names);
    let gunicorn = sample.iter().any(|line| memmem::find(line, b"Starting gunicorn").is_some());
    let mut counts: Vec<(Kind, u32)> = Vec::new();
    let mut packed: Vec<(Kind, u32)> = Vec::new();
    let (mut candidates, mut understood) = (0, 0);
    for line in sample {
        let (kind, verdict) = reader.which(line);
        candidates += u32::from(verdict != Verdict::NotMine || looks_like_access(line));
        match kind {
            Some(kind) if verdict == Verdict::Request => {
                understood += 1;
                count(&mut counts, if kind == Kind::Combined { variant(line, gunicorn) } else { kind });
            }
            // other dressings of a message are too common in prose to name a source by
            Some(kind @ (Kind::Json | Kind::Loguru)) => count(&mut packed, kind),
            _ => {}
        }
    }
    // one mark of nginx settles what all combined lines beside it are
    if let (Some(nginx), Some(combined)) = (place(&counts, Kind::Nginx), place(&counts, Kind::Combined)) {
        let (_, more) = counts.swap_remove(combined);
        let nginx = if nginx == counts.len() { combined } else { nginx };
        if let Some((_, count)) = counts.get_mut(nginx) {
            *count += more;
        }
    }
    counts.sort_by_key(|&(kind, count)| (std::cmp::Reverse(count), kind));
    packed.sort_by_key(|&(kind, count)| (std::cmp::Reverse(count), kind));
    let mut kinds: Vec<Kind> = counts.into_iter().map(|(kind, _)| kind).collect();
    for (kind, _) in packed {
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    if let Some(forced) = settings.forced {
        kinds.retain(|kind| *kind != forced);
        kinds.insert(0, forced);
    }
    Form { kinds, reading, candidates, understood }
}

fn count(counts: &mut Vec<(Kind, u32)>, kind: Kind) {
    match counts.iter_mut().find(|(known, _)| *known == kind) {
        Some((_, count)) => *count += 1,
        None => counts.push((kind, 1)),
    }
}

fn place(counts: &[(Kind, u32)], kind: Kind) -> Option<usize> {
    counts.iter().position(|(known, _)| *known == kind)
}

/// Which of the forms that are read as combined a line has.
pub(super) fn variant(line: &[u8], gunicorn: bool) -> Kind {
    let has = |needle: &[u8]| memmem::find(line, needle).is_some();
    if has(b" 1.1\" ") || has(b" 1.0\" ") || has(b" 2\" ") || has(b" 3\" ") {
        Kind::Hypercorn
    } else if gunicorn {
        Kind::Gunicorn
    } else if clf::has_named_tail(line) || has(b"\\x22") || clf::ends_in_cache_word(line) {
        Kind::Nginx
    } else if memchr::memchr_iter(b'"', line).count() > 2 {
        Kind::Combined
    } else {
        Kind::Common
    }
}

/// A quoted text with a protocol at its end: what most access lines hold, whatever their form.
pub fn looks_like_access(line: &[u8]) -> bool {
    memmem::find(line, b" HTTP/").is_some_and(|at| line.get(..at).is_some_and(|before| memchr(b'"', before).is_some()))
        && !line.starts_with(b" ")
}

/// Whether dates like `22/11/2026` begin with the day: settled by a number above 12 only, and by nothing where the
/// sample contradicts itself.
fn day_first(sample: &[&[u8]]) -> Option<bool> {
    let mut found = None;
    for line in sample {
        let date = line.strip_prefix(b"[").unwrap_or(line);
        if head::slashed(date, None).is_none() {
            continue;
        }
        let settled = match head::numbers(date) {
            Some((first, _)) if first > 12 => true,
            Some((_, second)) if second > 12 => false,
            _ => continue,
        };
        if found.is_some_and(|known| known != settled) {
            return None;
        }
        found = Some(settled);
    }
    found
}

/// Whether at least half of the lines that end behind two or more quoted texts end in named figures.
fn named_tail(sample: &[&[u8]]) -> bool {
    let quoted = sample.iter().filter(|line| memchr::memchr_iter(b'"', line).count() > 3).count();
    let named = sample.iter().filter(|line| clf::has_named_tail(line)).count();
    named > 0 && named * 2 >= quoted
}

/// Whether clients are written with their port, which only servers without users do.
fn no_users(sample: &[&[u8]]) -> bool {
    sample.iter().any(|line| {
        let mark = memmem::find(line, b" - - [");
        mark.and_then(|at| line.get(..at)).is_some_and(|head| clf::has_port(head.rsplit(|&b| b == b' ').next().unwrap_or(head)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::Record;

    const UVICORN: &[u8] = b"INFO:     127.0.0.1:5 - \"GET / HTTP/1.1\" 200 OK";
    const NGINX: &[u8] =
        b"127.0.0.1 - - [23/Nov/2026:00:52:33 +0000] \"GET /p HTTP/1.1\" 200 45 \"-\" \"curl/8.5.0\" 0.035 0.036 MISS";
    const NAMED: &[u8] =
        b"127.0.0.1 - - [23/Nov/2026:00:52:33 +0000] \"GET /p HTTP/1.1\" 200 45 \"-\" \"x\" \"::1\" rt=0.035 uct=\"0.001\" urt=\"0.036\" ucs=MISS rid=364df51d";
    const COMBINED: &[u8] = b"127.0.0.1 - - [23/Nov/2026:00:47:16 +0000] \"GET / HTTP/1.1\" 200 13 \"-\" \"kube-probe/1.29\"";
    const COMMON: &[u8] = b"127.0.0.1 - - [23/Nov/2026:00:47:16 +0000] \"GET / HTTP/1.1\" 200 13";
    const GRANIAN: &[u8] = b"[2026-11-23 00:36:37 +0000] 127.0.0.1 - \"GET / HTTP/1.1\" 404 100.630";
    const HYPERCORN: &[u8] =
        b"[2026-11-23 00:36:21 +0000] [7944] [INFO] 127.0.0.1:39906 - - [23/Nov/2026:00:36:21 +0000] \"GET /health 1.1\" 200 33 \"-\" \"x\"";
    const DAPHNE: &[u8] = b"127.0.0.1:47788 - - [23/Nov/2026:00:38:41] \"GET /export/orders.csv\" 403 31";
    const RICH: &[u8] = " ▕  127.0.0.1:40362 - \"GET /products/530 HTTP/1.1\" 200".as_bytes();
    const STARTING: &[u8] = b"[2026-11-23 00:47:16 +0000] [1] [INFO] Starting gunicorn 27.0.1";

    #[test]
    fn each_form_is_recognised_by_its_lines() {
        for (names, sample) in [
            (vec!["uvicorn"], vec![UVICORN, b"order placed by u1"]),
            (vec!["nginx"], vec![NGINX]),
            (vec!["nginx"], vec![NAMED]),
            (vec!["combined"], vec![COMBINED]),
            (vec!["gunicorn"], vec![STARTING, COMBINED, COMBINED]),
            (vec!["common"], vec![COMMON]),
            (vec!["granian"], vec![GRANIAN]),
            (vec!["hypercorn"], vec![HYPERCORN]),
            (vec!["daphne"], vec![DAPHNE]),
            (vec!["uvicorn"], vec![RICH, UVICORN]),
            (vec!["granian", "uvicorn"], vec![UVICORN, GRANIAN, GRANIAN]),
            (vec![], vec![b"order placed by u1", b""]),
        ] {
            assert_eq!(names, detect(&sample, &Settings::default()).names(), "{:?}", sample.first());
        }
    }

    #[test]
    fn a_forced_form_stands_first_and_the_rest_is_still_read() {
        let settings = Settings { forced: Some(Kind::Granian), ..Settings::default() };
        let form = detect(&[UVICORN, UVICORN], &settings);
        assert_eq!(vec!["granian", "uvicorn"], form.names());
        let mut reader = Reader::new(&form, &Arc::default());
        assert_eq!(Verdict::Request, reader.read(UVICORN, &mut Record::default()));
        assert_eq!(Some(Kind::Nginx), Kind::from_name("nginx"));
        assert_eq!(None, Kind::from_name("apache"));
    }

    #[test]
    fn the_order_of_day_and_month_is_settled_by_a_number_above_twelve_only() {
        let of = |lines: &[&'static str]| day_first(&lines.iter().map(|l| l.as_bytes()).collect::<Vec<_>>());
        assert_eq!(Some(true), of(&["05/11/2026 07:34:34 PM x", "22/11/2026 07:34:34 PM x"]));
        assert_eq!(Some(false), of(&["[11/22/2026 07:34:34] x"]));
        assert_eq!(None, of(&["05/11/2026 07:34:34 PM x"]));
        assert_eq!(None, of(&["22/11/2026 07:34:34 x", "11/22/2026 07:34:34 x"]));
    }

    #[test]
    fn lines_that_are_not_understood_lower_how_sure_the_form_is() {
        let odd: &[u8] = b"served \"GET /x HTTP/1.1\" with joy";
        assert_eq!(Some(0.5), detect(&[UVICORN, odd, b"hello"], &Settings::default()).sure());
        assert_eq!(None, detect(&[b"hello"], &Settings::default()).sure());
    }

    #[test]
    fn what_a_line_is_does_not_depend_on_the_lines_before_it() {
        let lines = [UVICORN, NGINX, NAMED, COMBINED, COMMON, GRANIAN, HYPERCORN, DAPHNE, RICH, STARTING];
        let form = detect(&lines, &Settings::default());
        let fresh: Vec<String> = lines.iter().map(|line| shown(&mut Reader::new(&form, &Arc::default()), line)).collect();
        let mut reader = Reader::new(&form, &Arc::default());
        for _ in 0..2 {
            let again: Vec<String> = lines.iter().map(|line| shown(&mut reader, line)).collect();
            assert_eq!(fresh, again);
        }
    }

    fn shown(reader: &mut Reader, line: &[u8]) -> String {
        let mut out = Record::default();
        let verdict = reader.read(line, &mut out);
        format!("{verdict:?} {out:?}")
    }
}
