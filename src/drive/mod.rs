//! The two ways to run, one pipeline.

pub mod analyze;
pub mod batch;
mod blocks;
pub mod clock;
pub mod examples;
pub mod fetch;
pub mod live;
pub mod pipeline;
pub mod sequence;
mod share;
pub mod state;
