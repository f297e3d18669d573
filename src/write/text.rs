//! The report for people at a terminal.
//!
//! The lines that matter stand on top: health with its reasons, requests, errors, latency, the period, and what this
//! log cannot tell. Then come the parts that have something to say, the worst first. What the input cannot fill is
//! left out. Fits 80 columns and uses more where there are more.

mod head;
mod sections;
pub(crate) mod table;

use std::io;

use crate::write::Report;
use crate::write::figures::counted;
use crate::write::figures::width;
use table::Tone;
use table::paint;
use table::wrap;

/// How the page should look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Columns of the terminal; 80 where there is none. Below 40 counts as 40.
    pub width: usize,
    /// Whether to colour.
    pub colour: bool,
}

impl Default for Look {
    fn default() -> Self {
        Self { width: 80, colour: false }
    }
}

/// Writes the report as text.
pub fn text(report: &Report, look: Look, out: &mut impl io::Write) -> io::Result<()> {
    let mut page = Page::new(look);
    let input = &report.summary.input;
    if input.lines == 0 && input.sources.iter().all(|s| s.error.is_none()) {
        let sources = counted(input.sources.len() as u64, "source");
        page.line(&format!("Nothing to report: the input is empty (no line in {sources})."));
    } else {
        head::head(report, &mut page);
        sections::sections(&report.summary, report, &mut page);
    }
    out.write_all(page.text.as_bytes())
}

/// The page as it grows.
pub(super) struct Page {
    pub(super) look: Look,
    pub(super) text: String,
}

impl Page {
    pub(super) fn new(look: Look) -> Self {
        Self { look: Look { width: look.width.max(40), ..look }, text: String::new() }
    }

    pub(super) fn line(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }

    pub(super) fn paint(&self, tone: Tone, text: &str) -> String {
        paint(self.look.colour, tone, text)
    }

    /// A heading, with what explains it.
    pub(super) fn title(&mut self, title: &str, note: &str) {
        let note = if note.is_empty() { String::new() } else { format!("  {note}") };
        let line = format!("\n{}{}", self.paint(Tone::Strong, title), self.paint(Tone::Quiet, &note));
        self.line(&line);
    }

    /// `text` broken to the page's width, behind `first` on its first line and as deep on the others.
    pub(super) fn paragraph(&mut self, first: &str, tone: Tone, text: &str) {
        let depth = width(first);
        for (at, part) in wrap(text, self.look.width.saturating_sub(depth).max(20)).iter().enumerate() {
            let lead = if at == 0 { first.to_owned() } else { " ".repeat(depth) };
            let line = format!("{lead}{}", self.paint(tone, part));
            self.line(&line);
        }
    }

    /// A name and what is to be said of it, the names in one column.
    pub(super) fn entry(&mut self, name: &str, text: &str) {
        self.paragraph(&format!("  {name:<11}"), Tone::Plain, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::write::example;

    fn page(report: &Report, width: usize) -> String {
        let mut out = Vec::new();
        text(report, Look { width, colour: false }, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn eighty_columns_hold_what_matters() {
        insta::assert_snapshot!(page(&example::full(), 80), @r##"
        ● UNHEALTHY
          - promise 'available' (99.9 %) broken: 25 of 4,293 requests failed (0.58 %,
            allowed 0.1 %), 2026-11-23 00:36:48 to 00:48:51 UTC

          requests   4,293 (5.9/s)
          errors     25 (0.58 %) · 120 client errors (4xx) · 3 aborted by the client
          latency    p50 12.3 ms · p95 73.8 ms · p99 123 ms · max 246 ms
          period     2026-11-23 00:36:48 to 00:48:51 UTC (12 min 3 s, stamps without a
                     zone read as Europe/Berlin)
          sent       12.4 MiB

        Routes  worst first: most errors, then most time spent
          method     route                            requests  errors      p50      p95
          POST       /checkout                             412   6.1 %  47.5 ms   285 ms
          GET        /organisations/…ct}/issues/{id}     1,203       -  9.00 ms  54.0 ms
          WEBSOCKET  /live/{id}                             12       -        -        -
          GET        /health                               300       -   200 µs  1.20 ms

        Exceptions  most frequent first
          25  KeyError at shop/cart.py:88  new
              '…' is unknown · POST /checkout · 2026-11-23 00:37:53 to 00:48:48 UTC

        Findings  the gravest first
          warning  shop GET /items/{id}: 11.1 % of 90 look-ups were answered by the
                   cache
                   look at what varies the key

        Lifecycle
          1 start, 2 worker starts, 1 worker death
          2026-11-23 00:36:49 UTC  start         Listening at: http://[::]:8000
          2026-11-23 00:41:48 UTC  worker death  Worker (pid:17) was sent SIGKILL!

        Deploys
          2026-11-23 00:37:48 UTC  v1.4.2  option

        Versions
          version  requests  seen
          1.4.2       4,000  2026-11-23 00:37:48 to 00:48:51 UTC

        Input
          read       9,400 lines (1.72 MiB) from 2 sources: 4,593 requests, 4,000 second
                     lines of a request, 9 lifecycle, 600 traceback, 186 messages
          unreadable old.log.gz: permission denied
          malformed  12 lines: 8 cut, 4 status
          lost       2.00 KiB truncated away before they were read
          duplicates 1 part found twice, counted once
          undated    5 requests without a time: in totals, in no window
          late       2 requests out of order: in totals, in no window
          probes     300 requests to health probes, left out (--include-probes)
          web.log     docker > gunicorn  4,700 lines
          old.log.gz  docker > gunicorn  4,700 lines

        Not in this log
          version    no line names one
                     get it with: [fields] version
        "##);
    }

    #[test]
    fn what_the_log_cannot_fill_is_left_out() {
        insta::assert_snapshot!(page(&example::bare(), 80), @r##"
        ● HEALTHY

          requests   50
          errors     1 (2.0 %)
          missing    latency, time: not in this log ('vitalog explain --fix' prints what
                     adds them)
                     latency with a middleware that writes it
                     time with uvicorn --log-config log.yaml with %(asctime)s

        Routes  worst first: most errors, then most time spent
          method  route        requests  errors
          POST    /checkout          10  10.0 %
          GET     /items/{id}        40       -

        Input
          read       57 lines (4.00 KiB) from 1 source: 50 requests, 7 messages
          undated    50 requests without a time: in totals, in no window
          app.log  uvicorn  57 lines

        Not in this log
          latency    uvicorn's default line has none
                     get it with: a middleware that writes it
          time       uvicorn's default line has none
                     get it with: uvicorn --log-config log.yaml with %(asctime)s
        "##);
    }

    #[test]
    fn an_empty_input_says_so() {
        assert_eq!("Nothing to report: the input is empty (no line in 0 sources).\n", page(&Report::default(), 80));
    }

    #[test]
    fn a_wide_terminal_shows_more_columns() {
        let head = |width| page(&example::full(), width).lines().find(|l| l.contains("requests  errors")).unwrap().to_owned();
        assert!(!head(80).contains("max"));
        for column in ["p50", "p95", "p99", "max", "sent", "time"] {
            assert!(head(140).contains(column), "{column}");
        }
    }

    #[test]
    fn colour_is_there_only_where_it_is_asked_for() {
        let mut out = Vec::new();
        text(&example::full(), Look { width: 80, colour: true }, &mut out).unwrap();
        assert!(out.starts_with("\x1b[1;31m● UNHEALTHY\x1b[0m\n".as_bytes()));
        assert!(!page(&example::full(), 80).contains('\x1b'));
    }
}
