//! Decoders: from packed bytes to plain ones, from UTF-16 to UTF-8.
//!
//! Leaves files, names and messages to `archive.rs`. What cannot be decoded is an error behind all that could be.

use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;

use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::GzDecoder;
use lzma_rust2::XzReader;

/// Bytes asked for at once from a packed file.
const PACKED_BUFFER: usize = 128 << 10;
/// The most memory an xz dictionary may take, in KiB.
const XZ_LIMIT_KIB: u32 = 128 << 10;
/// Bytes asked for at once from a decoder; as many always have room in `line/split.rs`.
const STEP: usize = 64 << 10;
/// Bytes looked at for the form of packing.
pub(crate) const MAGIC: usize = 10;

/// Where bytes come from; may be moved to another thread.
pub(crate) type Source = Box<dyn Read + Send>;

/// How a source is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    Plain,
    Gzip,
    Zstd,
    Bzip2,
    Xz,
}

impl Packing {
    /// By the first bytes (RFC 1952, RFC 8878, bzip2's and xz's own magic).
    pub(crate) fn of(first: &[u8]) -> Self {
        match first {
            [0x1f, 0x8b, 8, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, 0x53, 0x59] => Self::Bzip2,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Xz,
            _ => Self::Plain,
        }
    }

    /// As messages name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Bzip2 => "bzip2",
            Self::Xz => "xz",
        }
    }

    /// The plain bytes of `packed`.
    pub(crate) fn unpack(self, packed: impl Read + Send + 'static) -> io::Result<Source> {
        let packed = BufReader::with_capacity(PACKED_BUFFER, packed);
        let source: Source = match self {
            Self::Plain => return Ok(Box::new(packed)),
            Self::Gzip => Box::new(Members { member: Some(GzDecoder::new(packed)) }),
            Self::Zstd => Box::new(zstd::Decoder::with_buffer(packed)?),
            Self::Bzip2 => Box::new(MultiBzDecoder::new(packed)),
            Self::Xz => Box::new(XzReader::new_mem_limit(packed, true, XZ_LIMIT_KIB)),
        };
        Ok(Box::new(Even { source, kept: Vec::new(), given: 0 }))
    }
}

/// The UTF-8 of `encoded`, whose units `unit` puts together from two bytes.
pub(crate) fn decode_utf16(encoded: impl Read + Send + 'static, unit: fn([u8; 2]) -> u16) -> Source {
    let packed = BufReader::with_capacity(PACKED_BUFFER, encoded);
    Box::new(Utf16 { packed, unit, high: None, out: Vec::new(), given: 0 })
}

/// A decoder that is asked for the same number of bytes each time, whoever reads in whatever steps: where data is damaged
/// it keeps back what it had unpacked for the step at hand, and as much is to be had however a file is read.
struct Even {
    source: Source,
    /// One step, for who asks for less.
    kept: Vec<u8>,
    given: usize,
}

impl Read for Even {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.given == self.kept.len() {
            if let Some(step) = buffer.get_mut(..STEP) {
                return self.source.read(step);
            }
            self.kept.resize(STEP, 0);
            self.given = STEP;
            let count = self.source.read(&mut self.kept)?;
            self.kept.truncate(count);
            self.given = 0;
        }
        let mut waiting = self.kept.get(self.given..).unwrap_or_default();
        let count = waiting.read(buffer)?;
        self.given += count;
        Ok(count)
    }
}

/// The members of a gzip file, one behind the other; zero bytes between and behind them are padding.
struct Members<R> {
    member: Option<GzDecoder<R>>,
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            let count = member.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            let Some(mut packed) = self.member.take().map(GzDecoder::into_inner) else { break };
            loop {
                let waiting = packed.fill_buf()?;
                let zeros = waiting.iter().take_while(|b| **b == 0).count();
                let (ended, begins) = (waiting.is_empty(), waiting.get(zeros).copied());
                packed.consume(zeros);
                match begins {
                    _ if ended => return Ok(0),
                    None => {}
                    Some(0x1f) => break,
                    Some(_) => return Err(io::ErrorKind::InvalidData.into()),
                }
            }
            self.member = Some(GzDecoder::new(packed));
        }
        Ok(0)
    }
}

/// UTF-16 to UTF-8; what is no letter becomes U+FFFD.
struct Utf16<R> {
    packed: R,
    unit: fn([u8; 2]) -> u16,
    /// The first half of a surrogate pair whose second is to come.
    high: Option<u16>,
    out: Vec<u8>,
    given: usize,
}

impl<R: BufRead> Utf16<R> {
    /// Decodes what the buffer holds; false at the end.
    fn decode(&mut self) -> io::Result<bool> {
        self.out.clear();
        self.given = 0;
        let waiting = self.packed.fill_buf()?;
        let ended = waiting.is_empty();
        let mut units: Vec<u16> = self.high.take().into_iter().collect();
        let (pairs, odd) = waiting.as_chunks::<2>();
        units.extend(pairs.iter().map(|pair| (self.unit)(*pair)));
        let (taken, odd) = (pairs.len() * 2, odd.first().copied());
        self.packed.consume(taken);
        if let Some(first) = odd.filter(|_| taken == 0) {
            self.packed.consume(1);
            match self.packed.fill_buf()?.first().copied() {
                Some(second) => {
                    units.push((self.unit)([first, second]));
                    self.packed.consume(1);
                }
                None => units.push(0xfffd),
            }
        }
        if !ended {
            self.high = units.pop_if(|unit| (0xd800..0xdc00).contains(unit));
        }
        let mut room = [0; 4];
        for letter in char::decode_utf16(units) {
            let letter = letter.unwrap_or(char::REPLACEMENT_CHARACTER);
            self.out.extend_from_slice(letter.encode_utf8(&mut room).as_bytes());
        }
        Ok(!ended)
    }
}

impl<R: BufRead> Read for Utf16<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.given == self.out.len() {
            if !self.decode()? && self.out.is_empty() {
                return Ok(0);
            }
        }
        let mut waiting = self.out.get(self.given..).unwrap_or_default();
        let count = waiting.read(buffer)?;
        self.given += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives at most `step` bytes at once.
    struct Slow {
        bytes: Vec<u8>,
        at: usize,
        step: usize,
    }

    impl Read for Slow {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let mut waiting = &self.bytes[self.at..(self.at + self.step).min(self.bytes.len())];
            let count = waiting.read(buffer)?;
            self.at += count;
            Ok(count)
        }
    }

    #[test]
    fn letters_that_arrive_in_parts_are_whole() {
        for (expected, extra) in
            [("a😀ö\u{fffd}b", &[][..]), ("a😀ö\u{fffd}b\u{fffd}", &[0x41]), ("a😀ö\u{fffd}b\u{fffd}", &[0x3d, 0xd8])]
        {
            let units = [0x61, 0xd83d, 0xde00, 0xf6, 0xde00, 0x62_u16];
            let bytes: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).chain(extra.iter().copied()).collect();
            for step in 1..9 {
                let mut text = String::new();
                let slow = Slow { bytes: bytes.clone(), at: 0, step };
                decode_utf16(slow, u16::from_le_bytes).read_to_string(&mut text).unwrap();
                assert_eq!(expected, text, "by {step}");
            }
        }
    }
}
