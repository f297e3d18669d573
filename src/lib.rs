//! Makes the health of a Python web service visible from the logs it already writes.
//!
//! A line goes one way through the house, and the alphabet is the map: [`input`] gives bytes, [`mod@line`] whole lines,
//! [`parse`] requests, [`route`] their endpoints, [`stats`] counts and measures, [`verdict`] judges, [`mod@write`] tells.
//! [`cli`] asks and [`drive`] turns the crank; [`error`] and [`time`] are the ground.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot go on should stop"))]

pub mod cli;
pub mod drive;
pub mod error;
pub mod input;
pub mod line;
pub mod parse;
pub mod route;
pub mod stats;
pub mod time;
pub mod verdict;
pub mod write;
