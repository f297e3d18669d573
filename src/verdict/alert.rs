//! Inactive, pending, firing, resolved: one rule over one subject, as a state machine.
//!
//! Pure: the time comes in, the answer is what changed and why. While there is no data the clocks of `for` and
//! `clear_for` stand still: no data neither fires nor resolves. Whether anybody is told is `notice.rs`' matter.

use std::fmt;

use serde::Deserialize;
use serde::Serialize;
use sha2::Digest;
use sha2::Sha256;

use crate::verdict::notice::Telling;
use crate::verdict::rule::Severity;
use crate::verdict::wording::span;

/// What a rule reads at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// The condition holds.
    Bad,
    /// It does not, but not clearly: hysteresis.
    Between,
    /// It clearly does not.
    Good,
    /// Too little was seen to tell.
    NoData,
    /// Half of the window is not observed yet.
    WarmingUp,
}

/// How long a rule's condition must hold, and be good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// Seconds it must hold before it fires.
    pub for_s: u32,
    /// Seconds it must be good before it resolves.
    pub clear_for_s: u32,
}

/// A clock that can stand still. Times are seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Clock {
    since: u32,
    stands: Option<u32>,
}

impl Clock {
    fn start(now: u32) -> Self {
        Self { since: now, stands: None }
    }

    fn stand(&mut self, now: u32) {
        self.stands.get_or_insert(now);
    }

    fn run(&mut self, now: u32) {
        if let Some(stood) = self.stands.take() {
            self.since += now - stood;
        }
    }

    fn is_due(&self, now: u32, after: u32) -> bool {
        self.stands.is_none() && now - self.since >= after
    }

    fn due(&self, after: u32) -> Option<u32> {
        self.stands.is_none().then(|| self.since.saturating_add(after))
    }
}

/// An alert that fires.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Firing {
    /// The same in every message about this firing, and after a restart. Empty until [`Firing::name`].
    pub id: String,
    /// When the condition began to hold.
    pub started: u32,
    /// When it had held long enough.
    pub fired: u32,
    /// How grave it was when it fired.
    pub severity: Severity,
    /// The route that is to blame, where the subject is wider and one stands out.
    pub blamed: Option<String>,
    /// Promises: the rows that tripped, one bit each.
    pub rows: u8,
    /// Who was told, and what holds back.
    pub telling: Telling,
    good: Option<Clock>,
}

impl Firing {
    /// Gives it its id: from the fingerprint, its severity and event time alone.
    pub fn name(&mut self, fingerprint: &str) {
        self.id = id(fingerprint, self.severity, self.fired);
    }
}

/// Where an alert stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    pending: Option<(u32, Pending)>,
    firing: Option<Firing>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Pending(Clock);

/// What a step changed, and why not more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Inactive: the condition does not hold.
    Quiet,
    /// Inactive: too little was seen to tell.
    TooLittle,
    /// Inactive: the window is not observed long enough.
    WarmingUp,
    /// It holds from now on, and must for so many seconds.
    Began(u32),
    /// It holds, not long enough yet.
    Waiting,
    /// Pending, and no data: the clock stands still.
    WaitingForData,
    /// It was good again before it fired.
    Recovered,
    /// It held for so many seconds: it fires.
    Fired(u32),
    /// It still holds.
    Lasting,
    /// Below the limit, but not clearly.
    NearLimit,
    /// Good, not long enough yet.
    Clearing,
    /// Firing, and no data: neither fires nor resolves.
    LastingWithoutData,
    /// Good for so many seconds: it is over.
    Resolved(u32),
    /// The route is counted under another name from now on: it is over.
    Renamed,
}

/// The reason as a sentence.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let so_long = |s: u32| span(u64::from(s));
        match *self {
            Self::Quiet => f.write_str("the condition does not hold"),
            Self::TooLittle => f.write_str("too little was seen to tell"),
            Self::WarmingUp => f.write_str("less than half of the window was observed so far"),
            Self::Began(s) => write!(f, "the condition holds and must for {}", so_long(s)),
            Self::Waiting => f.write_str("the condition holds, not long enough yet"),
            Self::WaitingForData => f.write_str("without data it neither fires nor is over"),
            Self::Recovered => f.write_str("good again before it fired"),
            Self::Fired(0) => f.write_str("the condition holds"),
            Self::Fired(s) => write!(f, "the condition held for {}", so_long(s)),
            Self::Lasting => f.write_str("the condition still holds"),
            Self::NearLimit => f.write_str("below the limit, but not below 0.9 of it"),
            Self::Clearing => f.write_str("good, not long enough yet"),
            Self::LastingWithoutData => f.write_str("without data it does not resolve"),
            Self::Resolved(s) => write!(f, "good for {}", so_long(s)),
            Self::Renamed => f.write_str("the route is counted under another name from now on"),
        }
    }
}

impl Machine {
    /// Moves on to `now` (seconds since 1970, never backwards) with what the rule reads there. Where the answer is
    /// `Resolved`, [`Machine::firing`] still gives what was firing, until [`Machine::forget`]. The severity is the one it
    /// would fire with.
    pub fn step(&mut self, now: u32, reading: Reading, timing: Timing, severity: Severity) -> Change {
        if self.firing.is_some() {
            self.step_firing(now, reading, timing)
        } else {
            self.step_quiet(now, reading, timing, severity)
        }
    }

    fn step_quiet(&mut self, now: u32, reading: Reading, timing: Timing, severity: Severity) -> Change {
        let bad = reading == Reading::Bad;
        match (&mut self.pending, reading) {
            (None, Reading::NoData) => return Change::TooLittle,
            (None, Reading::WarmingUp) => return Change::WarmingUp,
            (None, _) if !bad => return Change::Quiet,
            (Some((_, Pending(clock))), Reading::NoData | Reading::WarmingUp) => {
                clock.stand(now);
                return Change::WaitingForData;
            }
            (Some(_), _) if !bad => {
                self.pending = None;
                return Change::Recovered;
            }
            (None, _) if timing.for_s > 0 => {
                self.pending = Some((now, Pending(Clock::start(now))));
                return Change::Began(timing.for_s);
            }
            (Some((_, Pending(clock))), _) => {
                clock.run(now);
                if !clock.is_due(now, timing.for_s) {
                    return Change::Waiting;
                }
            }
            (None, _) => {}
        }
        let started = self.pending.take().map_or(now, |(began, _)| began);
        self.firing = Some(Firing {
            id: String::new(),
            started,
            fired: now,
            severity,
            blamed: None,
            rows: 0,
            telling: Telling::Untold,
            good: None,
        });
        Change::Fired(timing.for_s)
    }

    fn step_firing(&mut self, now: u32, reading: Reading, timing: Timing) -> Change {
        let Some(firing) = &mut self.firing else { return Change::Quiet };
        match reading {
            Reading::Bad => {
                firing.good = None;
                Change::Lasting
            }
            Reading::Between => {
                firing.good = None;
                Change::NearLimit
            }
            Reading::NoData | Reading::WarmingUp => {
                if let Some(clock) = &mut firing.good {
                    clock.stand(now);
                }
                Change::LastingWithoutData
            }
            Reading::Good => {
                let clock = firing.good.get_or_insert(Clock::start(now));
                clock.run(now);
                if clock.is_due(now, timing.clear_for_s) { Change::Resolved(timing.clear_for_s) } else { Change::Clearing }
            }
        }
    }

    /// What fires.
    pub fn firing(&self) -> Option<&Firing> {
        self.firing.as_ref()
    }

    /// What fires, to be noted on.
    pub fn firing_mut(&mut self) -> Option<&mut Firing> {
        self.firing.as_mut()
    }

    /// Takes out what fires, to be decided on; [`Machine::lay_down`] puts it back, [`Machine::forget`] ends it.
    pub fn lift(&mut self) -> Option<Firing> {
        self.firing.take()
    }

    /// It goes on firing.
    pub fn lay_down(&mut self, firing: Firing) {
        self.firing = Some(firing);
    }

    /// Back to inactive.
    pub fn forget(&mut self) -> Option<Firing> {
        self.pending = None;
        self.firing.take()
    }

    /// Neither pending nor firing.
    pub fn is_inactive(&self) -> bool {
        self.pending.is_none() && self.firing.is_none()
    }

    /// The next time at which the same reading would change something.
    pub fn wake(&self, timing: Timing) -> Option<u32> {
        if self.is_inactive() {
            return None;
        }
        let pending = self.pending.as_ref().and_then(|(_, Pending(clock))| clock.due(timing.for_s));
        let clearing = self.firing.as_ref().and_then(|f| f.good.as_ref()).and_then(|clock| clock.due(timing.clear_for_s));
        pending.into_iter().chain(clearing).min()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().take(16).fold(String::with_capacity(32), |mut text, byte| {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
        }
        text
    })
}

/// What stays the same for (service, instance, rule, route): 32 hexadecimal digits of SHA-256.
pub fn fingerprint(service: Option<&str>, instance: Option<&str>, rule: &str, route: Option<&str>) -> String {
    let mut hash = Sha256::new();
    for part in [service, instance, Some(rule), route] {
        // Absent and empty differ, and no part runs into the next.
        hash.update([u8::from(part.is_some())]);
        let bytes = part.unwrap_or_default().as_bytes();
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    }
    hex(&hash.finalize())
}

/// One firing's id: from its fingerprint, severity and event time.
fn id(fingerprint: &str, severity: Severity, fired: u32) -> String {
    let mut hash = Sha256::new();
    hash.update(fingerprint.as_bytes());
    hash.update(severity.word().as_bytes());
    hash.update(fired.to_le_bytes());
    hex(&hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps of one second each from time 100: `B`ad, `~` between, `G`ood, `-` no data, `w`arming up.
    fn told(timing: Timing, readings: &str) -> Vec<(u32, Change)> {
        let mut machine = Machine::default();
        let mut all = Vec::new();
        for (now, letter) in (100..).zip(readings.chars()) {
            let reading = match letter {
                'B' => Reading::Bad,
                '~' => Reading::Between,
                'G' => Reading::Good,
                'w' => Reading::WarmingUp,
                _ => Reading::NoData,
            };
            let change = machine.step(now, reading, timing, Severity::Page);
            if matches!(change, Change::Resolved(_)) {
                machine.forget();
            }
            all.push((now, change));
        }
        all
    }

    #[test]
    fn an_alert_goes_from_inactive_over_pending_and_firing_to_resolved() {
        use Change as C;
        let timing = Timing { for_s: 2, clear_for_s: 3 };
        for (name, readings, want) in [
            ("nothing", "G-w", vec![C::Quiet, C::TooLittle, C::WarmingUp]),
            ("too short", "BBG", vec![C::Began(2), C::Waiting, C::Recovered]),
            ("long enough", "BBB", vec![C::Began(2), C::Waiting, C::Fired(2)]),
            (
                "the clock of 'for' stands still without data",
                "B--BB",
                vec![C::Began(2), C::WaitingForData, C::WaitingForData, C::Waiting, C::Fired(2)],
            ),
            (
                "resolved",
                "BBBGGGG",
                vec![C::Began(2), C::Waiting, C::Fired(2), C::Clearing, C::Clearing, C::Clearing, C::Resolved(3)],
            ),
            (
                "neither bad nor near the limit while clearing",
                "BBBGG~GGGG",
                vec![
                    C::Began(2),
                    C::Waiting,
                    C::Fired(2),
                    C::Clearing,
                    C::Clearing,
                    C::NearLimit,
                    C::Clearing,
                    C::Clearing,
                    C::Clearing,
                    C::Resolved(3),
                ],
            ),
        ] {
            assert_eq!(want, told(timing, readings).into_iter().map(|t| t.1).collect::<Vec<_>>(), "{name}");
        }
    }

    #[test]
    fn no_data_does_not_resolve_however_long() {
        let timing = Timing { for_s: 0, clear_for_s: 3 };
        let all = told(timing, "BG-------G~G-GGG");
        assert_eq!(Change::Fired(0), all[0].1);
        assert!(all[2..9].iter().all(|t| t.1 == Change::LastingWithoutData));
        // Good for one second before the gap; '~' begins anew; 111 to 112 and 113 to 115 are three good seconds.
        assert_eq!(Some(&(115, Change::Resolved(3))), all.iter().find(|t| matches!(t.1, Change::Resolved(_))));
    }

    #[test]
    fn a_fingerprint_is_of_its_four_parts_and_an_id_of_its_time() {
        let all = [
            fingerprint(Some("shop"), None, "available", None),
            fingerprint(None, Some("shop"), "available", None),
            fingerprint(Some("shopa"), None, "vailable", None),
            fingerprint(Some("shop"), None, "available", Some("")),
        ];
        assert!(all.iter().all(|f| f.len() == 32));
        for (at, one) in all.iter().enumerate() {
            assert!(all.iter().skip(at + 1).all(|other| other != one));
        }
        assert_eq!(all[0], fingerprint(Some("shop"), None, "available", None));
        assert_ne!(id("f", Severity::Page, 1), id("f", Severity::Page, 2));
        assert_ne!(id("f", Severity::Page, 1), id("f", Severity::Ticket, 1));
    }
}
