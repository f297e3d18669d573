//! Random lives of a log against a model of what was written.
//!
//! The promise: every line that was written comes out exactly once and, within one file, in its order, whatever was
//! rotated in whatever way, and wherever the process was killed and started again from its last bookmark. Only bytes
//! that a truncation or a deletion destroyed before they were saved may be missing, and no more is told as lost than
//! that. Every line bears its number at both ends, so that each half of one cut in two is known too.

use std::collections::HashMap;
use std::collections::HashSet;
use std::os::unix::fs::symlink;

use proptest::prelude::*;
use vitalog::line::split::Position;
use vitalog::line::split::Splitter;

use super::*;

/// Rotated files of one life: what falls out behind them would not be looked at.
const ROTATED: usize = 8;

#[derive(Debug, Clone, Copy)]
enum Step {
    Append(usize),
    /// The first half of a line; whatever is appended next is its second.
    Half,
    Rename,
    RenameWithoutNew,
    DoubleRename,
    CopyTruncate,
    /// Lines are written between copy and truncation.
    BusyCopyTruncate,
    /// The same, and they are looked at.
    SeenCopyTruncate,
    Recreate,
    Replace,
    /// Into the file that was renamed last.
    Late,
    Gzip,
    CloseIdle,
    Look,
    Pause,
    Save,
    Kill,
}

/// Steps that may destroy bytes are rare, so that most lives hold none.
fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (1_usize..90).prop_map(|n| Step::Append(1 + n * n / 200)),
        3 => Just(Step::Half),
        3 => Just(Step::Rename),
        2 => Just(Step::RenameWithoutNew),
        2 => Just(Step::DoubleRename),
        3 => Just(Step::CopyTruncate),
        1 => Just(Step::BusyCopyTruncate),
        1 => Just(Step::SeenCopyTruncate),
        1 => Just(Step::Recreate),
        1 => Just(Step::Replace),
        2 => Just(Step::Late),
        3 => Just(Step::Gzip),
        1 => Just(Step::CloseIdle),
        10 => Just(Step::Look),
        1 => Just(Step::Pause),
        5 => Just(Step::Save),
        4 => Just(Step::Kill),
    ]
}

struct Life {
    log: Log,
    /// What was written into each content.
    contents: Vec<String>,
    /// Which content stands under the path.
    current: Option<usize>,
    /// True where packed; the newest first: `x.log.1`, `x.log.2` and so on.
    rotated: Vec<bool>,
    late: Option<(File, usize)>,
    number: usize,
    /// The second half of a line, not written yet.
    half: Option<String>,
    saved: (Bookmark, Ledger),
    /// Lines that may be missing, because their bytes were destroyed.
    at_risk: HashSet<String>,
}

impl Life {
    fn new() -> Self {
        let mut log = Log::new();
        log.append("");
        log.look();
        let saved = (log.follower.bookmark(), log.told.clone());
        let (at_risk, contents) = (HashSet::new(), vec![String::new()]);
        Self { log, contents, current: Some(0), rotated: Vec::new(), late: None, number: 0, half: None, saved, at_risk }
    }

    fn line(&mut self) -> String {
        self.number += 1;
        format!("{:05} GET /items/{} {:05}", self.number, self.number % 7, self.number)
    }

    fn lines(&mut self, count: usize) -> String {
        (0..count).map(|_| self.line() + "\n").collect()
    }

    fn write(&mut self, text: &str) {
        let current = *self.current.get_or_insert_with(|| {
            self.contents.push(String::new());
            self.contents.len() - 1
        });
        self.contents[current] += text;
        self.log.append(text);
    }

    fn append(&mut self, count: usize) {
        let text = self.half.take().unwrap_or_default() + &self.lines(count);
        self.write(&text);
    }

    fn name(at: usize, packed: bool) -> String {
        format!("x.log.{}{}", at + 1, if packed { ".gz" } else { "" })
    }

    fn shift(&mut self) {
        for (at, packed) in self.rotated.iter().enumerate().rev() {
            self.log.rename(&Self::name(at, *packed), &Self::name(at + 1, *packed));
        }
    }

    fn rename(&mut self) {
        let Some(content) = self.current else { return };
        self.late = Some((OpenOptions::new().append(true).open(&self.log.path).unwrap(), content));
        self.shift();
        self.log.rename("x.log", "x.log.1");
        self.rotated.insert(0, false);
        self.current = None;
        // The second half goes where the first went, or nowhere.
        self.half = None;
    }

    /// Every line of a content, whole or not, that is not saved and not in what is left of it.
    fn destroy(&mut self, content: usize, left: &str) {
        let safe: HashSet<&str> = self.saved.1.lines.iter().map(String::as_str).collect();
        let text = &self.contents[content];
        let kept: HashSet<&str> = left.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')).collect();
        let lines = text.lines().chain(left.lines());
        let destroyed = lines.filter(|line| !safe.contains(line) && !kept.contains(line)).map(str::to_owned);
        let whole = text == left;
        self.at_risk.extend(destroyed.filter(|_| !whole));
    }

    fn copy_truncate(&mut self, between: usize, look: bool) {
        let Some(content) = self.current else { return };
        self.shift();
        fs::copy(&self.log.path, self.log.at("x.log.1")).unwrap();
        self.rotated.insert(0, false);
        let left = self.contents[content].clone();
        if between > 0 {
            self.append(between);
        }
        if look {
            self.log.look();
        }
        self.destroy(content, &left);
        self.log.truncate();
        // What comes next is a new content, even the second half of a line.
        self.contents.push(String::new());
        self.current = Some(self.contents.len() - 1);
    }

    fn delete(&mut self) {
        let Some(content) = self.current.take() else { return };
        self.destroy(content, "");
        self.half = None;
    }

    fn step(&mut self, step: Step) {
        let room = self.rotated.len() + 2 <= ROTATED;
        match step {
            Step::Append(count) => self.append(count),
            Step::Half => {
                let line = self.half.take().unwrap_or_default() + &self.line();
                let (first, second) = line.split_at(line.len() - 9);
                self.half = Some(second.to_owned() + "\n");
                self.write(first);
            }
            Step::Rename if room => {
                self.rename();
                self.append(1);
            }
            Step::RenameWithoutNew if room => self.rename(),
            Step::DoubleRename if room => {
                self.rename();
                self.append(2);
                self.rename();
                self.append(1);
            }
            Step::CopyTruncate if room => self.copy_truncate(0, false),
            Step::BusyCopyTruncate if room => self.copy_truncate(3, false),
            Step::SeenCopyTruncate if room => self.copy_truncate(3, true),
            Step::Recreate => {
                if self.current.is_some() {
                    fs::remove_file(&self.log.path).unwrap();
                }
                self.delete();
                self.append(1);
            }
            Step::Replace => {
                self.delete();
                let text = self.lines(3);
                fs::write(self.log.at("new"), &text).unwrap();
                self.log.rename("new", "x.log");
                self.contents.push(text);
                self.current = Some(self.contents.len() - 1);
            }
            Step::Late => {
                let text = self.line() + "\n";
                if let Some((file, content)) = &mut self.late {
                    file.write_all(text.as_bytes()).unwrap();
                    self.contents[*content] += &text;
                }
            }
            Step::Gzip => {
                if let Some(at) = self.rotated.iter().position(|packed| !packed) {
                    gzip(&self.log.at(&Self::name(at, false)), &self.log.at(&Self::name(at, true)));
                    self.rotated[at] = true;
                    self.late = None;
                }
            }
            Step::CloseIdle => self.log.follower.close_idle(),
            Step::Look => drop(self.log.look()),
            Step::Pause => {
                self.log.settle();
                // A half that nobody waits for any more is a line: what came behind it would be another.
                self.late.take_if(|(_, content)| !self.contents[*content].ends_with('\n'));
            }
            Step::Save => self.saved = (self.log.follower.bookmark(), self.log.told.clone()),
            Step::Kill => {
                let (bookmark, told) = self.saved.clone();
                self.log.restart(&bookmark);
                self.log.told = told;
            }
            _ => {}
        }
    }

    /// Lets everything come to an end, and holds it against what was written.
    fn end(mut self) {
        self.late = None;
        if self.half.is_some() {
            self.append(1);
        }
        // Whatever came late into files that nobody watches any more is found at the next rotation.
        self.rename();
        self.append(1);
        self.log.look();
        self.log.settle();
        self.log.look();
        self.log.settle();
        let told = &self.log.told;
        let mut places: HashMap<&str, usize> = HashMap::new();
        for (at, line) in told.lines.iter().enumerate() {
            assert!(places.insert(line, at).is_none(), "'{line}' came twice");
        }
        let mut missing = 0;
        let mut written = HashSet::new();
        for content in &self.contents {
            let mut last = 0;
            for line in content.lines().filter(|line| !line.is_empty()) {
                written.insert(line);
                if let Some(place) = places.get(line) {
                    assert!(*place >= last, "'{line}' came before its turn");
                    last = *place;
                } else {
                    assert!(self.at_risk.contains(line), "'{line}' is missing");
                    missing += line.len() as u64 + 1;
                }
            }
        }
        for line in &told.lines {
            assert!(written.contains(line.as_str()) || self.at_risk.contains(line) || line.is_empty(), "nobody wrote '{line}'");
        }
        assert!(told.lost <= missing, "{} bytes are told as lost, {missing} are", told.lost);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: ProptestConfig::default().cases / 2,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_line_comes_out_once_whatever_becomes_of_its_file(steps in prop::collection::vec(step(), 1..40)) {
        let mut life = Life::new();
        for step in steps {
            life.step(step);
        }
        life.end();
    }

    #[test]
    fn lines_are_cut_as_those_of_finished_files(
        pieces in prop::collection::vec(prop_oneof![
            9 => Just(b"\n".to_vec()), 3 => Just(b"\r\n".to_vec()), 3 => Just(vec![0; 5]), 9 => Just(b"a line".to_vec()),
            9 => prop::collection::vec(any::<u8>(), 0..9), 1 => Just(vec![b'x'; LONGEST - 3]), 1 => Just(vec![0; 400_000]),
        ], 0..40),
        looks in any::<u64>(),
    ) {
        let mut log = Log::new();
        let mut file = File::create(&log.path).unwrap();
        for (at, piece) in pieces.iter().enumerate() {
            file.write_all(piece).unwrap();
            if looks >> (at % 64) & 1 == 1 {
                log.look();
            }
        }
        log.look();
        log.rename("x.log", "x.log.1");
        log.settle();
        let mut splitter = Splitter::new(Position::default());
        let (whole, mut expected) = (pieces.concat(), Ledger::default());
        let mut rest = whole.as_slice();
        let mut note = |Block { bytes, offset, hole, ends_inside, too_long }: Block<'_>| {
            expected.chunk(Chunk { bytes, offset, hole, ends_inside, too_long, ..Chunk::default() });
        };
        while !rest.is_empty() {
            let room = splitter.room();
            let count = room.len().min(rest.len());
            room[..count].copy_from_slice(&rest[..count]);
            rest = &rest[count..];
            splitter.filled(count);
            while let Some(block) = splitter.next_block() {
                note(block);
            }
        }
        splitter.finish().map(note);
        let told = &log.told;
        prop_assert!(expected.lines == told.lines);
        prop_assert_eq!((expected.hole, expected.too_long), (told.hole, told.too_long));
    }

    #[test]
    fn every_line_comes_out_once_wherever_a_link_leads(
        turns in prop::collection::vec((0_usize..4, 0_usize..6, any::<bool>(), any::<bool>(), any::<bool>()), 1..12),
    ) {
        let mut log = Log::new();
        let (mut number, mut unseen) = (0, 0);
        let mut saved = (log.follower.bookmark(), Ledger::default());
        for (target, (swaps, lines, look, save, kill)) in turns.into_iter().enumerate() {
            // What a link led to before the first look is history.
            for swap in 0..if target == 0 { 1 } else { swaps } {
                let name = format!("x-{}.txt", 10 + target * 4 + swap);
                append(&log.at(&name), "");
                symlink(&name, log.at("new")).unwrap();
                log.rename("new", "x.log");
                number += 1;
                log.append(&format!("{number:05} begins a file that is like no other {number:05}\n"));
            }
            for _ in 0..lines {
                number += 1;
                log.append(&format!("{number:05}\n"));
            }
            unseen += swaps;
            if unseen > 6 {
                log.look();
                (unseen, saved) = (0, (log.follower.bookmark(), log.told.clone()));
            } else if look {
                log.look();
            }
            if save && look {
                (unseen, saved) = (0, (log.follower.bookmark(), log.told.clone()));
            }
            if kill && saved.0.current.is_some() && target > 0 {
                log.restart(&saved.0);
                log.told = saved.1.clone();
            }
            if target == 0 && !look {
                log.look();
            }
        }
        log.look();
        log.settle();
        let told: Vec<usize> = log.told.lines.iter().map(|line| line[..5].parse().unwrap()).collect();
        prop_assert_eq!((1..=number).collect::<Vec<_>>(), told);
    }
}
