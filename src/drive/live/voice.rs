//! Standard output of a live run, on a thread of its own: a paused terminal or a full pipe holds nobody up.
//!
//! What waits is bounded; what does not fit is dropped and counted. A closed pipe is told once, by [`Voice::heard`].

use std::collections::VecDeque;
use std::io::Write;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread;
use std::time::Duration;

/// Bytes that may wait.
const WAITING: usize = 1 << 20;

/// What came of what was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// Somebody listens, or may.
    Open,
    /// Nobody listens any more.
    Closed,
    /// Writing fails, as on a full disk.
    Failing,
}

#[derive(Debug, Default)]
struct Queue {
    texts: VecDeque<String>,
    bytes: usize,
    dropped: u64,
    writing: bool,
    ended: bool,
    closed: bool,
    failing: Option<String>,
}

/// Says texts one after the other.
#[derive(Debug, Clone)]
pub(super) struct Voice {
    shared: Arc<(Mutex<Queue>, Condvar)>,
}

impl Voice {
    /// Speaks into `out`. Where no thread can be had, nothing is said.
    pub(super) fn new(mut out: impl Write + Send + 'static) -> Self {
        let shared = Arc::new((Mutex::new(Queue::default()), Condvar::new()));
        let own = Arc::clone(&shared);
        let work = move || {
            while let Some(text) = next(&own) {
                let result = out.write_all(text.as_bytes()).and_then(|()| out.flush());
                let mut queue = own.0.lock().unwrap_or_else(PoisonError::into_inner);
                queue.writing = false;
                match result {
                    Ok(()) => queue.failing = None,
                    Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => queue.closed = true,
                    Err(error) => queue.failing = Some(error.to_string()),
                }
                own.1.notify_all();
            }
        };
        if thread::Builder::new().name("stdout".to_owned()).spawn(work).is_err() {
            shared.0.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        }
        Self { shared }
    }

    /// Says `text` when what was said before is out; drops it where too much waits.
    pub(super) fn say(&self, text: String) {
        if text.is_empty() {
            return;
        }
        let mut queue = self.shared.0.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.closed || queue.bytes + text.len() > WAITING {
            queue.dropped += u64::from(!queue.closed);
            return;
        }
        queue.bytes += text.len();
        queue.texts.push_back(text);
        self.shared.1.notify_all();
    }

    /// Whether anybody listens.
    pub(super) fn heard(&self) -> Heard {
        let queue = self.shared.0.lock().unwrap_or_else(PoisonError::into_inner);
        match (&queue.failing, queue.closed) {
            (_, true) => Heard::Closed,
            (Some(_), false) => Heard::Failing,
            (None, false) => Heard::Open,
        }
    }

    /// Texts that were dropped since the last call, once there is room again.
    pub(super) fn take_dropped(&self) -> u64 {
        let mut queue = self.shared.0.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.bytes * 2 > WAITING {
            return 0;
        }
        std::mem::take(&mut queue.dropped)
    }

    /// Waits until all is said, `most` long; then nothing more is.
    pub(super) fn finish(&self, most: Duration) {
        let queue = self.shared.0.lock().unwrap_or_else(PoisonError::into_inner);
        let busy = |queue: &mut Queue| (queue.writing || !queue.texts.is_empty()) && !queue.closed;
        let waited = self.shared.1.wait_timeout_while(queue, most, busy);
        let (mut queue, _) = waited.unwrap_or_else(PoisonError::into_inner);
        queue.ended = true;
        self.shared.1.notify_all();
    }
}

fn next(shared: &(Mutex<Queue>, Condvar)) -> Option<String> {
    let mut queue = shared.0.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        if queue.closed || queue.ended {
            return None;
        }
        if let Some(text) = queue.texts.pop_front() {
            queue.bytes -= text.len();
            queue.writing = true;
            return Some(text);
        }
        queue = shared.1.wait(queue).unwrap_or_else(PoisonError::into_inner);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::sync::mpsc;

    /// Hands on what is written, and waits for leave before each text.
    struct Slow(mpsc::Sender<Vec<u8>>, mpsc::Receiver<()>);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1.recv().map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
            drop(self.0.send(bytes.to_vec()));
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stopped_reader_costs_texts_but_no_memory_and_the_loss_is_counted() {
        let (sender, written) = mpsc::channel();
        let (leave, waits) = mpsc::channel();
        let voice = Voice::new(Slow(sender, waits));
        let text = "x".repeat(WAITING / 4);
        // one may be on its way, four fit
        for _ in 0..10 {
            voice.say(text.clone());
        }
        assert_eq!(0, voice.take_dropped());
        for _ in 0..10 {
            leave.send(()).unwrap();
        }
        voice.finish(Duration::from_secs(10));
        let said = written.try_iter().count() as u64;
        assert!((4..=5).contains(&said), "{said}");
        assert_eq!(10 - said, voice.take_dropped());
        assert_eq!(Heard::Open, voice.heard());
    }

    #[test]
    fn a_closed_pipe_is_noticed_and_nothing_waits_for_it() {
        let (sender, _written) = mpsc::channel();
        let (leave, waits) = mpsc::channel();
        drop(leave);
        let voice = Voice::new(Slow(sender, waits));
        voice.say("x".to_owned());
        voice.finish(Duration::from_secs(10));
        assert_eq!(Heard::Closed, voice.heard());
    }
}
