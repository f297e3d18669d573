//! Splitting and wrappers on any bytes: whatever the chunking the lines are the same, no line is lost, and what is held
//! stays bounded.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitalog::line::LONGEST;
use vitalog::line::Peeled;
use vitalog::line::Unwrapper;
use vitalog::line::split::Block;
use vitalog::line::split::Position;
use vitalog::line::split::Splitter;

/// The lines of a block, owned.
fn lines(block: &Block<'_>, out: &mut Vec<(u64, Vec<u8>)>) {
    out.extend(block.lines().map(|line| (line.offset, line.bytes.to_vec())));
}

fuzz_target!(|data: &[u8]| {
    let Some((&step, bytes)) = data.split_first() else { return };
    let mut cut = Vec::new();
    let mut splitter = Splitter::new(Position::default());
    for chunk in bytes.chunks(usize::from(step) + 1) {
        let mut rest = chunk;
        while !rest.is_empty() {
            let room = splitter.room();
            let n = room.len().min(rest.len());
            room[..n].copy_from_slice(&rest[..n]);
            splitter.filled(n);
            rest = &rest[n..];
            while let Some(block) = splitter.next_block() {
                lines(&block, &mut cut);
            }
        }
    }
    while let Some(block) = splitter.finish() {
        lines(&block, &mut cut);
    }
    let mut whole = Vec::new();
    lines(&Block::new(bytes, 0), &mut whole);
    assert_eq!(whole, cut, "chunks of {}", step + 1);

    let sample: Vec<&[u8]> = whole.iter().map(|l| l.1.as_slice()).filter(|l| !l.is_empty()).take(200).collect();
    let mut unwrapper = Unwrapper::detect(&sample);
    let mut out = 0;
    for (_, line) in &whole {
        if let Peeled::Line(line) = unwrapper.peel(line) {
            assert!(line.text.len() <= 2 * LONGEST);
            out += 1;
        }
    }
    // each line may at most settle what was held before it
    let mut rest = 0;
    while unwrapper.finish().is_some() {
        rest += 1;
        assert!(rest <= whole.len(), "more is held than was read");
    }
    assert!(out <= whole.len());
});
