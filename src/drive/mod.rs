//! The two ways to run, one pipeline.

mod ahead;
pub mod analyze;
pub mod batch;
pub mod book;
pub mod clock;
pub mod compare;
pub mod deploys;
pub mod examples;
pub mod fetch;
pub mod judge;
pub mod live;
mod packed;
pub mod pipeline;
mod queue;
pub mod sequence;
mod share;
pub mod source;
pub mod state;
