//! Path templates, in the order FastAPI tries them.
//!
//! Answers which of the known templates a request belongs to: the first in declared order whose path and method match,
//! else the first whose path matches (FastAPI answers 405 there), else the first of a document whose last parameter, taken
//! over slashes, makes it match (openapi.json does not tell `{p:path}` from `{p}`); then the same with the configuration's
//! templates. Reads no document itself (`openapi.rs` does). The rules are Starlette's `compile_path`, `Router.app` and
//! `get_route_path` (1.x); parameter types of the document have no say, as in Starlette.

use crate::error::Error;
use crate::route::NamedBy;
use crate::route::openapi::Document;
use crate::route::segment::decode;

/// Methods that are told apart; any other is `OTHER`. The first is a request without one.
pub(super) const METHODS: [&str; 19] = [
    "-",
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "TRACE",
    "CONNECT",
    "QUERY",
    "WEBSOCKET",
    "PROPFIND",
    "PROPPATCH",
    "MKCOL",
    "COPY",
    "MOVE",
    "PURGE",
    "OTHER",
];
const WEBSOCKET: usize = 11;
/// Deeper templates are matched piece by piece instead of by the tree.
const DEEPEST: usize = 32;

/// The number of a method in [`METHODS`]; the case of letters does not matter.
pub(super) fn method_number(method: &[u8]) -> usize {
    match method {
        b"GET" => 1,
        b"POST" => 3,
        b"" | b"-" => 0,
        _ => METHODS.iter().position(|m| m.as_bytes().eq_ignore_ascii_case(method)).unwrap_or(METHODS.len() - 1),
    }
}

/// One template as it is shown, with what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    /// As declared, behind the mount.
    pub(super) path: String,
    /// Bits by [`METHODS`]: answered there.
    pub(super) methods: u32,
    /// Bits by [`METHODS`]: answered there as a stream.
    pub(super) streams: u32,
    /// A document's or the configuration's.
    pub(super) by: NamedBy,
}

/// Every template a service is known to have. Empty until built; immutable afterwards.
#[derive(Debug, Clone, Default)]
pub struct Templates {
    list: Vec<Template>,
    parts: Vec<Part>,
}

/// One document, or the configuration's templates.
#[derive(Debug, Clone)]
struct Part {
    /// Root paths under which a proxy may show the service, longest first, without a final slash.
    roots: Vec<String>,
    by: NamedBy,
    tree: Tree,
    /// Templates the tree cannot hold, and their number.
    odd: Vec<(u32, Vec<Piece>)>,
    /// Each template with its last parameter taking slashes.
    widened: Vec<(u32, Vec<Piece>)>,
}

/// The two best so far: by path and method, by path alone.
#[derive(Debug, Clone, Copy)]
struct Best {
    full: u32,
    partial: u32,
}

const NONE: u32 = u32::MAX;

impl Templates {
    /// Compiles documents (each with the prefix it is mounted under, mostly empty) and then the configuration's templates,
    /// `/items/{item_id}` or `GET /items/{item_id}`, with Starlette's converters.
    ///
    /// # Errors
    /// Usage, where a template does not begin with `/` or its braces do not pair; the message quotes it.
    pub fn build(documents: &[(Document, String)], patterns: &[String]) -> Result<Self, Error> {
        let mut all = Self::default();
        for (index, (document, prefix)) in documents.iter().enumerate() {
            all.add_document(document, prefix.trim_end_matches('/'), index > 0)?;
        }
        let mut part = Part::new(NamedBy::Pattern, Vec::new());
        for text in patterns {
            let (methods, path) = match text.trim().split_once(char::is_whitespace) {
                Some((method, path)) if method != "*" => (1 << method_number(method.as_bytes()), path.trim()),
                Some((_, path)) => (u32::MAX, path.trim()),
                None => (u32::MAX, text.trim()),
            };
            all.add(&mut part, Template { path: path.to_owned(), methods, streams: 0, by: NamedBy::Pattern })?;
        }
        all.parts.push(part);
        Ok(all)
    }

    /// Nothing is known.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Each operation of the documents as (method, path), in declared order; the configuration's templates are no
    /// documentation and stand not here.
    pub fn documented(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.list.iter().filter(|t| t.by == NamedBy::Openapi).flat_map(|t| {
            METHODS.iter().enumerate().filter(|(m, _)| t.methods & (1 << m) != 0).map(|(_, name)| (*name, t.path.as_str()))
        })
    }

    pub(super) fn list(&self) -> &[Template] {
        &self.list
    }

    fn add_document(&mut self, document: &Document, prefix: &str, mounted: bool) -> Result<(), Error> {
        // A mounted application's own document names its mount as server; the first document's server is a proxy's affair.
        let mount = if mounted && prefix.is_empty() { document.roots.first().map_or("", String::as_str) } else { prefix };
        let roots = if mounted { Vec::new() } else { document.roots.clone() };
        let mut part = Part::new(NamedBy::Openapi, roots);
        for operation in &document.paths {
            let bits = |names: &[String]| names.iter().fold(0, |bits, m| bits | 1 << method_number(m.as_bytes()));
            let path = format!("{mount}{}", operation.path);
            let (methods, streams) = (bits(&operation.methods), bits(&operation.streams));
            self.add(&mut part, Template { path, methods, streams, by: NamedBy::Openapi })?;
        }
        self.parts.push(part);
        Ok(())
    }

    fn add(&mut self, part: &mut Part, template: Template) -> Result<(), Error> {
        let pieces = pieces(&template.path)?;
        let number = u32::try_from(self.list.len()).map_err(|_| Error::usage("more templates than can be counted"))?;
        part.add(number, &pieces, template.methods);
        self.list.push(template);
        Ok(())
    }

    /// The number in [`Templates::list`] of the template that the request belongs to. `path` without its query, as logged;
    /// `scratch` holds it decoded.
    pub(super) fn find(&self, method: usize, path: &[u8], scratch: &mut Vec<u8>) -> Option<usize> {
        if self.list.is_empty() || path.first() != Some(&b'/') {
            return None;
        }
        let path = if memchr::memchr(b'%', path).is_some() {
            decode(path, scratch);
            scratch.as_slice()
        } else {
            path
        };
        // A document tells nothing of WebSockets, whose handlers are other routes.
        if method != WEBSOCKET
            && let Some(found) = self.find_by(NamedBy::Openapi, method, path)
        {
            return Some(found);
        }
        self.find_by(NamedBy::Pattern, method, path)
    }

    fn find_by(&self, by: NamedBy, method: usize, path: &[u8]) -> Option<usize> {
        let mut best = Best { full: NONE, partial: NONE };
        for part in self.parts.iter().filter(|p| p.by == by) {
            part.find(1 << method, part.without_root(path), &mut best, &self.list);
        }
        if best.full == NONE && best.partial == NONE && by == NamedBy::Openapi {
            for part in self.parts.iter().filter(|p| p.by == by) {
                part.find_widened(1 << method, part.without_root(path), &mut best, &self.list);
            }
        }
        let found = if best.full == NONE { best.partial } else { best.full };
        (found != NONE).then_some(found as usize)
    }
}

impl Part {
    fn new(by: NamedBy, roots: Vec<String>) -> Self {
        Self { roots, by, tree: Tree { nodes: vec![Node::default()] }, odd: Vec::new(), widened: Vec::new() }
    }

    fn add(&mut self, number: u32, pieces: &[Piece], methods: u32) {
        if !self.tree.add(number, pieces, methods) {
            self.odd.push((number, pieces.to_vec()));
        }
        let last = pieces.iter().rposition(|p| !matches!(p, Piece::Text(_)));
        if self.by == NamedBy::Openapi
            && let Some(last) = last
        {
            let mut wide = pieces.to_vec();
            wide[last] = Piece::Rest;
            self.widened.push((number, wide));
        }
    }

    fn without_root<'p>(&self, path: &'p [u8]) -> &'p [u8] {
        for root in &self.roots {
            match path.strip_prefix(root.as_bytes()) {
                Some([]) => return b"/",
                Some(rest @ [b'/', ..]) => return rest,
                _ => {}
            }
        }
        path
    }

    fn find(&self, method: u32, path: &[u8], best: &mut Best, list: &[Template]) {
        self.tree.find(0, &path[1..], method, best);
        for (number, pieces) in &self.odd {
            if *number < best.full && fits(pieces, path) {
                best.take(*number, list[*number as usize].methods & method != 0);
            }
        }
    }

    /// A path that ends in a slash is a redirect's where it fits without, and so is nobody's here.
    fn find_widened(&self, method: u32, path: &[u8], best: &mut Best, list: &[Template]) {
        if let [short @ .., b'/'] = path {
            let mut redirected = Best { full: NONE, partial: NONE };
            if short.first() == Some(&b'/') {
                self.find(method, short, &mut redirected, list);
            }
            if redirected.full != NONE || redirected.partial != NONE {
                return;
            }
        }
        for (number, pieces) in &self.widened {
            if *number < best.full && fits(pieces, path) {
                best.take(*number, list[*number as usize].methods & method != 0);
            }
        }
    }
}

impl Best {
    fn take(&mut self, number: u32, method_too: bool) {
        if method_too {
            self.full = self.full.min(number);
        }
        self.partial = self.partial.min(number);
    }
}

/// What a template's path is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(Vec<u8>),
    /// `[^/]+`
    Any,
    /// `[0-9]+`
    Int,
    /// `[0-9]+(\.[0-9]+)?`
    Float,
    /// Hexadecimal digits as 8-4-4-4-12, each `-` optional.
    Uuid,
    /// `.*`
    Path,
    /// `.+`: a document's last parameter at the second try.
    Rest,
}

fn pieces(template: &str) -> Result<Vec<Piece>, Error> {
    let bad = |why: &str| Error::usage(format!("route template '{template}' {why}"));
    if !template.starts_with('/') || template.len() > 2048 {
        return Err(bad("does not begin with '/', or is longer than 2,048 bytes"));
    }
    let mut pieces = Vec::new();
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        let (text, from) = rest.split_at(open);
        let (name, after) = from[1..].split_once('}').ok_or_else(|| bad("has a '{' without its '}'"))?;
        if !text.is_empty() {
            pieces.push(Piece::Text(text.as_bytes().to_vec()));
        }
        pieces.push(match name.split_once(':').map(|(_, kind)| kind) {
            None | Some("str") => Piece::Any,
            Some("int") => Piece::Int,
            Some("float") => Piece::Float,
            Some("uuid") => Piece::Uuid,
            Some("path") => Piece::Path,
            Some(kind) => return Err(bad(&format!("has the unknown converter '{kind}' (known: str, int, float, uuid, path)"))),
        });
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.as_bytes().to_vec()));
    }
    Ok(pieces)
}

/// Whether the whole of `text` is made of `pieces`: every end that each piece can have is carried on, so that time is at
/// most pieces × bytes (twice for the few that look ahead).
fn fits(pieces: &[Piece], text: &[u8]) -> bool {
    let Some((Piece::Text(first), more)) = pieces.split_first() else { return false };
    let Some(text) = text.strip_prefix(first.as_slice()) else { return false };
    if let Some(Piece::Text(last)) = more.last()
        && !text.ends_with(last)
    {
        return false;
    }
    let mut ends = vec![false; text.len() + 1];
    ends[0] = true;
    for piece in more {
        ends = piece.ends(text, &ends);
    }
    ends[text.len()]
}

impl Piece {
    /// Where this piece can end if it begins at one of `starts`.
    fn ends(&self, text: &[u8], starts: &[bool]) -> Vec<bool> {
        let mut ends = vec![false; text.len() + 1];
        match self {
            Self::Text(want) => {
                for at in (0..text.len()).filter(|at| starts[*at]) {
                    if text[at..].starts_with(want) {
                        ends[at + want.len()] = true;
                    }
                }
            }
            Self::Any => run(text, starts, &mut ends, |b| b != b'/'),
            Self::Int => run(text, starts, &mut ends, |b| b.is_ascii_digit()),
            Self::Rest => run(text, starts, &mut ends, |_| true),
            Self::Path => {
                run(text, starts, &mut ends, |_| true);
                for (end, start) in ends.iter_mut().zip(starts) {
                    *end |= *start;
                }
            }
            Self::Float => {
                let mut whole = vec![false; text.len() + 1];
                run(text, starts, &mut whole, |b| b.is_ascii_digit());
                let mut dots = vec![false; text.len() + 1];
                for at in (0..text.len()).filter(|at| whole[*at] && text[*at] == b'.') {
                    dots[at + 1] = true;
                }
                run(text, &dots, &mut ends, |b| b.is_ascii_digit());
                for (end, whole) in ends.iter_mut().zip(whole) {
                    *end |= whole;
                }
            }
            Self::Uuid => {
                for at in (0..text.len()).filter(|at| starts[*at]) {
                    if let Some(len) = uuid(&text[at..]) {
                        ends[at + len] = true;
                    }
                }
            }
        }
        ends
    }
}

/// Marks every end of a run of at least one byte of `kind` from any of `starts`.
fn run(text: &[u8], starts: &[bool], ends: &mut [bool], kind: impl Fn(u8) -> bool) {
    let mut open = false;
    for (at, &byte) in text.iter().enumerate() {
        open = (open || starts[at]) && kind(byte);
        ends[at + 1] |= open;
    }
}

/// The length of the UUID at the beginning of `text`.
fn uuid(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    for (index, digits) in [8, 4, 4, 4, 12].into_iter().enumerate() {
        if index > 0 && text.get(at) == Some(&b'-') {
            at += 1;
        }
        if !text.get(at..at + digits)?.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        at += digits;
    }
    Some(at)
}

/// Templates by their segments; each branch knows its earliest template, so that a later one is not looked at in vain.
#[derive(Debug, Clone)]
struct Tree {
    nodes: Vec<Node>,
}

#[derive(Debug, Clone, Default)]
struct Node {
    texts: Vec<(Vec<u8>, usize)>,
    /// Segments with parameters.
    params: Vec<(Vec<Piece>, usize)>,
    /// Templates that end here, with their methods.
    ends: Vec<(u32, u32)>,
    /// Templates that end here with `{p:path}`, with their methods.
    tails: Vec<(u32, u32)>,
}

impl Tree {
    /// False where a tree of segments cannot say it: a `:path` that is not a whole last segment, or a great depth.
    fn add(&mut self, number: u32, pieces: &[Piece], methods: u32) -> bool {
        let Some((segments, tail)) = segments(pieces) else { return false };
        let mut at = 0;
        for segment in segments {
            at = self.child(at, segment);
        }
        let node = &mut self.nodes[at];
        if tail {
            node.tails.push((number, methods))
        } else {
            node.ends.push((number, methods))
        }
        true
    }

    fn child(&mut self, at: usize, segment: Vec<Piece>) -> usize {
        let fresh = self.nodes.len();
        let node = &mut self.nodes[at];
        let found = match segment.as_slice() {
            [] => slot(&mut node.texts, Vec::new(), fresh),
            [Piece::Text(text)] => slot(&mut node.texts, text.clone(), fresh),
            _ => slot(&mut node.params, segment, fresh),
        };
        if found == fresh {
            self.nodes.push(Node::default());
        }
        found
    }

    /// `rest` is the path behind the slash that leads here.
    fn find(&self, at: usize, rest: &[u8], method: u32, best: &mut Best) {
        let node = &self.nodes[at];
        for (number, methods) in &node.tails {
            best.take(*number, methods & method != 0);
        }
        let (segment, more) = match memchr::memchr(b'/', rest) {
            Some(slash) => (&rest[..slash], Some(&rest[slash + 1..])),
            None => (rest, None),
        };
        if let Some((_, next)) = node.texts.iter().find(|(text, _)| text == segment) {
            self.enter(*next, more, method, best);
        }
        for (pieces, next) in &node.params {
            let fitting = match pieces.as_slice() {
                [Piece::Any] => !segment.is_empty(),
                [Piece::Int] => !segment.is_empty() && segment.iter().all(u8::is_ascii_digit),
                [Piece::Uuid] => uuid(segment) == Some(segment.len()),
                [Piece::Text(_), ..] => fits(pieces, segment),
                _ => fits(&[&[Piece::Text(Vec::new())], pieces.as_slice()].concat(), segment),
            };
            if fitting {
                self.enter(*next, more, method, best);
            }
        }
    }

    fn enter(&self, next: usize, more: Option<&[u8]>, method: u32, best: &mut Best) {
        match more {
            Some(rest) => self.find(next, rest, method, best),
            None => {
                for (number, methods) in &self.nodes[next].ends {
                    best.take(*number, methods & method != 0);
                }
            }
        }
    }
}

fn slot<K: PartialEq>(list: &mut Vec<(K, usize)>, key: K, fresh: usize) -> usize {
    match list.iter().find(|(k, _)| *k == key) {
        Some((_, found)) => *found,
        None => {
            list.push((key, fresh));
            fresh
        }
    }
}

/// The template's segments behind its first slash, and whether a whole `{p:path}` follows them.
fn segments(pieces: &[Piece]) -> Option<(Vec<Vec<Piece>>, bool)> {
    let mut segments = vec![Vec::new()];
    for (index, piece) in pieces.iter().enumerate() {
        match piece {
            Piece::Text(text) => {
                let text = if index == 0 { text.strip_prefix(b"/")? } else { text };
                for (i, part) in text.split(|b| *b == b'/').enumerate() {
                    if i > 0 {
                        segments.push(Vec::new());
                    }
                    if !part.is_empty() {
                        segments.last_mut()?.push(Piece::Text(part.to_vec()));
                    }
                }
            }
            Piece::Path if index + 1 == pieces.len() && segments.last()?.is_empty() => {
                segments.pop();
                return (segments.len() <= DEEPEST).then_some((segments, true));
            }
            Piece::Path | Piece::Rest => return None,
            _ => segments.last_mut()?.push(piece.clone()),
        }
    }
    (segments.len() <= DEEPEST).then_some((segments, false))
}
