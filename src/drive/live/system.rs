//! The system around a live run: signals, and the service manager that wants to know how it is.

use std::sync::mpsc::SyncSender;
use std::thread;

use sd_notify::NotifyState;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;

use super::Wake;

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
