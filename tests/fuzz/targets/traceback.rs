//! Tracebacks from any lines: every line offered is counted once, what is kept of one is bounded.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitalog::parse::Exception;
use vitalog::parse::traceback::Folder;
use vitalog::parse::traceback::Offer;
use vitalog::parse::traceback::Taken;
use vitalog::parse::traceback::parse_text;

fn bounded(exception: &Exception) {
    assert!(exception.kind.len() <= 4096 && exception.message.len() <= 4096 && exception.place.len() <= 4096, "{exception:?}");
}

/// Lines that an offer counts, the held ones it settles among them.
fn counted(offer: &Offer, held: &mut u64) -> u64 {
    if let Some(exception) = &offer.ended {
        bounded(exception);
    }
    let settled = u64::from(offer.settled_traceback) + u64::from(offer.settled_message);
    assert!(settled <= *held, "{settled} of {held} held lines are settled");
    *held -= settled;
    *held += u64::from(offer.taken == Taken::Held);
    settled + u64::from(matches!(offer.taken, Taken::Part | Taken::Torn))
}

fuzz_target!(|data: &[u8]| {
    if let Some(exception) = parse_text(data) {
        bounded(&exception);
    }
    let mut folder = Folder::default();
    let (mut lines, mut sum, mut held) = (0, 0, 0);
    for line in data.split(|b| *b == b'\n') {
        lines += 1;
        let mut offer = if folder.is_open() { folder.offer(line) } else { folder.begin(line) };
        sum += counted(&offer, &mut held);
        if offer.taken == Taken::Outside && !folder.is_open() {
            offer = folder.begin(line);
            sum += counted(&offer, &mut held);
        }
        sum += u64::from(offer.taken == Taken::Outside);
    }
    sum += counted(&folder.finish(), &mut held);
    assert_eq!((lines, 0), (sum, held), "every line is counted once");
});
