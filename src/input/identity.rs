//! Is this the same content, the same file? Fingerprints of heads, digests of wholes, and copies found by them.
//!
//! Contents are compared unpacked, so that `x.log.1` is found again in `x.log.1.gz`. The hash is our own, 128 bits
//! wide, made for speed (four lanes of folded 64-bit multiplication, the step of wyhash by Wang Yi) and the same on
//! every machine. It is no protection against somebody who makes two files collide on purpose: at worst one file of
//! theirs is taken for a copy of another.

use std::collections::HashMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;
use std::time::UNIX_EPOCH;

use crate::input::archive::Archive;
use crate::input::discover;

/// Bytes of a head that are looked at.
pub const HEAD: usize = 4096;
/// The shortest content that is believed to be a copy where the names do not say so: servers begin with the same
/// lines again and again.
const TELLING: u64 = 1024;
const STRIPE: usize = 64;
const LANES: usize = 4;
/// Odd constants of wyhash and the hexadecimal digits of pi.
const SEEDS: [u64; 8] = [
    0xa076_1d64_78bd_642f,
    0xe703_7ed1_a0b4_28db,
    0x8ebc_6af0_9c88_c6e3,
    0x5899_65cc_7537_4cc3,
    0x243f_6a88_85a3_08d3,
    0x1319_8a2e_0370_7345,
    0xa409_3822_299f_31d1,
    0x082e_fa98_ec4e_6c89,
];

/// How a file begins: the hash of its first bytes, unpacked, and how many they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Head {
    /// Of the first `length` bytes.
    pub hash: [u64; 2],
    /// At most [`HEAD`]; fewer where the file was shorter.
    pub length: u64,
}

impl Head {
    /// Of content that begins with `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        let bytes = bytes.get(..HEAD).unwrap_or(bytes);
        let mut digest = Digest::new();
        digest.add(bytes);
        Self { hash: digest.finish(), length: bytes.len() as u64 }
    }

    /// True where content that begins with `bytes` may be the one this was made of, grown since.
    pub fn fits(&self, bytes: &[u8]) -> bool {
        let length = usize::try_from(self.length).unwrap_or(usize::MAX);
        bytes.get(..length).is_some_and(|start| Self::of(start) == *self)
    }
}

/// Which file it is, as the file system tells. A number that was given back and taken again is told apart by the time
/// the file was made, where the file system keeps that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct FileId {
    /// The device it lies on.
    pub device: u64,
    /// Its number there.
    pub inode: u64,
    /// When it was made, in nanoseconds since 1970, where that is known.
    pub born: Option<i64>,
}

impl FileId {
    /// Of the file that `metadata` describes.
    pub fn of(metadata: &Metadata) -> Self {
        let made = metadata.created().ok().and_then(|made| made.duration_since(UNIX_EPOCH).ok());
        let born = made.and_then(|age| i64::try_from(age.as_nanos()).ok());
        Self { device: metadata.dev(), inode: metadata.ino(), born }
    }
}

/// Lengths of heads below [`HEAD`] that are remembered besides.
const STEPS: [u64; 13] = [16, 32, 64, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072];

/// How a content begins, while it is being read.
#[derive(Debug, Clone, Default)]
pub struct Start {
    digest: Digest,
    steps: [u32; STEPS.len()],
}

impl Start {
    /// Adds what was read next; what goes beyond [`HEAD`] is not looked at.
    pub fn add(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && self.digest.len() < HEAD as u64 {
            let at = STEPS.partition_point(|step| *step <= self.digest.len());
            let border = STEPS.get(at).copied().unwrap_or(HEAD as u64);
            let room = usize::try_from(border - self.digest.len()).unwrap_or(usize::MAX);
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.digest.add(now);
            if let Some(step) = self.steps.get_mut(at).filter(|_| self.digest.len() == border) {
                *step = low(self.digest.finish());
            }
            bytes = later;
        }
    }

    /// The head as far as it was read.
    pub fn head(&self) -> Head {
        Head { hash: self.digest.finish(), length: self.digest.len() }
    }

    /// Hashes of its beginnings.
    pub fn steps(&self) -> Steps {
        Steps(self.steps)
    }
}

/// Short hashes of several lengths of one head, by which a copy is known that is shorter than what was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Steps([u32; STEPS.len()]);

impl Steps {
    /// True where all that `bytes` tell, at least 16 of them, agrees with the head.
    pub fn fit(&self, bytes: &[u8]) -> bool {
        let mut start = Start::default();
        start.add(bytes);
        let known = start.steps.iter().zip(&self.0).take_while(|(mine, _)| **mine != 0);
        let mut told = known.map(|(mine, theirs)| mine == theirs).peekable();
        told.peek().is_some() && told.all(|same| same)
    }
}

/// Never 0, which says that a head is not so long.
fn low([hash, _]: [u64; 2]) -> u32 {
    (hash & u64::from(u32::MAX)).max(1).try_into().unwrap_or(1)
}

/// A file as its reader knew it: the numbers of the file system, how it begins, and what stood directly before the
/// place that was reached. Two of the three may change (a file copied, restored, packed), the content may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Identity {
    /// Where it was read.
    pub file: FileId,
    /// Of the first bytes that were read, a byte order mark left out; shorter than [`HEAD`] while less was read.
    pub head: Head,
    /// Of shorter beginnings.
    pub steps: Steps,
    /// Of the last bytes before the place that was reached, at most 64.
    pub mark: Head,
}

/// The hash of all bytes that were added, in order; how they were chunked does not matter.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Digest {
    lanes: [u64; LANES],
    /// Bytes that do not fill a stripe yet; fewer than [`STRIPE`].
    rest: Vec<u8>,
    length: u64,
}

impl Default for Digest {
    fn default() -> Self {
        Self::new()
    }
}

impl Digest {
    /// Of no bytes.
    pub fn new() -> Self {
        let [one, two, three, four, ..] = SEEDS;
        Self { lanes: [one, two, three, four], rest: Vec::with_capacity(STRIPE), length: 0 }
    }

    /// How many bytes were added.
    pub fn len(&self) -> u64 {
        self.length
    }

    /// True before the first byte.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Adds bytes behind those that were added before.
    pub fn add(&mut self, mut bytes: &[u8]) {
        self.length += bytes.len() as u64;
        if !self.rest.is_empty() {
            let (first, behind) = bytes.split_at(bytes.len().min(STRIPE - self.rest.len()));
            self.rest.extend_from_slice(first);
            bytes = behind;
            if let Ok(stripe) = <&[u8; STRIPE]>::try_from(self.rest.as_slice()) {
                mix(&mut self.lanes, stripe);
                self.rest.clear();
            }
        }
        let (stripes, rest) = bytes.as_chunks::<STRIPE>();
        let mut lanes = self.lanes;
        for stripe in stripes {
            mix(&mut lanes, stripe);
        }
        self.lanes = lanes;
        self.rest.extend_from_slice(rest);
    }

    /// The hash of what was added so far; more may be added.
    pub fn finish(&self) -> [u64; 2] {
        let mut lanes = self.lanes;
        let mut last = [0; STRIPE];
        for (to, from) in last.iter_mut().zip(&self.rest) {
            *to = *from;
        }
        mix(&mut lanes, &last);
        let [one, two, three, four] = lanes;
        let [.., seed, other_seed, last_seed, very_last_seed] = SEEDS;
        let left = fold(one ^ seed, two ^ self.length);
        let right = fold(three ^ other_seed, four ^ self.length.rotate_left(32));
        [fold(left ^ last_seed, right ^ one ^ four), fold(right ^ very_last_seed, left.rotate_left(29) ^ two ^ three)]
    }
}

/// The product's two halves, one laid over the other.
fn fold(left: u64, right: u64) -> u64 {
    let product = u128::from(left) * u128::from(right);
    let bytes = product.to_le_bytes();
    let (halves, _) = bytes.as_chunks::<8>();
    halves.iter().fold(0, |sum, half| sum ^ u64::from_le_bytes(*half))
}

/// Adds one stripe, 16 bytes a lane. A lane that meets a zero factor goes on from the stripe's own bytes.
#[inline]
fn mix(lanes: &mut [u64; LANES], stripe: &[u8; STRIPE]) {
    let (words, _) = stripe.as_chunks::<8>();
    let (pairs, _) = words.as_chunks::<2>();
    for ((lane, [low, high]), seed) in lanes.iter_mut().zip(pairs).zip(SEEDS) {
        let (low, high) = (u64::from_le_bytes(*low), u64::from_le_bytes(*high));
        *lane = fold(*lane ^ low, high ^ seed) ^ lane.rotate_left(23).wrapping_add(high);
    }
}

/// A file whose content is in another one too, and so must count once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duplicate {
    /// The file that is to be left out: its place among the files asked about.
    pub copy: usize,
    /// The file that holds the same bytes.
    pub original: usize,
    /// How many bytes they share, unpacked: all of the copy.
    pub bytes: u64,
    /// True where the original goes on behind them.
    pub prefix: bool,
}

/// Which of `files` hold nothing that another of them does not hold, each told of once. Only files whose heads agree
/// are read to their end. Of two equal ones the later is the copy. What cannot be read is nobody's copy; an archive
/// that ends early is compared as far as it goes.
pub fn duplicates(files: &[PathBuf]) -> Vec<Duplicate> {
    let heads: Vec<Vec<u8>> = files.iter().map(|path| head_of(path)).collect();
    let mut candidates: Vec<usize> = (0..files.len()).filter(|at| agrees(*at, files, &heads)).collect();
    let wholes: HashMap<usize, Whole> = candidates.iter().map(|at| (*at, whole_of(files, *at))).collect();
    let length = |at: usize| wholes.get(&at).map_or(0, |w| w.length);
    // The longest first, so that what holds most is the original; among equal ones the first named.
    candidates.sort_by_key(|at| (std::cmp::Reverse(length(*at)), *at));
    let mut originals: Vec<usize> = Vec::new();
    let mut found = Vec::new();
    for copy in candidates {
        let prefix_of = |original: &usize| {
            let same = length(*original) == length(copy);
            let believed = length(copy) >= TELLING || (same && discover::same_age(files.get(*original)?, files.get(copy)?));
            let hash = if same { wholes.get(original)?.hash } else { hash_of_first(files.get(*original)?, length(copy))? };
            let heads_agree = heads.get(*original)?.starts_with(heads.get(copy)?);
            (believed && heads_agree && hash == wholes.get(&copy)?.hash).then_some((*original, !same))
        };
        match originals.iter().find_map(prefix_of) {
            Some((original, prefix)) => found.push(Duplicate { copy, original, bytes: length(copy), prefix }),
            None => originals.push(copy),
        }
    }
    found.sort_by_key(|duplicate| duplicate.copy);
    found
}

struct Whole {
    length: u64,
    hash: [u64; 2],
}

fn head_of(path: &Path) -> Vec<u8> {
    Archive::beforehand(path).map(|mut archive| archive.head(HEAD).to_vec()).unwrap_or_default()
}

/// True where another head begins as this one, or this as another, and both tell enough to be believed.
fn agrees(at: usize, files: &[PathBuf], heads: &[Vec<u8>]) -> bool {
    let (Some(mine), Some(path)) = (heads.get(at).filter(|head| !head.is_empty()), files.get(at)) else { return false };
    heads.iter().zip(files).enumerate().any(|(other, (head, file))| {
        let telling = head.len().min(mine.len()) as u64 >= TELLING || (!head.is_empty() && discover::same_age(path, file));
        other != at && telling && (head.starts_with(mine) || mine.starts_with(head))
    })
}

fn whole_of(files: &[PathBuf], at: usize) -> Whole {
    let digest = files.get(at).map(|path| digest_of(path, u64::MAX)).unwrap_or_default();
    Whole { length: digest.len(), hash: digest.finish() }
}

fn hash_of_first(path: &Path, length: u64) -> Option<[u64; 2]> {
    let digest = digest_of(path, length);
    (digest.len() == length).then(|| digest.finish())
}

/// Of up to `limit` unpacked bytes; what cannot be read is left out.
fn digest_of(path: &Path, limit: u64) -> Digest {
    let mut digest = Digest::new();
    let Some(mut archive) = Archive::beforehand(path) else { return digest };
    let mut buffer = vec![0; 256 << 10];
    loop {
        let room = usize::try_from(limit - digest.len()).unwrap_or(usize::MAX).min(buffer.len());
        match archive.read(buffer.get_mut(..room).unwrap_or_default()) {
            Ok(0) | Err(_) => return digest,
            Ok(count) => digest.add(buffer.get(..count).unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::io::Write;

    use proptest::prelude::*;

    fn hash(bytes: &[u8]) -> [u64; 2] {
        let mut digest = Digest::new();
        digest.add(bytes);
        digest.finish()
    }

    proptest! {
        #[test]
        fn chunking_does_not_change_a_digest(bytes in prop::collection::vec(any::<u8>(), 0..400), size in 1_usize..130) {
            let mut digest = Digest::new();
            for chunk in bytes.chunks(size) {
                digest.add(chunk);
            }
            prop_assert_eq!(hash(&bytes), digest.finish());
            prop_assert_eq!(bytes.len() as u64, digest.len());
        }
    }

    #[test]
    fn nearly_equal_contents_have_different_digests() {
        let base: Vec<u8> = (1..=251).rev().chain(3..90).collect();
        let mut seen = HashSet::from([hash(&base)]);
        for bit in 0..base.len() * 8 {
            let mut other = base.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(seen.insert(hash(&other)), "bit {bit}");
        }
        for length in 0..base.len() {
            assert!(seen.insert(hash(&base[..length])), "length {length}");
        }
        for zeros in 1..300 {
            assert!(seen.insert(hash(&vec![0; zeros])), "{zeros} zeros");
        }
    }

    #[test]
    fn a_head_fits_what_has_grown_since() {
        let long = vec![b'x'; 10_000];
        let short = Head::of(b"first\n");
        assert!(short.fits(b"first\nsecond\n"));
        assert!(!short.fits(b"first"));
        assert!(!short.fits(b"other\nsecond\n"));
        assert_eq!(Head::of(&long[..HEAD]), Head::of(&long));
        assert!(Head::of(&long).fits(&long));
    }

    #[test]
    fn a_start_grows_by_any_parts_and_a_shorter_copy_fits_it() {
        let bytes: Vec<u8> = lines(0, 120);
        for part in [1, 31, 32, 33, 700, 5000] {
            let mut start = Start::default();
            bytes.chunks(part).for_each(|chunk| start.add(chunk));
            assert_eq!(Head::of(&bytes), start.head(), "by {part}");
            for length in [21, 32, 63, 64, 1000, 4000] {
                let mut other = bytes[..length].to_vec();
                assert!(start.steps().fit(&other), "{length} by {part}");
                other[10] ^= 1;
                assert!(!start.steps().fit(&other), "{length} by {part}");
            }
            assert!(!start.steps().fit(&bytes[..15]));
        }
        let mut short = Start::default();
        short.add(&bytes[..100]);
        assert!(!short.steps().fit(&bytes[..200]));
    }

    fn lines(from: u32, to: u32) -> Vec<u8> {
        (from..to).flat_map(|n| format!("INFO:     10.0.0.1:{n} - \"GET / HTTP/1.1\" 200 OK\n").into_bytes()).collect()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    }

    fn found(files: &[(&str, Vec<u8>)]) -> Vec<(String, String, bool)> {
        let folder = tempfile::tempdir().unwrap();
        let mut paths = Vec::new();
        for (name, content) in files {
            paths.push(folder.path().join(name));
            std::fs::write(paths.last().unwrap(), content).unwrap();
        }
        let name = |at: usize| files[at].0.to_owned();
        duplicates(&paths).into_iter().map(|d| (name(d.copy), name(d.original), d.prefix)).collect()
    }

    fn told(copy: &str, original: &str, prefix: bool) -> (String, String, bool) {
        (copy.to_owned(), original.to_owned(), prefix)
    }

    #[test]
    fn the_same_content_is_found_under_another_packing() {
        let (day, other) = (lines(0, 900), lines(1000, 1900));
        let files = [("x.log.2", other), ("x.log.1.gz", gzip(&day)), ("x.log.1", day), ("x.log", lines(2000, 2900))];
        assert_eq!(vec![told("x.log.1", "x.log.1.gz", false)], found(&files));
    }

    #[test]
    fn a_copy_of_the_beginning_is_found_in_the_longer_file() {
        let files = [("x.log.1", lines(0, 500)), ("x.log", lines(0, 900)), ("y.log.gz", gzip(&lines(0, 500)))];
        assert_eq!(vec![told("x.log.1", "x.log", true), told("y.log.gz", "x.log", true)], found(&files));
    }

    #[test]
    fn the_same_head_alone_is_no_copy() {
        let (mut one, mut two) = (lines(0, 500), lines(0, 500));
        one.extend(lines(600, 900));
        two.extend(lines(700, 1000));
        assert_eq!(Vec::<(String, String, bool)>::new(), found(&[("a.log", one), ("b.log", two)]));
    }

    #[test]
    fn short_contents_are_copies_only_where_the_names_say_so() {
        let banner = b"INFO:     Started server process [1]\n".to_vec();
        let apart = [("a.log", banner.clone()), ("b.log", banner.clone()), ("c.log", lines(0, 2)), ("e.log", Vec::new())];
        assert_eq!(Vec::<(String, String, bool)>::new(), found(&apart));
        let one = [("x.log.1", banner.clone()), ("x.log.1.gz", gzip(&banner)), ("x.log.2", banner)];
        assert_eq!(vec![told("x.log.1.gz", "x.log.1", false)], found(&one));
    }
}
