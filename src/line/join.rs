//! Pieces of one line put together, per wrapper, instance and stream.
//!
//! Which line is a piece is for the wrapper's own file to say. What is held is bounded: a line beyond [`LONGEST`] keeps
//! only its mark, and of more than [`MOST_OPEN`] open lines the oldest is given up.

use crate::line::Hint;
use crate::line::LONGEST;
use crate::time::Stamp;
use crate::time::Timestamp;

/// The most lines that are open at once.
pub const MOST_OPEN: usize = 16;

/// Lines whose end has not come yet: what must survive from line to line of a wrapped source.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Held {
    /// The oldest first.
    open: Vec<Open>,
}

/// One open line.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub(crate) struct Open {
    /// How many wrappers lie around the one that holds it.
    pub(crate) depth: usize,
    pub(crate) stderr: bool,
    pub(crate) instance: Vec<u8>,
    /// Time of the first piece, microseconds since 1970.
    pub(crate) time_us: Option<i64>,
    /// What came so far; empty where it is too long.
    pub(crate) text: Vec<u8>,
    pub(crate) too_long: bool,
}

/// What became of a piece.
pub(crate) enum Joined<'a> {
    /// The whole line.
    Whole(&'a [u8]),
    /// The line goes on.
    More,
    /// The line has ended, and was longer than [`LONGEST`].
    TooLong,
    /// The line goes on, and the oldest of too many open ones was given up.
    GaveUp,
}

impl Held {
    /// True where no line is open: what follows is read as if it were the source's beginning.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Adds a piece of the wrapper at `depth`; `hint` is all that is known of it. `room` holds the whole line then.
    pub(crate) fn join<'a>(
        &mut self,
        depth: usize,
        hint: &Hint<'_>,
        piece: &'a [u8],
        more: bool,
        room: &'a mut Vec<u8>,
    ) -> Joined<'a> {
        let of_line = |o: &Open| o.depth == depth && o.stderr == hint.stderr && o.instance == hint.instance;
        let found = self.open.iter().position(of_line);
        match (found, more) {
            (None, false) => Joined::Whole(piece),
            (None, true) => {
                let full = self.open.len() >= MOST_OPEN;
                if full {
                    self.open.remove(0);
                }
                let mut open = Open { depth, stderr: hint.stderr, instance: hint.instance.to_vec(), ..Open::default() };
                if let Some(Stamp::Exact(Timestamp(us))) = hint.time {
                    open.time_us = Some(us);
                }
                open.add(piece);
                self.open.push(open);
                if full { Joined::GaveUp } else { Joined::More }
            }
            (Some(at), true) => {
                if let Some(open) = self.open.get_mut(at) {
                    open.add(piece);
                }
                Joined::More
            }
            (Some(at), false) => {
                let mut open = self.open.remove(at);
                open.add(piece);
                *room = open.text;
                if open.too_long { Joined::TooLong } else { Joined::Whole(room) }
            }
        }
    }

    /// Takes the oldest open line out.
    pub(crate) fn take(&mut self) -> Option<Open> {
        (!self.open.is_empty()).then(|| self.open.remove(0))
    }
}

impl Open {
    fn add(&mut self, piece: &[u8]) {
        if self.too_long || self.text.len() + piece.len() > LONGEST {
            self.too_long = true;
            self.text = Vec::new();
        } else {
            self.text.extend_from_slice(piece);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(held: &mut Held, instance: &'static [u8], stderr: bool, piece: &[u8], more: bool) -> String {
        let (hint, mut room) = (Hint { instance, stderr, ..Hint::default() }, Vec::new());
        match held.join(0, &hint, piece, more, &mut room) {
            Joined::Whole(text) => String::from_utf8_lossy(text).into_owned(),
            Joined::More => "more".to_owned(),
            Joined::TooLong => "too long".to_owned(),
            Joined::GaveUp => "gave up".to_owned(),
        }
    }

    #[test]
    fn pieces_of_different_streams_and_instances_are_kept_apart() {
        let mut held = Held::default();
        for (expected, instance, stderr, piece, more) in [
            ("more", &b"a"[..], false, "one ", true),
            ("more", b"a", true, "err ", true),
            ("more", b"b", false, "two ", true),
            ("more", b"a", false, "goes ", true),
            ("one goes on", b"a", false, "on", false),
            ("alone", b"a", false, "alone", false),
            ("two ends", b"b", false, "ends", false),
            ("err ends", b"a", true, "ends", false),
        ] {
            assert_eq!(expected, told(&mut held, instance, stderr, piece.as_bytes(), more), "{piece}");
        }
        assert!(held.is_empty());
    }

    #[test]
    fn a_joined_line_beyond_the_limit_is_told_once_and_not_kept() {
        let (mut held, piece) = (Held::default(), vec![b'x'; 16_384]);
        for _ in 0..200 {
            assert_eq!("more", told(&mut held, b"", false, &piece, true));
            assert!(held.open[0].text.len() <= LONGEST);
        }
        assert_eq!("too long", told(&mut held, b"", false, b"end", false));
        assert_eq!("next", told(&mut held, b"", false, b"next", false));
    }

    #[test]
    fn of_too_many_open_lines_the_oldest_is_given_up() {
        const NAMES: [&[u8]; 17] =
            [b"a", b"b", b"c", b"d", b"e", b"f", b"g", b"h", b"i", b"j", b"k", b"l", b"m", b"n", b"o", b"p", b"q"];
        let mut held = Held::default();
        for name in &NAMES[..MOST_OPEN] {
            assert_eq!("more", told(&mut held, name, false, b"x", true));
        }
        assert_eq!("gave up", told(&mut held, NAMES[16], false, b"x", true));
        assert_eq!("end", told(&mut held, b"a", false, b"end", false));
        assert_eq!("xend", told(&mut held, b"b", false, b"end", false));
    }

    #[test]
    fn what_is_held_survives_being_stored() {
        let mut held = Held::default();
        told(&mut held, b"a", true, b"\xff piece", true);
        let stored = serde_json::to_string(&held).unwrap();
        assert_eq!(held, serde_json::from_str(&stored).unwrap());
    }
}
