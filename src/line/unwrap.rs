//! Which wrappers lie around the lines of a source, and taking them off.
//!
//! The first lines decide once per source, layer by layer from the outermost; which wrappers there are is
//! `wrapper.rs`' to know. A line that lacks a wrapper the source has is taken as it stands. What comes out is a function of the wrappers found,
//! of what is [`Held`], and of the line.

use crate::line::Broken;
use crate::line::Hint;
use crate::line::Line;
use crate::line::Off;
use crate::line::Peeled;
use crate::line::ansi;
use crate::line::join::Held;
use crate::line::join::Joined;
use crate::line::join::Open;
use crate::line::wrapper;
use crate::line::wrapper::Kind;
use crate::time::Stamp;
use crate::time::Timestamp;

/// The most wrappers around one line.
const DEEPEST: usize = 4;
/// The most lines of a source that are looked at to find its wrappers.
pub const SAMPLE: usize = 200;

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
            let Some(kind) = wrapper::likeliest(&lines) else { break };
            lines = lines.iter().filter_map(|line| wrapper::inner(kind, line)).collect();
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
        line.text = kind.uncoloured(line.text, plain);
        (layers, depth) = (inside, depth + 1);
    }
    line.text = ansi::shown(line.text);
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
    let is_exact = |time: Option<Stamp>| matches!(time, Some(Stamp::Exact(_)));
    let keep_outer = inner.time.is_none() || (is_exact(outer.time) && !is_exact(inner.time));
    let time = if keep_outer { outer.time } else { inner.time };
    let service = if inner.service.is_empty() { outer.service } else { inner.service };
    Hint { time, instance, service, pid: inner.pid.or(outer.pid), stderr: outer.stderr || inner.stderr }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn detected(lines: &[&str]) -> Unwrapper {
        let raw: Vec<&[u8]> = lines.iter().map(|l| l.as_bytes()).collect();
        Unwrapper::detect(&raw)
    }

    /// Each line's instance and text, and what else became of lines.
    fn told(unwrapper: &mut Unwrapper, lines: &[&str]) -> Vec<String> {
        let show = |peeled: Peeled<'_>| match peeled {
            Peeled::Line(Line { text, hint }) => {
                format!("{}>{}", String::from_utf8_lossy(hint.instance), String::from_utf8_lossy(text))
            }
            other => format!("{other:?}"),
        };
        let mut all: Vec<String> = lines.iter().map(|raw| show(unwrapper.peel(raw.as_bytes()))).collect();
        while let Some(peeled) = unwrapper.finish() {
            all.push(show(peeled));
        }
        all
    }

    const COMPOSE: [&str; 3] = [
        "\x1b[36mweb-1  | \x1b[0m\x1b[32mINFO\x1b[0m:     ready",
        "\x1b[36mweb-1  | \x1b[0mTraceback (most recent call last):",
        "\x1b[33mdb-1   | \x1b[0m2026-11-23 00:34:43.123 UTC [27] LOG:  x",
    ];

    #[test]
    fn wrappers_in_any_nesting_are_found_and_taken_off() {
        for (name, expected, lines) in [
            (Some("compose"), ["web-1>INFO:     ready", "web-1>Traceback (most recent call last):"], &COMPOSE[..2]),
            (
                Some("cri+docker"),
                [">INFO:  é", ">x"],
                &[
                    r#"2026-11-23T00:47:58.548969672Z stdout F {"log":"INFO:  \u00e9\n","stream":"stdout","time":"2026-11-23T00:47:55Z"}"#,
                    r#"2026-11-23T00:47:58.548969673Z stdout F {"log":"x\n","stream":"stdout","time":"2026-11-23T00:47:55Z"}"#,
                ],
            ),
            (
                Some("journald+syslog"),
                ["rsyslog.service/h shop>INFO:  x", "rsyslog.service/h shop>y"],
                &[
                    r#"{"__REALTIME_TIMESTAMP":"1","_SYSTEMD_UNIT":"rsyslog.service","MESSAGE":"Nov 23 00:34:33 h shop[7]: INFO:  x"}"#,
                    r#"{"__REALTIME_TIMESTAMP":"2","_SYSTEMD_UNIT":"rsyslog.service","MESSAGE":"Nov 23 00:34:33 h shop[7]: y"}"#,
                ],
            ),
            (
                Some("kubectl"),
                ["shop-7d9c6b5f4-x2x0p/web>INFO:  x", "shop-7d9c6b5f4-x2x0p/web>"],
                &[
                    "[pod/shop-7d9c6b5f4-x2x0p/web] 2026-11-23T00:30:00.000003177Z INFO:  x",
                    "[pod/shop-7d9c6b5f4-x2x0p/web] 2026-11-23T00:30:00.000003178Z ",
                ],
            ),
            (
                Some("docker"),
                [">INFO:     green", ">100%"],
                &[
                    r#"{"log":"\u001b[32mINFO\u001b[0m:     green\r\n","stream":"stdout","time":"2026-11-23T00:47:55Z"}"#,
                    r#"{"log":"10%\r50%\r100%\r\n","stream":"stdout","time":"2026-11-23T00:47:55Z"}"#,
                ],
            ),
            (
                Some("stern"),
                ["shop-7d9c6b5f4-x2x0p web>INFO:  x", ">+ shop-7d9c6b5f4-x2x1p › web"],
                &["shop-7d9c6b5f4-x2x0p web INFO:  x", "+ shop-7d9c6b5f4-x2x1p › web"],
            ),
            (None, [">INFO:     bare", ">  | Traceback"], &["\x1b[32mINFO\x1b[0m:     bare", "  | Traceback"]),
        ] {
            let sample: Vec<&str> = lines.iter().copied().take(if name == Some("stern") { 1 } else { 2 }).collect();
            let mut unwrapper = detected(&sample);
            assert_eq!(name.map(str::to_owned), unwrapper.name(), "{lines:?}");
            assert_eq!(expected.to_vec(), told(&mut unwrapper, lines));
        }
    }

    #[test]
    fn logs_of_applications_are_bare() {
        for lines in [
            ["2026-11-23 00:36:48.110 | INFO     | shop:main:12 - ready", "INFO     | shop | ready"],
            ["2026-11-23T00:36:48.110332Z [info     ] ready", "2026-11-23T00:36:48.110334Z [info     ] x"],
            ["2026-11-23T00:36:48+00:00 INFO shop: ready", "2026-11-23T00:36:49+00:00 INFO shop: x"],
            [r#"{"message": "x", "time": "2026-11-23T00:36:48Z"}"#, r#"{"MESSAGE": "x", "log": "y"}"#],
            [
                "[2026-11-23 00:36:48 +0000] [7] [INFO] Booting",
                "127.0.0.1 - - [23/Nov/2026:00:36:48 +0000] \"GET / HTTP/1.1\" 200 5",
            ],
            ["", ""],
        ] {
            assert_eq!(None, detected(&lines).name(), "{lines:?}");
        }
        assert!(Unwrapper::detect(&[]).is_bare());
    }

    #[test]
    fn a_line_without_the_wrapper_is_taken_as_it_stands() {
        let mut unwrapper = detected(&COMPOSE);
        let expected = vec![">Attaching to web-1", ">", "web-1>ok"];
        assert_eq!(expected, told(&mut unwrapper, &["Attaching to web-1", "", "web-1  | ok"]));
    }

    #[test]
    fn pieces_are_joined_per_stream_and_the_rest_is_given_at_the_end() {
        let lines = [
            "2026-11-23T00:47:58.1Z stdout P GET /a",
            "2026-11-23T00:47:58.2Z stderr P err",
            "2026-11-23T00:47:58.3Z stdout F  200",
            "2026-11-23T00:47:58.4Z stdout P left",
        ];
        let mut unwrapper = detected(&lines);
        assert_eq!(vec!["Held", "Held", ">GET /a 200", "Held", ">err", ">left"], told(&mut unwrapper, &lines));
    }

    #[test]
    fn what_is_held_can_be_carried_to_another_unwrapper() {
        let lines = ["2026-11-23T00:47:58.1Z stdout P one ", "2026-11-23T00:47:58.3Z stdout F line"];
        let mut first = detected(&lines);
        let mut second = first.clone();
        assert_eq!(Peeled::Held, first.peel(lines[0].as_bytes()));
        second.resume(first.held().clone());
        let Peeled::Line(line) = second.peel(lines[1].as_bytes()) else { panic!() };
        assert_eq!(b"one line", line.text);
    }

    #[test]
    fn a_broken_wrapper_is_told_and_no_line() {
        let whole = r#"{"log":"x\n","stream":"stdout","time":"2026-11-23T00:47:55Z"}"#;
        let mut unwrapper = detected(&[whole]);
        assert_eq!(Peeled::Broken(Broken::Wrapper), unwrapper.peel(&whole.as_bytes()[..30]));
    }

    #[test]
    fn the_hint_holds_the_more_exact_time_and_the_inner_service() {
        let raw =
            r#"{"__REALTIME_TIMESTAMP":"5","_PID":"3","_SYSTEMD_UNIT":"a.service","MESSAGE":"Nov 23 00:34:33 h shop: x"}"#;
        let mut unwrapper = detected(&[raw]);
        let Peeled::Line(line) = unwrapper.peel(raw.as_bytes()) else { panic!() };
        assert_eq!(
            (Some(Stamp::Exact(Timestamp(5))), &b"shop"[..], Some(3)),
            (line.hint.time, line.hint.service, line.hint.pid)
        );
    }

    proptest! {
        #[test]
        fn every_wrapper_survives_any_bytes(
            texts in prop::collection::vec(prop::collection::vec(prop_oneof![
                Just(b"2026-11-23T00:47:58.123456789Z ".to_vec()), Just(b"stdout ".to_vec()), Just(b"P ".to_vec()),
                Just(b"{\"log\":\"".to_vec()), Just(b"\",\"stream\":\"stdout\"}".to_vec()), Just(b"<1>1 ".to_vec()),
                Just(b"Nov 23 00:34:33 h a[1]: ".to_vec()), Just(b"web-1  | ".to_vec()), Just(b"[pod/a/b] ".to_vec()),
                Just(b"{\"__REALTIME_TIMESTAMP\":\"1\",\"MESSAGE\":".to_vec()), Just(b"0|".to_vec()), Just(b" - - [".to_vec()),
                prop::collection::vec(any::<u8>(), 0..6),
            ], 0..6).prop_map(|parts| parts.concat()), 1..6),
        ) {
            for (kind, _) in wrapper::KINDS {
                for text in &texts {
                    kind.peel(text, &mut Vec::new());
                }
            }
            let raw: Vec<&[u8]> = texts.iter().map(Vec::as_slice).collect();
            let mut unwrapper = Unwrapper::detect(&raw);
            for line in raw {
                unwrapper.peel(line);
            }
            while unwrapper.finish().is_some() {}
        }
    }
}
