//! A snapshot as versioned bytes, and back.
//!
//! Form: the eight bytes `VITALOG\x01`, then zstd over a postcard-encoded list of parts. A part is one source's snapshot
//! with the identity of the bytes it holds, so that the same bytes found in two places can be told and counted once.
//! What is damaged is refused as a whole, never half read.

pub mod course;

use serde::Deserialize;
use serde::Serialize;

use super::doings::Doings;
use super::failures::Failures;
use super::group::Group;
use super::group::GroupKey;
use super::group::Layer;
use super::headers::HeaderCounts;
use super::intake::Intake;
use super::latency::Fine;
use super::latency::FinePacked;
use super::slots::Track;
use super::snapshot::Era;
use super::snapshot::Plan;
use super::snapshot::SlotLines;
use super::snapshot::Snapshot;
use super::tally::Tally;
use crate::input::identity::Head;
use crate::parse::Auth;
use crate::parse::Cache;
use crate::route::NamedBy;
use crate::time::Timestamp;

/// The first bytes of a snapshot file; the last of them is the version.
pub const MAGIC: &[u8; 8] = b"VITALOG\x01";

/// Why stored bytes cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// No snapshot at all.
    NotOurs,
    /// Made by a newer vitalog: read it with that.
    Newer,
    /// Cut off or changed: make it again.
    Broken,
}

/// One source's share of a snapshot file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// Which bytes it holds, and what the report says of the source.
    pub source: Source,
    /// What was counted.
    pub counted: Counted,
}

/// The identity of the bytes behind a part.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// As given or found.
    pub path: String,
    /// Its service.
    pub service: Option<String>,
    /// Its layer.
    pub layer: Layer,
    /// Wrappers taken off.
    pub wrapper: Option<String>,
    /// The written form.
    pub format: Option<String>,
    /// Lines, after unwrapping.
    pub lines: u64,
    /// Bytes, after decompression.
    pub bytes: u64,
    /// Requests.
    pub requests: u64,
    /// Why it could not be read to its end.
    pub error: Option<String>,
    /// Fingerprint of the first bytes; `None` where it was a pipe.
    pub head: Option<Head>,
    /// Digest of all bytes.
    pub digest: [u64; 2],
}

/// A snapshot as plain data, in one order.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Counted {
    desks: Vec<StoredDesk>,
    width: u32,
    seconds: Option<(u32, u32)>,
    span: Option<(Timestamp, Timestamp)>,
    intake: Intake,
    failures: Failures,
    sided: Vec<(Option<Timestamp>, Failures)>,
    doings: Doings,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct StoredDesk {
    service: Option<String>,
    layer: Layer,
    eras: Vec<Era>,
    groups: Vec<StoredGroup>,
    lines: Vec<(u32, SlotLines)>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct StoredKey {
    method: String,
    path: String,
    by: u8,
    refused: bool,
    probe: bool,
    streaming: bool,
    era: String,
    since: Option<Timestamp>,
    auth: u8,
    cache: u8,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct StoredGroup {
    key: StoredKey,
    statuses: Vec<(u16, u64)>,
    bytes: u64,
    sized: u64,
    latency: FinePacked,
    headers: Option<HeaderCounts>,
    slots: Vec<u8>,
}

const BY: [NamedBy; 5] = [NamedBy::Log, NamedBy::Openapi, NamedBy::Pattern, NamedBy::Learned, NamedBy::Fallback];
const AUTH: [Auth; 3] = [Auth::Unknown, Auth::Anonymous, Auth::Authenticated];
const CACHE: [Cache; 7] = [Cache::None, Cache::Hit, Cache::Miss, Cache::Expired, Cache::Stale, Cache::Bypass, Cache::Other];

fn at<T: PartialEq>(all: &[T], one: &T) -> u8 {
    u8::try_from(all.iter().position(|x| x == one).unwrap_or(0)).unwrap_or(0)
}

impl Counted {
    /// Everything a snapshot holds. Equal snapshots give equal data, however they came to be.
    pub fn of(snapshot: &mut Snapshot) -> Self {
        snapshot.close();
        let mut desks: Vec<StoredDesk> = (0u16..)
            .zip(snapshot.desks())
            .map(|(index, desk)| {
                let mut groups: Vec<StoredGroup> = snapshot
                    .groups()
                    .iter()
                    .filter(|g| g.key.desk == index)
                    .map(|g| {
                        let route = desk.router.key(g.key.route);
                        StoredGroup {
                            key: StoredKey::of(route, &desk.eras[usize::from(g.key.era)], g.key.auth, g.key.cache),
                            statuses: g.tally.statuses(),
                            bytes: g.tally.bytes,
                            sized: g.tally.sized,
                            latency: g.tally.latency.pack(),
                            headers: g.tally.headers.as_deref().cloned(),
                            slots: g.track.store(),
                        }
                    })
                    .collect();
                groups.sort_by(|a, b| a.key.cmp(&b.key));
                let mut eras = desk.eras.clone();
                eras.sort_by(|a, b| (a.since, &a.version).cmp(&(b.since, &b.version)));
                let lines = snapshot.lines().iter().filter(|(at, _)| at.1 == index).map(|(at, l)| (at.0, *l)).collect();
                StoredDesk { service: desk.service.clone(), layer: desk.layer, eras, groups, lines }
            })
            .collect();
        desks.sort_by(|a, b| (&a.service, a.layer).cmp(&(&b.service, b.layer)));
        Self {
            desks,
            width: snapshot.width(),
            seconds: snapshot.seconds(),
            span: snapshot.span(),
            intake: snapshot.intake().clone(),
            failures: snapshot.failures().clone(),
            sided: snapshot.failures_since().iter().map(|(since, failures)| (*since, failures.clone())).collect(),
            doings: snapshot.doings().clone(),
        }
    }

    /// The snapshot this data came from, under the plan of this run.
    pub fn snapshot(&self, plan: Plan) -> Snapshot {
        let mut snapshot = Snapshot::empty(plan);
        let mut groups = Vec::new();
        for stored in &self.desks {
            let desk = snapshot.desk(stored.service.as_deref(), stored.layer);
            let number = u16::try_from(desk).unwrap_or(u16::MAX);
            let parts = snapshot.parts_mut();
            parts.lines.extend(stored.lines.iter().map(|(slot, lines)| ((*slot, number), *lines)));
            let here = &mut parts.desks[desk];
            for era in &stored.eras {
                let index = here.open_era(era.version.as_bytes(), era.since);
                here.eras[index] = era.clone();
            }
            for group in &stored.groups {
                let key = &group.key;
                let route = here.router.adopt(&key.route());
                let era = here.open_era(key.era.as_bytes(), key.since);
                let mut tally = Tally::default();
                (tally.bytes, tally.sized) = (group.bytes, group.sized);
                tally.latency = Fine::unpack(&group.latency);
                tally.headers = group.headers.clone().map(Box::new);
                group.statuses.iter().for_each(|(status, n)| tally.add_status(*status, *n));
                groups.push(Group {
                    key: GroupKey {
                        desk: number,
                        era: u16::try_from(era).unwrap_or(u16::MAX),
                        route,
                        auth: key.auth(),
                        cache: key.cache(),
                    },
                    tally,
                    track: Track::load(&group.slots),
                });
            }
        }
        let parts = snapshot.parts_mut();
        *parts.width = self.width.max(1);
        *parts.seconds = self.seconds;
        *parts.span = self.span;
        *parts.intake = self.intake.clone();
        *parts.failures = self.failures.clone();
        *parts.sided = self.sided.iter().cloned().collect();
        *parts.doings = self.doings.clone();
        snapshot.put_groups(groups);
        snapshot
    }
}

/// Bytes made smaller, for storing; [`grow`] gives them back.
pub fn shrink(plain: &[u8]) -> Vec<u8> {
    zstd::encode_all(plain, 3).unwrap_or_default()
}

/// What [`shrink`] was given.
pub fn grow(small: &[u8]) -> Result<Vec<u8>, Damage> {
    zstd::decode_all(small).map_err(|_| Damage::Broken)
}

/// The bytes of a snapshot file.
pub fn store(parts: &[Part]) -> Vec<u8> {
    let plain = postcard::to_stdvec(parts).unwrap_or_default();
    let mut out = MAGIC.to_vec();
    out.extend(zstd::encode_all(plain.as_slice(), 3).unwrap_or_default());
    out
}

/// The parts of a snapshot file.
pub fn load(bytes: &[u8]) -> Result<Vec<Part>, Damage> {
    let rest = match bytes.strip_prefix(MAGIC) {
        Some(rest) => rest,
        None if bytes.starts_with(&MAGIC[..7]) => return Err(Damage::Newer),
        None => return Err(Damage::NotOurs),
    };
    let plain = zstd::decode_all(rest).map_err(|_| Damage::Broken)?;
    postcard::from_bytes(&plain).map_err(|_| Damage::Broken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::Headers;
    use crate::parse::Record;
    use crate::route::table::Router;
    use crate::route::table::Settings;
    use crate::stats::intake::Kind;
    use crate::stats::latency::Bounds;
    use proptest::prelude::*;
    use std::sync::Arc;

    fn plan() -> Plan {
        Plan {
            bounds: Arc::new(Bounds::new(&[300_000])),
            limits_us: Arc::new([300_000]),
            routers: Arc::new(|_| Router::new(Arc::default(), Settings::default())),
            borders: Arc::new([Timestamp::from_seconds(1_700_001_000), Timestamp::from_seconds(1_700_004_000)]),
            by_route: true,
        }
    }

    #[derive(Debug, Clone)]
    struct Told {
        path: &'static str,
        status: u16,
        bytes: Option<u64>,
        latency_us: Option<u64>,
        second: Option<i64>,
        version: &'static str,
        auth: Auth,
        service: Option<&'static str>,
        control: &'static str,
    }

    fn told() -> impl Strategy<Value = Told> {
        (
            prop::sample::select(vec!["/", "/items/1", "/items/2", "/nope", "/a/b/c"]),
            prop::sample::select(vec![200, 201, 404, 405, 500, 0]),
            prop::option::of(0u64..6_000_000_000),
            prop::option::of(0u64..6_000_000_000),
            prop::option::of(1_700_000_000i64..1_700_009_000),
            prop::sample::select(vec!["", "1.0", "1.1"]),
            prop::sample::select(AUTH.to_vec()),
            prop::sample::select(vec![None, Some("shop")]),
            prop::sample::select(vec!["", "-", "public, max-age=9"]),
        )
            .prop_map(|(path, status, bytes, latency_us, second, version, auth, service, control)| Told {
                path,
                status,
                bytes,
                latency_us,
                second,
                version,
                auth,
                service,
                control,
            })
    }

    fn counted(all: &[Told]) -> Snapshot {
        let mut snapshot = Snapshot::empty(plan());
        for t in all {
            let desk = snapshot.desk(t.service, Layer::App);
            let record = Record {
                method: b"GET",
                path: t.path.as_bytes(),
                status: Some(t.status),
                bytes: t.bytes,
                latency_us: t.latency_us,
                version: t.version.as_bytes(),
                auth: t.auth,
                headers: Headers { cache_control: t.control.as_bytes(), ..Headers::default() },
                ..Record::default()
            };
            let time = t.second.map(Timestamp::from_seconds);
            snapshot.request(desk, &record, time);
            snapshot.line(desk, Kind::Request, time);
        }
        snapshot
    }

    proptest! {
        #[test]
        fn parts_merged_in_any_order_are_the_whole(all in prop::collection::vec(told(), 0..200), a in 0usize..200, b in 0usize..200) {
            let (a, b) = (a.min(b).min(all.len()), a.max(b).min(all.len()));
            let parts = || [counted(&all[..a]), counted(&all[a..b]), counted(&all[b..])];
            let want = Counted::of(&mut counted(&all));
            let [mut one, two, three] = parts();
            one.merge(two);
            one.merge(three);
            prop_assert_eq!(&want, &Counted::of(&mut one));
            let [one, two, mut three] = parts();
            let mut two = { let mut two = two; two.merge(one); two };
            three.merge(std::mem::replace(&mut two, Snapshot::empty(plan())));
            prop_assert_eq!(&want, &Counted::of(&mut three));
            let mut one = Snapshot::empty(plan());
            one.merge(counted(&all));
            prop_assert_eq!(&want, &Counted::of(&mut one));
        }

        #[test]
        fn storing_and_loading_loses_nothing(all in prop::collection::vec(told(), 0..120)) {
            let want = Counted::of(&mut counted(&all));
            let bytes = store(&[Part { source: Source::default(), counted: want.clone() }]);
            let parts = load(&bytes).unwrap();
            prop_assert_eq!(&want, &parts[0].counted);
            prop_assert_eq!(&want, &Counted::of(&mut parts[0].counted.snapshot(plan())));
        }

        #[test]
        fn the_stream_of_seconds_adds_up_to_the_slots(all in prop::collection::vec(told(), 0..150)) {
            let mut listening = Snapshot::empty(plan());
            listening.listen();
            listening.merge(Snapshot::empty(plan()));
            for t in &all {
                let desk = listening.desk(t.service, Layer::App);
                let record = Record { method: b"GET", path: t.path.as_bytes(), status: Some(t.status), latency_us: t.latency_us, ..Record::default() };
                listening.request(desk, &record, t.second.map(Timestamp::from_seconds));
            }
            let steps = listening.take_steps(u32::MAX);
            let dated: Vec<&Told> = all.iter().filter(|t| t.second.is_some()).collect();
            let slow = dated.iter().filter(|t| t.latency_us.is_some_and(|us| us > 300_000)).count() as u64;
            prop_assert_eq!(dated.len() as u64, steps.iter().flat_map(|s| &s.groups).map(|g| g.1.requests()).sum::<u64>());
            prop_assert_eq!(slow, steps.iter().flat_map(|s| &s.groups).map(|g| g.1.over.first().map_or(0, |n| u64::from(*n))).sum::<u64>());
            prop_assert!(steps.is_sorted_by_key(|s| s.second));
        }
    }

    #[test]
    fn damaged_files_are_refused_as_a_whole() {
        let bytes = store(&[Part { source: Source::default(), counted: Counted::default() }]);
        assert!(load(&bytes).is_ok());
        assert_eq!(Err(Damage::NotOurs), load(b"127.0.0.1 - -"));
        assert_eq!(Err(Damage::Newer), load(b"VITALOG\x02rest"));
        for cut in 8..bytes.len() {
            assert_eq!(Err(Damage::Broken), load(&bytes[..cut]), "{cut}");
        }
    }
}
