//! The generator as the benches use it: a log in memory, from the same seed as the command's.
#![allow(
    dead_code,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "the command uses the rest, and every number here is made here, and small"
)]

mod form;
pub(crate) mod random;
mod routes;
mod traffic;
mod truth;

/// About `bytes` of whole lines of the form with this name, as `generate FORM` writes them.
pub(crate) fn log(form: &str, bytes: u64) -> Vec<u8> {
    let form = form::Form::named(form).expect("a form of the generator");
    let plan = traffic::Plan { form, bytes, seed: 1, start: None, span: None, rate: None };
    let mut text = Vec::with_capacity(bytes as usize + (1 << 20));
    let mut traffic = traffic::Traffic::new(&plan, false);
    while traffic.fill(&mut text, 1 << 20) {}
    text
}

/// Lines of a log.
pub(crate) fn lines(log: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', log).count() as u64
}
