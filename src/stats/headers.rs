//! What answers say about keeping them: `Cache-Control`, `Vary`, `Age` and `Set-Cookie`, counted by group.
//!
//! Only answers a cache could keep are looked at: 2xx to GET or HEAD. Directives are those of RFC 9111 (section 5.2.2) and
//! RFC 8246; what a shared cache may keep is its section 3, with a lifetime said outright. Groups without logged headers
//! cost nothing.

use serde::Deserialize;
use serde::Serialize;

use crate::parse::Headers;

/// A directive of `Cache-Control` that is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Directive {
    /// Anybody may keep it.
    Public,
    /// The browser alone may keep it.
    Private,
    /// Nobody may keep it.
    NoStore,
    /// Keep it, but ask before use.
    NoCache,
    /// With a lifetime above 0.
    MaxAge,
    /// With a lifetime of 0.
    MaxAgeZero,
    /// A lifetime for shared caches.
    SMaxAge,
    /// Never use it too old.
    MustRevalidate,
    /// It will not change.
    Immutable,
}

/// Every directive with its name, in the order of the counters.
pub const DIRECTIVES: [(Directive, &str); 9] = [
    (Directive::Public, "public"),
    (Directive::Private, "private"),
    (Directive::NoStore, "no-store"),
    (Directive::NoCache, "no-cache"),
    (Directive::MaxAge, "max-age"),
    (Directive::MaxAgeZero, "max-age=0"),
    (Directive::SMaxAge, "s-maxage"),
    (Directive::MustRevalidate, "must-revalidate"),
    (Directive::Immutable, "immutable"),
];

/// Counts of a group's answers. Merging is addition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeaderCounts {
    /// Answers of which the log tells `Cache-Control`, there or not.
    pub told: u64,
    /// Of them those without any.
    pub absent: u64,
    /// Those with each directive, in the order of [`DIRECTIVES`].
    pub with: [u64; DIRECTIVES.len()],
    /// Those any cache may keep and give to anybody: a lifetime or `public`, nothing against it, no `Vary` by login.
    pub open: u64,
    /// Of `absent` those without `Vary` by login either: kept where a cache is told to keep by default.
    pub open_by_default: u64,
    /// Answers with a `Set-Cookie`.
    pub set_cookie: u64,
    /// Of them those any cache may keep, whatever they vary by.
    pub set_cookie_kept: u64,
    /// Answers with an `Age` above 0: they came out of a cache.
    pub aged: u64,
}

/// Bytes of a header that are looked at.
const LOOKED_AT: usize = 1024;

impl HeaderCounts {
    /// Counts one answer.
    pub fn record(&mut self, headers: &Headers<'_>) {
        let control = headers.cache_control.get(..LOOKED_AT).unwrap_or(headers.cache_control);
        let set = directives(control);
        let has = |directive: Directive| set & (1 << directive as u32) != 0;
        let lifetime = has(Directive::Public) || has(Directive::MaxAge) || has(Directive::SMaxAge);
        let kept = lifetime && ![Directive::Private, Directive::NoStore, Directive::NoCache].into_iter().any(has);
        let by_login = varies_by_login(headers.vary.get(..LOOKED_AT).unwrap_or(headers.vary));
        if !control.is_empty() {
            self.told += 1;
            let absent = control == b"-";
            self.absent += u64::from(absent);
            self.open_by_default += u64::from(absent && !by_login);
            for (at, n) in self.with.iter_mut().enumerate() {
                *n += u64::from(set >> at & 1);
            }
        }
        self.open += u64::from(kept && !by_login);
        self.set_cookie += u64::from(headers.set_cookie);
        self.set_cookie_kept += u64::from(headers.set_cookie && kept);
        self.aged += u64::from(headers.age.is_some_and(|age| age > 0));
    }

    /// Adds others.
    pub fn add(&mut self, other: &Self) {
        for (n, more) in [
            (&mut self.told, other.told),
            (&mut self.absent, other.absent),
            (&mut self.open, other.open),
            (&mut self.open_by_default, other.open_by_default),
            (&mut self.set_cookie, other.set_cookie),
            (&mut self.set_cookie_kept, other.set_cookie_kept),
            (&mut self.aged, other.aged),
        ] {
            *n += more;
        }
        self.with.iter_mut().zip(other.with).for_each(|(n, more)| *n += more);
    }

    /// Answers with a directive.
    pub fn with(&self, directive: Directive) -> u64 {
        self.with[directive as usize]
    }
}

/// Whether the log tells anything of an answer's headers.
#[inline]
pub fn are_logged(headers: &Headers<'_>) -> bool {
    !headers.cache_control.is_empty() || headers.set_cookie || headers.age.is_some()
}

/// A bit for each directive that a `Cache-Control` holds.
fn directives(control: &[u8]) -> u32 {
    let mut set = 0;
    for part in control.split(|b| *b == b',') {
        let (name, value) = match part.iter().position(|b| *b == b'=') {
            Some(at) => (&part[..at], part[at + 1..].trim_ascii()),
            None => (part, &b""[..]),
        };
        let name = name.trim_ascii();
        let zero = value.iter().all(|b| matches!(b, b'0' | b'"')) && !value.is_empty();
        let directive = DIRECTIVES.iter().find(|(_, known)| name.eq_ignore_ascii_case(known.as_bytes())).map(|(d, _)| *d);
        let directive = match directive {
            Some(Directive::MaxAge) if zero => Directive::MaxAgeZero,
            // A field in quotes is kept from caches, not the answer.
            Some(Directive::Private | Directive::NoCache) if !value.is_empty() => continue,
            Some(Directive::SMaxAge) if zero => continue,
            Some(directive) => directive,
            None => continue,
        };
        set |= 1 << directive as u32;
    }
    set
}

fn varies_by_login(vary: &[u8]) -> bool {
    vary.split(|b| *b == b',')
        .map(<[u8]>::trim_ascii)
        .any(|name| name == b"*" || name.eq_ignore_ascii_case(b"cookie") || name.eq_ignore_ascii_case(b"authorization"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(control: &str, vary: &str, set_cookie: bool) -> HeaderCounts {
        let mut counts = HeaderCounts::default();
        counts.record(&Headers { cache_control: control.as_bytes(), vary: vary.as_bytes(), age: None, set_cookie });
        counts
    }

    #[test]
    fn directives_are_found_in_any_writing() {
        for (want, control) in [
            ("public max-age", "public, max-age=60"),
            ("private max-age=0", "Private,MAX-AGE = \"0\""),
            ("no-store", " no-store ,, x=1"),
            ("s-maxage immutable", "immutable, s-maxage=5"),
            ("", "no-cache=\"set-cookie\", s-maxage=0"),
            ("", "-"),
        ] {
            let got = counted(control, "", false);
            let names: Vec<&str> = DIRECTIVES.iter().filter(|(d, _)| got.with(*d) > 0).map(|(_, n)| *n).collect();
            let mut want: Vec<&str> = want.split_whitespace().collect();
            want.sort_by_key(|w| DIRECTIVES.iter().position(|(_, n)| n == w));
            assert_eq!(want, names, "{control}");
        }
    }

    #[test]
    fn what_anybody_may_be_given_is_open() {
        for (open, by_default, kept, control, vary) in [
            (1, 0, 1, "public", "Accept-Encoding"),
            (1, 0, 1, "max-age=60", ""),
            (0, 0, 1, "max-age=60", "Accept, Cookie"),
            (0, 0, 0, "private, max-age=60", ""),
            (0, 0, 0, "public, no-store", ""),
            (0, 0, 0, "max-age=0", ""),
            (0, 1, 0, "-", ""),
            (0, 0, 0, "-", "authorization"),
            (0, 0, 0, "", ""),
        ] {
            let got = counted(control, vary, true);
            assert_eq!((open, by_default, kept), (got.open, got.open_by_default, got.set_cookie_kept), "{control} {vary}");
        }
    }

    #[test]
    fn merging_is_addition() {
        let mut sum = counted("public", "", true);
        sum.add(&counted("-", "", false));
        assert_eq!((2, 1, 1, 1, 1), (sum.told, sum.absent, sum.with(Directive::Public), sum.open, sum.set_cookie));
    }
}
