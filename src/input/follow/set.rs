//! All logs that are followed: paths, folders and patterns to followers, found again and again.
//!
//! Followers are asked in turn with a bounded budget; how many files are open at once is bounded too, idle ones are
//! opened again when they have grown. A content that stands under several names is read once: rotated forms belong to
//! their log, and a file that one follower holds is no other's.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
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

/// What was in a folder.
#[derive(Debug, Default)]
struct Listing {
    /// Of the folder itself, when it was listed.
    changed: Option<(u64, i64, i64)>,
    /// True where it was listed again since it has changed: a clock of file systems is coarse.
    settled: bool,
    names: BTreeSet<PathBuf>,
}

impl Listing {
    /// Lists `folder`, unless that would give the same names again; the names from before.
    fn renew(&mut self, folder: &Path) -> Option<BTreeSet<PathBuf>> {
        let changed = fs::metadata(folder).ok().map(|m| (m.ino(), m.mtime(), m.mtime_nsec()));
        let same = changed == self.changed;
        if same && self.settled {
            return None;
        }
        (self.changed, self.settled) = (changed, same);
        Some(std::mem::replace(&mut self.names, entries(folder)))
    }

    /// The rotated forms in it by their log, each log's oldest first.
    fn families(&self) -> HashMap<PathBuf, Vec<PathBuf>> {
        let mut families: HashMap<PathBuf, Vec<(Age, PathBuf)>> = HashMap::new();
        for path in &self.names {
            let (name, age) = discover::family(path);
            if !matches!(age, Age::Bare(_)) {
                families.entry(path.with_file_name(name)).or_default().push((age, path.clone()));
            }
        }
        let sorted = |mut family: Vec<(Age, PathBuf)>| {
            family.sort();
            family.into_iter().map(|(_, path)| path).collect()
        };
        families.into_iter().map(|(log, family)| (log, sorted(family))).collect()
    }
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
    /// The folders in which names may come up, as the last scan found them.
    folders: HashMap<PathBuf, Listing>,
    scanned: bool,
    /// Whose turn is next.
    next: usize,
    /// Logs whose files are looked at and held open, but not read for now.
    held: BTreeSet<u64>,
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
            folders: HashMap::new(),
            scanned: false,
            next: 0,
            held: BTreeSet::new(),
        }
    }

    /// From now on the logs of these numbers, and no others, are looked at without being read.
    pub fn hold(&mut self, held: BTreeSet<u64>) {
        self.held = held;
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

    /// What was asked for.
    pub fn asked(&self) -> &[String] {
        &self.asked
    }

    /// The followers, by their number.
    pub fn followers(&self) -> &[Follower] {
        &self.followers
    }

    /// The folders in which something may happen, for a watcher.
    pub fn folders(&self) -> Vec<PathBuf> {
        let mut folders = BTreeSet::new();
        for follower in &self.followers {
            folders.insert(folder_of(follower.path()));
            if let Ok(target) = fs::read_link(follower.path()) {
                folders.insert(folder_of(&folder_of(follower.path()).join(target)));
            }
        }
        folders.extend(self.searched());
        folders.into_iter().filter(|folder| folder.is_dir()).collect()
    }

    /// The folders in which names may come up, in order.
    fn searched(&self) -> BTreeSet<PathBuf> {
        let mut folders = BTreeSet::new();
        for asked in &self.asked {
            let path = Path::new(asked);
            let folder = if path.is_dir() { path.to_path_buf() } else { folder_of(path) };
            if folder.is_dir() {
                folders.insert(folder);
            } else if is_pattern(asked) {
                folders.extend(expand(&folder.to_string_lossy()).filter(|found| found.is_dir()));
            }
        }
        folders
    }

    /// Finds what is new under what was asked for: how many logs that is. To be called about once a second.
    pub fn scan(&mut self) -> usize {
        let mut old = std::mem::take(&mut self.folders);
        let (mut before, mut any) = (HashSet::new(), !self.scanned);
        for folder in self.searched() {
            let mut listing = old.remove(&folder).unwrap_or_default();
            if let Some(names) = listing.renew(&folder) {
                before.extend(names);
                any = true;
            }
            self.folders.insert(folder, listing);
        }
        if !any {
            return 0;
        }
        let mut found = Vec::new();
        for asked in &self.asked {
            self.matches(asked, &mut found);
        }
        found.retain(|(path, chosen)| !self.decided.contains(path) && (*chosen || self.is_wanted(path)));
        let count = self.followers.len();
        let mut families = HashMap::new();
        for (path, _) in found {
            let folder = folder_of(&path);
            let listing = self.folders.get(&folder);
            let family: &HashMap<PathBuf, Vec<PathBuf>> =
                families.entry(folder).or_insert_with(|| listing.map(Listing::families).unwrap_or_default());
            let rotated = family.get(&listed(&path)).map(Vec::as_slice).unwrap_or_default();
            let history = rotated.iter().filter(|path| !self.scanned || before.contains(*path)).cloned().collect();
            if self.decided.insert(path.clone()) {
                self.follow(path, history);
            }
        }
        self.scanned = true;
        self.followers.len() - count
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
            let held = self.held.contains(&follower.source());
            let mut share = if held { 0 } else { TURN.min(budget) };
            let given = share;
            let told = follower.poll(now, &mut share, &mut self.room, tell);
            open = open.saturating_sub(before) + follower.open_files();
            if open > self.options.most_open {
                open -= follower.open_files();
                // one that may not be read yet needs no open file
                if held {
                    follower.close_unread();
                } else {
                    follower.close_idle();
                }
                open += follower.open_files();
            }
            if told.starved {
                look.starved = true;
                self.followers.iter_mut().for_each(Follower::close_idle);
                open = self.followers.iter().map(Follower::open_files).sum();
            }
            budget -= given - share;
            look.more |= told.more && !held;
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

    /// The paths under one thing asked for; true for those chosen by name.
    fn matches(&self, asked: &str, found: &mut Vec<(PathBuf, bool)>) {
        let path = Path::new(asked);
        if path.is_dir() {
            let names = self.folders.get(path).into_iter().flat_map(|listing| &listing.names);
            let mut logs: Vec<&PathBuf> = names.filter(|path| discover::is_log(path)).collect();
            logs.sort();
            found.extend(logs.into_iter().map(|path| (bare(path.clone()), false)));
        } else if path.symlink_metadata().is_err() && is_pattern(asked) {
            found.extend(expand(asked).map(|path| (bare(path), false)));
        } else {
            found.push((path.to_path_buf(), true));
        }
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

    /// Follows a log beside which the files of `history` stood before.
    fn follow(&mut self, path: PathBuf, history: Vec<PathBuf>) {
        let number = self.followers.len() as u64;
        let linked = fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_symlink());
        let follower = match self.bookmarks.remove(&path) {
            Some(bookmark) => Follower::resume(path, number, &bookmark),
            None if self.scanned => Follower::new(path, number, self.options.begin).with_history(history).found_later(),
            // What a link leads to has files beside it in another folder.
            None if linked => Follower::new(path, number, self.options.begin),
            None => Follower::new(path, number, self.options.begin).with_history(history),
        };
        for file in follower.files() {
            self.room.taken.insert(file, number);
        }
        self.followers.push(follower);
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

fn is_pattern(asked: &str) -> bool {
    asked.contains(['*', '?', '['])
}

/// What a pattern matches, in order.
fn expand(pattern: &str) -> impl Iterator<Item = PathBuf> + use<> {
    let options = glob::MatchOptions { require_literal_leading_dot: true, ..glob::MatchOptions::default() };
    glob::glob_with(pattern, options).into_iter().flatten().filter_map(Result::ok)
}

/// A path as the listing of its folder names it.
fn listed(path: &Path) -> PathBuf {
    folder_of(path).join(path.file_name().unwrap_or_default())
}

fn folder_of(path: &Path) -> PathBuf {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_path_buf()
}

fn ending(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

fn entries(folder: &Path) -> BTreeSet<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return BTreeSet::new() };
    entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
}
