//! Several logs followed at once: what belongs together, what is new, what counts once.

use vitalog::input::follow::Following;
use vitalog::input::follow::Options;

use super::*;

struct Logs {
    folder: tempfile::TempDir,
    following: Following,
    now: i64,
    told: Ledger,
}

fn options() -> Options {
    Options { begin: Begin::Start, longest: LONGEST, most_open: 8, exclude: Vec::new() }
}

impl Logs {
    fn new(asked: &[&str], mut options: Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        options.exclude.iter_mut().for_each(|path| *path = folder.path().join(&path));
        let asked: Vec<String> = asked.iter().map(|name| folder.path().join(name).to_string_lossy().into_owned()).collect();
        let following = Following::new(&asked, options);
        Self { folder, following, now: 0, told: Ledger::default() }
    }

    fn append(&self, name: &str, text: &str) {
        append(&self.folder.path().join(name), text);
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.folder.path().join(from), self.folder.path().join(to)).unwrap();
    }

    fn look(&mut self) {
        self.following.scan();
        loop {
            self.now += 1_000_000;
            let told = &mut self.told;
            if !self.following.poll(self.now, 1 << 30, &mut |what| told.take(what)).more {
                break;
            }
        }
    }

    fn sorted(&self) -> Vec<&str> {
        let mut lines: Vec<&str> = self.told.lines.iter().map(String::as_str).collect();
        lines.sort_unstable();
        lines
    }
}

#[test]
fn a_folder_gives_its_logs_and_those_that_come_later_from_their_first_byte() {
    let mut logs = Logs::new(&[""], Options { begin: Begin::End, exclude: vec!["own.log".into()], ..options() });
    logs.append("a.log", "old\n");
    logs.append("gone.log.1", "old\n");
    for (name, content) in [(".hidden.log", "no\n"), ("own.log", "no\n"), ("notes.txt", "no\n"), ("b.log.gz", "no\n")] {
        logs.append(name, content);
    }
    fs::write(logs.folder.path().join("raw.log"), [1, 2, 3, 4, 5]).unwrap();
    logs.look();
    logs.append("a.log", "a\n");
    logs.append("b.log", "b\n");
    logs.append("gone.log", "gone\n");
    logs.append("own.log-wal", "no\n");
    logs.look();
    assert_eq!(vec!["a", "b", "gone"], logs.sorted());
}

#[test]
fn a_new_log_that_was_rotated_before_it_was_found_is_read_wholly() {
    let mut logs = Logs::new(&["*.log"], options());
    logs.append("a.log.1", "history\n");
    logs.look();
    logs.append("a.log", "3\n");
    logs.append("b.log.2", "1\n");
    logs.append("b.log.1", "2\n");
    logs.append("b.log", "3\n");
    logs.look();
    logs.append("a.log", "4\n");
    logs.look();
    assert_eq!(vec!["1", "2", "3", "3", "4"], logs.sorted());
}

#[test]
fn a_pattern_that_matches_rotated_files_counts_them_once() {
    let mut logs = Logs::new(&["x.log*", "x.log", ""], options());
    logs.append("x.log", "1\n");
    logs.look();
    logs.append("x.log", "2\n");
    logs.rename("x.log", "x.log.1");
    logs.append("x.log", "3\n");
    logs.look();
    fs::copy(logs.folder.path().join("x.log"), logs.folder.path().join("x.log-20261122")).unwrap();
    OpenOptions::new().write(true).open(logs.folder.path().join("x.log")).unwrap().set_len(0).unwrap();
    logs.append("x.log", "4\n");
    logs.look();
    assert_eq!(vec!["1", "2", "3", "4"], logs.sorted());
}

#[test]
fn a_file_of_two_names_counts_once_whatever_becomes_of_them() {
    let mut logs = Logs::new(&["a.log", "b.log"], options());
    logs.append("a.log", "1\n");
    fs::hard_link(logs.folder.path().join("a.log"), logs.folder.path().join("b.log")).unwrap();
    logs.look();
    logs.append("b.log", "2\n");
    logs.look();
    fs::remove_file(logs.folder.path().join("a.log")).unwrap();
    logs.look();
    logs.now += LONG_US;
    logs.look();
    logs.now += LONG_US;
    logs.look();
    logs.append("b.log", "3\n");
    logs.look();
    logs.look();
    assert_eq!(vec!["1", "2", "3"], logs.sorted());
}

#[test]
fn files_of_equal_lines_are_each_read() {
    let mut logs = Logs::new(&["*.log"], options());
    for name in ["a.log", "b.log", "c.log", "empty.log"] {
        logs.append(name, if name == "empty.log" { "" } else { "equal\n" });
    }
    logs.look();
    assert_eq!(vec!["equal"; 3], logs.sorted());
}

#[test]
fn logs_written_under_dated_names_at_once_are_logs_of_their_own() {
    let mut logs = Logs::new(&["x.log.*"], options());
    logs.append("x.log.2026-11-22", "1\n");
    logs.look();
    logs.append("x.log.2026-11-22", "2\n");
    logs.append("x.log.2026-11-23", "3\n");
    logs.look();
    logs.look();
    assert_eq!(vec!["1", "2", "3"], logs.sorted());
}

#[test]
fn many_quiet_files_are_not_all_open_and_what_is_written_is_found() {
    let mut logs = Logs::new(&[""], options());
    for n in 0..200 {
        logs.append(&format!("f{n}.log"), &format!("first {n}\n"));
    }
    logs.look();
    logs.look();
    let open: usize = logs.following.followers().iter().map(Follower::open_files).sum();
    assert!(open <= 8, "{open} files are open");
    assert_eq!(200, logs.following.changed().len());
    for n in 0..20 {
        logs.append(&format!("f{n}.log"), "second\n");
    }
    logs.look();
    assert_eq!(220, logs.told.lines.len());
    assert_eq!(20, logs.following.changed().len());
}

#[test]
fn logs_that_are_held_back_are_not_all_open_and_are_read_wholly_when_they_may() {
    for (begin, expected) in [(Begin::Start, 2), (Begin::End, 1)] {
        let mut logs = Logs::new(&[""], Options { begin, ..options() });
        let names: Vec<String> = (0..30).map(|n| format!("{n:02}.log")).collect();
        for name in &names {
            logs.append(name, "there\n");
        }
        logs.following.hold((0..30).collect());
        logs.look();
        let open: usize = logs.following.followers().iter().map(Follower::open_files).sum();
        assert!(open <= 8, "{open} are open");
        for name in &names {
            logs.append(name, "new\n");
        }
        logs.rename("29.log", "29.log.1");
        logs.look();
        assert_eq!(0, logs.told.lines.len());
        logs.following.hold(std::collections::BTreeSet::new());
        logs.look();
        assert_eq!(30 * expected, logs.told.lines.len(), "{begin:?}");
    }
}

#[test]
fn a_log_that_was_renamed_to_another_followed_name_goes_on_there() {
    for restart in [false, true] {
        let mut logs = Logs::new(&["a.log", "b.log"], options());
        logs.append("a.log", "1\n");
        logs.look();
        logs.append("a.log", "2\n");
        logs.rename("a.log", "b.log");
        if restart {
            let path = |name: &str| logs.folder.path().join(name);
            let asked = ["a.log", "b.log"].map(|name| path(name).to_string_lossy().into_owned());
            let mut again = Following::new(&asked, options());
            for (number, bookmark) in logs.following.changed() {
                again.resume(path(["a.log", "b.log"][usize::try_from(number).unwrap()]), bookmark);
            }
            logs.following = again;
        }
        for line in ["3\n", "4\n", "5\n", "6\n"] {
            logs.look();
            logs.now += LONG_US;
            logs.append("b.log", line);
        }
        logs.look();
        assert_eq!(vec!["1", "2", "3", "4", "5", "6"], logs.sorted(), "{restart}");
    }
}

#[test]
fn a_set_goes_on_where_its_bookmarks_say() {
    let mut logs = Logs::new(&[""], options());
    logs.append("a.log", "1\n");
    logs.append("b.log", "2\n");
    logs.look();
    let saved = logs.following.changed();
    let paths: Vec<PathBuf> = logs.following.followers().iter().map(|f| f.path().to_path_buf()).collect();
    logs.append("a.log", "3\n");
    logs.rename("b.log", "b.log.1");
    logs.append("b.log", "4\n");
    let mut again = Following::new(&[logs.folder.path().to_string_lossy().into_owned()], options());
    for (number, bookmark) in saved {
        again.resume(paths[usize::try_from(number).unwrap()].clone(), bookmark);
    }
    again.resume("nowhere.log".into(), Bookmark::default());
    logs.following = again;
    logs.look();
    assert_eq!(vec!["1", "2", "3", "4"], logs.sorted());
    assert_eq!(1, logs.following.left_over().count());
}
