//! Work handed out to threads: files in their order, of a large file a run of neighbouring chunks to each thread.
//!
//! A thread that goes through neighbouring chunks sees time go on, and what two threads saw lies one behind the other: both
//! make joining cheap. Who has no run of their own left takes the last chunk of the longest run. Which thread takes what
//! changes no figure.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::PoisonError;

use super::share::Task;

/// What is left to do.
pub(super) struct Queue {
    files: Mutex<VecDeque<Vec<Lane>>>,
}

/// Neighbouring chunks of one file, or a whole file.
struct Lane {
    tasks: VecDeque<Task>,
    /// Somebody goes through it.
    begun: bool,
}

impl Queue {
    /// The tasks of each file in their order, for so many threads.
    pub(super) fn new(files: Vec<Vec<Task>>, threads: usize) -> Self {
        let lanes = |tasks: Vec<Task>| {
            let length = tasks.len().div_ceil(threads.max(1)).max(1);
            tasks.chunks(length).map(|run| Lane { tasks: run.iter().copied().collect(), begun: false }).collect()
        };
        Self { files: Mutex::new(files.into_iter().map(lanes).collect()) }
    }

    /// The next task for who did `last` before; `None` where nothing is left.
    pub(super) fn take(&self, last: Option<Task>) -> Option<Task> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(lanes) = files.front_mut() {
            lanes.retain(|lane| !lane.tasks.is_empty());
            let own = |lane: &&mut Lane| lane.tasks.front().is_some_and(|next| last.is_some_and(|last| next.follows(&last)));
            if let Some(lane) = lanes.iter_mut().find(own) {
                return lane.tasks.pop_front();
            }
            if let Some(lane) = lanes.iter_mut().find(|lane| !lane.begun) {
                lane.begun = true;
                return lane.tasks.pop_front();
            }
            if let Some(lane) = lanes.iter_mut().max_by_key(|lane| lane.tasks.len()) {
                return lane.tasks.pop_back();
            }
            files.pop_front();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunks(file: usize, n: u64) -> Vec<Task> {
        (0..n).map(|at| Task::Chunk { file, from: at, to: at + 1 }).collect()
    }

    fn from(task: Option<Task>) -> Option<u64> {
        task.map(|task| match task {
            Task::Whole { .. } | Task::Packed { .. } => 99,
            Task::Chunk { from, .. } => from,
        })
    }

    #[test]
    fn each_thread_goes_through_neighbours_and_then_helps_from_the_far_end() {
        let queue = Queue::new(vec![chunks(0, 6), vec![Task::Whole { file: 1 }]], 2);
        let first = queue.take(None);
        let second = queue.take(None);
        assert_eq!((Some(0), Some(3)), (from(first), from(second)));
        let second = queue.take(second);
        let second = queue.take(second);
        assert_eq!(Some(5), from(second));
        assert_eq!(Some(2), from(queue.take(second)), "the last of the other's run");
        let first = queue.take(first);
        assert_eq!(Some(1), from(first));
        assert_eq!(Some(99), from(queue.take(first)));
        assert_eq!(None, from(queue.take(first)));
    }

    #[test]
    fn every_task_is_taken_once_whoever_asks() {
        for threads in 1..5 {
            let queue = Queue::new(vec![chunks(0, 7), chunks(1, 1), chunks(2, 3)], threads);
            let mut last = vec![None; threads];
            let mut taken = Vec::new();
            for turn in 0.. {
                let at = turn % threads;
                last[at] = queue.take(last[at]);
                match last[at] {
                    Some(Task::Chunk { file, from, .. }) => taken.push((file, from)),
                    _ => break,
                }
            }
            taken.sort_unstable();
            let want: Vec<(usize, u64)> =
                [(0, 7), (1, 1), (2, 3)].into_iter().flat_map(|(f, n)| (0..n).map(move |c| (f, c))).collect();
            assert_eq!(want, taken, "{threads} threads");
        }
    }
}
