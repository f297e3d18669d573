//! One report to every place it was asked for, and what follows from it for the exit code.
//!
//! Files are made readable to their owner only. What cannot be written is told and does not stop the others; a closed
//! pipe is a quiet success.

use std::fs::OpenOptions;
use std::io;
use std::io::Write;
use std::path::Path;

use crate::cli::exit::Exit;
use crate::cli::say;
use crate::cli::settings::Form;
use crate::cli::settings::Settings;
use crate::error::Error;
use crate::error::Fault;
use crate::write::Report;
use crate::write::csv::csv;
use crate::write::figures::clean;
use crate::write::json::json;
use crate::write::markdown::markdown;
use crate::write::text::Look;
use crate::write::text::text;

/// Writes each output of `settings`; `snapshot` gives the stored form where that was asked for. Gives `Unread` where
/// one could not be written.
pub fn deliver(report: &Report, snapshot: &dyn Fn() -> Vec<u8>, settings: &Settings, stdout: &mut dyn Write) -> Exit {
    let mut exit = Exit::Done;
    for output in &settings.outputs {
        let look = Look { width: settings.width, colour: settings.colour && output.file.is_none() };
        let mut page = Vec::new();
        let drawn = match output.form {
            Form::Text => text(report, look, &mut page),
            Form::Json => json(report, &mut page),
            Form::Markdown => markdown(report, &mut page),
            Form::Csv => csv(report, &mut page),
            Form::Snapshot => page.write_all(&snapshot()),
        };
        let written = drawn.and_then(|()| match &output.file {
            Some(file) => private(file)?.write_all(&page),
            None => stdout.write_all(&page).and_then(|()| stdout.flush()),
        });
        match written {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                let name = output.file.as_ref().map_or_else(|| "standard output".into(), |f| f.to_string_lossy());
                say(&format!("writing '{}': {error}", clean(name.as_bytes())));
                exit = exit.and(Exit::Unread);
            }
            _ => {}
        }
    }
    exit
}

/// One page to a file, or to standard output. Gives `Unread` where it could not be written.
pub fn page(page: &[u8], file: Option<&Path>) -> Result<Exit, Error> {
    let mut stdout = io::stdout().lock();
    let written = match file {
        Some(file) => private(file).and_then(|mut file| file.write_all(page)),
        None => stdout.write_all(page).and_then(|()| stdout.flush()),
    };
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let name = file.map_or_else(|| "standard output".into(), Path::to_string_lossy);
            Err(Error::new(Fault::Output, format!("writing '{}': {error}", clean(name.as_bytes()))))
        }
        _ => Ok(Exit::Done),
    }
}

/// The file, made anew or emptied, mode 0600.
fn private(path: &Path) -> io::Result<std::fs::File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_file_is_readable_to_its_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.json");
        private(&path).unwrap().write_all(b"{}").unwrap();
        assert_eq!(0o600, std::fs::metadata(&path).unwrap().permissions().mode() & 0o777);
    }
}
