//! The plain strings that a Python file assigns to names, without running it.
//!
//! Reads string literals of every prefix and quote, put together by adjacency, by `+` and by brackets, and names
//! assigned before; all else is computed and not known. Follows the lexical chapter of Python's language reference as
//! far as that.

use std::collections::BTreeMap;

/// What each name was last assigned: its string, or the number of the line where something else was.
pub(super) fn strings(text: &str) -> BTreeMap<String, Result<String, usize>> {
    let tokens = tokens(text);
    let mut assigned = BTreeMap::new();
    for statement in tokens.split(|t| matches!(t.what, What::End)) {
        let equals = statement.iter().position(|t| matches!(t.what, What::Sign('=')));
        let Some((target, value)) = equals.and_then(|at| Some((statement.get(..at)?, statement.get(at + 1..)?))) else {
            continue;
        };
        let named = target.split(|t| matches!(t.what, What::Sign(':'))).next().unwrap_or_default();
        let (Some(Token { what: What::Name(name), line }), true) = (named.last(), is_path(named)) else { continue };
        let value = evaluate(value, &assigned).ok_or(*line);
        assigned.insert(name.clone(), value);
    }
    assigned
}

/// `name`, `config.name`.
fn is_path(target: &[Token]) -> bool {
    target.len() % 2 == 1
        && target.iter().enumerate().all(|(index, t)| match t.what {
            What::Name(_) => index % 2 == 0,
            What::Sign('.') => index % 2 == 1,
            _ => false,
        })
}

/// The string that `value` is, `None` where it is none or computed.
fn evaluate(value: &[Token], assigned: &BTreeMap<String, Result<String, usize>>) -> Option<String> {
    let mut whole = String::new();
    let mut operand = false;
    let mut open = 0_usize;
    for token in value {
        match &token.what {
            What::Text(text) => {
                whole.push_str(text);
                operand = true;
            }
            What::Name(name) if !operand => {
                whole.push_str(assigned.get(name)?.as_ref().ok()?);
                operand = true;
            }
            What::Sign('+') if operand => operand = false,
            What::Sign('(') if !operand => open += 1,
            What::Sign(')') if operand && open > 0 => open -= 1,
            _ => return None,
        }
    }
    (operand && open == 0).then_some(whole)
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Token {
    what: What,
    line: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    Name(String),
    Text(String),
    Sign(char),
    /// The end of a statement.
    End,
    /// A number, an f-string with fields: known to be there and no more.
    Other,
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text;
    let mut line = 1;
    let mut depth = 0_usize;
    while let Some(first) = rest.chars().next() {
        let (what, taken) = match first {
            '#' => (None, rest.find('\n').unwrap_or(rest.len())),
            '\n' if depth == 0 => (Some(What::End), 1),
            ';' => (Some(What::End), 1),
            '\\' if rest.starts_with("\\\n") => (None, 2),
            '\'' | '"' => {
                let (text, taken) = literal(rest, "");
                (Some(text.map_or(What::Other, What::Text)), taken)
            }
            c if c.is_alphabetic() || c == '_' => word(rest),
            c if c.is_ascii_digit() => {
                (Some(What::Other), rest.find(|c: char| !c.is_alphanumeric() && c != '.').unwrap_or(rest.len()))
            }
            c if c.is_whitespace() => (None, c.len_utf8()),
            '=' if rest.starts_with("==") => (Some(What::Other), 2),
            c => {
                depth = match c {
                    '(' | '[' | '{' => depth + 1,
                    ')' | ']' | '}' => depth.saturating_sub(1),
                    _ => depth,
                };
                (Some(What::Sign(c)), c.len_utf8())
            }
        };
        let (passed, after) = rest.split_at(taken);
        tokens.extend(what.map(|what| Token { what, line }));
        line += passed.matches('\n').count();
        rest = after;
    }
    tokens.push(Token { what: What::End, line });
    tokens
}

/// A name, or a string with its prefix.
fn word(rest: &str) -> (Option<What>, usize) {
    let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    let (word, after) = rest.split_at(length);
    let prefix = word.to_ascii_lowercase();
    if matches!(prefix.as_str(), "r" | "u" | "b" | "f" | "rb" | "br" | "fr" | "rf") && after.starts_with(['\'', '"']) {
        let (text, taken) = literal(after, &prefix);
        return (Some(text.map_or(What::Other, What::Text)), length + taken);
    }
    (Some(What::Name(word.to_owned())), length)
}

/// The string literal at the start of `rest` and the bytes it takes; no string for one with fields (`f"{x}"`).
fn literal(rest: &str, prefix: &str) -> (Option<String>, usize) {
    let quote = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|q| rest.starts_with(q)).unwrap_or("\"");
    let mut inside = rest.get(quote.len()..).unwrap_or_default();
    let raw = prefix.contains('r');
    let mut text = String::new();
    while !inside.is_empty() && !inside.starts_with(quote) && (quote.len() == 3 || !inside.starts_with('\n')) {
        let (piece, taken) = if inside.starts_with('\\') { escape(inside, raw) } else { plain(inside) };
        text.push_str(&piece);
        inside = inside.get(taken..).unwrap_or_default();
    }
    let closing = if inside.starts_with(quote) { quote.len() } else { 0 };
    let taken = rest.len() - inside.len() + closing;
    let computed = prefix.contains('f') && text.contains(['{', '}']);
    ((!computed).then_some(text), taken)
}

fn plain(inside: &str) -> (String, usize) {
    let length = inside
        .find(['\\', '\'', '"', '\n'])
        .filter(|n| *n > 0)
        .or_else(|| inside.chars().next().map(char::len_utf8))
        .unwrap_or(0);
    (inside.get(..length).unwrap_or_default().to_owned(), length)
}

/// What a backslash and what follows it stand for.
fn escape(inside: &str, raw: bool) -> (String, usize) {
    let mut signs = inside.chars().skip(1);
    let Some(sign) = signs.next() else { return ("\\".to_owned(), 1) };
    let taken = 1 + sign.len_utf8();
    if raw {
        return (format!("\\{sign}"), taken);
    }
    let coded = |digits: usize| {
        let code = inside.get(2..2 + digits).and_then(|hex| u32::from_str_radix(hex, 16).ok()).and_then(char::from_u32);
        code.map(|c| (c.to_string(), 2 + digits))
    };
    let known = match sign {
        '\n' => Some((String::new(), taken)),
        '\\' | '\'' | '"' => Some((sign.to_string(), taken)),
        'n' => Some(("\n".to_owned(), taken)),
        't' => Some(("\t".to_owned(), taken)),
        'r' => Some(("\r".to_owned(), taken)),
        'x' => coded(2),
        'u' => coded(4),
        _ => None,
    };
    known.unwrap_or_else(|| (format!("\\{sign}"), taken))
}
