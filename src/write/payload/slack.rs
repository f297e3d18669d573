//! Alerts as a message for a Slack webhook: `text` is what a lock screen shows, `blocks` what the channel shows.
//!
//! Untrusted text is escaped as Slack asks for (`&`, `<` and `>`), so nobody is called and no link is made by a log;
//! `verbatim` keeps Slack from finding links and names by itself. Limits are Slack's: 50 blocks of 3,000 characters.

use serde_json::Value;
use serde_json::json;

use super::Batch;
use super::Telling;
use crate::write::alert;
use crate::write::alert::Words;
use crate::write::figures::counted;

/// Bytes of a block's text before it is escaped: escaping makes at most five of one.
const ROOM: usize = 2900;
/// Alerts of a message that are told in full; of the others the first line.
const FULL: usize = 5;
/// Blocks of one alert that is told in full.
const BLOCKS: usize = 6;
/// Blocks that hold first lines.
const LISTS: usize = 15;

pub(super) fn message(batch: Batch<'_>) -> Value {
    let mut blocks = Vec::new();
    for telling in batch.tellings.iter().take(FULL) {
        blocks.extend(told(telling).into_iter().take(BLOCKS));
    }
    blocks.extend(listed(batch.tellings.get(FULL..).unwrap_or_default()));
    if batch.truncated > 0 {
        blocks.push(context(&format!("{} could not be kept and are not told.", counted(batch.truncated, "more alert"))));
    }
    json!({ "text": first_line(batch), "blocks": blocks })
}

fn first_line(batch: Batch<'_>) -> String {
    let worst = batch.tellings.iter().max_by_key(|telling| telling.alert.severity);
    let headline = worst.map(|telling| escaped(&alert::headline(telling))).unwrap_or_default();
    match batch.tellings.len() {
        0 | 1 => headline,
        n => format!("{headline} (and {} more)", n - 1),
    }
}

/// One alert in full.
fn told(telling: &Telling) -> Vec<Value> {
    let words = alert::words(telling);
    let mut lines = vec![format!("*{}*", escaped(&words.headline))];
    lines.extend(words.facts.iter().map(|fact| escaped(fact)));
    if !words.lines.is_empty() {
        let quoted: Vec<String> = words.lines.iter().take(3).map(|line| escaped(&line.replace('`', "'"))).collect();
        lines.push(format!("```{}```", quoted.join("\n")));
    }
    let mut blocks = sections(&lines);
    let help = help(&words);
    if !help.is_empty() {
        blocks.extend(sections(&help));
    }
    if let Some(end) = &words.end {
        blocks.push(context(&escaped(end)));
    }
    blocks
}

fn help(words: &Words<'_>) -> Vec<String> {
    let mut help = Vec::new();
    if let Some(runbook) = words.runbook {
        let link = (runbook.starts_with("https://") || runbook.starts_with("http://")) && !runbook.contains(['|', ' ']);
        help.push(if link { format!("<{}|Runbook>", escaped(runbook)) } else { format!("Runbook {}", escaped(runbook)) });
    }
    for (name, command) in [("Roll back", words.rollback), ("Purge", words.purge), ("Mute", words.mute)] {
        match command {
            // A back quote would end the span that shows the command as it must be typed.
            Some(command) if command.contains('`') => help.push(format!("{name}: {}", escaped(command))),
            Some(command) => help.push(format!("{name}: `{}`", escaped(command))),
            None => {}
        }
    }
    help
}

/// The first lines of alerts that are not told in full.
fn listed(rest: &[Telling]) -> Vec<Value> {
    // Shorter lines rather than fewer: each alert is told.
    let room = LISTS * ROOM / rest.len().max(1) / 2;
    let line = |telling| format!("• {}", bounded(&escaped(&alert::headline(telling)), room));
    let mut blocks = sections(&rest.iter().map(line).collect::<Vec<_>>());
    blocks.truncate(LISTS);
    blocks
}

/// `lines` in as few blocks as hold them.
fn sections(lines: &[String]) -> Vec<Value> {
    let mut texts: Vec<String> = Vec::new();
    for line in lines.iter().map(|line| bounded(line, ROOM)) {
        match texts.last_mut() {
            Some(text) if text.len() + 1 + line.len() <= ROOM => {
                text.push('\n');
                text.push_str(line);
            }
            _ => texts.push(line.to_owned()),
        }
    }
    texts
        .iter()
        .map(|text| json!({ "type": "section", "text": { "type": "mrkdwn", "text": text, "verbatim": true } }))
        .collect()
}

fn context(text: &str) -> Value {
    json!({ "type": "context", "elements": [{ "type": "mrkdwn", "text": bounded(text, ROOM), "verbatim": true }] })
}

/// `line`, cut where there is too little room for it, never inside an escape.
fn bounded(line: &str, room: usize) -> &str {
    if line.len() <= room {
        return line;
    }
    let cut = (0..=room).rev().find(|&at| line.is_char_boundary(at)).unwrap_or(0);
    let cut = line[..cut].rfind('&').filter(|at| cut - at < 5).unwrap_or(cut);
    &line[..cut]
}

/// Slack's three escapes.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
