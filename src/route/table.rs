//! Routes by number while counting, in bounded memory.
//!
//! A [`Router`] gives each request the number of its key: the log's own route, a known template, or the path's normal
//! form. What cannot be kept falls into `(not found)` or `(other)`, and which keys stay does not depend on the order in
//! which they came: answered paths collapse by position (`fold.rs`) and the rest is kept by smallest rank, where a rank is
//! a property of the key alone and the highest rank that stays only ever sinks. Naming is left to `learn.rs`.

use std::sync::Arc;

use crate::route::NamedBy;
use crate::route::RouteId;
use crate::route::RouteKey;
use crate::route::fold::Rules;
use crate::route::glob::RouteGlob;
use crate::route::method::METHODS;
use crate::route::method::WEBSOCKET;
use crate::route::method::method_number;
use crate::route::segment::ID;
use crate::route::segment::LONGEST_PATH;
use crate::route::segment::UUID;
use crate::route::segment::first_number;
use crate::route::segment::first_uuid;
use crate::route::segment::hash;
use crate::route::segment::is_placeholder;
use crate::route::segment::is_word;
use crate::route::segment::normalise_others;
use crate::route::template::Templates;

/// The name of what was only ever refused with 404 or 405 and is no known route.
pub const NOT_FOUND: &str = "(not found)";
/// The name of what is beyond the number of routes that are kept.
pub const OTHER: &str = "(other)";

/// Paths that are health probes unless `[routes] probes` says otherwise.
pub const PROBES: [&str; 15] = [
    "/health",
    "/healthz",
    "/healthcheck",
    "/health-check",
    "/livez",
    "/liveness",
    "/live",
    "/readyz",
    "/readiness",
    "/ready",
    "/ping",
    "/metrics",
    "/health/**",
    "/live/**",
    "/ready/**",
];

const NONE: u32 = u32::MAX;
/// Longest path the memo holds.
const MEMO_PATH: usize = 40;
const MEMO_SLOTS: usize = 1024;
const RANK_SEED: u64 = 0x0072_616e_6b00;
/// Any odd number with many bits: a route with a UUID lies elsewhere than the same with a number.
const UUID_SEED: u64 = 0x9e37_79b9_7f4a_7c15;

/// What is asked of a table beside the templates.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Routes that are health probes, by key.
    pub probes: Vec<RouteGlob>,
    /// Routes that are streams, by key.
    pub streaming: Vec<RouteGlob>,
    /// Routes that only somebody logged in is answered on, by key.
    pub authenticated: Vec<RouteGlob>,
    /// Bounds; the default is what the contract's memory promises were computed with.
    pub limits: Limits,
}

impl Default for Settings {
    fn default() -> Self {
        let probes = PROBES.iter().map(|p| RouteGlob::new(p).expect("each has a path"));
        Self { probes: probes.collect(), streaming: Vec::new(), authenticated: Vec::new(), limits: Limits::default() }
    }
}

/// How much a table keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Answered learned keys from which on positions may collapse.
    pub answered: usize,
    /// Literal values of one position from which on they collapse, once that is allowed.
    pub values: usize,
    /// Answered learned keys, and keys of the log's own route field, that stay when nothing collapses.
    pub most: usize,
    /// Keys of 404 and 405 answers.
    pub refused: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { answered: 4096, values: 300, most: 16_384, refused: 8192 }
    }
}

/// The routes of one service as one thread sees them. Numbers hold until the next [`Router::fold`].
#[derive(Debug, Clone)]
pub struct Router {
    templates: Arc<Templates>,
    settings: Settings,
    entries: Vec<Entry>,
    free: Vec<u32>,
    /// Open addressing with linear probing: the hash's upper half and the entry's number plus one, 0 for none.
    slots: Vec<u64>,
    /// Entry by template and method.
    known: Vec<u32>,
    memo: Vec<Memo>,
    log: Pool,
    answered: Pool,
    refused: Pool,
    rules: Rules,
    /// Answered keys were once more than [`Limits::answered`]; from then on every fold collapses.
    folding: bool,
    next_fold: usize,
    decoded: Vec<u8>,
    text: Vec<u8>,
    folded: String,
}

#[derive(Debug, Clone)]
struct Entry {
    key: Arc<RouteKey>,
    space: Space,
    method: usize,
    hash: u64,
    /// Named by a probe or stream pattern: never collapsed.
    fixed: bool,
    /// Only somebody logged in is answered on it.
    authenticated: bool,
}

/// Keys that may have the same method and path and yet differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Space {
    Log,
    Openapi,
    Pattern,
    Answered,
    Refused,
    Fallback,
    /// The entry is unused.
    Free,
}

/// One kind of keys of which only so many are kept.
#[derive(Debug, Clone, Copy, Default)]
struct Pool {
    count: usize,
    /// The highest rank that stays, once something had to go.
    highest: Option<Rank>,
}

/// Lower stays longer: tier, then a hash.
type Rank = (u8, u64);

/// The newest path that has this hash (one without values, or one with its only value, a number or a UUID, cut out), or
/// name given by the log, and its number: a shortcut that the table would answer alike.
#[derive(Debug, Clone, Copy)]
struct Memo {
    hash: u64,
    id: u32,
    method: u8,
    asked: Asked,
    len: u8,
    text: [u8; MEMO_PATH],
}

/// What is remembered of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// Its path; how it was answered.
    Path { refused: bool },
    /// Its path without the value that stood after so many bytes: a UUID, or a number.
    Valued { refused: bool, uuid: bool, at: u8 },
    /// The name that the log gave it, where that is not a path with a value once more.
    Name,
}

impl Memo {
    const EMPTY: Self = Self { hash: 0, id: NONE, method: 0, asked: Asked::Name, len: 0, text: [0; MEMO_PATH] };

    /// The number that was remembered for this, if any.
    #[inline]
    fn get(&self, hash: u64, asked: Asked, method: usize, text: &[u8]) -> Option<RouteId> {
        let same = self.is(hash, asked, method) && self.text[..usize::from(self.len)] == *text;
        same.then_some(RouteId(self.id))
    }

    /// The same for a text in two parts, of which `asked` knows where the first one ends.
    #[inline]
    fn get_parts(&self, hash: u64, asked: Asked, method: usize, (first, second): (&[u8], &[u8])) -> Option<RouteId> {
        let same = self.is(hash, asked, method)
            && usize::from(self.len) == first.len() + second.len()
            && self.text[..first.len()] == *first
            && (second.is_empty() || self.text[first.len()..usize::from(self.len)] == *second);
        same.then_some(RouteId(self.id))
    }

    #[inline]
    fn is(&self, hash: u64, asked: Asked, method: usize) -> bool {
        self.hash == hash && self.id != NONE && usize::from(self.method) == method && self.asked == asked
    }

    /// `text` has [`MEMO_PATH`] bytes at most.
    fn set(&mut self, hash: u64, asked: Asked, method: usize, text: &[u8], id: u32) {
        #[expect(clippy::cast_possible_truncation, reason = "a method's number and a length up to MEMO_PATH")]
        let (small, len) = (method as u8, text.len() as u8);
        (self.hash, self.id, self.method, self.asked, self.len) = (hash, id, small, asked, len);
        self.text[..text.len()].copy_from_slice(text);
    }
}

impl Router {
    /// An empty table over `templates`.
    pub fn new(templates: Arc<Templates>, settings: Settings) -> Self {
        Self {
            known: vec![NONE; templates.list().len() * METHODS.len()],
            next_fold: settings.limits.answered,
            templates,
            settings,
            entries: Vec::new(),
            free: Vec::new(),
            slots: vec![0; 256],
            memo: vec![Memo::EMPTY; MEMO_SLOTS],
            log: Pool::default(),
            answered: Pool::default(),
            refused: Pool::default(),
            rules: Rules::default(),
            folding: false,
            decoded: Vec::with_capacity(LONGEST_PATH),
            text: Vec::with_capacity(LONGEST_PATH),
            folded: String::with_capacity(LONGEST_PATH),
        }
    }

    /// The number of the request's route. `path` as logged without its query, `named` the log's own route field (empty if
    /// none), `refused` whether it was answered 404 or 405. After it, look at [`Router::due`].
    pub fn id(&mut self, method: &[u8], path: &[u8], named: &[u8], refused: bool) -> RouteId {
        let method = method_number(method);
        if !named.is_empty()
            && let Some(id) = self.named(method, path, named)
        {
            return RouteId(id);
        }
        let space = if refused { Space::Refused } else { Space::Answered };
        if self.templates.list().is_empty() {
            if let Some((from, to)) = first_number(path) {
                if to <= MEMO_PATH {
                    return self.valued(method, path, (from, to), false, refused);
                }
            } else if let Some((from, to)) = first_uuid(path)
                && from <= MEMO_PATH
            {
                return self.valued(method, path, (from, to), true, refused);
            }
        }
        let hash = hash_of(space, method, path);
        if path.len() > MEMO_PATH {
            return RouteId(self.route(method, path, space, hash));
        }
        let (slot, asked) = (slot_of(hash, MEMO_SLOTS), Asked::Path { refused });
        if let Some(id) = self.memo[slot].get(hash, asked, method, path) {
            return id;
        }
        let id = self.route(method, path, space, hash);
        // What holds a value will hardly come again soon.
        if self.entries[id as usize].key.path.as_bytes() == path {
            self.memo[slot].set(hash, asked, method, path, id);
        }
        RouteId(id)
    }

    /// The same for a path with a value, a UUID or a number, which stands from `from` (at most [`MEMO_PATH`]) to before `to`:
    /// all paths that differ in it alone have one normal form, and one key until the next fold. No template may be known: one
    /// could tell values apart.
    fn valued(&mut self, method: usize, path: &[u8], (from, to): (usize, usize), uuid: bool, refused: bool) -> RouteId {
        let space = if refused { Space::Refused } else { Space::Answered };
        let parts = (&path[..from], &path[to..]);
        let start = hash_of(space, method, parts.0) ^ if uuid { UUID_SEED } else { 0 };
        let hash = if parts.1.is_empty() { start } else { hash(start, parts.1) };
        #[expect(clippy::cast_possible_truncation, reason = "at most MEMO_PATH")]
        let asked = Asked::Valued { refused, uuid, at: from as u8 };
        let slot = slot_of(hash, MEMO_SLOTS);
        if let Some(id) = self.memo[slot].get_parts(hash, asked, method, parts) {
            return id;
        }
        let id = self.route(method, path, space, hash_of(space, method, path));
        // What has a second value, or was collapsed, or is too many, will hardly come again or may get a key of its own.
        let length = parts.0.len() + parts.1.len();
        let key = self.entries[id as usize].key.path.as_bytes();
        let value = if uuid { UUID } else { ID };
        let rest = key.strip_prefix(parts.0).and_then(|rest| rest.strip_prefix(value));
        if rest == Some(parts.1) && length <= MEMO_PATH {
            let mut text = [0; MEMO_PATH];
            text[..from].copy_from_slice(parts.0);
            text[from..length].copy_from_slice(parts.1);
            self.memo[slot].set(hash, asked, method, &text[..length], id);
        }
        RouteId(id)
    }

    /// The key behind a number.
    pub fn key(&self, id: RouteId) -> &RouteKey {
        &self.entries[id.0 as usize].key
    }

    /// The same, for whoever keeps it: while nothing about a key changes it stays the one in memory.
    pub fn shared_key(&self, id: RouteId) -> &Arc<RouteKey> {
        &self.entries[id.0 as usize].key
    }

    /// A table that only knows the keys behind the numbers given so far; finding routes is left to the other one.
    #[must_use]
    pub fn names(&self) -> Self {
        Self {
            templates: Arc::clone(&self.templates),
            settings: self.settings.clone(),
            entries: self.entries.clone(),
            free: self.free.clone(),
            slots: Vec::new(),
            known: Vec::new(),
            memo: Vec::new(),
            log: self.log,
            answered: self.answered,
            refused: self.refused,
            rules: Rules::default(),
            folding: false,
            next_fold: usize::MAX,
            decoded: Vec::new(),
            text: Vec::new(),
            folded: String::new(),
        }
    }

    /// How many numbers were given so far: those that are given next are not below it, until the next [`Router::fold`].
    pub fn numbers(&self) -> usize {
        self.entries.len()
    }

    /// Whether no key stands for another or was left out, and none would by now.
    pub fn is_unfolded(&self) -> bool {
        let Limits { answered, most, refused, .. } = self.settings.limits;
        let pools = [(self.answered, answered), (self.refused, refused), (self.log, most)];
        !self.folding && pools.iter().all(|(pool, limit)| pool.highest.is_none() && pool.count <= *limit)
    }

    /// Whether the keys that `other`, begun as a copy of this one at number `from`, has given since can be added to those
    /// here, and both tables be what one would have been.
    pub fn may_learn(&self, other: &Self, from: usize) -> bool {
        let new: Vec<Space> = self.unknown(other, from).map(|entry| entry.space).collect();
        let both = |pool: Pool, space| pool.count + new.iter().filter(|new| **new == space).count();
        let Limits { answered, most, refused, .. } = self.settings.limits;
        let fits = both(self.answered, Space::Answered) <= answered
            && both(self.refused, Space::Refused) <= refused
            && both(self.log, Space::Log) <= most;
        self.is_unfolded() && other.is_unfolded() && fits
    }

    /// Adds these keys.
    pub fn learn(&mut self, other: &Self, from: usize) {
        let new: Vec<(Space, usize, Arc<RouteKey>)> =
            self.unknown(other, from).map(|entry| (entry.space, entry.method, Arc::clone(&entry.key))).collect();
        for (space, method, key) in new {
            let id = self.insert(space, method, &key.path);
            Arc::make_mut(&mut self.entries[id as usize].key).streaming |= key.streaming;
        }
    }

    fn unknown<'o>(&self, other: &'o Self, from: usize) -> impl Iterator<Item = &'o Entry> {
        let is_new = |entry: &&Entry| self.find(entry.space, entry.method, entry.key.path.as_bytes()).is_none();
        other.entries.iter().skip(from).filter(is_new)
    }

    /// The number for another table's key, for merging. Then, too, look at [`Router::due`].
    pub fn adopt(&mut self, key: &RouteKey) -> RouteId {
        let method = method_number(key.method.as_bytes());
        let id = match (key.by, key.refused) {
            (NamedBy::Log, _) => self.pooled(Space::Log, method, &key.path),
            (NamedBy::Openapi, _) => self.sure(Space::Openapi, method, &key.path),
            (NamedBy::Pattern, _) => self.sure(Space::Pattern, method, &key.path),
            (NamedBy::Fallback, _) => self.sure(Space::Fallback, method, &key.path),
            (NamedBy::Learned, true) => self.pooled(Space::Refused, method, &key.path),
            (NamedBy::Learned, false) => {
                if self.rules.learn(method, &key.path) {
                    self.folding = true;
                    self.next_fold = 0;
                }
                self.collapsed(method, &key.path)
            }
        };
        let own = &mut self.entries[id as usize].key;
        if key.streaming && !own.streaming && own.path == key.path {
            Arc::make_mut(own).streaming = true;
        }
        RouteId(id)
    }

    /// The templates it was made with.
    pub fn templates(&self) -> &Templates {
        &self.templates
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    /// True before the first request.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the table has grown so far that [`Router::fold`] must run before the next request.
    pub fn due(&self) -> bool {
        let limits = &self.settings.limits;
        self.answered.count > self.next_fold || self.refused.count > 2 * limits.refused || self.log.count > 2 * limits.most
    }

    /// Whether only somebody logged in is answered on a route, as the settings say.
    #[inline]
    pub fn is_authenticated(&self, id: RouteId) -> bool {
        !self.settings.authenticated.is_empty() && self.entries[id.0 as usize].authenticated
    }

    /// Brings the table back to its bounds and gives the numbers that are no more, each with the one that stands for it
    /// now; what was counted under the old must be added to the new before the next request. Runs when [`Router::due`], and
    /// once more before a report, because only then the result is the same for every order.
    pub fn fold(&mut self) -> Vec<(RouteId, RouteId)> {
        let limits = self.settings.limits;
        self.folding |= self.answered.count > limits.answered;
        let mut moved: Vec<(u32, u32)> = Vec::new();
        if self.folding {
            self.collapse(&mut moved);
        }
        self.shrink(Space::Answered, limits.most, &mut moved);
        self.shrink(Space::Log, limits.most, &mut moved);
        self.shrink(Space::Refused, limits.refused, &mut moved);
        self.next_fold = limits.answered.max(2 * self.answered.count);
        if moved.is_empty() {
            return Vec::new();
        }
        let mut target: Vec<u32> = (0..).take(self.entries.len()).collect();
        for (old, new) in &moved {
            target[*old as usize] = *new;
            self.free.push(*old);
        }
        self.rebuild(self.slots.len());
        for memo in &mut self.memo {
            memo.id = NONE;
        }
        // A key that collapsed may then have been too many: two steps at most.
        moved.iter().map(|(old, new)| (RouteId(*old), RouteId(target[*new as usize]))).collect()
    }

    fn collapse(&mut self, moved: &mut Vec<(u32, u32)>) {
        let mut ids = self.ids(Space::Answered);
        ids.retain(|id| !self.entries[*id as usize].fixed);
        let keys: Vec<(usize, &str)> =
            ids.iter().map(|id| &self.entries[*id as usize]).map(|e| (e.method, e.key.path.as_str())).collect();
        let paths = self.rules.collapse(&keys, self.settings.limits.values);
        for (id, path) in ids.into_iter().zip(paths) {
            let (method, streaming) = (self.entries[id as usize].method, self.entries[id as usize].key.streaming);
            if self.entries[id as usize].key.path != path {
                let new = self.sure(Space::Answered, method, &path);
                Arc::make_mut(&mut self.entries[new as usize].key).streaming |= streaming;
                self.entries[id as usize].space = Space::Free;
                self.answered.count -= 1;
                moved.push((id, new));
            }
        }
    }

    /// Keeps the `most` keys of the lowest ranks.
    fn shrink(&mut self, space: Space, most: usize, moved: &mut Vec<(u32, u32)>) {
        if self.pool(space).count <= most {
            return;
        }
        let mut ids = self.ids(space);
        let order = |id: &u32| {
            let entry = &self.entries[*id as usize];
            (rank(space, entry.method, &entry.key.path), entry.method, entry.key.path.as_str())
        };
        ids.sort_by(|a, b| order(a).cmp(&order(b)));
        let highest = ids.get(most.saturating_sub(1)).map(|id| order(id).0);
        for id in ids.split_off(most) {
            let method = self.entries[id as usize].method;
            let new = self.fallback(space, method);
            self.entries[id as usize].space = Space::Free;
            moved.push((id, new));
        }
        let pool = self.pool(space);
        pool.count = most;
        pool.highest = highest;
    }

    fn ids(&self, space: Space) -> Vec<u32> {
        (0..).zip(&self.entries).filter(|(_, e)| e.space == space).map(|(id, _)| id).collect()
    }

    fn pool(&mut self, space: Space) -> &mut Pool {
        match space {
            Space::Log => &mut self.log,
            Space::Refused => &mut self.refused,
            _ => &mut self.answered,
        }
    }

    /// The log's own name, unless it is but the path once more where that holds a value.
    fn named(&mut self, method: usize, path: &[u8], named: &[u8]) -> Option<u32> {
        if named == path {
            let mut text = std::mem::take(&mut self.text);
            let value = normalise_others(path, &mut self.decoded, &mut text) && text != path;
            self.text = text;
            if value {
                return None;
            }
        }
        if named.len() > MEMO_PATH {
            return Some(self.given(method, named));
        }
        let hash = hash_of(Space::Log, method, named);
        let slot = slot_of(hash, MEMO_SLOTS);
        if let Some(id) = self.memo[slot].get(hash, Asked::Name, method, named) {
            return Some(id.0);
        }
        let id = self.given(method, named);
        self.memo[slot].set(hash, Asked::Name, method, named, id);
        Some(id)
    }

    /// The number for a name that the log gave.
    fn given(&mut self, method: usize, named: &[u8]) -> u32 {
        let plain = named.iter().all(u8::is_ascii_graphic) && named.len() <= LONGEST_PATH;
        match std::str::from_utf8(named) {
            Ok(text) if plain => self.pooled(Space::Log, method, text),
            _ => self.pooled(Space::Log, method, &printable(named)),
        }
    }

    /// `hash` is that of the path as it is.
    fn route(&mut self, method: usize, path: &[u8], space: Space, hash: u64) -> u32 {
        if let Some(number) = self.templates.find(method, path, &mut self.decoded) {
            return self.template(number, method);
        }
        let mut text = std::mem::take(&mut self.text);
        let changed = normalise_others(path, &mut self.decoded, &mut text);
        let (key, hash) = if changed { (&text[..], hash_of(space, method, &text)) } else { (path, hash) };
        let id = match self.find_hashed(hash, space, method, key) {
            Some(id) => id,
            None => self.learned(space, method, std::str::from_utf8(key).expect("a normal form is text")),
        };
        self.text = text;
        id
    }

    fn template(&mut self, number: usize, method: usize) -> u32 {
        let at = number * METHODS.len() + method;
        if self.known[at] == NONE {
            let templates = Arc::clone(&self.templates);
            let template = &templates.list()[number];
            let space = if template.by == NamedBy::Openapi { Space::Openapi } else { Space::Pattern };
            let id = self.sure(space, method, &template.path);
            Arc::make_mut(&mut self.entries[id as usize].key).streaming |= template.streams & (1 << method) != 0;
            self.known[at] = id;
        }
        self.known[at]
    }

    /// The number for a path that the table does not hold under its own text.
    #[cold]
    fn learned(&mut self, space: Space, method: usize, path: &str) -> u32 {
        if space == Space::Answered {
            return self.collapsed(method, path);
        }
        // A probe by its exact path is a known route: its refusals stay with it.
        if self.settings.probes.iter().any(|p| p.is_exact() && p.matches(METHODS[method], path)) {
            return self.sure(Space::Answered, method, path);
        }
        self.pooled(space, method, path)
    }

    /// The number for an answered path, collapsed where its positions are.
    fn collapsed(&mut self, method: usize, path: &str) -> u32 {
        let mut folded = std::mem::take(&mut self.folded);
        let changed = !self.rules.is_empty() && !self.is_fixed(method, path) && self.rules.apply(method, path, &mut folded);
        let id = self.pooled(Space::Answered, method, if changed { &folded } else { path });
        self.folded = folded;
        id
    }

    fn is_fixed(&self, method: usize, path: &str) -> bool {
        let Settings { probes, streaming, .. } = &self.settings;
        probes.iter().any(|p| p.matches(METHODS[method], path))
            || streaming.iter().any(|s| s.is_exact() && s.matches(METHODS[method], path))
    }

    /// The number of a key of which only so many are kept, or of what stands for those that are not.
    fn pooled(&mut self, space: Space, method: usize, path: &str) -> u32 {
        if let Some(id) = self.find(space, method, path.as_bytes()) {
            return id;
        }
        if self.pool(space).highest.is_some_and(|highest| rank(space, method, path) > highest) {
            return self.fallback(space, method);
        }
        self.sure(space, method, path)
    }

    fn fallback(&mut self, space: Space, method: usize) -> u32 {
        self.sure(Space::Fallback, method, if space == Space::Refused { NOT_FOUND } else { OTHER })
    }

    /// The number of a key, new if need be.
    fn sure(&mut self, space: Space, method: usize, path: &str) -> u32 {
        match self.find(space, method, path.as_bytes()) {
            Some(id) => id,
            None => self.insert(space, method, path),
        }
    }

    fn find(&self, space: Space, method: usize, path: &[u8]) -> Option<u32> {
        self.find_hashed(hash_of(space, method, path), space, method, path)
    }

    fn find_hashed(&self, hash: u64, space: Space, method: usize, path: &[u8]) -> Option<u32> {
        let mut at = slot_of(hash, self.slots.len());
        loop {
            let slot = self.slots[at];
            if slot == 0 {
                return None;
            }
            if slot >> 32 == hash >> 32 {
                let id = (slot & u64::from(u32::MAX)) - 1;
                let entry = &self.entries[usize::try_from(id).ok()?];
                if entry.hash == hash && entry.space == space && entry.method == method && entry.key.path.as_bytes() == path {
                    return u32::try_from(id).ok();
                }
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
    }

    #[cold]
    fn insert(&mut self, space: Space, method: usize, path: &str) -> u32 {
        let name = METHODS[method];
        let (by, refused) = match space {
            Space::Log => (NamedBy::Log, false),
            Space::Openapi => (NamedBy::Openapi, false),
            Space::Pattern => (NamedBy::Pattern, false),
            Space::Fallback => (NamedBy::Fallback, path == NOT_FOUND),
            Space::Answered | Space::Free => (NamedBy::Learned, false),
            Space::Refused => (NamedBy::Learned, true),
        };
        let is = |globs: &[RouteGlob]| by != NamedBy::Fallback && globs.iter().any(|g| g.matches(name, path));
        let (probe, streaming) = (is(&self.settings.probes), method == WEBSOCKET || is(&self.settings.streaming));
        let key = RouteKey { method: name.to_owned(), path: path.to_owned(), by, refused, probe, streaming };
        let fixed = space == Space::Answered && self.is_fixed(method, path);
        let authenticated = is(&self.settings.authenticated);
        let key = Arc::new(key);
        let entry = Entry { key, space, method, hash: hash_of(space, method, path.as_bytes()), fixed, authenticated };
        let id = if let Some(id) = self.free.pop() {
            self.entries[id as usize] = entry;
            id
        } else {
            self.entries.push(entry);
            u32::try_from(self.entries.len() - 1).expect("tables fold long before 2^32 keys")
        };
        if matches!(space, Space::Log | Space::Answered | Space::Refused) {
            self.pool(space).count += 1;
        }
        if self.len() * 2 > self.slots.len() {
            self.rebuild(self.slots.len() * 2);
        } else {
            self.place(id);
        }
        id
    }

    fn place(&mut self, id: u32) {
        let hash = self.entries[id as usize].hash;
        let mut at = slot_of(hash, self.slots.len());
        while self.slots[at] != 0 {
            at = (at + 1) & (self.slots.len() - 1);
        }
        self.slots[at] = hash >> 32 << 32 | (u64::from(id) + 1);
    }

    fn rebuild(&mut self, size: usize) {
        self.slots = vec![0; size];
        for id in 0..u32::try_from(self.entries.len()).expect("tables fold long before 2^32 keys") {
            if self.entries[id as usize].space != Space::Free {
                self.place(id);
            }
        }
    }
}

fn hash_of(space: Space, method: usize, path: &[u8]) -> u64 {
    hash((method as u64) << 8 | (space as u64) << 1, path)
}

#[expect(clippy::cast_possible_truncation, reason = "only as many bits are used as there are slots")]
fn slot_of(hash: u64, slots: usize) -> usize {
    hash as usize & (slots - 1)
}

/// Which keys stay: of refused paths first those with a placeholder (they may belong to a route), then plain words (which may
/// have an answered sister), then what scanners ask for; else all alike. Within these by hash, which favours nobody.
fn rank(space: Space, method: usize, path: &str) -> Rank {
    let tier = match space {
        Space::Refused if path.split('/').any(is_placeholder) => 0,
        Space::Refused if path.split('/').skip(1).all(is_word) => 1,
        Space::Refused => 2,
        _ => 0,
    };
    (tier, hash(RANK_SEED ^ method as u64, path.as_bytes()))
}

/// A log's own route name that is not plain text, made so: what is not printable ASCII becomes `?`, at most
/// [`LONGEST_PATH`] bytes.
fn printable(named: &[u8]) -> String {
    named.iter().take(LONGEST_PATH).map(|b| if b.is_ascii_graphic() || *b == b' ' { char::from(*b) } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::openapi;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// (method, path, refused)
    type Request = (&'static str, String, bool);
    type Counts = BTreeMap<RouteKey, u64>;

    fn settings(answered: usize, values: usize, most: usize, refused: usize) -> Settings {
        Settings { limits: Limits { answered, values, most, refused }, ..Settings::default() }
    }

    /// Counts as a recorder does: by number, moved at each fold.
    struct Recorder {
        router: Router,
        counts: BTreeMap<RouteId, u64>,
        memo: bool,
        /// The log names routes: some by the path once more, some by another name, some not at all.
        names: bool,
    }

    impl Recorder {
        fn new(settings: Settings) -> Self {
            Self { router: Router::new(Arc::default(), settings), counts: BTreeMap::new(), memo: true, names: false }
        }

        fn over(templates: Templates, settings: Settings, memo: bool, names: bool) -> Self {
            Self { router: Router::new(Arc::new(templates), settings), counts: BTreeMap::new(), memo, names }
        }

        fn add(&mut self, id: RouteId, n: u64) {
            *self.counts.entry(id).or_default() += n;
            if self.router.due() {
                self.fold();
            }
        }

        fn fold(&mut self) {
            let moved = self.router.fold();
            let taken: Vec<_> = moved.iter().map(|(old, new)| (*new, self.counts.remove(old).unwrap_or(0))).collect();
            for (new, n) in taken {
                *self.counts.entry(new).or_default() += n;
            }
        }

        fn record(&mut self, requests: &[Request]) {
            for (method, path, refused) in requests {
                if !self.memo {
                    self.router.memo.iter_mut().for_each(|m| m.id = NONE);
                }
                let named = [path, "/named/{x}", ""][path.len() % 3];
                let named = if self.names { named.as_bytes() } else { b"" };
                let id = self.router.id(method.as_bytes(), path.as_bytes(), named, *refused);
                self.add(id, 1);
            }
        }

        fn merge(&mut self, other: &Counts) {
            for (key, n) in other {
                let id = self.router.adopt(key);
                self.add(id, *n);
            }
        }

        fn counts(mut self) -> Counts {
            self.fold();
            assert!(self.router.fold().is_empty());
            self.counts.iter().filter(|(_, n)| **n > 0).map(|(id, n)| (self.router.key(*id).clone(), *n)).collect()
        }
    }

    fn once(requests: &[Request], settings: Settings) -> Counts {
        let mut recorder = Recorder::new(settings);
        recorder.record(requests);
        recorder.counts()
    }

    fn requests() -> impl Strategy<Value = Vec<Request>> {
        let segment =
            "[a-d]{1,2}|[a-e]-[1-4]|[0-9]{1,2}|health||[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-fA-F]{12}";
        let path = prop::collection::vec(segment, 1..4).prop_map(|s| format!("/{}", s.join("/")));
        prop::collection::vec((prop::sample::select(vec!["GET", "POST"]), path, prop::bool::weighted(0.3)), 0..120)
    }

    proptest! {
        #[test]
        fn order_and_cuts_change_nothing(
            requests in requests(),
            shuffled in any::<prop::sample::Index>(),
            cut in any::<prop::sample::Index>(),
            (answered, values, refused) in (2_usize..40, 1_usize..6, 0_usize..12),
        ) {
            let settings = settings(answered, values, 10_000, refused);
            let want = once(&requests, settings.clone());
            let mut other = requests.clone();
            other.reverse();
            other.rotate_left(shuffled.index(requests.len() + 1).min(requests.len()));
            prop_assert_eq!(&want, &once(&other, settings.clone()));
            let (left, right) = requests.split_at(cut.index(requests.len() + 1));
            let mut merged = Recorder::new(settings.clone());
            merged.merge(&once(right, settings.clone()));
            merged.merge(&once(left, settings));
            prop_assert_eq!(&want, &merged.counts());
        }

        #[test]
        fn the_table_is_bounded_and_no_request_is_lost(requests in requests()) {
            let counts = once(&requests, settings(5, 3, 6, 4));
            prop_assert_eq!(requests.len() as u64, counts.values().sum::<u64>());
            let kept = |refused| counts.keys().filter(|k| k.by == NamedBy::Learned && k.refused == refused).count();
            prop_assert!(kept(false) <= 6 && kept(true) <= 4);
        }

        #[test]
        fn the_memo_changes_nothing(requests in requests(), template in any::<bool>(), names in any::<bool>()) {
            let settings = settings(5, 3, 6, 4);
            let patterns = if template { vec!["/a/{n}/b".to_owned(), "/b/1".to_owned(), "/3".to_owned()] } else { Vec::new() };
            let [with, without] = [true, false].map(|memo| {
                let templates = Templates::build(&[], &patterns).unwrap();
                let mut recorder = Recorder::over(templates, settings.clone(), memo, names);
                recorder.record(&requests);
                recorder.counts()
            });
            prop_assert_eq!(with, without);
        }
    }

    #[test]
    fn a_flood_of_paths_stays_small_and_leaves_the_routes() {
        let mut recorder = Recorder::new(Settings::default());
        let mut biggest = 0;
        for i in 0..20_000_u32 {
            recorder.record(&[("GET", format!("/shop/a-{i}/view"), false), ("GET", format!("/x{i}.php"), true)]);
            biggest = biggest.max(recorder.router.len());
        }
        recorder.record(&[("GET", "/login".to_owned(), false), ("GET", "/shop/new/view".to_owned(), false)]);
        assert!(biggest <= 4096 + 2 * 8192 + 8, "{biggest}");
        let counts = recorder.counts();
        let of = |path: &str| counts.iter().filter(|(k, _)| k.path == path).map(|(_, n)| *n).sum::<u64>();
        assert_eq!((20_000, 1, 1), (of("/shop/{slug}/view"), of("/login"), of("/shop/new/view")));
        assert_eq!(20_000 - 8192, of(NOT_FOUND));
    }

    #[test]
    fn each_request_gets_the_key_the_contract_names() {
        let json = br#"{"openapi":"3.1.0","paths":{"/items/{item_id}":{"get":{}},
            "/ticks":{"get":{"responses":{"200":{"content":{"text/event-stream":{}}}}}}}}"#;
        let documents = [(openapi::read(json).unwrap(), String::new())];
        let templates = Templates::build(&documents, &["/static/{p:path}".to_owned()]).unwrap();
        let streaming = vec![RouteGlob::new("GET /feed/*").unwrap()];
        let mut router = Router::new(Arc::new(templates), Settings { streaming, ..Settings::default() });
        let long = "x".repeat(300);
        for (want, by, flags, method, path, named, refused) in [
            ("GET /items/{item_id}", NamedBy::Openapi, "", "GET", "/items/7", "", false),
            ("GET /items/{item_id}", NamedBy::Openapi, "", "GET", "/items/8", "", true),
            ("DELETE /items/{item_id}", NamedBy::Openapi, "", "DELETE", "/items/8", "", true),
            ("GET /ticks", NamedBy::Openapi, "s", "GET", "/ticks", "", false),
            ("GET /static/{p:path}", NamedBy::Pattern, "", "GET", "/static/a/b", "", true),
            ("GET /orders/{id}", NamedBy::Learned, "", "GET", "/orders/7", "", false),
            ("GET /orders/{id}", NamedBy::Learned, "r", "GET", "/orders/7", "", true),
            ("GET /orders/{id}", NamedBy::Learned, "", "GET", "/orders/7", "/orders/7", false),
            ("GET /orders/{order_id}", NamedBy::Log, "", "GET", "/orders/7", "/orders/{order_id}", true),
            ("GET /about", NamedBy::Log, "", "GET", "/about", "/about", false),
            ("GET shop.?[31mviews", NamedBy::Log, "", "GET", "/v", "shop.\u{1b}[31mviews", false),
            (&format!("GET {}", &long[..256]), NamedBy::Log, "", "GET", "/v", &long, false),
            ("GET /health", NamedBy::Learned, "p", "GET", "/health", "", true),
            ("HEAD /health/db", NamedBy::Learned, "p", "HEAD", "/health/db", "", false),
            ("GET /healthy", NamedBy::Learned, "", "GET", "/healthy", "", false),
            ("GET /feed/{id}", NamedBy::Learned, "s", "GET", "/feed/7", "", false),
            ("WEBSOCKET /items/{id}", NamedBy::Learned, "s", "WEBSOCKET", "/items/7", "", false),
            ("OTHER /x", NamedBy::Learned, "", "FUZZ", "/x", "", false),
            ("- -", NamedBy::Learned, "", "", "", "", false),
        ] {
            for _ in 0..2 {
                let id = router.id(method.as_bytes(), path.as_bytes(), named.as_bytes(), refused);
                let key = router.key(id);
                assert_eq!(want, format!("{} {}", key.method, key.path));
                let got = [(key.probe, "p"), (key.streaming, "s"), (key.refused, "r")].into_iter().filter(|f| f.0).map(|f| f.1);
                assert_eq!((by, flags.to_owned()), (key.by, got.collect()), "{want}");
            }
        }
    }
}
