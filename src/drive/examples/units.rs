//! In which unit a latency was read: the units in which some number of the line is the latency that was read from it.
//!
//! Found out behind the parsers' backs, so that none of them has to carry it: over some lines of one form all units but
//! the one that was taken drop out by themselves. A value that tells its own unit may have another on each line; then no
//! unit is left, and none is named.

use crate::parse::access::Unit;
use crate::parse::access::micros;

const UNITS: [Unit; 4] = [Unit::Nanoseconds, Unit::Microseconds, Unit::Milliseconds, Unit::Seconds];

/// The units that every line so far bears out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Units([bool; 4]);

impl Default for Units {
    fn default() -> Self {
        Self([true; 4])
    }
}

impl Units {
    /// Keeps the units in which a number of `line` is `latency_us` microseconds, give or take one that was rounded.
    pub(super) fn keep(&mut self, line: &[u8], latency_us: u64) {
        // nothing is nothing in every unit
        if latency_us == 0 {
            return;
        }
        let mut borne = [false; 4];
        for number in line.split(|b| !b.is_ascii_digit() && *b != b'.').map(trimmed).filter(|n| !n.is_empty()) {
            for (borne, unit) in borne.iter_mut().zip(UNITS) {
                *borne |= micros(number, unit).is_some_and(|us| us.abs_diff(latency_us) <= 1 && us > 0);
            }
        }
        for (kept, borne) in self.0.iter_mut().zip(borne) {
            *kept &= borne;
        }
    }

    /// The unit, where one is left.
    pub(super) fn one(self) -> Option<&'static str> {
        let mut left = UNITS.iter().zip(self.0).filter(|(_, kept)| *kept).map(|(unit, _)| unit.name());
        left.next().filter(|_| left.next().is_none())
    }
}

fn trimmed(number: &[u8]) -> &[u8] {
    number.strip_suffix(b".").unwrap_or(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_is_the_one_that_every_line_bears_out() {
        for (expected, lines) in [
            (Some("ms"), &[("\"GET /x HTTP/1.1\" 404 100.630", 100_630)][..]),
            (Some("s"), &[("rt=0.035 uct=\"0.001\"", 35_000)]),
            (Some("us"), &[("200 33 25755", 25_755)]),
            (Some("ns"), &[("duration=25755123", 25_755)]),
            // the first line would do in two units, the second settles it
            (Some("ms"), &[("200 5 5000 took 5.0", 5_000), ("200 7 took 7.5", 7_500)]),
            // each value tells its own
            (None, &[("took 1.5s", 1_500_000), ("took 340ms", 340_000)]),
            // zero settles nothing
            (None, &[("took 0", 0)]),
        ] {
            let mut units = Units::default();
            for (line, us) in lines {
                units.keep(line.as_bytes(), *us);
            }
            assert_eq!(expected, units.one(), "{lines:?}");
        }
    }
}
