//! Followed logs: single situations, and a random model. Nothing sleeps: each look is asked for, and time is passed in.

mod model;
mod set;
mod situations;

use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use vitalog::input::follow::Begin;
use vitalog::input::follow::Bookmark;
use vitalog::input::follow::Chunk;
use vitalog::input::follow::Follower;
use vitalog::input::follow::Happening;
use vitalog::input::follow::Look;
use vitalog::input::follow::Room;
use vitalog::input::follow::Told;
use vitalog::line::LONGEST;
use vitalog::line::split::Block;

/// Longer than any grace.
const LONG_US: i64 = 60_000_000;

/// One log in a folder of its own, its follower, and everything that was told.
struct Log {
    folder: tempfile::TempDir,
    path: PathBuf,
    follower: Follower,
    room: Room,
    now: i64,
    told: Ledger,
}

/// What a driver keeps beside a bookmark.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Ledger {
    lines: Vec<String>,
    happenings: Vec<Happening>,
    lost: u64,
    hole: u64,
    too_long: u64,
}

impl Ledger {
    fn take(&mut self, told: Told<'_>) {
        match told {
            Told::Chunk(chunk) => self.chunk(chunk),
            Told::Happening(_, _, happening) => {
                self.lost += happening.lost_bytes();
                self.happenings.push(happening);
            }
        }
    }

    fn chunk(&mut self, chunk: Chunk<'_>) {
        let Chunk { bytes, offset, hole, ends_inside, too_long, .. } = chunk;
        let block = Block { bytes, offset, hole, ends_inside, too_long };
        self.hole += if block.lines().next().is_none() { hole } else { 0 };
        for line in block.lines() {
            self.hole += line.hole;
            self.too_long += u64::from(line.too_long);
            if !line.too_long {
                self.lines.push(String::from_utf8_lossy(line.bytes).into_owned());
            }
        }
    }
}

impl Log {
    /// A log that is followed from its start, with nothing in it yet.
    fn new() -> Self {
        Self::with(Begin::Start, None)
    }

    /// A log that holds `content`, or does not exist.
    fn with(begin: Begin, content: Option<&[u8]>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.log");
        if let Some(content) = content {
            fs::write(&path, content).unwrap();
        }
        let follower = Follower::new(path.clone(), 7, begin);
        Self { folder, path, follower, room: Room::new(LONGEST), now: 0, told: Ledger::default() }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn append(&self, text: &str) {
        append(&self.path, text);
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.at(from), self.at(to)).unwrap();
    }

    fn truncate(&self) {
        OpenOptions::new().write(true).open(&self.path).unwrap().set_len(0).unwrap();
    }

    /// A look one second after the last.
    fn look(&mut self) -> Look {
        self.look_after(1_000_000, u64::MAX)
    }

    fn look_after(&mut self, step_us: i64, mut budget: u64) -> Look {
        self.now += step_us;
        let told = &mut self.told;
        self.follower.poll(self.now, &mut budget, &mut self.room, &mut |what| told.take(what))
    }

    /// Looks until no rotated file is awaited any more.
    fn settle(&mut self) {
        for _ in 0..4 {
            self.look_after(LONG_US, u64::MAX);
        }
    }

    /// Killed and started again with what was saved.
    fn restart(&mut self, bookmark: &Bookmark) {
        let stored = serde_json::to_string(bookmark).unwrap();
        let read: Bookmark = serde_json::from_str(&stored).unwrap();
        assert_eq!(*bookmark, read);
        self.follower = Follower::resume(self.path.clone(), 7, &read);
        self.room = Room::new(LONGEST);
    }

    #[track_caller]
    fn assert_lines(&self, expected: &[&str]) {
        assert_eq!(expected, self.told.lines, "told: {:?}", self.told.happenings);
    }
}

fn append(path: &Path, text: &str) {
    OpenOptions::new().create(true).append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

fn gzip(from: &Path, to: &Path) {
    let mut packer = flate2::write::GzEncoder::new(File::create(to).unwrap(), flate2::Compression::fast());
    packer.write_all(&fs::read(from).unwrap()).unwrap();
    packer.finish().unwrap();
    fs::remove_file(from).unwrap();
}
