//! The explanation for people: a paragraph a source, an entry for each kind of line.

use std::io;

use super::Example;
use super::Explained;
use super::Fields;
use super::Source;
use crate::write::figures::bytes;
use crate::write::figures::clean;
use crate::write::figures::count;
use crate::write::figures::counted;
use crate::write::figures::duration;
use crate::write::figures::percent;
use crate::write::figures::width;
use crate::write::text::Look;
use crate::write::text::table::Tone;
use crate::write::text::table::paint;
use crate::write::text::table::wrap;

/// Writes the explanation as text, at least 40 columns wide.
pub fn text(explained: &Explained, look: Look, out: &mut impl io::Write) -> io::Result<()> {
    let mut page = Page { look: Look { width: look.width.max(40), ..look }, text: String::new() };
    for (at, source) in explained.sources.iter().enumerate() {
        if at > 0 {
            page.text.push('\n');
        }
        page.source(source);
    }
    if !explained.understood() && !explained.sources.is_empty() {
        page.text.push('\n');
        page.put("", Tone::Warn, "Nothing here is understood: no access line, no line of a server, no traceback. '--format' takes the server's own format string, '@FILE' with its configuration, or '/regex/' with named groups.");
    }
    out.write_all(page.text.as_bytes())
}

struct Page {
    look: Look,
    text: String,
}

impl Page {
    /// `text` broken to the page's width, behind `first` on its first line and as deep on the others.
    fn put(&mut self, first: &str, tone: Tone, text: &str) {
        let depth = width(first);
        for (at, part) in wrap(text, self.look.width.saturating_sub(depth).max(20)).iter().enumerate() {
            let lead = if at == 0 { first.to_owned() } else { " ".repeat(depth) };
            self.text.extend([lead.as_str(), &paint(self.look.colour, tone, part), "\n"]);
        }
    }

    fn entry(&mut self, name: &str, tone: Tone, text: &str) {
        self.put(&format!("  {name:<11}"), tone, text);
    }

    /// A line of a log as it stands, so many columns in: not broken, for its blanks may matter.
    fn line(&mut self, depth: usize, line: &str) {
        self.text.push_str(&" ".repeat(depth));
        self.text.push_str(clean(line).as_str());
        self.text.push('\n');
    }

    fn source(&mut self, source: &Source) {
        self.put("", Tone::Strong, clean(&source.path).as_str());
        if let Some(error) = &source.error {
            self.entry("unreadable", Tone::Bad, clean(error).as_str());
            if source.kinds.lines() == 0 {
                return;
            }
        }
        if source.snapshot {
            self.entry("snapshot", Tone::Plain, "figures that vitalog kept: there are no lines to explain");
            return;
        }
        self.heading(source);
        for example in &source.examples {
            self.example(example);
        }
        self.malformed(source);
        for (at, missing) in source.unavailable.iter().enumerate() {
            let name = if at == 0 { "impossible" } else { "" };
            self.entry(name, Tone::Plain, &format!("{}: {}", missing.figure.replace('_', " "), clean(&missing.because)));
            self.put("               ", Tone::Quiet, &format!("→ {}", clean(&missing.enable_with)));
        }
    }

    fn heading(&mut self, source: &Source) {
        let none = |text: &Option<String>| text.as_ref().map_or_else(|| "none".to_owned(), |t| clean(t).to_string());
        self.entry("wrapper", Tone::Plain, &none(&source.wrapper));
        let mut sure = Vec::new();
        if let Some(share) = source.sure {
            sure.push(format!("{} of its first access lines understood", percent(share)));
        }
        if let Some(share) = source.understood {
            sure.push(format!("{} of all", percent(share)));
        }
        let sure = if sure.is_empty() { String::new() } else { format!(" ({})", sure.join(", ")) };
        self.entry("format", Tone::Plain, &format!("{}{sure}", none(&source.format)));
        let services: Vec<String> = source.services.iter().map(|s| clean(s).to_string()).collect();
        let services = if services.is_empty() { "none named".to_owned() } else { services.join(", ") };
        self.entry("service", Tone::Plain, &format!("{services} · layer {}", source.layer));
        let zone = source.zone_assumed.as_ref().map(|z| format!(", stamps without a zone read as {}", clean(z)));
        let time = match source.time_source {
            "line" => "of the lines",
            "wrapper" => "of the wrapper",
            _ => "none",
        };
        self.entry("time", Tone::Plain, &format!("{time}{}", zone.unwrap_or_default()));
        let kinds = &source.kinds;
        let kinds = [
            (kinds.request, "requests"),
            (kinds.companion, "second lines of a request"),
            (kinds.lifecycle, "lifecycle"),
            (kinds.traceback, "traceback"),
            (kinds.message, "messages"),
            (kinds.malformed, "malformed"),
        ];
        let kinds: Vec<String> =
            kinds.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{} {what}", count(*n))).collect();
        let read = format!("{} ({})", counted(source.kinds.lines(), "line"), bytes(source.bytes));
        self.entry("read", Tone::Plain, &if kinds.is_empty() { read } else { format!("{read}: {}", kinds.join(", ")) });
    }

    fn example(&mut self, example: &Example) {
        self.text.push('\n');
        let format = example.format.map(|f| format!(" · {f}")).unwrap_or_default();
        let what = if example.kind == "unread" { " · looks like an access line, but no form reads it" } else { "" };
        let place = format!("{}{format}{what} · here line {}", counted(example.lines, "line"), count(example.line));
        self.entry(example.kind, if example.kind == "unread" { Tone::Warn } else { Tone::Quiet }, &place);
        self.line(13, &example.text);
        if let Some(fields) = &example.fields {
            self.entry("", Tone::Good, &told(fields).join(" · "));
        }
        if let Some(seen) = &example.seen {
            self.entry("", Tone::Good, clean(seen).as_str());
        }
    }

    fn malformed(&mut self, source: &Source) {
        if source.kinds.malformed == 0 {
            self.text.push('\n');
            return;
        }
        self.text.push('\n');
        let reasons: Vec<String> = source.reasons.iter().map(|(why, n)| format!("{} {why}", count(*n))).collect();
        let all = format!("{}: {}", counted(source.kinds.malformed, "line"), reasons.join(", "));
        self.entry("malformed", Tone::Warn, &all);
        for place in &source.malformed {
            self.entry("", Tone::Quiet, &format!("line {}, byte {}: {}", count(place.line), count(place.offset), place.reason));
            self.line(15, &place.text);
        }
        let rest = source.kinds.malformed.saturating_sub(source.malformed.len() as u64);
        if rest > 0 {
            self.entry("", Tone::Quiet, &format!("and {} more", count(rest)));
        }
        self.text.push('\n');
    }
}

/// The fields as words, those a line does not tell left out but for the two that matter most.
fn told(fields: &Fields) -> Vec<String> {
    let mut told = vec![format!("method {}", clean(&fields.method))];
    if let Some((route, by)) = &fields.route {
        told.push(format!("route {} ({by})", clean(route)));
    }
    if let Some(status) = &fields.status {
        told.push(format!("status {status}"));
    }
    if let Some(size) = fields.bytes {
        told.push(bytes(size));
    }
    told.push(match &fields.latency {
        None => "no latency".to_owned(),
        Some(read) => {
            let unit = read.unit.map_or_else(|| "unit as written".to_owned(), |u| format!("read in {u}"));
            let ends = match read.ends {
                Some("headers") => ", ends at the headers",
                Some(_) => ", ends at the last byte",
                None => ", where it ends is not told",
            };
            format!("latency {} ({unit}{ends})", duration(read.us))
        }
    });
    told.push(match fields.time {
        None => "no time".to_owned(),
        Some("neighbour") => "time of the line before".to_owned(),
        Some(whose) => format!("time of the {whose}"),
    });
    if fields.request_id {
        told.push("request id".to_owned());
    }
    if let Some(logged_in) = fields.logged_in {
        told.push(if logged_in { "logged in" } else { "not logged in" }.to_owned());
    }
    if let Some(cache) = fields.cache {
        told.push(format!("cache {cache}"));
    }
    if let Some(version) = &fields.version {
        told.push(format!("version {}", clean(version)));
    }
    told
}
