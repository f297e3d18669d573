//! One test binary; each module says what belongs there.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

/// `tests/cases/*.toml`: input, arguments, what must come out. A new case needs no Rust.
mod cases;
/// What a change did: the verdicts on the samples' bad deploy, false alarms and power.
mod change;
/// Exit codes, messages, closed pipes, several outputs from one read.
mod command;
/// `compare` in each of its forms on a real bad deploy; canaries, weeks, snapshots, what is refused.
mod compare;
/// A small local server answers each status, hangs, closes; alerts arrive, again and in order, or are given up as told.
mod delivery;
/// What a source is, from its first 200 lines; a wrong guess cannot be missed.
mod detection;
/// `explain`: the counts of `analyze`, an example of every kind of line, exit codes, `--fix`.
mod explain;
/// Followed logs: one situation a test, and random sequences against a model.
mod follow;
/// `--fail-on`: conditions on figures, with and without windows.
mod gate;
/// Archives in the order of time: the same seconds and alerts, whatever the way of reading.
mod judged;
/// Chunks, threads, cuts, copies: whatever the way of reading, the report is the same.
mod laws;
/// No stage walks backwards, each crate uses its door, no file names a machine.
mod layering;
/// Logs followed through a pipe to their end: alerts and verdicts on deploys.
mod live;
/// Logs for laws: samples, pieces, noise. Holds no tests.
mod logs;
/// `init` and `check`.
mod measure;
/// One packed file over several threads: the report is that of one thread.
mod packed;
/// Lines as people paste them into bug reports: what each is, and never a figure it does not say.
mod pasted;
/// How the tests run the program. Holds no tests.
mod program;
/// Numbers from a seed, shared with the benches. Holds no tests.
#[path = "../../benches/generate/random.rs"]
mod random;
/// Every command that README.md shows is run, and its output compared.
mod readme;
/// The local server that `delivery` sends to. Holds no tests.
mod receiver;
/// An archive judged: the alerts of a live run, whatever the way of reading.
mod replay;
/// Every file in `samples/` gives the figures that were counted without us.
mod samples;
/// The web side on real sockets: slow, greedy and foreign clients.
mod serve;
/// Traffic from a seed, shared with the bench `change`. Holds no tests.
#[path = "../../benches/simulate.rs"]
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "small numbers drawn from a seed"
)]
mod simulate;
/// The state file against a model: kills, damage, a full disk, readers beside the writer.
mod state;
/// How large a state grows: figures, not a check.
mod state_size;
/// The statistics against scipy's answers, kept as a fixture.
mod statistics;
