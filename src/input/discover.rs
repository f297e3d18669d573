//! Paths, directories and globs to sources; rotated sets in order.
//!
//! Gives histories: files that are one log, oldest first. Leaves their content to `archive.rs` and copies to
//! `identity.rs`; looks into a file only to tell a snapshot, a binary file of a directory, and whether it can be read.
//! Rotated forms are those of logrotate (`x.log.1`, `x.log.2.gz`, `dateext` `x.log-20261117.gz`) and of Python's
//! logging handlers (`x.log.1`, `x.log.2026-11-17`).

use std::collections::HashMap;
use std::collections::HashSet;
use std::fs;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;

use crate::error::Error;
use crate::input::archive::Archive;
use crate::input::archive::failed;
use crate::input::archive::shown;

/// The first bytes of a snapshot file.
pub const SNAPSHOT: &[u8; 8] = b"VITALOG\x01";

/// What a history is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Log lines in files or named pipes.
    Log,
    /// Standard input; its only file is `-`.
    Stdin,
    /// A stored snapshot; always one file.
    Snapshot,
}

/// One log: a file and what was rotated away from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// The path of the log as typed; of a rotated set without its suffixes.
    pub name: String,
    /// The oldest first; never empty.
    pub files: Vec<PathBuf>,
    /// What they hold.
    pub kind: Kind,
}

/// What was found under the paths asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Discovery {
    /// In the order asked for; within a directory or a glob by name.
    pub histories: Vec<History>,
    /// What is missing, unreadable or empty of logs, one for each path asked for.
    pub errors: Vec<Error>,
    /// What was left out for a reason, in words; worth a line where details are asked for.
    pub notes: Vec<String>,
}

/// Finds the logs under `paths`: files, globs, directories (their logs, not deeper), `-` for standard input. Every
/// file is listed once, whatever the number of its names.
pub fn discover(paths: &[String]) -> Discovery {
    let mut search = Search::default();
    for path in paths {
        search.look(path);
    }
    search.found
}

#[derive(Default)]
struct Search {
    found: Discovery,
    /// Device and inode of each file listed.
    seen: HashSet<(u64, u64)>,
    /// Folder and bare name of each log to its history.
    sets: HashMap<PathBuf, usize>,
}

impl Search {
    fn look(&mut self, typed: &str) {
        let path = Path::new(typed);
        if typed == "-" {
            if !self.found.histories.iter().any(|h| h.kind == Kind::Stdin) {
                self.list(typed.to_owned(), path, Kind::Stdin);
            }
        } else if path.is_dir() {
            self.folder(path);
        } else if path.symlink_metadata().is_err() && typed.contains(['*', '?', '[']) {
            self.pattern(typed);
        } else {
            self.file(path);
        }
    }

    fn folder(&mut self, folder: &Path) {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => return self.found.errors.push(failed(&shown(folder), &error)),
        };
        let mut logs: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|p| is_log(p)).collect();
        logs.sort();
        let mut any = false;
        for path in logs {
            let name = shown(&path);
            if path.file_name().is_some_and(|n| n.as_encoded_bytes().starts_with(b".")) {
                self.found.notes.push(format!("'{name}' is left out: hidden"));
            } else if !path.metadata().is_ok_and(|m| m.is_file()) {
                self.found.notes.push(format!("'{name}' is left out: no regular file"));
            } else if is_binary(&path) {
                self.found.notes.push(format!("'{name}' is left out: binary"));
            } else {
                any = true;
                self.file(&path);
            }
        }
        if !any {
            let name = shown(folder);
            self.found
                .errors
                .push(Error::input(format!("reading '{name}': no '*.log' file in this directory (name the files)")));
        }
    }

    fn pattern(&mut self, pattern: &str) {
        let options = glob::MatchOptions { require_literal_leading_dot: true, ..glob::MatchOptions::default() };
        let name = shown(Path::new(pattern));
        let matches = match glob::glob_with(pattern, options) {
            Ok(matches) => matches,
            Err(error) => {
                let why = error.msg;
                return self.found.errors.push(Error::input(format!("reading '{name}': the pattern is wrong: {why}")));
            }
        };
        let mut any = false;
        for path in matches {
            match path {
                Ok(path) if path.is_dir() => self.found.notes.push(format!("'{}' is left out: a directory", shown(&path))),
                Ok(path) => {
                    any = true;
                    self.file(&path);
                }
                Err(error) => {
                    any = true;
                    self.found.errors.push(failed(&shown(error.path()), error.error()));
                }
            }
        }
        if !any {
            self.found.errors.push(Error::input(format!("reading '{name}': no file matches this pattern")));
        }
    }

    fn file(&mut self, path: &Path) {
        let metadata = match path.metadata() {
            Ok(metadata) => metadata,
            Err(error) => return self.found.errors.push(failed(&shown(path), &error)),
        };
        if !self.seen.insert((metadata.dev(), metadata.ino())) {
            let note = format!("'{}' is another name of a file that is read already", shown(path));
            return self.found.notes.push(note);
        }
        // Opening a pipe would wait for its writer.
        let kind = if metadata.is_file() { kind_of(path) } else { Ok(Kind::Log) };
        match kind {
            Ok(Kind::Log) => self.log(path),
            Ok(kind) => self.list(shown(path), path, kind),
            Err(error) => self.found.errors.push(error),
        }
    }

    /// Puts a log among those of its rotated set.
    fn log(&mut self, path: &Path) {
        let bare = path.with_file_name(family(path).0);
        let folder = bare.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let key = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_path_buf()).join(bare.file_name().unwrap_or_default());
        if let Some(history) = self.sets.get(&key).and_then(|at| self.found.histories.get_mut(*at)) {
            history.name = shown(&bare);
            history.files.push(path.to_path_buf());
            history.files.sort_by_cached_key(|file| family(file).1);
        } else {
            self.sets.insert(key, self.found.histories.len());
            self.list(shown(path), path, Kind::Log);
        }
    }

    fn list(&mut self, name: String, path: &Path, kind: Kind) {
        self.found.histories.push(History { name, files: vec![path.to_path_buf()], kind });
    }
}

/// How old a file of a rotated set is: orders the oldest first. Of one age, the packed before the plain.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Age {
    /// Digits of its date and time.
    Date(String, Packed),
    /// Turned around: the highest number is the oldest.
    Number(std::cmp::Reverse<u32>, Packed),
    /// The log itself.
    Bare(Packed),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Packed {
    Yes,
    No,
}

/// True where both are the same file of one rotated set, packed or not.
pub(crate) fn same_age(one: &Path, other: &Path) -> bool {
    let unpacked = |path: &Path| match family(path) {
        (name, Age::Date(date, _)) => (name, Age::Date(date, Packed::No)),
        (name, Age::Number(number, _)) => (name, Age::Number(number, Packed::No)),
        (name, Age::Bare(_)) => (name, Age::Bare(Packed::No)),
    };
    one.parent() == other.parent() && unpacked(one) == unpacked(other)
}

/// The bare name of the rotated set a file belongs to, and its age there.
pub(crate) fn family(path: &Path) -> (String, Age) {
    let whole = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let (name, packed) = match [".gz", ".bz2", ".xz", ".zst"].iter().find_map(|suffix| whole.strip_suffix(suffix)) {
        Some(name) if !name.is_empty() => (name, Packed::Yes),
        _ => (whole.as_str(), Packed::No),
    };
    if let Some((bare, number)) = name.rsplit_once('.')
        && let (false, 1..=5, Ok(number)) = (bare.is_empty(), number.len(), number.parse())
    {
        return (bare.to_owned(), Age::Number(std::cmp::Reverse(number), packed));
    }
    // The leftmost separator behind which nothing but a date stands.
    let dated = name.match_indices(['.', '-']).filter(|(at, _)| *at > 0).find_map(|(at, _)| {
        let (bare, suffix) = name.split_at_checked(at)?;
        Some((bare, date_digits(suffix.get(1..)?)?))
    });
    match dated {
        Some((bare, date)) => (bare.to_owned(), Age::Date(date, packed)),
        None => (name.to_owned(), Age::Bare(packed)),
    }
}

/// The digits of `20261117`, `2026-11-17`, with hours, minutes and seconds behind or without; `None` for other text.
fn date_digits(text: &str) -> Option<String> {
    let separated = text.chars().all(|c| c.is_ascii_digit() || matches!(c, '-' | '_' | 'T' | ':'));
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let part = |from: usize, to: usize| digits.get(from..to).and_then(|d| d.parse::<u32>().ok());
    let begins = text.get(..8).is_some_and(|t| t.bytes().all(|b| b.is_ascii_digit()))
        || text.get(4..5) == Some("-") && text.get(7..8) == Some("-");
    let possible = (1970..=9999).contains(&part(0, 4)?) && (1..=12).contains(&part(4, 6)?) && (1..=31).contains(&part(6, 8)?);
    (separated && begins && possible && matches!(digits.len(), 8 | 10 | 12 | 14)).then_some(digits)
}

pub(crate) fn is_log(path: &Path) -> bool {
    Path::new(&family(path).0).extension().is_some_and(|extension| extension == "log")
}

/// Tells a snapshot from a log, and whether it can be read at all.
fn kind_of(path: &Path) -> Result<Kind, Error> {
    let mut first = Vec::new();
    let read = File::open(path).and_then(|file| file.take(SNAPSHOT.len() as u64).read_to_end(&mut first));
    match read {
        Ok(_) if first == SNAPSHOT => Ok(Kind::Snapshot),
        Ok(_) => Ok(Kind::Log),
        Err(error) => Err(failed(&shown(path), &error)),
    }
}

/// True where three in ten of the first bytes, unpacked, are of no text. A hole of NUL bytes at the start is no sign.
pub(crate) fn is_binary(path: &Path) -> bool {
    let Ok(mut archive) = Archive::open(path) else { return false };
    let head = archive.head(4096);
    let head = head.get(head.iter().take_while(|b| **b == 0).count()..).unwrap_or_default();
    let letters = |chunk: &std::str::Utf8Chunk<'_>| chunk.valid().bytes().filter(|b| is_text(*b)).count();
    let text: usize = head.utf8_chunks().map(|chunk| letters(&chunk)).sum();
    (head.len() - text) * 10 >= head.len() * 3 && !head.is_empty()
}

fn is_text(byte: u8) -> bool {
    byte >= 0x20 && byte != 0x7f || matches!(byte, b'\t' | b'\n' | b'\r' | 0x1b)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn with(names: &[&str]) -> Self {
            let folder = Self(tempfile::tempdir().unwrap());
            for name in names {
                folder.write(name, b"INFO:     x\n");
            }
            folder
        }

        fn write(&self, name: &str, content: &[u8]) {
            fs::write(self.0.path().join(name), content).unwrap();
        }

        fn path(&self, name: &str) -> String {
            self.0.path().join(name).to_string_lossy().into_owned()
        }

        /// Name and files of each history under `paths`, without the folder.
        fn found(&self, paths: &[&str]) -> (Vec<String>, Discovery) {
            let discovery = discover(&paths.iter().map(|p| self.path(p)).collect::<Vec<_>>());
            let bare = |text: &str| text.replace(&format!("{}/", self.0.path().display()), "");
            let show = |h: &History| {
                let files: Vec<String> = h.files.iter().map(|f| bare(&f.to_string_lossy())).collect();
                format!("{}: {}", bare(&h.name), files.join(" "))
            };
            (discovery.histories.iter().map(show).collect(), discovery)
        }
    }

    #[test]
    fn a_rotated_set_is_one_history_oldest_first() {
        for (expected, names) in [
            ("a.log: a.log.10.gz a.log.2.gz a.log.1 a.log", &["a.log", "a.log.1", "a.log.10.gz", "a.log.2.gz"][..]),
            ("a.log: a.log-20261121.gz a.log-20261122 a.log", &["a.log", "a.log-20261122", "a.log-20261121.gz"]),
            ("a.log: a.log.2026-11-17 a.log.2026-11-18.zst a.log", &["a.log.2026-11-18.zst", "a.log", "a.log.2026-11-17"]),
            ("a.log: a.log.2026-11-17_09-30 a.log.2026-11-17_10-30", &["a.log.2026-11-17_10-30", "a.log.2026-11-17_09-30"]),
            ("a.log: a.log.2.xz a.log.1.bz2 a.log.1", &["a.log.1", "a.log.1.bz2", "a.log.2.xz"]),
            ("a.log-20261121.gz: a.log-20261121.gz", &["a.log-20261121.gz"]),
        ] {
            let folder = Folder::with(names);
            assert_eq!(vec![expected], folder.found(&[""]).0);
            assert_eq!(vec![expected], folder.found(names).0, "named one by one");
            assert_eq!(vec![expected], folder.found(&["*.log*"]).0, "by a glob");
        }
    }

    #[test]
    fn different_logs_are_different_histories() {
        let folder = Folder::with(&["access.log", "access.log.1", "error.log", "shop-1.log", "shop-2.log", "v1.2.log"]);
        let expected = vec![
            "access.log: access.log.1 access.log",
            "error.log: error.log",
            "shop-1.log: shop-1.log",
            "shop-2.log: shop-2.log",
            "v1.2.log: v1.2.log",
        ];
        assert_eq!(expected, folder.found(&[""]).0);
    }

    #[test]
    fn a_directory_gives_its_logs_alone() {
        let folder = Folder::with(&["a.log", ".hidden.log", "notes.txt", "a.log.swp"]);
        fs::create_dir(folder.0.path().join("deeper.log")).unwrap();
        folder.write("b.log", &(0..=255).cycle().take(4000).collect::<Vec<u8>>());
        folder.write("hole.log", &[vec![0; 4000], b"INFO:     x\n".to_vec()].concat());
        folder.write("latin.log", &[b"caf\xe9 au lait\n".repeat(50)].concat());
        let (found, discovery) = folder.found(&[""]);
        assert_eq!(vec!["a.log: a.log", "hole.log: hole.log", "latin.log: latin.log"], found);
        assert_eq!(Vec::<Error>::new(), discovery.errors);
        for (note, word) in discovery.notes.iter().zip(["hidden", "binary", "no regular file"]) {
            assert!(note.ends_with(word), "{note}");
        }
    }

    #[test]
    fn a_file_of_many_names_is_listed_once() {
        let folder = Folder::with(&["a.log"]);
        fs::hard_link(folder.0.path().join("a.log"), folder.0.path().join("b.log")).unwrap();
        std::os::unix::fs::symlink("a.log", folder.0.path().join("c.log")).unwrap();
        let (found, discovery) = folder.found(&["a.log", "a.log", "*.log", "./a.log"]);
        assert_eq!(vec!["a.log: a.log"], found);
        assert_eq!(5, discovery.notes.len());
        let stdin = discover(&["-".to_owned(), "-".to_owned()]).histories;
        assert_eq!(vec![History { name: "-".to_owned(), files: vec![PathBuf::from("-")], kind: Kind::Stdin }], stdin);
    }

    #[test]
    fn a_snapshot_is_told_by_its_first_bytes() {
        let folder = Folder::with(&["a.log"]);
        folder.write("a.snap", b"VITALOG\x01rest");
        folder.write("b.snap", b"VITALOG");
        let kinds: Vec<Kind> = folder.found(&["a.snap", "b.snap", "a.log"]).1.histories.iter().map(|h| h.kind).collect();
        assert_eq!(vec![Kind::Snapshot, Kind::Log, Kind::Log], kinds);
    }

    #[test]
    fn what_is_missing_is_an_error_and_the_rest_is_found() {
        let folder = Folder::with(&["a.log", "[x].log"]);
        fs::create_dir(folder.0.path().join("empty")).unwrap();
        let (found, discovery) = folder.found(&["gone.log", "a.log", "empty", "*.gone", "[x].log", "***"]);
        assert_eq!(vec!["a.log: a.log", "[x].log: [x].log"], found);
        let ends = ["quote the pattern)", "(name the files)", "no file matches this pattern", "or recursive `**`"];
        assert_eq!(ends.len(), discovery.errors.len());
        for (error, end) in discovery.errors.iter().zip(ends) {
            assert!(error.message.ends_with(end), "{error}");
        }
    }

    #[test]
    fn names_that_look_like_dates_or_numbers_are_read_as_such() {
        let age = |name: &str| family(Path::new(name));
        assert_eq!(("a".to_owned(), Age::Number(std::cmp::Reverse(1), Packed::No)), age("a.1"));
        assert_eq!(("a.log".to_owned(), Age::Bare(Packed::Yes)), age("a.log.gz"));
        assert_eq!(("a.log-20261399".to_owned(), Age::Bare(Packed::No)), age("a.log-20261399"));
        assert_eq!(("a.log".to_owned(), Age::Date("2026111709".to_owned(), Packed::No)), age("a.log-2026111709"));
        assert_eq!((".gz".to_owned(), Age::Bare(Packed::No)), age(".gz"));
        assert!(same_age(Path::new("x/a.log.1"), Path::new("x/a.log.1.gz")));
        assert!(!same_age(Path::new("x/a.log.1"), Path::new("x/a.log.2")));
    }
}
