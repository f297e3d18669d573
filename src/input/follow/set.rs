//! All logs that are followed: paths, folders and patterns to followers, found again and again.
//!
//! Followers are asked in turn with a bounded budget; how many files are open at once is bounded too, idle ones are
//! opened again when they have grown. A content that stands under several names is read once: rotated forms belong to
//! their log, and a file that one follower holds is no other's.

use std::collections::HashMap;
use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use crate::input::archive::Archive;
use crate::input::discover;
use crate::input::discover::Age;
use crate::input::follow::Begin;
use crate::input::follow::Bookmark;
use crate::input::follow::Follower;
use crate::input::follow::Look;
use crate::input::follow::Room;
use crate::input::follow::Tell;
use crate::input::follow::siblings::siblings;

/// Bytes read from one log before the next has its turn.
const TURN: u64 = 4 << 20;

/// How logs are followed.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where reading starts in what is there at the first scan. Files that come later are read from their first byte.
    pub begin: Begin,
    /// The longest line in bytes.
    pub longest: usize,
    /// Files held open at once; more are open only while they are rotated away and watched.
    pub most_open: usize,
    /// Files that folders and patterns leave out: our own. What a database lays beside them is left out too.
    pub exclude: Vec<PathBuf>,
}

/// The logs under what was asked for.
#[derive(Debug)]
pub struct Following {
    asked: Vec<String>,
    options: Options,
    followers: Vec<Follower>,
    /// Every path that was decided about: followed or left out.
    decided: HashSet<PathBuf>,
    /// From an earlier run, by path.
    bookmarks: HashMap<PathBuf, Bookmark>,
    /// The names in each folder at the last scan.
    names: HashMap<PathBuf, HashSet<PathBuf>>,
    scanned: bool,
    /// Whose turn is next.
    next: usize,
    room: Room,
}

impl Following {
    /// Of `asked`: files, which need not exist yet, folders and globs. Nothing is opened yet.
    pub fn new(asked: &[String], options: Options) -> Self {
        Self {
            asked: asked.to_vec(),
            room: Room::new(options.longest),
            options,
            followers: Vec::new(),
            decided: HashSet::new(),
            bookmarks: HashMap::new(),
            names: HashMap::new(),
            scanned: false,
            next: 0,
        }
    }

    /// Says how far the log under `path` was read by an earlier run; to be told before the first scan.
    pub fn resume(&mut self, path: PathBuf, bookmark: Bookmark) {
        self.bookmarks.insert(path, bookmark);
    }

    /// Bookmarks of paths that are not followed (any more).
    pub fn left_over(&self) -> impl Iterator<Item = (&Path, &Bookmark)> {
        let mut left: Vec<_> = self.bookmarks.iter().map(|(path, bookmark)| (path.as_path(), bookmark)).collect();
        left.sort_by_key(|(path, _)| *path);
        left.into_iter()
    }

    /// The followers, by their number.
    pub fn followers(&self) -> &[Follower] {
        &self.followers
    }

    /// The folders in which something may happen, for a watcher.
    pub fn folders(&self) -> Vec<PathBuf> {
        let mut folders = HashSet::new();
        for follower in &self.followers {
            folders.insert(folder_of(follower.path()));
            if let Ok(target) = fs::read_link(follower.path()) {
                folders.insert(folder_of(&folder_of(follower.path()).join(target)));
            }
        }
        folders.extend(self.searched());
        let mut folders: Vec<PathBuf> = folders.into_iter().filter(|folder| folder.is_dir()).collect();
        folders.sort();
        folders
    }

    /// The folders in which names may come up.
    fn searched(&self) -> HashSet<PathBuf> {
        let folder = |path: &Path| if path.is_dir() { path.to_path_buf() } else { folder_of(path) };
        self.asked.iter().map(|asked| folder(Path::new(asked))).collect()
    }

    /// Finds what is new under what was asked for: how many logs that is. To be called about once a second.
    pub fn scan(&mut self) -> usize {
        let mut found = Vec::new();
        for asked in &self.asked {
            matches(asked, &mut found);
        }
        let before = self.followers.len();
        for (path, chosen) in found {
            if self.decided.contains(&path) || !chosen && !self.is_wanted(&path) {
                continue;
            }
            self.decided.insert(path.clone());
            self.follow(path);
        }
        self.names = self.searched().into_iter().map(|folder| (folder.clone(), entries(&folder))).collect();
        self.scanned = true;
        self.followers.len() - before
    }

    /// Looks at every log, reading up to about `budget` bytes in all; the next look goes on with the next log.
    pub fn poll(&mut self, now: i64, mut budget: u64, tell: &mut Tell<'_>) -> Look {
        let mut look = Look::default();
        let mut open: usize = self.followers.iter().map(Follower::open_files).sum();
        let count = self.followers.len();
        for turn in 0..count {
            let at = (self.next + turn) % count;
            let Some(follower) = self.followers.get_mut(at) else { break };
            let before = follower.open_files();
            let mut share = TURN.min(budget);
            let given = share;
            let told = follower.poll(now, &mut share, &mut self.room, tell);
            if told.starved || open + follower.open_files() - before.min(open) > self.options.most_open {
                follower.close_idle();
            }
            open = (open + follower.open_files()).saturating_sub(before);
            if told.starved {
                look.starved = true;
                self.followers.iter_mut().for_each(Follower::close_idle);
                open = self.followers.iter().map(Follower::open_files).sum();
            }
            budget -= given - share;
            look.more |= told.more;
            if budget == 0 && turn + 1 < count {
                self.next = (at + 1) % count;
                look.more = true;
                return look;
            }
        }
        look
    }

    /// The bookmarks that have changed since the last call, by number: what a state is to save.
    pub fn changed(&mut self) -> Vec<(u64, Bookmark)> {
        let mut changed = Vec::new();
        for follower in &mut self.followers {
            if let Some(bookmark) = follower.take_change() {
                changed.push((follower.source(), bookmark));
            }
        }
        changed
    }

    /// False for what folders and patterns leave out.
    fn is_wanted(&self, path: &Path) -> bool {
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        let own = |own: &PathBuf| path == own || ["-wal", "-shm", "-journal"].iter().any(|end| *path == ending(own, end));
        let packed = matches!(discover::family(path).1, Age::Bare(discover::Packed::Yes));
        if hidden || packed || self.options.exclude.iter().any(own) {
            return false;
        }
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_file() => {
                let snapshot = |mut archive: Archive| archive.head(discover::SNAPSHOT.len()) == discover::SNAPSHOT;
                !discover::is_binary(path) && !Archive::open(path).is_ok_and(snapshot)
            }
            Ok(_) => false,
            Err(_) => true,
        }
    }

    fn follow(&mut self, path: PathBuf) {
        let number = self.followers.len() as u64;
        let follower = match self.bookmarks.remove(&path) {
            Some(bookmark) => Follower::resume(path, number, &bookmark),
            None if self.scanned => {
                let folder = folder_of(&path);
                let old = self.names.get(&folder);
                let history = siblings(&path, usize::MAX).into_iter().filter(|p| old.is_some_and(|old| old.contains(p)));
                let history = history.collect();
                Follower::new(path, number, self.options.begin).with_history(history).found_later()
            }
            None => Follower::new(path, number, self.options.begin),
        };
        for file in follower.files() {
            self.room.taken.insert(file, number);
        }
        self.followers.push(follower);
    }
}

/// The paths under one thing asked for; true for those chosen by name.
fn matches(asked: &str, found: &mut Vec<(PathBuf, bool)>) {
    let path = Path::new(asked);
    if path.is_dir() {
        let mut logs: Vec<PathBuf> = entries(path).into_iter().filter(|path| discover::is_log(path)).collect();
        logs.sort();
        found.extend(logs.into_iter().map(|path| (bare(path), false)));
    } else if path.symlink_metadata().is_err() && asked.contains(['*', '?', '[']) {
        let options = glob::MatchOptions { require_literal_leading_dot: true, ..glob::MatchOptions::default() };
        let paths = glob::glob_with(asked, options).into_iter().flatten().filter_map(Result::ok);
        found.extend(paths.map(|path| (bare(path), false)));
    } else {
        found.push((path.to_path_buf(), true));
    }
}

/// The log that a rotated form belongs to. Forms with a date are logs of their own where nothing stands under the bare
/// name: some servers write into them at once.
fn bare(path: PathBuf) -> PathBuf {
    let (name, age) = discover::family(&path);
    let log = path.with_file_name(name);
    match age {
        Age::Bare(_) => path,
        Age::Date(_, discover::Packed::No) if !log.exists() => path,
        Age::Date(..) | Age::Number(..) => log,
    }
}

fn folder_of(path: &Path) -> PathBuf {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_path_buf()
}

fn ending(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

fn entries(folder: &Path) -> HashSet<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return HashSet::new() };
    entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
}
