//! Finished files, standard input, compressed files by their first bytes: one opened source and its plain bytes.
//!
//! Gives bytes; lines are `line`'s. Unpacks gzip (several members, zero padding behind them), zstd (several frames),
//! bzip2 and xz, drops a UTF-8 byte order mark and turns UTF-16 with one into UTF-8. What the name says of the form
//! does not matter. Damaged data gives all that can be had, then the error.

use std::fs::File;
use std::io;
use std::io::Cursor;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::error::Error;
use crate::input::beside::beside;
use crate::input::unpack::MAGIC;
use crate::input::unpack::Packing;
use crate::input::unpack::Source;
use crate::input::unpack::decode_utf16;

/// One opened source.
pub struct Archive {
    /// As errors name it.
    name: String,
    packing: Packing,
    plain_len: Option<u64>,
    source: Source,
    /// Bytes that were looked at and belong before `source`.
    head: Vec<u8>,
    /// How many of `head` have been given.
    given: usize,
    /// What stopped the looking ahead; told once `head` has been given.
    failure: Option<Error>,
    position: u64,
}

impl Archive {
    /// Opens a file, or a pipe that has a name, from its beginning.
    ///
    /// # Errors
    /// Where it cannot be opened, or not a byte of it read.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let name = shown(path);
        let file = File::open(path).map_err(|e| failed(&name, &e))?;
        let regular = file.metadata().ok().filter(std::fs::Metadata::is_file);
        if regular.is_none() {
            widen(&file);
        }
        Self::new(name, Box::new(file), regular.map(|m| m.len()))
    }

    /// A file opened to be looked at before it is read. `None` where that would take away what can be had but once, as of
    /// standard input (`-`) and any other pipe, and where it cannot be opened.
    pub fn beforehand(path: &Path) -> Option<Self> {
        let again = path.as_os_str() != "-" && path.is_file();
        again.then(|| Self::open(path).ok()).flatten()
    }

    /// Standard input.
    ///
    /// # Errors
    /// Where not a byte of it can be read.
    pub fn stdin() -> Result<Self, Error> {
        widen(io::stdin());
        Self::new("-".to_owned(), Box::new(io::stdin()), None)
    }

    /// The bytes from `start` up to `end` of a plain file, for one of several shares; see [`line_starts`].
    ///
    /// # Errors
    /// Where it cannot be opened.
    pub fn open_range(path: &Path, start: u64, end: u64) -> Result<Self, Error> {
        let name = shown(path);
        let file = File::open(path).map_err(|e| failed(&name, &e))?;
        let source = Box::new(Range { file, at: start, end });
        let mut archive = Self::bare(name, Packing::Plain, None, source);
        if start == 0 {
            archive.leave_mark_out();
        }
        archive.position += start;
        Ok(archive)
    }

    fn new(name: String, mut raw: Source, length: Option<u64>) -> Result<Self, Error> {
        let mut first = Vec::new();
        let looked = fill(&mut raw, &mut first, MAGIC);
        if let (Err(error), true) = (&looked, first.is_empty()) {
            return Err(failed(&name, error));
        }
        let packing = Packing::of(&first);
        let mut archive = if packing == Packing::Plain {
            let mut plain = Self::bare(name, packing, length, raw);
            plain.head = first;
            plain
        } else {
            let source = packing.unpack(Cursor::new(first).chain(raw)).map_err(|e| failed(&name, &e))?;
            Self::bare(name, packing, None, source)
        };
        archive.leave_mark_out();
        Ok(archive)
    }

    fn bare(name: String, packing: Packing, plain_len: Option<u64>, source: Source) -> Self {
        Self { name, packing, plain_len, source, head: Vec::new(), given: 0, failure: None, position: 0 }
    }

    /// Drops a byte order mark, and puts a decoder before the source where it is one of UTF-16.
    fn leave_mark_out(&mut self) {
        self.look(3);
        match self.head.as_slice() {
            [0xef, 0xbb, 0xbf, ..] => (self.given, self.position) = (3, 3),
            [0xff, 0xfe, ..] => self.decode_utf16(u16::from_le_bytes),
            [0xfe, 0xff, ..] => self.decode_utf16(u16::from_be_bytes),
            _ => {}
        }
    }

    fn decode_utf16(&mut self, unit: fn([u8; 2]) -> u16) {
        let mut head = Cursor::new(std::mem::take(&mut self.head));
        head.set_position(2);
        let rest = std::mem::replace(&mut self.source, Box::new(io::empty()));
        self.source = decode_utf16(head.chain(rest), unit);
        self.plain_len = None;
    }

    /// True where the bytes are unpacked on the way.
    pub fn compressed(&self) -> bool {
        self.packing != Packing::Plain
    }

    /// The same, read ahead on a thread of its own where it is unpacked on the way.
    #[must_use]
    pub fn unpacked_beside(self) -> Self {
        if !self.compressed() {
            return self;
        }
        Self { source: beside(self.source), ..self }
    }

    /// The file's length in bytes where any part of it can be read for itself: a plain file, no pipe, no UTF-16.
    pub fn plain_len(&self) -> Option<u64> {
        self.plain_len
    }

    /// Where in the unpacked source the next byte stands; a byte order mark has been counted.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Up to `count` bytes from where it stands, fewer only at the end; [`Archive::read`] gives them again. An error
    /// that comes on the way is told by `read`.
    pub fn head(&mut self, count: usize) -> &[u8] {
        self.look(self.given + count);
        let end = self.head.len().min(self.given + count);
        self.head.get(self.given..end).unwrap_or_default()
    }

    fn look(&mut self, count: usize) {
        if self.failure.is_none()
            && let Err(error) = fill(&mut self.source, &mut self.head, count)
        {
            self.failure = Some(self.broken(&error));
        }
    }

    /// Reads into `buffer`: how many bytes came, 0 at the end. May give fewer than there is room for.
    ///
    /// # Errors
    /// Where the source cannot be read on; what came before is good.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let waiting = self.head.get(self.given..).unwrap_or_default();
        let count = if waiting.is_empty() {
            if let Some(error) = self.failure.take() {
                return Err(error);
            }
            self.head = Vec::new();
            self.given = 0;
            read_some(&mut self.source, buffer).map_err(|e| self.broken(&e))?
        } else {
            let count = waiting.len().min(buffer.len());
            if let (Some(to), Some(from)) = (buffer.get_mut(..count), waiting.get(..count)) {
                to.copy_from_slice(from);
            }
            self.given += count;
            count
        };
        self.position += count as u64;
        Ok(count)
    }

    fn broken(&self, error: &io::Error) -> Error {
        if self.packing == Packing::Plain || error.raw_os_error().is_some() {
            return failed(&self.name, error);
        }
        let (name, packing) = (&self.name, self.packing.name());
        let why = match error.kind() {
            io::ErrorKind::UnexpectedEof => "ends early",
            io::ErrorKind::OutOfMemory => "needs more memory than is allowed",
            _ => "is damaged",
        };
        Error::input(format!("reading '{name}': the {packing} data {why} (what came before was read; fetch the file again)"))
    }
}

impl std::fmt::Debug for Archive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, packing, position, .. } = self;
        f.debug_struct("Archive")
            .field("name", name)
            .field("packing", packing)
            .field("position", position)
            .finish_non_exhaustive()
    }
}

/// Bytes a pipe is asked to hold: as many as Linux lets any user ask for, unless set otherwise. Usually it holds 64 KiB, and
/// reader and writer spend more time waking each other than working.
const PIPE: usize = 1 << 20;

/// Makes room in a pipe; what is none, or may not grow, stays as it is.
fn widen(pipe: impl AsFd) {
    #[cfg(target_os = "linux")]
    if rustix::pipe::fcntl_getpipe_size(&pipe).is_ok_and(|size| size < PIPE) {
        rustix::pipe::fcntl_setpipe_size(&pipe, PIPE).ok();
    }
}

/// Cuts a plain file of `length` bytes into at most `shares` parts at line ends: the borders in ascending order, the
/// first 0 and the last `length`.
///
/// # Errors
/// Where the file cannot be read.
pub fn line_starts(path: &Path, length: u64, shares: u64) -> Result<Vec<u64>, Error> {
    let name = shown(path);
    let file = File::open(path).map_err(|e| failed(&name, &e))?;
    let mut borders = vec![0];
    for share in 1..shares {
        let near = u64::try_from(u128::from(length) * u128::from(share) / u128::from(shares)).unwrap_or(length);
        let border = line_start(&file, near, length).map_err(|e| failed(&name, &e))?;
        if borders.last().is_some_and(|last| *last < border) && border < length {
            borders.push(border);
        }
    }
    borders.push(length);
    Ok(borders)
}

/// The first start of a line at or behind `near`.
fn line_start(file: &File, near: u64, length: u64) -> io::Result<u64> {
    let mut buffer = vec![0; 64 << 10];
    let mut at = near.saturating_sub(1);
    while at < length {
        let count = retry(|| file.read_at(&mut buffer, at))?;
        if count == 0 {
            break;
        }
        if let Some(newline) = memchr::memchr(b'\n', buffer.get(..count).unwrap_or_default()) {
            return Ok(at + newline as u64 + 1);
        }
        at += count as u64;
    }
    Ok(length)
}

/// A path as messages show it: no control byte.
pub(crate) fn shown(path: &Path) -> String {
    path.to_string_lossy().chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// An input's failure with its remedy.
pub(crate) fn failed(name: &str, error: &io::Error) -> Error {
    let why = match error.kind() {
        io::ErrorKind::NotFound => "no such file (check the path, or quote the pattern)".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied (try a user in group 'adm')".to_owned(),
        io::ErrorKind::IsADirectory => "is a directory".to_owned(),
        _ => {
            let text = error.to_string();
            let plain = text.split(" (os error").next().unwrap_or_default();
            let mut letters = plain.chars();
            letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
        }
    };
    Error::input(format!("reading '{name}': {why}"))
}

fn retry<T>(mut step: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match step() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

fn read_some(source: &mut Source, buffer: &mut [u8]) -> io::Result<usize> {
    retry(|| source.read(buffer))
}

/// Appends to `bytes` until it holds `count`, or the source ends.
fn fill(source: &mut Source, bytes: &mut Vec<u8>, count: usize) -> io::Result<()> {
    let missing = count.saturating_sub(bytes.len());
    retry(|| source.take(missing as u64).read_to_end(bytes).map(drop))
}

/// Part of a file that others may be reading too.
struct Range {
    file: File,
    at: u64,
    end: u64,
}

impl Read for Range {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX).min(buffer.len());
        let count = self.file.read_at(buffer.get_mut(..count).unwrap_or_default(), self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    const TEXT: &[u8] = b"INFO:     first\nINFO:     second, z\xc3\xb6\xe6\x9d\xb1\xf0\x9f\x98\x80\nno end";

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    }

    fn bzip2(bytes: &[u8]) -> Vec<u8> {
        let mut packer = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    }

    /// [`TEXT`] as `xz -6` packs it.
    const XZ: &[u8] = &[
        253, 55, 122, 88, 90, 0, 0, 4, 230, 214, 180, 70, 2, 0, 33, 1, 22, 0, 0, 0, 116, 47, 229, 163, 224, 0, 50, 0, 46, 93,
        0, 36, 147, 132, 214, 9, 132, 254, 218, 115, 78, 83, 167, 121, 238, 196, 233, 227, 94, 159, 138, 235, 139, 75, 175,
        107, 74, 249, 71, 98, 41, 213, 169, 233, 175, 215, 215, 128, 59, 35, 117, 74, 48, 56, 37, 179, 210, 0, 0, 0, 126, 26,
        100, 222, 119, 16, 4, 34, 0, 1, 74, 51, 178, 115, 192, 149, 31, 182, 243, 125, 1, 0, 0, 0, 0, 4, 89, 90,
    ];

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        zstd::encode_all(bytes, 1).unwrap()
    }

    fn utf16(unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
        let text = format!("\u{feff}{}", String::from_utf8(TEXT.to_vec()).unwrap());
        text.encode_utf16().flat_map(unit).collect()
    }

    /// All that can be read by steps of `step` bytes, and the error.
    fn all(archive: &mut Archive, step: usize) -> (Vec<u8>, Option<Error>) {
        let (mut bytes, mut buffer) = (Vec::new(), vec![0; step]);
        loop {
            match archive.read(&mut buffer) {
                Ok(0) => return (bytes, None),
                Ok(count) => bytes.extend_from_slice(&buffer[..count]),
                Err(error) => return (bytes, Some(error)),
            }
        }
    }

    fn opened(content: Vec<u8>) -> Archive {
        let length = content.len() as u64;
        Archive::new("x.log".to_owned(), Box::new(Cursor::new(content)), Some(length)).unwrap()
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_pipe_gets_room_for_a_mebibyte_where_the_kernel_gives_it() {
        let gives = rustix::pipe::fcntl_setpipe_size(io::pipe().unwrap().0, PIPE).is_ok();
        let (from, mut to) = io::pipe().unwrap();
        let before = rustix::pipe::fcntl_getpipe_size(&from).unwrap();
        widen(&from);
        let after = rustix::pipe::fcntl_getpipe_size(&from).unwrap();
        assert_eq!(if gives { PIPE } else { before }, after);
        // As many bytes now wait without anybody reading, and all of them come.
        to.write_all(&vec![b'x'; after]).unwrap();
        drop(to);
        assert_eq!(after as u64, io::copy(&mut &from, &mut io::sink()).unwrap());
        let (large, _held) = io::pipe().unwrap();
        if rustix::pipe::fcntl_setpipe_size(&large, 2 * PIPE).is_ok() {
            widen(&large);
            assert_eq!(2 * PIPE, rustix::pipe::fcntl_getpipe_size(&large).unwrap(), "never narrower");
        }
    }

    #[test]
    fn every_packing_gives_the_plain_bytes() {
        let (half, rest) = TEXT.split_at(20);
        let bom = [b"\xef\xbb\xbf", TEXT].concat();
        for (what, content) in [
            ("plain", TEXT.to_vec()),
            ("bom", bom.clone()),
            ("gzip", gzip(TEXT)),
            ("gzip of bom", gzip(&bom)),
            ("two members, the border inside a line", [gzip(half), gzip(rest)].concat()),
            ("an empty member", [gzip(half), gzip(b""), gzip(rest)].concat()),
            ("zeros behind", [gzip(TEXT), vec![0; 70_000]].concat()),
            ("zstd", zstd(TEXT)),
            ("two frames", [zstd(half), zstd(rest)].concat()),
            ("bzip2", bzip2(TEXT)),
            ("two bzip2 streams", [bzip2(half), bzip2(rest)].concat()),
            ("xz", XZ.to_vec()),
            ("UTF-16 LE", utf16(u16::to_le_bytes)),
            ("UTF-16 BE", utf16(u16::to_be_bytes)),
            ("gzip of UTF-16", gzip(&utf16(u16::to_le_bytes))),
        ] {
            for step in [1, 7, 4096] {
                let mut archive = opened(content.clone());
                assert_eq!(&TEXT[..12], archive.head(12), "{what}");
                assert_eq!(TEXT, archive.head(1000), "{what}");
                assert_eq!((TEXT.to_vec(), None), all(&mut archive, step), "{what} by {step}");
            }
        }
    }

    #[test]
    fn damaged_data_gives_what_can_be_had_and_then_an_error() {
        let long: Vec<u8> =
            (0..40_000_u32).flat_map(|n| format!("line {}\n", n.wrapping_mul(2_654_435_761)).into_bytes()).collect();
        for (what, content) in [("gzip", gzip(&long)), ("zstd", zstd(&long)), ("bzip2", bzip2(&long))] {
            let cut = content[..content.len() * 2 / 3].to_vec();
            let (bytes, error) = all(&mut opened(cut), 4096);
            assert!(long.starts_with(&bytes), "{what}");
            assert!(bytes.len() > long.len() / 8, "{what} {}", bytes.len());
            let message = error.unwrap().message;
            assert!(message.starts_with(&format!("reading 'x.log': the {what} data ")), "{message}");
        }
        let (bytes, error) = all(&mut opened(XZ[..XZ.len() * 2 / 3].to_vec()), 4096);
        assert!(TEXT.starts_with(&bytes));
        assert!(error.unwrap().message.contains("the xz data "));
        let (bytes, error) = all(&mut opened([gzip(TEXT), b"not gzip".to_vec()].concat()), 4096);
        assert_eq!(TEXT, bytes);
        assert!(error.unwrap().message.contains("the gzip data is damaged"));
    }

    #[test]
    fn damaged_data_gives_as_much_however_it_is_read() {
        let long: Vec<u8> =
            (0..90_000_u32).flat_map(|n| format!("line {}\n", n.wrapping_mul(2_654_435_761)).into_bytes()).collect();
        for pack in [gzip, zstd, bzip2] {
            let mut content = pack(&long);
            let length = content.len();
            content[length / 2..length * 3 / 4].fill(0x55);
            let (bytes, error) = all(&mut opened(content.clone()), 1 << 20);
            assert!(error.is_some() && bytes.len() > 100_000, "{}", bytes.len());
            for (head, step) in [(0, 1000), (0, 64 << 10), (300_000, 70_000), (1, 100_000)] {
                let mut archive = opened(content.clone());
                archive.head(head);
                assert_eq!(bytes.len(), all(&mut archive, step).0.len(), "{head} ahead, by {step}");
            }
        }
    }

    #[test]
    fn an_error_while_looking_ahead_is_told_after_the_bytes() {
        let mut archive = opened(gzip(TEXT)[..40].to_vec());
        let seen = archive.head(1000).to_vec();
        let (bytes, error) = all(&mut archive, 5);
        assert_eq!(seen, bytes);
        assert!(error.is_some());
    }

    #[test]
    fn only_a_plain_file_can_be_read_in_parts() {
        assert_eq!(Some(TEXT.len() as u64), opened(TEXT.to_vec()).plain_len());
        assert_eq!(None, opened(gzip(TEXT)).plain_len());
        assert_eq!(None, opened(utf16(u16::to_le_bytes)).plain_len());
        assert!(opened(gzip(TEXT)).compressed());
        assert!(!opened(b"\x1f\x8b".to_vec()).compressed());
    }

    #[test]
    fn shares_cut_at_line_ends_make_the_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.log");
        for content in [&b"\xef\xbb\xbfone\ntwo\n\nthree and more\nfour"[..], b"no newline", b"", b"\n\n\n\n"] {
            std::fs::write(&path, content).unwrap();
            let length = content.len() as u64;
            for shares in 1..9 {
                let borders = line_starts(&path, length, shares).unwrap();
                let mut whole = Vec::new();
                for pair in borders.windows(2) {
                    let mut part = Archive::open_range(&path, pair[0], pair[1]).unwrap();
                    assert_eq!(
                        if pair[0] == 0 { u64::from(content.starts_with(b"\xef")) * 3 } else { pair[0] },
                        part.position()
                    );
                    let (bytes, error) = all(&mut part, 3);
                    assert_eq!(None, error);
                    assert!(pair[1] == length || bytes.ends_with(b"\n"));
                    whole.extend(bytes);
                }
                assert_eq!(content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content), whole);
            }
        }
    }

    #[test]
    fn a_share_may_begin_where_it_was_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.log");
        std::fs::write(&path, b"aa\nbb\ncc\n").unwrap();
        assert_eq!(vec![0, 3, 6, 9], line_starts(&path, 9, 3).unwrap());
    }

    #[test]
    fn a_missing_file_is_named_with_what_helps() {
        let error = Archive::open(Path::new("/nowhere/x\n.log")).unwrap_err();
        assert_eq!("reading '/nowhere/x\u{fffd}.log': no such file (check the path, or quote the pattern)", error.message);
    }
}
