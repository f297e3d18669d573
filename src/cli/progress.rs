//! How far a long reading has come, on standard error.
//!
//! Drawn only where it was asked for and standard error is a terminal; taken away before anything else is printed. May
//! be advanced from several threads.

use indicatif::ProgressBar;
use indicatif::ProgressDrawTarget;
use indicatif::ProgressStyle;

/// A bar over bytes read.
#[derive(Debug, Clone)]
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A bar of `total` bytes, or one without an end where that is not known (a pipe). Nothing is ever drawn where
    /// `shown` is false.
    pub fn new(total: Option<u64>, shown: bool) -> Self {
        let target = if shown { ProgressDrawTarget::stderr_with_hz(10) } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(total, target);
        let form = if total.is_some() {
            "reading {bar:32} {percent:>3} %  {binary_bytes_per_sec}  {eta} left"
        } else {
            "reading {binary_bytes}  {binary_bytes_per_sec}"
        };
        let style = ProgressStyle::with_template(form).unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style.progress_chars("━━─"));
        Self { bar }
    }

    /// So many bytes more were read.
    pub fn advance(&self, bytes: u64) {
        self.bar.inc(bytes);
    }

    /// How many bytes were read so far.
    pub fn position(&self) -> u64 {
        self.bar.position()
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hidden_bar_counts_all_the_same() {
        for total in [Some(100), None] {
            let progress = Progress::new(total, false);
            progress.advance(40);
            progress.clone().advance(2);
            assert_eq!(42, progress.position());
            progress.finish();
        }
    }
}
