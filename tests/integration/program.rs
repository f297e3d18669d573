//! Runs the built program as a user would, in a folder of its own. Holds no tests.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;

/// The package's folder.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// An empty folder with `samples` linked into it; gone when dropped.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(root().join("samples"), folder.path().join("samples")).unwrap();
        Self(folder)
    }

    /// The full path of a file in here.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file and the folders above it.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// The text of a file in here.
    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// `vitalog` with these arguments, in here, in UTC and without colours.
    pub(crate) fn vitalog<S: AsRef<str>>(&self, arguments: &[S]) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_vitalog"));
        command.args(arguments.iter().map(AsRef::as_ref));
        command
    }

    /// A shell line in here, in which `vitalog` is the program under test.
    pub(crate) fn shell(&self, line: &str) -> Command {
        let bin = Path::new(env!("CARGO_BIN_EXE_vitalog")).parent().unwrap();
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
        let mut command = self.command("sh");
        command.args(["-c", line]).env("PATH", path);
        command
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.0.path()).env("TZ", "UTC").env("NO_COLOR", "1").env("COLUMNS", "80").stdin(Stdio::null());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("VITALOG_")) {
            command.env_remove(name);
        }
        command
    }
}

/// What a finished run left behind.
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Outcome {
    /// The report on stdout; the message of the run where there is none.
    pub(crate) fn report(&self) -> Value {
        serde_json::from_str(&self.out)
            .unwrap_or_else(|error| panic!("no JSON ({error}); exit {:?}, stderr: {}", self.code, self.err))
    }
}

/// Runs a command to its end, with `input` on stdin where there is any.
pub(crate) fn run(command: &mut Command, input: Option<&[u8]>) -> Outcome {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    if input.is_some() {
        command.stdin(Stdio::piped());
    }
    let mut child = command.spawn().unwrap();
    let feeder = child.stdin.take().zip(input.map(<[u8]>::to_vec)).map(|(mut stdin, bytes)| {
        // whether all of it was wanted is the program's business
        std::thread::spawn(move || drop(stdin.write_all(&bytes)))
    });
    let output = child.wait_with_output().unwrap();
    feeder.map(std::thread::JoinHandle::join).transpose().unwrap();
    Outcome {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
