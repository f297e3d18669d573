//! The two ways to run, one pipeline.
pub mod batch;
pub mod clock;
pub mod examples;
pub mod fetch;
pub mod live;
pub mod pipeline;
pub mod sequence;
pub mod state;
