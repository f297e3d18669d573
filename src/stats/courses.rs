//! The course of time of whole services, where nobody asks for that of single routes: one track for all requests that a
//! report's series treats alike. A log of many routes then costs the slots of one.

use super::group::Group;
use super::slots::Track;
use super::snapshot::Desk;

/// What requests of one course have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CourseKey {
    /// The service and layer, an index into the snapshot's desks.
    pub desk: u16,
    /// The era, an index into the desk's eras.
    pub era: u16,
    /// Health probes.
    pub probe: bool,
    /// Streams: no latency in the series.
    pub streaming: bool,
}

impl CourseKey {
    /// That of a group.
    pub(super) fn of(group: &Group, desks: &[Desk]) -> Self {
        let route = desks[usize::from(group.key.desk)].router.key(group.key.route);
        Self { desk: group.key.desk, era: group.key.era, probe: route.probe, streaming: route.streaming }
    }
}

/// One course.
#[derive(Debug)]
pub struct Course {
    /// Whose.
    pub key: CourseKey,
    /// Its slots.
    pub track: Track,
}

/// All courses, and which group belongs to which.
#[derive(Debug, Default)]
pub(super) struct Courses {
    all: Vec<Course>,
    of_group: Vec<u32>,
}

impl Courses {
    pub(super) fn all(&self) -> &[Course] {
        &self.all
    }

    /// The next group belongs to this course.
    pub(super) fn next_group(&mut self, key: CourseKey) {
        let at = self.place(key);
        self.of_group.push(u32::try_from(at).unwrap_or(0));
    }

    /// Groups are numbered anew.
    pub(super) fn forget_groups(&mut self) {
        self.of_group.clear();
    }

    /// Where a group's requests go.
    #[inline]
    pub(super) fn track(&mut self, group: u32) -> &mut Track {
        &mut self.all[self.of_group[group as usize] as usize].track
    }

    /// The course of each group, and all courses, to count a batch.
    pub(super) fn parts(&mut self) -> (&[u32], &mut [Course]) {
        (&self.of_group, &mut self.all)
    }

    /// Adds a track to a course.
    pub(super) fn add(&mut self, key: CourseKey, track: Track) {
        let at = self.place(key);
        self.all[at].track.merge(track);
    }

    pub(super) fn coarsen(&mut self, by: u32) {
        self.all.iter_mut().for_each(|course| course.track.coarsen(by));
    }

    pub(super) fn take(&mut self) -> Vec<Course> {
        self.of_group.clear();
        std::mem::take(&mut self.all)
    }

    fn place(&mut self, key: CourseKey) -> usize {
        self.all.iter().position(|course| course.key == key).unwrap_or_else(|| {
            self.all.push(Course { key, track: Track::default() });
            self.all.len() - 1
        })
    }
}
