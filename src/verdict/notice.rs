//! Which changes are worth telling, and why now.
//!
//! A pure function of how an alert stands, who was told what, the mutes and the time; the answer carries its reason.
//! One incident is one notification: an alert is held back while a told one of the same service and cause covers it that
//! is at least as grave. What was held back and still holds one of its own windows after the other has resolved is a
//! trouble of its own, and told. A receiver that was told of a firing is told of its end, muted or not.

use std::fmt;

use serde::Deserialize;
use serde::Serialize;

use crate::verdict::rule::Cause;
use crate::verdict::rule::Severity;
use crate::verdict::wording::span;

/// What receivers know of a firing alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Telling {
    /// Not decided yet.
    Untold,
    /// They were told, last at this time.
    Told(u32),
    /// A mute was in force.
    Muted,
    /// Another alert stood for it.
    Held {
        /// The other one's id.
        by: String,
        /// When that one resolved.
        released: Option<u32>,
    },
}

/// A firing alert that receivers know of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// Its id.
    pub id: String,
    /// What it is about.
    pub cause: Cause,
    /// How grave.
    pub severity: Severity,
    /// Whether it watches the service as a whole.
    pub whole: bool,
    /// Its route, or the route it blames.
    pub route: Option<String>,
}

impl Known {
    /// Whether it stands for an alert of the same service, this cause, severity, subject and route.
    fn covers(&self, cause: Cause, severity: Severity, whole: bool, route: Option<&str>) -> bool {
        let wide = self.whole && (whole || self.route.is_none());
        self.cause == cause && self.severity >= severity && (wide || (self.route.is_some() && self.route.as_deref() == route))
    }
}

/// How a firing alert stands.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// What receivers know of it.
    pub telling: &'a Telling,
    /// Whether its condition holds right now.
    pub bad: bool,
    /// It is over, for this reason or that.
    pub over: bool,
    /// What it is about.
    pub cause: Cause,
    /// How grave.
    pub severity: Severity,
    /// Whether it watches the service as a whole.
    pub whole: bool,
    /// Its route, or the route it blames.
    pub route: Option<&'a str>,
    /// The mute in force: its reason, which may be empty.
    pub muted: Option<&'a str>,
    /// What receivers know of this service.
    pub known: &'a [Known],
    /// Its (short) window in seconds.
    pub window_s: u32,
    /// Seconds after which a lasting alert is told again; `None` for never.
    pub repeat_s: Option<u32>,
}

/// Tell or hold, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Tell: it is new.
    New,
    /// Tell: the mute that held it back is over, and it still holds.
    MuteOver,
    /// Tell: what stood for it has resolved, and it still holds so many seconds later.
    Outlasts(u32),
    /// Tell: it lasts, and was told last so many seconds ago.
    Repeat(u32),
    /// Tell: it is over, and receivers know of it.
    Over,
    /// Hold: a mute is in force, with its reason.
    Muted(String),
    /// Hold: another alert, of this id, stands for it.
    Held(String),
    /// Hold: receivers know.
    Known,
    /// Hold: not decided anew before it holds again.
    NotBad,
    /// Hold: what stood for it has just resolved; its own window may still remember.
    Remembering,
    /// Hold: it is over, and nobody knew.
    NeverTold,
}

impl Decision {
    /// Whether receivers are to be told.
    pub fn tells(&self) -> bool {
        matches!(self, Self::New | Self::MuteOver | Self::Outlasts(_) | Self::Repeat(_) | Self::Over)
    }
}

/// The reason as a sentence.
impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let so_long = |s: u32| span(u64::from(s));
        match self {
            Self::New => f.write_str("told: it is new"),
            Self::MuteOver => f.write_str("told: the mute is over and it still holds"),
            Self::Outlasts(s) => write!(f, "told: it still holds {} after the alert that stood for it", so_long(*s)),
            Self::Repeat(s) => write!(f, "told again: it lasts, {} after the last time", so_long(*s)),
            Self::Over => f.write_str("told: it is over"),
            Self::Muted(reason) if reason.is_empty() => f.write_str("held back: muted"),
            Self::Muted(reason) => write!(f, "held back: muted ({reason})"),
            Self::Held(id) => write!(f, "held back: alert {id} tells of the same incident"),
            Self::Known => f.write_str("held back: told already"),
            Self::NotBad => f.write_str("held back: it does not hold right now"),
            Self::Remembering => f.write_str("held back: its window still holds the incident that is over"),
            Self::NeverTold => f.write_str("held back: it is over and nobody was told of it"),
        }
    }
}

/// Whether a firing (or just resolved) alert is told at `now`, seconds since 1970.
pub fn decide(now: u32, s: &Situation<'_>) -> Decision {
    if s.over {
        return if matches!(s.telling, Telling::Told(_)) { Decision::Over } else { Decision::NeverTold };
    }
    let why = match s.telling {
        Telling::Told(last) => {
            let due = s.repeat_s.is_some_and(|repeat| now - last >= repeat);
            return match s.muted {
                Some(reason) if due => Decision::Muted(reason.to_owned()),
                None if due && s.bad => Decision::Repeat(now - last),
                _ => Decision::Known,
            };
        }
        Telling::Held { by, released: None } => return Decision::Held(by.clone()),
        Telling::Held { released: Some(at), .. } if now - at < s.window_s => return Decision::Remembering,
        Telling::Held { released: Some(at), .. } => Decision::Outlasts(now - at),
        Telling::Muted => Decision::MuteOver,
        Telling::Untold => Decision::New,
    };
    if !s.bad {
        return Decision::NotBad;
    }
    if let Some(reason) = s.muted {
        return Decision::Muted(reason.to_owned());
    }
    match s.known.iter().find(|known| known.covers(s.cause, s.severity, s.whole, s.route)) {
        Some(known) => Decision::Held(known.id.clone()),
        None => why,
    }
}

/// The next time at which [`decide`] could answer otherwise while nothing else changes, mutes left aside.
pub fn wake(telling: &Telling, window_s: u32, repeat_s: Option<u32>) -> Option<u32> {
    match telling {
        Telling::Told(last) => repeat_s.map(|repeat| last.saturating_add(repeat)),
        Telling::Held { released: Some(at), .. } => Some(at.saturating_add(window_s)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(severity: Severity, whole: bool, route: Option<&str>) -> Known {
        Known { id: "k".to_owned(), cause: Cause::Errors, severity, whole, route: route.map(str::to_owned) }
    }

    #[test]
    fn what_is_told_is_a_table() {
        let (untold, told, muted) = (Telling::Untold, Telling::Told(1000), Telling::Muted);
        let held = |released| Telling::Held { by: "k".to_owned(), released };
        let (held_on, let_go) = (held(None), held(Some(1000)));
        let page = Situation {
            telling: &untold,
            bad: true,
            over: false,
            cause: Cause::Errors,
            severity: Severity::Page,
            whole: true,
            route: None,
            muted: None,
            known: &[],
            window_s: 300,
            repeat_s: Some(14_400),
        };
        let ticket = Situation { severity: Severity::Ticket, ..page };
        let on_x = Situation { whole: false, route: Some("GET /x"), ..ticket };
        let whole_page = [known(Severity::Page, true, None)];
        let whole_ticket = [known(Severity::Ticket, true, None)];
        let whole_blames_y = [known(Severity::Page, true, Some("GET /y"))];
        let whole_blames_x = [known(Severity::Page, true, Some("GET /x"))];
        let route_x = [known(Severity::Page, false, Some("GET /x"))];
        let held_back = Decision::Held("k".to_owned());
        for (name, want, now, situation) in [
            ("new", Decision::New, 1, page),
            ("muted", Decision::Muted("deploy".to_owned()), 1, Situation { muted: Some("deploy"), ..page }),
            ("graver holds milder", held_back.clone(), 1, Situation { known: &whole_page, ..ticket }),
            ("as grave holds too", held_back.clone(), 1, Situation { known: &whole_page, ..page }),
            ("milder holds nothing", Decision::New, 1, Situation { known: &whole_ticket, ..page }),
            ("another cause", Decision::New, 1, Situation { known: &whole_page, cause: Cause::Latency, ..ticket }),
            ("service holds route", held_back.clone(), 1, Situation { known: &whole_page, ..on_x }),
            ("service that blames it holds route", held_back.clone(), 1, Situation { known: &whole_blames_x, ..on_x }),
            ("service that blames another does not", Decision::New, 1, Situation { known: &whole_blames_y, ..on_x }),
            ("route does not hold service", Decision::New, 1, Situation { known: &route_x, ..ticket }),
            (
                "route holds service that blames it",
                held_back.clone(),
                1,
                Situation { known: &route_x, route: Some("GET /x"), ..ticket },
            ),
            ("told", Decision::Known, 15_399, Situation { telling: &told, ..page }),
            ("repeated", Decision::Repeat(14_400), 15_400, Situation { telling: &told, ..page }),
            ("not repeated while clearing", Decision::Known, 15_400, Situation { telling: &told, bad: false, ..page }),
            ("never repeated", Decision::Known, 99_999, Situation { telling: &told, repeat_s: None, ..page }),
            (
                "not repeated while muted",
                Decision::Muted(String::new()),
                15_400,
                Situation { telling: &told, muted: Some(""), ..page },
            ),
            ("held on", held_back, 9999, Situation { telling: &held_on, ..page }),
            ("let go, its window remembers", Decision::Remembering, 1299, Situation { telling: &let_go, ..page }),
            ("outlasts", Decision::Outlasts(300), 1300, Situation { telling: &let_go, ..page }),
            ("outlasts, not bad", Decision::NotBad, 1300, Situation { telling: &let_go, bad: false, ..page }),
            ("mute over", Decision::MuteOver, 1, Situation { telling: &muted, ..page }),
            ("mute over, not bad", Decision::NotBad, 1, Situation { telling: &muted, bad: false, ..page }),
            ("over", Decision::Over, 1, Situation { telling: &told, over: true, muted: Some(""), ..page }),
            ("over, never told", Decision::NeverTold, 1, Situation { telling: &muted, over: true, ..page }),
        ] {
            assert_eq!(want, decide(now, &situation), "{name}");
        }
    }
}
