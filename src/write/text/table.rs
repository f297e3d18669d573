//! Text in columns, with colour where it is wanted.
//!
//! Knows widths and tones, not what the columns mean. Cells hold text that is safe already.

use crate::write::figures::fit;
use crate::write::figures::width;

/// What a piece of text wants to say with its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Tone {
    /// None of its own.
    #[default]
    Plain,
    /// A heading.
    Strong,
    /// Beside the point.
    Quiet,
    /// As it should be.
    Good,
    /// Worth a look.
    Warn,
    /// Wrong.
    Bad,
}

/// `text` in its tone (ECMA-48 SGR), or as it is where colour is off.
pub(crate) fn paint(colour: bool, tone: Tone, text: &str) -> String {
    let code = match tone {
        Tone::Plain => return text.to_owned(),
        Tone::Strong => "1",
        Tone::Quiet => "2",
        Tone::Good => "1;32",
        Tone::Warn => "33",
        Tone::Bad => "1;31",
    };
    if colour && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}

/// A column.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    /// Its heading; may be empty.
    pub(crate) head: &'static str,
    /// How it stands.
    pub(crate) align: Align,
    /// 0 stays; of the others the highest goes first where the room is short.
    pub(crate) rank: u8,
}

/// How a column stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    /// To the left.
    Left,
    /// To the right, as figures do.
    Right,
    /// To the left, and cut in the middle where the room is short. One a table.
    Flexible,
}

/// One cell.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cell {
    pub(crate) text: String,
    pub(crate) tone: Tone,
}

impl Cell {
    pub(crate) fn new(text: impl Into<String>, tone: Tone) -> Self {
        Self { text: text.into(), tone }
    }

    pub(crate) fn plain(text: impl Into<String>) -> Self {
        Self::new(text, Tone::Plain)
    }

    /// At most `room` columns wide, cut in the middle.
    pub(crate) fn cut(self, room: usize) -> Self {
        Self { text: fit(&self.text, room), ..self }
    }
}

/// Columns and rows; every row has a cell for each column.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<Vec<Cell>>,
}

/// Before each row.
const INDENT: usize = 2;
/// Between two columns.
const GAP: usize = 2;
/// The flexible column keeps so much before another column goes.
const FLEXIBLE_KEEPS: usize = 24;
/// The flexible column is never narrower.
const FLEXIBLE_LEAST: usize = 8;

impl Table {
    /// Adds a column and its cell in every row.
    pub(crate) fn column(&mut self, column: Column, cells: impl Iterator<Item = Cell>) {
        self.columns.push(column);
        let mut cells = cells.peekable();
        if self.columns.len() == 1 {
            self.rows = cells.map(|cell| vec![cell]).collect();
            return;
        }
        for row in &mut self.rows {
            row.push(cells.next().unwrap_or_default());
        }
    }

    /// The table in at most `room` columns of a terminal, as far as its fixed columns allow.
    pub(crate) fn draw(mut self, room: usize, colour: bool) -> String {
        let mut widths = self.widths();
        while let Some(at) = self.too_much(&widths, room) {
            self.columns.remove(at);
            widths.remove(at);
            for row in &mut self.rows {
                row.remove(at);
            }
        }
        self.squeeze(&mut widths, room);
        let heads: Vec<Cell> = self.columns.iter().map(|c| Cell::new(c.head, Tone::Quiet)).collect();
        let mut out = String::new();
        let headed = heads.iter().any(|c| !c.text.is_empty());
        for row in headed.then_some(&heads).into_iter().chain(&self.rows) {
            self.line(row, &widths, colour, &mut out);
        }
        out
    }

    fn widths(&self) -> Vec<usize> {
        let widest = |at: usize, head: &str| {
            let cells = self.rows.iter().filter_map(|row| row.get(at)).map(|cell| width(&cell.text));
            cells.fold(width(head), usize::max)
        };
        self.columns.iter().enumerate().map(|(at, column)| widest(at, column.head)).collect()
    }

    /// The column that should go, if the room is short and one may.
    fn too_much(&self, widths: &[usize], room: usize) -> Option<usize> {
        let need = |(column, &width): (&Column, &usize)| match column.align {
            Align::Flexible => width.min(FLEXIBLE_KEEPS),
            Align::Left | Align::Right => width,
        };
        let needed: usize = self.columns.iter().zip(widths).map(need).sum();
        if INDENT + needed + GAP * widths.len().saturating_sub(1) <= room {
            return None;
        }
        let (at, column) = self.columns.iter().enumerate().max_by_key(|(_, c)| c.rank)?;
        (column.rank > 0).then_some(at)
    }

    /// Takes from the flexible column what the room lacks.
    fn squeeze(&self, widths: &mut [usize], room: usize) {
        let used = INDENT + widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1);
        let lacking = used.saturating_sub(room);
        let flexible = self.columns.iter().position(|c| c.align == Align::Flexible);
        if let Some(width) = flexible.and_then(|at| widths.get_mut(at)) {
            *width = width.saturating_sub(lacking).max(FLEXIBLE_LEAST.min(*width));
        }
    }

    fn line(&self, row: &[Cell], widths: &[usize], colour: bool, out: &mut String) {
        let mut blanks = INDENT;
        for ((column, cell), &room) in self.columns.iter().zip(row).zip(widths) {
            let text = fit(&cell.text, room);
            let rest = room - width(&text);
            let before = if column.align == Align::Right { rest } else { 0 };
            if text.is_empty() {
                blanks += room + GAP;
                continue;
            }
            out.extend(std::iter::repeat_n(' ', blanks + before));
            out.push_str(&paint(colour, cell.tone, &text));
            blanks = rest - before + GAP;
        }
        out.push('\n');
    }
}

/// `text` broken at blanks into lines of at most `room` columns; a longer word stays whole unless it alone is wider,
/// then it is cut in its middle.
pub(crate) fn wrap(text: &str, room: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ').filter(|w| !w.is_empty()) {
        let word = fit(word, room);
        if !line.is_empty() && width(&line) + 1 + width(&word) > room {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&word);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::default();
        let column = |head, align, rank| Column { head, align, rank };
        let cells = |texts: [&'static str; 2]| texts.into_iter().map(Cell::plain);
        table.column(column("name", Align::Flexible, 0), cells(["/a/long/name/that/goes/on/and/on", "/漢字"]));
        table.column(column("count", Align::Right, 0), cells(["1,203", "7"]));
        table.column(column("more", Align::Right, 1), cells(["x", "yyyyyyyy"]));
        table
    }

    #[test]
    fn a_short_room_takes_optional_columns_then_the_middle_of_names() {
        insta::assert_snapshot!(table().draw(60, false), @r"
          name                              count      more
          /a/long/name/that/goes/on/and/on  1,203         x
          /漢字                                 7  yyyyyyyy
        ");
        insta::assert_snapshot!(table().draw(32, false), @r"
          name                     count
          /a/long/nam…s/on/and/on  1,203
          /漢字                        7
        ");
    }

    #[test]
    fn text_is_broken_at_blanks() {
        assert_eq!(vec!["one two", "three", "four…even"], wrap("one two  three fourfiveseven", 9));
        assert!(wrap("  ", 9).is_empty());
    }

    #[test]
    fn colour_does_not_count_as_width() {
        let mut table = Table::default();
        let column = Column { head: "", align: Align::Left, rank: 0 };
        table.column(column, [Cell::new("a", Tone::Bad), Cell::plain("bbb")].into_iter());
        table.column(column, [Cell::plain("x"), Cell::plain("y")].into_iter());
        assert_eq!("  \x1b[1;31ma\x1b[0m    x\n  bbb  y\n", table.draw(80, true));
    }
}
