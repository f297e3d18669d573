//! What stands before the quoted request line of an access line: whatever a logging set-up puts in front, the client,
//! and in the common log format the user and the time.
//!
//! Here it is decided whether a line is an access line at all: text that merely quotes one has words in front that no
//! logging set-up writes. The request line and what follows are left to `access` and the written forms.

use super::Reject;
use super::access::EACH;
use super::access::Memo;
use super::access::leading_digits;
use super::access::number;
use crate::time::Stamp;
use crate::time::civil;
use crate::time::clf;
use crate::time::epoch;
use crate::time::iso;
use crate::time::of_day;
use memchr::memchr;
use memchr::memchr_iter;
use memchr::memrchr;

/// The longest head that is looked at, in bytes.
const LONGEST: usize = 512;

/// What the head says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Head<'a> {
    /// The last time stamp in it.
    pub(super) time: Option<Stamp>,
    /// The process.
    pub(super) pid: Option<u32>,
    /// The client, with its port where one is written; empty on a Unix socket.
    pub(super) client: &'a [u8],
    /// The user field, `-` included; `None` where there is no such field.
    pub(super) user: Option<&'a [u8]>,
    /// A time in brackets stands behind the client: the common log format.
    pub(super) stamped: bool,
    /// Something stands before the client.
    pub(super) prefixed: bool,
    /// A process, a level or a logger's name stands before the client.
    pub(super) logged: bool,
}

/// Why a head is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Not the head of an access line.
    NotMine,
    /// It is one, and this in it is broken.
    Broken(Reject),
}

/// What has been seen in front of the client.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Front {
    time: Option<Stamp>,
    pid: Option<u32>,
    level: bool,
    names: u8,
    words: u8,
    stamps: u8,
}

/// The items that stood between a time at the line's start and the client last time (` - uvicorn.access - INFO -`), and
/// what they say: the same bytes, ended by a blank, say the same.
#[derive(Debug, Clone)]
pub(super) struct Items {
    text: [u8; 64],
    length: usize,
    front: Front,
}

impl Default for Items {
    fn default() -> Self {
        Self { text: [0; 64], length: 0, front: Front::default() }
    }
}

impl Items {
    /// The length of the items at the start of `at` and what they say, if they are the remembered ones.
    fn known(&self, at: &[u8]) -> Option<(usize, Front)> {
        let same =
            self.length > 0 && at.get(self.length) == Some(&b' ') && at.get(..self.length) == self.text.get(..self.length);
        same.then_some((self.length, self.front))
    }

    /// Remembers `text`.
    fn remember(&mut self, text: &[u8], front: Front) {
        if let Some(place) = self.text.get_mut(..text.len()) {
            place.copy_from_slice(text);
            self.length = text.len();
            self.front = front;
        }
    }
}

impl Front {
    /// Logging set-ups write at most one plain word (a host or an application) beside a time or a level.
    fn plausible(&self) -> bool {
        self.words == 0 || self.time.is_some() || self.level || self.pid.is_some()
    }
}

/// Reads a head: all that stands before the opening quote, its last blank included.
pub(super) fn read<'a>(head: &'a [u8], memo: &mut Memo) -> Result<Head<'a>, Refusal> {
    if head.len() > LONGEST || head.last() != Some(&b' ') {
        return Err(Refusal::NotMine);
    }
    let mut front = Front::default();
    if head == b"- " {
        return nobody(head, head, &front);
    }
    let mut at = head;
    let mut items = None;
    loop {
        let token = first_token(at);
        if token.is_empty() {
            let rest = at.trim_ascii_start();
            let blanks = at.len() - rest.len();
            if rest.is_empty() {
                return Err(Refusal::NotMine);
            }
            if rest == b"- " && (blanks > 1 || at.len() == head.len()) {
                return nobody(head, at, &front);
            }
            at = rest;
            continue;
        }
        let stamped = if matches!(token.first(), Some(b'0'..=b'9')) { stamp(at, memo) } else { None };
        if let Some((time, taken)) = stamped {
            front.time = time.or(front.time);
            front.stamps = front.stamps.saturating_add(1);
            let first = at.len() == head.len();
            at = behind(at, taken);
            items = first.then_some(at);
            if first && let Some((length, known)) = memo.items.known(at) {
                front = Front { time: front.time, ..known };
                at = behind(at, length);
            }
        } else if let Some(client_here) = client_at(at, token, at.len() == head.len()) {
            let found = client(head, at, client_here, &front, memo)?;
            // with a second time among the items, the same bytes do not say the same: a zone may follow, or a newer time
            let between = items.filter(|_| front.stamps == 1).and_then(|items| items.get(..items.len() - at.len()));
            if let Some(between) = between.filter(|between| between.last() == Some(&b' ')) {
                memo.items.remember(between.trim_ascii_end(), front);
            }
            return Ok(found);
        } else {
            at = behind(at, item(at, token, &mut front, memo).ok_or(Refusal::NotMine)?);
        }
    }
}

/// `[TIME] [PID] [LEVEL] ` as gunicorn and hypercorn put it before their lines: time, process, and what follows.
#[inline]
pub(super) fn supervised<'a>(text: &'a [u8], memo: &mut Memo) -> Option<(Stamp, u32, &'a [u8])> {
    let inside = text.strip_prefix(b"[")?;
    let (time, taken) = memo.iso(inside)?;
    let rest = inside.get(taken..)?.strip_prefix(b"] [")?;
    let (count, pid) = leading_digits(*rest.first_chunk::<8>()?);
    let rest = rest.get(count as usize..)?.strip_prefix(b"] [INFO] ")?;
    (count > 0).then_some((time, u32::try_from(pid).ok()?, rest))
}

/// The time that a logging set-up wrote before any line, access line or not: at its start, bare or in brackets, with the
/// date, and with a bracket, a sign, a level or a logger behind it. A time that a text merely begins with is none.
pub(super) fn dated(text: &[u8], memo: &Memo) -> Option<Stamp> {
    let inside = text.strip_prefix(b"[");
    let at = inside.unwrap_or(text);
    if !matches!(at.first(), Some(b'0'..=b'9')) {
        return None;
    }
    let (time, taken) = match iso(at).or_else(|| clf(at)) {
        Some((time, taken)) => (time, taken),
        None => slashed(at, memo.reading.day_first).and_then(|(time, taken)| Some((time?, taken)))?,
    };
    let rest = at.get(taken..)?;
    let next = first_token(rest.trim_ascii_start());
    let logged = if inside.is_some() {
        rest.first() == Some(&b']')
    } else {
        let word = next.split(|b| matches!(b, b':' | b'|' | b',')).next().unwrap_or_default();
        rest.first() == Some(&b' ') && (matches!(next, b"-" | b"|") || next.first() == Some(&b'[') || is_level(word))
    };
    (logged && !matches!(time, Stamp::OfDay(_))).then_some(time)
}

/// On a Unix socket there is no client: two blanks, or nothing, before the dash.
fn nobody<'a>(head: &'a [u8], at: &[u8], front: &Front) -> Result<Head<'a>, Refusal> {
    let prefixed = at.len() < head.len();
    if !front.plausible() {
        return Err(Refusal::NotMine);
    }
    Ok(Head { time: front.time, pid: front.pid, prefixed, logged: front.level || front.names > 0, ..Head::default() })
}

fn behind(at: &[u8], taken: usize) -> &[u8] {
    at.get(taken..).unwrap_or_default()
}

fn first_token(at: &[u8]) -> &[u8] {
    at.get(..memchr(b' ', at).unwrap_or(at.len())).unwrap_or_default()
}

/// The client is found: what follows it must be the rest of a head.
fn client<'a>(head: &[u8], at: &'a [u8], token: &'a [u8], front: &Front, memo: &mut Memo) -> Result<Head<'a>, Refusal> {
    let mut rest = behind(at, token.len());
    // a list of forwarded addresses: the first is the client
    let client = token.strip_suffix(b",").unwrap_or(token);
    let mut last = token;
    while last.last() == Some(&b',') {
        let next = first_token(behind(rest, 1));
        if !is_address(next) {
            return Err(Refusal::NotMine);
        }
        rest = behind(rest, 1 + next.len());
        last = next;
    }
    let prefixed = at.len() < head.len();
    let logged = front.level || front.names > 0 || front.pid.is_some();
    let mut found = Head { time: front.time, pid: front.pid, client, prefixed, logged, ..Head::default() };
    if !front.plausible() {
        return Err(Refusal::NotMine);
    }
    if let Some(fields) = rest.strip_suffix(b"] ") {
        let open = memrchr(b'[', fields).ok_or(Refusal::NotMine)?;
        found.user = user(fields.get(..open).unwrap_or_default())?;
        found.stamped = true;
        let inside = rest.get(open + 1..).unwrap_or_default();
        let dated = memo.clf(inside).or_else(|| memo.iso(inside)).filter(|(_, taken)| open + 1 + taken == fields.len());
        found.time = match dated {
            Some((stamp, _)) => Some(stamp),
            None if matches!(inside, [b'0'..=b'9', b'0'..=b'9', b'/', ..]) => return Err(Refusal::Broken(Reject::Time)),
            None => return Err(Refusal::NotMine),
        };
    } else if rest != b" - " && rest != b" " {
        if prefixed || !is_address(client) {
            return Err(Refusal::NotMine);
        }
        found.user = Some(bare_user(rest).ok_or(Refusal::NotMine)?);
    } else if !is_address(client) && memchr(b':', client).is_none() && client.first() != Some(&b'(') {
        return Err(Refusal::NotMine);
    }
    Ok(found)
}

/// The user in ` IDENT USER `; a user's name may hold blanks. `None` where there is no user.
fn user(fields: &[u8]) -> Result<Option<&[u8]>, Refusal> {
    let fields = match fields {
        [] | [b' '] => return Ok(None),
        [b' ', fields @ .., b' '] => fields,
        _ => return Err(Refusal::NotMine),
    };
    Ok(memchr(b' ', fields).and_then(|blank| fields.get(blank + 1..)))
}

/// The user in ` USER ` or ` - USER `, of at most three words and no half of a bracket.
fn bare_user(rest: &[u8]) -> Option<&[u8]> {
    let rest = rest.strip_prefix(b" -").unwrap_or(rest);
    let user = rest.strip_prefix(b" ")?.strip_suffix(b" ")?;
    (!user.is_empty() && user.len() <= 64 && memchr(b']', user).is_none() && memchr_iter(b' ', user).count() < 3)
        .then_some(user)
}

/// The client that stands at the start of `at`, whose first word is `token`. A host's name is one only at the line's
/// start; `[12:34:56]` is none, though its signs are those of an address.
fn client_at<'a>(at: &'a [u8], token: &'a [u8], first: bool) -> Option<&'a [u8]> {
    if token.starts_with(b"('") {
        return tuple(at);
    }
    let time = token.strip_prefix(b"[").and_then(of_day).is_some();
    (is_address(token) && !time || first && is_host(token) && !is_level(token)).then_some(token)
}

/// `('127.0.0.1', 55200)` or `('::1', 55200, 0, 0)`: Python's own form of an address, before uvicorn 0.35's WebSockets.
fn tuple(at: &[u8]) -> Option<&[u8]> {
    let close = memchr(b')', at.get(..at.len().min(80))?)?;
    let tuple = at.get(..=close)?;
    let inside = tuple.strip_prefix(b"('")?.strip_suffix(b")")?;
    let quote = memchr(b'\'', inside)?;
    let numbers = inside.get(quote + 1..)?.strip_prefix(b", ")?;
    let fits = is_address(inside.get(..quote)?) && numbers.iter().all(|b| b.is_ascii_digit() || matches!(b, b',' | b' '));
    fits.then_some(tuple)
}

/// IPv4 or IPv6, with or without brackets and port; `unix:`.
#[inline]
pub(super) fn is_address(token: &[u8]) -> bool {
    is_dotted(token) || is_any_address(token)
}

/// An IPv4 address, with or without port: digits and colons with three dots between them. Eight bytes at a time, without
/// a branch on where the dots stand, which no processor predicts; a long one, or one of less than eight bytes, is left to
/// [`is_any_address`].
#[inline]
fn is_dotted(token: &[u8]) -> bool {
    const HIGH: u64 = EACH * 0x80;
    let (mut dots, mut colons, mut others) = (0, 0, 0);
    let mut take = |bytes: u64| {
        // The high bit of each byte beyond `most`: seven bits and 0x7f less `most` never reach the next byte.
        let beyond = |bytes: u64, most: u64| (((bytes & !HIGH) + EACH * (0x7f - most)) | bytes) & HIGH;
        let from_zero = bytes ^ (EACH * 0x30);
        let (no_digit, neither) = (beyond(from_zero, 9), beyond(from_zero, 10));
        let no_dot = beyond(bytes ^ (EACH * 0x2e), 0);
        dots += (no_dot ^ HIGH) >> 7;
        colons += (no_digit ^ neither) >> 7;
        others |= neither & no_dot;
    };
    let (eights, rest) = token.as_chunks::<8>();
    if eights.len() > 4 {
        return false;
    }
    for eight in eights {
        take(u64::from_le_bytes(*eight));
    }
    if !rest.is_empty() {
        let Some(last) = token.last_chunk::<8>() else { return false };
        // zeros fill the bytes behind the rest: digits count for nothing
        take(u64::from_le_bytes(*last) >> (64 - 8 * rest.len()) | (EACH * 0x30) << (8 * rest.len()));
    }
    let sum = |counts: u64| counts.wrapping_mul(EACH) >> 56;
    others == 0 && sum(dots) == 3 && sum(colons) < 8 && token.last() != Some(&b'.')
}

/// The same for every other kind, byte by byte.
fn is_any_address(token: &[u8]) -> bool {
    let token = token.strip_suffix(b",").unwrap_or(token);
    let (mut dots, mut colons, mut brackets) = (0, 0, 0);
    for &byte in token {
        match byte {
            b'.' => dots += 1,
            b':' => colons += 1,
            b'%' => return colons > 1,
            b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F' => {}
            b'[' | b']' => brackets += 1,
            _ => return token == b"unix:",
        }
    }
    brackets != 1 && (dots == 3 && colons < 8 || colons > 1) && token.last() != Some(&b'.')
}

/// A host's name, with or without port.
fn is_host(token: &[u8]) -> bool {
    let port = memchr(b':', token);
    let name = port.and_then(|at| token.get(..at)).unwrap_or(token);
    let fits = matches!(name, [b'a'..=b'z' | b'A'..=b'Z', ..])
        && name.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
    fits && port.is_none_or(|at| token.get(at + 1..).and_then(number).is_some())
}

/// A time stamp at the start of `at`: the stamp, `None` where it cannot be told, and the bytes it takes.
fn stamp(at: &[u8], memo: &Memo) -> Option<(Option<Stamp>, usize)> {
    if let Some((stamp, taken)) = iso(at).or_else(|| clf(at)).or_else(|| of_day(at)) {
        let ends = matches!(at.get(taken), None | Some(b' ' | b']' | b',' | b':' | b'|' | b';'));
        return ends.then_some((Some(stamp), taken));
    }
    if let Some(found) = slashed(at, memo.reading.day_first) {
        return Some(found);
    }
    let token = first_token(at);
    epoch(token).map(|stamp| (Some(stamp), token.len()))
}

/// `22/11/2026 07:34:34 PM`, with `/`, `-` or `.`, with or without the half of the day.
pub(super) fn slashed(at: &[u8], day_first: Option<bool>) -> Option<(Option<Stamp>, usize)> {
    let (first, second) = numbers(at)?;
    let year = number(at.get(6..10)?)?;
    let (clock, taken) = of_day(at.get(11..)?)?;
    let Stamp::OfDay(mut in_day) = clock else { return None };
    let mut taken = taken + 11;
    let half = at.get(taken..).and_then(|rest| match rest {
        [b' ', half @ (b'A' | b'P' | b'a' | b'p'), b'M' | b'm', ..] => Some(half.to_ascii_uppercase()),
        _ => None,
    });
    if let Some(half) = half {
        taken += 3;
        let noon = 12 * crate::time::HOUR;
        if in_day >= noon + crate::time::HOUR {
            return None;
        }
        in_day = in_day % noon + if half == b'P' { noon } else { 0 };
    }
    let stamp = day_first.and_then(|day_first| {
        let (day, month) = if day_first { (first, second) } else { (second, first) };
        civil(i64::try_from(year).ok()?, month, day, in_day).map(Stamp::Local)
    });
    Some((stamp, taken))
}

/// The two numbers before the year of a slashed date.
pub(super) fn numbers(at: &[u8]) -> Option<(u8, u8)> {
    let two = |from: usize| number(at.get(from..from + 2)?).and_then(|n| u8::try_from(n).ok());
    let mark = at.get(2)?;
    (matches!(mark, b'/' | b'-' | b'.') && at.get(5) == Some(mark) && at.get(10) == Some(&b' ')).then_some(())?;
    Some((two(0)?, two(3)?))
}

/// One item of the front at the start of `at`: the bytes it takes; `None` where no logging set-up writes this.
fn item(at: &[u8], token: &[u8], front: &mut Front, memo: &mut Memo) -> Option<usize> {
    if token.first() == Some(&b'[') {
        return bracketed(at, front, memo);
    }
    if token.first() == Some(&b'(')
        && let Some(taken) = process(at, front)
    {
        return Some(taken);
    }
    if token.iter().all(|b| matches!(b, b'-' | b'|' | b':' | b'>' | b'/' | b'~' | b'=')) || matches!(token, b"AM" | b"PM") {
        return Some(token.len());
    }
    let letters = token.iter().take_while(|b| b.is_ascii_alphabetic()).count();
    if token.get(..letters).is_some_and(is_level) {
        let behind = token.get(letters..)?;
        let colon = behind.first() == Some(&b':');
        if colon || behind.is_empty() || matches!(behind, b"," | b"]" | b"|") {
            if std::mem::replace(&mut front.level, true) {
                return None;
            }
            return Some(if colon { letters + 1 } else { token.len() });
        }
    }
    name(token, front)
}

/// `(APIServer pid=1234) `, as supervisors of many processes write it: its length.
fn process(at: &[u8], front: &mut Front) -> Option<usize> {
    let close = memchr(b')', at.get(..at.len().min(96))?)?;
    let inside = at.get(1..close)?;
    let digits = inside.get(memchr::memmem::find(inside, b"pid=")? + 4..)?;
    let digits = digits.get(..digits.iter().take_while(|b| b.is_ascii_digit()).count())?;
    let fits =
        inside.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b' ' | b',' | b'=' | b':' | b'.' | b'_' | b'-' | b'#'));
    if !fits || front.names >= 6 {
        return None;
    }
    front.pid = Some(u32::try_from(number(digits)?).ok()?);
    front.names += 1;
    Some(close + 1)
}

/// `h11_impl.py(454)` without its line.
fn without_line(word: &[u8]) -> &[u8] {
    let inside = word.strip_suffix(b")");
    let open =
        inside.and_then(|inside| memrchr(b'(', inside).filter(|&open| inside.get(open + 1..).and_then(number).is_some()));
    open.filter(|&open| open > 0).and_then(|open| word.get(..open)).unwrap_or(word)
}

/// A logger, a process, a thread, a place in the code, or a plain word.
fn name(token: &[u8], front: &mut Front) -> Option<usize> {
    // `uvicorn.access:127.0.0.1:52158`: the client is glued to the logger's name by basicConfig's own form
    let glued = memchr_iter(b':', token).find(|&at| token.get(at + 1..).is_some_and(is_address)).map(|at| at + 1);
    let token = glued.and_then(|at| token.get(..at)).unwrap_or(token);
    let bare = token.strip_suffix(b":").or_else(|| token.strip_suffix(b",")).unwrap_or(token);
    let bare = bare.strip_prefix(b"(").and_then(|b| b.strip_suffix(b")")).unwrap_or(bare);
    let bare = without_line(bare);
    let fits = |b: &u8| {
        b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b':' | b'-' | b'/' | b'<' | b'>' | b'[' | b']' | b'@' | b'#')
    };
    let bare = bare.strip_prefix(b"pid=").unwrap_or(bare);
    if bare.is_empty() || bare.len() > 128 || bare.first() == Some(&b'/') || is_verb(bare) || !bare.iter().all(fits) {
        return None;
    }
    // half of a bracket is half of something else, granian's time (whose line's figure has another unit) for one
    if memchr_iter(b'[', bare).count() != memchr_iter(b']', bare).count() {
        return None;
    }
    if let Some(pid) = number(bare) {
        front.pid = u32::try_from(pid).ok();
    }
    if bare.iter().all(|b| b.is_ascii_alphabetic() || *b == b'-') && !is_server(bare) {
        front.words += 1;
    } else {
        front.names += 1;
    }
    (front.words < 2 && front.names < 6).then_some(token.len())
}

/// `[…]`: a time, a process, a level or a name.
fn bracketed(at: &[u8], front: &mut Front, memo: &mut Memo) -> Option<usize> {
    let inside = at.get(1..)?;
    let close = memchr(b']', inside.get(..inside.len().min(80))?)?;
    let text = inside.get(..close)?;
    let word = text.trim_ascii();
    if let Some((stamp, _)) = memo.iso(inside).or_else(|| memo.clf(inside)).filter(|(_, taken)| *taken == close) {
        front.time = Some(stamp);
        front.stamps = front.stamps.saturating_add(1);
    } else if let Some((stamp, _)) = stamp(text, memo).filter(|(_, taken)| *taken == close) {
        front.time = stamp.or(front.time);
        front.stamps = front.stamps.saturating_add(1);
    } else if let Some(pid) = number(word) {
        front.pid = u32::try_from(pid).ok();
    } else if is_level(word) {
        if std::mem::replace(&mut front.level, true) {
            return None;
        }
    } else if memchr(b' ', word).is_none() && front.names < 6 {
        front.names += 1;
    } else {
        return None;
    }
    let glued = matches!(inside.get(close + 1), Some(b':' | b','));
    Some(close + 2 + usize::from(glued))
}

fn is_level(word: &[u8]) -> bool {
    const LEVELS: [&[u8]; 10] =
        [b"DEBUG", b"INFO", b"WARNING", b"WARN", b"ERROR", b"CRITICAL", b"FATAL", b"NOTICE", b"TRACE", b"SUCCESS"];
    LEVELS.iter().any(|level| level.eq_ignore_ascii_case(word))
}

/// Methods name a request that the text talks about: what stands behind them is a client's to write.
fn is_verb(word: &[u8]) -> bool {
    matches!(word, b"GET" | b"POST" | b"PUT" | b"PATCH" | b"DELETE" | b"HEAD" | b"OPTIONS" | b"WebSocket")
}

fn is_server(word: &[u8]) -> bool {
    const SERVERS: [&[u8]; 9] =
        [b"uvicorn", b"gunicorn", b"hypercorn", b"granian", b"daphne", b"nginx", b"access", b"MainThread", b"MainProcess"];
    SERVERS.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;
    use proptest::prelude::*;

    fn of(text: &str) -> Result<Head<'_>, Refusal> {
        let reading = super::super::access::Reading { day_first: Some(true), ..Default::default() };
        read(text.as_bytes(), &mut Memo::new(reading))
    }

    const LOCAL: Stamp = Stamp::Local(1_795_394_208_110_000);
    const SECOND: Stamp = Stamp::Local(1_795_394_208_000_000);
    const EXACT: Stamp = Stamp::Exact(Timestamp(1_795_394_208_000_000));

    #[test]
    fn usual_addresses_are_seen_at_once() {
        for token in ["127.0.0.1:50634", "10.3.201.66:39878", "10.6.103.97", "255.255.255.255:65535", "1.2.3.4:"] {
            assert!(is_dotted(token.as_bytes()), "{token}");
        }
        for token in ["1.2.3.4", "::1", "2001:db8::fbc2:0", "10.3.201:39878", "10.3.201.66.", "10.3.201.66:3987a", "unix:"] {
            assert!(!is_dotted(token.as_bytes()), "{token}");
        }
    }

    proptest! {
        #[test]
        fn an_address_seen_at_once_is_one_byte_by_byte_too(token in "[0-9.:]{0,44}|([0-9]{1,3}\\.){2,4}[0-9]{0,3}(:[0-9]{0,6}){0,9}.?|([0-9]{1,3}\\.){3}[0-9]{1,3}[/-;]{1,6}|.{0,30}") {
            let (fast, slow) = (is_dotted(token.as_bytes()), is_any_address(token.as_bytes()));
            prop_assert!(!fast || slow);
            let plain = token.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b':');
            let count = |sign: u8| token.bytes().filter(|b| *b == sign).count();
            let want = plain && count(b'.') == 3 && count(b':') < 8 && !token.ends_with('.') && (8..40).contains(&token.len());
            prop_assert_eq!(want, fast);
        }
    }

    #[test]
    fn any_logged_line_gives_the_time_before_it() {
        let reading = super::super::access::Reading { day_first: Some(true), ..Default::default() };
        for (expected, text) in [
            (Some(LOCAL), "2026-11-23 00:36:48,110 - uvicorn.error - INFO - Started server process [7]"),
            (Some(EXACT), "[2026-11-23 00:36:48 +0000] [7376] [INFO] Booting worker with pid: 7376"),
            (Some(EXACT), "[2026-11-23T00:36:48+0000] INFO:     Shutting down"),
            (Some(SECOND), "23/11/2026 12:36:48 AM [7094] [INFO] uvicorn.error: Application startup complete."),
            (Some(SECOND), "2026-11-23 00:36:48 [error] 31#31: *7 connect() failed"),
            (Some(LOCAL), "2026-11-23 00:36:48.110 | ERROR    | main:run:7 - failed"),
            (Some(SECOND), "2026-11-23 00:36:48 WARNING: slow"),
            (None, "2026-11-23 00:36:48 was the last time"),
            (None, "[2026-11-23 00:36:48 to 00:37:00] closed"),
            (None, "00:36:48 - INFO - no date"),
            (None, "INFO:     Application startup complete."),
            (None, "2026-11-23"),
            (None, "["),
            (None, ""),
        ] {
            assert_eq!(expected, dated(text.as_bytes(), &Memo::new(reading)), "{text}");
        }
    }

    #[test]
    fn any_logging_prefix_gives_client_time_and_process() {
        for (client, time, pid, text) in [
            ("127.0.0.1:5", None, None, "INFO:     127.0.0.1:5 - "),
            ("", None, None, "INFO:      - "),
            ("", None, None, " - "),
            ("", None, None, "- "),
            ("", Some(LOCAL), None, "2026-11-23 00:36:48,110 - uvicorn.access - INFO -  - "),
            ("2001:db8::3738:0", None, None, "2001:db8::3738:0 - "),
            ("[::1]:80", None, None, "[::1]:80 - "),
            ("127.0.0.1:43", Some(LOCAL), None, "2026-11-23 00:36:48,110 - uvicorn.access - INFO - 127.0.0.1:43 - "),
            ("127.0.0.1:51", Some(EXACT), None, "[2026-11-23T00:36:48+0000] INFO:     127.0.0.1:51 - "),
            ("127.0.0.1:52", Some(SECOND), Some(7094), "23/11/2026 12:36:48 AM [7094] [INFO] uvicorn.access: 127.0.0.1:52 - "),
            ("127.0.0.1:44", Some(EXACT), Some(7369), "[2026-11-23 00:36:48 +0000] [7369] [INFO] 127.0.0.1:44 - "),
            (
                "127.0.0.1:49",
                Some(EXACT),
                Some(8046),
                "[2026-11-23 00:35:00 +0000] [8046] [INFO] [23/Nov/2026:00:36:48 +0000] 127.0.0.1:49 ",
            ),
            (
                "127.0.0.1:39",
                Some(LOCAL),
                None,
                "2026-11-23 00:36:48.110 | INFO     | uvicorn.protocols.http.httptools_impl:send:482 - 127.0.0.1:39 - ",
            ),
            ("127.0.0.1:9", None, None, "INFO:uvicorn.access:127.0.0.1:9 - "),
            ("127.0.0.1", Some(EXACT), None, "127.0.0.1 - carol smith [23/Nov/2026:00:36:48 +0000] "),
            ("10.0.0.1", Some(EXACT), None, "10.0.0.1, 10.0.0.2 - - [23/Nov/2026:00:36:48 +0000] "),
            ("shop.example", Some(EXACT), None, "shop.example - - [23/Nov/2026:00:36:48 +0000] "),
            ("testclient:50000", None, None, "testclient:50000 - "),
            ("127.0.0.1", Some(SECOND), Some(12), "2026-11-23 00:36:48 web-1 pid=12 INFO 127.0.0.1 - "),
        ] {
            let head = of(text).unwrap_or_else(|refusal| panic!("{text}: {refusal:?}"));
            assert_eq!((client.as_bytes(), time, pid), (head.client, head.time, head.pid), "{text}");
        }
    }

    #[test]
    fn remembered_items_say_what_they_would_be_read_as() {
        let heads = [
            "2026-11-23 00:36:48,110 - uvicorn.access - INFO - 127.0.0.1:43 - ",
            "2026-11-23 00:36:49,110 - uvicorn.access - INFO - 127.0.0.1:44 - ",
            "2026-11-23 00:36:49,110 - uvicorn.access - INFO -  - ",
            "2026-11-23 00:36:49,110 - uvicorn.access - INFO - the 127.0.0.1:44 - ",
            "2026-11-23 00:36:48 [12] INFO 127.0.0.1:43 - ",
            "2026-11-23 00:36:49 [12] INFO 127.0.0.1:43 - ",
            "2026-11-23 00:36:49 [13] INFO INFO 127.0.0.1:43 - ",
            "2026-11-23 00:36:48 [2026-11-23 00:36:50] 127.0.0.1:43 - ",
            "2026-11-23 00:36:49 [2026-11-23 00:36:50] 127.0.0.1:43 - ",
            "2026-11-23 00:36:49 00:36:50 127.0.0.1:43 - ",
            "2026-11-23 00:36:51 00:36:50 127.0.0.1:43 - ",
        ];
        let mut memo = Memo::default();
        for text in heads.iter().chain(heads.iter().rev()) {
            assert_eq!(read(text.as_bytes(), &mut Memo::default()), read(text.as_bytes(), &mut memo), "{text}");
        }
    }

    #[test]
    fn words_in_front_make_it_a_quotation() {
        for text in [
            "User said: ",
            "INFO:     request body: INFO:     1.2.3.4:5 - ",
            "INFO:     INFO:     1.2.3.4:5 - ",
            "Received: 1.2.3.4:5 - ",
            "INFO:     the client 1.2.3.4:5 - ",
            "INFO:     1.2.3.4:5 said ",
            "  File ",
            "127.0.0.1:5 -",
            "he - ",
            "2026-11-23 00:39:06,887 - shop.timing - INFO - GET /nopeINFO:     203.0.113.66:1 - ",
            "path=/nope 203.0.113.66:1 - ",
            "",
            " ",
            "2026/11/23 00:52:33 [error] 18877#18877: *34 recv() failed (104: Connection reset by peer), request: ",
        ] {
            assert_eq!(Err(Refusal::NotMine), of(text), "{text}");
        }
    }

    #[test]
    fn a_user_may_hold_blanks_and_an_impossible_time_is_broken() {
        let user = |text| of(text).map(|head| head.user);
        assert_eq!(Ok(Some(&b"carol smith"[..])), user("127.0.0.1 - carol smith [23/Nov/2026:00:36:48 +0000] "));
        assert_eq!(Ok(Some(&b"-"[..])), user("127.0.0.1 - - [23/Nov/2026:00:36:48 +0000] "));
        assert_eq!(Ok(Some(&b"alice"[..])), user("127.0.0.1 alice "));
        assert_eq!(Ok(None), user("127.0.0.1 - "));
        assert_eq!(Err(Refusal::Broken(Reject::Time)), user("127.0.0.1 - - [32/Nov/2026:00:36:48 +0000] "));
    }

    #[test]
    fn a_slashed_date_gives_no_time_until_its_order_is_known() {
        let text = b"05/11/2026 07:34:34 PM x";
        assert_eq!(Some((None, 22)), slashed(text, None));
        let evening = 19 * crate::time::HOUR + 34 * crate::time::MINUTE + 34 * crate::time::SECOND;
        assert_eq!(Some((civil(2026, 11, 5, evening).map(Stamp::Local), 22)), slashed(text, Some(true)));
        assert_eq!(Some((civil(2026, 5, 11, evening).map(Stamp::Local), 22)), slashed(text, Some(false)));
    }
}
