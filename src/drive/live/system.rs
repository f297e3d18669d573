//! The system around a live run: signals, and the service manager that wants to know how it is.

use std::sync::mpsc::SyncSender;
use std::thread;

use sd_notify::NotifyState;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;

use super::Wake;

/// Open files that are no logs.
const OTHERS: usize = 48;
/// Logs that are held open at once whatever the limit.
const FEWEST: usize = 8;

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Save and end.
    Stop,
    /// Read the configuration again.
    Reload,
}

/// Hands SIGTERM, SIGINT and SIGHUP on from now on. A second order to stop ends the process at once: what was saved is
/// saved.
pub(super) fn listen(waker: &SyncSender<Wake>) {
    let waker = waker.clone();
    let work = move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_io().build() else { return };
        runtime.block_on(async move {
            let kinds = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()].map(signal);
            let [Ok(mut terminate), Ok(mut interrupt), Ok(mut hangup)] = kinds else { return };
            let mut stopping = false;
            loop {
                let asked = tokio::select! {
                    _ = terminate.recv() => Signal::Stop,
                    _ = interrupt.recv() => Signal::Stop,
                    _ = hangup.recv() => Signal::Reload,
                };
                if asked == Signal::Stop && std::mem::replace(&mut stopping, true) {
                    at_once();
                }
                let waker = waker.clone();
                // the loop may be busy; the next signal must be heard all the same
                drop(tokio::task::spawn_blocking(move || drop(waker.send(Wake::Signal(asked)))));
            }
        });
    };
    // Without a thread for it signals do what they do by themselves: the state survives that.
    drop(thread::Builder::new().name("signals".to_owned()).spawn(work));
}

#[expect(clippy::exit, reason = "asked for twice: nothing may hold it up")]
fn at_once() {
    std::process::exit(130);
}

/// So many files a process may have open, less what the state, the server and the sinks need; at least a few. Without a
/// word of the system about it, as many as one likes.
pub(super) fn files_to_hold() -> usize {
    std::fs::read_to_string("/proc/self/limits").ok().and_then(|limits| held(&limits)).unwrap_or(usize::MAX)
}

fn held(limits: &str) -> Option<usize> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    let soft: usize = line.split_ascii_whitespace().next()?.parse().ok()?;
    Some(soft.saturating_sub(OTHERS).max(FEWEST))
}

fn tell(state: &[NotifyState<'_>]) {
    // Nobody listens outside of a service manager.
    drop(sd_notify::notify(state));
}

/// Reading has begun, or goes on after a reload.
pub(super) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The configuration is read again.
pub(super) fn reloading() {
    tell(&[NotifyState::Reloading]);
}

/// The end has begun.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// The loop has gone round.
pub(super) fn alive() {
    tell(&[NotifyState::Watchdog]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_logs_are_held_open_where_the_system_allows_fewer_files() {
        let limits =
            |soft: &str| format!("Limit  Soft Limit  Hard Limit  Units\nMax open files            {soft}   524288   files\n");
        assert_eq!(Some(976), held(&limits("1024")));
        assert_eq!(Some(16), held(&limits("64")));
        assert_eq!(Some(8), held(&limits("20")));
        assert_eq!(None, held(&limits("unlimited")));
        assert_eq!(None, held(""));
    }
}
