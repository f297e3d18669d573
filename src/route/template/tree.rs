//! Many templates at once, segment by segment.

use super::Best;
use super::pattern::Piece;
use super::pattern::fits;
use super::pattern::uuid;

/// Deeper templates are matched one by one.
const DEEPEST: usize = 32;

/// Templates by their segments. Every branch that fits is walked, because the first declared wins, not the most literal.
#[derive(Debug, Clone)]
pub(super) struct Tree {
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

impl Default for Tree {
    fn default() -> Self {
        Self { nodes: vec![Node::default()] }
    }
}

impl Tree {
    /// False where a tree of segments cannot say it: a `:path` that is not a whole last segment, or a great depth.
    pub(super) fn add(&mut self, number: u32, pieces: &[Piece], methods: u32) -> bool {
        let Some((segments, tail)) = segments(pieces) else { return false };
        let mut at = 0;
        for segment in segments {
            at = self.child(at, segment);
        }
        let node = &mut self.nodes[at];
        if tail {
            node.tails.push((number, methods));
        } else {
            node.ends.push((number, methods));
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
    pub(super) fn find(&self, at: usize, rest: &[u8], method: u32, best: &mut Best) {
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
                _ => fits(pieces, segment),
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
    if let Some((_, found)) = list.iter().find(|(k, _)| *k == key) {
        return *found;
    }
    list.push((key, fresh));
    fresh
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
