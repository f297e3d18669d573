//! Event-time slots of one group: what happened in each second, minute or quarter of an hour.
//!
//! A [`Track`] keeps one group's slots in order of time. The newest few are open; older ones are packed into a byte
//! string, some 15 bytes for a slot with a handful of requests. What comes late is kept beside and sorted in. The width
//! of slots is the recorder's matter (1 s, 1 min, 15 min: a function of the span alone); a track can be made coarser at
//! any time, which is plain addition and so gives what recording coarsely would have given.

use std::collections::VecDeque;

use smallvec::SmallVec;

use super::latency::COARSE_BUCKETS;
use super::latency::coarse;
use super::latency::coarse_lowest;
use super::latency::gather;

/// A list that takes no memory of its own while it has at most `N` entries: most seconds of most routes.
pub type Few<T, const N: usize> = SmallVec<[T; N]>;

/// As many values in a slot are counted at their places instead of being sorted.
const MANY: usize = 96;

/// What one group did in one slot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Slot {
    /// The slot's number: seconds since 1970 divided by the width.
    pub number: u32,
    /// Requests by status, ascending by status.
    pub statuses: Few<(u16, u32), 2>,
    /// Bytes sent, where logged.
    pub bytes: u64,
    /// Requests with a latency.
    pub timed: u32,
    /// Sum of the latencies in microseconds.
    pub sum_us: u64,
    /// The smallest (0 without any).
    pub min_us: u64,
    /// The largest (0 without any).
    pub max_us: u64,
    /// Coarse buckets; while open in order of arrival and with doubles, packed ascending.
    pub buckets: Few<(u16, u32), 2>,
    /// For each limit of the configuration, in its order: requests slower than it. Empty without limits.
    pub over: Few<u32, 4>,
}

impl Slot {
    /// An empty slot.
    pub fn new(number: u32) -> Self {
        Self { number, ..Self::default() }
    }

    /// Requests of any status.
    pub fn requests(&self) -> u64 {
        self.statuses.iter().map(|s| u64::from(s.1)).sum()
    }

    /// Counts `n` requests of one status without a latency, `bytes` of answers in all.
    #[inline]
    pub fn count(&mut self, status: u16, n: u32, bytes: u64) {
        if let Some(known) = self.statuses.iter_mut().find(|s| s.0 == status) {
            known.1 += n;
        } else {
            self.statuses.push((status, n));
        }
        self.bytes += bytes;
    }

    /// Counts one request. `limits_us` are the configuration's, in one order for the whole run.
    #[inline]
    pub fn record(&mut self, status: u16, bytes: u64, latency_us: Option<u64>, limits_us: &[u64]) {
        self.count(status, 1, bytes);
        let Some(us) = latency_us else { return };
        self.min_us = if self.timed == 0 { us } else { self.min_us.min(us) };
        self.max_us = self.max_us.max(us);
        self.timed += 1;
        self.sum_us = self.sum_us.saturating_add(us);
        self.buckets.push((coarse(us), 1));
        if self.buckets.len() >= 1024 && self.buckets.len().is_power_of_two() {
            self.tidy();
        }
        if !limits_us.is_empty() {
            self.over.resize(limits_us.len(), 0);
            for (n, limit) in self.over.iter_mut().zip(limits_us) {
                *n += u32::from(us > *limit);
            }
        }
    }

    /// Adds another slot's figures; the number stays.
    pub fn add(&mut self, other: &Self) {
        for &(status, n) in &other.statuses {
            match self.statuses.iter_mut().find(|s| s.0 == status) {
                Some(s) => s.1 += n,
                None => self.statuses.push((status, n)),
            }
        }
        self.bytes += other.bytes;
        if other.timed > 0 {
            self.min_us = if self.timed == 0 { other.min_us } else { self.min_us.min(other.min_us) };
            self.max_us = self.max_us.max(other.max_us);
            self.timed += other.timed;
            self.sum_us = self.sum_us.saturating_add(other.sum_us);
            self.buckets.extend_from_slice(&other.buckets);
            if self.buckets.len() >= 4096 {
                self.tidy();
            }
        }
        if self.over.len() < other.over.len() {
            self.over.resize(other.over.len(), 0);
        }
        for (n, more) in self.over.iter_mut().zip(&other.over) {
            *n += more;
        }
    }

    /// Puts statuses and buckets in their one order.
    pub fn tidy(&mut self) {
        self.statuses.sort_unstable();
        // as it is where it was packed before
        if self.buckets.is_sorted_by(|a, b| a.0 < b.0) {
            return;
        }
        if self.buckets.len() < MANY || !self.count_buckets() {
            self.buckets.sort_unstable();
            self.buckets.dedup_by(|next, kept| {
                let same = next.0 == kept.0;
                if same {
                    kept.1 += next.1;
                }
                same
            });
        }
    }

    /// The same for many of them: each is counted at its place instead of being sorted to it. False, and nothing done, where
    /// one is no coarse bucket or counts nothing, as damaged ones may.
    fn count_buckets(&mut self) -> bool {
        let mut counts = [0_u32; COARSE_BUCKETS];
        // A bit for each that is not nothing: most are.
        let mut used = [0_u64; COARSE_BUCKETS / 64];
        for &(bucket, n) in &self.buckets {
            let at = usize::from(bucket);
            let (Some(count), Some(used)) = (counts.get_mut(at), used.get_mut(at / 64)) else { return false };
            if n == 0 {
                return false;
            }
            *count += n;
            *used |= 1 << (at % 64);
        }
        self.buckets.clear();
        for (first, mut left) in (0..).step_by(64).zip(used) {
            while left != 0 {
                let at = first + left.trailing_zeros() as usize;
                left &= left - 1;
                let bucket = u16::try_from(at).unwrap_or(u16::MAX);
                self.buckets.push((bucket, counts.get(at).copied().unwrap_or(0)));
            }
        }
        true
    }

    /// Empties it; its memory stays.
    pub(super) fn clear(&mut self, number: u32) {
        self.number = number;
        self.statuses.clear();
        self.buckets.clear();
        self.over.clear();
        (self.bytes, self.timed, self.sum_us, self.min_us, self.max_us) = (0, 0, 0, 0, 0);
    }
}

const ONLY_200: u64 = 1;
const HAS_BYTES: u64 = 2;
const HAS_OVER: u64 = 4;
const COUNTED: u64 = 8;

fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

fn get(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, tail) = rest.split_first()?;
        *rest = tail;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn get32(rest: &mut &[u8]) -> Option<u32> {
    u32::try_from(get(rest)?).ok()
}

/// Appends a tidy slot; its number is written as the distance from `before`.
fn pack(out: &mut Vec<u8>, slot: &Slot, before: u32) {
    let only_200 = matches!(slot.statuses.as_slice(), [(200, _)]);
    let values: u64 = slot.buckets.iter().map(|b| u64::from(b.1)).sum();
    let counted = values > slot.buckets.len() as u64;
    let flag = |on: bool, bit: u64| if on { bit } else { 0 };
    put(out, u64::from(slot.number.wrapping_sub(before)));
    put(
        out,
        flag(only_200, ONLY_200)
            | flag(slot.bytes > 0, HAS_BYTES)
            | flag(!slot.over.is_empty(), HAS_OVER)
            | flag(counted, COUNTED)
            | u64::from(slot.timed) << 4,
    );
    if only_200 {
        put(out, u64::from(slot.statuses[0].1));
    } else {
        put(out, slot.statuses.len() as u64);
        for &(status, n) in &slot.statuses {
            put(out, u64::from(status));
            put(out, u64::from(n));
        }
    }
    if slot.bytes > 0 {
        put(out, slot.bytes);
    }
    match (slot.timed, slot.buckets.first(), slot.buckets.last()) {
        (0, ..) => {}
        (1, ..) => put(out, slot.min_us),
        (_, Some(lowest), Some(highest)) => {
            // within their buckets: smallest, largest and sum are then small numbers
            put(out, slot.buckets.len() as u64);
            let (mut before, mut least) = (0, 0_u64);
            for &(bucket, n) in &slot.buckets {
                put(out, u64::from(bucket - before));
                before = bucket;
                if counted {
                    put(out, u64::from(n));
                }
                least = least.wrapping_add(coarse_lowest(bucket).wrapping_mul(u64::from(n)));
            }
            put(out, slot.min_us.wrapping_sub(coarse_lowest(lowest.0)));
            put(out, slot.max_us.wrapping_sub(coarse_lowest(highest.0)));
            put(out, slot.sum_us.wrapping_sub(least));
        }
        _ => {}
    }
    if !slot.over.is_empty() {
        put(out, slot.over.len() as u64);
        slot.over.iter().for_each(|n| put(out, u64::from(*n)));
    }
}

/// Reads the next packed slot into `slot`; false at the end or where the bytes are damaged.
fn unpack(rest: &mut &[u8], before: u32, slot: &mut Slot) -> bool {
    unpack_checked(rest, before, slot).is_some()
}

fn unpack_checked(rest: &mut &[u8], before: u32, slot: &mut Slot) -> Option<()> {
    if rest.is_empty() {
        return None;
    }
    let number = before.wrapping_add(get32(rest)?);
    slot.clear(number);
    let flags = get(rest)?;
    slot.timed = u32::try_from(flags >> 4).ok()?;
    if flags & ONLY_200 != 0 {
        slot.statuses.push((200, get32(rest)?));
    } else {
        for _ in 0..get(rest)?.min(1000) {
            slot.statuses.push((u16::try_from(get(rest)?).ok()?, get32(rest)?));
        }
    }
    if flags & HAS_BYTES != 0 {
        slot.bytes = get(rest)?;
    }
    if slot.timed == 1 {
        slot.min_us = get(rest)?;
        (slot.max_us, slot.sum_us) = (slot.min_us, slot.min_us);
        slot.buckets.push((coarse(slot.min_us), 1));
    } else if slot.timed > 1 {
        let (mut bucket, mut least) = (0_u16, 0_u64);
        for _ in 0..get(rest)?.min(5000) {
            bucket = bucket.checked_add(u16::try_from(get(rest)?).ok()?)?;
            let n = if flags & COUNTED != 0 { get32(rest)? } else { 1 };
            slot.buckets.push((bucket, n));
            least = least.wrapping_add(coarse_lowest(bucket).wrapping_mul(u64::from(n)));
        }
        let (lowest, highest) = (slot.buckets.first()?.0, slot.buckets.last()?.0);
        slot.min_us = coarse_lowest(lowest).wrapping_add(get(rest)?);
        slot.max_us = coarse_lowest(highest).wrapping_add(get(rest)?);
        slot.sum_us = least.wrapping_add(get(rest)?);
    }
    if flags & HAS_OVER != 0 {
        for _ in 0..get(rest)?.min(1000) {
            slot.over.push(get32(rest)?);
        }
    }
    Some(())
}

/// Bytes of a piece that is full: pieces are of one size, so that what one thread let go another can use, and are never
/// copied again.
const PIECE: usize = 2048;
/// Bytes that a packed slot takes as a rule, at most.
fn room(slot: &Slot) -> usize {
    32 + 3 * slot.buckets.len() + 4 * slot.statuses.len() + 3 * slot.over.len()
}

/// As many of the newest slots stay open: small steps back in time (several workers, one file) cost nothing.
const OPEN: usize = 3;

/// Packed slots, ascending. The first one's number is written whole.
#[derive(Debug, Clone, Default)]
struct Piece {
    bytes: Vec<u8>,
    slots: usize,
    /// Number of the last one; 0 before any.
    last: u32,
}

impl Piece {
    fn first(&self) -> Option<u32> {
        get32(&mut &self.bytes[..])
    }

    fn push(&mut self, slot: &Slot) {
        let (room, length) = (room(slot), self.bytes.len());
        if room > PIECE / 8 {
            // of many requests: mostly far less than the most it may take
            let mut packed = Vec::with_capacity(room);
            pack(&mut packed, slot, self.last);
            self.bytes.reserve_exact(packed.len());
            self.bytes.extend_from_slice(&packed);
        } else {
            if self.bytes.capacity() - length < room {
                self.bytes.reserve_exact(length.min(PIECE.saturating_sub(length)).max(room));
            }
            pack(&mut self.bytes, slot, self.last);
        }
        self.last = slot.number;
        self.slots += 1;
    }

    fn into_slots(self) -> Vec<Part> {
        let (mut rest, mut last) = (&self.bytes[..], 0);
        let mut slots = Vec::with_capacity(self.slots);
        let mut slot = Slot::default();
        while unpack(&mut rest, last, &mut slot) {
            last = slot.number;
            slots.push(Part::Slot(Box::new(std::mem::take(&mut slot))));
        }
        slots
    }

    /// Takes out the first slot.
    fn split_first(&mut self) -> Slot {
        let (mut rest, mut slot) = (&self.bytes[..], Slot::default());
        unpack(&mut rest, 0, &mut slot);
        let mut bytes = Vec::new();
        if let Some(distance) = get32(&mut rest) {
            put(&mut bytes, u64::from(slot.number.wrapping_add(distance)));
            bytes.extend_from_slice(rest);
        }
        self.bytes = bytes;
        self.slots -= 1;
        slot
    }
}

/// Slots of a track: some packed ones, or one that is open.
enum Part {
    Piece(Piece),
    Slot(Box<Slot>),
}

impl Part {
    /// The numbers of the first and the last slot.
    fn ends(&self) -> (u32, u32) {
        match self {
            Self::Piece(piece) => (piece.first().unwrap_or(piece.last), piece.last),
            Self::Slot(slot) => (slot.number, slot.number),
        }
    }
}

/// Makes single slots of pieces at the front of both, which overlap. Where both are slots already they are the same one:
/// what they hold together is taken out.
fn split_front(left: &mut VecDeque<Part>, right: &mut VecDeque<Part>) -> Option<Box<Slot>> {
    match (left.pop_front()?, right.pop_front()?) {
        (Part::Slot(mut mine), Part::Slot(theirs)) => {
            mine.add(&theirs);
            Some(mine)
        }
        (mine, theirs) => {
            for (part, side) in [(mine, left), (theirs, right)] {
                let slots = match part {
                    Part::Piece(piece) => piece.into_slots(),
                    slot @ Part::Slot(_) => vec![slot],
                };
                slots.into_iter().rev().for_each(|slot| side.push_front(slot));
            }
            None
        }
    }
}

/// One group's slots in order of time.
#[derive(Debug, Clone, Default)]
pub struct Track {
    /// Pieces that are full.
    full: Vec<Piece>,
    /// The piece that is being filled.
    piece: Piece,
    packed_slots: usize,
    /// Number of the last packed slot; 0 before any.
    last: u32,
    /// The newest slots, ascending.
    open: Vec<Slot>,
    /// Slots older than the packed ones' end, ascending.
    late: Vec<Slot>,
}

impl Track {
    /// The slot to record in, opened where needed.
    #[inline]
    pub fn slot(&mut self, number: u32) -> &mut Slot {
        if let Some(at) = self.open.iter().rposition(|s| s.number == number) {
            return &mut self.open[at];
        }
        self.open_slot(number)
    }

    fn open_slot(&mut self, number: u32) -> &mut Slot {
        if self.packed_slots > 0 && number <= self.last {
            return self.late_slot(number);
        }
        let at = self.open.partition_point(|s| s.number < number);
        if self.open.len() < OPEN {
            self.open.reserve_exact(1);
            self.open.insert(at, Slot::new(number));
            return &mut self.open[at];
        }
        if at == 0 {
            return self.late_slot(number);
        }
        let mut oldest = self.open.remove(0);
        self.pack_one(&mut oldest);
        oldest.clear(number);
        self.open.insert(at - 1, oldest);
        &mut self.open[at - 1]
    }

    fn late_slot(&mut self, number: u32) -> &mut Slot {
        if self.late.len() >= 64.max(self.packed_slots / 8) {
            self.sort_in();
        }
        let at = self.late.partition_point(|s| s.number < number);
        if self.late.get(at).is_none_or(|s| s.number != number) {
            self.late.insert(at, Slot::new(number));
        }
        &mut self.late[at]
    }

    fn pack_one(&mut self, slot: &mut Slot) {
        slot.tidy();
        if self.piece.bytes.len() + room(slot) > PIECE {
            self.seal();
        }
        self.piece.push(slot);
        self.last = slot.number;
        self.packed_slots += 1;
    }

    /// Puts the piece that is being filled to the full ones.
    fn seal(&mut self) {
        if self.piece.slots > 0 {
            self.full.push(std::mem::take(&mut self.piece));
        }
    }

    /// Packs the late slots among the others.
    fn sort_in(&mut self) {
        let mut all = Self::default();
        let open = std::mem::take(&mut self.open);
        self.each(|slot| all.pack_one(slot));
        all.open = open;
        *self = all;
    }

    /// Calls `tell` with every slot, ascending, each number once; slots are tidy.
    pub fn each(&self, mut tell: impl FnMut(&mut Slot)) {
        let mut cursor = self.cursor();
        while let Some(slot) = cursor.next_slot() {
            tell(slot);
        }
    }

    /// A cursor over the slots, ascending.
    pub fn cursor(&self) -> TrackCursor<'_> {
        let mut beside: Vec<Slot> = self.late.iter().chain(&self.open).cloned().collect();
        beside.sort_by_key(|s| s.number);
        let mut cursor = TrackCursor {
            pieces: self.full.iter().chain(std::iter::once(&self.piece)),
            rest: &[],
            next: Slot::default(),
            has_next: false,
            last: 0,
            beside: beside.into_iter().peekable(),
            out: Slot::default(),
        };
        cursor.read();
        cursor
    }

    /// No slot at all?
    pub fn is_empty(&self) -> bool {
        self.packed_slots == 0 && self.open.is_empty() && self.late.is_empty()
    }

    /// Bytes this track takes, about.
    pub fn size(&self) -> usize {
        let loose = |s: &Slot| size_of::<Slot>() + s.buckets.capacity() * 8 + s.statuses.capacity() * 8;
        self.full.iter().chain([&self.piece]).map(|p| p.bytes.capacity()).sum::<usize>()
            + self.open.iter().chain(&self.late).map(loose).sum::<usize>()
    }

    /// Adds another track of the same width; order does not matter.
    pub fn merge(&mut self, mut other: Self) {
        if other.is_empty() {
            return;
        }
        if self.is_empty() {
            *self = other;
            return;
        }
        // what two threads saw lies one behind the other as a rule: then packed slots are joined as they lie
        match (self.ends(), other.ends()) {
            (Some(mine), Some(theirs)) if self.may_join(mine.1, theirs.0) => return self.join(other),
            (Some(mine), Some(theirs)) if other.may_join(theirs.1, mine.0) => {
                std::mem::swap(self, &mut other);
                return self.join(other);
            }
            _ => {}
        }
        let (mut left, mut right) = (std::mem::take(self).into_parts(), other.into_parts());
        loop {
            match (left.front().map(Part::ends), right.front().map(Part::ends)) {
                (None, None) => break,
                (Some(mine), Some(theirs)) if mine.0 <= theirs.1 && theirs.0 <= mine.1 => {
                    let Some(slot) = split_front(&mut left, &mut right) else { continue };
                    left.push_front(Part::Slot(slot));
                }
                (Some(mine), theirs) if theirs.is_none_or(|theirs| mine.0 < theirs.0) => {
                    left.pop_front().into_iter().for_each(|part| self.put(part));
                }
                _ => right.pop_front().into_iter().for_each(|part| self.put(part)),
            }
        }
    }

    /// All slots, ascending, packed ones as they lie.
    fn into_parts(mut self) -> VecDeque<Part> {
        if !self.late.is_empty() {
            self.sort_in();
        }
        let packed = self.full.into_iter().chain([self.piece]).filter(|piece| piece.slots > 0).map(Part::Piece);
        packed.chain(self.open.into_iter().map(|slot| Part::Slot(Box::new(slot)))).collect()
    }

    /// Puts slots behind its own.
    fn put(&mut self, part: Part) {
        match part {
            Part::Piece(piece) => {
                self.seal();
                self.last = piece.last;
                self.packed_slots += piece.slots;
                self.full.push(piece);
            }
            Part::Slot(mut slot) => self.pack_one(&mut slot),
        }
    }

    /// The numbers of the first and the last slot; `None` where late slots stand beside, or there is no slot.
    fn ends(&self) -> Option<(u32, u32)> {
        let packed = self.full.first().unwrap_or(&self.piece).first();
        let first = packed.or_else(|| self.open.first().map(|s| s.number));
        let last = self.open.last().map_or(self.last, |s| s.number);
        first.filter(|_| self.late.is_empty()).map(|first| (first, last))
    }

    /// Whether slots from `first` on can be joined behind those of this track, which end with `last`.
    fn may_join(&self, last: u32, first: u32) -> bool {
        last < first || last == first && !self.open.is_empty()
    }

    /// Puts all slots of another track behind its own; only the last one may be the other's first one too.
    fn join(&mut self, mut other: Self) {
        let first = other.ends().map(|ends| ends.0);
        for mut slot in std::mem::take(&mut self.open) {
            if first == Some(slot.number) {
                if let Some(same) = other.full.first_mut().or((other.piece.slots > 0).then_some(&mut other.piece)) {
                    slot.add(&same.split_first());
                    other.packed_slots -= 1;
                } else {
                    slot.add(&other.open.remove(0));
                }
            }
            self.pack_one(&mut slot);
        }
        other.full.retain(|piece| piece.slots > 0);
        if other.packed_slots > 0 {
            self.seal();
            self.full.append(&mut other.full);
            (self.piece, self.last) = (other.piece, other.last);
            self.packed_slots += other.packed_slots;
        }
        self.open = other.open;
    }

    /// Makes slots `by` times as wide.
    pub fn coarsen(&mut self, by: u32) {
        let mut all = Self::default();
        let mut gathered: Option<Slot> = None;
        self.each(|slot| {
            slot.number /= by;
            match &mut gathered {
                Some(g) if g.number == slot.number => g.add(slot),
                _ => {
                    if let Some(mut done) = gathered.replace(slot.clone()) {
                        all.pack_one(&mut done);
                    }
                }
            }
        });
        if let Some(last) = gathered {
            all.open.push(last);
        }
        *self = all;
    }

    /// All slots packed, for storing; slots count and bytes.
    pub fn store(&self) -> Vec<u8> {
        let (mut bytes, mut last) = (Vec::new(), 0);
        self.each(|slot| {
            pack(&mut bytes, slot, last);
            last = slot.number;
        });
        bytes
    }

    /// From stored bytes; what is damaged is left out.
    pub fn load(bytes: &[u8]) -> Self {
        let mut all = Self::default();
        let (mut rest, mut last, mut slot) = (bytes, 0, Slot::default());
        while unpack(&mut rest, last, &mut slot) {
            last = slot.number;
            all.pack_one(&mut slot);
        }
        all
    }
}

/// Walks over a track's slots in order of time, late ones sorted in, equal numbers added up.
pub struct TrackCursor<'a> {
    pieces: std::iter::Chain<std::slice::Iter<'a, Piece>, std::iter::Once<&'a Piece>>,
    rest: &'a [u8],
    next: Slot,
    has_next: bool,
    last: u32,
    beside: std::iter::Peekable<std::vec::IntoIter<Slot>>,
    out: Slot,
}

impl TrackCursor<'_> {
    fn read(&mut self) {
        while self.rest.is_empty()
            && let Some(piece) = self.pieces.next()
        {
            (self.rest, self.last) = (&piece.bytes, 0);
        }
        self.has_next = unpack(&mut self.rest, self.last, &mut self.next);
        if self.has_next {
            self.last = self.next.number;
        }
    }

    /// The number of the slot that comes next.
    pub fn peek(&mut self) -> Option<u32> {
        let packed = self.has_next.then_some(self.next.number);
        let beside = self.beside.peek().map(|s| s.number);
        match (packed, beside) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// The next slot, tidy; valid until the next call.
    pub fn next_slot(&mut self) -> Option<&mut Slot> {
        let number = self.peek()?;
        if self.has_next && self.next.number == number {
            std::mem::swap(&mut self.out, &mut self.next);
            self.read();
        } else {
            self.out.clear(number);
        }
        while let Some(slot) = self.beside.next_if(|s| s.number == number) {
            self.out.add(&slot);
        }
        self.out.tidy();
        Some(&mut self.out)
    }
}

/// Coarse buckets of a slot as 64-bit counts, ascending.
pub fn wide(buckets: &[(u16, u32)]) -> Vec<(u16, u64)> {
    gather(buckets.iter().map(|b| (b.0, u64::from(b.1))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    type Hit = (u32, u16, u64, Option<u64>);

    fn hits() -> impl Strategy<Value = Vec<Hit>> {
        let status = prop::sample::select(vec![200u16, 201, 404, 500, 0]);
        prop::collection::vec((0u32..300, status, 0u64..5000, prop::option::of(0u64..90_000_000_000)), 0..400)
    }

    fn twin(hits: &[Hit], by: u32) -> Vec<Slot> {
        let mut all: BTreeMap<u32, Slot> = BTreeMap::new();
        for &(number, status, bytes, us) in hits {
            all.entry(number / by).or_insert_with(|| Slot::new(number / by)).record(status, bytes, us, &[1000]);
        }
        all.into_values()
            .map(|mut s| {
                s.tidy();
                s
            })
            .collect()
    }

    fn tracked(hits: &[Hit]) -> Track {
        let mut track = Track::default();
        for &(number, status, bytes, us) in hits {
            track.slot(number).record(status, bytes, us, &[1000]);
        }
        track
    }

    fn slots(track: &Track) -> Vec<Slot> {
        let mut all = Vec::new();
        track.each(|s| all.push(s.clone()));
        all
    }

    proptest! {
        #[test]
        fn slots_in_any_order_of_arrival_are_the_same_slots(hits in hits()) {
            prop_assert_eq!(twin(&hits, 1), slots(&tracked(&hits)));
        }

        #[test]
        fn a_coarser_track_is_what_recording_coarsely_gives(hits in hits()) {
            let mut track = tracked(&hits);
            track.coarsen(60);
            prop_assert_eq!(twin(&hits, 60), slots(&track));
        }

        #[test]
        fn merged_tracks_are_the_whole_and_storing_loses_nothing(hits in hits(), cut in 0usize..400) {
            let cut = cut.min(hits.len());
            let (mut left, right) = (tracked(&hits[..cut]), tracked(&hits[cut..]));
            let mut other_way = right.clone();
            other_way.merge(left.clone());
            left.merge(right.clone());
            prop_assert_eq!(twin(&hits, 1), slots(&left));
            prop_assert_eq!(twin(&hits, 1), slots(&other_way));
            prop_assert_eq!(twin(&hits, 1), slots(&Track::load(&left.store())));
            prop_assert_eq!(left.store(), other_way.store());
            left.slot(7).record(200, 1, None, &[]);
        }

        #[test]
        fn tracks_one_behind_the_other_join_to_the_whole(mut hits in hits(), cut in 0usize..400, sorted in any::<bool>(), stored in any::<bool>()) {
            hits.sort_by_key(|h| h.0);
            let cut = cut.min(hits.len());
            let (mut first, mut second) = (tracked(&hits[..cut]), tracked(&hits[cut..]));
            if stored {
                (first, second) = (Track::load(&first.store()), Track::load(&second.store()));
            }
            if !sorted {
                (first, second) = (second, first);
            }
            first.merge(second);
            prop_assert_eq!(twin(&hits, 1), slots(&first));
            prop_assert_eq!(tracked(&hits).store(), first.store());
            first.slot(299).record(200, 1, None, &[1000]);
            first.slot(0).record(200, 1, None, &[1000]);
            hits.extend([(299, 200, 1, None), (0, 200, 1, None)]);
            prop_assert_eq!(twin(&hits, 1), slots(&first));
        }

        #[test]
        fn tracks_of_alternate_turns_merge_to_the_whole(
            mut hits in prop::collection::vec((0u32..3000, prop::sample::select(vec![200u16, 500]), 0u64..5000, prop::option::of(0u64..90_000_000)), 500..4000),
            mut turns in prop::collection::vec(any::<prop::sample::Index>(), 1..20),
            stored in any::<bool>(),
        ) {
            hits.sort_by_key(|h| h.0);
            turns.sort_by_key(|turn| turn.index(hits.len()));
            let mut tracks = [Track::default(), Track::default()];
            for (at, &(number, status, bytes, us)) in hits.iter().enumerate() {
                let turn = turns.partition_point(|turn| turn.index(hits.len()) <= at);
                tracks[turn % 2].slot(number).record(status, bytes, us, &[1000]);
            }
            let [mut left, mut right] = tracks;
            if stored {
                (left, right) = (Track::load(&left.store()), Track::load(&right.store()));
            }
            let pieces = left.full.len() + right.full.len();
            left.merge(right);
            prop_assert_eq!(twin(&hits, 1), slots(&left));
            prop_assert_eq!(twin(&hits, 1).len(), left.packed_slots + left.open.len());
            prop_assert_eq!(tracked(&hits).store(), left.store());
            // all but those at the turns are left as they lie
            prop_assert!(left.full.len() <= pieces + 3 * turns.len() + 2, "{} of {pieces}", left.full.len());
            left.slot(2999).record(200, 1, None, &[1000]);
            left.slot(0).record(200, 1, None, &[1000]);
            hits.extend([(2999, 200, 1, None), (0, 200, 1, None)]);
            prop_assert_eq!(twin(&hits, 1), slots(&left));
        }

        #[test]
        fn damaged_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            slots(&Track::load(&bytes));
        }
    }

    proptest! {
        #[test]
        fn a_slot_of_many_values_is_tidied_as_one_of_few(values in prop::collection::vec((0u64..90_000_000_000, 0u32..60, 1u32..4), MANY..MANY + 40)) {
            let mut slot = Slot::new(1);
            slot.buckets.extend(values.iter().map(|(us, shift, n)| (coarse(us >> shift), *n)));
            let mut twin: BTreeMap<u16, u32> = BTreeMap::new();
            for (bucket, n) in &slot.buckets {
                *twin.entry(*bucket).or_default() += n;
            }
            let mut damaged = slot.clone();
            slot.tidy();
            prop_assert_eq!(twin.clone().into_iter().collect::<Vec<_>>(), slot.buckets.to_vec());
            damaged.buckets.push((u16::MAX, 2));
            twin.insert(u16::MAX, 2);
            damaged.tidy();
            prop_assert_eq!(twin.into_iter().collect::<Vec<_>>(), damaged.buckets.to_vec());
            let mut nothing = Slot::new(1);
            nothing.buckets.extend(vec![(7, 0); MANY]);
            nothing.tidy();
            prop_assert_eq!(vec![(7, 0)], nothing.buckets.to_vec());
        }
    }

    #[test]
    fn a_busy_slot_takes_few_bytes() {
        let mut track = Track::default();
        for number in 0..1000u32 {
            for i in 0..12u64 {
                track.slot(number).record(200, 512, Some(10_000 + i * 2_000), &[]);
            }
        }
        assert!(track.store().len() < 30 * 1000, "{}", track.store().len());
    }
}
