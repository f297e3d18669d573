//! The wrappers there are, and which of them a sample of lines has.
//!
//! The form of each is its own file's; nesting and joining are `unwrap.rs`'.

use crate::line::Off;
use crate::line::ansi;
use crate::line::cri;
use crate::line::docker;
use crate::line::hosted;
use crate::line::journald;
use crate::line::pods;
use crate::line::prefix;
use crate::line::syslog;

/// One kind of wrapper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
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
pub(crate) const KINDS: [(Kind, usize); 13] = [
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
    /// As it stands in a report.
    pub(crate) fn name(self) -> &'static str {
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

    /// Takes it off `text`; `scratch` is room for what must be rewritten.
    pub(crate) fn peel<'a>(self, text: &'a [u8], scratch: &'a mut Vec<u8>) -> Off<'a> {
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

    /// The text from inside it without colours, which its own escapes have hidden until now.
    pub(crate) fn uncoloured<'a>(self, text: &'a [u8], scratch: &'a mut Vec<u8>) -> &'a [u8] {
        match self {
            Self::Docker | Self::Journald => ansi::clean(text, scratch),
            Self::Syslog => ansi::clean_octal(text, scratch),
            _ => text,
        }
    }
}

/// The wrapper that enough of the lines have.
pub(crate) fn likeliest(lines: &[Vec<u8>]) -> Option<Kind> {
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

/// What is inside of a line that has this wrapper, without colours; empty where the wrapper does not show it.
pub(crate) fn inner(kind: Kind, line: &[u8]) -> Option<Vec<u8>> {
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
