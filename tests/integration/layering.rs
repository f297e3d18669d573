//! The shape of the house, read off the sources: which stage may know which, where each third-party crate comes in,
//! who looks at the clock. To add a rule, add a row to `DOORS` or a word to `CLOCK`.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// The package's folder.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The way of a line, in the order of the walk and of the alphabet.
const STAGES: [&str; 7] = ["input", "line", "parse", "route", "stats", "verdict", "write"];
/// What everybody may stand on.
const GROUND: [&str; 2] = ["error", "time"];

/// A crate as it is written in code, and the files (or folders, with `/`) that may name it.
const DOORS: [(&str, &[&str]); 14] = [
    ("clap", &["cli/"]),
    ("clap_complete", &["cli/"]),
    ("clap_mangen", &["cli/"]),
    ("notify", &["input/watch.rs"]),
    ("hdrhistogram", &["stats/latency.rs"]),
    ("rusqlite", &["drive/state.rs", "drive/state/"]),
    ("tokio", &["drive/live.rs", "drive/live/", "write/webhook.rs", "write/serve.rs", "write/serve/"]),
    ("axum", &["write/serve.rs", "write/serve/"]),
    ("hyper", &["write/serve.rs", "write/serve/"]),
    ("hyper_util", &["write/serve.rs", "write/serve/"]),
    ("regex", &["parse/pattern.rs", "route/"]),
    ("flate2", &["input/"]),
    ("zstd", &["input/", "stats/stored.rs"]),
    ("statrs", &["verdict/"]),
];

/// What reads the clock, or waits for it.
const CLOCK: [&str; 5] = ["SystemTime::now", "Instant::now", "Zoned::now", "Timestamp::now", "thread::sleep"];

/// One line of code: file below `src/`, number from 1, text without its comment.
struct Code {
    file: String,
    number: usize,
    text: String,
    /// Whether it belongs to the tests at the file's bottom.
    test: bool,
}

impl Code {
    fn at(&self) -> String {
        format!("src/{}:{}: {}", self.file, self.number, self.text.trim())
    }

    /// `parse` for `parse/clf.rs`; `time` for `time.rs`.
    fn stage(&self) -> &str {
        self.file.split(['/', '.']).next().unwrap()
    }
}

/// All files below `folder` that the repository would hold, in order.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_symlink() || ["target", ".git", ".venv", ".venv-bench", "__pycache__"].contains(&name.as_str()) {
            continue;
        }
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

fn code() -> Vec<Code> {
    let mut paths = Vec::new();
    files(&root().join("src"), &mut paths);
    let mut lines = Vec::new();
    for path in paths.iter().filter(|path| path.extension().is_some_and(|ending| ending == "rs")) {
        let file = path.strip_prefix(root().join("src")).unwrap().to_string_lossy().into_owned();
        let mut below = false;
        for (index, line) in fs::read_to_string(path).unwrap().lines().enumerate() {
            below |= line == "mod tests {";
            let text = line.split_once("//").map_or(line, |(before, _)| before).to_string();
            lines.push(Code { file: file.clone(), number: index + 1, text, test: below });
        }
    }
    assert!(lines.len() > 100, "the sources are not where they should be");
    lines
}

/// Every `name` in `text` that stands behind `mark`, up to the end of the word.
fn named<'a>(text: &'a str, mark: &'a str) -> impl Iterator<Item = &'a str> {
    text.match_indices(mark)
        .filter(|(at, _)| !text[..*at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$'))
        .map(|(at, _)| text[at + mark.len()..].split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or(""))
}

/// Whether a file of the stage `from` may name things of the module `to`.
fn may_use(from: &str, to: &str) -> bool {
    let rank = |name: &str| STAGES.iter().position(|stage| *stage == name);
    match (rank(from), rank(to)) {
        _ if from == to || GROUND.contains(&to) => true,
        (Some(from), Some(to)) => to < from,
        (None, Some(_)) => !GROUND.contains(&from),
        (_, None) => match from {
            "cli" | "lib" | "main" => true,
            _ => !["cli", "drive"].contains(&to) && !STAGES.contains(&from) && !GROUND.contains(&from),
        },
    }
}

fn assert_none(title: &str, broken: &[String]) {
    assert!(broken.is_empty(), "{title}:\n{}", broken.join("\n"));
}

#[test]
fn a_stage_uses_only_the_stages_before_it() {
    let broken: Vec<String> = code()
        .iter()
        .filter(|line| named(&line.text, "crate::").any(|to| to.starts_with(char::is_lowercase) && !may_use(line.stage(), to)))
        .map(Code::at)
        .collect();
    assert_none("a stage walks backwards", &broken);
}

#[test]
fn the_rule_of_the_stages_is_what_the_style_says() {
    for (from, to, allowed) in [
        ("parse", "line", true),
        ("line", "parse", false),
        ("write", "verdict", true),
        ("stats", "time", true),
        ("time", "stats", false),
        ("time", "error", true),
        ("write", "drive", false),
        ("write", "cli", false),
        ("drive", "write", true),
        ("drive", "cli", false),
        ("cli", "drive", true),
        ("error", "cli", false),
    ] {
        assert_eq!(allowed, may_use(from, to), "{from} uses {to}");
    }
}

#[test]
fn one_name_of_another_stage_a_line() {
    let broken: Vec<String> = code()
        .iter()
        .filter(|line| line.text.trim_start().trim_start_matches("pub ").starts_with("use crate::") && line.text.contains('{'))
        .map(Code::at)
        .collect();
    assert_none("write one `use crate::stage::Name;` a line", &broken);
}

#[test]
fn each_crate_comes_in_by_its_door() {
    let mut broken = Vec::new();
    for line in code().iter().filter(|line| !line.test) {
        for (name, doors) in DOORS {
            let path = format!("{name}::");
            let bare = format!("use {name};");
            let uses = named(&line.text, &path).next().is_some() || line.text.contains(&bare);
            let inside = line.text.contains(&format!("::{path}"));
            if uses && !inside && !doors.iter().any(|door| line.file.starts_with(door)) {
                broken.push(line.at());
            }
        }
    }
    assert_none("a crate is used beside its door", &broken);
}

#[test]
fn only_the_clock_reads_the_clock() {
    let broken: Vec<String> = code()
        .iter()
        .filter(|line| line.file != "drive/clock.rs" && CLOCK.iter().any(|word| line.text.contains(word)))
        .map(Code::at)
        .collect();
    assert_none("time is data; see drive/clock.rs", &broken);
}

#[test]
fn no_file_names_a_machine() {
    // put together here, so that this file does not hold what it looks for
    let foreign = [["/wor", "k/"].concat(), ["/ro", "ot/"].concat(), ["index.", "crates"].concat()];
    let begins = |line: &str, word: &str| {
        line.match_indices(word).any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || "._-".contains(c)))
    };
    let mut paths = Vec::new();
    files(root(), &mut paths);
    let mut broken = Vec::new();
    for path in paths {
        let bytes = fs::read(&path).unwrap();
        for (index, line) in String::from_utf8_lossy(&bytes).lines().enumerate() {
            if foreign.iter().any(|word| begins(line, word)) {
                broken.push(format!("{}:{}", path.strip_prefix(root()).unwrap().display(), index + 1));
            }
        }
    }
    assert_none("an absolute path or a host of one machine", &broken);
}
