//! What is kept, and the laws it obeys: order of recording and merging does not matter, and nothing is estimated.
pub mod counts;
pub mod courses;
pub mod deploys;
pub mod doings;
pub mod failures;
pub mod group;
pub mod headers;
pub mod intake;
pub mod latency;
pub mod slots;
pub mod snapshot;
pub mod steps;
pub mod stored;
pub mod summary;
pub mod tally;
