//! The files beside a log that hold what was rotated away from it, oldest first.
//!
//! Rotated forms are `discover.rs`'. Where the path is a link, its target's rotated forms count too, and files beside
//! the target whose names differ from its own in digits alone (`app-2026-11-22.log`, `1.log`).

use std::cmp::Ordering;
use std::ffi::OsString;
use std::fs;
use std::fs::File;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use crate::input::archive::Archive;
use crate::input::discover;
use crate::input::discover::Age;
use crate::input::follow::trace::Kept;
use crate::input::follow::trace::first_bytes;
use crate::input::follow::trace::holds;
use crate::input::identity::FileId;
use crate::input::identity::HEAD;
use crate::input::unpack::MAGIC;
use crate::input::unpack::Packing;

/// The newest so many are looked at.
pub(super) const MOST: usize = 10;

/// A rotated file that was opened to see what it is.
pub(super) struct Candidate {
    pub(super) path: PathBuf,
    pub(super) file: FileId,
    /// Bytes; [`u64::MAX`] where it is packed.
    pub(super) size: u64,
    /// Its first bytes, unpacked.
    pub(super) head: Vec<u8>,
    pub(super) content: Content,
    /// Its place in the list, 0 the oldest.
    pub(super) rank: usize,
}

pub(super) enum Content {
    Plain(File),
    Packed(Box<Archive>),
}

impl Candidate {
    /// Opens what stands under `path`; `None` where that is no regular file.
    pub(super) fn open(path: &Path, rank: usize) -> io::Result<Option<Self>> {
        if !fs::metadata(path)?.is_file() {
            return Ok(None);
        }
        let plain = File::open(path)?;
        let metadata = plain.metadata()?;
        let (path, file) = (path.to_path_buf(), FileId::of(&metadata));
        if Packing::of(&first_bytes(&plain, MAGIC)?) == Packing::Plain {
            let head = first_bytes(&plain, HEAD)?;
            return Ok(Some(Self { path, file, size: metadata.len(), head, content: Content::Plain(plain), rank }));
        }
        let mut archive = Archive::open(&path).map_err(|error| io::Error::other(error.message))?;
        let head = archive.head(HEAD).to_vec();
        if FileId::of(&fs::metadata(&path)?) != file {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(Some(Self { path, file, size: u64::MAX, head, content: Content::Packed(Box::new(archive)), rank }))
    }

    pub(super) fn is_packed(&self) -> bool {
        matches!(self.content, Content::Packed(_))
    }

    /// True where it holds what was kept: it begins so, and where that can be seen without unpacking, the bytes before
    /// the place are the same.
    pub(super) fn continues(&self, kept: &Kept) -> bool {
        kept.place.offset > 0 && kept.identity.head.fits(&self.head) && self.holds(kept)
    }

    fn holds(&self, kept: &Kept) -> bool {
        match &self.content {
            Content::Plain(file) => holds(file, kept),
            Content::Packed(_) => true,
        }
    }
}

/// The rotated forms beside `path` and beside what it links to, the newest `most` of them.
pub(super) fn siblings(path: &Path, most: usize) -> Vec<PathBuf> {
    let mut found = beside(path, false);
    if fs::symlink_metadata(path).is_ok_and(|m| m.is_symlink()) {
        let target = fs::canonicalize(path).or_else(|_| follow_link(path));
        if let Ok(target) = target {
            found.extend(beside(&target, true));
        }
    }
    found.drain(..found.len().saturating_sub(most));
    found
}

/// Where a link points that leads nowhere yet.
fn follow_link(path: &Path) -> io::Result<PathBuf> {
    let target = fs::read_link(path)?;
    Ok(path.parent().unwrap_or(Path::new("")).join(target))
}

/// What was found, oldest first: files numbered like the link's target, then rotated forms.
fn beside(path: &Path, linked: bool) -> Vec<PathBuf> {
    let folder = path.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Some(own) = path.file_name().map(|name| name.to_string_lossy().into_owned()) else { return Vec::new() };
    let (form, _) = digits(&own);
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut rotated: Vec<(Age, OsString)> = Vec::new();
    let mut peers: Vec<(Vec<String>, OsString)> = Vec::new();
    for name in entries.filter_map(|entry| Some(entry.ok()?.file_name())) {
        let text = name.to_string_lossy();
        if text == own {
            continue;
        }
        if text.starts_with(&own) {
            let (bare, age) = discover::family(Path::new(&name));
            if bare == own {
                rotated.push((age, name));
                continue;
            }
        }
        if linked && form != own {
            let (other, numbers) = digits(&text);
            if other == form {
                peers.push((numbers, name));
            }
        }
    }
    peers.sort_by(|(one, a), (other, b)| by_number(one, other).then_with(|| a.cmp(b)));
    rotated.sort();
    let names = peers.into_iter().map(|(_, name)| name).chain(rotated.into_iter().map(|(_, name)| name));
    let names: Vec<OsString> = names.collect();
    // While a packer works, the file it packs stands beside its half-made work.
    let unpacked = |name: &OsString| {
        let text = name.to_string_lossy();
        [".gz", ".bz2", ".xz", ".zst"].iter().find_map(|end| text.strip_suffix(end).map(OsString::from))
    };
    let in_work = |name: &OsString| unpacked(name).is_some_and(|plain| names.contains(&plain) || plain == *own);
    names.iter().filter(|name| !in_work(name)).map(|name| folder.join(name)).collect()
}

/// A name with its numbers taken out, and the numbers.
fn digits(name: &str) -> (String, Vec<String>) {
    let (mut form, mut numbers) = (String::new(), Vec::new());
    let mut inside = false;
    for letter in name.chars() {
        if letter.is_ascii_digit() {
            if !inside {
                form.push('#');
                numbers.push(String::new());
            }
            if let Some(last) = numbers.last_mut() {
                last.push(letter);
            }
        } else {
            form.push(letter);
        }
        inside = letter.is_ascii_digit();
    }
    (form, numbers)
}

fn by_number(one: &[String], other: &[String]) -> Ordering {
    let key = |numbers: &[String]| -> Vec<(usize, String)> {
        let bare = numbers.iter().map(|n| n.trim_start_matches('0').to_owned());
        bare.map(|n| (n.len(), n)).collect()
    };
    key(one).cmp(&key(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path, path: &str) -> Vec<String> {
        let found = siblings(&folder.join(path), MOST);
        found.iter().map(|p| p.file_name().unwrap().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn rotated_forms_come_oldest_first_and_others_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.log", "a.log.1", "a.log.2.gz", "a.log-20261120", "a.log.txt", "b.log.1", "a.log.3", "a.log.3.gz"] {
            fs::write(folder.path().join(name), b"x\n").unwrap();
        }
        assert_eq!(vec!["a.log-20261120", "a.log.3", "a.log.2.gz", "a.log.1"], names(folder.path(), "a.log"));
    }

    #[test]
    fn a_link_s_target_has_siblings_by_number() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["9.log", "10.log", "11.log", "10.log.20261123-101112", "x.log"] {
            fs::write(folder.path().join(name), b"x\n").unwrap();
        }
        std::os::unix::fs::symlink("10.log", folder.path().join("now")).unwrap();
        assert_eq!(vec!["9.log", "11.log", "10.log.20261123-101112"], names(folder.path(), "now"));
    }
}
