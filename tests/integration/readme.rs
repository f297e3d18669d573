//! Every command that README.md shows is run, and its output compared with the one shown.
//!
//! A block marked `console` holds commands behind `$ ` and below each what it prints; a line of `…` stands for any lines.
//! A command succeeds, or `# exit 3` stands behind it. `cargo run --release --` is the program under test. A block
//! marked `sh` holds what only prepares (git, make, cargo test): its make targets must exist. A block marked `toml` is a
//! configuration that is accepted. Blocks of other kinds are no commands.

use std::fs;

use crate::program::Folder;
use crate::program::root;
use crate::program::run;

/// A fenced block: what it is marked as, the line it begins on, its text.
struct Block {
    kind: String,
    line: usize,
    text: Vec<String>,
}

fn blocks() -> Vec<Block> {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let (mut found, mut open) = (Vec::new(), None::<Block>);
    for (index, line) in readme.lines().enumerate() {
        match (open.as_mut(), line.strip_prefix("```")) {
            (Some(_), Some(_)) => found.extend(open.take()),
            (Some(block), None) => block.text.push(line.trim_end().to_string()),
            (None, Some(kind)) => open = Some(Block { kind: kind.to_string(), line: index + 1, text: Vec::new() }),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "the last block of README.md is not closed");
    found
}

/// What differs from run to run is taken out: versions and times of the run itself.
fn filtered(line: &str) -> String {
    let line = line.replace(concat!("vitalog ", env!("CARGO_PKG_VERSION")), "vitalog VERSION").trim_end().to_string();
    live(&line).unwrap_or(line)
}

/// A line of `tail` without its time and its rate, which is that of reading; a mute without its end.
fn live(line: &str) -> Option<String> {
    if let Some((mute, rest)) = line.split_once(", until 20") {
        return Some(format!("{mute}, until TIME{}", rest.split_once(" UTC")?.1));
    }
    let (stamp, rest) = line.split_at_checked(20)?;
    if !stamp.starts_with("20") || !stamp.ends_with('Z') || stamp.as_bytes()[10] != b'T' {
        return None;
    }
    let rate = rest.split_once("/s)").and_then(|(before, after)| Some((before.rsplit_once(" (")?.0, after)));
    Some(rate.map_or_else(|| format!("TIME{rest}"), |(before, after)| format!("TIME{before}{after}")))
}

/// Whether `got` is what `shown` says, where a shown `…` stands for any lines.
fn matches(shown: &[String], got: &[String]) -> bool {
    match shown.split_first() {
        None => got.is_empty(),
        Some((first, rest)) if first.trim() == "…" => (0..=got.len()).any(|skipped| matches(rest, &got[skipped..])),
        Some((first, rest)) => got.first() == Some(first) && matches(rest, &got[1..]),
    }
}

/// The commands of a block, each with the output shown below it.
fn commands(block: &Block) -> Vec<(String, Vec<String>)> {
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    for line in &block.text {
        if let Some(command) = line.strip_prefix("$ ") {
            found.push((command.to_string(), Vec::new()));
        } else if let Some((command, _)) =
            found.last_mut().filter(|(command, shown)| command.ends_with('\\') && shown.is_empty())
        {
            command.truncate(command.len() - 1);
            command.push_str(line.trim_start());
        } else if let Some((_, shown)) = found.last_mut() {
            shown.push(filtered(line));
        }
    }
    found
}

#[test]
fn every_command_shown_prints_what_is_shown() {
    let mut wrong = Vec::new();
    for block in blocks().iter().filter(|block| block.kind == "console") {
        let folder = Folder::new();
        for (command, shown) in commands(block) {
            let (line, exit) = command.split_once(" # exit ").unwrap_or((&command, "0"));
            let line = line.replace("cargo run --release --", "vitalog");
            let prepares = line.starts_with("git ") || line.starts_with("echo ");
            assert!(line.contains("vitalog") || prepares, "README.md:{}: '{command}' is no command of ours", block.line);
            let outcome = run(&mut folder.shell(&format!("{line} 2>&1")), None);
            let got: Vec<String> = outcome.out.lines().map(filtered).collect();
            if !matches(&shown, &got) || outcome.code.is_none_or(|code| code.to_string() != exit) {
                wrong.push(format!("README.md:{}: $ {command}\n{}\n(exit {:?})", block.line, got.join("\n"), outcome.code));
            }
        }
    }
    assert!(wrong.is_empty(), "these print something else than README.md shows:\n\n{}", wrong.join("\n\n"));
}

#[test]
fn every_configuration_shown_is_accepted() {
    for block in blocks().iter().filter(|block| block.kind == "toml") {
        let folder = Folder::new();
        folder.write("vitalog.toml", block.text.join("\n"));
        let outcome = run(&mut folder.vitalog(&["analyze", "samples/nginx.log"]), None);
        assert_eq!(Some(0), outcome.code, "README.md:{}: {}", block.line, outcome.err);
    }
}

#[test]
fn every_target_that_is_named_exists() {
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    for block in blocks().iter().filter(|block| block.kind == "sh") {
        for line in &block.text {
            let words: Vec<&str> = line.split_whitespace().take_while(|word| *word != "#").collect();
            match words.as_slice() {
                ["make", targets @ ..] => {
                    for target in targets.iter().filter(|target| !target.contains('=')) {
                        assert!(
                            makefile.lines().any(|rule| rule.starts_with(&format!("{target}:"))),
                            "make has no target '{target}'"
                        );
                    }
                }
                [] | ["git", "clone", ..] | ["cd", ..] | ["cargo", "test" | "build" | "install", ..] => {}
                _ => panic!("README.md:{}: '{line}' is run by no test; show it in a console block", block.line),
            }
        }
    }
}

#[test]
fn blocks_are_of_known_kinds() {
    for block in blocks() {
        let known = ["console", "sh", "toml", "json", "text", "python", "nginx"].contains(&block.kind.as_str());
        assert!(known, "README.md:{}: nobody checks a block marked '{}'", block.line, block.kind);
    }
}

#[test]
fn a_row_of_dots_stands_for_any_lines() {
    let lines = |text: &str| text.split('|').map(String::from).collect::<Vec<_>>();
    for (expected, shown, got) in [
        (true, "a|b", "a|b"),
        (false, "a|b", "a|c"),
        (false, "a", "a|b"),
        (true, "a|…", "a|b|c"),
        (true, "a|…|c", "a|b|b|c"),
        (true, "…|c", "c"),
        (false, "a|…|c", "a|b"),
    ] {
        assert_eq!(expected, matches(&lines(shown), &lines(got)), "{shown} against {got}");
    }
}
