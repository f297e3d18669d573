//! Which wrappers lie around the lines of a source, and taking them off.
//!
//! The first lines decide once per source, layer by layer from the outermost; each wrapper's form is its own file's. A
//! line that lacks a wrapper the source has is taken as it stands. What comes out is a function of the wrappers found,
//! of what is [`Held`], and of the line.

use crate::line::Broken;
use crate::line::Hint;
use crate::line::Line;
use crate::line::Off;
use crate::line::Peeled;
use crate::line::ansi;
use crate::line::cri;
use crate::line::docker;
use crate::line::hosted;
use crate::line::join::Held;
use crate::line::join::Joined;
use crate::line::join::Open;
use crate::line::journald;
use crate::line::pods;
use crate::line::prefix;
use crate::line::syslog;
use crate::time::Stamp;
use crate::time::Timestamp;

/// The most wrappers around one line.
const DEEPEST: usize = 4;
/// The most lines of a source that are looked at to find its wrappers.
pub const SAMPLE: usize = 200;

/// One kind of wrapper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Docker,
    Journald,
    Cri,
    Kubectl,
    Heroku,
    Syslog,
    /// journalctl's short forms: syslog's, under another name.
    JournaldShort,
    Pm2,
    Honcho,
    Supervisor,
    Compose,
    Stern,
    AwsLogs,
    /// A time before each line, which kubectl, stern and compose write when asked to.
    Timestamps,
}

/// In the order in which they are looked for, with the share of lines (percent) that must have it: the less telling
/// a form is, the more.
const KINDS: [(Kind, usize); 13] = [
    (Kind::Docker, 50),
    (Kind::Journald, 50),
    (Kind::Cri, 50),
    (Kind::Kubectl, 50),
    (Kind::Heroku, 60),
    (Kind::Syslog, 50),
    (Kind::Pm2, 60),
    (Kind::Honcho, 60),
    (Kind::Supervisor, 60),
    (Kind::Compose, 60),
    (Kind::Stern, 90),
    (Kind::AwsLogs, 90),
    (Kind::Timestamps, 90),
];

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Journald | Self::JournaldShort => "journald",
            Self::Cri => "cri",
            Self::Kubectl | Self::Timestamps => "kubectl",
            Self::Heroku => "heroku",
            Self::Syslog => "syslog",
            Self::Pm2 => "pm2",
            Self::Honcho => "honcho",
            Self::Supervisor => "supervisor",
            Self::Compose => "compose",
            Self::Stern => "stern",
            Self::AwsLogs => "awslogs",
        }
    }

    fn peel<'a>(self, text: &'a [u8], scratch: &'a mut Vec<u8>) -> Off<'a> {
        match self {
            Self::Docker => docker::peel(text, scratch),
            Self::Journald => journald::peel(text, scratch),
            Self::Cri => cri::peel(text),
            Self::Kubectl => pods::kubectl(text),
            Self::Heroku => hosted::heroku(text, scratch),
            Self::Syslog | Self::JournaldShort => syslog::peel(text),
            Self::Pm2 => prefix::pm2(text),
            Self::Honcho => prefix::honcho(text),
            Self::Supervisor => prefix::supervisor(text),
            Self::Compose => prefix::compose(text),
            Self::Stern => pods::stern(text),
            Self::AwsLogs => hosted::awslogs(text),
            Self::Timestamps => pods::timestamps(text),
        }
    }

    /// True where the text inside was written with escapes, so that colours may appear only now.
    fn hides_colours(self) -> bool {
        matches!(self, Self::Docker | Self::Journald)
    }
}

/// One wrapper and the room its work needs.
#[derive(Debug, Clone)]
struct Layer {
    kind: Kind,
    text: Vec<u8>,
    joined: Vec<u8>,
    plain: Vec<u8>,
    name: Vec<u8>,
}

/// Takes the wrappers of one source off its lines. Its clones are for other shares of the same source.
#[derive(Debug, Clone, Default)]
pub struct Unwrapper {
    /// The outermost first.
    layers: Vec<Layer>,
    plain: Vec<u8>,
    held: Held,
    /// The open line that is being finished.
    last: Open,
}

impl Unwrapper {
    /// For a source whose lines are bare.
    pub fn none() -> Self {
        Self::default()
    }

    /// Looks for wrappers in the first lines of a source, without their line ends; of more than [`SAMPLE`] the first.
    pub fn detect(sample: &[&[u8]]) -> Self {
        let mut lines: Vec<Vec<u8>> = Vec::new();
        for raw in sample.iter().take(SAMPLE) {
            let mut line = Vec::new();
            ansi::strip(raw, &mut line);
            lines.push(line);
        }
        let mut found = Self::none();
        while found.layers.len() < DEEPEST {
            let Some(kind) = likeliest(&lines) else { break };
            lines = lines.iter().filter_map(|line| inner(kind, line)).collect();
            found.layers.push(Layer { kind, text: Vec::new(), joined: Vec::new(), plain: Vec::new(), name: Vec::new() });
        }
        found
    }

    /// The wrappers' names, the outermost first, joined by `+`; `None` for a bare source.
    pub fn name(&self) -> Option<String> {
        let mut names: Vec<&str> = Vec::new();
        for layer in &self.layers {
            let of_client = layer.kind == Kind::Timestamps && matches!(names.last(), Some(&("kubectl" | "stern" | "compose")));
            if !of_client {
                names.push(layer.kind.name());
            }
        }
        (!names.is_empty()).then(|| names.join("+"))
    }

    /// True where no wrapper was found. Lines of a plain block (`Block::is_plain`) are their own text then; other
    /// lines go through [`Unwrapper::peel`] all the same, for colours and bare carriage returns.
    pub fn is_bare(&self) -> bool {
        self.layers.is_empty()
    }

    /// What is still open between lines.
    pub fn held(&self) -> &Held {
        &self.held
    }

    /// Goes on with what another unwrapper of the same source has held.
    pub fn resume(&mut self, held: Held) {
        self.held = held;
    }

    /// Takes all wrappers, colours and overwritten text off one raw line.
    #[inline]
    pub fn peel<'a>(&'a mut self, raw: &'a [u8]) -> Peeled<'a> {
        let text = ansi::clean(raw, &mut self.plain);
        run(&mut self.layers, 0, Line { text, hint: Hint::default() }, &mut self.held)
    }

    /// After the last line: the next of the lines whose end never came; `None` when there are no more.
    pub fn finish(&mut self) -> Option<Peeled<'_>> {
        self.last = self.held.take()?;
        let Open { depth, stderr, instance, time_us, text, too_long } = &self.last;
        if *too_long {
            return Some(Peeled::Broken(Broken::TooLong));
        }
        let time = time_us.map(|us| Stamp::Exact(Timestamp(us)));
        let hint = Hint { time, stderr: *stderr, instance, ..Hint::default() };
        let inner = self.layers.get_mut(depth + 1..).unwrap_or_default();
        Some(run(inner, depth + 1, Line { text, hint }, &mut self.held))
    }
}

/// Takes `layers` off `line`; the first of them has `depth` wrappers around it.
fn run<'a>(mut layers: &'a mut [Layer], mut depth: usize, mut line: Line<'a>, held: &mut Held) -> Peeled<'a> {
    while let Some((layer, inside)) = std::mem::take(&mut layers).split_first_mut() {
        let Layer { kind, text, joined, plain, name } = layer;
        let (taken, more) = match kind.peel(line.text, text) {
            Off::Not => (Line { text: line.text, hint: Hint::default() }, false),
            Off::Inner(taken) => (taken, false),
            Off::Piece(taken) => (taken, true),
            Off::Broken => return Peeled::Broken(Broken::Wrapper),
            Off::Lost => return Peeled::Lost,
        };
        line = Line { text: taken.text, hint: together(line.hint, taken.hint, name) };
        if more || !held.is_empty() {
            match held.join(depth, &line.hint, line.text, more, joined) {
                Joined::Whole(text) => line.text = text,
                Joined::More => return Peeled::Held,
                Joined::TooLong => return Peeled::Broken(Broken::TooLong),
                Joined::GaveUp => return Peeled::Broken(Broken::Wrapper),
            }
        }
        if kind.hides_colours() {
            line.text = ansi::clean(line.text, plain);
        }
        (layers, depth) = (inside, depth + 1);
    }
    line.text = shown(line.text);
    Peeled::Line(line)
}

/// What two wrappers know of one line: the inner one is nearer to the application, the more exact time is kept.
/// Where both name an instance, `name` holds both.
fn together<'a>(outer: Hint<'a>, inner: Hint<'a>, name: &'a mut Vec<u8>) -> Hint<'a> {
    let instance = match (outer.instance, inner.instance) {
        (outer, b"") => outer,
        (b"", inner) => inner,
        (outer, inner) => {
            name.clear();
            name.extend_from_slice(outer);
            name.push(b'/');
            name.extend_from_slice(inner);
            name
        }
    };
    let time = match (outer.time, inner.time) {
        (time, None) | (time @ Some(Stamp::Exact(_)), Some(Stamp::Local(_) | Stamp::Yearless { .. } | Stamp::OfDay(_))) => time,
        (_, time) => time,
    };
    let service = if inner.service.is_empty() { outer.service } else { inner.service };
    Hint { time, instance, service, pid: inner.pid.or(outer.pid), stderr: outer.stderr || inner.stderr }
}

/// What a terminal would show of a text with carriage returns in it: the part after the last that is not at the end.
/// Not where that return lies within double quotes: there it is content, and what follows it must not pass for a line.
pub fn shown(text: &[u8]) -> &[u8] {
    let Some(last) = memchr::memrchr(b'\r', text) else { return text };
    if last + 1 == text.len() {
        return shown_before_end(text);
    }
    after_return(text, last)
}

fn shown_before_end(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|&b| b != b'\r').map_or(0, |at| at + 1);
    let text = text.get(..end).unwrap_or_default();
    memchr::memrchr(b'\r', text).map_or(text, |last| after_return(text, last))
}

fn after_return(text: &[u8], last: usize) -> &[u8] {
    let quotes = memchr::memchr_iter(b'"', text.get(..last).unwrap_or_default()).count();
    if quotes.is_multiple_of(2) { text.get(last + 1..).unwrap_or_default() } else { text }
}

/// The wrapper that enough of the lines have.
fn likeliest(lines: &[Vec<u8>]) -> Option<Kind> {
    let written = lines.iter().filter(|line| !line.is_empty()).count();
    let (kind, _) = KINDS.into_iter().find(|&(kind, percent)| {
        let having = lines.iter().filter(|line| inner(kind, line).is_some()).count();
        let nanoseconds = || lines.iter().filter(|line| pods::has_nanoseconds(line)).count() * 2 > written;
        having > 0 && having * 100 >= written * percent && (kind != Kind::Timestamps || nanoseconds())
    })?;
    let by_journalctl = || lines.iter().any(|line| line.starts_with(b"-- ") || has_short_zone(line));
    Some(if kind == Kind::Syslog && by_journalctl() { Kind::JournaldShort } else { kind })
}

/// True for `2026-11-23T00:34:43+0000 `, which journalctl writes and rsyslog does not.
fn has_short_zone(line: &[u8]) -> bool {
    line.get(10) == Some(&b'T') && matches!(line.get(19), Some(b'+' | b'-')) && line.get(24) == Some(&b' ')
}

fn inner(kind: Kind, line: &[u8]) -> Option<Vec<u8>> {
    match kind.peel(line, &mut Vec::new()) {
        Off::Inner(line) | Off::Piece(line) => {
            let mut text = Vec::new();
            ansi::strip(line.text, &mut text);
            Some(text)
        }
        Off::Lost => Some(Vec::new()),
        Off::Not | Off::Broken => None,
    }
}
