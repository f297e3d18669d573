//! "Look again" signals from the system; who has none looks by a slow tick.
//!
//! Every event means only that it is time to look: what happened is found out by looking. Folders are watched, not
//! files, so that a file which is replaced or comes later is noticed. Signals are given once until they are taken: a
//! busy log does not flood its reader. Where the system refuses, looking goes on by the tick alone, and that is said
//! once. The only file that knows the crate `notify`.

use std::collections::HashMap;
use std::collections::HashSet;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use notify::EventKind;
use notify::RecursiveMode;
use notify::event::AccessKind;
use notify::event::AccessMode;

/// Watches folders and wakes its reader.
pub struct Watcher {
    system: Option<notify::RecommendedWatcher>,
    /// With device and inode: a folder that was made again under its name is another one.
    watched: HashMap<PathBuf, (u64, u64)>,
    signal: Arc<Signal>,
    /// True once a refusal was told.
    told: bool,
}

#[derive(Debug, Default)]
struct Signal {
    /// True from a signal until it is taken.
    given: AtomicBool,
    /// True where events were lost.
    everything: AtomicBool,
}

/// What a signal means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// Something may have changed.
    Look,
    /// The system has lost events: look at everything, new names included.
    LookAtEverything,
}

impl Watcher {
    /// Calls `wake` from another thread when something may have changed, once until [`Watcher::take`]; for instance
    /// sends into a channel. Where the system gives no signals, says why and what happens now.
    pub fn new(wake: impl Fn() + Send + 'static) -> (Self, Option<String>) {
        let signal = Arc::new(Signal::default());
        let given = Arc::clone(&signal);
        let system = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if given.notice(&event) {
                wake();
            }
        });
        match system {
            Ok(system) => (Self { system: Some(system), watched: HashMap::new(), signal, told: false }, None),
            Err(error) => {
                let mut watcher = Self::poll_only();
                let notice = watcher.refused(&error);
                (watcher, notice)
            }
        }
    }

    /// Never wakes anybody: for file systems that have no events.
    pub fn poll_only() -> Self {
        Self { system: None, watched: HashMap::new(), signal: Arc::default(), told: false }
    }

    /// True where logs are found by the tick alone.
    pub fn is_poll_only(&self) -> bool {
        self.system.is_none()
    }

    /// Watches exactly `folders`, which exist. Says once where the system refuses to; then no folder is watched, and
    /// the slow tick finds everything.
    pub fn watch(&mut self, folders: &[PathBuf]) -> Option<String> {
        let wanted: HashSet<&Path> = folders.iter().map(PathBuf::as_path).collect();
        let mut gone: Vec<PathBuf> = self.watched.keys().filter(|folder| !wanted.contains(folder.as_path())).cloned().collect();
        gone.sort();
        for folder in gone {
            self.forget(&folder);
        }
        for folder in folders {
            let Ok(metadata) = folder.metadata() else { continue };
            let number = (metadata.dev(), metadata.ino());
            match self.watched.get(folder) {
                Some(known) if *known == number => continue,
                Some(_) => self.forget(folder),
                None => {}
            }
            let system = self.system.as_mut()?;
            match notify::Watcher::watch(system, folder, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.watched.insert(folder.clone(), number);
                }
                Err(error) if is_gone(&error) => {}
                Err(error) => return self.refused(&error),
            }
        }
        None
    }

    fn forget(&mut self, folder: &Path) {
        if self.watched.remove(folder).is_some()
            && let Some(system) = &mut self.system
        {
            // A folder that is gone has lost its watch already.
            drop(notify::Watcher::unwatch(system, folder));
        }
    }

    /// Takes the signal, `None` where there was none. To be asked before looking, so that what happens meanwhile gives
    /// a new one.
    pub fn take(&self) -> Option<Wake> {
        let given = self.signal.given.swap(false, Ordering::AcqRel);
        let everything = self.signal.everything.swap(false, Ordering::AcqRel);
        match (given, everything) {
            (_, true) => Some(Wake::LookAtEverything),
            (true, false) => Some(Wake::Look),
            (false, false) => None,
        }
    }

    fn refused(&mut self, error: &notify::Error) -> Option<String> {
        self.system = None;
        self.watched.clear();
        let why = match &error.kind {
            notify::ErrorKind::MaxFilesWatch => "the limit of inotify watches is reached".to_owned(),
            notify::ErrorKind::Io(error) if error.raw_os_error() == Some(24) => {
                "the limit of inotify instances or open files is reached".to_owned()
            }
            _ => error.to_string().chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect(),
        };
        let first = !std::mem::replace(&mut self.told, true);
        first.then(|| {
            format!(
                "watching folders: {why}; looking once a second instead (raise fs.inotify.max_user_watches, or use '--poll')"
            )
        })
    }
}

impl Signal {
    /// Keeps what an event means; true where the reader is to be woken.
    fn notice(&self, event: &notify::Result<notify::Event>) -> bool {
        match event {
            // What we do ourselves by looking.
            Ok(event) if !event.need_rescan() && is_ours(event.kind) => return false,
            Ok(event) if !event.need_rescan() => {}
            Ok(_) | Err(_) => self.everything.store(true, Ordering::Release),
        }
        !self.given.swap(true, Ordering::AcqRel)
    }
}

fn is_ours(kind: EventKind) -> bool {
    matches!(kind, EventKind::Access(access) if access != AccessKind::Close(AccessMode::Write))
}

fn is_gone(error: &notify::Error) -> bool {
    match &error.kind {
        notify::ErrorKind::PathNotFound => true,
        notify::ErrorKind::Io(error) => error.kind() == std::io::ErrorKind::NotFound,
        _ => false,
    }
}

impl std::fmt::Debug for Watcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watcher")
            .field("watched", &self.watched)
            .field("poll_only", &self.is_poll_only())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::time::Duration;

    use notify::event::CreateKind;
    use notify::event::Flag;

    #[test]
    fn a_signal_is_given_once_until_it_is_taken() {
        let watcher = Watcher::poll_only();
        let written = || Ok(notify::Event::new(EventKind::Create(CreateKind::File)));
        assert_eq!(vec![true, false], vec![watcher.signal.notice(&written()), watcher.signal.notice(&written())]);
        assert_eq!((Some(Wake::Look), None), (watcher.take(), watcher.take()));
        assert!(watcher.signal.notice(&written()));
    }

    #[test]
    fn lost_events_and_errors_ask_for_everything_and_our_own_looks_for_nothing() {
        let event = |kind| Ok(notify::Event::new(kind));
        let opened = EventKind::Access(AccessKind::Open(AccessMode::Any));
        for (expected, event) in [
            (None, event(opened)),
            (Some(Wake::Look), event(EventKind::Access(AccessKind::Close(AccessMode::Write)))),
            (Some(Wake::Look), event(EventKind::Any)),
            (Some(Wake::LookAtEverything), Ok(notify::Event::new(EventKind::Other).set_flag(Flag::Rescan))),
            (Some(Wake::LookAtEverything), Ok(notify::Event::new(opened).set_flag(Flag::Rescan))),
            (Some(Wake::LookAtEverything), Err(notify::Error::generic("x"))),
        ] {
            let watcher = Watcher::poll_only();
            assert_eq!(expected.is_some(), watcher.signal.notice(&event));
            assert_eq!(expected, watcher.take(), "{event:?}");
        }
    }

    #[test]
    fn a_refusal_is_told_once_and_then_the_tick_is_enough() {
        let (mut watcher, _) = Watcher::new(|| {});
        let full = notify::Error::new(notify::ErrorKind::MaxFilesWatch);
        let notice = watcher.refused(&full).unwrap();
        assert!(notice.starts_with("watching folders: the limit of inotify watches is reached; looking once a second"));
        assert_eq!(None, watcher.refused(&full));
        assert!(watcher.is_poll_only());
        assert_eq!(None, watcher.watch(&[PathBuf::from(".")]));
    }

    #[test]
    fn a_file_written_in_a_watched_folder_wakes_the_reader() {
        let folder = tempfile::tempdir().unwrap();
        let (sender, woken) = mpsc::channel();
        let (mut watcher, notice) = Watcher::new(move || sender.send(()).unwrap_or(()));
        if notice.is_some() {
            return;
        }
        assert_eq!(None, watcher.watch(&[folder.path().to_path_buf(), folder.path().join("missing")]));
        for name in ["one", "two"] {
            std::fs::write(folder.path().join(name), b"x").unwrap();
            woken.recv_timeout(Duration::from_secs(10)).unwrap();
            assert_eq!(Some(Wake::Look), watcher.take());
        }
        watcher.watch(&[]);
        assert_eq!(HashMap::new(), watcher.watched);
    }
}
