//! One situation a test. The letters in brackets are those of the list of faults that the project survives.

use std::os::unix::fs::symlink;

use super::*;

/// Enough lines to be told from any other content.
fn many(from: usize, to: usize) -> String {
    let line = |n: usize| [format!("{n:04}").as_str(), " a line that is long enough to tell one file from another\n"].concat();
    (from..to).map(line).collect::<Vec<_>>().concat()
}

/// A log that has given `one`, and its bookmark.
fn read_one() -> (Log, Bookmark) {
    let mut log = Log::new();
    log.append("one\n");
    log.look();
    let bookmark = log.follower.bookmark();
    (log, bookmark)
}

#[test]
fn a_missing_file_is_told_once_and_read_from_its_first_byte_when_it_comes() {
    let mut log = Log::with(Begin::End, None);
    log.look();
    log.look();
    assert_eq!(vec![Happening::Missing], log.told.happenings);
    log.append("one\ntwo\n");
    log.look();
    assert_eq!(Some(&Happening::Appeared), log.told.happenings.last());
    log.assert_lines(&["one", "two"]);
}

#[test]
fn a_folder_that_comes_later_is_no_other_case() {
    let mut log = Log::new();
    log.path = log.at("deep/x.log");
    log.follower = Follower::new(log.path.clone(), 7, Begin::End);
    log.look();
    for round in ["one", "two"] {
        fs::create_dir(log.at("deep")).unwrap();
        log.append(&format!("{round}\n"));
        log.look();
        fs::remove_dir_all(log.at("deep")).unwrap();
        log.look();
    }
    log.assert_lines(&["one", "two"]);
}

#[test]
fn reading_starts_behind_the_last_whole_line_unless_asked_otherwise() {
    for (begin, expected) in [(Begin::End, &["three"][..]), (Begin::Start, &["one", "two", "three"])] {
        let mut log = Log::with(begin, Some(b"one\ntwo\nth"));
        log.look();
        log.append("ree\n");
        log.look();
        log.assert_lines(expected);
    }
}

#[test]
fn what_was_there_at_the_start_is_told_as_backlog() {
    let mut log = Log::with(Begin::Start, Some(b"one\n"));
    let mut seen = Vec::new();
    for text in ["", "two\n"] {
        log.append(text);
        let mut note = |told: Told<'_>| {
            if let Told::Chunk(chunk) = told {
                seen.push((chunk.offset, chunk.offset < chunk.backlog, chunk.source, chunk.generation));
            }
        };
        log.follower.poll(0, &mut u64::MAX.clone(), &mut log.room, &mut note);
    }
    assert_eq!(vec![(0, true, 7, 1), (4, false, 7, 1)], seen);
}

#[test]
fn a_renamed_file_is_read_to_its_end_and_then_the_new_one() {
    let (mut log, _) = read_one();
    log.append("two\n");
    log.rename("x.log", "x.log.1");
    log.append("three\n");
    log.look();
    log.assert_lines(&["one", "two", "three"]);
    assert_eq!(vec![Happening::Missing, Happening::Appeared, Happening::Rotated], with_missing(&log));
}

/// The first look of [`Log::new`]'s logs finds the file; what is told before is added for the eye.
fn with_missing(log: &Log) -> Vec<Happening> {
    [&[Happening::Missing, Happening::Appeared], log.told.happenings.as_slice()].concat()
}

#[test]
fn a_new_file_may_come_long_after_the_old_one_was_renamed() {
    let (mut log, _) = read_one();
    log.rename("x.log", "x.log.1");
    log.look();
    append(&log.at("x.log.1"), "two\n");
    log.look();
    log.append("three\n");
    log.look();
    log.assert_lines(&["one", "two", "three"]);
    assert_eq!(vec![Happening::Vanished, Happening::Appeared], log.told.happenings);
}

#[test]
fn late_writers_are_read_for_thirty_seconds_after_their_last_line() {
    let (mut log, _) = read_one();
    log.rename("x.log", "x.log.1");
    log.append("new\n");
    log.look();
    for _ in 0..3 {
        append(&log.at("x.log.1"), "late\n");
        log.look_after(29_000_000, u64::MAX);
    }
    log.assert_lines(&["one", "new", "late", "late", "late"]);
    assert_eq!(2, log.follower.open_files());
    log.settle();
    assert_eq!(1, log.follower.open_files());
    // Even later: found again at the next rotation.
    append(&log.at("x.log.1"), "very late\n");
    log.rename("x.log.1", "x.log.2");
    log.rename("x.log", "x.log.1");
    log.append("newer\n");
    log.look();
    log.assert_lines(&["one", "new", "late", "late", "late", "very late", "newer"]);
}

#[test]
fn two_rotations_between_two_looks_lose_nothing() {
    let (mut log, _) = read_one();
    for n in 0..3 {
        for number in (1..4).rev().filter(|k| log.at(&format!("x.log.{k}")).exists()).collect::<Vec<_>>() {
            log.rename(&format!("x.log.{number}"), &format!("x.log.{}", number + 1));
        }
        log.rename("x.log", "x.log.1");
        log.append(&format!("{n}\n"));
    }
    log.look();
    log.assert_lines(&["one", "0", "1", "2"]);
}

#[test]
fn a_middle_file_that_was_packed_already_is_read_too() {
    let (mut log, _) = read_one();
    log.rename("x.log", "x.log.2");
    log.append("two\nend");
    log.rename("x.log", "x.log.1");
    gzip(&log.at("x.log.1"), &log.at("x.log.1.gz"));
    log.append("three\n");
    log.look();
    log.assert_lines(&["one", "two", "end", "three"]);
}

#[test]
fn rotated_files_from_before_are_history() {
    let mut log = Log::with(Begin::Start, Some(b"now\n"));
    fs::write(log.at("x.log.1"), "old\n").unwrap();
    fs::write(log.at("x.log.2"), many(0, 50)).unwrap();
    log.look();
    gzip(&log.at("x.log.2"), &log.at("x.log.3.gz"));
    log.rename("x.log.1", "x.log.2");
    log.rename("x.log", "x.log.1");
    log.append("new\n");
    log.look();
    log.assert_lines(&["now", "new"]);
}

#[test]
fn a_file_emptied_in_place_is_read_from_its_start() {
    for pause in [false, true] {
        let (mut log, _) = read_one();
        fs::copy(&log.path, log.at("x.log.1")).unwrap();
        log.truncate();
        if pause {
            log.look();
        }
        log.append("two, and longer than what was there before\n");
        log.look();
        log.assert_lines(&["one", "two, and longer than what was there before"]);
        assert_eq!(Some(&Happening::Truncated { lost: 0 }), log.told.happenings.first());
    }
}

#[test]
fn what_was_not_read_before_a_truncation_is_read_in_the_copy() {
    let (mut log, _) = read_one();
    log.append("two\nunfinished");
    fs::copy(&log.path, log.at("x.log-20261123")).unwrap();
    log.truncate();
    log.append("three\n");
    log.look();
    log.assert_lines(&["one", "two", "three"]);
    log.settle();
    log.assert_lines(&["one", "two", "three", "unfinished"]);
    assert_eq!(0, log.told.lost);
}

#[test]
fn a_first_content_that_was_emptied_before_any_look_is_read_in_the_copy() {
    let (mut log, _) = read_one();
    log.rename("x.log", "x.log.1");
    log.append("");
    log.look();
    log.append("two\n");
    log.rename("x.log.1", "x.log.2");
    fs::copy(&log.path, log.at("x.log.1")).unwrap();
    log.truncate();
    log.append("three\n");
    log.look();
    log.assert_lines(&["one", "two", "three"]);
}

#[test]
fn what_was_seen_and_is_nowhere_any_more_is_told_as_lost() {
    let mut log = Log::new();
    log.append("one\nhalf");
    log.look();
    log.truncate();
    log.append("new content, longer than the old\n");
    log.look();
    log.assert_lines(&["one", "new content, longer than the old"]);
    assert_eq!((vec![Happening::Truncated { lost: 4 }], 4), (log.told.happenings.clone(), log.told.lost));
}

#[test]
fn a_copy_in_the_making_is_not_read_twice() {
    let mut log = Log::new();
    let content = many(0, 200);
    log.append(&content);
    log.look();
    log.restart(&Bookmark { current: None, ..log.follower.bookmark() }.clone());
    // A restart makes it look through the folder while the copy is half made.
    let (mut log, bookmark) = {
        let mut log = Log::new();
        log.append(&content);
        log.look();
        let bookmark = log.follower.bookmark();
        (log, bookmark)
    };
    log.rename("x.log", "x.log.1");
    log.append(&many(300, 500));
    for part in [0, 10, 5000] {
        fs::write(log.at("x.log.2"), &content[..part]).unwrap();
        log.restart(&bookmark);
        log.told.lines.truncate(200);
        log.look();
        log.settle();
        assert_eq!(400, log.told.lines.len(), "{part} bytes copied");
    }
}

#[test]
fn a_hole_before_what_a_writer_without_append_mode_writes_is_left_out() {
    let mut log = Log::new();
    let mut writer = File::create(&log.path).unwrap();
    writer.write_all(b"one\ntwo\n").unwrap();
    log.look();
    log.truncate();
    writer.write_all(b"three\n").unwrap();
    log.look();
    log.assert_lines(&["one", "two", "three"]);
    assert_eq!(8, log.told.hole);
}

#[test]
fn a_deleted_file_is_read_to_its_end() {
    let (mut log, _) = read_one();
    log.append("two\nend");
    fs::remove_file(&log.path).unwrap();
    log.look();
    log.append("three\n");
    log.look();
    log.settle();
    log.assert_lines(&["one", "two", "three", "end"]);
}

#[test]
fn a_file_that_takes_another_s_place_is_read_from_its_start() {
    for content in ["2\n", "one\ntwo and three and four\n"] {
        let (mut log, _) = read_one();
        fs::write(log.at("new"), content).unwrap();
        log.rename("new", "x.log");
        log.look();
        let expected: Vec<&str> = ["one"].into_iter().chain(content.lines()).collect();
        log.assert_lines(&expected);
        assert_eq!(vec![Happening::Replaced], log.told.happenings);
    }
}

#[test]
fn a_rewritten_copy_of_what_was_read_goes_on_where_reading_was() {
    let mut log = Log::new();
    log.append(&many(0, 100));
    log.look();
    fs::copy(&log.path, log.at("copy")).unwrap();
    log.rename("copy", "x.log");
    log.append("more\n");
    log.look();
    assert_eq!((101, Some("more")), (log.told.lines.len(), log.told.lines.last().map(String::as_str)));
}

#[test]
fn a_new_file_with_the_old_one_s_number_is_new() {
    let (mut log, bookmark) = read_one();
    fs::remove_file(&log.path).unwrap();
    drop(std::mem::replace(&mut log.follower, Follower::new(log.path.clone(), 0, Begin::End)));
    log.append("two and more\n");
    log.restart(&bookmark);
    log.look();
    log.assert_lines(&["one", "two and more"]);
}

#[test]
fn rotations_while_nobody_looked_are_read_in_order() {
    for (packed, rotations) in [(false, 1), (false, 3), (true, 1), (true, 3)] {
        let (mut log, bookmark) = read_one();
        log.append("two\n");
        for n in 0..rotations {
            for number in (1..4).rev() {
                for end in ["", ".gz"] {
                    let name = format!("x.log.{number}{end}");
                    if log.at(&name).exists() {
                        log.rename(&name, &format!("x.log.{}{end}", number + 1));
                    }
                }
            }
            log.rename("x.log", "x.log.1");
            if packed {
                gzip(&log.at("x.log.1"), &log.at("x.log.1.gz"));
            }
            log.append(&format!("{n}\n"));
        }
        log.restart(&bookmark);
        log.look();
        let numbers = ["0", "1", "2"];
        let expected: Vec<&str> = ["one", "two"].into_iter().chain(numbers.into_iter().take(rotations)).collect();
        log.assert_lines(&expected);
        assert_eq!(0, log.told.lost);
    }
}

#[test]
fn a_truncation_while_nobody_looked_is_noticed() {
    for copied in [true, false] {
        let (mut log, mut bookmark) = read_one();
        log.append("two\n");
        if let Some(current) = &mut bookmark.current {
            current.seen = 8;
        }
        if copied {
            fs::copy(&log.path, log.at("x.log.1")).unwrap();
        }
        log.truncate();
        log.append("three and more\n");
        log.restart(&bookmark);
        log.look();
        let expected = if copied { &["one", "two", "three and more"][..] } else { &["one", "three and more"] };
        log.assert_lines(expected);
        assert_eq!(if copied { 0 } else { 4 }, log.told.lost);
    }
}

#[test]
fn a_packed_copy_of_what_was_read_is_not_read_again() {
    for restart in [false, true] {
        let mut log = Log::new();
        log.append(&many(0, 3));
        log.look();
        log.rename("x.log", "x.log.1");
        log.append("new\n");
        log.look();
        log.settle();
        let bookmark = log.follower.bookmark();
        gzip(&log.at("x.log.1"), &log.at("x.log.2.gz"));
        log.rename("x.log", "x.log.1");
        log.append("newer\n");
        if restart {
            log.restart(&bookmark);
        }
        log.look();
        log.settle();
        assert_eq!(5, log.told.lines.len(), "{:?}", log.told.lines);
    }
}

#[test]
fn what_is_found_nowhere_is_told_as_lost() {
    let mut log = Log::new();
    log.append("one\ntwo\nhalf");
    log.look();
    let bookmark = log.follower.bookmark();
    fs::remove_file(&log.path).unwrap();
    log.append("new\n");
    log.restart(&bookmark);
    log.look();
    log.assert_lines(&["one", "two", "new"]);
    assert_eq!(4, log.told.lost);
}

#[test]
fn a_link_that_leads_elsewhere_is_followed_even_when_it_was_turned_twice() {
    let mut log = Log::new();
    let turn = |log: &Log, n: usize| {
        append(&log.at(&format!("app-{n}.log")), &format!("first of {n}\n"));
        symlink(format!("app-{n}.log"), log.at("new")).unwrap();
        log.rename("new", "x.log");
    };
    append(&log.at("app-7.log"), "before\n");
    turn(&log, 8);
    log.look();
    append(&log.at("app-8.log"), "second of 8\n");
    for n in 9..12 {
        turn(&log, n);
    }
    log.look();
    log.assert_lines(&["first of 8", "second of 8", "first of 9", "first of 10", "first of 11"]);
}

#[test]
fn a_line_is_given_when_its_end_comes_and_never_in_parts() {
    let mut log = Log::new();
    for part in ["a lo", "ng ", "line", "\nnext"] {
        log.append(part);
        log.look();
    }
    log.assert_lines(&["a long line"]);
    let bookmark = log.follower.bookmark();
    log.append(" one\n");
    log.restart(&bookmark);
    log.look();
    log.assert_lines(&["a long line", "next one"]);
}

#[test]
fn the_last_line_without_an_end_is_given_at_rotation() {
    let (mut log, _) = read_one();
    log.append("unfinished");
    log.rename("x.log", "x.log.1");
    log.append("new\n");
    log.look();
    log.assert_lines(&["one", "new"]);
    log.settle();
    log.assert_lines(&["one", "new", "unfinished"]);
}

#[test]
fn a_long_file_that_lost_its_end_goes_on_where_it_was_cut() {
    let mut log = Log::new();
    let content = many(0, 200);
    log.append(&content);
    log.look();
    OpenOptions::new().write(true).open(&log.path).unwrap().set_len(content.len() as u64 - 100).unwrap();
    log.look();
    log.append("glued to a cut line\nnext\n");
    log.look();
    assert_eq!(["glued to a cut line", "next"], log.told.lines[200..]);
    assert_eq!(vec![Happening::Truncated { lost: 0 }], log.told.happenings);
}

#[test]
fn a_file_that_may_not_be_read_is_told_once_and_read_when_it_may() {
    use std::os::unix::fs::PermissionsExt;
    let mut log = Log::with(Begin::End, Some(b"one\n"));
    let mode = |log: &Log, mode| fs::set_permissions(&log.path, fs::Permissions::from_mode(mode)).unwrap();
    mode(&log, 0o000);
    if File::open(&log.path).is_ok() {
        return; // Nothing is denied to this user.
    }
    log.look();
    log.look_after(10, u64::MAX);
    log.look_after(5_000_000, u64::MAX);
    mode(&log, 0o644);
    log.look();
    log.look();
    log.assert_lines(&["one"]);
    assert_eq!(vec![Happening::Denied, Happening::Granted], log.told.happenings);
    mode(&log, 0o000);
    log.look();
}

#[test]
fn a_hard_link_beside_the_log_is_no_other_content() {
    let (mut log, _) = read_one();
    fs::hard_link(&log.path, log.at("x.log.1")).unwrap();
    log.append("two\n");
    log.look();
    fs::remove_file(&log.path).unwrap();
    log.append("three\n");
    log.look();
    log.settle();
    log.assert_lines(&["one", "two", "three"]);
}

#[test]
fn what_is_no_regular_file_is_not_followed() {
    let mut log = Log::new();
    fs::create_dir(&log.path).unwrap();
    log.look();
    log.look();
    assert_eq!(vec![Happening::NotAFile], log.told.happenings);
    fs::remove_dir(&log.path).unwrap();
    log.append("one\n");
    log.look();
    log.assert_lines(&["one"]);
}

#[test]
fn an_endless_line_takes_bounded_memory_and_the_next_is_whole() {
    let mut log = Log::new();
    let giant = "x".repeat(3 << 20);
    log.append("one\n");
    log.append(&giant);
    log.look();
    assert_eq!(1, log.told.too_long);
    // Killed inside of it: it is neither read again nor counted again.
    let bookmark = log.follower.bookmark();
    assert!(bookmark.current.is_some_and(|kept| kept.place.skipping && kept.place.offset == 4 + (3 << 20)));
    log.restart(&bookmark);
    log.append(&giant);
    log.append("\ntwo\n");
    log.look();
    log.assert_lines(&["one", "two"]);
    assert_eq!(1, log.told.too_long);
}

#[test]
fn a_line_of_the_longest_length_is_a_line() {
    let mut log = Log::new();
    for length in [LONGEST, LONGEST + 1, LONGEST - 1] {
        log.append(&"x".repeat(length));
        log.look();
        log.append("\n");
        log.look();
    }
    assert_eq!(vec![LONGEST, LONGEST - 1], log.told.lines.iter().map(String::len).collect::<Vec<_>>());
    assert_eq!(1, log.told.too_long);
}

#[test]
fn a_byte_order_mark_and_nul_bytes_are_no_text() {
    let mut log = Log::new();
    log.append("\u{feff}");
    log.look();
    log.append("one\r\n\0\0");
    log.look();
    log.append("two\n");
    log.look();
    log.assert_lines(&["one", "two"]);
    assert_eq!(2, log.told.hole);
    log.rename("x.log", "x.log.1");
    gzip(&log.at("x.log.1"), &log.at("x.log.1.gz"));
    log.append("three\n");
    let bookmark = log.follower.bookmark();
    log.restart(&bookmark);
    log.look();
    log.assert_lines(&["one", "two", "three"]);
    assert_eq!(0, log.told.lost);
}

#[test]
fn a_budget_bounds_a_look_and_the_next_goes_on() {
    let mut log = Log::new();
    log.append(&many(0, 20_000));
    let look = log.look_after(1, 1);
    assert!(look.more);
    let first = log.told.lines.len();
    assert!((1..20_000).contains(&first));
    // Rotated while behind: the old file first.
    log.rename("x.log", "x.log.1");
    log.append("new\n");
    while log.look_after(1, 1).more {}
    assert_eq!((20_001, Some("new")), (log.told.lines.len(), log.told.lines.last().map(String::as_str)));
}

#[test]
fn an_idle_file_that_was_closed_is_found_again_by_what_it_is() {
    for rotated in [false, true] {
        let (mut log, _) = read_one();
        log.look();
        log.follower.close_idle();
        assert_eq!(0, log.follower.open_files());
        log.append("two\n");
        if rotated {
            log.rename("x.log", "x.log.1");
            log.append("three\n");
        }
        log.look();
        let expected = if rotated { &["one", "two", "three"][..] } else { &["one", "two"] };
        log.assert_lines(expected);
    }
}

#[test]
fn a_file_renamed_away_and_back_is_the_same() {
    let (mut log, _) = read_one();
    log.rename("x.log", "x.log.1");
    log.look();
    log.rename("x.log.1", "x.log");
    log.append("two\n");
    log.look();
    log.settle();
    log.rename("x.log", "x.log.1");
    log.look();
    log.settle();
    log.rename("x.log.1", "x.log");
    log.append("three\n");
    log.look();
    log.assert_lines(&["one", "two", "three"]);
}

#[test]
fn bookmarks_change_only_with_what_was_given() {
    let (mut log, bookmark) = read_one();
    log.look();
    assert_eq!(bookmark, log.follower.bookmark());
}
